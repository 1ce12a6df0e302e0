//! The memory of a model, found without reading its weights.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{Family, LoadOptions, load};
use crate::{
    control::Control,
    diffusion::{
        DeviceKind, DiffusionError, DrawError, Model, Precision, memory_budget::Counted,
        request::LatentLayout,
    },
    memory::{Memory, MemoryNeeds, ModelMemory},
    model::{ModelDefaults, Package, package::MappedPackage},
    recipe::Size,
};

/// The components with text encoders have names that begin so.
const TEXT_ENCODER: &str = "text_encoder";

/// Finds the memory that a package needs for a picture of a size, by default the native one. Reads only configurations and the
/// headers of weight files.
///
/// # Errors
/// As [`load`].
pub fn memory(
    families: &[Arc<dyn Family>],
    package: &dyn Package,
    size: Option<Size>,
    control: &dyn Control,
) -> Result<ModelMemory, DiffusionError> {
    memory_in(families, package, size, Precision::Auto, control)
}

/// As [`memory`], for a denoiser that computes in this precision on the CPU.
fn memory_in(
    families: &[Arc<dyn Family>],
    package: &dyn Package,
    size: Option<Size>,
    precision: Precision,
    control: &dyn Control,
) -> Result<ModelMemory, DiffusionError> {
    let size = match size {
        Some(size) => size,
        None => {
            let [width, height] = ModelDefaults::of(package)?.size;
            Size::new(width, height)
        }
    };
    let count = |low_memory: bool| {
        let bytes = Bytes::default();
        let counted = MappedPackage::new(package, |component, source| {
            let bytes = match component.starts_with(TEXT_ENCODER) {
                true => &bytes.text_encoders,
                false => &bytes.others,
            };
            Box::new(Counted::new(source, bytes))
        });
        let options = LoadOptions { low_memory, precision, ..LoadOptions::new(DeviceKind::Cpu) };
        let picture = load(families, &counted, &options, control)?.picture_memory(size)?;
        Ok::<_, DiffusionError>((bytes, picture))
    };
    let (bytes, picture) = count(false)?;
    let [text_encoders, others] = [bytes.text_encoders, bytes.others].map(loaded);
    let weights = text_encoders.saturating_add(others);
    let usual = MemoryNeeds { weights, text_encoders: 0, picture };
    let (bytes, picture) = count(true)?;
    let low = MemoryNeeds { weights: loaded(bytes.others), text_encoders, picture };
    Ok(ModelMemory { usual, low })
}

/// Loads a package as the free memory allows: with [little memory](LoadOptions::low_memory) if it does not fit otherwise, together
/// with optional components that need `components` bytes.
///
/// # Errors
/// [`DiffusionError::Memory`] if it does not fit, and as [`load`].
pub fn load_fitting(
    families: &[Arc<dyn Family>],
    package: &dyn Package,
    options: &LoadOptions,
    size: Size,
    components: u64,
    control: &dyn Control,
) -> Result<Model, DiffusionError> {
    let Some(free) = options.free_memory() else {
        return load(families, package, options, control);
    };
    let memory = memory_in(families, package, Some(size), options.precision, control)?;
    let low_memory = memory.needs_low(free, components)? || options.low_memory;
    let options = LoadOptions { low_memory, ..options.clone() };
    let needs = if low_memory { memory.low } else { memory.usual };
    control.loading(needs);
    let model = load(families, package, &options, control)?;
    let budget = options.memory_budget.map(|budget| budget.saturating_sub(needs.weights));
    Ok(model.with_picture_budget(budget))
}

impl LoadOptions {
    /// The memory that models may use. `None` if the networks do not run on the CPU, or if the system does not tell it.
    fn free_memory(&self) -> Option<Memory> {
        if !self.device.is_cpu() {
            return None;
        }
        let now = Memory::now()?;
        Some(self.memory_budget.map_or(now, |budget| now.within(budget)))
    }
}

impl Model {
    /// An estimate of the memory that a picture of this size needs besides the weights, in bytes.
    ///
    /// # Errors
    /// If the size is out of range.
    pub fn picture_memory(&self, size: Size) -> Result<u64, DrawError> {
        let layout = LatentLayout::new(size, self.parts.autoencoder.spec(), self.patch_size())?;
        let [_, _, height, width] = layout.shape;
        Ok(self.parts.autoencoder.decode_memory(height, width))
    }

    /// Checks that the free memory suffices for a picture of this size, if the networks run on the CPU.
    ///
    /// # Errors
    /// [`DiffusionError::Memory`] if it does not, and if the size is out of range.
    pub fn check_picture_memory(&self, size: Size) -> Result<(), DiffusionError> {
        self.memory.check(self.picture_memory(size)?)
    }

    /// As [`Self::check_picture_memory`], together with optional components that need so many bytes, as far as they are not in
    /// memory yet.
    ///
    /// # Errors
    /// As [`Self::check_picture_memory`].
    pub fn check_memory_with_components(
        &self,
        size: Size,
        components: u64,
    ) -> Result<(), DiffusionError> {
        let components = components.saturating_sub(self.memory.loaded());
        self.memory.check(self.picture_memory(size)?.saturating_add(components))
    }

    /// Whether the model uses [little memory](LoadOptions::low_memory).
    #[must_use]
    pub fn has_low_memory(&self) -> bool {
        self.parts.low_memory
    }
}

/// The bytes of the tensors that were loaded.
#[derive(Default)]
struct Bytes {
    text_encoders: Arc<AtomicU64>,
    others: Arc<AtomicU64>,
}

fn loaded(bytes: Arc<AtomicU64>) -> u64 {
    bytes.load(Ordering::Relaxed)
}
