//! What authors told about models changes their cards.

use std::path::Path;

use crate::{
    control::Interrupt,
    diffusion::Model,
    model::{Finetune, ModelCard},
    recipe::{Recipe, style::BUILT_IN_MODEL},
    settings::{SettingsFile, ToldModel},
};

/// The card of a model with the prediction type and the line of finetunes that the author told. If a recipe leaves them to the
/// model, and the model has others by itself, they are part of the hash: the same recipe draws other pictures.
pub(super) fn as_told(
    mut card: ModelCard,
    model: &Model,
    settings: Option<&SettingsFile>,
    recipe: &Recipe,
    interrupt: &Interrupt,
) -> ModelCard {
    let ToldModel { prediction_type: told, finetune, .. } =
        settings.map(|it| told_model(it, &recipe.model, interrupt)).unwrap_or_default();
    if let Some(finetune) = finetune.as_deref().and_then(Finetune::find) {
        let defaults = finetune.defaults(card.defaults.clone());
        if recipe.sampler.resolve(&defaults) != recipe.sampler.resolve(&card.defaults) {
            card.hash = hash_with(&card.hash, "finetune", &finetune.name);
        }
        card.defaults = defaults;
    }
    let told = told.filter(|told| model.prediction_type() != Some(told.name()));
    card.defaults.prediction_type = told;
    if let (Some(told), None) = (told, recipe.sampler.prediction_type) {
        card.hash = hash_with(&card.hash, "prediction_type", told.name());
    }
    card
}

/// The hash of a model with something that the author told.
fn hash_with(hash: &str, what: &str, told: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(hash.as_bytes()).update(what.as_bytes()).update(told.as_bytes());
    hasher.finalize().to_hex().to_string()
}

/// What the author told about a model in a single file. If the settings cannot be read, the picture is drawn without it.
fn told_model(settings: &SettingsFile, model: &str, interrupt: &Interrupt) -> ToldModel {
    if model == BUILT_IN_MODEL {
        return ToldModel::default();
    }
    settings.told(Path::new(model), interrupt).unwrap_or_else(|error| {
        log::error!("what you told about the model {model} is not known: {error}");
        ToldModel::default()
    })
}
