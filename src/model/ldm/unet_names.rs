//! The names of a UNet's tensors in LDM.

use serde_json::Value;

use crate::model::TensorSource;

/// The layers of a residual block: in diffusers, and in LDM.
const RESNET: [(&str, &str); 6] = [
    ("norm1", "in_layers.0"),
    ("conv1", "in_layers.2"),
    ("time_emb_proj", "emb_layers.1"),
    ("norm2", "out_layers.0"),
    ("conv2", "out_layers.3"),
    ("conv_shortcut", "skip_connection"),
];

/// The order of the blocks of a UNet or a `ControlNet`.
///
/// The blocks of all levels are in one list, whose first block is the first convolution. Each level but the last ends with a
/// block that halves the size. On the way up, the last block of a level also doubles it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UNetNames {
    /// The first block of each level.
    starts: Vec<usize>,
    /// The residual blocks of each level.
    layers: Vec<usize>,
    /// The place of the layer that doubles the size in its block, for each level on the way up: after the attention, if there
    /// is one.
    upsamplers: Vec<usize>,
}

impl UNetNames {
    /// Finds the blocks of a network.
    pub(crate) fn detect(tensors: &dyn TensorSource, prefix: &str) -> Self {
        let has = |name: String| tensors.contains(&format!("{prefix}{name}.weight"));
        let (mut starts, mut layers, mut block) = (vec![1], vec![0], 1);
        loop {
            if has(format!("input_blocks.{block}.0.in_layers.0")) {
                layers[starts.len() - 1] += 1;
            } else if has(format!("input_blocks.{block}.0.op")) {
                starts.push(block + 1);
                layers.push(0);
            } else {
                break;
            }
            block += 1;
        }
        let mut names = Self { starts, layers, upsamplers: Vec::new() };
        let levels = 0..names.layers.len();
        let upsamplers = levels.map(|level| {
            let block = names.output_block(level, names.layers_up(level).saturating_sub(1));
            usize::from(!has(format!("output_blocks.{block}.1.conv"))) + 1
        });
        names.upsamplers = upsamplers.collect();
        names
    }

    /// The blocks of a network with this configuration of diffusers.
    pub(crate) fn of_config(config: &Value) -> Self {
        let list = |field: &str| config.get(field).and_then(Value::as_array).cloned();
        let levels = list("block_out_channels").map_or(4, |levels| levels.len());
        let number = |value: &Value| value.as_u64().map_or(2, |number| number.min(64) as usize);
        let layers: Vec<usize> = match config.get("layers_per_block") {
            Some(Value::Array(layers)) => layers.iter().map(number).collect(),
            Some(layers) => vec![number(layers); levels],
            None => vec![2; levels],
        };
        let mut next = 1;
        let starts = layers.iter().map(|layers| {
            let start = next;
            next += layers + 1;
            start
        });
        let starts = starts.collect();
        let has_attention = |name: &Value| name.as_str().is_some_and(|name| name.contains("Cross"));
        let up = list("up_block_types").unwrap_or_default();
        let mut upsamplers: Vec<usize> =
            up.iter().map(|name| 1 + usize::from(has_attention(name))).collect();
        upsamplers.resize(layers.len(), 1);
        Self { starts, layers, upsamplers }
    }

    /// The residual blocks of a level on the way up. Level 0 is the smallest.
    fn layers_up(&self, level: usize) -> usize {
        let down = self.layers.len().checked_sub(level + 1).and_then(|at| self.layers.get(at));
        down.map_or(0, |layers| layers + 1)
    }

    fn output_block(&self, level: usize, layer: usize) -> usize {
        (0..level).map(|level| self.layers_up(level)).sum::<usize>() + layer
    }

    /// The LDM name for the parts of a name of diffusers. `None` if the network has no such tensor.
    pub(crate) fn name(&self, parts: &[&str]) -> Option<String> {
        let number = |part: &str| part.parse::<usize>().ok();
        let resnet = |rest: &[&str]| {
            let (first, rest) = rest.split_first()?;
            let (_, layer) = RESNET.iter().find(|(name, _)| name == first)?;
            Some(format!("{layer}.{}", rest.join(".")))
        };
        Some(match parts {
            ["time_embedding", "linear_1", rest] => format!("time_embed.0.{rest}"),
            ["time_embedding", "linear_2", rest] => format!("time_embed.2.{rest}"),
            ["add_embedding", "linear_1", rest] => format!("label_emb.0.0.{rest}"),
            ["add_embedding", "linear_2", rest] => format!("label_emb.0.2.{rest}"),
            ["conv_in", rest] => format!("input_blocks.0.0.{rest}"),
            ["conv_norm_out", rest] => format!("out.0.{rest}"),
            ["conv_out", rest] => format!("out.2.{rest}"),
            ["down_blocks", level, kind, layer, rest @ ..] => {
                let (level, layer) = (number(level)?, number(layer)?);
                let (start, layers) = (self.starts.get(level)?, *self.layers.get(level)?);
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
            ["up_blocks", level, kind, layer, rest @ ..] => {
                let (level, layer) = (number(level)?, number(layer)?);
                let upsampler = self.upsamplers.get(level)?;
                if layer >= self.layers_up(level) {
                    // The block would be one of the next level.
                    return None;
                }
                match *kind {
                    "resnets" => {
                        let block = self.output_block(level, layer);
                        format!("output_blocks.{block}.0.{}", resnet(rest)?)
                    }
                    "attentions" => {
                        let block = self.output_block(level, layer);
                        format!("output_blocks.{block}.1.{}", rest.join("."))
                    }
                    "upsamplers" => {
                        let last = self.layers_up(level).checked_sub(1)?;
                        let block = self.output_block(level, last);
                        format!("output_blocks.{block}.{upsampler}.{}", rest.join("."))
                    }
                    _ => return None,
                }
            }
            ["mid_block", "resnets", at, rest @ ..] => {
                format!("middle_block.{}.{}", 2 * number(at)?, resnet(rest)?)
            }
            ["mid_block", "attentions", "0", rest @ ..] => {
                format!("middle_block.1.{}", rest.join("."))
            }
            _ => return None,
        })
    }
}
