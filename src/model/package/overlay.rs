//! A package in which one component comes from elsewhere.

use std::{borrow::Cow, fmt, sync::Arc};

use serde_json::Value;

use super::{Package, config_file};
use crate::{
    control::Interrupt,
    model::{ModelError, tensors::TensorSource},
};

/// Opens the tensors of a component.
type OpenTensors = dyn Fn() -> Result<Box<dyn TensorSource>, ModelError> + Send + Sync;

/// Replaces one component of another package: its configuration and its tensors.
pub struct Overlay<'a> {
    package: &'a dyn Package,
    component: &'a str,
    /// The file that stands for the configuration in error messages.
    location: String,
    config: Value,
    open: Arc<OpenTensors>,
}

impl<'a> Overlay<'a> {
    /// Replaces `component` of `package`. `location` is the file in error messages about its configuration, and `open`
    /// opens its tensors.
    pub fn new(
        package: &'a dyn Package,
        component: &'a str,
        location: String,
        config: Value,
        open: Arc<OpenTensors>,
    ) -> Self {
        Self { package, component, location, config, open }
    }
}

impl fmt::Debug for Overlay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package, component, location, config, open: _ } = self;
        f.debug_struct("Overlay")
            .field("package", package)
            .field("component", component)
            .field("location", location)
            .field("config", config)
            .finish()
    }
}

impl Package for Overlay<'_> {
    fn name(&self) -> String {
        self.package.name()
    }

    fn location(&self, file: &str) -> String {
        match file == config_file(self.component) {
            true => self.location.clone(),
            false => self.package.location(file),
        }
    }

    fn has(&self, file: &str) -> bool {
        self.package.has(file)
    }

    fn has_component(&self, part: &str) -> bool {
        part == self.component || self.package.has_component(part)
    }

    fn file(&self, file: &str) -> Result<Cow<'_, [u8]>, ModelError> {
        self.package.file(file)
    }

    fn tensors(&self, part: &str) -> Result<Box<dyn TensorSource>, ModelError> {
        if part == self.component { (self.open)() } else { self.package.tensors(part) }
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

    /// The package without the replacement.
    fn shared(&self) -> Arc<dyn Package> {
        self.package.shared()
    }

    fn index(&self) -> Result<Value, ModelError> {
        self.package.index()
    }

    fn config(&self, part: &str) -> Result<Value, ModelError> {
        match part == self.component {
            true => Ok(self.config.clone()),
            false => self.package.config(part),
        }
    }
}
