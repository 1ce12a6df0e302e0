//! Candidates: the takes drawn from the open take. The author compares them with it, and accepts or discards them.

use egui::{Button, ComboBox, ScrollArea, Ui};

use super::{Canvas, compare::Compare, keymap::Command, tree};
use crate::{
    art::{RankedTake, Take, TakeId, ranked},
    panel::{
        badge,
        context::PanelContext,
        theme,
        tile::{TileLabel, job_tile, take_number, tile},
    },
    project::{Action, ActionId, Request, Update},
    storyboard::ShotId,
    studio::JobId,
};

/// The candidates of the open take.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// The candidate that is shown in place of the open take.
    pub selected: Option<TakeId>,
    /// The last request for an edit of the open take, until it is answered.
    request: Option<ActionId>,
    /// The jobs of that request, until the first of them is drawn.
    jobs: Vec<JobId>,
    /// The first take of that request, until it is selected.
    first: Option<TakeId>,
    /// Whether the game shows the selected candidate.
    preview_in_game: bool,
    /// The shot for which the game shows a candidate.
    trial_shot: Option<ShotId>,
    /// The last request for a trial, until it is answered.
    trial_request: Option<ActionId>,
}

impl Candidates {
    /// Resets everything that belongs to the open take.
    pub fn reset(&mut self) {
        self.selected = None;
        self.request = None;
        self.jobs.clear();
        self.first = None;
    }

    /// Selects the first take of this request as soon as it is drawn.
    pub fn await_edit(&mut self, request: ActionId) {
        self.reset();
        self.request = Some(request);
    }

    /// Processes an update of the project.
    pub fn receive(&mut self, update: &Update) {
        match update {
            Update::Applied { id, result } if self.request == Some(*id) => {
                self.request = None;
                self.jobs = result.as_ref().map_or_else(|_| Vec::new(), |reply| reply.jobs.clone());
            }
            Update::Applied { id, result } if self.trial_request == Some(*id) => {
                self.trial_request = None;
                if result.is_err() {
                    // Another request would fail as well.
                    self.preview_in_game = false;
                    self.trial_shot = None;
                }
            }
            Update::Drawn { job, take, .. } if self.jobs.contains(job) => {
                self.jobs.clear();
                self.first = Some(take.clone());
            }
            _ => {}
        }
    }

    /// The candidate that is shown in place of the open take.
    pub fn selected<'a>(&self, takes: &'a [Take]) -> Option<&'a Take> {
        let wanted = self.selected.as_ref()?;
        takes.iter().find(|take| take.id == *wanted)
    }

    /// Selects the next (positive `steps`) or previous candidate. The open take itself comes before the first one.
    pub fn step(&mut self, takes: &[Take], take: &Take, steps: isize) {
        let all = ranked(tree::children(takes, take));
        let all: Vec<&TakeId> = all.iter().map(|ranked| &ranked.take.id).collect();
        let at = self.selected.as_ref().and_then(|id| all.iter().position(|other| *other == id));
        let next = at.map_or(0, |at| at + 1).saturating_add_signed(steps).min(all.len());
        self.selected = next.checked_sub(1).map(|at| all[at].clone());
    }

    /// Selects the candidate after the selected one, which is about to be discarded. If there is none, selects the one
    /// before it, or none.
    pub fn select_neighbour(&mut self, takes: &[Take], take: &Take) {
        let discarded = self.selected.clone();
        self.step(takes, take, 1);
        if self.selected == discarded {
            self.step(takes, take, -1);
        }
    }

    /// Selects the first take of the last request, unless another candidate is selected. Later takes only appear in the
    /// strip, because the author may be viewing something else by then.
    pub fn select_new_candidate(&mut self) {
        if let Some(first) = self.first.take() {
            self.selected.get_or_insert(first);
        }
    }

    /// Requests that the game shows the selected candidate, or ends the trial.
    pub fn update_trial(&mut self, cx: &mut PanelContext<'_>, take: &Take) {
        if self.trial_request.is_some() {
            return;
        }
        if let Some(shot) = self.trial_shot.take_if(|shot| *shot != take.shot) {
            cx.request(Action::TryOn { shot, take: None });
        }
        let wanted = self.selected.clone().filter(|_| self.preview_in_game);
        let is_own_trial = self.trial_shot.is_some();
        if wanted.as_ref() == cx.project.trial(&take.shot) || (wanted.is_none() && !is_own_trial) {
            return;
        }
        self.trial_shot = wanted.as_ref().map(|_| take.shot.clone());
        let action = Action::TryOn { shot: take.shot.clone(), take: wanted };
        self.trial_request = Some(cx.request(action));
    }

    /// Ends the trial, if there is one.
    pub fn end_trial(&mut self) -> Option<Request> {
        let shot = self.trial_shot.take()?;
        Some(Action::TryOn { shot, take: None }.into())
    }
}

/// Shows the candidates as a strip, those with a score ordered by it, and their buttons.
pub(super) fn strip(ui: &mut Ui, canvas: &mut Canvas, cx: &mut PanelContext<'_>, take: &Take) {
    let takes = cx.project.art().takes(&take.shot);
    let is_drawing = is_edited_by_current_job(cx, take);
    if !is_drawing && tree::children(takes, take).next().is_none() {
        return;
    }
    let accepted = cx.project.art().accepted(&take.shot).map(|take| take.id.clone());
    let candidate = canvas.candidates.selected(takes).map(|take| take.id.clone());

    ScrollArea::horizontal().id_salt("candidates").auto_shrink([false, true]).show(ui, |ui| {
        ui.horizontal(|ui| {
            let is_accepted = accepted.as_ref() == Some(&take.id);
            let label = TileLabel {
                number: take_number(takes, take),
                is_accepted,
                is_outdated: false,
                score: None,
            };
            let response = tile(ui, cx, take, &label, candidate.is_none());
            badge::paint_note(ui.painter(), response.rect, "before");
            if response.clicked() {
                canvas.candidates.selected = None;
            }
            for RankedTake { take: child, score } in ranked(tree::children(takes, take)) {
                let is_accepted = accepted.as_ref() == Some(&child.id);
                let number = take_number(takes, child);
                let label = TileLabel { number, is_accepted, is_outdated: false, score };
                let is_chosen = candidate.as_ref() == Some(&child.id);
                let response = tile(ui, cx, child, &label, is_chosen);
                if response.clicked() {
                    canvas.candidates.selected = Some(child.id.clone());
                }
                if response.double_clicked() {
                    accept(canvas, cx, child);
                }
            }
            if is_drawing {
                job_tile(ui, cx, &take.shot, take.recipe().size);
            }
        });
    });
    if let Some(candidate) = canvas.candidates.selected(takes) {
        buttons(ui, canvas, cx, take, candidate);
    }
}

fn buttons(
    ui: &mut Ui,
    canvas: &mut Canvas,
    cx: &mut PanelContext<'_>,
    take: &Take,
    candidate: &Take,
) {
    let takes = cx.project.art().takes(&take.shot);
    let siblings = siblings(cx, takes, candidate);
    ui.horizontal_wrapped(|ui| {
        let accepts = canvas.keymap.hint(Command::Accept);
        if ui
            .add(theme::primary("Accept"))
            .on_hover_text(format!(
                "Makes this take the one that the game shows, and opens it{accepts}"
            ))
            .clicked()
        {
            accept(canvas, cx, candidate);
        }
        if (!siblings.is_empty() || cx.job_of(&candidate.shot).is_some())
            && ui
                .button("Accept, discard others")
                .on_hover_text("Accepts this take, discards the others of the same request, and cancels its waiting jobs")
                .clicked()
        {
            for other in siblings {
                discard(cx, other);
            }
            let jobs = cx.project.studio().jobs().into_iter().map(|view| view.job);
            let same_request = jobs.filter(|job| {
                job.shot == candidate.shot && job.recipe.same_but_take(candidate.recipe())
            });
            for job in same_request {
                cx.request(Action::Cancel(job.id));
            }
            accept(canvas, cx, candidate);
        }
        let discards = canvas.keymap.hint(Command::Discard);
        if ui
            .button("Discard")
            .on_hover_text(format!("Removes this take; `Discarded takes` restores it{discards}"))
            .clicked()
        {
            canvas.candidates.select_neighbour(takes, take);
            discard(cx, candidate);
        }
        if ui
            .add(Button::new("Open"))
            .on_hover_text("Opens this take on the canvas without accepting it")
            .clicked()
        {
            canvas.next_take = Some(candidate.id.clone());
        }
        let mode = &mut canvas.compare.mode;
        ComboBox::from_id_salt("compare").selected_text(mode.name()).show_ui(ui, |ui| {
            for other in Compare::ALL {
                ui.selectable_value(mode, other, other.name());
            }
        });
        ui.checkbox(&mut canvas.candidates.preview_in_game, "Preview in the game")
            .on_hover_text("The game shows the selected take before it is accepted");
    });
}

/// The other candidates of the same request, except accepted and edited ones.
fn siblings<'a>(cx: &PanelContext<'_>, takes: &'a [Take], candidate: &Take) -> Vec<&'a Take> {
    let accepted = cx.project.art().accepted(&candidate.shot).map(|take| &take.id);
    let is_sibling = |other: &&Take| {
        other.id != candidate.id
            && other.parent() == candidate.parent()
            && other.recipe().same_but_take(candidate.recipe())
            && accepted != Some(&other.id)
            && tree::children(takes, other).next().is_none()
    };
    takes.iter().filter(is_sibling).collect()
}

/// Accepts a take and opens it.
pub(super) fn accept(canvas: &mut Canvas, cx: &mut PanelContext<'_>, candidate: &Take) {
    let (shot, take) = (candidate.shot.clone(), candidate.id.clone());
    cx.request(Action::Accept { shot, take });
    canvas.candidates.trial_shot = None;
    canvas.next_take = Some(candidate.id.clone());
}

/// Discards a take.
pub(super) fn discard(cx: &mut PanelContext<'_>, take: &Take) {
    cx.request(Action::Discard { shot: take.shot.clone(), take: take.id.clone() });
}

/// Whether the current job edits this take.
fn is_edited_by_current_job(cx: &PanelContext<'_>, take: &Take) -> bool {
    let edit = cx.current.as_ref().and_then(|view| view.job.recipe.edit.as_ref());
    edit.is_some_and(|edit| edit.parent.as_ref() == Some(&take.id))
}
