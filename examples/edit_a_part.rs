//! An edit from code: the upper half of the background becomes a night sky. No other pixel changes.
//!
//! The result is a new take of the same shot. `Action::TryOn` shows it without accepting it.
//!
//! ```sh
//! cargo run --example edit_a_part
//! ```

mod common;

use bevy::prelude::*;
use bevy_illustrator::{
    mask::{Area, Mask},
    prelude::*,
    project::{Request, Update as ProjectUpdate},
    recipe::{EditKind, Part, PartEdit},
};

fn main() -> AppExit {
    App::new()
        .add_plugins((common::default_plugins(), IllustratorPlugins))
        .add_systems(Startup, (common::write_story, spawn_stage))
        .add_systems(Update, (edit_sky, show_result).run_if(resource_exists::<Project>))
        .run()
}

/// Requests the edit once, after the background has a picture.
fn edit_sky(
    mut is_requested: Local<bool>,
    mut requests: MessageWriter<Request>,
    stage: Single<&Illustration>,
    project: Res<Project>,
) {
    let Some(shot) = stage.shot(project.board()) else { return };
    let Some(drawn) = project.shown(&shot) else { return };
    if std::mem::replace(&mut *is_requested, true) {
        return;
    }
    let size = drawn.recipe().size;
    let upper_half = Area { x: 0, y: 0, width: size.width, height: size.height / 2 };
    let sky = Part::new(
        "sky",
        Mask::rectangle(size.width, size.height, upper_half),
        PartEdit { kind: EditKind::Replace, words: "a night sky with a moon".into(), ..default() },
    );
    let (take, parts) = (drawn.id.clone(), vec![sky]);
    requests.write(
        Action::Edit { shot, take, picture: None, parts, context: None, takes: 1, score: false }
            .into(),
    );
}

/// Shows the result of the edit in the game.
fn show_result(
    mut updates: MessageReader<ProjectUpdate>,
    mut requests: MessageWriter<Request>,
    project: Res<Project>,
) {
    for update in updates.read() {
        if let ProjectUpdate::Drawn { shot, take, .. } = update
            && project.art().take(shot, take).is_ok_and(|drawn| drawn.recipe().edit.is_some())
        {
            let (shot, take) = (shot.clone(), Some(take.clone()));
            requests.write(Action::TryOn { shot, take }.into());
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
