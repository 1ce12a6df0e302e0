//! What a project tells.

use std::{mem, path::PathBuf, sync::Arc};

use image::RgbaImage;

use super::{
    ActionId, ActionResult, Project, ProjectError, is_asked_for, propagate::Found,
    publisher::Published, standing::Failure,
};
use crate::{
    art::TakeId,
    recipe::Recipe,
    storyboard::ShotId,
    studio::{Job, JobId, StudioEvent},
};

#[cfg(feature = "plugin")]
use bevy::prelude::Message;

/// How many pictures one [`Project::poll`] tells at most: a game that opens with thousands of them gets
/// them over many frames, each of which can afford to upload so many.
const PICTURES_PER_POLL: usize = 8;

/// Something happened in a project.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "plugin", derive(Message))]
#[non_exhaustive]
pub enum Update {
    /// The storyboard was planned anew.
    Planned,
    /// The picture that the game shows for a shot is another one now.
    Picture {
        /// The shot.
        shot: ShotId,
        /// The picture.
        image: RgbaImage,
        /// The file that holds it: `<art folder>/pictures/<shot>.png`, or the take's own where trying a take
        /// on, or the end of that, changed what the game shows and left `pictures/` as it was.
        path: PathBuf,
    },
    /// `<art folder>/pictures/<shot>.png` holds the picture that it is to hold, which may be another than the
    /// game shows while a take is tried on.
    Published {
        /// The shot.
        shot: ShotId,
        /// The file.
        path: PathBuf,
    },
    /// The game shows no picture for a shot any more: its last take was put away.
    NoPicture {
        /// The shot.
        shot: ShotId,
    },
    /// Drawing a picture began, went on, or stopped before its end.
    Progress(Job),
    /// A take was finished (it may not be the one that is shown).
    Drawn {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
    },
    /// Drawing a shot, or reading or publishing its picture, failed.
    Failed {
        /// The shot.
        shot: ShotId,
        /// Why.
        error: Arc<ProjectError>,
    },
    /// The answer to a [`Request`](super::Request). Each request gets exactly one.
    Applied {
        /// The id of the request.
        id: ActionId,
        /// What came of it.
        result: ActionResult,
    },
}

impl Project {
    /// What happened since the last call; never waits. The pictures that were there before are told by
    /// the first calls, a few by each, in story order; what is drawn meanwhile comes first.
    pub fn poll(&mut self) -> Vec<Update> {
        for event in self.studio.poll() {
            self.hear(event);
        }
        for published in self.publisher.take(PICTURES_PER_POLL) {
            self.receive(published);
        }
        self.take_found();
        mem::take(&mut self.updates)
    }

    /// Queues what was found in other pictures.
    fn take_found(&mut self) {
        let mut found = Vec::new();
        self.searches.retain_mut(|search| {
            let (all, goes_on) = search.found();
            found.extend(all);
            goes_on
        });
        let mut wanted = Vec::new();
        for Found { shot, recipe } in found {
            self.revision += 1;
            match recipe {
                Ok(recipe) => wanted.push((shot, recipe)),
                Err(error) => {
                    self.forget_propagation(&shot);
                    let error = Arc::new(error);
                    self.updates.push(Update::Failed { shot, error });
                }
            }
        }
        // The story may have changed meanwhile.
        let is_wanted = |(shot, recipe): &(ShotId, Recipe)| is_asked_for(&self.board, shot, recipe);
        let (wanted, unwanted): (Vec<_>, Vec<_>) = wanted.into_iter().partition(is_wanted);
        unwanted.iter().for_each(|(shot, _)| self.forget_propagation(shot));
        self.queue(&wanted, 1, true);
    }

    fn hear(&mut self, event: StudioEvent) {
        if !matches!(event, StudioEvent::Stepped(_)) {
            self.revision += 1;
        }
        match event {
            StudioEvent::Started(job) | StudioEvent::Stepped(job) => {
                self.updates.push(Update::Progress(job));
            }
            StudioEvent::Cancelled(job) => {
                self.forget_job(&job.shot, job.id);
                self.stand(&job.shot);
                self.updates.push(Update::Progress(job));
            }
            StudioEvent::Drawn { job, take, image } => {
                self.forget_job(&job.shot, job.id);
                self.forgive(&job.shot);
                self.updates.push(Update::Drawn { shot: job.shot.clone(), take: take.id.clone() });
                self.art.enter(*take);
                self.stand_with(&job.shot, Some(image), true);
            }
            StudioEvent::Failed { job, error } => {
                self.forget_job(&job.shot, job.id);
                let error = Arc::new(ProjectError::Job(error));
                self.fail(&job.shot, Failure { error, recipe: Some(job.recipe) });
            }
        }
    }

    fn receive(&mut self, published: Published) {
        let Published { take, path, image, error } = published;
        let is_shown = self.standings.shows(&take.shot, &take.id);
        // Where another take has come into its place meanwhile, that one is on its way.
        if !is_shown && !self.standings.publishes(&take.shot, &take.id) {
            return;
        }
        if let Some(error) = error.clone() {
            self.revision += 1;
            if image.is_none() {
                self.art.mark_damaged(&take.shot, &take.id);
            }
            if image.is_none() && self.shown(&take.shot).is_some_and(|shown| shown.id != take.id) {
                // Another one is shown in its place.
                self.updates.push(Update::Failed { shot: take.shot.clone(), error });
                return self.stand(&take.shot);
            }
            // What cannot be read is to be drawn again, from the beginning; what cannot be copied, only copied.
            let drawn = Recipe { edit: None, ..take.provenance.recipe };
            let recipe = image.is_none().then(|| Arc::new(drawn));
            self.fail(&take.shot, Failure { error, recipe });
        }
        if error.is_none() && path != take.path {
            self.updates.push(Update::Published { shot: take.shot.clone(), path: path.clone() });
        }
        if let Some(image) = image.filter(|_| is_shown) {
            self.updates.push(Update::Picture { shot: take.shot, image, path });
        }
    }

    fn fail(&mut self, shot: &ShotId, failure: Failure) {
        self.updates.push(Update::Failed { shot: shot.clone(), error: failure.error.clone() });
        self.standings.fail(shot, failure);
        self.stand(shot);
    }

    /// Says that a job is done with.
    pub(super) fn forget_job(&mut self, shot: &ShotId, id: JobId) {
        let Some(jobs) = self.jobs.get_mut(shot) else { return };
        let (done, left) = mem::take(jobs).into_iter().partition(|job| job.id == id);
        *jobs = left;
        if jobs.is_empty() {
            self.jobs.remove(shot);
        }
        let done: Vec<Job> = done;
        if done.iter().any(|job| self.is_propagation(shot, &job.recipe)) {
            self.forget_propagation(shot);
        }
    }
}
