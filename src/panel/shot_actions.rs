//! The actions that a shot offers in its current state.

use egui::{Popup, Response, Ui};

use super::{context::PanelContext, overview::ShotEntry, theme};
use crate::{project::Action, storyboard::ShotState};

/// The actions as buttons, the most likely one first.
pub(super) fn buttons(ui: &mut Ui, entry: &ShotEntry, cx: &mut PanelContext<'_>) {
    ui.horizontal_wrapped(|ui| {
        for (n, offer) in offers(entry, cx).into_iter().enumerate() {
            let button =
                if n == 0 { theme::primary(offer.name) } else { egui::Button::new(offer.name) };
            if ui.add(button).on_hover_text(offer.explanation).clicked() {
                cx.request(offer.action);
            }
        }
    });
}

/// The actions as a context menu.
pub(super) fn menu(response: &Response, entry: &ShotEntry, cx: &mut PanelContext<'_>) {
    Popup::context_menu(response).show(|ui| {
        for offer in offers(entry, cx) {
            if ui.button(offer.name).on_hover_text(offer.explanation).clicked() {
                cx.request(offer.action);
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
        ShotState::Stale => {
            draw("Draw", "Draws this picture again, from the current story and style")
        }
        ShotState::Failed => draw("Try again", "Draws this picture again"),
        ShotState::Drafted | ShotState::Accepted => {
            let explanation = "Draws another take from the same prompt, with another seed";
            let action = Action::DrawMore { shot: shot.clone(), takes: 1, score: false };
            let another = Offer { name: "Another take", explanation, action };
            let explanation =
                "Draws four takes, and orders them by how well they agree with the prompt";
            let action = Action::DrawMore { shot, takes: 4, score: true };
            vec![another, Offer { name: "Best of 4", explanation, action }]
        }
        ShotState::Queued => {
            let Some(job) = cx.job_of(&shot) else { return Vec::new() };
            let cancel = Offer {
                name: "Cancel",
                explanation: "Removes this picture from the queue",
                action: Action::Cancel(job),
            };
            let next = Offer {
                name: "Draw next",
                explanation: "Moves this picture to the front of the queue",
                action: Action::MoveToFront(job),
            };
            if cx.steps_of(&shot).is_some() { vec![cancel] } else { vec![next, cancel] }
        }
        ShotState::Orphaned => Vec::new(),
    }
}

/// The name of a shot's state.
pub(super) fn state_label(entry: &ShotEntry, cx: &PanelContext<'_>) -> &'static str {
    if cx.steps_of(&entry.id).is_some() { "drawing" } else { entry.state.name() }
}

/// A sentence about the state of a shot and the next step.
pub(super) fn in_words(entry: &ShotEntry, cx: &PanelContext<'_>) -> String {
    match entry.state {
        ShotState::Missing => "Not drawn yet.".into(),
        ShotState::Queued => match (cx.steps_of(&entry.id), cx.queue_place(&entry.id)) {
            (Some((done, of)), _) => format!("Drawing: step {done} of {of}."),
            (None, Some(before @ 1..)) => format!("In the queue, {before} ahead of it."),
            (None, _) => "Next in the queue.".into(),
        },
        ShotState::Drafted => "Drawn. Accept a take to make it the final picture.".into(),
        ShotState::Accepted => "Accepted. The game shows the accepted take.".into(),
        ShotState::Stale => {
            "The prompt or the style changed after this picture was drawn. The game shows the old picture until a new one is drawn.".into()
        }
        ShotState::Orphaned => {
            "The story no longer needs this picture. Its takes stay on disk.".into()
        }
        ShotState::Failed => "Drawing failed.".into(),
    }
}
