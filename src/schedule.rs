//! Types that the Bevy plugins share: system sets, status, notices, and the storyboard.

mod board;
mod notices;

pub(crate) use board::{CurrentStoryboard, ShippedStoryboard};
pub use notices::Notices;

use std::path::PathBuf;

use bevy::prelude::*;

use crate::story::Story;

/// The phases of the illustrator in a frame, in order.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IllustratorSystems {
    /// Reads the story if it changed. Runs in [`PreUpdate`].
    Read,
    /// Opens the [`Project`](crate::project::Project), or passes the changed story to it. Runs in [`PreUpdate`].
    Plan,
    /// Applies each [`Request`](crate::project::Request), and sends each
    /// [`project::Update`](crate::project::Update) as a message. Systems in [`Update`] read them in the same
    /// frame. Runs in [`PreUpdate`]. In the frame in which the app exits it runs again in [`Last`] and
    /// applies the remaining actions.
    Poll,
    /// Replaces the images behind handles and sets the handles on entities, so that a new picture is on
    /// screen in the frame in which it arrives. Runs in [`PostUpdate`].
    Swap,
}

/// The status of the illustrator.
#[derive(Resource, Reflect, Clone, Debug, Default, PartialEq, Eq)]
#[reflect(Resource, Default, Debug, Clone, PartialEq)]
pub enum IllustratorStatus {
    /// The story is being read or its art folder is being opened. There is no
    /// [`Project`](crate::project::Project) yet.
    #[default]
    Loading,
    /// The pictures follow the current story.
    Ready,
    /// The current story or its art folder cannot be used. The text gives the reason and the remedy.
    /// An open [`Project`](crate::project::Project) keeps its previous story.
    Failed(String),
}

impl IllustratorStatus {
    /// Whether the pictures follow the current story.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self == Self::Ready
    }

    /// Sets the status to [`Self::Failed`] and reports the reason, unless it was reported already.
    pub(crate) fn fail(&mut self, notices: &mut Notices, reason: String) {
        let failed = Self::Failed(reason.clone());
        if *self != failed {
            *self = failed;
            notices.report(reason);
        }
    }
}

/// The story that was read last, until it is planned.
#[derive(Resource, Default)]
pub(crate) struct NewStory(pub(crate) Option<Story>);

/// The absolute folder that asset paths of the default source are relative to.
#[derive(Resource, Clone, Debug)]
pub(crate) struct AssetRoot(pub(crate) PathBuf);
