//! A package in which one component comes from elsewhere.

use std::{
    borrow::Cow,
    fmt, fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;

use super::{FolderPackage, Package, config_file, hash_reader};
use crate::{
    control::Interrupt,
    foreign,
    model::{ModelError, tensors::TensorSource},
};

/// Opens the tensors of a component.
pub(in crate::model) type OpenTensors =
    dyn Fn() -> Result<Box<dyn TensorSource>, ModelError> + Send + Sync;

/// Replaces one component of another package, or adds it: its configuration and its tensors. The contents of their files are part
/// of the identity of the package.
#[derive(Clone)]
pub struct Overlay {
    package: Arc<dyn Package>,
    component: &'static str,
    /// The file that stands for the configuration in error messages.
    location: String,
    config: Value,
    /// [`Self::config`] as a file.
    config_file: Vec<u8>,
    open: Arc<OpenTensors>,
    /// The files of the component.
    files: Vec<PathBuf>,
}

impl Overlay {
    /// Replaces `component` of `package` by that in a file with this configuration. `open` opens its tensors.
    pub(in crate::model) fn of_file(
        package: Arc<dyn Package>,
        component: &'static str,
        file: &Path,
        config: Value,
        open: Arc<OpenTensors>,
    ) -> Self {
        let config_file = config.to_string().into_bytes();
        let (location, files) = (file.display().to_string(), vec![file.to_owned()]);
        Self { package, component, location, config, config_file, open, files }
    }

    /// Replaces `component` of `package` by that in a folder with a `config.json`.
    ///
    /// # Errors
    /// If its configuration cannot be read, or if it has no weights.
    pub(in crate::model) fn of_folder(
        package: Arc<dyn Package>,
        component: &'static str,
        path: &Path,
    ) -> Result<Self, ModelError> {
        let folder = FolderPackage::at(path);
        let config = folder.config("")?;
        let weights = folder.weight_files("")?;
        let files = ["config.json".to_owned()].into_iter().chain(weights);
        let files = files.map(|file| path.join(file)).collect();
        let location = folder.location("config.json");
        let config_file = config.to_string().into_bytes();
        let open = Arc::new(move || folder.tensors(""));
        Ok(Self { package, component, location, config, config_file, open, files })
    }

    /// The blake3 of the files of the component.
    ///
    /// # Errors
    /// If a file cannot be read; [`ModelError::Cancelled`] if interrupted.
    pub(crate) fn files_hash(&self, interrupt: &Interrupt) -> Result<blake3::Hash, ModelError> {
        let mut hasher = blake3::Hasher::new();
        for file in &self.files {
            let io = |source| ModelError::Io { file: file.display().to_string(), source };
            let mut content = foreign::open(file).map_err(io)?;
            hash_reader(&mut content, &mut hasher, interrupt, &io)?;
        }
        Ok(hasher.finalize())
    }
}

impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package, component, location, config, .. } = self;
        f.debug_struct("Overlay")
            .field("package", package)
            .field("component", component)
            .field("location", location)
            .field("config", config)
            .finish_non_exhaustive()
    }
}

impl Package for Overlay {
    fn name(&self) -> String {
        self.package.name()
    }

    fn location(&self, file: &str) -> String {
        match file == config_file(self.component) {
            true => self.location.clone(),
            false => self.package.location(file),
        }
    }

    fn has(&self, file: &str) -> bool {
        file == config_file(self.component) || self.package.has(file)
    }

    fn has_component(&self, part: &str) -> bool {
        part == self.component || self.package.has_component(part)
    }

    fn file(&self, file: &str) -> Result<Cow<'_, [u8]>, ModelError> {
        match file == config_file(self.component) {
            true => Ok(Cow::Borrowed(&self.config_file)),
            false => self.package.file(file),
        }
    }

    fn tensors(&self, part: &str) -> Result<Box<dyn TensorSource>, ModelError> {
        if part == self.component { (self.open)() } else { self.package.tensors(part) }
    }

    fn hash(&self, interrupt: &Interrupt) -> Result<String, ModelError> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.package.hash(interrupt)?.as_bytes());
        hasher.update(self.component.as_bytes());
        hasher.update(self.files_hash(interrupt)?.as_bytes());
        Ok(hasher.finalize().to_hex().to_string())
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.package.fingerprint().hash(&mut hasher);
        for file in &self.files {
            let state = fs::metadata(file).ok();
            state.map(|state| (state.len(), state.modified().ok())).hash(&mut hasher);
        }
        hasher.finish()
    }

    fn licence(&self) -> Option<String> {
        self.package.licence()
    }

    fn shared(&self) -> Arc<dyn Package> {
        Arc::new(self.clone())
    }

    fn index(&self) -> Result<Value, ModelError> {
        self.package.index()
    }

    fn config(&self, part: &str) -> Result<Value, ModelError> {
        match part == self.component {
            true => Ok(self.config.clone()),
            false => self.package.config(part),
        }
    }
}
