//! Edits: parts of a picture drawn anew, and nothing else.
//!
//! The networks see a crop with some surroundings, at its own size, so that an edit costs what its area
//! costs. Within it several parts are drawn in one pass, each under its own words (masked guidance) and each
//! from its own share of noise (differential diffusion, Levin & Fried 2023, arXiv:2306.00950): a latent
//! stays the old picture's, noised unless the model has learned edits without that, until as many steps are left as
//! its strength asks for. What comes out
//! is matched to the colours around it and blended into the old picture's own pixels; where the blend
//! mask is 0 they are the old ones to the bit.

mod canvas;
mod context;
mod error;
mod fill;
mod latents;
mod plan;

use candle_core::{DType, Tensor};
use image::{RgbImage, RgbaImage, imageops};

use super::{
    Contexts, DrawRequest, MAX_SIDE, Noise, StableDiffusion, Step, Trace, picture, record_latents,
};
use crate::{
    diffusion::{DiffusionError, DrawError, Interrupt, scheduler, unet::SampleSize},
    recipe::{EditKind, PartEdit, PictureEdit, Sampler, Size, part::picture_hash, words::join},
};

pub use context::Grid;
pub use error::EditError;
pub use plan::EditPlan;

use super::guidance::Guidance;
use canvas::Canvas;
use latents::Cells;

/// A picture, and what is to be done to parts of it.
#[derive(Clone, Debug)]
pub struct EditRequest {
    /// The picture as it is.
    pub picture: RgbaImage,
    /// What the whole picture shows: for parts that have no words of their own.
    pub prompt: String,
    /// What no part may show.
    pub negative_prompt: String,
    /// The parts, and what is to be done to them.
    pub edit: PictureEdit,
    /// How it is sampled.
    pub sampler: Sampler,
    /// What it starts from: noise for the whole picture, of which the edit takes its own place.
    pub noise: Noise,
}

/// One part's share in each prediction.
struct Voice {
    /// A place among the texts.
    wanted: usize,
    /// Another, and how far the answer is moved away from it.
    negative_prompt: Option<(usize, Guidance)>,
    /// (1, 1, height, width): how much this part counts at each latent. All voices together are 1.
    weight: Tensor,
}

impl StableDiffusion {
    /// What an edit would change, without drawing anything.
    ///
    /// # Errors
    /// [`DiffusionError::Edit`] as [`Self::edit`].
    pub fn plan_edit(&self, request: &EditRequest) -> Result<EditPlan, DiffusionError> {
        if picture_hash(&request.picture) != request.edit.picture {
            return Err(EditError::OtherPicture.into());
        }
        let (width, height) = request.picture.dimensions();
        let size = Size::new(width, height);
        Ok(EditPlan::new(size, &request.edit.parts, request.edit.context, self.grid())?)
    }

    /// The grid on which this model sees a picture.
    #[must_use]
    pub fn grid(&self) -> Grid {
        // Half of what it was trained with, at least.
        let trained = self.unet.config().sample_size.map(SampleSize::height_and_width);
        let least = trained.map_or(1, |(height, width)| height.min(width) as u32 / 2);
        Grid { scale: self.vae.scale() as u32, least: least.max(1) }
    }

    /// Draws parts of a picture anew and returns the whole of it, all other pixels as they were to the bit.
    ///
    /// `interrupt`, `on_step` and `trace` are as in [`Self::draw`]; latents are those of the context box, and
    /// the trace also has `blend_mask`, (1, 1, height, width) in 0..=1, `context_box`: x, y, width and
    /// height in pixels, and `denoise_mask`.
    ///
    /// # Errors
    /// As [`Self::draw`], and [`DiffusionError::Edit`] when the parts do not fit the picture or would change
    /// nothing.
    pub fn edit(
        &mut self,
        request: &EditRequest,
        interrupt: &Interrupt,
        on_step: &mut dyn FnMut(Step),
        mut trace: Option<&mut Trace>,
    ) -> Result<RgbaImage, DiffusionError> {
        let (scale, channels) = (self.vae.scale(), self.vae.latent_channels());
        let layout = self.whole(request).layout_of_any_size(scale, channels)?;
        let plan = self.plan_edit(request)?;
        if plan.context.width.max(plan.context.height) > MAX_SIDE {
            return Err(EditError::TooMuch { context: plan.context, most: MAX_SIDE }.into());
        }
        let cells = Cells::new(&plan, request, scale);
        let sampler = &request.sampler;
        let mut scheduler = scheduler::build(sampler.scheduler, &self.scheduler, sampler.steps)?;
        let timesteps = scheduler.timesteps().to_vec();
        if let Some(trace) = trace.as_deref_mut() {
            trace.record_plan(&plan)?;
            trace.record("denoise_mask", &cells.denoise_mask()?)?;
        }

        interrupt.check()?;
        let canvas = Canvas::new(request, &plan);
        let original = self.encode(&canvas.original, interrupt)?;
        let begun = match canvas.begun(request, &plan) {
            Some(begun) => self.encode(&begun, interrupt)?,
            None => original.clone(),
        };
        let noise = cells.noise(request, |noise| self.starting_noise(noise, &layout))?;
        let (texts, voices) = self.voices(request, &plan, &cells)?;
        if let (Some(trace), Some(voice)) = (trace.as_deref_mut(), voices.first()) {
            let negative_prompt =
                &texts[voice.negative_prompt.map_or(voice.wanted, |(place, _)| place)];
            trace.record_embeddings(&texts[voice.wanted], negative_prompt, &timesteps)?;
        }
        let contexts = Contexts::new(texts)?;

        let small = small(&request.picture, scale as u32);
        let first = cells.first_step(timesteps.len());
        let mut latents = scheduler.add_noise(&original, &noise, first)?;
        for (step, &timestep) in timesteps.iter().enumerate().skip(first) {
            let beginning = match step {
                // All noise, as a picture begins; as in diffusers, for what is kept too.
                0 => (&noise * scheduler.init_noise_sigma())?,
                _ => scheduler.add_noise(&begun, &noise, step)?,
            };
            let kept = match step {
                // What the scheduler will divide by is made good, so that the network sees the picture itself.
                _ if self.clean_surroundings => {
                    (&original / scheduler.scale_model_input(&original.ones_like()?, step)?)?
                }
                0 => beginning.clone(),
                _ => scheduler.add_noise(&original, &noise, step)?,
            };
            latents =
                cells.place(step, timesteps.len(), &latents, &beginning, &kept, &self.device)?;
            record_latents(&mut trace, step - first, &latents)?;
            let input = scheduler.scale_model_input(&latents, step)?;
            let output = self.answer(&input, timestep, &contexts, &voices, interrupt)?;
            let stepped = scheduler.step(&output, step, &latents)?;
            latents = stepped.latents;
            on_step(Step {
                done: (step - first) as u32 + 1,
                of: (timesteps.len() - first) as u32,
                preview: Some(self.preview(&small, &plan, &stepped.predicted_original)?),
            });
        }
        latents = cells.keep(&latents, &original, timesteps.len(), &self.device)?;
        record_latents(&mut trace, timesteps.len() - first, &latents)?;
        if !latents.sum_all()?.to_scalar::<f32>()?.is_finite() {
            return Err(DrawError::NotFinite.into());
        }

        let drawn = picture::rgb32f(&self.vae.decode(&latents, interrupt)?)?;
        let settled = cells.settled(timesteps.len());
        let image = canvas.blended(request, &plan, drawn, |x, y| settled.at(x, y) == 0);
        if let Some(trace) = trace {
            trace.record("image", &picture::tensor(&image, &self.device)?)?;
        }
        Ok(image)
    }

    /// The whole picture as something to draw.
    fn whole(&self, request: &EditRequest) -> DrawRequest {
        let (width, height) = request.picture.dimensions();
        DrawRequest {
            prompt: String::new(),
            negative_prompt: String::new(),
            size: Size::new(width, height),
            sampler: request.sampler,
            noise: request.noise.clone(),
        }
    }

    fn encode(
        &self,
        image: &image::Rgb32FImage,
        interrupt: &Interrupt,
    ) -> Result<Tensor, DiffusionError> {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let rows = Tensor::from_slice(image, (height, width, 3), &self.device)?;
        let image = rows.permute((2, 0, 1))?.unsqueeze(0)?.contiguous()?;
        Ok(self.vae.encode(&image, interrupt)?.to_dtype(DType::F32)?)
    }

    /// The contexts of all parts, each text once, and each part's share in the answers.
    fn voices(
        &mut self,
        request: &EditRequest,
        plan: &EditPlan,
        cells: &Cells,
    ) -> Result<(Vec<Tensor>, Vec<Voice>), DiffusionError> {
        let mut texts = Vec::<String>::new();
        let mut place = |text: String| {
            texts.iter().position(|other| *other == text).unwrap_or_else(|| {
                texts.push(text);
                texts.len() - 1
            })
        };
        let mut voices = Vec::new();
        for (part, weight) in plan.parts.iter().zip(cells.weights(&self.device)?) {
            let edit = &request.edit.parts[part.index].edit;
            let guidance = Guidance::new(&request.sampler, 1.0 + edit.amount());
            let [wanted, negative_prompt] = part_words(request, edit);
            let wanted = place(wanted);
            let negative_prompt = guidance.map(|guidance| (place(negative_prompt), guidance));
            voices.push(Voice { wanted, negative_prompt, weight });
        }
        let texts = texts.iter().map(|text| self.embed(text));
        Ok((texts.collect::<Result<_, DiffusionError>>()?, voices))
    }

    /// What the network answers, every part under its own words.
    fn answer(
        &self,
        input: &Tensor,
        timestep: f64,
        contexts: &Contexts,
        voices: &[Voice],
        interrupt: &Interrupt,
    ) -> Result<Tensor, DiffusionError> {
        let answers = contexts.answers(&self.unet, input, timestep, interrupt)?;
        let mut sum = input.zeros_like()?;
        for voice in voices {
            let wanted = answers.narrow(0, voice.wanted, 1)?;
            let answer = match voice.negative_prompt {
                Some((negative_prompt, guidance)) => {
                    guidance.applied(&wanted, &answers.narrow(0, negative_prompt, 1)?)?
                }
                None => wanted,
            };
            sum = (sum + answer.broadcast_mul(&voice.weight)?)?;
        }
        Ok(sum)
    }

    /// What the finished picture is expected to look like: `small`, with what is being drawn in it.
    fn preview(
        &self,
        small: &RgbImage,
        plan: &EditPlan,
        latents: &Tensor,
    ) -> Result<RgbImage, DiffusionError> {
        let (mut preview, scale) = (small.clone(), self.vae.scale() as u32);
        let (x, y) = (plan.context.x / scale, plan.context.y / scale);
        imageops::replace(&mut preview, &self.colours.preview(latents)?, x.into(), y.into());
        Ok(preview)
    }
}

/// A picture with one pixel for each latent.
fn small(picture: &RgbaImage, scale: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let small = imageops::thumbnail(picture, width.div_ceil(scale), height.div_ceil(scale));
    image::DynamicImage::ImageRgba8(small).into_rgb8()
}

/// What a part is to show, and what not.
fn part_words(request: &EditRequest, edit: &PartEdit) -> [String; 2] {
    let EditRequest { prompt, negative_prompt, edit: PictureEdit { style, .. }, .. } = request;
    let (words, not) = (edit.words.as_str(), edit.negative_prompt.as_str());
    match edit.kind {
        // The surroundings say what is to be there; that it is nobody has to be said.
        EditKind::Remove => [join(["an empty scene", style]), join([words, not, negative_prompt])],
        _ if words.trim().is_empty() => [join([prompt.as_str()]), join([not, negative_prompt])],
        _ => [join([words, style]), join([not, negative_prompt])],
    }
}
