//! Prompts: the built-in tokenizer, and the notations of other programs.

#![no_main]

use std::sync::LazyLock;

use bevy_illustrator::{
    diffusion::text::tokenizer::{ClipTokenizer, MAX_CHUNKS},
    model::EmbeddedPackage,
    recipe::PromptSyntax,
};
use libfuzzer_sys::fuzz_target;

static TOKENIZER: LazyLock<ClipTokenizer> = LazyLock::new(|| {
    ClipTokenizer::load(&EmbeddedPackage::built_in()).expect("the built-in model")
});

fuzz_target!(|prompt: &str| {
    for found in PromptSyntax::find(prompt) {
        if let PromptSyntax::Weight(text) | PromptSyntax::Network(text) = found {
            assert!(prompt.contains(&text), "{text}");
        }
    }
    let chunks = TOKENIZER.chunks(prompt).expect("every text has tokens");
    assert!((1..=MAX_CHUNKS).contains(&chunks.len()));
    assert!(chunks.iter().all(|ids| ids.len() == TOKENIZER.length()));
    assert_eq!(TOKENIZER.ids(prompt).expect("every text has tokens").len(), TOKENIZER.length());
});
