//! Pictures from an autoencoder alone: an optimizer changes latents until their losses are small.

mod pyramid;

use candle_core::{Tensor, Var};

use super::{
    DiffusionError, DrawError, DrawRequest, Drawn, Interrupt, Model, Noise,
    autoencoder::LinearAutoencoder,
    hooks::Steering,
    model::is_finite,
    noise::noise,
    optimizer, pixels,
    scribble::{ScribbleLatents, scribble_of},
};
use crate::{
    control::{Control, Step},
    loss::{Frame, loss_of_prompt},
    recipe::{InspirationKind, Loss},
};

use pyramid::Pyramid;

/// The standard deviation of the colours of the start, which are in 0..=1. Weak colours leave the choice to the losses.
const START: f64 = 0.1;

/// The weight of the prior: half of the mean square of the latents. Those of pictures have a variance of about 1. Without
/// the prior, L-BFGS in particular leaves this range, because losses do not rise outside of it.
const PRIOR: f64 = 0.05;

/// The most iterations of a picture.
pub(super) const MAX_ITERATIONS: u32 = 1000;

impl Model {
    /// Draws a picture without the denoiser. An [optimizer](super::optimizer) makes the sum of all losses, times their
    /// weights, and of a mild prior small. [`ResolvedSampler::scheduler`](crate::recipe::ResolvedSampler::scheduler)
    /// names the optimizer, and `steps` are its iterations. The guidance has no effect.
    ///
    /// The prompt counts as a loss `Text` of weight 1, and the negative prompt as one that is `unlike`; so do the texts
    /// of inspirations, with their weights. The start is soft clouds of colours, which the seed decides. Scribbles
    /// cover them. [`Noise::Latents`] are the start themselves.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] at most one iteration after an interrupt, [`DiffusionError::Draw`] if the request
    /// has an invalid value or the optimizer diverges, and [`DiffusionError::Loss`] if a loss cannot be set up.
    pub fn optimize(
        &self,
        request: &DrawRequest,
        control: &dyn Control,
    ) -> Result<Drawn, DiffusionError> {
        let interrupt = control.interrupt();
        let layout = request.layout(self.parts.autoencoder.spec(), self.patch_size())?;
        let mut optimizer = optimizer::build(&request.sampler.scheduler)?;
        if !(1..=MAX_ITERATIONS).contains(&request.sampler.steps) {
            return Err(DrawError::Iterations(request.sampler.steps).into());
        }
        interrupt.check()?;
        let (frame, device) = (layout.frame(self.scale()), &self.parts.device);
        let losses = self.losses_of_picture(request, frame, texts(request), interrupt)?;
        let linear = self.linear_autoencoder(interrupt)?;
        let side = Frame::colours_per_latent(self.scale());
        let [_, _, height, width] = layout.shape;
        let pyramid = Pyramid::new(height * side, width * side, device)?;
        let start = self.start(request, frame, &pyramid, linear, interrupt)?;
        let latents_of = |maps: &Tensor| {
            let colours = pyramid.colours(maps)?;
            &start + linear.encode_change(&colours)?
        };
        let colours = self.colours(interrupt)?;
        let mut maps = Tensor::zeros(pyramid.len(), start.dtype(), device)?;
        // Losses are means, so their gradients are small. This makes learning rates independent of the size.
        let scale = start.elem_count() as f64;
        let steps = request.sampler.steps;
        let mut values = losses.steering().map(Steering::no_values).unwrap_or_default();
        for step in 0..steps {
            interrupt.check()?;
            let variable = Var::from_tensor(&maps)?;
            let latents = latents_of(&variable)?;
            let mut objective = (latents.sqr()?.mean_all()? * (PRIOR / 2.0))?;
            if let Some(steering) = losses.steering() {
                let progress = step as f32 / steps as f32;
                let mut measured = Vec::new();
                let sum = steering.objective(&latents, progress, |value| measured.push(value))?;
                for (loss, value) in values.iter_mut().zip(measured) {
                    loss.values.push(value);
                }
                if let Some(sum) = sum {
                    objective = (objective + sum)?;
                }
            }
            let gradients = (objective * scale)?.backward()?;
            if let Some(gradient) = gradients.get(&variable) {
                maps = optimizer.step(&maps, gradient)?.detach();
            }
            control.step(Step {
                done: step + 1,
                of: steps,
                preview: Some(colours.preview(&latents.detach())?),
                changed: None,
                losses: values.clone(),
            });
        }
        let latents = latents_of(&maps)?;
        if !is_finite(&latents)? {
            return Err(DrawError::Diverged(request.sampler.scheduler.clone()).into());
        }
        let losses = losses.measure(&latents)?;
        let decoded = self.decode(&latents, interrupt)?;
        let image = layout.crop_to_size(&decoded.clamp(-1.0, 1.0)?)?;
        Ok(Drawn { image: pixels::rgba(&image)?, losses })
    }

    /// The starting latents: scribbles over clouds of colours.
    fn start(
        &self,
        request: &DrawRequest,
        frame: Frame,
        pyramid: &Pyramid,
        linear: &LinearAutoencoder,
        interrupt: &Interrupt,
    ) -> Result<Tensor, DiffusionError> {
        let device = &self.parts.device;
        let seed = match &request.noise {
            Noise::Seed(seed) => *seed,
            Noise::Latents(latents) => {
                return Ok(latents.to_dtype(candle_core::DType::F32)?.to_device(device)?);
            }
        };
        let scribble = self.encode_scribble(&scribble_of(request, frame), interrupt)?;
        let ScribbleLatents { opacity, latents } = scribble;
        let clouds = Tensor::from_vec(noise(seed, 1, 1, pyramid.len()), pyramid.len(), device)?;
        let clouds = pyramid.colours(&clouds)?;
        let deviation = f64::from(clouds.sqr()?.mean_all()?.to_scalar::<f32>()?).sqrt();
        let clouds = (clouds * (START / deviation.max(1e-6)))?;
        let (_, _, rows, _) = clouds.dims4()?;
        let covered = opacity.avg_pool2d(frame.size.1 as usize / rows)?.to_device(device)?;
        let clouds = clouds.broadcast_mul(&covered.affine(-1.0, 1.0)?)?;
        Ok((latents + linear.encode_change(&clouds)?)?)
    }
}

/// The losses that stand for the prompts and the texts of inspirations.
fn texts(request: &DrawRequest) -> Vec<Loss> {
    // No denoiser paints details in the last steps, so the prompt acts in all of them.
    let of_prompt = |prompt: &str| loss_of_prompt(prompt).map(|it| Loss { to: Some(1.0), ..it });
    let prompt = of_prompt(&request.prompt);
    let negative = of_prompt(&request.negative_prompt).map(|it| Loss { unlike: true, ..it });
    let of_inspirations = request.inspirations.iter().filter_map(|inspiration| {
        let InspirationKind::Text(words) = &inspiration.kind else { return None };
        let (weight, from, to) = (inspiration.weight, inspiration.from, Some(inspiration.end()));
        Some(Loss { weight, from, to, ..of_prompt(words)? })
    });
    prompt.into_iter().chain(negative).chain(of_inspirations).collect()
}
