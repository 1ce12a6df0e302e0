//! Stable Diffusion XL (Podell et al. 2023) in diffusers' layout.

use super::{Family, LoadOptions, sd1};
use crate::{
    control::Control,
    diffusion::{DiffusionError, Model, text::sdxl::SdxlTextEncoder},
    model::{Package, detect::Index},
};

const PIPELINES: [&str; 2] = ["StableDiffusionXLPipeline", "StableDiffusionXLInpaintPipeline"];

/// A field of `model_index.json`: whether an empty negative prompt is encoded as zeros. It is true by default.
const ZEROS_FOR_EMPTY: &str = "force_zeros_for_empty_prompt";

/// Stable Diffusion XL and the models that are based on it: two CLIP text encoders, a UNet that sees the pooled prompt and
/// the size of the picture, and an autoencoder.
#[derive(Clone, Copy, Debug, Default)]
pub struct StableDiffusionXl;

impl Family for StableDiffusionXl {
    fn name(&self) -> &str {
        "\"StableDiffusionXLPipeline\" or \"StableDiffusionXLInpaintPipeline\" (Stable Diffusion XL)"
    }

    fn detect(&self, package: &dyn Package) -> bool {
        Index::read(package).is_ok_and(|index| PIPELINES.contains(&index.class.as_str()))
    }

    fn load(
        &self,
        package: &dyn Package,
        options: &LoadOptions,
        control: &dyn Control,
    ) -> Result<Model, DiffusionError> {
        sd1::load(package, options, control, |package, device| {
            let index = Index::read(package)?;
            let encoder =
                SdxlTextEncoder::load(package, index.json[ZEROS_FOR_EMPTY] != false, device)?;
            let pooled = encoder.pooled_width()?;
            Ok((Box::new(encoder), Some(pooled)))
        })
    }
}
