//! From what was marked on a take, or done to it, to recipes.

use std::{collections::BTreeMap, sync::Arc};

use image::RgbaImage;

use super::{Project, ProjectError, Update, propagate::Search};
use crate::{
    art::{Take, TakeId},
    edit::{EditError, EditPlan},
    mask::Area,
    recipe::{Part, PictureEdit, Recipe, RecipeId, Size, part::picture_hash},
    storyboard::ShotId,
};

/// What an edit of a take is made of, but for what is marked.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) take: Take,
    /// The recipe of the shot as it is now.
    shot: Recipe,
    style: String,
}

impl Draft {
    /// The recipe of an edit of the take, whose picture is `picture`; `origin` is that of the edit which this one is
    /// alike, if there is one.
    pub(super) fn recipe(
        &self,
        picture: &RgbaImage,
        parts: Vec<Part>,
        context: Option<Area>,
        origin: Option<RecipeId>,
    ) -> Result<Recipe, EditError> {
        let (width, height) = picture.dimensions();
        let size = Size::new(width, height);
        // All that can be told without the model is told now and not when the job's turn comes. Its grid is most
        // likely that of the model which drew the picture.
        EditPlan::new(size, &parts, context, self.take.provenance.model.grid)?;
        let edit = PictureEdit {
            picture: picture_hash(picture),
            parent: Some(self.take.id.clone()),
            style: self.style.clone(),
            parts,
            context,
            origin,
        };
        let mut recipe = Recipe { size, edit: Some(edit), ..self.shot.clone() };
        let origin = recipe.origin();
        recipe.edit.iter_mut().for_each(|edit| edit.origin.clone_from(&origin));
        Ok(recipe)
    }
}

impl Project {
    /// The recipe of an edit of a take: that of the shot as it is now, on the take's picture.
    pub(super) fn edit_recipe(
        &self,
        shot: &ShotId,
        take: &TakeId,
        parts: Vec<Part>,
        context: Option<Area>,
    ) -> Result<Recipe, ProjectError> {
        let draft = self.draft(shot, self.art.take(shot, take)?)?;
        Ok(draft.recipe(&draft.take.image()?, parts, context, None)?)
    }

    fn draft(&self, shot: &ShotId, take: &Take) -> Result<Draft, ProjectError> {
        let (take, shot) = (take.clone(), self.shot(shot)?.recipe.clone());
        Ok(Draft { take, shot, style: self.style().words.clone() })
    }

    /// A draft on the take that the game shows for a shot.
    fn draft_of_shown(&self, shot: &ShotId) -> Result<Draft, ProjectError> {
        let shown = self.shown(&self.shot(shot)?.id);
        self.draft(shot, shown.ok_or_else(|| ProjectError::NoPicture(shot.clone()))?)
    }

    /// Begins to look for what made a take in the pictures that other shots show.
    pub(super) fn search(
        &mut self,
        shot: &ShotId,
        take: &TakeId,
        others: &[ShotId],
    ) -> Result<(), ProjectError> {
        let none = || ProjectError::NoEdit { shot: shot.clone(), take: take.clone() };
        let recipe = self.art.kept_take(shot, take)?.recipe();
        let mut edit = recipe.edit.clone().ok_or_else(none)?;
        edit.origin = recipe.origin();
        let parent = edit.parent.as_ref().and_then(|id| self.art.kept_take(shot, id).ok().cloned());
        let drafts =
            others.iter().map(|other| self.draft_of_shown(other)).collect::<Result<Vec<_>, _>>()?;
        // Kept until it is drawn or given up: finding takes a while, and the program may end meanwhile.
        let mut propagations = self.art.pending_propagations().clone();
        let of = (shot.clone(), take.clone());
        propagations.extend(others.iter().map(|other| (other.clone(), of.clone())));
        self.art.set_pending_propagations(propagations)?;
        let search = Search::start(edit, parent, drafts).map_err(ProjectError::Thread)?;
        self.searches.push(search);
        Ok(())
    }

    /// Begins anew to look for what the program was looking for when it ended.
    pub(super) fn search_on(&mut self) {
        let mut wanted = BTreeMap::<_, Vec<_>>::new();
        for (other, of) in self.art.pending_propagations().clone() {
            let jobs = self.jobs.get(&other).into_iter().flatten();
            if jobs.clone().any(|job| self.is_propagation(&other, &job.recipe)) {
                continue;
            }
            let takes = self.art.takes(&other);
            if takes.iter().any(|take| self.is_propagation(&other, take.recipe())) {
                self.forget_propagation(&other);
            } else {
                wanted.entry(of).or_default().push(other);
            }
        }
        for ((shot, take), others) in wanted {
            // One that is gone is no reason to leave the others out.
            let (mut left, mut refused) = (Vec::new(), Vec::new());
            for other in others {
                match self.draft_of_shown(&other) {
                    Ok(_) => left.push(other),
                    Err(error) => refused.push((other, Arc::new(error))),
                }
            }
            if let Err(error) = self.search(&shot, &take, &left) {
                let error = Arc::new(error);
                refused.extend(left.into_iter().map(|other| (other, Arc::clone(&error))));
            }
            for (shot, error) in refused {
                self.forget_propagation(&shot);
                let error = Arc::new(ProjectError::Propagation(error));
                self.updates.push(Update::Failed { shot, error });
            }
        }
    }

    /// Whether a recipe is the edit that is still to be done to the picture of a shot.
    pub(super) fn is_propagation(&self, shot: &ShotId, recipe: &Recipe) -> bool {
        let of = self
            .art
            .pending_propagations()
            .get(shot)
            .and_then(|(of, take)| self.art.kept_take(of, take).ok());
        of.and_then(|take| take.recipe().origin()).is_some_and(|it| recipe.origin() == Some(it))
    }

    /// The same edit is done to the picture of a shot, or given up.
    pub(super) fn forget_propagation(&mut self, shot: &ShotId) {
        let mut propagations = self.art.pending_propagations().clone();
        if propagations.remove(shot).is_some()
            && let Err(error) = self.art.set_pending_propagations(propagations)
        {
            log::error!("the same edit will be done to {shot} again: {error}");
        }
    }
}
