//! The text encoders of Stable Diffusion XL (Podell et al. 2023, arXiv:2307.01952).

use candle_core::{DType, Device, Tensor};

use super::{
    TextEncoder, TextOptions,
    clip::{ClipTextModel, check_clip_skip},
    embedder::ClipTextEmbedder,
    inversion::AddedTokens,
    tokenizer::ClipTokenizer,
    weighting::encode_prompt,
};
use crate::{
    diffusion::{Conditioning, DiffusionError, Interrupt},
    model::Package,
    prompt::Prompt,
};

/// The number of last layers that never encode tokens.
const ALWAYS_SKIPPED: usize = 1;

/// Two CLIP text encoders. Each token has the outputs of the last layers but one of both, without the final norm. The pooled
/// prompt is the embedding of the second one.
#[derive(Clone, Debug)]
pub struct SdxlTextEncoder {
    tokenizer: ClipTokenizer,
    model: ClipTextModel,
    second: ClipTextEmbedder,
    /// Whether an empty prompt is encoded as zeros.
    has_zeros_for_empty: bool,
    device: Device,
}

impl SdxlTextEncoder {
    /// Loads the folders `tokenizer`, `text_encoder`, `tokenizer_2` and `text_encoder_2` of a model. With
    /// `has_zeros_for_empty`, an empty prompt is encoded as zeros: `force_zeros_for_empty_prompt` in `model_index.json`. In
    /// diffusers, this applies to a missing negative prompt only.
    ///
    /// # Errors
    /// If a file is missing or damaged, or if an encoder is not a CLIP text encoder.
    pub fn load(
        package: &dyn Package,
        has_zeros_for_empty: bool,
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        let tokenizer = ClipTokenizer::load(package)?;
        let second = ClipTextEmbedder::load(package, "tokenizer_2", "text_encoder_2", device)?;
        let (first_length, length) = (tokenizer.length(), second.tokenizer.length());
        if first_length != length {
            return Err(DiffusionError::Tokenizer {
                file: package.location("tokenizer_2"),
                reason: format!(
                    "its length is {length}, and that of the first one is {first_length}"
                ),
            });
        }
        let model = ClipTextModel::load(package, "text_encoder", device)?;
        Ok(Self { tokenizer, model, second, has_zeros_for_empty, device: device.clone() })
    }

    /// The channels of the pooled prompt.
    pub(in crate::diffusion) fn pooled_width(&self) -> candle_core::Result<usize> {
        self.second.projection.dim(0)
    }

    /// The encoding of no prompt.
    fn zeros(&self) -> candle_core::Result<Conditioning> {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &self.device);
        let width = self.model.width() + self.second.model.width();
        let tokens = zeros(&[1, self.tokenizer.length(), width])?;
        Ok(Conditioning::new(tokens).with_pooled(zeros(&[1, self.pooled_width()?])?))
    }
}

impl TextEncoder for SdxlTextEncoder {
    fn encode(&self, prompt: &str, interrupt: &Interrupt) -> Result<Conditioning, DiffusionError> {
        self.encode_with(prompt, TextOptions::default(), interrupt)
    }

    /// The pooled prompt has all layers.
    fn encode_with(
        &self,
        prompt: &str,
        options: TextOptions<'_>,
        interrupt: &Interrupt,
    ) -> Result<Conditioning, DiffusionError> {
        let layers = self.model.layers().min(self.second.model.layers());
        let skipped = check_clip_skip(options.clip_skip, layers.saturating_sub(ALWAYS_SKIPPED))?;
        let prompt = Prompt::parse(prompt);
        if self.has_zeros_for_empty && prompt.plain_text().trim().is_empty() {
            return Ok(self.zeros()?);
        }
        let Self { tokenizer, model, second, .. } = self;
        let of_first = AddedTokens::new(options.inversions, 0, model.tokens()?)?;
        let of_second = AddedTokens::new(options.inversions, 1, second.model.tokens()?)?;
        let networks =
            [(tokenizer, model, &of_first), (&second.tokenizer, &second.model, &of_second)];
        let mut tokens = Vec::new();
        for (tokenizer, model, added) in networks {
            let encode = |ids: &[u32], keys: Option<&[bool]>| {
                let output = model.encode_chunk(ids, added, keys, &self.device)?;
                output.before_last(skipped + ALWAYS_SKIPPED)
            };
            tokens.push(encode_prompt(&prompt, tokenizer, added, &encode, interrupt)?);
        }
        interrupt.check()?;
        let pooled = second.project(&prompt.plain_text(), &of_second)?;
        Ok(Conditioning::new(Tensor::cat(&tokens, 2)?).with_pooled(pooled))
    }

    fn inversion_widths(&self) -> Vec<usize> {
        vec![self.model.width(), self.second.model.width()]
    }
}
