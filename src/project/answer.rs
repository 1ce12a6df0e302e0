//! The answers to requests. A change of the queue is answered once the queue is saved.

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
    /// Answers a request.
    pub(super) fn answer(&mut self, id: Option<ActionId>, result: ActionResult) {
        if result.is_ok() {
            self.revision += 1;
        }
        if let Some(id) = id {
            self.updates.push(Update::Applied { id, result });
        }
    }

    /// Answers a request that may have changed the queue, once the queue is saved.
    pub(super) fn answer_when_saved(&mut self, id: ActionId, reply: Reply) {
        self.revision += 1;
        let queue_revision = self.studio.queue_revision();
        self.waiting_answers.push(WaitingAnswer { id, reply, queue_revision });
        self.answer_saved();
    }

    /// Sends the answers whose queue is saved. If the queue cannot be saved, the studio tries it again, and the answer
    /// does not wait for that.
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
