//! What is computed on the way to a picture, for comparison with others.

use std::{collections::HashMap, path::Path};

use candle_core::{DType, Device, Tensor};

use super::EditPlan;
use crate::{diffusion::DiffusionError, mask::Area};

/// The tensors of one drawing, all `f32` and on the processor:
///
/// | name | shape | |
/// |---|---|---|
/// | `prompt_embeds`, `negative_prompt_embeds` | (1, positions, width) | the text encoder's answers |
/// | `timesteps` | (steps) | what the network was told |
/// | `latents_0` | (1, channels, height, width) | the starting noise as the scheduler scaled it |
/// | `latents_1` ... `latents_N` | the same | after each step |
/// | `image` | (1, 3, height, width) | the picture, in -1..=1 |
/// | `blend_mask` | (1, 1, height, width) | of an edit: how much of each pixel is new, in 0..=1 |
/// | `denoise_mask` | (1, 1, height, width) in latents | of an edit: how much of the way from noise is gone anew in the context box, in 0..=1 |
/// | `context_box` | (4) | of an edit: x, y, width and height of what the networks see, in pixels |
#[derive(Clone, Debug, Default)]
pub struct Trace(HashMap<String, Tensor>);

impl Trace {
    /// The tensor of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }

    /// Writes all of them to one safetensors file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), DiffusionError> {
        Ok(candle_core::safetensors::save(&self.0, path)?)
    }

    pub(super) fn record(&mut self, name: &str, tensor: &Tensor) -> Result<(), DiffusionError> {
        let kept = tensor.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.contiguous()?;
        self.0.insert(name.to_owned(), kept);
        Ok(())
    }

    pub(super) fn record_plan(&mut self, plan: &EditPlan) -> Result<(), DiffusionError> {
        let (width, height) = plan.blend.size();
        let shape = (1, 1, height as usize, width as usize);
        let blend = Tensor::from_slice(plan.blend.values(), shape, &Device::Cpu)?;
        self.record("blend_mask", &(blend.to_dtype(DType::F32)? / 255.0)?)?;
        let Area { x, y, width, height } = plan.context;
        self.record("context_box", &Tensor::new(&[x, y, width, height], &Device::Cpu)?)
    }

    pub(super) fn record_embeddings(
        &mut self,
        wanted: &Tensor,
        negative_prompt: &Tensor,
        timesteps: &[f64],
    ) -> Result<(), DiffusionError> {
        self.record("prompt_embeds", wanted)?;
        self.record("negative_prompt_embeds", negative_prompt)?;
        self.record("timesteps", &Tensor::new(timesteps, &Device::Cpu)?)
    }
}
