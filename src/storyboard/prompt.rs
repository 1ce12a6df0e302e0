//! A builder for prompts.

use super::{PromptPiece, PromptSource};
use crate::recipe::words::{join, tidy};

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

    /// Returns the text for the model, and its pieces.
    pub fn finish(self) -> (String, Vec<PromptPiece>) {
        (join(self.0.iter().map(|piece| piece.words.as_str())), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_tidied_and_empty_ones_are_left_out() {
        let prompt = Prompt::default()
            .with(" a fox,\n   red ,", PromptSource::Style)
            .with(" , ", PromptSource::Author)
            .with("at night", PromptSource::Style);
        let (text, pieces) = prompt.finish();
        assert_eq!(text, "a fox, red, at night");
        assert_eq!(pieces.len(), 2);
    }
}
