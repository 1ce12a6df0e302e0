//! Multi-head scaled dot-product attention.

use candle_core::{CpuStorage, CustomOp1, D, Device, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{
    checkpoint::checkpoint3,
    fused::{Real, for_real, has_kernel, slice},
    half::{is_half, without_half},
    product::matmul,
};

/// The maximum number of scores in memory. Larger inputs are computed in chunks of queries.
const MAX_SCORES: usize = 1 << 24;

/// Multi-head attention (Vaswani et al. 2017): for each query, the mean of `value` weighted by the softmax of the
/// scaled dot products with `key`.
///
/// `query` is `(batch, n, channels)`, `key` and `value` are `(batch, m, channels)`, the result is
/// `(batch, n, channels)`. The heads share the channels evenly.
///
/// # Errors
/// If the shapes do not match or `heads` does not divide the channels.
pub fn attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    heads: usize,
    mask: AttentionMask<'_>,
) -> Result<Tensor> {
    let (batch, queries, channels) = query.dims3()?;
    let keys = key.dim(1)?;
    if heads == 0 || channels % heads != 0 {
        candle_core::bail!("{channels} channels cannot be split between {heads} heads");
    }
    let scale = 1.0 / ((channels / heads) as f64).sqrt();

    #[cfg(feature = "flash-attn")]
    if mask.keys.is_none()
        && let Some(result) = flash(query, key, value, heads, mask.causal, scale)?
    {
        return Ok(result);
    }

    let split = |x: &Tensor, tokens: usize| -> Result<Tensor> {
        let x = x.reshape((batch, tokens, heads, channels / heads))?;
        x.transpose(1, 2)?.contiguous()?.reshape((batch * heads, tokens, channels / heads))
    };
    // A score of 16 bits would be off by up to 1/256 of it, and its exponential by much more.
    let query = split(&(without_half(query)? * scale)?, queries)?;
    let key = split(&without_half(key)?, keys)?.transpose(1, 2)?;
    let value = split(value, keys)?;

    let key_mask = match mask.keys {
        Some(mask) => {
            let mask = mask.to_dtype(query.dtype())?.reshape((batch, 1, 1, keys))?;
            Some(mask.broadcast_as((batch, heads, 1, keys))?.reshape((batch * heads, 1, keys))?)
        }
        None => None,
    };
    let chunk = (MAX_SCORES / (batch * heads * keys).max(1)).clamp(1, queries.max(1));
    let mut chunks = Vec::new();
    for first in (0..queries).step_by(chunk) {
        let count = chunk.min(queries - first);
        // The scores of all chunks together may not fit into memory, not even for the backward pass.
        let (causal, key_mask) = (mask.causal, key_mask.clone());
        let of_chunk = move |[query, key, value]: [&Tensor; 3]| {
            let mut scores = matmul(query, key)?;
            if causal {
                scores = scores.broadcast_add(&causal_mask(first, count, keys, &scores)?)?;
            }
            if let Some(mask) = &key_mask {
                scores = scores.broadcast_add(mask)?;
            }
            matmul(&softmax(&scores)?.to_dtype(value.dtype())?, value)
        };
        let inputs = [&query.narrow(1, first, count)?, &key, &value];
        let is_half = is_half(&value);
        chunks.push(if is_half { of_chunk(inputs)? } else { checkpoint3(inputs, of_chunk)? });
    }
    let result = if chunks.len() == 1 { chunks.remove(0) } else { Tensor::cat(&chunks, 1)? };
    result
        .reshape((batch, heads, queries, channels / heads))?
        .transpose(1, 2)?
        .reshape((batch, queries, channels))
}

/// The keys that queries attend to. By default, all of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttentionMask<'a> {
    /// Whether query `i` attends to keys `0..=i` only.
    pub causal: bool,
    /// Minus infinity for each key that no query attends to, zero for the others: `(batch, keys)`. Each query needs at least
    /// one key.
    pub keys: Option<&'a Tensor>,
}

/// A mask for [`AttentionMask::keys`], `(1, keys)`, of the keys that queries attend to.
///
/// # Errors
/// If the device fails.
pub fn key_mask(attended: &[bool], device: &Device) -> Result<Tensor> {
    let mask = attended.iter().map(|attended| if *attended { 0.0 } else { f32::NEG_INFINITY });
    Tensor::from_vec(mask.collect(), (1, attended.len()), device)
}

/// The causal mask, `(count, keys)`: minus infinity where a key comes after its query, otherwise zero.
fn causal_mask(first: usize, count: usize, keys: usize, like: &Tensor) -> Result<Tensor> {
    let mask: Vec<f32> = (first..first + count)
        .flat_map(|query| {
            (0..keys).map(move |key| if key > query { f32::NEG_INFINITY } else { 0.0 })
        })
        .collect();
    Tensor::from_vec(mask, (count, keys), like.device())?.to_dtype(like.dtype())
}

/// Flash attention (Dao 2023) in f16, or in bf16 for inputs of this type. Only for CUDA tensors without gradient tracking, because it has no backward
/// pass.
#[cfg(feature = "flash-attn")]
fn flash(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    heads: usize,
    causal: bool,
    scale: f64,
) -> Result<Option<Tensor>> {
    use candle_core::DType;

    let (batch, queries, channels) = query.dims3()?;
    let width = channels / heads;
    let tracked = query.track_op() || key.track_op() || value.track_op();
    // The kernel supports head widths up to 256 that are multiples of 8.
    if tracked || !query.device().is_cuda() || width % 8 != 0 || width > 256 {
        return Ok(None);
    }
    let dtype = if query.dtype() == DType::BF16 { DType::BF16 } else { DType::F16 };
    let split =
        |x: &Tensor| x.reshape((batch, x.dim(1)?, heads, width))?.to_dtype(dtype)?.contiguous();
    let result = candle_flash_attn::flash_attn(
        &split(query)?,
        &split(key)?,
        &split(value)?,
        scale as f32,
        causal,
    )?;
    result.to_dtype(query.dtype())?.reshape((batch, queries, channels)).map(Some)
}

/// The softmax over the last dimension.
fn softmax(x: &Tensor) -> Result<Tensor> {
    if has_kernel(x) { x.contiguous()?.apply_op1(Softmax) } else { Softmax::definition(x) }
}

struct Softmax;

impl Softmax {
    fn definition(x: &Tensor) -> Result<Tensor> {
        // Subtracting the maximum only prevents overflow. It does not affect the gradient.
        let exponentials = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?.exp()?;
        exponentials.broadcast_div(&exponentials.sum_keepdim(D::Minus1)?)
    }
}

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(x: &[T], width: usize) -> Result<CpuStorage> {
            let mut y = vec![T::zero(); x.len()];
            y.par_chunks_mut(width).zip(x.par_chunks(width)).with_min_len(16).for_each(|(y, x)| {
                let largest = x.iter().fold(x[0], |a, b| if *b > a { *b } else { a });
                let mut sum = T::zero();
                for (y, x) in y.iter_mut().zip(x) {
                    *y = (*x - largest).exp();
                    sum += *y;
                }
                let inverse = T::one() / sum;
                for y in y {
                    *y *= inverse;
                }
            });
            Ok(T::to_cpu_storage_owned(y))
        }
        let width = layout.dims().last().copied().unwrap_or(0).max(1);
        Ok((for_real!(x, kernel(slice(x, layout)?, width))?, layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, y: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let weighted = (y * gradient)?;
        let sum = weighted.sum_keepdim(D::Minus1)?;
        Ok(Some((weighted - y.broadcast_mul(&sum)?)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{assert_close, gradients_agree, numbers};

    const CAUSAL: AttentionMask<'_> = AttentionMask { causal: true, keys: None };

    /// Attention from its formula, element by element.
    #[expect(clippy::needless_range_loop, reason = "the formula has indices")]
    fn by_hand(query: &Tensor, key: &Tensor, value: &Tensor, heads: usize, causal: bool) -> Tensor {
        let [q, k, v] = [query, key, value].map(|x| x.to_vec3::<f64>().unwrap());
        let (batch, n, channels) = query.dims3().unwrap();
        let (m, width) = (key.dim(1).unwrap(), channels / heads);
        let mut result = Vec::new();
        for b in 0..batch {
            for i in 0..n {
                for c in 0..channels {
                    let own = c / width * width..(c / width + 1) * width;
                    let seen = if causal { i + 1 } else { m };
                    let weights: Vec<f64> = (0..seen)
                        .map(|j| {
                            let product: f64 = own.clone().map(|c| q[b][i][c] * k[b][j][c]).sum();
                            (product / (width as f64).sqrt()).exp()
                        })
                        .collect();
                    let mean: f64 = (0..seen).map(|j| weights[j] * v[b][j][c]).sum();
                    result.push(mean / weights.iter().sum::<f64>());
                }
            }
        }
        Tensor::from_vec(result, query.shape(), query.device()).unwrap()
    }

    #[test]
    fn attention_matches_its_formula() {
        let (q, k, v) = (numbers((2, 4, 6), 1), numbers((2, 5, 6), 2), numbers((2, 5, 6), 3));
        let got = attention(&q, &k, &v, 3, AttentionMask::default()).unwrap();
        assert_close(&got, &by_hand(&q, &k, &v, 3, false), 1e-12);
    }

    #[test]
    fn causal_attention_ignores_later_keys() {
        let (q, k, v) = (numbers((2, 5, 6), 1), numbers((2, 5, 6), 2), numbers((2, 5, 6), 3));
        let got = attention(&q, &k, &v, 2, CAUSAL).unwrap();
        assert_close(&got, &by_hand(&q, &k, &v, 2, true), 1e-12);
    }

    #[test]
    fn masked_keys_have_no_effect() {
        let (q, k, v) = (numbers((2, 4, 6), 1), numbers((2, 3, 6), 2), numbers((2, 3, 6), 3));
        let [first, second] = [[true, false, true], [true, true, false]]
            .map(|attended| key_mask(&attended, &Device::Cpu).unwrap());
        let keys = Tensor::cat(&[first, second], 0).unwrap();
        let mask = AttentionMask { causal: false, keys: Some(&keys) };
        let got = attention(&q, &k, &v, 3, mask).unwrap();
        for (item, kept) in [(0, [0_u32, 2]), (1, [0, 1])] {
            let kept = Tensor::new(&kept, &Device::Cpu).unwrap();
            let of_item = |x: &Tensor| x.narrow(0, item, 1).unwrap();
            let [k, v] = [&k, &v].map(|x| of_item(x).index_select(&kept, 1).unwrap());
            assert_close(&of_item(&got), &by_hand(&of_item(&q), &k, &v, 3, false), 1e-12);
        }
    }

    #[test]
    fn chunked_attention_matches_attention_of_one_chunk() {
        // With 2 heads and 6000 keys, a chunk has 1398 queries.
        let (q, k, v) =
            (numbers((1, 3000, 2), 1), numbers((1, 6000, 2), 2), numbers((1, 6000, 2), 3));
        let mask = AttentionMask::default();
        let whole = attention(&q, &k, &v, 2, mask).unwrap();
        let last = attention(&q.narrow(1, 2990, 10).unwrap(), &k, &v, 2, mask).unwrap();
        assert_close(&whole.narrow(1, 2990, 10).unwrap(), &last, 1e-12);
    }

    #[test]
    fn attention_gradients_match_finite_differences() {
        let inputs = [numbers((2, 3, 4), 1), numbers((2, 3, 4), 2), numbers((2, 3, 4), 3)];
        let keys = key_mask(&[true, false, true], &Device::Cpu).unwrap();
        let keys = Tensor::cat(&[&keys, &keys], 0).unwrap();
        let masked = AttentionMask { keys: Some(&keys), ..CAUSAL };
        for mask in [AttentionMask::default(), CAUSAL, masked] {
            gradients_agree(&inputs, |[q, k, v]| attention(q, k, v, 2, mask));
        }
        gradients_agree(&[numbers((2, 5), 1)], |[x]| softmax(x));
        gradients_agree(&[numbers((2, 5), 1)], |[x]| Softmax::definition(x));
    }
}
