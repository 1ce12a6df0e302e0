//! Model packages: the files of a model, independent of their layout.

mod embedded;
mod folder;
mod layout;
mod mapped;
mod overlay;
mod pinned;

use std::{borrow::Cow, fmt::Debug, sync::Arc};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    ModelError,
    detect::{CONFIG_FILES, TOKENIZER_FILES},
    parse_json,
    tensors::TensorSource,
};
use crate::control::Interrupt;

pub use embedded::EmbeddedPackage;
pub use folder::FolderPackage;
pub(super) use folder::model_below;
#[cfg(feature = "hub")]
pub(super) use layout::{PICKLES, weights_among};
pub(crate) use layout::{file_hash, hash_reader};
pub use mapped::MappedPackage;
pub use overlay::Overlay;
pub(crate) use pinned::PinnedPackage;

/// The file that lists the components of a model.
pub const INDEX: &str = "model_index.json";

/// The components with adapters, and the image encoder of IP-Adapters. A model may have any of them.
pub const ADAPTERS: [&str; 6] = [
    "adapters/content",
    "adapters/image_encoder",
    "adapters/outline",
    "adapters/reference",
    "adapters/scribble",
    "adapters/style",
];

/// The component with the [encoder](crate::loss::LossEncoder) for losses: a CLIP model of texts and images. A model may have
/// it.
pub const LOSS_ENCODER: &str = "losses/clip";

/// The component with a small autoencoder, which decodes pictures for this encoder. A model may have it.
pub const LOSS_AUTOENCODER: &str = "losses/vae";

/// All components that a model may have.
pub fn optional_components() -> impl Iterator<Item = &'static str> {
    ADAPTERS.into_iter().chain([LOSS_ENCODER, LOSS_AUTOENCODER])
}

/// The files of a model, seen as a diffusers folder: a configuration and tensors for each component
/// (`unet`, `vae`, ...), an index of the components, and tokenizer files.
///
/// A package in another layout, such as a single file, implements this trait by generating the
/// configurations and renaming the tensors.
pub trait Package: Send + Sync + Debug {
    /// The model's display name, such as the name of its folder.
    fn name(&self) -> String;

    /// A file's name for error messages: its full path, or its path in the package.
    fn location(&self, file: &str) -> String;

    /// Whether the package has a file. `file` is a path with `/`, relative to the package.
    fn has(&self, file: &str) -> bool;

    /// Whether the package has a component, which need not be readable: a folder that cannot be opened, or a link whose
    /// target is gone, is there.
    fn has_component(&self, part: &str) -> bool {
        self.has(&config_file(part))
            || !matches!(self.tensors(part), Err(ModelError::Missing { .. }))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ModelError::Missing`] or [`ModelError::Io`].
    fn file(&self, file: &str) -> Result<Cow<'_, [u8]>, ModelError>;

    /// The tensors of a component.
    ///
    /// The weight file of one of [`ADAPTERS`] may have any name, because adapters are published under many.
    ///
    /// # Errors
    /// [`ModelError::Missing`], [`ModelError::Pickle`] if there are only pickled weights, or
    /// [`ModelError::Weights`].
    fn tensors(&self, part: &str) -> Result<Box<dyn TensorSource>, ModelError>;

    /// The blake3 hash of the weights of all used components and of [optional ones](optional_components), as 64 hex
    /// digits. It identifies the model. Reads all weights, which takes seconds for a large model, so keep the result.
    ///
    /// # Errors
    /// As [`Self::tensors`]; [`ModelError::Cancelled`] if interrupted.
    fn hash(&self, interrupt: &Interrupt) -> Result<String, ModelError>;

    /// A fingerprint of the names, sizes and modification times of the files that [`Self::hash`] and [`config_hash`]
    /// read. If it differs from an earlier one, the model must be loaded again. By default, 0: the files never change.
    fn fingerprint(&self) -> u64 {
        0
    }

    /// The licence that the model names: in the front matter of its `README.md`, otherwise in the
    /// first line of its licence file.
    fn licence(&self) -> Option<String>;

    /// A package of the same files. A model keeps it to load adapters when a picture first needs them.
    fn shared(&self) -> Arc<dyn Package>;

    /// The index of the model: its pipeline class, and the library and class of each component.
    ///
    /// # Errors
    /// As [`Self::json`].
    fn index(&self) -> Result<Value, ModelError> {
        self.json(INDEX)
    }

    /// The configuration of a component: `scheduler_config.json` of the scheduler, `config.json` of
    /// each other component.
    ///
    /// # Errors
    /// As [`Self::json`].
    fn config(&self, part: &str) -> Result<Value, ModelError> {
        self.json(&config_file(part))
    }

    /// Reads a JSON file. `Infinity`, which Python writes, becomes 1e308.
    ///
    /// # Errors
    /// As [`Self::file`], and [`ModelError::Json`].
    fn json(&self, file: &str) -> Result<Value, ModelError> {
        parse_json(&self.file(file)?)
            .map_err(|source| ModelError::Json { file: self.location(file), source })
    }
}

/// The configuration file of a component, relative to the package. An empty `part` is the package itself.
#[must_use]
pub fn config_file(part: &str) -> String {
    match part {
        "" => "config.json".to_owned(),
        "scheduler" => "scheduler/scheduler_config.json".to_owned(),
        part => format!("{part}/config.json"),
    }
}

/// Reads a JSON file as a `T`.
///
/// # Errors
/// As [`Package::json`].
pub fn parse<T: DeserializeOwned>(package: &dyn Package, file: &str) -> Result<T, ModelError> {
    serde_json::from_value(package.json(file)?)
        .map_err(|source| ModelError::Json { file: package.location(file), source })
}

/// The blake3 hash of a model's configurations and tokenizer files, which [`Package::hash`] does
/// not cover, as 64 hex digits. Missing files do not affect the hash, and neither do files of optional components that cannot
/// be read: they affect no picture.
///
/// # Errors
/// If an existing file of a required component cannot be read.
pub fn config_hash(package: &dyn Package) -> Result<String, ModelError> {
    let mut hasher = blake3::Hasher::new();
    let mut hash = |file: &str, content: &[u8]| {
        // Hash names and lengths too, so that the boundaries between files are unambiguous.
        hasher.update(&(file.len() as u64).to_le_bytes()).update(file.as_bytes());
        hasher.update(&(content.len() as u64).to_le_bytes()).update(content);
    };
    for file in CONFIG_FILES.into_iter().filter(|file| package.has(file)) {
        hash(file, &package.file(file)?);
    }
    for file in optional_config_files().filter(|file| package.has(file)) {
        if let Ok(content) = package.file(&file) {
            hash(&file, &content);
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// The configurations and tokenizer files of the [optional components](optional_components).
fn optional_config_files() -> impl Iterator<Item = String> {
    let of_loss_encoder = TOKENIZER_FILES.map(|file| format!("{LOSS_ENCODER}/{file}"));
    optional_components().map(config_file).chain(of_loss_encoder)
}

#[cfg(test)]
mod tests;
