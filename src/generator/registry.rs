//! Finding the generator of a model.

use std::{fmt, sync::Arc};

use super::{GenerateError, Generator};
use crate::{control::Control, model::ModelDefaults, recipe::Recipe};

/// Loads generators by the name of their model.
pub trait ModelLoader: Send + Sync {
    /// Loads the generator of `model`, a name or a folder. `None` if this loader does not know it.
    ///
    /// `control` interrupts loading and receives its progress.
    fn load(
        &self,
        model: &str,
        control: &dyn Control,
    ) -> Option<Result<Box<dyn Generator>, GenerateError>>;

    /// As [`Self::load`], with the text encoders of a recipe. By default, the same generator for all
    /// text encoders.
    fn load_for(
        &self,
        recipe: &Recipe,
        control: &dyn Control,
    ) -> Option<Result<Box<dyn Generator>, GenerateError>> {
        self.load(&recipe.model, control)
    }

    /// The default settings of `model`. `None` if this loader does not know it.
    ///
    /// This must be fast: read configurations only, no weights.
    fn defaults(&self, model: &str) -> Option<ModelDefaults> {
        let _ = model;
        None
    }
}

/// The loaders of all models. Later loaders take precedence.
#[derive(Clone, Default)]
pub struct GeneratorRegistry {
    loaders: Vec<Arc<dyn ModelLoader>>,
}

/// A loader that is a function.
struct LoadFn<F>(F);

impl<F> ModelLoader for LoadFn<F>
where
    F: Fn(&str, &dyn Control) -> Option<Result<Box<dyn Generator>, GenerateError>> + Send + Sync,
{
    fn load(
        &self,
        model: &str,
        control: &dyn Control,
    ) -> Option<Result<Box<dyn Generator>, GenerateError>> {
        self.0(model, control)
    }
}

impl GeneratorRegistry {
    /// Adds a function as a loader. See [`ModelLoader::load`].
    pub fn register<F>(&mut self, load: F)
    where
        F: Fn(&str, &dyn Control) -> Option<Result<Box<dyn Generator>, GenerateError>>
            + Send
            + Sync
            + 'static,
    {
        self.register_loader(LoadFn(load));
    }

    /// Adds a loader.
    pub fn register_loader(&mut self, loader: impl ModelLoader + 'static) {
        self.loaders.push(Arc::new(loader));
    }

    /// The default settings of a model, from the first loader that knows it. Reads configurations
    /// only, no weights.
    #[must_use]
    pub fn defaults(&self, model: &str) -> Option<ModelDefaults> {
        self.loaders.iter().rev().find_map(|loader| loader.defaults(model))
    }

    /// Loads the generator of a model: a name or a folder.
    ///
    /// # Errors
    /// [`GenerateError::Cancelled`] if interrupted, [`GenerateError::NoGenerator`] if no loader
    /// knows the model, and the error of the loader that knows it.
    pub fn load(
        &self,
        model: &str,
        control: &dyn Control,
    ) -> Result<Box<dyn Generator>, GenerateError> {
        self.find(model, control, |loader| loader.load(model, control))
    }

    /// Loads the generator of the model of a recipe, with its text encoders.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_for(
        &self,
        recipe: &Recipe,
        control: &dyn Control,
    ) -> Result<Box<dyn Generator>, GenerateError> {
        self.find(&recipe.model, control, |loader| loader.load_for(recipe, control))
    }

    fn find(
        &self,
        model: &str,
        control: &dyn Control,
        load: impl Fn(&dyn ModelLoader) -> Option<Result<Box<dyn Generator>, GenerateError>>,
    ) -> Result<Box<dyn Generator>, GenerateError> {
        control.interrupt().check()?;
        let mut loaders = self.loaders.iter().rev();
        loaders.find_map(|loader| load(&**loader)).unwrap_or_else(|| {
            Err(GenerateError::NoGenerator {
                path: model.into(),
                what: "not a known model".to_owned(),
            })
        })
    }
}

impl fmt::Debug for GeneratorRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GeneratorRegistry({} loaders)", self.loaders.len())
    }
}
