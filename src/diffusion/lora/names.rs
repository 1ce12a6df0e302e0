//! The names of layers in the files of low-rank adapters.

use crate::model::ldm::UNetNames;

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
