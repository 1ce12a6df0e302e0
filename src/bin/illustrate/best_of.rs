//! `--best-of`: several takes are drawn and scored by their losses, and the best one is written.

use std::iter;

use bevy_illustrator::{
    art::Provenance,
    diffusion::Trace,
    loss::{FinalLoss, best_first, is_never_better, scores},
    recipe::Recipe,
};
use image::RgbaImage;
use serde::Serialize;

use crate::{failure::Failure, output::print};

/// A take that is not written yet.
pub(crate) struct Candidate {
    pub(crate) image: RgbaImage,
    pub(crate) provenance: Provenance,
    pub(crate) trace: Trace,
}

/// Takes of the same recipe, of which the best one is written.
#[derive(Default)]
pub(crate) struct Candidates {
    /// The takes that may be the best, with their indices. Pictures are large, so the others are dropped.
    kept: Vec<(usize, Candidate)>,
    all: Vec<Provenance>,
}

impl Candidates {
    pub(crate) fn add(&mut self, candidate: Candidate) {
        let index = self.all.len();
        self.all.push(candidate.provenance.clone());
        let losses = |candidate: &Candidate| candidate.provenance.losses.clone();
        let new = losses(&candidate);
        if self.kept.iter().any(|(_, other)| is_never_better(&new, &losses(other))) {
            return;
        }
        self.kept.retain(|(_, other)| !is_never_better(&losses(other), &new));
        self.kept.push((index, candidate));
    }

    /// The best take, and the scores of all takes, the best one first. `None` if there are no takes.
    pub(crate) fn best(mut self) -> Option<(Candidate, Vec<ScoredTake>)> {
        let mut takes = scored(&self.all);
        let kept = |take: &ScoredTake| self.kept.iter().position(|(index, _)| *index == take.index);
        // Of takes whose scores are equal, the first one may have been dropped.
        let place = takes.iter().position(|take| kept(take).is_some())?;
        let best = kept(&takes[place])?;
        takes[..=place].rotate_right(1);
        Some((self.kept.swap_remove(best).1, takes))
    }
}

/// A take with its score, as `--json` prints it.
#[derive(Clone, Serialize)]
pub(crate) struct ScoredTake {
    /// The seed of its starting noise.
    seed: u64,
    /// The seeds of parts that have their own, by the name of the part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    part_seeds: Vec<(String, u64)>,
    /// As [`scores`].
    score: Option<f32>,
    losses: Vec<FinalLoss>,
    /// Its index among the compared takes.
    #[serde(skip)]
    index: usize,
}

/// Scores takes of the same recipe. The best one comes first.
pub(crate) fn scored(takes: &[Provenance]) -> Vec<ScoredTake> {
    let scores = scores(&takes.iter().map(|take| take.losses.as_slice()).collect::<Vec<_>>());
    let take = |index: usize| ScoredTake {
        seed: takes[index].recipe.noise_seed(),
        part_seeds: part_seeds(&takes[index].recipe),
        score: scores[index],
        losses: takes[index].losses.clone(),
        index,
    };
    best_first(&scores).into_iter().map(take).collect()
}

fn part_seeds(recipe: &Recipe) -> Vec<(String, u64)> {
    let edit = recipe.edit.as_ref().map(|edit| edit.of_take(recipe.take));
    let parts = edit.map(|edit| edit.parts).unwrap_or_default().into_iter();
    parts.filter_map(|part| Some((part.name, part.edit.seed?))).collect()
}

/// Prints a line for each take. `parts` are the names of the parts.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_scores(takes: &[ScoredTake], parts: &[&str]) -> Result<(), Failure> {
    let value = |loss: &FinalLoss| {
        let part = loss.part.and_then(|part| parts.get(part));
        let part = part.map_or(String::new(), |part| format!("{part}: "));
        format!("{part}{} {:.3}", loss.kind, loss.value)
    };
    let line = |take: &ScoredTake| {
        let score = take.score.map_or("no score".to_owned(), |score| format!("score {score:+.2}"));
        let values = take.losses.iter().map(value).collect::<Vec<_>>().join(", ");
        let of_parts = take.part_seeds.iter().map(|(name, seed)| format!(", {name}: {seed}"));
        let seeds: String = iter::once(take.seed.to_string()).chain(of_parts).collect();
        format!("  seed {seeds}: {score} ({values})")
    };
    takes.iter().map(line).try_for_each(|line| print(&line))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bevy_illustrator::{generator::ModelCard, recipe::Size};

    use super::*;

    fn candidate(values: &[f32]) -> Candidate {
        let recipe = Recipe::new("a key", Size::new(8, 8), "fake");
        let loss = |(index, value): (usize, &f32)| FinalLoss {
            part: None,
            index,
            kind: "Text".to_owned(),
            weight: 1.0,
            unlike: false,
            value: *value,
        };
        let losses = values.iter().enumerate().map(loss).collect();
        let provenance = Provenance::now(recipe, ModelCard::default(), Duration::ZERO);
        let provenance = Provenance { losses, ..provenance };
        let image = RgbaImage::new(1, 1);
        Candidate { image, provenance, trace: Trace::default() }
    }

    /// The index of the best take, and the most pictures that were kept at the same time.
    fn best(takes: &[&[f32]]) -> (usize, usize) {
        let (mut candidates, mut most) = (Candidates::default(), 0);
        for values in takes {
            candidates.add(candidate(values));
            most = most.max(candidates.kept.len());
        }
        let (best, scores) = candidates.best().unwrap();
        assert_eq!(scores.len(), takes.len());
        assert_eq!(scores[0].losses, best.provenance.losses);
        (scores[0].index, most)
    }

    #[test]
    fn only_pictures_that_may_be_the_best_are_kept() {
        assert_eq!(best(&[&[0.4], &[0.3], &[0.5], &[0.2], &[0.2], &[0.6]]), (3, 1));
        assert_eq!(best(&[&[0.1, 0.9], &[0.9, 0.2], &[0.2, 0.3], &[0.5, 0.5]]), (2, 3));
        assert_eq!(best(&[&[], &[], &[]]), (0, 1));
        assert_eq!(best(&[&[0.5]]), (0, 1));
    }

    #[test]
    fn of_takes_with_equal_scores_the_one_that_is_kept_comes_first() {
        // The second one is better by a rounding error, which has no effect on the scores.
        assert_eq!(best(&[&[0.300_000_03], &[0.3]]), (1, 1));
    }
}
