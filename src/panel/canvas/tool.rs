//! What the author holds in the hand.

use std::ops::RangeInclusive;

use egui::{Color32, Key};

use crate::mask::{Brush, Combine};

/// Something to mark parts with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Tool {
    /// Paints the part.
    #[default]
    Brush,
    /// Takes away from the part, and from what was scribbled in it.
    Eraser,
    /// Everything within a line drawn by hand.
    Lasso,
    /// Everything within corners.
    Polygon,
    /// Everything within a box.
    Box,
    /// Everything of a colour.
    Colour,
    /// The object that is clicked at.
    Object,
    /// A rough shape in colours.
    Scribble,
    /// What of the picture the model sees.
    Context,
    /// Moves the picture.
    Hand,
}

/// The diameters of brushes, in pixels.
pub(super) const BRUSH_SIZES: RangeInclusive<f32> = 1.0..=1000.0;

/// A hand's tool and the settings of all of them; each remembers its own.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    pub tool: Tool,
    pub brush: Brush,
    pub eraser: Brush,
    pub scribble: Brush,
    pub colour: Color32,
    /// How outlines, colours and objects are put together with what is in the part.
    pub combine: Combine,
    /// How far colours may differ and still be the same.
    pub tolerance: u8,
    /// Whether a colour is taken only as far as it reaches without a gap.
    pub connected: bool,
    /// The brushes have a size that suits a picture.
    is_scaled: bool,
}

impl Default for Tools {
    fn default() -> Self {
        Self {
            tool: Tool::default(),
            brush: Brush::default(),
            eraser: Brush::default(),
            scribble: Brush { size: 12.0, hardness: 1.0, opacity: 1.0 },
            colour: Color32::WHITE,
            combine: Combine::Add,
            tolerance: 32,
            connected: true,
            is_scaled: false,
        }
    }
}

impl Tool {
    /// All of them, in the order in which they lie on the table.
    pub const ALL: [Self; 10] = [
        Self::Brush,
        Self::Eraser,
        Self::Lasso,
        Self::Polygon,
        Self::Box,
        Self::Colour,
        Self::Object,
        Self::Scribble,
        Self::Context,
        Self::Hand,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Brush => "Brush",
            Self::Eraser => "Eraser",
            Self::Lasso => "Lasso",
            Self::Polygon => "Polygon",
            Self::Box => "Box",
            Self::Colour => "Colour",
            Self::Object => "Object",
            Self::Scribble => "Scribble",
            Self::Context => "Context",
            Self::Hand => "Hand",
        }
    }

    /// How it is used, in a sentence.
    pub(super) const fn usage(self) -> &'static str {
        match self {
            Self::Brush => {
                "Paint the part. Shift-click draws a straight line from the last stroke."
            }
            Self::Eraser => "Take away from the part, and from its scribble.",
            Self::Lasso => "Draw around the part.",
            Self::Polygon => {
                "Click at each corner; the first one, Enter or a double click closes it. Backspace takes the last one back, Esc gives up."
            }
            Self::Box => "Drag a box.",
            Self::Colour => "Click at a colour.",
            Self::Object => {
                "Click at an object, or drag a box around it; Shift-click at what does not belong to it."
            }
            Self::Scribble => {
                "Draw a rough shape in colours; Alt-click takes a colour from the picture."
            }
            Self::Context => {
                "What the model sees: drag the box or its edges, or drag another one; a click beside it leaves it to itself again."
            }
            Self::Hand => {
                "Click at a part to choose it, drag the picture to move it. Space or the middle button moves it with every tool."
            }
        }
    }

    /// The key that takes it into the hand, unless it was given another.
    pub(super) const fn default_key(self) -> Key {
        match self {
            Self::Brush => Key::B,
            Self::Eraser => Key::E,
            Self::Lasso => Key::L,
            Self::Polygon => Key::P,
            Self::Box => Key::U,
            Self::Colour => Key::G,
            Self::Object => Key::W,
            Self::Scribble => Key::D,
            Self::Context => Key::C,
            Self::Hand => Key::V,
        }
    }
}

impl Tools {
    /// The brush in the hand, if the tool is one.
    pub fn brush(&mut self) -> Option<&mut Brush> {
        match self.tool {
            Tool::Brush => Some(&mut self.brush),
            Tool::Eraser => Some(&mut self.eraser),
            Tool::Scribble => Some(&mut self.scribble),
            _ => None,
        }
    }

    /// Brushes for the first picture, by its shorter side: their usual sizes are for 512 pixels.
    pub fn scale_to_picture(&mut self, side: u32) {
        if !std::mem::replace(&mut self.is_scaled, true) {
            for brush in [&mut self.brush, &mut self.eraser, &mut self.scribble] {
                brush.size = (brush.size * side as f32 / 512.0).round().max(1.0);
            }
        }
    }

    /// A larger (or with a factor below 1 a smaller) brush.
    pub fn resize(&mut self, factor: f32) {
        if let Some(brush) = self.brush() {
            // At least by one pixel, so that small brushes change, too.
            let step = (brush.size * (factor - 1.0)).abs().max(1.0) * (factor - 1.0).signum();
            let (least, most) = BRUSH_SIZES.into_inner();
            brush.size = (brush.size + step).round().clamp(least, most);
        }
    }

    /// Whether outlines and the like are put together with what is in the part.
    pub fn combines(&self) -> bool {
        use Tool::{Box, Colour, Lasso, Object, Polygon};
        matches!(self.tool, Lasso | Polygon | Box | Colour | Object)
    }
}
