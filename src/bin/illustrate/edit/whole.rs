//! `illustrate img2img`, `outpaint` and `upscale`: edits of whole pictures, without an edit file.

use std::path::PathBuf;

use bevy_illustrator::{
    art::picture_file,
    recipe::{Canvas, Images, Part, Size, edit_file::LoadedEdit},
};

use super::{EditDrawing, EditOptions};
use crate::{failure::Failure, output::warn_of_prompt};

/// The options of commands that edit a whole picture.
#[derive(Debug, clap::Args)]
pub(crate) struct WholeOptions {
    /// The picture
    #[arg(long, value_name = "FILE.png")]
    picture: PathBuf,
    /// The prompt: what the new picture shows [default: the prompt in the file of the picture]
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// The negative prompt: what the new picture must not show [default: with the prompt in the file, that in the file]
    #[arg(long, value_name = "TEXT")]
    negative: Option<String>,
    #[command(flatten)]
    options: EditOptions,
}

/// An edit of a whole picture: the canvas, the parts, and whether the denoiser sees tiles.
pub(crate) struct WholeEdit {
    pub(crate) canvas: Option<Canvas>,
    pub(crate) parts: Vec<Part>,
    pub(crate) tiled: bool,
}

impl WholeOptions {
    /// Edits the picture. `inputs` are other files that the command reads. `plan` has the size of the picture.
    ///
    /// # Errors
    /// If the picture has no prompt and none is given, and as [`EditOptions::draw`].
    pub(crate) fn run(
        &self,
        inputs: &[PathBuf],
        plan: impl FnOnce(Size) -> Result<WholeEdit, Failure>,
    ) -> Result<(), Failure> {
        self.options.check()?;
        // Create the output files first, so that an unwritable path fails early.
        let outs = self.options.begin(&self.picture, inputs.iter().map(PathBuf::as_path))?;
        let picture = self.options.picture(&self.picture)?;
        let [prompt, negative_prompt] = self.prompts()?;
        for prompt in [&prompt, &negative_prompt] {
            warn_of_prompt("the prompt", prompt);
        }
        let WholeEdit { canvas, parts, tiled } =
            plan(Size::new(picture.image.width(), picture.image.height()))?;
        let (inspirations, losses, images) = (Vec::new(), Vec::new(), Images::new());
        let parts = LoadedEdit { parts, inspirations, losses, images };
        let drawing = EditDrawing {
            path: self.picture.clone(),
            picture,
            prompt,
            negative_prompt,
            style: String::new(),
            parts,
            context: None,
            canvas,
            tiled,
            score: false,
        };
        self.options.draw(drawing, outs)
    }

    /// The prompt and the negative prompt.
    fn prompts(&self) -> Result<[String; 2], Failure> {
        let negative = self.negative.clone();
        if let Some(prompt) = &self.prompt {
            return Ok([prompt.clone(), negative.unwrap_or_default()]);
        }
        let made = picture_file::provenance(&self.picture)
            .map_err(|source| Failure::NoPrompt { path: self.picture.clone(), source })?;
        let recipe = made.recipe.with_choices_made();
        Ok([recipe.prompt, negative.unwrap_or(recipe.negative_prompt)])
    }
}
