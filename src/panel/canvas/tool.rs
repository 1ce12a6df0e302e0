//! The tools and their settings.

use std::ops::RangeInclusive;

use egui::{Color32, Key};

use crate::mask::{Brush, Combine};

/// A tool for marking parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Tool {
    /// Paints the part.
    #[default]
    Brush,
    /// Erases from the part and from its scribble.
    Eraser,
    /// Adds everything inside a freehand line.
    Lasso,
    /// Adds everything inside a polygon.
    Polygon,
    /// Adds everything inside a box.
    Box,
    /// Adds everything of a colour.
    Colour,
    /// Adds the object that is clicked.
    Object,
    /// Draws a rough shape in colours.
    Scribble,
    /// Sets the crop given to the model.
    Crop,
    /// Selects parts and moves the picture.
    Hand,
}

/// The diameters of brushes, in pixels.
pub(super) const BRUSH_SIZES: RangeInclusive<f32> = 1.0..=1000.0;

/// The current tool and the settings of all tools.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    pub tool: Tool,
    pub brush: Brush,
    pub eraser: Brush,
    pub scribble: Brush,
    pub colour: Color32,
    /// The way in which outlines, colours and objects are combined with the part.
    pub combine: Combine,
    /// The maximum difference between the channels of two colours.
    pub tolerance: u8,
    /// Whether only the connected region of a colour is selected.
    pub connected: bool,
    /// Whether brush sizes were scaled to the first picture.
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
    /// All tools, in the order of the tool bar.
    pub const ALL: [Self; 10] = [
        Self::Brush,
        Self::Eraser,
        Self::Lasso,
        Self::Polygon,
        Self::Box,
        Self::Colour,
        Self::Object,
        Self::Scribble,
        Self::Crop,
        Self::Hand,
    ];

    /// The tool's name.
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
            Self::Crop => "Crop",
            Self::Hand => "Hand",
        }
    }

    /// Brief instructions for the tool.
    pub(super) const fn usage(self) -> &'static str {
        match self {
            Self::Brush => {
                "Paint the part. Shift-click draws a straight line from the last stroke."
            }
            Self::Eraser => "Remove from the part and from its scribble.",
            Self::Lasso => "Draw around the part.",
            Self::Polygon => {
                "Click each corner. The first corner, Enter or a double click closes the polygon. Backspace removes the last corner, Esc cancels."
            }
            Self::Box => "Drag a box.",
            Self::Colour => "Click a colour.",
            Self::Object => {
                "Click an object, or drag a box around it. Shift-click excludes an area from it."
            }
            Self::Scribble => {
                "Draw a rough shape in colours. Alt-click picks a colour from the picture."
            }
            Self::Crop => {
                "Set the crop given to the model: drag the box, its edges or a new box. A click outside the box makes it automatic again."
            }
            Self::Hand => {
                "Click a part to select it, drag to move the picture. Space or the middle button moves the picture with every tool."
            }
        }
    }

    /// The default key of the tool.
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
            Self::Crop => Key::C,
            Self::Hand => Key::V,
        }
    }
}

impl Tools {
    /// The current brush, if the tool is one.
    pub fn brush(&mut self) -> Option<&mut Brush> {
        match self.tool {
            Tool::Brush => Some(&mut self.brush),
            Tool::Eraser => Some(&mut self.eraser),
            Tool::Scribble => Some(&mut self.scribble),
            _ => None,
        }
    }

    /// Scales brush sizes, whose defaults are for 512 pixels, to the shorter side of the first picture. Later calls do
    /// nothing.
    pub fn scale_to_picture(&mut self, side: u32) {
        if !std::mem::replace(&mut self.is_scaled, true) {
            for brush in [&mut self.brush, &mut self.eraser, &mut self.scribble] {
                brush.size = (brush.size * side as f32 / 512.0).round().max(1.0);
            }
        }
    }

    /// Makes the brush larger, or smaller with a factor below 1.
    pub fn resize(&mut self, factor: f32) {
        if let Some(brush) = self.brush() {
            // By at least one pixel, so that small brushes change as well.
            let step = (brush.size * (factor - 1.0)).abs().max(1.0) * (factor - 1.0).signum();
            let (least, most) = BRUSH_SIZES.into_inner();
            brush.size = (brush.size + step).round().clamp(least, most);
        }
    }

    /// Whether the tool's mask is combined with that of the part.
    pub fn combines(&self) -> bool {
        use Tool::{Box, Colour, Lasso, Object, Polygon};
        matches!(self.tool, Lasso | Polygon | Box | Colour | Object)
    }
}
