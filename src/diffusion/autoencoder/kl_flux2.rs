//! diffusers' `AutoencoderKLFlux2`, with the patches and the statistics of latents that the pipeline of FLUX.2 applies.

use candle_core::{Device, Tensor};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Autoencoder, AutoencoderKL, LatentSpec};
use crate::{
    diffusion::{DiffusionError, Interrupt, config::ConfigFile, weights::weights},
    model::Package,
};

/// Raw latents along each side of a latent.
const PATCH: usize = 2;

/// The fields of `vae/config.json` that this network uses beside those of [`AutoencoderKL`], with diffusers' defaults.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Config {
    batch_norm_eps: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { batch_norm_eps: 1e-4 }
    }
}

/// A convolutional autoencoder whose latents are 2 x 2 patches of raw latents. Each channel has mean 0 and variance 1 over
/// the pictures of the training.
#[derive(Clone, Debug)]
pub struct AutoencoderKLFlux2 {
    raw: AutoencoderKL,
    /// The mean of each channel of patches, (1, channels, 1, 1).
    mean: Tensor,
    /// The standard deviation of each channel, of the same shape.
    deviation: Tensor,
}

impl AutoencoderKLFlux2 {
    /// Loads the autoencoder in the folder `component` of a model, usually `vae`.
    ///
    /// # Errors
    /// If a file is missing or damaged, or if the configuration has an option that this network does not support. The error
    /// names the field.
    pub fn load(
        package: &dyn Package,
        component: &str,
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        let file = ConfigFile::read(package, component)?;
        file.refuse_other_than(&[
            ("patch_size", json!([PATCH, PATCH])),
            ("decoder_block_out_channels", Value::Null),
        ])?;
        let Config { batch_norm_eps: eps } = file.parse()?;
        if !(0.0..1.0).contains(&eps) {
            return Err(file.unsupported("batch_norm_eps", "a number in 0..1"));
        }
        let raw = AutoencoderKL::load(package, component, device)?;
        let channels = PATCH * PATCH * raw.spec().channels;
        let statistics = weights(package, component, device)?.pp("bn");
        let of = |name: &str| statistics.get(channels, name)?.reshape((1, channels, 1, 1));
        let deviation = (of("running_var")? + eps)?.sqrt()?;
        Ok(Self { raw, mean: of("running_mean")?, deviation })
    }
}

impl Autoencoder for AutoencoderKLFlux2 {
    fn encode(&self, image: &Tensor, interrupt: &Interrupt) -> Result<Tensor, DiffusionError> {
        let (mean, _) = self.raw.moments(image, interrupt)?;
        Ok(patches(&mean)?.broadcast_sub(&self.mean)?.broadcast_div(&self.deviation)?)
    }

    fn decode(&self, latents: &Tensor, interrupt: &Interrupt) -> Result<Tensor, DiffusionError> {
        let latents = latents.broadcast_mul(&self.deviation)?.broadcast_add(&self.mean)?;
        self.raw.decode_raw(&without_patches(&latents)?, interrupt)
    }

    fn spec(&self) -> LatentSpec {
        let LatentSpec { channels, scale } = self.raw.spec();
        LatentSpec { channels: PATCH * PATCH * channels, scale: PATCH * scale }
    }

    fn decode_memory(&self, height: usize, width: usize) -> u64 {
        self.raw.decode_memory(PATCH * height, PATCH * width)
    }
}

/// Moves the rows and the columns of each patch into the channels, which vary slowest.
fn patches(raw: &Tensor) -> candle_core::Result<Tensor> {
    let (batch, channels, height, width) = raw.dims4()?;
    let (rows, columns) = (height / PATCH, width / PATCH);
    let split = raw.reshape(&[batch, channels, rows, PATCH, columns, PATCH][..])?;
    let split = split.permute([0, 1, 3, 5, 2, 4])?.contiguous()?;
    split.reshape((batch, channels * PATCH * PATCH, rows, columns))
}

/// The inverse of [`patches`].
fn without_patches(latents: &Tensor) -> candle_core::Result<Tensor> {
    let (batch, channels, rows, columns) = latents.dims4()?;
    let channels = channels / (PATCH * PATCH);
    let split = latents.reshape(&[batch, channels, PATCH, PATCH, rows, columns][..])?;
    let split = split.permute([0, 1, 4, 2, 5, 3])?.contiguous()?;
    split.reshape((batch, channels, rows * PATCH, columns * PATCH))
}
