//! Model families: recognising and loading packages.

mod flow;
mod flux2_klein;
mod memory;
mod sd1;
mod sdxl;
mod z_image;

use std::sync::Arc;

use super::{
    DeviceKind, DiffusionError, Model, Precision,
    scheduler::{self, SchedulerConfig, SchedulerError},
    weights::interruptible,
};
use crate::{
    control::Control,
    model::{
        ModelDefaults, ModelError, Package,
        card::unsupported,
        detect::TRANSFORMER,
        package::{INDEX, MappedPackage, config_file},
        tensors::ShapesOnly,
    },
};

pub use flux2_klein::Flux2Klein;
pub use memory::{load_fitting, memory};
pub use sd1::StableDiffusion;
pub use sdxl::StableDiffusionXl;
pub use z_image::ZImage;

/// A family of models with the same structure.
///
/// Another crate adds a family by implementing this trait.
pub trait Family: Send + Sync {
    /// The name that error messages use, such as `Stable Diffusion 1 and 2`.
    fn name(&self) -> &str;

    /// Whether a package belongs to this family. Loading may still fail if the package is
    /// incomplete or damaged.
    fn detect(&self, package: &dyn Package) -> bool;

    /// Loads a model of this family.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] if interrupted. Otherwise if a file is missing, damaged, or
    /// has an unsupported option. The error names the file.
    fn load(
        &self,
        package: &dyn Package,
        options: &LoadOptions,
        control: &dyn Control,
    ) -> Result<Model, DiffusionError>;
}

/// Options for loading a model.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LoadOptions {
    /// The device that the networks run on.
    pub device: DeviceKind,
    /// The precision that the denoiser computes in.
    pub precision: Precision,
    /// Whether the model uses little memory: text encoders are loaded for each picture, and weights of 16 bits keep their
    /// numbers. Pictures take a little longer, and are the same.
    pub low_memory: bool,
    /// The most memory that a model and its pictures may use, in bytes. `None`: all that is free.
    pub memory_budget: Option<u64>,
}

impl LoadOptions {
    /// Options for a device.
    #[must_use]
    pub fn new(device: DeviceKind) -> Self {
        Self { device, ..Self::default() }
    }
}

impl From<DeviceKind> for LoadOptions {
    fn from(device: DeviceKind) -> Self {
        Self::new(device)
    }
}

/// The families that this crate can load.
#[must_use]
pub fn families() -> Vec<Arc<dyn Family>> {
    vec![
        Arc::new(StableDiffusion),
        Arc::new(StableDiffusionXl),
        Arc::new(Flux2Klein),
        Arc::new(ZImage),
    ]
}

/// Loads a package with the first family that recognises it.
///
/// # Errors
/// If no family recognises the package, and the errors of [`Family::load`].
pub fn load(
    families: &[Arc<dyn Family>],
    package: &dyn Package,
    options: &LoadOptions,
    control: &dyn Control,
) -> Result<Model, DiffusionError> {
    let Some(family) = families.iter().find(|family| family.detect(package)) else {
        let index: serde_json::Value = package.index()?;
        let names = families.iter().map(|family| family.name()).collect::<Vec<_>>();
        return Err(DiffusionError::Model(ModelError::Unsupported {
            file: package.location(INDEX),
            field: "_class_name".to_owned(),
            value: index["_class_name"].to_string(),
            supported: names.join(", "),
        }));
    };
    interruptible(package, control.interrupt(), |package| family.load(package, options, control))
}

/// Checks that a package can be loaded without reading its weights, with all [optional
/// components](crate::model::package::optional_components). It compares the names, types and shapes of tensors with those
/// that the networks need. Returns the class of the model's default scheduler and its error if only others can be set up.
///
/// # Errors
/// As [`load`], and if an optional component cannot be loaded.
pub fn check(
    families: &[Arc<dyn Family>],
    package: &dyn Package,
    control: &dyn Control,
) -> Result<Option<(String, SchedulerError)>, DiffusionError> {
    let (scheduler, optional) = check_each(families, package, control)?;
    optional?;
    Ok(scheduler)
}

/// As [`check`], but the second result is the error of an optional component, which stops only pictures that need it.
///
/// # Errors
/// As [`load`].
pub(crate) fn check_each(
    families: &[Arc<dyn Family>],
    package: &dyn Package,
    control: &dyn Control,
) -> Result<(Option<(String, SchedulerError)>, Result<(), DiffusionError>), DiffusionError> {
    let package = MappedPackage::new(package, |_, tensors| Box::new(ShapesOnly(tensors)));
    let model = load(families, &package, &LoadOptions::new(DeviceKind::Cpu), control)?;
    let of_adapters = model.adapters.as_ref().map_or(Ok(()), |adapters| adapters.check(&package));
    let optional = of_adapters.and_then(|()| model.check_loss_networks(&package));
    let defaults = ModelDefaults::of(&package)?;
    let built = scheduler::build(&defaults.scheduler, &model.parts.scheduler, defaults.steps);
    Ok((built.err().map(|error| (defaults.scheduler, error)), optional))
}

/// Checks that at least one scheduler accepts a configuration, so that the author can choose it. Otherwise returns the
/// error of the model's default scheduler. That one must be a known class.
fn check_scheduler(package: &dyn Package, config: &SchedulerConfig) -> Result<(), DiffusionError> {
    let defaults = ModelDefaults::of(package)?;
    let build = |class: &str| scheduler::build(class, config, defaults.steps).map(|_| ());
    match build(&defaults.scheduler) {
        // Only `_defaults` names such a class. Others have a substitute.
        Err(SchedulerError::UnknownClass { class_name, known }) => {
            Err(unsupported(package, "scheduler", class_name, &known).into())
        }
        built => built.or_else(|error| {
            let others = scheduler::classes();
            let works = others.iter().any(|class| build(class.class_name).is_ok());
            if works { Ok(()) } else { Err(error.into()) }
        }),
    }
}

/// Checks that a number of channels in the configuration of a transformer is that of `needed_by`.
fn check_channels(
    package: &dyn Package,
    field: &str,
    found: usize,
    needed: usize,
    needed_by: &str,
) -> Result<(), DiffusionError> {
    if found == needed {
        return Ok(());
    }
    Err(DiffusionError::Model(ModelError::Unsupported {
        file: package.location(&config_file(TRANSFORMER)),
        field: field.to_owned(),
        value: found.to_string(),
        supported: format!("{needed}, the channels of {needed_by}"),
    }))
}

impl Model {
    /// Loads a package of one of the built-in [`families`].
    ///
    /// # Errors
    /// As [`load`].
    pub fn load(
        package: &dyn Package,
        device: DeviceKind,
        control: &dyn Control,
    ) -> Result<Self, DiffusionError> {
        load(&families(), package, &LoadOptions::new(device), control)
    }
}
