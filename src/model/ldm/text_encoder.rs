//! The CLIP text encoders in LDM: their names, and their configurations.

use serde_json::{Value, json};

use crate::model::{
    ModelError, TensorSource,
    tensors::{Stored, View, count, dims},
};

/// The channels of an attention head of all published text encoders.
const HEAD: usize = 64;

/// The names of a text encoder.
#[derive(Clone, Copy, Debug)]
pub(in crate::model) enum Layout {
    /// Those of transformers, below a prefix.
    Transformers { prefix: &'static str },
    /// Those of transformers 5, which leaves out `text_model`.
    Bare,
    /// Those of `OpenCLIP`, below a prefix.
    OpenClip { prefix: &'static str },
}

impl Layout {
    pub(super) const fn prefix(&self) -> &'static str {
        match self {
            Self::Transformers { prefix } | Self::OpenClip { prefix } => prefix,
            Self::Bare => "",
        }
    }

    /// The token that the tokenizer pads with.
    pub(super) const fn pad(self) -> &'static str {
        match self {
            Self::Transformers { .. } | Self::Bare => "<|endoftext|>",
            Self::OpenClip { .. } => "!",
        }
    }

    /// Where the file has a tensor with a name of transformers.
    pub(in crate::model) fn stored(self, name: &str) -> Stored {
        match self {
            Self::Transformers { prefix } => Stored::whole(format!("{prefix}{name}")),
            Self::Bare => {
                Stored::whole(name.strip_prefix("text_model.").unwrap_or(name).to_owned())
            }
            Self::OpenClip { prefix } => {
                let parts: Vec<&str> = name.split('.').collect();
                let (name, view) =
                    of_open_clip(&parts).unwrap_or_else(|| (name.to_owned(), View::Whole));
                Stored { name: format!("{prefix}{name}"), view }
            }
        }
    }

    /// The configuration of a text encoder whose `tensors` have the names of transformers. `skips_last` leaves out the last
    /// layer, as Stable Diffusion 2 does.
    ///
    /// # Errors
    /// If a tensor is missing, or has an unexpected number of dimensions.
    pub(in crate::model) fn config(
        self,
        tensors: &dyn TensorSource,
        skips_last: bool,
    ) -> Result<Value, ModelError> {
        let [tokens, width] = dims(tensors, "text_model.embeddings.token_embedding.weight")?;
        let [positions, _] = dims(tensors, "text_model.embeddings.position_embedding.weight")?;
        let [inner, _] = dims(tensors, "text_model.encoder.layers.0.mlp.fc1.weight")?;
        let norm = |at| format!("text_model.encoder.layers.{at}.layer_norm1.weight");
        let layers = count(tensors, norm);
        let projection = match tensors.contains("text_projection.weight") {
            true => dims(tensors, "text_projection.weight")?,
            false => [width, width],
        };
        Ok(json!({
            "model_type": "clip_text_model",
            "vocab_size": tokens,
            "hidden_size": width,
            "intermediate_size": inner,
            "num_hidden_layers": layers.saturating_sub(usize::from(skips_last)),
            "num_attention_heads": (width / HEAD).max(1),
            "max_position_embeddings": positions,
            "projection_dim": projection[0],
            "hidden_act": match self {
                Self::Transformers { .. } | Self::Bare => "quick_gelu",
                Self::OpenClip { .. } => "gelu",
            },
        }))
    }
}

/// The name in `OpenCLIP`.
fn of_open_clip(parts: &[&str]) -> Option<(String, View)> {
    let whole = |name: String| Some((name, View::Whole));
    match parts {
        ["text_projection", "weight"] => Some(("text_projection".to_owned(), View::Transposed)),
        ["text_model", "embeddings", "token_embedding", "weight"] => {
            whole("token_embedding.weight".to_owned())
        }
        ["text_model", "embeddings", "position_embedding", "weight"] => {
            whole("positional_embedding".to_owned())
        }
        ["text_model", "final_layer_norm", rest] => whole(format!("ln_final.{rest}")),
        ["text_model", "encoder", "layers", at, layer @ .., rest] => {
            let (layer, view) = match layer {
                ["layer_norm1"] => (format!("ln_1.{rest}"), View::Whole),
                ["layer_norm2"] => (format!("ln_2.{rest}"), View::Whole),
                ["mlp", "fc1"] => (format!("mlp.c_fc.{rest}"), View::Whole),
                ["mlp", "fc2"] => (format!("mlp.c_proj.{rest}"), View::Whole),
                ["self_attn", "out_proj"] => (format!("attn.out_proj.{rest}"), View::Whole),
                ["self_attn", projection] => {
                    let third = ["q_proj", "k_proj", "v_proj"];
                    let third = third.iter().position(|name| name == projection)?;
                    (format!("attn.in_proj_{rest}"), View::Third(third))
                }
                _ => return None,
            };
            Some((format!("transformer.resblocks.{at}.{layer}"), view))
        }
        _ => None,
    }
}
