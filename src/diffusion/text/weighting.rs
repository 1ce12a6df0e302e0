//! The embeddings of prompts with weights, as in compel 2.5 (damian0815/compel, `EmbeddingsProvider`).

use std::f64::consts::FRAC_PI_2;

use candle_core::{Device, Result, Tensor};

use super::{
    inversion::AddedTokens,
    tokenizer::{ClipTokenizer, MAX_CHUNKS, TokenChunk},
};
use crate::{
    diffusion::{DiffusionError, Interrupt},
    prompt::{Fragment, Prompt},
};

/// The smallest weight for [`lerp_weight`], which would be infinite at 0.
const SMALLEST: f64 = 1e-5;

/// Encodes the ids of a chunk, as (1, tokens, width). Tokens whose key is false are not attended to.
pub(super) type EncodeChunk<'a> =
    dyn Fn(&[u32], Option<&[bool]>) -> std::result::Result<Tensor, DiffusionError> + 'a;

/// The embeddings of a prompt, which may name the textual inversions of `added`, (1, tokens of all chunks, width). There are
/// at most [`MAX_CHUNKS`] chunks.
///
/// # Errors
/// If the prompt cannot be tokenized, and the errors of `encode`.
pub(super) fn encode_prompt(
    prompt: &Prompt,
    tokenizer: &ClipTokenizer,
    added: &AddedTokens,
    encode: &EncodeChunk<'_>,
    interrupt: &Interrupt,
) -> std::result::Result<Tensor, DiffusionError> {
    let empty = tokenizer.empty_chunk();
    let mut encoded = Vec::new();
    let mut left = MAX_CHUNKS;
    for section in &prompt.sections {
        if left == 0 {
            log::warn!(
                "a prompt has too many sections, and the last ones are not used: shorten it"
            );
            break;
        }
        let chunks = tokenizer.chunks_with(section, left, added)?;
        left -= chunks.len();
        encoded.push(encode_section(section, &chunks, &empty, encode, interrupt)?);
    }
    Ok(Tensor::cat(&encoded, 1)?)
}

/// The embeddings of the chunks of a section, (1, tokens of all chunks, width). `empty` has the ids of an empty prompt.
///
/// A weight scales the difference between the embedding of a token and that of the same position in the empty prompt.
/// Besides, the result is moved from there towards the embeddings without the fragments whose weights are below 1: halfway
/// at a weight of 0.5, and all the way at 0. The end tokens of all chunks have the embedding of the first one, which has
/// seen the beginning of the prompt.
fn encode_section(
    fragments: &[Fragment],
    chunks: &[TokenChunk],
    empty: &TokenChunk,
    encode: &EncodeChunk<'_>,
    interrupt: &Interrupt,
) -> std::result::Result<Tensor, DiffusionError> {
    let is_weighted = |chunk: &TokenChunk| chunk.weights(fragments).any(|weight| weight != 1.0);
    let empty = match chunks.iter().any(is_weighted) {
        true => Some(encode(&empty.ids, None)?),
        false => None,
    };
    let weighted = |chunk: &TokenChunk, keys: Option<&[bool]>| {
        interrupt.check()?;
        let embeddings = encode(&chunk.ids, keys)?;
        Ok::<_, DiffusionError>(match empty.as_ref().filter(|_| is_weighted(chunk)) {
            Some(empty) => scaled(&embeddings, empty, chunk.weights(fragments))?,
            None => embeddings,
        })
    };
    let whole = chunks.iter().map(|chunk| weighted(chunk, None));
    let whole = whole.collect::<std::result::Result<Vec<_>, _>>()?;
    let mut sum = Tensor::cat(&whole, 1)?;
    let mut sum_of_weights = 1.0;
    for (index, fragment) in fragments.iter().enumerate().filter(|(_, it)| it.weight < 1.0) {
        let mut without = Vec::new();
        for (chunk, whole) in chunks.iter().zip(&whole) {
            let keys: Vec<bool> = chunk.fragments.iter().map(|of| *of != Some(index)).collect();
            without.push(if keys.iter().all(|key| *key) {
                whole.clone()
            } else {
                weighted(chunk, Some(&keys))?
            });
        }
        let weight = lerp_weight(fragment.weight);
        sum = (sum + (Tensor::cat(&without, 1)? * weight)?)?;
        sum_of_weights += weight;
    }
    let embeddings = if sum_of_weights == 1.0 { sum } else { (sum / sum_of_weights)? };
    Ok(with_first_end(&embeddings, chunks)?)
}

/// The weight of the embeddings without a fragment: 0 for a fragment of weight 1, 1 for one of 0.5.
fn lerp_weight(weight: f32) -> f64 {
    ((1.0 - f64::from(weight).max(SMALLEST)) * FRAC_PI_2).tan()
}

/// Scales the differences of embeddings from those of the empty prompt. Where the weight is 1, nothing changes.
fn scaled(
    embeddings: &Tensor,
    empty: &Tensor,
    weights: impl Iterator<Item = f32>,
) -> Result<Tensor> {
    let weights: Vec<f32> = weights.collect();
    let changed: Vec<u8> = weights.iter().map(|weight| u8::from(*weight != 1.0)).collect();
    let column = |x: Tensor| x.reshape((1, x.elem_count(), 1))?.broadcast_as(embeddings.shape());
    let device: &Device = embeddings.device();
    let weights = column(Tensor::new(weights, device)?.to_dtype(embeddings.dtype())?)?;
    let scaled = (((embeddings - empty)? * weights)? + empty)?;
    column(Tensor::new(changed, device)?)?.where_cond(&scaled, embeddings)
}

/// Copies the embedding of the first chunk's end token to those of the other chunks.
fn with_first_end(embeddings: &Tensor, chunks: &[TokenChunk]) -> Result<Tensor> {
    let [first, _, ..] = chunks else { return Ok(embeddings.clone()) };
    let first_end = embeddings.narrow(1, first.end, 1)?;
    let mut pieces = Vec::new();
    let (mut start, mut from) = (0, 0);
    for (index, chunk) in chunks.iter().enumerate() {
        let end = start + chunk.end;
        if index > 0 {
            pieces.push(embeddings.narrow(1, from, end - from)?);
            pieces.push(first_end.clone());
            from = end + 1;
        }
        start += chunk.ids.len();
    }
    pieces.push(embeddings.narrow(1, from, start - from)?);
    Tensor::cat(&pieces, 1)
}
