//! Takes in the order of their scores.

use super::Take;
use crate::loss::{best_first, scores};

/// A take with its place among the takes that it is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankedTake<'a> {
    /// The take.
    pub take: &'a Take,
    /// Its score. `None` if its recipe has none, or its losses were not measured.
    pub score: Option<TakeScore>,
}

/// The score of a take among the takes of the same recipe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TakeScore {
    /// As [`scores`]: smaller is better.
    pub value: f32,
    /// 1 for the best take.
    pub rank: usize,
    /// The number of takes that are compared.
    pub of: usize,
}

/// Orders takes: those of a recipe with a [score](crate::recipe::Recipe::score) come together, the best one first, at the
/// place of the first of them. All others stay in their order.
#[must_use]
pub fn ranked<'a>(takes: impl IntoIterator<Item = &'a Take>) -> Vec<RankedTake<'a>> {
    let mut groups: Vec<Vec<&Take>> = Vec::new();
    for take in takes {
        let is_scored = |take: &Take| take.recipe().score && !take.provenance.losses.is_empty();
        let is_same = |group: &&mut Vec<&Take>| {
            is_scored(take) && is_scored(group[0]) && take.recipe().same_but_take(group[0].recipe())
        };
        match groups.iter_mut().find(is_same) {
            Some(group) => group.push(take),
            None => groups.push(vec![take]),
        }
    }
    groups.into_iter().flat_map(|group| ranked_group(&group)).collect()
}

/// Orders the takes of one recipe.
fn ranked_group<'a>(takes: &[&'a Take]) -> Vec<RankedTake<'a>> {
    let [first, ..] = takes else { return Vec::new() };
    if !first.recipe().score {
        return takes.iter().map(|take| RankedTake { take, score: None }).collect();
    }
    let losses: Vec<_> = takes.iter().map(|take| take.provenance.losses.as_slice()).collect();
    let scores = scores(&losses);
    let of = scores.iter().flatten().count();
    let place = |(place, at): (usize, usize)| RankedTake {
        take: takes[at],
        score: scores[at].map(|value| TakeScore { value, rank: place + 1, of }),
    };
    best_first(&scores).into_iter().enumerate().map(place).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        art::{Provenance, TakeId},
        generator::ModelCard,
        loss::FinalLoss,
        recipe::{Recipe, Size},
        storyboard::ShotId,
    };

    /// A take of a prompt. `value` is that of its loss, if it has a score.
    fn take(prompt: &str, number: u32, value: Option<f32>) -> Take {
        let recipe = Recipe {
            score: value.is_some(),
            take: number,
            ..Recipe::new(prompt, Size::new(8, 8), "fake")
        };
        let loss = |value| FinalLoss {
            part: None,
            index: 0,
            kind: "Text".to_owned(),
            weight: 1.0,
            unlike: false,
            value,
        };
        let provenance = Provenance::now(recipe, ModelCard::default(), Duration::ZERO);
        let losses = value.map(loss).into_iter().collect();
        let provenance = Provenance { losses, ..provenance };
        Take {
            id: TakeId::of(&provenance.recipe, ""),
            shot: ShotId::new("shot").unwrap(),
            path: "take.png".into(),
            provenance,
        }
    }

    #[test]
    fn takes_with_a_score_are_ordered_among_those_of_their_recipe() {
        let takes = [
            take("a", 0, None),
            take("b", 0, Some(0.4)),
            take("c", 0, Some(9.0)),
            take("b", 1, Some(0.2)),
            take("a", 1, None),
        ];
        let ranked = ranked(&takes);
        let order: Vec<_> = ranked.iter().map(|ranked| ranked.take.clone()).collect();
        assert_eq!(order, [0, 3, 1, 2, 4].map(|at: usize| takes[at].clone()));
        let score = |value, rank, of| Some(TakeScore { value, rank, of });
        let expected = [None, score(-1.0, 1, 2), score(1.0, 2, 2), score(0.0, 1, 1), None];
        assert_eq!(ranked.iter().map(|ranked| ranked.score).collect::<Vec<_>>(), expected);
    }
}
