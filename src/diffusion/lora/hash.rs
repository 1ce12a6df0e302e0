//! The identity of the files that change a model.

use std::path::Path;

use crate::{
    control::Interrupt,
    diffusion::DiffusionError,
    foreign,
    model::{ModelError, package::hash_reader},
};

/// The blake3 of the hashes of the files.
///
/// # Errors
/// If a file cannot be read; [`DiffusionError::Cancelled`] if interrupted.
pub(in crate::diffusion) fn hash_files<'a>(
    files: impl IntoIterator<Item = &'a str>,
    interrupt: &Interrupt,
) -> Result<blake3::Hash, DiffusionError> {
    let mut all = blake3::Hasher::new();
    for file in files {
        let io = |source| ModelError::Io { file: file.to_owned(), source };
        let mut content = foreign::open(Path::new(file)).map_err(io)?;
        let mut hasher = blake3::Hasher::new();
        hash_reader(&mut content, &mut hasher, interrupt, &io)?;
        all.update(hasher.finalize().as_bytes());
    }
    Ok(all.finalize())
}
