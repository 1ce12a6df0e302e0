//! What edits would come to, kept while nothing changes: masks are grown and feathered for it, too much work
//! for every frame.

use std::sync::Arc;

use crate::{
    diffusion::{EditPlan, Grid},
    mask::Area,
    recipe::{Part, Size},
};

/// As many as there are buttons that draw, and the one that is being drawn.
const MOST: usize = 4;

/// What some edits would come to.
#[derive(Debug, Default)]
pub(super) struct Plans(Vec<Plan>);

#[derive(Debug)]
struct Plan {
    size: (u32, u32),
    parts: Vec<Part>,
    context: Option<Area>,
    grid: Grid,
    outcome: Outcome,
}

/// What an edit would come to.
#[derive(Debug)]
pub(super) struct Planned {
    pub plan: EditPlan,
    /// The share of the pixels that may change, from 0 to 1.
    pub share: f32,
}

impl Planned {
    fn new(plan: EditPlan) -> Self {
        let values = plan.blend.values();
        let changed = values.iter().filter(|&&value| value > 0).count();
        let share = changed as f32 / values.len().max(1) as f32;
        Self { plan, share }
    }
}

/// The plan, or why there is none.
pub(super) type Outcome = Result<Arc<Planned>, String>;

impl Plans {
    /// What drawing these parts would come to.
    pub fn of(
        &mut self,
        size: (u32, u32),
        parts: &[Part],
        context: Option<Area>,
        grid: Grid,
    ) -> Outcome {
        let is_it = |plan: &Plan| {
            plan.size == size && plan.parts == parts && plan.context == context && plan.grid == grid
        };
        if let Some(at) = self.0.iter().position(is_it) {
            return self.0[at].outcome.clone();
        }
        let plan = EditPlan::new(Size::new(size.0, size.1), parts, context, grid);
        let outcome = plan.map(|plan| Arc::new(Planned::new(plan)));
        let outcome = outcome.map_err(|error| error.to_string());
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        let plan = Plan { size, parts: parts.to_vec(), context, grid, outcome: outcome.clone() };
        self.0.push(plan);
        outcome
    }
}
