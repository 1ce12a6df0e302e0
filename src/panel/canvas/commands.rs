//! Runs the commands of the canvas, from keys and buttons.

use egui::{Modifiers, Popup, Ui, vec2};

use super::{Canvas, candidates, draw_bar, keymap::Command, session::Session, tool::Tool, tree};
use crate::{art::Take, panel::context::PanelContext, project::Action};

impl Canvas {
    /// Runs the commands of pressed keys.
    pub(super) fn handle_keys(
        &mut self,
        ui: &Ui,
        session: &mut Session,
        cx: &mut PanelContext<'_>,
        take: &Take,
    ) {
        // A key that closes a menu must not also discard a candidate.
        if !cx.has_keys || Popup::is_any_open(ui.ctx()) {
            return;
        }
        let takes = cx.project.art().takes(&take.shot);
        for command in ui.input_mut(|input| self.keymap.pressed(input, None)) {
            match command {
                Command::Use(tool) => self.switch_tool(tool),
                Command::ShrinkBrush => self.tools.resize(1.0 / 1.25),
                Command::GrowBrush => self.tools.resize(1.25),
                Command::InvertMask => {
                    if let Some(at) = session.selected().filter(|&at| !session.layers[at].locked) {
                        session.layers[at].mask = session.layers[at].mask.inverted();
                    }
                }
                Command::PartAbove | Command::PartBelow | Command::PreviousPart => {
                    self.select_part(
                        session,
                        match command {
                            Command::PartAbove => session.part_at_offset(-1),
                            Command::PartBelow => session.part_at_offset(1),
                            _ => session.previous_part(),
                        },
                    );
                }
                Command::Draw => self.draw(ui, session, cx),
                Command::CancelJobs => cancel_jobs(cx, take),
                Command::CancelAllJobs => {
                    cx.request(Action::CancelAll);
                }
                Command::Accept => match self.candidates.selected(takes) {
                    Some(candidate) => candidates::accept(self, cx, candidate),
                    None => {
                        self.note =
                            self.interaction.finish(Modifiers::NONE, &self.tools, session).err();
                    }
                },
                Command::Discard => match self.candidates.selected(takes) {
                    Some(candidate) => {
                        self.candidates.select_neighbour(takes, take);
                        candidates::discard(cx, candidate);
                    }
                    None => {
                        self.interaction.cancel(session);
                    }
                },
                Command::PreviousCandidate => self.candidates.step(takes, take, -1),
                Command::NextCandidate => self.candidates.step(takes, take, 1),
                // During a polygon, Backspace removes the last corner instead of opening the parent.
                Command::GoToParent if self.remove_last_corner() => {}
                Command::GoToParent => {
                    self.next_take = tree::parent(takes, take).map(|take| take.id.clone());
                }
                Command::GoToChild => {
                    self.next_take = tree::children(takes, take).last().map(|take| take.id.clone());
                }
                Command::Undo
                | Command::Redo
                | Command::Fit
                | Command::ActualSize
                | Command::ToggleParts => self.run_view_command(ui, command, session),
            }
        }
    }

    /// Runs a command that needs only the open take: undo, redo, zoom, or showing the parts.
    pub(super) fn run_view_command(&mut self, ui: &Ui, command: Command, session: &mut Session) {
        match command {
            Command::Undo
                if self.remove_last_corner() || self.interaction.cancel_gesture(session) => {}
            Command::Undo | Command::Redo => {
                self.interaction.reset_object();
                if command == Command::Undo {
                    session.undo();
                } else {
                    session.redo();
                }
            }
            Command::Fit => self.view.fit(),
            Command::ActualSize => {
                if let Some(viewport) = self.viewport {
                    let size = vec2(session.size.0 as f32, session.size.1 as f32);
                    self.view.set_zoom(1.0 / ui.pixels_per_point(), viewport, size);
                }
            }
            Command::ToggleParts => self.parts_hidden = !self.parts_hidden,
            _ => {}
        }
    }

    /// Removes the last corner of a polygon. Returns whether there was one.
    fn remove_last_corner(&mut self) -> bool {
        self.tools.tool == Tool::Polygon && self.interaction.remove_last_corner()
    }

    /// Presses the first draw button, if it is enabled. Does nothing during a stroke.
    pub(super) fn draw(&mut self, ui: &Ui, session: &Session, cx: &mut PanelContext<'_>) {
        if self.interaction.is_painting() {
            return;
        }
        if let (parts, Ok(plan)) = draw_bar::parts_to_draw(ui, self, session) {
            draw_bar::request_edit(self, session, cx, parts, plan.requested_crop);
        }
    }
}

/// Cancels all jobs of a shot.
pub(super) fn cancel_jobs(cx: &mut PanelContext<'_>, take: &Take) {
    let jobs = cx.overview.jobs.iter().filter(|job| job.shot == take.shot);
    jobs.for_each(|job| {
        cx.request(Action::Cancel(job.id));
    });
}
