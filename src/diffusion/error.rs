//! Why a model cannot be loaded or run.

use super::{Cancelled, DrawError, EditError, scheduler::SchedulerError};

/// Why a model could not be loaded or run. Each message says which file, field or tensor is meant.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiffusionError {
    /// Somebody cancelled.
    #[error("drawing was cancelled")]
    Cancelled,
    /// A file of the model is not there.
    #[error("{file} is missing: {hint}")]
    Missing {
        /// The file that was looked for.
        file: String,
        /// What is expected and what to do.
        hint: String,
    },
    /// A file of the model could not be read.
    #[error("cannot read {file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A JSON file of the model is not what it should be.
    #[error("{file} cannot be understood: {source}")]
    Config {
        /// The file.
        file: String,
        /// The place and the reason.
        source: serde_json::Error,
    },
    /// The configuration asks for something that the networks cannot do.
    #[error("{file}: `{field}` is {value}, which is not supported; supported is {supported}")]
    Unsupported {
        /// The configuration file.
        file: String,
        /// The field.
        field: String,
        /// The value it has.
        value: String,
        /// The values that would do.
        supported: String,
    },
    /// The weights are in a format that can run code when it is read.
    #[error(
        "{file} is a pickle, which can run code when it is read; \
         convert the model to safetensors, or download the safetensors variant"
    )]
    Pickle {
        /// The file.
        file: String,
    },
    /// A weight file is damaged, or no weight file at all.
    #[error("{file} is not a whole safetensors file: {reason}; download or copy it again")]
    BadWeights {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The tokenizer's files are not what they should be.
    #[error("{file}: {reason}")]
    Tokenizer {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The asked device is not there.
    #[error("the device \"{device}\" cannot be used: {reason}")]
    Device {
        /// The device as it was named.
        device: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// The model's scheduler cannot run.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
    /// The picture cannot be drawn as it was asked for.
    #[error(transparent)]
    Draw(#[from] DrawError),
    /// The picture cannot be edited as it was asked for.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// candle could not do it.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl From<Cancelled> for DiffusionError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}
