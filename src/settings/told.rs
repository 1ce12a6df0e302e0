//! What authors told about models.

use std::path::{Path, absolute};

use super::{FileState, Settings, SettingsError, SettingsFile, ToldModel};
use crate::{control::Interrupt, model::package::file_hash, recipe::PredictionType};

impl SettingsFile {
    /// What the author told about the model in a file. Nothing, if it is a folder or missing. The file is hashed if it was not
    /// hashed before in this state, and its length is that of a model about which the author told something.
    ///
    /// # Errors
    /// If the settings or the file cannot be read; [`ModelError::Cancelled`](crate::model::ModelError::Cancelled) if interrupted.
    pub fn told(&self, file: &Path, interrupt: &Interrupt) -> Result<ToldModel, SettingsError> {
        let settings = self.read()?;
        let Some(state) = FileState::of(file) else { return Ok(ToldModel::default()) };
        if !settings.models.values().any(|model| model.bytes == state.bytes) {
            return Ok(ToldModel::default());
        }
        let (hash, is_new) = hash(&settings, file, state, interrupt)?;
        if is_new {
            self.change(|settings| settings.keep_hash(&name(file), state, &hash))?;
        }
        Ok(settings.models.get(&hash).cloned().unwrap_or_default())
    }

    /// Remembers what the model in a file predicts. Hashes the file if it was not hashed before in this state, which takes
    /// seconds for a large model.
    ///
    /// # Errors
    /// As [`Self::told`], and if the settings cannot be written.
    pub fn remember_prediction_type(
        &self,
        file: &Path,
        prediction_type: PredictionType,
        interrupt: &Interrupt,
    ) -> Result<(), SettingsError> {
        self.remember(file, interrupt, |told| told.prediction_type = Some(prediction_type))
    }

    /// Remembers the line of finetunes of the model in a file: the name of a [`Finetune`](crate::model::Finetune), or of its base
    /// model if it is of none. Hashes the file as [`Self::remember_prediction_type`] does.
    ///
    /// # Errors
    /// As [`Self::remember_prediction_type`].
    pub fn remember_finetune(
        &self,
        file: &Path,
        finetune: &str,
        interrupt: &Interrupt,
    ) -> Result<(), SettingsError> {
        self.remember(file, interrupt, |told| told.finetune = Some(finetune.to_owned()))
    }

    fn remember(
        &self,
        file: &Path,
        interrupt: &Interrupt,
        tell: impl FnOnce(&mut ToldModel),
    ) -> Result<(), SettingsError> {
        let data = file.metadata();
        let missing = |source| SettingsError::File { what: "read", path: file.to_owned(), source };
        data.map_err(missing)?;
        // Damaged settings are set aside below.
        let settings = self.read().unwrap_or_default();
        let Some(state) = FileState::of(file) else {
            let kind = std::io::ErrorKind::IsADirectory;
            return Err(missing(kind.into()));
        };
        let (hash, _) = hash(&settings, file, state, interrupt)?;
        self.change(|settings| {
            settings.keep_hash(&name(file), state, &hash);
            let told = settings.models.entry(hash).or_default();
            told.bytes = state.bytes;
            tell(told);
        })
    }
}

/// The name of a file among those that were hashed.
fn name(file: &Path) -> String {
    absolute(file).unwrap_or_else(|_| file.to_owned()).display().to_string()
}

/// The hash of a file, and whether it was not kept.
fn hash(
    settings: &Settings,
    file: &Path,
    state: FileState,
    interrupt: &Interrupt,
) -> Result<(String, bool), SettingsError> {
    match settings.hash(&name(file), state) {
        Some(hash) => Ok((hash.to_owned(), false)),
        None => Ok((file_hash(file, interrupt)?, true)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_answer_belongs_to_the_contents_of_a_file_and_not_to_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let settings = SettingsFile::in_folder(folder.path().join("own"));
        let path = |name: &str| folder.path().join(name);
        let none = Interrupt::default();
        let found = |name: &str| settings.told(&path(name), &none).unwrap().prediction_type;
        fs::write(path("ink"), "weights").unwrap();
        assert_eq!(found("ink"), None);
        settings.remember_prediction_type(&path("ink"), PredictionType::Velocity, &none).unwrap();
        assert_eq!(found("ink"), Some(PredictionType::Velocity));
        fs::rename(path("ink"), path("moved")).unwrap();
        assert_eq!(found("moved"), Some(PredictionType::Velocity));
        fs::write(path("other"), "WEIGHTS").unwrap();
        assert_eq!((found("other"), found("missing")), (None, None));
        settings.remember_prediction_type(&path("moved"), PredictionType::Epsilon, &none).unwrap();
        assert_eq!(found("moved"), Some(PredictionType::Epsilon));
        settings.remember_finetune(&path("moved"), "Illustrious", &none).unwrap();
        let told = settings.told(&path("moved"), &none).unwrap();
        assert_eq!(told.prediction_type, Some(PredictionType::Epsilon), "both answers are kept");
        assert_eq!(told.finetune.as_deref(), Some("Illustrious"));
        assert_eq!(settings.read().unwrap().models.len(), 1);
        let error = settings
            .remember_prediction_type(&path("gone"), PredictionType::Epsilon, &none)
            .unwrap_err();
        assert!(error.to_string().contains("cannot read") && error.to_string().contains("gone"));
    }

    #[test]
    fn a_file_is_hashed_once_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let settings = SettingsFile::in_folder(folder.path().join("own"));
        let model = folder.path().join("ink");
        fs::write(&model, "weights").unwrap();
        let none = Interrupt::default();
        settings.remember_prediction_type(&model, PredictionType::Velocity, &none).unwrap();
        // Hashing would be interrupted.
        let cancelled = Interrupt::default();
        cancelled.cancel();
        let found = settings.told(&model, &cancelled);
        assert_eq!(found.unwrap().prediction_type, Some(PredictionType::Velocity));
        let touched = fs::File::options().write(true).open(&model).unwrap();
        touched.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        assert!(settings.told(&model, &cancelled).is_err());
        let found = settings.told(&model, &none);
        assert_eq!(found.unwrap().prediction_type, Some(PredictionType::Velocity));
        assert!(settings.told(&model, &cancelled).is_ok(), "the hash is kept");
    }
}
