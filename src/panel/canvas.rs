//! The canvas: a take is looked at closely, its parts are marked, and what is to become of them is said
//! and drawn.

mod candidates;
mod commands;
mod draw_bar;
mod elsewhere;
mod hand;
mod history;
mod keymap;
mod keys_menu;
mod layout;
mod onlooker;
mod overlay;
mod part_form;
mod parts_list;
mod plans;
mod session;
mod stage;
mod tool;
mod tool_bar;
mod tree;
mod view;

use std::sync::Arc;

use egui::{Rect, Ui};

use super::{Desk, state::PanelState, takes_strip::looked_at, theme};
use crate::{
    art::{Take, TakeId},
    project::Action,
    storyboard::{Shot, ShotId},
};
use candidates::Comparison;
use hand::Hand;
pub(super) use onlooker::ObjectModel;
use plans::Planned;
use session::Session;
use stage::Overlay;
use tool::Tools;
use view::View;

pub use keymap::{Command, Keymap};
pub use tool::Tool;

/// Seconds without a change after which what is typed is kept.
const QUIET: f64 = 0.7;

/// What the canvas remembers between frames.
#[derive(Debug)]
pub(super) struct Canvas {
    pub keymap: Keymap,
    /// The keys that were kept are those of `keymap`.
    keys_known: bool,
    /// What the next key is to do from now on.
    awaits_key: Option<Command>,
    pub object_model: ObjectModel,
    session: Option<Session>,
    view: View,
    /// Where the picture was shown last.
    room: Option<Rect>,
    tools: Tools,
    hand: Hand,
    overlay: Overlay,
    /// The parts are not shown above the picture.
    hidden: bool,
    /// Why a tool did nothing.
    note: Option<String>,
    /// How many takes a press draws.
    takes: u32,
    plans: plans::Plans,
    /// What the button would draw.
    planned: Option<Arc<Planned>>,
    /// What the button below the pointer would draw.
    lit: Option<Arc<Planned>>,
    typed: part_form::Typed,
    /// The take that lies over the one on the canvas.
    candidate: Option<TakeId>,
    /// The newest take that was made of the one on the canvas.
    newest: Option<TakeId>,
    /// Whether something was drawn from here.
    awaited: bool,
    compare: Comparison,
    /// The game shows the candidate in view.
    live: bool,
    /// What the game was told to show for now.
    tried: Option<(ShotId, TakeId)>,
    /// The take that comes onto the canvas next.
    go_to: Option<TakeId>,
    changed_at: f64,
}

impl Default for Canvas {
    fn default() -> Self {
        Self {
            keymap: Keymap::default(),
            keys_known: false,
            awaits_key: None,
            object_model: ObjectModel::default(),
            session: None,
            view: View::default(),
            room: None,
            tools: Tools::default(),
            hand: Hand::default(),
            overlay: Overlay::default(),
            hidden: false,
            note: None,
            takes: 1,
            plans: plans::Plans::default(),
            planned: None,
            lit: None,
            typed: part_form::Typed::default(),
            candidate: None,
            newest: None,
            awaited: false,
            compare: Comparison::default(),
            live: false,
            tried: None,
            go_to: None,
            changed_at: 0.0,
        }
    }
}

/// The tab.
pub(super) fn canvas_tab(ui: &mut Ui, state: &mut PanelState, desk: &mut Desk<'_>) {
    let Some((shot, take)) = to_show(state, desk) else {
        let advice = "Choose a shot with a picture in the storyboard: its parts can be marked and drawn anew here.";
        theme::empty(ui, "No picture to work on", advice);
        desk.actions.extend(leave(&mut state.canvas));
        return;
    };
    // What is drawn meanwhile must not push it off the canvas.
    state.selection.take.get_or_insert_with(|| take.id.clone());
    let canvas = &mut state.canvas;
    if !std::mem::replace(&mut canvas.keys_known, true) {
        let kept = desk.project.art().keys();
        if !kept.is_empty() {
            canvas.keymap = Keymap::with_changes(kept);
        }
    }
    let now = ui.input(|input| input.time);
    let mut session = match canvas.session.take() {
        Some(mut session) if session.shot == take.shot && session.take == take.id => {
            if session.is_outdated(take, now) {
                // What was marked is kept first.
                match session.settle() {
                    Some(action) => desk.actions.push(action),
                    None => {
                        session = canvas.begin(ui, desk, take, Some(session.size));
                        let told = "The file of this picture has changed, and was read again.";
                        canvas.note = Some(told.to_owned());
                    }
                }
            }
            session
        }
        other => {
            let before = other.as_ref().map(|session| session.size);
            desk.actions.extend(other.and_then(|mut session| session.settle()));
            canvas.begin(ui, desk, take, before)
        }
    };
    for (pointing, mask) in session.poll() {
        let answered = canvas.hand.answered(&pointing, mask, &mut session);
        canvas.note = answered.err().or(canvas.note.take());
    }
    let takes = desk.project.art().takes(&take.shot);
    candidates::welcome(canvas, takes, take);
    canvas.keys(ui, &mut session, desk, take);

    layout::top_bar(ui, canvas, &mut session, desk, take, shot);
    if let Some(error) = &session.error {
        theme::error_box(ui, error, "");
    }
    if let Some(error) = desk.project.error(&take.shot) {
        let error = format!("Drawing failed: {error}");
        theme::error_box(ui, &error, "Set that right, then draw it again.");
    }
    let typing = layout::body(ui, canvas, &mut session, desk, take);
    let draws = typing
        .then(|| ui.input_mut(|input| canvas.keymap.pressed(input, Some(Command::Draw))).pop());
    if draws.flatten().is_some() {
        canvas.draw(&session, desk);
    }
    canvas.keep(ui, &mut session, desk, typing);
    canvas.try_on(desk, take);
    if let Some(next) = canvas.go_to.take() {
        canvas.carry(&session, desk, &next);
        state.selection.take = Some(next);
    }
    state.canvas.session = Some(session);
}

/// What was done to the parts is kept, and the game shows again what it should, before the canvas leaves
/// the sight.
pub(super) fn leave(canvas: &mut Canvas) -> Vec<Action> {
    canvas.hand.let_go();
    let kept = canvas.session.take().and_then(|mut session| session.settle());
    let tried = canvas.tried.take().map(|(shot, _)| Action::TryOn { shot, take: None });
    kept.into_iter().chain(tried).collect()
}

/// The shot in front and the take of it that the author looks at.
fn to_show<'a>(state: &PanelState, desk: &Desk<'a>) -> Option<(&'a Shot, &'a Take)> {
    let id = state.selection.front.as_ref()?;
    let shot = desk.project.board().shot(id)?;
    Some((shot, looked_at(&state.selection, desk, id, Some(shot))?))
}

impl Canvas {
    /// Another take comes onto the canvas, after one of `before` pixels.
    fn begin(
        &mut self,
        ui: &Ui,
        desk: &mut Desk<'_>,
        take: &Take,
        before: Option<(u32, u32)>,
    ) -> Session {
        desk.thumbnails.refresh(take);
        let size = take.recipe().size;
        if before != Some((size.width, size.height)) {
            // What was looked at closely there may be nowhere here.
            self.view.fit();
        }
        self.tools.suit(size.width.min(size.height));
        self.hand = Hand::default();
        self.candidate = None;
        self.awaited = false;
        self.newest = None;
        self.note = None;
        self.planned = None;
        self.typed = part_form::Typed::default();
        Session::open(ui.ctx(), desk.project, take, &self.object_model)
    }

    /// Takes a tool into the hand.
    fn take_tool(&mut self, tool: Tool) {
        if self.tools.tool != tool {
            self.hand.let_go();
            self.tools.tool = tool;
            self.note = None;
        }
    }

    /// Chooses a part, or none.
    fn choose(&mut self, session: &mut Session, part: Option<usize>) {
        self.let_go();
        session.select(part);
    }

    /// What is under way with the chosen part is over: another may be chosen next.
    fn let_go(&mut self) {
        self.hand.let_go();
        self.typed = part_form::Typed::default();
    }

    /// The colour of a pixel is what the next scribble is drawn with.
    fn pick_colour(&mut self, session: &Session, pixel: Option<(u32, u32)>) {
        let colour = session.picture.as_ref().zip(pixel).and_then(|(picture, (x, y))| {
            let [red, green, blue, _] = picture.get_pixel_checked(x, y)?.0;
            Some(egui::Color32::from_rgb(red, green, blue))
        });
        self.tools.colour = colour.unwrap_or(self.tools.colour);
    }

    /// Has the parts kept when a stroke, a word or the turn of a slider is done.
    fn keep(&mut self, ui: &Ui, session: &mut Session, desk: &mut Desk<'_>, typing: bool) {
        let (now, down) = ui.input(|input| (input.time, input.pointer.any_down()));
        if down || self.hand.is_busy() {
            self.changed_at = now;
        } else if !typing {
            desk.actions.extend(session.settle());
        } else if now - self.changed_at > QUIET {
            desk.actions.extend(session.keep());
            self.changed_at = now;
            ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(QUIET));
        }
    }

    /// Has the game show the candidate in view, or what it showed before.
    fn try_on(&mut self, desk: &mut Desk<'_>, take: &Take) {
        let wanted = self.candidate.clone().filter(|_| self.live);
        let wanted = wanted.map(|candidate| (take.shot.clone(), candidate));
        if wanted != self.tried {
            let shot =
                [&wanted, &self.tried].into_iter().flatten().next().map(|(shot, _)| shot.clone());
            if let Some(shot) = shot {
                let take = wanted.as_ref().map(|(_, take)| take.clone());
                desk.actions.push(Action::TryOn { shot, take });
            }
            self.tried = wanted;
        }
    }

    /// What was marked goes on to a take that was made of this one. What was scribbled is in the picture
    /// now, and verdicts were about the old one, where something was done.
    fn carry(&self, session: &Session, desk: &mut Desk<'_>, next: &TakeId) {
        let takes = desk.project.art().takes(&session.shot);
        let is_child = |take: &&Take| take.id == *next && take.parent() == Some(&session.take);
        let is_marked = desk.project.art().has_marks(&session.shot, next);
        if is_marked || !takes.iter().any(|take| is_child(&take)) {
            return;
        }
        let mut marks = session.marks();
        for layer in marks.layers.iter_mut().filter(|layer| layer.edit.is_some()) {
            layer.scribble = None;
            layer.verdict = crate::recipe::Verdict::None;
        }
        if marks.layers != session.layers {
            let (shot, take) = (session.shot.clone(), next.clone());
            desk.actions.push(Action::SetMarks { shot, take, marks });
        }
    }
}
