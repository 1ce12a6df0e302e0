//! Numbers of 16 bits, and what is computed in f32 although the tensors have them.
//!
//! Matrix products of candle sum in f32 and round once. Its other operations round after each addition: a sum of thousands of
//! numbers is wrong then, and one of f16 overflows above 65504. Norms, softmax, and functions that subtract numbers of about
//! the same size therefore take and return 16 bits, but compute in f32. The code is the same on all devices.

use candle_core::{DType, Result, Tensor};

use super::widened;

/// Whether the numbers have 16 bits.
pub(crate) fn is_half(x: &Tensor) -> bool {
    matches!(x.dtype(), DType::F16 | DType::BF16)
}

/// The result of `f` for the inputs as f32, rounded to the type of the first one.
pub(super) fn through_f32<const N: usize>(
    inputs: [&Tensor; N],
    f: impl FnOnce([&Tensor; N]) -> Result<Tensor>,
) -> Result<Tensor> {
    let mut wide = Vec::with_capacity(N);
    for input in inputs {
        wide.push(without_half(input)?);
    }
    f(std::array::from_fn(|index| &wide[index]))?.to_dtype(inputs[0].dtype())
}

/// Numbers of 16 bits as f32, and others as they are. It is differentiable.
pub(super) fn without_half(x: &Tensor) -> Result<Tensor> {
    match is_half(x) {
        true if x.track_op() => x.to_dtype(DType::F32),
        true => widened(x),
        false => Ok(x.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{
        Activation, AttentionMask, RotaryAngles, RotaryPairs, attention,
        check::{distance, numbers},
        conv2d, geglu, group_norm, group_norm_silu, layer_norm, linear, rms_norm, rotary, silu,
    };

    const HALF: [DType; 2] = [DType::F16, DType::BF16];

    /// The largest relative error of a number that is rounded once.
    fn rounding(dtype: DType) -> f64 {
        if dtype == DType::F16 { 0.5_f64.powi(11) } else { 0.5_f64.powi(8) }
    }

    /// Asserts that an operation on 16 bits is the one on the same numbers as f64, up to `roundings` of the largest result.
    fn agrees<const N: usize>(
        inputs: [&Tensor; N],
        roundings: f64,
        f: impl Fn([&Tensor; N]) -> Result<Tensor>,
    ) {
        for dtype in HALF {
            let of_type = |dtype, inputs: [&Tensor; N]| inputs.map(|x| x.to_dtype(dtype).unwrap());
            let half = of_type(dtype, inputs);
            let wide = of_type(DType::F64, half.each_ref());
            let (found, expected) = (f(half.each_ref()).unwrap(), f(wide.each_ref()).unwrap());
            assert_eq!(found.dtype(), dtype);
            let largest = expected.abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
            let error = distance(&found, &expected) / largest / rounding(dtype);
            assert!(error <= roundings, "{dtype:?}: {error} roundings");
        }
    }

    #[test]
    fn norms_sum_many_numbers_that_are_far_from_zero_in_f32() {
        // The squares of 32768 numbers around 100 sum up to more than f16 can hold.
        let x = (numbers((1, 4, 128, 64), 1) + 100.0).unwrap();
        let (weight, bias) = (numbers(4, 2), numbers(4, 3));
        agrees([&x, &weight, &bias], 1.01, |[x, w, b]| group_norm(x, w, b, 1, 1e-5));
        agrees([&x, &weight, &bias], 1.01, |[x, w, b]| group_norm_silu(x, w, b, 1, 1e-5));
        let x = (numbers((2, 3, 4096), 4) + 100.0).unwrap();
        let (weight, bias) = (numbers(4096, 5), numbers(4096, 6));
        agrees([&x, &weight, &bias], 1.01, |[x, w, b]| layer_norm(x, w, b, 1e-5));
        agrees([&x, &weight], 1.01, |[x, w]| rms_norm(x, w, 1e-6));
    }

    #[test]
    fn attention_has_scores_and_their_sums_in_f32() {
        // Scores of up to 500. In bf16 they would be multiples of 2, and each step e^2 times as much weight.
        let query = (numbers((1, 5, 32), 1) * 20.0).unwrap();
        let (key, value) = (numbers((1, 4096, 32), 2), numbers((1, 4096, 32), 3));
        let mask = AttentionMask::default();
        agrees([&query, &key, &value], 2.5, |[q, k, v]| attention(q, k, v, 2, mask));
        // All keys are alike: each has a weight of 1/4096.
        let query = numbers((1, 5, 32), 1).zeros_like().unwrap();
        agrees([&query, &key, &value], 2.5, |[q, k, v]| attention(q, k, v, 2, mask));
    }

    #[test]
    fn activations_round_only_their_results() {
        use Activation::{Gelu, GeluNew, Mish, QuickGelu, Relu};
        let x = (numbers((3, 1000), 1) * 4.0).unwrap();
        for activation in [Gelu, GeluNew, Mish, QuickGelu, Relu] {
            agrees([&x], 1.01, |[x]| activation.forward(x));
        }
        // Below zero, these are differences of nearly equal numbers.
        let below = (x.abs().unwrap() + 1.0).unwrap().neg().unwrap();
        agrees([&below], 1.01, |[x]| Gelu.forward(x));
        agrees([&x], 1.01, geglu_of);
        // candle rounds its quotient and its exponentials, too.
        agrees([&x], 2.5, |[x]| silu(x));
    }

    fn geglu_of([x]: [&Tensor; 1]) -> Result<Tensor> {
        geglu(x)
    }

    #[test]
    fn layers_of_16_bits_are_those_of_the_same_numbers() {
        let (x, weight, bias) = (numbers((3, 7, 500), 1), numbers((9, 500), 2), numbers(9, 3));
        agrees([&x, &weight, &bias], 2.0, |[x, w, b]| linear(x, w, Some(b)));
        let x = numbers((2, 5, 7, 6), 4);
        let bias = numbers(4, 5);
        for (kernel, stride, padding) in
            [(3, 1, 1), (3, 2, 1), (3, 2, 0), (1, 1, 0), (5, 1, 2), (1, 2, 0)]
        {
            let weight = numbers((4, 5, kernel, kernel), 6);
            agrees([&x, &weight, &bias], 2.0, |[x, w, b]| conv2d(x, w, Some(b), stride, padding));
        }
    }

    #[test]
    fn positions_are_turned_by_angles_of_f32() {
        let x = numbers((1, 3, 8), 1);
        let angles: Vec<f64> = (0..12).map(|index| 1000.0 + f64::from(index)).collect();
        for pairs in [RotaryPairs::Neighbours, RotaryPairs::Halves] {
            agrees([&x], 1.01, |[x]| rotary(x, &RotaryAngles::new(&angles, 3, x)?, pairs));
        }
    }
}
