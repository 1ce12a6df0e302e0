//! An autoencoder as a file or a folder of its own, which replaces that of a model.

use std::{path::Path, sync::Arc};

use serde_json::{Value, json};

use super::{
    ModelError, Package, TensorSource,
    ldm::autoencoder,
    package::Overlay,
    tensors::{Converted, TensorFiles, count, dims},
};

/// The autoencoder of a model.
const VAE: &str = "vae";

/// diffusers' default.
const DEFAULT_SCALING_FACTOR: f64 = 0.18215;

/// The mean of latents, which only the autoencoder of FLUX.2 has.
const LATENT_MEAN: &str = "bn.running_mean";

/// More layers than a half of a TAESD has.
const MAX_TINY_LAYERS: usize = 64;

/// The prefixes of the names in LDM.
const LDM_PREFIXES: [&str; 2] = ["", "first_stage_model."];

/// Replaces the autoencoder of a package by that in a file or in a folder: an `AutoencoderKL` or `AutoencoderKLFlux2` in the
/// names of LDM or of diffusers, or an `AutoencoderTiny` (TAESD) in those of diffusers.
///
/// What the tensors of an `AutoencoderKL` in a file do not tell, such as the scale of latents, is that of the package.
///
/// # Errors
/// [`ModelError::Unsupported`] if the file is not an autoencoder. Otherwise if it cannot be read, or lacks a tensor.
pub fn with_vae(package: Arc<dyn Package>, path: &Path) -> Result<Overlay, ModelError> {
    match path.is_dir() {
        true => Overlay::of_folder(package, VAE, path),
        false => with_autoencoder(package, VAE, path),
    }
}

/// As [`with_vae`], for a component with an autoencoder in a file.
pub(super) fn with_autoencoder(
    package: Arc<dyn Package>,
    component: &'static str,
    path: &Path,
) -> Result<Overlay, ModelError> {
    let tensors = TensorFiles::open(path)?;
    let file = path.to_owned();
    let open = move || Ok(Box::new(TensorFiles::open(&file)?) as Box<dyn TensorSource>);
    if let Some(prefix) =
        LDM_PREFIXES.into_iter().find(|prefix| autoencoder::levels(&tensors, prefix) > 0)
    {
        let levels = autoencoder::levels(&tensors, prefix);
        let is_nested = tensors.contains(&format!("{prefix}encoder.quant_conv.weight"));
        let open = move || {
            let stored = move |name: &str| match nested(name).filter(|_| is_nested) {
                Some(name) => autoencoder::stored(&name, prefix, levels),
                None => autoencoder::stored(name, prefix, levels),
            };
            Ok(Box::new(Converted { source: open()?, stored }) as Box<dyn TensorSource>)
        };
        let config = kl_config(&*package, &*open()?, levels)?;
        return Ok(Overlay::of_file(package, component, path, config, Arc::new(open)));
    }
    let levels = count(&tensors, |at| format!("encoder.down_blocks.{at}.resnets.0.norm1.weight"));
    let config = match () {
        () if levels > 0 => kl_config(&*package, &tensors, levels)?,
        () if tensors.contains("decoder.layers.0.weight") => tiny_config(&tensors)?,
        () => {
            return Err(ModelError::Unsupported {
                file: path.display().to_string(),
                field: "the file".to_owned(),
                value: "a file with other tensors".to_owned(),
                supported: "an autoencoder (VAE), or a TAESD in the names of diffusers".to_owned(),
            });
        }
    };
    Ok(Overlay::of_file(package, component, path, config, Arc::new(open)))
}

/// The name of a convolution between encoder and latents, or latents and decoder, in the autoencoder of FLUX.2 by Black Forest
/// Labs.
fn nested(name: &str) -> Option<String> {
    match name.split_once('.') {
        Some(("quant_conv", _)) => Some(format!("encoder.{name}")),
        Some(("post_quant_conv", _)) => Some(format!("decoder.{name}")),
        _ => None,
    }
}

/// The configuration of an `AutoencoderKL` whose `tensors` have the names of diffusers.
fn kl_config(
    package: &dyn Package,
    tensors: &dyn TensorSource,
    levels: usize,
) -> Result<Value, ModelError> {
    let own = package.config(VAE)?;
    let mut config = autoencoder::config(tensors, levels, DEFAULT_SCALING_FACTOR)?;
    if tensors.contains(LATENT_MEAN) {
        config["_class_name"] = json!("AutoencoderKLFlux2");
    }
    for field in ["norm_num_groups", "scaling_factor", "shift_factor", "batch_norm_eps"] {
        if let Some(value) = own.get(field) {
            config[field] = value.clone();
        }
    }
    Ok(config)
}

/// The configuration of an `AutoencoderTiny`.
fn tiny_config(tensors: &dyn TensorSource) -> Result<Value, ModelError> {
    let [channels, latents, _, _] = dims(tensors, "decoder.layers.0.weight")?;
    let [encoder, decoder] = ["encoder", "decoder"].map(|half| tiny_blocks(tensors, half));
    Ok(json!({
        "_class_name": "AutoencoderTiny",
        "latent_channels": latents,
        "encoder_block_out_channels": vec![channels; encoder.len()],
        "decoder_block_out_channels": vec![channels; decoder.len()],
        "num_encoder_blocks": encoder,
        "num_decoder_blocks": decoder,
    }))
}

/// The number of blocks after each convolution of one half, except the last convolution.
fn tiny_blocks(tensors: &dyn TensorSource, half: &str) -> Vec<usize> {
    let mut blocks = Vec::new();
    // Layers without tensors are activations and upsampling.
    for at in 0..MAX_TINY_LAYERS {
        let has = |tensor: &str| tensors.contains(&format!("{half}.layers.{at}.{tensor}"));
        if has("weight") {
            blocks.push(0);
        } else if has("conv.0.weight")
            && let Some(last) = blocks.last_mut()
        {
            *last += 1;
        }
    }
    blocks.pop();
    blocks
}
