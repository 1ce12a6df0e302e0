//! Weights of words, and breaks.

use super::{comments::without_comment, lora_tags::split_lora_tags};

/// The largest weight. The pictures of published models fall apart from about 1.6.
pub const MAX_WEIGHT: f32 = 10.0;

/// The weight of brackets without a number.
pub(super) const BRACKETS: f32 = 1.1;

/// The word between two sections.
const BREAK: &str = "BREAK";

/// The longest `:1.3` before a bracket that is read as a weight, in bytes.
const LONGEST_NUMBER: usize = 32;

/// A parsed prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// The sections between `BREAK`s, at least one. Each is encoded separately. Their fragments differ in their weights from
    /// those next to them.
    pub sections: Vec<Vec<Fragment>>,
}

/// A text with a weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Fragment {
    /// The words.
    pub text: String,
    /// Their weight, from 0 to [`MAX_WEIGHT`]. Ordinary words have 1.
    pub weight: f32,
}

/// Notation in a prompt, with the position of its first byte and the position after its last one.
struct Notation {
    start: usize,
    end: usize,
    kind: NotationKind,
}

enum NotationKind {
    /// An opening bracket, with the factor of the weights inside.
    Open(f32),
    /// A closing bracket, with its number.
    Close,
    /// A backslash before a character of the notation.
    Escape,
}

impl Prompt {
    /// Parses a prompt. LoRAs are left out. Unpaired brackets, and numbers that are not weights, are ordinary characters. The weights of brackets
    /// in brackets are multiplied and limited to [`MAX_WEIGHT`].
    #[must_use]
    pub fn parse(prompt: &str) -> Self {
        let prompt = prompt.lines().map(without_comment).collect::<Vec<_>>().join("\n");
        let (prompt, _) = split_lora_tags(&prompt);
        let mut sections = vec![Vec::new()];
        let mut weights = vec![1.0];
        let mut at = 0;
        for Notation { start, end, kind } in notations(&prompt) {
            let weight = weights.last().copied().unwrap_or(1.0);
            push(&mut sections, &prompt[at..start], weight);
            at = end;
            match kind {
                NotationKind::Open(factor) => weights.push((weight * factor).min(MAX_WEIGHT)),
                NotationKind::Close => drop(weights.pop()),
                NotationKind::Escape => {}
            }
        }
        push(&mut sections, &prompt[at..], weights.last().copied().unwrap_or(1.0));
        sections.retain(|fragments| !fragments.is_empty());
        if sections.is_empty() {
            sections.push(vec![Fragment { text: String::new(), weight: 1.0 }]);
        }
        Self { sections }
    }

    /// The words without weights and breaks.
    #[must_use]
    pub fn plain_text(&self) -> String {
        let text = |fragments: &Vec<Fragment>| -> String {
            fragments.iter().map(|fragment| fragment.text.as_str()).collect()
        };
        self.sections.iter().map(text).collect::<Vec<_>>().join(" ")
    }
}

/// Appends a text to the last section, and starts a section at each `BREAK`.
fn push(sections: &mut Vec<Vec<Fragment>>, text: &str, weight: f32) {
    for (index, text) in breaks(text).into_iter().enumerate() {
        if index > 0 {
            sections.push(Vec::new());
        }
        let Some(section) = sections.last_mut().filter(|_| !text.is_empty()) else { continue };
        match section.last_mut().filter(|last| last.weight == weight) {
            Some(last) => last.text.push_str(text),
            None => section.push(Fragment { text: text.to_owned(), weight }),
        }
    }
}

/// The texts between the words `BREAK`.
fn breaks(text: &str) -> Vec<&str> {
    let is_part_of_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut texts = Vec::new();
    let mut first = 0;
    for (at, word) in text.match_indices(BREAK) {
        let after = at + word.len();
        let around = [text[..at].chars().next_back(), text[after..].chars().next()];
        if !around.into_iter().any(is_part_of_word) {
            texts.push(text[first..at].trim_end());
            first = after;
        }
    }
    texts.push(&text[first..]);
    texts.iter_mut().skip(1).for_each(|text| *text = text.trim_start());
    texts
}

/// The brackets that have a partner, and the backslashes, in order.
fn notations(prompt: &str) -> Vec<Notation> {
    let mut found = Vec::new();
    // The brackets that are not closed yet, with their indices in `found`, and the numbers of round and square ones.
    let mut open = Vec::<(char, usize, usize)>::new();
    let mut counts = [0_usize; 2];
    let mut characters = prompt.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let count = usize::from(matches!(c, '[' | ']'));
        match c {
            '\\' => {
                let is_notation = |&(_, c): &(usize, char)| r"\()[]{}|".contains(c);
                if characters.next_if(is_notation).is_some() {
                    found.push(Notation { start: at, end: at + 1, kind: NotationKind::Escape });
                }
            }
            '(' | '[' => {
                counts[count] += 1;
                open.push((c, at, found.len()));
                // An ordinary character, unless its partner is found.
                found.push(Notation { start: at, end: at, kind: NotationKind::Escape });
            }
            ')' | ']' if counts[count] > 0 => {
                let partner = if c == ')' { '(' } else { '[' };
                while let Some((bracket, opened, index)) = open.pop() {
                    counts[usize::from(bracket == '[')] -= 1;
                    if bracket == partner {
                        let number = if c == ')' { weight(&prompt[opened + 1..at]) } else { None };
                        let plain = if c == ')' { BRACKETS } else { 1.0 / BRACKETS };
                        let (length, factor) = number.unwrap_or((0, plain));
                        found[index] = Notation {
                            start: opened,
                            end: opened + 1,
                            kind: NotationKind::Open(factor),
                        };
                        found.push(Notation {
                            start: at - length,
                            end: at + 1,
                            kind: NotationKind::Close,
                        });
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// The weight at the end of the text between two brackets, and the number of its bytes with its colon.
pub(super) fn weight(text: &str) -> Option<(usize, f32)> {
    let from = text.ceil_char_boundary(text.len().saturating_sub(LONGEST_NUMBER));
    let (_, number) = text[from..].rsplit_once(':')?;
    let digits = number.trim().trim_start_matches('+');
    let is_number = digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    let weight: f32 = digits.parse().ok().filter(|_| is_number)?;
    (weight <= MAX_WEIGHT).then_some((number.len() + 1, weight))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fragments(prompt: &str) -> Vec<(String, f32)> {
        let [section] = &Prompt::parse(prompt).sections[..] else { panic!("{prompt}") };
        section.iter().map(|it| (it.text.clone(), it.weight)).collect()
    }

    /// The examples are those in the comment of `parse_prompt_attention` in AUTOMATIC1111's web UI.
    #[test]
    fn brackets_give_the_weights_of_the_web_ui() {
        let expect = |prompt: &str, expected: &[(&str, f32)]| {
            let found = fragments(prompt);
            let texts: Vec<_> = found.iter().map(|(text, _)| text.as_str()).collect();
            assert_eq!(texts, Vec::from_iter(expected.iter().map(|(text, _)| *text)), "{prompt}");
            for ((_, found), (_, expected)) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-5, "{prompt}: {found}, not {expected}");
            }
        };
        expect("normal text", &[("normal text", 1.0)]);
        expect("an (important) word", &[("an ", 1.0), ("important", 1.1), (" word", 1.0)]);
        expect(r"\(literal\]", &[("(literal]", 1.0)]);
        expect("(unnecessary)(parens)", &[("unnecessaryparens", 1.1)]);
        expect(
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            &[
                // The web UI lets an unpaired bracket reach to the end of the prompt.
                ("a (", 1.0),
                ("house", 1.3 * 1.1),
                (" ", 1.0),
                ("on", 1.0 / 1.1),
                (" a ", 1.0),
                ("hill", 0.5),
                (", sun, ", 1.0),
                ("sky", 1.1 * 1.1 * 1.1),
                (".", 1.0),
            ],
        );
    }

    #[test]
    fn what_is_no_notation_is_ordinary_text() {
        for plain in ["", "a) b", "[a", "] [", "(", "a: 1.3", r"\", r"a\b"] {
            assert_eq!(fragments(plain), [(plain.to_owned(), 1.0)]);
        }
        assert_eq!(fragments("(at 12:30)"), [("at 12:30".to_owned(), 1.1)]);
        assert_eq!(fragments("(a:-1)"), [("a:-1".to_owned(), 1.1)]);
        assert_eq!(fragments("(a:nan)"), [("a:nan".to_owned(), 1.1)]);
        assert_eq!(fragments("(a:0)"), [("a".to_owned(), 0.0)]);
        assert_eq!(fragments("(a: +.5 )"), [("a".to_owned(), 0.5)]);
        assert_eq!(fragments("((a:9):9)"), [("a".to_owned(), MAX_WEIGHT)]);
        assert_eq!(fragments("(a [b) c]"), [("a [b".to_owned(), 1.1), (" c]".to_owned(), 1.0)]);
        assert_eq!(fragments("a # (b\nc"), [("a \nc".to_owned(), 1.0)]);
    }

    #[test]
    fn break_ends_a_section_unless_it_is_part_of_a_word() {
        let sections = |prompt: &str| {
            let text = |fragments: &Vec<Fragment>| {
                fragments.iter().map(|it| it.text.as_str()).collect::<String>()
            };
            Prompt::parse(prompt).sections.iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(sections("a fox BREAK  a hill"), ["a fox", "a hill"]);
        assert_eq!(sections("(a BREAK b:1.2) c"), ["a", "b c"]);
        assert_eq!(sections("BREAK a BREAK BREAK b BREAK"), ["a", "b"]);
        assert_eq!(sections("a break, BREAKFAST, éBREAK"), ["a break, BREAKFAST, éBREAK"]);
        assert_eq!(sections("BREAK"), [""]);
        assert_eq!(Prompt::parse("(a BREAK b:1.2)c").plain_text(), "a bc");
    }

    proptest! {
        #[test]
        fn a_prompt_loses_nothing_but_notation(prompt in r"[ab:1.()\[\]\\é]{0,40}") {
            let Prompt { sections } = Prompt::parse(&prompt);
            let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).collect::<String>();
            prop_assert_eq!(letters(&Prompt { sections: sections.clone() }.plain_text()), letters(&prompt));
            for fragment in sections.concat() {
                prop_assert!((0.0..=MAX_WEIGHT).contains(&fragment.weight));
            }
        }
    }
}
