//! The answers to requests. A success is answered once the queue is saved, because a request may have changed it.

use std::mem;

use super::{ActionId, ActionResult, Project, Reply, Update};

/// An answer that waits until the queue is saved.
#[derive(Debug)]
pub(super) struct WaitingAnswer {
    id: ActionId,
    reply: Reply,
    /// The revision of the queue.
    queue_revision: u64,
}

impl Project {
    /// Answers a request whose other changes are on disk. If the queue cannot be saved, the studio tries it again, and
    /// the answer does not wait for that.
    pub(super) fn answer(&mut self, id: Option<ActionId>, result: ActionResult) {
        if result.is_ok() {
            self.revision += 1;
        }
        match (id, result) {
            (Some(id), Ok(reply)) => {
                let queue_revision = self.studio.queue_revision();
                self.waiting_answers.push(WaitingAnswer { id, reply, queue_revision });
                self.answer_saved();
            }
            (Some(id), error) => self.updates.push(Update::Applied { id, result: error }),
            (None, _) => {}
        }
    }

    /// Sends the answers whose queue is saved.
    pub(super) fn answer_saved(&mut self) {
        let saved = self.studio.saved_queue_revision();
        let (saved, waiting) = mem::take(&mut self.waiting_answers)
            .into_iter()
            .partition::<Vec<_>, _>(|answer| answer.queue_revision <= saved);
        self.waiting_answers = waiting;
        let answer = |WaitingAnswer { id, reply, .. }| Update::Applied { id, result: Ok(reply) };
        self.updates.extend(saved.into_iter().map(answer));
    }
}
