//! sketch-clip, whose picture encoder reads latents instead of pixels.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;

use super::{
    DiffusionError, LatentSpec,
    layers::{Conv2d, Linear, normalized},
    text::embedder::ClipTextEmbedder,
};
use crate::{
    loss::{FeatureMap, LossEncoder, View},
    ops,
};

/// Channels of the latents of `sketch`.
const LATENT: usize = 32;
/// Channels of the fine features.
const FINE: usize = 64;
/// Channels of the coarse features.
const COARSE: usize = 128;
/// Channels of the hidden layer of the head.
const HIDDEN: usize = 192;
/// Channels of an embedding.
const EMBEDDING: usize = 128;

/// Encodes latents of the built-in model as embeddings in the space of `sketch-clip`, so that losses on meaning, style and
/// content need no decoder (Latent-CLIP, Becker et al. 2025, arXiv:2503.08455). `assets/models/sketch-clip/README.md`
/// describes the network and its training.
#[derive(Clone, Debug)]
pub struct LatentClip {
    stem: Conv2d,
    fine: Conv2d,
    down: Conv2d,
    coarse: Conv2d,
    head: [Linear; 2],
    text: ClipTextEmbedder,
}

impl LatentClip {
    /// The latents that it reads.
    pub const SPEC: LatentSpec = LatentSpec { channels: LATENT, scale: 16 };

    /// Loads the weights that ship with the crate.
    ///
    /// # Errors
    /// If candle fails.
    pub fn built_in(device: &Device) -> std::result::Result<Self, DiffusionError> {
        const WEIGHTS: &[u8] =
            include_bytes!("../../assets/models/sketch-clip/latents.safetensors");
        let tensors = candle_core::safetensors::load_buffer(WEIGHTS, device)?;
        let tensors = tensors.into_iter().map(|(name, it)| Ok((name, it.to_dtype(DType::F32)?)));
        let tensors = tensors.collect::<Result<HashMap<_, _>>>()?;
        let weights = VarBuilder::from_tensors(tensors, DType::F32, device);
        // Each steered step needs a gradient, and the weights are few.
        let block = |channels, name: &str| {
            Conv2d::load(channels, channels, 3, &weights.pp(name))?.with_turned()
        };
        Ok(Self {
            stem: Conv2d::load(LATENT, FINE, 1, &weights.pp("stem"))?,
            fine: block(FINE, "fine.0")?,
            down: Conv2d::load(FINE, COARSE, 3, &weights.pp("down"))?.halving(1),
            coarse: block(COARSE, "coarse.0")?,
            head: [
                Linear::load(COARSE, HIDDEN, &weights.pp("head.0"))?,
                Linear::load(HIDDEN, EMBEDDING, &weights.pp("head.1"))?,
            ],
            text: ClipTextEmbedder::built_in(device)?,
        })
    }

    /// The fine features of latents, (1, 64, height, width), and the coarse ones, (1, 128, height / 2, width / 2), rounded up.
    fn maps(&self, latents: &Tensor) -> Result<[Tensor; 2]> {
        let residual = |x: Tensor, block: &Conv2d| ops::add(&x, &block.forward(&ops::silu(&x)?)?);
        let fine = residual(self.stem.forward(latents)?, &self.fine)?;
        let coarse = residual(self.down.forward(&ops::silu(&fine)?)?, &self.coarse)?;
        Ok([fine, coarse])
    }
}

impl LossEncoder for LatentClip {
    fn view(&self) -> View {
        View::Latents
    }

    fn embed_text(&self, text: &str) -> std::result::Result<Tensor, DiffusionError> {
        self.text.embed(text)
    }

    fn embed(&self, seen: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let [_, coarse] = self.maps(seen)?;
        let weights = coarse_mask(mask)?.flatten_all()?;
        let weights = weights.broadcast_div(&weights.sum_all()?.affine(1.0, 1e-6)?)?;
        let values = ops::silu(&coarse)?.reshape((COARSE, ()))?;
        let mean = ops::linear(&values, &weights.unsqueeze(0)?, None)?.reshape((1, COARSE))?;
        let [first, last] = &self.head;
        normalized(&last.forward(&first.forward(&mean)?.silu()?)?)
    }

    fn features(&self, seen: &Tensor, mask: &Tensor) -> Result<[FeatureMap; 2]> {
        let [fine, coarse] = self.maps(seen)?;
        let coarse = FeatureMap { values: coarse, mask: coarse_mask(mask)? };
        Ok([FeatureMap { values: fine, mask: mask.clone() }, coarse])
    }
}

/// The mask of the coarse features: the mean of 2 x 2 latents. Latents beyond the edges do not belong to it.
fn coarse_mask(mask: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = mask.dims4()?;
    mask.pad_with_zeros(2, 0, height % 2)?.pad_with_zeros(3, 0, width % 2)?.avg_pool2d(2)
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;

    /// `tests/reference/latents.py` computes the expected values with PyTorch.
    fn reference() -> HashMap<String, Tensor> {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/reference/fixtures/networks/sketch_clip_latents.safetensors"
        );
        candle_core::safetensors::load(file, &Device::Cpu).unwrap()
    }

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn features_embedding_and_gradient_equal_those_of_pytorch() {
        let expected = reference();
        let clip = LatentClip::built_in(&Device::Cpu).unwrap();
        let latents = Var::from_tensor(&expected["latents"]).unwrap();
        let [fine, coarse] = clip.features(&latents, &expected["mask"]).unwrap();
        let embedding = clip.embed(&latents, &expected["mask"]).unwrap();
        let found = [("fine", &fine.values), ("coarse", &coarse.values), ("embedding", &embedding)];
        for (name, found) in found {
            let (found, expected) = (values(found), values(&expected[name]));
            assert_eq!(found.len(), expected.len(), "{name}");
            let range = expected.iter().fold(0.0_f32, |range, value| range.max(value.abs()));
            let error = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
            let error = error.fold(0.0, f32::max);
            assert!(error <= 1e-5 * range, "{name}: {error} of {range}");
        }
        let cosine = (embedding * &expected["direction"]).unwrap().sum_all().unwrap();
        let gradients = cosine.backward().unwrap();
        let gradient = values(gradients.get(&latents).unwrap());
        let expected = values(&expected["gradient"]);
        let dot = |a: &[f32], b: &[f32]| {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
        };
        let cosine = dot(&gradient, &expected)
            / (dot(&gradient, &gradient) * dot(&expected, &expected)).sqrt();
        assert!(cosine > 0.99999, "{cosine}");
    }
}
