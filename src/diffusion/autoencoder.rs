//! Autoencoders: from pictures to latents and back.

mod kl;
mod kl_flux2;
mod linear;
mod tiny;

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::{DiffusionError, Interrupt, config::ConfigFile};
use crate::{
    model::{Package, tensors::bytes_of},
    ops::{Chain, Differentiable},
};

pub use self::{
    kl::{AutoencoderKL, Tiling},
    kl_flux2::AutoencoderKLFlux2,
    linear::LinearAutoencoder,
    tiny::AutoencoderTiny,
};

/// Turns pictures into latents and back.
pub trait Autoencoder: Send + Sync {
    /// Encodes pictures in -1..=1, (batch, 3, height, width), whose sides are multiples of
    /// [`LatentSpec::scale`], as latents in the scale of the denoiser. If the encoder predicts a
    /// distribution, this is its mean.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] at most one layer after an interrupt. Otherwise if the shapes
    /// do not match.
    fn encode(&self, image: &Tensor, interrupt: &Interrupt) -> Result<Tensor, DiffusionError>;

    /// Decodes latents in the scale of the denoiser, (batch, channels, height, width), as pictures
    /// (batch, 3, height * scale, width * scale) in about -1..=1.
    ///
    /// # Errors
    /// As [`Self::encode`].
    fn decode(&self, latents: &Tensor, interrupt: &Interrupt) -> Result<Tensor, DiffusionError>;

    /// The shape of its latents.
    fn spec(&self) -> LatentSpec;

    /// An estimate of the memory that [`Self::decode`] needs besides the weights for `height` times `width` latents, in bytes. By
    /// default, that of the picture.
    fn decode_memory(&self, height: usize, width: usize) -> u64 {
        let scale = self.spec().scale;
        bytes_of(&[3, height * scale, width * scale], DType::F32)
    }
}

/// The results of a decoder at full size that are in memory at the same time. Measured with [`AutoencoderKL`]: 4.4 with 512 x 512
/// and 768 x 768 pixels, and 6.1 with 1024 x 1024 pixels and a UNet of Stable Diffusion XL, whose memory is not all free again.
const RESULTS: usize = 6;

/// An estimate of the memory for decoding `height` times `width` pixels, if no result at full size has more than `widest`
/// channels.
fn memory_of_results(widest: usize, height: usize, width: usize) -> u64 {
    bytes_of(&[RESULTS, widest, height, width], DType::F32)
}

/// The shape of an autoencoder's latents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatentSpec {
    /// Channels of a latent.
    pub channels: usize,
    /// Pixels along each side of a latent.
    pub scale: usize,
}

/// Loads the autoencoder in the folder `component` of a model, usually `vae`, as the class that its
/// `config.json` names.
///
/// # Errors
/// If a file is missing or damaged, or if the configuration has an option that these networks do
/// not support. The error names the field.
pub fn load(
    package: &dyn Package,
    component: &str,
    device: &Device,
) -> Result<Arc<dyn Autoencoder>, DiffusionError> {
    let file = ConfigFile::read(package, component)?;
    Ok(match file.text("_class_name") {
        Some("AutoencoderKL") | None => Arc::new(AutoencoderKL::load(package, component, device)?),
        Some("AutoencoderKLFlux2") => {
            Arc::new(AutoencoderKLFlux2::load(package, component, device)?)
        }
        Some("AutoencoderTiny") => Arc::new(AutoencoderTiny::load(package, component, device)?),
        Some(_) => {
            return Err(file.unsupported(
                "_class_name",
                "AutoencoderKL, AutoencoderKLFlux2 or AutoencoderTiny",
            ));
        }
    })
}

/// Applies the layers of an encoder or a decoder one after another. The backward pass computes them again.
fn run<L: Differentiable + Clone + 'static>(
    layers: &[L],
    x: &Tensor,
    interrupt: &Interrupt,
) -> Result<Tensor, DiffusionError> {
    let mut chain = Chain::new(x);
    for layer in layers {
        interrupt.check()?;
        chain.push(layer.clone())?;
    }
    Ok(chain.finish()?)
}

/// The scale between the autoencoder's raw latents and the denoiser's: `raw = scaled / factor + shift`.
///
/// As in diffusers' pipelines of Stable Diffusion, `shift_factor`, `latents_mean` and `latents_std` in a `config.json` are
/// ignored: the shift is 0. That of Z-Image has a shift.
#[derive(Clone, Copy, Debug)]
struct LatentScaling {
    factor: f64,
    shift: f64,
}

impl LatentScaling {
    fn raw(self, scaled: &Tensor) -> Result<Tensor, DiffusionError> {
        Ok(scaled.affine(1.0 / self.factor, self.shift)?)
    }

    fn scaled(self, raw: &Tensor) -> Result<Tensor, DiffusionError> {
        Ok(raw.affine(self.factor, -self.shift * self.factor)?)
    }
}
