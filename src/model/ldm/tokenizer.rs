//! The tokenizer of CLIP, which files in LDM do not contain.

use std::collections::BTreeMap;

use serde_json::json;

/// The pairs of tokens that become one, in order. See `assets/models/clip-tokenizer/README.md`.
const MERGES: &str = include_str!("../../../assets/models/clip-tokenizer/merges.txt");

/// The ids of the texts "start" and "end".
const SPECIAL: [&str; 2] = ["<|startoftext|>", "<|endoftext|>"];

/// The files of a tokenizer that pads with `pad`, in a folder.
pub(super) fn files(folder: &str, pad: &str) -> [(String, Vec<u8>); 3] {
    let [start, end] = SPECIAL;
    let config = json!({
        "bos_token": start,
        "eos_token": end,
        "pad_token": pad,
        "unk_token": end,
        "model_max_length": 77,
    });
    [
        (format!("{folder}/merges.txt"), MERGES.as_bytes().to_vec()),
        (format!("{folder}/vocab.json"), json!(vocabulary()).to_string().into_bytes()),
        (format!("{folder}/tokenizer_config.json"), config.to_string().into_bytes()),
    ]
}

/// The ids of tokens: bytes within a word, bytes at its end, merged tokens, and the special ones.
fn vocabulary() -> BTreeMap<String, usize> {
    let bytes: Vec<String> = byte_characters().map(String::from).collect();
    let ends = bytes.iter().map(|byte| format!("{byte}</w>"));
    let merges = MERGES.lines().filter(|line| !line.starts_with("#version"));
    let merged = merges.map(|pair| pair.replace(' ', ""));
    let special = SPECIAL.map(str::to_owned);
    bytes.iter().cloned().chain(ends).chain(merged).chain(special).zip(0..).collect()
}

/// The printable characters that stand for the 256 bytes (Radford et al. 2019): most stand for themselves, and the others
/// for the characters from 256 on.
fn byte_characters() -> impl Iterator<Item = char> {
    let printable = || (33..=126_u32).chain(161..=172).chain(174..=255);
    let others = 256 - printable().count() as u32;
    printable().chain(256..256 + others).filter_map(char::from_u32)
}
