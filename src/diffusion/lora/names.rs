//! The names of layers in the files of low-rank adapters.

use std::iter;

use crate::model::{flux2_original_layer, ldm::UNetNames, tensors::View, z_image_original_layer};

/// The component of the denoiser.
pub(super) const UNET: &str = "unet";

/// The possible names of the layer for a tensor of a component, by the name of diffusers. Empty for a tensor without layers,
/// such as a bias.
///
/// `unet` has the names of the UNet in LDM, which kohya's sd-scripts use for Stable Diffusion XL.
pub(super) fn candidates(component: &str, tensor: &str, unet: &UNetNames) -> Vec<String> {
    let Some(layer) = tensor.strip_suffix(".weight") else { return Vec::new() };
    let joined = |layer: &str| layer.replace('.', "_");
    if component == UNET {
        let parts: Vec<&str> = tensor.split('.').collect();
        let ldm = unet.name(&parts);
        let ldm = ldm.as_deref().and_then(|name| name.strip_suffix(".weight"));
        let mut names = vec![
            format!("lora_unet_{}", joined(layer)),
            format!("unet.{layer}"),
            layer.to_owned(),
            format!("base_model.model.{layer}"),
        ];
        names.extend(ldm.map(|ldm| format!("lora_unet_{}", joined(ldm))));
        // `attn1.to_q` is `attn1.processor.to_q_lora` in older files, and `to_out.0` is `to_out_lora`.
        if let Some((attention, projection)) = layer.rsplit_once(".to_") {
            let projection = projection.trim_end_matches(".0");
            let old = format!("{attention}.processor.to_{projection}");
            names.extend([format!("unet.{old}"), old]);
        }
        return names;
    }
    // transformers 5 leaves out this prefix.
    let layer = match layer.starts_with("text_") {
        true => layer.to_owned(),
        false => format!("text_model.{layer}"),
    };
    let kohya: &[&str] = match component {
        "text_encoder" => &["lora_te_", "lora_te1_"],
        "text_encoder_2" => &["lora_te2_"],
        _ => return Vec::new(),
    };
    let kohya = kohya.iter().map(|prefix| format!("{prefix}{}", joined(&layer)));
    kohya.chain([format!("{component}.{layer}")]).collect()
}

/// The possible names of a layer of a UNet, by that of diffusers. `ldm` has its names in LDM.
pub(in crate::diffusion) fn of_unet(layer: &str, ldm: &UNetNames) -> Vec<(String, View)> {
    let names = candidates(UNET, &format!("{layer}.weight"), ldm);
    names.into_iter().map(|name| (name, View::Whole)).collect()
}

/// The prefixes of the layers of a transformer with dots in their names: those of diffusers, ComfyUI, peft, and none.
const TRANSFORMER: [&str; 4] = ["transformer.", "diffusion_model.", "base_model.model.", ""];

/// Those of kohya's sd-scripts, with `_` for dots.
const TRANSFORMER_JOINED: [&str; 2] = ["lora_unet_", "lora_transformer_"];

/// The possible names of a layer of FLUX.2, by that of diffusers. With each comes what the layer has of it.
pub(in crate::diffusion) fn of_flux2(layer: &str) -> Vec<(String, View)> {
    of_transformer(layer, flux2_original_layer(layer))
}

/// As [`of_flux2`], for Z-Image.
pub(in crate::diffusion) fn of_z_image(layer: &str) -> Vec<(String, View)> {
    of_transformer(layer, z_image_original_layer(layer))
}

/// The possible names of a layer with its name in diffusers, and perhaps an original one.
fn of_transformer(layer: &str, original: Option<(String, View)>) -> Vec<(String, View)> {
    let own = (layer.to_owned(), View::Whole);
    let names = iter::once(own).chain(original).flat_map(|(layer, view)| {
        let joined = layer.replace('.', "_");
        let dotted = TRANSFORMER.map(|prefix| (format!("{prefix}{layer}"), view));
        let joined = TRANSFORMER_JOINED.map(|prefix| (format!("{prefix}{joined}"), view));
        dotted.into_iter().chain(joined)
    });
    names.collect()
}
