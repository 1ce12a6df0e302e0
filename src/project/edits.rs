//! Edits: turns the parts that an author marked into recipes.

use std::{collections::BTreeMap, sync::Arc};

use image::RgbaImage;

use super::{ActionId, Project, ProjectError, Reply, Update, needs_recipe, propagate::Search};
use crate::{
    art::{Blobs, Take, TakeId, picture_file},
    edit::{EditError, EditPlan},
    generator::Inputs,
    mask::Area,
    recipe::{Canvas, Part, PartRecipe, PictureEdit, Recipe, RecipeId, Size, picture_hash},
    storyboard::ShotId,
    studio::JobId,
};

/// The inputs of an edit, except for its parts.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) take: Take,
    /// The current recipe of the shot.
    shot: Recipe,
    style: String,
}

/// An edit without a recipe yet. Preparing the recipe reads and hashes the picture, and checks the parts.
#[derive(Debug)]
pub(super) struct EditTask {
    pub(super) purpose: EditPurpose,
    pub(super) draft: Draft,
    pub(super) parts: Vec<Part>,
    pub(super) context: Option<Area>,
    pub(super) canvas: Option<Canvas>,
    pub(super) tiled: bool,
    /// The hash of the picture that the parts were marked on. `None` allows any picture.
    pub(super) picture: Option<String>,
    /// The original of a propagated edit.
    pub(super) origin: Option<RecipeId>,
}

impl EditTask {
    /// An edit of the whole picture of a draft.
    pub(super) fn new(purpose: EditPurpose, draft: Draft, parts: Vec<Part>) -> Self {
        let (context, canvas, picture, origin) = Default::default();
        Self { purpose, draft, parts, context, canvas, tiled: false, picture, origin }
    }
}

/// The reason for an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EditPurpose {
    /// A request for a number of takes.
    Request { id: ActionId, takes: u32 },
    /// A propagated edit.
    Propagation,
}

impl Draft {
    /// The draft of an edit with this [score](Recipe::score).
    pub(super) fn with_score(mut self, score: bool) -> Self {
        self.shot.score = score;
        self
    }
}

impl EditTask {
    /// The recipe of the edit. Its masks and scribbles are written to `blobs`.
    pub(super) fn recipe(self, blobs: &Blobs) -> Result<Recipe, ProjectError> {
        let Self { draft: Draft { take, shot, style }, parts, context, canvas, tiled, .. } = self;
        let Self { picture, origin, .. } = self;
        let image = take.image()?;
        let hash = picture_hash(&image);
        if picture.is_some_and(|expected| expected != hash) {
            return Err(EditError::OtherPicture.into());
        }
        let mut size = size_of(&image);
        if let Some(canvas) = &canvas {
            canvas.check(size).map_err(EditError::from)?;
            size = canvas.size;
        }
        // Report invalid edits now and not only when the job runs. The model is not loaded yet, but it most likely has
        // the grid of the model that drew the picture.
        EditPlan::new(size, &parts, context, take.provenance.model.grid)?;
        let mut inputs = Inputs::default();
        inputs.add_parts(&parts);
        let parent = Some(take.id.clone());
        let enlarged_before = take.recipe().edit.as_ref().and_then(|edit| edit.shot_size);
        let shot_size = enlarged_before.or_else(|| canvas.map(|_| take.recipe().size));
        let edit = PictureEdit {
            picture: hash,
            parent,
            style,
            parts: parts.iter().map(PartRecipe::from).collect(),
            context,
            canvas,
            shot_size,
            tiled,
            origin,
            choice_seed: shot.has_choices().then(|| take.recipe().choice_seed()),
        };
        let mut recipe = Recipe { size, edit: Some(edit), ..shot.without_shapes() };
        let origin = recipe.origin();
        recipe.edit.iter_mut().for_each(|edit| edit.origin.clone_from(&origin));
        blobs.read_missing(recipe.images(), &mut inputs.blobs)?;
        picture_file::check(&recipe, &inputs.blobs)?;
        blobs.put_parts(&parts)?;
        Ok(recipe)
    }
}

/// Whether an edit that cannot be propagated now never can.
fn is_final(error: &ProjectError) -> bool {
    match error {
        ProjectError::Propagation(cause) => is_final(cause),
        ProjectError::NoEdit { .. }
        | ProjectError::Edit(_)
        | ProjectError::Inspiration(_)
        | ProjectError::Loss(_)
        | ProjectError::Unwritable(_) => true,
        _ => false,
    }
}

fn size_of(image: &RgbaImage) -> Size {
    let (width, height) = image.dimensions();
    Size::new(width, height)
}

impl Project {
    /// A draft of an edit of a take.
    pub(super) fn draft(&self, shot: &ShotId, take: &TakeId) -> Result<Draft, ProjectError> {
        self.draft_on(shot, self.art.take(shot, take)?)
    }

    fn draft_on(&self, shot: &ShotId, take: &Take) -> Result<Draft, ProjectError> {
        let (take, shot) = (take.clone(), self.shot(shot)?.recipe.clone());
        Ok(Draft { take, shot, style: self.style().words.clone() })
    }

    /// A draft of an edit of the take that the game shows for a shot.
    fn draft_on_shown(&self, shot: &ShotId) -> Result<Draft, ProjectError> {
        let shown = self.shown(&self.shot(shot)?.id);
        self.draft_on(shot, shown.ok_or_else(|| ProjectError::NoPicture(shot.clone()))?)
    }

    /// Handles a prepared or invalid edit.
    pub(super) fn edit_done(
        &mut self,
        purpose: EditPurpose,
        shot: ShotId,
        result: Result<Box<Recipe>, ProjectError>,
    ) {
        match (purpose, result) {
            (EditPurpose::Request { id, takes }, Ok(recipe)) => {
                // The edit may have been cancelled meanwhile.
                let takes = if self.edits.remove(&id) { takes } else { 0 };
                let jobs = self.queue_or_leave(shot, *recipe, takes);
                self.answer(Some(id), Ok(Reply { jobs }));
            }
            (EditPurpose::Request { id, .. }, Err(error)) => {
                self.edits.remove(&id);
                self.answer(Some(id), Err(Arc::new(error)));
            }
            (EditPurpose::Propagation, Ok(recipe)) => {
                self.revision += 1;
                // The edit may have been cancelled meanwhile.
                let takes = u32::from(self.is_propagation(&shot, &recipe));
                let is_needed = needs_recipe(&self.board, &shot, &recipe);
                self.queue_or_leave(shot.clone(), *recipe, takes);
                if !is_needed {
                    self.remove_propagation(&shot);
                }
            }
            (EditPurpose::Propagation, Err(error)) => self.propagation_failed(shot, error),
        }
    }

    /// Queues takes of an edit. If the story has changed meanwhile, the edit stays in the queue file until the storyboard
    /// needs it again.
    fn queue_or_leave(&mut self, shot: ShotId, recipe: Recipe, takes: u32) -> Vec<JobId> {
        let is_needed = needs_recipe(&self.board, &shot, &recipe);
        let pictures = self.next_takes(&[(shot, recipe)], takes);
        if is_needed {
            return self.enqueue(pictures, true);
        }
        self.studio.leave(pictures);
        Vec::new()
    }

    /// Reports an edit that could not be propagated to a shot. If its cause may end, such as a story without the shot or a
    /// picture that cannot be read at the moment, the next start tries again.
    pub(super) fn propagation_failed(&mut self, shot: ShotId, error: ProjectError) {
        self.revision += 1;
        if is_final(&error) {
            self.remove_propagation(&shot);
        }
        self.updates.push(Update::Failed { shot, error: Arc::new(error) });
    }

    /// Starts to search the pictures of other shots for the parts of an edit.
    pub(super) fn propagate(
        &mut self,
        id: Option<ActionId>,
        shot: &ShotId,
        take: &TakeId,
        others: &[ShotId],
    ) -> Result<(), ProjectError> {
        let none = || ProjectError::NoEdit { shot: shot.clone(), take: take.clone() };
        let recipe = self.art.kept_take(shot, take)?.recipe();
        let mut edit = recipe.edit.clone().ok_or_else(none)?;
        edit.origin = recipe.origin();
        let parent = edit.parent.as_ref().and_then(|id| self.art.kept_take(shot, id).ok().cloned());
        let score = recipe.score;
        let draft = |other| Ok(self.draft_on_shown(other)?.with_score(score));
        let drafts = others.iter().map(draft).collect::<Result<Vec<_>, ProjectError>>()?;
        // The search may outlive the project, and must not keep the folder locked.
        let blobs = Blobs::read(self.art.root());
        let search = Search::start(edit, parent, drafts, blobs).map_err(ProjectError::Thread)?;
        self.searches.push(search);
        // Saved until it is drawn or cancelled, because the program may end during the search.
        let (source, others) = ((shot.clone(), take.clone()), others.to_vec());
        self.change_ledger(id, move |ledger| {
            ledger.propagations.extend(others.iter().map(|other| (other.clone(), source.clone())));
        });
        Ok(())
    }

    /// Restarts the searches that did not finish before the program ended.
    pub(super) fn resume_propagations(&mut self) {
        let mut wanted = BTreeMap::<_, Vec<_>>::new();
        for (other, source) in self.art.pending_propagations().clone() {
            let jobs = self.jobs.get(&other).into_iter().flatten();
            if jobs.clone().any(|job| self.is_propagation(&other, &job.recipe)) {
                continue;
            }
            let takes = self.art.takes(&other);
            if takes.iter().any(|take| self.is_propagation(&other, take.recipe())) {
                self.remove_propagation(&other);
            } else {
                wanted.entry(source).or_default().push(other);
            }
        }
        for ((shot, take), others) in wanted {
            // A shot that no longer exists must not prevent the others.
            let (mut left, mut refused) = (Vec::new(), Vec::new());
            for other in others {
                match self.draft_on_shown(&other) {
                    Ok(_) => left.push(other),
                    Err(error) => refused.push((other, Arc::new(error))),
                }
            }
            if let Err(error) = self.propagate(None, &shot, &take, &left) {
                let error = Arc::new(error);
                refused.extend(left.into_iter().map(|other| (other, Arc::clone(&error))));
            }
            for (shot, error) in refused {
                self.propagation_failed(shot, ProjectError::Propagation(error));
            }
        }
    }

    /// Whether a recipe is the pending propagation to a shot.
    pub(super) fn is_propagation(&self, shot: &ShotId, recipe: &Recipe) -> bool {
        let source = self
            .art
            .pending_propagations()
            .get(shot)
            .and_then(|(source, take)| self.art.kept_take(source, take).ok());
        source.and_then(|take| take.recipe().origin()).is_some_and(|it| recipe.origin() == Some(it))
    }

    /// Removes the pending propagation to a shot.
    pub(super) fn remove_propagation(&mut self, shot: &ShotId) {
        if self.art.pending_propagations().contains_key(shot) {
            let shot = shot.clone();
            self.change_ledger(None, move |ledger| drop(ledger.propagations.remove(&shot)));
        }
    }
}
