//! Canvases: the larger picture that an edit puts its picture on before it draws.

use serde::{Deserialize, Serialize};

use super::{Size, digest::Digester};
use crate::mask::{Area, Mask};

/// The maximum width and height of a [`Canvas`], in pixels: four screens of 1920 x 1080.
pub const MAX_CANVAS_SIDE: u32 = 4096;

/// A larger picture, with the original in a rectangle of it. The parts of the edit lie on the canvas.
///
/// If the rectangle is as large as the canvas, the picture is upscaled. If it has the size of the original, its
/// surroundings are drawn (outpainting).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canvas {
    /// Its size in pixels.
    pub size: Size,
    /// The rectangle that the original is resized to.
    pub picture: Area,
}

/// An invalid canvas.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CanvasError {
    /// The canvas is too large.
    #[error(
        "a canvas of {0} is too large: give at most {MAX_CANVAS_SIDE} pixels for width and height"
    )]
    TooLarge(Size),
    /// The picture has no pixels, or pixels outside the canvas.
    #[error(
        "the picture at {picture} does not lie on the canvas of {size}: move it, or enlarge the canvas"
    )]
    Outside {
        /// The rectangle of the picture.
        picture: Area,
        /// The size of the canvas.
        size: Size,
    },
    /// The rectangle has another aspect ratio than the picture.
    #[error("a picture of {picture} would be stretched to {to}: keep its aspect ratio")]
    Stretched {
        /// The size of the picture.
        picture: Size,
        /// The rectangle.
        to: Area,
    },
    /// A picture does not fit into the size that it shall have.
    #[error(
        "a picture of {picture} does not fit into {size}: choose a size that is at least as large"
    )]
    Smaller {
        /// The size of the picture.
        picture: Size,
        /// The requested size.
        size: Size,
    },
}

/// Where a picture lies along one side of a larger canvas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anchor {
    /// At the left or at the top.
    Start,
    /// In the middle.
    #[default]
    Middle,
    /// At the right or at the bottom.
    End,
}

impl Canvas {
    /// A canvas of this size that a picture fills.
    #[must_use]
    pub fn filled(size: Size) -> Self {
        Self { size, picture: Area { x: 0, y: 0, width: size.width, height: size.height } }
    }

    /// A canvas on which a picture is `factor` times as large. Sides are rounded to whole pixels.
    #[must_use]
    pub fn upscaled(picture: Size, factor: f32) -> Self {
        let side = |pixels: u32| (f64::from(pixels) * f64::from(factor)).round() as u32;
        Self::filled(Size::new(side(picture.width), side(picture.height)))
    }

    /// A canvas of this size around a picture, which keeps its own size.
    ///
    /// # Errors
    /// If the picture is wider or higher than the canvas.
    pub fn around(
        picture: Size,
        size: Size,
        (across, down): (Anchor, Anchor),
    ) -> Result<Self, CanvasError> {
        let smaller = || CanvasError::Smaller { picture, size };
        let x = size.width.checked_sub(picture.width).ok_or_else(smaller)?;
        let y = size.height.checked_sub(picture.height).ok_or_else(smaller)?;
        let Size { width, height } = picture;
        Ok(Self { size, picture: Area { x: across.of(x), y: down.of(y), width, height } })
    }

    /// Checks that the canvas is not too large, and that a picture of the size `original` lies on it, with its aspect ratio.
    ///
    /// # Errors
    /// If not.
    pub fn check(&self, original: Size) -> Result<(), CanvasError> {
        let Self { size, picture } = *self;
        if size.width.max(size.height) > MAX_CANVAS_SIDE {
            return Err(CanvasError::TooLarge(size));
        }
        let fits = |start: u32, length: u32, side: u32| {
            length > 0 && start.checked_add(length).is_some_and(|end| end <= side)
        };
        if !fits(picture.x, picture.width, size.width)
            || !fits(picture.y, picture.height, size.height)
        {
            return Err(CanvasError::Outside { picture, size });
        }
        // Sides are whole pixels, so the ratios of a picture and its copy may differ by a pixel.
        let product = |one: u32, other: u32| u64::from(one) * u64::from(other);
        let stretch = product(original.width, picture.height)
            .abs_diff(product(original.height, picture.width));
        if stretch > u64::from(original.width.max(original.height)) {
            return Err(CanvasError::Stretched { picture: original, to: picture });
        }
        Ok(())
    }

    /// The pixels outside the picture.
    #[must_use]
    pub fn margins(&self) -> Mask {
        let Area { x, y, width, height } = self.picture;
        let (columns, rows) = (x..x.saturating_add(width), y..y.saturating_add(height));
        Mask::from_fn(self.size.width, self.size.height, |column, row| {
            if columns.contains(&column) && rows.contains(&row) { 0 } else { u8::MAX }
        })
    }

    pub(super) fn feed(&self, digest: &mut Digester) {
        let Self { size, picture } = self;
        digest.number("width", size.width.into());
        digest.number("height", size.height.into());
        digest.area("picture", *picture);
    }
}

impl Anchor {
    /// The margin before the picture, of all free pixels along its side.
    fn of(self, free: u32) -> u32 {
        match self {
            Self::Start => 0,
            Self::Middle => free / 2,
            Self::End => free,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(x: u32, y: u32, width: u32, height: u32) -> Area {
        Area { x, y, width, height }
    }

    #[test]
    fn an_upscaled_picture_covers_its_canvas() {
        let canvas = Canvas::upscaled(Size::new(101, 64), 1.5);
        assert_eq!((canvas.size, canvas.picture), (Size::new(152, 96), area(0, 0, 152, 96)));
        assert_eq!(canvas.check(Size::new(101, 64)), Ok(()));
    }

    #[test]
    fn a_picture_lies_at_its_anchor() {
        let around = |anchor| {
            Canvas::around(Size::new(80, 60), Size::new(100, 65), anchor).map(|it| it.picture)
        };
        assert_eq!(around((Anchor::Middle, Anchor::Middle)), Ok(area(10, 2, 80, 60)));
        assert_eq!(around((Anchor::Start, Anchor::End)), Ok(area(0, 5, 80, 60)));
        let wide = Canvas::around(Size::new(101, 60), Size::new(100, 65), Default::default());
        let message = wide.unwrap_err().to_string();
        assert!(message.contains("101x60") && message.contains("100x65"), "{message}");
    }

    #[test]
    fn a_picture_outside_its_canvas_and_a_huge_canvas_are_refused() {
        let check = |width, height, picture| {
            let canvas = Canvas { size: Size::new(width, height), picture };
            canvas.check(Size::new(64, 64)).map_err(|error| error.to_string())
        };
        assert_eq!(check(64, 64, area(0, 0, 64, 64)), Ok(()));
        assert_eq!(check(4096, 4096, area(4000, 0, 96, 95)), Ok(()));
        for (picture, words) in [
            (area(1, 0, 64, 64), "64x64"),
            (area(0, 1, 64, 64), "64x64"),
            (area(0, 0, 0, 64), "64x64"),
            (area(0, 0, 64, 0), "64x64"),
            (area(u32::MAX, 0, 64, 64), "4294967295"),
            (area(0, 0, 64, 62), "stretched to 64x62"),
        ] {
            let message = check(64, 64, picture).unwrap_err();
            assert!(message.contains(words), "{message}");
        }
        assert!(check(4097, 64, area(0, 0, 64, 64)).unwrap_err().contains("4097x64"));
    }
}
