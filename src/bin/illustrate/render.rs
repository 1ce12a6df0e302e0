//! `illustrate render`: draws a story's missing and stale pictures.
//!
//! Options override the story's style for this run. The pictures are ordinary takes: a second run with the same
//! options finds them and draws nothing, and a run without options finds the pictures of the story's own style. Each
//! finished picture is saved immediately, so a run can be stopped at any time and the next run continues.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use bevy_illustrator::{
    generator::GeneratorRegistry,
    project::{Action, Project, ProjectError, Update},
    storyboard::{Shot, ShotId},
    studio::{Job, JobView},
};
use serde::Serialize;

use crate::{
    failure::{FailedShots, Failure},
    input::StoryArgs,
    options::{DeviceOptions, LookOptions, check_model},
    output::{count, lossy_path, print, print_json, warn_of_long_shots},
    progress::{DrawProgress, format_duration},
    signals,
};

/// The time between two polls of the progress.
const POLL_INTERVAL: Duration = Duration::from_millis(40);

#[derive(Debug, clap::Args)]
pub(crate) struct Render {
    #[command(flatten)]
    story: StoryArgs,
    /// Draw only this picture; can be given several times
    #[arg(long = "shot", value_name = "ID", value_parser = |text: &str| ShotId::new(text))]
    shots: Vec<ShotId>,
    /// The number of takes that each picture should have
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    takes: u32,
    #[command(flatten)]
    look: LookOptions,
    #[command(flatten)]
    device: DeviceOptions,
    /// Draw --takes more takes of each picture, even if it is already drawn
    #[arg(long)]
    force: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// The result, as `--json` prints it.
#[derive(Serialize)]
struct Rendered {
    #[serde(serialize_with = "lossy_path")]
    art: PathBuf,
    drawn: Vec<DrawnTake>,
    failed: Vec<FailedShot>,
    /// The number of pictures that were already drawn.
    kept: usize,
}

#[derive(Serialize)]
struct DrawnTake {
    shot: ShotId,
    take: String,
    #[serde(serialize_with = "lossy_path")]
    file: PathBuf,
    seconds: f64,
}

#[derive(PartialEq, Eq, Serialize)]
struct FailedShot {
    shot: ShotId,
    error: String,
}

impl Render {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let started = Instant::now();
        let story = self.story.read()?;
        self.look.sampling.print_random_seed();
        let registry = GeneratorRegistry::built_in(self.device.load_options());
        let change = |style: &_| self.look.applied_to(style);
        let mut project = Project::open_with(story, self.story.art_folder(), registry, change)?;
        let shots = self.select(&project)?;
        warn_of_long_shots(&shots);
        self.queue(&mut project, &shots)?;
        // The project finishes what it writes to the art folder.
        signals::stop_gracefully();
        let rendered = draw(&mut project, &shots)?;
        self.report(&rendered, started.elapsed())
    }

    /// The shots given with `--shot`, or all shots.
    fn select(&self, project: &Project) -> Result<Vec<Shot>, Failure> {
        if self.shots.is_empty() {
            return Ok(project.board().shots().to_vec());
        }
        let mut seen = BTreeSet::new();
        (self.shots.iter().filter(|id| seen.insert(*id)))
            .map(|id| {
                let shot = project.board().shot(id).cloned();
                shot.ok_or_else(|| ProjectError::NoSuchShot(id.clone()).into())
            })
            .collect()
    }

    /// Queues the drawings, ahead of any jobs that a game left in the queue.
    fn queue(&self, project: &mut Project, shots: &[Shot]) -> Result<(), Failure> {
        let missing = |project: &Project, shot: &Shot| {
            let existing = if self.force { 0 } else { takes_of(shot, project) };
            self.takes.saturating_sub(existing)
        };
        if shots.iter().any(|shot| missing(project, shot) > 0) {
            let style = project.style();
            check_model(&style.model, &style.text_encoders, style.vae.as_deref())?;
        }
        if !self.force {
            // Each move puts a job ahead of all others, so iterate backwards to keep the story's order.
            project.apply(Action::Draw(shots.iter().map(|shot| shot.id.clone()).collect()));
            for job in pending(project, shots).iter().rev() {
                project.apply(Action::MoveToFront(job.job.id));
            }
        }
        for shot in shots.iter().rev() {
            match missing(project, shot) {
                0 => {}
                takes => {
                    project.apply(Action::DrawMore { shot: shot.id.clone(), takes, score: false });
                }
            }
        }
        Ok(())
    }

    fn report(&self, rendered: &Rendered, took: Duration) -> Result<(), Failure> {
        if self.json {
            print_json(rendered)?;
        } else {
            let art = rendered.art.display();
            let (drawn, kept) = (rendered.drawn.len(), count(rendered.kept, "picture"));
            print(&if drawn + rendered.failed.len() == 0 {
                format!("Nothing to draw: {kept} already drawn in {art}")
            } else {
                format!("Drew {} in {}: {art}", count(drawn, "picture"), format_duration(took))
            })?;
        }
        if rendered.failed.is_empty() {
            return Ok(());
        }
        let mut failures: Vec<FailedShots> = Vec::new();
        for FailedShot { shot, error } in &rendered.failed {
            let shot = shot.to_string();
            match failures.iter_mut().find(|failure| failure.error == *error) {
                Some(failure) => failure.shots.push(shot),
                None => failures.push(FailedShots { error: error.clone(), shots: vec![shot] }),
            }
        }
        Err(Failure::Pictures(failures))
    }
}

/// The number of takes of a shot's recipe that are drawn or queued.
fn takes_of(shot: &Shot, project: &Project) -> u32 {
    let is_wanted = |job: &Job| job.recipe.same_but_take(&shot.recipe);
    let takes = project.art().takes(&shot.id).iter();
    let drawn = takes.filter(|take| take.is_take_of(&shot.recipe)).count();
    let jobs = project.studio().jobs();
    let queued =
        jobs.iter().filter(|view| view.job.shot == shot.id && is_wanted(&view.job)).count();
    u32::try_from(drawn + queued).unwrap_or(u32::MAX)
}

/// The unfinished jobs of these shots.
fn pending(project: &Project, shots: &[Shot]) -> Vec<JobView> {
    let ids: BTreeSet<&ShotId> = shots.iter().map(|shot| &shot.id).collect();
    let jobs = project.studio().jobs();
    jobs.into_iter().filter(|view| ids.contains(&view.job.shot)).collect()
}

/// Waits until the shots are drawn, and shows progress. Other queued jobs stay queued.
fn draw(project: &mut Project, shots: &[Shot]) -> Result<Rendered, Failure> {
    let queued = pending(project, shots);
    let mut progress = DrawProgress::new(queued.len());
    let (mut drawn, mut failed) = (Vec::new(), Vec::new());
    loop {
        // Read before polling, so that no update between the two is lost.
        let jobs = pending(project, shots);
        let updates = project.poll();
        let received = updates.len();
        for update in updates {
            match update {
                Update::Drawn { shot, take, .. } => {
                    if let Ok(take) = project.art().take(&shot, &take) {
                        let seconds = Duration::from_millis(take.provenance.took_ms).as_secs_f64();
                        progress.picture_done(&format!("{shot} ({seconds:.1} s)"));
                        let (take, file) = (take.id.to_string(), take.path.clone());
                        drawn.push(DrawnTake { shot, take, file, seconds });
                    }
                }
                Update::Failed { shot, error } => {
                    if let ProjectError::Job(_) = *error {
                        progress.picture_done(&format!("{shot} failed"));
                    } else {
                        // It is drawn and counted; its copy for the game failed.
                        progress.print_line(&format!("{shot}: {error}"));
                    }
                    // The copy of a picture may fail several times.
                    let failure = FailedShot { shot, error: error.to_string() };
                    if !failed.contains(&failure) {
                        failed.push(failure);
                    }
                }
                Update::Applied { result, .. } => drop(result?),
                _ => {}
            }
        }
        if jobs.is_empty() && project.is_published() {
            break;
        }
        if signals::is_stopped() {
            progress.finish();
            return Err(Failure::Stopped);
        }
        progress.show(&jobs);
        if received == 0 {
            thread::sleep(POLL_INTERVAL);
        }
    }
    progress.finish();
    let queued: BTreeSet<ShotId> = queued.into_iter().map(|view| view.job.shot).collect();
    let art = project.art().root().to_path_buf();
    Ok(Rendered { art, drawn, failed, kept: shots.len() - queued.len() })
}
