//! `illustrate edit`: redraws parts of a picture.

mod drawing;
mod files;
mod whole;

use std::path::{Path, PathBuf};

use bevy_illustrator::recipe::{Size, edit_file::EditFile};

use crate::{failure::Failure, output::warn_of_prompt};
pub(crate) use drawing::{EditDrawing, EditOptions};
pub(crate) use whole::{WholeEdit, WholeOptions};

#[derive(Debug, clap::Args)]
pub(crate) struct Edit {
    /// The picture
    #[arg(long, value_name = "FILE.png")]
    picture: PathBuf,
    /// The edit file: the parts and their edits. Masks are PNG files next to it, white where the
    /// picture may change
    #[arg(long, value_name = "EDIT.ron")]
    edit: PathBuf,
    #[command(flatten)]
    options: EditOptions,
}

impl Edit {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        self.options.check()?;
        let file = EditFile::read(&self.edit)?;
        let folder = self.edit.parent().unwrap_or(Path::new(""));
        let images = file.files().map(|image| folder.join(image)).collect::<Vec<_>>();
        let inputs = [&self.edit].into_iter().chain(&images).map(PathBuf::as_path);
        // Create the output files first, so that an unwritable path fails early.
        let outs = self.options.begin(&self.picture, inputs)?;
        let picture = self.options.picture(&self.picture)?;
        let size = Size::new(picture.image.width(), picture.image.height());
        let parts = file.load(folder, size)?;
        let texts = file.parts.iter().flat_map(|part| [&part.words, &part.negative_prompt]);
        for prompt in [&file.prompt, &file.negative_prompt, &file.style].into_iter().chain(texts) {
            warn_of_prompt(&self.edit.display().to_string(), prompt);
        }
        let EditFile { prompt, negative_prompt, style, context, canvas, tiled, score, .. } = file;
        let path = self.picture.clone();
        let drawing = EditDrawing {
            path,
            picture,
            prompt,
            negative_prompt,
            style,
            parts,
            context,
            canvas,
            tiled,
            score,
        };
        self.options.draw(drawing, outs)
    }
}
