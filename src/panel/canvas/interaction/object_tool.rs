//! The object tool: what it was pointed at, and the part that this went into.

use super::Interaction;
use crate::{
    mask::{Combine, Mask, objects::Pointing},
    panel::canvas::session::Session,
};

/// The part that an object went into.
#[derive(Debug)]
pub(super) struct SelectedObject {
    part: usize,
    before: Mask,
    after: Mask,
}

impl Interaction {
    /// The next click with the object tool begins with another object.
    pub(in crate::panel::canvas) fn reset_object(&mut self) {
        self.pointed = None;
        self.pointing = Pointing::default();
    }

    /// Whether the part is still what came of pointing, and nothing was done to it since.
    pub(super) fn is_object_unchanged(&self, session: &Session) -> bool {
        let is_so = |pointed: &SelectedObject| {
            let layer = session.layers.get(pointed.part);
            session.selected() == Some(pointed.part)
                && layer.is_some_and(|layer| layer.mask == pointed.after)
        };
        self.pointed.as_ref().is_some_and(is_so)
    }

    /// The part is again as it was before it was pointed at, if nothing else was done to it.
    pub(super) fn revert_object(&mut self, session: &mut Session) {
        if self.is_object_unchanged(session)
            && let Some(SelectedObject { part, before, .. }) = self.pointed.take()
        {
            session.layers[part].mask = before;
        }
    }

    /// What is pointed at next goes together with the part in this way. What is taken away is another object than what
    /// was added.
    pub(super) fn set_combine(&mut self, how: Combine) {
        if how != self.object_combine {
            self.reset_object();
        }
        self.object_combine = how;
    }

    /// Whether what is pointed at comes into the part, and is not taken away from it.
    pub(in crate::panel::canvas) fn adds_object(&self) -> bool {
        self.object_combine != Combine::Subtract
    }

    /// Asks what is pointed at. The network answers in a while, see [`Self::answered`].
    pub(super) fn point(&mut self, session: &mut Session) -> Result<(), String> {
        if session.ask(&self.pointing) {
            return Ok(());
        }
        let Some(objects) = &session.objects else {
            self.reset_object();
            return Err("the picture is still being looked at: click again in a moment".to_owned());
        };
        let new = objects.select(&self.pointing);
        self.apply_object(&new, session)
    }

    /// The network has answered; what is not asked any more is left alone.
    ///
    /// # Errors
    /// Why nothing can be done: for people.
    pub(in crate::panel::canvas) fn receive_mask(
        &mut self,
        pointing: &Pointing,
        mask: Result<Mask, String>,
        session: &mut Session,
    ) -> Result<(), String> {
        if *pointing != self.pointing { Ok(()) } else { self.apply_object(&mask?, session) }
    }

    /// Puts what is pointed at in the place of what was before pointing at it.
    fn apply_object(&mut self, new: &Mask, session: &mut Session) -> Result<(), String> {
        let layer = session.layer_for_tool().inspect_err(|_| {
            self.pointing = Pointing::default();
        })?;
        let mask = &mut session.layers[layer].mask;
        let before = self.pointed.take().filter(|pointed| pointed.part == layer);
        let before = before.map_or_else(|| mask.clone(), |pointed| pointed.before);
        mask.clone_from(&before);
        mask.combine(new, self.object_combine).map_err(|error| error.to_string())?;
        self.pointed = Some(SelectedObject { part: layer, before, after: mask.clone() });
        Ok(())
    }
}
