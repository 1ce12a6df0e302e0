//! Editing parts of a picture: the sampling loop on a crop.
//!
//! All parts are sampled in one pass, each under its own prompt
//! ([`Regional`](super::guide::Regional)) and with its own strength
//! ([`Differential`](super::hooks::Differential)). [`crate::edit`] plans the crop and composites the
//! result.

use std::borrow::Cow;

use candle_core::{Device, Tensor};
use image::{Rgb32FImage, RgbaImage};

use super::{
    Conditioning, DiffusionError, DrawError, Drawn, Interrupt, Model, Noise, SampleInputs,
    StepHook,
    adapter::{PartInspirations, PictureAdapters},
    guide::{ComposedText, RegionPrompt, Regional, unguided},
    hooks::{Differential, Preview, PreviewBase},
    model::with_hooks,
    pixels,
    request::LatentLayout,
    sample,
    steering::{PartLosses, PictureLosses},
};
use crate::{
    control::Control,
    edit::{
        Crop, EditError, EditPlan, LatentRegions, PartPrompts, PlannedPart, alpha_after, composite,
        init_image, part_prompts,
    },
    loss::{Frame, loss_of_part},
    mask::Area,
    prompt::words::in_style,
    recipe::{
        ImageUse, Images, Inspiration, InspirationKind, Loss, MAX_CANVAS_SIDE, MAX_SIDE, Part,
        ResolvedSampler, Size,
    },
};

/// An edit of parts of a picture.
#[derive(Clone, Debug)]
pub struct EditRequest {
    /// The picture to edit.
    pub picture: RgbaImage,
    /// The prompt of the whole picture. Parts without their own prompt use it.
    pub prompt: String,
    /// The negative prompt for all parts.
    pub negative_prompt: String,
    /// The parts, from top to bottom. Pixels outside all parts are kept.
    pub parts: Vec<Part>,
    /// Text that is appended to each part's own prompt.
    pub style: String,
    /// The requested crop in pixels, instead of the default one. It is extended to whole latents
    /// and to the model's minimum size.
    pub context: Option<Area>,
    /// As [`PictureEdit::tiled`](crate::recipe::PictureEdit::tiled).
    pub tiled: bool,
    /// The sampler.
    pub sampler: ResolvedSampler,
    /// The starting noise of the whole picture. The edit uses the noise inside its crop.
    pub noise: Noise,
    /// The inspirations of all parts together. Each part also has its own.
    pub inspirations: Vec<Inspiration>,
    /// What all parts together are steered by. Each part also has its own losses.
    pub losses: Vec<Loss>,
    /// Whether losses only measure the finished picture: see [`Recipe::score`](crate::recipe::Recipe::score).
    pub score: bool,
    /// The images that inspirations and losses refer to.
    pub images: Images,
}

/// The prompts of all parts.
struct RegionPrompts {
    /// Each distinct prompt once.
    conditionings: Vec<Conditioning>,
    guide: Regional,
    /// The indices of the first part's prompt and negative prompt.
    first: (usize, usize),
}

impl Model {
    /// Plans an edit without drawing anything.
    ///
    /// # Errors
    /// [`DiffusionError::Edit`], as [`Self::edit`].
    pub fn plan_edit(&self, request: &EditRequest) -> Result<EditPlan, DiffusionError> {
        let (width, height) = request.picture.dimensions();
        let size = Size::new(width, height);
        Ok(EditPlan::new(size, &request.parts, request.context, self.grid())?)
    }

    /// Edits parts of a picture and returns the whole picture, with the final values of its losses. Pixels where the plan's blend mask
    /// is 0 do not change at all.
    ///
    /// Hooks see the latents of the crop.
    ///
    /// # Errors
    /// As [`Self::draw`], and [`DiffusionError::Edit`] if the parts do not match the picture or
    /// would not change any pixel.
    pub fn edit(
        &mut self,
        request: &EditRequest,
        control: &dyn Control,
        hooks: &mut [&mut dyn StepHook],
    ) -> Result<Drawn, DiffusionError> {
        let interrupt = control.interrupt();
        let spec = self.parts.autoencoder.spec();
        let (width, height) = request.picture.dimensions();
        let layout = LatentLayout::new(Size::new(width, height), spec, self.patch_size())?;
        layout.check(&request.sampler, &request.noise)?;
        Inspiration::check_all(&request.inspirations).map_err(DrawError::from)?;
        let (plan, scale) = (self.plan_edit(request)?, spec.scale as u32);
        let max_side = if request.tiled { MAX_CANVAS_SIDE } else { MAX_SIDE };
        if plan.crop.width.max(plan.crop.height) > max_side {
            return Err(EditError::CropTooLarge { crop: plan.crop, max_side }.into());
        }
        let drawn_size = Size::new(plan.crop.width, plan.crop.height);
        self.check_picture_memory(drawn_size)?;
        let regions = LatentRegions::new(&plan, &request.parts, scale);
        let Area { width: columns, height: rows, .. } = regions.area();
        let tile = request.tiled.then(|| self.tile());
        let seen = (columns * rows) as usize;
        let seen = tile.map_or(seen, |(height, width)| seen.min(height * width));
        let mut scheduler = self.scheduler(&request.sampler, seen)?;

        interrupt.check()?;
        let crop = Crop::new(&request.picture, plan.crop);
        let original = self.encode_image(crop.pixels(), interrupt)?;
        let EditRequest { inspirations, images, .. } = request;
        let paint_scribbles = !self.has_adapter(ImageUse::Scribble);
        let init_image =
            match init_image(&crop, &plan, &request.parts, inspirations, images, paint_scribbles) {
                Some(image) => self.encode_image(&image, interrupt)?,
                None => original.clone(),
            };
        let inpainting = self.inpainting_of_edit(&crop, &plan, &regions, interrupt)?;
        let noise = self.crop_noise(&regions, &request.noise, None, &layout)?;
        let frame = self.frame_of_edit(request, &plan);
        let adapters = self.adapters_of_edit(request, &plan, &frame, interrupt)?;
        // The model sees the picture before the edit, as in diffusers' inpainting pipeline of FLUX.2 Klein. A tile is not the
        // picture.
        let seen = (self.sees_references() && tile.is_none()).then(|| original.clone());
        let prompts =
            self.region_prompts(request, &plan, &regions, &adapters, seen.as_ref(), interrupt)?;
        self.release_text_encoder();

        let denoise_mask = latent_mask(&regions, regions.denoise_mask().to_vec(), &Device::Cpu)?;
        let surroundings = self.parts.surroundings;
        let mut differential = Differential::new(denoise_mask, original, init_image, surroundings)?;
        let mut losses = self.losses_of_edit(request, &plan, frame, interrupt)?;
        // Adapters and networks of losses are in memory now.
        self.check_picture_memory(drawn_size)?;
        let base = PreviewBase::new(&request.picture, plan.crop, plan.changed, scale);
        let mut preview = Preview { colours: self.colours(interrupt)?, control, base: Some(base) };
        let (prompt, negative_prompt) = prompts.first;
        let inputs = SampleInputs {
            denoiser: &*self.parts.denoiser,
            scheduler: &mut *scheduler,
            noise,
            inpainting,
            step_noise: &|step| self.crop_noise(&regions, &request.noise, Some(step), &layout),
            conditionings: &prompts.conditionings,
            guide: &prompts.guide,
            prompt: &prompts.conditionings[prompt],
            negative_prompt: Some(&prompts.conditionings[negative_prompt]),
            adapters: &adapters,
            tile,
            interrupt,
        };
        let own = [Some(&mut differential as &mut dyn StepHook)].into_iter().flatten();
        let own = own.chain(losses.hook());
        let latents = sample(inputs, &mut with_hooks(own, hooks, &mut preview))?;
        let losses = losses.measure(&latents)?;

        let sampled = pixels::rgb32f(&self.decode(&latents, interrupt)?)?;
        let denoised = differential.denoised().collect::<Vec<_>>();
        let columns = regions.area().width;
        let untouched = |x, y| !denoised[(y / scale * columns + x / scale) as usize];
        let (picture, mask) = (&request.picture, &plan.blend_mask);
        let alpha = alpha_after(picture, &crop, &plan, &request.parts);
        let image = composite(picture, &crop, mask, &sampled, untouched, alpha.as_ref());
        if !hooks.is_empty() {
            let tensor = pixels::tensor_from_rgba(&image, &self.parts.device)?;
            for hook in hooks {
                hook.finished(&tensor)?;
            }
        }
        Ok(Drawn { image, losses })
    }

    /// The area that an edit samples.
    fn frame_of_edit(&self, request: &EditRequest, plan: &EditPlan) -> Frame {
        let (width, height) = request.picture.dimensions();
        let Area { x, y, width: columns, height: rows } = plan.crop;
        Frame {
            picture: Size::new(width, height),
            origin: (x.into(), y.into()),
            size: (columns, rows),
            scale: self.scale() as u32,
        }
    }

    /// The adapters of an edit: those of each part act inside its blend mask.
    fn adapters_of_edit(
        &self,
        request: &EditRequest,
        plan: &EditPlan,
        frame: &Frame,
        interrupt: &Interrupt,
    ) -> Result<PictureAdapters, DiffusionError> {
        let mut parts = Vec::new();
        for PlannedPart { blend_mask, index, .. } in &plan.parts {
            let Part { edit, images, .. } = &request.parts[*index];
            let (inspirations, mask) = (edit.inspirations.as_slice(), Some(blend_mask));
            let strength = edit.strength();
            parts.push(PartInspirations { inspirations, images, mask, strength });
        }
        let EditRequest { inspirations, images, .. } = request;
        let strength = parts.iter().map(|part| part.strength).fold(0.0, f32::max);
        parts.push(PartInspirations { inspirations, images, mask: None, strength });
        self.picture_adapters(&parts, frame, interrupt)
    }

    /// The losses of an edit: those of each part inside its blend mask, and those of the picture inside all of them. A
    /// score also measures parts without losses by their words.
    fn losses_of_edit(
        &self,
        request: &EditRequest,
        plan: &EditPlan,
        frame: Frame,
        interrupt: &Interrupt,
    ) -> Result<PictureLosses, DiffusionError> {
        let encoder = match request.score && request.losses.is_empty() {
            true => self.loss_encoder(interrupt)?,
            false => None,
        };
        let mut parts = Vec::new();
        for PlannedPart { blend_mask: mask, index, .. } in &plan.parts {
            let Part { edit, images, .. } = &request.parts[*index];
            let losses = match (edit.losses.as_slice(), encoder) {
                ([], Some(encoder)) => {
                    let loss = loss_of_part(edit, &request.prompt, encoder.as_ref())?;
                    Cow::Owned(Vec::from_iter(loss))
                }
                (losses, _) => Cow::Borrowed(losses),
            };
            parts.push(PartLosses {
                index: Some(*index),
                inspirations: &edit.inspirations,
                texts: Vec::new(),
                losses,
                images,
                mask,
                strength: edit.strength(),
            });
        }
        let EditRequest { inspirations, losses, images, .. } = request;
        let (losses, mask) = (Cow::Borrowed(losses.as_slice()), &plan.blend_mask);
        let strength = parts.iter().map(|part| part.strength).fold(0.0, f32::max);
        let texts = Vec::new();
        parts.push(PartLosses { index: None, inspirations, texts, losses, images, mask, strength });
        self.losses(frame, &parts, request.score, interrupt)
    }

    pub(super) fn encode_image(
        &self,
        image: &Rgb32FImage,
        interrupt: &Interrupt,
    ) -> Result<Tensor, DiffusionError> {
        let image = pixels::tensor_from_rgb32f(image, &self.parts.device)?;
        self.encode(&image, interrupt)
    }

    /// The starting noise of the crop, or the noise of a step: the picture's noise, except where a part with its own seed
    /// is dominant. There it is the noise of that seed.
    fn crop_noise(
        &self,
        regions: &LatentRegions,
        noise: &Noise,
        step: Option<usize>,
        layout: &LatentLayout,
    ) -> candle_core::Result<Tensor> {
        let Area { x, y, width, height } = regions.area();
        let cropped = |noise: &Noise| -> candle_core::Result<Tensor> {
            let rows = self.noise(noise, step, layout)?;
            let rows = rows.narrow(2, y as usize, height as usize)?;
            rows.narrow(3, x as usize, width as usize)?.contiguous()
        };
        let mut noise = cropped(noise)?;
        for (seed, dominated) in regions.seeded() {
            let own = cropped(&Noise::Seed(seed))?;
            let dominated = dominated.into_iter().map(u8::from).collect();
            let dominated = latent_mask::<u8>(regions, dominated, noise.device())?;
            let dominated = dominated.broadcast_as(noise.shape())?.contiguous()?;
            noise = dominated.where_cond(&own, &noise)?;
        }
        Ok(noise)
    }

    /// Encodes the prompts of all parts. Each region is guided by its own prompt. Images are only seen by prompts, so the
    /// same text is encoded twice if it is both a prompt and a negative prompt. References, of which `seen` is the first one,
    /// are seen by both. Those of a part are only seen by its own texts.
    fn region_prompts(
        &mut self,
        request: &EditRequest,
        plan: &EditPlan,
        regions: &LatentRegions,
        adapters: &PictureAdapters,
        seen: Option<&Tensor>,
        interrupt: &Interrupt,
    ) -> Result<RegionPrompts, DiffusionError> {
        let of_picture = self.references(&request.inspirations, &request.images, interrupt)?;
        let of_parts = plan.parts.iter().map(|planned| {
            let Part { edit, images, .. } = &request.parts[planned.index];
            self.references(&edit.inspirations, images, interrupt)
        });
        let of_parts = of_parts.collect::<Result<Vec<_>, _>>()?;
        // Each text, whether it is a negative prompt, and the part whose references it sees.
        let mut texts = Vec::<(String, bool, Option<usize>)>::new();
        let mut index_of = |text: String, is_negative: bool, part: Option<usize>| {
            let text = (text, is_negative && adapters.have_images(), part);
            texts.iter().position(|other| *other == text).unwrap_or_else(|| {
                texts.push(text);
                texts.len() - 1
            })
        };
        let EditRequest { prompt, negative_prompt, style, sampler, .. } = request;
        let (mut region_prompts, mut first) = (Vec::new(), None);
        for ((at, planned), weight) in plan.parts.iter().enumerate().zip(regions.weights()) {
            let part = Some(at).filter(|at| of_parts.get(*at).is_some_and(|it| !it.is_empty()));
            let edit = &request.parts[planned.index].edit;
            let prompts: PartPrompts = part_prompts(edit, prompt, negative_prompt, style);
            let boost = 1.0 + edit.amount();
            let prompt = index_of(prompts.prompt, false, part);
            let all = edit.inspirations.iter().chain(&request.inspirations);
            let others = all.filter_map(|inspiration| match &inspiration.kind {
                InspirationKind::Text(words) => {
                    let text = index_of(in_style(words, style), false, part);
                    Some(ComposedText::new(text, inspiration, edit.strength()))
                }
                InspirationKind::Image(..) => None,
            });
            let others: Vec<_> = others.collect();
            let guidance = self.guidance(sampler, boost);
            let (guide, negative_prompt) = match guidance {
                Some(guidance) => {
                    let negative_prompt = index_of(prompts.negative_prompt, true, part);
                    (guidance.guide(prompt, negative_prompt, &others), negative_prompt)
                }
                None => (unguided(prompt, &others), prompt),
            };
            first.get_or_insert((prompt, negative_prompt));
            let weight = latent_mask(regions, weight, &self.parts.device)?;
            region_prompts.push(RegionPrompt { guide, weight });
        }
        let encode = |(text, is_negative, part): &(String, bool, Option<usize>)| {
            let conditioning = self.encode_prompt(text, sampler, interrupt)?;
            let of_part = part.and_then(|part| of_parts.get(part)).into_iter().flatten();
            let references = seen.into_iter().chain(of_part).chain(&of_picture).cloned().collect();
            let conditioning = conditioning.with_references(references);
            Ok(match is_negative {
                true => adapters.of_negative_prompt(conditioning),
                false => adapters.of_prompt(conditioning),
            })
        };
        let conditionings = texts.iter().map(encode).collect::<Result<_, DiffusionError>>()?;
        let guide = Regional { regions: region_prompts };
        Ok(RegionPrompts { conditionings, guide, first: first.unwrap_or_default() })
    }
}

/// A tensor (1, 1, height, width) of one value per latent.
pub(super) fn latent_mask<T: candle_core::WithDType>(
    regions: &LatentRegions,
    values: Vec<T>,
    device: &Device,
) -> candle_core::Result<Tensor> {
    let Area { width, height, .. } = regions.area();
    Tensor::from_vec(values, (1, 1, height as usize, width as usize), device)
}
