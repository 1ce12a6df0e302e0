//! The transformer of FLUX.2 Klein as a file or a folder of its own, which replaces that of a model.

mod names;
mod package;

use std::{path::Path, sync::Arc};

use serde_json::{Map, Value, json};

use super::{
    ModelError, Package, TensorSource,
    detect::{TRANSFORMER, check_klein},
    package::Overlay,
    tensors::{Converted, WeightFile, count, dims, unsupported},
};
pub(super) use names::Names;
pub(crate) use names::original_layer;
pub use package::Flux2File;

/// The coordinates of a token. In the published models, each turns a quarter of the elements of a head, in pairs.
const AXES: usize = 4;

/// A part of the names of tensors that models with a guidance scale have, and Klein does not.
const GUIDANCE: &str = "guidance_in.";
const GUIDANCE_EMBEDDER: &str = "guidance_embedder.";

/// Replaces the transformer of a package of FLUX.2 Klein by that in a file or in a folder: a GGUF or safetensors file in the
/// names of Black Forest Labs or of diffusers, or a folder in diffusers' layout.
///
/// The tensors of a file tell its sizes. What they do not tell, such as the frequencies of positions, is that of the package.
///
/// # Errors
/// [`ModelError::Unsupported`] if the package is not one of FLUX.2 Klein, or the file is not such a transformer. Otherwise if
/// it cannot be read, or lacks a tensor.
pub fn with_transformer(package: Arc<dyn Package>, path: &Path) -> Result<Overlay, ModelError> {
    check_klein(&*package)?;
    if path.is_dir() {
        return Overlay::of_folder(package, TRANSFORMER, path);
    }
    let names = readable_names(&path.display().to_string(), &WeightFile::open(path)?.names())?;
    let file = path.to_owned();
    let open = move || opened(&file, names);
    let config = config(package.config(TRANSFORMER)?, &*open()?)?;
    Ok(Overlay::of_file(package, TRANSFORMER, path, config, Arc::new(open)))
}

/// The tensors of a file in the names of diffusers.
fn opened(path: &Path, names: Names) -> Result<Box<dyn TensorSource>, ModelError> {
    let source = WeightFile::open(path)?.into_source();
    Ok(Box::new(Converted { source, stored: move |name: &str| names.stored(name) }))
}

/// The names of tensors in a file that can be read.
fn readable_names(file: &str, names: &[String]) -> Result<Names, ModelError> {
    let refused = |field: &str, value: &str, supported: &str| ModelError::Unsupported {
        file: file.to_owned(),
        field: field.to_owned(),
        value: value.to_owned(),
        supported: supported.to_owned(),
    };
    let Some(found) = Names::of(&|name| names.iter().any(|known| known == name)) else {
        let supported = "a transformer of FLUX.2 Klein";
        return Err(refused("the file", "a file with other tensors", supported));
    };
    let reads_guidance =
        |name: &&String| name.contains(GUIDANCE) || name.contains(GUIDANCE_EMBEDDER);
    match names.iter().find(reads_guidance) {
        Some(name) => {
            let supported = "FLUX.2 Klein, which has no such tensor";
            Err(refused(name, "of a model that reads the guidance scale", supported))
        }
        None => Ok(found),
    }
}

/// The configuration of a transformer whose `tensors` have the names of diffusers. `own` is that of the package.
fn config(own: Value, tensors: &dyn TensorSource) -> Result<Value, ModelError> {
    let mut config = match own {
        Value::Object(own) => own,
        _ => Map::new(),
    };
    let [width, channels] = dims(tensors, "x_embedder.weight")?;
    let [_, context] = dims(tensors, "context_embedder.weight")?;
    let [_, times] = dims(tensors, "time_guidance_embed.timestep_embedder.linear_1.weight")?;
    let [head] = dims(tensors, "transformer_blocks.0.attn.norm_q.weight")?;
    let [_, inner] = dims(tensors, "transformer_blocks.0.ff.linear_out.weight")?;
    let blocks = |group: &str| count(tensors, |at| format!("{group}.{at}.attn.norm_q.weight"));
    if head == 0 || width == 0 || !width.is_multiple_of(head) {
        let expected = format!("a width that is a multiple of {head}, the elements of a head");
        return Err(unsupported(tensors, "x_embedder.weight", &expected));
    }
    if config.get("attention_head_dim") != Some(&json!(head)) {
        if !head.is_multiple_of(2 * AXES) {
            let norm = "transformer_blocks.0.attn.norm_q.weight";
            let expected = format!("a multiple of {} elements of a head", 2 * AXES);
            return Err(unsupported(tensors, norm, &expected));
        }
        config.insert("axes_dims_rope".to_owned(), json!(vec![head / AXES; AXES]));
    }
    for (field, value) in [
        ("in_channels", json!(channels)),
        ("out_channels", Value::Null),
        ("num_layers", json!(blocks("transformer_blocks"))),
        ("num_single_layers", json!(blocks("single_transformer_blocks"))),
        ("attention_head_dim", json!(head)),
        ("num_attention_heads", json!(width / head)),
        ("joint_attention_dim", json!(context)),
        ("timestep_guidance_channels", json!(times)),
        ("mlp_ratio", json!(ratio(inner, width))),
        ("guidance_embeds", json!(false)),
    ] {
        config.insert(field.to_owned(), value);
    }
    Ok(Value::Object(config))
}

/// A number whose product with `width`, rounded down, is `inner`.
fn ratio(inner: usize, width: usize) -> f64 {
    let (inner, width) = (inner as f64, width as f64);
    let ratio = inner / width;
    if (width * ratio).floor() == inner { ratio } else { (inner + 0.5) / width }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_of_the_inner_layer_gives_its_size_back() {
        for width in 1..300_usize {
            for inner in 1..4 * width {
                assert_eq!((width as f64 * ratio(inner, width)) as usize, inner);
            }
        }
        assert_eq!(ratio(9216, 3072), 3.0);
    }
}
