//! Applies pointer input to the parts. Positions are in pixels of the picture, not in screen coordinates.

mod boxes;
mod object_tool;
mod strokes;

use egui::Modifiers;

use super::{
    session::Session,
    tool::{Tool, Tools},
};
use crate::{
    mask::{Area, Brush, Combine, Mask, objects::SelectionPrompt},
    recipe::Layer,
};
pub(super) use boxes::Edges;
use boxes::{area, held, pixel, resized};
use object_tool::SelectedObject;
use strokes::{ApplyStroke, erase, paint, scribble};

/// The interaction in progress.
#[derive(Debug, Default)]
pub(super) struct Interaction {
    pub gesture: Gesture,
    /// The points and the box that select the current object.
    pub pointing: SelectionPrompt,
    /// The part that contains the current object.
    pointed: Option<SelectedObject>,
    /// The way in which the object is combined with the part.
    object_combine: Combine,
    /// The end of the last stroke.
    last_stroke_end: Option<[f32; 2]>,
    /// The visible crop box.
    pub context: Option<Area>,
    /// The distance within which the pointer grabs an edge, in pixels of the picture.
    pub grab_distance: f32,
}

/// A gesture in progress.
#[derive(Debug, Default)]
pub(super) enum Gesture {
    #[default]
    None,
    Stroke {
        stroke: Mask,
        before: Box<Layer>,
        last: [f32; 2],
    },
    /// A lasso, or the corners of a polygon so far.
    Outline(Vec<[f32; 2]>),
    Drag {
        from: [f32; 2],
        to: [f32; 2],
    },
    /// Moves the crop box or some of its edges. `before` is the author's crop before the gesture.
    AdjustCrop {
        area: Area,
        edges: Edges,
        from: [f32; 2],
        before: Option<Area>,
    },
}

impl Interaction {
    /// Handles a press of the pointer's button.
    ///
    /// # Errors
    /// A message to the author if nothing can be done.
    pub fn press(
        &mut self,
        at: [f32; 2],
        keys: Modifiers,
        tools: &Tools,
        session: &mut Session,
    ) -> Result<(), String> {
        match tools.tool {
            Tool::Brush | Tool::Eraser | Tool::Scribble => {
                let layer = session.layer_for_tool()?;
                let from = self.last_stroke_end.filter(|_| keys.shift).unwrap_or(at);
                let stroke = Mask::empty(session.size.0, session.size.1);
                let before = Box::new(session.layers[layer].clone());
                self.gesture = Gesture::Stroke { stroke, before, last: from };
                self.drag(&[at], tools, session);
            }
            Tool::Lasso => self.gesture = Gesture::Outline(vec![at]),
            Tool::Polygon => match &mut self.gesture {
                Gesture::Outline(points) if closes(points, at, self.grab_distance) => {
                    self.finish(keys, tools, session)?;
                }
                Gesture::Outline(points) => points.push(at),
                gesture => *gesture = Gesture::Outline(vec![at]),
            },
            Tool::Crop if let Some((area, edges)) = self.held(at) => {
                self.gesture =
                    Gesture::AdjustCrop { area, edges, from: at, before: session.context };
            }
            Tool::Box | Tool::Object | Tool::Crop => {
                self.gesture = Gesture::Drag { from: at, to: at };
            }
            Tool::Colour => {
                let Some(picture) = session.picture.clone() else { return Ok(()) };
                let Some(pixel) = pixel(at, session.size) else { return Ok(()) };
                let new = Mask::from_colour(&picture, pixel, tools.tolerance, tools.connected);
                combine_mask(session, &new, combine_mode(tools, keys))?;
            }
            Tool::Hand => {}
        }
        Ok(())
    }

    /// Handles moves of the pointer along these points while its button is down.
    pub fn drag(&mut self, places: &[[f32; 2]], tools: &Tools, session: &mut Session) {
        let Some(&at) = places.last() else { return };
        match &mut self.gesture {
            Gesture::Stroke { stroke, before, last } => {
                let (brush, apply): (Brush, ApplyStroke) = match tools.tool {
                    Tool::Eraser => (tools.eraser, erase),
                    Tool::Scribble => (tools.scribble, scribble),
                    _ => (tools.brush, paint),
                };
                for &place in places {
                    brush.draw(stroke, *last, place);
                    *last = place;
                }
                self.last_stroke_end = Some(at);
                if let Some(layer) = session.selected() {
                    session.layers[layer] = (**before).clone();
                    apply(&mut session.layers[layer], stroke, tools.colour);
                }
            }
            Gesture::Outline(points) if tools.tool == Tool::Lasso => points.extend(places),
            Gesture::Drag { to, .. } => *to = at,
            Gesture::AdjustCrop { area, edges, from, .. } => {
                session.context = Some(resized(*area, *edges, *from, at, session.size));
            }
            Gesture::Outline(_) | Gesture::None => {}
        }
    }

    /// Handles a release of the pointer's button.
    ///
    /// # Errors
    /// A message to the author if nothing can be done.
    pub fn release(
        &mut self,
        keys: Modifiers,
        tools: &Tools,
        session: &mut Session,
    ) -> Result<(), String> {
        if tools.tool == Tool::Polygon {
            return Ok(());
        }
        match std::mem::take(&mut self.gesture) {
            Gesture::Outline(points) => {
                combine_outline(session, &points, combine_mode(tools, keys))
            }
            Gesture::Drag { from, to } => self.finish_drag(from, to, keys, tools, session),
            Gesture::Stroke { .. } | Gesture::AdjustCrop { .. } | Gesture::None => Ok(()),
        }
    }

    /// Closes a polygon, or finishes the current object.
    ///
    /// # Errors
    /// A message to the author if nothing can be done.
    pub fn finish(
        &mut self,
        keys: Modifiers,
        tools: &Tools,
        session: &mut Session,
    ) -> Result<(), String> {
        match std::mem::take(&mut self.gesture) {
            Gesture::Outline(points) => {
                return combine_outline(session, &points, combine_mode(tools, keys));
            }
            other => self.gesture = other,
        }
        self.reset_object();
        Ok(())
    }

    /// Cancels a stroke, an outline or a box. Returns whether there was one.
    pub fn cancel_gesture(&mut self, session: &mut Session) -> bool {
        match std::mem::take(&mut self.gesture) {
            Gesture::Stroke { before, .. } => {
                if let Some(layer) = session.selected() {
                    session.layers[layer] = *before;
                }
                true
            }
            Gesture::AdjustCrop { before, .. } => {
                session.context = before;
                true
            }
            Gesture::Outline(_) | Gesture::Drag { .. } => true,
            Gesture::None => false,
        }
    }

    /// Ends the gesture because another part or tool is selected. Keeps strokes and drops outlines.
    pub fn end_gesture(&mut self) {
        self.gesture = Gesture::None;
        self.reset_object();
    }

    /// Removes the last corner of an outline. Returns whether there was one.
    pub fn remove_last_corner(&mut self) -> bool {
        let Gesture::Outline(points) = &mut self.gesture else { return false };
        points.pop();
        if points.is_empty() {
            self.gesture = Gesture::None;
        }
        true
    }

    /// The visible crop box and its edges at the pointer, if it can be grabbed there.
    pub fn held(&self, at: [f32; 2]) -> Option<(Area, Edges)> {
        let area = self.context?;
        Some((area, held(area, at, self.grab_distance)?))
    }

    /// Cancels the gesture in progress, or else the current object.
    pub fn cancel(&mut self, session: &mut Session) {
        if !self.cancel_gesture(session) {
            self.revert_object(session);
            self.reset_object();
        }
    }

    /// Whether a gesture is in progress.
    pub fn is_busy(&self) -> bool {
        !matches!(self.gesture, Gesture::None)
    }

    /// Whether the marks change in every frame.
    pub fn changes_marks(&self) -> bool {
        matches!(self.gesture, Gesture::Stroke { .. } | Gesture::AdjustCrop { .. })
    }

    /// Whether masks change in every frame.
    pub fn is_painting(&self) -> bool {
        matches!(self.gesture, Gesture::Stroke { .. })
    }

    fn finish_drag(
        &mut self,
        from: [f32; 2],
        to: [f32; 2],
        keys: Modifiers,
        tools: &Tools,
        session: &mut Session,
    ) -> Result<(), String> {
        // The pointer may move a little during a click.
        let is_click = (from[0] - to[0]).abs().max((from[1] - to[1]).abs()) <= self.grab_distance;
        let area = area(from, to, session.size).filter(|_| !is_click);
        if self.pointed.is_some() && !self.is_object_unchanged(session) {
            self.reset_object();
        }
        match (tools.tool, area) {
            (Tool::Crop, area) => session.context = area,
            (Tool::Box, Some(area)) => {
                let (width, height) = session.size;
                combine_mask(
                    session,
                    &Mask::rectangle(width, height, area),
                    combine_mode(tools, keys),
                )?;
            }
            (Tool::Object, Some(area)) => {
                self.set_combine(combine_mode(tools, keys));
                self.pointing.area = Some(area);
                self.point(session)?;
            }
            (Tool::Object, None) => {
                let Some(pixel) = pixel(from, session.size) else { return Ok(()) };
                if keys.shift && !keys.command {
                    if self.pointing == SelectionPrompt::default() {
                        self.set_combine(tools.combine);
                    }
                    self.pointing.exclude.push(pixel);
                } else {
                    self.set_combine(combine_mode(tools, keys));
                    self.pointing.include.push(pixel);
                }
                self.point(session)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// The way in which a new outline is combined with the part. Ctrl and Ctrl+Shift override the tool's setting: they
/// subtract and intersect.
fn combine_mode(tools: &Tools, keys: Modifiers) -> Combine {
    match (keys.command, keys.shift) {
        (true, true) => Combine::Intersect,
        (true, false) => Combine::Subtract,
        _ => tools.combine,
    }
}

/// Whether a point is close enough to the first corner to close the polygon.
fn closes(corners: &[[f32; 2]], at: [f32; 2], grab_distance: f32) -> bool {
    let near = |first: &[f32; 2]| (first[0] - at[0]).hypot(first[1] - at[1]) <= grab_distance;
    corners.len() > 2 && corners.first().is_some_and(near)
}

/// Combines the inside of an outline with the part. Does nothing for fewer than three points.
fn combine_outline(
    session: &mut Session,
    points: &[[f32; 2]],
    combine_mode: Combine,
) -> Result<(), String> {
    if points.len() < 3 {
        return Ok(());
    }
    let (width, height) = session.size;
    combine_mask(session, &Mask::polygon(width, height, points), combine_mode)
}

/// Combines a mask with the part.
fn combine_mask(session: &mut Session, new: &Mask, combine_mode: Combine) -> Result<(), String> {
    let layer = session.layer_for_tool()?;
    session.layers[layer].mask.combine(new, combine_mode).map_err(|error| error.to_string())
}
