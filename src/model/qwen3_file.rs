//! The language model Qwen3 as a file of its own, which replaces the text encoder of a model of FLUX.2 Klein or Z-Image.

mod names;
mod tokenizer;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use serde_json::{Map, Value, json};

use super::{
    ModelError, Package, TensorSource,
    detect::{QWEN3, check_component},
    package::Overlay,
    tensors::{Converted, GgufFile, GgufHeader, WeightFile, count, dims, unsupported},
};
pub(super) use names::Names;

/// The component that it replaces, and that of its tokenizer.
const COMPONENT: &str = "text_encoder";
const TOKENIZER: &str = "tokenizer";

/// The metadata of GGUF files that tell what tensors do not, with the fields of the configuration.
const METADATA: [(&str, &str); 2] = [
    ("qwen3.attention.layer_norm_rms_epsilon", "rms_norm_eps"),
    ("qwen3.rope.freq_base", "rope_theta"),
];

/// The metadata with the way of stretching positions, and the one value that does not stretch them.
const SCALING: &str = "qwen3.rope.scaling.type";
const NO_SCALING: &str = "none";

/// Replaces the text encoder of a package of FLUX.2 Klein or Z-Image by a Qwen3 language model in a folder with a `config.json`,
/// or in a file: safetensors in the names of transformers, or GGUF in those of llama.cpp. The tokenizer of the package is
/// replaced by that in a GGUF file, or otherwise by `tokenizer.json` beside the weights or in a folder `tokenizer` beside theirs.
///
/// The tensors tell its sizes, and the metadata of GGUF its constants. What a file does not tell is that of the package.
///
/// # Errors
/// [`ModelError::Unsupported`] if the package is not one of these families, or the file is not such a model. Otherwise if it
/// cannot be read, or lacks a tensor.
pub fn with_qwen3(package: Arc<dyn Package>, path: &Path) -> Result<Overlay, ModelError> {
    check_component(&*package, COMPONENT, &[QWEN3])?;
    if path.is_dir() {
        return Overlay::of_folder(with_tokenizer(package, path), COMPONENT, path);
    }
    let file = WeightFile::open(path)?;
    let own = match package.config(COMPONENT)? {
        Value::Object(own) => own,
        _ => Map::new(),
    };
    let names = file.names();
    let Some(names) = Names::of(&|name| names.iter().any(|known| known == name)) else {
        return Err(ModelError::Unsupported {
            file: path.display().to_string(),
            field: "the file".to_owned(),
            value: "a file with other tensors".to_owned(),
            supported: "a Qwen3 language model".to_owned(),
        });
    };
    let (own, files, package) = match &file {
        WeightFile::Gguf(file) => {
            (constants(file, own)?, tokenizer::files(file, TOKENIZER)?, package)
        }
        WeightFile::Safetensors(_) => {
            let folder = path.parent().unwrap_or(Path::new(""));
            (own, BTreeMap::new(), with_tokenizer(package, folder))
        }
    };
    let config = config(own, &*opened(file, names))?;
    let of = path.to_owned();
    let open = Arc::new(move || Ok(opened(WeightFile::open(&of)?, names)));
    Ok(Overlay::of_file(package, COMPONENT, path, config, open).with_contents(files))
}

/// Replaces the tokenizer of a package by that of a text encoder in a folder, if there is one.
fn with_tokenizer(package: Arc<dyn Package>, folder: &Path) -> Arc<dyn Package> {
    let beside = folder.parent().map(|above| above.join(TOKENIZER));
    let mut folders = [Some(folder.to_owned()), beside].into_iter().flatten();
    match folders.find(|folder| folder.join("tokenizer.json").is_file()) {
        Some(folder) => Arc::new(Overlay::of_tokenizer(package, TOKENIZER, &folder)),
        None => package,
    }
}

/// The tensors of a file in the names of transformers.
fn opened(file: WeightFile, names: Names) -> Box<dyn TensorSource> {
    Box::new(Converted { source: file.into_source(), stored: move |name: &str| names.stored(name) })
}

/// The configuration of the package, with the constants of the file.
fn constants(
    file: &GgufFile,
    mut own: Map<String, Value>,
) -> Result<Map<String, Value>, ModelError> {
    let header: &GgufHeader = file.header();
    if let Some(scaling) = header.value(SCALING).filter(|scaling| *scaling != NO_SCALING) {
        return Err(ModelError::Unsupported {
            file: file.files(),
            field: SCALING.to_owned(),
            value: scaling.to_string(),
            supported: format!("`{NO_SCALING}`"),
        });
    }
    for (name, field) in METADATA {
        if let Some(value) = header.value(name) {
            own.insert(field.to_owned(), value.clone());
        }
    }
    if header.value("qwen3.rope.freq_base").is_some() {
        // It would take precedence.
        own.remove("rope_parameters");
    }
    Ok(own)
}

/// The configuration of a model whose `tensors` have the names of transformers. `config` has what they do not tell.
fn config(mut config: Map<String, Value>, tensors: &dyn TensorSource) -> Result<Value, ModelError> {
    let first = |name: &str| format!("layers.0.{name}.weight");
    let [rows, width] = dims(tensors, "embed_tokens.weight")?;
    let [inner, _] = dims(tensors, &first("mlp.gate_proj"))?;
    let [head] = dims(tensors, &first("self_attn.q_norm"))?;
    let heads = |name: &str| {
        let [outputs, _] = dims(tensors, &first(name))?;
        match head {
            1.. if outputs.is_multiple_of(head) => Ok(outputs / head),
            _ => {
                let expected = format!("rows for heads of {head} elements");
                Err(unsupported(tensors, &first(name), &expected))
            }
        }
    };
    let layers = count(tensors, |at| format!("layers.{at}.input_layernorm.weight"));
    for (field, value) in [
        ("vocab_size", rows),
        ("hidden_size", width),
        ("intermediate_size", inner),
        ("num_hidden_layers", layers),
        ("num_attention_heads", heads("self_attn.q_proj")?),
        ("num_key_value_heads", heads("self_attn.k_proj")?),
        ("head_dim", head),
    ] {
        config.insert(field.to_owned(), json!(value));
    }
    config.insert("model_type".to_owned(), json!("qwen3"));
    let has_bias = tensors.contains("layers.0.self_attn.q_proj.bias");
    config.insert("attention_bias".to_owned(), json!(has_bias));
    Ok(Value::Object(config))
}
