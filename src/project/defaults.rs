//! A cache of the defaults of models, so that planning a storyboard reads each model folder only once.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::{generator::GeneratorRegistry, model::ModelDefaults, recipe::style::BUILT_IN_MODEL};

/// The defaults of models. Each known model is read once.
#[derive(Debug)]
pub(super) struct DefaultsCache {
    registry: GeneratorRegistry,
    /// By the name of the model.
    known: Mutex<HashMap<String, ModelDefaults>>,
}

impl DefaultsCache {
    pub(super) fn new(registry: GeneratorRegistry) -> Self {
        Self { registry, known: Mutex::default() }
    }

    /// The defaults of a model. A model that no loader knows is looked up again on each call, because its folder may
    /// appear later.
    pub(super) fn get(&self, model: &str) -> ModelDefaults {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(defaults) = known.get(model) {
            return defaults.clone();
        }
        match self.registry.defaults(model) {
            Some(defaults) => known.entry(model.to_owned()).or_insert(defaults).clone(),
            None if model == BUILT_IN_MODEL => ModelDefaults::built_in(),
            None => ModelDefaults::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;
    use crate::{
        control::Control,
        generator::{GenerateError, Generator, ModelLoader},
    };

    /// Knows the defaults of one model, and counts the lookups.
    struct Loader(Arc<AtomicUsize>);

    impl ModelLoader for Loader {
        fn load(
            &self,
            _: &str,
            _: &dyn Control,
        ) -> Option<Result<Box<dyn Generator>, GenerateError>> {
            None
        }

        fn defaults(&self, model: &str) -> Option<ModelDefaults> {
            self.0.fetch_add(1, Ordering::Relaxed);
            (model == "known").then(|| ModelDefaults { steps: 7, ..ModelDefaults::default() })
        }
    }

    #[test]
    fn defaults_of_known_models_are_read_once_and_unknown_models_are_looked_up_again() {
        let reads = Arc::new(AtomicUsize::new(0));
        let mut registry = GeneratorRegistry::default();
        registry.register_loader(Loader(Arc::clone(&reads)));
        let cache = DefaultsCache::new(registry);
        assert_eq!((cache.get("known").steps, cache.get("known").steps), (7, 7));
        assert_eq!(reads.load(Ordering::Relaxed), 1);
        assert_eq!(cache.get("other"), ModelDefaults::default());
        assert_eq!(cache.get(BUILT_IN_MODEL), ModelDefaults::built_in());
        assert_eq!(cache.get("other"), ModelDefaults::default());
        assert_eq!(reads.load(Ordering::Relaxed), 4);
    }
}
