//! The memory that a loaded model may still use: for pictures, and for networks that are loaded later.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use candle_core::{DType, Device, Tensor};

use super::{DiffusionError, Interrupt, weights::load_later};
use crate::{
    memory::Memory,
    model::{
        ModelError, Package,
        package::{MappedPackage, PinnedPackage},
        tensors::{ShapesOnly, StoredTensor, TensorSource, bytes_of},
    },
};

/// The memory besides the weights of the model.
#[derive(Debug)]
pub(super) struct MemoryBudget {
    /// Whether the networks run on the CPU. The memory of other devices is not known.
    is_cpu: bool,
    /// The most memory in bytes. `None`: all that is free.
    pub most: Option<u64>,
    /// The weights of networks that were loaded later, in bytes.
    loaded: Cell<u64>,
}

impl MemoryBudget {
    pub fn new(device: &Device) -> Self {
        Self { is_cpu: device.is_cpu(), most: None, loaded: Cell::new(0) }
    }

    /// Checks that so many bytes are free.
    ///
    /// # Errors
    /// [`DiffusionError::Memory`] if they are not.
    pub fn check(&self, needed: u64) -> Result<(), DiffusionError> {
        let Some(now) = Memory::now().filter(|_| self.is_cpu) else { return Ok(()) };
        let free = self.most.map_or(now, |most| now.within(most.saturating_sub(self.loaded.get())));
        Ok(free.check(needed)?)
    }

    /// Loads a network later than the rest of its model, if its weights fit. `load` is first called with shapes only.
    ///
    /// # Errors
    /// [`DiffusionError::Memory`] if they do not fit, before they are read. Otherwise as [`load_later`].
    pub fn load<T>(
        &self,
        package: &PinnedPackage,
        interrupt: &Interrupt,
        load: impl Fn(&dyn Package) -> Result<T, DiffusionError>,
    ) -> Result<T, DiffusionError> {
        let bytes = Arc::<AtomicU64>::default();
        let loaded = load_later(package, interrupt, |package| {
            load(&counted(package, &bytes))?;
            self.check(bytes.load(Ordering::Relaxed))?;
            load(package)
        })?;
        self.loaded.set(self.loaded.get().saturating_add(bytes.load(Ordering::Relaxed)));
        Ok(loaded)
    }

    /// The weights of networks that were loaded later, in bytes.
    pub fn loaded(&self) -> u64 {
        self.loaded.get()
    }

    /// The networks that were loaded later are not in memory any more.
    pub fn unload(&self) {
        self.loaded.set(0);
    }
}

/// A package with shapes only, which adds up the memory of the tensors that are loaded.
fn counted<'a>(package: &'a dyn Package, bytes: &Arc<AtomicU64>) -> impl Package + use<'a> {
    let bytes = Arc::clone(bytes);
    MappedPackage::new(package, move |_, source| Box::new(Counted::new(source, &bytes)))
}

/// The shapes of tensors, and the memory that they would need.
pub(super) struct Counted {
    shapes: ShapesOnly,
    bytes: Arc<AtomicU64>,
}

impl Counted {
    /// Adds the memory of tensors to `bytes` when they are loaded.
    pub fn new(source: Box<dyn TensorSource>, bytes: &Arc<AtomicU64>) -> Self {
        Self { shapes: ShapesOnly(source), bytes: Arc::clone(bytes) }
    }
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
