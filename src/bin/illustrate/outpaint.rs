//! `illustrate outpaint`: draws what is around a picture, for example for another screen.

use bevy_illustrator::{
    diffusion::DiffusionError,
    edit::EditError,
    recipe::{Anchor, Canvas, Part, Size},
};

use crate::{
    edit::{WholeEdit, WholeOptions},
    failure::Failure,
    options::canvas_size,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Outpaint {
    #[command(flatten)]
    whole: WholeOptions,
    /// The size of the new picture in pixels. The picture keeps its own size in it
    #[arg(long, value_name = "WxH", value_parser = canvas_size)]
    size: Size,
    /// Where the picture lies across the new one
    #[arg(long, value_name = "PLACE", default_value = "middle", value_enum)]
    across: Across,
    /// Where the picture lies down the new one
    #[arg(long, value_name = "PLACE", default_value = "middle", value_enum)]
    down: Down,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Across {
    Left,
    Middle,
    Right,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Down {
    Top,
    Middle,
    Bottom,
}

impl Outpaint {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let across = match self.across {
            Across::Left => Anchor::Start,
            Across::Middle => Anchor::Middle,
            Across::Right => Anchor::End,
        };
        let down = match self.down {
            Down::Top => Anchor::Start,
            Down::Middle => Anchor::Middle,
            Down::Bottom => Anchor::End,
        };
        self.whole.run(&[], |picture| {
            let canvas = Canvas::around(picture, self.size, (across, down))
                .map_err(|error| DiffusionError::from(EditError::from(error)))?;
            let parts = vec![Part::margins(&canvas)];
            // A tile far from the picture would not continue it.
            Ok(WholeEdit { canvas: Some(canvas), parts, tiled: false })
        })
    }
}
