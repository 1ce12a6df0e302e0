//! One embedding of a whole text, by CLIP's text encoder and its projection.

use candle_core::{Device, Tensor};

use super::{clip::ClipTextModel, tokenizer::ClipTokenizer};
use crate::{
    diffusion::{DiffusionError, layers::normalized, weights::weights},
    model::{EmbeddedPackage, Package},
};

/// transformers' `CLIPTextModelWithProjection`.
#[derive(Clone, Debug)]
pub struct ClipTextEmbedder {
    tokenizer: ClipTokenizer,
    model: ClipTextModel,
    /// (width of an embedding, width of the model).
    projection: Tensor,
    device: Device,
}

impl ClipTextEmbedder {
    /// Loads the text encoder of sketch-clip, which ships with the crate. Its embeddings are in the space of
    /// [`LatentClip`](crate::diffusion::LatentClip).
    ///
    /// # Errors
    /// If candle fails.
    pub fn built_in(device: &Device) -> Result<Self, DiffusionError> {
        const EMBEDDING: usize = 128;
        Self::load(&EmbeddedPackage::sketch_clip(), EMBEDDING, device)
    }

    /// Loads the folders `tokenizer` and `text_encoder` of a model. The projection is `text_projection` of the latter,
    /// to `embedding` channels.
    ///
    /// # Errors
    /// If a file is missing or damaged, or if the encoder is not a CLIP text encoder with a projection.
    pub fn load(
        package: &dyn Package,
        embedding: usize,
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        const COMPONENT: &str = "text_encoder";
        let model = ClipTextModel::load(package, COMPONENT, device)?;
        let shape = (embedding, model.width());
        let projection = weights(package, COMPONENT, device)?.get(shape, "text_projection.weight");
        Ok(Self {
            tokenizer: ClipTokenizer::load(package)?,
            model,
            projection: projection?,
            device: device.clone(),
        })
    }

    /// The embedding of a text, `(1, channels)`, of unit length. Of a long text, the beginning is used.
    ///
    /// # Errors
    /// If the text cannot be tokenized or the network fails.
    pub fn embed(&self, text: &str) -> Result<Tensor, DiffusionError> {
        let ids = self.tokenizer.ids(text)?;
        let end = ids.iter().position(|&id| id == self.tokenizer.end()).unwrap_or(ids.len() - 1);
        let ids = Tensor::new(ids, &self.device)?.unsqueeze(0)?;
        let last = self.model.encode(&ids)?.narrow(1, end, 1)?.squeeze(1)?;
        Ok(normalized(&last.matmul(&self.projection.t()?)?)?)
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
