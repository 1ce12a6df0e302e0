//! Models that run in this process.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Drawn, GenerateError, Generator, GeneratorRegistry, Inputs, ModelCard, ModelLoader};
use crate::{
    control::{Control, Interrupt},
    diffusion::{
        DeviceKind, DiffusionError, DrawRequest, EditRequest, Family, LoadOptions, Model, Noise,
        family::{self, families},
    },
    edit::EditError,
    model::{
        EmbeddedPackage, FolderPackage, ModelDefaults, ModelError, Package,
        inspect::{Inspection, Obstacle},
    },
    recipe::{PictureEdit, Recipe, picture_hash, style::BUILT_IN_MODEL},
};

/// Loads model packages of some [families](Family): folders, and the model that ships with the crate.
///
/// The last model stays loaded, so that loading it again is free.
pub struct LocalModels {
    families: Vec<Arc<dyn Family>>,
    options: LoadOptions,
    /// The last loaded model, by its name.
    last: Mutex<Option<(String, LocalGenerator)>>,
}

/// A loaded model. Clones share it.
#[derive(Clone)]
struct LocalGenerator {
    card: ModelCard,
    model: Arc<Mutex<Model>>,
}

impl LocalModels {
    /// A loader of all built-in families.
    #[must_use]
    pub fn new(options: LoadOptions) -> Self {
        Self { families: families(), options, last: Mutex::default() }
    }

    /// Adds a family. It takes precedence over earlier ones.
    #[must_use]
    pub fn with_family(mut self, family: impl Family + 'static) -> Self {
        self.families.insert(0, Arc::new(family));
        self
    }

    fn load_package(
        &self,
        model: &str,
        control: &dyn Control,
    ) -> Result<LocalGenerator, GenerateError> {
        let package = open_package(model).map_err(DiffusionError::from)?;
        let model = family::load(&self.families, &*package, &self.options, control)?;
        let card = ModelCard::new(&*package, model.grid(), control.interrupt())
            .map_err(DiffusionError::from)?;
        Ok(LocalGenerator { card, model: Arc::new(Mutex::new(model)) })
    }
}

impl ModelLoader for LocalModels {
    fn load(
        &self,
        model: &str,
        control: &dyn Control,
    ) -> Option<Result<Box<dyn Generator>, GenerateError>> {
        let mut last = lock(&self.last);
        if let Some((name, generator)) = &*last
            && name == model
            && !generator.has_panicked()
        {
            return Some(Ok(Box::new(generator.clone())));
        }
        // Two large models may not fit into memory together.
        *last = None;
        Some(self.load_package(model, control).map(|generator| {
            *last = Some((model.to_owned(), generator.clone()));
            Box::new(generator) as Box<dyn Generator>
        }))
    }

    fn defaults(&self, model: &str) -> Option<ModelDefaults> {
        ModelDefaults::of(&*open_package(model).ok()?).ok()
    }
}

impl GeneratorRegistry {
    /// The registry with all built-in loaders: see [`LocalModels`].
    #[must_use]
    pub fn built_in(device: DeviceKind) -> Self {
        let mut registry = Self::default();
        registry.register_loader(LocalModels::new(LoadOptions::new(device)));
        registry
    }
}

impl LocalGenerator {
    /// Whether drawing panicked, which may leave the model in an invalid state.
    fn has_panicked(&self) -> bool {
        self.model.is_poisoned()
    }
}

impl Generator for LocalGenerator {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn generate(
        &mut self,
        recipe: &Recipe,
        inputs: &Inputs,
        control: &dyn Control,
    ) -> Result<Drawn, GenerateError> {
        let Ok(mut model) = self.model.lock() else {
            return Err(GenerateError::Panicked("the model must be loaded again".to_owned()));
        };
        let noise = Noise::Seed(recipe.noise_seed());
        let images = inputs.images(recipe)?;
        let Recipe { prompt, negative_prompt, size, sampler, .. } = recipe.clone();
        let Recipe { inspirations, losses, score, edit, .. } = recipe.clone();
        let sampler = sampler.resolve(&self.card.defaults);
        let Some(edit) = edit else {
            let request = DrawRequest {
                prompt,
                negative_prompt,
                size,
                sampler,
                noise,
                inspirations,
                losses,
                score,
                images,
            };
            return Ok(model.draw(&request, control, &mut [])?);
        };
        let missing = || GenerateError::NoInitImage("the inputs have no init image".to_owned());
        let picture = inputs.init_image.clone().ok_or_else(missing)?;
        if picture_hash(&picture) != edit.picture {
            return Err(DiffusionError::from(EditError::OtherPicture).into());
        }
        let edit = edit.of_take(recipe.take);
        let parts = inputs.parts(&edit)?;
        let PictureEdit { style, context, .. } = edit;
        let request = EditRequest {
            picture,
            prompt,
            negative_prompt,
            parts,
            style,
            context,
            sampler,
            noise,
            inspirations,
            losses,
            score,
            images,
        };
        Ok(model.edit(&request, control, &mut [])?)
    }
}

/// Opens the package of a model: the built-in model or a folder.
///
/// # Errors
/// If there is no such model.
pub fn open_package(model: &str) -> Result<Box<dyn Package>, ModelError> {
    Ok(match model {
        BUILT_IN_MODEL => Box::new(EmbeddedPackage::built_in()),
        folder => Box::new(FolderPackage::open(folder)?),
    })
}

/// Inspects a file or folder, and checks whether one of the built-in families loads it and sets up its
/// default scheduler. Reads only the headers of weight files.
///
/// # Errors
/// If it does not exist, or cannot be read.
pub fn inspect(path: &Path) -> io::Result<Inspection> {
    let mut inspection = crate::model::inspect::inspect(path)?;
    if inspection.runs() {
        let checked = FolderPackage::open(path)
            .map_err(DiffusionError::from)
            .and_then(|package| family::check(&families(), &package, &Interrupt::default()));
        inspection.obstacles.extend(match checked {
            Ok(unusable) => unusable.map(|(class, error)| Obstacle::DefaultScheduler {
                class,
                reason: error.to_string(),
            }),
            Err(error) => Some(Obstacle::Refused(error.to_string())),
        });
    }
    Ok(inspection)
}

/// The cache is always valid, so a panic while it was locked is harmless.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
