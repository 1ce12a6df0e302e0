//! One sample under several texts at once.

use candle_core::Tensor;
use rayon::prelude::*;

use crate::diffusion::{DiffusionError, Interrupt, unet::UNet2DConditionModel};

/// Texts that a sample is answered under, in the batches that its device is quickest with. On the processor each is
/// alone and they run side by side: threads that each do a network of their own wait less for each other than threads
/// that share every layer. Elsewhere all are one batch.
pub(super) struct Contexts(Vec<Tensor>);

impl Contexts {
    /// Takes at least one text, each `(1, tokens, width)`.
    pub fn new(texts: Vec<Tensor>) -> candle_core::Result<Self> {
        let alone = texts.iter().all(|text| text.device().is_cpu());
        Ok(Self(if alone { texts } else { vec![Tensor::cat(&texts, 0)?] }))
    }

    /// What the network answers to `sample`, `(1, channels, height, width)`, under each text:
    /// `(texts, channels, height, width)`.
    pub fn answers(
        &self,
        unet: &UNet2DConditionModel,
        sample: &Tensor,
        timestep: f64,
        interrupt: &Interrupt,
    ) -> Result<Tensor, DiffusionError> {
        let under = |context: &Tensor| {
            let samples = sample.repeat((context.dim(0)?, 1, 1, 1))?;
            unet.forward(&samples, timestep, context, interrupt)
        };
        let answers = self.0.par_iter().map(under).collect::<Result<Vec<_>, DiffusionError>>()?;
        Ok(Tensor::cat(&answers, 0)?)
    }
}
