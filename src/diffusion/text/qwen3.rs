//! Qwen3's language model (Yang et al. 2025, arXiv:2505.09388) as a text encoder: the outputs of some of its layers are the
//! encoded tokens.

mod layer;
mod tokenizer;

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use serde::Deserialize;
use serde_json::{Value, json};

use self::layer::{Layer, LayerConfig};
pub use self::tokenizer::Qwen3Tokenizer;
use super::TextEncoder;
use crate::{
    diffusion::{
        Conditioning, DiffusionError, Interrupt,
        config::ConfigFile,
        weights::{StoredWeights, load_later},
    },
    model::{
        Package,
        package::{MappedPackage, PinnedPackage},
        tensors::{ShapesOnly, StoredTensor},
    },
    ops::{Activation, AttentionMask, RotaryAngles, key_mask},
    prompt::Prompt,
};

/// The fields of `text_encoder/config.json` that this network uses, with transformers' defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct Qwen3Config {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: usize,
    hidden_act: String,
    rms_norm_eps: f64,
    attention_bias: bool,
    /// Versions of transformers below 5 write it here.
    rope_theta: Option<f64>,
    rope_parameters: HashMap<String, Value>,
}

impl Default for Qwen3Config {
    fn default() -> Self {
        Self {
            vocab_size: 151_936,
            hidden_size: 4096,
            intermediate_size: 22_016,
            num_hidden_layers: 32,
            num_attention_heads: 32,
            num_key_value_heads: Some(32),
            head_dim: 128,
            hidden_act: "silu".to_owned(),
            rms_norm_eps: 1e-6,
            attention_bias: false,
            rope_theta: None,
            rope_parameters: HashMap::new(),
        }
    }
}

/// The most elements of a head.
const MAX_HEAD: usize = 1024;

/// Qwen3's tokenizer and language model.
#[derive(Clone, Debug)]
pub struct Qwen3TextEncoder {
    tokenizer: Qwen3Tokenizer,
    model: Qwen3TextModel,
    /// Whether an encoded prompt has the padding, to which no token attends.
    has_padding: bool,
    device: Device,
}

impl Qwen3TextEncoder {
    /// Loads the folders `tokenizer` and `text_encoder` of a model. A prompt has [`Qwen3Tokenizer::LENGTH`] tokens, and each
    /// is the outputs of these layers, one after another. Layers count from 1 and must ascend.
    ///
    /// # Errors
    /// If a file is missing or damaged, or if the encoder is not a Qwen3 language model with more layers.
    pub fn load(
        package: &dyn Package,
        layers: &[usize],
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        let model = Qwen3TextModel::load(package, "text_encoder", layers, device)?;
        let tokenizer = Qwen3Tokenizer::load(package, "tokenizer", model.rows)?;
        Ok(Self { tokenizer, model, has_padding: true, device: device.clone() })
    }

    /// Loads them as the pipeline of Z-Image uses them: the outputs are those of the last layer but one, a prompt has no
    /// padding, and no [empty thought](Qwen3Tokenizer::without_thought) follows it.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_unpadded(package: &dyn Package, device: &Device) -> Result<Self, DiffusionError> {
        let config: Qwen3Config = ConfigFile::read(package, "text_encoder")?.parse()?;
        let layer = config.num_hidden_layers.saturating_sub(1);
        let encoder = Self::load(package, &[layer], device)?;
        let tokenizer = encoder.tokenizer.without_thought();
        Ok(Self { tokenizer, has_padding: false, ..encoder })
    }

    /// The channels of an encoded token.
    pub fn width(&self) -> usize {
        self.model.width()
    }
}

impl TextEncoder for Qwen3TextEncoder {
    /// Weights in the notation of prompts and `BREAK` have no effect: a language model has no embeddings of words that could
    /// be scaled. The end of a prompt that is too long is left out, as in diffusers.
    fn encode(&self, prompt: &str, interrupt: &Interrupt) -> Result<Conditioning, DiffusionError> {
        let text = Prompt::parse(prompt).plain_text();
        let (ids, keys) = match self.has_padding {
            true => {
                let (ids, attended) = self.tokenizer.padded(&text)?;
                (ids, Some(key_mask(&attended, &self.device)?))
            }
            // No token attends to those after it, and so to no padding.
            false => (self.tokenizer.ids(&text)?, None),
        };
        let ids = Tensor::new(ids, &self.device)?.unsqueeze(0)?;
        Ok(Conditioning::new(self.model.encode(&ids, keys.as_ref(), interrupt)?))
    }
}

/// transformers' `Qwen3Model` up to the last of the layers whose outputs are used.
///
/// It is larger than what else a picture needs, and a prompt needs it once. So it keeps no weights in memory: each encoding
/// reads them again, layer by layer.
#[derive(Clone, Debug)]
pub struct Qwen3TextModel {
    package: PinnedPackage,
    component: String,
    layer: LayerConfig,
    /// The layers whose outputs are used, counted from 1.
    outputs: Vec<usize>,
    /// The number of ids.
    rows: usize,
    /// The frequencies of the pairs of a head.
    frequencies: Vec<f32>,
    device: Device,
}

impl Qwen3TextModel {
    /// Loads the model from the folder `component`, usually `text_encoder`. Layers count from 1 and must ascend.
    ///
    /// # Errors
    /// If a file is missing or damaged, or if the configuration is not that of a Qwen3 language model with more layers.
    pub fn load(
        package: &dyn Package,
        component: &str,
        outputs: &[usize],
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        let file = ConfigFile::read(package, component)?;
        if let Some("qwen3") | None = file.text("model_type") {
        } else {
            return Err(file.unsupported("model_type", "qwen3"));
        }
        file.refuse_other_than(&[
            ("use_sliding_window", json!(false)),
            ("rope_scaling", Value::Null),
        ])?;
        let config: Qwen3Config = file.parse()?;
        let heads = config.num_attention_heads;
        let key_heads = config.num_key_value_heads.unwrap_or(heads);
        if heads == 0 || key_heads == 0 || !heads.is_multiple_of(key_heads) {
            let supported = "a divisor of `num_attention_heads`";
            return Err(file.unsupported("num_key_value_heads", supported));
        }
        if !(2..=MAX_HEAD).contains(&config.head_dim) || !config.head_dim.is_multiple_of(2) {
            return Err(file.unsupported("head_dim", &format!("an even number up to {MAX_HEAD}")));
        }
        if heads > MAX_HEAD {
            return Err(file.unsupported("num_attention_heads", &format!("1 to {MAX_HEAD}")));
        }
        let count = outputs.iter().copied().max().unwrap_or(0);
        if count == 0 || config.num_hidden_layers <= count {
            // The output of the last layer is normalised.
            let supported = format!("more than {}", count.max(1));
            return Err(file.unsupported("num_hidden_layers", &supported));
        }
        let activation = Activation::from_name(&config.hidden_act)
            .ok_or_else(|| file.unsupported("hidden_act", Activation::NAMES))?;
        let layer = LayerConfig {
            width: config.hidden_size,
            inner: config.intermediate_size,
            heads,
            key_heads,
            head: config.head_dim,
            eps: config.rms_norm_eps,
            has_bias: config.attention_bias,
            activation,
        };
        let frequencies = frequencies(&config, &file)?;
        let model = Self {
            package: PinnedPackage::new(package.shared()),
            component: component.to_owned(),
            layer,
            outputs: outputs.to_vec(),
            rows: config.vocab_size,
            frequencies,
            device: device.clone(),
        };
        // Checks the shapes of the tensors without reading them.
        let shapes = MappedPackage::new(package, |_, tensors| Box::new(ShapesOnly(tensors)));
        let weights = model.weights(&shapes)?;
        model.embeddings(&weights)?;
        for index in 0..model.count() {
            model.layer(index, &weights)?;
        }
        Ok(model)
    }

    /// Encodes token ids, `(batch, tokens)` in u32, as `(batch, tokens, width)`. `keys` is a [`key_mask`] of the tokens that
    /// others attend to, if not all are. The first one must be attended to.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] at most one layer after an interrupt. Otherwise if an id is not in the vocabulary, or if
    /// a file changed since the model was loaded.
    pub fn encode(
        &self,
        ids: &Tensor,
        keys: Option<&Tensor>,
        interrupt: &Interrupt,
    ) -> Result<Tensor, DiffusionError> {
        load_later(&self.package, interrupt, |package| {
            let weights = self.weights(package)?;
            let (batch, tokens) = ids.dims2()?;
            let rows = ids.flatten_all()?.to_vec1::<u32>()?;
            let rows: Vec<(usize, usize)> = rows.into_iter().map(|id| (id as usize, 1)).collect();
            let words = self.embeddings(&weights)?.rows(&rows)?.widened()?;
            let mut hidden = words.reshape((batch, tokens, ()))?;
            let angles = self.angles(tokens, &hidden)?;
            let mask = AttentionMask { causal: true, keys };
            let mut outputs = Vec::new();
            for index in 0..self.count() {
                interrupt.check()?;
                hidden = self.layer(index, &weights)?.forward(&hidden, &angles, mask)?;
                if self.outputs.contains(&(index + 1)) {
                    outputs.push(hidden.clone());
                }
            }
            Ok(Tensor::cat(&outputs, 2)?)
        })
    }

    /// The number of layers that are run.
    fn count(&self) -> usize {
        self.outputs.iter().copied().max().unwrap_or(0)
    }

    /// The weights of the model. A language model has a head beside it.
    fn weights(&self, package: &dyn Package) -> Result<StoredWeights, DiffusionError> {
        let weights = StoredWeights::new(package, &self.component, &self.device)?;
        let has_prefix = weights.converted().contains_tensor("model.embed_tokens.weight");
        Ok(if has_prefix { weights.pp("model") } else { weights })
    }

    /// The embedding of each id.
    fn embeddings(&self, weights: &StoredWeights) -> candle_core::Result<StoredTensor> {
        weights.pp("embed_tokens").get((self.rows, self.layer.width), "weight")
    }

    fn layer(&self, index: usize, weights: &StoredWeights) -> candle_core::Result<Layer> {
        Layer::load(self.layer, weights.pp("layers").pp(index).converted())
    }

    fn angles(&self, tokens: usize, like: &Tensor) -> candle_core::Result<RotaryAngles> {
        // In f32, as in transformers: at late positions the rounding error is part of the result.
        let of_token = |token: usize| {
            self.frequencies.iter().map(move |frequency| f64::from(token as f32 * frequency))
        };
        let angles: Vec<f64> = (0..tokens).flat_map(of_token).collect();
        RotaryAngles::new(&angles, tokens, like)
    }

    /// The channels of an encoded token.
    pub fn width(&self) -> usize {
        self.outputs.len() * self.layer.width
    }
}

/// The frequencies of the pairs of a head, from 1 downwards.
fn frequencies(config: &Qwen3Config, file: &ConfigFile) -> Result<Vec<f32>, DiffusionError> {
    let parameter = |name: &str| config.rope_parameters.get(name).filter(|value| !value.is_null());
    if parameter("rope_type").is_some_and(|kind| kind != "default") {
        return Err(file.unsupported("rope_parameters", "the `rope_type` \"default\""));
    }
    let theta = match parameter("rope_theta") {
        Some(theta) => theta.as_f64(),
        None => Some(config.rope_theta.unwrap_or(10_000.0)),
    };
    let theta = theta.filter(|theta| *theta >= 1.0 && theta.is_finite());
    let theta =
        theta.ok_or_else(|| file.unsupported("rope_parameters", "a `rope_theta` above 1"))?;
    let pairs = config.head_dim / 2;
    let exponent = |pair: usize| (2 * pair) as f32 / config.head_dim as f32;
    Ok((0..pairs).map(|pair| 1.0 / (theta as f32).powf(exponent(pair))).collect())
}
