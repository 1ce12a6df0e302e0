//! The models, LoRAs and other files in the folders of an author.

use std::path::PathBuf;

use super::inspect;
use crate::model::{
    inspect::{Inspection, Obstacle},
    library::candidates,
};

/// The folder of a commit in the cache of Hugging Face is `models--OWNER--NAME/snapshots/COMMIT`.
const SNAPSHOTS: &str = "snapshots";
const REPOSITORY: &str = "models--";

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
        let mut folders = self.path.iter().rev().map(|it| it.to_string_lossy());
        let name = folders.next().unwrap_or_default();
        let mut repository = folders.skip_while(|it| it != SNAPSHOTS).skip(1);
        let repository = repository.next();
        let repository = repository.as_deref().and_then(|it| it.strip_prefix(REPOSITORY));
        let Some(repository) = repository else { return name.into_owned() };
        let repository = repository.replace("--", "/");
        let is_commit = self.path.parent().is_some_and(|it| it.ends_with(SNAPSHOTS));
        if is_commit { repository } else { format!("{repository}: {name}") }
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
