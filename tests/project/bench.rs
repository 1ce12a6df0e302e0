//! A project on a folder of its own, for tests to work at.

use std::{collections::BTreeMap, path::Path};

use bevy_illustrator::{
    project::{Action, ActionResult, Project, Reply, Update},
    story::Story,
    storyboard::{ShotId, ShotKind, ShotState},
};
use image::RgbaImage;

use super::common::{Fakes, apply, shot_of, story, wait_until};

/// A project on a folder of its own, and what it told so far.
pub struct Bench {
    pub dir: tempfile::TempDir,
    pub fakes: Fakes,
    pub project: Project,
    pub updates: Vec<Update>,
}

impl Bench {
    /// An open project where nothing was drawn.
    pub fn new() -> Self {
        Self::over(tempfile::tempdir().unwrap(), story())
    }

    /// As [`Self::new`], with all shots drawn.
    pub fn drawn() -> Self {
        let mut bench = Self::new();
        bench.apply(Action::DrawNeeded);
        bench.settle();
        bench
    }

    /// A project over what lies in a folder.
    pub fn over(dir: tempfile::TempDir, story: Story) -> Self {
        let fakes = Fakes::default();
        let project = Project::open(story, dir.path(), fakes.registry()).unwrap();
        Self::watching(dir, fakes, project)
    }

    /// A bench over a project, all of whose shots are watched.
    pub fn watching(dir: tempfile::TempDir, fakes: Fakes, mut project: Project) -> Self {
        let shots = project.board().shots().iter().map(|shot| shot.id.clone()).collect::<Vec<_>>();
        shots.iter().for_each(|shot| project.watch(shot));
        Self { dir, fakes, project, updates: Vec::new() }
    }

    /// Closes the project and opens it again.
    pub fn reopened(self) -> Self {
        let Self { dir, project, .. } = self;
        let story = project.story().clone();
        drop(project);
        Self::over(dir, story)
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Applies an action that succeeds, and waits for the answer.
    #[track_caller]
    pub fn apply(&mut self, action: Action) -> Reply {
        self.try_apply(action).unwrap()
    }

    /// Applies an action and waits for the answer.
    #[track_caller]
    pub fn try_apply(&mut self, action: Action) -> ActionResult {
        apply(&mut self.project, action, &mut self.updates)
    }

    /// Why a shot failed.
    pub fn error(&self, shot: &ShotId) -> Option<String> {
        self.project.error(shot).map(|error| error.to_string())
    }

    /// Polls until all is done.
    pub fn settle(&mut self) {
        self.poll_until("all to be done", Project::is_idle);
    }

    /// Polls until something is so.
    #[track_caller]
    pub fn poll_until(&mut self, what: &str, mut so: impl FnMut(&Project) -> bool) {
        let Self { project, updates, .. } = self;
        wait_until(what, || {
            updates.extend(project.poll());
            so(project)
        });
    }

    pub fn background(&self) -> ShotId {
        shot_of(self.project.board(), ShotKind::Background)
    }

    pub fn portrait(&self) -> ShotId {
        shot_of(self.project.board(), ShotKind::Portrait)
    }

    pub fn item(&self) -> ShotId {
        shot_of(self.project.board(), ShotKind::Item)
    }

    /// The state of each shot, in order.
    pub fn states(&self) -> Vec<ShotState> {
        self.project.board().shots().iter().map(|shot| self.project.state(&shot.id)).collect()
    }

    /// The picture that was told last for each shot.
    pub fn pictures(&self) -> BTreeMap<ShotId, &RgbaImage> {
        let pictures = self.updates.iter().filter_map(|update| match update {
            Update::Picture { shot, image, .. } => Some((shot.clone(), image)),
            _ => None,
        });
        pictures.collect()
    }

    /// How many pictures were told for a shot.
    pub fn times_told(&self, wanted: &ShotId) -> usize {
        let told =
            |update: &&Update| matches!(update, Update::Picture { shot, .. } if shot == wanted);
        self.updates.iter().filter(told).count()
    }

    /// What the game would read from `pictures/`.
    pub fn published(&self, shot: &ShotId) -> RgbaImage {
        image::open(self.project.art().picture_path(shot)).unwrap().into_rgba8()
    }
}
