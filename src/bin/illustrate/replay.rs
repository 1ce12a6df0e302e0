//! `illustrate replay`: redraws a picture from the recipe in its file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Instant,
};

use bevy_illustrator::{
    art::{Blobs, Provenance, TakeId, picture_file},
    control::{Interrupt, OnStep, Step},
    generator::{Drawn, GeneratorRegistry, Inputs},
    recipe::{Blob, BlobId, picture_hash},
};
use image::RgbaImage;
use serde::Serialize;

use crate::{
    failure::Failure,
    files::{Contents, Picture, picture},
    options::{DeviceOptions, check_model},
    output::{Existing, Format, OutputFile, Outputs, lossy_path, print, print_json},
    paths::absolute,
    progress::step_bar,
};

/// The folder of masks and scribbles in an art folder.
const BLOBS: &str = "blobs";

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
    device: DeviceOptions,
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
        let Picture { image: before, metadata } = picture(&self.picture)?;
        let (from, blobs) = picture_file::provenance_with_blobs(&self.picture)
            .map_err(|source| Failure::NoRecipe { path: self.picture.clone(), source })?;
        let parent = self.parent(&from)?;
        let out = self.begin(&from, parent.as_deref(), &blobs)?;
        let parent = parent.map(|file| picture(&file)).transpose()?.map(|parent| parent.image);
        self.check_size(before.dimensions(), &from, parent.as_ref())?;
        check_model(&from.recipe.model, &from.recipe.text_encoders, from.recipe.vae.as_deref())?;

        let inputs = Inputs { init_image: parent, blobs: self.blobs(&from, blobs)? };
        // Before anything is drawn.
        let contents = Contents::new(&from.recipe, &inputs.blobs, metadata)?;

        let began = Instant::now();
        let registry = GeneratorRegistry::built_in(self.device.load_options());
        let mut generator = registry.load_for(&from.recipe, &Interrupt::default())?;
        generator.prepare(&from.recipe, &Interrupt::default())?;
        let same_model = generator.card().hash == from.model.hash;
        if !same_model {
            log::warn!(
                "the picture was drawn with other weights of the model {}: the result may differ",
                from.model.name
            );
        }
        let precisions = [&generator.card().precision, &from.model.precision];
        if let [now, before] = precisions.map(|it| it.as_deref().unwrap_or("f32"))
            && now != before
        {
            log::warn!(
                "the picture was drawn in {before}, and is drawn in {now} now: the result differs. Add `--precision {before}`"
            );
        }
        let bar = step_bar(from.sampler.steps);
        let control = OnStep::new(Interrupt::default(), |step: Step| {
            bar.set_length(step.of.into());
            bar.set_position(step.done.into());
        });
        // Run inside the thread pool. Otherwise each operation would be sent to the pool separately.
        let drawn = rayon::scope(|_| generator.generate(&from.recipe, &inputs, &control))?;
        bar.finish_and_clear();

        let Drawn { image: now, losses } = drawn;
        let card = generator.card().clone();
        let provenance = Provenance::now(from.recipe, card, began.elapsed());
        let provenance = Provenance { losses, ..provenance };
        let png = contents.png(&now, &provenance);
        let file = out.finish(&png.map_err(Failure::file("write", &self.out))?)?;
        let differing = before.pixels().zip(now.pixels()).filter(|(a, b)| a != b).count();
        let replayed = Replayed { file: &file, same_model, differing, took_ms: provenance.took_ms };
        if self.json { print_json(&replayed) } else { replayed.print() }
    }

    /// Begins the output file, which is none of the files that the recipe needs.
    fn begin(
        &self,
        from: &Provenance,
        parent: Option<&Path>,
        blobs: &BTreeMap<BlobId, Blob>,
    ) -> Result<OutputFile, Failure> {
        let mut outputs = Outputs::of_inputs([self.picture.as_path()].into_iter().chain(parent));
        if let Some(folder) = art_folder(&self.picture) {
            let ids = from.recipe.blobs();
            let needed = ids.filter(|id| !blobs.contains_key(id));
            let files = needed.map(|id| folder.join(BLOBS).join(format!("{id}.png")));
            outputs.add_inputs(files.collect::<Vec<_>>().iter().map(PathBuf::as_path));
        }
        outputs.add_model(&from.recipe.model);
        let encoders = &from.recipe.text_encoders;
        from.recipe.vae.iter().chain(encoders).for_each(|file| outputs.add_model(file));
        from.recipe.loras.iter().for_each(|lora| outputs.add_model(&lora.file));
        from.recipe.components.values().for_each(|file| outputs.add_model(file));
        outputs.begin(&self.out, Format::Png, Existing::Replaced)
    }

    /// Checks that the recipe draws a picture of the size of the file.
    fn check_size(
        &self,
        was: (u32, u32),
        from: &Provenance,
        parent: Option<&RgbaImage>,
    ) -> Result<(), Failure> {
        let size = from.recipe.size;
        // The generator refuses another picture than the parent, whose size says nothing about this one.
        let edit = from.recipe.edit.as_ref();
        let is_parent = |image: &&RgbaImage| edit.is_some_and(|e| picture_hash(image) == e.picture);
        let of_parent = parent.filter(is_parent).map(RgbaImage::dimensions);
        let of_canvas = edit.and_then(|edit| edit.canvas).map(|it| (it.size.width, it.size.height));
        let is = of_canvas.or(of_parent).unwrap_or((size.width, size.height));
        if was == is {
            Ok(())
        } else {
            Err(Failure::OtherSize { path: self.picture.clone(), was, is })
        }
    }

    /// The file of the picture before the edit. `None` if the picture is not an edit.
    fn parent(&self, from: &Provenance) -> Result<Option<PathBuf>, Failure> {
        let Some(edit) = &from.recipe.edit else { return Ok(None) };
        let find = |take: &TakeId| find_take(&self.picture, take);
        let file = self.parent.clone().or_else(|| edit.parent.as_ref().and_then(find));
        file.map(Some).ok_or_else(|| Failure::NoParent { path: self.picture.clone() })
    }

    /// The masks and images of a recipe: those in the file, and the others from the art folder.
    fn blobs(
        &self,
        from: &Provenance,
        mut blobs: BTreeMap<BlobId, Blob>,
    ) -> Result<BTreeMap<BlobId, Blob>, Failure> {
        if let Some(folder) = art_folder(&self.picture) {
            Blobs::read(folder).read_missing(from.recipe.blobs(), &mut blobs)?;
        }
        Ok(blobs)
    }
}

/// The art folder that contains a take or a published picture, by its folder of masks and scribbles.
fn art_folder(picture: &Path) -> Option<PathBuf> {
    let picture = absolute(picture).ok()?;
    let mut folders = picture.ancestors().skip(1).take(3);
    folders.find(|folder| folder.join(BLOBS).is_dir()).map(Path::to_path_buf)
}

/// Finds the file of a take, given the file of another take of the same shot. Searches next to that
/// file, then in the folders of kept and discarded takes.
fn find_take(other: &Path, take: &TakeId) -> Option<PathBuf> {
    let name = format!("{take}.png");
    let shot = absolute(other).ok()?.parent()?.to_path_buf();
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
