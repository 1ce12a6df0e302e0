//! `illustrate draw`: one picture from a prompt, without a story.
//!
//! `--noise` and `--dump` allow a numerical comparison with another program.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use bevy_illustrator::{
    art::{Provenance, picture_file::EncodeError},
    control::{Interrupt, OnStep, Step},
    diffusion::{DiffusionError, DrawError, Drawn, Noise, StepHook, Trace},
    foreign,
    generator::{GenerateError, Inputs, draw_request, load_model, prepare_model},
    loss::LossSetupError,
    picture,
    picture::{Metadata, PixelBudget},
    recipe::{BlobId, Images, Inspiration, Loss, MAX_SIDE, Recipe, Sampler, Size},
};
use serde::Serialize;

use crate::{
    best_of::{Candidate, Candidates, ScoredTake, print_scores},
    failure::Failure,
    files::{Contents, latents},
    inspirations, losses,
    options::{DeviceOptions, LookOptions},
    output::{Existing, Format, Outputs, lossy_path, print, print_json, warn_of_prompt},
    progress::{Loading, step_bar},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Draw {
    /// The prompt: what the picture shows
    #[arg(long, value_name = "TEXT")]
    prompt: String,
    /// The negative prompt: what the picture must not show
    #[arg(long, value_name = "TEXT", default_value = "")]
    negative: String,
    #[command(flatten)]
    look: LookOptions,
    #[command(flatten)]
    device: DeviceOptions,
    /// The output file. It contains the picture's provenance, unless `--noise` is given
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,
    /// Start from the noise in this file instead of a seed: the tensor `latents` (1, channels,
    /// height, width), standard normal, not yet scaled by the scheduler
    #[arg(long, value_name = "FILE.safetensors", conflicts_with = "seed")]
    noise: Option<PathBuf>,
    /// Write intermediate tensors to this file, as f32: `prompt_embeds`, `negative_prompt_embeds`,
    /// `timesteps`, `latents_0` (the noise, scaled by the scheduler), `latents_1` ... (after each
    /// step), `image` (1, 3, height, width; from -1 to 1), and `loss_all_N_KIND` (steps): the value
    /// of the Nth loss in each step, and `final_loss_all_N_KIND` (1): its value for the finished picture
    #[arg(long, value_name = "FILE.safetensors")]
    dump: Option<PathBuf>,
    /// Follow an inspiration: style:FILE, content:FILE, outline:FILE, scribble:FILE or text:WORDS, followed by :WEIGHT if
    /// it is not 1. Can be given several times
    #[arg(long = "inspire", value_name = "KIND:FILE[:WEIGHT]", value_parser = inspirations::parse)]
    inspirations: Vec<Inspiration<PathBuf>>,
    /// Steer the picture by a loss: text:WORDS, direction:WORDS=>WORDS, style:FILE, content:FILE, outline:FILE,
    /// colours:FILE, palette:#203060,#e0b040, total-variation, saturation:0.4, lightness:0.3 or latents:FILE, followed by
    /// :WEIGHT if it is not 1. Can be given several times
    #[arg(long = "loss", value_name = "KIND[:VALUE][:WEIGHT]", value_parser = losses::parse)]
    losses: Vec<Loss<PathBuf>>,
    /// Take the gradients of all losses through the network, which costs several times the time of a step
    #[arg(long, requires = "losses")]
    strict: bool,
    /// Draw N pictures with different seeds, and write the one whose losses fit best. The losses do not steer. Without
    /// losses, the pictures are compared by how well they agree with the prompt. Prints the seed and the values of each
    /// picture, the best one first
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "noise",
        value_parser = clap::value_parser!(u32).range(1..=100)
    )]
    best_of: Option<u32>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// The result, as `--json` prints it.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(serialize_with = "lossy_path")]
    file: &'a Path,
    /// `None` if the noise came from a file, because a recipe does not contain noise.
    provenance: Option<&'a Provenance>,
    /// With `--best-of`, all pictures that were drawn, the best one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    takes: Vec<ScoredTake>,
}

impl Draw {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        if self.dump.is_some() && self.look.sampling.optimizes_latents() {
            let why = "`latents` has no steps of a diffusion network to write: leave out --dump\n";
            clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, why).exit();
        }
        // Create the output files first, so that an unwritable path fails early.
        let inputs = self.noise.iter().chain(self.images()).map(PathBuf::as_path);
        let mut outputs = Outputs::of_inputs(inputs);
        outputs.add_model(&self.look.sampling.model_name());
        self.look.sampling.lora.iter().for_each(|lora| outputs.add_model(&lora.file));
        self.look.sampling.text_encoder.iter().for_each(|path| outputs.add_model(path));
        let picture = outputs.begin(&self.out, Format::Png, Existing::Replaced)?;
        let mut begin = |dump| outputs.begin(dump, Format::Safetensors, Existing::Replaced);
        let dump = self.dump.as_deref().map(&mut begin).transpose()?;
        self.look.sampling.print_random_seed();
        [&self.prompt, &self.negative]
            .into_iter()
            .for_each(|prompt| warn_of_prompt("the prompt", prompt));
        // Before any image is decoded.
        Inspiration::check_all(&self.inspirations)
            .map_err(|error| DiffusionError::from(DrawError::from(error)))?;
        Loss::check_all(&self.losses)
            .map_err(|error| DiffusionError::from(LossSetupError::from(error)))?;
        let mut images = Images::new();
        let mut left = PixelBudget::default();
        let mut load = |path: &PathBuf| load(path, &mut left, &mut images);
        let inspirations = self.inspirations.iter().map(|it| it.try_map(&mut load));
        let inspirations = inspirations.collect::<Result<_, _>>()?;
        let losses = self
            .losses
            .iter()
            .map(|it| Ok::<_, Failure>(Loss { strict: self.strict, ..it.try_map(&mut load)? }));
        let losses = losses.collect::<Result<_, _>>()?;
        let noise = self.noise.as_deref().map(latents).transpose()?.map(Noise::Latents);

        let began = Instant::now();
        let recipe = self.recipe(inspirations, losses);
        let mut inputs = Inputs::default();
        inputs.add_images(&images);
        // Before anything is drawn.
        let contents = match noise {
            Some(_) => Contents::Metadata(Metadata::default()),
            None => Contents::new(&recipe, &inputs.blobs, Metadata::default())?,
        };
        let package = self.look.sampling.package()?;
        let optimizes = self.look.sampling.optimizes_latents();
        if optimizes && !recipe.with_choices_made().loras.is_empty() {
            return Err(DiffusionError::NoLoras.into());
        }
        if optimizes && recipe.vae.is_some() {
            return Err(DiffusionError::NoVae.into());
        }
        if optimizes && !recipe.text_encoders.is_empty() {
            return Err(DiffusionError::NoTextEncoders.into());
        }
        if let (true, Some(component)) = (optimizes, recipe.components.keys().next()) {
            return Err(DiffusionError::NoComponent { component: component.clone() }.into());
        }
        let options = self.device.load_options();
        let interrupt = Interrupt::default();
        let loading = Loading::new(&interrupt);
        let (mut model, base) = load_model(&*package, &options, &recipe, &loading)?;
        let mut candidates = Candidates::default();
        for take in 0..self.best_of.unwrap_or(1) {
            let began = Instant::now();
            let recipe = recipe.with_take(take);
            // The choices of each take may name other files.
            let card = match optimizes {
                true => base.clone().of_latents(),
                false => prepare_model(&mut model, &base, &recipe, &interrupt)?,
            };
            let mut request =
                draw_request(&recipe, &inputs, &card.defaults).map_err(GenerateError::from)?;
            request.noise = noise.clone().unwrap_or(request.noise);
            let mut trace = Trace::default();
            let bar = step_bar(request.sampler.steps);
            let mut hooks: Vec<&mut dyn StepHook> = Vec::new();
            if dump.is_some() {
                hooks.push(&mut trace);
            }
            let on_step = |step: Step| bar.set_position(step.done.into());
            let control = OnStep::new(Interrupt::default(), on_step);
            // Run inside the thread pool. Otherwise each operation would be sent to the pool separately.
            let drawn = rayon::scope(|_| match optimizes {
                true => model.optimize(&request, &control),
                false => model.draw(&request, &control, &mut hooks),
            })?;
            bar.finish_and_clear();
            trace.record_losses(&drawn.losses)?;
            let Drawn { image, losses } = drawn;
            let provenance = Provenance::now(recipe, card, began.elapsed());
            candidates.add(Candidate {
                image,
                provenance: Provenance { losses, ..provenance },
                trace,
            });
        }
        let Some((best, mut takes)) = candidates.best() else { return Ok(()) };
        let Candidate { image, provenance, trace } = best;
        if self.best_of.is_none() {
            takes.clear();
        }
        let png = contents.png(&image, &provenance);
        let file = picture.finish(&png.map_err(Failure::file("write", &self.out))?)?;
        if let Some(dump) = dump {
            dump.finish(&trace.to_safetensors()?)?;
        }
        if self.json {
            let provenance = contents.provenance(&provenance);
            print_json(&Written { file: &file, provenance, takes })
        } else {
            let seconds = began.elapsed().as_secs_f64();
            print(&format!("Drew {} in {seconds:.1} s", file.display()))?;
            print_scores(&takes, &[])
        }
    }

    /// The files of all inspirations and losses.
    fn images(&self) -> impl Iterator<Item = &PathBuf> {
        let inspirations = self.inspirations.iter().filter_map(|it| it.kind.image());
        inspirations.chain(self.losses.iter().filter_map(|it| it.kind.image()))
    }

    fn recipe(&self, inspirations: Vec<Inspiration>, losses: Vec<Loss>) -> Recipe {
        Recipe {
            prompt: self.prompt.clone(),
            negative_prompt: self.negative.clone(),
            size: self.look.size.unwrap_or(Size::new(384, 224)),
            seed: self.look.sampling.seed().unwrap_or(0),
            take: 0,
            sampler: self.look.sampling.sampler(Sampler::default()),
            model: self.look.sampling.model_name(),
            vae: self.look.sampling.vae(None),
            text_encoders: self.look.sampling.text_encoders(&[]),
            loras: self.look.sampling.loras(&[]),
            components: self.look.sampling.components(&BTreeMap::new()),
            inspirations,
            losses,
            score: self.best_of.is_some(),
            edit: None,
        }
    }
}

/// Reads an image and adds it to `images`.
fn load(path: &Path, left: &mut PixelBudget, images: &mut Images) -> Result<BlobId, Failure> {
    let bytes = foreign::read(path, foreign::MAX_PICTURE);
    let image = picture::decode(&bytes.map_err(Failure::file("read", path))?);
    let image = image.map_err(Failure::decode(path))?.into_rgba8();
    let image = Arc::new(picture::reference_image(&image, MAX_SIDE).into_owned());
    let id = BlobId::of_image(&image);
    if !images.contains_key(&id) {
        left.take_image(image.dimensions()).map_err(EncodeError::from)?;
        images.insert(id.clone(), image);
    }
    Ok(id)
}
