//! CLIP's vision encoder (Radford et al. 2021), which encodes the images of IP-Adapters.

use std::path::Path;

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;

use crate::{
    diffusion::{
        DiffusionError,
        clip_layer::{ClipLayer, ClipLayerConfig},
        config::{ConfigFile, Projection},
        layers::{Conv2d, LayerNorm, Linear},
        weights::weights,
    },
    model::{FolderPackage, Package},
    ops::{Activation, AttentionMask},
};

/// The fields of `config.json` that this network uses, with transformers' defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_channels: usize,
    image_size: usize,
    patch_size: usize,
    layer_norm_eps: f64,
    hidden_act: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 32,
            layer_norm_eps: 1e-5,
            hidden_act: "quick_gelu".to_owned(),
        }
    }
}

/// The largest side of an image, in pixels. Published encoders have 224 or 336.
const MAX_IMAGE_SIZE: usize = 1024;
/// The most patches of an image. Attention takes time by their square. Published encoders have up to 729.
const MAX_PATCHES: usize = 1024;

/// The means and the standard deviations of red, green and blue in the training of CLIP.
const CLIP_MEAN: [f64; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const CLIP_STD: [f64; 3] = [0.268_629_54, 0.261_302_58, 0.275_777_11];

/// transformers' `CLIPVisionModel`, and `CLIPVisionModelWithProjection` if it has a projection.
#[derive(Clone, Debug)]
pub struct ClipVisionModel {
    image_size: usize,
    patch_size: usize,
    class_embedding: Tensor,
    patch_embedding: Conv2d,
    position_embedding: Tensor,
    pre_norm: LayerNorm,
    layers: Vec<ClipLayer>,
    post_norm: LayerNorm,
    /// With the width of embeddings.
    visual_projection: Option<(Linear, usize)>,
}

impl ClipVisionModel {
    /// Opens a folder with `config.json` and `model.safetensors`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn open(folder: &Path, device: &Device) -> Result<Self, DiffusionError> {
        Self::load(&FolderPackage::at(folder), "", device)
    }

    /// Loads the vision encoder from the folder `component` of a model, usually `image_encoder`. It may also contain a
    /// text encoder.
    ///
    /// # Errors
    /// If a file is missing or damaged, or if the configuration is not that of a CLIP vision encoder.
    pub fn load(
        package: &dyn Package,
        component: &str,
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        let file = ConfigFile::read(package, component)?;
        let Projection { projection_dim } = file.parse()?;
        let file = file.of_vision();
        if let Some("clip_vision_model" | "clip") | None = file.text("model_type") {
        } else {
            return Err(file.unsupported("model_type", "clip_vision_model"));
        }
        let config: Config = file.parse()?;
        let Config { hidden_size: width, image_size, patch_size, num_channels, .. } = config;
        if !(1..=MAX_IMAGE_SIZE).contains(&image_size) {
            return Err(file.unsupported("image_size", &format!("1 to {MAX_IMAGE_SIZE}")));
        }
        if patch_size == 0 || image_size < patch_size {
            return Err(file.unsupported("patch_size", &format!("1 to {image_size}")));
        }
        if (image_size / patch_size).pow(2) > MAX_PATCHES {
            let least = image_size.div_ceil(MAX_PATCHES.isqrt());
            return Err(file.unsupported("patch_size", &format!("at least {least}")));
        }
        if num_channels != 3 {
            return Err(file.unsupported("num_channels", "3"));
        }
        if width == 0 {
            return Err(file.unsupported("hidden_size", "at least 1"));
        }
        if config.num_hidden_layers == 0 {
            return Err(file.unsupported("num_hidden_layers", "at least 1"));
        }
        let layer = ClipLayerConfig {
            width,
            inner: config.intermediate_size,
            heads: config.num_attention_heads,
            eps: config.layer_norm_eps,
            activation: Activation::from_name(&config.hidden_act)
                .ok_or_else(|| file.unsupported("hidden_act", Activation::NAMES))?,
        };
        layer.check(&file)?;

        let weights = weights(package, component, device)?;
        let model = weights.pp("vision_model");
        let norm = |name: &str| LayerNorm::load(width, config.layer_norm_eps, &model.pp(name));
        let (embeddings, layers) = (model.pp("embeddings"), model.pp("encoder").pp("layers"));
        let positions = 1 + (image_size / patch_size).pow(2);
        let position_weights = embeddings.pp("position_embedding");
        let patches = embeddings.pp("patch_embedding");
        Ok(Self {
            image_size,
            patch_size,
            class_embedding: embeddings.get(width, "class_embedding")?,
            patch_embedding: Conv2d::load_without_bias(num_channels, width, patch_size, &patches)?
                .on_patches(patch_size),
            position_embedding: position_weights.get((positions, width), "weight")?,
            // The name in transformers.
            pre_norm: norm("pre_layrnorm")?,
            layers: (0..config.num_hidden_layers)
                .map(|index| ClipLayer::load(layer, &layers.pp(index)))
                .collect::<candle_core::Result<_>>()?,
            post_norm: norm("post_layernorm")?,
            visual_projection: projection(width, projection_dim, &weights)?
                .map(|projection| (projection, projection_dim)),
        })
    }

    /// The side of an image in pixels.
    #[must_use]
    pub fn image_size(&self) -> usize {
        self.image_size
    }

    /// The width of the embedding of a whole image. `None` if the encoder has no projection.
    pub(in crate::diffusion) fn embedding_width(&self) -> Option<usize> {
        self.visual_projection.as_ref().map(|(_, width)| *width)
    }

    /// The width of the hidden states.
    pub(in crate::diffusion) fn width(&self) -> usize {
        self.class_embedding.elem_count()
    }

    /// The side of a patch in pixels.
    pub(in crate::diffusion) fn patch_size(&self) -> usize {
        self.patch_size
    }

    /// The patches along each side of an image.
    pub(in crate::diffusion) fn grid(&self) -> usize {
        self.image_size / self.patch_size
    }

    /// The output of each layer for normalised images, `(batch, 3, size, size)`: `(batch, 1 + patches, width)`.
    ///
    /// # Errors
    /// If the shape does not match.
    pub(in crate::diffusion) fn layer_outputs(
        &self,
        images: &Tensor,
    ) -> candle_core::Result<Vec<Tensor>> {
        let mut hidden = self.embedded(images)?;
        let mut outputs = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            hidden = layer.forward(&hidden, AttentionMask::default())?;
            outputs.push(hidden.clone());
        }
        Ok(outputs)
    }

    /// transformers' `hidden_states[-2]` of normalised images, `(batch, 3, size, size)`: the output of the last layer but
    /// one, `(batch, 1 + patches, width)`.
    ///
    /// # Errors
    /// If the shape does not match.
    pub fn hidden_states(&self, images: &Tensor) -> Result<Tensor, DiffusionError> {
        let layers = &self.layers[..self.layers.len().saturating_sub(1)];
        Ok(self.run(images, layers)?)
    }

    /// transformers' `image_embeds` of normalised images, `(batch, 3, size, size)`: `(batch, width)`.
    ///
    /// # Errors
    /// If the encoder has no projection, or if the shape does not match.
    pub fn embed(&self, images: &Tensor) -> candle_core::Result<Tensor> {
        let Some((projection, _)) = &self.visual_projection else {
            candle_core::bail!(
                "the image encoder has no `visual_projection`, which is needed here"
            );
        };
        let class = self.run(images, &self.layers)?.narrow(1, 0, 1)?.squeeze(1)?;
        projection.forward(&self.post_norm.forward(&class.contiguous()?)?)
    }

    fn run(&self, images: &Tensor, layers: &[ClipLayer]) -> candle_core::Result<Tensor> {
        let mask = AttentionMask::default();
        layers.iter().try_fold(self.embedded(images)?, |hidden, layer| layer.forward(&hidden, mask))
    }

    /// The input of the first layer.
    fn embedded(&self, images: &Tensor) -> candle_core::Result<Tensor> {
        let patches = self.patch_embedding.forward(images)?.flatten_from(2)?.transpose(1, 2)?;
        let (batch, _, width) = patches.dims3()?;
        let class = self.class_embedding.broadcast_as((batch, 1, width))?;
        let tokens = Tensor::cat(&[class, patches], 1)?;
        self.pre_norm.forward(&tokens.broadcast_add(&self.position_embedding)?)
    }
}

/// Normalises pixels in 0..=1, (batch, 3, height, width), as in the training of CLIP.
pub(in crate::diffusion) fn clip_normalized(pixels: &Tensor) -> candle_core::Result<Tensor> {
    let channels = |values: [f64; 3]| {
        Tensor::new(&values, pixels.device())?.reshape((1, 3, 1, 1))?.to_dtype(pixels.dtype())
    };
    pixels.broadcast_sub(&channels(CLIP_MEAN)?)?.broadcast_div(&channels(CLIP_STD)?)
}

/// The projection to embeddings. `None` if the encoder has none.
fn projection(
    width: usize,
    output: usize,
    weights: &VarBuilder,
) -> candle_core::Result<Option<Linear>> {
    let weights = weights.pp("visual_projection");
    let exists = weights.contains_tensor("weight");
    exists.then(|| Linear::load_without_bias(width, output, &weights)).transpose()
}
