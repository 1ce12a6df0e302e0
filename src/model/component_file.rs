//! Optional components of a model, such as adapters, as files or folders of their own.

use std::{path::Path, sync::Arc};

use serde_json::{Value, json};

use super::{
    ModelError, Package, TensorSource,
    package::{LOSS_AUTOENCODER, LOSS_ENCODER, Overlay, optional_components},
    tensors::{TensorFiles, count, dims},
    vae_file::with_autoencoder,
};

const IMAGE_ENCODER: &str = "adapters/image_encoder";

/// The heads of an attention layer of all published image encoders (CLIP ViT-L, ViT-H and ViT-bigG).
const HEADS: usize = 16;

/// The channels of ViT-L, whose activation is that of OpenAI's CLIP. The larger ones are those of `OpenCLIP`.
const WIDTH_OF_L: usize = 1024;

/// What a component that is a file or a folder of its own can be beside a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComponentPlace {
    /// The autoencoder.
    Vae,
    /// A text encoder.
    TextEncoder,
    /// The [optional component](optional_components) with this name.
    Optional(&'static str),
}

impl ComponentPlace {
    /// The places that a component of this class can have, the usual one first. Empty if it has none.
    #[must_use]
    pub fn of_class(class: &str) -> &'static [Self] {
        match class {
            "AutoencoderKL" | "AutoencoderKLFlux2" => &[Self::Vae],
            "AutoencoderTiny" => &[Self::Vae, Self::Optional(LOSS_AUTOENCODER)],
            "CLIPTextModel" | "CLIPTextModelWithProjection" | "Qwen3ForCausalLM" | "Qwen3Model" => {
                &[Self::TextEncoder]
            }
            "CLIPVisionModel" | "CLIPVisionModelWithProjection" => &[Self::Optional(IMAGE_ENCODER)],
            "CLIPModel" => &[Self::Optional(LOSS_ENCODER), Self::Optional(IMAGE_ENCODER)],
            "ControlNetModel" | "ControlNetUnionModel" => &[
                Self::Optional("adapters/outline"),
                Self::Optional("adapters/scribble"),
                Self::Optional("adapters/content"),
            ],
            "T2IAdapter" => {
                &[Self::Optional("adapters/outline"), Self::Optional("adapters/scribble")]
            }
            "IPAdapter" => &[
                Self::Optional("adapters/style"),
                Self::Optional("adapters/content"),
                Self::Optional("adapters/reference"),
            ],
            _ => &[],
        }
    }

    /// What a component of this class is, in words, if it has a place.
    pub(super) fn name_of_class(class: &str) -> Option<&'static str> {
        Some(match class {
            "AutoencoderKL" | "AutoencoderKLFlux2" => "an autoencoder (VAE)",
            "AutoencoderTiny" => "a small autoencoder (TAESD)",
            "CLIPTextModel" | "CLIPTextModelWithProjection" => "a text encoder",
            "CLIPVisionModel" | "CLIPVisionModelWithProjection" => "an image encoder",
            "CLIPModel" => "an encoder of images and texts",
            "ControlNetModel" => "a ControlNet",
            "ControlNetUnionModel" => "a union ControlNet",
            "T2IAdapter" => "a T2I-Adapter",
            "IPAdapter" => "an IP-Adapter",
            _ => return None,
        })
    }

    /// The display name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vae => "VAE",
            Self::TextEncoder => "text encoder",
            Self::Optional(component) => match component {
                "adapters/content" => "adapter for content images",
                "adapters/image_encoder" => "image encoder of IP-Adapters",
                "adapters/outline" => "adapter for outlines",
                "adapters/reference" => "adapter for reference images",
                "adapters/scribble" => "adapter for scribbles",
                "adapters/style" => "adapter for style images",
                LOSS_ENCODER => "encoder for losses",
                LOSS_AUTOENCODER => "decoder for losses",
                other => other,
            },
        }
    }

    /// The option of the command line that gives a model this component.
    #[must_use]
    pub fn option(self) -> String {
        match self {
            Self::Vae => "--vae PATH".to_owned(),
            Self::TextEncoder => "--text-encoder PATH".to_owned(),
            Self::Optional(component) => format!("--component {component}:PATH"),
        }
    }
}

/// Replaces an [optional component](optional_components) of a package by that in a file or in a folder with a `config.json`, or
/// adds it: an adapter, an image encoder, or a network of losses. Whether it fits the model is found when it is loaded.
///
/// # Errors
/// [`ModelError::Unsupported`] if `component` is not the name of an optional component, or if the file is not one.
/// Otherwise if a file cannot be read, or lacks a tensor.
pub fn with_component(
    package: Arc<dyn Package>,
    component: &str,
    path: &Path,
) -> Result<Overlay, ModelError> {
    let unsupported = |field: &str, value: &str, supported: String| {
        let (file, field, value) = (path.display().to_string(), field.into(), value.to_owned());
        ModelError::Unsupported { file, field, value, supported }
    };
    let Some(component) = optional_components().find(|known| *known == component) else {
        let known: Vec<_> = optional_components().collect();
        return Err(unsupported("the component", component, known.join(", ")));
    };
    if path.is_dir() {
        return Overlay::of_folder(package, component, path);
    }
    match component {
        LOSS_AUTOENCODER => with_autoencoder(package, component, path),
        LOSS_ENCODER => {
            let supported = "a folder with config.json, weights and a tokenizer".to_owned();
            Err(unsupported(component, "a single file", supported))
        }
        IMAGE_ENCODER => with_image_encoder(package, path),
        adapter => Overlay::of_adapter(package, adapter, path),
    }
}

/// Replaces the image encoder of a package by that in a file with the names of transformers, as in the folder `clip_vision` of
/// `ComfyUI`.
fn with_image_encoder(package: Arc<dyn Package>, path: &Path) -> Result<Overlay, ModelError> {
    let config = image_encoder_config(&TensorFiles::open(path)?)?;
    let file = path.to_owned();
    let open = move || Ok(Box::new(TensorFiles::open(&file)?) as Box<dyn TensorSource>);
    Ok(Overlay::of_file(package, IMAGE_ENCODER, path, config, Arc::new(open)))
}

/// The configuration of a `CLIPVisionModel`, with or without projection.
fn image_encoder_config(tensors: &dyn TensorSource) -> Result<Value, ModelError> {
    let model = "vision_model.";
    let layer = |at: usize| format!("{model}encoder.layers.{at}.");
    let [width, _, patch, _] = dims(tensors, &format!("{model}embeddings.patch_embedding.weight"))?;
    let [positions, _] = dims(tensors, &format!("{model}embeddings.position_embedding.weight"))?;
    let [inner, _] = dims(tensors, &format!("{}mlp.fc1.weight", layer(0)))?;
    let projected = tensors.shape("visual_projection.weight").and_then(|it| it.first().copied());
    let mut config = json!({
        "model_type": "clip_vision_model",
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": count(tensors, |at| format!("{}layer_norm1.weight", layer(at))),
        "num_attention_heads": HEADS,
        "patch_size": patch,
        // One position is that of the class.
        "image_size": patch.saturating_mul(positions.saturating_sub(1).isqrt()),
        "hidden_act": if width > WIDTH_OF_L { "gelu" } else { "quick_gelu" },
    });
    if let Some(projected) = projected {
        config["projection_dim"] = json!(projected);
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};

    use super::*;

    /// The shapes of a `CLIPVisionModel`.
    struct Shapes {
        width: usize,
        inner: usize,
        layers: usize,
        patch: usize,
        positions: usize,
        projected: Option<usize>,
    }

    impl TensorSource for Shapes {
        fn contains(&self, name: &str) -> bool {
            self.shape(name).is_some()
        }

        fn shape(&self, name: &str) -> Option<Vec<usize>> {
            let Self { width, inner, patch, .. } = *self;
            let name = name.strip_prefix("vision_model.").unwrap_or(name);
            match name {
                "embeddings.patch_embedding.weight" => Some(vec![width, 3, patch, patch]),
                "embeddings.position_embedding.weight" => Some(vec![self.positions, width]),
                "visual_projection.weight" => Some(vec![self.projected?, width]),
                name => {
                    let (at, tensor) = name.strip_prefix("encoder.layers.")?.split_once('.')?;
                    let at: usize = at.parse().ok()?;
                    match tensor {
                        _ if at >= self.layers => None,
                        "mlp.fc1.weight" => Some(vec![inner, width]),
                        "layer_norm1.weight" => Some(vec![width]),
                        _ => None,
                    }
                }
            }
        }

        fn dtype(&self, name: &str) -> Option<DType> {
            self.shape(name).map(|_| DType::F32)
        }

        fn files(&self) -> String {
            "shapes".to_owned()
        }

        fn get(&self, tensor: &str, _: DType, _: &Device) -> Result<Tensor, ModelError> {
            Err(ModelError::NoTensor { files: self.files(), tensor: tensor.to_owned() })
        }
    }

    #[test]
    fn the_configuration_of_a_published_image_encoder_follows_from_its_tensors() {
        // The image encoders of h94/IP-Adapter, and that of CLIP ViT-L without projection.
        for (shapes, expected) in [
            ((1280, 5120, 32, 14, 257, Some(1024)), (224, "gelu")),
            ((1664, 8192, 48, 14, 257, Some(1280)), (224, "gelu")),
            ((1024, 4096, 24, 14, 577, None), (336, "quick_gelu")),
        ] {
            let (width, inner, layers, patch, positions, projected) = shapes;
            let shapes = Shapes { width, inner, layers, patch, positions, projected };
            let (image_size, activation) = expected;
            let mut expected = json!({
                "model_type": "clip_vision_model",
                "hidden_size": width,
                "intermediate_size": inner,
                "num_hidden_layers": layers,
                "num_attention_heads": 16,
                "patch_size": patch,
                "image_size": image_size,
                "hidden_act": activation,
            });
            if let Some(projected) = projected {
                expected["projection_dim"] = json!(projected);
            }
            assert_eq!(image_encoder_config(&shapes).unwrap(), expected);
        }
    }

    #[test]
    fn every_optional_component_has_a_class_and_a_name() {
        let classes =
            ["AutoencoderTiny", "CLIPModel", "ControlNetModel", "IPAdapter", "T2IAdapter"];
        let places = classes.map(ComponentPlace::of_class).concat();
        for component in optional_components() {
            let place = ComponentPlace::Optional(component);
            assert!(places.contains(&place), "{component}");
            assert_ne!(place.name(), component);
        }
    }
}
