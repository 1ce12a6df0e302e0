//! `illustrate replay`: redraws a picture from the recipe in its file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Instant,
};

use bevy_illustrator::{
    art::{Blobs, Provenance, TakeId, picture_file},
    control::{Interrupt, OnStep, Step},
    generator::{GeneratorRegistry, Inputs},
    recipe::{Blob, BlobId, PictureEdit},
};
use image::RgbaImage;
use serde::Serialize;

use crate::{
    failure::Failure,
    files::{Picture, picture, png},
    options::{DeviceOption, check_model},
    output::{Outputs, lossy_path, print, print_json},
    progress::step_bar,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    /// The picture: a take, or a picture written by `draw` or `edit`
    #[arg(long, value_name = "FILE.png")]
    picture: PathBuf,
    /// The parent of an edit, which is the picture before the edit [default: the take that the
    /// recipe names, found next to the picture or in its art folder]
    #[arg(long, value_name = "FILE.png")]
    parent: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceOption,
    /// The output file for the redrawn picture
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// The result, as `--json` prints it.
#[derive(Serialize)]
struct Replayed<'a> {
    #[serde(serialize_with = "lossy_path")]
    file: &'a Path,
    /// Whether the picture was originally drawn with the same weights.
    same_model: bool,
    /// The number of pixels that differ from the original picture.
    differing: usize,
    took_ms: u64,
}

impl Replay {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let inputs = [Some(&self.picture), self.parent.as_ref()];
        let inputs = inputs.into_iter().flatten().map(PathBuf::as_path);
        let out = Outputs::of_inputs(inputs).png(&self.out)?;
        let Picture { image: before, metadata } = picture(&self.picture)?;
        let (from, blobs) = picture_file::provenance_with_blobs(&self.picture)
            .map_err(|source| Failure::NoRecipe { path: self.picture.clone(), source })?;
        let parent = self.parent(&from)?;
        check_model(&from.recipe.model)?;

        let began = Instant::now();
        let registry = GeneratorRegistry::built_in(self.device.device);
        let mut generator = registry.load(&from.recipe.model, &Interrupt::default())?;
        let same_model = generator.card().hash == from.model.hash;
        if !same_model {
            log::warn!(
                "the picture was drawn with other weights of the model {}: the result may differ",
                from.model.name
            );
        }
        let bar = step_bar(from.sampler.steps);
        let control = OnStep::new(Interrupt::default(), |step: Step| {
            bar.set_length(step.of.into());
            bar.set_position(step.done.into());
        });
        let inputs = Inputs { init_image: parent, blobs: self.blobs(&from, blobs)? };
        // Run inside the thread pool. Otherwise each operation would be sent to the pool separately.
        let now = rayon::scope(|_| generator.generate(&from.recipe, &inputs, &control))?;
        bar.finish_and_clear();

        let card = generator.card().clone();
        let provenance = Provenance::now(from.recipe, card, began.elapsed());
        let png = png(&now, Some(&provenance), &inputs.blobs, &metadata);
        out.finish(&png.map_err(Failure::file("write", &self.out))?)?;
        let (was, is) = (before.dimensions(), now.dimensions());
        if was != is {
            return Err(Failure::OtherSize { path: self.picture.clone(), was, is });
        }
        let differing = before.pixels().zip(now.pixels()).filter(|(a, b)| a != b).count();
        let (file, took_ms) = (self.out.as_path(), provenance.took_ms);
        let replayed = Replayed { file, same_model, differing, took_ms };
        if self.json { print_json(&replayed) } else { replayed.print() }
    }

    /// The picture before the edit. `None` if the picture is not an edit.
    fn parent(&self, from: &Provenance) -> Result<Option<RgbaImage>, Failure> {
        let Some(edit) = &from.recipe.edit else { return Ok(None) };
        let find = |take: &TakeId| find_take(&self.picture, take);
        let file = self.parent.clone().or_else(|| edit.parent.as_ref().and_then(find));
        let file = file.ok_or_else(|| Failure::NoParent { path: self.picture.clone() })?;
        Ok(Some(picture(&file)?.image))
    }

    /// The masks and scribbles of an edit: those in the file, and the others from the art folder.
    fn blobs(
        &self,
        from: &Provenance,
        mut blobs: BTreeMap<BlobId, Blob>,
    ) -> Result<BTreeMap<BlobId, Blob>, Failure> {
        let folder = art_folder(&self.picture).map(Blobs::read);
        for id in from.recipe.edit.iter().flat_map(PictureEdit::blobs) {
            if let Some(folder) = folder.as_ref().filter(|_| !blobs.contains_key(id)) {
                blobs.insert(id.clone(), folder.get(id)?);
            }
        }
        Ok(blobs)
    }
}

/// The art folder that contains a take or a published picture, by its folder of masks and scribbles.
fn art_folder(picture: &Path) -> Option<PathBuf> {
    let picture = std::path::absolute(picture).ok()?;
    let mut folders = picture.ancestors().skip(1).take(3);
    folders.find(|folder| folder.join("blobs").is_dir()).map(Path::to_path_buf)
}

/// Finds the file of a take, given the file of another take of the same shot. Searches next to that
/// file, then in the folders of kept and discarded takes.
fn find_take(other: &Path, take: &TakeId) -> Option<PathBuf> {
    let name = format!("{take}.png");
    let shot = std::path::absolute(other).ok()?.parent()?.to_path_buf();
    let art = shot.parent()?.parent();
    let kinds = ["takes", "discarded"].map(|kind| Some(art?.join(kind).join(shot.file_name()?)));
    let folders = [Some(shot.clone())].into_iter().chain(kinds).flatten();
    // A link could lead to a private picture, whose pixels a foreign art folder must not show.
    let is_file = |file: &PathBuf| file.symlink_metadata().is_ok_and(|data| data.is_file());
    folders.map(|folder| folder.join(&name)).find(is_file)
}

impl Replayed<'_> {
    fn print(&self) -> Result<(), Failure> {
        let seconds = self.took_ms as f64 / 1000.0;
        let file = self.file.display();
        match self.differing {
            0 => print(&format!("Drew {file} in {seconds:.1} s: the same picture, bit for bit")),
            count => print(&format!("Drew {file} in {seconds:.1} s: {count} pixels differ")),
        }
    }
}
