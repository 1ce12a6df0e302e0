//! Text to picture: the networks of a model, the scheduler and the noise put together.

mod contexts;
mod edit;
mod error;
mod guidance;
mod index;
mod picture;
mod preview;
mod request;
mod trace;

use std::{collections::HashMap, str};

use candle_core::{DType, Device, Tensor};
use image::RgbaImage;

use super::{
    DeviceKind, DiffusionError, Interrupt, ModelFiles,
    clip::ClipTextModel,
    noise::noise,
    scheduler::{self, SchedulerConfig},
    tokenizer::ClipTokenizer,
    unet::UNet2DConditionModel,
    vae::Autoencoder,
};
use crate::control::Step;

pub use edit::{EditError, EditPlan, EditRequest, Grid};
pub use error::DrawError;
pub use request::{DrawRequest, MAX_SIDE, MIN_SIDE, Noise};
pub use trace::Trace;

use contexts::Contexts;
use guidance::Guidance;
use preview::LatentColours;
use request::Layout;

/// How many texts' embeddings are kept: a story's pictures share most of their negative prompts, and
/// takes of one shot all of their words.
const KEPT_TEXTS: usize = 64;

/// A loaded model of the Stable Diffusion 1 and 2 family, which draws pictures from text.
///
/// The same request gives the same picture, bit for bit, on the same kind of device.
pub struct StableDiffusion {
    device: Device,
    tokenizer: ClipTokenizer,
    text_encoder: ClipTextModel,
    unet: UNet2DConditionModel,
    vae: Autoencoder,
    scheduler: SchedulerConfig,
    colours: LatentColours,
    texts: HashMap<String, Tensor>,
    /// Edits show the denoiser what lies around a part without noise.
    clean_surroundings: bool,
}

impl StableDiffusion {
    /// Loads a model whose `model_index.json` names a `StableDiffusionPipeline`; a safety checker
    /// and other parts that drawing does not need are left alone.
    ///
    /// # Errors
    /// When a file is missing or damaged, the model is of another kind, its parts do not fit each
    /// other, or there is no such device. Each error names the file.
    pub fn load(files: &ModelFiles, device: DeviceKind) -> Result<Self, DiffusionError> {
        let clean_surroundings = index::read(files)?.clean_surroundings;
        let device = device.open()?;
        let scheduler = files.read("scheduler/scheduler_config.json")?;
        let scheduler = str::from_utf8(&scheduler).unwrap_or_default();
        let scheduler = SchedulerConfig::from_json(scheduler)?.for_latents();
        let tokenizer = ClipTokenizer::load(files)?;
        let text_encoder = ClipTextModel::load(files, "text_encoder", &device)?;
        let unet = UNet2DConditionModel::load(files, "unet", &device)?;
        let vae = Autoencoder::load(files, "vae", &device)?;
        let (takes, latents) = (unet.config().in_channels, vae.latent_channels());
        if takes != latents {
            return Err(DiffusionError::Unsupported {
                file: files.full("unet/config.json"),
                field: "in_channels".to_owned(),
                value: takes.to_string(),
                supported: format!("{latents}, as many as the autoencoder's latents have"),
            });
        }
        let colours = LatentColours::of(&vae, &device)?;
        let texts = HashMap::new();
        Ok(Self {
            device,
            tokenizer,
            text_encoder,
            unet,
            vae,
            scheduler,
            colours,
            texts,
            clean_surroundings,
        })
    }

    /// Draws one picture of exactly the size asked for.
    ///
    /// `interrupt` is looked at between the blocks of the network, `on_step` is called after each
    /// step, and `trace` collects what is computed on the way. A size that is not a whole number
    /// of latents is drawn a little larger and cut to its middle.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] when interrupted, [`DiffusionError::Draw`] and
    /// [`DiffusionError::Scheduler`] when the request cannot be met, with the value that is wrong.
    pub fn draw(
        &mut self,
        request: &DrawRequest,
        interrupt: &Interrupt,
        on_step: &mut dyn FnMut(Step),
        mut trace: Option<&mut Trace>,
    ) -> Result<RgbaImage, DiffusionError> {
        let layout = request.layout(self.vae.scale(), self.vae.latent_channels())?;
        let sampler = &request.sampler;
        let mut scheduler = scheduler::build(sampler.scheduler, &self.scheduler, sampler.steps)?;
        let timesteps = scheduler.timesteps().to_vec();
        let guidance = Guidance::new(sampler, 1.0);

        interrupt.check()?;
        let wanted = self.embed(&request.prompt)?;
        let contexts = match (guidance, trace.as_deref_mut()) {
            (None, None) => vec![wanted],
            (guidance, trace) => {
                let negative_prompt = self.embed(&request.negative_prompt)?;
                if let Some(trace) = trace {
                    trace.record_embeddings(&wanted, &negative_prompt, &timesteps)?;
                }
                match guidance {
                    Some(_) => vec![wanted, negative_prompt],
                    None => vec![wanted],
                }
            }
        };
        let contexts = Contexts::new(contexts)?;

        let mut latents =
            (self.starting_noise(&request.noise, &layout)? * scheduler.init_noise_sigma())?;
        for (step, &timestep) in timesteps.iter().enumerate() {
            record_latents(&mut trace, step, &latents)?;
            let input = scheduler.scale_model_input(&latents, step)?;
            let output = self.predict(&input, timestep, &contexts, guidance, interrupt)?;
            let stepped = scheduler.step(&output, step, &latents)?;
            latents = stepped.latents;
            on_step(Step {
                done: step as u32 + 1,
                of: timesteps.len() as u32,
                preview: Some(self.colours.preview(&stepped.predicted_original)?),
            });
        }
        record_latents(&mut trace, timesteps.len(), &latents)?;
        let total = latents.sum_all()?.to_scalar::<f32>()?;
        if !total.is_finite() {
            return Err(DrawError::NotFinite.into());
        }

        let image = layout.crop(&self.vae.decode(&latents, interrupt)?.clamp(-1.0, 1.0)?)?;
        if let Some(trace) = trace {
            trace.record("image", &image)?;
        }
        Ok(picture::rgba(&image)?)
    }

    /// What the network answers for one picture, moved away from the negative prompt by `guidance`; they follow
    /// the wanted ones in `contexts`.
    fn predict(
        &self,
        input: &Tensor,
        timestep: f64,
        contexts: &Contexts,
        guidance: Option<Guidance>,
        interrupt: &Interrupt,
    ) -> Result<Tensor, DiffusionError> {
        let answers = contexts.answers(&self.unet, input, timestep, interrupt)?;
        let Some(guidance) = guidance else { return Ok(answers) };
        Ok(guidance.applied(&answers.narrow(0, 0, 1)?, &answers.narrow(0, 1, 1)?)?)
    }

    /// The text encoder's answer to a text, (1, positions, width), kept for the next time.
    fn embed(&mut self, text: &str) -> Result<Tensor, DiffusionError> {
        if let Some(kept) = self.texts.get(text) {
            return Ok(kept.clone());
        }
        let ids = Tensor::new(self.tokenizer.ids(text)?, &self.device)?.unsqueeze(0)?;
        let embedding = self.text_encoder.encode(&ids)?;
        if self.texts.len() >= KEPT_TEXTS {
            self.texts.clear();
        }
        self.texts.insert(text.to_owned(), embedding.clone());
        Ok(embedding)
    }

    fn starting_noise(&self, from: &Noise, layout: &Layout) -> Result<Tensor, DiffusionError> {
        Ok(match from {
            Noise::Seed(seed) => {
                let [_, channels, height, width] = layout.latents;
                let noise = noise(*seed, channels, height, width);
                Tensor::from_vec(noise, &layout.latents, &self.device)?
            }
            Noise::Latents(latents) => latents.to_dtype(DType::F32)?.to_device(&self.device)?,
        })
    }
}

fn record_latents(
    trace: &mut Option<&mut Trace>,
    steps_done: usize,
    latents: &Tensor,
) -> Result<(), DiffusionError> {
    match trace {
        Some(trace) => trace.record(&format!("latents_{steps_done}"), latents),
        None => Ok(()),
    }
}
