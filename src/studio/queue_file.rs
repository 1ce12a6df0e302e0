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
        let aside = set_aside(writer, &path);
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

/// Moves a broken file out of the way, to a name that is free, and says where it is now.
fn set_aside(writer: &TakeWriter, path: &Path) -> String {
    let aside = (1..).map(|n| path.with_file_name(format!("queue.broken-{n}.json")));
    let Some(aside) = aside.into_iter().find(|aside| !aside.exists()) else { return String::new() };
    match writer.folder().rename(path, &aside) {
        Ok(()) => format!("kept as {}", aside.display()),
        Err(error) => format!("still there ({error})"),
    }
}

fn path(root: &Path) -> PathBuf {
    root.join("queue.json")
}
