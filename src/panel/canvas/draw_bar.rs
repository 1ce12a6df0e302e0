//! The draw buttons. Each button names its edits. While the pointer is on a button, the canvas shows the area that may
//! change.

use std::sync::Arc;

use egui::{DragValue, Ui, vec2};

use super::{
    Canvas,
    edit_plans::{ButtonPlan, DrawButton, EditPreview, PlanInputs, PlanResult},
    keymap::Command,
    session::Session,
};
use crate::{
    mask::Area,
    panel::{context::PanelContext, theme},
    project::Action,
    recipe::{
        EditKind, Part, Verdict,
        layer::{in_words, keep_liked, parts, redo_disliked},
    },
};

/// The width of [`TakesPerPress::show`], in points.
const TAKES_WIDTH: f32 = 168.0;

/// The maximum number of takes per press of a button.
const MAX_TAKES: u32 = 16;

/// The takes that a draw button requests.
#[derive(Debug)]
pub(super) struct TakesPerPress {
    plain: u32,
    best_of: u32,
    /// Whether `best_of` takes are drawn and scored, instead of `plain` ones.
    is_scored: bool,
}

impl Default for TakesPerPress {
    fn default() -> Self {
        Self { plain: 1, best_of: 4, is_scored: false }
    }
}

impl TakesPerPress {
    fn count(&self) -> u32 {
        if self.is_scored { self.best_of } else { self.plain }
    }

    fn show(&mut self, ui: &mut Ui) {
        let ending = if self.count() == 1 { " take" } else { " takes" };
        let takes = match self.is_scored {
            true => DragValue::new(&mut self.best_of).range(2..=MAX_TAKES),
            false => DragValue::new(&mut self.plain).range(1..=MAX_TAKES),
        };
        ui.add(takes.suffix(ending)).on_hover_text("How many takes to draw");
        ui.checkbox(&mut self.is_scored, format!("Best of {}", self.best_of)).on_hover_text(
            "Draws several takes and orders them by the losses of the parts, the best one first. The losses do not steer \
             them. A part without losses is compared with its words",
        );
    }
}

/// Shows the buttons, and how much the main one may change, or why it is disabled. The main button is at the bottom, where
/// it stays when the rows above it change.
pub(super) fn draw_bar(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &Session,
    cx: &mut PanelContext<'_>,
) {
    canvas.hovered_preview = None;
    let (parts_to_draw, plan) = parts_to_draw(ui, canvas, session);
    canvas.edit_preview = plan.clone().ok();
    verdict_buttons(ui, canvas, session, cx);
    let text = match (&plan, parts_to_draw.is_empty()) {
        (_, true) => "Select a part and choose an edit.".to_owned(),
        (Err(error), false) => error.clone(),
        (Ok(edit_preview), false) => format!("{}.", share_text(edit_preview)),
    };
    if !session.layers.is_empty() {
        ui.add(egui::Label::new(theme::small(text)).wrap());
    }
    let name = match parts_to_draw.is_empty() {
        true => "Draw parts".to_owned(),
        false => in_words(&parts_to_draw),
    };
    let hint = canvas.keymap.hint(Command::Draw);
    let mut main_button = |ui: &mut Ui, canvas: &mut Canvas, width: f32| {
        let button = theme::primary(name.clone()).truncate().min_size(vec2(width, 0.0));
        let offer = DrawOffer { button, parts: &parts_to_draw, plan: plan.clone(), hint: &hint };
        ui.allocate_ui(vec2(width, ui.spacing().interact_size.y), |ui| {
            ui.set_max_width(width);
            draw_button(ui, canvas, session, cx, offer);
        });
    };
    let width = ui.available_width();
    if width > 2.0 * TAKES_WIDTH {
        ui.horizontal(|ui| {
            main_button(ui, canvas, width - TAKES_WIDTH);
            canvas.takes_per_press.show(ui);
        });
    } else {
        ui.horizontal(|ui| canvas.takes_per_press.show(ui));
        main_button(ui, canvas, width);
    }
}

/// The parts with an edit, and their edit plan. Omits parts that other parts cover entirely.
pub(super) fn parts_to_draw(
    ui: &Ui,
    canvas: &mut Canvas,
    session: &Session,
) -> (Vec<Part>, PlanResult) {
    let mut parts_to_draw = parts(&session.layers);
    let plan = plan(ui, canvas, session, DrawButton::Parts, &parts_to_draw);
    // An outdated plan does not match these parts.
    if let Ok(edit_preview) = &plan.result
        && plan.is_current
    {
        let mut at = 0..;
        parts_to_draw.retain(|part| {
            let draws = at.next().is_some_and(|at| edit_preview.plan.changes(at));
            draws || part.edit.kind == EditKind::Keep
        });
    }
    (parts_to_draw, plan.result)
}

/// The share of the picture that may change, as text.
fn share_text(edit_preview: &EditPreview) -> String {
    format!("Up to {:.0} % of the pixels change", 100.0 * edit_preview.share)
}

/// Shows the buttons that use only the verdicts.
fn verdict_buttons(ui: &mut Ui, canvas: &mut Canvas, session: &Session, cx: &mut PanelContext<'_>) {
    let any =
        |verdict| session.layers.iter().any(|layer| layer.verdict == verdict && !layer.hidden);
    let (liked, disliked) = (any(Verdict::Liked), any(Verdict::Disliked));
    if !liked && !disliked {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        let layers = &session.layers;
        let keep_liked_parts =
            liked.then(|| (DrawButton::KeepLiked, keep_liked(layers, session.size)));
        let redo_disliked_parts =
            disliked.then(|| (DrawButton::RedoDisliked, redo_disliked(layers)));
        for (button_kind, parts) in keep_liked_parts.into_iter().chain(redo_disliked_parts) {
            let plan = plan(ui, canvas, session, button_kind, &parts).result;
            let name = match button_kind {
                DrawButton::KeepLiked => "Keep liked parts, redraw the rest",
                DrawButton::Parts | DrawButton::RedoDisliked => "Redraw disliked parts",
            };
            let button = egui::Button::new(name).wrap();
            draw_button(
                ui,
                canvas,
                session,
                cx,
                DrawOffer { button, parts: &parts, plan, hint: "" },
            );
        }
    });
}

/// Shows a draw button.
struct DrawOffer<'a> {
    button: egui::Button<'a>,
    parts: &'a [Part],
    plan: PlanResult,
    hint: &'a str,
}

fn draw_button(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &Session,
    cx: &mut PanelContext<'_>,
    DrawOffer { button, parts, plan, hint }: DrawOffer<'_>,
) {
    let response = ui.add_enabled(plan.is_ok(), button);
    let plan = match plan {
        Ok(plan) => plan,
        Err(why) => {
            response.on_disabled_hover_text(why);
            return;
        }
    };
    if response.hovered() {
        canvas.hovered_preview = Some(Arc::clone(&plan));
    }
    let text = |ui: &mut Ui| {
        ui.label(format!("{}. {}{hint}", in_words(parts), share_text(&plan)));
    };
    if response.on_hover_ui(text).clicked() {
        request_edit(canvas, session, cx, parts.to_vec(), plan.requested_crop);
    }
}

/// Requests an edit.
pub(super) fn request_edit(
    canvas: &mut Canvas,
    session: &Session,
    cx: &mut PanelContext<'_>,
    parts: Vec<Part>,
    context: Option<Area>,
) {
    let (shot, take) = (session.shot.clone(), session.take.clone());
    let (picture, score) = (session.hash.clone(), canvas.takes_per_press.is_scored);
    let takes = canvas.takes_per_press.count();
    let request = cx.request(Action::Edit { shot, take, picture, parts, context, takes, score });
    canvas.candidates.await_edit(request);
}

/// The plan of a draw button. Masks change in every frame of a stroke, so during a stroke this is the plan from
/// before it.
fn plan(
    ui: &Ui,
    canvas: &mut Canvas,
    session: &Session,
    button_kind: DrawButton,
    parts: &[Part],
) -> ButtonPlan {
    if canvas.interaction.is_painting()
        && let Some(plan) = canvas.plans.last(button_kind)
    {
        return plan;
    }
    // `KeepLiked` redraws nearly the whole picture, which does not fit into the author's crop.
    let context = session.context.filter(|_| button_kind != DrawButton::KeepLiked);
    let (size, parts, grid) = (session.size, parts.to_vec(), session.grid);
    canvas.plans.for_button(ui.ctx(), button_kind, PlanInputs { size, parts, context, grid })
}
