//! Opens and inspects models by their names.

use std::{io, path::Path, sync::Arc};

use crate::{
    control::Interrupt,
    diffusion::{
        DiffusionError,
        family::{self, families},
        lora::LoraFile,
    },
    model::{
        EmbeddedPackage, FolderPackage, ModelError, Package, TransformerFile,
        inspect::{Inspection, Obstacle},
        ldm::Checkpoint,
        with_text_encoders, with_vae,
    },
    recipe::style::BUILT_IN_MODEL,
};

/// The component of an autoencoder.
const VAE: &str = "vae";

/// Opens the package of a model: the built-in model, a diffusers folder, or a single file.
///
/// # Errors
/// If there is no such model.
pub fn open_package(model: &str) -> Result<Box<dyn Package>, ModelError> {
    match model {
        BUILT_IN_MODEL => Ok(Box::new(EmbeddedPackage::built_in())),
        path => open_path(Path::new(path)),
    }
}

fn open_path(path: &Path) -> Result<Box<dyn Package>, ModelError> {
    let is_file = |extension| path.extension().is_some_and(|it| it == extension) && path.is_file();
    let (is_safetensors, is_gguf) = (is_file("safetensors"), is_file("gguf"));
    if (is_safetensors || is_gguf)
        && let Some(transformer) = TransformerFile::open(path)?
    {
        return Ok(Box::new(transformer));
    }
    if is_safetensors {
        Ok(Box::new(Checkpoint::open(path)?))
    } else {
        Ok(Box::new(FolderPackage::open(path)?))
    }
}

/// Whether a model has an autoencoder of its own. Otherwise that of a recipe is a part of its package: see [`open_model`].
pub(super) fn has_vae(model: &str) -> Result<bool, DiffusionError> {
    Ok(open_package(model)?.has_component(VAE))
}

/// Opens the package of a model with these text encoders. An autoencoder that the model lacks is `vae`. That of a complete
/// model is replaced later: see [`Model::set_vae`](crate::diffusion::Model::set_vae).
///
/// # Errors
/// If there is no such model, or if a file is missing, damaged, or for another model.
pub fn open_model(
    model: &str,
    text_encoders: &[String],
    vae: Option<&str>,
) -> Result<Arc<dyn Package>, ModelError> {
    let package = with_text_encoders(open_package(model)?.shared(), text_encoders)?;
    match vae {
        Some(vae) if !package.has_component(VAE) => {
            Ok(Arc::new(with_vae(package, Path::new(vae))?))
        }
        _ => Ok(package),
    }
}

/// Inspects a file or folder, and checks whether a LoRA is of a supported kind, and for a model whether one of the built-in families loads it and sets up its
/// default scheduler. Reads only the headers of weight files.
///
/// # Errors
/// If it does not exist, or cannot be read.
pub fn inspect(path: &Path) -> io::Result<Inspection> {
    let mut inspection = crate::model::inspect::inspect(path)?;
    if inspection.is_usable_lora() {
        let refused = LoraFile::open(path, 1.0).err();
        let refused = refused.map(|error| Obstacle::Refused(error.to_string()));
        inspection.obstacles.extend(refused);
    }
    if inspection.runs() {
        let (families, interrupt) = (families(), Interrupt::default());
        let checked = open_path(path).map_err(DiffusionError::from).and_then(|package| {
            let checked = family::check_each(&families, &*package, &interrupt)?;
            Ok((checked, family::memory(&families, &*package, None, &interrupt)?))
        });
        match checked {
            Ok(((unusable, optional), memory)) => {
                inspection.memory = Some(memory);
                let scheduler = unusable.map(|(class, error)| Obstacle::DefaultScheduler {
                    class,
                    reason: error.to_string(),
                });
                let optional = optional.err().map(|error| Obstacle::Optional(error.to_string()));
                inspection.obstacles.extend(scheduler.into_iter().chain(optional));
            }
            Err(error) => inspection.obstacles.push(Obstacle::Refused(error.to_string())),
        }
    }
    Ok(inspection)
}
