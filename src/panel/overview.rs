//! A summary of the project, cached until the project changes.

use std::{collections::HashMap, fmt, path::PathBuf, time::Duration};

use crate::{
    model::ModelDefaults,
    project::Project,
    recipe::Recipe,
    story::{Story, check::check},
    storyboard::{Shot, ShotId, ShotKind, ShotState},
    studio::{JobId, JobView},
};

/// The data that the tabs show: all shots, all jobs, and warnings about the story.
#[derive(Debug, Default)]
pub(super) struct Overview {
    of: Option<(PathBuf, u64)>,
    /// Increases with each refresh. Caches of derived data compare it.
    pub version: u64,
    /// All shots in story order, then orphaned ones.
    pub entries: Vec<ShotEntry>,
    places: HashMap<ShotId, usize>,
    counts: HashMap<ShotState, usize>,
    /// The number of shots that `Action::DrawNeeded` would draw.
    pub needed: usize,
    /// All jobs, in drawing order.
    pub jobs: Vec<QueuedJob>,
    /// The index in [`Self::jobs`] of a shot's first job.
    queued: HashMap<ShotId, usize>,
    /// Descriptions of scenes, by id.
    pub scenes: HashMap<String, String>,
    /// Warnings about the story. They do not prevent drawing.
    pub warnings: Vec<String>,
    /// Seconds per unit of [`work`], measured on the last job, and the name of its model.
    pace: Option<(f64, String)>,
}

/// One shot.
#[derive(Debug)]
pub(super) struct ShotEntry {
    pub id: ShotId,
    pub title: String,
    /// `None` for an orphaned shot.
    pub kind: Option<ShotKind>,
    pub state: ShotState,
    /// The scene that it is listed under.
    pub scene: Option<String>,
    /// Id, title and prompt in lower case, for the search.
    pub text: String,
}

/// One job of the queue.
#[derive(Debug)]
pub(super) struct QueuedJob {
    pub id: JobId,
    pub shot: ShotId,
    work: f64,
}

impl Overview {
    /// Updates the data if the project changed.
    pub fn refresh(&mut self, project: &Project) {
        let now = (project.art().root().to_owned(), project.revision());
        if self.of.as_ref() == Some(&now) {
            return;
        }
        self.of = Some(now);
        self.version += 1;
        let entry = |shot: &Shot| ShotEntry::of(shot, project.state(&shot.id));
        self.entries = project.board().shots().iter().map(entry).collect();
        self.entries.extend(project.orphans().map(ShotEntry::orphan));
        self.places = self.entries.iter().enumerate().map(|(n, e)| (e.id.clone(), n)).collect();
        self.counts.clear();
        for entry in &self.entries {
            *self.counts.entry(entry.state).or_default() += 1;
        }
        self.needed = project.needed().count();
        self.jobs = project.studio().jobs().iter().map(QueuedJob::of).collect();
        self.queued.clear();
        for (place, job) in self.jobs.iter().enumerate() {
            self.queued.entry(job.shot.clone()).or_insert(place);
        }
        self.scenes = scenes_in_words(project.story());
        let faults = check(project.story());
        self.warnings = faults.iter().filter(|f| f.is_warning()).map(ToString::to_string).collect();
    }

    /// The entry of a shot.
    pub fn entry(&self, id: &ShotId) -> Option<&ShotEntry> {
        self.places.get(id).map(|&at| &self.entries[at])
    }

    /// The index in the queue of a shot's first job.
    pub fn queue_place(&self, id: &ShotId) -> Option<usize> {
        self.queued.get(id).copied()
    }

    /// The number of shots in a state.
    pub fn count(&self, state: ShotState) -> usize {
        self.counts.get(&state).copied().unwrap_or(0)
    }

    /// The number of shots with a current picture, and the number of all shots except orphaned ones.
    pub fn drawn_of(&self) -> (usize, usize) {
        let drawn = self.count(ShotState::Drafted) + self.count(ShotState::Accepted);
        (drawn, self.entries.len() - self.count(ShotState::Orphaned))
    }

    /// Failed shots, in story order.
    pub fn failed(&self) -> impl Iterator<Item = &ShotEntry> {
        self.entries.iter().filter(|entry| entry.state == ShotState::Failed)
    }

    /// The state of the project in one line: `31 of 44 drawn, 2 failed, about 1 min left`.
    pub fn summary(&mut self, current: Option<&JobView>, paused: bool) -> String {
        let (drawn, all) = self.drawn_of();
        let mut summary = format!("{drawn} of {all} drawn");
        for (state, word) in [(ShotState::Stale, "stale"), (ShotState::Failed, "failed")] {
            if self.count(state) > 0 {
                summary += &format!(", {} {word}", self.count(state));
            }
        }
        let left = self.time_left(current);
        match (self.jobs.len(), paused, left) {
            (0, _, _) => {}
            (jobs, true, _) => summary += &format!(", {jobs} waiting, paused"),
            (_, false, Some(left)) => summary += &format!(", {} left", Approximately(left)),
            (jobs, false, None) => summary += &format!(", {jobs} waiting"),
        }
        summary
    }

    /// The time until the queue is empty, at the pace of the current job.
    fn time_left(&mut self, current: Option<&JobView>) -> Option<Duration> {
        let mut own = 0.0;
        if let Some(JobView { job, progress }) = current {
            let model = &job.recipe.model;
            self.pace.take_if(|(_, of)| *of != *model);
            if let Some((left, progress)) = progress.as_ref().and_then(|it| Some((it.left?, it))) {
                let seconds = (progress.elapsed + left).as_secs_f64();
                self.pace = Some((seconds / work(&job.recipe), model.clone()));
                own = left.as_secs_f64();
            }
        }
        let current = current.map(|view| view.job.id);
        let rest = self.jobs.iter().filter(|job| Some(job.id) != current);
        let rest: f64 = rest.map(|job| job.work).sum();
        let (pace, _) = self.pace.as_ref()?;
        Duration::try_from_secs_f64(own + rest * pace).ok()
    }
}

impl ShotEntry {
    fn of(shot: &Shot, state: ShotState) -> Self {
        Self {
            id: shot.id.clone(),
            title: shot.title.clone(),
            kind: Some(shot.kind),
            state,
            scene: shot.scenes.first().cloned(),
            text: format!("{} {} {}", shot.id, shot.title, shot.recipe.prompt).to_lowercase(),
        }
    }

    fn orphan(id: &ShotId) -> Self {
        Self {
            id: id.clone(),
            title: id.to_string(),
            kind: None,
            state: ShotState::Orphaned,
            scene: None,
            text: id.as_str().to_lowercase(),
        }
    }

    /// The label for screen readers: `The studio, at night (background, missing)`.
    pub fn accessible_name(&self) -> String {
        let kind = self.kind.map_or("no longer in the story", ShotKind::name);
        format!("{} ({kind}, {})", self.title, self.state.name())
    }
}

impl QueuedJob {
    fn of(view: &JobView) -> Self {
        Self { id: view.job.id, shot: view.job.shot.clone(), work: work(&view.job.recipe) }
    }
}

/// The cost of a picture in arbitrary units, proportional to pixels and steps.
fn work(recipe: &Recipe) -> f64 {
    let pixels = f64::from(recipe.size.width) * f64::from(recipe.size.height);
    (pixels * f64::from(recipe.sampler.steps.unwrap_or(ModelDefaults::default().steps))).max(1.0)
}

fn scenes_in_words(story: &Story) -> HashMap<String, String> {
    let in_words = |scene: &crate::story::Scene| {
        let place = story.place(&scene.place).map_or(scene.place.as_str(), |place| &place.name);
        let parts = [place, &scene.time, &scene.weather];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        (scene.id.clone(), parts.join(", "))
    };
    story.scenes.iter().map(in_words).collect()
}

/// A rounded duration: `about 5 s`, `about 2 min`, `about 1 h 20 min`.
pub(super) struct Approximately(pub Duration);

impl fmt::Display for Approximately {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64().ceil() as u64;
        match (seconds, seconds.div_ceil(60)) {
            (0..20, _) => write!(f, "about {} s", seconds.max(1)),
            (20..90, _) => write!(f, "about {} s", seconds.next_multiple_of(10)),
            (_, minutes @ 0..60) => write!(f, "about {minutes} min"),
            (_, minutes) => write!(f, "about {} h {} min", minutes / 60, minutes % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        recipe::Size,
        studio::{Job, Progress},
    };

    #[test]
    fn the_pace_of_a_model_does_not_count_for_another() {
        let view = |model: &str, left: Option<u64>| JobView {
            job: Job {
                id: JobId(0),
                shot: ShotId::new("a").unwrap(),
                recipe: Arc::new(Recipe::new("a ship", Size::new(64, 64), model)),
            },
            progress: Some(Progress { left: left.map(Duration::from_secs), ..Progress::default() }),
        };
        let mut overview = Overview::default();
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs());
        assert_eq!(seconds(overview.time_left(Some(&view("fast", Some(7))))), Some(7));
        assert_eq!(seconds(overview.time_left(Some(&view("fast", None)))), Some(0));
        assert_eq!(overview.time_left(Some(&view("slow", None))), None);
        assert_eq!(overview.time_left(None), None);
    }

    #[test]
    fn durations_are_rounded() {
        let text = |seconds| Approximately(Duration::from_secs(seconds)).to_string();
        assert_eq!(text(0), "about 1 s");
        assert_eq!(text(7), "about 7 s");
        assert_eq!(text(71), "about 80 s");
        assert_eq!(text(121), "about 3 min");
        assert_eq!(text(3600 + 20 * 60), "about 1 h 20 min");
    }
}
