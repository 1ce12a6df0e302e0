//! The optional components of a model in files of their own: adapters and networks of losses.

use std::{cell::OnceCell, collections::BTreeMap, path::Path, sync::Arc};

use super::{Model, ModelParts};
use crate::{
    diffusion::{DiffusionError, Interrupt, adapter::ModelAdapters},
    model::{
        TensorSource,
        package::{LOSS_AUTOENCODER, LOSS_ENCODER, MappedPackage, PinnedPackage},
        tensors::ShapesOnly,
        with_component,
    },
};

/// The optional components that are not those of the package of a model.
pub(in crate::diffusion) struct LoadedComponents {
    /// Their files or folders, by their names.
    files: BTreeMap<String, String>,
    /// The package of the model with these components.
    pub(in crate::diffusion) package: PinnedPackage,
    /// The hash of their contents.
    pub(super) hash: blake3::Hash,
}

impl Model {
    /// Replaces optional components of the package by those in files or folders, or adds them, instead of those before. See
    /// [`with_component`]. If they are the same as before, nothing is loaded. A network is loaded when a picture first needs
    /// it; its shapes are checked here.
    ///
    /// # Errors
    /// [`DiffusionError::NoComponent`] if the model cannot have a component. Also if a file is missing, damaged, or for another
    /// model; the model keeps the components before then.
    pub fn set_components(
        &mut self,
        files: &BTreeMap<String, String>,
        interrupt: &Interrupt,
    ) -> Result<(), DiffusionError> {
        let is_same = match &self.components {
            None => files.is_empty(),
            Some(now) => now.files == *files && now.package.is_unchanged(),
        };
        if is_same {
            return Ok(());
        }
        let loaded = self.load_components(files, interrupt)?;
        let package = loaded.as_ref().map(|it| &it.package).or(self.package.as_ref());
        let adapters = adapters(&self.parts, package);
        if let Some(loaded) = &loaded {
            self.check_components(loaded, adapters.as_ref())?;
        }
        self.adapters = adapters;
        (self.loss_encoder, self.pixel_decoder) = (OnceCell::new(), OnceCell::new());
        self.memory.unload();
        self.components = loaded;
        Ok(())
    }

    fn load_components(
        &self,
        files: &BTreeMap<String, String>,
        interrupt: &Interrupt,
    ) -> Result<Option<LoadedComponents>, DiffusionError> {
        let Some(component) = files.keys().next() else { return Ok(None) };
        let Some(pinned) = &self.package else {
            return Err(DiffusionError::NoComponent { component: component.clone() });
        };
        pinned.check()?;
        let mut package = Arc::clone(&pinned.package);
        let mut hasher = blake3::Hasher::new();
        for (component, file) in files {
            let with = with_component(package, component, Path::new(file))?;
            hasher.update(component.as_bytes()).update(with.files_hash(interrupt)?.as_bytes());
            package = Arc::new(with);
        }
        let (package, hash) = (PinnedPackage::new(package), hasher.finalize());
        Ok(Some(LoadedComponents { files: files.clone(), package, hash }))
    }

    /// Checks that the components can be loaded, from the shapes of their tensors. `adapters` are those of their package.
    fn check_components(
        &self,
        loaded: &LoadedComponents,
        adapters: Option<&ModelAdapters>,
    ) -> Result<(), DiffusionError> {
        let shapes = |_: &str, tensors| Box::new(ShapesOnly(tensors)) as Box<dyn TensorSource>;
        let package = MappedPackage::new(&*loaded.package.package, shapes);
        for component in loaded.files.keys() {
            if [LOSS_ENCODER, LOSS_AUTOENCODER].contains(&component.as_str()) {
                self.check_loss_networks(&package)?;
                continue;
            }
            let Some(adapters) = adapters else {
                return Err(DiffusionError::NoComponent { component: component.clone() });
            };
            adapters.check_component(component, &package)?;
        }
        Ok(())
    }
}

/// The adapters of a package, if the denoiser can use any.
pub(super) fn adapters(
    parts: &ModelParts,
    package: Option<&PinnedPackage>,
) -> Option<ModelAdapters> {
    let (package, places) = package.cloned().zip(parts.denoiser.adapter_places())?;
    let (scale, dtype) = (parts.autoencoder.spec().scale, parts.denoiser.dtype());
    Some(ModelAdapters::new(package, places, scale, dtype, &parts.device))
}
