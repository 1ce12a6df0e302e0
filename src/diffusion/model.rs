//! A loaded model.

mod components;
mod files;

use std::{borrow::Cow, cell::OnceCell, collections::HashMap, sync::Arc};

use candle_core::{DType, Device, Tensor};

use components::{LoadedComponents, adapters};
use files::{LoadedEmbeddings, LoadedLoras, LoadedVae};

use super::{
    Autoencoder, Conditioning, Denoiser, DiffusionError, DrawError, DrawRequest, Drawn, Interrupt,
    Noise, Precision, SampleInputs, StepHook, TextEncoder,
    adapter::{ModelAdapters, PartInspirations, PictureAdapters},
    autoencoder::LinearAutoencoder,
    guide::{self, ComposedText, GuidanceScale},
    hooks::{LatentColours, Preview, Surroundings},
    memory_budget::MemoryBudget,
    noise::{noise, step_noise},
    pixels,
    request::LatentLayout,
    sample,
    scheduler::{self, Scheduler, SchedulerConfig},
    steering::{PartLosses, PictureLosses},
    text::TextOptions,
};
use crate::{
    control::Control,
    edit::Grid,
    loss::{Frame, LossEncoder, loss_of_prompt},
    mask::Mask,
    model::{Package, package::PinnedPackage},
    recipe::{ImageUse, Inspiration, InspirationKind, Loss, ResolvedSampler},
};

/// The number of cached prompts. Most pictures of a story share a negative prompt, and all takes of
/// a shot share both prompts.
const MAX_KEPT_PROMPTS: usize = 64;

/// The components of a model, loaded by a [`Family`](super::Family).
pub struct ModelParts {
    /// Encodes prompts.
    pub text_encoder: Box<dyn TextEncoder>,
    /// Predicts noise.
    pub denoiser: Box<dyn Denoiser>,
    /// Converts pictures to latents and back.
    pub autoencoder: Arc<dyn Autoencoder>,
    /// The model's `scheduler_config.json`, from which every scheduler is set up.
    pub scheduler: SchedulerConfig,
    /// Whether the denoiser expects noise around an edited part.
    pub surroundings: Surroundings,
    /// The package whose [optional components](crate::model::package::optional_components) are for the model, if it has
    /// any.
    pub package: Option<Arc<dyn Package>>,
    /// Load networks again from the package, for low-rank adapters and for [`Self::low_memory`]. `None` if the family cannot
    /// have any, or if the denoiser takes adapters [beside its weights](Denoiser::with_loras).
    pub loaders: Option<NetworkLoaders>,
    /// Whether the text encoder is in memory only while prompts are encoded. Then `text_encoder` has the shapes of its weights
    /// only, and `loaders` loads it.
    pub low_memory: bool,
    /// The device that the networks run on.
    pub device: Device,
}

/// Load the networks that low-rank adapters change.
pub struct NetworkLoaders {
    /// Loads the text encoder.
    pub text_encoder: Box<LoadNetwork<dyn TextEncoder>>,
    /// Loads the denoiser.
    pub denoiser: Box<LoadNetwork<dyn Denoiser>>,
}

/// Loads a network from a package, whose weights may be changed.
pub type LoadNetwork<T> =
    dyn Fn(&dyn Package, &Device) -> Result<Box<T>, DiffusionError> + Send + Sync;

/// A loaded model, which draws pictures from prompts and edits them.
///
/// The same request gives an identical picture on the same type of device.
pub struct Model {
    pub(super) parts: ModelParts,
    /// Fitted when the first picture needs it.
    colours: OnceCell<LatentColours>,
    /// Fitted when the first loss needs it.
    linear_autoencoder: OnceCell<LinearAutoencoder>,
    /// The encoder for losses, if the model has one. Loaded when the first loss needs it.
    pub(super) loss_encoder: OnceCell<Option<Arc<dyn LossEncoder>>>,
    /// Decodes pictures for this encoder. Loaded when the first loss needs it.
    pub(super) pixel_decoder: OnceCell<Arc<dyn Autoencoder>>,
    /// The package of the parts, from which networks are loaded later.
    pub(super) package: Option<PinnedPackage>,
    /// The optional components that are not those of the package.
    pub(super) components: Option<LoadedComponents>,
    /// Those of the package and of [`Self::components`], if the denoiser can use them.
    pub(super) adapters: Option<ModelAdapters>,
    /// With [`ModelParts::low_memory`], the text encoder while it is in memory.
    text_encoder: Option<Box<dyn TextEncoder>>,
    /// Encoded prompts, with their `clip_skip`.
    prompts: HashMap<(String, Option<u32>), Conditioning>,
    /// The low-rank adapters in the networks.
    loras: LoadedLoras,
    /// The textual inversions that prompts may name.
    embeddings: LoadedEmbeddings,
    /// The file of the autoencoder, if it is not that of the package.
    vae: Option<LoadedVae>,
    /// The memory that pictures and networks that are loaded later may use.
    pub(super) memory: MemoryBudget,
}

impl Model {
    /// Creates a model from its components.
    ///
    /// # Errors
    /// [`DiffusionError::Parts`] if the denoiser and the autoencoder have different latents.
    pub fn new(parts: ModelParts) -> Result<Self, DiffusionError> {
        let (denoiser, autoencoder) = (parts.denoiser.latent_channels(), parts.autoencoder.spec());
        if denoiser != autoencoder.channels {
            return Err(DiffusionError::Parts { denoiser, autoencoder: autoencoder.channels });
        }
        let package = parts.package.clone().map(PinnedPackage::new);
        let adapters = adapters(&parts, package.as_ref());
        let memory = MemoryBudget::new(&parts.device);
        Ok(Self {
            parts,
            colours: OnceCell::new(),
            linear_autoencoder: OnceCell::new(),
            loss_encoder: OnceCell::new(),
            pixel_decoder: OnceCell::new(),
            package,
            components: None,
            adapters,
            text_encoder: None,
            prompts: HashMap::new(),
            loras: LoadedLoras::default(),
            embeddings: LoadedEmbeddings::default(),
            vae: None,
            memory,
        })
    }

    /// Limits the memory that pictures may use besides the weights, in bytes, with the adapters and networks of losses that they
    /// need. `None`: all that is free.
    #[must_use]
    pub fn with_picture_budget(mut self, picture_budget: Option<u64>) -> Self {
        self.memory.most = picture_budget;
        self
    }

    /// The precision that the denoiser computes in.
    #[must_use]
    pub fn precision(&self) -> Precision {
        Precision::of(self.parts.denoiser.dtype())
    }

    /// The grid of latents, or of patches of latents if the denoiser sees those as a whole.
    #[must_use]
    pub fn grid(&self) -> Grid {
        let trained = self.parts.denoiser.sample_size();
        let trained_latents = trained.map_or(0, |(height, width)| height.min(width) as u32);
        let patch = self.patch_size() as u32;
        let trained_latents = trained_latents / patch;
        Grid {
            scale: self.parts.autoencoder.spec().scale as u32 * patch,
            // Half of the training size is enough context for a crop that the author chooses.
            min_latents: (trained_latents / 2).max(1),
            trained_latents,
        }
    }

    /// Draws one picture of exactly the requested size, and measures the final values of its losses. If the size is not
    /// a whole number of latents, the picture is drawn slightly larger and centre-cropped.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] if interrupted, [`DiffusionError::Draw`] or
    /// [`DiffusionError::Scheduler`] if the request has an invalid value, and any hook's error.
    pub fn draw(
        &mut self,
        request: &DrawRequest,
        control: &dyn Control,
        hooks: &mut [&mut dyn StepHook],
    ) -> Result<Drawn, DiffusionError> {
        let interrupt = control.interrupt();
        let layout = request.layout(self.parts.autoencoder.spec(), self.patch_size())?;
        self.check_picture_memory(request.size)?;
        let sampler = &request.sampler;
        let [_, _, height, width] = layout.shape;
        let mut scheduler = self.scheduler(sampler, height * width)?;
        let guidance = self.guidance(sampler, 1.0);

        interrupt.check()?;
        let prompt = self.encode_prompt(&request.prompt, sampler, interrupt)?;
        // Encode the negative prompt even if it has no effect, because a hook may read it.
        let negative_prompt = match guidance.is_some() || !hooks.is_empty() {
            true => Some(self.encode_prompt(&request.negative_prompt, sampler, interrupt)?),
            false => None,
        };
        let frame = layout.frame(self.scale());
        let DrawRequest { inspirations, images, .. } = request;
        let part = PartInspirations { inspirations, images, mask: None, strength: 1.0 };
        let adapters = self.picture_adapters(&[part], &frame, interrupt)?;
        let references = self.references(inspirations, images, interrupt)?;
        let mut conditionings = vec![adapters.of_prompt(prompt.clone())];
        let mut texts = Vec::new();
        for inspiration in inspirations {
            if let InspirationKind::Text(words) = &inspiration.kind {
                texts.push(ComposedText::new(conditionings.len(), inspiration, 1.0));
                let encoded = self.encode_prompt(words, sampler, interrupt)?;
                conditionings.push(adapters.of_prompt(encoded));
            }
        }
        self.release_text_encoder();
        let guide = match (guidance, &negative_prompt) {
            (Some(guidance), Some(negative_prompt)) => {
                conditionings.push(adapters.of_negative_prompt(negative_prompt.clone()));
                guidance.guide(0, conditionings.len() - 1, &texts)
            }
            _ => guide::unguided(0, &texts),
        };
        for conditioning in &mut conditionings {
            conditioning.references.clone_from(&references);
        }
        let mut start = self.start_from_scribbles(request, frame, interrupt)?;
        let mut losses = self.losses_of_picture(request, frame, Vec::new(), interrupt)?;
        // Adapters and networks of losses are in memory now.
        self.check_picture_memory(request.size)?;
        let mut preview = Preview { colours: self.colours(interrupt)?, control, base: None };
        let inputs = SampleInputs {
            denoiser: &*self.parts.denoiser,
            scheduler: &mut *scheduler,
            noise: self.noise(&request.noise, None, &layout)?,
            inpainting: self.inpainting_of_picture(&layout, interrupt)?,
            step_noise: &|step| self.noise(&request.noise, Some(step), &layout),
            conditionings: &conditionings,
            guide: &*guide,
            prompt: &prompt,
            negative_prompt: negative_prompt.as_ref(),
            adapters: &adapters,
            tile: None,
            interrupt,
        };
        let start = start.as_mut().map(|hook| hook as &mut dyn StepHook);
        let own = start.into_iter().chain(losses.hook());
        let latents = sample(inputs, &mut with_hooks(own, hooks, &mut preview))?;
        let losses = losses.measure(&latents)?;

        let decoded = self.decode(&latents, interrupt)?;
        let image = layout.crop_to_size(&decoded.clamp(-1.0, 1.0)?)?;
        for hook in hooks {
            hook.finished(&image)?;
        }
        Ok(Drawn { image: pixels::rgba(&image)?, losses })
    }

    /// The losses of a whole picture, with those of its texts. A score without losses measures it by its prompt.
    pub(super) fn losses_of_picture(
        &self,
        request: &DrawRequest,
        frame: Frame,
        texts: Vec<Loss>,
        interrupt: &Interrupt,
    ) -> Result<PictureLosses, DiffusionError> {
        let (width, height) = frame.size;
        let mask = Mask::full(width, height);
        let DrawRequest { inspirations, losses, images, score, .. } = request;
        let losses = match losses.as_slice() {
            [] if *score && self.loss_encoder(interrupt)?.is_some() => {
                Cow::Owned(Vec::from_iter(loss_of_prompt(&request.prompt)))
            }
            losses => Cow::Borrowed(losses),
        };
        let (mask, strength) = (&mask, 1.0);
        let part = PartLosses { index: None, inspirations, texts, losses, images, mask, strength };
        self.losses(frame, &[part], *score, interrupt)
    }

    /// Height and width of a tile in latents: those of the pictures that the denoiser was trained on. If they are unknown, 1024
    /// pixels.
    pub(super) fn tile(&self) -> (usize, usize) {
        let default = 1024 / self.scale();
        self.parts.denoiser.sample_size().unwrap_or((default, default))
    }

    /// Latents along each side of what the denoiser sees as a whole.
    pub(super) fn patch_size(&self) -> usize {
        self.parts.denoiser.patch_size().max(1)
    }

    /// Pixels along each side of a latent.
    pub(super) fn scale(&self) -> usize {
        self.parts.autoencoder.spec().scale
    }

    /// The colours of latents, for previews.
    pub(super) fn colours(&self, interrupt: &Interrupt) -> Result<&LatentColours, DiffusionError> {
        if let Some(colours) = self.colours.get() {
            return Ok(colours);
        }
        let ModelParts { autoencoder, device, .. } = &self.parts;
        let colours = LatentColours::fit(&**autoencoder, device, interrupt)?;
        Ok(self.colours.get_or_init(|| colours))
    }

    /// The linear autoencoder that is fitted to the autoencoder.
    pub(super) fn linear_autoencoder(
        &self,
        interrupt: &Interrupt,
    ) -> Result<&LinearAutoencoder, DiffusionError> {
        if let Some(decoder) = self.linear_autoencoder.get() {
            return Ok(decoder);
        }
        let ModelParts { autoencoder, device, .. } = &self.parts;
        let decoder = LinearAutoencoder::fit(&**autoencoder, device, interrupt)?;
        Ok(self.linear_autoencoder.get_or_init(|| decoder))
    }

    /// Sets up the adapters of a picture, of which `frame` is sampled.
    pub(super) fn picture_adapters(
        &self,
        parts: &[PartInspirations<'_>],
        frame: &Frame,
        interrupt: &Interrupt,
    ) -> Result<PictureAdapters, DiffusionError> {
        match &self.adapters {
            Some(adapters) => adapters.of_picture(parts, frame, &self.memory, interrupt),
            None => Ok(PictureAdapters::default()),
        }
    }

    /// Whether the model has an adapter for images of this use.
    pub(super) fn has_adapter(&self, usage: ImageUse) -> bool {
        self.adapters.as_ref().is_some_and(|adapters| adapters.has(usage))
    }

    /// Whether an inspiration acts through an adapter.
    pub(super) fn is_adapted(&self, inspiration: &Inspiration) -> bool {
        matches!(inspiration.kind, InspirationKind::Image(usage, _) if self.has_adapter(usage))
    }

    /// Sets up a sampler's scheduler from the model's config, for so many latents. What counts is the number of patches.
    pub(super) fn scheduler(
        &self,
        sampler: &ResolvedSampler,
        latents: usize,
    ) -> Result<Box<dyn Scheduler>, DiffusionError> {
        let ResolvedSampler { scheduler, sigmas, prediction_type, steps, .. } = sampler;
        let mut config =
            self.parts.scheduler.clone().for_picture(latents / self.patch_size().pow(2));
        if let Some(sigmas) = sigmas {
            config = config.with_sigmas(*sigmas, scheduler)?;
        }
        if let Some(prediction_type) = prediction_type {
            config = config.with("prediction_type", prediction_type.name().into());
        }
        Ok(scheduler::build(scheduler, &config, *steps)?)
    }

    /// The guidance of a sampler, `boost` times as strong. The scale has no effect on a distilled model. Here the scale without
    /// effect is 1, whatever it is in the pipeline.
    pub(super) fn guidance(&self, sampler: &ResolvedSampler, boost: f32) -> Option<GuidanceScale> {
        let denoiser = &self.parts.denoiser;
        let scale = match denoiser.is_distilled() {
            true => 1.0,
            false => sampler.guidance_scale + (1.0 - denoiser.neutral_guidance_scale()),
        };
        let guidance = GuidanceScale::new(scale, sampler.guidance_rescale, boost)?;
        Some(GuidanceScale { interval: sampler.guidance_interval, ..guidance })
    }

    /// What the denoiser predicts by the model's `scheduler_config.json`: the name in diffusers. `None` if it is the usual one.
    pub(crate) fn prediction_type(&self) -> Option<&str> {
        self.parts.scheduler.text("prediction_type")
    }

    /// Decodes latents to a picture.
    pub(super) fn decode(
        &self,
        latents: &Tensor,
        interrupt: &Interrupt,
    ) -> Result<Tensor, DiffusionError> {
        let decoded = self.parts.autoencoder.decode(latents, interrupt)?;
        if is_finite(&decoded)? { Ok(decoded) } else { Err(DrawError::Autoencoder.into()) }
    }

    /// Encodes a picture, (1, 3, height, width), to latents.
    pub(super) fn encode(
        &self,
        image: &Tensor,
        interrupt: &Interrupt,
    ) -> Result<Tensor, DiffusionError> {
        let latents = self.parts.autoencoder.encode(image, interrupt)?.to_dtype(DType::F32)?;
        if is_finite(&latents)? { Ok(latents) } else { Err(DrawError::Autoencoder.into()) }
    }

    /// The text encoder. With [`ModelParts::low_memory`], it must be [loaded](Self::load_text_encoder).
    fn text_encoder(&self) -> &dyn TextEncoder {
        self.text_encoder.as_ref().unwrap_or(&self.parts.text_encoder).as_ref()
    }

    fn set_text_encoder(&mut self, text_encoder: Box<dyn TextEncoder>) {
        match self.parts.low_memory {
            true => self.text_encoder = Some(text_encoder),
            false => self.parts.text_encoder = text_encoder,
        }
    }

    /// With [`ModelParts::low_memory`], frees the memory of the text encoder until the next prompt.
    pub(super) fn release_text_encoder(&mut self) {
        self.text_encoder = None;
    }

    /// Encodes a prompt, or returns it from the cache, with the guidance scale of the sampler.
    pub(super) fn encode_prompt(
        &mut self,
        prompt: &str,
        sampler: &ResolvedSampler,
        interrupt: &Interrupt,
    ) -> Result<Conditioning, DiffusionError> {
        let scale = f64::from(sampler.guidance_scale);
        let clip_skip = sampler.clip_skip;
        let key = (prompt.to_owned(), clip_skip);
        if let Some(conditioning) = self.prompts.get(&key) {
            return Ok(conditioning.clone().with_guidance_scale(scale));
        }
        self.load_text_encoder(interrupt)?;
        let options = TextOptions { clip_skip, inversions: &self.embeddings.inversions };
        let conditioning = self.text_encoder().encode_with(prompt, options, interrupt)?;
        if self.prompts.len() >= MAX_KEPT_PROMPTS {
            self.prompts.clear();
        }
        self.prompts.insert(key, conditioning.clone());
        Ok(conditioning.with_guidance_scale(scale))
    }

    /// The starting noise of a whole picture, or the noise of a step.
    pub(super) fn noise(
        &self,
        from: &Noise,
        step: Option<usize>,
        layout: &LatentLayout,
    ) -> candle_core::Result<Tensor> {
        let (shape, device) = (layout.shape, &self.parts.device);
        let [_, channels, height, width] = shape;
        let values = match (from, step) {
            (Noise::Latents(latents), None) => {
                return latents.to_dtype(DType::F32)?.to_device(device);
            }
            (Noise::Seed(seed), None) => noise(*seed, channels, height, width),
            (Noise::Seed(seed), Some(step)) => step_noise(*seed, step, channels, height, width),
            (Noise::Latents(_), Some(step)) => step_noise(0, step, channels, height, width),
        };
        Tensor::from_vec(values, &shape, device)
    }
}

/// Whether no value is NaN or infinite.
pub(super) fn is_finite(tensor: &Tensor) -> candle_core::Result<bool> {
    // A value that is not finite becomes NaN, and NaN stays NaN in a sum.
    Ok((tensor * 0.0)?.sum_all()?.to_dtype(DType::F32)?.to_scalar::<f32>()? == 0.0)
}

/// The hooks of one drawing: those of the model, the caller's hooks, then the preview.
pub(super) fn with_hooks<'a>(
    first: impl IntoIterator<Item = &'a mut dyn StepHook>,
    hooks: &'a mut [&mut dyn StepHook],
    preview: &'a mut Preview<'_>,
) -> Vec<&'a mut dyn StepHook> {
    let mut all: Vec<&'a mut dyn StepHook> = Vec::new();
    all.extend(first);
    all.extend(hooks.iter_mut().map(|hook| &mut **hook as &mut dyn StepHook));
    all.push(preview);
    all
}
