//! `illustrate replay`: a picture drawn again from the recipe inside it.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use bevy_illustrator::{
    art::{Provenance, TakeId, picture_file},
    control::{Interrupt, OnStep, Step},
    generator::{GeneratorRegistry, Inputs},
};
use image::RgbaImage;
use serde::Serialize;

use crate::{
    failure::Failure,
    files::{picture, png},
    options::{DeviceOption, check_model},
    output::{AtomicFile, print, print_json},
    progress::step_bar,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    /// The picture: a take, or what `draw` or `edit` wrote
    #[arg(long, value_name = "FILE.png")]
    picture: PathBuf,
    /// Of an edit, the picture that it was made of [default: the take that the recipe names, where a take of
    /// the same shot would lie]
    #[arg(long, value_name = "FILE.png")]
    parent: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceOption,
    /// The picture as it is drawn now
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,
    /// Print what was drawn as JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Replayed<'a> {
    file: &'a Path,
    /// Whether the same weights drew it then.
    same_model: bool,
    /// Pixels that are not as they were, to the bit.
    differing: usize,
    took_ms: u64,
}

impl Replay {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let out = AtomicFile::create(&self.out)?;
        let before = picture(&self.picture)?;
        let from = picture_file::provenance(&self.picture)
            .map_err(|source| Failure::NoRecipe { path: self.picture.clone(), source })?;
        let parent = self.parent(&from)?;
        check_model(&from.recipe.model)?;

        let began = Instant::now();
        let registry = GeneratorRegistry::built_in(self.device.device);
        let mut generator = registry.load(&from.recipe.model, &Interrupt::default())?;
        let same_model = generator.card().hash == from.model.hash;
        if !same_model {
            eprintln!(
                "warning: other weights drew it, of {}: pictures may differ",
                from.model.name
            );
        }
        let bar = step_bar(from.sampler.steps);
        let control = OnStep::new(Interrupt::default(), |step: Step| {
            bar.set_length(step.of.into());
            bar.set_position(step.done.into());
        });
        let inputs = Inputs { init_image: parent };
        // Outside the pool, each tensor operation would be sent to it by itself.
        let now = rayon::scope(|_| generator.generate(&from.recipe, &inputs, &control))?;
        bar.finish_and_clear();

        let card = generator.card().clone();
        let provenance = Provenance::now(from.recipe, card, began.elapsed());
        let png = png(&now, Some(&provenance));
        out.finish(|file| file.write_all(&png?))?;
        let differing = before.pixels().zip(now.pixels()).filter(|(a, b)| a != b).count();
        let (file, took_ms) = (self.out.as_path(), provenance.took_ms);
        let replayed = Replayed { file, same_model, differing, took_ms };
        if self.json { print_json(&replayed) } else { replayed.print() }
    }

    /// The picture that an edit was made of.
    fn parent(&self, from: &Provenance) -> Result<Option<RgbaImage>, Failure> {
        let Some(edit) = &from.recipe.edit else { return Ok(None) };
        let lies = |take: &TakeId| lies_at(&self.picture, take);
        let file = self.parent.clone().or_else(|| edit.parent.as_ref().and_then(lies));
        let file = file.ok_or_else(|| Failure::NoParent { path: self.picture.clone() })?;
        picture(&file).map(Some)
    }
}

/// Where the file of a take lies, given that of another take of the same shot: beside it, or where the other
/// kind of takes is, kept or put away.
fn lies_at(other: &Path, take: &TakeId) -> Option<PathBuf> {
    let name = format!("{take}.png");
    let shot = std::path::absolute(other).ok()?.parent()?.to_path_buf();
    let art = shot.parent()?.parent();
    let kinds = ["takes", "discarded"].map(|kind| Some(art?.join(kind).join(shot.file_name()?)));
    let folders = [Some(shot.clone())].into_iter().chain(kinds).flatten();
    folders.map(|folder| folder.join(&name)).find(|file| file.exists())
}

impl Replayed<'_> {
    fn print(&self) -> Result<(), Failure> {
        let seconds = self.took_ms as f64 / 1000.0;
        let file = self.file.display();
        match self.differing {
            0 => print(&format!("Drew {file} in {seconds:.1} s: the same picture, to the bit")),
            count => print(&format!("Drew {file} in {seconds:.1} s: {count} pixels differ")),
        }
    }
}
