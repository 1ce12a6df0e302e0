//! The canvas: the author views a take, marks its parts, sets their edits, and requests the drawing.

mod candidates;
mod commands;
mod compare;
mod draw_bar;
mod edit_plans;
mod enlarge_menu;
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
    art::{Take, TakeId},
    project::{Action, Request, Update},
    recipe::Marks,
    storyboard::{Shot, ShotId},
};
use candidates::Candidates;
use compare::Comparison;
use edit_plans::EditPreview;
use interaction::Interaction;
use session::{RecentSessions, SaveState, Session};
use stage::Overlay;
pub(super) use take_analysis::SegmenterModel;
use tool::Tools;
use view::View;

pub use keymap::{Command, Keymap};
pub use tool::Tool;

/// The interval at which marks are saved while the author types, in seconds.
const SAVE_INTERVAL: f64 = 0.7;

/// The state of the canvas between frames.
#[derive(Debug)]
pub(super) struct Canvas {
    pub keymap: Keymap,
    /// Whether the author's key bindings were loaded into `keymap`.
    keys_loaded: bool,
    /// The command that the next key press is bound to.
    rebinding: Option<Command>,
    pub segmenter_model: SegmenterModel,
    session: Option<Session>,
    /// Undo histories of previously opened takes.
    recent: RecentSessions,
    /// Whether the canvas is hidden.
    is_hidden: bool,
    view: View,
    /// The position of the picture in the last frame.
    viewport: Option<Rect>,
    tools: Tools,
    interaction: Interaction,
    overlay: Overlay,
    /// Whether the parts are hidden.
    parts_hidden: bool,
    /// The reason why a tool did nothing.
    note: Option<String>,
    /// The number of takes that a draw button requests.
    takes_per_press: draw_bar::TakesPerPress,
    plans: edit_plans::EditPlans,
    /// The preview of the first draw button's edit.
    edit_preview: Option<Arc<EditPreview>>,
    /// The preview of the edit of the draw button under the pointer.
    hovered_preview: Option<Arc<EditPreview>>,
    part_form: part_form::FormState,
    enlarge_form: enlarge_menu::EnlargeForm,
    candidates: Candidates,
    compare: Comparison,
    /// The take to open in the next frame.
    next_take: Option<TakeId>,
    /// Marks that are being saved for the take that opens next.
    carried_marks: Option<(ShotId, TakeId, SaveState)>,
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
            recent: RecentSessions::default(),
            is_hidden: false,
            view: View::default(),
            viewport: None,
            tools: Tools::default(),
            interaction: Interaction::default(),
            overlay: Overlay::default(),
            parts_hidden: false,
            note: None,
            takes_per_press: draw_bar::TakesPerPress::default(),
            plans: edit_plans::EditPlans::default(),
            edit_preview: None,
            hovered_preview: None,
            part_form: part_form::FormState::default(),
            enlarge_form: enlarge_menu::EnlargeForm::default(),
            candidates: Candidates::default(),
            compare: Comparison::default(),
            next_take: None,
            carried_marks: None,
            changed_at: 0.0,
        }
    }
}

/// Shows the tab.
pub(super) fn canvas_tab(
    ui: &mut Ui,
    canvas: &mut Canvas,
    selection: &mut Selection,
    cx: &mut PanelContext<'_>,
) {
    let Some((shot, take)) = viewed_take(selection, cx) else {
        let advice =
            "Select a shot with a picture on the storyboard. Then mark and edit its parts here.";
        theme::empty_state(ui, "No picture to edit", advice);
        cx.requests.extend(leave(canvas));
        return;
    };
    // A newly drawn take must not replace the open one.
    selection.take.get_or_insert_with(|| take.id.clone());
    canvas.resume();
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
                // Marks are saved before the file is read again.
                match session.commit() {
                    Some(request) => cx.requests.push(request),
                    None => {
                        let before = session.size;
                        canvas.recent.store(session);
                        session = canvas.begin(ui, cx, take, Some(before));
                        let note = "The file of this picture changed and was loaded again.";
                        canvas.note = Some(note.to_owned());
                    }
                }
            }
            session
        }
        Some(mut other) => {
            cx.requests.extend(other.commit());
            let before = other.size;
            canvas.recent.store(other);
            canvas.begin(ui, cx, take, Some(before))
        }
        None => canvas.begin(ui, cx, take, None),
    };
    for (pointing, mask) in session.poll() {
        let result = canvas.interaction.receive_mask(&pointing, mask, &mut session);
        canvas.note = result.err().or(canvas.note.take());
    }
    if !canvas.interaction.is_busy() {
        canvas.candidates.select_new_candidate(cx.project.art().takes(&take.shot), take);
    }
    if session.is_loading() {
        // What the author did to parts that are not there yet would be lost.
        ui.disable();
    } else {
        canvas.handle_keys(ui, &mut session, cx, take);
    }

    layout::top_bar(ui, canvas, &mut session, cx, take, shot);
    if let Some(error) = &session.error {
        theme::error_box(ui, error, "");
    }
    if let Some(error) = cx.project.error(&take.shot).map(|error| error.to_string()) {
        let error = format!("Drawing failed: {error}");
        theme::error_box(ui, &error, "Fix the cause, then draw again.");
    }
    let typing = layout::body(ui, canvas, &mut session, cx, take);
    let draw_pressed = typing
        .then(|| ui.input_mut(|input| canvas.keymap.pressed(input, Some(Command::Draw))).pop());
    if draw_pressed.flatten().is_some() {
        canvas.draw(ui, &session, cx);
        // Returns the keyboard to the canvas.
        ui.memory_mut(|memory| memory.focused().map(|field| memory.surrender_focus(field)));
    }
    canvas.save_marks(ui, &mut session, cx, typing);
    canvas.candidates.update_trial(cx, take);
    if let Some(next) = canvas.next_take.take() {
        canvas.carry_marks(&session, cx, &next);
        selection.take = Some(next);
    }
    canvas.session = Some(session);
}

/// Call this before the canvas is hidden. Returns the requests that save the marks and end the trial of a candidate
/// in the game.
pub(super) fn leave(canvas: &mut Canvas) -> Vec<Request> {
    canvas.interaction.end_gesture();
    if !std::mem::replace(&mut canvas.is_hidden, true) {
        canvas.retry_save();
    }
    let save = canvas.session.as_mut().and_then(Session::commit);
    save.into_iter().chain(canvas.candidates.end_trial()).collect()
}

/// The selected shot, and its take to view.
fn viewed_take<'a>(selection: &Selection, cx: &PanelContext<'a>) -> Option<(&'a Shot, &'a Take)> {
    let id = selection.front.as_ref()?;
    let shot = cx.project.board().shot(id)?;
    Some((shot, cx.viewed_take(selection, id)?))
}

impl Canvas {
    /// Processes an update of the project.
    pub fn receive(&mut self, update: &Update) {
        self.candidates.receive(update);
        self.recent.receive(update);
        if let Some(session) = &mut self.session {
            session.receive(update);
        }
        if let Some((shot, take, save)) = &mut self.carried_marks {
            save.receive(update, (shot, take));
        }
    }

    /// Call this when the canvas is shown again. Marks that other code saved in the meantime replace the open marks.
    fn resume(&mut self) {
        if std::mem::take(&mut self.is_hidden) {
            self.session.take_if(|session| session.is_overwritten());
            self.retry_save();
        }
    }

    /// Makes the next save request refused marks again.
    pub fn retry_save(&mut self) {
        if let Some(session) = &mut self.session {
            session.retry_save();
        }
    }

    /// Opens a take. `before` is the size of the previous one, in pixels.
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
            self.enlarge_form = enlarge_menu::EnlargeForm::default();
            // The visible section of the previous picture may not exist in this one.
            self.view.fit();
        }
        self.tools.scale_to_picture(size.width.min(size.height));
        self.interaction = Interaction::default();
        self.candidates.reset();
        self.note = None;
        self.edit_preview = None;
        self.part_form = part_form::FormState::default();
        let carried_marks = self.carried_marks.take().filter(|(_, id, _)| *id == take.id);
        let carried_marks = carried_marks.map(|(.., save)| save);
        let is_new = carried_marks.is_some();
        let mut session =
            Session::open(ui.ctx(), cx.project, take, &self.segmenter_model, carried_marks);
        if !is_new {
            self.recent.resume(&mut session);
        }
        session
    }

    /// Switches to a tool.
    fn switch_tool(&mut self, tool: Tool) {
        if self.tools.tool != tool {
            self.interaction.end_gesture();
            self.tools.tool = tool;
            self.note = None;
        }
    }

    /// Selects a part; `None` deselects.
    fn select_part(&mut self, session: &mut Session, part: Option<usize>) {
        self.end_gesture();
        session.select(part);
    }

    /// Ends the gesture on the selected part, before another part is selected.
    fn end_gesture(&mut self) {
        self.interaction.end_gesture();
        self.part_form = part_form::FormState::default();
    }

    /// Sets the scribble's colour to that of a pixel.
    fn pick_colour(&mut self, session: &Session, pixel: Option<(u32, u32)>) {
        let colour = session.picture.as_ref().zip(pixel).and_then(|(picture, (x, y))| {
            let [red, green, blue, _] = picture.get_pixel_checked(x, y)?.0;
            Some(egui::Color32::from_rgb(red, green, blue))
        });
        self.tools.colour = colour.unwrap_or(self.tools.colour);
    }

    /// Saves the marks after each stroke and each change of a slider, and periodically while the author types.
    fn save_marks(
        &mut self,
        ui: &Ui,
        session: &mut Session,
        cx: &mut PanelContext<'_>,
        typing: bool,
    ) {
        let (now, down) = ui.input(|input| (input.time, input.pointer.any_down()));
        if down || self.interaction.changes_marks() {
            self.changed_at = now;
        } else if !typing {
            cx.requests.extend(session.commit());
        } else if now - self.changed_at > SAVE_INTERVAL {
            cx.requests.extend(session.save());
            self.changed_at = now;
            ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(SAVE_INTERVAL));
        }
    }

    /// Copies the marks to a child of the open take, unless the child has its own marks.
    fn carry_marks(&mut self, session: &Session, cx: &mut PanelContext<'_>, next: &TakeId) {
        let art = cx.project.art();
        let child = art.take(&session.shot, next).ok();
        let child = child.filter(|take| take.parent() == Some(&session.take));
        let edit = child.and_then(|take| take.recipe().edit.as_ref());
        let has_marks = session.is_loading() || art.has_marks(&session.shot, next);
        // Parts of a canvas have another size.
        if let Some(edit) = edit.filter(|edit| !has_marks && edit.canvas.is_none()) {
            let (shot, take) = (session.shot.clone(), next.clone());
            let marks = session.marks().after(edit);
            let action =
                Action::SetMarks { shot: shot.clone(), take: take.clone(), marks: marks.clone() };
            let mut save = SaveState::new(Marks::default());
            save.requested(cx.request(action), marks);
            self.carried_marks = Some((shot, take, save));
        }
    }
}
