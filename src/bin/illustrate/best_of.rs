//! `--best-of`: several takes are drawn and scored by their losses, and the best one is written.

use std::iter;

use bevy_illustrator::{
    art::Provenance,
    diffusion::Trace,
    loss::{FinalLoss, best_first, scores},
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
    pub(crate) index: usize,
}

/// Scores takes of the same recipe. The best one comes first.
pub(crate) fn scored<'a>(takes: impl IntoIterator<Item = &'a Provenance>) -> Vec<ScoredTake> {
    let takes: Vec<&Provenance> = takes.into_iter().collect();
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
