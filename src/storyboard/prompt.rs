//! A builder for prompts.

use super::{PromptPiece, PromptSource};
use crate::prompt::words::{in_style, join, tidy};

/// The pieces of a prompt in order.
#[derive(Default)]
pub(super) struct Prompt(Vec<PromptPiece>);

impl Prompt {
    /// Adds tidied words, unless they are empty.
    pub fn with(mut self, words: &str, from: PromptSource) -> Self {
        let words = tidy(words);
        if !words.is_empty() {
            self.0.push(PromptPiece { words, from });
        }
        self
    }

    /// Returns the text for the model in a style with these words, and its pieces.
    pub fn in_style(self, style: &str) -> (String, Vec<PromptPiece>) {
        let prompt = join(self.0.iter().map(|piece| piece.words.as_str()));
        (in_style(&prompt, style), self.with(style, PromptSource::Style).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_tidied_and_empty_ones_are_left_out() {
        let prompt = Prompt::default()
            .with(" a fox,\n   red ,", PromptSource::Author)
            .with(" , ", PromptSource::Author)
            .with("a tree", PromptSource::Author);
        let (text, pieces) = prompt.in_style(" at night,");
        assert_eq!(text, "a fox, red, a tree, at night");
        assert_eq!(pieces.len(), 3);
    }
}
