//! `illustrate render`: draws the pictures of a story that are missing or stale.
//!
//! Options that differ from the story's style make a style for this run. Its pictures are takes like
//! all others: a second run with the same options finds them and draws nothing, and a run without
//! them finds those of the story's own style. Each finished picture is whole on disk at once, so
//! that a run may be stopped at any time; the next one goes on.

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
    options::{DeviceOption, LookOptions, check_model},
    output::{count, print, print_json},
    progress::{DrawProgress, short},
};

/// How often the worker thread is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(40);

#[derive(Debug, clap::Args)]
pub(crate) struct Render {
    #[command(flatten)]
    story: StoryArgs,
    /// Draw this picture only; may be given several times
    #[arg(long = "shot", value_name = "ID", value_parser = |id: &str| ShotId::new(id))]
    shots: Vec<ShotId>,
    /// How many takes each picture should have
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    takes: u32,
    #[command(flatten)]
    look: LookOptions,
    #[command(flatten)]
    device: DeviceOption,
    /// Draw one more take (or as many as --takes says) of each picture, whatever is there
    #[arg(long)]
    force: bool,
    /// Print what was drawn as JSON
    #[arg(long)]
    json: bool,
}

/// What came of it, as `--json` prints it.
#[derive(Serialize)]
struct Rendered {
    art: PathBuf,
    drawn: Vec<DrawnTake>,
    failed: Vec<FailedShot>,
    /// Pictures that were there already.
    kept: usize,
}

#[derive(Serialize)]
struct DrawnTake {
    shot: ShotId,
    take: String,
    file: PathBuf,
    seconds: f64,
}

#[derive(Serialize)]
struct FailedShot {
    shot: ShotId,
    error: String,
}

impl Render {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let began = Instant::now();
        let story = self.story.read()?;
        let registry = GeneratorRegistry::built_in(self.device.device);
        let change = |style: &_| self.look.applied_to(style);
        let mut project = Project::open_with(story, self.story.art_folder(), registry, change)?;
        let chosen = self.chosen(&project)?;
        self.queue(&mut project, &chosen)?;
        let rendered = draw(&mut project, &chosen)?;
        self.tell(&rendered, began.elapsed())
    }

    /// The shots that the command line names, or all.
    fn chosen(&self, project: &Project) -> Result<Vec<Shot>, Failure> {
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

    /// Queues what is to be drawn, in front of what a game may have left in the queue.
    fn queue(&self, project: &mut Project, chosen: &[Shot]) -> Result<(), Failure> {
        let missing = |project: &Project, shot: &Shot| {
            let there = if self.force { 0 } else { takes_of(shot, project) };
            self.takes.saturating_sub(there)
        };
        if chosen.iter().any(|shot| missing(project, shot) > 0) {
            check_model(&project.style().model)?;
        }
        if !self.force {
            // In story order; what comes after goes to the front, so the first shot comes last.
            project.apply(Action::Draw(chosen.iter().map(|shot| shot.id.clone()).collect()));
            for job in pending(project, chosen).iter().rev() {
                project.apply(Action::MoveToFront(job.job.id));
            }
        }
        for shot in chosen.iter().rev() {
            match missing(project, shot) {
                0 => {}
                takes => {
                    project.apply(Action::DrawMore { shot: shot.id.clone(), takes });
                }
            }
        }
        Ok(())
    }

    fn tell(&self, rendered: &Rendered, took: Duration) -> Result<(), Failure> {
        if self.json {
            print_json(rendered)?;
        } else {
            let art = rendered.art.display();
            let (drawn, kept) = (rendered.drawn.len(), count(rendered.kept, "picture"));
            print(&if drawn + rendered.failed.len() == 0 {
                format!("Nothing to draw: {kept} there already, in {art}")
            } else {
                format!("Drew {} in {}, in {art}", count(drawn, "picture"), short(took))
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

/// Takes of a shot's recipe that are there or in the queue.
fn takes_of(shot: &Shot, project: &Project) -> u32 {
    let is_wanted = |job: &Job| job.recipe.same_but_take(&shot.recipe);
    let takes = project.art().takes(&shot.id).iter();
    let here = takes.filter(|take| take.is_take_of(&shot.recipe)).count();
    let jobs = project.studio().jobs();
    let queued =
        jobs.iter().filter(|view| view.job.shot == shot.id && is_wanted(&view.job)).count();
    u32::try_from(here + queued).unwrap_or(u32::MAX)
}

/// The jobs of these shots that are not done.
fn pending(project: &Project, chosen: &[Shot]) -> Vec<JobView> {
    let ids: BTreeSet<&ShotId> = chosen.iter().map(|shot| &shot.id).collect();
    let jobs = project.studio().jobs();
    jobs.into_iter().filter(|view| ids.contains(&view.job.shot)).collect()
}

/// Waits until the chosen shots are drawn, and tells how far that is. What else is queued stays so.
fn draw(project: &mut Project, chosen: &[Shot]) -> Result<Rendered, Failure> {
    let asked = pending(project, chosen);
    let mut progress = DrawProgress::new(asked.len());
    let (mut drawn, mut failed) = (Vec::new(), Vec::new());
    loop {
        // Asked before polling, so that what happens in between is not lost.
        let jobs = pending(project, chosen);
        let updates = project.poll();
        let told = updates.len();
        for update in updates {
            match update {
                Update::Drawn { shot, take } => {
                    if let Ok(take) = project.art().take(&shot, &take) {
                        let seconds = Duration::from_millis(take.provenance.took_ms).as_secs_f64();
                        progress.drew(&format!("{shot} ({seconds:.1} s)"));
                        let (take, file) = (take.id.to_string(), take.path.clone());
                        drawn.push(DrawnTake { shot, take, file, seconds });
                    }
                }
                Update::Failed { shot, error } => {
                    progress.drew(&format!("{shot} failed"));
                    failed.push(FailedShot { shot, error: error.to_string() });
                }
                Update::Applied { result, .. } => drop(result?),
                _ => {}
            }
        }
        if jobs.is_empty() && project.is_published() {
            break;
        }
        progress.show(&jobs);
        if told == 0 {
            thread::sleep(LOOK_EVERY);
        }
    }
    progress.end();
    let asked: BTreeSet<ShotId> = asked.into_iter().map(|view| view.job.shot).collect();
    let art = project.art().root().to_path_buf();
    Ok(Rendered { art, drawn, failed, kept: chosen.len() - asked.len() })
}
