//! The updates that a project reports.

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

/// The maximum number of pictures per [`Project::poll`], which limits the uploads in one frame.
const PICTURES_PER_POLL: usize = 8;

/// An event in a project.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "plugin", derive(Message))]
#[non_exhaustive]
pub enum Update {
    /// The storyboard was planned again.
    Planned,
    /// The picture that the game shows for a [watched](Project::watch) shot. It is sent when watching starts, and
    /// whenever another take is shown.
    Picture {
        /// The shot.
        shot: ShotId,
        /// The picture.
        image: RgbaImage,
        /// The picture file: `<art folder>/pictures/<shot>.png` if the picture was just published, else the file of the
        /// take.
        path: PathBuf,
    },
    /// `<art folder>/pictures/<shot>.png` is up to date. While a take is on trial, the game shows that take instead.
    Published {
        /// The shot.
        shot: ShotId,
        /// The file.
        path: PathBuf,
    },
    /// The game no longer shows a picture for a shot, because its last take was discarded.
    NoPicture {
        /// The shot.
        shot: ShotId,
    },
    /// A job started, finished a step, or was cancelled.
    Progress(Job),
    /// A take was finished. The game does not necessarily show it.
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
    /// A picture of a shot could not be drawn, read or published.
    Failed {
        /// The shot.
        shot: ShotId,
        /// The error.
        error: Arc<ProjectError>,
    },
    /// The answer to a [`Request`](super::Request). Each request gets exactly one.
    Applied {
        /// The id of the request.
        id: ActionId,
        /// The result.
        result: ActionResult,
    },
}

impl Project {
    /// Returns the updates since the last call, without waiting. Each call returns only a few pictures; the others
    /// follow with the next calls.
    pub fn poll(&mut self) -> Vec<Update> {
        let events = self.studio.poll();
        // A job starts once the queue is saved. So the request for a job is answered before its events are reported.
        self.answer_saved();
        for event in events {
            self.handle_studio_event(event);
        }
        let pictures = self.publisher.take(PICTURES_PER_POLL);
        self.handle_search_results();
        // A take may have been moved while the publisher read it.
        self.handle_disk_results();
        for finished in pictures {
            self.handle_picture(finished);
        }
        self.answer_saved();
        mem::take(&mut self.updates)
    }

    /// Prepares the recipes of propagated edits whose parts were found.
    fn handle_search_results(&mut self) {
        let mut found = Vec::new();
        self.searches.retain_mut(|search| {
            let (all, continues) = search.take();
            found.extend(all);
            continues
        });
        for Found { shot, edit } in found {
            match edit {
                Ok(task) => self.disk.prepare_edit(task),
                Err(error) => self.propagation_failed(shot, error),
            }
        }
    }

    fn handle_studio_event(&mut self, event: StudioEvent) {
        if !matches!(event, StudioEvent::Stepped(_)) {
            self.revision += 1;
        }
        match event {
            StudioEvent::Started(job) | StudioEvent::Stepped(job) => {
                self.updates.push(Update::Progress(job));
            }
            StudioEvent::Cancelled(job) => {
                self.remove_job(&job.shot, job.id);
                self.refresh_shot(&job.shot);
                self.updates.push(Update::Progress(job));
            }
            StudioEvent::Drawn { job, take, image } => {
                self.remove_job(&job.shot, job.id);
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
                self.remove_job(&job.shot, job.id);
                let error = Arc::new(ProjectError::Job(error));
                self.updates.push(Update::Failed { shot: job.shot.clone(), error });
                self.refresh_shot(&job.shot);
            }
        }
    }

    fn handle_picture(&mut self, finished: Finished) {
        let Finished { take, path, image, error, is_publication } = finished;
        let is_shown = self.statuses.shows(&take.shot, &take.id);
        // Another take has replaced it meanwhile, and its update follows.
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
                // Another take is shown instead.
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

    /// Removes an ended job.
    pub(super) fn remove_job(&mut self, shot: &ShotId, id: JobId) {
        let Some(jobs) = self.jobs.get_mut(shot) else { return };
        let (done, left) = mem::take(jobs).into_iter().partition(|job| job.id == id);
        *jobs = left;
        if jobs.is_empty() {
            self.jobs.remove(shot);
        }
        let done: Vec<Job> = done;
        if done.iter().any(|job| self.is_propagation(shot, &job.recipe)) {
            self.remove_propagation(shot);
        }
    }
}
