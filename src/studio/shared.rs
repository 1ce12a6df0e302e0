//! The state that the studio and its threads share. Never draw, read or write files while holding
//! the lock.

mod left;

use std::{
    collections::{BTreeMap, HashSet},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use image::RgbaImage;

use super::{
    Job, JobError, JobId, JobView, StudioEvent, queue::Queue, queue_file::Entry, running::Running,
};
use crate::{
    art::Take, diffusion::Interrupt, generator::Step, memory::MemoryNeeds, recipe::Recipe,
    storyboard::ShotId,
};

/// The state that the studio and its threads share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: Queue,
    running: Option<Running>,
    /// The failed jobs with their reasons.
    failed: BTreeMap<ShotId, Vec<(Job, Arc<JobError>)>>,
    /// Entries that stay in the file without being queued.
    in_file_only: Vec<(JobId, Entry)>,
    paused: bool,
    /// Whether the worker should end.
    closing: bool,
    /// Whether the worker has ended. The queue does not change after that.
    closed: bool,
    revision: u64,
    /// The revision of the last attempt to save the queue.
    saved_revision: u64,
    events: Vec<StudioEvent>,
}

/// The entries of the queue file.
pub(super) struct QueueEntries {
    /// Increases with each change.
    pub(super) revision: u64,
    pub(super) entries: Vec<(JobId, Entry)>,
    /// Whether the worker has ended, so that these entries are final.
    pub(super) is_last: bool,
}

/// A save of the queue that failed.
#[derive(Clone, Copy)]
pub(super) struct FailedSave {
    pub(super) revision: u64,
    /// The maximum wait for a change before the next attempt.
    pub(super) wait: Duration,
    /// Whether this was the final attempt, after the worker has ended.
    pub(super) was_last: bool,
}

/// The outcome of a job.
pub(super) enum Outcome {
    Drawn(Box<Take>, RgbaImage),
    Failed(JobError),
    Cancelled,
}

impl Shared {
    pub(super) fn push(&self, pictures: Vec<(ShotId, Recipe)>, front: bool) -> Vec<JobId> {
        if pictures.is_empty() {
            // The queue has not changed, so it need not be saved.
            return Vec::new();
        }
        self.change_queue(|state| {
            for (shot, recipe) in &pictures {
                state.clear_failures(shot, |failed| *failed.recipe == *recipe);
            }
            state.queue.push(pictures, front)
        })
    }

    pub(super) fn failed(&self, shot: &ShotId) -> Vec<(Job, Arc<JobError>)> {
        self.lock().failed.get(shot).cloned().unwrap_or_default()
    }

    pub(super) fn forget_failed(&self, shot: &ShotId) {
        if self.lock().failed.contains_key(shot) {
            self.change_queue(|state| drop(state.failed.remove(shot)));
        }
    }

    pub(super) fn move_to_front(&self, job: JobId) {
        self.change_queue(|state| state.queue.move_to_front(job));
    }

    pub(super) fn cancel(&self, id: JobId) {
        self.change_queue(|state| match state.queue.remove(id) {
            Some(job) => state.events.push(StudioEvent::Cancelled(job)),
            None if state.running.as_ref().is_some_and(|running| running.job.id == id) => {
                state.cancel_running();
            }
            None => {}
        });
    }

    /// Cancels several jobs at once.
    pub(super) fn cancel_many(&self, ids: &HashSet<JobId>) {
        self.change_queue(|state| {
            if state.running.as_ref().is_some_and(|running| ids.contains(&running.job.id)) {
                state.cancel_running();
            }
            let jobs = state.queue.remove_many(ids);
            state.events.extend(jobs.into_iter().map(StudioEvent::Cancelled));
        });
    }

    pub(super) fn cancel_all(&self) {
        self.change_queue(|state| {
            state.cancel_running();
            let jobs = state.queue.remove_all();
            state.in_file_only.retain(|(_, entry)| entry.error.is_some());
            state.events.extend(jobs.into_iter().map(StudioEvent::Cancelled));
        });
    }

    pub(super) fn set_paused(&self, paused: bool) {
        let mut state = self.lock();
        state.paused = paused;
        if let Some(running) = &mut state.running {
            running.interrupt.set_paused(paused);
            running.watch.set_paused(paused);
        }
        drop(state);
        self.changed.notify_all();
    }

    pub(super) fn is_paused(&self) -> bool {
        self.lock().paused
    }

    pub(super) fn current(&self) -> Option<JobView> {
        self.lock().running.as_ref().filter(|running| !running.cancelled).map(Running::view)
    }

    pub(super) fn jobs(&self) -> Vec<JobView> {
        let state = self.lock();
        let running = state.running.iter().filter(|running| !running.cancelled).map(Running::view);
        let waiting = state.queue.waiting().map(|job| JobView { job: job.clone(), progress: None });
        running.chain(waiting).collect()
    }

    pub(super) fn take_events(&self) -> Vec<StudioEvent> {
        mem::take(&mut self.lock().events)
    }

    /// Stops the worker within a network block.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closing = true;
        if let Some(running) = &state.running {
            running.interrupt.cancel();
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Records that the worker has ended.
    pub(super) fn closed(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for a job and starts it. Returns `None` if the studio is closing.
    ///
    /// A job starts once the queue is saved, so that the request for it is answered before its first event.
    pub(super) fn next_job(&self) -> Option<(Job, Interrupt)> {
        let waits = |state: &State| {
            state.paused || state.queue.is_empty() || state.saved_revision < state.revision
        };
        let mut state = self.wait_while(|state| !state.closing && waits(state));
        if state.closing {
            return None;
        }
        let job = state.queue.pop()?;
        let interrupt = Interrupt::default();
        state.running = Some(Running::new(job.clone(), interrupt.clone()));
        state.events.push(StudioEvent::Started(job.clone()));
        Some((job, interrupt))
    }

    /// Records that the model is being loaded, and the memory that it needs.
    pub(super) fn loading(&self, needs: MemoryNeeds) {
        if let Some(running) = &mut self.lock().running {
            running.loading = Some(needs);
        }
    }

    /// Records that the model is loaded, so that loading does not count as drawing time, and the number of steps.
    pub(super) fn loaded(&self, steps: u32) {
        if let Some(running) = &mut self.lock().running {
            running.of = steps;
            running.loaded_at = running.watch.elapsed();
            running.loading = None;
        }
    }

    /// Records a step of the running job.
    pub(super) fn stepped(&self, step: Step) {
        let mut state = self.lock();
        let Some(running) = &mut state.running else { return };
        running.stepped_at = running.watch.elapsed();
        (running.done, running.of, running.changed) = (step.done, step.of, step.changed);
        running.losses = step.losses;
        if let Some(preview) = step.preview {
            running.preview = Some(Arc::new(preview));
        }
        let job = running.job.clone();
        // Consecutive steps of a job are one event.
        if !matches!(state.events.last(), Some(StudioEvent::Stepped(last)) if last.id == job.id) {
            state.events.push(StudioEvent::Stepped(job));
        }
    }

    /// The drawing time of the running job, without pauses and without loading the model.
    pub(super) fn drawing_time(&self) -> Duration {
        self.lock().running.as_ref().map_or(Duration::ZERO, |running| {
            running.watch.elapsed().saturating_sub(running.loaded_at)
        })
    }

    /// Ends the running job. A job that was interrupted by closing the studio stays in the queue.
    pub(super) fn finish(&self, job: Job, outcome: Outcome) {
        self.change_queue(|state| {
            let cancelled = state.running.as_ref().is_some_and(|running| running.cancelled);
            if state.closing && !cancelled && matches!(outcome, Outcome::Cancelled) {
                return;
            }
            state.running = None;
            state.queue.forget(&job);
            let event = match outcome {
                Outcome::Drawn(take, image) => StudioEvent::Drawn { job, take, image },
                Outcome::Failed(error) => {
                    let error = Arc::new(error);
                    state.fail(job.clone(), Arc::clone(&error));
                    StudioEvent::Failed { job, error }
                }
                Outcome::Cancelled => StudioEvent::Cancelled(job),
            };
            state.events.push(event);
        });
    }

    /// Fails all jobs, because the worker has ended.
    pub(super) fn worker_ended(&self) {
        let is_empty = |state: &State| state.running.is_none() && state.queue.is_empty();
        if is_empty(&self.lock()) {
            return;
        }
        self.change_queue(|state| {
            let error = Arc::new(JobError::WorkerEnded);
            let running = state.running.take().map(|running| running.job);
            for job in running.into_iter().chain(state.queue.remove_all()) {
                state.queue.forget(&job);
                state.fail(job.clone(), Arc::clone(&error));
                state.events.push(StudioEvent::Failed { job, error: Arc::clone(&error) });
            }
        });
    }

    pub(super) fn revision(&self) -> u64 {
        self.lock().revision
    }

    pub(super) fn saved_revision(&self) -> u64 {
        self.lock().saved_revision
    }

    pub(super) fn set_saved_revision(&self, revision: u64) {
        self.lock().saved_revision = revision;
        self.changed.notify_all();
    }

    /// The entries of the queue file.
    pub(super) fn entries(&self) -> QueueEntries {
        self.lock().entries()
    }

    /// Waits until the entries differ from those of revision `saved`, or until the next attempt after a failed save.
    /// Once the worker has ended, returns `None` after a final attempt.
    pub(super) fn next_entries(
        &self,
        saved: Option<u64>,
        failed: Option<FailedSave>,
    ) -> Option<QueueEntries> {
        let waits = |state: &mut State| {
            let revision = Some(state.revision);
            let is_failed = revision == failed.map(|failed| failed.revision);
            !state.closed && (revision == saved || is_failed)
        };
        let state = match failed {
            None => self.wait_while(waits),
            Some(FailedSave { wait, .. }) => {
                let result = self.changed.wait_timeout_while(self.lock(), wait, waits);
                result.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        let is_done = Some(state.revision) == saved || failed.is_some_and(|failed| failed.was_last);
        (!is_done).then(|| state.entries())
    }

    fn change_queue<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let value = change(&mut state);
        state.revision += 1;
        drop(state);
        self.changed.notify_all();
        value
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, condition: impl FnMut(&mut State) -> bool) -> MutexGuard<'_, State> {
        self.changed.wait_while(self.lock(), condition).unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Restores an entry as a queued or a failed job.
    fn restore(&mut self, Entry { shot, recipe, error }: Entry) {
        match error {
            None => {
                self.queue.push(vec![(shot, Arc::unwrap_or_clone(recipe))], false);
            }
            Some(error) => {
                let id = self.queue.new_id();
                self.fail(Job { id, shot, recipe }, Arc::new(JobError::Earlier(error)));
            }
        }
    }

    /// Removes the failed jobs of a shot that `is_cleared` selects.
    fn clear_failures(&mut self, shot: &ShotId, is_cleared: impl Fn(&Job) -> bool) {
        if let Some(failed) = self.failed.get_mut(shot) {
            failed.retain(|(job, _)| !is_cleared(job));
            if failed.is_empty() {
                self.failed.remove(shot);
            }
        }
    }

    fn fail(&mut self, job: Job, error: Arc<JobError>) {
        self.failed.entry(job.shot.clone()).or_default().push((job, error));
    }

    fn entries(&self) -> QueueEntries {
        let running = self.running.iter().filter(|running| !running.cancelled);
        let waiting = running.map(|running| &running.job).chain(self.queue.waiting());
        let waiting = waiting.map(|job| (job, None));
        let failed = self.failed.values().flatten();
        let failed = failed.map(|(job, error)| (job, Some(error.to_string())));
        let entry = |(job, error): (&Job, _)| {
            let (shot, recipe) = (job.shot.clone(), Arc::clone(&job.recipe));
            (job.id, Entry { shot, recipe, error })
        };
        let entries =
            waiting.chain(failed).map(entry).chain(self.in_file_only.iter().cloned()).collect();
        QueueEntries { revision: self.revision, entries, is_last: self.closed }
    }

    fn cancel_running(&mut self) {
        if let Some(running) = &mut self.running {
            running.cancelled = true;
            running.interrupt.cancel();
            // If the picture is queued again, it gets a new job.
            self.queue.forget(&running.job);
        }
    }
}
