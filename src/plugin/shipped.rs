//! A shipped game: shows the pictures in its asset folder and draws nothing.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use bevy::prelude::*;

use super::illustrator::{Illustrator, WaitingTasks};
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
    let (illustrator, tasks) = Illustrator::new();
    app.insert_resource(illustrator)
        .insert_resource(tasks)
        .init_resource::<ShippedStoryboard>()
        .add_systems(PreUpdate, plan_story.in_set(IllustratorSystems::Plan))
        .add_systems(PreUpdate, refuse_requests.in_set(IllustratorSystems::Poll));
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
    let story = story.with_composed_names();
    if let Err(faults) = refuse_faults(check(&story)) {
        return status.fail(&mut notices, ProjectError::Story(faults).to_string());
    }
    shipped.0 = Some(Storyboard::plan(&story, &story.style, &BTreeMap::new()));
    *status = IllustratorStatus::Ready;
    updates.write(ProjectUpdate::Planned);
}

/// Refuses all requests.
fn refuse_requests(
    mut requests: MessageReader<Request>,
    mut tasks: ResMut<WaitingTasks>,
    mut updates: MessageWriter<ProjectUpdate>,
    mut notices: ResMut<Notices>,
) {
    let mut all: Vec<_> = requests.read().cloned().collect();
    all.extend(tasks.receive());
    for Request { id, .. } in all {
        let error = Arc::new(ProjectError::DrawingOff);
        notices.report(error.to_string());
        let result = Err(error);
        tasks.answer(id, &result, None);
        updates.write(ProjectUpdate::Applied { id, result });
    }
}
