//! A package whose weights are changed by low-rank adapters.

use std::{borrow::Cow, fmt, sync::Arc};

use candle_core::{DType, Device, Tensor};
use serde_json::Value;

use super::{LoraFile, names};
use crate::{
    control::Interrupt,
    diffusion::DiffusionError,
    model::{ModelError, Package, TensorSource, ldm::UNetNames},
};

/// Another package with low-rank adapters.
pub struct LoraPackage<'a> {
    package: &'a dyn Package,
    files: Arc<Vec<LoraFile>>,
    unet: UNetNames,
}

impl<'a> LoraPackage<'a> {
    /// Adds adapters to a package.
    ///
    /// # Errors
    /// If the configuration of the UNet cannot be read.
    pub fn new(package: &'a dyn Package, files: Vec<LoraFile>) -> Result<Self, ModelError> {
        let unet = UNetNames::of_config(&package.config(names::UNET)?);
        Ok(Self { package, files: Arc::new(files), unet })
    }

    /// Checks that every layer of all files was applied. Call this after the networks are loaded.
    ///
    /// # Errors
    /// If a file is for another family of models.
    pub fn check_used(&self) -> Result<(), DiffusionError> {
        self.files.iter().try_for_each(LoraFile::check_used)?;
        Ok(())
    }
}

impl fmt::Debug for LoraPackage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LoraPackage").field(&self.package).finish()
    }
}

/// The tensors of a component with the changes of low-rank adapters.
struct Changed {
    source: Box<dyn TensorSource>,
    component: String,
    files: Arc<Vec<LoraFile>>,
    unet: UNetNames,
}

impl TensorSource for Changed {
    fn contains(&self, name: &str) -> bool {
        self.source.contains(name)
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.source.shape(name)
    }

    fn dtype(&self, name: &str) -> Option<DType> {
        self.source.dtype(name)
    }

    fn files(&self) -> String {
        self.source.files()
    }

    fn get(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor, ModelError> {
        let weight = self.source.get(name, dtype, device)?;
        let candidates = names::candidates(&self.component, name, &self.unet);
        self.files.iter().try_fold(weight, |weight, file| file.add_to(weight, &candidates, device))
    }
}

impl Package for LoraPackage<'_> {
    fn name(&self) -> String {
        self.package.name()
    }

    fn location(&self, file: &str) -> String {
        self.package.location(file)
    }

    fn has(&self, file: &str) -> bool {
        self.package.has(file)
    }

    fn has_component(&self, part: &str) -> bool {
        self.package.has_component(part)
    }

    fn file(&self, file: &str) -> Result<Cow<'_, [u8]>, ModelError> {
        self.package.file(file)
    }

    fn tensors(&self, part: &str) -> Result<Box<dyn TensorSource>, ModelError> {
        Ok(Box::new(Changed {
            source: self.package.tensors(part)?,
            component: part.to_owned(),
            files: Arc::clone(&self.files),
            unet: self.unet.clone(),
        }))
    }

    fn hash(&self, interrupt: &Interrupt) -> Result<String, ModelError> {
        self.package.hash(interrupt)
    }

    fn fingerprint(&self) -> u64 {
        self.package.fingerprint()
    }

    fn licence(&self) -> Option<String> {
        self.package.licence()
    }

    /// The package without the adapters.
    fn shared(&self) -> Arc<dyn Package> {
        self.package.shared()
    }

    fn index(&self) -> Result<Value, ModelError> {
        self.package.index()
    }

    fn config(&self, part: &str) -> Result<Value, ModelError> {
        self.package.config(part)
    }
}
