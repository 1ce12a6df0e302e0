//! Types a line letter by letter, with pauses after commas and full stops.

use bevy::prelude::*;

/// Seconds for one letter.
const LETTER: f32 = 0.018;
/// The pause after a comma, in letters.
const SHORT_PAUSE: f32 = 7.0;
/// The pause after a sentence, in letters.
const LONG_PAUSE: f32 = 16.0;

/// The current line, and the length of its typed part.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct Typing {
    text: String,
    /// The number of typed bytes; always at a character boundary.
    typed: usize,
    /// Seconds until the next letter.
    wait: f32,
}

impl Typing {
    /// A line with nothing typed yet.
    #[must_use]
    pub fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), typed: 0, wait: 0.0 }
    }

    /// The line.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The typed and the untyped part.
    #[must_use]
    pub fn parts(&self) -> (&str, &str) {
        self.text.split_at(self.typed)
    }

    /// Whether the whole line is typed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.typed == self.text.len()
    }

    /// Types the rest of the line immediately.
    pub fn finish(&mut self) {
        self.typed = self.text.len();
    }

    /// Types for a number of seconds.
    pub fn advance(&mut self, seconds: f32) {
        self.wait -= seconds;
        while self.wait < 0.0 {
            let mut rest = self.text[self.typed..].chars();
            let Some(letter) = rest.next() else { return };
            self.typed += letter.len_utf8();
            let ends_word = rest.next().is_none_or(char::is_whitespace);
            let breath = match letter {
                '.' | '!' | '?' | '…' | ':' if ends_word => LONG_PAUSE,
                ',' | ';' | '—' | '–' if ends_word => SHORT_PAUSE,
                _ => 1.0,
            };
            self.wait += breath * LETTER;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_typed_one_by_one_at_character_boundaries() {
        let mut typing = Typing::of("Déjà “vu”");
        let mut steps = 0;
        while !typing.is_done() {
            typing.advance(LETTER);
            steps += 1;
            let (typed, rest) = typing.parts();
            assert_eq!(typed.chars().count(), steps.min(9), "{typed}|{rest}");
            assert!(steps < 20, "it never ends");
        }
    }

    #[test]
    fn a_full_stop_causes_a_pause_except_inside_a_number() {
        let seconds = |text: &str| {
            let mut typing = Typing::of(text);
            (0..10_000)
                .take_while(|_| {
                    typing.advance(0.001);
                    !typing.is_done()
                })
                .count()
        };
        assert!(seconds("Wait. Go") > seconds("Waits Go") + 200);
        assert_eq!(seconds("Pi is 3.14 so"), seconds("Pi is 3114 so"));
    }

    #[test]
    fn a_long_frame_types_many_letters_and_an_empty_line_is_done_at_once() {
        let mut typing = Typing::of("all of this in one go");
        typing.advance(60.0);
        assert!(typing.is_done());
        assert!(Typing::default().is_done());
    }
}
