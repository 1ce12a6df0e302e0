//! The studio: a queue, and the one worker thread that draws what stands in it.
//!
//! The thread has a name, low priority and a thread pool of its own, so that a game beside it keeps
//! its frame rate. Each finished take is on disk before anybody is told, and the queue itself is kept
//! in `queue.json`, so that it survives a restart.

use std::{sync::Arc, time::Duration};

use image::{RgbImage, RgbaImage};
use serde::{Deserialize, Serialize};

use crate::{
    art::{Take, TakeWriter},
    generator::GeneratorRegistry,
    recipe::Recipe,
    storyboard::ShotId,
};

/// The queue and its worker thread. Dropping it stops the drawing under way and waits for the thread;
/// what is queued stays in `queue.json`.
#[derive(Debug)]
pub struct Studio {}

/// Names a job for as long as the studio lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobId(pub u64);

/// One picture to draw.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// Whose picture.
    pub shot: ShotId,
    /// What to draw; shared, as thousands of jobs may be listed in every frame.
    pub recipe: Arc<Recipe>,
}

/// A job as it stands now. The first of [`Studio::jobs`] may be under way; the rest wait.
#[derive(Clone, Debug)]
pub struct JobView {
    /// The job.
    pub job: Job,
    /// How far it is; `None` while it waits.
    pub progress: Option<Progress>,
}

/// How far a job is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Steps done.
    pub done: u32,
    /// Steps in all.
    pub of: u32,
    /// Time since it began.
    pub elapsed: Duration,
    /// Time that it will still take, once a step is done.
    pub left: Option<Duration>,
    /// What the picture looks like so far: one pixel for each latent.
    pub preview: Option<Arc<RgbImage>>,
}

/// Something happened in the studio.
#[derive(Clone, Debug)]
pub enum StudioEvent {
    /// Drawing began.
    Started(Job),
    /// A step was done; [`Studio::jobs`] holds the figures.
    Stepped(Job),
    /// A take is finished, and on disk.
    Drawn {
        /// The job.
        job: Job,
        /// The take.
        take: Take,
        /// Its picture.
        image: RgbaImage,
    },
    /// No picture came of it.
    Failed {
        /// The job.
        job: Job,
        /// Why, for people.
        error: String,
    },
    /// The job was cancelled.
    Cancelled(Job),
}

impl Studio {
    /// Starts the worker thread, and queues again what `queue.json` in the art folder holds.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(_registry: GeneratorRegistry, _writer: TakeWriter) -> std::io::Result<Self> {
        todo!()
    }

    /// Queues a picture, behind all others or in front of those that wait. A recipe that is queued
    /// for the shot already keeps its job.
    pub fn push(&mut self, _shot: ShotId, _recipe: Recipe, _front: bool) -> JobId {
        todo!()
    }

    /// Moves a waiting job to the front.
    pub fn move_to_front(&mut self, _job: JobId) {
        todo!()
    }

    /// Cancels a job, within a network block when it is under way.
    pub fn cancel(&mut self, _job: JobId) {
        todo!()
    }

    /// Cancels all jobs.
    pub fn cancel_all(&mut self) {
        todo!()
    }

    /// Holds the drawing, within a network block, or lets it go on.
    pub fn set_paused(&mut self, _paused: bool) {
        todo!()
    }

    /// Whether it is held.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        todo!()
    }

    /// All jobs that are not done, in the order of drawing.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobView> {
        todo!()
    }

    /// The job under way, without a look at those that wait.
    #[must_use]
    pub fn current(&self) -> Option<JobView> {
        todo!()
    }

    /// What happened since the last call; never waits.
    pub fn poll(&mut self) -> Vec<StudioEvent> {
        todo!()
    }
}
