//! What the pointer does to the parts, in pixels of the picture. It knows nothing of the screen.

use std::sync::Arc;

use egui::{Color32, Modifiers};
use image::{Pixel, Rgba, RgbaImage};

use super::{
    session::Session,
    tool::{Tool, Tools},
};
use crate::{
    mask::{Area, Brush, Combine, Mask, objects::Pointing},
    recipe::{EditKind, Layer, PartEdit, Scribble},
};

/// What is under way.
#[derive(Debug, Default)]
pub(super) struct Hand {
    pub gesture: Gesture,
    /// What the object tool was pointed at since it began with this object.
    pub pointing: Pointing,
    /// The part before that, and its mask.
    pointed: Option<(String, Mask)>,
    /// How the object goes together with the part.
    pointed_how: Combine,
    /// Where the last stroke ended.
    last_end: Option<[f32; 2]>,
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
    /// The context box by the pixel that was taken hold of.
    Move {
        area: Area,
        from: [f32; 2],
    },
}

impl Hand {
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
                let layer = session.for_tool()?;
                let from = self.last_end.filter(|_| keys.shift).unwrap_or(at);
                let stroke = Mask::empty(session.size.0, session.size.1);
                let before = Box::new(session.layers[layer].clone());
                self.gesture = Gesture::Stroke { stroke, before, last: from };
                self.drag(at, tools, session);
            }
            Tool::Lasso => self.gesture = Gesture::Outline(vec![at]),
            Tool::Polygon => match &mut self.gesture {
                Gesture::Outline(points) => points.push(at),
                gesture => *gesture = Gesture::Outline(vec![at]),
            },
            Tool::Context if let Some(area) = held(session.context, at) => {
                self.gesture = Gesture::Move { area, from: at };
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

    /// The pointer moves while the button is down.
    pub fn drag(&mut self, at: [f32; 2], tools: &Tools, session: &mut Session) {
        match &mut self.gesture {
            Gesture::Stroke { stroke, before, last } => {
                let (brush, apply): (Brush, fn(&mut Layer, &Mask, Color32)) = match tools.tool {
                    Tool::Eraser => (tools.eraser, erase),
                    Tool::Scribble => (tools.scribble, scribble),
                    _ => (tools.brush, paint),
                };
                brush.draw(stroke, *last, at);
                *last = at;
                self.last_end = Some(at);
                if let Some(layer) = session.selected() {
                    session.layers[layer] = (**before).clone();
                    apply(&mut session.layers[layer], stroke, tools.colour);
                }
            }
            Gesture::Outline(points) if tools.tool == Tool::Lasso => points.push(at),
            Gesture::Drag { to, .. } => *to = at,
            Gesture::Move { area, from } => {
                session.context = Some(moved(*area, *from, at, session.size));
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
            Gesture::Outline(points) => {
                let (width, height) = session.size;
                put(session, &Mask::polygon(width, height, &points), how(tools, keys))
            }
            Gesture::Drag { from, to } => self.boxed(from, to, keys, tools, session),
            Gesture::Stroke { .. } | Gesture::Move { .. } | Gesture::None => Ok(()),
        }
    }

    /// Ends a polygon, or what the object tool was pointed at; whether there was anything.
    ///
    /// # Errors
    /// Why nothing can be done: for people.
    pub fn finish(
        &mut self,
        keys: Modifiers,
        tools: &Tools,
        session: &mut Session,
    ) -> Result<bool, String> {
        if let Gesture::Outline(points) = &self.gesture {
            let (width, height) = session.size;
            let mask = Mask::polygon(width, height, points);
            self.gesture = Gesture::None;
            put(session, &mask, how(tools, keys))?;
            return Ok(true);
        }
        Ok(self.point_anew())
    }

    /// Gives up a stroke, an outline or a box; whether there was any.
    pub fn give_up_gesture(&mut self, session: &mut Session) -> bool {
        match std::mem::take(&mut self.gesture) {
            Gesture::Stroke { before, .. } => {
                if let Some(layer) = session.selected() {
                    session.layers[layer] = *before;
                }
                true
            }
            Gesture::Move { area, .. } => {
                session.context = Some(area);
                true
            }
            Gesture::Outline(_) | Gesture::Drag { .. } => true,
            Gesture::None => false,
        }
    }

    /// Gives up what is under way, or else the object that was pointed at; whether there was anything.
    pub fn give_up(&mut self, session: &mut Session) -> bool {
        if self.give_up_gesture(session) {
            return true;
        }
        if let Some((name, mask)) = self.pointed.take()
            && let Some(layer) = session.layers.iter_mut().find(|layer| layer.name == name)
        {
            layer.mask = mask;
        }
        self.point_anew()
    }

    /// Whether a stroke or a box is under way.
    pub fn is_busy(&self) -> bool {
        !matches!(self.gesture, Gesture::None)
    }

    /// The next click with the object tool begins with another object; whether there was one.
    pub fn point_anew(&mut self) -> bool {
        self.pointed = None;
        std::mem::take(&mut self.pointing) != Pointing::default()
    }

    fn boxed(
        &mut self,
        from: [f32; 2],
        to: [f32; 2],
        keys: Modifiers,
        tools: &Tools,
        session: &mut Session,
    ) -> Result<(), String> {
        let area = area(from, to, session.size);
        // A hand that clicks trembles.
        let area = area.filter(|area| area.width > 3 && area.height > 3);
        match (tools.tool, area) {
            (Tool::Context, area) => session.context = area,
            (Tool::Box, Some(area)) => {
                let (width, height) = session.size;
                put(session, &Mask::rectangle(width, height, area), how(tools, keys))?;
            }
            (Tool::Object, Some(area)) => {
                self.pointing.area = Some(area);
                self.point(keys, tools, session)?;
            }
            (Tool::Object, None) => {
                let Some(pixel) = pixel(from, session.size) else { return Ok(()) };
                let pixels = if keys.shift && !keys.command {
                    &mut self.pointing.exclude
                } else {
                    &mut self.pointing.include
                };
                pixels.push(pixel);
                self.point(keys, tools, session)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Asks what is pointed at. The network answers in a while, see [`Self::answered`].
    fn point(
        &mut self,
        keys: Modifiers,
        tools: &Tools,
        session: &mut Session,
    ) -> Result<(), String> {
        self.pointed_how = how(tools, keys);
        if session.ask(&self.pointing) {
            return Ok(());
        }
        let Some(objects) = &session.objects else {
            self.point_anew();
            return Err("the picture is still being looked at: click again in a moment".to_owned());
        };
        let new = objects.select(&self.pointing);
        self.put_pointed(&new, session)
    }

    /// The network has answered; what is not asked any more is left alone.
    ///
    /// # Errors
    /// Why nothing can be done: for people.
    pub fn answered(
        &mut self,
        pointing: &Pointing,
        mask: Result<Mask, String>,
        session: &mut Session,
    ) -> Result<(), String> {
        if *pointing != self.pointing { Ok(()) } else { self.put_pointed(&mask?, session) }
    }

    /// Puts what is pointed at in the place of what was before pointing at it.
    fn put_pointed(&mut self, new: &Mask, session: &mut Session) -> Result<(), String> {
        let layer = session.for_tool().inspect_err(|_| {
            self.pointing = Pointing::default();
        })?;
        let layer = &mut session.layers[layer];
        let (name, before) =
            self.pointed.get_or_insert_with(|| (layer.name.clone(), layer.mask.clone()));
        if *name == layer.name {
            layer.mask = before.clone();
        }
        layer.mask.combine(new, self.pointed_how).map_err(|error| error.to_string())
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

fn put(session: &mut Session, new: &Mask, how: Combine) -> Result<(), String> {
    let layer = session.for_tool()?;
    session.layers[layer].mask.combine(new, how).map_err(|error| error.to_string())
}

fn paint(layer: &mut Layer, stroke: &Mask, _: Color32) {
    // Both are as large as the picture: the session makes them so.
    let _ = layer.mask.combine(stroke, Combine::Add);
}

fn erase(layer: &mut Layer, stroke: &Mask, _: Color32) {
    let _ = layer.mask.combine(stroke, Combine::Subtract);
    if let Some(Scribble(image)) = &mut layer.scribble {
        let image = Arc::make_mut(image);
        for (pixel, &gone) in image.pixels_mut().zip(stroke.values()) {
            pixel.0[3] = pixel.0[3].min(u8::MAX - gone);
        }
        if image.pixels().all(|pixel| pixel.0[3] == 0) {
            layer.scribble = None;
        }
    }
}

/// What is scribbled is in the part, and something to add unless the author said otherwise.
fn scribble(layer: &mut Layer, stroke: &Mask, colour: Color32) {
    paint(layer, stroke, colour);
    let (width, height) = stroke.size();
    let nothing = || Scribble(Arc::new(RgbaImage::new(width, height)));
    let Scribble(image) = layer.scribble.get_or_insert_with(nothing);
    let [red, green, blue, _] = colour.to_array();
    for (pixel, &covered) in Arc::make_mut(image).pixels_mut().zip(stroke.values()) {
        if covered > 0 {
            pixel.blend(&Rgba([red, green, blue, covered]));
        }
    }
    layer.edit.get_or_insert_with(|| PartEdit::new(EditKind::Add));
}

/// The box, if a place lies in it.
fn held(area: Option<Area>, at: [f32; 2]) -> Option<Area> {
    let (x, y) = pixel(at, (u32::MAX, u32::MAX))?;
    area.filter(|area| area.contains(x, y))
}

/// A box moved from one place to another, as far as the picture reaches.
fn moved(area: Area, from: [f32; 2], to: [f32; 2], (width, height): (u32, u32)) -> Area {
    let along = |from: f32, to: f32, start: u32, length: u32, side: u32| {
        let most = side.saturating_sub(length);
        // Casting cuts off what lies outside.
        ((start as f32 + to - from).round() as u32).min(most)
    };
    let x = along(from[0], to[0], area.x, area.width, width);
    let y = along(from[1], to[1], area.y, area.height, height);
    Area { x, y, ..area }
}

/// The column and row of a place, if it lies in the picture.
fn pixel(at: [f32; 2], (width, height): (u32, u32)) -> Option<(u32, u32)> {
    let inside = (0.0..width as f32).contains(&at[0]) && (0.0..height as f32).contains(&at[1]);
    inside.then_some((at[0] as u32, at[1] as u32))
}

/// The pixels of a box between two places, if any lie in the picture.
fn area(from: [f32; 2], to: [f32; 2], (width, height): (u32, u32)) -> Option<Area> {
    // Casting cuts off what lies outside.
    let along = |a: f32, b: f32, side: u32| {
        let first = (a.min(b).floor() as u32).min(side);
        (first, (a.max(b).ceil() as u32).min(side) - first)
    };
    let (x, columns) = along(from[0], to[0], width);
    let (y, rows) = along(from[1], to[1], height);
    (columns > 0 && rows > 0).then_some(Area { x, y, width: columns, height: rows })
}
