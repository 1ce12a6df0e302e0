//! Tracks the saved and unsaved marks of a take.

use crate::{
    art::TakeId,
    project::{ActionId, Update},
    recipe::Marks,
    storyboard::ShotId,
};

/// The saved marks of a take, the marks that are being saved, and refused marks.
#[derive(Debug)]
pub(in crate::panel::canvas) struct SaveState {
    /// The saved marks.
    saved: Marks,
    /// Unanswered requests, in order, with the marks that they save.
    pending: Vec<(ActionId, Marks)>,
    /// The last marks, if they were refused.
    refused: Option<Marks>,
    /// Whether other code has saved different marks since the last own request.
    is_overwritten: bool,
}

impl SaveState {
    pub fn new(saved: Marks) -> Self {
        Self { saved, pending: Vec::new(), refused: None, is_overwritten: false }
    }

    /// The marks of the last request. If there was no request, the saved marks.
    pub fn latest(&self) -> &Marks {
        let pending = self.pending.last().map(|(_, marks)| marks);
        pending.or(self.refused.as_ref()).unwrap_or(&self.saved)
    }

    /// Records a request to save these marks.
    pub fn requested(&mut self, id: ActionId, marks: Marks) {
        self.pending.push((id, marks));
        self.refused = None;
    }

    /// Processes an update about the marks of this take, or an answer to a request.
    pub fn receive(&mut self, update: &Update, of: (&ShotId, &TakeId)) {
        match update {
            Update::Applied { id, result } => {
                let Some(at) = self.pending.iter().position(|(pending, _)| pending == id) else {
                    return;
                };
                let (_, marks) = self.pending.remove(at);
                if result.is_ok() {
                    self.saved = marks;
                } else if self.pending.is_empty() {
                    self.refused = Some(marks);
                }
            }
            Update::Marked { id, shot, take } if (shot, take) == of => {
                self.is_overwritten = self.pending.iter().all(|(pending, _)| pending != id);
            }
            _ => {}
        }
    }

    /// Makes the next save request refused marks again.
    pub fn retry(&mut self) {
        self.refused = None;
    }

    /// Whether the last saved marks were not requested here.
    pub fn is_overwritten(&self) -> bool {
        self.is_overwritten
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        mask::Mask,
        project::{Action, ActionResult, ProjectError, Reply, Request},
        recipe::Layer,
    };

    fn marks(name: &str) -> Marks {
        Marks { layers: vec![Layer::new(name, Mask::empty(1, 1))], context: None }
    }

    fn id() -> ActionId {
        Request::new(Action::DrawNeeded).id
    }

    fn answer(save: &mut SaveState, id: ActionId, result: ActionResult) {
        let (shot, take) = take();
        save.receive(&Update::Applied { id, result }, (&shot, &take));
    }

    fn refusal() -> ActionResult {
        Err(Arc::new(ProjectError::NoSuchShot(take().0)))
    }

    fn take() -> (ShotId, TakeId) {
        (ShotId::new("shot").unwrap(), TakeId::new("0123456789abcdef").unwrap())
    }

    #[test]
    fn refused_marks_are_requested_again_only_after_a_retry() {
        let mut save = SaveState::new(marks("a"));
        let request = id();
        save.requested(request, marks("b"));
        answer(&mut save, request, refusal());
        assert_eq!(save.latest(), &marks("b"));
        save.retry();
        assert_eq!(save.latest(), &marks("a"));
    }

    #[test]
    fn an_older_answer_does_not_settle_a_newer_request() {
        let mut save = SaveState::new(marks("a"));
        let (first, second) = (id(), id());
        save.requested(first, marks("b"));
        save.requested(second, marks("c"));
        answer(&mut save, first, refusal());
        assert_eq!(save.latest(), &marks("c"));
        answer(&mut save, second, Ok(Reply::default()));
        save.retry();
        assert_eq!(save.latest(), &marks("c"));
    }

    #[test]
    fn marks_saved_by_other_code_are_detected() {
        let mut save = SaveState::new(marks("a"));
        let (shot, take) = take();
        let own = id();
        save.requested(own, marks("b"));
        let marked = |id| Update::Marked { id, shot: shot.clone(), take: take.clone() };
        save.receive(&marked(own), (&shot, &take));
        assert!(!save.is_overwritten());
        answer(&mut save, own, Ok(Reply::default()));
        save.receive(&marked(id()), (&shot, &take));
        assert!(save.is_overwritten());
        let other = ShotId::new("other").unwrap();
        let mut save = SaveState::new(marks("a"));
        save.receive(&marked(id()), (&other, &take));
        assert!(!save.is_overwritten(), "the update is about another take");
    }
}
