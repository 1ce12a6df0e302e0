//! Steering by losses.

use std::cell::OnceCell;

use candle_core::{DType, Tensor, Var};

use crate::{
    diffusion::{DiffusionError, State, StepHook, autoencoder::LinearAutoencoder},
    loss::{FinalLoss, LossFunction, LossInput, LossValues},
    recipe::Loss,
};

/// Moves each prediction of the finished latents down the gradients of losses.
///
/// This is the mean guidance of TFG (Ye et al. 2024, arXiv:2409.15761), which differentiates the loss but not the
/// denoiser. As in DSG (Yang et al. 2024, arXiv:2402.03201), the length of a move does not depend on the length of the
/// gradient: it is a share of the noise that is left. So a weight has the same effect at all sizes of picture and part.
///
/// The gradient of a loss on colours is a change of colours, which [`LinearAutoencoder::encode_change`] turns into a change
/// of latents. So it stays near the latents of pictures, as MPGD (He et al. 2023, arXiv:2311.16424) projects it by an
/// autoencoder.
pub struct Steering {
    parts: Vec<SteeredPart>,
    /// Decodes colours. `None` if no loss reads them.
    autoencoder: Option<LinearAutoencoder>,
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

/// The length of the move of one step for a loss of weight and strength 1, as a share of the noise that is left.
const LENGTH: f64 = 0.4;

/// Below this share of noise, the picture is finished.
const MIN_NOISE: f64 = 1e-3;

impl Steering {
    /// A hook for the losses of some parts. Losses that read colours need an `autoencoder`.
    #[must_use]
    pub fn new(parts: Vec<SteeredPart>, autoencoder: Option<LinearAutoencoder>) -> Self {
        Self { parts, autoencoder }
    }

    /// The direction of all parts at some latents: the sum of the normalised gradients of all losses that steer at
    /// `progress`, a share of the steps. `None` if none does. `measured` gets each value, in the order of the parts.
    fn direction(
        &self,
        latents: &Tensor,
        progress: f32,
        mut measured: impl FnMut(f32),
    ) -> Result<Option<Tensor>, DiffusionError> {
        let variable = Var::from_tensor(&latents.detach())?;
        let decode = || self.decoded(latents);
        let colours = OnceCell::new();
        let mut direction: Option<Tensor> = None;
        for SteeredPart { latent_mask, colour_mask, losses, .. } in &self.parts {
            let masks = [latent_mask, colour_mask];
            let input = LossInput::new(variable.as_tensor(), &decode, &colours, masks);
            let length = length(&latent_mask.broadcast_as(latents.shape())?)?;
            for (loss, function) in losses {
                let value = function.value(&input)?;
                let number = value.to_dtype(DType::F32)?.to_scalar::<f32>()?;
                measured(number);
                let is_reached = loss.stop.is_some_and(|stop| (number <= stop) != loss.unlike);
                if !(loss.from..loss.end()).contains(&progress) || is_reached || !number.is_finite()
                {
                    continue;
                }
                let gradients = value.backward()?;
                let of_colours = colours.get().and_then(|colours| gradients.get(colours));
                let of_colours = of_colours.zip(self.autoencoder.as_ref());
                let of_colours = of_colours.map(|(gradient, autoencoder)| {
                    autoencoder.encode_change(&gradient.broadcast_mul(colour_mask)?)
                });
                let gradient = match (gradients.get(&variable), of_colours.transpose()?) {
                    (Some(of_latents), Some(of_colours)) => {
                        (smoothed(of_latents, function.smoothing())? + of_colours)?
                    }
                    (Some(of_latents), None) => smoothed(of_latents, function.smoothing())?,
                    (None, Some(of_colours)) => of_colours,
                    (None, None) => continue,
                };
                let gradient = gradient.broadcast_mul(latent_mask)?;
                let steepness = self::length(&gradient)?;
                if steepness < 1e-12 || !steepness.is_finite() {
                    continue;
                }
                let sign = if loss.unlike { -1.0 } else { 1.0 };
                let weight = sign * f64::from(loss.weight) * function.strength();
                let move_of_loss = (gradient * (weight * length / steepness))?;
                direction = Some(match direction {
                    Some(sum) => (sum + move_of_loss)?,
                    None => move_of_loss,
                });
            }
        }
        Ok(direction)
    }

    /// The values of all losses for finished latents. A value that is not finite is left out.
    ///
    /// # Errors
    /// If candle fails.
    pub fn measure(&self, latents: &Tensor) -> Result<Vec<FinalLoss>, DiffusionError> {
        let decode = || self.decoded(latents);
        let colours = OnceCell::new();
        let mut measured = Vec::new();
        for SteeredPart { index: part, latent_mask, colour_mask, losses } in &self.parts {
            let input = LossInput::new(latents, &decode, &colours, [latent_mask, colour_mask]);
            for (index, (loss, function)) in losses.iter().enumerate() {
                let value = function.value(&input)?.to_dtype(DType::F32)?.to_scalar::<f32>()?;
                let Loss { kind, weight, unlike, .. } = loss;
                let (kind, weight, unlike) = (kind.name().to_owned(), *weight, *unlike);
                measured.push(FinalLoss { part: *part, index, kind, weight, unlike, value });
            }
        }
        measured.retain(|loss| loss.value.is_finite());
        Ok(measured)
    }

    /// The colours of latents, as a variable.
    fn decoded(&self, latents: &Tensor) -> candle_core::Result<Tensor> {
        let Some(autoencoder) = &self.autoencoder else {
            candle_core::bail!("a loss reads colours, but its `reads_colours` is false");
        };
        let colours = autoencoder.decode(&latents.detach())?;
        Ok(Var::from_tensor(&colours)?.into_inner())
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
        let original = prediction.predicted_original(&model_output, &state.latents, levels)?;
        let progress = state.step as f32 / state.timesteps().len() as f32;
        let mut values = Vec::new();
        let direction = self.direction(&original, progress, |value| values.push(value))?;
        for (loss, value) in state.losses.iter_mut().zip(values) {
            loss.values.push(value);
        }
        let Some(direction) = direction else { return Ok(model_output) };
        let original = (original - (direction * (LENGTH * noise))?)?;
        Ok(prediction.output_for(&original, &state.latents, levels)?)
    }
}

/// The mean over 3 x 3 neighbours, `times` times. Beyond the edges, the outermost values are repeated.
fn smoothed(x: &Tensor, times: usize) -> candle_core::Result<Tensor> {
    (0..times).try_fold(x.clone(), |x, _| {
        x.pad_with_same(2, 1, 1)?.pad_with_same(3, 1, 1)?.avg_pool2d_with_stride((3, 3), (1, 1))
    })
}

/// The Euclidean length of all elements.
fn length(x: &Tensor) -> candle_core::Result<f64> {
    let squares = x.sqr()?.sum_all()?.to_dtype(DType::F64)?;
    Ok(squares.to_scalar::<f64>()?.sqrt())
}
