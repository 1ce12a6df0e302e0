//! Low-rank adapters of a model, as plain data.

use serde::{Deserialize, Serialize};

use super::digest::Digester;
use crate::finite::finite;

#[cfg(feature = "plugin")]
use bevy::prelude::Reflect;

/// The largest absolute [weight](Lora::weight) of a low-rank adapter.
pub const MAX_LORA_WEIGHT: f32 = 10.0;

/// The largest number of low-rank adapters of a picture.
pub const MAX_LORAS: usize = 16;

/// A low-rank adapter (Hu et al. 2021, arXiv:2106.09685), which changes the weights of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "plugin", derive(Reflect), reflect(Debug, Clone))]
#[serde(deny_unknown_fields)]
pub struct Lora {
    /// The safetensors file. A relative path starts at the working directory. A name without extension is searched in the
    /// folders beside the model: see [`lora_files`](crate::generator::lora_files).
    pub file: String,
    /// How much of the change is applied. 1 is all of it, and a negative weight reverses it.
    #[serde(default = "whole", deserialize_with = "finite")]
    pub weight: f32,
}

/// An invalid low-rank adapter.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LoraError {
    /// The weight is out of range.
    #[error(
        "the LoRA `{file}` has the weight {weight}: give a number from -{MAX_LORA_WEIGHT} to {MAX_LORA_WEIGHT}, such as 0.8"
    )]
    Weight {
        /// The file.
        file: String,
        /// The weight.
        weight: f32,
    },
    /// The file has no name.
    #[error("a LoRA has no file: name its safetensors file")]
    NoFile,
    /// There are too many.
    #[error("there are {0} LoRAs: give at most {MAX_LORAS}")]
    Count(usize),
}

fn whole() -> f32 {
    1.0
}

impl Lora {
    /// Checks the adapters of a picture.
    ///
    /// # Errors
    /// The first invalid value.
    pub fn check_all(loras: &[Self]) -> Result<(), LoraError> {
        if loras.len() > MAX_LORAS {
            return Err(LoraError::Count(loras.len()));
        }
        for Self { file, weight } in loras {
            if file.trim().is_empty() {
                return Err(LoraError::NoFile);
            }
            if !(-MAX_LORA_WEIGHT..=MAX_LORA_WEIGHT).contains(weight) {
                return Err(LoraError::Weight { file: file.clone(), weight: *weight });
            }
        }
        Ok(())
    }

    pub(super) fn feed(&self, digest: &mut Digester) {
        digest.text("file", &self.file);
        digest.optional_float("weight", Some(self.weight));
    }
}
