//! What the commands of the canvas do, whether a key or a button gives them.

use egui::{Modifiers, Popup, Ui, vec2};

use super::{Canvas, candidates, draw_bar, keymap::Command, session::Session, tool::Tool, tree};
use crate::{art::Take, panel::Desk, project::Action};

impl Canvas {
    /// What keys mean on the canvas.
    pub(super) fn keys(
        &mut self,
        ui: &Ui,
        session: &mut Session,
        desk: &mut Desk<'_>,
        take: &Take,
    ) {
        // What a menu is closed with must not put a candidate away.
        if !desk.has_keys || Popup::is_any_open(ui.ctx()) {
            return;
        }
        let takes = desk.project.art().takes(&take.shot);
        for command in ui.input_mut(|input| self.keymap.pressed(input, None)) {
            match command {
                Command::Use(tool) => self.take_tool(tool),
                Command::Smaller => self.tools.resize(1.0 / 1.25),
                Command::Larger => self.tools.resize(1.25),
                Command::Invert => {
                    if let Some(at) = session.selected().filter(|&at| !session.layers[at].locked) {
                        session.layers[at].mask = session.layers[at].mask.inverted();
                    }
                }
                Command::PartAbove | Command::PartBelow | Command::LastPart => {
                    self.choose(
                        session,
                        match command {
                            Command::PartAbove => session.part_by(-1),
                            Command::PartBelow => session.part_by(1),
                            _ => session.last_part(),
                        },
                    );
                }
                Command::Draw => self.draw(session, desk),
                Command::Stop => stop(desk, take),
                Command::StopAll => desk.actions.push(Action::CancelAll),
                Command::Accept => match self.candidates.in_view(takes) {
                    Some(candidate) => candidates::accept(self, desk, candidate),
                    None => {
                        self.note = self.hand.finish(Modifiers::NONE, &self.tools, session).err();
                    }
                },
                Command::Discard => match self.candidates.in_view(takes) {
                    Some(candidate) => {
                        self.candidates.walk_on_from(takes, take);
                        candidates::discard(desk, candidate);
                    }
                    None => {
                        self.hand.give_up(session);
                    }
                },
                Command::Previous => self.candidates.walk(takes, take, -1),
                Command::Next => self.candidates.walk(takes, take, 1),
                // Where the last corner was a slip, its key must not leave the take.
                Command::Back if self.drop_corner() => {}
                Command::Back => {
                    self.go_to = tree::parent(takes, take).map(|take| take.id.clone());
                }
                Command::Forth => {
                    self.go_to = tree::children(takes, take).last().map(|take| take.id.clone());
                }
                Command::Undo
                | Command::Redo
                | Command::Fit
                | Command::ActualSize
                | Command::Overlay => self.look(ui, command, session),
            }
        }
    }

    /// Undo, zoom, and whether the parts are seen.
    pub(super) fn look(&mut self, ui: &Ui, command: Command, session: &mut Session) {
        match command {
            Command::Undo if self.drop_corner() || self.hand.give_up_gesture(session) => {}
            Command::Undo | Command::Redo => {
                self.hand.point_anew();
                if command == Command::Undo {
                    session.undo();
                } else {
                    session.redo();
                }
            }
            Command::Fit => self.view.fit(),
            Command::ActualSize => {
                if let Some(room) = self.room {
                    let size = vec2(session.size.0 as f32, session.size.1 as f32);
                    self.view.set_zoom(1.0 / ui.pixels_per_point(), room, size);
                }
            }
            Command::Overlay => self.hidden = !self.hidden,
            _ => {}
        }
    }

    /// Takes back the last corner of a polygon; whether there was one.
    fn drop_corner(&mut self) -> bool {
        self.tools.tool == Tool::Polygon && self.hand.drop_corner()
    }

    /// Draws what the first button says, if it can be pressed; not in the midst of a stroke.
    pub(super) fn draw(&mut self, session: &Session, desk: &mut Desk<'_>) {
        if self.hand.is_painting() {
            return;
        }
        if let (parts, Ok(plan)) = draw_bar::said(self, session) {
            draw_bar::press(self, session, desk, parts, plan.asked);
        }
    }
}

/// Takes all jobs of a shot out of the queue.
pub(super) fn stop(desk: &mut Desk<'_>, take: &Take) {
    let jobs = desk.overview.jobs.iter().filter(|job| job.shot == take.shot);
    desk.actions.extend(jobs.map(|job| Action::Cancel(job.id)));
}
