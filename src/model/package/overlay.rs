//! A package in which one component comes from elsewhere.

use std::{
    borrow::Cow,
    collections::BTreeMap,
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
    model::{
        ModelError,
        detect::TOKENIZER_FILES,
        tensors::{TensorFiles, TensorSource},
    },
};

/// Opens the tensors of a component.
pub(in crate::model) type OpenTensors =
    dyn Fn() -> Result<Box<dyn TensorSource>, ModelError> + Send + Sync;

/// Replaces one component of another package, or adds it: its configuration, its tensors and its tokenizer. The contents of their
/// files are part of the identity of the package.
#[derive(Clone)]
pub struct Overlay {
    package: Arc<dyn Package>,
    component: &'static str,
    /// The file that stands for the configuration in error messages.
    location: String,
    /// The files that the package has instead of its own, by their names: the configuration if there is one, and others of
    /// the component.
    contents: BTreeMap<String, Vec<u8>>,
    /// The folder of the component, if it is one.
    folder: Option<FolderPackage>,
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
        let contents = contents(component, &config);
        let (location, files) = (file.display().to_string(), vec![file.to_owned()]);
        Self { package, component, location, contents, folder: None, open, files }
    }

    /// Replaces `component` of `package` by a file without a configuration: an adapter, whose kind its tensors tell.
    ///
    /// # Errors
    /// If it is no safetensors file.
    pub(in crate::model) fn of_adapter(
        package: Arc<dyn Package>,
        component: &'static str,
        file: &Path,
    ) -> Result<Self, ModelError> {
        TensorFiles::open(file)?;
        let (location, files) = (file.display().to_string(), vec![file.to_owned()]);
        let open = {
            let file = file.to_owned();
            move || Ok(Box::new(TensorFiles::open(&file)?) as Box<dyn TensorSource>)
        };
        let (contents, open) = (BTreeMap::new(), Arc::new(open));
        Ok(Self { package, component, location, contents, folder: None, open, files })
    }

    /// Also replaces these files of the package, by their names. Their contents come from the file of the component.
    #[must_use]
    pub(in crate::model) fn with_contents(mut self, contents: BTreeMap<String, Vec<u8>>) -> Self {
        self.contents.extend(contents);
        self
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
        let tokenizer = TOKENIZER_FILES.into_iter().filter(|file| folder.has(file));
        let files = ["config.json"].into_iter().chain(tokenizer).map(str::to_owned);
        let files = files.chain(weights).map(|file| path.join(file)).collect();
        let location = folder.location("config.json");
        let contents = contents(component, &config);
        let open = {
            let folder = folder.clone();
            Arc::new(move || folder.tensors(""))
        };
        let folder = Some(folder);
        Ok(Self { package, component, location, contents, folder, open, files })
    }

    /// Replaces a tokenizer of `package` by that in a folder with `tokenizer.json`.
    pub(in crate::model) fn of_tokenizer(
        package: Arc<dyn Package>,
        component: &'static str,
        path: &Path,
    ) -> Self {
        let folder = FolderPackage::at(path);
        let files = TOKENIZER_FILES.into_iter().filter(|file| folder.has(file));
        let files = files.map(|file| path.join(file)).collect();
        let location = path.display().to_string();
        let open = {
            let folder = folder.clone();
            Arc::new(move || folder.tensors(""))
        };
        let (contents, folder) = (BTreeMap::new(), Some(folder));
        Self { package, component, location, contents, folder, open, files }
    }

    /// The name of a file in the folder of the component.
    fn in_component<'a>(&self, file: &'a str) -> Option<&'a str> {
        file.strip_prefix(self.component)?.strip_prefix('/')
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

/// The configuration of a component as a file.
fn contents(component: &str, config: &Value) -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([(config_file(component), config.to_string().into_bytes())])
}

impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package, component, location, .. } = self;
        f.debug_struct("Overlay")
            .field("package", package)
            .field("component", component)
            .field("location", location)
            .finish_non_exhaustive()
    }
}

impl Package for Overlay {
    fn name(&self) -> String {
        self.package.name()
    }

    fn location(&self, file: &str) -> String {
        match (self.in_component(file), &self.folder) {
            (Some(file), Some(folder)) => folder.location(file),
            (Some(_), None) => self.location.clone(),
            (None, _) if self.contents.contains_key(file) => self.location.clone(),
            (None, _) => self.package.location(file),
        }
    }

    fn has(&self, file: &str) -> bool {
        let elsewhere = || match (self.in_component(file), &self.folder) {
            (Some(file), folder) => folder.as_ref().is_some_and(|folder| folder.has(file)),
            (None, _) => self.package.has(file),
        };
        self.contents.contains_key(file) || elsewhere()
    }

    fn has_component(&self, part: &str) -> bool {
        part == self.component || self.package.has_component(part)
    }

    fn file(&self, file: &str) -> Result<Cow<'_, [u8]>, ModelError> {
        if let Some(contents) = self.contents.get(file) {
            return Ok(Cow::Borrowed(contents));
        }
        match (self.in_component(file), &self.folder) {
            (Some(file), Some(folder)) => folder.file(file),
            (Some(_), None) => Err(ModelError::Missing {
                file: self.location.clone(),
                hint: format!("this file has no {file}: choose a folder with all files"),
            }),
            (None, _) => self.package.file(file),
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
            true => self.json(&config_file(part)),
            false => self.package.config(part),
        }
    }
}
