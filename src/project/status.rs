//! The status of each shot. It is computed when something changes, because views read the status of thousands of shots
//! in every frame.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use image::RgbaImage;

use super::{
    Project, ProjectError, Update, needs_recipe,
    publisher::{PictureError, Publication},
};
use crate::{
    art::{Take, TakeId},
    recipe::Recipe,
    storyboard::{Shot, ShotId, ShotState, Storyboard},
    studio::Resume,
};

/// The status of each shot of the storyboard.
#[derive(Debug, Default)]
pub(super) struct Statuses(HashMap<ShotId, ShotStatus>);

#[derive(Debug)]
struct ShotStatus {
    state: ShotState,
    /// The take that the publisher copies to `pictures/`.
    published: Option<TakeId>,
    /// The take that the game shows: the published one, or one on trial.
    shown: Option<TakeId>,
    picture_error: Option<PictureError>,
}

/// A picture that was just written.
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

    /// Whether `pictures/` should have a copy of this take.
    pub(super) fn publishes(&self, shot: &ShotId, take: &TakeId) -> bool {
        self.0.get(shot).is_some_and(|status| status.published.as_ref() == Some(take))
    }

    /// The error of a picture that cannot be read or published.
    pub(super) fn picture_error(&self, shot: &ShotId) -> Option<&PictureError> {
        self.0.get(shot)?.picture_error.as_ref()
    }

    /// Whether the picture of a shot was drawn but could not be published.
    pub(super) fn is_unpublished(&self, shot: &ShotId) -> bool {
        self.picture_error(shot).is_some_and(|error| !error.is_damaged)
    }

    pub(super) fn set_picture_error(&mut self, shot: &ShotId, error: PictureError) {
        if let Some(status) = self.0.get_mut(shot) {
            status.picture_error = Some(error);
        }
    }

    /// Clears the error of a picture. Returns whether it had one.
    pub(super) fn clear_picture_error(&mut self, shot: &ShotId) -> bool {
        self.0.get_mut(shot).is_some_and(|status| status.picture_error.take().is_some())
    }

    /// Makes the next refresh publish the picture of a shot again.
    pub(super) fn publish_again(&mut self, shot: &ShotId) {
        if let Some(status) = self.0.get_mut(shot) {
            (status.picture_error, status.published) = (None, None);
        }
    }
}

impl Project {
    /// Computes the status of a shot. Publishes and sends its picture if that has changed.
    pub(super) fn refresh_shot(&mut self, shot: &ShotId) {
        self.refresh_with(shot, None, true);
    }

    /// Like [`Self::refresh_shot`], with a picture that was just written. An `urgent` picture is published before all
    /// waiting ones.
    pub(super) fn refresh_with(&mut self, shot: &ShotId, new: Option<NewPicture>, urgent: bool) {
        let Some(shot) = self.board.shot(shot) else { return };
        let state = self.compute_state(shot);
        let kept = self.art.shown(&shot.id, Some(&shot.recipe));
        let shown = self.shown(&shot.id).cloned();
        let status = self.statuses.0.entry(shot.id.clone()).or_insert(ShotStatus {
            state,
            published: None,
            shown: None,
            picture_error: None,
        });
        status.state = state;
        let publishes = replace_if_changed(&mut status.published, kept);
        let shows = replace_if_changed(&mut status.shown, shown.as_ref());
        // A published picture is sent once its copy is written.
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

    /// Applies the new storyboard, which replaces `before`: cancels the jobs that it does not need, queues the edits that
    /// it needs again, and refreshes the changed shots.
    pub(super) fn apply_board(&mut self, before: &Storyboard) {
        self.revision += 1;
        self.cancel_unwanted();
        self.resume_left();
        let board = &self.board;
        self.statuses.0.retain(|shot, _| board.shot(shot).is_some());
        let same = |shot: &Shot| before.shot(&shot.id).is_some_and(|old| old.recipe == shot.recipe);
        let changed = board.shots().iter().filter(|shot| !same(shot)).map(|shot| shot.id.clone());
        for shot in changed.collect::<Vec<_>>() {
            self.refresh_with(&shot, None, false);
        }
    }

    /// Cancels the jobs that the storyboard does not need. Only the queue has the author's words for an edit, so edits stay
    /// in its file.
    fn cancel_unwanted(&mut self) {
        let jobs = self.jobs.values().flatten();
        let unwanted = jobs.filter(|job| !needs_recipe(&self.board, &job.shot, &job.recipe));
        let unwanted = unwanted.cloned().collect::<Vec<_>>();
        let (edits, others): (Vec<_>, Vec<_>) =
            unwanted.iter().partition(|job| job.recipe.edit.is_some());
        let [edits, others] =
            [edits, others].map(|jobs| jobs.into_iter().map(|job| job.id).collect::<HashSet<_>>());
        if !edits.is_empty() {
            self.studio.leave_many(&edits);
        }
        if !others.is_empty() {
            self.studio.cancel_many(&others);
        }
        for job in unwanted {
            self.remove_job(&job.shot, job.id);
        }
    }

    /// Queues the jobs that are only in the queue file and that the storyboard needs.
    fn resume_left(&mut self) {
        let (art, board) = (&self.art, &self.board);
        let resumed = self.studio.resume_left(|shot, recipe| {
            if art.with_discarded(shot).any(|take| take.recipe() == recipe) {
                Resume::Forget
            } else if needs_recipe(board, shot, recipe) {
                Resume::Draw
            } else {
                Resume::Leave
            }
        });
        for job in resumed {
            let jobs = self.jobs.entry(job.shot.clone()).or_default();
            if jobs.iter().all(|other| other.id != job.id) {
                jobs.push(job);
            }
        }
    }

    /// The failed jobs of a shot that the storyboard still needs.
    pub(super) fn failed_jobs(&self, shot: &ShotId) -> Vec<(ShotId, Recipe)> {
        let failed = self.studio.failed(shot).into_iter();
        let failed = failed.map(|(job, _)| (job.shot, Recipe::clone(&job.recipe)));
        failed.filter(|(shot, recipe)| needs_recipe(&self.board, shot, recipe)).collect()
    }

    /// Whether a shot lacks a current and published picture, and no job draws one. A failed edit does not make a new
    /// picture necessary.
    pub(super) fn needs_picture(&self, shot: &Shot) -> bool {
        let mut jobs = self.jobs.get(&shot.id).into_iter().flatten();
        if jobs.any(|job| job.recipe.edit.is_none() && job.recipe.is_wanted_by(&shot.recipe)) {
            return false;
        }
        self.lacks_picture(shot) || self.statuses.is_unpublished(&shot.id)
    }

    /// Whether a shot has no readable picture of the current recipe.
    pub(super) fn lacks_picture(&self, shot: &Shot) -> bool {
        matches!(self.art.state(shot), ShotState::Missing | ShotState::Stale)
    }

    /// Whether a job with the current recipe of a shot failed.
    pub(super) fn has_failed(&self, shot: &Shot) -> bool {
        let is_same = |recipe: &Recipe| recipe.edit.is_none() && recipe.is_wanted_by(&shot.recipe);
        self.studio.failed(&shot.id).iter().any(|(job, _)| is_same(&job.recipe))
    }

    /// The error of a shot.
    pub(super) fn failure(&self, shot: &Shot) -> Option<Arc<ProjectError>> {
        let picture = self.statuses.picture_error(&shot.id);
        let is_current = |error: &&PictureError| !error.is_damaged || self.lacks_picture(shot);
        if let Some(error) = picture.filter(is_current) {
            return Some(Arc::clone(&error.error));
        }
        // Failures with other words do not count.
        let mut failed = self.studio.failed(&shot.id).into_iter().rev();
        let failed = failed.find(|(job, _)| job.recipe.is_wanted_by(&shot.recipe));
        failed.map(|(_, error)| Arc::new(ProjectError::Job(error)))
    }

    fn compute_state(&self, shot: &Shot) -> ShotState {
        let mut jobs = self.jobs.get(&shot.id).into_iter().flatten();
        if jobs.any(|job| job.recipe.is_wanted_by(&shot.recipe)) {
            ShotState::Queued
        } else if self.failure(shot).is_some() {
            ShotState::Failed
        } else {
            self.art.state(shot)
        }
    }
}

/// Replaces the id of a take. Returns whether it changed.
fn replace_if_changed(id: &mut Option<TakeId>, take: Option<&Take>) -> bool {
    let take = take.map(|take| &take.id);
    let changed = id.as_ref() != take;
    if changed {
        *id = take.cloned();
    }
    changed
}
