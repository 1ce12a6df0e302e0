//! What can be done with one shot, by its state: few buttons, and those that make sense now.

use egui::{Popup, Response, Ui};

use super::{context::PanelContext, overview::ShotEntry, theme};
use crate::{project::Action, storyboard::ShotState};

/// The buttons of a shot; the first is what most people will want.
pub(super) fn buttons(ui: &mut Ui, entry: &ShotEntry, cx: &mut PanelContext<'_>) {
    ui.horizontal_wrapped(|ui| {
        for (n, offer) in offers(entry, cx).into_iter().enumerate() {
            let button =
                if n == 0 { theme::primary(offer.name) } else { egui::Button::new(offer.name) };
            if ui.add(button).on_hover_text(offer.explanation).clicked() {
                cx.actions.push(offer.action);
            }
        }
    });
}

/// The same as a menu on the right mouse button.
pub(super) fn menu(response: &Response, entry: &ShotEntry, cx: &mut PanelContext<'_>) {
    Popup::context_menu(response).show(|ui| {
        for offer in offers(entry, cx) {
            if ui.button(offer.name).on_hover_text(offer.explanation).clicked() {
                cx.actions.push(offer.action);
                ui.close();
            }
        }
    });
}

struct Offer {
    name: &'static str,
    explanation: &'static str,
    action: Action,
}

fn offers(entry: &ShotEntry, cx: &PanelContext<'_>) -> Vec<Offer> {
    let shot = entry.id.clone();
    let draw = |name, explanation| {
        let action = Action::Draw(vec![shot.clone()]);
        vec![Offer { name, explanation, action }]
    };
    match entry.state {
        ShotState::Missing => draw("Draw", "Draws this picture"),
        ShotState::Stale => draw("Draw", "Draws this picture anew, as the story wants it now"),
        ShotState::Failed => draw("Try again", "Draws this picture once more"),
        ShotState::Drafted | ShotState::Accepted => {
            let explanation = "Draws another candidate from the same words with another seed";
            let action = Action::DrawMore { shot, takes: 1 };
            vec![Offer { name: "Another take", explanation, action }]
        }
        ShotState::Queued => {
            let Some(job) = cx.job_of(&shot) else { return Vec::new() };
            let cancel = Offer {
                name: "Cancel",
                explanation: "Takes this picture out of the queue",
                action: Action::Cancel(job),
            };
            let next = Offer {
                name: "Draw next",
                explanation: "Puts this picture in front of all others that wait",
                action: Action::MoveToFront(job),
            };
            if cx.steps_of(&shot).is_some() { vec![cancel] } else { vec![next, cancel] }
        }
        ShotState::Orphaned => Vec::new(),
    }
}

/// Where a shot stands, in a word.
pub(super) fn state_label(entry: &ShotEntry, cx: &PanelContext<'_>) -> &'static str {
    if cx.steps_of(&entry.id).is_some() { "drawing" } else { entry.state.name() }
}

/// Where a shot stands, in a sentence, and what to do about it.
pub(super) fn in_words(entry: &ShotEntry, cx: &PanelContext<'_>) -> String {
    match entry.state {
        ShotState::Missing => "Not drawn yet.".into(),
        ShotState::Queued => match (cx.steps_of(&entry.id), cx.queue_place(&entry.id)) {
            (Some((done, of)), _) => format!("Being drawn: step {done} of {of}."),
            (None, Some(before @ 1..)) => format!("Waits to be drawn; {before} before it."),
            (None, _) => "Will be drawn next.".into(),
        },
        ShotState::Drafted => "Drawn. Accept a take to settle it.".into(),
        ShotState::Accepted => "This is what the game shows.".into(),
        ShotState::Stale => {
            "Its words or the style have changed since. The game shows the old picture until it is drawn anew.".into()
        }
        ShotState::Orphaned => {
            "Nothing in the story asks for this picture any more. Its takes stay on disk.".into()
        }
        ShotState::Failed => "Drawing failed.".into(),
    }
}
