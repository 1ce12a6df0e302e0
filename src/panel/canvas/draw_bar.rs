//! The buttons that draw: each says what will happen, and shows it while the pointer is on it.

use std::sync::Arc;

use egui::{DragValue, Ui};

use super::{
    Canvas,
    keymap::Command,
    plans::{Outcome, Planned},
    session::Session,
};
use crate::{
    panel::{Desk, theme},
    project::Action,
    recipe::{
        Part, Verdict,
        layer::{in_words, keep_liked, parts, redo_disliked},
    },
};

/// The most takes of a press.
const MOST_TAKES: u32 = 16;

/// The buttons, and what the first of them may change or why it cannot be pressed.
pub(super) fn draw_bar(ui: &mut Ui, canvas: &mut Canvas, session: &Session, desk: &mut Desk<'_>) {
    let said = parts(&session.layers);
    canvas.lit = None;
    let plan = plan(canvas, session, &said);
    canvas.planned = plan.clone().ok();
    let hint = canvas.keymap.hint(Command::Draw);
    ui.horizontal_wrapped(|ui| {
        let name = if said.is_empty() { "Draw parts".to_owned() } else { in_words(&said) };
        let name = shortened(&name);
        offer(ui, canvas, session, desk, theme::primary(name), &said, plan.as_ref(), &hint);
        let ending = if canvas.takes == 1 { " take" } else { " takes" };
        let takes = DragValue::new(&mut canvas.takes).range(1..=MOST_TAKES);
        ui.add(takes.suffix(ending)).on_hover_text("How many candidates a press draws");
    });
    verdicts(ui, canvas, session, desk);
    // Always a line, so that what is below does not jump.
    let told = match (&plan, said.is_empty()) {
        (_, true) => "Choose a part and say what to do with it.".to_owned(),
        (Err(error), false) => error.clone(),
        (Ok(planned), false) => format!("{}.", share(planned)),
    };
    if !session.layers.is_empty() {
        ui.add(egui::Label::new(theme::small(told)).wrap());
    }
}

/// How much may change, in words.
fn share(planned: &Planned) -> String {
    format!("{:.0} % of the pixels may change, no other one does", 100.0 * planned.share)
}

/// One press from verdicts to a picture.
fn verdicts(ui: &mut Ui, canvas: &mut Canvas, session: &Session, desk: &mut Desk<'_>) {
    let any =
        |verdict| session.layers.iter().any(|layer| layer.verdict == verdict && !layer.hidden);
    let (liked, disliked) = (any(Verdict::Liked), any(Verdict::Disliked));
    if !liked && !disliked {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        let layers = &session.layers;
        let rest =
            liked.then(|| ("Keep what I like, redo the rest", keep_liked(layers, session.size)));
        let these = disliked.then(|| ("Redo what I dislike", redo_disliked(layers)));
        for (name, parts) in rest.into_iter().chain(these) {
            let plan = plan(canvas, session, &parts);
            offer(ui, canvas, session, desk, egui::Button::new(name), &parts, plan.as_ref(), "");
        }
    });
}

fn offer(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &Session,
    desk: &mut Desk<'_>,
    button: egui::Button<'_>,
    parts: &[Part],
    plan: Result<&Arc<Planned>, &String>,
    hint: &str,
) {
    let response = ui.add_enabled(plan.is_ok(), button.wrap());
    let Ok(plan) = plan else {
        response.on_disabled_hover_text("Nothing would change yet");
        return;
    };
    if response.hovered() {
        canvas.lit = Some(Arc::clone(plan));
    }
    let told = |ui: &mut Ui| {
        ui.label(format!("{}. {}{hint}", in_words(parts), share(plan)));
    };
    if response.on_hover_ui(told).clicked() {
        press(canvas, session, desk, parts.to_vec());
    }
}

/// Draws parts.
pub(super) fn press(canvas: &mut Canvas, session: &Session, desk: &mut Desk<'_>, parts: Vec<Part>) {
    let (shot, take) = (session.shot.clone(), session.take.clone());
    let (picture, context, takes) = (session.hash.clone(), session.context, canvas.takes);
    desk.actions.push(Action::Edit { shot, take, picture, parts, context, takes });
    canvas.awaited = true;
    canvas.candidate = None;
}

/// What drawing parts would come to. While a stroke is under way the masks change in every frame: what
/// was planned before it stands so long.
fn plan(canvas: &mut Canvas, session: &Session, parts: &[Part]) -> Outcome {
    if canvas.hand.is_painting()
        && let Some(plan) = &canvas.planned
    {
        return Ok(Arc::clone(plan));
    }
    canvas.plans.of(session.size, parts, session.context, session.grid)
}

/// As much as fits on a button.
fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST).chain("...".chars()).collect()
}
