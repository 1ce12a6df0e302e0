//! The command line, for scripts and build servers.
//!
//! It drives the same [`Project`](bevy_illustrator::project::Project) as the Bevy plugin and uses the same art
//! folder, so the game and the command line share their pictures. Every command exits with 0 on success, with 1 on
//! failure (described on stderr), with 2 on wrong usage and with 130 when Ctrl-C stops it.
#![forbid(unsafe_code)]

mod best_of;
mod draw;
mod edit;
mod failure;
mod files;
mod img2img;
mod input;
mod inspirations;
mod losses;
mod map;
mod models;
mod options;
mod outpaint;
mod output;
mod paths;
mod plan;
mod progress;
mod render;
mod replay;
mod select;
mod signals;
mod threads;
mod upscale;

use std::{borrow::Cow, process::ExitCode};

use clap::{Parser, Subcommand, error::ContextValue};

use failure::Failure;

/// Illustrates a game's story.
#[derive(Debug, Parser)]
#[command(name = "illustrate", version, about, propagate_version = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the pictures that a story needs, with their state.
    Plan(plan::Plan),
    /// Draw a story's missing and stale pictures.
    Render(render::Render),
    /// Draw a picture from a prompt, without a story.
    Draw(draw::Draw),
    /// Edit parts of a picture; the rest stays unchanged.
    Edit(edit::Edit),
    /// Draw a picture again, starting from its pixels.
    Img2img(img2img::Img2Img),
    /// Draw what is around a picture, for example for another screen.
    Outpaint(outpaint::Outpaint),
    /// Enlarge a picture and draw its details in tiles.
    Upscale(upscale::Upscale),
    /// Redraw a picture from the recipe in its file and compare.
    Replay(replay::Replay),
    /// Select an object of a picture and write its mask.
    Select(select::Select),
    /// Extract the edges or rough colours of a picture, for an inspiration.
    Map(map::Map),
    /// Inspect or download models.
    #[command(subcommand)]
    Models(models::Models),
}

fn main() -> ExitCode {
    output::log_to_stderr();
    if let Err(error) = signals::handle() {
        log::warn!("Ctrl-C may leave temporary files behind: {error}");
    }
    let command = match CommandLine::try_parse() {
        Ok(line) => line.command,
        Err(error) => return wrong_usage(&error),
    };
    if let Err(error) = threads::start() {
        Failure::from(error).print();
        return ExitCode::FAILURE;
    }
    let result = match command {
        Command::Plan(plan) => plan.run(),
        Command::Render(render) => render.run(),
        Command::Draw(draw) => draw.run(),
        Command::Edit(edit) => edit.run(),
        Command::Img2img(img2img) => img2img.run(),
        Command::Outpaint(outpaint) => outpaint.run(),
        Command::Upscale(upscale) => upscale.run(),
        Command::Replay(replay) => replay.run(),
        Command::Select(select) => select.run(),
        Command::Map(map) => map.run(),
        Command::Models(models) => models.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            match failure {
                Failure::Stopped => ExitCode::from(signals::INTERRUPTED),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// Prints help, the version or what is wrong with the command line.
fn wrong_usage(error: &clap::Error) -> ExitCode {
    let text = error.to_string();
    let is_safe = |text: &str| matches!(output::escaped(text), Cow::Borrowed(_));
    // The names of files, as those that a shell finds for `*`, may be those of strangers.
    let mut foreign = values(error).filter(|value| !is_safe(value)).peekable();
    if foreign.peek().is_some() {
        // Line ends in a value cannot be told from those of the message.
        let foreign = foreign.map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
        output::print_error(format_args!("error: {}: {foreign}", error.kind()));
        output::print_error("For more information, try '--help'.");
    } else if text.lines().all(is_safe) {
        // In colours on a terminal. Nobody is left to read about a failure.
        let _ = error.print();
    } else {
        text.lines().for_each(output::print_error);
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// The values of the command line that an error names.
fn values(error: &clap::Error) -> impl Iterator<Item = &String> {
    error.context().flat_map(|(_, value)| match value {
        ContextValue::String(value) => std::slice::from_ref(value),
        ContextValue::Strings(values) => values,
        _ => &[],
    })
}
