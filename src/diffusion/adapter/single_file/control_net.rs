//! ControlNets as single files, by the names of lllyasviel's `ControlNet` ("LDM") or of diffusers.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Names, Network, count};
use crate::{
    diffusion::{
        DiffusionError,
        adapter::{AdapterError, AdapterPlaces, projection::dims},
    },
    model::{Package, TensorSource, tensors::Renamed},
};

/// The names of the tensors of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Diffusers,
    /// The blocks of all levels are in one list, whose first block is the first convolution. Each level but the last ends
    /// with a block that halves the size.
    Ldm {
        prefix: &'static str,
        /// The first block of each level.
        starts: Vec<usize>,
        /// The residual blocks of each level.
        layers: Vec<usize>,
        /// The convolutions between the first and the last one of the drawing's embedding.
        drawing: usize,
    },
}

/// The denoiser's component, of which a ControlNet is a copy.
const DENOISER: &str = "unet";

/// The layers of a residual block: in diffusers, and in LDM.
const RESNET: [(&str, &str); 6] = [
    ("norm1", "in_layers.0"),
    ("conv1", "in_layers.2"),
    ("time_emb_proj", "emb_layers.1"),
    ("norm2", "out_layers.0"),
    ("conv2", "out_layers.3"),
    ("conv_shortcut", "skip_connection"),
];

impl Layout {
    /// The layout of a file. `None` if it is no ControlNet.
    pub(super) fn detect(tensors: &dyn TensorSource) -> Option<Self> {
        if tensors.contains("controlnet_cond_embedding.conv_in.weight") {
            return Some(Self::Diffusers);
        }
        let has_drawing =
            |prefix: &&str| tensors.contains(&format!("{prefix}input_hint_block.0.weight"));
        let prefix = ["control_model.", ""].into_iter().find(has_drawing)?;
        let has = |block: usize, part: &str| {
            tensors.contains(&format!("{prefix}input_blocks.{block}.0.{part}.weight"))
        };
        let (mut starts, mut layers, mut block) = (vec![1], vec![0], 1);
        loop {
            if has(block, "in_layers.0") {
                layers[starts.len() - 1] += 1;
            } else if has(block, "op") {
                starts.push(block + 1);
                layers.push(0);
            } else {
                break;
            }
            block += 1;
        }
        // Activations are between the convolutions, and have numbers, too.
        let drawing =
            count(tensors, |at| format!("{prefix}input_hint_block.{}.weight", 2 * (at + 1)));
        Some(Self::Ldm { prefix, starts, layers, drawing: drawing.saturating_sub(1) })
    }

    /// The configuration and the names of a network with these tensors.
    pub(super) fn network(
        self,
        source: Box<dyn TensorSource>,
        package: &dyn Package,
        places: &AdapterPlaces,
    ) -> Result<Network, DiffusionError> {
        let layout = Arc::new(self);
        let file = source.files();
        if layout.has_size_embedding(&*source) {
            let kind = "a ControlNet of Stable Diffusion XL".to_owned();
            return Err(AdapterError::Kind { file, kind }.into());
        }
        let stored: Names = Arc::new(move |name: &str| layout.stored(name));
        let names = Arc::clone(&stored);
        let tensors = Renamed { source, stored: move |name: &str| names(name) };
        let sizes = Sizes::read(&tensors)?;
        sizes.check(&file, places)?;
        Ok(Network { config: sizes.config(package.config(DENOISER)?), stored })
    }

    /// Whether the network knows the size of the picture, as that of Stable Diffusion XL does.
    fn has_size_embedding(&self, tensors: &dyn TensorSource) -> bool {
        match self {
            Self::Diffusers => tensors.contains("add_embedding.linear_1.weight"),
            Self::Ldm { prefix, .. } => tensors.contains(&format!("{prefix}label_emb.0.0.weight")),
        }
    }

    /// The name in the file of a tensor with a name of diffusers.
    fn stored(&self, name: &str) -> String {
        match self {
            Self::Diffusers => name.to_owned(),
            Self::Ldm { prefix, starts, layers, drawing } => {
                let parts: Vec<&str> = name.split('.').collect();
                let renamed = ldm_name(&parts, starts, layers, *drawing);
                // A name of no tensor of the network stays one.
                format!("{prefix}{}", renamed.unwrap_or_else(|| name.to_owned()))
            }
        }
    }
}

/// The LDM name for the parts of a name of diffusers. `None` if the network has no such tensor.
fn ldm_name(parts: &[&str], starts: &[usize], layers: &[usize], drawing: usize) -> Option<String> {
    let number = |part: &str| part.parse::<usize>().ok();
    let resnet = |rest: &[&str]| {
        let (first, rest) = rest.split_first()?;
        let (_, layer) = RESNET.iter().find(|(name, _)| name == first)?;
        Some(format!("{layer}.{}", rest.join(".")))
    };
    Some(match parts {
        ["time_embedding", "linear_1", rest] => format!("time_embed.0.{rest}"),
        ["time_embedding", "linear_2", rest] => format!("time_embed.2.{rest}"),
        ["conv_in", rest] => format!("input_blocks.0.0.{rest}"),
        ["controlnet_cond_embedding", "conv_in", rest] => format!("input_hint_block.0.{rest}"),
        ["controlnet_cond_embedding", "blocks", at, rest] => {
            format!("input_hint_block.{}.{rest}", 2 * (number(at)? + 1))
        }
        ["controlnet_cond_embedding", "conv_out", rest] => {
            format!("input_hint_block.{}.{rest}", 2 * (drawing + 1))
        }
        ["controlnet_down_blocks", at, rest] => format!("zero_convs.{at}.0.{rest}"),
        ["controlnet_mid_block", rest] => format!("middle_block_out.0.{rest}"),
        ["down_blocks", level, kind, layer, rest @ ..] => {
            let (level, layer) = (number(level)?, number(layer)?);
            let (start, layers) = (starts.get(level)?, *layers.get(level)?);
            match *kind {
                "resnets" => format!("input_blocks.{}.0.{}", start + layer, resnet(rest)?),
                "attentions" => format!("input_blocks.{}.1.{}", start + layer, rest.join(".")),
                "downsamplers" => {
                    let rest = rest.strip_prefix(&["conv"])?.join(".");
                    format!("input_blocks.{}.0.op.{rest}", start + layers)
                }
                _ => return None,
            }
        }
        ["mid_block", "resnets", at, rest @ ..] => {
            format!("middle_block.{}.{}", 2 * number(at)?, resnet(rest)?)
        }
        ["mid_block", "attentions", "0", rest @ ..] => format!("middle_block.1.{}", rest.join(".")),
        _ => return None,
    })
}

/// The sizes of a ControlNet, from the shapes of its tensors.
struct Sizes {
    latents: usize,
    levels: Vec<Level>,
    /// The transformer layers of the middle block.
    middle: usize,
    /// The width of a token of the prompt. `None` without attention.
    tokens: Option<usize>,
    /// Whether the projections of the attention are linear, and not convolutions.
    is_linear: bool,
    /// The channels of the feature maps of the drawing's embedding.
    drawing: Vec<usize>,
    /// The channels of a drawing.
    drawing_channels: usize,
}

/// The sizes of a down block.
struct Level {
    channels: usize,
    /// The residual blocks.
    layers: usize,
    /// The transformer layers behind each of them.
    depth: usize,
}

impl Sizes {
    fn read(tensors: &dyn TensorSource) -> Result<Self, DiffusionError> {
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
            Ok(Level { channels, layers, depth: transformers(&format!("{block}.attentions.0")) })
        };
        let levels = (0..blocks).map(level).collect::<Result<Vec<_>, DiffusionError>>()?;
        let crossing = levels.iter().position(|level: &Level| level.depth > 0);
        let attention = match crossing {
            Some(level) => format!("down_blocks.{level}.attentions.0"),
            None => "mid_block.attentions.0".to_owned(),
        };
        let key = format!("{attention}.transformer_blocks.0.attn2.to_k.weight");
        let tokens = tensors.contains(&key).then(|| dims(tensors, &key).map(|[_, width]| width));
        let proj_in = tensors.shape(&format!("{attention}.proj_in.weight"));
        let embedding = "controlnet_cond_embedding";
        let [first, drawing_channels, _, _] =
            dims(tensors, &format!("{embedding}.conv_in.weight"))?;
        // Every second convolution changes the channels.
        let pairs = count(tensors, |at| format!("{embedding}.blocks.{}.weight", 2 * at + 1));
        let widened = (0..pairs).map(|at| {
            let [channels, ..]: [usize; 4] =
                dims(tensors, &format!("{embedding}.blocks.{}.weight", 2 * at + 1))?;
            Ok(channels)
        });
        let drawing = std::iter::once(Ok(first)).chain(widened);
        Ok(Self {
            latents,
            middle: transformers("mid_block.attentions.0"),
            tokens: tokens.transpose()?,
            is_linear: proj_in.is_some_and(|shape| shape.len() == 2),
            drawing: drawing.collect::<Result<_, DiffusionError>>()?,
            drawing_channels,
            levels,
        })
    }

    /// Checks that the network is a copy of a denoiser with these places.
    fn check(&self, file: &str, places: &AdapterPlaces) -> Result<(), AdapterError> {
        let mut skips: Vec<usize> =
            self.levels.iter().take(1).map(|level| level.channels).collect();
        for (at, level) in self.levels.iter().enumerate() {
            let is_last = at + 1 == self.levels.len();
            skips.extend(vec![level.channels; level.layers + usize::from(!is_last)]);
        }
        let compared = [
            ("latents", vec![self.latents], vec![places.latents]),
            ("tokens", self.tokens.into_iter().collect(), vec![places.tokens]),
            ("skipped feature maps", skips, places.skips.clone()),
        ];
        for (what, found, expected) in compared {
            if found != expected {
                let adapter = file.to_owned();
                return Err(AdapterError::OtherModel { adapter, what, found, expected });
            }
        }
        Ok(())
    }

    /// The configuration: that of the denoiser with these sizes.
    fn config(&self, mut denoiser: Value) -> Value {
        let last = self.levels.len().saturating_sub(1);
        let of_levels = |of: &dyn Fn(usize, &Level) -> Value| -> Value {
            self.levels.iter().enumerate().map(|(at, level)| of(at, level)).collect()
        };
        let sizes = json!({
            "_class_name": "ControlNetModel",
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
            "conditioning_channels": self.drawing_channels,
            "conditioning_embedding_out_channels": self.drawing,
            "controlnet_conditioning_channel_order": "rgb",
            "global_pool_conditions": false,
        });
        if let (Value::Object(fields), Value::Object(sizes)) = (&mut denoiser, sizes) {
            fields.extend(sizes);
        }
        denoiser
    }
}
