//! A package without the values of its tensors.

use std::borrow::Cow;

use super::Package;
use crate::{
    control::Interrupt,
    model::{
        ModelError,
        tensors::{ShapesOnly, TensorSource},
    },
};

/// Another package with [zeros](ShapesOnly) for tensors: for checking whether networks fit it, at
/// the cost of reading the headers.
#[derive(Clone, Copy, Debug)]
pub struct ShapesPackage<'a>(pub &'a dyn Package);

impl Package for ShapesPackage<'_> {
    fn name(&self) -> String {
        self.0.name()
    }

    fn location(&self, file: &str) -> String {
        self.0.location(file)
    }

    fn has(&self, file: &str) -> bool {
        self.0.has(file)
    }

    fn file(&self, file: &str) -> Result<Cow<'_, [u8]>, ModelError> {
        self.0.file(file)
    }

    fn tensors(&self, part: &str) -> Result<Box<dyn TensorSource>, ModelError> {
        Ok(Box::new(ShapesOnly(self.0.tensors(part)?)))
    }

    fn hash(&self, interrupt: &Interrupt) -> Result<String, ModelError> {
        self.0.hash(interrupt)
    }

    fn licence(&self) -> Option<String> {
        self.0.licence()
    }

    fn index(&self) -> Result<serde_json::Value, ModelError> {
        self.0.index()
    }

    fn config(&self, part: &str) -> Result<serde_json::Value, ModelError> {
        self.0.config(part)
    }
}
