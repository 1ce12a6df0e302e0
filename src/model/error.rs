//! Errors of the files of a model.

use super::tensors::{GgufError, HeaderError};
use crate::{control::Cancelled, lfs::LfsPointer, text::shortened};

/// The maximum number of characters of a value in a message.
const MAX_VALUE_CHARS: usize = 200;

/// An error of a file of a model. Each message names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The work was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A file of the model does not exist.
    #[error("{file} is missing: {hint}")]
    Missing {
        /// The file.
        file: String,
        /// The reason, and the remedy.
        hint: String,
    },
    /// A file of the model cannot be read.
    #[error("cannot read {file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// The I/O error.
        source: std::io::Error,
    },
    /// A file of the model was changed after the model had been loaded.
    #[error(
        "a file of the model of {file} was changed while the model was in use: draw the picture again"
    )]
    Changed {
        /// The index of the model.
        file: String,
    },
    /// A JSON file of the model is damaged, or has an unexpected structure.
    #[error("{file} cannot be parsed: {source}")]
    Json {
        /// The file.
        file: String,
        /// The line, the column and the reason.
        source: serde_json::Error,
    },
    /// A JSON file holds a value that is not supported.
    #[error(
        "{file}: `{field}` is {}, which is not supported; expected {supported}",
        shortened(value, MAX_VALUE_CHARS)
    )]
    Unsupported {
        /// The configuration file.
        file: String,
        /// The field.
        field: String,
        /// Its value.
        value: String,
        /// The supported values.
        supported: String,
    },
    /// A single file lacks the text encoders of its model.
    #[error(
        "{file} has no text encoder: name one with --text-encoder or in the style (text_encoders: [\"clip_l.safetensors\"]), \
         and two for Stable Diffusion XL"
    )]
    NoTextEncoder {
        /// The file.
        file: String,
    },
    /// The file of a transformer lacks the text encoder of its model.
    #[error(
        "{file} has no text encoder: name a Qwen3 language model with --text-encoder or in the style (text_encoders: [\"qwen_3_4b.gguf\"])"
    )]
    NoLanguageModel {
        /// The file.
        file: String,
    },
    /// The file of a transformer lacks the autoencoder of its model.
    #[error("{file} has no autoencoder: name one with --vae or in the style (vae: \"{example}\")")]
    NoVae {
        /// The file.
        file: String,
        /// The usual name of the file of the autoencoder.
        example: &'static str,
    },
    /// The weights are in a format that can run code when it is loaded.
    #[error(
        "{file} is a pickle, which can run code when it is loaded, and is never opened: \
         convert the model to safetensors, or download its safetensors variant"
    )]
    Pickle {
        /// The file.
        file: String,
    },
    /// A file is a Git LFS pointer.
    #[error("{file}: {source}")]
    LfsPointer {
        /// The file.
        file: String,
        /// The error.
        source: LfsPointer,
    },
    /// A weight file is not a complete safetensors file.
    #[error("{file} is not a complete safetensors file: {source}")]
    Weights {
        /// The file.
        file: String,
        /// The reason.
        source: HeaderError,
    },
    /// A weight file is not a complete GGUF file.
    #[error("{file} is not a complete GGUF file: {source}")]
    Gguf {
        /// The file.
        file: String,
        /// The reason.
        source: GgufError,
    },
    /// A tensor does not exist in the weight files of a component.
    #[error("{files}: the tensor `{tensor}` is missing")]
    NoTensor {
        /// The weight files.
        files: String,
        /// The tensor.
        tensor: String,
    },
    /// A tensor has numbers of a type that cannot be converted.
    #[error(
        "{file}: the tensor `{tensor}` has numbers of the type {found}, which cannot be read: \
         use the model in F16, F32 or another quantization"
    )]
    NumberType {
        /// The weight file.
        file: String,
        /// The tensor.
        tensor: String,
        /// The type, as the file's format names it.
        found: String,
    },
    /// A tensor has no values.
    #[error(
        "{file}: the tensor `{tensor}` has the shape {shape:?}, and so no values: download or copy the file again"
    )]
    EmptyTensor {
        /// The weight file.
        file: String,
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A tensor cannot be converted or copied to the device.
    #[error("{file}: the tensor `{tensor}` cannot be loaded: {source}")]
    Tensor {
        /// The weight file.
        file: String,
        /// The tensor.
        tensor: String,
        /// candle's error.
        source: Box<candle_core::Error>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_an_unsupported_value_shows_only_its_beginning() {
        let error = ModelError::Unsupported {
            file: "config.json".to_owned(),
            field: "act_fn".to_owned(),
            value: "x".repeat(1 << 20),
            supported: "`silu`".to_owned(),
        };
        let expected = format!(
            "config.json: `act_fn` is {}..., which is not supported; expected `silu`",
            "x".repeat(200)
        );
        assert_eq!(error.to_string(), expected);
    }
}
