//! The sizes of a UNet or a `ControlNet`, from the shapes of its tensors.

use serde_json::{Value, json};

use crate::model::{
    ModelError, TensorSource,
    tensors::{count, dims},
};

/// The sizes that the shapes of tensors tell.
#[derive(Clone, Debug)]
pub(crate) struct UNetSizes {
    /// The channels of the latents.
    pub(crate) latents: usize,
    pub(crate) levels: Vec<UNetLevel>,
    /// The transformer layers of the middle block.
    middle: usize,
    /// The width of a token of the prompt. `None` without attention.
    pub(crate) tokens: Option<usize>,
    /// Whether the projections of the attention are linear, and not convolutions.
    is_linear: bool,
}

/// The sizes of a down block.
#[derive(Clone, Debug)]
pub(crate) struct UNetLevel {
    pub(crate) channels: usize,
    /// The residual blocks.
    pub(crate) layers: usize,
    /// The transformer layers behind each of them.
    depth: usize,
}

impl UNetSizes {
    /// Reads the sizes of a network by the names of diffusers.
    ///
    /// # Errors
    /// If a tensor is missing, or has an unexpected number of dimensions.
    pub(crate) fn read(tensors: &dyn TensorSource) -> Result<Self, ModelError> {
        let [_, latents, _, _] = dims(tensors, "conv_in.weight")?;
        let transformers = |attention: &str| {
            count(tensors, |at| format!("{attention}.transformer_blocks.{at}.norm1.weight"))
        };
        let blocks = count(tensors, |at| format!("down_blocks.{at}.resnets.0.norm1.weight"));
        let level = |at: usize| {
            let block = format!("down_blocks.{at}");
            let [channels, ..]: [usize; 4] =
                dims(tensors, &format!("{block}.resnets.0.conv1.weight"))?;
            let layers = count(tensors, |layer| format!("{block}.resnets.{layer}.norm1.weight"));
            let depth = transformers(&format!("{block}.attentions.0"));
            Ok(UNetLevel { channels, layers, depth })
        };
        let levels = (0..blocks).map(level).collect::<Result<Vec<_>, ModelError>>()?;
        let crossing = levels.iter().position(|level: &UNetLevel| level.depth > 0);
        let attention = match crossing {
            Some(level) => format!("down_blocks.{level}.attentions.0"),
            None => "mid_block.attentions.0".to_owned(),
        };
        let key = format!("{attention}.transformer_blocks.0.attn2.to_k.weight");
        let tokens = tensors.contains(&key).then(|| dims(tensors, &key).map(|[_, width]| width));
        let proj_in = tensors.shape(&format!("{attention}.proj_in.weight"));
        Ok(Self {
            latents,
            middle: transformers("mid_block.attentions.0"),
            tokens: tokens.transpose()?,
            is_linear: proj_in.is_some_and(|shape| shape.len() == 2),
            levels,
        })
    }

    /// Whether the middle block has attention.
    pub(crate) fn has_middle_attention(&self) -> bool {
        self.middle > 0
    }

    /// The channels of each level.
    pub(crate) fn channels(&self) -> impl Iterator<Item = usize> {
        self.levels.iter().map(|level| level.channels)
    }

    /// The fields of the configuration that state these sizes.
    pub(crate) fn config(&self) -> Value {
        let last = self.levels.len().saturating_sub(1);
        let of_levels = |of: &dyn Fn(usize, &UNetLevel) -> Value| -> Value {
            self.levels.iter().enumerate().map(|(at, level)| of(at, level)).collect()
        };
        json!({
            "in_channels": self.latents,
            "block_out_channels": of_levels(&|_, level| json!(level.channels)),
            "layers_per_block": of_levels(&|_, level| json!(level.layers)),
            "down_block_types": of_levels(&|_, level| {
                json!(if level.depth > 0 { "CrossAttnDownBlock2D" } else { "DownBlock2D" })
            }),
            "mid_block_type": "UNetMidBlock2DCrossAttn",
            "cross_attention_dim": self.tokens,
            // The last number is also that of the middle block.
            "transformer_layers_per_block": of_levels(&|at, level| {
                json!(if at == last { self.middle } else { level.depth })
            }),
            "reverse_transformer_layers_per_block": null,
            "use_linear_projection": self.is_linear,
        })
    }
}
