//! What a project tells.

use std::{mem, path::PathBuf, sync::Arc};

use image::RgbaImage;

use super::{
    ActionId, ActionResult, Project, ProjectError, propagate::Found, publisher::Finished,
    status::NewPicture,
};
use crate::{
    art::TakeId,
    storyboard::ShotId,
    studio::{Job, JobId, StudioEvent},
};

#[cfg(feature = "plugin")]
use bevy::prelude::Message;

/// How many pictures one [`Project::poll`] returns at most: a frame can upload only so many.
const PICTURES_PER_POLL: usize = 8;

/// Something happened in a project.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "plugin", derive(Message))]
#[non_exhaustive]
pub enum Update {
    /// The storyboard was planned anew.
    Planned,
    /// The picture that the game shows for a shot, sent for shots that are [watched](Project::watch): once when that
    /// begins, and then whenever another take is shown.
    Picture {
        /// The shot.
        shot: ShotId,
        /// The picture.
        image: RgbaImage,
        /// A file that holds it: `<art folder>/pictures/<shot>.png` where the picture was published just now, else the
        /// take's own.
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
        /// The job that drew it.
        job: JobId,
    },
    /// The marks of a take were saved.
    Marked {
        /// The request that saved them.
        id: ActionId,
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
    /// What happened since the last call. Never waits. Pictures come a few with each call.
    pub fn poll(&mut self) -> Vec<Update> {
        for event in self.studio.poll() {
            self.hear(event);
        }
        for finished in self.publisher.take(PICTURES_PER_POLL) {
            self.receive(finished);
        }
        self.take_found();
        self.take_done();
        mem::take(&mut self.updates)
    }

    /// Turns what was found in other pictures into recipes.
    fn take_found(&mut self) {
        let mut found = Vec::new();
        self.searches.retain_mut(|search| {
            let (all, goes_on) = search.take();
            found.extend(all);
            goes_on
        });
        for Found { shot, edit } in found {
            match edit {
                Ok(task) => self.disk.prepare_edit(task),
                Err(error) => self.propagation_failed(shot, error),
            }
        }
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
                self.refresh_shot(&job.shot);
                self.updates.push(Update::Progress(job));
            }
            StudioEvent::Drawn { job, take, image } => {
                self.forget_job(&job.shot, job.id);
                self.statuses.clear_picture_error(&job.shot);
                self.updates.push(Update::Drawn {
                    shot: job.shot.clone(),
                    take: take.id.clone(),
                    job: job.id,
                });
                let new = NewPicture { take: take.id.clone(), image };
                self.art.enter(*take);
                self.refresh_with(&job.shot, Some(new), true);
            }
            StudioEvent::Failed { job, error } => {
                self.forget_job(&job.shot, job.id);
                let error = Arc::new(ProjectError::Job(error));
                self.updates.push(Update::Failed { shot: job.shot.clone(), error });
                self.refresh_shot(&job.shot);
            }
        }
    }

    fn receive(&mut self, finished: Finished) {
        let Finished { take, path, image, error, is_publication } = finished;
        let is_shown = self.statuses.shows(&take.shot, &take.id);
        // Where another take has replaced it meanwhile, that one follows.
        if !is_shown && !self.statuses.publishes(&take.shot, &take.id) {
            return;
        }
        let is_published = is_publication && error.is_none();
        if let Some(error) = error {
            self.revision += 1;
            if error.is_damaged {
                self.art.mark_damaged(&take.shot, &take.id);
            }
            if error.is_damaged && self.shown(&take.shot).is_some_and(|shown| shown.id != take.id) {
                // Another one is shown in its place.
                self.updates.push(Update::Failed { shot: take.shot.clone(), error: error.error });
                return self.refresh_shot(&take.shot);
            }
            self.updates
                .push(Update::Failed { shot: take.shot.clone(), error: Arc::clone(&error.error) });
            self.statuses.set_picture_error(&take.shot, error);
            self.refresh_shot(&take.shot);
        }
        if is_published {
            if self.statuses.is_unpublished(&take.shot) {
                self.statuses.clear_picture_error(&take.shot);
                self.refresh_shot(&take.shot);
            }
            self.updates.push(Update::Published { shot: take.shot.clone(), path: path.clone() });
        }
        if let Some(image) = image.filter(|_| is_shown && self.is_watched(&take.shot)) {
            self.updates.push(Update::Picture { shot: take.shot, image, path });
        }
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
