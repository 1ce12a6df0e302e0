//! The memory of a model, found without reading its weights.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use candle_core::{DType, Device, Tensor};

use super::{Family, LoadOptions, load};
use crate::{
    control::Control,
    diffusion::{DeviceKind, DiffusionError, DrawError, Model, request::LatentLayout},
    memory::{Memory, MemoryNeeds, ModelMemory},
    model::{
        ModelDefaults, ModelError, Package,
        package::MappedPackage,
        tensors::{ShapesOnly, StoredTensor, TensorSource, bytes_of},
    },
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
            Box::new(Counted { shapes: ShapesOnly(source), bytes: Arc::clone(bytes) })
        });
        let options = LoadOptions { low_memory, ..LoadOptions::new(DeviceKind::Cpu) };
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

/// Loads a package as the free memory allows: with [little memory](LoadOptions::low_memory) if it does not fit otherwise.
///
/// # Errors
/// [`DiffusionError::Memory`] if it does not fit, and as [`load`].
pub fn load_fitting(
    families: &[Arc<dyn Family>],
    package: &dyn Package,
    options: &LoadOptions,
    size: Size,
    control: &dyn Control,
) -> Result<Model, DiffusionError> {
    let Some(free) = options.free_memory() else {
        return load(families, package, options, control);
    };
    let memory = memory(families, package, Some(size), control)?;
    let low_memory = memory.needs_low(free)? || options.low_memory;
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
        let needed = self.picture_memory(size)?;
        let Some(now) = Memory::now().filter(|_| self.parts.device.is_cpu()) else { return Ok(()) };
        let free = self.picture_budget.map_or(now, |budget| now.within(budget));
        Ok(free.check(needed)?)
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

/// The shapes of tensors, and the memory that they would need.
struct Counted {
    shapes: ShapesOnly,
    bytes: Arc<AtomicU64>,
}

impl TensorSource for Counted {
    fn contains(&self, name: &str) -> bool {
        self.shapes.contains(name)
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.shapes.shape(name)
    }

    fn dtype(&self, name: &str) -> Option<DType> {
        self.shapes.dtype(name)
    }

    fn stored_bytes(&self, name: &str) -> Option<u64> {
        self.shapes.stored_bytes(name)
    }

    fn files(&self) -> String {
        self.shapes.files()
    }

    fn get(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor, ModelError> {
        let tensor = self.shapes.get(name, dtype, device)?;
        self.bytes.fetch_add(bytes_of(tensor.dims(), dtype), Ordering::Relaxed);
        Ok(tensor)
    }

    fn get_stored(&self, name: &str, device: &Device) -> Result<StoredTensor, ModelError> {
        let tensor = self.shapes.get_stored(name, device)?;
        self.bytes.fetch_add(self.stored_bytes(name).unwrap_or(0), Ordering::Relaxed);
        Ok(tensor)
    }
}
