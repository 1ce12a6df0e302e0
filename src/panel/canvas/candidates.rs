//! What was drawn from a take: seen over it, compared with it, and accepted or put away.

use egui::{Button, ComboBox, ScrollArea, Ui};

use super::{Canvas, compare::Compare, keymap::Command, tree};
use crate::{
    art::{Take, TakeId},
    panel::{
        badge,
        context::PanelContext,
        theme,
        tile::{TileLabel, job_tile, take_number, tile},
    },
    project::Action,
    recipe::Part,
    storyboard::ShotId,
};

/// What was drawn from the take on the canvas, as far as the author has come with it.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// The take that lies over the one on the canvas.
    pub chosen: Option<TakeId>,
    /// The newest take that was made of the one on the canvas.
    newest: Option<TakeId>,
    /// What a press draws, until the first candidate of it has come.
    pub awaited: Option<Vec<Part>>,
    /// The game shows the candidate in view.
    preview_in_game: bool,
    /// What the game was told to show for now.
    tried: Option<(ShotId, TakeId)>,
}

impl Candidates {
    /// Another take comes onto the canvas.
    pub fn begin(&mut self) {
        let Self { chosen, newest, awaited, preview_in_game: _, tried: _ } = self;
        (*chosen, *newest, *awaited) = (None, None, None);
    }

    /// The take that lies over the one on the canvas.
    pub fn selected<'a>(&self, takes: &'a [Take]) -> Option<&'a Take> {
        let wanted = self.chosen.as_ref()?;
        takes.iter().find(|take| take.id == *wanted)
    }

    /// Looks at the next candidate, or the one before, with the take itself at the beginning.
    pub fn walk(&mut self, takes: &[Take], take: &Take, steps: isize) {
        let all: Vec<&TakeId> = tree::children(takes, take).map(|take| &take.id).collect();
        let at = self.chosen.as_ref().and_then(|id| all.iter().position(|other| *other == id));
        let next = at.map_or(0, |at| at + 1).saturating_add_signed(steps).min(all.len());
        self.chosen = next.checked_sub(1).map(|at| all[at].clone());
    }

    /// Before the candidate in view is put away: the next one comes into view, or the last, or none.
    pub fn select_neighbour(&mut self, takes: &[Take], take: &Take) {
        let gone = self.chosen.clone();
        self.walk(takes, take, 1);
        if self.chosen == gone {
            self.walk(takes, take, -1);
        }
    }

    /// Has the game show the candidate in view, or what it showed before.
    pub fn try_on(&mut self, cx: &mut PanelContext<'_>, take: &Take) {
        let wanted = self.chosen.clone().filter(|_| self.preview_in_game);
        let wanted = wanted.map(|candidate| (take.shot.clone(), candidate));
        if wanted != self.tried {
            let shot =
                [&wanted, &self.tried].into_iter().flatten().next().map(|(shot, _)| shot.clone());
            if let Some(shot) = shot {
                let take = wanted.as_ref().map(|(_, take)| take.clone());
                cx.actions.push(Action::TryOn { shot, take });
            }
            self.tried = wanted;
        }
    }

    /// The game shows again what it should.
    pub fn end_try(&mut self) -> Option<Action> {
        self.tried.take().map(|(shot, _)| Action::TryOn { shot, take: None })
    }
}

/// Lays the first candidate that a press brings over the picture as soon as it is there. Those after it come into
/// the strip only: the author may look at something else by then.
pub(super) fn select_new_candidate(canvas: &mut Canvas, takes: &[Take], take: &Take) {
    if canvas.candidates.awaited.is_some() && canvas.interaction.is_busy() {
        return;
    }
    let newest = tree::children(takes, take).last();
    let is_new = newest.map(|take| &take.id) != canvas.candidates.newest.as_ref();
    canvas.candidates.newest = newest.map(|take| take.id.clone());
    if let (Some(newest), Some(awaited)) = (newest.filter(|_| is_new), &canvas.candidates.awaited)
        && newest.recipe().edit.as_ref().is_some_and(|edit| edit.draws(awaited))
    {
        canvas.candidates.chosen =
            canvas.candidates.chosen.take().or_else(|| Some(newest.id.clone()));
        canvas.candidates.awaited = None;
    }
}

/// The strip of what was drawn from this take, and its buttons.
pub(super) fn strip(ui: &mut Ui, canvas: &mut Canvas, cx: &mut PanelContext<'_>, take: &Take) {
    let takes = cx.project.art().takes(&take.shot);
    let is_drawn = is_of(cx, take);
    if !is_drawn && tree::children(takes, take).next().is_none() {
        return;
    }
    let accepted = cx.project.art().accepted(&take.shot).map(|take| take.id.clone());
    let candidate = canvas.candidates.selected(takes).map(|take| take.id.clone());

    ScrollArea::horizontal().id_salt("candidates").auto_shrink([false, true]).show(ui, |ui| {
        ui.horizontal(|ui| {
            let is_accepted = accepted.as_ref() == Some(&take.id);
            let told = TileLabel { number: take_number(takes, take), is_accepted, is_old: false };
            let response = tile(ui, cx, take, &told, candidate.is_none());
            badge::paint_note(ui.painter(), response.rect, "before");
            if response.clicked() {
                canvas.candidates.chosen = None;
            }
            for (at, child) in takes.iter().enumerate() {
                if child.parent() != Some(&take.id) {
                    continue;
                }
                let is_accepted = accepted.as_ref() == Some(&child.id);
                let told = TileLabel { number: at + 1, is_accepted, is_old: false };
                let is_chosen = candidate.as_ref() == Some(&child.id);
                let response = tile(ui, cx, child, &told, is_chosen);
                if response.clicked() {
                    canvas.candidates.chosen = Some(child.id.clone());
                }
                if response.double_clicked() {
                    accept(canvas, cx, child);
                }
            }
            if is_drawn {
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
    let rest = rest(cx, takes, candidate);
    ui.horizontal_wrapped(|ui| {
        let accepts = canvas.keymap.hint(Command::Accept);
        if ui
            .add(theme::primary("Accept"))
            .on_hover_text(format!(
                "The game shows it from now on, and work goes on from it{accepts}"
            ))
            .clicked()
        {
            accept(canvas, cx, candidate);
        }
        if (!rest.is_empty() || cx.job_of(&candidate.shot).is_some())
            && ui
                .button("Accept, drop the rest")
                .on_hover_text("Accepts it; the others that were drawn alike are put away, and no more of them drawn")
                .clicked()
        {
            for other in rest {
                discard(cx, other);
            }
            let jobs = cx.project.studio().jobs().into_iter().map(|view| view.job);
            let alike = jobs.filter(|job| {
                job.shot == candidate.shot && job.recipe.same_but_take(candidate.recipe())
            });
            cx.actions.extend(alike.map(|job| Action::Cancel(job.id)));
            accept(canvas, cx, candidate);
        }
        let discards = canvas.keymap.hint(Command::Discard);
        if ui
            .button("Discard")
            .on_hover_text(format!("Puts it away; `Put away` brings it back{discards}"))
            .clicked()
        {
            canvas.candidates.select_neighbour(takes, take);
            discard(cx, candidate);
        }
        if ui
            .add(Button::new("From here"))
            .on_hover_text("Goes on from it without accepting it: the game shows what it showed")
            .clicked()
        {
            canvas.next_take = Some(candidate.id.clone());
        }
        let way = &mut canvas.compare.way;
        ComboBox::from_id_salt("compare").selected_text(way.name()).show_ui(ui, |ui| {
            for other in Compare::ALL {
                ui.selectable_value(way, other, other.name());
            }
        });
        ui.checkbox(&mut canvas.candidates.preview_in_game, "Try on in the game")
            .on_hover_text("The game shows the candidate in view before it is accepted");
    });
}

/// What was drawn like a candidate and led to nothing.
fn rest<'a>(cx: &PanelContext<'_>, takes: &'a [Take], candidate: &Take) -> Vec<&'a Take> {
    let accepted = cx.project.art().accepted(&candidate.shot).map(|take| &take.id);
    let is_rest = |other: &&Take| {
        other.id != candidate.id
            && other.parent() == candidate.parent()
            && other.recipe().same_but_take(candidate.recipe())
            && accepted != Some(&other.id)
            && tree::children(takes, other).next().is_none()
    };
    takes.iter().filter(is_rest).collect()
}

/// The game shows it, and it lies on the canvas.
pub(super) fn accept(canvas: &mut Canvas, cx: &mut PanelContext<'_>, candidate: &Take) {
    let (shot, take) = (candidate.shot.clone(), candidate.id.clone());
    cx.actions.push(Action::Accept { shot, take });
    canvas.candidates.tried = None;
    canvas.next_take = Some(candidate.id.clone());
}

/// Puts a take away.
pub(super) fn discard(cx: &mut PanelContext<'_>, take: &Take) {
    cx.actions.push(Action::Discard { shot: take.shot.clone(), take: take.id.clone() });
}

/// Whether what is being drawn is made of this take.
fn is_of(cx: &PanelContext<'_>, take: &Take) -> bool {
    let edit = cx.current.as_ref().and_then(|view| view.job.recipe.edit.as_ref());
    edit.is_some_and(|edit| edit.parent.as_ref() == Some(&take.id))
}
