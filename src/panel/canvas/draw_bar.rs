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
    mask::Area,
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
    let plan = plan(canvas, session, &said, session.context);
    canvas.planned = plan.clone().ok();
    let hint = canvas.keymap.hint(Command::Draw);
    ui.horizontal_wrapped(|ui| {
        let name = if said.is_empty() { "Draw parts".to_owned() } else { in_words(&said) };
        let button = theme::primary(shortened(&name));
        let offered = Offer { button, parts: &said, context: session.context, hint: &hint };
        offer(ui, canvas, session, desk, offered);
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
        // The rest is nearly the whole picture, which no box around a part of it holds.
        let rest = liked
            .then(|| ("Keep what I like, redo the rest", keep_liked(layers, session.size), None));
        let these =
            disliked.then(|| ("Redo what I dislike", redo_disliked(layers), session.context));
        for (name, parts, context) in rest.into_iter().chain(these) {
            let button = egui::Button::new(name);
            offer(ui, canvas, session, desk, Offer { button, parts: &parts, context, hint: "" });
        }
    });
}

/// What a button draws, and in which box.
struct Offer<'a> {
    button: egui::Button<'a>,
    parts: &'a [Part],
    context: Option<Area>,
    hint: &'a str,
}

fn offer(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &Session,
    desk: &mut Desk<'_>,
    Offer { button, parts, context, hint }: Offer<'_>,
) {
    let plan = plan(canvas, session, parts, context);
    let response = ui.add_enabled(plan.is_ok(), button.wrap());
    let plan = match plan {
        Ok(plan) => plan,
        Err(why) => {
            response.on_disabled_hover_text(why);
            return;
        }
    };
    if response.hovered() {
        canvas.lit = Some(Arc::clone(&plan));
    }
    let told = |ui: &mut Ui| {
        ui.label(format!("{}. {}{hint}", in_words(parts), share(&plan)));
    };
    if response.on_hover_ui(told).clicked() {
        press(canvas, session, desk, parts.to_vec(), context);
    }
}

/// Draws parts.
pub(super) fn press(
    canvas: &mut Canvas,
    session: &Session,
    desk: &mut Desk<'_>,
    parts: Vec<Part>,
    context: Option<Area>,
) {
    let (shot, take) = (session.shot.clone(), session.take.clone());
    let (picture, takes) = (session.hash.clone(), canvas.takes);
    desk.actions.push(Action::Edit { shot, take, picture, parts, context, takes });
    canvas.awaited = true;
    canvas.candidate = None;
}

/// What drawing parts would come to. While a stroke is under way the masks change in every frame: what
/// was planned before it stands so long.
fn plan(canvas: &mut Canvas, session: &Session, parts: &[Part], context: Option<Area>) -> Outcome {
    if canvas.hand.is_painting()
        && let Some(plan) = &canvas.planned
    {
        return Ok(Arc::clone(plan));
    }
    canvas.plans.of(session.size, parts, context, session.grid)
}

/// As much as fits on a button.
fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST).chain("...".chars()).collect()
}
