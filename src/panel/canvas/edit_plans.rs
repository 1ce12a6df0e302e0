//! The edit plans of the draw buttons.
//!
//! Growing and feathering masks is too slow for every frame. Plans are therefore cached, and plans of large pictures
//! are computed on a thread.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, TryRecvError, channel},
    },
    thread::Builder,
};

use egui::Context;

use crate::{
    edit::{EditPlan, Grid},
    mask::{Area, Mask},
    recipe::{EditKind, Part, Size},
    studio::lower_priority,
};

/// One plan for each draw button.
const MAX_PLANS: usize = 3;

/// The maximum number of mask pixels of a plan that is computed on the calling thread. That takes about a millisecond.
const MAX_PIXELS_AT_ONCE: usize = 1 << 18;

/// A draw button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DrawButton {
    /// Draws the edits of the parts.
    Parts,
    /// Keeps liked parts and redraws the rest.
    KeepLiked,
    /// Redraws disliked parts.
    RedoDisliked,
}

/// The edit plans of the draw buttons.
#[derive(Debug, Default)]
pub(super) struct EditPlans {
    cache: Vec<(PlanInputs, PlanResult)>,
    /// The last plan of each button.
    buttons: [Option<PlanResult>; 3],
    running: Option<RunningPlan>,
}

/// The inputs of a plan.
#[derive(Clone, Debug)]
pub(super) struct PlanInputs {
    /// Width and height of the picture.
    pub size: (u32, u32),
    pub parts: Vec<Part>,
    /// The crop that the author set.
    pub context: Option<Area>,
    /// The grid of the model.
    pub grid: Grid,
}

/// A plan that is computed on a thread.
#[derive(Debug)]
struct RunningPlan {
    inputs: PlanInputs,
    /// The lock makes it `Sync`, because the panel's state is a Bevy resource.
    result: Mutex<Receiver<PlanResult>>,
}

/// An edit plan, and the share of the picture that it may change.
#[derive(Debug)]
pub(super) struct EditPreview {
    pub plan: EditPlan,
    /// The crop given to the model, if the author set it.
    pub requested_crop: Option<Area>,
    /// The fraction of the pixels that may change, from 0 to 1.
    pub share: f32,
}

/// A plan, or the reason why the parts cannot be planned.
pub(super) type PlanResult = Result<Arc<EditPreview>, String>;

/// The plan of a draw button.
#[derive(Clone, Debug)]
pub(super) struct ButtonPlan {
    pub result: PlanResult,
    /// `false` if this is the previous plan of the button, because the new one is still being computed.
    pub is_current: bool,
}

impl EditPlans {
    /// The last plan of a button.
    pub fn last(&self, button: DrawButton) -> Option<ButtonPlan> {
        let result = self.buttons[button as usize].clone()?;
        Some(ButtonPlan { result, is_current: false })
    }

    /// The plan of a button. `context` is repainted when a plan from a thread is ready.
    pub fn for_button(
        &mut self,
        context: &Context,
        button: DrawButton,
        inputs: PlanInputs,
    ) -> ButtonPlan {
        if let Some(result) = self.plan(context, inputs) {
            self.buttons[button as usize] = Some(result.clone());
            return ButtonPlan { result, is_current: true };
        }
        self.last(button).unwrap_or_else(|| {
            let result = Err("Calculating which pixels may change...".to_owned());
            ButtonPlan { result, is_current: false }
        })
    }

    /// A plan. `None` while a thread computes it.
    fn plan(&mut self, context: &Context, inputs: PlanInputs) -> Option<PlanResult> {
        // Not cached, because the prompt may be invalid while the author types.
        if let Err(error) = EditPlan::check(inputs.pixels(), &inputs.parts) {
            return Some(Err(error.to_string()));
        }
        self.collect();
        if let Some((_, result)) = self.cache.iter().find(|(other, _)| other.reaches(&inputs)) {
            return Some(result.clone());
        }
        let (width, height) = inputs.size;
        if width as usize * height as usize * inputs.parts.len() <= MAX_PIXELS_AT_ONCE {
            let result = inputs.plan();
            self.store(inputs, result.clone());
            return Some(result);
        }
        if self.running.is_none() {
            match RunningPlan::start(context.clone(), inputs) {
                Ok(running) => self.running = Some(running),
                Err(error) => return Some(Err(format!("Cannot start a thread: {error}"))),
            }
        }
        None
    }

    /// Moves a computed plan into the cache.
    fn collect(&mut self) {
        let Some(running) = &mut self.running else { return };
        let result = running.result.get_mut().unwrap_or_else(PoisonError::into_inner).try_recv();
        let result = match result {
            Ok(result) => result,
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Disconnected) => Err("This edit cannot be planned.".to_owned()),
        };
        if let Some(running) = self.running.take() {
            self.store(running.inputs, result);
        }
    }

    fn store(&mut self, inputs: PlanInputs, result: PlanResult) {
        if self.cache.len() == MAX_PLANS {
            drop(self.cache.remove(0));
        }
        self.cache.push((inputs, result));
    }
}

impl RunningPlan {
    fn start(context: Context, inputs: PlanInputs) -> io::Result<Self> {
        let (sender, receiver) = channel();
        Builder::new().name("illustrator-plan".to_owned()).spawn({
            let inputs = inputs.clone();
            move || {
                lower_priority();
                // The receiver is dropped when the panel closes.
                let _ = sender.send(inputs.plan());
                context.request_repaint();
            }
        })?;
        Ok(Self { inputs, result: Mutex::new(receiver) })
    }
}

impl PlanInputs {
    fn pixels(&self) -> Size {
        Size::new(self.size.0, self.size.1)
    }

    /// Whether both inputs give the same plan.
    fn reaches(&self, other: &Self) -> bool {
        (self.size, self.context, self.grid) == (other.size, other.context, other.grid)
            && self.parts.iter().map(reach).eq(other.parts.iter().map(reach))
    }

    fn plan(&self) -> PlanResult {
        let plan = EditPlan::new(self.pixels(), &self.parts, self.context, self.grid);
        plan.map(|plan| Arc::new(EditPreview::new(plan, self.context)))
            .map_err(|error| error.to_string())
    }
}

/// The properties of a part that determine which pixels it may change.
fn reach(part: &Part) -> (&Mask, bool, Option<u32>, Option<u32>) {
    let edit = &part.edit;
    (&part.mask, edit.kind == EditKind::Keep, edit.grow, edit.feather)
}

impl EditPreview {
    fn new(plan: EditPlan, requested_crop: Option<Area>) -> Self {
        let values = plan.blend_mask.values();
        let changed = values.iter().filter(|&&value| value > 0).count();
        let share = changed as f32 / values.len().max(1) as f32;
        Self { plan, requested_crop, share }
    }
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;
    use crate::recipe::PartEdit;

    fn inputs(side: u32, area: Area) -> PlanInputs {
        let part = Part::new(
            "sky",
            Mask::rectangle(side, side, area),
            PartEdit { grow: Some(0), feather: Some(0), ..PartEdit::new(EditKind::Refine) },
        );
        let grid = Grid { scale: 8, min_latents: 2, trained_latents: 0 };
        PlanInputs { size: (side, side), parts: vec![part], context: None, grid }
    }

    fn changed(plan: &ButtonPlan) -> Area {
        plan.result.as_ref().unwrap().plan.changed
    }

    #[test]
    fn a_small_plan_is_computed_immediately() {
        let area = Area { x: 8, y: 8, width: 16, height: 8 };
        let plan = EditPlans::default().for_button(
            &Context::default(),
            DrawButton::Parts,
            inputs(64, area),
        );
        assert_eq!((changed(&plan), plan.is_current), (area, true));
    }

    #[test]
    fn a_button_keeps_its_previous_plan_while_a_large_one_is_computed() {
        let (context, mut plans) = (Context::default(), EditPlans::default());
        let first = Area { x: 8, y: 8, width: 16, height: 8 };
        let small = inputs(64, first);
        plans.for_button(&context, DrawButton::Parts, small);
        let second = Area { x: 100, y: 8, width: 300, height: 400 };
        let large = inputs(1024, second);
        let before = plans.for_button(&context, DrawButton::Parts, large.clone());
        assert_eq!((changed(&before), before.is_current), (first, false));
        let other = plans.for_button(&context, DrawButton::KeepLiked, large.clone());
        assert!(other.result.unwrap_err().contains("Calculating"));
        let mut after = before;
        while !after.is_current {
            thread::sleep(Duration::from_millis(1));
            after = plans.for_button(&context, DrawButton::Parts, large.clone());
        }
        assert_eq!(changed(&after), second);
    }
}
