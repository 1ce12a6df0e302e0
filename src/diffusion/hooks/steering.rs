//! Steering by losses.

use std::{
    cell::OnceCell,
    sync::Arc,
    time::{Duration, Instant},
};

use candle_core::{DType, Tensor, Var};

use crate::{
    diffusion::{
        Autoencoder, DiffusionError, DrawError, Interrupt, State, StepHook,
        autoencoder::LinearAutoencoder,
    },
    loss::{Decoded, FinalLoss, LossFunction, LossInput, LossValues, PartMasks},
    ops,
    recipe::Loss,
};

/// Moves each prediction of the finished latents down the gradients of losses.
///
/// This is the mean guidance of TFG (Ye et al. 2024, arXiv:2409.15761), which differentiates the loss but not the
/// denoiser. The gradient of a [strict](Loss::strict) loss goes through the denoiser, too, as TFG's variance guidance
/// does. As in DSG (Yang et al. 2024, arXiv:2402.03201), the length of a move does not depend on the length of the
/// gradient: it is a share of the noise that is left. So a weight has the same effect at all sizes of picture and part.
///
/// The gradient of a loss on colours is a change of colours, which [`LinearAutoencoder::encode_change`] turns into a change
/// of latents. So it stays near the latents of pictures, as MPGD (He et al. 2023, arXiv:2311.16424) projects it by an
/// autoencoder.
pub struct Steering {
    parts: Vec<SteeredPart>,
    decoders: LossDecoders,
    costs: Costs,
}

/// What decodes the picture for losses.
pub struct LossDecoders {
    /// Decodes [`LossInput::colours`]. `None` if no loss reads them.
    pub colours: Option<LinearAutoencoder>,
    /// Decodes [`LossInput::pixels`]. `None` if no loss reads them.
    pub pixels: Option<Arc<dyn Autoencoder>>,
    /// Stops decoding.
    pub interrupt: Interrupt,
}

/// The measured times of the steps. The smallest ones count, so that pauses and other programs do not.
#[derive(Default)]
struct Costs {
    /// The end of the last steered prediction.
    ended: Option<Instant>,
    /// The smallest time of a step without its losses.
    step: Option<Duration>,
    /// The smallest time of each loss that acted.
    losses: Vec<Option<Duration>>,
}

/// A part with its losses.
pub struct SteeredPart {
    /// The index of the part in its edit. `None` for the whole picture.
    pub index: Option<usize>,
    /// The denoising strength, above 0 and at most 1: the share of the steps that are run, which are the last ones. The
    /// steps of losses are parts of these.
    pub strength: f32,
    /// The shares of the picture that belong to the part.
    pub masks: PartMasks,
    /// The losses.
    pub losses: Vec<(Loss, Box<dyn LossFunction>)>,
}

/// The length of the move of one step for a loss of weight and strength 1, as a share of the noise that is left.
const LENGTH: f64 = 0.4;

/// Below this share of noise, the picture is finished.
const MIN_NOISE: f64 = 1e-3;

impl Steering {
    /// A hook for the losses of some parts.
    #[must_use]
    pub fn new(parts: Vec<SteeredPart>, decoders: LossDecoders) -> Self {
        Self { parts, decoders, costs: Costs::default() }
    }

    /// The direction of all parts at some latents: the sum of the normalised gradients of all losses that steer at
    /// `progress`, a share of the steps. `None` if none does. `measured` gets each value, and the time of each loss that
    /// steers, in the order of the parts.
    fn direction(
        &self,
        latents: &Tensor,
        progress: f32,
        denoiser: &Pullback<'_>,
        mut measured: impl FnMut(f32, Option<Duration>),
    ) -> Result<Option<Tensor>, DiffusionError> {
        let variable = Var::from_tensor(&latents.detach())?;
        let decode_colours = || {
            let colours = self.decoders.colours(&latents.detach())?;
            Ok(Var::from_tensor(&colours)?.into_inner())
        };
        let decode_pixels = || self.decoders.pixels(&variable);
        let [colours, pixels] = [Decoded::new(&decode_colours), Decoded::new(&decode_pixels)];
        let mut direction: Option<Tensor> = None;
        for SteeredPart { strength, masks, losses, .. } in &self.parts {
            // Without the small addition, the first step of a part could be slightly before 0.
            let progress = 1.0 - (1.0 - progress) / strength + 1e-4;
            let input = LossInput::new(&variable, &colours, &pixels, masks);
            let length = length(&masks.latents.broadcast_as(latents.shape())?)?;
            for (loss, function) in losses {
                let begun = Instant::now();
                let value = self.decoders.interruptible(function.value(&input))?;
                let number = finite(loss, &value)?;
                if !acts(loss, progress, number) {
                    measured(number, None);
                    continue;
                }
                let gradients = value.backward()?;
                let of_colours = colours.read().and_then(|colours| gradients.get(colours));
                let of_colours = of_colours.zip(self.decoders.colours.as_ref());
                let of_colours = of_colours.map(|(gradient, autoencoder)| {
                    autoencoder.encode_change(&gradient.broadcast_mul(&masks.colours)?)
                });
                let gradient = match (gradients.get(&variable), of_colours.transpose()?) {
                    (Some(of_latents), Some(of_colours)) => {
                        (smoothed(of_latents, &**function)? + of_colours)?
                    }
                    (Some(of_latents), None) => smoothed(of_latents, &**function)?,
                    (None, Some(of_colours)) => of_colours,
                    (None, None) => {
                        measured(number, None);
                        continue;
                    }
                };
                let gradient = match loss.strict {
                    true => self.decoders.interruptible(denoiser.pull_back(&gradient))?,
                    false => gradient,
                };
                let gradient = gradient.broadcast_mul(&masks.latents)?;
                let steepness = self::length(&gradient)?;
                measured(number, Some(begun.elapsed()));
                if !steepness.is_finite() {
                    return Err(DrawError::Loss(loss.kind.name().to_owned()).into());
                }
                if steepness < 1e-12 {
                    continue;
                }
                let weight = signed_weight(loss) * function.strength();
                let move_of_loss = (gradient * (weight * length / steepness))?;
                direction = Some(match direction {
                    Some(sum) => (sum + move_of_loss)?,
                    None => move_of_loss,
                });
            }
        }
        Ok(direction)
    }

    /// The sum of the values, times their weights, of all losses that act at `progress`, a share of the steps. It is
    /// differentiable, through the decoder of colours too. `None` if no loss acts. `measured` gets each value, in the
    /// order of the parts.
    ///
    /// # Errors
    /// If candle fails.
    pub(in crate::diffusion) fn objective(
        &self,
        latents: &Tensor,
        progress: f32,
        mut measured: impl FnMut(f32),
    ) -> Result<Option<Tensor>, DiffusionError> {
        let decode_colours = || self.decoders.colours(latents);
        let decode_pixels = || self.decoders.pixels(latents);
        let [colours, pixels] = [Decoded::new(&decode_colours), Decoded::new(&decode_pixels)];
        let mut objective: Option<Tensor> = None;
        for SteeredPart { masks, losses, .. } in &self.parts {
            let input = LossInput::new(latents, &colours, &pixels, masks);
            for (loss, function) in losses {
                let value = self.decoders.interruptible(function.value(&input))?;
                let number = value.to_dtype(DType::F32)?.to_scalar::<f32>()?;
                measured(number);
                if acts(loss, progress, number) {
                    let value = (value * signed_weight(loss))?;
                    objective = Some(match objective {
                        Some(sum) => (sum + value)?,
                        None => value,
                    });
                }
            }
        }
        Ok(objective)
    }

    /// The values of all losses before the first step: none yet.
    pub(in crate::diffusion) fn no_values(&self) -> Vec<LossValues> {
        let values = |part: &SteeredPart| {
            let index = part.index;
            let losses = part.losses.iter().enumerate();
            losses
                .map(|(at, (loss, _))| LossValues {
                    part: index,
                    index: at,
                    kind: loss.kind.name().to_owned(),
                    strict: loss.strict,
                    values: Vec::new(),
                    cost: None,
                })
                .collect::<Vec<_>>()
        };
        self.parts.iter().flat_map(values).collect()
    }

    /// The values of all losses for finished latents.
    ///
    /// # Errors
    /// [`DrawError::Loss`] if a value is not finite. Otherwise if candle fails.
    pub fn measure(&self, latents: &Tensor) -> Result<Vec<FinalLoss>, DiffusionError> {
        let decode_colours = || self.decoders.colours(latents);
        let decode_pixels = || self.decoders.pixels(latents);
        let [colours, pixels] = [Decoded::new(&decode_colours), Decoded::new(&decode_pixels)];
        let mut measured = Vec::new();
        for SteeredPart { index: part, masks, losses, .. } in &self.parts {
            let input = LossInput::new(latents, &colours, &pixels, masks);
            for (index, (loss, function)) in losses.iter().enumerate() {
                let value = self.decoders.interruptible(function.value(&input))?;
                let value = finite(loss, &value)?;
                let Loss { kind, weight, unlike, .. } = loss;
                let (kind, weight, unlike) = (kind.name().to_owned(), *weight, *unlike);
                measured.push(FinalLoss { part: *part, index, kind, weight, unlike, value });
            }
        }
        Ok(measured)
    }
}

impl LossDecoders {
    fn colours(&self, latents: &Tensor) -> candle_core::Result<Tensor> {
        let Some(autoencoder) = &self.colours else {
            candle_core::bail!("a loss reads colours, but its `reads` says no");
        };
        autoencoder.decode(latents)
    }

    fn pixels(&self, latents: &Tensor) -> candle_core::Result<Tensor> {
        let Some(autoencoder) = &self.pixels else {
            candle_core::bail!("a loss reads pixels, but its `reads` says no");
        };
        let decoded = autoencoder.decode(latents, &self.interrupt);
        decoded.map_err(candle_core::Error::wrap)?.affine(0.5, 0.5)
    }

    /// The result of a loss. An interrupted decoder or denoiser arrives as an error of candle.
    fn interruptible<T, E>(&self, result: Result<T, E>) -> Result<T, DiffusionError>
    where
        DiffusionError: From<E>,
    {
        if result.is_err() {
            self.interrupt.check()?;
        }
        Ok(result?)
    }
}

impl StepHook for Steering {
    fn begin(&mut self, state: &mut State<'_>) -> Result<(), DiffusionError> {
        state.losses = self.no_values();
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
        let mut measured = Vec::new();
        let begun = Instant::now();
        let originals = |latents: &Tensor| {
            let output = state.predict(latents)?;
            Ok(prediction.predicted_original(&output, latents, levels)?)
        };
        let denoiser = Pullback::new(&state.latents, &originals);
        let direction = self.direction(&original, progress, &denoiser, |value, time| {
            measured.push((value, time));
        })?;
        self.costs.add(begun, measured.iter().map(|(_, time)| *time));
        for (index, (loss, (value, _))) in state.losses.iter_mut().zip(measured).enumerate() {
            loss.values.push(value);
            loss.cost = self.costs.of(index);
        }
        let Some(direction) = direction else { return Ok(model_output) };
        let original = (original - (direction * (LENGTH * noise))?)?;
        Ok(prediction.output_for(&original, &state.latents, levels)?)
    }
}

/// The prediction of the finished latents as a function of the latents of a step. Its graph is computed when the first
/// gradient goes back through it.
struct Pullback<'a> {
    latents: &'a Tensor,
    originals: &'a dyn Fn(&Tensor) -> Result<Tensor, DiffusionError>,
    graph: OnceCell<(Var, Tensor)>,
}

impl<'a> Pullback<'a> {
    fn new(
        latents: &'a Tensor,
        originals: &'a dyn Fn(&Tensor) -> Result<Tensor, DiffusionError>,
    ) -> Self {
        Self { latents, originals, graph: OnceCell::new() }
    }

    /// The gradient with respect to the latents, from the gradient with respect to the prediction.
    fn pull_back(&self, gradient: &Tensor) -> Result<Tensor, DiffusionError> {
        let (variable, original) = match self.graph.get() {
            Some(graph) => graph,
            None => {
                let variable = Var::from_tensor(&self.latents.detach())?;
                let original = (self.originals)(&variable)?;
                self.graph.get_or_init(|| (variable, original))
            }
        };
        let gradients = (original * gradient.detach())?.sum_all()?.backward()?;
        Ok(gradients.get(variable).map_or_else(|| gradient.zeros_like(), |it| Ok(it.clone()))?)
    }
}

impl Costs {
    /// Adds a step, whose losses were computed from `begun` until now.
    fn add(&mut self, begun: Instant, losses: impl ExactSizeIterator<Item = Option<Duration>>) {
        let smaller = |old: &mut Option<Duration>, new: Option<Duration>| {
            *old = old.iter().copied().chain(new).min();
        };
        self.losses.resize(losses.len(), None);
        smaller(&mut self.step, self.ended.map(|ended| begun.duration_since(ended)));
        self.losses.iter_mut().zip(losses).for_each(|(old, new)| smaller(old, new));
        self.ended = Some(Instant::now());
    }

    /// The time of a loss, as a share of a step without losses.
    fn of(&self, loss: usize) -> Option<f32> {
        let time = self.losses.get(loss).copied().flatten()?;
        Some(time.as_secs_f32() / self.step?.as_secs_f32().max(1e-6))
    }
}

/// The value of a loss as a number.
///
/// # Errors
/// [`DrawError::Loss`] if it is not finite.
fn finite(loss: &Loss, value: &Tensor) -> Result<f32, DiffusionError> {
    let value = value.to_dtype(DType::F32)?.to_scalar::<f32>()?;
    match value.is_finite() {
        true => Ok(value),
        false => Err(DrawError::Loss(loss.kind.name().to_owned()).into()),
    }
}

/// Whether a loss with this value acts at `progress`, a share of the steps.
fn acts(loss: &Loss, progress: f32, value: f32) -> bool {
    let is_reached = loss.stop.is_some_and(|stop| (value <= stop) != loss.unlike);
    (loss.from..loss.end()).contains(&progress) && !is_reached
}

/// The weight of a loss in a sum that is made small.
fn signed_weight(loss: &Loss) -> f64 {
    let sign = if loss.unlike { -1.0 } else { 1.0 };
    sign * f64::from(loss.weight)
}

/// The gradient with respect to the latents as smooth as a loss wants it.
fn smoothed(gradient: &Tensor, loss: &dyn LossFunction) -> candle_core::Result<Tensor> {
    match loss.smoothing() {
        0 => Ok(gradient.clone()),
        times => ops::box_blur(gradient, times),
    }
}

/// The Euclidean length of all elements.
fn length(x: &Tensor) -> candle_core::Result<f64> {
    let squares = x.sqr()?.sum_all()?.to_dtype(DType::F64)?;
    Ok(squares.to_scalar::<f64>()?.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{assert_close, numbers};

    #[test]
    fn a_gradient_goes_back_through_the_prediction_of_which_one_graph_is_kept() {
        let latents = numbers((1, 2, 2, 3), 1);
        let runs = std::cell::Cell::new(0);
        // Each value is squared and moves to the other channel.
        let originals = |x: &Tensor| {
            runs.set(runs.get() + 1);
            let squares = x.sqr()?;
            Ok(Tensor::cat(&[squares.narrow(1, 1, 1)?, squares.narrow(1, 0, 1)?], 1)?)
        };
        let denoiser = Pullback::new(&latents, &originals);
        for seed in [2, 3] {
            let gradient = numbers((1, 2, 2, 3), seed);
            let [first, second] = [0, 1].map(|channel| gradient.narrow(1, 1 - channel, 1).unwrap());
            let moved = Tensor::cat(&[first, second], 1).unwrap();
            let expected = ((moved * &latents).unwrap() * 2.0).unwrap();
            assert_close(&denoiser.pull_back(&gradient).unwrap(), &expected, 1e-12);
        }
        assert_eq!(runs.get(), 1);
    }
}
