//! The inputs that all blocks of a UNet share.

use std::sync::Arc;

use candle_core::{DType, Result, Tensor, TensorId};

use crate::{
    diffusion::{
        Conditioning, DiffusionError, Interrupt,
        adapter::{ActiveAdapters, AdapterError, ImageKeys, PixelMask},
        resnet::ResnetBlock2D,
    },
    ops::{Chain, Differentiable},
};

/// The inputs that all blocks share in one prediction. Clones share them: the backward pass keeps them.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    /// The embedded timestep, `(1, width)`, with the conditions beside the prompt `(batch, width)`.
    pub(super) time: Tensor,
    /// The tokens of the prompt, `(batch, tokens, width)`.
    pub(super) context: Tensor,
    /// The tokens that they were converted from, which are the same in every step.
    pub(super) context_id: TensorId,
    /// The images beside the prompt.
    pub(super) images: Arc<[SeenImage]>,
    pub(super) interrupt: Interrupt,
}

/// A layer whose result depends on the inputs of a pass.
pub(super) trait ConditionedLayer: Clone + Send + Sync + 'static {
    /// `x` is `(batch, channels, height, width)`.
    fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor>;

    /// The gradient with respect to `x`, given that of the result.
    fn gradient(&self, x: &Tensor, gradient: Tensor, pass: &Pass) -> Result<Tensor> {
        (|x: &Tensor| self.forward(x, pass)).gradient(x, gradient)
    }
}

impl ConditionedLayer for ResnetBlock2D {
    fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        self.forward(x, Some(&pass.time))
    }

    fn gradient(&self, x: &Tensor, gradient: Tensor, pass: &Pass) -> Result<Tensor> {
        self.gradient(x, Some(&pass.time), gradient)
    }
}

impl Pass {
    /// Applies a layer. The graph keeps only `x`: the backward pass computes the layer again, unless the other inputs need
    /// gradients, too.
    pub(super) fn run(
        &self,
        layer: &impl ConditionedLayer,
        x: &Tensor,
    ) -> std::result::Result<Tensor, DiffusionError> {
        self.interrupt.check()?;
        if !x.track_op() || self.needs_gradients() {
            return Ok(layer.forward(x, self)?);
        }
        let mut chain = Chain::new(x);
        chain.push(InPass { layer: layer.clone(), pass: self.clone() })?;
        Ok(chain.finish()?)
    }

    fn needs_gradients(&self) -> bool {
        self.time.track_op()
            || self.context.track_op()
            || self.images.iter().any(|image| image.keys.needs_gradients())
    }
}

/// A layer with its other inputs.
struct InPass<L> {
    layer: L,
    pass: Pass,
}

impl<L: ConditionedLayer> Differentiable for InPass<L> {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.layer.forward(x, &self.pass)
    }

    fn gradient(&self, x: &Tensor, gradient: Tensor) -> Result<Tensor> {
        self.pass.interrupt.check().map_err(candle_core::Error::wrap)?;
        self.layer.gradient(x, gradient, &self.pass)
    }
}

/// An image that the cross attentions see beside the prompt.
#[derive(Clone, Debug)]
pub(super) struct SeenImage {
    keys: ImageKeys,
    weight: f64,
    mask: Option<PixelMask>,
}

/// An image in one cross attention.
#[derive(Clone, Debug)]
pub(super) struct ImageInAttention<'a> {
    pub(super) key: &'a Tensor,
    pub(super) value: &'a Tensor,
    pub(super) weight: f64,
    /// The share of each position, `(1, positions, 1)`.
    pub(super) mask: Option<Tensor>,
}

impl SeenImage {
    /// The images of a prediction, with keys of a type. Each has keys for all cross attentions of the denoiser, `attentions`.
    pub(super) fn all(
        conditioning: &Conditioning,
        adapters: &ActiveAdapters,
        attentions: usize,
        dtype: DType,
    ) -> std::result::Result<Arc<[Self]>, DiffusionError> {
        let images = adapters.images.iter().map(|image| {
            let keys = conditioning.images.get(image.index);
            let found = keys.map_or(0, ImageKeys::len);
            match keys.filter(|_| found == attentions) {
                Some(keys) => Ok(Self {
                    keys: keys.to_dtype(dtype)?,
                    weight: image.weight.into(),
                    mask: image.mask.clone(),
                }),
                None => {
                    let (image, expected) = (image.index, attentions);
                    Err(AdapterError::ImageKeys { image, found, expected }.into())
                }
            }
        });
        images.collect()
    }

    /// The image in a cross attention over `rows` times `columns` positions. `None` if it has no keys there.
    pub(super) fn in_attention(
        &self,
        attention: usize,
        (rows, columns): (usize, usize),
    ) -> Option<Result<ImageInAttention<'_>>> {
        let key_value = self.keys.get(attention)?;
        let (key, value) = (&key_value.key, &key_value.value);
        let mask = self
            .mask
            .as_ref()
            .map(|mask| mask.positions(rows, columns, key.device())?.to_dtype(key.dtype()));
        let image = |mask| ImageInAttention { key, value, weight: self.weight, mask };
        Some(mask.transpose().map(image))
    }
}

/// The features of adapters for a level of the denoiser.
#[derive(Clone, Copy, Debug)]
pub(super) struct Feature<'a> {
    level: usize,
    /// `(1 or batch, channels, height, width)`.
    tensor: &'a Tensor,
}

impl<'a> Feature<'a> {
    /// The features of all levels, in the order of the blocks.
    pub(super) fn all(adapters: Option<&'a ActiveAdapters>) -> impl Iterator<Item = Self> {
        let features = adapters.map_or(&[][..], |adapters| &adapters.features);
        features.iter().enumerate().map(|(level, tensor)| Self { level, tensor })
    }

    /// Adds the features to the output of a block.
    pub(super) fn add_to(self, hidden: &Tensor) -> std::result::Result<Tensor, DiffusionError> {
        let (found, expected) = (self.tensor.dims(), hidden.dims());
        if found.get(1..) != expected.get(1..) {
            let (found, expected) = (found.to_vec(), expected.to_vec());
            return Err(AdapterError::FeatureShape { level: self.level, found, expected }.into());
        }
        Ok(hidden.broadcast_add(&self.tensor.to_dtype(hidden.dtype())?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diffusion::{
            denoise::unet::{block::BlockConfig, transformer::Transformer2D},
            resnet::ResnetConfig,
            weights::check::any_weights,
        },
        ops::{
            Activation,
            check::{gradients_agree, numbers},
        },
    };

    const RESNET: ResnetConfig = ResnetConfig {
        time_width: Some(5),
        scale_shift: false,
        groups: 2,
        eps: 1e-5,
        activation: Activation::Silu,
        output_scale: 1.0,
    };

    fn pass() -> Pass {
        let context = numbers((1, 3, 6), 3);
        Pass {
            time: numbers((1, 5), 2),
            context_id: context.id(),
            context,
            images: Arc::default(),
            interrupt: Interrupt::default(),
        }
    }

    fn gradient_agrees(layer: &impl ConditionedLayer) {
        let pass = pass();
        gradients_agree(&[numbers((1, 4, 2, 3), 1)], |[x]| Ok(pass.run(layer, x).unwrap()));
    }

    #[test]
    fn gradients_of_residual_blocks_with_a_time_embedding_match_finite_differences() {
        let scaled = ResnetConfig { scale_shift: true, output_scale: 2.0, ..RESNET };
        for (output, config) in [(4, RESNET), (6, RESNET), (4, scaled)] {
            gradient_agrees(&ResnetBlock2D::load(4, output, config, &any_weights()).unwrap());
        }
    }

    #[test]
    fn gradients_of_transformers_match_finite_differences() {
        let config = BlockConfig {
            resnet: RESNET,
            heads: 2,
            context: 6,
            linear_projection: false,
            only_cross_attention: false,
            first_attention: 0,
        };
        gradient_agrees(&Transformer2D::load(4, 1, 0, &config, &any_weights()).unwrap());
    }

    #[test]
    fn a_cancelled_pass_stops_in_the_backward_pass_too() {
        let pass = pass();
        let layer = ResnetBlock2D::load(4, 4, RESNET, &any_weights()).unwrap();
        let x = candle_core::Var::from_tensor(&numbers((1, 4, 2, 3), 1)).unwrap();
        let result = pass.run(&layer, &x).unwrap();
        pass.interrupt.cancel();
        assert!(result.sum_all().unwrap().backward().is_err());
        assert!(matches!(pass.run(&layer, &x), Err(DiffusionError::Cancelled)));
    }
}
