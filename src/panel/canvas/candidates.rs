//! What was drawn from a take: seen over it, compared with it, and accepted or put away.

use egui::{
    Button, Color32, ComboBox, PointerButton, Pos2, Rect, Response, ScrollArea, Sense, Ui,
    WidgetInfo, WidgetType,
};

use super::{Canvas, keymap::Command, tree};
use crate::{
    art::{Take, TakeId},
    panel::{
        Desk, badge,
        picture::{self, Content},
        takes_strip::{HEIGHT, Marks, room, tile},
        theme,
    },
    project::Action,
};

/// How two pictures are looked at together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Compare {
    /// The candidate alone.
    #[default]
    No,
    /// One on each side of a line that can be dragged.
    Slider,
    /// Beside each other.
    Side,
    /// In turns.
    Blink,
}

impl Compare {
    const ALL: [Self; 4] = [Self::No, Self::Slider, Self::Side, Self::Blink];

    fn name(self) -> &'static str {
        match self {
            Self::No => "Alone",
            Self::Slider => "Slider",
            Self::Side => "Side by side",
            Self::Blink => "Blink",
        }
    }
}

/// The way of comparing, and where the line of its slider stands.
#[derive(Debug)]
pub(super) struct Comparison {
    pub way: Compare,
    /// Share of the picture's width.
    line: f32,
}

impl Default for Comparison {
    fn default() -> Self {
        Self { way: Compare::No, line: 0.5 }
    }
}

impl Comparison {
    /// Where the line stands on the screen.
    pub fn slider_at(&self, picture: Rect) -> f32 {
        picture.left() + self.line * picture.width()
    }

    /// The room of the picture below the pointer.
    pub fn room_at(&self, room: Rect, at: Pos2) -> Rect {
        match self.way {
            Compare::Side => halves(room)[usize::from(at.x >= room.center().x)],
            _ => room,
        }
    }

    /// Moves the line to the pointer.
    pub fn drag(&mut self, ui: &Ui, response: &Response, picture: Rect) {
        let held = response.dragged_by(PointerButton::Primary) || response.clicked();
        if held
            && self.way == Compare::Slider
            && let Some(at) = ui.input(|input| input.pointer.interact_pos())
        {
            self.line = ((at.x - picture.left()) / picture.width().max(1.0)).clamp(0.0, 1.0);
        }
    }
}

/// Where two pictures beside each other have their room.
pub(super) fn halves(room: Rect) -> [Rect; 2] {
    let (left, right) = room.split_left_right_at_fraction(0.5);
    [left.shrink(1.0), right.shrink(1.0)]
}

/// The take that lies over the one on the canvas.
pub(super) fn in_view<'a>(canvas: &Canvas, takes: &'a [Take]) -> Option<&'a Take> {
    let wanted = canvas.candidate.as_ref()?;
    takes.iter().find(|take| take.id == *wanted)
}

/// Lays the first candidate that a press brings over the picture as soon as it is there. Those after it come into
/// the strip only: the author may look at something else by then.
pub(super) fn welcome(canvas: &mut Canvas, takes: &[Take], take: &Take) {
    if canvas.awaited && canvas.hand.is_busy() {
        return;
    }
    let newest = tree::children(takes, take).last().map(|take| take.id.clone());
    if canvas.awaited && newest.is_some() && newest != canvas.newest {
        canvas.candidate = canvas.candidate.take().or_else(|| newest.clone());
        canvas.awaited = false;
    }
    canvas.newest = newest;
}

/// The strip of what was drawn from this take, and its buttons.
pub(super) fn strip(ui: &mut Ui, canvas: &mut Canvas, desk: &mut Desk<'_>, take: &Take) {
    let takes = desk.project.art().takes(&take.shot);
    let drawing = desk.steps_of(&take.shot).filter(|_| is_of(desk, take));
    if drawing.is_none() && tree::children(takes, take).next().is_none() {
        return;
    }
    let preview = drawing.and_then(|_| Content::preview(desk, &take.shot));
    let accepted = desk.project.art().accepted(&take.shot).map(|take| take.id.clone());
    let candidate = in_view(canvas, takes).map(|take| take.id.clone());

    ScrollArea::horizontal().id_salt("candidates").auto_shrink([false, true]).show(ui, |ui| {
        ui.horizontal(|ui| {
            let number = number(takes, take);
            let marks =
                Marks { number, is_accepted: accepted.as_ref() == Some(&take.id), is_old: false };
            let size = take.recipe().size;
            let side = HEIGHT * picture::aspect(size);
            let content = Content::take(desk, take, side);
            let response = tile(ui, &content, room(size), &marks, candidate.is_none());
            badge::paint_note(ui.painter(), response.rect, "before");
            if response.clicked() {
                canvas.candidate = None;
            }
            for (at, child) in takes.iter().enumerate() {
                if child.parent() != Some(&take.id) {
                    continue;
                }
                let is_accepted = accepted.as_ref() == Some(&child.id);
                let marks = Marks { number: at + 1, is_accepted, is_old: false };
                let content = Content::take(desk, child, side);
                let is_chosen = candidate.as_ref() == Some(&child.id);
                let response = tile(ui, &content, room(size), &marks, is_chosen);
                if response.clicked() {
                    canvas.candidate = Some(child.id.clone());
                }
                if response.double_clicked() {
                    accept(canvas, desk, child);
                }
            }
            if let Some((done, of)) = drawing {
                let (rect, response) = ui.allocate_exact_size(room(size), Sense::hover());
                picture::paint(ui, rect, preview.as_ref(), "", Color32::WHITE);
                badge::paint_note(ui.painter(), rect, &format!("{done} of {of}"));
                let spoken = format!("Being drawn, step {done} of {of}");
                response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &spoken));
            }
        });
    });
    if let Some(candidate) = in_view(canvas, takes) {
        buttons(ui, canvas, desk, take, candidate);
    }
}

fn buttons(ui: &mut Ui, canvas: &mut Canvas, desk: &mut Desk<'_>, take: &Take, candidate: &Take) {
    let takes = desk.project.art().takes(&take.shot);
    let rest = rest(desk, takes, candidate);
    ui.horizontal_wrapped(|ui| {
        let accepts = canvas.keymap.hint(Command::Accept);
        if ui
            .add(theme::primary("Accept"))
            .on_hover_text(format!(
                "The game shows it from now on, and work goes on from it{accepts}"
            ))
            .clicked()
        {
            accept(canvas, desk, candidate);
        }
        if (!rest.is_empty() || desk.job_of(&candidate.shot).is_some())
            && ui
                .button("Accept, drop the rest")
                .on_hover_text("Accepts it; the others that were drawn alike are put away, and no more of them drawn")
                .clicked()
        {
            for other in rest {
                discard(desk, other);
            }
            let jobs = desk.project.studio().jobs().into_iter().map(|view| view.job);
            let alike = jobs.filter(|job| {
                job.shot == candidate.shot && job.recipe.same_but_take(candidate.recipe())
            });
            desk.actions.extend(alike.map(|job| Action::Cancel(job.id)));
            accept(canvas, desk, candidate);
        }
        let discards = canvas.keymap.hint(Command::Discard);
        if ui
            .button("Discard")
            .on_hover_text(format!("Puts it away; `Put away` brings it back{discards}"))
            .clicked()
        {
            walk_on_from(canvas, takes, take);
            discard(desk, candidate);
        }
        if ui
            .add(Button::new("From here"))
            .on_hover_text("Goes on from it without accepting it: the game shows what it showed")
            .clicked()
        {
            canvas.go_to = Some(candidate.id.clone());
        }
        let way = &mut canvas.compare.way;
        ComboBox::from_id_salt("compare").selected_text(way.name()).show_ui(ui, |ui| {
            for other in Compare::ALL {
                ui.selectable_value(way, other, other.name());
            }
        });
        ui.checkbox(&mut canvas.live, "Try on in the game")
            .on_hover_text("The game shows the candidate in view before it is accepted");
    });
}

/// What was drawn like a candidate and led to nothing.
fn rest<'a>(desk: &Desk<'_>, takes: &'a [Take], candidate: &Take) -> Vec<&'a Take> {
    let accepted = desk.project.art().accepted(&candidate.shot).map(|take| &take.id);
    let is_rest = |other: &&Take| {
        other.id != candidate.id
            && other.recipe().same_but_take(candidate.recipe())
            && accepted != Some(&other.id)
            && tree::children(takes, other).next().is_none()
    };
    takes.iter().filter(is_rest).collect()
}

/// The game shows it, and it lies on the canvas.
pub(super) fn accept(canvas: &mut Canvas, desk: &mut Desk<'_>, candidate: &Take) {
    let (shot, take) = (candidate.shot.clone(), candidate.id.clone());
    desk.actions.push(Action::Accept { shot, take });
    canvas.tried = None;
    canvas.go_to = Some(candidate.id.clone());
}

/// Puts a take away.
pub(super) fn discard(desk: &mut Desk<'_>, take: &Take) {
    desk.actions.push(Action::Discard { shot: take.shot.clone(), take: take.id.clone() });
}

/// Looks at the next candidate, or the one before, with the take itself at the beginning.
pub(super) fn walk(canvas: &mut Canvas, takes: &[Take], take: &Take, steps: isize) {
    let all: Vec<&TakeId> = tree::children(takes, take).map(|take| &take.id).collect();
    let at = canvas.candidate.as_ref().and_then(|id| all.iter().position(|other| *other == id));
    let next = at.map_or(0, |at| at + 1).saturating_add_signed(steps).min(all.len());
    canvas.candidate = next.checked_sub(1).map(|at| all[at].clone());
}

/// Before the candidate in view is put away: the next one comes into view, or the last, or none.
pub(super) fn walk_on_from(canvas: &mut Canvas, takes: &[Take], take: &Take) {
    let gone = canvas.candidate.clone();
    walk(canvas, takes, take, 1);
    if canvas.candidate == gone {
        walk(canvas, takes, take, -1);
    }
}

/// The place of a take among those of its shot, from 1.
pub(super) fn number(takes: &[Take], take: &Take) -> usize {
    takes.iter().position(|other| other.id == take.id).map_or(0, |at| at + 1)
}

/// Whether what is being drawn is made of this take.
fn is_of(desk: &Desk<'_>, take: &Take) -> bool {
    let edit = desk.current.as_ref().and_then(|view| view.job.recipe.edit.as_ref());
    edit.is_some_and(|edit| edit.parent.as_ref() == Some(&take.id))
}

#[cfg(test)]
mod tests {
    use egui::pos2;

    use super::*;

    #[test]
    fn of_two_pictures_beside_each_other_the_one_below_the_pointer_is_moved_and_zoomed() {
        let room = Rect::from_min_max(pos2(10.0, 20.0), pos2(410.0, 220.0));
        let mut comparison = Comparison::default();
        assert_eq!(comparison.room_at(room, pos2(50.0, 50.0)), room);
        comparison.way = Compare::Side;
        let [left, right] = [50.0, 350.0].map(|x| comparison.room_at(room, pos2(x, 50.0)));
        assert_eq!([left, right], halves(room));
        assert!(
            left.right() < right.left() && room.contains_rect(left) && room.contains_rect(right)
        );
        assert_eq!(left.size(), right.size());
    }
}
