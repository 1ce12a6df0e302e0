//! Textual inversions in prompts: `embedding:name`, as in `ComfyUI`.

use std::ops::Range;

/// How a textual inversion in a prompt begins.
const START: &str = "embedding:";

/// The signs after a name that belong to the sentence.
const SENTENCE_ENDS: [char; 5] = ['.', ';', ':', '!', '?'];

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextPiece<'a> {
    /// Ordinary words.
    Words(&'a str),
    /// A textual inversion: the name of its file without the extension, or its path.
    Embedding(&'a str),
}

/// Divides the text of a [fragment](super::Fragment) at `embedding:name`. A name ends at white space, a comma
/// or a brace. Together, the pieces are the text; none is empty.
#[must_use]
pub fn split_embedding_tags(text: &str) -> Vec<TextPiece<'_>> {
    let mut pieces = Vec::new();
    let mut from = 0;
    for tag in tags(text) {
        if from < tag.start {
            pieces.push(TextPiece::Words(&text[from..tag.start]));
        }
        pieces.push(TextPiece::Embedding(&text[tag.start + START.len()..tag.end]));
        from = tag.end;
    }
    if from < text.len() {
        pieces.push(TextPiece::Words(&text[from..]));
    }
    pieces
}

/// The places of the tags.
pub(super) fn tags(text: &str) -> impl Iterator<Item = Range<usize>> {
    let starts = text.match_indices(START).map(|(at, _)| at);
    let mut from = 0;
    starts.filter_map(move |start| {
        let before = text[..start].chars().next_back();
        if start < from || before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            return None;
        }
        let rest = &text[start + START.len()..];
        let is_end = |c: char| c.is_whitespace() || ",{}|".contains(c);
        let name = &rest[..rest.find(is_end).unwrap_or(rest.len())];
        let name = name.trim_end_matches(SENTENCE_ENDS);
        from = start + START.len() + name.len();
        (!name.is_empty()).then_some(start..from)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        TextPiece::{Embedding, Words},
        *,
    };

    #[test]
    fn a_name_ends_at_white_space_a_comma_or_the_end_of_a_sentence() {
        for (text, expected) in [
            ("", vec![]),
            ("a fox", vec![Words("a fox")]),
            ("embedding:easynegative", vec![Embedding("easynegative")]),
            (
                "fog, embedding:bad_v1.3, night",
                vec![Words("fog, "), Embedding("bad_v1.3"), Words(", night")],
            ),
            (
                "(embedding:a\nembedding:b/c.safetensors.",
                vec![
                    Words("("),
                    Embedding("a"),
                    Words("\n"),
                    Embedding("b/c.safetensors"),
                    Words("."),
                ],
            ),
            ("embedding:a|b", vec![Embedding("a"), Words("|b")]),
            ("an embedding: a", vec![Words("an embedding: a")]),
            ("my_embedding:a", vec![Words("my_embedding:a")]),
        ] {
            assert_eq!(split_embedding_tags(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_text(text in r"(embedding:|a|é|,| |\.|_){0,12}") {
            let pieces = split_embedding_tags(&text);
            let joined: String = pieces.iter().map(|piece| match piece {
                Words(words) => (*words).to_owned(),
                Embedding(name) => format!("embedding:{name}"),
            }).collect();
            prop_assert_eq!(&joined, &text);
            prop_assert!(pieces.iter().all(|piece| !matches!(piece, Words("") | Embedding(""))));
        }
    }
}
