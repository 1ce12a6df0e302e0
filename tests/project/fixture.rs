//! A test fixture: a project in a temporary folder.

use std::{collections::BTreeMap, path::Path};

use bevy_illustrator::{
    project::{Action, ActionResult, Project, Reply, Update},
    story::Story,
    storyboard::{ShotId, ShotKind, ShotState},
};
use image::RgbaImage;

use super::common::{Fakes, apply, shot_of, story, wait_until};

/// A project in a temporary folder, and its updates so far.
pub struct ProjectFixture {
    pub dir: tempfile::TempDir,
    pub fakes: Fakes,
    pub project: Project,
    pub updates: Vec<Update>,
}

impl ProjectFixture {
    /// A new project without pictures.
    pub fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap(), story())
    }

    /// Like [`Self::new`], with all shots drawn.
    pub fn drawn() -> Self {
        let mut fixture = Self::new();
        fixture.apply(Action::DrawNeeded);
        fixture.wait_until_idle();
        fixture
    }

    /// Opens the project in a folder.
    pub fn open(dir: tempfile::TempDir, story: Story) -> Self {
        let fakes = Fakes::default();
        let project = Project::open(story, dir.path(), fakes.registry()).unwrap();
        Self::watching(dir, fakes, project)
    }

    /// Watches all shots of an open project.
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
        Self::open(dir, story)
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Applies an action, waits for the answer and unwraps it.
    #[track_caller]
    pub fn apply(&mut self, action: Action) -> Reply {
        self.try_apply(action).unwrap()
    }

    /// Applies an action and waits for the answer.
    #[track_caller]
    pub fn try_apply(&mut self, action: Action) -> ActionResult {
        apply(&mut self.project, action, &mut self.updates)
    }

    /// The error message of a shot.
    pub fn error(&self, shot: &ShotId) -> Option<String> {
        self.project.error(shot).map(|error| error.to_string())
    }

    /// Polls until the project is idle.
    pub fn wait_until_idle(&mut self) {
        self.poll_until("the project to be idle", Project::is_idle);
    }

    /// Polls until `condition` holds.
    #[track_caller]
    pub fn poll_until(&mut self, what: &str, mut condition: impl FnMut(&Project) -> bool) {
        let Self { project, updates, .. } = self;
        wait_until(what, || {
            updates.extend(project.poll());
            condition(project)
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

    /// The states of all shots, in order.
    pub fn states(&self) -> Vec<ShotState> {
        self.project.board().shots().iter().map(|shot| self.project.state(&shot.id)).collect()
    }

    /// The last reported picture of each shot.
    pub fn pictures(&self) -> BTreeMap<ShotId, &RgbaImage> {
        let pictures = self.updates.iter().filter_map(|update| match update {
            Update::Picture { shot, image, .. } => Some((shot.clone(), image)),
            _ => None,
        });
        pictures.collect()
    }

    /// The number of reported pictures of a shot.
    pub fn picture_updates(&self, wanted: &ShotId) -> usize {
        let is_picture =
            |update: &&Update| matches!(update, Update::Picture { shot, .. } if shot == wanted);
        self.updates.iter().filter(is_picture).count()
    }

    /// The picture of a shot in `pictures/`.
    pub fn published(&self, shot: &ShotId) -> RgbaImage {
        image::open(self.project.art().picture_path(shot)).unwrap().into_rgba8()
    }
}
