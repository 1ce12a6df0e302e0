//! What the pointer does to the parts, in pixels of the picture. It knows nothing of the screen.

mod boxes;
mod object_tool;
mod strokes;

use egui::Modifiers;

use super::{
    session::Session,
    tool::{Tool, Tools},
};
use crate::{
    mask::{Area, Brush, Combine, Mask, objects::Pointing},
    recipe::Layer,
};
pub(super) use boxes::Edges;
use boxes::{area, held, pixel, resized};
use object_tool::SelectedObject;
use strokes::{ApplyStroke, erase, paint, scribble};

/// What is under way.
#[derive(Debug, Default)]
pub(super) struct Interaction {
    pub gesture: Gesture,
    /// What the object tool was pointed at since it began with this object.
    pub pointing: Pointing,
    /// What came of that.
    pointed: Option<SelectedObject>,
    /// How the object goes together with the part.
    object_combine: Combine,
    /// Where the last stroke ended.
    last_stroke_end: Option<[f32; 2]>,
    /// The context box that is in sight.
    pub context: Option<Area>,
    /// How near to an edge takes hold of it, in pixels.
    pub grab_distance: f32,
}

/// What the pointer is in the middle of.
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
    /// The context box by its edges, and the one that was asked for before.
    AdjustCrop {
        area: Area,
        edges: Edges,
        from: [f32; 2],
        before: Option<Area>,
    },
}

impl Interaction {
    /// The button goes down.
    ///
    /// # Errors
    /// Why nothing can be done: for people.
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
            Tool::Context if let Some((area, edges)) = self.held(at) => {
                self.gesture =
                    Gesture::AdjustCrop { area, edges, from: at, before: session.context };
            }
            Tool::Box | Tool::Object | Tool::Context => {
                self.gesture = Gesture::Drag { from: at, to: at };
            }
            Tool::Colour => {
                let Some(picture) = session.picture.clone() else { return Ok(()) };
                let Some(pixel) = pixel(at, session.size) else { return Ok(()) };
                let new = Mask::of_colour(&picture, pixel, tools.tolerance, tools.connected);
                put(session, &new, how(tools, keys))?;
            }
            Tool::Hand => {}
        }
        Ok(())
    }

    /// The pointer moves to these places while the button is down.
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

    /// The button goes up.
    ///
    /// # Errors
    /// Why nothing can be done: for people.
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
            Gesture::Outline(points) => put_outline(session, &points, how(tools, keys)),
            Gesture::Drag { from, to } => self.finish_drag(from, to, keys, tools, session),
            Gesture::Stroke { .. } | Gesture::AdjustCrop { .. } | Gesture::None => Ok(()),
        }
    }

    /// Ends a polygon, or what the object tool was pointed at.
    ///
    /// # Errors
    /// Why nothing can be done: for people.
    pub fn finish(
        &mut self,
        keys: Modifiers,
        tools: &Tools,
        session: &mut Session,
    ) -> Result<(), String> {
        match std::mem::take(&mut self.gesture) {
            Gesture::Outline(points) => return put_outline(session, &points, how(tools, keys)),
            other => self.gesture = other,
        }
        self.reset_object();
        Ok(())
    }

    /// Gives up a stroke, an outline or a box; whether there was any.
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

    /// Another part or tool is taken up: what was painted so far stays, an outline is given up.
    pub fn end_gesture(&mut self) {
        self.gesture = Gesture::None;
        self.reset_object();
    }

    /// Takes back the last corner of an outline; whether there was one.
    pub fn remove_last_corner(&mut self) -> bool {
        let Gesture::Outline(points) = &mut self.gesture else { return false };
        points.pop();
        if points.is_empty() {
            self.gesture = Gesture::None;
        }
        true
    }

    /// The context box in sight and its edges, if the hand is on them.
    pub fn held(&self, at: [f32; 2]) -> Option<(Area, Edges)> {
        let area = self.context?;
        Some((area, held(area, at, self.grab_distance)?))
    }

    /// Gives up what is under way, or else the object that was pointed at.
    pub fn cancel(&mut self, session: &mut Session) {
        if !self.cancel_gesture(session) {
            self.revert_object(session);
            self.reset_object();
        }
    }

    /// Whether a stroke, an outline or a box is under way.
    pub fn is_busy(&self) -> bool {
        !matches!(self.gesture, Gesture::None)
    }

    /// Whether what is marked changes in every frame.
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
        // A hand that clicks trembles.
        let is_click = (from[0] - to[0]).abs().max((from[1] - to[1]).abs()) <= self.grab_distance;
        let area = area(from, to, session.size).filter(|_| !is_click);
        if self.pointed.is_some() && !self.is_object_unchanged(session) {
            self.reset_object();
        }
        match (tools.tool, area) {
            (Tool::Context, area) => session.context = area,
            (Tool::Box, Some(area)) => {
                let (width, height) = session.size;
                put(session, &Mask::rectangle(width, height, area), how(tools, keys))?;
            }
            (Tool::Object, Some(area)) => {
                self.set_combine(how(tools, keys));
                self.pointing.area = Some(area);
                self.point(session)?;
            }
            (Tool::Object, None) => {
                let Some(pixel) = pixel(from, session.size) else { return Ok(()) };
                if keys.shift && !keys.command {
                    if self.pointing == Pointing::default() {
                        self.set_combine(tools.combine);
                    }
                    self.pointing.exclude.push(pixel);
                } else {
                    self.set_combine(how(tools, keys));
                    self.pointing.include.push(pixel);
                }
                self.point(session)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// How a new outline goes together with the part: as the tool says, but Ctrl takes away and Ctrl+Shift
/// leaves what is in both.
fn how(tools: &Tools, keys: Modifiers) -> Combine {
    match (keys.command, keys.shift) {
        (true, true) => Combine::Intersect,
        (true, false) => Combine::Subtract,
        _ => tools.combine,
    }
}

/// Whether a corner is the first one again.
fn closes(corners: &[[f32; 2]], at: [f32; 2], grab_distance: f32) -> bool {
    let near = |first: &[f32; 2]| (first[0] - at[0]).hypot(first[1] - at[1]) <= grab_distance;
    corners.len() > 2 && corners.first().is_some_and(near)
}

/// Puts what lies within an outline into the part; within fewer than three points lies nothing.
fn put_outline(session: &mut Session, points: &[[f32; 2]], how: Combine) -> Result<(), String> {
    if points.len() < 3 {
        return Ok(());
    }
    let (width, height) = session.size;
    put(session, &Mask::polygon(width, height, points), how)
}

/// Puts what was marked into the part.
fn put(session: &mut Session, new: &Mask, how: Combine) -> Result<(), String> {
    let layer = session.layer_for_tool()?;
    session.layers[layer].mask.combine(new, how).map_err(|error| error.to_string())
}
