//! From what was marked on a take, or done to it, to recipes.

use super::{Project, ProjectError};
use crate::{
    art::{Take, TakeId},
    diffusion::EditPlan,
    mask::{Area, objects::Objects},
    recipe::{EditKind, Part, PictureEdit, Recipe, Size, part::picture_hash},
    storyboard::ShotId,
};

impl Project {
    /// The recipe of an edit of a take: that of the shot as it is now, on the take's picture.
    pub(super) fn edit_recipe(
        &self,
        shot: &ShotId,
        take: &TakeId,
        parts: Vec<Part>,
        context: Option<Area>,
    ) -> Result<Recipe, ProjectError> {
        let recipe = self.shot(shot)?.recipe.clone();
        let drawn = self.art.take(shot, take)?;
        let picture = drawn.image()?;
        let (width, height) = picture.dimensions();
        let size = Size::new(width, height);
        // All that can be told without the model is told now and not when the job's turn comes. Its grid is most
        // likely that of the model which drew the picture.
        EditPlan::new(size, &parts, context, drawn.provenance.model.grid)?;
        let edit = PictureEdit {
            picture: picture_hash(&picture),
            parent: Some(take.clone()),
            style: self.style().words.clone(),
            parts,
            context,
            origin: None,
        };
        let mut recipe = Recipe { size, edit: Some(edit), ..recipe };
        let origin = recipe.origin();
        recipe.edit.iter_mut().for_each(|edit| edit.origin.clone_from(&origin));
        Ok(recipe)
    }

    /// The recipes that do to other pictures what made a take.
    pub(super) fn alike_recipes(
        &self,
        shot: &ShotId,
        take: &TakeId,
        others: &[ShotId],
    ) -> Result<Vec<(ShotId, Recipe)>, ProjectError> {
        let none = || ProjectError::NoEdit { shot: shot.clone(), take: take.clone() };
        let take = self.art.take(shot, take)?;
        let edit = take.recipe().edit.as_ref().ok_or_else(none)?;
        let (origin, marked) = (take.recipe().origin(), self.marked(shot, edit));
        let alike = |other: &ShotId| {
            let shown = self.shown(self.shot(other)?);
            let shown = shown.ok_or_else(|| ProjectError::NoPicture(other.clone()))?;
            let parts = parts_of(shown, &edit.parts, marked.as_ref())?;
            let mut recipe = self.edit_recipe(other, &shown.id, parts, None)?;
            recipe.edit.iter_mut().for_each(|edit| edit.origin.clone_from(&origin));
            Ok((other.clone(), recipe))
        };
        others.iter().map(alike).collect()
    }

    /// The objects of the picture that an edit changed, if it can still be seen.
    fn marked(&self, shot: &ShotId, edit: &PictureEdit) -> Option<Objects> {
        if !edit.parts.iter().any(can_be_found) {
            return None;
        }
        let parent = edit.parent.as_ref()?;
        let take = self.art.with_discarded(shot).find(|take| take.id == *parent)?;
        Some(Objects::of(&take.image().ok()?))
    }
}

/// Parts of another picture, on the picture of a take: each where it looks alike, or else at the same place.
fn parts_of(
    take: &Take,
    parts: &[Part],
    marked: Option<&Objects>,
) -> Result<Vec<Part>, ProjectError> {
    let picture = take.image()?;
    let (width, height) = picture.dimensions();
    let objects = marked.map(|marked| (marked, Objects::of(&picture)));
    let of = |part: &Part| {
        let (marked, objects) = objects.as_ref().filter(|_| can_be_found(part))?;
        let mask = objects.alike(marked, &part.mask)?;
        Some(Part { mask, ..part.clone() })
    };
    let parts = parts.iter().map(|part| of(part).unwrap_or_else(|| part.resized(width, height)));
    Ok(parts.collect())
}

/// What is added is not there yet, and a rough shape has its place.
fn can_be_found(part: &Part) -> bool {
    part.edit.kind != EditKind::Add && part.scribble.is_none()
}
