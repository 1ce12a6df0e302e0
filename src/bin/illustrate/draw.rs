//! `illustrate draw`: one picture from a prompt, without a story.
//!
//! `--noise` and `--dump` allow a numerical comparison with another program.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use bevy_illustrator::{
    art::Provenance,
    control::{Interrupt, OnStep, Step},
    diffusion::{DiffusionError, DrawRequest, Model, Noise, StepHook, Trace},
    generator::{Inputs, ModelCard},
    picture::Metadata,
    recipe::{Loss, Recipe, Sampler, Size},
};
use serde::Serialize;

use crate::{
    failure::Failure,
    files::{latents, png},
    losses,
    options::{DeviceOption, LookOptions},
    output::{Existing, Format, Outputs, lossy_path, print, print_json, warn_of_prompt},
    progress::step_bar,
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
    device: DeviceOption,
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
    /// of the Nth loss in each step
    #[arg(long, value_name = "FILE.safetensors")]
    dump: Option<PathBuf>,
    /// Steer the picture by a loss: text:WORDS, direction:WORDS=>WORDS, style:FILE, content:FILE, outline:FILE,
    /// palette:#203060,#e0b040, total-variation, saturation:0.4 or latents:FILE, followed by :WEIGHT if it is not 1. Can
    /// be given several times
    #[arg(long = "loss", value_name = "KIND[:VALUE][:WEIGHT]", value_parser = losses::parse)]
    losses: Vec<Loss<PathBuf>>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// The result, as `--json` prints it.
#[derive(Serialize)]
struct Drawn<'a> {
    #[serde(serialize_with = "lossy_path")]
    file: &'a Path,
    /// `None` if the noise came from a file, because a recipe does not contain noise.
    provenance: Option<&'a Provenance>,
}

impl Draw {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        // Create the output files first, so that an unwritable path fails early.
        let images = self.losses.iter().filter_map(|loss| loss.kind.image());
        let inputs = self.noise.iter().chain(images).map(PathBuf::as_path);
        let mut outputs = Outputs::of_inputs(inputs);
        outputs.add_model(&self.look.sampling.model_name());
        let picture = outputs.begin(&self.out, Format::Png, Existing::Replaced)?;
        let mut begin = |dump| outputs.begin(dump, Format::Safetensors, Existing::Replaced);
        let dump = self.dump.as_deref().map(&mut begin).transpose()?;
        self.look.sampling.print_random_seed();
        [&self.prompt, &self.negative]
            .into_iter()
            .for_each(|prompt| warn_of_prompt("the prompt", prompt));
        let (losses, images) = losses::load(&self.losses)?;
        let noise = match &self.noise {
            Some(file) => Noise::Latents(latents(file)?),
            None => Noise::Seed(self.look.sampling.seed().unwrap_or(0)),
        };

        let began = Instant::now();
        let recipe = self.recipe(losses);
        let package = self.look.sampling.package()?;
        let mut model = Model::load(&*package, self.device.device, &Interrupt::default())?;
        let card = ModelCard::new(&*package, model.grid(), &Interrupt::default())
            .map_err(DiffusionError::from)?;
        let sampler = recipe.sampler.resolve(&card.defaults);
        let request = DrawRequest {
            prompt: recipe.prompt.clone(),
            negative_prompt: recipe.negative_prompt.clone(),
            size: recipe.size,
            sampler: sampler.clone(),
            noise,
            losses: recipe.losses.clone(),
            images: images.clone(),
            adapters: Vec::new(),
        };
        let mut trace = Trace::default();
        let bar = step_bar(sampler.steps);
        let mut hooks: Vec<&mut dyn StepHook> = Vec::new();
        if dump.is_some() {
            hooks.push(&mut trace);
        }
        let on_step = |step: Step| bar.set_position(step.done.into());
        let control = OnStep::new(Interrupt::default(), on_step);
        // Run inside the thread pool. Otherwise each operation would be sent to the pool separately.
        let image = rayon::scope(|_| model.draw(&request, &control, &mut hooks))?;
        bar.finish_and_clear();

        let provenance = Provenance::now(recipe, card, began.elapsed());
        let provenance = self.noise.is_none().then_some(&provenance);
        let mut inputs = Inputs::default();
        inputs.add_images(&images);
        let png = png(&image, provenance, &inputs.blobs, &Metadata::default());
        let file = picture.finish(&png.map_err(Failure::file("write", &self.out))?)?;
        if let Some(dump) = dump {
            dump.finish(&trace.to_safetensors()?)?;
        }
        if self.json {
            print_json(&Drawn { file: &file, provenance })
        } else {
            let seconds = began.elapsed().as_secs_f64();
            print(&format!("Drew {} in {seconds:.1} s", file.display()))
        }
    }

    fn recipe(&self, losses: Vec<Loss>) -> Recipe {
        Recipe {
            prompt: self.prompt.clone(),
            negative_prompt: self.negative.clone(),
            size: self.look.size.unwrap_or(Size::new(384, 224)),
            seed: self.look.sampling.seed().unwrap_or(0),
            take: 0,
            sampler: self.look.sampling.sampler(Sampler::default()),
            model: self.look.sampling.model_name(),
            losses,
            edit: None,
        }
    }
}
