//! One embedding of a whole text, by CLIP's text encoder and its projection.

use candle_core::{Device, Tensor};

use super::{clip::ClipTextModel, inversion::AddedTokens, tokenizer::ClipTokenizer};
use crate::{
    diffusion::{
        DiffusionError,
        config::{ConfigFile, Projection},
        layers::normalized,
        weights::weights,
    },
    model::{EmbeddedPackage, Package},
    prompt::{Prompt, TextPiece, split_embedding_tags},
};

/// transformers' `CLIPTextModelWithProjection`.
#[derive(Clone, Debug)]
pub struct ClipTextEmbedder {
    pub(super) tokenizer: ClipTokenizer,
    pub(super) model: ClipTextModel,
    /// (width of an embedding, width of the model).
    pub(super) projection: Tensor,
    device: Device,
}

impl ClipTextEmbedder {
    /// Loads the text encoder of sketch-clip, which ships with the crate. Its embeddings are in the space of
    /// [`LatentClip`](crate::diffusion::LatentClip).
    ///
    /// # Errors
    /// If candle fails.
    pub fn built_in(device: &Device) -> Result<Self, DiffusionError> {
        Self::load(&EmbeddedPackage::sketch_clip(), "tokenizer", "text_encoder", device)
    }

    /// Loads the folders of a tokenizer and of a text encoder, which may be the same. The text encoder has the projection
    /// `text_projection`.
    ///
    /// # Errors
    /// If a file is missing or damaged, or if the encoder is not a CLIP text encoder with a projection.
    pub fn load(
        package: &dyn Package,
        tokenizer: &str,
        text_encoder: &str,
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        let model = ClipTextModel::load(package, text_encoder, device)?;
        let Projection { projection_dim } = ConfigFile::read(package, text_encoder)?.parse()?;
        let shape = (projection_dim, model.width());
        let weights = weights(package, text_encoder, device)?;
        let projection = weights.get(shape, "text_projection.weight");
        Ok(Self {
            tokenizer: ClipTokenizer::load_from(package, tokenizer, text_encoder)?,
            model,
            projection: projection?,
            device: device.clone(),
        })
    }

    /// The embedding of a prompt, `(1, channels)`, of unit length. Of a long prompt, the beginning is used. Weights and textual
    /// inversions have no effect.
    ///
    /// # Errors
    /// If the prompt cannot be tokenized or the network fails.
    pub fn embed(&self, prompt: &str) -> Result<Tensor, DiffusionError> {
        let text = Prompt::parse(prompt).plain_text();
        let words = split_embedding_tags(&text).into_iter().map(|piece| match piece {
            TextPiece::Words(words) => words,
            TextPiece::Embedding(_) => "",
        });
        Ok(normalized(&self.project(&words.collect::<String>(), &AddedTokens::default())?)?)
    }

    /// The projection of a text, which may name the textual inversions of `added`. Its length is any.
    pub(super) fn project(
        &self,
        text: &str,
        added: &AddedTokens,
    ) -> Result<Tensor, DiffusionError> {
        let ids = self.tokenizer.ids_with(text, added)?;
        let end = ids.iter().position(|&id| id == self.tokenizer.end()).unwrap_or(ids.len() - 1);
        let encoded = self.model.encode_chunk(&ids, added, None, &self.device)?;
        let last = encoded.last_hidden_state.narrow(1, end, 1)?.squeeze(1)?;
        Ok(last.matmul(&self.projection.t()?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tests/reference/latents.py` computes the expected values with transformers.
    #[test]
    fn embeddings_equal_those_of_transformers() {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/reference/fixtures/networks/sketch_clip_texts.safetensors"
        );
        let expected = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
        let embedder = ClipTextEmbedder::built_in(&Device::Cpu).unwrap();
        for (name, text) in
            [("coat", "a green coat"), ("night", "A lighthouse by the sea, at night.")]
        {
            let found = embedder.embed(text).unwrap();
            let error = (found - &expected[name]).unwrap().abs().unwrap().max_all().unwrap();
            let error = error.to_scalar::<f32>().unwrap();
            assert!(error < 1e-5, "{text}: {error}");
        }
    }
}
