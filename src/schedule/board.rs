//! The current storyboard, of a game in development or of a shipped one.

use bevy::{ecs::system::SystemParam, prelude::*};

use crate::{project::Project, storyboard::Storyboard};

/// Marks a game with [`DrawPolicy::Off`](crate::plugin::DrawPolicy::Off). Holds its storyboard once the
/// story is read.
#[derive(Resource, Default)]
pub(crate) struct ShippedStoryboard(pub(crate) Option<Storyboard>);

/// The storyboard of the [`Project`] or, in a shipped game, the [`ShippedStoryboard`].
#[derive(SystemParam)]
pub(crate) struct CurrentStoryboard<'w> {
    project: Option<Res<'w, Project>>,
    shipped: Option<Res<'w, ShippedStoryboard>>,
}

impl CurrentStoryboard<'_> {
    /// The storyboard, once the story is planned.
    pub(crate) fn get(&self) -> Option<&Storyboard> {
        let shipped = || self.shipped.as_ref().and_then(|shipped| shipped.0.as_ref());
        self.project.as_ref().map(|project| project.board()).or_else(shipped)
    }

    /// Whether a project was opened since the calling system last ran.
    pub(crate) fn is_opened(&self) -> bool {
        self.project.as_ref().is_some_and(DetectChanges::is_added)
    }
}
