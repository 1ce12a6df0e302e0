//! `queue.json`: what waits to be drawn, kept for the next start.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Job;
use crate::{
    art::{ArtError, TakeWriter, folder::read_if_there},
    recipe::Recipe,
    storyboard::ShotId,
};

/// One picture that waits.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) shot: ShotId,
    pub(super) recipe: Recipe,
}

/// Reads the queue of an art folder. A file that cannot be read as a queue is set aside and told in the
/// log: no picture is lost with it.
pub(super) fn load(writer: &TakeWriter) -> Vec<Entry> {
    let path = path(writer.root());
    let bytes = match read_if_there(&path) {
        Ok(bytes) => bytes.unwrap_or_else(|| b"[]".to_vec()),
        Err(error) => {
            log::error!("the queue is forgotten: {error}");
            return Vec::new();
        }
    };
    serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        let aside = match writer.folder().set_aside(&path) {
            Ok(aside) => format!("kept as {}", aside.display()),
            Err(error) => format!("still there ({error})"),
        };
        log::error!("{}: {error}: the queue is forgotten, the file is {aside}", path.display());
        Vec::new()
    })
}

/// Writes the queue of an art folder, whole or not at all.
///
/// # Errors
/// When the system refuses.
pub(super) fn save(writer: &TakeWriter, jobs: &[Job]) -> Result<(), ArtError> {
    #[derive(Serialize)]
    struct View<'a> {
        shot: &'a ShotId,
        recipe: &'a Recipe,
    }
    let path = path(writer.root());
    let entries = jobs.iter().map(|job| View { shot: &job.shot, recipe: &job.recipe });
    let bytes = serde_json::to_vec_pretty(&entries.collect::<Vec<_>>())
        .map_err(|error| ArtError::io("write", &path)(error.into()))?;
    writer.folder().write_bytes(&path, &bytes)
}

fn path(root: &Path) -> PathBuf {
    root.join("queue.json")
}
