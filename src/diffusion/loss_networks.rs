//! The networks of losses that a model has in its package.

use std::sync::Arc;

use candle_core::Device;

use super::{
    Autoencoder, DiffusionError, Interrupt, LatentClip, LatentSpec, Model, ModelParts, PixelClip,
    autoencoder,
};
use crate::{
    loss::LossEncoder,
    model::{
        ModelError, Package,
        package::{LOSS_AUTOENCODER, LOSS_ENCODER, PinnedPackage, config_file},
    },
};

impl Model {
    /// The encoder for losses: the one of the package, or the one that ships with the crate for the latents of the built-in
    /// model. `None` if there is neither.
    pub(super) fn loss_encoder(
        &self,
        interrupt: &Interrupt,
    ) -> Result<Option<&Arc<dyn LossEncoder>>, DiffusionError> {
        if self.loss_encoder.get().is_none() {
            let _ = self.loss_encoder.set(self.load_loss_encoder(interrupt)?);
        }
        Ok(self.loss_encoder.get().and_then(Option::as_ref))
    }

    fn load_loss_encoder(
        &self,
        interrupt: &Interrupt,
    ) -> Result<Option<Arc<dyn LossEncoder>>, DiffusionError> {
        let device = &self.parts.device;
        if let Some(package) = self.package_with(LOSS_ENCODER) {
            let load = |package: &dyn Package| PixelClip::load(package, LOSS_ENCODER, device);
            return Ok(Some(Arc::new(self.memory.load(package, interrupt, load)?)));
        }
        let is_built_in = self.parts.autoencoder.spec() == LatentClip::SPEC;
        Ok(match is_built_in {
            true => Some(Arc::new(LatentClip::built_in(device)?)),
            false => None,
        })
    }

    /// The autoencoder that decodes pixels for losses: a small one of the package, or else that of the model.
    pub(super) fn pixel_decoder(
        &self,
        interrupt: &Interrupt,
    ) -> Result<&Arc<dyn Autoencoder>, DiffusionError> {
        if let Some(decoder) = self.pixel_decoder.get() {
            return Ok(decoder);
        }
        let ModelParts { autoencoder, device, .. } = &self.parts;
        let decoder = match self.package_with(LOSS_AUTOENCODER) {
            Some(package) => {
                let load = |package: &dyn Package| small(package, autoencoder.spec(), device);
                self.memory.load(package, interrupt, load)?
            }
            None => Arc::clone(autoencoder),
        };
        Ok(self.pixel_decoder.get_or_init(|| decoder))
    }

    /// The package with the components of other files, if it has a component.
    fn package_with(&self, component: &str) -> Option<&PinnedPackage> {
        let package = self.components.as_ref().map(|it| &it.package).or(self.package.as_ref());
        package.filter(|pinned| pinned.package.has_component(component))
    }

    /// Checks that all networks of losses in a package can be loaded. It has the same files as that of the model, and may have
    /// shapes only.
    pub(super) fn check_loss_networks(&self, package: &dyn Package) -> Result<(), DiffusionError> {
        let device = &self.parts.device;
        if package.has_component(LOSS_ENCODER) {
            PixelClip::load(package, LOSS_ENCODER, device)?;
        }
        if package.has_component(LOSS_AUTOENCODER) {
            small(package, self.parts.autoencoder.spec(), device)?;
        }
        Ok(())
    }
}

/// Loads the small autoencoder. Its latents must have the shape of the model's.
fn small(
    package: &dyn Package,
    expected: LatentSpec,
    device: &Device,
) -> Result<Arc<dyn Autoencoder>, DiffusionError> {
    let small = autoencoder::load(package, LOSS_AUTOENCODER, device)?;
    let found = small.spec();
    if found == expected {
        return Ok(small);
    }
    let (field, found, expected) = match found.channels == expected.channels {
        true => ("the scale of its latents", found.scale, expected.scale),
        false => ("latent_channels", found.channels, expected.channels),
    };
    Err(DiffusionError::Model(ModelError::Unsupported {
        file: package.location(&config_file(LOSS_AUTOENCODER)),
        field: field.to_owned(),
        value: found.to_string(),
        supported: format!("{expected}, as the autoencoder of the model"),
    }))
}
