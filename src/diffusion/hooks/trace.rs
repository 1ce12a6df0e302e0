//! A record of the tensors of one drawing.

use std::{collections::HashMap, path::Path};

use candle_core::{DType, Device, Tensor};

use crate::{
    diffusion::{DiffusionError, State, StepHook},
    edit::EditPlan,
    loss::{FinalLoss, LossValues},
    mask::Area,
    model::tensors::TensorHeader,
};

/// The entry of the metadata of a file that is a trace.
const MARK: (&str, &str) = ("contents", "trace of bevy_illustrator");

/// The tensors of one drawing, for comparison with another program. All are `f32` on the CPU:
///
/// | name | shape | |
/// |---|---|---|
/// | `prompt_embeds`, `negative_prompt_embeds` | (1, tokens, width) | the encoded prompts |
/// | `timesteps` | (steps) | the denoiser's timesteps |
/// | `latents_0` | (1, channels, height, width) | the starting noise as the scheduler scales it |
/// | `latents_1` ... `latents_N` | the same | the latents after each step |
/// | `image` | (1, 3, height, width) | the picture, in -1..=1 |
///
/// For each loss there is also `loss_PART_N_KIND`, (steps): its value in each step before it was steered. `PART` is
/// the index of the part, or `all`; `N` the index of the loss in its part.
///
/// For an edit, the latents are those of its crop, and there are also:
///
/// | name | shape | |
/// |---|---|---|
/// | `denoise_mask` | (1, 1, height, width) in latents | the denoising strengths, in 0..=1 |
/// | `blend_mask` | (1, 1, height, width) | the opacity of the new pixels, in 0..=1 |
/// | `context_box` | (4) | the crop: x, y, width and height in pixels |
///
/// The last two come from [`Self::record_plan`]. [`Self::record_losses`] adds `final_loss_PART_N_KIND`, (1), for each loss:
/// its value for the finished picture.
#[derive(Clone, Debug, Default)]
pub struct Trace(HashMap<String, Tensor>);

impl Trace {
    /// The tensor with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }

    /// Whether a file with this header is a trace: whether its metadata have the mark of
    /// [`Self::to_safetensors`].
    #[must_use]
    pub fn is_trace(header: &TensorHeader) -> bool {
        header.text(MARK.0) == Some(MARK.1)
    }

    /// Encodes all tensors as one safetensors file, whose metadata say that it is a trace.
    ///
    /// # Errors
    /// If a tensor cannot be encoded.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, DiffusionError> {
        let metadata = HashMap::from([(MARK.0.to_owned(), MARK.1.to_owned())]);
        let bytes = safetensors::serialize(&self.0, Some(metadata));
        Ok(bytes.map_err(candle_core::Error::from)?)
    }

    /// Writes all tensors to one safetensors file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), DiffusionError> {
        // Not `safetensors::serialize_to_file`: it makes a file that only its owner can read.
        Ok(std::fs::write(path, self.to_safetensors()?).map_err(candle_core::Error::from)?)
    }

    /// Records the blend mask and the crop of an edit.
    ///
    /// # Errors
    /// If candle cannot create a tensor.
    pub fn record_plan(&mut self, plan: &EditPlan) -> Result<(), DiffusionError> {
        let (width, height) = plan.blend_mask.size();
        let shape = (1, 1, height as usize, width as usize);
        let blend = Tensor::from_slice(plan.blend_mask.values(), shape, &Device::Cpu)?;
        self.record("blend_mask", &(blend.to_dtype(DType::F32)? / 255.0)?)?;
        let Area { x, y, width, height } = plan.crop;
        self.record("context_box", &Tensor::new(&[x, y, width, height], &Device::Cpu)?)
    }

    /// Records the values of the losses of the finished picture.
    ///
    /// # Errors
    /// If candle cannot create a tensor.
    pub fn record_losses(&mut self, losses: &[FinalLoss]) -> Result<(), DiffusionError> {
        for FinalLoss { part, index, kind, value, .. } in losses {
            let name = format!("final_{}", loss_name(*part, *index, kind));
            self.record(&name, &Tensor::new(&[*value], &Device::Cpu)?)?;
        }
        Ok(())
    }

    fn record(&mut self, name: &str, tensor: &Tensor) -> Result<(), DiffusionError> {
        let copy = tensor.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.contiguous()?;
        self.0.insert(name.to_owned(), copy);
        Ok(())
    }

    fn record_latents(&mut self, state: &State<'_>) -> Result<(), DiffusionError> {
        self.record(&format!("latents_{}", state.step - state.first_step), &state.latents)
    }
}

/// The name of the tensor of a loss.
fn loss_name(part: Option<usize>, index: usize, kind: &str) -> String {
    let part = part.map_or("all".to_owned(), |part| part.to_string());
    format!("loss_{part}_{index}_{kind}")
}

impl StepHook for Trace {
    fn begin(&mut self, state: &mut State<'_>) -> Result<(), DiffusionError> {
        self.record("prompt_embeds", &state.prompt.tokens)?;
        if let Some(negative_prompt) = state.negative_prompt {
            self.record("negative_prompt_embeds", &negative_prompt.tokens)?;
        }
        if let Some(denoise_mask) = state.denoise_mask.clone() {
            self.record("denoise_mask", &denoise_mask)?;
        }
        self.record("timesteps", &Tensor::new(state.timesteps(), &Device::Cpu)?)
    }

    fn before(&mut self, state: &mut State<'_>) -> Result<(), DiffusionError> {
        self.record_latents(state)
    }

    fn end(&mut self, state: &mut State<'_>) -> Result<(), DiffusionError> {
        for LossValues { part, index, kind, values, strict: _, cost: _ } in &state.losses {
            let values = Tensor::new(values.as_slice(), &Device::Cpu)?;
            self.record(&loss_name(*part, *index, kind), &values)?;
        }
        self.record_latents(state)
    }

    fn finished(&mut self, image: &Tensor) -> Result<(), DiffusionError> {
        self.record("image", image)
    }
}
