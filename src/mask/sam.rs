//! Masks of objects, by clicking at them, with a network that was trained on photographs and drawings of
//! everything: MobileSAM (Zhang et al. 2023), the small one of Segment Anything (Kirillov et al. 2023).
//!
//! The encoder looks at a picture once; then a small decoder answers every click from that
//! [`Embedding`]. Encoder and decoder are candle-transformers'. What points and boxes mean
//! to the decoder is said here, in `prompt`, for candle's own takes no boxes.

mod prompt;

use std::{fs, io, path::Path};

use candle_core::{DType, Device, Tensor};
use candle_nn::{Module, VarBuilder};
use candle_transformers::models::segment_anything::{
    mask_decoder::MaskDecoder,
    tiny_vit::{TinyViT, tiny_vit_5m},
};
use image::{RgbaImage, imageops};

use super::{Mask, objects::Pointing};
use prompt::PromptEncoder;

/// Width and height in pixels of what the encoder looks at; smaller sides are filled up.
const SIDE: usize = 1024;
/// Channels of the embedding and of what points and boxes become.
const CHANNELS: usize = 256;
/// Places of the embedding, in each direction.
const GRID: usize = 64;
/// How many masks are made of one unclear click: a part, a whole, a group.
const GUESSES: usize = 3;
/// Mean and deviation of red, green and blue in ImageNet, in 0 to 255.
const MEAN: [f32; 3] = [123.675, 116.28, 103.53];
const DEVIATION: [f32; 3] = [58.395, 57.12, 57.375];

/// MobileSAM.
#[derive(Debug)]
pub struct Sam {
    encoder: TinyViT,
    prompts: PromptEncoder,
    decoder: MaskDecoder,
    device: Device,
}

/// What [`Sam`] saw in a picture.
#[derive(Clone, Debug)]
pub struct Embedding {
    /// `(1, 256, 64, 64)`, f32.
    features: Tensor,
    /// Width and height of the picture.
    size: (u32, u32),
}

/// Why a picture cannot be looked at with [`Sam`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SamError {
    /// The weights cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The file holds something else.
    #[error(
        "{path} does not hold MobileSAM's weights as safetensors: {source}; \
         `illustrate models download --mobile-sam` brings them"
    )]
    Weights {
        /// The file.
        path: String,
        /// What is missing or wrong.
        source: candle_core::Error,
    },
    /// candle could not do it.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl Sam {
    /// Reads the weights from a safetensors file in which the tensors have the names of MobileSAM's own
    /// checkpoint, in any float type.
    ///
    /// # Errors
    /// When the file cannot be read, is no whole safetensors file, or lacks a tensor.
    pub fn load(path: &Path, device: &Device) -> Result<Self, SamError> {
        let name = path.display().to_string();
        let bytes =
            fs::read(path).map_err(|source| SamError::Read { path: name.clone(), source })?;
        let network = || {
            let weights = VarBuilder::from_buffered_safetensors(bytes, DType::F32, device)?;
            Ok(Self {
                encoder: tiny_vit_5m(weights.pp("image_encoder"))?,
                prompts: PromptEncoder::new(&weights.pp("prompt_encoder"))?,
                decoder: MaskDecoder::new(CHANNELS, GUESSES, 3, 256, weights.pp("mask_decoder"))?,
                device: device.clone(),
            })
        };
        network().map_err(|source| SamError::Weights { path: name, source })
    }

    /// Looks at a picture: the slow part.
    ///
    /// # Errors
    /// When candle fails.
    pub fn embed(&self, picture: &RgbaImage) -> Result<Embedding, SamError> {
        let size = picture.dimensions();
        let (width, height) = looked_at(size);
        let resized = imageops::resize(picture, width, height, imageops::FilterType::Triangle);
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

    /// The mask of what is pointed at. A single point may mean a part, a whole or a group: the mask that the
    /// network itself thinks best is taken. Nothing is in the mask when nothing is meant. A box ends where the
    /// picture ends.
    ///
    /// # Errors
    /// When candle fails.
    pub fn select(&self, seen: &Embedding, pointing: &Pointing) -> Result<Mask, SamError> {
        let (width, height) = seen.size;
        if pointing.include.is_empty() && pointing.area.is_none() {
            return Ok(Mask::empty(width, height));
        }
        let unclear =
            pointing.area.is_none() && pointing.include.len() + pointing.exclude.len() == 1;
        let (logits, quality) = self.decode(seen, pointing, unclear)?;
        let quality = quality.squeeze(0)?.to_vec1::<f32>()?;
        let best = (0..quality.len()).max_by(|&a, &b| quality[a].total_cmp(&quality[b]));
        let logits = logits.narrow(1, best.unwrap_or(0), 1)?;
        Ok(mask(&enlarged(&logits, seen.size)?, seen.size))
    }

    /// What the decoder says: of each mask the logits, `(1, masks, 256, 256)`, above 0 where it is, over all
    /// of what the encoder looked at; and how good each is, `(1, masks)`. There are three masks when
    /// `several` are asked for, else one.
    fn decode(
        &self,
        seen: &Embedding,
        pointing: &Pointing,
        several: bool,
    ) -> candle_core::Result<(Tensor, Tensor)> {
        let prompt = self.prompts.sparse(pointing, seen.size)?;
        let places = self.prompts.places()?;
        let no_mask = self.prompts.no_mask()?;
        self.decoder.forward(&seen.features, &places, &prompt, &no_mask, several)
    }
}

/// Width and height of a picture of `size` as the encoder looks at it: its longer side fills the square.
fn looked_at(size: (u32, u32)) -> (u32, u32) {
    let scale = SIDE as f64 / f64::from(size.0.max(size.1).max(1));
    let side = |side: u32| ((f64::from(side) * scale + 0.5) as u32).clamp(1, SIDE as u32);
    (side(size.0), side(size.1))
}

/// Logits over what the encoder looked at, `(1, 1, 256, 256)`, as such over the picture, row by row.
fn enlarged(logits: &Tensor, size: (u32, u32)) -> candle_core::Result<Vec<f32>> {
    let (width, height) = looked_at(size);
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
