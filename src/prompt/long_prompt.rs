//! Prompts that are longer than what text encoders read.

use super::{Prompt, TextPiece, chosen, split_embedding_tags};
use crate::diffusion::text::tokenizer::MAX_CHUNKS;

/// The most tokens of a prompt that a CLIP text encoder reads, with the usual length of 77: each chunk has a start and
/// an end.
pub const MAX_PROMPT_TOKENS: usize = (77 - 2) * MAX_CHUNKS;

/// A prompt whose end no picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the prompt has at least {tokens} tokens, and at most {MAX_PROMPT_TOKENS} are used: shorten it"
)]
pub struct LongPrompt {
    /// The smallest number of tokens that the prompt can have.
    pub tokens: usize,
}

impl LongPrompt {
    /// Checks the length of a prompt without a tokenizer: every word, every digit, every group of other signs, and every textual
    /// inversion is at least one token of CLIP. A prompt that is only a little too long may not be found.
    #[must_use]
    pub fn find(prompt: &str) -> Option<Self> {
        let plain = Prompt::parse(&chosen(prompt, 0)).plain_text();
        let tokens = split_embedding_tags(&plain).into_iter().map(|piece| match piece {
            TextPiece::Words(words) => words.split_whitespace().map(tokens_at_least).sum(),
            TextPiece::Embedding(_) => 1,
        });
        let tokens = tokens.sum();
        (tokens > MAX_PROMPT_TOKENS).then_some(Self { tokens })
    }
}

/// The smallest number of tokens of a text without white space.
fn tokens_at_least(text: &str) -> usize {
    #[derive(PartialEq)]
    enum Kind {
        Letter,
        Digit,
        Sign,
    }
    let mut before = None;
    let mut count = 0;
    // An apostrophe may be in a token with letters, as in `'s`.
    for c in text.chars().filter(|&c| c != '\'') {
        let kind = match c {
            _ if c.is_alphabetic() => Kind::Letter,
            _ if c.is_numeric() => Kind::Digit,
            _ => Kind::Sign,
        };
        count += usize::from(kind == Kind::Digit || before.as_ref() != Some(&kind));
        before = Some(kind);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{diffusion::text::tokenizer::ClipTokenizer, model::EmbeddedPackage};

    #[test]
    fn no_prompt_has_fewer_tokens_than_estimated() {
        let tokenizer = ClipTokenizer::load(&EmbeddedPackage::built_in()).unwrap();
        for text in [
            "",
            "a lighthouse on a cliff, at dusk",
            "it's the painter's 23rd coat, isn't it?!",
            "(red:1.3), ((x)) -- 4k... <lora:a:0.8>",
            "маяк у моря, 灯台, हिन्दी บ้าน",
        ] {
            let prompt = Prompt::parse(text);
            let [section] = &prompt.sections[..] else { panic!("{text}") };
            let [chunk] = &tokenizer.chunks(section, 1).unwrap()[..] else { panic!("{text}") };
            let tokens = chunk.end - 1;
            let plain = prompt.plain_text();
            let estimated: usize = plain.split_whitespace().map(tokens_at_least).sum();
            assert!(estimated <= tokens, "{text}: {estimated} > {tokens}");
        }
    }

    #[test]
    fn a_prompt_is_too_long_beyond_16_chunks_of_75_tokens() {
        let words = |count| "blue, ".repeat(count);
        assert_eq!(LongPrompt::find(&words(600)), None);
        assert_eq!(LongPrompt::find(&words(601)), Some(LongPrompt { tokens: 1202 }));
        assert_eq!(LongPrompt::find(&"embedding:bad-v1.3 ".repeat(1200)), None);
    }
}
