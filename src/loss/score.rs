//! Scores: how well a picture fits its losses, compared with other pictures of the same recipe.
//!
//! The kinds of losses have different scales: four takes of a prompt had values of `Text` from 0.26 to 0.39, and values of
//! `Palette` from 0.201 to 0.207. In a sum, `Palette` would not count, and divided by their means the values still differ
//! by 40 % and 3 %. So each value is replaced by its distance to the mean of the compared pictures, in standard deviations
//! (its standard score). A loss of weight 2 then counts as much as two losses of weight 1, whatever their kinds.

use serde::{Deserialize, Serialize};

use super::LossEncoder;
use crate::{
    diffusion::DiffusionError,
    finite::finite,
    recipe::{EditKind, Loss, LossKind, MAX_TEXT_LENGTH, PartEdit},
};

/// The value of a loss for a finished picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinalLoss {
    /// The index of the part in its edit. `None` for the whole picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<usize>,
    /// The index of the loss in its part.
    pub index: usize,
    /// The name of its kind.
    pub kind: String,
    /// Its weight.
    #[serde(deserialize_with = "finite")]
    pub weight: f32,
    /// Whether a large value is better.
    pub unlike: bool,
    /// The value. It is finite.
    #[serde(deserialize_with = "finite")]
    pub value: f32,
}

impl FinalLoss {
    /// Whether both are values of the same loss.
    fn is_of_same_loss(&self, other: &Self) -> bool {
        (self.part, self.index, self.unlike) == (other.part, other.index, other.unlike)
            && (&self.kind, self.weight) == (&other.kind, other.weight)
    }
}

/// Differences of values below this share of their mean are rounding errors.
const MIN_SPREAD: f64 = 1e-5;

/// The score of each picture, from its losses. Smaller is better: 0 is the mean of all pictures, and -1 is one standard
/// deviation better.
///
/// It is the weighted mean of the standard scores of the losses, with the opposite sign for losses that are
/// [`unlike`](FinalLoss::unlike). `None` for a picture without losses, or with other losses than the first one that has
/// some.
#[must_use]
pub fn scores(pictures: &[&[FinalLoss]]) -> Vec<Option<f32>> {
    let Some(first) = pictures.iter().find(|losses| !losses.is_empty()) else {
        return vec![None; pictures.len()];
    };
    let is_compared = |losses: &[FinalLoss]| {
        losses.len() == first.len()
            && losses.iter().zip(*first).all(|(one, other)| one.is_of_same_loss(other))
    };
    let compared: Vec<&[FinalLoss]> =
        pictures.iter().copied().filter(|losses| is_compared(losses)).collect();
    let count = compared.len() as f64;
    let mut totals = vec![0.0; compared.len()];
    let mut weights = 0.0;
    for (at, loss) in first.iter().enumerate() {
        let values = compared.iter().map(|losses| f64::from(losses[at].value));
        let mean = values.clone().sum::<f64>() / count;
        let variance = values.clone().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        let (deviation, weight) = (variance.sqrt(), f64::from(loss.weight));
        weights += weight;
        if deviation <= MIN_SPREAD * mean.abs() {
            continue;
        }
        let sign = if loss.unlike { -1.0 } else { 1.0 };
        for (total, value) in totals.iter_mut().zip(values) {
            *total += sign * weight * (value - mean) / deviation;
        }
    }
    let mut scores = totals.into_iter().map(|total| (total / weights) as f32);
    let score = |losses: &&[FinalLoss]| is_compared(losses).then(|| scores.next()).flatten();
    pictures.iter().map(score).collect()
}

/// The indices of all scores, the best one first. Pictures without a score come last; equal ones keep their order.
#[must_use]
pub fn best_first(scores: &[Option<f32>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let key = |at: usize| scores[at].unwrap_or(f32::INFINITY);
    order.sort_by(|&one, &other| key(one).total_cmp(&key(other)));
    order
}

/// Whether a picture can never have a better score than another one, whatever they are compared with: it has the same losses,
/// and none of its values is better.
#[must_use]
pub fn is_never_better(losses: &[FinalLoss], others: &[FinalLoss]) -> bool {
    let is_no_better = |(one, other): (&FinalLoss, &FinalLoss)| {
        let [better, worse] = if one.unlike { [one, other] } else { [other, one] };
        one.is_of_same_loss(other) && better.value <= worse.value
    };
    losses.len() == others.len() && losses.iter().zip(others).all(is_no_better)
}

/// The loss that scores a picture without losses: how little it shows what its prompt says. `None` if the prompt is
/// empty.
#[must_use]
pub fn loss_of_prompt(prompt: &str) -> Option<Loss> {
    let text = prompt.trim();
    let text = &text[..text.floor_char_boundary(MAX_TEXT_LENGTH)];
    (!text.is_empty()).then(|| Loss::new(LossKind::Text(text.to_owned())))
}

/// The loss that scores a part without losses: how little it shows what its own words say, or `prompt` if it has none.
///
/// A part that becomes something else is scored by what its words change, which is the direction from the prompt to the
/// words: `docs/losses.md` compares both. The words of a removed part name what must not be there, so the loss is
/// [`unlike`](Loss::unlike). `None` if a removed part has no words, because the prompt may name it too; and if all words are
/// empty.
///
/// # Errors
/// If the encoder fails.
pub fn loss_of_part(
    edit: &PartEdit,
    prompt: &str,
    encoder: &dyn LossEncoder,
) -> Result<Option<Loss>, DiffusionError> {
    let (words, prompt) = (edit.words.trim(), prompt.trim());
    let is_direction = || {
        let is_short = words.len() + prompt.len() <= MAX_TEXT_LENGTH;
        Ok::<_, DiffusionError>(
            is_short && !prompt.is_empty() && encoder.distinguishes(prompt, words)?,
        )
    };
    Ok(match edit.kind {
        EditKind::Keep => None,
        EditKind::Remove => loss_of_prompt(words).map(|loss| Loss { unlike: true, ..loss }),
        _ if words.is_empty() => loss_of_prompt(prompt),
        EditKind::Refine | EditKind::Replace | EditKind::Add if is_direction()? => {
            let (from, to) = (prompt.to_owned(), words.to_owned());
            Some(Loss::new(LossKind::Direction { from, to }))
        }
        _ => loss_of_prompt(words),
    })
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::diffusion::LatentClip;

    fn loss(kind: &str, weight: f32, value: f32) -> FinalLoss {
        FinalLoss { part: None, index: 0, kind: kind.to_owned(), weight, unlike: false, value }
    }

    fn scores_of(pictures: &[Vec<FinalLoss>]) -> Vec<Option<f32>> {
        scores(&pictures.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    fn assert_near(found: &[Option<f32>], expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found.unwrap() - expected).abs() < 1e-4, "{found:?} is not {expected}");
        }
    }

    #[test]
    fn the_score_of_one_loss_is_its_standard_score() {
        // The mean of 2, 4, 4, 4, 5, 5, 7 and 9 is 5, their standard deviation 2.
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        let pictures = values.map(|value| vec![loss("Palette", 0.3, value)]);
        assert_near(&scores_of(&pictures), &[-1.5, -0.5, -0.5, -0.5, 0.0, 0.0, 1.0, 2.0]);
    }

    #[test]
    fn weights_count_and_scales_do_not() {
        // Two pictures are one standard deviation from their mean, whatever the scale.
        let picture =
            |weight, text, colours| vec![loss("Text", weight, text), loss("Palette", 1.0, colours)];
        let with = |weight| scores_of(&[picture(weight, 0.91, 5.0), picture(weight, 0.92, 1.0)]);
        assert_near(&with(1.0), &[0.0, 0.0]);
        assert_near(&with(3.0), &[-0.5, 0.5]);
        assert_near(&with(0.5), &[1.0 / 3.0, -1.0 / 3.0]);
    }

    #[test]
    fn a_large_value_of_an_unlike_loss_is_better() {
        let unlike = |value| vec![FinalLoss { unlike: true, ..loss("Text", 1.0, value) }];
        assert_near(&scores_of(&[unlike(1.0), unlike(3.0)]), &[1.0, -1.0]);
    }

    #[test]
    fn equal_values_decide_nothing() {
        let pictures = [0.3_f32, 0.300_000_03].map(|value| vec![loss("Palette", 1.0, value)]);
        assert_near(&scores_of(&pictures), &[0.0, 0.0]);
        assert_near(&scores_of(&pictures[..1]), &[0.0]);
        let zeros = [0.0; 2].map(|value| vec![loss("Palette", 1.0, value)]);
        assert_near(&scores_of(&zeros), &[0.0, 0.0]);
    }

    #[test]
    fn a_picture_is_never_better_if_none_of_its_values_is() {
        let picture = |text, palette| {
            let unlike = FinalLoss { unlike: true, ..loss("Palette", 1.0, palette) };
            vec![loss("Text", 1.0, text), unlike]
        };
        let one = picture(0.5, 0.5);
        for (text, palette, expected) in [
            (0.5, 0.5, true),
            (0.6, 0.5, true),
            (0.6, 0.4, true),
            (0.4, 0.5, false),
            (0.5, 0.6, false),
            (0.6, 0.6, false),
        ] {
            assert_eq!(
                is_never_better(&picture(text, palette), &one),
                expected,
                "{text} {palette}"
            );
        }
        assert!(!is_never_better(&one[..1], &one));
        assert!(!is_never_better(&[loss("Style", 1.0, 9.0)], &one[..1]));
        assert!(is_never_better(&[], &[]));
    }

    #[test]
    fn pictures_with_other_losses_have_no_score_and_come_last() {
        let palette = |value| vec![loss("Palette", 1.0, value)];
        let pictures = [
            Vec::new(),
            palette(3.0),
            vec![loss("Palette", 2.0, 0.0)],
            palette(1.0),
            vec![loss("Text", 1.0, 0.0)],
        ];
        let scores = scores_of(&pictures);
        assert_eq!(scores, [None, Some(1.0), None, Some(-1.0), None]);
        assert_eq!(best_first(&scores), [3, 1, 0, 2, 4]);
        assert_eq!(scores_of(&[Vec::new()]), [None]);
    }

    #[test]
    fn a_part_is_scored_by_what_its_words_change_and_a_removed_part_by_their_absence() {
        let clip = LatentClip::built_in(&Device::Cpu).unwrap();
        let text = |text: &str| Loss::new(LossKind::Text(text.to_owned()));
        let absent = |words: &str| Loss { unlike: true, ..text(words) };
        let to = |to: &str| {
            let (from, to) = ("a bay".to_owned(), to.to_owned());
            Loss::new(LossKind::Direction { from, to })
        };
        let long = "a moon, ".repeat(MAX_TEXT_LENGTH / 8);
        for (kind, words, expected) in [
            (EditKind::Replace, " a moon ", Some(to("a moon"))),
            (EditKind::Add, "a moon", Some(to("a moon"))),
            (EditKind::Refine, "a bay at night", Some(to("a bay at night"))),
            (EditKind::Refine, "A bay", Some(text("A bay"))),
            (EditKind::Replace, long.trim(), Some(text(long.trim()))),
            (EditKind::Embolden, "a moon", Some(text("a moon"))),
            (EditKind::Refine, " ", Some(text("a bay"))),
            (EditKind::Embolden, "", Some(text("a bay"))),
            (EditKind::Remove, "a ship", Some(absent("a ship"))),
            (EditKind::Remove, "", None),
            (EditKind::Keep, "a cat", None),
        ] {
            let edit = PartEdit { words: words.to_owned(), ..PartEdit::new(kind) };
            assert_eq!(loss_of_part(&edit, "a bay", &clip).unwrap(), expected, "{edit:?}");
        }
        let replaced = PartEdit { words: "a moon".to_owned(), ..PartEdit::new(EditKind::Replace) };
        assert_eq!(loss_of_part(&replaced, " ", &clip).unwrap(), Some(text("a moon")));
        assert_eq!(loss_of_prompt(" "), None);
        let long = loss_of_prompt(&"ä".repeat(MAX_TEXT_LENGTH)).unwrap();
        assert_eq!(long.check(), Ok(()));
    }

    #[test]
    fn a_value_survives_a_round_trip_and_values_that_are_no_numbers_are_refused() {
        let loss = FinalLoss { part: Some(2), index: 1, ..loss("Text", 0.1, 0.123_456_79) };
        let json = serde_json::to_string(&loss).unwrap();
        assert_eq!(serde_json::from_str::<FinalLoss>(&json).unwrap(), loss);
        let wrong = json.replace("0.12345679", "1e39");
        assert!(wrong != json && serde_json::from_str::<FinalLoss>(&wrong).is_err());
    }
}
