//! The game without a window: the same plugins draw the whole story, then the game exits.

use std::{
    fs, io,
    path::PathBuf,
    time::{Duration, Instant},
};

use bevy::{app::ScheduleRunnerPlugin, prelude::*};
use bevy_illustrator::{
    contact_sheet::contact_sheet,
    plugin::{IllustratorPlugins, IllustratorStatus},
    project::{Project, Update as ProjectUpdate},
};
use indicatif::{ProgressBar, ProgressStyle};

use crate::Args;

/// The time between two frames of the app.
const TICK: Duration = Duration::from_millis(20);
/// The units of one picture on the progress bar.
const PARTS: u64 = 100;

/// Draws all pictures of the story.
pub fn run(args: &Args) -> AppExit {
    App::new()
        .add_plugins(MinimalPlugins.set(ScheduleRunnerPlugin::run_loop(TICK)))
        .add_plugins((AssetPlugin::default(), ImagePlugin::default()))
        .add_plugins(IllustratorPlugins.set(args.illustrator()))
        .insert_resource(Run::new())
        .add_systems(
            Update,
            (
                report_failure.run_if(resource_changed::<IllustratorStatus>),
                (show_progress, end_when_drawn).chain().run_if(resource_exists::<Project>),
            ),
        )
        .run()
}

/// Counts and times for the report.
#[derive(Resource)]
struct Run {
    began: Instant,
    bar: ProgressBar,
    /// The number of drawn pictures, and the times at which the first and the last were finished.
    drawn: usize,
    first: Option<Duration>,
    last: Option<Duration>,
}

impl Run {
    fn new() -> Self {
        let template = "{bar:32} {msg}  {elapsed} elapsed, {eta} left";
        let bar = ProgressBar::new(0);
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        Self { began: Instant::now(), bar, drawn: 0, first: None, last: None }
    }

    /// Prints a line if the progress bar is hidden because there is no terminal.
    fn print_line(&self, line: &str) {
        if self.bar.is_hidden() {
            println!("{line}");
        }
    }
}

/// Exits with an error if the story cannot be drawn.
fn report_failure(status: Res<IllustratorStatus>, mut exit: MessageWriter<AppExit>) {
    if let IllustratorStatus::Failed(reason) = &*status {
        eprintln!("error: {reason}");
        exit.write(AppExit::error());
    }
}

fn show_progress(
    mut updates: MessageReader<ProjectUpdate>,
    project: Res<Project>,
    mut run: ResMut<Run>,
) {
    let shots = project.board().shots().len();
    let left = project.needed().count() + project.studio().jobs().len();
    let title = |id| project.board().shot(id).map_or(String::new(), |shot| shot.title.clone());
    for update in updates.read() {
        match update {
            ProjectUpdate::Drawn { shot, .. } => {
                let now = run.began.elapsed();
                run.drawn += 1;
                run.first.get_or_insert(now);
                run.last = Some(now);
                let at = shots.saturating_sub(left);
                run.print_line(&format!(
                    "{at} of {shots} · {} ({:.1} s)",
                    title(shot),
                    now.as_secs_f32()
                ));
            }
            ProjectUpdate::Failed { shot, error } => {
                run.bar.suspend(|| eprintln!("error: {} was not drawn: {error}", title(shot)));
            }
            _ => {}
        }
    }
    let Some(view) = project.studio().current() else { return };
    let done = shots.saturating_sub(left) as u64;
    let part = view.progress.map_or(0, |p| PARTS * u64::from(p.done) / u64::from(p.of.max(1)));
    let is_first = run.bar.length() == Some(0);
    run.bar.set_length(shots as u64 * PARTS);
    run.bar.set_position(done * PARTS + part);
    if is_first {
        // Pictures of an earlier run would distort the estimate.
        run.bar.reset_eta();
    }
    run.bar.set_message(format!("{} of {shots} · {}", done + 1, title(&view.job.shot)));
}

/// Exits when the queue is empty, after writing a contact sheet of all pictures.
fn end_when_drawn(project: Res<Project>, run: Res<Run>, mut exit: MessageWriter<AppExit>) {
    if !project.is_idle() {
        return;
    }
    run.bar.finish_and_clear();
    let missing = project.needed().count();
    exit.write(match write_sheet(&project) {
        Ok(sheet) => {
            report(&project, &run, &sheet);
            if missing == 0 { AppExit::Success } else { AppExit::error() }
        }
        Err(error) => {
            eprintln!("error: the contact sheet could not be written: {error}");
            AppExit::error()
        }
    });
}

/// Writes the contact sheet into the art folder.
fn write_sheet(project: &Project) -> io::Result<PathBuf> {
    let mut pictures = Vec::new();
    for shot in project.board().shots() {
        if let Some(take) = project.art().shown(&shot.id, Some(&shot.recipe)) {
            pictures.push((shot.title.as_str(), take.image().map_err(io::Error::other)?));
        }
    }
    let path = project.art().root().join("contact_sheet.png");
    contact_sheet(&pictures).save(&path).map_err(io::Error::other)?;
    fs::canonicalize(&path)
}

fn report(project: &Project, run: &Run, sheet: &std::path::Path) {
    let shots = project.board().shots().len();
    let story = &project.story().title;
    match (run.first, run.last) {
        (Some(first), Some(last)) => println!(
            "{story}: {} of {shots} pictures drawn in {:.1} s, the first after {:.1} s.",
            run.drawn,
            last.as_secs_f32(),
            first.as_secs_f32(),
        ),
        _ => println!("{story}: all {shots} pictures were already drawn."),
    }
    let folder = sheet.with_file_name("pictures");
    println!("Pictures:      {}", folder.display());
    println!("Contact sheet: {}", sheet.display());
}
