//! Autoencoders, which turn the latents of the UNet into pictures and back.

mod kl;
mod tiny;

use candle_core::{Device, Tensor};

use super::{DiffusionError, Interrupt, ModelFiles, config::ConfigFile};

pub use self::{kl::AutoencoderKL, tiny::AutoencoderTiny};

/// The autoencoder of a model, of the kind that its `config.json` names.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a program holds one or two")]
pub enum Autoencoder {
    /// The full one.
    KL(AutoencoderKL),
    /// The small and fast one.
    Tiny(AutoencoderTiny),
}

impl Autoencoder {
    /// Loads the autoencoder from the folder `component` of a model, `vae` as a rule.
    ///
    /// # Errors
    /// When a file is missing or damaged, or when the configuration asks for something that these
    /// networks cannot do; the error names the field.
    pub fn load(
        files: &ModelFiles,
        component: &str,
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        let file = ConfigFile::read(files, component)?;
        match file.text("_class_name") {
            Some("AutoencoderKL") | None => {
                AutoencoderKL::load(files, component, &file, device).map(Self::KL)
            }
            Some("AutoencoderTiny") => {
                AutoencoderTiny::load(files, component, &file, device).map(Self::Tiny)
            }
            Some(_) => Err(file.unsupported("_class_name", "AutoencoderKL or AutoencoderTiny")),
        }
    }

    /// Turns latents in the UNet's scale, `(batch, latent_channels, height, width)`, into pictures
    /// of `(batch, 3, height * scale, width * scale)` in about [-1, 1].
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] within one layer of the call to [`Interrupt::cancel`];
    /// otherwise when shapes do not fit.
    pub fn decode(
        &self,
        latents: &Tensor,
        interrupt: &Interrupt,
    ) -> Result<Tensor, DiffusionError> {
        match self {
            Self::KL(network) => network.decode(&network.scaling.raw(latents)?, interrupt),
            Self::Tiny(network) => network.decode(&network.scaling.raw(latents)?, interrupt),
        }
    }

    /// Turns pictures in [-1, 1], `(batch, 3, height, width)` with sides that [`Self::scale`]
    /// divides, into latents in the UNet's scale; of the distribution that [`AutoencoderKL`] gives,
    /// the mean.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub fn encode(&self, image: &Tensor, interrupt: &Interrupt) -> Result<Tensor, DiffusionError> {
        match self {
            Self::KL(network) => {
                let (mean, _) = network.moments(image, interrupt)?;
                network.scaling.scaled(&mean)
            }
            Self::Tiny(network) => network.scaling.scaled(&network.encode(image, interrupt)?),
        }
    }

    /// How many pixels one latent stands for, along each side.
    pub fn scale(&self) -> usize {
        match self {
            Self::KL(network) => network.scale(),
            Self::Tiny(network) => network.scale(),
        }
    }

    /// The channels of latents.
    pub fn latent_channels(&self) -> usize {
        match self {
            Self::KL(network) => network.latent_channels(),
            Self::Tiny(network) => network.latent_channels(),
        }
    }
}

/// How raw latents, as the autoencoder knows them, relate to the UNet's: `raw = scaled / factor`.
///
/// That is all that Stable Diffusion 1 and 2 do. A `shift_factor`, `latents_mean` or `latents_std`
/// in a `config.json` belongs to other families' pipelines; diffusers passes over them here too.
#[derive(Clone, Copy, Debug)]
struct LatentScaling(f64);

impl LatentScaling {
    fn raw(self, scaled: &Tensor) -> Result<Tensor, DiffusionError> {
        Ok((scaled / self.0)?)
    }

    fn scaled(self, raw: &Tensor) -> Result<Tensor, DiffusionError> {
        Ok((raw * self.0)?)
    }
}
