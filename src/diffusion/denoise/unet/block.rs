//! The blocks of a UNet. Each is one resolution level on the way down or up.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::{
    pass::{Feature, Pass},
    transformer::Transformer2D,
};
use crate::diffusion::{
    DiffusionError,
    layers::LayerMut,
    resnet::{Downsample2D, ResnetBlock2D, ResnetConfig, Upsample2D},
};

/// Options that the layers of a block share.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockConfig {
    pub(super) resnet: ResnetConfig,
    pub(super) heads: usize,
    /// The width of a context token.
    pub(super) context: usize,
    pub(super) linear_projection: bool,
    pub(super) only_cross_attention: bool,
    /// The number of the block's first cross attention, in the order of IP-Adapter: down blocks, up blocks, middle block.
    pub(super) first_attention: usize,
}

impl BlockConfig {
    /// The width of attention to feature maps with these channels.
    pub(super) fn attention_width(&self, channels: usize) -> usize {
        channels / self.heads * self.heads
    }
}

/// A residual block, followed by a transformer if the block has attention.
#[derive(Clone, Debug)]
struct Layer {
    resnet: ResnetBlock2D,
    attention: Option<Transformer2D>,
}

impl Layer {
    fn load(
        index: usize,
        (input, output): (usize, usize),
        depths: Option<&[usize]>,
        config: &BlockConfig,
        weights: &VarBuilder,
    ) -> Result<Self> {
        let attention = depths.map(|depths| {
            let weights = weights.pp("attentions").pp(index);
            let first = config.first_attention + depths[..index].iter().sum::<usize>();
            Transformer2D::load(output, depths[index], first, config, &weights)
        });
        let weights = weights.pp("resnets").pp(index);
        let resnet = ResnetBlock2D::load(input, output, config.resnet, &weights)?;
        Ok(Self { resnet, attention: attention.transpose()? })
    }

    fn layers(&mut self) -> Vec<LayerMut<'_>> {
        let mut layers = self.resnet.layers();
        layers.extend(self.attention.iter_mut().flat_map(Transformer2D::layers));
        layers
    }

    fn forward(&self, x: &Tensor, pass: &Pass) -> std::result::Result<Tensor, DiffusionError> {
        let hidden = pass.run(&self.resnet, x)?;
        let Some(attention) = &self.attention else { return Ok(hidden) };
        pass.run(attention, &hidden)
    }
}

/// `DownBlock2D` and `CrossAttnDownBlock2D`.
#[derive(Clone, Debug)]
pub(super) struct DownBlock {
    layers: Vec<Layer>,
    downsampler: Option<Downsample2D>,
}

impl DownBlock {
    /// `depths` holds the number of transformer layers after each residual block, if the block has
    /// attention. `padding` is the padding of the downsampling convolution, if there is one.
    pub(super) fn load(
        (input, output): (usize, usize),
        count: usize,
        depths: Option<&[usize]>,
        padding: Option<usize>,
        config: &BlockConfig,
        weights: &VarBuilder,
    ) -> Result<Self> {
        let layers = (0..count).map(|index| {
            let input = if index == 0 { input } else { output };
            Layer::load(index, (input, output), depths, config, weights)
        });
        let downsampler = padding
            .map(|padding| Downsample2D::load(output, padding, &weights.pp("downsamplers").pp(0)));
        Ok(Self { layers: layers.collect::<Result<_>>()?, downsampler: downsampler.transpose()? })
    }

    /// All dense layers and convolutions.
    pub(super) fn layers(&mut self) -> Vec<LayerMut<'_>> {
        let mut layers: Vec<_> = self.layers.iter_mut().flat_map(Layer::layers).collect();
        layers.extend(self.downsampler.as_mut().map(Downsample2D::layer));
        layers
    }

    /// Pushes the output of each layer onto `skipped`. As in diffusers, the features of adapters are added before the
    /// downsampler in a block with attention, after it in others.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        feature: Option<Feature<'_>>,
        pass: &Pass,
        skipped: &mut Vec<Tensor>,
    ) -> std::result::Result<Tensor, DiffusionError> {
        let mut hidden = x.clone();
        for layer in &self.layers {
            hidden = layer.forward(&hidden, pass)?;
            skipped.push(hidden.clone());
        }
        let has_attention = self.layers.iter().any(|layer| layer.attention.is_some());
        let (before, after) = if has_attention { (feature, None) } else { (None, feature) };
        hidden = with_feature(hidden, before, skipped)?;
        if let Some(downsampler) = &self.downsampler {
            pass.interrupt.check()?;
            hidden = downsampler.forward(&hidden)?;
            skipped.push(hidden.clone());
        }
        with_feature(hidden, after, skipped)
    }
}

/// Adds features to the output of a layer, which is also the last skipped feature map.
fn with_feature(
    hidden: Tensor,
    feature: Option<Feature<'_>>,
    skipped: &mut [Tensor],
) -> std::result::Result<Tensor, DiffusionError> {
    let Some(feature) = feature else { return Ok(hidden) };
    let sum = feature.add_to(&hidden)?;
    if let Some(last) = skipped.last_mut() {
        *last = sum.clone();
    }
    Ok(sum)
}

/// `UNetMidBlock2D` and `UNetMidBlock2DCrossAttn`.
#[derive(Clone, Debug)]
pub(super) struct MidBlock {
    first: ResnetBlock2D,
    /// The transformer and the residual block after it, if the block has attention.
    rest: Option<(Transformer2D, ResnetBlock2D)>,
}

impl MidBlock {
    pub(super) fn load(
        channels: usize,
        depth: Option<usize>,
        config: &BlockConfig,
        weights: &VarBuilder,
    ) -> Result<Self> {
        let resnet = |index: usize| {
            let weights = weights.pp("resnets").pp(index);
            ResnetBlock2D::load(channels, channels, config.resnet, &weights)
        };
        let rest = match depth {
            Some(depth) => {
                let weights = weights.pp("attentions").pp(0);
                let first = config.first_attention;
                Some((Transformer2D::load(channels, depth, first, config, &weights)?, resnet(1)?))
            }
            None => None,
        };
        Ok(Self { first: resnet(0)?, rest })
    }

    /// All dense layers and convolutions.
    pub(super) fn layers(&mut self) -> Vec<LayerMut<'_>> {
        let mut layers = self.first.layers();
        if let Some((attention, second)) = &mut self.rest {
            layers.extend(attention.layers().into_iter().chain(second.layers()));
        }
        layers
    }

    pub(super) fn forward(
        &self,
        x: &Tensor,
        pass: &Pass,
    ) -> std::result::Result<Tensor, DiffusionError> {
        let hidden = pass.run(&self.first, x)?;
        let Some((attention, second)) = &self.rest else { return Ok(hidden) };
        pass.run(second, &pass.run(attention, &hidden)?)
    }
}

/// `UpBlock2D` and `CrossAttnUpBlock2D`.
#[derive(Clone, Debug)]
pub(super) struct UpBlock {
    layers: Vec<Layer>,
    upsampler: Option<Upsample2D>,
}

impl UpBlock {
    /// `previous` is the number of channels from the block before, `output` that of the result, and
    /// `above` that of the last skipped feature map, which comes from the next larger level.
    pub(super) fn load(
        (previous, output, above): (usize, usize, usize),
        count: usize,
        depths: Option<&[usize]>,
        enlarges: bool,
        config: &BlockConfig,
        weights: &VarBuilder,
    ) -> Result<Self> {
        let layers = (0..count).map(|index| {
            let below = if index == 0 { previous } else { output };
            let skipped = if index == count - 1 { above } else { output };
            Layer::load(index, (below + skipped, output), depths, config, weights)
        });
        let upsampler = enlarges.then(|| Upsample2D::load(output, &weights.pp("upsamplers").pp(0)));
        Ok(Self { layers: layers.collect::<Result<_>>()?, upsampler: upsampler.transpose()? })
    }

    /// All dense layers and convolutions.
    pub(super) fn layers(&mut self) -> Vec<LayerMut<'_>> {
        let mut layers: Vec<_> = self.layers.iter_mut().flat_map(Layer::layers).collect();
        layers.extend(self.upsampler.as_mut().map(Upsample2D::layer));
        layers
    }

    /// Pops the feature maps of the way down from `skipped`, and upsamples to the size of the next one.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        pass: &Pass,
        skipped: &mut Vec<Tensor>,
    ) -> std::result::Result<Tensor, DiffusionError> {
        let mut hidden = x.clone();
        let own = skipped.split_off(skipped.len().saturating_sub(self.layers.len()));
        for (layer, skipped) in self.layers.iter().zip(own.iter().rev()) {
            let joined = Tensor::cat(&[&hidden, skipped], 1)?;
            hidden = layer.forward(&joined, pass)?;
        }
        let Some(upsampler) = &self.upsampler else { return Ok(hidden) };
        pass.interrupt.check()?;
        let size = match skipped.last() {
            Some(skipped) => Some((skipped.dim(2)?, skipped.dim(3)?)),
            None => None,
        };
        Ok(upsampler.forward(&hidden, size)?)
    }
}
