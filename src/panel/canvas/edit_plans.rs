//! What edits would come to, kept while nothing changes: masks are grown and feathered for it, too much work
//! for every frame.

use std::sync::Arc;

use crate::{
    edit::{EditPlan, Grid},
    mask::{Area, Mask},
    recipe::{EditKind, Part, Size},
};

/// One for each draw button, and one for the current job.
const MAX_PLANS: usize = 4;

/// A button that draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DrawButton {
    /// Draws the edits of the parts.
    Parts,
    /// Keeps liked parts and redraws the rest.
    KeepLiked,
    /// Redraws disliked parts.
    RedoDisliked,
}

/// What some edits would come to.
#[derive(Debug, Default)]
pub(super) struct EditPlans {
    kept: Vec<CachedPlan>,
    /// What each button would have come to, asked last.
    buttons: [Option<PlanResult>; 3],
}

#[derive(Debug)]
struct CachedPlan {
    size: (u32, u32),
    parts: Vec<Part>,
    context: Option<Area>,
    grid: Grid,
    outcome: PlanResult,
}

/// What an edit would change.
#[derive(Debug)]
pub(super) struct EditPreview {
    pub plan: EditPlan,
    /// The crop given to the model, if the author set it.
    pub asked: Option<Area>,
    /// The fraction of the pixels that may change, from 0 to 1.
    pub share: f32,
}

impl EditPreview {
    fn new(plan: EditPlan, asked: Option<Area>) -> Self {
        let values = plan.blend_mask.values();
        let changed = values.iter().filter(|&&value| value > 0).count();
        let share = changed as f32 / values.len().max(1) as f32;
        Self { plan, asked, share }
    }
}

/// The properties of a part that decide which pixels it may change.
fn reach(part: &Part) -> (&Mask, bool, Option<u32>, Option<u32>) {
    let edit = &part.edit;
    (&part.mask, edit.kind == EditKind::Keep, edit.grow, edit.feather)
}

/// A plan, or why there is none.
pub(super) type PlanResult = Result<Arc<EditPreview>, String>;

impl EditPlans {
    /// What a button would have come to when that was asked last.
    pub fn before(&self, button: DrawButton) -> Option<PlanResult> {
        self.buttons[button as usize].clone()
    }

    /// What a button would come to that draws these parts.
    pub fn for_button(
        &mut self,
        button: DrawButton,
        size: (u32, u32),
        parts: &[Part],
        context: Option<Area>,
        grid: Grid,
    ) -> PlanResult {
        let outcome = self.of(size, parts, context, grid);
        self.buttons[button as usize] = Some(outcome.clone());
        outcome
    }

    /// What drawing these parts would come to.
    pub fn of(
        &mut self,
        size: (u32, u32),
        parts: &[Part],
        context: Option<Area>,
        grid: Grid,
    ) -> PlanResult {
        let pixels = Size::new(size.0, size.1);
        // What is typed may make no sense yet, but moves no mask.
        EditPlan::check(pixels, parts).map_err(|error| error.to_string())?;
        let is_it = |plan: &CachedPlan| {
            (plan.size, plan.context, plan.grid) == (size, context, grid)
                && plan.parts.iter().map(reach).eq(parts.iter().map(reach))
        };
        if let Some(at) = self.kept.iter().position(is_it) {
            return self.kept[at].outcome.clone();
        }
        let plan = EditPlan::new(pixels, parts, context, grid);
        let outcome = plan.map(|plan| Arc::new(EditPreview::new(plan, context)));
        let outcome = outcome.map_err(|error| error.to_string());
        if self.kept.len() == MAX_PLANS {
            self.kept.remove(0);
        }
        let plan =
            CachedPlan { size, parts: parts.to_vec(), context, grid, outcome: outcome.clone() };
        self.kept.push(plan);
        outcome
    }
}
