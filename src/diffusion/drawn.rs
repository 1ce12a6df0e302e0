//! Finished pictures.

use image::RgbaImage;

use crate::loss::FinalLoss;

/// A finished picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// The picture.
    pub image: RgbaImage,
    /// The values of its losses. Empty if it has none.
    pub losses: Vec<FinalLoss>,
}

impl From<RgbaImage> for Drawn {
    /// A picture without losses.
    fn from(image: RgbaImage) -> Self {
        Self { image, losses: Vec::new() }
    }
}
