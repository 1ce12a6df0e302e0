//! Layers: the operations of [`ops`](crate::ops) with their weights.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;

use super::{
    DiffusionError,
    lora::{LoraFile, LowRank, LowRankConv},
    weights::StoredWeights,
};
use crate::{
    model::tensors::{StoredTensor, View},
    ops::{self, Activation, Differentiable},
};

/// A dense layer.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    /// The name of the layer in its component.
    name: String,
    weight: Weight,
    bias: Option<Tensor>,
    /// The change by low-rank adapters.
    change: Option<LowRank>,
}

/// The matrix of a dense layer, `(out, in)`.
#[derive(Clone, Debug)]
enum Weight {
    /// As the products need it.
    Wide(Tensor),
    /// As it is stored, or in 16 bits. Each product of f32 widens it again, which costs little for many rows.
    Stored(StoredTensor),
}

impl Weight {
    fn new(stored: StoredTensor) -> Result<Self> {
        match stored {
            StoredTensor::Plain(weight) => {
                let weight = ops::column_major(&weight)?;
                let is_wide = matches!(weight.dtype(), DType::F32 | DType::F64);
                Ok(if is_wide {
                    Self::Wide(weight)
                } else {
                    Self::Stored(StoredTensor::Plain(weight))
                })
            }
            stored => Ok(Self::Stored(stored)),
        }
    }

    /// The matrix for a product of this type.
    fn of_type(&self, dtype: DType) -> Result<Tensor> {
        match self {
            Self::Wide(weight) | Self::Stored(StoredTensor::Plain(weight)) => {
                weight.to_dtype(dtype)
            }
            Self::Stored(blocks) => blocks.widened()?.to_dtype(dtype),
        }
    }

    fn shape(&self) -> Result<[usize; 2]> {
        let (out, input) = match self {
            Self::Wide(weight) | Self::Stored(StoredTensor::Plain(weight)) => weight.dims2()?,
            Self::Stored(StoredTensor::Quantized(weight)) => weight.shape().dims2()?,
        };
        Ok([out, input])
    }
}

impl Linear {
    pub(super) fn load(input: usize, output: usize, weights: &VarBuilder) -> Result<Self> {
        let bias = Some(weights.get(output, "bias")?);
        Ok(Self { bias, ..Self::load_without_bias(input, output, weights)? })
    }

    pub(super) fn load_without_bias(
        input: usize,
        output: usize,
        weights: &VarBuilder,
    ) -> Result<Self> {
        let weight = StoredTensor::Plain(weights.get((output, input), "weight")?);
        Self::new(weights.prefix(), weight)
    }

    /// A layer without a bias that keeps its weight as it is stored.
    pub(super) fn load_stored(
        input: usize,
        output: usize,
        weights: &StoredWeights,
    ) -> Result<Self> {
        Self::new(weights.converted().prefix(), weights.get((output, input), "weight")?)
    }

    fn new(name: String, weight: StoredTensor) -> Result<Self> {
        Ok(Self { name, weight: Weight::new(weight)?, bias: None, change: None })
    }

    /// Changes the layer by low-rank adapters, instead of those before. `names` gives the possible names of a layer in their
    /// files, by its name in diffusers.
    ///
    /// # Errors
    /// If the layer of a file is for another shape, or cannot be read.
    pub(super) fn set_loras(
        &mut self,
        loras: &[LoraFile],
        names: impl Fn(&str) -> Vec<(String, View)>,
        device: &Device,
    ) -> std::result::Result<(), DiffusionError> {
        self.change = LoraFile::change(loras, &names(&self.name), self.weight.shape()?, device)?;
        Ok(())
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let bias = of_type(self.bias.as_ref(), x)?;
        let bias = bias.as_ref();
        let output = match &self.weight {
            weight if ops::is_half(x) => ops::linear(x, &weight.of_type(x.dtype())?, bias)?,
            Weight::Wide(weight) => ops::linear(x, weight, bias)?,
            Weight::Stored(weight) => {
                let weight = weight.clone();
                ops::linear_with(x, move || weight.widened(), bias)?
            }
        };
        match &self.change {
            Some(change) => change.add_to(&output, x),
            None => Ok(output),
        }
    }
}

/// A convolution with a square kernel.
#[derive(Clone, Debug)]
pub(super) struct Conv2d {
    /// The name of the layer in its component.
    name: String,
    /// Numbers of 16 bits are widened for each product of f32.
    weight: Tensor,
    bias: Option<Tensor>,
    stride: usize,
    padding: usize,
    /// The turned kernels for gradients, if they are kept.
    turned: Option<Tensor>,
    /// The change by low-rank adapters.
    change: Option<LowRankConv>,
}

impl Conv2d {
    /// A convolution that keeps the size: `kernel` is odd, the stride is 1, and the padding matches.
    pub(super) fn load(
        input: usize,
        output: usize,
        kernel: usize,
        weights: &VarBuilder,
    ) -> Result<Self> {
        Ok(Self {
            bias: Some(weights.get(output, "bias")?),
            ..Self::load_without_bias(input, output, kernel, weights)?
        })
    }

    pub(super) fn load_without_bias(
        input: usize,
        output: usize,
        kernel: usize,
        weights: &VarBuilder,
    ) -> Result<Self> {
        let weight = ops::column_major(&weights.get((output, input, kernel, kernel), "weight")?)?;
        let padding = kernel.saturating_sub(1) / 2;
        let name = weights.prefix();
        Ok(Self { name, weight, bias: None, stride: 1, padding, turned: None, change: None })
    }

    /// As [`Linear::set_loras`].
    ///
    /// # Errors
    /// As [`Linear::set_loras`].
    fn set_loras(
        &mut self,
        loras: &[LoraFile],
        names: impl Fn(&str) -> Vec<(String, View)>,
        device: &Device,
    ) -> std::result::Result<(), DiffusionError> {
        let (out, input, rows, columns) = self.weight.dims4()?;
        let shape = [out, input * rows * columns];
        let change = LoraFile::change(loras, &names(&self.name), shape, device)?;
        let change = change.map(|change| change.of_convolution((input, rows, columns)));
        self.change = change.transpose()?;
        Ok(())
    }

    /// The same convolution with stride 2.
    pub(super) fn halving(self, padding: usize) -> Self {
        Self { stride: 2, padding, ..self }
    }

    /// The same convolution on squares of `kernel` pixels that do not overlap.
    pub(super) fn on_patches(self, kernel: usize) -> Self {
        Self { stride: kernel, padding: 0, ..self }
    }

    /// The same convolution, which keeps a second copy of its weights, so that gradients are faster. Only for the stride 1.
    pub(super) fn with_turned(self) -> Result<Self> {
        Ok(Self { turned: Some(ops::turned(&self.weight)?), ..self })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = (self.weight_for(x)?, of_type(self.bias.as_ref(), x)?);
        let bias = bias.as_ref();
        let output = match &self.turned {
            Some(turned) if !ops::is_half(x) => {
                ops::conv2d_with_turned(x, &weight, turned, bias, self.padding)?
            }
            _ => ops::conv2d(x, &weight, bias, self.stride, self.padding)?,
        };
        match &self.change {
            Some(change) => change.add_to(&output, x, self.stride, self.padding),
            None => Ok(output),
        }
    }

    /// The gradient with respect to `x`, given that of the result. Only for the stride 1.
    pub(super) fn gradient(&self, gradient: &Tensor) -> Result<Tensor> {
        if self.stride != 1 {
            candle_core::bail!("a convolution with stride {} has no such gradient", self.stride);
        }
        let of_kernels = ops::conv2d_gradient(gradient, &self.weight_for(gradient)?, self.padding)?;
        match &self.change {
            Some(change) => change.add_to_gradient(&of_kernels, gradient, self.padding),
            None => Ok(of_kernels),
        }
    }

    /// The kernels in the type of `x`.
    fn weight_for(&self, x: &Tensor) -> Result<Tensor> {
        match (ops::is_half(x), ops::is_half(&self.weight)) {
            (true, _) => self.weight.to_dtype(x.dtype()),
            (false, true) => ops::widened(&self.weight),
            (false, false) => Ok(self.weight.clone()),
        }
    }
}

/// A bias in the type of `x`.
fn of_type(bias: Option<&Tensor>, x: &Tensor) -> Result<Option<Tensor>> {
    bias.map(|bias| bias.to_dtype(x.dtype())).transpose()
}

/// The numbers of a norm. Those of 16 bits become f32, in which norms are computed.
fn of_norm(weights: &VarBuilder, width: usize, name: &str) -> Result<Tensor> {
    let weight = weights.get(width, name)?;
    if ops::is_half(&weight) { weight.to_dtype(DType::F32) } else { Ok(weight) }
}

/// A layer that low-rank adapters can change.
pub(super) enum LayerMut<'a> {
    Linear(&'a mut Linear),
    Conv2d(&'a mut Conv2d),
}

impl LayerMut<'_> {
    /// As [`Linear::set_loras`].
    ///
    /// # Errors
    /// As [`Linear::set_loras`].
    pub(super) fn set_loras(
        self,
        loras: &[LoraFile],
        names: impl Fn(&str) -> Vec<(String, View)>,
        device: &Device,
    ) -> std::result::Result<(), DiffusionError> {
        match self {
            Self::Linear(layer) => layer.set_loras(loras, names, device),
            Self::Conv2d(layer) => layer.set_loras(loras, names, device),
        }
    }
}

/// Group normalisation.
#[derive(Clone, Debug)]
pub(super) struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    groups: usize,
    eps: f64,
}

impl GroupNorm {
    pub(super) fn load(
        groups: usize,
        channels: usize,
        eps: f64,
        weights: &VarBuilder,
    ) -> Result<Self> {
        if groups == 0 || !channels.is_multiple_of(groups) {
            candle_core::bail!(
                "{}: {channels} channels cannot be normalised in {groups} groups; \
                 `norm_num_groups` and the channels in config.json do not match",
                weights.prefix()
            );
        }
        let [weight, bias] = ["weight", "bias"].map(|name| of_norm(weights, channels, name));
        let (weight, bias) = (weight?, bias?);
        Ok(Self { weight, bias, groups, eps })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::group_norm(x, &self.weight, &self.bias, self.groups, self.eps)
    }

    /// The norm followed by an activation, fused into one pass if possible.
    pub(super) fn forward_with(&self, activation: Activation, x: &Tensor) -> Result<Tensor> {
        if activation == Activation::Silu {
            ops::group_norm_silu(x, &self.weight, &self.bias, self.groups, self.eps)
        } else {
            activation.forward(&self.forward(x)?)
        }
    }

    /// The gradient of [`Self::forward_with`] with respect to `x`, given that of the result.
    pub(super) fn gradient_with(
        &self,
        activation: Activation,
        x: &Tensor,
        gradient: Tensor,
    ) -> Result<Tensor> {
        let Self { weight, bias, groups, eps } = self;
        if activation == Activation::Silu {
            ops::group_norm_silu_gradient(x, &gradient, weight, bias, *groups, *eps)
        } else {
            (|x: &Tensor| self.forward_with(activation, x)).gradient(x, gradient)
        }
    }
}

/// Layer normalisation.
#[derive(Clone, Debug)]
pub(super) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    pub(super) fn load(width: usize, eps: f64, weights: &VarBuilder) -> Result<Self> {
        let [weight, bias] = ["weight", "bias"].map(|name| of_norm(weights, width, name));
        let (weight, bias) = (weight?, bias?);
        Ok(Self { weight, bias, eps })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::layer_norm(x, &self.weight, &self.bias, self.eps)
    }
}

/// Normalisation by the root mean square.
#[derive(Clone, Debug)]
pub(super) struct RmsNorm {
    weight: Tensor,
    eps: f64,
}

impl RmsNorm {
    pub(super) fn load(width: usize, eps: f64, weights: &VarBuilder) -> Result<Self> {
        Ok(Self { weight: of_norm(weights, width, "weight")?, eps })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::rms_norm(x, &self.weight, self.eps)
    }

    /// The norm whose result is multiplied by `factors`, one for each channel.
    pub(super) fn times(&self, factors: &Tensor) -> Result<Self> {
        let factors = factors.to_dtype(self.weight.dtype())?;
        Ok(Self { weight: (&self.weight * factors)?, eps: self.eps })
    }

    /// The norm of each head of `(batch, tokens, channels)`.
    pub(super) fn forward_heads(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, tokens, _) = x.dims3()?;
        self.forward(&x.reshape((batch, tokens, (), self.weight.dim(0)?))?)?.reshape(x.shape())
    }
}

/// Each row of (batch, channels), divided by its length.
pub(super) fn normalized(x: &Tensor) -> Result<Tensor> {
    x.broadcast_div(&x.sqr()?.sum_keepdim(1)?.affine(1.0, 1e-12)?.sqrt()?)
}
