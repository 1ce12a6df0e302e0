//! CLIP's text encoder (Radford et al. 2021), which encodes token ids as the context of the UNet.

use candle_core::{Device, Tensor};
use serde::Deserialize;
use serde_json::json;

use super::{
    TextEncoder, TextOptions, inversion::AddedTokens, tokenizer::ClipTokenizer,
    weighting::encode_prompt,
};
use crate::{
    diffusion::{
        Conditioning, DiffusionError, Interrupt,
        clip_layer::{ClipLayer, ClipLayerConfig},
        config::ConfigFile,
        layers::LayerNorm,
        weights::weights,
    },
    model::Package,
    ops::{Activation, AttentionMask, key_mask},
    prompt::Prompt,
};

/// The fields of `text_encoder/config.json` that this network uses, with transformers' defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(super) struct ClipTextConfig {
    pub(super) vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    pub(super) max_position_embeddings: usize,
    layer_norm_eps: f64,
    hidden_act: String,
}

impl Default for ClipTextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 49408,
            hidden_size: 512,
            intermediate_size: 2048,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 77,
            layer_norm_eps: 1e-5,
            hidden_act: "quick_gelu".to_owned(),
        }
    }
}

/// The most positions. Attention takes time by their square. Published encoders have up to 248.
const MAX_POSITIONS: usize = 1024;

/// CLIP's tokenizer and text encoder.
#[derive(Clone, Debug)]
pub struct ClipTextEncoder {
    tokenizer: ClipTokenizer,
    model: ClipTextModel,
    device: Device,
}

impl ClipTextEncoder {
    /// Loads the folders `tokenizer` and `text_encoder` of a model.
    ///
    /// # Errors
    /// If a file is missing or damaged, or if the encoder is not a CLIP text encoder.
    pub fn load(package: &dyn Package, device: &Device) -> Result<Self, DiffusionError> {
        let tokenizer = ClipTokenizer::load(package)?;
        let model = ClipTextModel::load(package, "text_encoder", device)?;
        Ok(Self { tokenizer, model, device: device.clone() })
    }
}

impl TextEncoder for ClipTextEncoder {
    fn encode(&self, prompt: &str, interrupt: &Interrupt) -> Result<Conditioning, DiffusionError> {
        self.encode_with(prompt, TextOptions::default(), interrupt)
    }

    /// The norm after the last layer also follows the layer that is used instead.
    fn encode_with(
        &self,
        prompt: &str,
        options: TextOptions<'_>,
        interrupt: &Interrupt,
    ) -> Result<Conditioning, DiffusionError> {
        let skipped = check_clip_skip(options.clip_skip, self.model.layers())?;
        let added = AddedTokens::new(options.inversions, 0, self.model.tokens()?)?;
        let encode = |ids: &[u32], keys: Option<&[bool]>| {
            let output = self.model.encode_chunk(ids, &added, keys, &self.device)?;
            Ok(match skipped {
                0 => output.last_hidden_state,
                _ => self.model.final_layer_norm.forward(&output.before_last(skipped)?)?,
            })
        };
        let prompt = Prompt::parse(prompt);
        let tokens = encode_prompt(&prompt, &self.tokenizer, &added, &encode, interrupt)?;
        Ok(Conditioning::new(tokens))
    }

    fn inversion_widths(&self) -> Vec<usize> {
        vec![self.model.width()]
    }
}

/// transformers' `CLIPTextModel`.
#[derive(Clone, Debug)]
pub struct ClipTextModel {
    token_embedding: Tensor,
    position_embedding: Tensor,
    layers: Vec<ClipLayer>,
    final_layer_norm: LayerNorm,
    width: usize,
}

/// The output of the text encoder for a batch of prompts.
#[derive(Clone, Debug)]
pub struct ClipTextOutput {
    /// The input of the first layer, then the output of each layer, each `(batch, tokens, width)`.
    pub hidden_states: Vec<Tensor>,
    /// The normalised output of the last layer, `(batch, tokens, width)`.
    pub last_hidden_state: Tensor,
}

impl ClipTextOutput {
    /// The output of the layer before the last `layers` layers, without the final norm.
    pub(super) fn before_last(self, layers: usize) -> Result<Tensor, DiffusionError> {
        let no_layers = || candle_core::Error::msg("a text encoder has too few layers").into();
        self.hidden_states.into_iter().nth_back(layers).ok_or_else(no_layers)
    }
}

/// The number of layers that `clip_skip` leaves out of `layers`. At least one must be left.
pub(super) fn check_clip_skip(
    clip_skip: Option<u32>,
    layers: usize,
) -> Result<usize, DiffusionError> {
    let most = layers.saturating_sub(1);
    match clip_skip {
        Some(clip_skip) if clip_skip as usize > most => {
            Err(DiffusionError::ClipSkip { clip_skip, most })
        }
        clip_skip => Ok(clip_skip.unwrap_or(0) as usize),
    }
}

impl ClipTextModel {
    /// Loads the text encoder from the folder `component` of a model, usually `text_encoder`.
    ///
    /// # Errors
    /// If a file is missing or damaged, or if the configuration is not that of a CLIP text encoder.
    pub fn load(
        package: &dyn Package,
        component: &str,
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        let file = ConfigFile::read(package, component)?.of_text();
        file.refuse_other_than(&[("use_attention_mask", json!(false))])?;
        if let Some("clip_text_model" | "clip") | None = file.text("model_type") {
        } else {
            return Err(file.unsupported("model_type", "clip_text_model"));
        }
        let config: ClipTextConfig = file.parse()?;
        if !(1..=MAX_POSITIONS).contains(&config.max_position_embeddings) {
            let supported = format!("1 to {MAX_POSITIONS}");
            return Err(file.unsupported("max_position_embeddings", &supported));
        }
        let activation = Activation::from_name(&config.hidden_act)
            .ok_or_else(|| file.unsupported("hidden_act", Activation::NAMES))?;
        let width = config.hidden_size;
        let layer = ClipLayerConfig {
            width,
            inner: config.intermediate_size,
            heads: config.num_attention_heads,
            eps: config.layer_norm_eps,
            activation,
        };
        layer.check(&file)?;

        // Older versions of transformers write a prefix that version 5 does not.
        let weights = weights(package, component, device)?;
        let old = weights.contains_tensor("text_model.embeddings.token_embedding.weight");
        let weights = if old { weights.pp("text_model") } else { weights };
        let embeddings = weights.pp("embeddings");
        let embedding = |rows: usize, name: &str| embeddings.pp(name).get((rows, width), "weight");
        let layers = weights.pp("encoder").pp("layers");
        Ok(Self {
            token_embedding: embedding(config.vocab_size, "token_embedding")?,
            position_embedding: embedding(config.max_position_embeddings, "position_embedding")?,
            layers: (0..config.num_hidden_layers)
                .map(|index| ClipLayer::load(layer, &layers.pp(index)))
                .collect::<candle_core::Result<_>>()?,
            final_layer_norm: LayerNorm::load(
                width,
                config.layer_norm_eps,
                &weights.pp("final_layer_norm"),
            )?,
            width,
        })
    }

    /// Encodes token ids, `(batch, tokens)` in u32, as `(batch, tokens, width)`.
    ///
    /// # Errors
    /// If there are more tokens than positions, or an id is not in the vocabulary.
    pub fn encode(&self, ids: &Tensor) -> Result<Tensor, DiffusionError> {
        Ok(self.forward(ids, None)?.last_hidden_state)
    }

    /// As [`Self::encode`], but returns the output of each layer. `keys` is a [`key_mask`] of the tokens that others attend
    /// to.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn forward(
        &self,
        ids: &Tensor,
        keys: Option<&Tensor>,
    ) -> Result<ClipTextOutput, DiffusionError> {
        let (batch, tokens) = ids.dims2()?;
        let positions = self.position_embedding.dim(0)?;
        if tokens > positions {
            let reason =
                format!("{tokens} tokens are more than the text encoder's {positions} positions");
            return Err(candle_core::Error::msg(reason).into());
        }
        let words = self.token_embedding.index_select(&ids.flatten_all()?, 0)?;
        self.forward_words(&words.reshape((batch, tokens, self.width))?, keys)
    }

    /// As [`Self::forward`], from the embeddings of words, `(batch, tokens, width)`, at most as many as positions.
    fn forward_words(
        &self,
        words: &Tensor,
        keys: Option<&Tensor>,
    ) -> Result<ClipTextOutput, DiffusionError> {
        let positions = self.position_embedding.narrow(0, 0, words.dim(1)?)?;
        let mut hidden = words.broadcast_add(&positions)?;
        let mut hidden_states = vec![hidden.clone()];
        let mask = AttentionMask { causal: true, keys };
        for layer in &self.layers {
            hidden = layer.forward(&hidden, mask)?;
            hidden_states.push(hidden.clone());
        }
        let last_hidden_state = self.final_layer_norm.forward(&hidden)?;
        Ok(ClipTextOutput { hidden_states, last_hidden_state })
    }

    /// Encodes the ids of one chunk, which may be those of `added` tokens. Tokens whose key is false are not attended to.
    pub(super) fn encode_chunk(
        &self,
        ids: &[u32],
        added: &AddedTokens,
        keys: Option<&[bool]>,
        device: &Device,
    ) -> Result<ClipTextOutput, DiffusionError> {
        let keys = keys.map(|keys| key_mask(keys, device)).transpose()?;
        let first = self.tokens()? as u32;
        let Some(table) = added.table.as_ref().filter(|_| ids.iter().any(|id| *id >= first)) else {
            return self.forward(&Tensor::new(ids, device)?.unsqueeze(0)?, keys.as_ref());
        };
        let rows = |table: &Tensor, of: &dyn Fn(u32) -> u32| {
            let ids: Vec<u32> = ids.iter().map(|id| of(*id)).collect();
            table.index_select(&Tensor::new(ids, device)?, 0)
        };
        let own = rows(&self.token_embedding, &|id| if id < first { id } else { 0 })?;
        let others = rows(table, &|id| id.saturating_sub(first))?;
        let is_own: Vec<u8> = ids.iter().map(|id| u8::from(*id < first)).collect();
        let is_own = Tensor::new(is_own, device)?.unsqueeze(1)?.broadcast_as(own.shape())?;
        let words = is_own.where_cond(&own, &others)?.unsqueeze(0)?;
        self.forward_words(&words, keys.as_ref())
    }

    /// The number of tokens of the vocabulary.
    pub(super) fn tokens(&self) -> candle_core::Result<usize> {
        self.token_embedding.dim(0)
    }

    /// The number of layers.
    pub(super) fn layers(&self) -> usize {
        self.layers.len()
    }

    /// The channels of an encoded token.
    pub fn width(&self) -> usize {
        self.width
    }
}
