//! Guidance in some of the steps.

use candle_core::{Result, Tensor};

use super::{Guide, Predictions, StepInfo};
use crate::recipe::GuidanceInterval;

/// One guide inside an interval of the steps and another one outside (Kynkäänniemi et al. 2024, arXiv:2404.07724).
pub struct Interval {
    /// The interval.
    pub interval: GuidanceInterval,
    /// The guide in its steps.
    pub inside: Box<dyn Guide>,
    /// The guide in the other steps.
    pub outside: Box<dyn Guide>,
}

impl Interval {
    fn guide(&self, step: StepInfo) -> &dyn Guide {
        match self.interval.contains(step.index, step.count) {
            true => &*self.inside,
            false => &*self.outside,
        }
    }
}

impl Guide for Interval {
    fn reads(&self, prediction: usize, step: StepInfo) -> bool {
        self.guide(step).reads(prediction, step)
    }

    fn combine(&self, predictions: &Predictions, step: StepInfo) -> Result<Tensor> {
        self.guide(step).combine(predictions, step)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        path::Path,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use image::{Rgba, RgbaImage};

    use super::*;
    use crate::{
        control::Interrupt,
        diffusion::{
            Denoiser, DenoiserInput, DeviceKind, DiffusionError, DrawRequest, EditRequest, Model,
            ModelParts, Noise,
        },
        mask::{Area, Mask},
        model::FolderPackage,
        recipe::{
            EditKind, Images, Inspiration, InspirationKind, Part, PartEdit, ResolvedSampler, Size,
        },
    };

    /// A denoiser that counts the conditionings that it predicts for.
    struct Counted {
        denoiser: Box<dyn Denoiser>,
        count: Arc<AtomicUsize>,
    }

    impl Denoiser for Counted {
        fn predict(
            &self,
            input: &DenoiserInput<'_>,
        ) -> std::result::Result<Tensor, DiffusionError> {
            self.count.fetch_add(input.conditioning.tokens.dim(0)?, Ordering::Relaxed);
            self.denoiser.predict(input)
        }

        fn latent_channels(&self) -> usize {
            self.denoiser.latent_channels()
        }

        fn patch_size(&self) -> usize {
            self.denoiser.patch_size()
        }

        fn neutral_guidance_scale(&self) -> f32 {
            self.denoiser.neutral_guidance_scale()
        }

        fn is_distilled(&self) -> bool {
            self.denoiser.is_distilled()
        }
    }

    /// A model of the fixtures, which counts its predictions.
    struct CountedModel {
        model: Model,
        count: Arc<AtomicUsize>,
    }

    impl CountedModel {
        fn load(name: &str) -> Self {
            let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/fixtures");
            let package = FolderPackage::open(fixtures.join(name)).unwrap();
            let model = Model::load(&package, DeviceKind::Cpu, &Interrupt::default()).unwrap();
            let (Model { parts, .. }, count) = (model, Arc::default());
            let denoiser = Counted { denoiser: parts.denoiser, count: Arc::clone(&count) };
            let parts = ModelParts { denoiser: Box::new(denoiser), ..parts };
            Self { model: Model::new(parts).unwrap(), count }
        }

        /// A picture, and the number of its predictions.
        fn draw(&mut self, request: &DrawRequest) -> (RgbaImage, usize) {
            let drawn = self.model.draw(request, &Interrupt::default(), &mut []).unwrap();
            (drawn.image, self.count.swap(0, Ordering::Relaxed))
        }
    }

    fn request(scheduler: &str, guidance_scale: f32, steps: u32) -> DrawRequest {
        DrawRequest {
            prompt: "a red lighthouse".to_owned(),
            negative_prompt: "low fog".to_owned(),
            size: Size::new(32, 32),
            sampler: ResolvedSampler {
                scheduler: scheduler.to_owned(),
                steps,
                guidance_scale,
                guidance_rescale: 0.5,
                ..ResolvedSampler::default()
            },
            noise: Noise::Seed(3),
            inspirations: Vec::new(),
            losses: Vec::new(),
            score: false,
            images: Images::new(),
        }
    }

    fn within(request: &DrawRequest, from: f32, to: f32) -> DrawRequest {
        let mut request = request.clone();
        request.sampler.guidance_interval = Some(GuidanceInterval { from, to });
        request
    }

    #[test]
    fn the_network_does_not_run_for_the_negative_prompt_outside_the_interval() {
        let mut model = CountedModel::load("sd1");
        let guided = request("EulerDiscreteScheduler", 7.5, 10);
        let (picture, count) = model.draw(&guided);
        assert_eq!(count, 20);
        assert!(model.draw(&within(&guided, 0.0, 1.0)) == (picture.clone(), 20));
        let (in_some, count) = model.draw(&within(&guided, 0.2, 0.5));
        assert_eq!(count, 13, "3 of 10 steps are guided");
        let unguided = request("EulerDiscreteScheduler", 1.0, 10);
        let (without, count) = model.draw(&unguided);
        assert_eq!(count, 10);
        assert!(model.draw(&within(&guided, 0.41, 0.42)) == (without.clone(), 10));
        assert!(in_some != picture && in_some != without);

        let text = Inspiration::new(InspirationKind::Text("a boat".to_owned()));
        let text = Inspiration { to: Some(0.4), ..text };
        let composed = DrawRequest { inspirations: vec![text], ..guided };
        let (_, count) = model.draw(&within(&composed, 0.2, 0.5));
        assert_eq!(count, 17, "a text has predictions in its own steps only");
    }

    #[test]
    fn an_edit_is_guided_in_the_steps_of_the_whole_schedule() {
        let mut model = CountedModel::load("sd1");
        let part = |words: &str, x| {
            let mask = Mask::rectangle(64, 32, Area { x, y: 0, width: 32, height: 32 });
            let edit = PartEdit {
                words: words.to_owned(),
                strength: Some(0.5),
                ..PartEdit::new(EditKind::Replace)
            };
            Part::new(words, mask, edit)
        };
        let drawn = request("EulerDiscreteScheduler", 7.5, 8);
        let mut edit = EditRequest {
            picture: RgbaImage::from_pixel(64, 32, Rgba([90, 120, 40, 255])),
            prompt: drawn.prompt,
            negative_prompt: drawn.negative_prompt,
            parts: vec![part("a boat", 0), part("a gull", 32)],
            style: String::new(),
            context: None,
            tiled: false,
            sampler: drawn.sampler,
            noise: drawn.noise,
            inspirations: Vec::new(),
            losses: Vec::new(),
            score: false,
            images: Images::new(),
        };
        let mut count = |interval| {
            edit.sampler.guidance_interval = interval;
            model.model.edit(&edit, &Interrupt::default(), &mut []).unwrap();
            model.count.swap(0, Ordering::Relaxed)
        };
        assert_eq!(count(None), 4 * 3, "4 of 8 steps run for two prompts and the negative prompt");
        assert_eq!(count(Some(GuidanceInterval { from: 0.0, to: 0.75 })), 2 * 3 + 2 * 2);
    }

    #[test]
    fn guidance_that_counts_from_the_prompt_has_an_interval_and_a_distilled_model_needs_none() {
        let mut model = CountedModel::load("z_image");
        let guided = request("FlowMatchEulerDiscreteScheduler", 0.5, 4);
        assert_eq!(model.draw(&guided).1, 8);
        assert_eq!(model.draw(&within(&guided, 0.5, 1.0)).1, 6);

        let mut model = CountedModel::load("klein");
        let (picture, count) = model.draw(&guided);
        assert_eq!(count, 4);
        assert!(model.draw(&within(&guided, 0.5, 1.0)) == (picture, 4));
    }

    #[test]
    fn an_empty_interval_is_an_error() {
        let mut model = CountedModel::load("sd1");
        let request = within(&request("EulerDiscreteScheduler", 7.5, 2), 0.8, 0.1);
        let error = model.model.draw(&request, &Interrupt::default(), &mut []).unwrap_err();
        assert!(error.to_string().contains("from 0.8 to 0.1"), "{error}");
        assert_eq!(model.count.load(Ordering::Relaxed), 0);
    }
}
