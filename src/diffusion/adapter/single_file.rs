//! Adapters as single files without a configuration, as in the folders of A1111 and `ComfyUI`.
//!
//! What a file is, is read from its tensors, not from its name. It has the names of the original programs (lllyasviel's
//! `ControlNet`, `TencentARC`'s `T2I-Adapter`) or those of diffusers. The sizes are those of the tensors. What no tensor
//! tells, such as the number of heads of a ControlNet, is that of the UNet, of which it is a copy.

mod control_net;
mod t2i_adapter;

use std::{borrow::Cow, fmt, sync::Arc};

use serde_json::Value;

use super::{AdapterError, AdapterPlaces};
use crate::{
    control::Interrupt,
    diffusion::DiffusionError,
    model::{ModelError, Package, TensorSource, package::config_file, tensors::Renamed},
};

/// A package in which the single file of an adapter has the configuration and the names of diffusers.
///
/// [`ControlNet::load`](super::ControlNet::load) and [`T2iAdapter::load`](super::T2iAdapter::load) read it.
pub struct SingleFile<'a> {
    package: &'a dyn Package,
    component: &'a str,
    file: String,
    network: Network,
}

/// What the tensors of a file tell.
struct Network {
    /// The configuration of diffusers.
    config: Value,
    stored: Names,
}

/// The name in the file of a tensor with a name of diffusers.
type Names = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// Tensors that identify unsupported kinds of files, each with the kind. The first match counts.
const UNSUPPORTED: [(&str, &str); 17] = [
    ("lora_controlnet", "a LoRA ControlNet (Control-LoRA)"),
    ("difference", "the difference of a ControlNet to a denoiser"),
    ("controlnet_mode_embedder.weight", "a union ControlNet of a transformer such as FLUX"),
    ("controlnet_x_embedder.weight", "a ControlNet of a transformer such as FLUX"),
    ("controlnet_blocks.0.weight", "a ControlNet of a transformer such as Stable Diffusion 3"),
    ("down_blocks.0.motion_modules.0.temporal_transformer.norm.weight", "a ControlNet of videos"),
    ("lllite_unet_middle_block_1_transformer_blocks_0_attn1_to_q.down.0.weight", LLLITE),
    ("lllite_unet_middle_block_1_transformer_blocks_0_attn1_to_q.down.weight", LLLITE),
    ("spatial_ch_projs.0.weight", "a fuser of T2I-Adapters (CoAdapter)"),
    ("style_embedding", "a style adapter of T2I-Adapter"),
    ("lora_unet_mid_block_attentions_0_proj_in.lora_down.weight", LORA),
    ("lora_unet_middle_block_1_proj_in.lora_down.weight", LORA),
    ("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight", LORA),
    ("lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight", LORA),
    ("unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight", LORA),
    ("unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q.lora.down.weight", LORA),
    ("conv_norm_out.weight", "a UNet"),
];
const LORA: &str = "a LoRA";
const LLLITE: &str = "a ControlNet-LLLite";

/// Tensors of an IP-Adapter of any kind, and of a whole model.
const IP_ADAPTER: [&str; 6] = [
    "image_proj.proj.weight",
    "image_proj.latents",
    "image_proj.norm.weight",
    "image_proj.proj.3.weight",
    "image_proj.perceiver_resampler.proj_in.weight",
    "ip_adapter.1.to_k_ip.weight",
];
const WHOLE_MODEL: &str = "model.diffusion_model.input_blocks.0.0.weight";

impl<'a> SingleFile<'a> {
    /// Reads what the weight file of a component is. `None` if it is an IP-Adapter, which needs no configuration.
    /// `places` are those of the denoiser, whose configuration is that of the component `unet`.
    ///
    /// # Errors
    /// [`AdapterError::Kind`] if the file is of a kind that is not supported, and [`AdapterError::OtherModel`] if it is a
    /// ControlNet of another denoiser. Otherwise if a file cannot be read, or has tensors of unexpected shapes.
    pub fn detect(
        package: &'a dyn Package,
        component: &'a str,
        places: &AdapterPlaces,
    ) -> Result<Option<Self>, DiffusionError> {
        let tensors = package.tensors(component)?;
        let file = tensors.files();
        let kind_error = |kind: &str| {
            let (file, kind) = (file.clone(), kind.to_owned());
            DiffusionError::from(AdapterError::Kind { file, kind })
        };
        if IP_ADAPTER.iter().any(|name| tensors.contains(name)) {
            return Ok(None);
        }
        if let Some((_, kind)) = UNSUPPORTED.iter().find(|(name, _)| tensors.contains(name)) {
            return Err(kind_error(kind));
        }
        let found = match control_net::Layout::detect(&*tensors) {
            Some(layout) => Some(layout.network(tensors, package, places)?),
            None => t2i_adapter::detect(&*tensors, places)?,
        };
        match found {
            Some(network) => Ok(Some(Self { package, component, file, network })),
            None if package.tensors(component)?.contains(WHOLE_MODEL) => {
                Err(kind_error("a whole model"))
            }
            None => Err(kind_error("no adapter that is known here")),
        }
    }

    fn is_own_config(&self, file: &str) -> bool {
        file == config_file(self.component)
    }
}

impl fmt::Debug for SingleFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.network.config;
        f.debug_struct("SingleFile").field("file", &self.file).field("config", config).finish()
    }
}

impl Package for SingleFile<'_> {
    fn name(&self) -> String {
        self.package.name()
    }

    /// The weight file stands for its configuration.
    fn location(&self, file: &str) -> String {
        if self.is_own_config(file) { self.file.clone() } else { self.package.location(file) }
    }

    fn has(&self, file: &str) -> bool {
        self.package.has(file)
    }

    fn has_component(&self, part: &str) -> bool {
        self.package.has_component(part)
    }

    fn file(&self, file: &str) -> Result<Cow<'_, [u8]>, ModelError> {
        self.package.file(file)
    }

    fn tensors(&self, part: &str) -> Result<Box<dyn TensorSource>, ModelError> {
        let source = self.package.tensors(part)?;
        if part != self.component {
            return Ok(source);
        }
        let names = Arc::clone(&self.network.stored);
        Ok(Box::new(Renamed { source, stored: move |name: &str| names(name) }))
    }

    fn hash(&self, interrupt: &Interrupt) -> Result<String, ModelError> {
        self.package.hash(interrupt)
    }

    fn fingerprint(&self) -> u64 {
        self.package.fingerprint()
    }

    fn licence(&self) -> Option<String> {
        self.package.licence()
    }

    /// The package without this configuration and these names.
    fn shared(&self) -> Arc<dyn Package> {
        self.package.shared()
    }

    fn index(&self) -> Result<Value, ModelError> {
        self.package.index()
    }

    fn config(&self, part: &str) -> Result<Value, ModelError> {
        if part == self.component {
            Ok(self.network.config.clone())
        } else {
            self.package.config(part)
        }
    }
}
