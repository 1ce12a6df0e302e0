//! The transformer of FLUX.2 Klein or Z-Image as a file or a folder of its own, which replaces that of a model.

mod flux2;
mod names;
mod package;
mod z_image;

use std::{path::Path, sync::Arc};

use serde_json::{Map, Value};

use super::{
    ModelError, Package, TensorSource,
    detect::{Family, TRANSFORMER, check_component, component_of},
    package::Overlay,
    tensors::{Converted, WeightFile},
};
pub(crate) use flux2::original_layer as flux2_original_layer;
pub(super) use names::{Layout, Names};
pub use package::TransformerFile;
pub(crate) use z_image::original_layer as z_image_original_layer;

/// The families whose transformers are read from files of their own.
const FORMATS: [TransformerFormat; 2] = [flux2::FORMAT, z_image::FORMAT];

/// The components without tensors in such a file, whose configurations are those of the published model, as far as no tensor
/// tells them.
const OTHERS: [&str; 3] = ["scheduler", "text_encoder", "vae"];

/// The transformer of a family in a file.
pub(super) struct TransformerFormat {
    /// Its class in diffusers. The [table](super::detect::FAMILIES) has its family.
    pub(super) class: &'static str,
    /// The names in a file, without prefix. `None` if it is not such a transformer.
    layout: fn(&dyn Fn(&str) -> bool) -> Option<Layout>,
    /// What a tensor is if this transformer does not have it, by its name without prefix.
    refused: fn(&str) -> Option<&'static str>,
    /// The configuration of a transformer whose tensors have the names of diffusers. What they do not tell is given.
    config: ReadConfig,
    /// The `model_index.json` of the published model.
    index: &'static str,
    /// The configurations of [`OTHERS`].
    configs: [&'static str; OTHERS.len()],
    /// The usual name of the file of its autoencoder, for error messages.
    pub(super) vae: &'static str,
}

type ReadConfig =
    fn(Map<String, Value>, &dyn TensorSource) -> Result<Map<String, Value>, ModelError>;

/// Replaces the transformer of a package of FLUX.2 Klein or Z-Image by that in a file or in a folder: a GGUF or safetensors file
/// in the names of the original program or of diffusers, or a folder in diffusers' layout.
///
/// The tensors of a file tell its sizes. What they do not tell, such as the frequencies of positions, is that of the package.
///
/// # Errors
/// [`ModelError::Unsupported`] if the package is not one of these families, or the file is not a transformer of the same
/// family. Otherwise if it cannot be read, or lacks a tensor.
pub fn with_transformer(package: Arc<dyn Package>, path: &Path) -> Result<Overlay, ModelError> {
    let classes: Vec<_> = FORMATS.iter().map(|format| format.class).collect();
    let class = check_component(&*package, TRANSFORMER, &classes)?;
    if path.is_dir() {
        return Overlay::of_folder(package, TRANSFORMER, path);
    }
    let found = TransformerFormat::find(path)?.filter(|(format, _)| format.class == class);
    let Some((format, names)) = found else {
        return Err(ModelError::Unsupported {
            file: path.display().to_string(),
            field: "the file".to_owned(),
            value: "a file with other tensors".to_owned(),
            supported: format!("a transformer of {}", family_name(class)),
        });
    };
    let file = path.to_owned();
    let open = move || opened(&file, names);
    let own = match package.config(TRANSFORMER)? {
        Value::Object(own) => own,
        _ => Map::new(),
    };
    let config = Value::Object((format.config)(own, &*open()?)?);
    Ok(Overlay::of_file(package, TRANSFORMER, path, config, Arc::new(open)))
}

/// The tensors of a file in the names of diffusers.
fn opened(path: &Path, names: Names) -> Result<Box<dyn TensorSource>, ModelError> {
    let source = WeightFile::open(path)?.into_source();
    Ok(Box::new(Converted { source, stored: move |name: &str| names.stored(name) }))
}

/// The display name of the family of a transformer.
fn family_name(class: &str) -> &'static str {
    component_of(class).map_or("another model", |(Family { name, .. }, _)| name)
}

impl TransformerFormat {
    /// The format of a file, and its names. `has` tells whether a tensor exists. `None` if it has other tensors.
    pub(super) fn of(has: &dyn Fn(&str) -> bool) -> Option<(&'static Self, Names)> {
        FORMATS.iter().find_map(|format| Some((format, Names::of(format.layout, has)?)))
    }

    /// The format of transformers of this class.
    pub(super) fn of_class(class: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.class == class)
    }

    /// The format of a GGUF or safetensors file, and its names. `None` if it has other tensors.
    ///
    /// # Errors
    /// If it cannot be read, or has a tensor that this transformer does not have.
    fn find(path: &Path) -> Result<Option<(&'static Self, Names)>, ModelError> {
        let tensors = WeightFile::open(path)?.names();
        let has = |name: &str| tensors.iter().any(|known| known == name);
        let Some((format, names)) = Self::of(&has) else { return Ok(None) };
        let refused = tensors.iter().find_map(|name| {
            let own = names.without_prefix(name);
            Some((name, own.map_or(Some("not part of a transformer"), format.refused)?))
        });
        match refused {
            Some((name, value)) => Err(ModelError::Unsupported {
                file: path.display().to_string(),
                field: name.clone(),
                value: value.to_owned(),
                supported: format!(
                    "only the transformer of {}, which has no such tensor",
                    family_name(format.class)
                ),
            }),
            None => Ok(Some((format, names))),
        }
    }
}
