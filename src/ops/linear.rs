//! Dense layers and convolutions.

use candle_core::{Result, Tensor};

use super::{
    add::{add_channels, add_to_rows},
    checkpoint::with_backward,
    column_major::flat,
    fused::has_kernel,
    product::matmul,
    turn::turned,
    unfold::{self, copies},
};

/// Computes `x * weight^T + bias`. `x` is `(.., in)`, `weight` is `(out, in)`, `bias` is `(out)`.
///
/// # Errors
/// If the shapes do not match.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let mut dims = x.dims().to_vec();
    let Some(last) = dims.last_mut() else {
        candle_core::bail!("a linear layer needs at least one dimension");
    };
    let rows = x.reshape((1, (), *last))?;
    let y = matmul(&rows, &weight.t()?.unsqueeze(0)?)?;
    *last = weight.dim(0)?;
    match bias {
        Some(bias) => add_to_rows(&y, bias)?.reshape(dims),
        None => y.reshape(dims),
    }
}

/// As [`linear`], for a weight that is in memory only during a product: `weight` computes it once now, and again for the
/// gradient. Gradients reach only `x`.
///
/// # Errors
/// If the shapes do not match, and those of `weight`.
pub fn linear_with(
    x: &Tensor,
    weight: impl Fn() -> Result<Tensor> + Send + Sync + 'static,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    if !x.track_op() || !has_kernel(x) {
        return linear(x, &weight()?, bias);
    }
    let result = linear(&x.detach(), &weight()?, bias)?;
    with_backward(x, &result, move |_, gradient| linear(gradient, &weight()?.t()?, None).map(Some))
}

/// Convolves `x`, `(batch, in, height, width)`, with `weight`, `(out, in, rows, columns)`, and adds `bias`,
/// `(out)`. Zero padding and stride are the same in both directions.
///
/// # Errors
/// If the shapes do not match.
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: usize,
    padding: usize,
) -> Result<Tensor> {
    let (out, _, rows, columns) = weight.dims4()?;
    let y = if (rows, columns, stride, padding) == (1, 1, 1, 0) {
        // A 1x1 convolution is a matrix product.
        let (batch, _, height, width) = x.dims4()?;
        let weight = flat(weight)?.broadcast_left(batch)?;
        let x = x.contiguous()?.reshape((batch, (), height * width))?;
        matmul(&weight, &x)?.reshape((batch, out, height, width))?
    } else if has_kernel(x) {
        unfold::conv2d(x, weight, stride, padding)?
    } else if copies::is_needed(x) {
        copies::conv2d(x, weight, stride, padding)?
    } else {
        candle_conv2d(x, weight, stride, padding)?
    };
    match bias {
        Some(bias) => add_channels(&y, &bias.reshape((1, out))?),
        None => Ok(y),
    }
}

/// As [`conv2d`] with stride 1, for weights with their [`turned`] kernels. A gradient with respect to `x` then needs no copy
/// of the weights. Gradients reach only `x`.
///
/// # Errors
/// If the shapes do not match, the kernel is not square or `padding` is not less than its side.
pub fn conv2d_with_turned(
    x: &Tensor,
    weight: &Tensor,
    turned: &Tensor,
    bias: Option<&Tensor>,
    padding: usize,
) -> Result<Tensor> {
    if !x.track_op() || !has_kernel(x) {
        return conv2d(x, weight, bias, 1, padding);
    }
    let opposite = opposite_padding(weight, padding)?;
    let result = conv2d(&x.detach(), weight, bias, 1, padding)?;
    let turned = turned.clone();
    with_backward(x, &result, move |_, gradient| {
        conv2d(gradient, &turned, None, 1, opposite).map(Some)
    })
}

/// The gradient of [`conv2d`] with stride 1 with respect to `x`, given the gradient of the result: a convolution with turned
/// kernels.
///
/// # Errors
/// If the shapes do not match, the kernel is not square or `padding` is not less than its side.
pub fn conv2d_gradient(gradient: &Tensor, weight: &Tensor, padding: usize) -> Result<Tensor> {
    conv2d(gradient, &turned(weight)?, None, 1, opposite_padding(weight, padding)?)
}

/// The padding of the convolution that is the gradient of one with `padding`.
fn opposite_padding(weight: &Tensor, padding: usize) -> Result<usize> {
    let (_, _, rows, columns) = weight.dims4()?;
    match rows.checked_sub(1 + padding).filter(|_| rows == columns) {
        Some(opposite) => Ok(opposite),
        None => {
            candle_core::bail!(
                "no gradient for a kernel of {rows}x{columns} with padding {padding}"
            )
        }
    }
}

/// candle's convolution. Its backward pass fails if the stride leaves a remainder in only one direction, so rows and
/// columns that no step reaches are dropped first.
fn candle_conv2d(x: &Tensor, weight: &Tensor, stride: usize, padding: usize) -> Result<Tensor> {
    if stride == 1 {
        return x.conv2d(weight, padding, 1, 1, 1);
    }
    let (_, _, rows, columns) = weight.dims4()?;
    pad_and_trim(&pad_and_trim(x, 2, rows, stride, padding)?, 3, columns, stride, padding)?
        .conv2d(weight, 0, stride, 1, 1)
}

/// Pads a dimension with zeros and drops the remainder that no step of the kernel reaches.
fn pad_and_trim(
    x: &Tensor,
    side: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Result<Tensor> {
    let padded = x.pad_with_zeros(side, padding, padding)?;
    let size = padded.dim(side)?;
    match size.checked_sub(kernel) {
        Some(room) => padded.narrow(side, 0, room / stride * stride + kernel),
        None => {
            candle_core::bail!("a kernel of size {kernel} is larger than its input of size {size}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{assert_close, gradients_agree, numbers};

    /// Kernels, strides and paddings.
    const SHAPES: [(usize, usize, usize); 6] =
        [(3, 1, 1), (3, 2, 1), (3, 2, 0), (1, 1, 0), (5, 1, 2), (1, 2, 0)];

    /// A convolution from its formula, element by element.
    fn by_hand(
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        stride: usize,
        padding: usize,
    ) -> Tensor {
        let (batch, input, height, width) = x.dims4().unwrap();
        let (out, _, rows, columns) = weight.dims4().unwrap();
        let at = |tensor: &Tensor, index: [usize; 4]| {
            index.iter().fold(tensor.clone(), |t, i| t.get(*i).unwrap()).to_scalar::<f64>().unwrap()
        };
        let bias = bias.to_vec1::<f64>().unwrap();
        let size = |pixels: usize, kernel: usize| (pixels + 2 * padding - kernel) / stride + 1;
        let (tall, wide) = (size(height, rows), size(width, columns));
        let mut result = Vec::new();
        for (b, o) in (0..batch).flat_map(|b| (0..out).map(move |o| (b, o))) {
            for (y, z) in (0..tall).flat_map(|y| (0..wide).map(move |z| (y, z))) {
                let mut sum = bias[o];
                for (r, c) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))) {
                    let (row, column) = (y * stride + r, z * stride + c);
                    let inside = (padding..padding + height).contains(&row)
                        && (padding..padding + width).contains(&column);
                    for i in (0..input).filter(|_| inside) {
                        sum += at(x, [b, i, row - padding, column - padding])
                            * at(weight, [o, i, r, c]);
                    }
                }
                result.push(sum);
            }
        }
        Tensor::from_vec(result, (batch, out, tall, wide), x.device()).unwrap()
    }

    #[test]
    fn convolutions_match_their_formula() {
        let (x, bias) = (numbers((2, 3, 5, 4), 1), numbers(2, 3));
        for (kernel, stride, padding) in SHAPES {
            let weight = numbers((2, 3, kernel, kernel), 2);
            let got = conv2d(&x, &weight, Some(&bias), stride, padding).unwrap();
            assert_close(&got, &by_hand(&x, &weight, &bias, stride, padding), 1e-12);
        }
    }

    #[test]
    fn the_kernel_matches_candles_convolution() {
        let x = numbers((2, 3, 5, 4), 1);
        for (kernel, stride, padding) in SHAPES {
            let weight = numbers((2, 3, kernel, kernel), 2);
            let ours = conv2d(&x, &weight, None, stride, padding).unwrap();
            assert_close(&candle_conv2d(&x, &weight, stride, padding).unwrap(), &ours, 1e-12);
        }
    }

    #[test]
    fn linear_keeps_leading_dimensions() {
        let (x, weight, bias) = (numbers((2, 3, 4), 1), numbers((5, 4), 2), numbers(5, 3));
        let y = linear(&x, &weight, Some(&bias)).unwrap();
        let expected = x.broadcast_matmul(&weight.t().unwrap()).unwrap();
        assert_close(&y, &expected.broadcast_add(&bias).unwrap(), 1e-12);
    }

    #[test]
    fn a_weight_that_is_computed_for_each_product_has_the_same_values_and_gradients() {
        let (inputs, weight, bias) = ([numbers((2, 3, 4), 1)], numbers((5, 4), 2), numbers(5, 3));
        let dense = |x: &Tensor| {
            let weight = weight.clone();
            linear_with(x, move || Ok(weight.clone()), Some(&bias))
        };
        let [x] = &inputs;
        let expected = linear(x, &weight, Some(&bias)).unwrap();
        assert_close(&dense(x).unwrap(), &expected, 0.0);
        gradients_agree(&inputs, |[x]| dense(x));
    }

    #[test]
    fn linear_gradients_match_finite_differences() {
        let inputs = [numbers((2, 3, 4), 1), numbers((2, 4), 2), numbers(2, 3)];
        gradients_agree(&inputs, |[x, w, b]| linear(x, w, Some(b)));
        for (kernel, stride, padding) in SHAPES {
            let weight = numbers((2, 2, kernel, kernel), 2);
            let inputs = [numbers((2, 2, 5, 4), 1), weight, numbers(2, 3)];
            gradients_agree(&inputs, |[x, w, b]| conv2d(x, w, Some(b), stride, padding));
        }
        let inputs = [numbers((2, 2, 5, 4), 1), numbers((2, 2, 3, 3), 2)];
        gradients_agree(&inputs, |[x, w]| candle_conv2d(x, w, 2, 1));
    }

    #[test]
    fn a_convolution_with_turned_kernels_has_the_same_values_and_gradients() {
        let (inputs, bias) = ([numbers((2, 2, 5, 4), 1)], numbers(3, 3));
        let [x] = &inputs;
        for (kernel, padding) in [(3, 1), (1, 0), (5, 2), (3, 0)] {
            let weight = numbers((3, 2, kernel, kernel), 2);
            let turned = turned(&weight).unwrap();
            let convolve =
                |x: &Tensor| conv2d_with_turned(x, &weight, &turned, Some(&bias), padding);
            let expected = conv2d(x, &weight, Some(&bias), 1, padding).unwrap();
            assert_close(&convolve(x).unwrap(), &expected, 0.0);
            gradients_agree(&inputs, |[x]| convolve(x));
        }
    }

    #[test]
    fn only_a_square_kernel_that_is_larger_than_its_padding_has_a_gradient() {
        let gradient = numbers((1, 3, 5, 4), 1);
        for (rows, columns, padding) in [(3, 1, 0), (3, 3, 3), (0, 0, 0)] {
            let weight = numbers((3, 2, rows, columns), 2);
            assert!(conv2d_gradient(&gradient, &weight, padding).is_err());
        }
        let weight = numbers((3, 2, 3, 3), 2);
        assert_eq!(conv2d_gradient(&gradient, &weight, 2).unwrap().dims(), [1, 2, 3, 2]);
    }
}
