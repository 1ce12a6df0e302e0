//! Losses and scores in words.

use crate::{
    art::{Take, TakeScore},
    loss::FinalLoss,
};

/// The name of a kind of loss in plain words.
pub(super) fn title(kind: &str) -> &str {
    match kind {
        "Text" => "Show this",
        "Direction" => "Change this",
        "Style" => "Look like this",
        "Content" => "Like this picture",
        "Outline" => "Hold this outline",
        "Colours" => "Roughly these colours",
        "Palette" => "In these colours",
        "TotalVariation" => "Calmer",
        "Saturation" => "Saturation",
        "Lightness" => "Darker or lighter",
        "Latents" => "Stay close to this",
        custom => custom,
    }
}

/// The place of a take among those that it is compared with: `best of 4`, `2 of 4`.
pub(super) fn place(score: TakeScore) -> String {
    match score {
        TakeScore { rank: 1, of, .. } => format!("best of {of}"),
        TakeScore { rank, of, .. } => format!("{rank} of {of}"),
    }
}

/// The score and the values of a take, one per line. Empty without losses.
pub(super) fn values(take: &Take, score: Option<TakeScore>) -> String {
    let total = score.map(|score| format!("Score {:+.2}, smaller is better", score.value));
    let part_of = |loss: &FinalLoss| {
        let edit = take.recipe().edit.as_ref()?;
        Some(edit.parts.get(loss.part?)?.name.clone())
    };
    let line = |loss: &FinalLoss| {
        let part = part_of(loss).map_or(String::new(), |part| format!("{part}: "));
        let unlike = if loss.unlike { ", less of this" } else { "" };
        format!("{part}{}{unlike}: {:.3}", title(&loss.kind), loss.value)
    };
    let lines = take.provenance.losses.iter().map(line);
    total.into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}
