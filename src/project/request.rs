//! Requests to a project and their results.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{Action, ProjectError};
use crate::studio::JobId;

#[cfg(feature = "plugin")]
use bevy::prelude::Message;

/// Identifies a [`Request`]. It is unique within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActionId(u64);

/// An [`Action`] with an id. One [`Update::Applied`](super::Update::Applied) with the same id answers it.
///
/// ```
/// # use bevy_illustrator::project::{Action, Request};
/// let pause = Request::new(Action::Pause(true));
/// assert_ne!(pause.id, Request::from(Action::Pause(true)).id);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "plugin", derive(Message))]
pub struct Request {
    /// The id, which the answer repeats.
    pub id: ActionId,
    /// The action.
    pub action: Action,
}

/// The result of a successful action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// The jobs of the requested pictures, in drawing order. Empty for actions that draw nothing, and for
    /// [`Action::PropagateEdit`], which queues its jobs later.
    pub jobs: Vec<JobId>,
}

/// The answer to a request. If it is an error, nothing has changed.
pub type ActionResult = Result<Reply, Arc<ProjectError>>;

impl Request {
    /// Creates a request with a new id.
    #[must_use]
    pub fn new(action: Action) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { id: ActionId(NEXT.fetch_add(1, Ordering::Relaxed)), action }
    }
}

impl From<Action> for Request {
    fn from(action: Action) -> Self {
        Self::new(action)
    }
}
