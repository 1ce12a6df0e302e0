//! The identity of a model with low-rank adapters.

use std::path::Path;

use crate::{
    control::Interrupt,
    diffusion::DiffusionError,
    foreign,
    model::{ModelError, package::hash_reader},
    recipe::Lora,
};

/// The hash of a model with low-rank adapters: that of the model without them if there are none, and otherwise the blake3 of
/// it and the hashes of their files, as 64 hex digits.
///
/// # Errors
/// If a file cannot be read; [`DiffusionError::Cancelled`] if interrupted.
pub fn hash_with(
    model: &str,
    loras: &[Lora],
    interrupt: &Interrupt,
) -> Result<String, DiffusionError> {
    if loras.is_empty() {
        return Ok(model.to_owned());
    }
    let mut all = blake3::Hasher::new();
    all.update(model.as_bytes());
    for Lora { file, .. } in loras {
        let io = |source| ModelError::Io { file: file.clone(), source };
        let mut content = foreign::open(Path::new(file)).map_err(io)?;
        let mut hasher = blake3::Hasher::new();
        hash_reader(&mut content, &mut hasher, interrupt, &io)?;
        all.update(hasher.finalize().as_bytes());
    }
    Ok(all.finalize().to_hex().to_string())
}
