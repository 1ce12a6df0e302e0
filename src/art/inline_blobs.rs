//! Moves masks and scribbles that older versions wrote into recipes to `blobs/`.
//!
//! The files of old takes stay as they are. `blobs/inline.json` lists the ids of their masks and scribbles, so that only
//! the first opening of a folder decodes them.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    ArtError, Blobs,
    folder::{Folder, read_if_there},
};
use crate::recipe::{BlobId, InlineBlob, InlineBlobError};

/// The masks and scribbles in the recipes of a folder.
pub(crate) struct InlineBlobs {
    folder: Folder,
    /// Ids by [`InlineBlob::key`].
    known: BTreeMap<String, BlobId>,
    is_changed: bool,
}

impl InlineBlobs {
    /// Reads the list of a folder.
    pub(crate) fn open(folder: &Folder) -> Self {
        let path = path(folder);
        let read = || Some(serde_json::from_slice(&read_if_there(&path).ok()??));
        let known = match read() {
            Some(Ok(known)) => known,
            Some(Err(error)) => {
                log::warn!("{} is created again: {error}", path.display());
                BTreeMap::new()
            }
            None => BTreeMap::new(),
        };
        Self { folder: folder.clone(), known, is_changed: false }
    }

    /// The id of a mask or scribble. In a folder that is open for writing, it is in `blobs/` afterwards; a failure to
    /// write it is reported in the log.
    ///
    /// # Errors
    /// If it cannot be decoded.
    pub(crate) fn id(&mut self, inline: &InlineBlob) -> Result<BlobId, InlineBlobError> {
        let blobs = Blobs::new(self.folder.clone());
        let key = inline.key();
        let is_there = |id: &&BlobId| !self.folder.is_writable() || blobs.path(id).exists();
        if let Some(id) = self.known.get(&key).filter(is_there) {
            return Ok(id.clone());
        }
        let blob = inline.decode()?;
        let id = blob.id();
        if self.folder.is_writable()
            && let Err(error) = blobs.put(&blob)
        {
            log::error!("{error}");
            return Ok(id);
        }
        self.known.insert(key, id.clone());
        self.is_changed = true;
        Ok(id)
    }

    /// Writes the list if it changed. A failure is reported in the log, because the list can be created again.
    pub(crate) fn save(self) {
        if !self.is_changed || !self.folder.is_writable() {
            return;
        }
        let path = path(&self.folder);
        let written = serde_json::to_vec(&self.known)
            .map_err(|error| ArtError::io("write", &path)(error.into()))
            .and_then(|bytes| self.folder.write_bytes(&path, &bytes));
        if let Err(error) = written {
            log::warn!("{error}");
        }
    }
}

fn path(folder: &Folder) -> PathBuf {
    folder.root().join("blobs").join("inline.json")
}
