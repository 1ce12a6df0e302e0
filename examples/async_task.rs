//! An async task that draws a picture and follows its steps.
//!
//! `Illustrator` is a resource. Its clones work in any task and never block a thread.
//!
//! ```sh
//! cargo run --example async_task
//! ```

mod common;

use bevy::{
    prelude::*,
    tasks::{AsyncComputeTaskPool, futures_lite::StreamExt},
};
use bevy_illustrator::{
    plugin::{Illustrator, IllustratorError},
    prelude::*,
};

fn main() -> AppExit {
    App::new()
        .add_plugins((
            common::default_plugins(),
            IllustratorPlugins
                .set(IllustratorPlugin { draw_policy: DrawPolicy::OnRequest, ..default() }),
        ))
        .add_systems(Startup, (common::write_story, spawn_lantern, draw_lantern))
        .run()
}

fn spawn_lantern(mut commands: Commands) {
    commands.spawn(Camera2d);
    commands.spawn((Sprite::default(), Illustration::Item("lantern".into())));
}

fn draw_lantern(illustrator: Res<Illustrator>) -> Result {
    let lantern = ShotId::new("item-lantern")?;
    let illustrator = illustrator.clone();
    let task = async move {
        if let Err(error) = draw_and_accept(illustrator, lantern).await {
            error!("{error}");
        }
    };
    AsyncComputeTaskPool::get().spawn(task).detach();
    Ok(())
}

/// Draws a take, reports each step, and accepts the take.
async fn draw_and_accept(illustrator: Illustrator, shot: ShotId) -> Result<(), IllustratorError> {
    let drawing = illustrator.draw(&shot);
    let mut steps = drawing.steps();
    while let Some(step) = steps.next().await {
        println!("step {} of {}", step.done, step.of);
    }
    let take = drawing.await?;
    println!("drew take {take} of {shot}");
    illustrator.apply(Action::Accept { shot, take }).await?;
    Ok(())
}
