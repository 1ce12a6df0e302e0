//! The object tool: clicks and boxes select an object and add it to a part.

use super::Interaction;
use crate::{
    mask::{Combine, Mask, objects::SelectionPrompt},
    panel::canvas::session::Session,
};

/// The part that contains the current object.
#[derive(Debug)]
pub(super) struct SelectedObject {
    part: usize,
    before: Mask,
    after: Mask,
}

impl Interaction {
    /// Starts another object with the next click.
    pub(in crate::panel::canvas) fn reset_object(&mut self) {
        self.pointed = None;
        self.pointing = SelectionPrompt::default();
    }

    /// Whether the part is unchanged since the object was added.
    pub(super) fn is_object_unchanged(&self, session: &Session) -> bool {
        let is_unchanged = |pointed: &SelectedObject| {
            let layer = session.layers.get(pointed.part);
            session.selected() == Some(pointed.part)
                && layer.is_some_and(|layer| layer.mask == pointed.after)
        };
        self.pointed.as_ref().is_some_and(is_unchanged)
    }

    /// Removes the object from its part, if the part is unchanged since then.
    pub(super) fn revert_object(&mut self, session: &mut Session) {
        if self.is_object_unchanged(session)
            && let Some(SelectedObject { part, before, .. }) = self.pointed.take()
        {
            session.layers[part].mask = before;
        }
    }

    /// Sets how the next clicks combine with the part. A change between adding and subtracting starts another object.
    pub(super) fn set_combine(&mut self, how: Combine) {
        if how != self.object_combine {
            self.reset_object();
        }
        self.object_combine = how;
    }

    /// Whether the object is added to the part rather than subtracted from it.
    pub(in crate::panel::canvas) fn adds_object(&self) -> bool {
        self.object_combine != Combine::Subtract
    }

    /// Selects the object at the points and the box. MobileSAM answers later: see [`Self::receive_mask`].
    pub(super) fn point(&mut self, session: &mut Session) -> Result<(), String> {
        if session.request_mask(&self.pointing) {
            return Ok(());
        }
        let Some(objects) = &session.objects else {
            self.reset_object();
            return Err("The picture is still being analysed. Click again in a moment.".to_owned());
        };
        let new = objects.select(&self.pointing);
        self.apply_object(&new, session)
    }

    /// Combines a mask from MobileSAM with the part, if it answers the latest request.
    ///
    /// # Errors
    /// A message to the author if nothing can be done.
    pub(in crate::panel::canvas) fn receive_mask(
        &mut self,
        pointing: &SelectionPrompt,
        mask: Result<Mask, String>,
        session: &mut Session,
    ) -> Result<(), String> {
        if *pointing != self.pointing { Ok(()) } else { self.apply_object(&mask?, session) }
    }

    /// Combines the object with the part. Replaces the previous mask of the same object.
    fn apply_object(&mut self, new: &Mask, session: &mut Session) -> Result<(), String> {
        let layer = session.layer_for_tool().inspect_err(|_| {
            self.pointing = SelectionPrompt::default();
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
