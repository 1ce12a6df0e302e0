//! ControlNets as single files, by the names of lllyasviel's `ControlNet` ("LDM") or of diffusers.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Names, Network};
use crate::{
    diffusion::{
        DiffusionError,
        adapter::{AdapterError, AdapterPlaces, ControlNet},
    },
    model::{
        Package, TensorSource,
        ldm::{UNetNames, UNetSizes},
        tensors::{Renamed, count, dims},
    },
};

/// The names of the tensors of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Diffusers,
    Ldm {
        prefix: &'static str,
        blocks: UNetNames,
        /// The convolutions between the first and the last one of the drawing's embedding.
        drawing: usize,
    },
}

/// The denoiser's component, of which a ControlNet is a copy.
const DENOISER: &str = "unet";

impl Layout {
    /// The layout of a file. `None` if it is no ControlNet.
    pub(super) fn detect(tensors: &dyn TensorSource) -> Option<Self> {
        if tensors.contains("controlnet_cond_embedding.conv_in.weight") {
            return Some(Self::Diffusers);
        }
        let has_drawing =
            |prefix: &&str| tensors.contains(&format!("{prefix}input_hint_block.0.weight"));
        let prefix = ["control_model.", ""].into_iter().find(has_drawing)?;
        // Activations are between the convolutions, and have numbers, too.
        let drawing =
            count(tensors, |at| format!("{prefix}input_hint_block.{}.weight", 2 * (at + 1)));
        let blocks = UNetNames::detect(tensors, prefix);
        Some(Self::Ldm { prefix, blocks, drawing: drawing.saturating_sub(1) })
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
        let stored: Names = Arc::new(move |name: &str| layout.stored(name));
        let names = Arc::clone(&stored);
        let tensors = Renamed { source, stored: move |name: &str| names(name) };
        let sizes = Sizes::read(&tensors)?;
        sizes.check(&file, places)?;
        let config = sizes.config(package.config(DENOISER)?, places.tokens);
        Ok(Network { config, stored })
    }

    /// The name in the file of a tensor with a name of diffusers.
    fn stored(&self, name: &str) -> String {
        match self {
            Self::Diffusers => name.to_owned(),
            Self::Ldm { prefix, blocks, drawing } => {
                let parts: Vec<&str> = name.split('.').collect();
                let renamed = own_name(&parts, *drawing).or_else(|| blocks.name(&parts));
                // The name of an unknown tensor does not change.
                format!("{prefix}{}", renamed.unwrap_or_else(|| name.to_owned()))
            }
        }
    }
}

/// The LDM name for the parts of a name of diffusers, of a tensor that a UNet does not have.
fn own_name(parts: &[&str], drawing: usize) -> Option<String> {
    Some(match parts {
        ["controlnet_cond_embedding", "conv_in", rest] => format!("input_hint_block.0.{rest}"),
        ["controlnet_cond_embedding", "blocks", at, rest] => {
            format!("input_hint_block.{}.{rest}", 2 * (at.parse::<usize>().ok()? + 1))
        }
        ["controlnet_cond_embedding", "conv_out", rest] => {
            format!("input_hint_block.{}.{rest}", 2 * (drawing + 1))
        }
        ["controlnet_down_blocks", at, rest] => format!("zero_convs.{at}.0.{rest}"),
        ["controlnet_mid_block", rest] => format!("middle_block_out.0.{rest}"),
        _ => return None,
    })
}

/// The sizes of a ControlNet, from the shapes of its tensors.
struct Sizes {
    unet: UNetSizes,
    /// The channels of the feature maps of the drawing's embedding.
    drawing: Vec<usize>,
    /// The channels of a drawing.
    drawing_channels: usize,
    class_name: &'static str,
}

impl Sizes {
    fn read(tensors: &dyn TensorSource) -> Result<Self, DiffusionError> {
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
            unet: UNetSizes::read(tensors)?,
            drawing: drawing.collect::<Result<_, DiffusionError>>()?,
            drawing_channels,
            class_name: ControlNet::class_name(tensors),
        })
    }

    /// Checks that the network is a copy of a denoiser with these places.
    fn check(&self, file: &str, places: &AdapterPlaces) -> Result<(), AdapterError> {
        let UNetSizes { levels, latents, tokens, .. } = &self.unet;
        let mut skips: Vec<usize> = levels.iter().take(1).map(|level| level.channels).collect();
        for (at, level) in levels.iter().enumerate() {
            let is_last = at + 1 == levels.len();
            skips.extend(vec![level.channels; level.layers + usize::from(!is_last)]);
        }
        let compared = [
            ("latents", vec![*latents], vec![places.latents]),
            // Small networks of XL have no attention.
            ("tokens", vec![tokens.unwrap_or(places.tokens)], vec![places.tokens]),
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

    /// The configuration: that of the denoiser, whose prompts have this width of tokens, with these sizes.
    fn config(&self, mut denoiser: Value, tokens: usize) -> Value {
        let own = json!({
            "_class_name": self.class_name,
            "cross_attention_dim": self.unet.tokens.unwrap_or(tokens),
            "conditioning_channels": self.drawing_channels,
            "conditioning_embedding_out_channels": self.drawing,
            "controlnet_conditioning_channel_order": "rgb",
            "global_pool_conditions": false,
        });
        for sizes in [self.unet.config(), own] {
            if let (Value::Object(fields), Value::Object(sizes)) = (&mut denoiser, sizes) {
                fields.extend(sizes);
            }
        }
        denoiser
    }
}
