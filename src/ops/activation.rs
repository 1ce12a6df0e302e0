//! Activation functions, found by their names in `config.json`.

use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{
    fused::{Real, definition_gradients, for_real, has_kernel, slice},
    half::{is_half, through_f32},
    silu,
};

/// An element-wise activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x * sigmoid(x)`, also called swish.
    Silu,
    /// `x` times the normal cumulative distribution function, with the exact erf (Hendrycks and Gimpel 2016).
    Gelu,
    /// The tanh approximation of [`Self::Gelu`], `gelu_new` in transformers.
    GeluNew,
    /// `x * sigmoid(1.702 x)`, the approximation that OpenAI's CLIP was trained with.
    QuickGelu,
    /// `max(x, 0)`.
    Relu,
    /// `x * tanh(ln(1 + exp(x)))` (Misra 2019).
    Mish,
}

impl Activation {
    /// The names that [`Self::from_name`] accepts.
    pub const NAMES: &str =
        "silu, swish, gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, relu or mish";

    /// Finds an activation by its name in a `config.json` of diffusers or transformers.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "silu" | "swish" => Self::Silu,
            "gelu" => Self::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" => Self::GeluNew,
            "quick_gelu" => Self::QuickGelu,
            "relu" => Self::Relu,
            "mish" => Self::Mish,
            _ => return None,
        })
    }

    /// Applies the function to each element.
    ///
    /// # Errors
    /// If the device does not support the operation.
    pub fn forward(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Silu => silu(x),
            Self::Relu => x.relu(),
            _ if is_half(x) => through_f32([x], |[x]| self.forward(x)),
            // The gradient of candle's `gelu_erf` is accurate to six digits only.
            Self::Gelu => (x * 0.5)? * ((x * 0.5_f64.sqrt())?.erf()? + 1.0)?,
            Self::GeluNew => {
                let inner = (x + (x.powf(3.0)? * 0.044_715)?)?;
                let inner = (inner * (2.0 / std::f64::consts::PI).sqrt())?;
                (x * 0.5)? * (inner.tanh()? + 1.0)?
            }
            Self::QuickGelu => x * candle_nn::ops::sigmoid(&(x * 1.702)?)?,
            Self::Mish => {
                // ln(1 + exp(x)) without overflow.
                let softplus = (x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
                x * softplus.tanh()?
            }
        }
    }
}

/// Splits the last dimension into halves and multiplies the first half by the [`Activation::Gelu`] of the
/// second (Shazeer 2020). `(.., 2 n)` becomes `(.., n)`.
///
/// # Errors
/// If the last dimension is odd.
pub fn geglu(x: &Tensor) -> Result<Tensor> {
    if x.dim(D::Minus1)? % 2 != 0 {
        candle_core::bail!("geglu needs an even last dimension, not {:?}", x.shape());
    }
    if is_half(x) {
        through_f32([x], |[x]| geglu(x))
    } else if has_kernel(x) {
        x.contiguous()?.apply_op1(Geglu)
    } else {
        Geglu::definition(x)
    }
}

struct Geglu;

impl Geglu {
    fn definition(x: &Tensor) -> Result<Tensor> {
        let half = x.dim(D::Minus1)? / 2;
        let gate = x.narrow(D::Minus1, half, half)?.contiguous()?;
        x.narrow(D::Minus1, 0, half)?.contiguous()? * Activation::Gelu.forward(&gate)?
    }
}

impl CustomOp1 for Geglu {
    fn name(&self) -> &'static str {
        "geglu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(x: &[T], half: usize) -> Result<CpuStorage> {
            let (root, point_five) = (T::from_f64(0.5_f64.sqrt()), T::from_f64(0.5));
            let mut y = vec![T::zero(); x.len() / 2];
            if half > 0 {
                let rows = y.par_chunks_mut(half).zip(x.par_chunks(2 * half)).with_min_len(4);
                rows.for_each(|(y, x)| {
                    let (value, gate) = x.split_at(half);
                    for ((y, value), gate) in y.iter_mut().zip(value).zip(gate) {
                        let gelu = *gate * point_five * (T::one() + (*gate * root).erf());
                        *y = *value * gelu;
                    }
                });
            }
            Ok(T::to_cpu_storage_owned(y))
        }
        let mut dims = layout.dims().to_vec();
        let half = dims.last().copied().unwrap_or(0) / 2;
        if let Some(last) = dims.last_mut() {
            *last = half;
        }
        Ok((for_real!(x, kernel(slice(x, layout)?, half))?, dims.into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let [x] = definition_gradients([x], gradient, |[x]| Self::definition(x))?;
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::ops::check::{assert_close, gradients_agree, numbers};

    const ALL: [Activation; 6] = [
        Activation::Silu,
        Activation::Gelu,
        Activation::GeluNew,
        Activation::QuickGelu,
        Activation::Relu,
        Activation::Mish,
    ];

    #[test]
    fn activations_match_reference_values() {
        // Computed in Python for x = -1.5 and x = 2.
        let known = [
            (Activation::Silu, [-0.273_638_285_7, 1.761_594_156_0]),
            (Activation::Gelu, [-0.100_210_801_9, 1.954_499_736_1]),
            (Activation::GeluNew, [-0.100_428_423_0, 1.954_597_694_1]),
            (Activation::QuickGelu, [-0.108_337_801_6, 1.935_658_623_1]),
            (Activation::Relu, [0.0, 2.0]),
            (Activation::Mish, [-0.298_099_742_2, 1.943_958_959_5]),
        ];
        let x = Tensor::new(&[-1.5_f64, 2.0], &Device::Cpu).unwrap();
        for (activation, expected) in known {
            let expected = Tensor::new(&expected, &Device::Cpu).unwrap();
            assert_close(&activation.forward(&x).unwrap(), &expected, 1e-8);
        }
    }

    #[test]
    fn mish_does_not_overflow() {
        let x = Tensor::new(&[-1000.0_f32, 1000.0], &Device::Cpu).unwrap();
        let y = Activation::Mish.forward(&x).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(y, [0.0, 1000.0]);
    }

    #[test]
    fn the_geglu_kernel_matches_its_definition() {
        let x = (numbers((2, 3, 8), 1) * 3.0).unwrap();
        assert_close(&geglu(&x).unwrap(), &Geglu::definition(&x).unwrap(), 1e-12);
        let x = x.to_dtype(DType::F32).unwrap();
        assert_close(&geglu(&x).unwrap(), &Geglu::definition(&x).unwrap(), 3e-6);
    }

    #[test]
    fn activation_gradients_match_finite_differences() {
        let inputs = [numbers((3, 4), 1)];
        for activation in ALL {
            gradients_agree(&inputs, |[x]| activation.forward(x));
        }
        gradients_agree(&inputs, |[x]| geglu(x));
    }
}
