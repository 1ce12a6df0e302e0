//! `illustrate img2img`: draws a picture again, starting from its pixels.

use bevy_illustrator::recipe::{Canvas, Part, Size};

use crate::{
    edit::{WholeEdit, WholeOptions},
    failure::Failure,
    options::{canvas_size, strength},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Img2Img {
    #[command(flatten)]
    whole: WholeOptions,
    /// The denoising strength: 0.2 to 0.4 polishes, 0.5 to 0.7 changes, 1 keeps nothing
    #[arg(long, value_name = "X", default_value_t = 0.6, value_parser = strength)]
    strength: f32,
    /// The size of the new picture in pixels, of the same aspect ratio [default: that of the picture]
    #[arg(long, value_name = "WxH", value_parser = canvas_size)]
    size: Option<Size>,
}

impl Img2Img {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        self.whole.run(&[], |picture| {
            let canvas = self.size.map(Canvas::filled);
            let size = self.size.unwrap_or(picture);
            Ok(WholeEdit { canvas, parts: vec![Part::whole(size, self.strength)], tiled: false })
        })
    }
}
