//! CLIP as an encoder for losses.

use candle_core::{Device, Result, Tensor};

use super::{
    DiffusionError,
    adapter::{ClipVisionModel, clip_normalized},
    config::ConfigFile,
    layers::normalized,
    text::embedder::ClipTextEmbedder,
};
use crate::{
    loss::{FeatureMap, LossEncoder, View},
    model::{ModelError, Package},
    ops,
};

/// transformers' `CLIPModel` (Radford et al. 2021, arXiv:2103.00020), which reads pixels.
///
/// It sees the smallest square around a part. Everything outside of the part has the mean colour of its training, as in
/// Blended Diffusion (Avrahami et al. 2022, arXiv:2111.14818).
#[derive(Clone, Debug)]
pub struct PixelClip {
    text: ClipTextEmbedder,
    vision: ClipVisionModel,
}

impl PixelClip {
    /// Loads the folder `component` of a model: `config.json`, `model.safetensors` and the files of the tokenizer.
    ///
    /// # Errors
    /// If a file is missing or damaged, or if it is not a CLIP model of texts and images.
    pub fn load(
        package: &dyn Package,
        component: &str,
        device: &Device,
    ) -> std::result::Result<Self, DiffusionError> {
        let file = ConfigFile::read(package, component)?;
        if let Some("clip") | None = file.text("model_type") {
        } else {
            return Err(file.unsupported("model_type", "clip"));
        }
        let vision = ClipVisionModel::load(package, component, device)?;
        if vision.embedding_width().is_none() {
            let source = package.tensors(component)?;
            let (files, tensor) = (source.files(), "visual_projection.weight".to_owned());
            return Err(ModelError::NoTensor { files, tensor }.into());
        }
        let text = ClipTextEmbedder::load(package, component, component, device)?;
        Ok(Self { text, vision })
    }

    /// What the vision encoder reads, (1, 3, side, side), and the share of each pixel that belongs to the part,
    /// (1, 1, side, side).
    fn look(&self, seen: &Tensor, mask: &Tensor) -> Result<[Tensor; 2]> {
        let (_, _, height, width) = mask.dims4()?;
        let (rows, columns) = (covered(mask, 2, height)?, covered(mask, 3, width)?);
        let square = |x: &Tensor| -> Result<Tensor> {
            let x = x.narrow(2, rows.0, rows.1)?.narrow(3, columns.0, columns.1)?;
            let length = rows.1.max(columns.1);
            let (down, across) = (length - rows.1, length - columns.1);
            let x = x.pad_with_zeros(2, down / 2, down - down / 2)?;
            x.pad_with_zeros(3, across / 2, across - across / 2)
        };
        let side = self.vision.image_size();
        let masked = clip_normalized(seen)?.broadcast_mul(mask)?;
        Ok([ops::resize(&square(&masked)?, side, side)?, ops::resize(&square(mask)?, side, side)?])
    }
}

impl LossEncoder for PixelClip {
    fn view(&self) -> View {
        View::Pixels
    }

    fn embed_text(&self, text: &str) -> std::result::Result<Tensor, DiffusionError> {
        self.text.embed(text)
    }

    fn embed(&self, seen: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let [pixels, _] = self.look(seen, mask)?;
        normalized(&self.vision.embed(&pixels)?)
    }

    /// The outputs of the layers after a quarter of the encoder, whose products are the style in `FreeDoM` (Yu et al. 2023,
    /// arXiv:2303.09833), and after three quarters.
    fn features(&self, seen: &Tensor, mask: &Tensor) -> Result<[FeatureMap; 2]> {
        let [pixels, mask] = self.look(seen, mask)?;
        let states = self.vision.layer_outputs(&pixels)?;
        let (patch, grid) = (self.vision.patch_size(), self.vision.grid());
        let mask =
            mask.narrow(2, 0, patch * grid)?.narrow(3, 0, patch * grid)?.avg_pool2d(patch)?;
        let map = |quarters: usize| -> Result<FeatureMap> {
            let state = &states[(states.len() * quarters).div_ceil(4).max(1) - 1];
            let patches = state.narrow(1, 1, grid * grid)?.transpose(1, 2)?.contiguous()?;
            Ok(FeatureMap { values: patches.reshape((1, (), grid, grid))?, mask: mask.clone() })
        };
        Ok([map(1)?, map(3)?])
    }
}

/// The first row or column that a mask covers, and their number. All of them if it covers none.
fn covered(mask: &Tensor, side: usize, length: usize) -> Result<(usize, usize)> {
    let other = if side == 2 { 3 } else { 2 };
    let most = mask.detach().max_keepdim(other)?.flatten_all()?;
    let most = most.to_dtype(candle_core::DType::F32)?.to_vec1::<f32>()?;
    let first = most.iter().position(|value| *value > 0.0);
    let last = most.iter().rposition(|value| *value > 0.0);
    Ok(first.zip(last).map_or((0, length), |(first, last)| (first, last + 1 - first)))
}
