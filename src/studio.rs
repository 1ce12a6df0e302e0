//! The studio: a queue, and the one worker thread that draws what stands in it.
//!
//! The thread has a name, low priority and a thread pool of its own, so that a game beside it keeps
//! its frame rate. Each finished take is on disk before anybody is told, and the queue itself is kept
//! in `queue.json` by a thread of its own, so that it survives a restart. No call here waits for a
//! picture, a model or the disk.
//!
//! candle starts threads for some of its work that cannot be bounded from here, on Linux at the same
//! low priority: set `CANDLE_NUM_THREADS=1` in the environment to keep them away.

mod job_error;
pub(crate) mod pool;
mod queue;
mod queue_file;
mod running;
mod shared;
mod stopwatch;
mod worker;

use std::{
    io,
    sync::Arc,
    thread::{Builder, JoinHandle},
    time::Duration,
};

use image::{RgbImage, RgbaImage};
use serde::{Deserialize, Serialize};

use crate::{
    art::{Take, TakeWriter},
    generator::GeneratorRegistry,
    recipe::Recipe,
    storyboard::ShotId,
};

pub use job_error::JobError;
pub(crate) use pool::lower_priority;
pub(crate) use worker::panic_message;

use shared::Shared;
use worker::Worker;

/// The queue and its worker thread. Dropping it stops the drawing under way, within a network block,
/// and waits for the thread; what is queued stays in `queue.json`, the picture under way first.
#[derive(Debug)]
pub struct Studio {
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
    keeper: Option<JoinHandle<()>>,
}

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
    /// Time since it began, without pauses.
    pub elapsed: Duration,
    /// Time that it will still take, once a step is done.
    pub left: Option<Duration>,
    /// What the picture looks like so far: one pixel for each latent.
    pub preview: Option<Arc<RgbImage>>,
}

/// What becomes of a job that was kept in `queue.json`, when a studio starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// It is queued again; one that had failed stands among the [failed](Studio::failed) again.
    Draw,
    /// It is left in the file for a later start.
    Leave,
    /// Nobody wants it any more.
    Forget,
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
        take: Box<Take>,
        /// Its picture.
        image: RgbaImage,
    },
    /// No picture came of it.
    Failed {
        /// The job.
        job: Job,
        /// Why.
        error: Arc<JobError>,
    },
    /// The job was cancelled.
    Cancelled(Job),
}

impl Studio {
    /// Starts the worker thread, and queues again what `queue.json` in the art folder holds, as far as
    /// `resume` says so. A `queue.json` that cannot be read is set aside as `queue.broken-1.json` and told
    /// in the log.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        registry: GeneratorRegistry,
        writer: TakeWriter,
        mut resume: impl FnMut(&ShotId, &Recipe) -> Resume,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let entries = queue_file::load(&writer);
        let in_file = entries.len();
        shared.resume(entries, |entry| resume(&entry.shot, &entry.recipe));
        let (revision, kept) = shared.kept();
        let in_step = (kept.len() == in_file).then_some(revision);
        let mut studio = Self { shared: Arc::clone(&shared), worker: None, keeper: None };
        studio.keeper = Some(Builder::new().name("illustrator-queue".to_owned()).spawn({
            let (shared, writer) = (Arc::clone(&shared), writer.clone());
            move || keep_queue(&shared, &writer, in_step)
        })?);
        let pool = pool::build("illustrator-draw").map_err(io::Error::other)?;
        studio.worker =
            Some(Builder::new().name("illustrator-studio".to_owned()).spawn(move || {
                lower_priority();
                Worker::new(&shared, registry, writer, pool).run();
            })?);
        Ok(studio)
    }

    /// Queues pictures in this order, behind all others or in front of those that wait; the worker sees none
    /// of them before all are there. A recipe that is queued for the shot already keeps its job; it moves
    /// when it is to be in front.
    pub fn push(&mut self, pictures: Vec<(ShotId, Recipe)>, front: bool) -> Vec<JobId> {
        self.shared.push(pictures, front)
    }

    /// Moves a waiting job to the front.
    pub fn move_to_front(&mut self, job: JobId) {
        self.shared.move_to_front(job);
    }

    /// Cancels a job, within a network block when it is under way.
    pub fn cancel(&mut self, job: JobId) {
        self.shared.cancel(job);
    }

    /// Cancels all jobs.
    pub fn cancel_all(&mut self) {
        self.shared.cancel_all();
    }

    /// Holds the drawing, within a network block, or lets it go on.
    pub fn set_paused(&mut self, paused: bool) {
        self.shared.set_paused(paused);
    }

    /// Whether it is held.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.shared.is_paused()
    }

    /// All jobs that are not done, in the order of drawing.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobView> {
        self.shared.jobs()
    }

    /// The job under way, without a look at those that wait.
    #[must_use]
    pub fn current(&self) -> Option<JobView> {
        self.shared.current()
    }

    /// The jobs of a shot that failed, the oldest first, each with the reason. They are kept for the next start
    /// until they are queued again or [forgotten](Self::forget_failed).
    #[must_use]
    pub fn failed(&self, shot: &ShotId) -> Vec<(Job, Arc<JobError>)> {
        self.shared.failed(shot)
    }

    /// Forgets what failed of a shot.
    pub fn forget_failed(&mut self, shot: &ShotId) {
        self.shared.forget_failed(shot);
    }

    /// What happened since the last call; never waits. Steps of one job that follow each other are told
    /// once.
    pub fn poll(&mut self) -> Vec<StudioEvent> {
        self.shared.take_events()
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        self.shared.close();
        // A panic of theirs was told by the panic hook.
        let _ = self.worker.take().map(JoinHandle::join);
        self.shared.closed();
        let _ = self.keeper.take().map(JoinHandle::join);
    }
}

/// Keeps `queue.json` up with the queue; changes that come faster than the disk are written as one.
/// `in_step` is the revision that the file holds already.
fn keep_queue(shared: &Shared, writer: &TakeWriter, mut in_step: Option<u64>) {
    while let Some((revision, entries)) = shared.next_kept(in_step) {
        if let Err(error) = queue_file::save(writer, &entries) {
            log::error!("the queue is not kept for the next start: {error}");
        }
        in_step = Some(revision);
    }
}
