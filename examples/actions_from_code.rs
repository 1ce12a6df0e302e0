//! Actions from code: draw another take after the first one, then accept the newer one.
//!
//! A `Request` message carries an `Action`; every action of the panel is available. `project::Update` messages report
//! the results. One of them, `Applied`, answers each request.
//!
//! ```sh
//! cargo run --example actions_from_code
//! ```

mod common;

use bevy::prelude::*;
use bevy_illustrator::{
    prelude::*,
    project::{ActionId, Request, Update as ProjectUpdate},
    studio::JobId,
};

fn main() -> AppExit {
    App::new()
        .add_plugins((common::default_plugins(), IllustratorPlugins))
        .init_resource::<RequestId>()
        .add_systems(Startup, (common::write_story, spawn_stage))
        .add_systems(
            Update,
            (request_another_take, accept_take).chain().run_if(resource_exists::<Project>),
        )
        .run()
}

/// The id of the request, after it is sent.
#[derive(Resource, Default)]
struct RequestId(Option<ActionId>);

/// Sends the request once, after the background has a picture.
fn request_another_take(
    mut request_id: ResMut<RequestId>,
    mut requests: MessageWriter<Request>,
    stage: Single<&Illustration>,
    project: Res<Project>,
) {
    let Some(shot) = stage.shot(project.board()) else { return };
    if request_id.0.is_none() && project.shown(&shot).is_some() {
        let request = Request::new(Action::DrawMore { shot, takes: 1, score: false });
        request_id.0 = Some(request.id);
        requests.write(request);
    }
}

/// Accepts the new take, so that the game keeps showing it.
fn accept_take(
    request_id: Res<RequestId>,
    mut jobs: Local<Vec<JobId>>,
    mut updates: MessageReader<ProjectUpdate>,
    mut requests: MessageWriter<Request>,
) {
    for update in updates.read() {
        match update {
            // The answer lists the jobs of the request.
            ProjectUpdate::Applied { id, result } if Some(*id) == request_id.0 => match result {
                Ok(reply) => jobs.clone_from(&reply.jobs),
                Err(error) => eprintln!("the request was refused: {error}"),
            },
            ProjectUpdate::Drawn { shot, take, job } if jobs.contains(job) => {
                println!("Take {take} is accepted.");
                let (shot, take) = (shot.clone(), take.clone());
                requests.write(Action::Accept { shot, take }.into());
            }
            _ => {}
        }
    }
}

fn spawn_stage(mut commands: Commands) {
    commands.spawn(Camera2d);
    commands.spawn((
        Node { width: percent(100), height: percent(100), ..default() },
        ImageNode::default().with_mode(NodeImageMode::Stretch),
        Illustration::background("arrival"),
    ));
}
