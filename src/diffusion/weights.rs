//! Loads a package's tensors into candle networks: as f32, in 16 bits, or with the numbers of their files.

use std::sync::Arc;

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::{Init, VarBuilder, var_builder::SimpleBackend};

use super::DiffusionError;
use crate::{
    control::Interrupt,
    model::{
        ModelError, Package, TensorSource,
        package::{MappedPackage, PinnedPackage, config_file},
        tensors::{Interruptible, StoredTensor, bytes_of, kept_type},
    },
};

/// The weights of a component, such as `unet`, loaded tensor by tensor and converted to f32.
///
/// # Errors
/// As [`Package::tensors`].
pub(super) fn weights(
    package: &dyn Package,
    component: &str,
    device: &Device,
) -> Result<VarBuilder<'static>, DiffusionError> {
    weights_in(package, component, DType::F32, device)
}

/// As [`weights`], converted to another type.
///
/// # Errors
/// As [`Package::tensors`].
pub(super) fn weights_in(
    package: &dyn Package,
    component: &str,
    dtype: DType,
    device: &Device,
) -> Result<VarBuilder<'static>, DiffusionError> {
    let weights = Weights::new(package, component, false)?;
    Ok(VarBuilder::from_backend(Box::new(weights), dtype, device.clone()))
}

/// As [`weights`], but tensors of more than one dimension keep numbers of 16 bits. Dense layers and convolutions widen them
/// for each product, with the same result.
///
/// # Errors
/// As [`Package::tensors`].
pub(super) fn narrow_weights(
    package: &dyn Package,
    component: &str,
    device: &Device,
) -> Result<VarBuilder<'static>, DiffusionError> {
    let weights = Weights::new(package, component, true)?;
    Ok(VarBuilder::from_backend(Box::new(weights), DType::F32, device.clone()))
}

/// The weights of a network whose sizes `requirement` states, such as `unet/config.json`.
pub(super) fn weights_of(
    tensors: Box<dyn TensorSource>,
    requirement: String,
    device: &Device,
) -> VarBuilder<'static> {
    let weights = Weights { requirement, tensors: tensors.into(), keeps_narrow: false };
    VarBuilder::from_backend(Box::new(weights), DType::F32, device.clone())
}

/// The weights of a component, for a network that keeps those of dense layers as they are stored, or in 16 bits.
#[derive(Clone)]
pub(super) struct StoredWeights {
    weights: Weights,
    /// The same weights in the type that the network computes in.
    converted: VarBuilder<'static>,
}

impl StoredWeights {
    /// The weights of a component, such as `transformer`.
    ///
    /// # Errors
    /// As [`Package::tensors`].
    pub(super) fn new(
        package: &dyn Package,
        component: &str,
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        Self::in_type(package, component, DType::F32, device)
    }

    /// The weights of a network that computes in this type. If it has 16 bits, so have all weights that are not in quantized
    /// blocks.
    ///
    /// # Errors
    /// As [`Package::tensors`].
    pub(super) fn in_type(
        package: &dyn Package,
        component: &str,
        dtype: DType,
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        let weights = Weights::new(package, component, false)?;
        let converted = VarBuilder::from_backend(Box::new(weights.clone()), dtype, device.clone());
        Ok(Self { weights, converted })
    }

    /// Those whose names begin with `part` and a dot.
    pub(super) fn pp(&self, part: impl ToString) -> Self {
        Self { weights: self.weights.clone(), converted: self.converted.pp(part) }
    }

    /// The same weights in the type that the network computes in.
    pub(super) fn converted(&self) -> &VarBuilder<'static> {
        &self.converted
    }

    /// A tensor with the numbers of its file, or in 16 bits if the network computes in these.
    pub(super) fn get(
        &self,
        shape: impl Into<Shape>,
        name: &str,
    ) -> candle_core::Result<StoredTensor> {
        let name = match self.converted.prefix() {
            prefix if prefix.is_empty() => name.to_owned(),
            prefix => format!("{prefix}.{name}"),
        };
        let shape = shape.into();
        self.weights.check_shape(&shape, &name)?;
        let (tensors, dtype) = (&self.weights.tensors, self.converted.dtype());
        let device = self.converted.device();
        let tensor = match is_narrow(dtype) && !self.weights.is_in_blocks(&name, &shape) {
            true => tensors.get(&name, dtype, device).map(StoredTensor::Plain),
            false => tensors.get_stored(&name, device),
        };
        tensor.map_err(|error| self.weights.wrap(error))
    }
}

/// What states the sizes of a component.
fn requirement(package: &dyn Package, component: &str) -> String {
    let config = config_file(component);
    if package.has(&config) { config } else { "this kind of network".to_owned() }
}

/// Loads from a package, and stops at the next tensor after an interrupt.
///
/// # Errors
/// [`DiffusionError::Cancelled`], or those of `load`.
pub(super) fn interruptible<T>(
    package: &dyn Package,
    interrupt: &Interrupt,
    load: impl FnOnce(&dyn Package) -> Result<T, DiffusionError>,
) -> Result<T, DiffusionError> {
    let package = MappedPackage::new(package, |_, source| {
        Box::new(Interruptible { source, interrupt: interrupt.clone() })
    });
    let loaded = load(&package);
    if loaded.is_err() {
        // A cancelled load arrives as an error of candle.
        interrupt.check()?;
    }
    loaded
}

/// As [`interruptible`], for a network that is loaded later than the rest of its model.
///
/// # Errors
/// Also [`ModelError::Changed`].
pub(super) fn load_later<T>(
    package: &PinnedPackage,
    interrupt: &Interrupt,
    load: impl FnOnce(&dyn Package) -> Result<T, DiffusionError>,
) -> Result<T, DiffusionError> {
    let loaded = interruptible(&*package.package, interrupt, load);
    // A changed file may be the reason of an error.
    package.check()?;
    loaded
}

#[derive(Clone)]
struct Weights {
    requirement: String,
    tensors: Arc<dyn TensorSource>,
    /// Whether tensors of more than one dimension keep numbers of 16 bits.
    keeps_narrow: bool,
}

/// Whether numbers of this type have 16 bits.
fn is_narrow(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::BF16)
}

impl Weights {
    fn new(
        package: &dyn Package,
        component: &str,
        keeps_narrow: bool,
    ) -> Result<Self, DiffusionError> {
        let (tensors, requirement) = (package.tensors(component)?, requirement(package, component));
        Ok(Self { requirement, tensors: tensors.into(), keeps_narrow })
    }

    /// Whether a tensor is stored in quantized blocks, which need less than the f32 that they count as.
    fn is_in_blocks(&self, name: &str, shape: &Shape) -> bool {
        let stored = self.tensors.stored_bytes(name).zip(self.tensors.dtype(name));
        stored.is_some_and(|(bytes, dtype)| bytes < bytes_of(shape.dims(), kept_type(dtype)))
    }

    fn wrap(&self, error: ModelError) -> candle_core::Error {
        match error {
            ModelError::NoTensor { files, tensor } => {
                let requirement = self.requirement.clone();
                candle_core::Error::wrap(WeightError::Missing { files, tensor, requirement })
            }
            error => candle_core::Error::wrap(error),
        }
    }

    /// Checks the shape of a tensor, if it exists.
    fn check_shape(&self, shape: &Shape, name: &str) -> candle_core::Result<()> {
        match self.tensors.shape(name).map(Shape::from) {
            Some(found) if found != *shape => Err(candle_core::Error::wrap(WeightError::Shape {
                files: self.tensors.files(),
                tensor: name.to_owned(),
                requirement: self.requirement.clone(),
                expected: shape.clone(),
                found,
            })),
            _ => Ok(()),
        }
    }
}

impl SimpleBackend for Weights {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.check_shape(&shape, name)?;
        let stored = self.tensors.dtype(name).filter(|_| self.keeps_narrow && shape.rank() > 1);
        self.get_unchecked(name, stored.map_or(dtype, kept_type), device)
    }

    fn get_unchecked(
        &self,
        name: &str,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.tensors.get(name, dtype, device).map_err(|error| self.wrap(error))
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.tensors.contains(name)
    }
}

/// The error of one tensor, wrapped in [`candle_core::Error`].
#[derive(Debug, thiserror::Error)]
enum WeightError {
    #[error(
        "{files}: the tensor `{tensor}` is missing, which {requirement} requires: the weights do not match it"
    )]
    Missing { files: String, tensor: String, requirement: String },
    #[error(
        "{files}: the tensor `{tensor}` has the shape {found:?}, but {requirement} requires {expected:?}: \
         the weights do not match it"
    )]
    Shape { files: String, tensor: String, requirement: String, expected: Shape, found: Shape },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EmbeddedPackage;

    #[test]
    fn a_tensor_that_does_not_fit_is_named_with_both_shapes() {
        let weights = weights(&EmbeddedPackage::built_in(), "unet", &Device::Cpu).unwrap();
        let file = "unet/diffusion_pytorch_model.safetensors";
        let error = weights.pp("conv_in").get((64, 9, 3, 3), "weight").unwrap_err().to_string();
        for part in [file, "`conv_in.weight`", "[64, 32, 3, 3]", "[64, 9, 3, 3]"] {
            assert!(error.contains(part), "{error}");
        }
        let error = weights.get(1, "conv_in.scale").unwrap_err().to_string();
        assert!(error.contains(file) && error.contains("`conv_in.scale` is missing"), "{error}");
    }
}

#[cfg(test)]
pub(super) mod check {
    use candle_core::{Result, bail};

    use super::*;
    use crate::ops::check::numbers;

    struct AnyWeights;

    impl SimpleBackend for AnyWeights {
        fn get(&self, shape: Shape, name: &str, _: Init, _: DType, _: &Device) -> Result<Tensor> {
            numbers(shape, name.bytes().map(u64::from).sum()) * 0.3
        }

        fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
            bail!("{name} has no shape")
        }

        fn contains_tensor(&self, _: &str) -> bool {
            false
        }
    }

    /// Weights of all names and shapes, as f64, for finite differences.
    pub(in crate::diffusion) fn any_weights() -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(AnyWeights), DType::F64, Device::Cpu)
    }
}
