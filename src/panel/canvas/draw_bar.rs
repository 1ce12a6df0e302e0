//! The buttons that draw: each says what will happen, and shows it while the pointer is on it.

use std::sync::Arc;

use egui::{DragValue, Ui};

use super::{
    Canvas,
    keymap::Command,
    plans::{Button, Outcome, Planned},
    session::Session,
};
use crate::{
    mask::Area,
    panel::{Desk, theme},
    project::Action,
    recipe::{
        EditKind, Part, Verdict,
        layer::{in_words, keep_liked, parts, redo_disliked},
    },
};

/// The most takes of a press.
const MOST_TAKES: u32 = 16;

/// The buttons, and what the first of them may change or why it cannot be pressed.
pub(super) fn draw_bar(ui: &mut Ui, canvas: &mut Canvas, session: &Session, desk: &mut Desk<'_>) {
    canvas.lit = None;
    let (said, plan) = said(canvas, session);
    canvas.planned = plan.clone().ok();
    let hint = canvas.keymap.hint(Command::Draw);
    ui.horizontal_wrapped(|ui| {
        let name = if said.is_empty() { "Draw parts".to_owned() } else { in_words(&said) };
        let button = theme::primary(shortened(&name));
        let offered = Offer { button, parts: &said, plan: plan.clone(), hint: &hint };
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

/// What is said of the parts and can be done, and what it comes to. A part of which nothing is left for it to change is
/// not spoken of.
pub(super) fn said(canvas: &mut Canvas, session: &Session) -> (Vec<Part>, Outcome) {
    let mut said = parts(&session.layers);
    let plan = plan(canvas, session, Button::Said, &said);
    // What is planned while a stroke is under way may be of other parts.
    if let Ok(planned) = &plan
        && !canvas.hand.is_painting()
    {
        let mut at = 0..;
        said.retain(|part| {
            let draws = at.next().is_some_and(|at| planned.plan.draws(at));
            draws || part.edit.kind == EditKind::Keep
        });
    }
    (said, plan)
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
        let rest = liked.then(|| (Button::Rest, keep_liked(layers, session.size)));
        let these = disliked.then(|| (Button::Disliked, redo_disliked(layers)));
        for (which, parts) in rest.into_iter().chain(these) {
            let plan = plan(canvas, session, which, &parts);
            let name = match which {
                Button::Rest => "Keep what I like, redo the rest",
                Button::Said | Button::Disliked => "Redo what I dislike",
            };
            let button = egui::Button::new(name);
            offer(ui, canvas, session, desk, Offer { button, parts: &parts, plan, hint: "" });
        }
    });
}

/// What a button draws.
struct Offer<'a> {
    button: egui::Button<'a>,
    parts: &'a [Part],
    plan: Outcome,
    hint: &'a str,
}

fn offer(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &Session,
    desk: &mut Desk<'_>,
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
        canvas.lit = Some(Arc::clone(&plan));
    }
    let told = |ui: &mut Ui| {
        ui.label(format!("{}. {}{hint}", in_words(parts), share(&plan)));
    };
    if response.on_hover_ui(told).clicked() {
        press(canvas, session, desk, parts.to_vec(), plan.asked);
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
    canvas.candidates.awaited = Some(parts.clone());
    desk.actions.push(Action::Edit { shot, take, picture, parts, context, takes });
    canvas.candidates.chosen = None;
}

/// What drawing parts would come to. While a stroke is under way the masks change in every frame: what
/// was planned before it stands so long.
fn plan(canvas: &mut Canvas, session: &Session, which: Button, parts: &[Part]) -> Outcome {
    if canvas.hand.is_painting()
        && let Some(outcome) = canvas.plans.before(which)
    {
        return outcome;
    }
    // The rest is nearly the whole picture, which no box around a part of it holds.
    let context = session.context.filter(|_| which != Button::Rest);
    canvas.plans.of_button(which, session.size, parts, context, session.grid)
}

/// As much as fits on a button.
fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST).chain("...".chars()).collect()
}
