//! The files of a tokenizer, and prompts.

#![no_main]

use std::fs;

use bevy_illustrator::{
    diffusion::text::tokenizer::{ClipTokenizer, MAX_CHUNKS},
    model::FolderPackage,
    prompt::Prompt,
};
use bevy_illustrator_fuzz::{empty_folder, files};
use libfuzzer_sys::fuzz_target;

const FILES: [&str; 8] = [
    "prompt",
    "tokenizer/tokenizer.json",
    "tokenizer/vocab.json",
    "tokenizer/merges.txt",
    "tokenizer/tokenizer_config.json",
    "tokenizer/special_tokens_map.json",
    "tokenizer/added_tokens.json",
    "text_encoder/config.json",
];

fuzz_target!(|input: &[u8]| {
    let root = empty_folder();
    for folder in ["unet", "tokenizer", "text_encoder"] {
        fs::create_dir(root.join(folder)).expect("room");
    }
    fs::write(root.join("unet/config.json"), "{}").expect("room");
    let mut prompt = String::new();
    for (name, bytes) in files(input, &FILES) {
        fs::write(root.join(name), bytes).expect("room");
        if name == "prompt" {
            prompt = String::from_utf8_lossy(bytes).into_owned();
        }
    }
    let package = FolderPackage::open(root).expect("a marker");
    let Ok(tokenizer) = ClipTokenizer::load(&package) else { return };
    if let Ok(ids) = tokenizer.ids(&prompt) {
        assert_eq!(ids.len(), tokenizer.length());
    }
    if let Ok(chunks) = tokenizer.chunks(&Prompt::parse(&prompt).sections[0], MAX_CHUNKS) {
        assert!((1..=MAX_CHUNKS).contains(&chunks.len()));
        assert!(chunks.iter().all(|chunk| chunk.ids.len() == tokenizer.length()));
    }
});
