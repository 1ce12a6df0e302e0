//! Text from outside on a terminal: control characters are printed as escapes.
//!
//! Names, licences, stories and errors may contain text of strangers. A terminal would follow the control sequences in
//! it: move the cursor, hide lines, reverse the order of letters.

use std::{borrow::Cow, fmt::Write};

/// One line of text for a terminal. Control characters, line ends among them, become escapes such as `\u{1b}` or `\n`.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    replaced(text, is_control, |out, found| out.extend(found.escape_default()))
}

/// As [`escaped`], for JSON text: the escapes are those of JSON, and line ends are kept.
pub(super) fn escaped_json(json: &str) -> Cow<'_, str> {
    // Outside strings, JSON has no control characters but white space, and inside it has no line ends.
    let is_unsafe = |letter| letter != '\n' && is_control(letter);
    replaced(json, is_unsafe, |out, found| {
        for unit in found.encode_utf16(&mut [0; 2]) {
            // A `String` takes every write.
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn replaced(
    text: &str,
    is_unsafe: impl Fn(char) -> bool,
    escape: impl Fn(&mut String, char),
) -> Cow<'_, str> {
    if !text.contains(&is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if is_unsafe(letter) { escape(&mut out, letter) } else { out.push(letter) }
    }
    Cow::Owned(out)
}

/// Whether a character changes how a terminal shows other characters: control characters, line and paragraph
/// separators, bidirectional controls, invisible format characters and tags. Joiners are not among them, because Hindi,
/// Persian and emoji need them.
fn is_control(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_and_line_ends_become_escapes() {
        for (text, expected) in [
            ("mit\u{1b}[2J\u{1b}]8;;x\u{7}", "mit\\u{1b}[2J\\u{1b}]8;;x\\u{7}"),
            ("a\nLicence: mit\r", "a\\nLicence: mit\\r"),
            ("\u{9b}2K\u{7f}\0", "\\u{9b}2K\\u{7f}\\u{0}"),
            ("gpj\u{202e}\u{2066}\u{200f}\u{2028}", "gpj\\u{202e}\\u{2066}\\u{200f}\\u{2028}"),
            ("\u{feff}\u{e0041}\u{200b}", "\\u{feff}\\u{e0041}\\u{200b}"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn words_of_every_script_stay_as_they_are() {
        for text in ["C:\\models \"a\" 'b'", "Zoë, Ærø", "क्‍ष نمی‌خواهم", "画家 👩‍🎨", "ไทย 한국어"]
        {
            assert!(matches!(escaped(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn escaped_json_has_the_same_values() {
        let text = "a\u{1b}[2J\n\u{9b}\u{7f}\u{202e}\\\"\u{e0041}b é";
        let json = serde_json::to_string_pretty(&[text, "more"]).expect("JSON");
        let printed = escaped_json(&json);
        assert!(!printed.contains(|letter| letter != '\n' && is_control(letter)), "{printed}");
        let read: Vec<String> = serde_json::from_str(&printed).expect("JSON");
        assert_eq!(read, [text, "more"]);
    }
}
