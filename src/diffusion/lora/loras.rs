//! The weights of a package, changed by low-rank adapters.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::{LoraFile, names};
use crate::{
    diffusion::DiffusionError,
    model::{ModelError, Package, TensorSource, ldm::UNetNames, package::MappedPackage},
};

/// The open files of low-rank adapters for a model.
#[derive(Clone)]
pub struct Loras {
    files: Arc<Vec<LoraFile>>,
    unet: UNetNames,
}

impl Loras {
    /// Adapters for the model in `package`.
    ///
    /// # Errors
    /// If the configuration of the UNet cannot be read.
    pub fn new(package: &dyn Package, files: Vec<LoraFile>) -> Result<Self, ModelError> {
        let unet = UNetNames::of_config(&package.config(names::UNET)?);
        Ok(Self { files: Arc::new(files), unet })
    }

    /// The package with the weights that the adapters change.
    pub fn applied_to<'a>(&self, package: &'a dyn Package) -> impl Package + use<'a> {
        let loras = self.clone();
        MappedPackage::new(package, move |component, source| {
            let (component, loras) = (component.to_owned(), loras.clone());
            Box::new(Changed { source, component, loras })
        })
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

/// The tensors of a component with the changes of low-rank adapters.
struct Changed {
    source: Box<dyn TensorSource>,
    component: String,
    loras: Loras,
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
        let Loras { files, unet } = &self.loras;
        let candidates = names::candidates(&self.component, name, unet);
        // The sum is rounded to 16 bits, not its parts: most changes are much smaller than a weight.
        let is_half = matches!(dtype, DType::F16 | DType::BF16);
        let weight = self.source.get(name, if is_half { DType::F32 } else { dtype }, device)?;
        let changed = files
            .iter()
            .try_fold(weight, |weight, file| file.add_to(weight, &candidates, device))?;
        changed.to_dtype(dtype).map_err(|source| {
            let (file, tensor, source) = (self.files(), name.to_owned(), Box::new(source));
            ModelError::Tensor { file, tensor, source }
        })
    }
}
