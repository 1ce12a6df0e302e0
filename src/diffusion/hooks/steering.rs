//! Steering by losses.

use std::cell::OnceCell;

use candle_core::{DType, Tensor, Var};

use crate::{
    diffusion::{DiffusionError, LossValues, State, StepHook, autoencoder::LinearDecoder},
    loss::{LossFunction, LossInput},
    recipe::Loss,
};

/// Moves each prediction of the finished latents down the gradients of losses.
///
/// This is the mean guidance of TFG (Ye et al. 2024, arXiv:2409.15761), which differentiates the loss but not the
/// denoiser. As in DSG (Yang et al. 2024, arXiv:2402.03201), the length of a move does not depend on the length of the
/// gradient: it is a share of the noise that is left. So a weight has the same effect with all kinds of loss, and at
/// all sizes of picture and part.
pub struct Steering {
    parts: Vec<SteeredPart>,
    decoder: LinearDecoder,
}

/// A part with its losses.
pub struct SteeredPart {
    /// The index of the part in its edit. `None` for the whole picture.
    pub index: Option<usize>,
    /// The share of each latent that belongs to the part, (1, 1, height, width).
    pub latent_mask: Tensor,
    /// The same for each pixel at a quarter of the size.
    pub colour_mask: Tensor,
    /// The losses.
    pub losses: Vec<(Loss, Box<dyn LossFunction>)>,
}

/// The moves in each step.
const MOVES: usize = 4;

/// The length of the moves of one step for a loss of weight 1, as a share of the noise that is left.
const LENGTH: f64 = 0.4;

/// Below this share of noise, the picture is finished.
const MIN_NOISE: f64 = 1e-3;

impl Steering {
    /// A hook for the losses of some parts.
    #[must_use]
    pub fn new(parts: Vec<SteeredPart>, decoder: LinearDecoder) -> Self {
        Self { parts, decoder }
    }

    /// The direction of all parts at some latents: the sum of the normalised gradients of all losses that steer at
    /// `progress`, a share of the steps. `None` if none does. `measured` gets each value.
    fn direction(
        &self,
        latents: &Tensor,
        progress: f32,
        mut measured: impl FnMut(usize, usize, f32),
    ) -> Result<Option<Tensor>, DiffusionError> {
        let variable = Var::from_tensor(&latents.detach())?;
        let latents = variable.as_tensor();
        let decode = |latents: &Tensor| self.decoder.decode(latents);
        let colours = OnceCell::new();
        let mut direction: Option<Tensor> = None;
        for (part, SteeredPart { latent_mask, colour_mask, losses, .. }) in
            self.parts.iter().enumerate()
        {
            let input = LossInput::new(latents, &decode, &colours, [latent_mask, colour_mask]);
            let length = length(&latent_mask.broadcast_as(latents.shape())?)?;
            for (index, (loss, function)) in losses.iter().enumerate() {
                let value = function.value(&input)?;
                let number = value.to_dtype(DType::F32)?.to_scalar::<f32>()?;
                measured(part, index, number);
                let is_reached = loss.stop.is_some_and(|stop| (number <= stop) != loss.unlike);
                if !(loss.from..loss.end()).contains(&progress) || is_reached || !number.is_finite()
                {
                    continue;
                }
                let gradients = value.backward()?;
                let Some(gradient) = gradients.get(latents) else { continue };
                let gradient = gradient.broadcast_mul(latent_mask)?;
                let steepness = self::length(&gradient)?;
                if steepness < 1e-12 || !steepness.is_finite() {
                    continue;
                }
                let sign = if loss.unlike { -1.0 } else { 1.0 };
                let share = sign * f64::from(loss.weight) * length / steepness;
                let move_of_loss = (gradient * share)?;
                direction = Some(match direction {
                    Some(sum) => (sum + move_of_loss)?,
                    None => move_of_loss,
                });
            }
        }
        Ok(direction)
    }
}

impl StepHook for Steering {
    fn begin(&mut self, state: &mut State<'_>) -> Result<(), DiffusionError> {
        let values = |part: &SteeredPart| {
            let index = part.index;
            let losses = part.losses.iter().enumerate();
            losses
                .map(|(at, (loss, _))| LossValues {
                    part: index,
                    index: at,
                    kind: loss.kind.name().to_owned(),
                    values: Vec::new(),
                })
                .collect::<Vec<_>>()
        };
        state.losses = self.parts.iter().flat_map(values).collect();
        Ok(())
    }

    fn predicted(
        &mut self,
        state: &mut State<'_>,
        model_output: Tensor,
    ) -> Result<Tensor, DiffusionError> {
        let [alpha, sigma] = state.scheduler().alpha_sigma(state.step);
        let noise = sigma / alpha.hypot(sigma);
        if noise < MIN_NOISE {
            return Ok(model_output);
        }
        let prediction = state.scheduler().prediction();
        let levels = [alpha, sigma];
        let mut original = prediction.predicted_original(&model_output, &state.latents, levels)?;
        let progress = state.step as f32 / state.timesteps().len() as f32;
        let mut has_moved = false;
        for move_number in 0..MOVES {
            let first = |part: usize| {
                self.parts[..part].iter().map(|part| part.losses.len()).sum::<usize>()
            };
            let direction = self.direction(&original, progress, |part, index, value| {
                if move_number == 0 {
                    state.losses[first(part) + index].values.push(value);
                }
            })?;
            let Some(direction) = direction else { break };
            original = (original - (direction * (LENGTH * noise / MOVES as f64))?)?;
            has_moved = true;
        }
        Ok(match has_moved {
            true => prediction.output_for(&original, &state.latents, levels)?,
            false => model_output,
        })
    }
}

/// The Euclidean length of all elements.
fn length(x: &Tensor) -> candle_core::Result<f64> {
    let squares = x.sqr()?.sum_all()?.to_dtype(DType::F64)?;
    Ok(squares.to_scalar::<f64>()?.sqrt())
}
