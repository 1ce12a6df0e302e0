//! Prompts: their notation, those of other programs, and the built-in tokenizer.

#![no_main]

use std::sync::LazyLock;

use bevy_illustrator::{
    diffusion::text::tokenizer::{ClipTokenizer, MAX_CHUNKS},
    model::EmbeddedPackage,
    prompt::{
        LongPrompt, MAX_WEIGHT, Prompt, PromptSyntax, TextPiece, chosen, split_embedding_tags,
        split_lora_tags,
    },
};
use libfuzzer_sys::fuzz_target;

static TOKENIZER: LazyLock<ClipTokenizer> = LazyLock::new(|| {
    ClipTokenizer::load(&EmbeddedPackage::built_in()).expect("the built-in model")
});

fuzz_target!(|prompt: &str| {
    for found in PromptSyntax::find(prompt) {
        if let PromptSyntax::Weight(text)
        | PromptSyntax::Schedule(text)
        | PromptSyntax::Network(text) = found
        {
            assert!(prompt.contains(&text), "{text}");
        }
    }
    let _ = LongPrompt::find(prompt);
    let (words, tags) = split_lora_tags(prompt);
    assert!(tags.iter().all(|tag| !tag.name.is_empty() && tag.weight.is_finite()));
    assert_eq!(tags.is_empty(), words == prompt);
    let pieces = split_embedding_tags(prompt).into_iter().map(|piece| match piece {
        TextPiece::Words(words) => words.to_owned(),
        TextPiece::Embedding(name) => format!("embedding:{name}"),
    });
    assert_eq!(pieces.collect::<String>(), prompt);
    let prompt = &chosen(prompt, 1);
    assert_eq!(chosen(prompt, 2), *prompt);
    let sections = Prompt::parse(prompt).sections;
    assert!(!sections.is_empty());
    for section in &sections {
        assert!(section.iter().all(|it| (0.0..=MAX_WEIGHT).contains(&it.weight)));
        let chunks = TOKENIZER.chunks(section, MAX_CHUNKS).expect("every text has tokens");
        assert!((1..=MAX_CHUNKS).contains(&chunks.len()));
        for chunk in chunks {
            assert_eq!(
                (chunk.ids.len(), chunk.fragments.len()),
                (TOKENIZER.length(), TOKENIZER.length())
            );
            assert!(chunk.end < TOKENIZER.length());
        }
    }
    assert_eq!(TOKENIZER.ids(prompt).expect("every text has tokens").len(), TOKENIZER.length());
});
