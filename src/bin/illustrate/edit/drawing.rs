//! Drawing an edit, whichever command describes it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Instant,
};

use bevy_illustrator::{
    art::{Provenance, TakeId, picture_file},
    control::{Interrupt, OnStep, Step},
    diffusion::{DiffusionError, Drawn, EditRequest, Noise, StepHook, Trace},
    edit::{EditError, placed},
    generator::{GenerateError, Inputs, load_model, prepare_model},
    loss::FinalLoss,
    mask::Area,
    recipe::{
        Canvas, PartRecipe, PictureEdit, Recipe, Sampler, Size, edit_file::LoadedEdit, picture_hash,
    },
};
use serde::Serialize;

use super::files::Out;
use crate::{
    best_of::{Candidate, Candidates, ScoredTake, print_scores, scored},
    failure::Failure,
    files::{Contents, Picture, latents},
    options::{DeviceOptions, SamplingOptions},
    output::{lossy_path, print, print_json},
    progress::{Loading, step_bar},
};

/// The options of commands that edit a picture.
#[derive(Debug, clap::Args)]
pub(crate) struct EditOptions {
    #[command(flatten)]
    pub(crate) sampling: SamplingOptions,
    #[command(flatten)]
    device: DeviceOptions,
    /// The output file. With several takes, take 2 is written to FILE-2.png and so on
    #[arg(long, value_name = "FILE.png")]
    pub(super) out: PathBuf,
    /// The number of takes, each with different noise
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(super) takes: u32,
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
    pub(super) noise: Option<PathBuf>,
    /// Write intermediate tensors to this file, as f32: those of `draw --dump` for the crop, and
    /// `blend_mask` (1, 1, height, width; from 0 to 1), `context_box` (the crop: x, y, width,
    /// height in pixels) and `denoise_mask` (1, 1, height, width in latents of the crop; from 0 to
    /// 1). With several takes, take 2 is written to FILE-2.safetensors and so on
    #[arg(long, value_name = "FILE.safetensors")]
    pub(super) dump: Option<PathBuf>,
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
            components: self.sampling.components(&BTreeMap::new()),
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
        let options = self.device.load_options();
        let interrupt = Interrupt::default();
        let loading = Loading::new(&interrupt);
        let (mut model, base) = load_model(&*package, &options, &recipe, &loading)?;
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
}

/// The take id of a picture with provenance. In an art folder it is the file name. For a copy elsewhere it is
/// computed from the provenance.
fn take_id(picture: &Path, provenance: &Provenance) -> TakeId {
    let name = picture.file_stem().and_then(|stem| TakeId::new(stem.to_str()?).ok());
    name.unwrap_or_else(|| provenance.take_id())
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
