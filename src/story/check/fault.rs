//! A fault in a story, in words that say where it is and what to do.

use crate::{
    recipe::Size,
    story::check::{LARGEST_SIZE, LONGEST_ID, MOST_STEPS, SMALLEST_SIZE},
};

/// A fault in a story. An error keeps it from being planned; a warning does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoryFault {
    /// Two things of one kind share an id, or have ids that differ in upper and lower case only.
    #[error("two {what}s{of} have the id `{id}` (upper and lower case count as one): rename one")]
    DuplicateId {
        /// `scene`, `character`, `place`, `item`, `moment` or `expression`.
        what: &'static str,
        /// Whose it is, for an expression: ` of the character ..`.
        of: String,
        /// The id.
        id: String,
    },
    /// An id that could not stand in the name of a file.
    #[error(
        "`{id}` is no id for a {what}{of}: use letters, digits, `-` and `_`, a letter or digit first \
         and last, at most {LONGEST_ID} bytes"
    )]
    BadId {
        /// `scene`, `character`, `place`, `item`, `moment` or `expression`.
        what: &'static str,
        /// Whose it is, for an expression: ` of the character ..`.
        of: String,
        /// The id.
        id: String,
    },
    /// A line is spoken by somebody who has no cast sheet.
    #[error(
        "scene `{scene}`, line {line}: the speaker `{speaker}` is none of the characters: write a \
         cast sheet for `{speaker}` or correct the name"
    )]
    UnknownSpeaker {
        /// The scene.
        scene: String,
        /// The line, from 1.
        line: usize,
        /// The speaker.
        speaker: String,
    },
    /// A scene plays where there is no location sheet.
    #[error(
        "scene `{scene}`: the place `{place}` is none of the places: write a location sheet for \
         `{place}` or correct the name"
    )]
    UnknownPlace {
        /// The scene.
        scene: String,
        /// The place.
        place: String,
    },
    /// A line shows an item that is not listed.
    #[error(
        "scene `{scene}`, line {line}: the item `{item}` is none of the items: list `{item}` there \
         or correct the name"
    )]
    UnknownItem {
        /// The scene.
        scene: String,
        /// The line, from 1.
        line: usize,
        /// The item.
        item: String,
    },
    /// An exit leads nowhere.
    #[error(
        "scene `{scene}`, exit {exit}: there is no scene `{to}`: write it or let the exit lead to \
         another"
    )]
    UnknownExit {
        /// The scene.
        scene: String,
        /// The exit, from 1.
        exit: usize,
        /// Where it leads.
        to: String,
    },
    /// The story starts nowhere.
    #[error("the story starts with the scene `{start}`, which it does not have: correct `start`")]
    UnknownStart {
        /// What `start` says.
        start: String,
    },
    /// The story has no scenes.
    #[error("the story has no scenes: write at least one")]
    NoScenes,
    /// A colour that is not `#rrggbb`.
    #[error(
        "character `{character}`: `{colour}` is no colour: write `#` and six hexadecimal digits, as \
         in `#f2a65a`"
    )]
    BadColour {
        /// The character.
        character: String,
        /// The colour.
        colour: String,
    },
    /// A picture with too few or too many pixels.
    #[error(
        "style: a {kind} cannot be {size} pixels: both sides go from {SMALLEST_SIZE} to \
         {LARGEST_SIZE}"
    )]
    BadSize {
        /// `background`, `portrait`, `moment` or `item`.
        kind: &'static str,
        /// The size.
        size: Size,
    },
    /// No steps, or too many.
    #[error("style: a picture cannot take {steps} steps: use 1 to {MOST_STEPS}")]
    BadSteps {
        /// The steps.
        steps: u32,
    },
    /// A guidance scale below zero, or no number.
    #[error("style: the guidance cannot be {guidance}: use a number from 0, such as 6.0")]
    BadGuidance {
        /// The guidance.
        guidance: String,
    },
    /// A guidance rescale out of range, or no number.
    #[error(
        "style: the guidance cannot be rescaled by {guidance_rescale}: use a number from 0 to 1, such as 0.7"
    )]
    BadGuidanceRescale {
        /// The rescale.
        guidance_rescale: String,
    },
    /// Warning: nothing leads to a scene.
    #[error(
        "scene `{scene}`: nothing leads there from the start: add an exit to it or take it out"
    )]
    UnreachedScene {
        /// The scene.
        scene: String,
    },
    /// Warning: no scene is an ending.
    #[error("the story has no ending: leave at least one scene that can be reached without exits")]
    NoEnding,
    /// Warning: a sheet that nothing uses.
    #[error("{what} `{id}`: no scene uses this sheet: use it or take it out")]
    Unused {
        /// `character` or `place`.
        what: &'static str,
        /// The id.
        id: String,
    },
    /// Warning: a sheet that gives the model no words.
    #[error(
        "{what} `{id}`: the sheet has no `looks`, so that the model has only the name to go by: add them"
    )]
    NoLooks {
        /// `character`, `place` or `item`.
        what: &'static str,
        /// The id.
        id: String,
    },
    /// Warning: an expression on a line that nobody speaks.
    #[error(
        "scene `{scene}`, line {line}: the expression `{expression}` stands on a line without a \
         speaker: name the speaker or take it out"
    )]
    ExpressionOfNobody {
        /// The scene.
        scene: String,
        /// The line, from 1.
        line: usize,
        /// The expression.
        expression: String,
    },
}

impl StoryFault {
    /// Whether the story can be planned all the same.
    #[must_use]
    pub const fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::UnreachedScene { .. }
                | Self::NoEnding
                | Self::Unused { .. }
                | Self::NoLooks { .. }
                | Self::ExpressionOfNobody { .. }
        )
    }
}
