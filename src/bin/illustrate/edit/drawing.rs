//! Drawing an edit, whichever command describes it.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use bevy_illustrator::{
    art::{Provenance, TakeId, picture_file},
    control::{Interrupt, OnStep, Step},
    diffusion::{DiffusionError, Drawn, EditRequest, Noise, StepHook, Trace},
    edit::{EditError, placed},
    generator::{GenerateError, Inputs, check_memory, load_model, prepare_model},
    loss::FinalLoss,
    mask::Area,
    picture::Metadata,
    recipe::{
        Canvas, PartRecipe, PictureEdit, Recipe, Sampler, Size, edit_file::LoadedEdit, picture_hash,
    },
};
use serde::Serialize;

use crate::{
    best_of::{Candidate, Candidates, ScoredTake, print_scores, scored},
    failure::Failure,
    files::{self, Contents, Picture, latents},
    options::{DeviceOption, SamplingOptions},
    output::{
        Existing, Format, OutputFile, Outputs, is_same_file, lossy_path, print, print_json,
        shortened,
    },
    progress::step_bar,
};

/// The options of commands that edit a picture.
#[derive(Debug, clap::Args)]
pub(crate) struct EditOptions {
    #[command(flatten)]
    pub(crate) sampling: SamplingOptions,
    #[command(flatten)]
    device: DeviceOption,
    /// The output file. With several takes, take 2 is written to FILE-2.png and so on
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,
    /// The number of takes, each with different noise
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    takes: u32,
    /// Draw N takes with different seeds, and write only the one whose losses fit best. The losses do not steer. A part
    /// without losses is compared by how well it shows its words, or what they change. Prints the seed and the values of
    /// each take, the best one first
    #[arg(
        long,
        value_name = "N",
        conflicts_with_all = ["noise", "takes"],
        value_parser = clap::value_parser!(u32).range(1..=100)
    )]
    best_of: Option<u32>,
    /// Start from the noise in this file instead of a seed: the tensor `latents` (1, channels,
    /// height, width) of the whole picture, standard normal, not yet scaled by the scheduler
    #[arg(long, value_name = "FILE.safetensors", conflicts_with = "seed")]
    noise: Option<PathBuf>,
    /// Write intermediate tensors to this file, as f32: those of `draw --dump` for the crop, and
    /// `blend_mask` (1, 1, height, width; from 0 to 1), `context_box` (the crop: x, y, width,
    /// height in pixels) and `denoise_mask` (1, 1, height, width in latents of the crop; from 0 to
    /// 1). With several takes, take 2 is written to FILE-2.safetensors and so on
    #[arg(long, value_name = "FILE.safetensors")]
    dump: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// The result for each take, as `--json` prints it.
#[derive(Serialize)]
struct Edited {
    #[serde(serialize_with = "lossy_path")]
    file: PathBuf,
    /// The crop that the model received, in pixels.
    context_box: Area,
    /// The number of pixels that may have changed.
    changed: usize,
    took_ms: u64,
    /// The values of the losses of the finished picture.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    losses: Vec<FinalLoss>,
    /// With `--best-of`, all takes that were drawn, the best one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    takes: Vec<ScoredTake>,
}

/// The files of a take.
pub(crate) struct Out {
    path: PathBuf,
    picture: OutputFile,
    dump: Option<OutputFile>,
}

/// An edit to draw.
pub(crate) struct EditDrawing {
    /// The file of the picture.
    pub(crate) path: PathBuf,
    pub(crate) picture: Picture,
    pub(crate) prompt: String,
    pub(crate) negative_prompt: String,
    pub(crate) style: String,
    pub(crate) parts: LoadedEdit,
    pub(crate) context: Option<Area>,
    pub(crate) canvas: Option<Canvas>,
    pub(crate) tiled: bool,
    pub(crate) score: bool,
}

impl EditOptions {
    /// Checks options that exclude each other.
    ///
    /// # Errors
    /// If the model cannot edit pictures.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.noise.is_some() && self.takes > 1 {
            let why =
                "all takes with the same noise would be equal: leave out --takes or --noise\n";
            clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, why).exit();
        }
        if self.sampling.optimizes_latents() {
            return Err(GenerateError::NoEdits { model: self.sampling.model_name() }.into());
        }
        Ok(())
    }

    /// Reads the picture to edit.
    ///
    /// # Errors
    /// If it cannot be read, is animated, or would be replaced by a file that does not keep all of it.
    pub(crate) fn picture(&self, path: &Path) -> Result<Picture, Failure> {
        let picture = files::picture(path)?;
        if picture.metadata.is_animated() {
            return Err(Failure::Animated { path: path.to_path_buf() });
        }
        self.check_losses(path, &picture.metadata)?;
        Ok(picture)
    }

    /// Draws an edit into the files of [`Self::begin`].
    ///
    /// # Errors
    /// If it is invalid, or cannot be drawn or written.
    pub(crate) fn draw(&self, drawing: EditDrawing, outs: Vec<Out>) -> Result<(), Failure> {
        let mut outs = outs.into_iter();
        let EditDrawing { path, picture, prompt, negative_prompt, style, parts, .. } = drawing;
        let EditDrawing { context, canvas, tiled, score, .. } = drawing;
        let LoadedEdit { parts, inspirations, losses, images } = parts;
        let Picture { mut image, metadata } = picture;
        self.sampling.print_random_seed();
        let made = picture_file::provenance(&path).ok();
        let mut edit = PictureEdit {
            parent: made.as_ref().map(|made| take_id(&path, made)),
            picture: picture_hash(&image),
            style,
            parts: parts.iter().map(PartRecipe::from).collect(),
            context,
            canvas,
            shot_size: None,
            tiled,
            origin: None,
            choice_seed: None,
        };
        if let Some(canvas) = &canvas {
            image =
                placed(&image, canvas).map_err(EditError::from).map_err(DiffusionError::from)?;
        }
        let size = Size::new(image.width(), image.height());
        let mut inputs = Inputs::default();
        inputs.add_parts(&parts);
        inputs.add_images(&images);
        let mut recipe = Recipe {
            prompt,
            negative_prompt,
            size,
            seed: self.sampling.seed().unwrap_or(0),
            take: 0,
            sampler: self.sampling.sampler(Sampler::default()),
            model: self.sampling.model_name(),
            vae: self.sampling.vae(None),
            text_encoders: self.sampling.text_encoders(&[]),
            loras: self.sampling.loras(&[]),
            inspirations: inspirations.clone(),
            losses: losses.clone(),
            score: score || self.best_of.is_some(),
            edit: None,
        };
        edit.choice_seed = made.filter(|_| recipe.has_choices()).map(|it| it.recipe.choice_seed());
        recipe.edit = Some(edit.clone());
        // Before anything is drawn.
        let contents = match self.noise {
            Some(_) => Contents::Metadata(metadata),
            None => Contents::new(&recipe, &inputs.blobs, metadata)?,
        };
        let package = self.sampling.package()?;
        let device = self.device.device;
        check_memory(&recipe.model, device)?;
        let interrupt = Interrupt::default();
        let (mut model, base) = load_model(&*package, device, &interrupt)?;
        let sampler = recipe.sampler.resolve(&base.defaults);
        let mut request = EditRequest {
            picture: image,
            prompt: recipe.prompt.clone(),
            negative_prompt: recipe.negative_prompt.clone(),
            parts,
            style: edit.style.clone(),
            context,
            tiled,
            sampler: sampler.clone(),
            noise: Noise::Seed(0),
            inspirations,
            losses,
            score: recipe.score,
            images,
        };
        let plan = model.plan_edit(&request)?;
        let changed = plan.blend_mask.values().iter().filter(|&&value| value > 0).count();
        let mut write = |candidate: Candidate, takes| {
            let Some(Out { path, picture, dump }) = outs.next() else { return Ok(None) };
            let Candidate { image, provenance, trace } = candidate;
            let png = contents.png(&image, &provenance);
            let file = picture.finish(&png.map_err(Failure::file("write", &path))?)?;
            if let Some(dump) = dump {
                dump.finish(&trace.to_safetensors()?)?;
            }
            let Provenance { took_ms, losses, .. } = provenance;
            let context_box = plan.crop;
            Ok::<_, Failure>(Some(Edited { file, context_box, changed, took_ms, losses, takes }))
        };
        let (mut done, mut candidates, mut written) =
            (Vec::new(), Candidates::default(), Vec::new());
        for take in 0..self.best_of.unwrap_or(self.takes) {
            let began = Instant::now();
            let recipe = recipe.with_take(take);
            // The choices of each take may name other files.
            let card = prepare_model(&mut model, &base, &recipe, &interrupt)?;
            let chosen = recipe.with_choices_made();
            let edit = chosen.edit.as_ref().unwrap_or(&edit);
            request.parts = inputs.parts(&edit.of_take(take)).map_err(GenerateError::from)?;
            request.style.clone_from(&edit.style);
            (request.prompt, request.negative_prompt) = (chosen.prompt, chosen.negative_prompt);
            (request.inspirations, request.losses) = (chosen.inspirations, chosen.losses);
            request.noise = match &self.noise {
                Some(noise) => Noise::Latents(latents(noise)?),
                None => Noise::Seed(recipe.noise_seed()),
            };
            let mut trace = Trace::default();
            let bar = step_bar(sampler.steps);
            let mut hooks: Vec<&mut dyn StepHook> = Vec::new();
            if self.dump.is_some() {
                trace.record_plan(&plan)?;
                hooks.push(&mut trace);
            }
            let control = OnStep::new(Interrupt::default(), |step: Step| {
                bar.set_length(step.of.into());
                bar.set_position(step.done.into());
            });
            // Run inside the thread pool. Otherwise each operation would be sent to the pool separately.
            let drawn = rayon::scope(|_| model.edit(&request, &control, &mut hooks))?;
            bar.finish_and_clear();
            trace.record_losses(&drawn.losses)?;
            let Drawn { image, losses } = drawn;
            let provenance = Provenance::now(recipe, card, began.elapsed());
            let provenance = Provenance { losses, ..provenance };
            let candidate = Candidate { image, provenance, trace };
            match self.best_of {
                Some(_) => candidates.add(candidate),
                None => {
                    written.push(candidate.provenance.clone());
                    done.extend(write(candidate, Vec::new())?);
                }
            }
        }
        let takes = match candidates.best() {
            Some((best, takes)) => {
                done.extend(write(best, takes.clone())?);
                takes
            }
            None => scored(&written),
        };
        if self.json {
            return print_json(&done);
        }
        done.iter().try_for_each(Edited::print)?;
        let names: Vec<_> = edit.parts.iter().map(|part| part.name.as_str()).collect();
        if recipe.score { print_scores(&takes, &names) } else { Ok(()) }
    }

    /// Begins the files of each take. The first picture may replace the picture that is edited.
    ///
    /// # Errors
    /// If a file cannot be written, or is one of the `inputs`.
    pub(crate) fn begin<'a>(
        &'a self,
        picture: &Path,
        inputs: impl IntoIterator<Item = &'a Path>,
    ) -> Result<Vec<Out>, Failure> {
        let inputs = inputs.into_iter().chain(self.noise.as_deref());
        let mut outputs = Outputs::of_inputs(inputs);
        outputs.add_model(&self.sampling.model_name());
        self.sampling.lora.iter().for_each(|lora| outputs.add_model(&lora.file));
        self.sampling.text_encoder.iter().for_each(|path| outputs.add_model(path));
        let mut begin = |take: u32| {
            let path = numbered(&self.out, take);
            let dump = self.dump.as_deref().map(|dump| numbered(dump, take));
            // The user did not type the names with numbers.
            let existing = if take == 0 { Existing::Replaced } else { Existing::Refused };
            let out = outputs.begin(&path, Format::Png, existing)?;
            outputs.add_inputs([picture]);
            let dump = dump.map(|dump| outputs.begin(&dump, Format::Safetensors, existing));
            Ok(Out { path, picture: out, dump: dump.transpose()? })
        };
        (0..self.takes).map(&mut begin).collect()
    }

    /// Warns of what the result does not keep.
    ///
    /// # Errors
    /// If the result would replace the picture, and so the only copy of what it does not keep.
    fn check_losses(&self, picture: &Path, metadata: &Metadata) -> Result<(), Failure> {
        let mut lost = Vec::new();
        if metadata.has_lost_profile() {
            lost.push("a colour profile for grey or CMYK pictures".to_owned());
        }
        if !metadata.lost_chunks().is_empty() {
            let names = metadata.lost_chunks().iter().map(|name| String::from_utf8_lossy(name));
            lost.push(format!("PNG chunks of other programs ({})", shortened(names)));
        }
        if metadata.has_more_data() {
            lost.push("data after the end of the picture".to_owned());
        }
        let is_in_place = is_same_file(&self.out, picture);
        if is_in_place && metadata.is_converted() {
            lost.push("its format, which is not PNG".to_owned());
        }
        if lost.is_empty() {
            return Ok(());
        }
        let lost = lost.join(" and ");
        if is_in_place {
            return Err(Failure::InPlace { path: picture.to_path_buf(), lost });
        }
        let path = picture.display();
        log::warn!("the result does not keep {lost}, which {path} has; keep that picture");
        Ok(())
    }
}

/// The take id of a picture with provenance. In an art folder it is the file name. For a copy elsewhere it is
/// computed from the provenance.
fn take_id(picture: &Path, provenance: &Provenance) -> TakeId {
    let name = picture.file_stem().and_then(|stem| TakeId::new(stem.to_str()?).ok());
    name.unwrap_or_else(|| provenance.take_id())
}

/// The output file of a take.
fn numbered(file: &Path, take: u32) -> PathBuf {
    if take == 0 {
        return file.to_path_buf();
    }
    let mut name = file.file_stem().unwrap_or_default().to_os_string();
    name.push(format!("-{}", take + 1));
    if let Some(extension) = file.extension() {
        name.push(".");
        name.push(extension);
    }
    file.with_file_name(name)
}

impl Edited {
    fn print(&self) -> Result<(), Failure> {
        let Self { file, context_box, changed, took_ms, .. } = self;
        let seconds = *took_ms as f64 / 1000.0;
        print(&format!(
            "Drew {} in {seconds:.1} s: at most {changed} pixels changed, the crop is {context_box}",
            file.display()
        ))
    }
}
