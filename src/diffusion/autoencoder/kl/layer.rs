//! The layers of [`AutoencoderKL`](super::AutoencoderKL), with their gradients.

use candle_core::Tensor;
use candle_nn::VarBuilder;

use super::EPS;
use crate::{
    diffusion::{
        layers::{Conv2d, GroupNorm, Linear},
        resnet::{Downsample2D, ResnetBlock2D, Upsample2D},
    },
    ops::{self, Activation, AttentionMask, Differentiable},
};

#[derive(Clone, Debug)]
pub(super) enum Layer {
    Conv(Conv2d),
    Resnet(ResnetBlock2D),
    Attention(Attention),
    Downsample(Downsample2D),
    Upsample(Upsample2D),
    /// The last norm, SiLU and the last convolution.
    Output(GroupNorm, Conv2d),
}

impl Differentiable for Layer {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::Conv(conv) => conv.forward(x),
            Self::Resnet(resnet) => resnet.forward(x, None),
            Self::Attention(attention) => attention.forward(x),
            Self::Downsample(downsampler) => downsampler.forward(x),
            Self::Upsample(upsampler) => upsampler.forward(x, None),
            Self::Output(norm, conv) => conv.forward(&norm.forward_with(Activation::Silu, x)?),
        }
    }

    fn gradient(&self, x: &Tensor, gradient: Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::Conv(conv) => conv.gradient(&gradient),
            Self::Resnet(resnet) => resnet.gradient(x, None, gradient),
            Self::Upsample(upsampler) => upsampler.gradient(x, &gradient),
            Self::Output(norm, conv) => {
                norm.gradient_with(Activation::Silu, x, conv.gradient(&gradient)?)
            }
            Self::Attention(_) | Self::Downsample(_) => {
                (|x: &Tensor| self.forward(x)).gradient(x, gradient)
            }
        }
    }
}

/// Single-head attention of each pixel to all others.
#[derive(Clone, Debug)]
pub(super) struct Attention {
    group_norm: GroupNorm,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
}

impl Attention {
    pub(super) fn load(
        channels: usize,
        groups: usize,
        weights: &VarBuilder,
    ) -> candle_core::Result<Self> {
        // The names in old published weights, and the names that diffusers uses now.
        let old = weights.contains_tensor("query.weight");
        let project = |now: &str, before: &str| {
            Linear::load(channels, channels, &weights.pp(if old { before } else { now }))
        };
        Ok(Self {
            group_norm: GroupNorm::load(groups, channels, EPS, &weights.pp("group_norm"))?,
            to_q: project("to_q", "query")?,
            to_k: project("to_k", "key")?,
            to_v: project("to_v", "value")?,
            to_out: project("to_out.0", "proj_attn")?,
        })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let pixels = self.group_norm.forward(x)?.flatten_from(2)?.transpose(1, 2)?.contiguous()?;
        let (query, key) = (self.to_q.forward(&pixels)?, self.to_k.forward(&pixels)?);
        let attended = ops::attention(
            &query,
            &key,
            &self.to_v.forward(&pixels)?,
            1,
            AttentionMask::default(),
        )?;
        let picture = self.to_out.forward(&attended)?.transpose(1, 2)?.contiguous()?;
        ops::add(&picture.reshape(x.shape())?, x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diffusion::{resnet::ResnetConfig, weights::check::any_weights},
        ops::{
            Chain,
            check::{gradients_agree, numbers},
        },
    };

    fn gradient_agrees(layer: &Layer) {
        gradients_agree(&[numbers((1, 4, 4, 6), 1)], |[x]| {
            let mut chain = Chain::new(x);
            chain.push(layer.clone())?;
            chain.finish()
        });
    }

    #[test]
    fn gradients_of_residual_blocks_match_finite_differences() {
        let weights = any_weights();
        let config = ResnetConfig {
            time_width: None,
            scale_shift: false,
            groups: 2,
            eps: EPS,
            activation: Activation::Silu,
            output_scale: 1.0,
        };
        let other = ResnetConfig { activation: Activation::Mish, output_scale: 2.0, ..config };
        for (output, config) in [(4, config), (6, config), (4, other)] {
            let resnet = ResnetBlock2D::load(4, output, config, &weights).unwrap();
            gradient_agrees(&Layer::Resnet(resnet));
        }
    }

    #[test]
    fn gradients_of_the_other_layers_match_finite_differences() {
        let weights = any_weights();
        let conv = Conv2d::load(4, 3, 3, &weights).unwrap();
        let norm = GroupNorm::load(2, 4, EPS, &weights).unwrap();
        for layer in [
            Layer::Conv(conv.clone()),
            Layer::Attention(Attention::load(4, 2, &weights).unwrap()),
            Layer::Downsample(Downsample2D::load(4, 0, &weights).unwrap()),
            Layer::Upsample(Upsample2D::load(4, &weights).unwrap()),
            Layer::Output(norm, conv),
        ] {
            gradient_agrees(&layer);
        }
    }
}
