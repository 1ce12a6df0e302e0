//! A project: one story being illustrated. It joins storyboard, art and studio, and is what the Bevy
//! plugin and the command line both drive.
//!
//! Everything that a person or a program can do to it is an [`Action`]; everything that it tells is
//! an [`Update`].

use std::path::PathBuf;

use image::RgbaImage;

use crate::{
    art::{Art, ArtError, TakeId},
    generator::GeneratorRegistry,
    recipe::Style,
    story::{Story, check::StoryFault},
    storyboard::{Shot, ShotId, ShotState, ShotWords, Storyboard},
    studio::{Job, JobId, Studio},
};

#[cfg(feature = "plugin")]
use bevy::prelude::{Message, Resource};

/// One story being illustrated.
#[derive(Debug)]
#[cfg_attr(feature = "plugin", derive(Resource))]
pub struct Project {
    story: Story,
    board: Storyboard,
    art: Art,
    studio: Studio,
    /// The style of [`Self::open_with`], for as long as the project is open.
    style_for_now: Option<Style>,
}

/// Something to do to a project.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "plugin", derive(Message))]
#[non_exhaustive]
pub enum Action {
    /// Draw everything that is missing or stale, in story order.
    DrawNeeded,
    /// Draw these if they are missing, stale or failed.
    Draw(Vec<ShotId>),
    /// Draw `takes` more takes of a shot's recipe, in front of what waits.
    DrawMore {
        /// The shot.
        shot: ShotId,
        /// How many.
        takes: u32,
    },
    /// Accept a take: it is what the game shows.
    Accept {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
    },
    /// Put a take away.
    Discard {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
    },
    /// Change words by hand; the default value returns to the story's.
    SetWords {
        /// The shot.
        shot: ShotId,
        /// The words.
        words: ShotWords,
    },
    /// Change the style; `None` returns to the story's.
    SetStyle(Option<Box<Style>>),
    /// Hold the drawing (`true`) or let it go on.
    Pause(bool),
    /// Draw this one next.
    MoveToFront(JobId),
    /// Cancel one job.
    Cancel(JobId),
    /// Cancel all jobs.
    CancelAll,
}

/// Something happened in a project.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "plugin", derive(Message))]
#[non_exhaustive]
pub enum Update {
    /// The storyboard was planned anew.
    Planned,
    /// The picture that the game shows for a shot is another one now.
    Picture {
        /// The shot.
        shot: ShotId,
        /// The picture.
        image: RgbaImage,
        /// The file that holds it, below the art folder.
        path: PathBuf,
    },
    /// Drawing a picture began, went on, or stopped before its end.
    Progress(Job),
    /// A take was finished (it may not be the one that is shown).
    Drawn {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
    },
    /// Drawing a shot failed.
    Failed {
        /// The shot.
        shot: ShotId,
        /// Why, for people.
        error: String,
    },
}

/// Why an action or a story was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// The story has faults.
    #[error("the story has {} fault(s): {}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Story(Vec<StoryFault>),
    /// The art folder refused.
    #[error(transparent)]
    Art(#[from] ArtError),
    /// No worker thread could be started.
    #[error("cannot start the worker thread: {0}")]
    Thread(std::io::Error),
    /// The storyboard has no such shot.
    #[error("the storyboard has no shot `{0}`: `illustrate plan` lists them")]
    NoSuchShot(ShotId),
}

impl Project {
    /// Opens the art folder of a story, plans its storyboard and starts the studio. Jobs that stood in
    /// the queue when the folder was last closed go on, unless nothing asks for them any more.
    ///
    /// # Errors
    /// When the story has faults that are no warnings, the art folder cannot be opened, or the system
    /// gives no thread.
    pub fn open(
        _story: Story,
        _art_folder: impl Into<PathBuf>,
        _registry: GeneratorRegistry,
    ) -> Result<Self, ProjectError> {
        todo!()
    }

    /// As [`Self::open`], in a style for as long as the project is open: what `restyle` makes of the
    /// style in force. Nothing that the author keeps is changed.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(
        _story: Story,
        _art_folder: impl Into<PathBuf>,
        _registry: GeneratorRegistry,
        _restyle: impl FnOnce(&Style) -> Style,
    ) -> Result<Self, ProjectError> {
        todo!()
    }

    /// Takes a changed story: plans anew and keeps every picture. Queued jobs whose recipe is no
    /// longer asked for are cancelled.
    ///
    /// # Errors
    /// When the story has faults that are no warnings; the old one stays then.
    pub fn set_story(&mut self, _story: Story) -> Result<(), ProjectError> {
        todo!()
    }

    /// Does something.
    ///
    /// # Errors
    /// When it names a shot or take that is not there, or the art folder refuses. Nothing has changed
    /// then.
    pub fn apply(&mut self, _action: Action) -> Result<(), ProjectError> {
        todo!()
    }

    /// What happened since the last call; never waits. The first call tells every picture that was
    /// there before.
    pub fn poll(&mut self) -> Vec<Update> {
        todo!()
    }

    /// The story.
    #[must_use]
    pub fn story(&self) -> &Story {
        &self.story
    }

    /// The style in force: that of [`Self::open_with`], else the author's, else the story's.
    #[must_use]
    pub fn style(&self) -> &Style {
        self.style_for_now.as_ref().or(self.art.style()).unwrap_or(&self.story.style)
    }

    /// The storyboard.
    #[must_use]
    pub fn board(&self) -> &Storyboard {
        &self.board
    }

    /// The art.
    #[must_use]
    pub fn art(&self) -> &Art {
        &self.art
    }

    /// The studio.
    #[must_use]
    pub fn studio(&self) -> &Studio {
        &self.studio
    }

    /// Grows whenever anything changes that a view would show: the plan, a state, takes, words, the
    /// style, the queue or whether it is paused; not with each step of the job under way. What a view
    /// worked out still holds for as long as this stays the same.
    #[must_use]
    pub fn revision(&self) -> u64 {
        todo!()
    }

    /// Where a shot stands.
    #[must_use]
    pub fn state(&self, _shot: &ShotId) -> ShotState {
        todo!()
    }

    /// Why a shot failed, if its state is [`ShotState::Failed`].
    #[must_use]
    pub fn error(&self, _shot: &ShotId) -> Option<&str> {
        todo!()
    }

    /// Shots with pictures that nothing in the story asks for any more.
    pub fn orphans(&self) -> impl Iterator<Item = &ShotId> {
        self.art.shots().filter(|id| self.board.shot(id).is_none())
    }

    /// Shots that are missing, stale or failed.
    pub fn needed(&self) -> impl Iterator<Item = &Shot> {
        self.board.shots().iter().filter(|shot| {
            matches!(
                self.state(&shot.id),
                ShotState::Missing | ShotState::Stale | ShotState::Failed
            )
        })
    }
}
