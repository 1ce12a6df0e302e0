//! The models, LoRAs and other files in the folders of an author.

use std::path::PathBuf;

use super::inspect;
use crate::model::{
    inspect::{Inspection, Obstacle},
    library::{candidates, is_commit, repository},
};

/// A file or folder that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundModel {
    /// Its path, below the given folder.
    pub path: PathBuf,
    /// What it is.
    pub inspection: Inspection,
}

impl FoundModel {
    /// The display name: that of the file or the folder, and of the repository in the cache of Hugging Face.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        match self.repository() {
            None => name.into_owned(),
            Some(repository) if is_commit(&self.path) => repository,
            Some(repository) => format!("{repository}: {name}"),
        }
    }

    /// The repository, `OWNER/NAME`, if it is in the cache of Hugging Face.
    #[must_use]
    pub fn repository(&self) -> Option<String> {
        repository(&self.path)
    }

    /// Whether it is a model that runs here, from this repository.
    #[must_use]
    pub fn is_model_of(&self, repository: &str) -> bool {
        self.inspection.is_usable_model() && self.repository().as_deref() == Some(repository)
    }

    /// The path as the name of a model in a style.
    #[must_use]
    pub fn path_name(&self) -> String {
        self.path.display().to_string()
    }
}

/// Finds and inspects all models, LoRAs, components and files with weights below these folders. Each step of the iterator
/// inspects one, which takes up to half a second for a large model and reads no weights.
pub fn find_models(folders: &[PathBuf]) -> impl Iterator<Item = FoundModel> + use<> {
    candidates(folders).map(|path| {
        let inspection = inspect(&path)
            .unwrap_or_else(|error| Inspection::no_model(Obstacle::Refused(error.to_string())));
        FoundModel { path, inspection }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_has_the_name_of_its_repository() {
        let name = |path: &str| {
            let inspection = Inspection::no_model(Obstacle::Embedding);
            FoundModel { path: path.into(), inspection }.name()
        };
        assert_eq!(name("hub/models--owner--a-model/snapshots/1f3b"), "owner/a-model");
        let lora = "hub/models--owner--a-model/snapshots/1f3b/loras/ink.safetensors";
        assert_eq!(name(lora), "owner/a-model: ink.safetensors");
        assert_eq!(name("ComfyUI/models/loras/ink.safetensors"), "ink.safetensors");
    }
}
