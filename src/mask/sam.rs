//! Object selection by clicking, with a network: MobileSAM (Zhang et al. 2023), a small version of Segment
//! Anything (Kirillov et al. 2023).
//!
//! The encoder embeds a picture once. A small decoder then answers every click from that [`Embedding`]. Both come
//! from candle-transformers. The prompt encoder is our own, because candle's does not support boxes.

mod prompt;

use std::{io, path::Path};

use candle_core::{DType, Device, Tensor};
use candle_nn::{Module, VarBuilder};
use candle_transformers::models::segment_anything::{
    mask_decoder::MaskDecoder,
    tiny_vit::{TinyViT, tiny_vit_5m},
};
use image::{RgbaImage, imageops};

use super::{Mask, objects::SelectionPrompt, over_grey};
use crate::{candle_error::without_backtrace, foreign, lfs::LfsPointer};
use prompt::PromptEncoder;

/// Width and height of the encoder's input in pixels. The shorter side is padded.
const SIDE: usize = 1024;
/// Channels of the image embedding and of prompt embeddings.
const CHANNELS: usize = 256;
/// Width and height of the image embedding.
const GRID: usize = 64;
/// The number of masks for one ambiguous point: a part, a whole object or a group.
const MASKS: usize = 3;
/// The mean and standard deviation of red, green and blue in ImageNet, from 0 to 255.
const MEAN: [f32; 3] = [123.675, 116.28, 103.53];
const DEVIATION: [f32; 3] = [58.395, 57.12, 57.375];

/// A loaded MobileSAM network.
#[derive(Debug)]
pub struct Sam {
    encoder: TinyViT,
    prompts: PromptEncoder,
    decoder: MaskDecoder,
    device: Device,
}

/// The embedding of a picture, from [`Sam::embed`].
#[derive(Clone, Debug)]
pub struct Embedding {
    /// `(1, 256, 64, 64)`, f32.
    features: Tensor,
    /// Width and height of the picture.
    size: (u32, u32),
}

/// An error of loading or running [`Sam`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SamError {
    /// The weights file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// The weights file is a Git LFS pointer.
    #[error("{path}: {source}")]
    LfsPointer {
        /// The file.
        path: String,
        /// The error.
        source: LfsPointer,
    },
    /// The file does not contain MobileSAM's weights.
    #[error(
        "{path} does not contain MobileSAM's weights as safetensors: {source}; \
         get them with `illustrate models fetch --mobile-sam`"
    )]
    Weights {
        /// The file.
        path: String,
        /// The reason.
        source: candle_core::Error,
    },
    /// candle failed.
    #[error(transparent)]
    Candle(candle_core::Error),
}

impl From<candle_core::Error> for SamError {
    fn from(error: candle_core::Error) -> Self {
        Self::Candle(without_backtrace(error))
    }
}

impl Sam {
    /// Loads the weights from a safetensors file. Tensors have the names of MobileSAM's own checkpoint and any
    /// float type.
    ///
    /// # Errors
    /// If the file cannot be read, is not a complete safetensors file, or lacks a tensor.
    pub fn load(path: &Path, device: &Device) -> Result<Self, SamError> {
        let name = path.display().to_string();
        let bytes = foreign::read(path, foreign::MAX_TENSORS)
            .map_err(|source| SamError::Read { path: name.clone(), source })?;
        let pointer = |source| SamError::LfsPointer { path: name.clone(), source };
        LfsPointer::check(&bytes).map_err(pointer)?;
        let network = || {
            let weights = VarBuilder::from_buffered_safetensors(bytes, DType::F32, device)?;
            Ok(Self {
                encoder: tiny_vit_5m(weights.pp("image_encoder"))?,
                prompts: PromptEncoder::new(&weights.pp("prompt_encoder"))?,
                decoder: MaskDecoder::new(CHANNELS, MASKS, 3, 256, weights.pp("mask_decoder"))?,
                device: device.clone(),
            })
        };
        network()
            .map_err(|source| SamError::Weights { path: name, source: without_backtrace(source) })
    }

    /// Embeds a picture. This is the slow step.
    ///
    /// # Errors
    /// If candle fails.
    pub fn embed(&self, picture: &RgbaImage) -> Result<Embedding, SamError> {
        let size = picture.dimensions();
        let (width, height) = input_size(size);
        let picture = over_grey(picture);
        let resized = imageops::resize(&*picture, width, height, imageops::FilterType::Triangle);
        let mut pixels = vec![0.0_f32; 3 * SIDE * SIDE];
        for (x, y, pixel) in resized.enumerate_pixels() {
            for channel in 0..3 {
                let value = (f32::from(pixel.0[channel]) - MEAN[channel]) / DEVIATION[channel];
                pixels[(channel * SIDE + y as usize) * SIDE + x as usize] = value;
            }
        }
        let pixels = Tensor::from_vec(pixels, (1, 3, SIDE, SIDE), &self.device)?;
        Ok(Embedding { features: self.encoder.forward(&pixels)?, size })
    }

    /// Selects the object that a prompt describes.
    ///
    /// A single point is ambiguous: it may mean a part, a whole object or a group. Of these three masks, the one
    /// with the highest predicted quality is returned. A prompt without included points and without a box selects
    /// nothing. A box is clipped to the picture.
    ///
    /// # Errors
    /// If candle fails.
    pub fn select(
        &self,
        embedding: &Embedding,
        prompt: &SelectionPrompt,
    ) -> Result<Mask, SamError> {
        let (width, height) = embedding.size;
        if prompt.include.is_empty() && prompt.area.is_none() {
            return Ok(Mask::empty(width, height));
        }
        let is_ambiguous =
            prompt.area.is_none() && prompt.include.len() + prompt.exclude.len() == 1;
        let (logits, quality) = self.decode(embedding, prompt, is_ambiguous)?;
        let quality = quality.squeeze(0)?.to_vec1::<f32>()?;
        let best = (0..quality.len()).max_by(|&a, &b| quality[a].total_cmp(&quality[b]));
        let logits = logits.narrow(1, best.unwrap_or(0), 1)?;
        Ok(mask(&upsample(&logits, embedding.size)?, embedding.size))
    }

    /// Runs the decoder. Returns the logits of each mask over the encoder's input, `(1, masks, 256, 256)`, and
    /// the predicted quality of each mask, `(1, masks)`. Logits above 0 are inside the mask. There are three masks
    /// if `multimask` is set, otherwise one.
    fn decode(
        &self,
        embedding: &Embedding,
        prompt: &SelectionPrompt,
        multimask: bool,
    ) -> candle_core::Result<(Tensor, Tensor)> {
        let sparse = self.prompts.sparse(prompt, embedding.size)?;
        let positions = self.prompts.positions()?;
        let no_mask = self.prompts.no_mask()?;
        self.decoder.forward(&embedding.features, &positions, &sparse, &no_mask, multimask)
    }
}

/// Width and height to which a picture is resized for the encoder: its longer side becomes [`SIDE`].
fn input_size(size: (u32, u32)) -> (u32, u32) {
    let scale = SIDE as f64 / f64::from(size.0.max(size.1).max(1));
    let side = |side: u32| ((f64::from(side) * scale + 0.5) as u32).clamp(1, SIDE as u32);
    (side(size.0), side(size.1))
}

/// Resizes logits over the encoder's input, `(1, 1, 256, 256)`, to the picture, in row-major order.
fn upsample(logits: &Tensor, size: (u32, u32)) -> candle_core::Result<Vec<f32>> {
    let (width, height) = input_size(size);
    logits
        .upsample_bilinear2d(SIDE, SIDE, false)?
        .narrow(2, 0, height as usize)?
        .narrow(3, 0, width as usize)?
        .contiguous()?
        .upsample_bilinear2d(size.1 as usize, size.0 as usize, false)?
        .flatten_all()?
        .to_vec1()
}

fn mask(logits: &[f32], (width, height): (u32, u32)) -> Mask {
    Mask::from_fn(
        width,
        height,
        |x, y| {
            if logits[(y * width + x) as usize] > 0.0 { u8::MAX } else { 0 }
        },
    )
}

#[cfg(test)]
mod tests;
