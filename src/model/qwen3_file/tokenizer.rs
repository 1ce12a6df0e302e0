//! The tokenizer in a GGUF file, as the files of transformers.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::model::{ModelError, tensors::GgufFile};

/// The metadata with the kind of the tokenizer and of its rules, and the values of Qwen.
const KIND: [(&str, &str); 2] = [("tokenizer.ggml.model", "gpt2"), ("tokenizer.ggml.pre", "qwen2")];

const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";
const PADDING: &str = "tokenizer.ggml.padding_token_id";

/// The types of tokens that no merge makes: those that control the model, and those that training added.
const ADDED: [i32; 2] = [3, 4];

/// `tokenizer.json` and `tokenizer_config.json` in a folder. Nothing if the file has no tokenizer of Qwen.
///
/// # Errors
/// If the file cannot be read any more, or a token is not UTF-8.
pub(super) fn files(
    file: &GgufFile,
    folder: &str,
) -> Result<BTreeMap<String, Vec<u8>>, ModelError> {
    let is_qwen = |(name, value): (&str, &str)| file.header().value(name) == Some(&json!(value));
    if !KIND.into_iter().all(is_qwen) {
        return Ok(BTreeMap::new());
    }
    let (Some(tokens), Some(merges), Some(types)) =
        (file.texts(TOKENS)?, file.texts(MERGES)?, file.integers(TYPES)?)
    else {
        return Ok(BTreeMap::new());
    };
    let padding = file.header().value(PADDING).and_then(Value::as_u64);
    let padding = padding.and_then(|id| tokens.get(usize::try_from(id).ok()?));
    let config = json!({ "pad_token": padding, "padding_side": "right" });
    let is_added = |(_, kind): &(_, &i32)| ADDED.contains(*kind);
    let added = tokens.iter().enumerate().zip(&types).filter(is_added);
    let added = added.map(|((id, token), _)| json!({ "id": id, "content": token }));
    let added: Vec<Value> = added.collect();
    let ids = tokens.iter().enumerate().map(|(id, token)| (token.clone(), json!(id)));
    let vocabulary: Map<String, Value> = ids.collect();
    let json = json!({
        "added_tokens": added,
        "model": { "type": "BPE", "vocab": vocabulary, "merges": merges },
    });
    Ok([("tokenizer.json", json), ("tokenizer_config.json", config)]
        .map(|(name, json)| (format!("{folder}/{name}"), json.to_string().into_bytes()))
        .into())
}
