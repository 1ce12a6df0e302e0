//! The command line: plans, draws and edits, for build servers and for scripts.
//!
//! It drives the same [`Project`](bevy_illustrator::project::Project) as the Bevy plugin and works on
//! the same art folder, so a game finds what was drawn here, and the other way round. Every command
//! exits with 0 when it is done, 1 when something failed (named on stderr) and 2 on bad usage.
#![forbid(unsafe_code)]

mod draw;
mod edit;
mod failure;
mod files;
mod input;
mod models;
mod options;
mod output;
mod plan;
mod progress;
mod render;
mod replay;
mod select;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// Illustrates the story of a game.
#[derive(Debug, Parser)]
#[command(name = "illustrate", version, about, propagate_version = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List every picture that a story needs, and where each stands.
    Plan(plan::Plan),
    /// Draw the pictures of a story that are missing or stale.
    Render(render::Render),
    /// Draw one picture from a prompt, without a story.
    Draw(draw::Draw),
    /// Draw parts of a picture anew, and nothing else.
    Edit(edit::Edit),
    /// Draw a picture again from the recipe inside it.
    Replay(replay::Replay),
    /// Write the mask of what is pointed at in a picture.
    Select(select::Select),
    /// Look at models, or download one.
    #[command(subcommand)]
    Models(models::Models),
}

fn main() -> ExitCode {
    output::log_to_stderr();
    let done = match CommandLine::parse().command {
        Command::Plan(plan) => plan.run(),
        Command::Render(render) => render.run(),
        Command::Draw(draw) => draw.run(),
        Command::Edit(edit) => edit.run(),
        Command::Replay(replay) => replay.run(),
        Command::Select(select) => select.run(),
        Command::Models(models) => models.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // `illustrate plan | head`: whoever read has enough.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
