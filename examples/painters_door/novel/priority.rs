//! Pictures on the screen are painted first.

use bevy::prelude::*;
use bevy_illustrator::{
    components::Illustration,
    plugin::IllustratorSystems,
    project::{Action, Project, Request},
};

use super::canvas::{Canvas, Outlook};

pub(super) fn plugin(app: &mut App) {
    // Before the poll, so that this frame applies the request. The canvases are those of the previous frame.
    app.add_systems(
        PreUpdate,
        prioritise_visible_shots
            .run_if(resource_exists::<Project>)
            .before(IllustratorSystems::Poll),
    );
}

/// Moves a picture to the front of the queue when a canvas starts to wait for it.
fn prioritise_visible_shots(
    waiting: Query<
        (&Illustration, &Outlook),
        (With<Canvas>, Or<(Changed<Illustration>, Changed<Outlook>)>),
    >,
    project: Res<Project>,
    mut requests: MessageWriter<Request>,
) {
    for (illustration, outlook) in &waiting {
        if *outlook != Outlook::Waiting {
            continue;
        }
        let shot = illustration.shot(project.board());
        let jobs = project.studio().jobs();
        let job = jobs.iter().find(|view| Some(&view.job.shot) == shot.as_ref());
        requests.write_batch(job.map(|view| Action::MoveToFront(view.job.id).into()));
    }
}
