//! The faults of a story. Each message names the place and the remedy.

use crate::{
    prompt::PromptSyntax,
    recipe::{MAX_SIDE, MAX_TEXT_LENGTH, MIN_SIDE, Size},
    story::check::{MAX_ID_LENGTH, MAX_PROMPTS, MAX_STEPS},
};

/// A fault in a story. An error prevents planning; a [warning](Self::is_warning) does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoryFault {
    /// Two things of one kind share an id. Upper and lower case count as equal.
    #[error("two {what}s{of} have the id `{id}` (upper and lower case count as one): rename one")]
    DuplicateId {
        /// `scene`, `character`, `place`, `item`, `moment` or `expression`.
        what: &'static str,
        /// The owner of an expression: ` of the character ..`. Empty for other kinds.
        of: String,
        /// The id.
        id: String,
    },
    /// An id that cannot be part of a file name.
    #[error(
        "`{id}` is not a valid id for a {what}{of}: use letters, digits, `-` and `_`, with a letter or digit \
         first and last, and at most {MAX_ID_LENGTH} bytes"
    )]
    BadId {
        /// `scene`, `character`, `place`, `item`, `moment` or `expression`.
        what: &'static str,
        /// The owner of an expression: ` of the character ..`. Empty for other kinds.
        of: String,
        /// The id.
        id: String,
    },
    /// The speaker of a line has no character sheet.
    #[error(
        "scene `{scene}`, line {line}: there is no character `{speaker}`: add it to `characters` or correct the \
         speaker"
    )]
    UnknownSpeaker {
        /// The scene.
        scene: String,
        /// The line, from 1.
        line: usize,
        /// The speaker.
        speaker: String,
    },
    /// The place of a scene has no place sheet.
    #[error(
        "scene `{scene}`: there is no place `{place}`: add it to `places` or correct the place of the scene"
    )]
    UnknownPlace {
        /// The scene.
        scene: String,
        /// The place.
        place: String,
    },
    /// The item of a line has no item sheet.
    #[error(
        "scene `{scene}`, line {line}: there is no item `{item}`: add it to `items` or correct the line"
    )]
    UnknownItem {
        /// The scene.
        scene: String,
        /// The line, from 1.
        line: usize,
        /// The item.
        item: String,
    },
    /// An exit leads to a scene that does not exist.
    #[error("scene `{scene}`, exit {exit}: there is no scene `{to}`: add it or correct the exit")]
    UnknownExit {
        /// The scene.
        scene: String,
        /// The exit, from 1.
        exit: usize,
        /// The target.
        to: String,
    },
    /// The story starts with a scene that does not exist.
    #[error("there is no scene `{start}` to start with: add it or correct `start`")]
    UnknownStart {
        /// The value of `start`.
        start: String,
    },
    /// The story has no scenes.
    #[error("the story has no scenes: add at least one")]
    NoScenes,
    /// A colour that is not `#rrggbb`.
    #[error(
        "character `{character}`: `{colour}` is not a colour: write `#` and six hexadecimal digits, as in \
         `#f2a65a`"
    )]
    BadColour {
        /// The character.
        character: String,
        /// The colour.
        colour: String,
    },
    /// A picture is too small or too large.
    #[error(
        "style: a {kind} cannot have {size} pixels: use a width and a height from {MIN_SIDE} to {MAX_SIDE}"
    )]
    BadSize {
        /// `background`, `portrait`, `moment` or `item`.
        kind: &'static str,
        /// The size.
        size: Size,
    },
    /// The number of steps is out of range.
    #[error("style: a picture cannot take {steps} steps: use 1 to {MAX_STEPS}")]
    BadSteps {
        /// The steps.
        steps: u32,
    },
    /// The guidance scale is negative or not a number.
    #[error(
        "style: the guidance scale cannot be {guidance}: use a number of at least 0, such as 6.0"
    )]
    BadGuidance {
        /// The guidance.
        guidance: String,
    },
    /// The guidance rescale is out of range or not a number.
    #[error(
        "style: the guidance rescale cannot be {guidance_rescale}: use a number from 0 to 1, such as 0.7"
    )]
    BadGuidanceRescale {
        /// The rescale.
        guidance_rescale: String,
    },
    /// The guidance interval is invalid, for this reason.
    #[error("style: {0}")]
    GuidanceInterval(String),
    /// A low-rank adapter is invalid, for this reason.
    #[error("style: {0}")]
    Lora(String),
    /// An inspiration is invalid, for this reason.
    #[error("style: {0}")]
    Inspiration(String),
    /// A loss is invalid, for this reason.
    #[error("style: {0}")]
    Loss(String),
    /// A text is too long for a prompt.
    #[error("{of}: `{field}` has {bytes} bytes: shorten it to at most {MAX_TEXT_LENGTH}")]
    LongText {
        /// The owner of the text, such as ``character `mira` ``.
        of: String,
        /// The field.
        field: &'static str,
        /// The length in bytes.
        bytes: usize,
    },
    /// The prompts of all pictures need too much memory.
    #[error(
        "the prompts of all pictures have up to {} MB, more than {} MB: shorten the texts of the style, the places and the \
         characters, or divide the story",
        .bytes / 1_000_000, MAX_PROMPTS / 1_000_000
    )]
    LongPrompts {
        /// Their length in bytes.
        bytes: u64,
    },
    /// Warning: no path leads from the start to a scene.
    #[error("scene `{scene}`: no path leads here from the start: add an exit to it or remove it")]
    UnreachedScene {
        /// The scene.
        scene: String,
    },
    /// Warning: no reachable scene is an ending.
    #[error("the story has no ending: at least one reachable scene must have no exits")]
    NoEnding,
    /// Warning: an unused sheet.
    #[error("{what} `{id}`: no scene uses this sheet: use it or remove it")]
    Unused {
        /// `character` or `place`.
        what: &'static str,
        /// The id.
        id: String,
    },
    /// Warning: a sheet without a prompt.
    #[error(
        "{what} `{id}`: `looks` is empty, so that the prompt has only the name: describe the appearance"
    )]
    NoLooks {
        /// `character`, `place` or `item`.
        what: &'static str,
        /// The id.
        id: String,
    },
    /// Warning: a prompt has a notation of another program.
    #[error("{of}: {syntax}")]
    Syntax {
        /// The owner of the words, such as ``character `mira` ``.
        of: String,
        /// The notation.
        syntax: PromptSyntax,
    },
    /// Warning: an expression on a line without a speaker.
    #[error(
        "scene `{scene}`, line {line}: the expression `{expression}` has no speaker: name the speaker or remove \
         the expression"
    )]
    ExpressionWithoutSpeaker {
        /// The scene.
        scene: String,
        /// The line, from 1.
        line: usize,
        /// The expression.
        expression: String,
    },
}

impl StoryFault {
    /// Whether the story can be planned in spite of the fault.
    #[must_use]
    pub const fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::UnreachedScene { .. }
                | Self::NoEnding
                | Self::Unused { .. }
                | Self::NoLooks { .. }
                | Self::ExpressionWithoutSpeaker { .. }
                | Self::Syntax { .. }
        )
    }
}
