//! A finished game: shows the pictures of its story as they lie in its assets, and draws nothing.

use std::{collections::BTreeMap, path::Path};

use bevy::{ecs::system::SystemParam, prelude::*};

use super::{IllustratorStatus, IllustratorSystems, NewStory, Notices, fail};
use crate::{
    hot_swap::Illustrations,
    project::{Action, Project, ProjectError, Update as ProjectUpdate, refuse_faults},
    story::check::check,
    storyboard::Storyboard,
};

/// That the game is finished, and its storyboard once the story is read.
#[derive(Resource, Default)]
pub(crate) struct Finished(Option<Storyboard>);

/// The storyboard, whether it is being drawn or finished.
#[derive(SystemParam)]
pub(crate) struct Planned<'w> {
    project: Option<Res<'w, Project>>,
    finished: Option<Res<'w, Finished>>,
}

impl Planned<'_> {
    /// The storyboard, once the story is planned.
    pub(crate) fn board(&self) -> Option<&Storyboard> {
        let finished = || self.finished.as_ref().and_then(|finished| finished.0.as_ref());
        self.project.as_ref().map(|project| project.board()).or_else(finished)
    }

    /// Whether the project was opened since the system ran last.
    pub(crate) fn is_opened(&self) -> bool {
        self.project.as_ref().is_some_and(DetectChanges::is_added)
    }
}

/// Shows what lies in `pictures`.
pub(super) fn show(app: &mut App, art_folder: &Path, asset_root: &Path) {
    let Ok(folder) = art_folder.strip_prefix(asset_root) else {
        let text = format!(
            "the pictures of a finished game must lie in its asset folder {}, but the art folder is {}: move it there",
            asset_root.display(),
            art_folder.display()
        );
        let world = app.world_mut();
        world.resource_scope(|world, mut status: Mut<IllustratorStatus>| {
            fail(&mut status, &mut world.resource_mut::<Notices>(), text);
        });
        return;
    };
    let server = app.world().resource::<AssetServer>().clone();
    app.init_resource::<Illustrations>();
    app.world_mut().resource_mut::<Illustrations>().load_from(server, folder.join("pictures"));
    app.init_resource::<Finished>()
        .add_systems(PreUpdate, plan_story.in_set(IllustratorSystems::Plan))
        .add_systems(PreUpdate, refuse_actions.in_set(IllustratorSystems::Poll));
}

/// Plans the storyboard of every story that is read.
fn plan_story(
    mut new_story: ResMut<NewStory>,
    mut finished: ResMut<Finished>,
    mut status: ResMut<IllustratorStatus>,
    mut notices: ResMut<Notices>,
    mut updates: MessageWriter<ProjectUpdate>,
) {
    let Some(story) = new_story.bypass_change_detection().0.take() else { return };
    if let Err(faults) = refuse_faults(check(&story)) {
        return fail(&mut status, &mut notices, ProjectError::Story(faults).to_string());
    }
    finished.0 = Some(Storyboard::plan(&story, &story.style, &BTreeMap::new()));
    *status = IllustratorStatus::Ready;
    updates.write(ProjectUpdate::Planned);
}

/// Tells whoever asks for something that there is nobody to do it.
fn refuse_actions(mut actions: MessageReader<Action>, mut notices: ResMut<Notices>) {
    if actions.read().count() > 0 {
        notices.tell("this game is finished and draws nothing: `DrawPolicy::OnRequest` would");
    }
}
