//! Predictions under several conditionings in one call.

use candle_core::Tensor;
use rayon::prelude::*;

use super::{ActiveAdapters, Conditioning, Denoiser, DenoiserInput, DiffusionError, Interrupt};
use crate::diffusion::adapter::ImageKeys;

/// Conditionings in the batches that run fastest on their device.
///
/// On a CPU each conditioning is its own batch, and the batches run in parallel: threads that each
/// run a whole network wait less than threads that share every layer. On other devices, all
/// conditionings of equal length form one batch.
pub(in crate::diffusion) struct ConditioningBatches(Vec<Conditioning>);

impl ConditioningBatches {
    pub fn new(conditionings: &[Conditioning]) -> candle_core::Result<Self> {
        let first = conditionings.first();
        let alike = |conditioning: &Conditioning| {
            first.is_some_and(|first| {
                conditioning.tokens.dims() == first.tokens.dims()
                    && conditioning.pooled.is_some() == first.pooled.is_some()
                    && conditioning.images.len() == first.images.len()
            })
        };
        let on_cpu = conditionings.iter().all(|conditioning| conditioning.tokens.device().is_cpu());
        if on_cpu || !conditionings.iter().all(alike) {
            return Ok(Self(conditionings.to_vec()));
        }
        let tokens = conditionings.iter().map(|conditioning| &conditioning.tokens);
        let pooled = conditionings.iter().filter_map(|conditioning| conditioning.pooled.as_ref());
        let (tokens, pooled) = (tokens.collect::<Vec<_>>(), pooled.collect::<Vec<_>>());
        let mut batch = Conditioning::new(Tensor::cat(&tokens, 0)?);
        if !pooled.is_empty() {
            batch = batch.with_pooled(Tensor::cat(&pooled, 0)?);
        }
        let images = 0..first.map_or(0, |first| first.images.len());
        let image = |index: usize| {
            let keys = conditionings.iter().map(|conditioning| &conditioning.images[index]);
            ImageKeys::batch(&keys.collect::<Vec<_>>())
        };
        let batch = batch.with_images(images.map(image).collect::<candle_core::Result<_>>()?);
        Ok(Self(vec![batch]))
    }

    /// Predicts for `latents`, (1, channels, height, width), under each conditioning, with the same adapters. The
    /// predictions have the same shape.
    pub fn predict(
        &self,
        denoiser: &dyn Denoiser,
        latents: &Tensor,
        timestep: f64,
        adapters: Option<&ActiveAdapters>,
        interrupt: &Interrupt,
    ) -> Result<Vec<Tensor>, DiffusionError> {
        let predict = |conditioning: &Conditioning| {
            let count = conditioning.tokens.dim(0)?;
            let latents = latents.repeat((count, 1, 1, 1))?;
            let input = DenoiserInput::new(&latents, timestep, conditioning, interrupt);
            let input = DenoiserInput { adapters, ..input };
            let prediction = denoiser.predict(&input)?;
            Ok((0..count).map(|i| prediction.narrow(0, i, 1)).collect::<Result<Vec<_>, _>>()?)
        };
        let predictions =
            self.0.par_iter().map(predict).collect::<Result<Vec<_>, DiffusionError>>()?;
        Ok(predictions.into_iter().flatten().collect())
    }
}
