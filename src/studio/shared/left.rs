//! Entries that stay in the queue file without being queued: jobs that the current storyboard does not need, but another
//! one may.

use std::{collections::HashSet, sync::Arc};

use super::{Shared, State};
use crate::{
    recipe::Recipe,
    storyboard::ShotId,
    studio::{Job, JobId, Resume, StudioEvent, queue_file::Entry},
};

impl Shared {
    /// Restores the entries of the queue file.
    pub(in crate::studio) fn resume(
        &self,
        entries: Vec<Entry>,
        resume: impl FnMut(&Entry) -> Resume,
    ) {
        let decisions = entries.iter().map(resume).collect::<Vec<_>>();
        self.change_queue(|state| {
            for (entry, decision) in entries.into_iter().zip(decisions) {
                match decision {
                    Resume::Draw => state.restore(entry),
                    Resume::Leave => state.leave(entry),
                    Resume::Forget => {}
                }
            }
        });
    }

    /// Takes jobs from the queue, and leaves them in the file. A running job stops within a network block.
    pub(in crate::studio) fn leave_many(&self, ids: &HashSet<JobId>) {
        self.change_queue(|state| {
            let running = state.running.as_ref().filter(|running| !running.cancelled);
            let running = running.filter(|running| ids.contains(&running.job.id));
            if let Some(job) = running.map(|running| running.job.clone()) {
                state.leave(job.into());
                state.cancel_running();
            }
            for job in state.queue.remove_many(ids) {
                state.leave(job.clone().into());
                state.events.push(StudioEvent::Cancelled(job));
            }
        });
    }

    /// Adds pictures to the file without queuing them.
    pub(in crate::studio) fn leave(&self, pictures: Vec<(ShotId, Recipe)>) {
        if pictures.is_empty() {
            return;
        }
        self.change_queue(|state| {
            for (shot, recipe) in pictures {
                state.leave(Entry { shot, recipe: Arc::new(recipe), error: None });
            }
        });
    }

    /// Decides again about the entries that are only in the file. Returns the jobs that are queued, before all others.
    pub(in crate::studio) fn resume_left(&self, resume: impl FnMut(&Entry) -> Resume) -> Vec<Job> {
        let left = self.lock().in_file_only.clone();
        let decisions = left.iter().map(|(_, entry)| entry).map(resume).collect::<Vec<_>>();
        if decisions.iter().all(|decision| *decision == Resume::Leave) {
            return Vec::new();
        }
        self.change_queue(|state| {
            state.in_file_only.clear();
            let mut pictures = Vec::new();
            for ((id, entry), decision) in left.into_iter().zip(decisions) {
                match decision {
                    Resume::Draw if entry.error.is_none() => {
                        pictures.push((entry.shot, entry.recipe));
                    }
                    Resume::Draw => state.restore(entry),
                    Resume::Leave => state.in_file_only.push((id, entry)),
                    Resume::Forget => {}
                }
            }
            for (shot, recipe) in &pictures {
                state.clear_failures(shot, |failed| failed.recipe == *recipe);
            }
            let wanted = pictures.iter().map(|(shot, recipe)| (shot.clone(), (**recipe).clone()));
            let ids = state.queue.push(wanted.collect(), true);
            let jobs = ids.into_iter().zip(pictures);
            jobs.map(|(id, (shot, recipe))| Job { id, shot, recipe }).collect()
        })
    }
}

impl State {
    fn leave(&mut self, entry: Entry) {
        let id = self.queue.new_id();
        self.in_file_only.push((id, entry));
    }
}

impl From<Job> for Entry {
    fn from(Job { id: _, shot, recipe }: Job) -> Self {
        Self { shot, recipe, error: None }
    }
}
