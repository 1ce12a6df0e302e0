//! The studio: a job queue, and the single worker thread that draws it.
//!
//! The worker has low priority and its own thread pool, so the game keeps its frame rate. A
//! finished take is saved before it is reported. Another thread saves the queue in `queue.json`, so
//! that it survives a restart. No call here waits for a picture, a model or the disk.
//!
//! candle starts more threads for some operations, on Linux with the same low priority. This crate
//! cannot limit them: set the environment variable `CANDLE_NUM_THREADS=1` to prevent them.

mod error;
pub(crate) mod pool;
mod queue;
mod queue_file;
mod running;
mod shared;
mod stopwatch;
mod worker;

use std::{
    collections::HashSet,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{Builder, JoinHandle},
    time::Duration,
};

use image::{RgbImage, RgbaImage};
use serde::{Deserialize, Serialize};

use crate::{
    art::{Take, TakeWriter},
    generator::GeneratorRegistry,
    loss::LossValues,
    mask::Area,
    memory::MemoryNeeds,
    recipe::Recipe,
    storyboard::ShotId,
};

pub use error::{JobError, StartError};
pub(crate) use pool::lower_priority;
pub(crate) use worker::panic_message;

use queue_file::QueueFile;
use shared::{FailedSave, Shared};
use worker::Worker;

/// The queue and its worker thread. Dropping it stops the current drawing within a network block
/// and waits for the thread. Unfinished jobs stay in `queue.json`, the current one first.
#[derive(Debug)]
pub struct Studio {
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
    queue_writer: Option<JoinHandle<()>>,
}

/// Identifies a job during the lifetime of its studio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobId(pub u64);

/// A picture to draw.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The id of the job.
    pub id: JobId,
    /// The shot that the picture belongs to.
    pub shot: ShotId,
    /// The recipe. It is shared, because thousands of jobs may be listed in every frame.
    pub recipe: Arc<Recipe>,
}

/// A job and its progress. The first of [`Studio::jobs`] may be running. The others are waiting.
#[derive(Clone, Debug)]
pub struct JobView {
    /// The job.
    pub job: Job,
    /// The progress. `None` while the job is waiting.
    pub progress: Option<Progress>,
}

/// The progress of a running job.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// The number of finished steps.
    pub done: u32,
    /// The total number of steps.
    pub of: u32,
    /// While a model is loaded, the memory that it and the picture need.
    pub loading: Option<MemoryNeeds>,
    /// The time since the start, without pauses.
    pub elapsed: Duration,
    /// The estimated remaining time. `None` before the first step.
    pub left: Option<Duration>,
    /// A preview of the picture, one pixel per latent.
    pub preview: Option<Arc<RgbImage>>,
    /// The area of the picture that may change, in pixels. `None` if it is the whole picture.
    pub changed: Option<Area>,
    /// The values of the losses in the steps so far.
    pub losses: Vec<LossValues>,
}

/// The treatment of a job in `queue.json` that is not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Queue it. A failed job is listed in [`Studio::failed`] again.
    Draw,
    /// Leave it in the file.
    Leave,
    /// Remove it.
    Forget,
}

/// An event in the studio.
#[derive(Clone, Debug)]
pub enum StudioEvent {
    /// A job started.
    Started(Job),
    /// A step finished. [`Studio::jobs`] has the progress.
    Stepped(Job),
    /// A take is finished and saved.
    Drawn {
        /// The job.
        job: Job,
        /// The take.
        take: Box<Take>,
        /// The picture.
        image: RgbaImage,
    },
    /// The job failed.
    Failed {
        /// The job.
        job: Job,
        /// The reason.
        error: Arc<JobError>,
    },
    /// The job was cancelled.
    Cancelled(Job),
}

impl Studio {
    /// Starts the worker thread. For each job in the art folder's `queue.json`, `resume` decides
    /// whether it is queued again. A `queue.json` that cannot be parsed is renamed to
    /// `queue.broken-1.json`, and the log names it.
    ///
    /// # Errors
    /// If `queue.json` cannot be read at the moment, or a thread cannot be started.
    pub fn start(
        registry: GeneratorRegistry,
        writer: TakeWriter,
        mut resume: impl FnMut(&ShotId, &Recipe) -> Resume,
    ) -> Result<Self, StartError> {
        let shared = Arc::new(Shared::default());
        let (file, entries) = QueueFile::open(writer.clone())?;
        let in_file = entries.len();
        shared.resume(entries, |entry| resume(&entry.shot, &entry.recipe));
        let queued = shared.entries();
        let saved = (queued.entries.len() == in_file).then_some(queued.revision);
        shared.set_saved_revision(saved.unwrap_or_default());
        let mut studio = Self { shared: Arc::clone(&shared), worker: None, queue_writer: None };
        studio.queue_writer = Some(Builder::new().name("illustrator-queue".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || {
                lower_priority();
                // The panic hook reports a panic. Answers do not wait for further saves then.
                let _ = catch_unwind(AssertUnwindSafe(|| save_queue(&shared, file, saved)));
                shared.set_saved_revision(u64::MAX);
            }
        })?);
        let pool = pool::build("illustrator-draw").map_err(io::Error::other)?;
        studio.worker =
            Some(Builder::new().name("illustrator-studio".to_owned()).spawn(move || {
                lower_priority();
                Worker::new(&shared, registry, writer, pool).run();
            })?);
        Ok(studio)
    }

    /// Queues pictures in this order, behind or in front of all waiting jobs. The worker sees all
    /// of them at once. A recipe that is already queued for the shot keeps its job, which moves
    /// only if `front` is set.
    pub fn push(&mut self, pictures: Vec<(ShotId, Recipe)>, front: bool) -> Vec<JobId> {
        self.shared.push(pictures, front)
    }

    /// Moves a waiting job to the front.
    pub fn move_to_front(&mut self, job: JobId) {
        self.shared.move_to_front(job);
    }

    /// Cancels a job. A running job stops within a network block.
    pub fn cancel(&mut self, job: JobId) {
        self.shared.cancel(job);
    }

    /// Cancels several jobs. A running job stops within a network block.
    pub fn cancel_many(&mut self, jobs: &HashSet<JobId>) {
        self.shared.cancel_many(jobs);
    }

    /// Takes several jobs from the queue, and leaves them in `queue.json`. A running job stops within
    /// a network block. Each is reported as cancelled.
    pub(crate) fn leave_many(&mut self, jobs: &HashSet<JobId>) {
        self.shared.leave_many(jobs);
    }

    /// Adds pictures to `queue.json` without queuing them.
    pub(crate) fn leave(&mut self, pictures: Vec<(ShotId, Recipe)>) {
        self.shared.leave(pictures);
    }

    /// For each job that is only in `queue.json`, `resume` decides whether it is queued before all
    /// waiting jobs. Returns the jobs that are queued.
    pub(crate) fn resume_left(
        &mut self,
        mut resume: impl FnMut(&ShotId, &Recipe) -> Resume,
    ) -> Vec<Job> {
        self.shared.resume_left(|entry| resume(&entry.shot, &entry.recipe))
    }

    /// Cancels all jobs, also those that are only in `queue.json`.
    pub fn cancel_all(&mut self) {
        self.shared.cancel_all();
    }

    /// Pauses the drawing within a network block, or resumes it.
    pub fn set_paused(&mut self, paused: bool) {
        self.shared.set_paused(paused);
    }

    /// Whether the drawing is paused.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.shared.is_paused()
    }

    /// All unfinished jobs, in drawing order.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobView> {
        self.shared.jobs()
    }

    /// The running job. Cheaper than [`Self::jobs`].
    #[must_use]
    pub fn current(&self) -> Option<JobView> {
        self.shared.current()
    }

    /// The failed jobs of a shot with their reasons, the oldest first. They survive a restart until
    /// the same recipe is queued again or they are [removed](Self::forget_failed).
    #[must_use]
    pub fn failed(&self, shot: &ShotId) -> Vec<(Job, Arc<JobError>)> {
        self.shared.failed(shot)
    }

    /// Removes the failed jobs of a shot.
    pub fn forget_failed(&mut self, shot: &ShotId) {
        self.shared.forget_failed(shot);
    }

    /// The revision of the queue. It increases with each change.
    pub(crate) fn queue_revision(&self) -> u64 {
        self.shared.revision()
    }

    /// The revision of the queue that was saved last. If saving fails, it is the revision of that attempt.
    pub(crate) fn saved_queue_revision(&self) -> u64 {
        self.shared.saved_revision()
    }

    /// Returns the events since the last call, without waiting. Consecutive steps of one job are
    /// one event.
    ///
    /// If the worker thread has ended, all jobs fail.
    pub fn poll(&mut self) -> Vec<StudioEvent> {
        if self.worker.as_ref().is_some_and(JoinHandle::is_finished) {
            self.shared.worker_ended();
        }
        self.shared.take_events()
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        self.shared.close();
        // The panic hook has already reported a panic of these threads.
        let _ = self.worker.take().map(JoinHandle::join);
        self.shared.closed();
        let _ = self.queue_writer.take().map(JoinHandle::join);
    }
}

/// The initial and the maximum delay before another attempt to save the queue. The delay doubles with each failure.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// Saves the queue after each change, until the studio closes. Changes during a save are saved together. A failed save
/// is repeated. `saved` is the revision that the file already has.
fn save_queue(shared: &Shared, mut file: QueueFile, mut saved: Option<u64>) {
    let mut failed: Option<FailedSave> = None;
    while let Some(queued) = shared.next_entries(saved, failed) {
        let result = file.save(&queued.entries);
        shared.set_saved_revision(queued.revision);
        match result {
            Ok(()) => (saved, failed) = (Some(queued.revision), None),
            Err(error) => {
                if failed.is_none() || queued.is_last {
                    log::error!("cannot save the queue for the next start: {error}");
                }
                let [first, most] = RETRY;
                let wait = failed.map_or(first, |failed| (failed.wait * 2).min(most));
                let (revision, was_last) = (queued.revision, queued.is_last);
                failed = Some(FailedSave { revision, wait, was_last });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::recipe::Size;

    #[test]
    fn all_jobs_fail_when_the_worker_thread_has_ended() {
        let worker = thread::spawn(|| {});
        while !worker.is_finished() {
            thread::yield_now();
        }
        let (shared, worker) = (Arc::default(), Some(worker));
        let mut studio = Studio { shared, worker, queue_writer: None };
        let shot = ShotId::new("a").unwrap();
        let recipe = |take| Recipe::new("a bay", Size::new(8, 8), "fake").with_take(take);
        studio.push(vec![(shot.clone(), recipe(0)), (shot.clone(), recipe(1))], false);
        let events = studio.poll();
        let is_failure = |event: &StudioEvent| matches!(event, StudioEvent::Failed { error, .. } if matches!(**error, JobError::WorkerEnded));
        assert_eq!(events.iter().filter(|event| is_failure(event)).count(), 2, "{events:?}");
        assert!(studio.jobs().is_empty());
        assert_eq!(studio.failed(&shot).len(), 2);
        assert!(studio.poll().is_empty());
    }
}
