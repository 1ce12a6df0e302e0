//! The core without Bevy: draws the pictures of a story file, for example on a build server.
//!
//! A `Project` joins story, storyboard, queue and pictures. Call `poll` regularly; it never blocks. A crate that uses
//! only the core sets `default-features = false` and does not compile Bevy.
//!
//! ```sh
//! cargo run --example without_bevy
//! ```

use std::{error::Error, path::Path, thread, time::Duration};

use bevy_illustrator::{
    diffusion::DeviceKind,
    generator::GeneratorRegistry,
    project::{Action, Project, Update},
    story::format::StoryFormats,
};

fn main() -> Result<(), Box<dyn Error>> {
    let file = Path::new("assets/stories/two_rooms.story.ron");
    let story = StoryFormats::default().read(file)?;
    let registry = GeneratorRegistry::built_in(DeviceKind::Auto);
    let mut project = Project::open(story, "assets/illustrations/two_rooms", registry)?;
    for shot in project.board().shots() {
        println!("{}: {}", shot.id, shot.recipe.prompt);
    }

    project.apply(Action::DrawNeeded);
    let mut failed = 0;
    while !project.is_idle() {
        for update in project.poll() {
            match update {
                Update::Drawn { shot, .. } => println!("{shot} was drawn."),
                Update::Failed { shot, error } => {
                    eprintln!("{shot} was not drawn: {error}");
                    failed += 1;
                }
                _ => {}
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
    println!("The pictures are in {}.", project.art().root().display());
    if failed > 0 { Err(format!("{failed} pictures failed").into()) } else { Ok(()) }
}
