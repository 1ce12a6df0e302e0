//! Which generator runs which model.

use std::sync::Arc;

use super::{GenerateError, Generator};

/// Loads a generator for a model name, or says that the name is not its own (`None`).
pub type ModelLoader =
    dyn Fn(&str) -> Option<Result<Box<dyn Generator>, GenerateError>> + Send + Sync;

/// Which generator runs which model: loaders are asked in turn, the last one registered first.
#[derive(Clone, Default)]
pub struct GeneratorRegistry {
    loaders: Vec<Arc<ModelLoader>>,
}

impl GeneratorRegistry {
    /// Adds a loader; it is asked before those that are there already.
    pub fn register<F>(&mut self, loader: F)
    where
        F: Fn(&str) -> Option<Result<Box<dyn Generator>, GenerateError>> + Send + Sync + 'static,
    {
        self.loaders.push(Arc::new(loader));
    }

    /// Loads the generator for a model: a name or a folder.
    ///
    /// # Errors
    /// When no loader takes the name, or the one that does cannot load it.
    pub fn load(&self, model: &str) -> Result<Box<dyn Generator>, GenerateError> {
        self.loaders.iter().rev().find_map(|loader| loader(model)).unwrap_or_else(|| {
            Err(GenerateError::NoGenerator {
                path: model.into(),
                what: "not a model that is known here".to_owned(),
            })
        })
    }
}
