//! Changes the weight of words in a prompt, as Ctrl+Up and Ctrl+Down do in the web UI.

use std::ops::Range;

use super::{
    embedding_tags,
    fragments::{BRACKETS, MAX_WEIGHT, weight},
};

/// Adds `by` to the weight of the selected words: `a red fox` becomes `a (red:1.1) fox`, and a weight of 1 is removed.
/// Without a selection, the words in the brackets around the cursor change, or else the word there. Positions are in bytes.
/// Returns the new text with the words selected, or `None` if there are no words.
#[must_use]
pub fn reweighted(text: &str, selection: Range<usize>, by: f32) -> Option<(String, Range<usize>)> {
    let selection = selection.start.min(selection.end)..selection.start.max(selection.end);
    // Both ends must be between characters.
    text.get(selection.clone())?;
    let words = if selection.is_empty() {
        brackets_around(text, selection.start).unwrap_or_else(|| word_at(text, selection.start))
    } else {
        trimmed(text, selection)
    };
    if words.is_empty() {
        return None;
    }
    let (outer, before) = weighted(text, &words).unwrap_or((words.clone(), 1.0));
    let after = ((before + by) * 100.0).round() / 100.0;
    let after = after.clamp(0.0, MAX_WEIGHT);
    let inner = &text[words];
    let (new, offset) = match after {
        1.0 => (inner.to_owned(), 0),
        after => (format!("({inner}:{after})"), 1),
    };
    let start = outer.start + offset;
    let selection = start..start + inner.len();
    Some(([&text[..outer.start], &new, &text[outer.end..]].concat(), selection))
}

/// The range with the brackets and the number of words that have a weight, and the weight.
fn weighted(text: &str, words: &Range<usize>) -> Option<(Range<usize>, f32)> {
    let start = text[..words.start].strip_suffix('(')?.len();
    let close = words.end + text[words.end..].find(['(', ')', '[', ']'])?;
    let between = &text[words.end..close];
    if !text[close..].starts_with(')') {
        return None;
    }
    let weight = match weight(between) {
        Some((length, weight)) if length == between.len() => weight,
        None if between.is_empty() => BRACKETS,
        _ => return None,
    };
    Some((start..close + 1, weight))
}

/// The words in the innermost round brackets around a position, without a number.
fn brackets_around(text: &str, at: usize) -> Option<Range<usize>> {
    let start = text[..at].rfind(['(', ')', '[', ']'])?;
    let end = at + text[at..].find(['(', ')', '[', ']'])?;
    if !text[start..].starts_with('(') || !text[end..].starts_with(')') {
        return None;
    }
    let inner = &text[start + 1..end];
    let number = weight(inner).map_or(0, |(length, _)| length);
    Some(start + 1..end - number)
}

/// The word or the textual inversion around a position, which may be empty.
fn word_at(text: &str, at: usize) -> Range<usize> {
    let mut tags = embedding_tags::tags(text);
    if let Some(Range { start, end }) = tags.find(|tag| (tag.start..=tag.end).contains(&at)) {
        let is_bracket = |c: char| "()[]".contains(c);
        return start..text[start..end].find(is_bracket).map_or(end, |bracket| start + bracket);
    }
    let is_edge = |c: char| c.is_whitespace() || ",.;:!?()[]{}|".contains(c);
    let start = at
        - text[..at].chars().rev().take_while(|c| !is_edge(*c)).map(char::len_utf8).sum::<usize>();
    let end = text[at..].find(is_edge).map_or(text.len(), |edge| at + edge);
    start..end
}

/// The range without white space and commas at its ends.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let is_edge = |c: char| c.is_whitespace() || c == ',';
    let selected = &text[range.clone()];
    let start = range.start + (selected.len() - selected.trim_start_matches(is_edge).len());
    start..start + selected.trim_matches(is_edge).len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::prompt::Prompt;

    /// `<` and `>` mark the selection before and after.
    fn changed(marked: &str, by: f32) -> String {
        let (start, end) = (marked.find('<').unwrap(), marked.find('>').unwrap() - 1);
        let Some((mut text, selection)) =
            reweighted(&marked.replace(['<', '>'], ""), start..end, by)
        else {
            return "nothing".to_owned();
        };
        text.insert(selection.end, '>');
        text.insert(selection.start, '<');
        text
    }

    #[test]
    fn weights_are_added_changed_and_removed() {
        for (before, by, after) in [
            ("a <red> fox", 0.1, "a (<red>:1.1) fox"),
            ("a <red >fox", -0.1, "a (<red>:0.9) fox"),
            ("a <red fox,>", 0.05, "a (<red fox>:1.05),"),
            ("a (<red>:1.1) fox", 0.1, "a (<red>:1.2) fox"),
            ("a (<red>:1.1) fox", -0.1, "a <red> fox"),
            ("a (<red>: 0.05 ) fox", -0.1, "a (<red>:0) fox"),
            ("a (<red>) fox", 0.1, "a (<red>:1.2) fox"),
            ("a (<red> fox:1.1)", 0.1, "a ((<red>:1.1) fox:1.1)"),
            // Without a selection.
            ("a r<>ed, fox", 0.1, "a (<red>:1.1), fox"),
            ("é é<>è", 0.1, "é (<éè>:1.1)"),
            ("a (big r<>ed:1.1) fox", 0.1, "a (<big red>:1.2) fox"),
            ("a (big red:1.<>1) fox", 0.1, "a (<big red>:1.2) fox"),
            ("a [big r<>ed] fox", 0.1, "a [big (<red>:1.1)] fox"),
            ("fog, embedding:bad-v1<>.3, sea", 0.1, "fog, (<embedding:bad-v1.3>:1.1), sea"),
            ("{embedding:a|embe<>dding:b} c", 0.1, "{embedding:a|(<embedding:b>:1.1)} c"),
            ("a , <>, fox", 0.1, "nothing"),
            ("<>", 0.1, "nothing"),
            ("a < , > fox", 0.1, "nothing"),
        ] {
            assert_eq!(changed(before, by), after, "{before}");
        }
    }

    proptest! {
        #[test]
        fn the_words_stay_the_same(text in r"[a1:, ()\[\]é]{0,20}", a in 0_usize..20, b in 0_usize..20) {
            if let Some((changed, selection)) = reweighted(&text, a..b, 0.1) {
                prop_assert!(changed.get(selection).is_some());
                let letters = |text: &str| text.chars().filter(|c| "aé".contains(*c)).collect::<String>();
                prop_assert_eq!(letters(&Prompt::parse(&changed).plain_text()), letters(&text));
            }
        }
    }
}
