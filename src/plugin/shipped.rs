//! A shipped game: shows the pictures in its asset folder and draws nothing.

use std::{collections::BTreeMap, path::Path};

use bevy::prelude::*;

use crate::{
    hot_swap::Illustrations,
    project::{ProjectError, Request, Update as ProjectUpdate, refuse_faults},
    schedule::{IllustratorStatus, IllustratorSystems, NewStory, Notices, ShippedStoryboard},
    story::check::check,
    storyboard::Storyboard,
};

/// Sets the app up to show the files in the folder `pictures` of the art folder.
pub(super) fn build(app: &mut App, art_folder: &Path, asset_root: &Path) {
    let Ok(folder) = art_folder.strip_prefix(asset_root) else {
        let reason = format!(
            "with `DrawPolicy::Off` the art folder {} must be inside the asset folder {}: move it there",
            art_folder.display(),
            asset_root.display()
        );
        let world = app.world_mut();
        world.resource_scope(|world, mut status: Mut<IllustratorStatus>| {
            status.fail(&mut world.resource_mut::<Notices>(), reason);
        });
        return;
    };
    let server = app.world().resource::<AssetServer>().clone();
    app.init_resource::<Illustrations>();
    app.world_mut().resource_mut::<Illustrations>().load_from(server, folder.join("pictures"));
    app.init_resource::<ShippedStoryboard>()
        .add_systems(PreUpdate, plan_story.in_set(IllustratorSystems::Plan))
        .add_systems(PreUpdate, refuse_actions.in_set(IllustratorSystems::Poll));
}

/// Plans the storyboard of each story that is read.
fn plan_story(
    mut new_story: ResMut<NewStory>,
    mut shipped: ResMut<ShippedStoryboard>,
    mut status: ResMut<IllustratorStatus>,
    mut notices: ResMut<Notices>,
    mut updates: MessageWriter<ProjectUpdate>,
) {
    let Some(story) = new_story.bypass_change_detection().0.take() else { return };
    if let Err(faults) = refuse_faults(check(&story)) {
        return status.fail(&mut notices, ProjectError::Story(faults).to_string());
    }
    shipped.0 = Some(Storyboard::plan(&story, &story.style, &BTreeMap::new()));
    *status = IllustratorStatus::Ready;
    updates.write(ProjectUpdate::Planned);
}

/// Reports that actions have no effect.
fn refuse_actions(mut actions: MessageReader<Request>, mut notices: ResMut<Notices>) {
    if actions.read().count() > 0 {
        notices.report(
            "this game draws nothing because its draw policy is `DrawPolicy::Off`: use `DrawPolicy::OnRequest` to draw",
        );
    }
}
