//! Reading and writing the settings of a user.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::Settings;
use crate::{
    foreign::{self, ForeignFileError},
    model::ModelError,
};

/// The environment variable that names the folder.
const FOLDER: &str = "BEVY_ILLUSTRATOR_CONFIG";

/// The folder in that of the user's configuration.
const OWN_FOLDER: &str = "bevy_illustrator";

const FILE: &str = "settings.json";

/// The file that a program locks while it changes the settings.
const LOCK: &str = "settings.lock";

/// The most bytes of the settings.
const MAX_BYTES: u64 = 1 << 20;

/// The most damaged settings that are kept.
const MAX_ASIDE: u32 = 1000;

/// The file with the settings of a user, which need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsFile {
    folder: PathBuf,
}

/// The settings of a user cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A file operation failed.
    #[error("cannot {what} {path}: {source}")]
    File {
        /// The operation, such as `read`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is not that of settings.
    #[error(
        "{path} is damaged: {source}; repair or remove it. It is set aside when other settings are saved"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// The system names no folder for settings.
    #[error("the system names no folder for settings: set {FOLDER} to a folder")]
    NoFolder,
    /// The file of a model cannot be read.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl SettingsFile {
    /// The settings in a folder, which is created when they are changed.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The settings of this user: in the folder that `BEVY_ILLUSTRATOR_CONFIG` names, or in the user's configuration.
    ///
    /// # Errors
    /// [`SettingsError::NoFolder`] if the variable is not set and the user has no home folder.
    pub fn from_env() -> Result<Self, SettingsError> {
        let named = std::env::var_os(FOLDER).filter(|folder| !folder.is_empty());
        let usual = || Some(dirs::config_dir()?.join(OWN_FOLDER));
        let folder = named.map(PathBuf::from).or_else(usual).ok_or(SettingsError::NoFolder)?;
        Ok(Self { folder })
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// Reads the settings. A missing file has none.
    ///
    /// # Errors
    /// If the file cannot be read, is too long, or is damaged.
    pub fn read(&self) -> Result<Settings, SettingsError> {
        let path = self.path();
        match foreign::read(&path, MAX_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Settings::default()),
            Err(source) => Err(SettingsError::File { what: "read", path, source }),
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|source| SettingsError::Damaged { path, source }),
        }
    }

    /// Changes the settings, while no other program does. The file is replaced as a whole. A damaged one is renamed to
    /// `settings.broken-1.json` before.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) -> Result<(), SettingsError> {
        let folder = &self.folder;
        fs::create_dir_all(folder).map_err(error("create", folder))?;
        let lock = folder.join(LOCK);
        let open = File::options().write(true).create(true).truncate(false).open(&lock);
        // Dropping the file unlocks it.
        let locked = open.map_err(error("create", &lock))?;
        locked.lock().map_err(error("lock", &lock))?;
        let mut settings = match self.read() {
            Err(SettingsError::Damaged { path, source }) => {
                let aside = self.set_aside(&path)?;
                log::warn!(
                    "{} was damaged ({source}) and is {} now",
                    path.display(),
                    aside.display()
                );
                Settings::default()
            }
            settings => settings?,
        };
        change(&mut settings);
        self.write(&settings)
    }

    fn write(&self, settings: &Settings) -> Result<(), SettingsError> {
        let path = self.path();
        let write = || -> io::Result<()> {
            let json = serde_json::to_vec_pretty(settings)?;
            if json.len() as u64 > MAX_BYTES {
                return Err(ForeignFileError::TooLong { limit: MAX_BYTES }.into());
            }
            let mut file =
                tempfile::Builder::new().prefix(".settings-").tempfile_in(&self.folder)?;
            file.write_all(&json)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(error("write", &path))
    }

    /// Renames a damaged file, and returns its new name.
    fn set_aside(&self, path: &Path) -> Result<PathBuf, SettingsError> {
        let mut names =
            (1..=MAX_ASIDE).map(|n| self.folder.join(format!("settings.broken-{n}.json")));
        let free = names.find(|path| path.symlink_metadata().is_err());
        let aside = free.unwrap_or_else(|| self.folder.join("settings.broken.json"));
        fs::rename(path, &aside).map_err(error("rename", path))?;
        Ok(aside)
    }
}

fn error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SettingsError {
    let path = path.to_owned();
    move |source| SettingsError::File { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> (tempfile::TempDir, SettingsFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = SettingsFile::in_folder(folder.path().join("deep/own"));
        (folder, file)
    }

    #[test]
    fn missing_settings_are_empty_and_fields_of_other_versions_stay() {
        let (_folder, file) = settings();
        assert_eq!(file.read().unwrap(), Settings::default());
        file.change(|_| ()).unwrap();
        fs::write(file.path(), r#"{"later": [1, 2]}"#).unwrap();
        file.change(|_| ()).unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["later"], serde_json::json!([1, 2]));
    }

    #[test]
    fn damaged_settings_are_an_error_and_are_set_aside_when_others_are_saved() {
        let (_folder, file) = settings();
        file.change(|_| ()).unwrap();
        for n in 1..=2 {
            fs::write(file.path(), "{").unwrap();
            let error = file.read().unwrap_err().to_string();
            assert!(error.contains("settings.json is damaged"), "{error}");
            file.change(|_| ()).unwrap();
            assert_eq!(file.read().unwrap(), Settings::default());
            let aside = file.path().with_file_name(format!("settings.broken-{n}.json"));
            assert_eq!(fs::read_to_string(aside).unwrap(), "{");
        }
    }

    #[test]
    fn a_file_that_is_too_long_is_not_read_and_not_replaced() {
        let (_folder, file) = settings();
        file.change(|_| ()).unwrap();
        let long = " ".repeat(MAX_BYTES as usize + 1);
        fs::write(file.path(), &long).unwrap();
        for error in [file.read().map(drop), file.change(|_| ())].map(Result::unwrap_err) {
            assert!(error.to_string().contains("more than 1 MB"), "{error}");
        }
        assert_eq!(fs::read_to_string(file.path()).unwrap(), long);
    }

    #[test]
    fn changes_of_several_threads_are_all_kept() {
        let (_folder, file) = settings();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let file = &file;
                scope.spawn(move || {
                    let key = format!("key {n}");
                    file.change(|settings| _ = settings.others.insert(key, n.into())).unwrap();
                });
            }
        });
        assert_eq!(file.read().unwrap().others.len(), 8);
    }
}
