//! Where each shot stands, worked out when something changes and not when somebody looks: views ask for
//! thousands of shots in every frame.

use std::{collections::HashMap, sync::Arc};

use image::RgbaImage;

use super::{Project, ProjectError, Update, is_asked_for};
use crate::{
    art::{Take, TakeId},
    recipe::Recipe,
    storyboard::{Shot, ShotId, ShotState, Storyboard},
};

/// Where the shots of the storyboard stand.
#[derive(Debug, Default)]
pub(super) struct Standings(HashMap<ShotId, Standing>);

#[derive(Debug)]
struct Standing {
    state: ShotState,
    /// The take that the publisher was told to put into `pictures/`.
    published: Option<TakeId>,
    /// The take that the game shows: this one, or one that is tried on.
    shown: Option<TakeId>,
    failure: Option<Failure>,
}

/// Why there is no picture.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Arc<ProjectError>,
    /// What could not be drawn; `None` where a picture was drawn but could not be published.
    pub(super) recipe: Option<Arc<Recipe>>,
}

impl Standings {
    pub(super) fn state(&self, shot: &ShotId) -> ShotState {
        self.0.get(shot).map_or(ShotState::Orphaned, |standing| standing.state)
    }

    /// Whether the game shows this take.
    pub(super) fn shows(&self, shot: &ShotId, take: &TakeId) -> bool {
        self.0.get(shot).is_some_and(|standing| standing.shown.as_ref() == Some(take))
    }

    /// Whether this take is to lie in `pictures/`.
    pub(super) fn publishes(&self, shot: &ShotId, take: &TakeId) -> bool {
        self.0.get(shot).is_some_and(|standing| standing.published.as_ref() == Some(take))
    }

    pub(super) fn failure(&self, shot: &ShotId) -> Option<&Failure> {
        self.0.get(shot)?.failure.as_ref()
    }

    /// Notes that a shot failed. What was drawn but not published is to be tried again after the next
    /// [`Self::forgive`].
    pub(super) fn fail(&mut self, shot: &ShotId, failure: Failure) {
        if let Some(standing) = self.0.get_mut(shot) {
            standing.failure = Some(failure);
        }
    }

    /// Forgets that a shot failed, and what could not be published for it.
    pub(super) fn forgive(&mut self, shot: &ShotId) {
        if let Some(standing) = self.0.get_mut(shot)
            && let Some(Failure { recipe: None, .. }) = standing.failure.take()
        {
            standing.published = None;
        }
    }
}

impl Project {
    /// Works out anew where a shot stands, and has its picture published, and shown by the game, where it
    /// is another one.
    pub(super) fn stand(&mut self, shot: &ShotId) {
        self.stand_with(shot, None, true);
    }

    /// [`Self::stand`], with the picture of the newest take where it is at hand; published soon, or
    /// when all others have had their turn.
    pub(super) fn stand_with(&mut self, shot: &ShotId, image: Option<RgbaImage>, soon: bool) {
        if let Some(shot) = self.board.shot(shot) {
            let state = self.work_out(shot);
            let kept = self.art.shown(&shot.id, Some(&shot.recipe));
            let shown = self.shown(&shot.id).cloned();
            let standing = self.standings.0.entry(shot.id.clone()).or_insert(Standing {
                state,
                published: None,
                shown: None,
                failure: None,
            });
            standing.state = state;
            let publishes = turn(&mut standing.published, kept);
            let shows = turn(&mut standing.shown, shown.as_ref());
            // The game is told of what is published once it is there.
            let is_told = publishes && standing.published == standing.shown;
            match kept {
                Some(take) if publishes => {
                    let newest = self.art.takes(&shot.id).last().map(|take| &take.id);
                    let image = image.filter(|_| newest == Some(&take.id));
                    self.publisher.publish(take.clone(), image, soon);
                }
                None if publishes => self.publisher.unpublish(shot.id.clone()),
                _ => {}
            }
            match shown {
                Some(take) if shows && !is_told => self.publisher.show(take),
                None if shows => self.updates.push(Update::NoPicture { shot: shot.id.clone() }),
                _ => {}
            }
        }
    }

    /// Stands on a new storyboard where `before` was: cancels what it does not ask for, and works out
    /// anew the shots that changed.
    pub(super) fn stand_on(&mut self, before: &Storyboard) {
        self.revision += 1;
        self.cancel_unwanted();
        let board = &self.board;
        self.standings.0.retain(|shot, _| board.shot(shot).is_some());
        let same = |shot: &Shot| before.shot(&shot.id).is_some_and(|old| old.recipe == shot.recipe);
        let changed = board.shots().iter().filter(|shot| !same(shot)).map(|shot| shot.id.clone());
        for shot in changed.collect::<Vec<_>>() {
            self.stand_with(&shot, None, false);
        }
    }

    /// Cancels jobs whose recipe the storyboard does not ask for.
    fn cancel_unwanted(&mut self) {
        let jobs = self.jobs.values().flatten();
        let unwanted = jobs.filter(|job| !is_asked_for(&self.board, &job.shot, &job.recipe));
        for job in unwanted.cloned().collect::<Vec<_>>() {
            self.studio.cancel(job.id);
            self.forget_job(&job.shot, job.id);
        }
    }

    /// Forgets that a shot failed.
    pub(super) fn forgive(&mut self, shot: &ShotId) {
        self.standings.forgive(shot);
        self.studio.forget_failed(shot);
    }

    /// Lets what failed before the project was opened stand on its shots.
    pub(super) fn fail_again(&mut self) {
        let shots = self.board.shots().iter().map(|shot| shot.id.clone()).collect::<Vec<_>>();
        for shot in shots {
            if let Some((job, error)) = self.studio.failed(&shot).pop() {
                let error = Arc::new(ProjectError::Job(error));
                self.standings.fail(&shot, Failure { error, recipe: Some(job.recipe) });
                self.stand(&shot);
            }
        }
    }

    /// What failed of a shot and is still asked for.
    pub(super) fn failed_jobs(&self, shot: &ShotId) -> Vec<(ShotId, Recipe)> {
        let failed = self.studio.failed(shot).into_iter();
        let failed = failed.map(|(job, _)| (job.shot, Recipe::clone(&job.recipe)));
        failed.filter(|(shot, recipe)| is_asked_for(&self.board, shot, recipe)).collect()
    }

    /// The edit that a shot failed for, if it is still asked for.
    pub(super) fn failed_edit(&self, shot: &ShotId) -> Option<&Recipe> {
        let failed = self.state(shot) == ShotState::Failed;
        let recipe = self.standings.failure(shot).filter(|_| failed)?.recipe.as_deref()?;
        recipe.edit.is_some().then_some(recipe)
    }

    /// Whether a shot is missing, stale or failed. An edit that failed is no reason to draw its picture anew.
    pub(super) fn needs_picture(&self, shot: &Shot) -> bool {
        let state = match self.failed_edit(&shot.id) {
            Some(_) => self.art.state(shot),
            None => self.state(&shot.id),
        };
        matches!(state, ShotState::Missing | ShotState::Stale | ShotState::Failed)
    }

    fn work_out(&self, shot: &Shot) -> ShotState {
        let mut jobs = self.jobs.get(&shot.id).into_iter().flatten();
        if jobs.any(|job| job.recipe.is_wanted_by(&shot.recipe)) {
            return ShotState::Queued;
        }
        let failed = self.standings.failure(&shot.id).is_some_and(|failure| {
            // What failed in other words may well succeed in these.
            failure.recipe.as_ref().is_none_or(|recipe| recipe.is_wanted_by(&shot.recipe))
        });
        if failed { ShotState::Failed } else { self.art.state(shot) }
    }
}

/// Notes another take than before; whether it is another.
fn turn(noted: &mut Option<TakeId>, take: Option<&Take>) -> bool {
    let take = take.map(|take| &take.id);
    let is_other = noted.as_ref() != take;
    if is_other {
        *noted = take.cloned();
    }
    is_other
}
