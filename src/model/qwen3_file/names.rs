//! The names of the tensors of Qwen3 in files.

use crate::model::tensors::Stored;

/// The layers of a block in transformers and in llama.cpp.
const LAYERS: [(&str, &str); 11] = [
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];

/// The names of the tensors in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Names {
    /// Those of transformers, with this prefix.
    Transformers(&'static str),
    /// Those of llama.cpp.
    Llama,
}

impl Names {
    /// The names in a file. `has` tells whether a tensor exists. `None` if it is not a Qwen3 language model.
    pub(in crate::model) fn of(has: &dyn Fn(&str) -> bool) -> Option<Self> {
        let with =
            |prefix: &&'static str| has(&format!("{prefix}layers.0.self_attn.q_norm.weight"));
        let prefix = ["model.", ""].into_iter().find(with).map(Self::Transformers);
        prefix.or_else(|| has("blk.0.attn_q_norm.weight").then_some(Self::Llama))
    }

    /// Where the file has a tensor with this name in transformers, without a prefix.
    pub(super) fn stored(self, name: &str) -> Stored {
        Stored::whole(match self {
            Self::Transformers(prefix) => format!("{prefix}{name}"),
            Self::Llama => llama(name).unwrap_or_else(|| name.to_owned()),
        })
    }
}

fn llama(name: &str) -> Option<String> {
    if name == "embed_tokens.weight" {
        return Some("token_embd.weight".to_owned());
    }
    let (index, name) = name.strip_prefix("layers.")?.split_once('.')?;
    let (layer, tensor) = name.rsplit_once('.')?;
    let (_, stored) = LAYERS.iter().find(|(known, _)| *known == layer)?;
    Some(format!("blk.{index}.{stored}.{tensor}"))
}
