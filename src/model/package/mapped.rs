//! A package whose tensor sources are wrapped.

use std::{borrow::Cow, fmt, sync::Arc};

use serde_json::Value;

use super::Package;
use crate::{
    control::Interrupt,
    model::{ModelError, tensors::TensorSource},
};

/// Wraps the tensor source of each component of another package, for example in [`ShapesOnly`](crate::model::tensors::ShapesOnly) or
/// [`Interruptible`](crate::model::tensors::Interruptible).
pub struct MappedPackage<'a, F> {
    package: &'a dyn Package,
    wrap: F,
}

impl<'a, F> MappedPackage<'a, F>
where
    F: Fn(&str, Box<dyn TensorSource>) -> Box<dyn TensorSource> + Send + Sync,
{
    /// Wraps the tensors of each component of `package`. `wrap` receives the name of the component.
    pub fn new(package: &'a dyn Package, wrap: F) -> Self {
        Self { package, wrap }
    }
}

impl<F> fmt::Debug for MappedPackage<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MappedPackage").field(&self.package).finish()
    }
}

impl<F> Package for MappedPackage<'_, F>
where
    F: Fn(&str, Box<dyn TensorSource>) -> Box<dyn TensorSource> + Send + Sync,
{
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
        Ok((self.wrap)(part, self.package.tensors(part)?))
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

    /// The package without the wrapping.
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
