//! The canvas: a take is looked at closely, its parts are marked, and what is to become of them is said
//! and drawn.

mod candidates;
mod commands;
mod compare;
mod draw_bar;
mod edit_plans;
mod history;
mod interaction;
mod keymap;
mod keys_menu;
mod layout;
mod overlay;
mod part_form;
mod parts_list;
mod propagation;
mod session;
mod stage;
mod take_analysis;
mod tool;
mod tool_bar;
mod tree;
mod view;

use std::sync::Arc;

use egui::{Rect, Ui};

use super::{context::PanelContext, selection::Selection, theme};
use crate::{
    art::{Art, Take, TakeId},
    project::{Action, Project},
    storyboard::Shot,
};
use candidates::Candidates;
use compare::Comparison;
use edit_plans::EditPreview;
use interaction::Interaction;
use session::{RecentSessions, Session};
use stage::Overlay;
pub(super) use take_analysis::SegmenterModel;
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
    keys_loaded: bool,
    /// What the next key is to do from now on.
    rebinding: Option<Command>,
    pub segmenter_model: SegmenterModel,
    session: Option<Session>,
    /// The steps back on takes that were worked on before.
    memory: RecentSessions,
    /// Something else is in sight.
    away: bool,
    view: View,
    /// Where the picture was shown last.
    room: Option<Rect>,
    tools: Tools,
    interaction: Interaction,
    overlay: Overlay,
    /// The parts are not shown above the picture.
    hidden: bool,
    /// Why a tool did nothing.
    note: Option<String>,
    /// How many takes a press draws.
    takes: u32,
    plans: edit_plans::EditPlans,
    /// What the button would draw.
    edit_preview: Option<Arc<EditPreview>>,
    /// What the button below the pointer would draw.
    hovered_preview: Option<Arc<EditPreview>>,
    typed: part_form::Typed,
    candidates: Candidates,
    compare: Comparison,
    /// The take that comes onto the canvas next.
    next_take: Option<TakeId>,
    changed_at: f64,
}

impl Default for Canvas {
    fn default() -> Self {
        Self {
            keymap: Keymap::default(),
            keys_loaded: false,
            rebinding: None,
            segmenter_model: SegmenterModel::default(),
            session: None,
            memory: RecentSessions::default(),
            away: false,
            view: View::default(),
            room: None,
            tools: Tools::default(),
            interaction: Interaction::default(),
            overlay: Overlay::default(),
            hidden: false,
            note: None,
            takes: 1,
            plans: edit_plans::EditPlans::default(),
            edit_preview: None,
            hovered_preview: None,
            typed: part_form::Typed::default(),
            candidates: Candidates::default(),
            compare: Comparison::default(),
            next_take: None,
            changed_at: 0.0,
        }
    }
}

/// The tab.
pub(super) fn canvas_tab(
    ui: &mut Ui,
    canvas: &mut Canvas,
    selection: &mut Selection,
    cx: &mut PanelContext<'_>,
) {
    let Some((shot, take)) = to_show(selection, cx) else {
        let advice = "Choose a shot with a picture in the storyboard: its parts can be marked and drawn anew here.";
        theme::empty_state(ui, "No picture to work on", advice);
        cx.actions.extend(leave(canvas));
        return;
    };
    // What is drawn meanwhile must not push it off the canvas.
    selection.take.get_or_insert_with(|| take.id.clone());
    canvas.come_back(cx.project);
    if !std::mem::replace(&mut canvas.keys_loaded, true) {
        let kept = cx.project.art().keys();
        if !kept.is_empty() {
            canvas.keymap = Keymap::with_changes(kept);
        }
    }
    let now = ui.input(|input| input.time);
    let mut session = match canvas.session.take() {
        Some(mut session) if session.shot == take.shot && session.take == take.id => {
            if session.is_outdated(take, now) {
                // What was marked is kept first.
                match session.commit() {
                    Some(action) => cx.actions.push(action),
                    None => {
                        let before = session.size;
                        canvas.memory.keep(session);
                        session = canvas.begin(ui, cx, take, Some(before));
                        let told = "The file of this picture has changed, and was read again.";
                        canvas.note = Some(told.to_owned());
                    }
                }
            }
            session
        }
        Some(mut other) => {
            cx.actions.extend(other.commit());
            let before = other.size;
            canvas.memory.keep(other);
            canvas.begin(ui, cx, take, Some(before))
        }
        None => canvas.begin(ui, cx, take, None),
    };
    session.look_after(cx.project.art());
    for (pointing, mask) in session.poll() {
        let receive_mask = canvas.interaction.receive_mask(&pointing, mask, &mut session);
        canvas.note = receive_mask.err().or(canvas.note.take());
    }
    let takes = cx.project.art().takes(&take.shot);
    candidates::select_new_candidate(canvas, takes, take);
    canvas.keys(ui, &mut session, cx, take);

    layout::top_bar(ui, canvas, &mut session, cx, take, shot);
    if let Some(error) = &session.error {
        theme::error_box(ui, error, "");
    }
    if let Some(error) = cx.project.error(&take.shot) {
        let error = format!("Drawing failed: {error}");
        theme::error_box(ui, &error, "Set that right, then draw it again.");
    }
    let typing = layout::body(ui, canvas, &mut session, cx, take);
    let draws = typing
        .then(|| ui.input_mut(|input| canvas.keymap.pressed(input, Some(Command::Draw))).pop());
    if draws.flatten().is_some() {
        canvas.draw(&session, cx);
        // Keys mean the canvas again.
        ui.memory_mut(|memory| memory.focused().map(|field| memory.surrender_focus(field)));
    }
    canvas.keep(ui, &mut session, cx, typing);
    canvas.candidates.try_on(cx, take);
    if let Some(next) = canvas.next_take.take() {
        canvas.carry(&session, cx, &next);
        selection.take = Some(next);
    }
    canvas.session = Some(session);
}

/// What was done to the parts is kept, and the game shows again what it should, before the canvas leaves
/// the sight.
pub(super) fn leave(canvas: &mut Canvas) -> Vec<Action> {
    canvas.interaction.end_gesture();
    canvas.away = true;
    let kept = canvas.session.as_mut().and_then(Session::commit);
    kept.into_iter().chain(canvas.candidates.end_try()).collect()
}

/// The shot in front and the take of it that the author looks at.
fn to_show<'a>(selection: &Selection, cx: &PanelContext<'a>) -> Option<(&'a Shot, &'a Take)> {
    let id = selection.front.as_ref()?;
    let shot = cx.project.board().shot(id)?;
    Some((shot, cx.viewed_take(selection, id)?))
}

impl Canvas {
    /// The canvas is in sight again. What was marked by others meanwhile goes before what it remembers.
    fn come_back(&mut self, project: &Project) {
        if std::mem::take(&mut self.away)
            && self.session.as_mut().is_some_and(|session| !session.is_own(project.art()))
        {
            self.session = None;
        }
    }

    /// What the art could not keep goes to it once more when the canvas is left.
    pub fn try_again(&mut self, art: &Art) {
        if let Some(session) = &mut self.session {
            session.is_own(art);
        }
    }

    /// Another take comes onto the canvas, after one of `before` pixels.
    fn begin(
        &mut self,
        ui: &Ui,
        cx: &mut PanelContext<'_>,
        take: &Take,
        before: Option<(u32, u32)>,
    ) -> Session {
        cx.thumbnails.refresh(take);
        let size = take.recipe().size;
        if before != Some((size.width, size.height)) {
            // What was looked at closely there may be nowhere here.
            self.view.fit();
        }
        self.tools.scale_to_picture(size.width.min(size.height));
        self.interaction = Interaction::default();
        self.candidates.begin();
        self.note = None;
        self.edit_preview = None;
        self.typed = part_form::Typed::default();
        let mut session = Session::open(ui.ctx(), cx.project, take, &self.segmenter_model);
        self.memory.resume(&mut session);
        session
    }

    /// Takes a tool into the hand.
    fn take_tool(&mut self, tool: Tool) {
        if self.tools.tool != tool {
            self.interaction.end_gesture();
            self.tools.tool = tool;
            self.note = None;
        }
    }

    /// Chooses a part, or none.
    fn choose(&mut self, session: &mut Session, part: Option<usize>) {
        self.end_gesture();
        session.select(part);
    }

    /// What is under way with the chosen part is over: another may be chosen next.
    fn end_gesture(&mut self) {
        self.interaction.end_gesture();
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
    fn keep(&mut self, ui: &Ui, session: &mut Session, cx: &mut PanelContext<'_>, typing: bool) {
        let (now, down) = ui.input(|input| (input.time, input.pointer.any_down()));
        if down || self.interaction.changes_marks() {
            self.changed_at = now;
        } else if !typing {
            cx.actions.extend(session.commit());
        } else if now - self.changed_at > QUIET {
            cx.actions.extend(session.keep());
            self.changed_at = now;
            ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(QUIET));
        }
    }

    /// What was marked goes on to a take that was made of this one, and is its own from then on.
    fn carry(&self, session: &Session, cx: &mut PanelContext<'_>, next: &TakeId) {
        let art = cx.project.art();
        let child = art.take(&session.shot, next).ok();
        let child = child.filter(|take| take.parent() == Some(&session.take));
        let edit = child.and_then(|take| take.recipe().edit.as_ref());
        if let Some(edit) = edit.filter(|_| !art.has_marks(&session.shot, next)) {
            let (shot, take) = (session.shot.clone(), next.clone());
            let marks = session.marks().after(edit);
            cx.actions.push(Action::SetMarks { shot, take, marks });
        }
    }
}
