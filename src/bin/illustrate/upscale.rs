//! `illustrate upscale`: enlarges a picture, and draws its details in tiles.

use std::path::PathBuf;

use bevy_illustrator::{
    diffusion::DiffusionError,
    edit::EditError,
    recipe::{Canvas, EditKind, Part, PartEdit, Size, edit_file::read_mask},
};

use crate::{
    edit::{WholeEdit, WholeOptions},
    failure::Failure,
    options::strength,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Upscale {
    #[command(flatten)]
    whole: WholeOptions,
    /// The factor for width and height
    #[arg(long, value_name = "X", default_value_t = 2.0, value_parser = factor)]
    factor: f32,
    /// The denoising strength: 0.2 keeps the picture, 0.4 adds details
    #[arg(long, value_name = "X", default_value_t = 0.3, value_parser = strength)]
    strength: f32,
    /// A mask of the size of the picture: white pixels are enlarged, and no details are drawn there. Can be given several
    /// times
    #[arg(long, value_name = "MASK.png")]
    keep: Vec<PathBuf>,
}

impl Upscale {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        self.whole.run(&self.keep, |picture| {
            let canvas = Canvas::upscaled(picture, self.factor);
            canvas.check(picture).map_err(|error| DiffusionError::from(EditError::from(error)))?;
            let Size { width, height } = canvas.size;
            let kept = self.keep.iter().map(|path| {
                let mask = read_mask(path, picture)?.resized(width, height);
                Ok(Part::new("kept", mask, PartEdit::new(EditKind::Keep)))
            });
            let mut parts = kept.collect::<Result<Vec<_>, Failure>>()?;
            parts.push(Part::whole(canvas.size, self.strength));
            Ok(WholeEdit { canvas: Some(canvas), parts, tiled: true })
        })
    }
}

fn factor(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(factor @ 1.0..=8.0) => Ok(factor),
        _ => Err("expected a number from 1 to 8, such as 2".to_owned()),
    }
}
