//! The parts of takes as the author works on them, beside the takes on disk.

use std::path::PathBuf;

use super::{
    Art, ArtError, TakeId,
    folder::{Folder, read_if_there},
};
use crate::{recipe::Layer, storyboard::ShotId};

impl Art {
    /// The parts of a take, the uppermost first: what was kept of them last, else what its parent has.
    ///
    /// # Errors
    /// When there is no such take, or what was kept cannot be read.
    pub fn layers(&self, shot: &ShotId, take: &TakeId) -> Result<Vec<Layer>, ArtError> {
        let mut at = self.take(shot, take)?;
        // Of more parents than there are takes, one would be its own.
        for _ in 0..=self.takes(shot).len() {
            let path = path(&self.folder, shot, &at.id);
            if let Some(bytes) = read_if_there(&path)? {
                let wrong = |error: serde_json::Error| ArtError::Layers {
                    path,
                    message: error.to_string(),
                };
                return serde_json::from_slice(&bytes).map_err(wrong);
            }
            match at.parent().and_then(|parent| self.take(shot, parent).ok()) {
                Some(parent) => at = parent,
                None => break,
            }
        }
        Ok(Vec::new())
    }

    /// Whether parts of a take were kept, of its own and not only of its parents.
    #[must_use]
    pub fn has_layers(&self, shot: &ShotId, take: &TakeId) -> bool {
        path(&self.folder, shot, take).exists()
    }

    /// Keeps the parts of a take, whole or not at all.
    ///
    /// # Errors
    /// When there is no such take, or the system refuses. What was kept before stays then.
    pub fn set_layers(
        &mut self,
        shot: &ShotId,
        take: &TakeId,
        layers: &[Layer],
    ) -> Result<(), ArtError> {
        self.take(shot, take)?;
        let path = path(&self.folder, shot, take);
        let bytes = serde_json::to_vec(layers)
            .map_err(|error| ArtError::io("write", &path)(std::io::Error::other(error)))?;
        self.folder.write_bytes(&path, &bytes)
    }
}

fn path(folder: &Folder, shot: &ShotId, take: &TakeId) -> PathBuf {
    folder.root().join("parts").join(shot.as_str()).join(format!("{take}.json"))
}
