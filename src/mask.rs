//! Masks: selections of the pixels of a picture.
//!
//! A [`Mask`] is a grey image of the same size as its picture: 255 selects a pixel fully, 0 does not select it, and
//! values between select it partly. Paint a mask with a [`Brush`], build it from a [polygon](Mask::polygon) or a
//! [colour](Mask::from_colour), or select [objects](objects::Objects) by clicking; [MobileSAM](sam::Sam) selects
//! objects too. Masks can be grown, shrunk, feathered and inverted, and their holes filled.

mod brush;
mod colour;
mod morphology;
pub mod objects;
pub mod sam;
mod shapes;
pub(crate) mod text;
mod visible;

use std::{fmt, io, sync::Arc};

use image::{
    DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma,
    imageops::{self, FilterType},
};
use imageproc::region_labelling::{Connectivity, connected_components};
use serde::{Deserialize, Serialize};

use crate::picture::{DecodeError, Undecoded};

pub use brush::Brush;
pub(crate) use visible::over_grey;

/// The selected pixels of a picture: 255 is fully selected, 0 is not selected.
///
/// Clones share their pixels until one of them changes. Text formats store a mask as a base64 PNG.
#[derive(Clone, PartialEq, Eq)]
pub struct Mask(Arc<GrayImage>);

/// How [`Mask::combine`] merges a new mask into an existing one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Combine {
    /// Keep only the new mask.
    Replace,
    /// Select the pixels of either mask.
    #[default]
    Add,
    /// Remove the new mask from the existing one.
    Subtract,
    /// Select the pixels that are in both masks.
    Intersect,
}

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Area {
    /// The leftmost column.
    pub x: u32,
    /// The top row.
    pub y: u32,
    /// The number of columns.
    pub width: u32,
    /// The number of rows.
    pub height: u32,
}

/// An error of a mask.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaskError {
    /// The mask and its picture differ in size.
    #[error(
        "the mask is {}x{} pixels, the picture {}x{}: a mask must have the size of its picture",
        .mask.0, .mask.1, .picture.0, .picture.1
    )]
    Size {
        /// Width and height of the mask.
        mask: (u32, u32),
        /// Width and height of the picture.
        picture: (u32, u32),
    },
    /// The mask is too large, or is a Git LFS pointer.
    #[error("{0}")]
    Decode(DecodeError),
    /// The bytes are not a readable PNG.
    #[error("not a readable mask: {0}; save it as a grey PNG, white where the picture may change")]
    Png(#[from] image::ImageError),
}

impl Mask {
    /// Creates a mask that selects nothing.
    #[must_use]
    pub fn empty(width: u32, height: u32) -> Self {
        Self(Arc::new(GrayImage::new(width, height)))
    }

    /// Creates a mask that selects everything.
    #[must_use]
    pub fn full(width: u32, height: u32) -> Self {
        Self(Arc::new(GrayImage::from_pixel(width, height, Luma([u8::MAX]))))
    }

    /// Creates a mask from a function of column and row.
    pub fn from_fn(width: u32, height: u32, mut value: impl FnMut(u32, u32) -> u8) -> Self {
        Self(Arc::new(GrayImage::from_fn(width, height, |x, y| Luma([value(x, y)]))))
    }

    /// Reads a PNG of any colour type. The mask is the image's luminance, composited over black.
    ///
    /// # Errors
    /// If the bytes are not a readable PNG.
    pub fn from_png(bytes: &[u8]) -> Result<Self, MaskError> {
        Ok(Self::from_image(&Undecoded::open_png(bytes)?.upright()?))
    }

    /// The luminance of an image, composited over black.
    pub(crate) fn from_image(image: &DynamicImage) -> Self {
        let grey = image.to_luma_alpha8();
        Self::from_fn(grey.width(), grey.height(), |x, y| {
            let [lightness, opacity] = grey.get_pixel(x, y).0.map(u16::from);
            (lightness * opacity / 255) as u8
        })
    }

    /// Encodes the mask as a grey PNG.
    ///
    /// # Errors
    /// If the mask has no pixels.
    pub fn to_png(&self) -> Result<Vec<u8>, MaskError> {
        let mut bytes = io::Cursor::new(Vec::new());
        self.0.write_to(&mut bytes, ImageFormat::Png)?;
        Ok(bytes.into_inner())
    }

    /// Width and height in pixels.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        self.0.dimensions()
    }

    /// The value at column `x` and row `y`; 0 outside the picture.
    #[must_use]
    pub fn at(&self, x: u32, y: u32) -> u8 {
        self.0.get_pixel_checked(x, y).map_or(0, |pixel| pixel.0[0])
    }

    /// All values in row-major order.
    #[must_use]
    pub fn values(&self) -> &[u8] {
        &self.0
    }

    /// The mask as a grey image.
    #[must_use]
    pub fn image(&self) -> &GrayImage {
        &self.0
    }

    /// Whether every value is 0.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|&value| value == 0)
    }

    /// The selected share of the picture, from 0 to 1. Grey pixels count partly.
    #[must_use]
    pub fn coverage(&self) -> f32 {
        let total: u64 = self.0.iter().map(|&value| u64::from(value)).sum();
        let max = (self.0.len() as u64 * u64::from(u8::MAX)).max(1);
        (total as f64 / max as f64) as f32
    }

    /// The smallest rectangle around all values above 0, or `None` for an empty mask.
    #[must_use]
    pub fn bounds(&self) -> Option<Area> {
        let inside = self.0.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] > 0);
        inside.fold(None, |area: Option<Area>, (x, y, _)| {
            let pixel = Area { x, y, width: 1, height: 1 };
            Some(area.map_or(pixel, |area| area.union(pixel)))
        })
    }

    /// The smallest rectangle around all pixels in which the masks differ, or `None` if they are equal. Both masks
    /// must have the same size.
    #[must_use]
    pub fn diff_bounds(&self, other: &Self) -> Option<Area> {
        if Arc::ptr_eq(&self.0, &other.0) {
            return None;
        }
        diff_bounds(&self.0, &other.0, self.0.width())
    }

    /// Merges another mask of the same size into this one. [`Combine::Add`] keeps the larger of two values,
    /// [`Combine::Intersect`] the smaller one.
    ///
    /// # Errors
    /// If the sizes differ. This mask is unchanged then.
    pub fn combine(&mut self, other: &Self, how: Combine) -> Result<(), MaskError> {
        other.check_size(self.size())?;
        let values = Arc::make_mut(&mut self.0).iter_mut().zip(other.0.iter());
        match how {
            Combine::Replace => values.for_each(|(a, &b)| *a = b),
            Combine::Add => values.for_each(|(a, &b)| *a = (*a).max(b)),
            Combine::Subtract => values.for_each(|(a, &b)| *a = (*a).min(u8::MAX - b)),
            Combine::Intersect => values.for_each(|(a, &b)| *a = (*a).min(b)),
        }
        Ok(())
    }

    /// The complement of the mask.
    #[must_use]
    pub fn inverted(&self) -> Self {
        self.map(|value| u8::MAX - value)
    }

    /// Applies a function to each value.
    #[must_use]
    pub fn map(&self, mut change: impl FnMut(u8) -> u8) -> Self {
        let mut changed = self.clone();
        Arc::make_mut(&mut changed.0).iter_mut().for_each(|value| *value = change(*value));
        changed
    }

    /// The part of the mask inside `area`, which must lie inside the picture.
    #[must_use]
    pub fn crop(&self, area: Area) -> Self {
        let Area { x, y, width, height } = area;
        Self(Arc::new(imageops::crop_imm(&*self.0, x, y, width, height).to_image()))
    }

    /// Scales the mask to a picture of another size, with bilinear filtering.
    #[must_use]
    pub fn resized(&self, width: u32, height: u32) -> Self {
        if self.size() == (width, height) {
            return self.clone();
        }
        Self(Arc::new(imageops::resize(&*self.0, width, height, FilterType::Triangle)))
    }

    /// Checks that the mask has the size of a picture.
    ///
    /// # Errors
    /// If the sizes differ.
    pub fn check_size(&self, picture: (u32, u32)) -> Result<(), MaskError> {
        let mask = self.size();
        if mask == picture { Ok(()) } else { Err(MaskError::Size { mask, picture }) }
    }
}

impl From<DecodeError> for MaskError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Image(error) => Self::Png(error),
            error => Self::Decode(error),
        }
    }
}

impl From<GrayImage> for Mask {
    fn from(image: GrayImage) -> Self {
        Self(Arc::new(image))
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, height) = self.size();
        write!(f, "Mask({width}x{height}, {:.1} %)", 100.0 * self.coverage())
    }
}

impl Area {
    /// The smallest rectangle around both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let (right, bottom) = (self.right().max(other.right()), self.bottom().max(other.bottom()));
        Self { x, y, width: right - x, height: bottom - y }
    }

    /// The first column to the right of the rectangle.
    #[must_use]
    pub fn right(self) -> u32 {
        self.x.saturating_add(self.width)
    }

    /// The first row below the rectangle.
    #[must_use]
    pub fn bottom(self) -> u32 {
        self.y.saturating_add(self.height)
    }

    /// Whether the pixel lies inside.
    #[must_use]
    pub fn contains(self, x: u32, y: u32) -> bool {
        (self.x..self.right()).contains(&x) && (self.y..self.bottom()).contains(&y)
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { x, y, width, height } = self;
        write!(f, "{width}x{height} at {x},{y}")
    }
}

/// The smallest rectangle around all pixels in which two images of the same width and height differ.
pub(crate) fn diff_bounds<T: PartialEq>(one: &[T], other: &[T], width: u32) -> Option<Area> {
    let width = (width as usize).max(1);
    let rows = one.chunks(width).zip(other.chunks(width)).enumerate();
    rows.fold(None, |area: Option<Area>, (y, (row, other))| {
        let differs = |x: &usize| row[*x] != other[*x];
        let Some(first) = (0..row.len()).find(differs) else { return area };
        let last = (first..row.len()).rfind(differs).unwrap_or(first);
        let (x, y) = (first as u32, y as u32);
        let row = Area { x, y, width: (last - first) as u32 + 1, height: 1 };
        Some(area.map_or(row, |area| area.union(row)))
    })
}

/// Labels the 4-connected regions of pixels above 0, from 1. Pixels at 0 get label 0.
fn label_regions(image: &GrayImage) -> ImageBuffer<Luma<u32>, Vec<u32>> {
    if image.len() == 1 {
        // imageproc's label counter overflows on a single pixel.
        return ImageBuffer::from_fn(1, 1, |x, y| Luma([image.get_pixel(x, y).0[0].min(1).into()]));
    }
    connected_components(image, Connectivity::Four, Luma([0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(rows: &[&[u8]]) -> Mask {
        Mask::from_fn(rows[0].len() as u32, rows.len() as u32, |x, y| rows[y as usize][x as usize])
    }

    #[test]
    fn masks_combine_pixel_by_pixel() {
        let (a, b) = (mask(&[&[0, 100, 255, 255]]), mask(&[&[255, 200, 0, 60]]));
        for (how, expected) in [
            (Combine::Replace, [255, 200, 0, 60]),
            (Combine::Add, [255, 200, 255, 255]),
            (Combine::Subtract, [0, 55, 255, 195]),
            (Combine::Intersect, [0, 100, 0, 60]),
        ] {
            let mut both = a.clone();
            both.combine(&b, how).unwrap();
            assert_eq!(both.values(), expected, "{how:?}");
        }
        let error = a.clone().combine(&Mask::empty(4, 2), Combine::Add).unwrap_err().to_string();
        assert!(error.contains("4x2") && error.contains("4x1"), "{error}");
    }

    #[test]
    fn bounds_enclose_every_pixel_above_zero() {
        let spots = mask(&[&[0, 0, 0, 0], &[0, 0, 1, 0], &[0, 255, 0, 0], &[0, 0, 0, 0]]);
        assert_eq!(spots.bounds(), Some(Area { x: 1, y: 1, width: 2, height: 2 }));
        assert_eq!(Mask::empty(3, 3).bounds(), None);
        assert_eq!(spots.crop(Area { x: 1, y: 1, width: 2, height: 2 }).values(), [0, 1, 255, 0]);
    }

    #[test]
    fn diff_bounds_enclose_every_difference() {
        let one = mask(&[&[0, 9, 0, 0], &[0, 0, 0, 0], &[7, 0, 0, 0]]);
        let other = mask(&[&[0, 9, 1, 0], &[0, 0, 0, 0], &[7, 3, 0, 0]]);
        assert_eq!(one.diff_bounds(&other), Some(Area { x: 1, y: 0, width: 2, height: 3 }));
        assert_eq!(one.diff_bounds(&one), None);
        assert_eq!(one.diff_bounds(&mask(&[&[0, 9, 0, 0], &[0, 0, 0, 0], &[7, 0, 0, 0]])), None);
    }

    #[test]
    fn resizing_keeps_the_selected_place() {
        let left = Mask::rectangle(16, 8, Area { x: 0, y: 0, width: 8, height: 8 });
        let larger = left.resized(48, 40);
        assert_eq!(larger.size(), (48, 40));
        assert_eq!([larger.at(10, 20), larger.at(38, 20)], [255, 0]);
        assert!((larger.coverage() - 0.5).abs() < 0.01);
        assert_eq!(larger.resized(16, 8).values()[..7], left.values()[..7]);
    }

    #[test]
    fn a_mask_survives_encoding_as_png() {
        let grey = Mask::from_fn(16, 16, |x, y| (y * 16 + x) as u8);
        assert_eq!(Mask::from_png(&grey.to_png().unwrap()).unwrap(), grey);
        assert!((grey.coverage() - 0.5).abs() < 1e-6);
        assert!(Mask::from_png(b"GIF89a").is_err());
    }

    #[test]
    fn transparent_pixels_are_not_selected() {
        let image =
            image::RgbaImage::from_fn(2, 1, |x, _| image::Rgba([255, 255, 255, x as u8 * 255]));
        let mut bytes = io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::Png).unwrap();
        assert_eq!(Mask::from_png(bytes.get_ref()).unwrap().values(), [0, 255]);
    }
}
