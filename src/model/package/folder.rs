//! A diffusers folder on disk.

use std::{
    borrow::Cow,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Package,
    layout::{self, Files, PICKLES},
};
use crate::{
    control::Interrupt,
    foreign::{self, ForeignFileError},
    lfs::LfsPointer,
    model::{
        ModelError,
        detect::CONFIG_FILES,
        library::{is_commit, repository},
        licence::licence,
        tensors::{TensorFile, TensorSource},
    },
    text::without_bom,
};

/// A folder with one of these files is a model: a complete one, or a single network.
const MARKERS: [&str; 3] = [super::INDEX, "unet/config.json", "vae/config.json"];

/// A model in diffusers' layout: a folder with `model_index.json` and a folder for each component.
#[derive(Clone, Debug)]
pub struct FolderPackage {
    path: PathBuf,
}

impl FolderPackage {
    /// Opens the folder at `path`. Files are read on demand.
    ///
    /// # Errors
    /// [`ModelError::Missing`] if there is no such folder or it is not a model,
    /// [`ModelError::Pickle`] if `path` is a single pickled checkpoint.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        if path.is_file() {
            return Err(match path.extension().and_then(|extension| extension.to_str()) {
                Some(extension) if PICKLES.contains(&extension) => ModelError::Pickle { file },
                _ => ModelError::Missing {
                    file: format!("{file}/{}", super::INDEX),
                    hint: "a model is a folder in diffusers' layout, or a file with the extension .safetensors"
                        .to_owned(),
                },
            });
        }
        if !MARKERS.iter().any(|marker| path.join(marker).is_file()) {
            let hint = match model_below(path) {
                Some(below) => format!("choose the folder {} instead", below.display()),
                None => "choose the folder of a model in diffusers' layout".to_owned(),
            };
            return Err(ModelError::Missing { file: format!("{file}/{}", super::INDEX), hint });
        }
        Ok(Self { path: path.to_owned() })
    }
}

impl FolderPackage {
    /// The folder at `path`, without checks. It may be a single component, whose name is empty then.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The weight files of a component, relative to the folder. They may be missing on disk.
    ///
    /// # Errors
    /// If there are no weight files or only pickled ones, or if the index of shards is invalid.
    pub(in crate::model) fn weight_files(&self, part: &str) -> Result<Vec<String>, ModelError> {
        layout::weight_files(self, part)
    }

    fn error(&self, file: &str, source: io::Error) -> ModelError {
        if source.kind() == io::ErrorKind::NotFound && !self.is_there(file) {
            layout::missing(self, file)
        } else {
            ModelError::Io { file: Files::location(self, file), source }
        }
    }

    /// The link on the way to a folder, or the folder itself, whose target is gone.
    fn link_without_target<'a>(&self, folder: &'a str) -> Option<&'a str> {
        let ends = folder.match_indices('/').map(|(end, _)| end).chain([folder.len()]);
        let mut names = ends.map(|end| &folder[..end]);
        names.find(|name| {
            self.is_there(name) && foreign::is_link_without_target(&self.path.join(name))
        })
    }

    /// Whether something has this name: a file, a folder, or a link whose target may be gone.
    fn is_there(&self, name: &str) -> bool {
        !matches!(
            self.path.join(name).symlink_metadata(),
            // A file in the place of a folder on the way has nothing below it.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        )
    }
}

/// A model one level below a folder that is none: in `snapshots` of a repository in the hub's cache,
/// or in any folder of an archive. Of several models, the newest one.
pub(in crate::model) fn model_below(folder: &Path) -> Option<PathBuf> {
    let entries = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    [folder.join("snapshots"), folder.to_owned()].into_iter().find_map(|folder| {
        let below = entries(folder).map(|entry| entry.path());
        let models = below.filter(|below| below.join(super::INDEX).is_file());
        models.max_by_key(|model| model.metadata().and_then(|model| model.modified()).ok())
    })
}

impl Files for FolderPackage {
    /// Reading a pipe or a device fails with an error that names it.
    fn has(&self, file: &str) -> bool {
        self.path.join(file).metadata().is_ok_and(|found| !found.is_dir())
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, ModelError> {
        if let Some(link) = self.link_without_target(folder) {
            let source = ForeignFileError::NoTarget.into();
            return Err(ModelError::Io { file: Files::location(self, link), source });
        }
        let unreadable = |source| ModelError::Io { file: Files::location(self, folder), source };
        let entries = match fs::read_dir(self.path.join(folder)) {
            Err(_) if !self.is_there(folder) => return Ok(Vec::new()),
            entries => entries.map_err(unreadable)?,
        };
        let entries = entries.collect::<io::Result<Vec<_>>>().map_err(unreadable)?;
        Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    fn location(&self, file: &str) -> String {
        self.path.join(file).display().to_string()
    }

    fn read(&self, file: &str) -> Result<Cow<'_, [u8]>, ModelError> {
        let content = foreign::read(&self.path.join(file), foreign::MAX_TEXT)
            .map_err(|source| self.error(file, source))?;
        let pointer = |source| ModelError::LfsPointer { file: Files::location(self, file), source };
        LfsPointer::check(&content).map_err(pointer)?;
        Ok(Cow::Owned(content))
    }

    fn open(&self, file: &str) -> Result<Box<dyn Read + '_>, ModelError> {
        let opened =
            foreign::open(&self.path.join(file)).map_err(|source| self.error(file, source))?;
        Ok(Box::new(opened))
    }

    fn open_tensors(&self, file: &str) -> Result<TensorFile, ModelError> {
        match TensorFile::open(Files::location(self, file), &self.path.join(file)) {
            Err(ModelError::Io { source, .. }) => Err(self.error(file, source)),
            opened => opened,
        }
    }
}

impl Package for FolderPackage {
    fn name(&self) -> String {
        let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        if let Some(repository) = repository(&path).filter(|_| is_commit(&path)) {
            return repository;
        }
        path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
    }

    fn location(&self, file: &str) -> String {
        Files::location(self, file)
    }

    fn has(&self, file: &str) -> bool {
        Files::has(self, file)
    }

    fn has_component(&self, part: &str) -> bool {
        self.is_there(part) || self.link_without_target(part).is_some()
    }

    fn file(&self, file: &str) -> Result<Cow<'_, [u8]>, ModelError> {
        self.read(file)
    }

    fn tensors(&self, part: &str) -> Result<Box<dyn TensorSource>, ModelError> {
        Ok(Box::new(layout::tensors(self, part)?))
    }

    fn hash(&self, interrupt: &Interrupt) -> Result<String, ModelError> {
        layout::hash(self, interrupt)
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let configs = CONFIG_FILES.into_iter().map(str::to_owned);
        let configs = configs.chain(super::optional_config_files());
        for file in configs.chain(layout::identifying_weights(self)) {
            let state = fs::metadata(self.path.join(&file)).ok();
            let state = state.map(|state| (state.len(), state.modified().ok()));
            (file, state).hash(&mut hasher);
        }
        hasher.finish()
    }

    fn shared(&self) -> Arc<dyn Package> {
        Arc::new(self.clone())
    }

    fn licence(&self) -> Option<String> {
        licence(|file| String::from_utf8(without_bom(&self.read(file).ok()?).to_vec()).ok())
    }
}
