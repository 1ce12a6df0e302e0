//! The sizes of a UNet or a `ControlNet`, from the shapes of its tensors.

use serde_json::{Value, json};

use crate::model::{
    ModelError, TensorSource,
    tensors::{count, dims, unsupported},
};

/// The sizes that the shapes of tensors tell.
#[derive(Clone, Debug)]
pub(crate) struct UNetSizes {
    /// The channels of the latents.
    pub(crate) latents: usize,
    pub(crate) levels: Vec<UNetLevel>,
    middle: Middle,
    /// The transformer layers behind each residual block on the way up, for each level, from the smallest one. Empty for a
    /// `ControlNet`.
    depths_up: Vec<Vec<usize>>,
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
    depths: Vec<usize>,
}

/// The block between the way down and the way up. Networks that were made smaller have no attention there, or no such block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Middle {
    None,
    Residual,
    /// With so many transformer layers.
    Attention(usize),
}

impl UNetSizes {
    /// Reads the sizes of a network by the names of diffusers.
    ///
    /// # Errors
    /// If a tensor is missing, has an unexpected number of dimensions, or if the middle block has another number of transformer
    /// layers than the level before it, which no configuration can state.
    pub(crate) fn read(tensors: &dyn TensorSource) -> Result<Self, ModelError> {
        let [_, latents, _, _] = dims(tensors, "conv_in.weight")?;
        let depth = |attention: &str| {
            count(tensors, |at| format!("{attention}.transformer_blocks.{at}.norm1.weight"))
        };
        let layers =
            |block: &str| count(tensors, |at| format!("{block}.resnets.{at}.norm1.weight"));
        let depths = |block: &str| -> Vec<usize> {
            (0..layers(block)).map(|at| depth(&format!("{block}.attentions.{at}"))).collect()
        };
        let blocks = |way: &str| count(tensors, |at| format!("{way}.{at}.resnets.0.norm1.weight"));
        let level = |at: usize| {
            let block = format!("down_blocks.{at}");
            let [channels, ..]: [usize; 4] =
                dims(tensors, &format!("{block}.resnets.0.conv1.weight"))?;
            Ok(UNetLevel { channels, layers: layers(&block), depths: depths(&block) })
        };
        let levels =
            (0..blocks("down_blocks")).map(level).collect::<Result<Vec<_>, ModelError>>()?;
        let middle = match (depth("mid_block.attentions.0"), layers("mid_block")) {
            (0, 0) => Middle::None,
            (0, _) => Middle::Residual,
            (depth, _) => Middle::Attention(depth),
        };
        let last = levels.last().filter(|level: &&UNetLevel| level.has_attention());
        if let Middle::Attention(depth) = middle
            && let Some(last) = last.and_then(|level| level.depths.first())
            && *last != depth
        {
            let name = "mid_block.attentions.0.transformer_blocks.0.norm1.weight";
            let expected = format!("one of {last} transformer layers, as the last level has");
            return Err(unsupported(tensors, name, &expected));
        }
        let crossing = levels.iter().position(|level: &UNetLevel| level.has_attention());
        let attention = match crossing {
            Some(level) => format!("down_blocks.{level}.attentions.0"),
            None => "mid_block.attentions.0".to_owned(),
        };
        let key = format!("{attention}.transformer_blocks.0.attn2.to_k.weight");
        let tokens = tensors.contains(&key).then(|| dims(tensors, &key).map(|[_, width]| width));
        let proj_in = tensors.shape(&format!("{attention}.proj_in.weight"));
        let up = (0..blocks("up_blocks")).map(|at| depths(&format!("up_blocks.{at}")));
        Ok(Self {
            latents,
            middle,
            depths_up: up.collect(),
            tokens: tokens.transpose()?,
            is_linear: proj_in.is_some_and(|shape| shape.len() == 2),
            levels,
        })
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
        let mut config = json!({
            "in_channels": self.latents,
            "block_out_channels": of_levels(&|_, level| json!(level.channels)),
            "layers_per_block": of_levels(&|_, level| json!(level.layers)),
            "down_block_types": of_levels(&|_, level| {
                json!(if level.has_attention() { "CrossAttnDownBlock2D" } else { "DownBlock2D" })
            }),
            "mid_block_type": match self.middle {
                Middle::None => None,
                Middle::Residual => Some("UNetMidBlock2D"),
                Middle::Attention(_) => Some("UNetMidBlock2DCrossAttn"),
            },
            "cross_attention_dim": self.tokens,
            "transformer_layers_per_block": of_levels(&|at, level| match self.middle {
                // The last number is also that of the middle block.
                Middle::Attention(depth) if at == last && !level.has_attention() => json!(depth),
                _ => short(&level.depths),
            }),
            "reverse_transformer_layers_per_block": null,
            "use_linear_projection": self.is_linear,
        });
        if !self.depths_up.is_empty() {
            let up = self.depths_up.iter();
            config["up_block_types"] = up.clone().map(|depths| up_block_type(depths)).collect();
            config["reverse_transformer_layers_per_block"] =
                up.map(|depths| short(depths)).collect();
        }
        config
    }
}

impl UNetLevel {
    fn has_attention(&self) -> bool {
        has_attention(&self.depths)
    }
}

fn has_attention(depths: &[usize]) -> bool {
    depths.iter().any(|depth| *depth > 0)
}

fn up_block_type(depths: &[usize]) -> &'static str {
    if has_attention(depths) { "CrossAttnUpBlock2D" } else { "UpBlock2D" }
}

/// A number for all layers, or a list.
fn short(depths: &[usize]) -> Value {
    match depths {
        [first, rest @ ..] if rest.iter().all(|depth| depth == first) => json!(first),
        depths => json!(depths),
    }
}
