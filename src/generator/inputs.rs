//! The pictures that a recipe refers to.

use image::RgbaImage;

/// The pictures that a recipe refers to.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The picture that an edit changes.
    pub init_image: Option<RgbaImage>,
}
