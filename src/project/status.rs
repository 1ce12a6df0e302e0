//! The status of each shot. It is computed when something changes and not when somebody asks: views ask for
//! thousands of shots in every frame.

use std::{collections::HashMap, sync::Arc};

use image::RgbaImage;

use super::{
    Project, ProjectError, Update, is_asked_for,
    publisher::{PictureError, Publication},
};
use crate::{
    art::{Take, TakeId},
    recipe::Recipe,
    storyboard::{Shot, ShotId, ShotState, Storyboard},
};

/// The status of each shot of the storyboard.
#[derive(Debug, Default)]
pub(super) struct Statuses(HashMap<ShotId, ShotStatus>);

#[derive(Debug)]
struct ShotStatus {
    state: ShotState,
    /// The take that the publisher puts into `pictures/`.
    published: Option<TakeId>,
    /// The take that the game shows: the published one, or one that is tried on.
    shown: Option<TakeId>,
    failure: Option<Failure>,
}

/// Why there is no picture.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Arc<ProjectError>,
    /// The recipe that could not be drawn. `None` where a picture was drawn but could not be published.
    pub(super) recipe: Option<Arc<Recipe>>,
}

/// A picture that was written just now.
pub(super) struct NewPicture {
    pub(super) take: TakeId,
    pub(super) image: RgbaImage,
}

impl Statuses {
    pub(super) fn state(&self, shot: &ShotId) -> ShotState {
        self.0.get(shot).map_or(ShotState::Orphaned, |status| status.state)
    }

    /// Whether the game shows this take.
    pub(super) fn shows(&self, shot: &ShotId, take: &TakeId) -> bool {
        self.0.get(shot).is_some_and(|status| status.shown.as_ref() == Some(take))
    }

    /// Whether this take belongs into `pictures/`.
    pub(super) fn publishes(&self, shot: &ShotId, take: &TakeId) -> bool {
        self.0.get(shot).is_some_and(|status| status.published.as_ref() == Some(take))
    }

    pub(super) fn failure(&self, shot: &ShotId) -> Option<&Failure> {
        self.0.get(shot)?.failure.as_ref()
    }

    pub(super) fn set_failure(&mut self, shot: &ShotId, failure: Failure) {
        if let Some(status) = self.0.get_mut(shot) {
            status.failure = Some(failure);
        }
    }

    /// Forgets that a shot failed. A picture that was not published is published with the next refresh.
    pub(super) fn clear_failure(&mut self, shot: &ShotId) {
        if let Some(status) = self.0.get_mut(shot)
            && let Some(Failure { recipe: None, .. }) = status.failure.take()
        {
            status.published = None;
        }
    }
}

impl Project {
    /// Computes the status of a shot, and publishes and shows its picture where that has changed.
    pub(super) fn refresh_shot(&mut self, shot: &ShotId) {
        self.refresh_with(shot, None, true);
    }

    /// [`Self::refresh_shot`] with a picture that was written just now. Publishes it before what waits if it is
    /// `urgent`.
    pub(super) fn refresh_with(&mut self, shot: &ShotId, new: Option<NewPicture>, urgent: bool) {
        let Some(shot) = self.board.shot(shot) else { return };
        let state = self.compute_state(shot);
        let kept = self.art.shown(&shot.id, Some(&shot.recipe));
        let shown = self.shown(&shot.id).cloned();
        let status = self.statuses.0.entry(shot.id.clone()).or_insert(ShotStatus {
            state,
            published: None,
            shown: None,
            failure: None,
        });
        status.state = state;
        let publishes = replace_if_changed(&mut status.published, kept);
        let shows = replace_if_changed(&mut status.shown, shown.as_ref());
        // A picture that is published is sent once its copy is there.
        let is_sent = publishes && status.published == status.shown;
        let is_watched = self.watched.contains(&shot.id);
        match kept {
            Some(take) if publishes => {
                let new = new.filter(|new| new.take == take.id);
                let is_new = new.is_some();
                let read = is_watched && is_sent;
                let image = new.filter(|_| read).map(|new| new.image);
                let take = take.clone();
                self.publisher.publish(Publication { take, image, is_new, read, urgent });
            }
            None if publishes => self.publisher.unpublish(shot.id.clone()),
            _ => {}
        }
        match shown {
            Some(take) if shows && !is_sent && is_watched => self.publisher.read(take),
            None if shows => self.updates.push(Update::NoPicture { shot: shot.id.clone() }),
            _ => {}
        }
    }

    /// Applies a new storyboard in the place of `before`: cancels the jobs that it does not ask for, and refreshes the
    /// shots that changed.
    pub(super) fn apply_board(&mut self, before: &Storyboard) {
        self.revision += 1;
        self.cancel_unwanted();
        let board = &self.board;
        self.statuses.0.retain(|shot, _| board.shot(shot).is_some());
        let same = |shot: &Shot| before.shot(&shot.id).is_some_and(|old| old.recipe == shot.recipe);
        let changed = board.shots().iter().filter(|shot| !same(shot)).map(|shot| shot.id.clone());
        for shot in changed.collect::<Vec<_>>() {
            self.refresh_with(&shot, None, false);
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
    pub(super) fn clear_failure(&mut self, shot: &ShotId) {
        self.statuses.clear_failure(shot);
        self.studio.forget_failed(shot);
    }

    /// Notes that a picture cannot be read or published.
    pub(super) fn fail_picture(&mut self, take: Take, error: PictureError) {
        // A damaged picture is drawn again, without its edits; one that was not copied is only copied again.
        let drawn = Recipe { edit: None, ..take.provenance.recipe };
        let recipe = error.is_damaged.then(|| Arc::new(drawn));
        self.fail(&take.shot, Failure { error: error.error, recipe });
    }

    /// Lets what failed before the project was opened stand on its shots.
    pub(super) fn restore_failures(&mut self) {
        let shots = self.board.shots().iter().map(|shot| shot.id.clone()).collect::<Vec<_>>();
        for shot in shots {
            if let Some((job, error)) = self.studio.failed(&shot).pop() {
                let error = Arc::new(ProjectError::Job(error));
                self.statuses.set_failure(&shot, Failure { error, recipe: Some(job.recipe) });
                self.refresh_shot(&shot);
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
        let recipe = self.statuses.failure(shot).filter(|_| failed)?.recipe.as_deref()?;
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

    fn compute_state(&self, shot: &Shot) -> ShotState {
        let mut jobs = self.jobs.get(&shot.id).into_iter().flatten();
        if jobs.any(|job| job.recipe.is_wanted_by(&shot.recipe)) {
            return ShotState::Queued;
        }
        let failed = self.statuses.failure(&shot.id).is_some_and(|failure| {
            // What failed in other words may well succeed in these.
            failure.recipe.as_ref().is_none_or(|recipe| recipe.is_wanted_by(&shot.recipe))
        });
        if failed { ShotState::Failed } else { self.art.state(shot) }
    }
}

/// Replaces the id of a take; returns whether it is another one.
fn replace_if_changed(id: &mut Option<TakeId>, take: Option<&Take>) -> bool {
    let take = take.map(|take| &take.id);
    let changed = id.as_ref() != take;
    if changed {
        *id = take.cloned();
    }
    changed
}
