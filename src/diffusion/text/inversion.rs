//! Textual inversions (Gal et al. 2022, arXiv:2208.01618): vectors that an author trained take the place of the embeddings of
//! words.

use std::{ops::Range, path::Path};

use candle_core::{DType, Device, Tensor};

use crate::{
    diffusion::DiffusionError,
    model::{EMBEDDINGS_OF_XL, ModelError, TensorSource, tensors::TensorFiles},
};

/// The vectors of a file, for the text encoders of a model.
#[derive(Clone, Debug)]
pub struct TextualInversion {
    /// The name in prompts: `embedding:name`.
    pub name: String,
    /// For each text encoder, `(vectors, width)`. A prompt has as many tokens more.
    pub vectors: Vec<Tensor>,
}

impl TextualInversion {
    /// Reads a safetensors file: `clip_l` and `clip_g` for two text encoders, otherwise a single tensor of any name, such as
    /// `emb_params` of A1111 or the token of diffusers. `widths` are those of the embeddings of each text encoder.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] if it has other tensors, or vectors of another width. Otherwise if it cannot be read, or is a
    /// pickle.
    pub fn load(
        name: &str,
        path: &Path,
        widths: &[usize],
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        let tensors = TensorFiles::open(path)?;
        let names = tensors.header().names();
        let names = match names.as_slice() {
            [_] => names,
            names if EMBEDDINGS_OF_XL.iter().all(|name| names.iter().any(|it| it == name)) => {
                EMBEDDINGS_OF_XL.map(str::to_owned).to_vec()
            }
            _ => return Err(other_tensors(&tensors, names.first())),
        };
        let found = names.iter().map(|name| width(&tensors, name));
        let found = found.collect::<Result<Vec<_>, _>>()?;
        if found != widths {
            return Err(ModelError::Unsupported {
                file: tensors.files(),
                field: names.join(", "),
                value: format!("an embedding with vectors of {} values", joined(&found)),
                supported: format!(
                    "vectors of {} values, as the text encoder of this model has: use an embedding for the family of the \
                     model",
                    joined(widths)
                ),
            }
            .into());
        }
        let read = |(name, width): (&String, &usize)| {
            let vectors = tensors.get(name, DType::F32, device)?;
            Ok::<_, DiffusionError>(vectors.reshape(((), *width))?)
        };
        let vectors = names.iter().zip(widths).map(read).collect::<Result<_, _>>()?;
        Ok(Self { name: name.to_owned(), vectors })
    }
}

/// The width of one vector or several.
fn width(tensors: &TensorFiles, name: &String) -> Result<usize, DiffusionError> {
    match tensors.shape(name).as_deref() {
        Some([width] | [_, width]) => Ok(*width),
        _ => Err(other_tensors(tensors, Some(name))),
    }
}

fn other_tensors(tensors: &TensorFiles, name: Option<&String>) -> DiffusionError {
    let value = name.map_or("a file without tensors".to_owned(), |name| {
        let shape = tensors.shape(name).unwrap_or_default();
        format!("a file with the tensor `{name}` of the shape {shape:?}")
    });
    DiffusionError::from(ModelError::Unsupported {
        file: tensors.files(),
        field: "the file".to_owned(),
        value,
        supported: "an embedding (textual inversion): one tensor with the vectors of a token, or `clip_l` and `clip_g`"
            .to_owned(),
    })
}

fn joined(widths: &[usize]) -> String {
    widths.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

/// The vectors of textual inversions as tokens of a text encoder, after those of its vocabulary.
#[derive(Debug, Default)]
pub(super) struct AddedTokens {
    /// The names in prompts, with the ids of their tokens.
    names: Vec<(String, Range<u32>)>,
    /// All vectors, `(tokens, width)`. `None` without tokens.
    pub(super) table: Option<Tensor>,
}

impl AddedTokens {
    /// The tokens for the text encoder with this index, whose vocabulary has `vocabulary` tokens.
    pub(super) fn new(
        inversions: &[TextualInversion],
        encoder: usize,
        vocabulary: usize,
    ) -> candle_core::Result<Self> {
        let (mut names, mut tables, mut next) = (Vec::new(), Vec::new(), vocabulary as u32);
        for TextualInversion { name, vectors } in inversions {
            let Some(vectors) = vectors.get(encoder) else { continue };
            let end = next.saturating_add(vectors.dim(0)? as u32);
            names.push((name.clone(), next..end));
            tables.push(vectors);
            next = end;
        }
        let table = if tables.is_empty() { None } else { Some(Tensor::cat(&tables, 0)?) };
        Ok(Self { names, table })
    }

    /// The ids of the tokens of a textual inversion.
    ///
    /// # Errors
    /// [`DiffusionError::NoSuchEmbedding`] if it was not loaded.
    pub(super) fn ids(&self, name: &str) -> Result<Range<u32>, DiffusionError> {
        let found = self.names.iter().find(|(of, _)| of == name).map(|(_, ids)| ids.clone());
        let name = name.to_owned();
        found.ok_or(DiffusionError::NoSuchEmbedding { name, searched: Vec::new() })
    }
}
