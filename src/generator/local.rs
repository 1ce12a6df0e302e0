//! Models that run in this process.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Drawn, GenerateError, Generator, GeneratorRegistry, Inputs, LatentOptimization, MissingBlob,
    ModelCard, ModelLoader, embedding_files, lora_files,
    open::{has_vae, open_model, open_package},
    told::as_told,
};
use crate::{
    control::{Cancelled, Control, Interrupt},
    diffusion::{
        DiffusionError, DrawRequest, EditRequest, Family, LoadOptions, Model, Noise, Precision,
        family::{self, families},
    },
    model::{Finetune, ModelDefaults, ModelError, Package, package::PinnedPackage},
    recipe::{PictureEdit, Recipe, Size},
    settings::SettingsFile,
};

/// Loads model packages of some [families](Family): folders, and the model that ships with the crate.
///
/// The last model stays loaded, so that loading it again is free.
pub struct LocalModels {
    families: Vec<Arc<dyn Family>>,
    options: LoadOptions,
    /// The settings of the user. `None` if the system names no folder for them.
    settings: Option<SettingsFile>,
    /// The last loaded model.
    last: Mutex<Option<LocalGenerator>>,
}

/// A loaded model. Clones share it.
#[derive(Clone)]
pub(super) struct LocalGenerator {
    pub(super) card: ModelCard,
    /// The name of the model.
    name: String,
    /// The files or the folders of its text encoders that are not its own.
    text_encoders: Vec<String>,
    /// The file or the folder of its autoencoder, if the model has none of its own.
    vae: Option<String>,
    /// The hash of the model without low-rank adapters.
    hash: String,
    package: PinnedPackage,
    settings: Option<SettingsFile>,
    model: Arc<Mutex<Model>>,
}

impl LocalModels {
    /// A loader of all built-in families.
    #[must_use]
    pub fn new(options: LoadOptions) -> Self {
        let settings = SettingsFile::from_env().ok();
        Self { families: families(), options, settings, last: Mutex::default() }
    }

    /// Uses other settings than those of the user.
    #[must_use]
    pub fn with_settings(self, settings: SettingsFile) -> Self {
        Self { settings: Some(settings), ..self }
    }

    /// Loads a model, or returns the last one if it is the same.
    pub(super) fn load_shared(
        &self,
        recipe: &Recipe,
        control: &dyn Control,
    ) -> Result<LocalGenerator, GenerateError> {
        let mut last = lock(&self.last);
        if let Some(generator) = &*last
            && generator.name == recipe.model
            && generator.has_files_of(recipe)
            && generator.is_current()
            && !generator.has_panicked()
            && generator.has_memory_for(recipe)
        {
            return Ok(generator.clone());
        }
        // Two large models may not fit into memory together.
        *last = None;
        let generator = self.load_package(recipe, control)?;
        *last = Some(generator.clone());
        Ok(generator)
    }

    /// Adds a family. It takes precedence over earlier ones.
    #[must_use]
    pub fn with_family(mut self, family: impl Family + 'static) -> Self {
        self.families.insert(0, Arc::new(family));
        self
    }

    /// As [`Self::load_shared`], for pictures of the native size of a model.
    pub(super) fn load_named(
        &self,
        model: &str,
        control: &dyn Control,
    ) -> Result<LocalGenerator, GenerateError> {
        let [width, height] = self.defaults(model).unwrap_or_default().size;
        self.load_shared(&Recipe::new("", Size::new(width, height), model), control)
    }

    fn load_package(
        &self,
        recipe: &Recipe,
        control: &dyn Control,
    ) -> Result<LocalGenerator, GenerateError> {
        let Recipe { model: name, text_encoders, vae, size, .. } = recipe;
        let options = with_budget(&self.options, self.settings.as_ref());
        let has_vae = has_vae(name)?;
        loop {
            let package =
                open_model(name, text_encoders, vae.as_deref()).map_err(DiffusionError::from)?;
            let pinned = PinnedPackage::new(Arc::clone(&package));
            let components = component_memory(recipe);
            let load = || {
                let families = &self.families;
                family::load_fitting(families, &*package, &options, *size, components, control)
            };
            let (model, card) = load_and_hash(&*package, control.interrupt(), load)?;
            // While somebody copies files, the hash may not be that of the loaded weights.
            if pinned.is_unchanged() {
                let model = Arc::new(Mutex::new(model));
                let hash = card.hash.clone();
                let (name, text_encoders) = (name.clone(), text_encoders.clone());
                let vae = vae.clone().filter(|_| !has_vae);
                let (package, settings) = (pinned, self.settings.clone());
                return Ok(LocalGenerator {
                    card,
                    name,
                    text_encoders,
                    vae,
                    hash,
                    package,
                    settings,
                    model,
                });
            }
        }
    }
}

impl ModelLoader for LocalModels {
    fn load(
        &self,
        model: &str,
        control: &dyn Control,
    ) -> Option<Result<Box<dyn Generator>, GenerateError>> {
        let loaded = self.load_named(model, control);
        Some(loaded.map(|generator| Box::new(generator) as Box<dyn Generator>))
    }

    fn load_for(
        &self,
        recipe: &Recipe,
        control: &dyn Control,
    ) -> Option<Result<Box<dyn Generator>, GenerateError>> {
        let loaded = self.load_shared(recipe, control);
        Some(loaded.map(|generator| Box::new(generator) as Box<dyn Generator>))
    }

    fn defaults(&self, model: &str) -> Option<ModelDefaults> {
        let defaults = ModelDefaults::of(&*open_package(model).ok()?).ok()?;
        // The author waits for the answer, so that no file is hashed for it.
        let no_hashing = Interrupt::default();
        no_hashing.cancel();
        let told = self.settings.as_ref();
        let told = told.and_then(|settings| settings.told(Path::new(model), &no_hashing).ok());
        let finetune = told.and_then(|told| Finetune::find(&told.finetune?));
        Some(match finetune {
            Some(finetune) => finetune.defaults(defaults),
            None => defaults,
        })
    }
}

impl GeneratorRegistry {
    /// The registry with all built-in loaders: see [`LocalModels`] and [`LatentOptimization`].
    #[must_use]
    pub fn built_in(options: impl Into<LoadOptions>) -> Self {
        let options = options.into();
        let mut registry = Self::default();
        registry.register_loader(LocalModels::new(options.clone()));
        registry.register_loader(LatentOptimization::new(options));
        registry
    }
}

impl LocalGenerator {
    /// Whether the files of its package are those of a recipe.
    fn has_files_of(&self, recipe: &Recipe) -> bool {
        self.text_encoders == recipe.text_encoders && (self.vae.is_none() || self.vae == recipe.vae)
    }

    /// Whether drawing panicked, which may leave the model in an invalid state.
    fn has_panicked(&self) -> bool {
        self.model.is_poisoned()
    }

    /// The model.
    ///
    /// # Errors
    /// [`GenerateError::Panicked`] if drawing panicked before.
    pub(super) fn model(&self) -> Result<MutexGuard<'_, Model>, GenerateError> {
        let panicked = |_| GenerateError::Panicked("the model must be loaded again".to_owned());
        self.model.lock().map_err(panicked)
    }
}

/// The request for a whole picture, with the choices of its prompts made. `defaults` are those of the model.
///
/// # Errors
/// If an image is missing.
pub fn draw_request(
    recipe: &Recipe,
    inputs: &Inputs,
    defaults: &ModelDefaults,
) -> Result<DrawRequest, MissingBlob> {
    let images = inputs.images(recipe)?;
    let recipe = recipe.with_choices_made();
    Ok(DrawRequest {
        size: recipe.size,
        sampler: recipe.sampler.resolve(defaults),
        noise: Noise::Seed(recipe.noise_seed()),
        prompt: recipe.prompt,
        negative_prompt: recipe.negative_prompt,
        inspirations: recipe.inspirations,
        losses: recipe.losses,
        score: recipe.score,
        images,
    })
}

/// The options with the memory budget of the settings, if they have none.
fn with_budget(options: &LoadOptions, settings: Option<&SettingsFile>) -> LoadOptions {
    let budget = || match settings?.read() {
        Ok(settings) => settings.memory_budget,
        Err(error) => {
            log::error!("the memory budget is not known: {error}");
            None
        }
    };
    LoadOptions { memory_budget: options.memory_budget.or_else(budget), ..options.clone() }
}

/// Loads the model in a package as the free memory allows, for pictures of a recipe, and its card. The memory budget of the
/// [settings](SettingsFile::from_env) applies if the options have none.
///
/// # Errors
/// [`DiffusionError::Memory`] if it does not fit the memory. Also if a file is missing or damaged.
pub fn load_model(
    package: &dyn Package,
    options: &LoadOptions,
    recipe: &Recipe,
    control: &dyn Control,
) -> Result<(Model, ModelCard), DiffusionError> {
    let options = with_budget(options, SettingsFile::from_env().ok().as_ref());
    let (size, components) = (recipe.size, component_memory(recipe));
    let load = || family::load_fitting(&families(), package, &options, size, components, control);
    load_and_hash(package, control.interrupt(), load)
}

/// The memory of the optional components that a recipe names, in bytes. Those that cannot be read need none.
fn component_memory(recipe: &Recipe) -> u64 {
    let found = recipe.components.values().filter_map(|path| {
        crate::model::inspect::inspect(Path::new(path)).ok()?.component_memory()
    });
    found.fold(0, u64::saturating_add)
}

/// Loads a model while another thread hashes its files for the card.
///
/// # Errors
/// Those of `load`; otherwise as [`ModelCard::new`].
fn load_and_hash(
    package: &dyn Package,
    interrupt: &Interrupt,
    load: impl FnOnce() -> Result<Model, DiffusionError>,
) -> Result<(Model, ModelCard), DiffusionError> {
    let of_hash = interrupt.follower();
    let mut hash = Err(ModelError::from(Cancelled));
    // The model stays on this thread: memory of the main thread is faster to allocate than that of a pool.
    let model = rayon::in_place_scope(|scope| {
        scope.spawn(|_| hash = package.hash(&of_hash));
        load().inspect_err(|_| of_hash.cancel())
    })?;
    let precision = Some(model.precision()).filter(|it| *it != Precision::F32);
    let precision = precision.map(|it| it.to_string());
    let card = ModelCard::with_hash(package, model.grid(), hash?)?;
    Ok((model, ModelCard { precision, ..card }))
}

/// Changes a model by the files that a recipe names besides the model: its autoencoder, its optional components, its low-rank
/// adapters and its textual inversions. `card` is the one of [`load_model`]. Returns that of the changed model, with what the author told about the
/// model in the [settings](SettingsFile::from_env).
///
/// # Errors
/// If a file is missing or damaged, or if the model cannot have it.
pub fn prepare_model(
    model: &mut Model,
    card: &ModelCard,
    recipe: &Recipe,
    interrupt: &Interrupt,
) -> Result<ModelCard, DiffusionError> {
    set_files(model, has_vae(&recipe.model)?, recipe, interrupt)?;
    let settings = SettingsFile::from_env().ok();
    let card = ModelCard { hash: model.hash_with_files(&card.hash), ..card.clone() };
    Ok(as_told(card, model, settings.as_ref(), recipe, interrupt))
}

/// `has_vae`: see [`has_vae`].
fn set_files(
    model: &mut Model,
    has_vae: bool,
    recipe: &Recipe,
    interrupt: &Interrupt,
) -> Result<(), DiffusionError> {
    if has_vae {
        model.set_vae(recipe.vae.as_deref(), interrupt)?;
    }
    model.set_components(&recipe.components, interrupt)?;
    model.set_loras(&lora_files(recipe)?, interrupt)?;
    model.set_embeddings(&embedding_files(recipe)?, interrupt)
}

impl Generator for LocalGenerator {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    /// A model that already uses little memory cannot do better.
    fn has_memory_for(&self, recipe: &Recipe) -> bool {
        self.model().is_ok_and(|model| {
            let components = component_memory(recipe);
            model.has_low_memory()
                || model.check_memory_with_components(recipe.size, components).is_ok()
        })
    }

    fn is_current(&self) -> bool {
        self.package.is_unchanged()
    }

    fn prepare(&mut self, recipe: &Recipe, control: &dyn Control) -> Result<(), GenerateError> {
        if !self.has_files_of(recipe) {
            return Err(DiffusionError::OtherFiles.into());
        }
        let mut model = self.model()?;
        set_files(&mut model, self.vae.is_none(), recipe, control.interrupt())?;
        let hash = model.hash_with_files(&self.hash);
        let card = ModelCard { hash, ..self.card.clone() };
        let settings = self.settings.as_ref();
        let card = as_told(card, &model, settings, recipe, control.interrupt());
        drop(model);
        self.card = card;
        Ok(())
    }

    fn generate(
        &mut self,
        recipe: &Recipe,
        inputs: &Inputs,
        control: &dyn Control,
    ) -> Result<Drawn, GenerateError> {
        self.prepare(recipe, control)?;
        let mut model = self.model()?;
        let request = draw_request(recipe, inputs, &self.card.defaults)?;
        let Some(edit) = recipe.with_choices_made().edit else {
            return Ok(model.draw(&request, control, &mut [])?);
        };
        let picture = inputs.picture(&edit)?;
        let edit = edit.of_take(recipe.take);
        let parts = inputs.parts(&edit)?;
        let PictureEdit { style, context, tiled, .. } = edit;
        let DrawRequest { prompt, negative_prompt, sampler, noise, .. } = request;
        let DrawRequest { inspirations, losses, score, images, .. } = request;
        let request = EditRequest {
            picture,
            prompt,
            negative_prompt,
            parts,
            style,
            context,
            tiled,
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

/// The cache is always valid, so a panic while it was locked is harmless.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
