//! The Painter's Door: a short visual novel whose pictures are painted while it is played.
//!
//! ```sh
//! cargo run --example painters_door
//! ```
//!
//! The story, `assets/stories/painters_door.story.ron`, names no picture files. The game only selects
//! the picture for each place on the screen (see `novel/stage.rs` and `novel/pictures.rs`). The plugin
//! plans every picture that the story needs, draws the missing ones, and shows each as soon as it is
//! finished. F2 opens the panel.
//!
//! If no window can be opened, the same app runs without one and draws the whole story.

mod autoplay;
mod display;
mod frames;
mod headless;
mod novel;
mod window;

use std::path::PathBuf;

use bevy::prelude::*;
use bevy_illustrator::plugin::{IllustratorPlugin, StoryInput};
use clap::Parser;

/// The Painter's Door: a short visual novel whose pictures are painted while it is read.
#[derive(Parser, Clone, Debug)]
struct Args {
    /// Open no window: draw the whole story, and print the folder of the pictures
    #[arg(long)]
    headless: bool,
    /// The folder that keeps the pictures [default: `assets/illustrations/painters_door`]
    #[arg(long, value_name = "DIR")]
    art: Option<PathBuf>,
    /// Read the story without a reader, up to an ending
    #[arg(long)]
    play: bool,
    /// Write the frame times to this file when the game is closed
    #[arg(long, value_name = "FILE")]
    frames: Option<PathBuf>,
}

impl Args {
    /// The settings of the plugin, with and without a window.
    fn illustrator(&self) -> IllustratorPlugin {
        IllustratorPlugin {
            story: StoryInput::File("stories/painters_door.story.ron".to_owned()),
            art_folder: self.art.clone(),
            ..default()
        }
    }
}

fn main() -> AppExit {
    let args = Args::parse();
    if args.headless {
        return headless::run(&args);
    }
    match display::obstacle() {
        None => window::run(&args),
        Some(obstacle) => {
            println!("There is {obstacle}: drawing the story without a window.");
            headless::run(&args)
        }
    }
}
