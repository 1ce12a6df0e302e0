//! The buttons that draw: each says what will happen, and shows it while the pointer is on it.

use std::sync::Arc;

use egui::{DragValue, Ui};

use super::{
    Canvas,
    edit_plans::{DrawButton, EditPreview, PlanResult},
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

/// The most takes of a press.
const MOST_TAKES: u32 = 16;

/// The buttons, and what the first of them may change or why it cannot be pressed.
pub(super) fn draw_bar(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &Session,
    cx: &mut PanelContext<'_>,
) {
    canvas.hovered_preview = None;
    let (said, plan) = said(canvas, session);
    canvas.edit_preview = plan.clone().ok();
    let hint = canvas.keymap.hint(Command::Draw);
    ui.horizontal_wrapped(|ui| {
        let name = if said.is_empty() { "Draw parts".to_owned() } else { in_words(&said) };
        let button = theme::primary(shortened(&name));
        let offered = Offer { button, parts: &said, plan: plan.clone(), hint: &hint };
        offer(ui, canvas, session, cx, offered);
        let ending = if canvas.takes == 1 { " take" } else { " takes" };
        let takes = DragValue::new(&mut canvas.takes).range(1..=MOST_TAKES);
        ui.add(takes.suffix(ending)).on_hover_text("How many candidates a press draws");
    });
    verdicts(ui, canvas, session, cx);
    // Always a line, so that what is below does not jump.
    let told = match (&plan, said.is_empty()) {
        (_, true) => "Choose a part and say what to do with it.".to_owned(),
        (Err(error), false) => error.clone(),
        (Ok(edit_preview), false) => format!("{}.", share(edit_preview)),
    };
    if !session.layers.is_empty() {
        ui.add(egui::Label::new(theme::small(told)).wrap());
    }
}

/// What is said of the parts and can be done, and what it comes to. A part of which nothing is left for it to change is
/// not spoken of.
pub(super) fn said(canvas: &mut Canvas, session: &Session) -> (Vec<Part>, PlanResult) {
    let mut said = parts(&session.layers);
    let plan = plan(canvas, session, DrawButton::Parts, &said);
    // What is planned while a stroke is under way may be of other parts.
    if let Ok(edit_preview) = &plan
        && !canvas.interaction.is_painting()
    {
        let mut at = 0..;
        said.retain(|part| {
            let draws = at.next().is_some_and(|at| edit_preview.plan.draws(at));
            draws || part.edit.kind == EditKind::Keep
        });
    }
    (said, plan)
}

/// How much may change, in words.
fn share(edit_preview: &EditPreview) -> String {
    format!("{:.0} % of the pixels may change, no other one does", 100.0 * edit_preview.share)
}

/// One press from verdicts to a picture.
fn verdicts(ui: &mut Ui, canvas: &mut Canvas, session: &Session, cx: &mut PanelContext<'_>) {
    let any =
        |verdict| session.layers.iter().any(|layer| layer.verdict == verdict && !layer.hidden);
    let (liked, disliked) = (any(Verdict::Liked), any(Verdict::Disliked));
    if !liked && !disliked {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        let layers = &session.layers;
        let rest = liked.then(|| (DrawButton::KeepLiked, keep_liked(layers, session.size)));
        let these = disliked.then(|| (DrawButton::RedoDisliked, redo_disliked(layers)));
        for (which, parts) in rest.into_iter().chain(these) {
            let plan = plan(canvas, session, which, &parts);
            let name = match which {
                DrawButton::KeepLiked => "Keep what I like, redo the rest",
                DrawButton::Parts | DrawButton::RedoDisliked => "Redo what I dislike",
            };
            let button = egui::Button::new(name);
            offer(ui, canvas, session, cx, Offer { button, parts: &parts, plan, hint: "" });
        }
    });
}

/// What a button draws.
struct Offer<'a> {
    button: egui::Button<'a>,
    parts: &'a [Part],
    plan: PlanResult,
    hint: &'a str,
}

fn offer(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &Session,
    cx: &mut PanelContext<'_>,
    Offer { button, parts, plan, hint }: Offer<'_>,
) {
    let response = ui.add_enabled(plan.is_ok(), button.wrap());
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
    let told = |ui: &mut Ui| {
        ui.label(format!("{}. {}{hint}", in_words(parts), share(&plan)));
    };
    if response.on_hover_ui(told).clicked() {
        press(canvas, session, cx, parts.to_vec(), plan.asked);
    }
}

/// Draws parts.
pub(super) fn press(
    canvas: &mut Canvas,
    session: &Session,
    cx: &mut PanelContext<'_>,
    parts: Vec<Part>,
    context: Option<Area>,
) {
    let (shot, take) = (session.shot.clone(), session.take.clone());
    let (picture, takes) = (session.hash.clone(), canvas.takes);
    canvas.candidates.awaited = Some(parts.clone());
    cx.actions.push(Action::Edit { shot, take, picture, parts, context, takes });
    canvas.candidates.chosen = None;
}

/// What drawing parts would come to. While a stroke is under way the masks change in every frame: what
/// was planned before it stands so long.
fn plan(canvas: &mut Canvas, session: &Session, which: DrawButton, parts: &[Part]) -> PlanResult {
    if canvas.interaction.is_painting()
        && let Some(outcome) = canvas.plans.before(which)
    {
        return outcome;
    }
    // The rest is nearly the whole picture, which no box around a part of it holds.
    let context = session.context.filter(|_| which != DrawButton::KeepLiked);
    canvas.plans.for_button(which, session.size, parts, context, session.grid)
}

/// As much as fits on a button.
fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST).chain("...".chars()).collect()
}
