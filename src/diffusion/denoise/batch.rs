//! Predictions under several conditionings in one call.

use candle_core::Tensor;
use rayon::prelude::*;

use super::{ActiveAdapters, Conditioning, Denoiser, DenoiserInput, DiffusionError, Interrupt};
use crate::diffusion::{adapter::ImageKeys, guide::Predictions};

/// Conditionings in the batches that run fastest on their device.
///
/// On a CPU each conditioning is its own batch, and the batches run in parallel: threads that each
/// run a whole network wait less than threads that share every layer. On other devices, all
/// conditionings of equal length form one batch.
pub(in crate::diffusion) struct ConditioningBatches<'a> {
    denoiser: &'a dyn Denoiser,
    conditionings: Vec<Conditioning>,
    /// Whether they form one batch.
    are_joined: bool,
}

impl<'a> ConditioningBatches<'a> {
    pub fn new(denoiser: &'a dyn Denoiser, conditionings: &[Conditioning]) -> Self {
        let first = conditionings.first();
        let alike = |conditioning: &Conditioning| {
            first.is_some_and(|first| {
                conditioning.tokens.dims() == first.tokens.dims()
                    && conditioning.pooled.is_some() == first.pooled.is_some()
                    && conditioning.images.len() == first.images.len()
                    && conditioning.guidance_scale == first.guidance_scale
                    // References may have any size.
                    && conditioning.references.is_empty()
            })
        };
        let on_cpu = conditionings.iter().all(|conditioning| conditioning.tokens.device().is_cpu());
        let are_joined = !on_cpu && conditionings.iter().all(alike);
        Self { denoiser, conditionings: conditionings.to_vec(), are_joined }
    }

    /// Predicts for `latents`, (1, channels, height, width), under each conditioning whose index `is_read`, with the same
    /// adapters. The predictions have the same shape. `inpainting` is that of a [`DenoiserInput`].
    pub fn predict(
        &self,
        latents: &Tensor,
        inpainting: Option<&Tensor>,
        timestep: f64,
        adapters: Option<&ActiveAdapters>,
        is_read: impl Fn(usize) -> bool,
        interrupt: &Interrupt,
    ) -> Result<Predictions, DiffusionError> {
        let read: Vec<_> = (0..self.conditionings.len()).map(is_read).collect();
        let conditionings = self.conditionings.iter().zip(&read).filter(|(_, is_read)| **is_read);
        let conditionings: Vec<_> = conditionings.map(|(it, _)| it.clone()).collect();
        let batches = match self.are_joined && conditionings.len() > 1 {
            true => vec![joined(&conditionings)?],
            false => conditionings,
        };
        let predict = |conditioning: &Conditioning| {
            let count = conditioning.tokens.dim(0)?;
            let latents = latents.repeat((count, 1, 1, 1))?;
            let input = DenoiserInput::new(&latents, timestep, conditioning, interrupt);
            let input = DenoiserInput { inpainting, adapters, ..input };
            let prediction = self.denoiser.predict(&input)?;
            Ok((0..count).map(|i| prediction.narrow(0, i, 1)).collect::<Result<Vec<_>, _>>()?)
        };
        let predictions =
            batches.par_iter().map(predict).collect::<Result<Vec<_>, DiffusionError>>()?;
        let mut predictions = predictions.into_iter().flatten();
        let of_read = |is_read| if is_read { predictions.next() } else { None };
        Ok(read.into_iter().map(of_read).collect())
    }
}

/// One batch of conditionings of equal length.
fn joined(conditionings: &[Conditioning]) -> candle_core::Result<Conditioning> {
    let tokens = conditionings.iter().map(|conditioning| &conditioning.tokens);
    let pooled = conditionings.iter().filter_map(|conditioning| conditioning.pooled.as_ref());
    let (tokens, pooled) = (tokens.collect::<Vec<_>>(), pooled.collect::<Vec<_>>());
    let mut batch = Conditioning::new(Tensor::cat(&tokens, 0)?);
    batch.guidance_scale = conditionings.first().and_then(|first| first.guidance_scale);
    if !pooled.is_empty() {
        batch = batch.with_pooled(Tensor::cat(&pooled, 0)?);
    }
    let images = 0..conditionings.first().map_or(0, |first| first.images.len());
    let image = |index: usize| {
        let keys = conditionings.iter().map(|conditioning| &conditioning.images[index]);
        ImageKeys::batch(&keys.collect::<Vec<_>>())
    };
    Ok(batch.with_images(images.map(image).collect::<candle_core::Result<_>>()?))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::Device;

    use super::*;
    use crate::{
        diffusion::{
            adapter::{ActiveImage, IpAdapter},
            denoise::unet::UNet2DConditionModel,
        },
        model::FolderPackage,
    };

    fn numbers(shape: &[usize], seed: f32) -> Tensor {
        let count = shape.iter().product::<usize>() as u32;
        let values = (0..count).map(|index| (index as f32 * 0.7 + seed).sin()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    #[test]
    fn a_batch_of_conditionings_with_images_predicts_as_each_of_them() {
        let device = &Device::Cpu;
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/fixtures");
        let adapter = fixtures.join("sd1_adapters/plain.safetensors");
        let adapter = IpAdapter::open(&adapter, device).unwrap().only_in(&[2, 3, 9]);
        let package = FolderPackage::open(fixtures.join("sd1")).unwrap();
        let unet = UNet2DConditionModel::load(&package, "unet", device).unwrap();
        let conditioning = |seed: f32| {
            let keys = adapter.keys(&numbers(&[1, 4, 24], 3.0 * seed)).unwrap();
            Conditioning::new(numbers(&[1, 7, 24], seed)).with_images(vec![keys])
        };
        let adapters = ActiveAdapters {
            features: vec![numbers(&[1, 8, 4, 6], 9.0)],
            images: vec![ActiveImage { index: 0, weight: 2.0, mask: None }],
            ..ActiveAdapters::default()
        };
        let conditionings = [conditioning(1.0), conditioning(2.0)];
        let (latents, interrupt) = (numbers(&[1, 4, 4, 6], 5.0), Interrupt::default());
        let predict = |batches: ConditioningBatches<'_>| {
            let adapters = Some(&adapters);
            batches.predict(&latents, None, 500.0, adapters, |_| true, &interrupt).unwrap()
        };
        let batches = |are_joined| {
            let conditionings = conditionings.to_vec();
            predict(ConditioningBatches { denoiser: &unet, conditionings, are_joined })
        };
        let [apart, together] = [false, true].map(|are_joined| {
            let predictions = batches(are_joined);
            [0, 1].map(|index| predictions.get(index).unwrap().clone())
        });
        let error = |a: &Tensor, b: &Tensor| {
            (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap()
        };
        assert!(error(&apart[0], &apart[1]) > 0.01);
        for (apart, together) in apart.iter().zip(&together) {
            assert!(error(apart, together) < 1e-5);
        }
    }
}
