//! The residual block and the resampling layers of the UNet and the autoencoder.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::layers::{Conv2d, GroupNorm, LayerMut, Linear};
use crate::ops::{self, Activation, Differentiable};

/// Options that all residual blocks of a network share.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResnetConfig {
    /// The width of the time embedding, if the network has one.
    pub(super) time_width: Option<usize>,
    /// Whether the time embedding scales and shifts the second norm, instead of being added before it.
    pub(super) scale_shift: bool,
    pub(super) groups: usize,
    pub(super) eps: f64,
    pub(super) activation: Activation,
    /// The divisor of the block's output.
    pub(super) output_scale: f64,
}

/// Two convolutions with a skip connection (diffusers' `ResnetBlock2D`).
#[derive(Clone, Debug)]
pub(super) struct ResnetBlock2D {
    config: ResnetConfig,
    norm1: GroupNorm,
    conv1: Conv2d,
    time_emb_proj: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    conv_shortcut: Option<Conv2d>,
}

impl ResnetBlock2D {
    pub(super) fn load(
        input: usize,
        output: usize,
        config: ResnetConfig,
        weights: &VarBuilder,
    ) -> Result<Self> {
        let (groups, eps) = (config.groups, config.eps);
        let time_output = if config.scale_shift { 2 * output } else { output };
        let time_emb_proj = config
            .time_width
            .map(|width| Linear::load(width, time_output, &weights.pp("time_emb_proj")));
        let conv_shortcut =
            (input != output).then(|| Conv2d::load(input, output, 1, &weights.pp("conv_shortcut")));
        Ok(Self {
            config,
            norm1: GroupNorm::load(groups, input, eps, &weights.pp("norm1"))?,
            conv1: Conv2d::load(input, output, 3, &weights.pp("conv1"))?,
            time_emb_proj: time_emb_proj.transpose()?,
            norm2: GroupNorm::load(groups, output, eps, &weights.pp("norm2"))?,
            conv2: Conv2d::load(output, output, 3, &weights.pp("conv2"))?,
            conv_shortcut: conv_shortcut.transpose()?,
        })
    }

    /// All dense layers and convolutions.
    pub(super) fn layers(&mut self) -> Vec<LayerMut<'_>> {
        let mut layers = vec![LayerMut::Conv2d(&mut self.conv1), LayerMut::Conv2d(&mut self.conv2)];
        layers.extend(self.time_emb_proj.as_mut().map(LayerMut::Linear));
        layers.extend(self.conv_shortcut.as_mut().map(LayerMut::Conv2d));
        layers
    }

    /// `x` is `(batch, in, height, width)`, `time` is `(1, time_width)` or `(batch, time_width)`.
    pub(super) fn forward(&self, x: &Tensor, time: Option<&Tensor>) -> Result<Tensor> {
        let activation = self.config.activation;
        let hidden = self.conv1.forward(&self.norm1.forward_with(activation, x)?)?;
        let hidden = self.second_norm(&hidden, self.projected(time)?.as_ref())?;
        let hidden = self.conv2.forward(&hidden)?;
        let sum = match &self.conv_shortcut {
            Some(shortcut) => ops::add(&shortcut.forward(x)?, &hidden)?,
            None => ops::add(x, &hidden)?,
        };
        if self.config.output_scale == 1.0 { Ok(sum) } else { sum / self.config.output_scale }
    }

    /// The time embedding, projected to the channels of the second norm.
    fn projected(&self, time: Option<&Tensor>) -> Result<Option<Tensor>> {
        let (Some(project), Some(time)) = (&self.time_emb_proj, time) else { return Ok(None) };
        project.forward(&self.config.activation.forward(time)?).map(Some)
    }

    /// The second norm and the activation of the output of the first convolution, under a projected time embedding.
    fn second_norm(&self, hidden: &Tensor, time: Option<&Tensor>) -> Result<Tensor> {
        let activation = self.config.activation;
        match time {
            Some(time) if self.config.scale_shift => {
                let time = time.unsqueeze(2)?.unsqueeze(3)?;
                let parts = time.chunk(2, 1)?;
                let scaled = self.norm2.forward(hidden)?.broadcast_mul(&(&parts[0] + 1.0)?)?;
                activation.forward(&scaled.broadcast_add(&parts[1])?)
            }
            Some(time) => self.norm2.forward_with(activation, &ops::add_channels(hidden, time)?),
            None => self.norm2.forward_with(activation, hidden),
        }
    }

    /// The gradient of [`Self::second_norm`] with respect to `hidden`, given that of the result.
    fn second_norm_gradient(
        &self,
        hidden: &Tensor,
        time: Option<&Tensor>,
        gradient: Tensor,
    ) -> Result<Tensor> {
        let activation = self.config.activation;
        match time {
            Some(_) if self.config.scale_shift => {
                (|hidden: &Tensor| self.second_norm(hidden, time)).gradient(hidden, gradient)
            }
            Some(time) => {
                let shifted = ops::add_channels(hidden, time)?;
                self.norm2.gradient_with(activation, &shifted, gradient)
            }
            None => self.norm2.gradient_with(activation, hidden, gradient),
        }
    }

    /// The gradient of [`Self::forward`] with respect to `x`, given that of the result.
    ///
    /// Only the first convolution is computed again: the gradient needs no result of the second one.
    pub(super) fn gradient(
        &self,
        x: &Tensor,
        time: Option<&Tensor>,
        gradient: Tensor,
    ) -> Result<Tensor> {
        let ResnetConfig { activation, output_scale, .. } = self.config;
        let gradient = if output_scale == 1.0 { gradient } else { (gradient / output_scale)? };
        let hidden = self.conv1.forward(&self.norm1.forward_with(activation, x)?)?;
        let mut inner = self.conv2.gradient(&gradient)?;
        inner = self.second_norm_gradient(&hidden, self.projected(time)?.as_ref(), inner)?;
        drop(hidden);
        inner = self.conv1.gradient(&inner)?;
        inner = self.norm1.gradient_with(activation, x, inner)?;
        match &self.conv_shortcut {
            Some(shortcut) => ops::add(&inner, &shortcut.gradient(&gradient)?),
            None => ops::add(&inner, &gradient),
        }
    }
}

/// Halves height and width with a convolution.
#[derive(Clone, Debug)]
pub(super) struct Downsample2D {
    conv: Conv2d,
    /// With padding 0, one row and one column of zeros are added at the bottom and right.
    pad_end: bool,
}

impl Downsample2D {
    pub(super) fn load(channels: usize, padding: usize, weights: &VarBuilder) -> Result<Self> {
        let conv = Conv2d::load(channels, channels, 3, &weights.pp("conv"))?.halving(padding);
        Ok(Self { conv, pad_end: padding == 0 })
    }

    pub(super) fn layer(&mut self) -> LayerMut<'_> {
        LayerMut::Conv2d(&mut self.conv)
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if self.pad_end {
            self.conv.forward(&x.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1)?)
        } else {
            self.conv.forward(x)
        }
    }
}

/// Nearest-neighbour upsampling followed by a convolution.
#[derive(Clone, Debug)]
pub(super) struct Upsample2D {
    conv: Conv2d,
}

impl Upsample2D {
    pub(super) fn load(channels: usize, weights: &VarBuilder) -> Result<Self> {
        Ok(Self { conv: Conv2d::load(channels, channels, 3, &weights.pp("conv"))? })
    }

    pub(super) fn layer(&mut self) -> LayerMut<'_> {
        LayerMut::Conv2d(&mut self.conv)
    }

    /// Upsamples to `size`, or by a factor of 2.
    pub(super) fn forward(&self, x: &Tensor, size: Option<(usize, usize)>) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        let (height, width) = size.unwrap_or((2 * height, 2 * width));
        self.conv.forward(&ops::upsample_nearest(x, height, width)?)
    }

    /// The gradient with respect to `x`, given that of the result.
    pub(super) fn gradient(&self, x: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        ops::upsample_nearest_gradient(x, &self.conv.gradient(gradient)?)
    }
}
