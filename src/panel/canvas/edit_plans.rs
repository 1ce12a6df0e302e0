//! Caches edit plans, because growing and feathering masks is too slow for every frame.

use std::sync::Arc;

use crate::{
    edit::{EditPlan, Grid},
    mask::{Area, Mask},
    recipe::{EditKind, Part, Size},
};

/// One plan for each draw button, and one for the current job.
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

/// A cache of edit plans.
#[derive(Debug, Default)]
pub(super) struct EditPlans {
    cache: Vec<CachedPlan>,
    /// The last plan of each button.
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

/// An edit plan, and how much it may change.
#[derive(Debug)]
pub(super) struct EditPreview {
    pub plan: EditPlan,
    /// The crop given to the model, if the author set it.
    pub requested_crop: Option<Area>,
    /// The fraction of the pixels that may change, from 0 to 1.
    pub share: f32,
}

impl EditPreview {
    fn new(plan: EditPlan, requested_crop: Option<Area>) -> Self {
        let values = plan.blend_mask.values();
        let changed = values.iter().filter(|&&value| value > 0).count();
        let share = changed as f32 / values.len().max(1) as f32;
        Self { plan, requested_crop, share }
    }
}

/// The properties of a part that decide which pixels it may change.
fn reach(part: &Part) -> (&Mask, bool, Option<u32>, Option<u32>) {
    let edit = &part.edit;
    (&part.mask, edit.kind == EditKind::Keep, edit.grow, edit.feather)
}

/// A plan, or the reason why the parts cannot be planned.
pub(super) type PlanResult = Result<Arc<EditPreview>, String>;

impl EditPlans {
    /// The last plan of a button.
    pub fn last(&self, button: DrawButton) -> Option<PlanResult> {
        self.buttons[button as usize].clone()
    }

    /// The plan of a button that draws these parts.
    pub fn for_button(
        &mut self,
        button: DrawButton,
        size: (u32, u32),
        parts: &[Part],
        context: Option<Area>,
        grid: Grid,
    ) -> PlanResult {
        let outcome = self.plan(size, parts, context, grid);
        self.buttons[button as usize] = Some(outcome.clone());
        outcome
    }

    /// The plan for drawing these parts.
    pub fn plan(
        &mut self,
        size: (u32, u32),
        parts: &[Part],
        context: Option<Area>,
        grid: Grid,
    ) -> PlanResult {
        let pixels = Size::new(size.0, size.1);
        // Not cached, because the prompt may be invalid while the author types.
        EditPlan::check(pixels, parts).map_err(|error| error.to_string())?;
        let matches = |plan: &CachedPlan| {
            (plan.size, plan.context, plan.grid) == (size, context, grid)
                && plan.parts.iter().map(reach).eq(parts.iter().map(reach))
        };
        if let Some(at) = self.cache.iter().position(matches) {
            return self.cache[at].outcome.clone();
        }
        let plan = EditPlan::new(pixels, parts, context, grid);
        let outcome = plan.map(|plan| Arc::new(EditPreview::new(plan, context)));
        let outcome = outcome.map_err(|error| error.to_string());
        if self.cache.len() == MAX_PLANS {
            self.cache.remove(0);
        }
        let plan =
            CachedPlan { size, parts: parts.to_vec(), context, grid, outcome: outcome.clone() };
        self.cache.push(plan);
        outcome
    }
}
