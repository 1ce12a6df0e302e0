//! A line that is typed out, letter by letter, with a breath at commas and full stops.

use bevy::prelude::*;

/// Seconds for a letter.
const LETTER: f32 = 0.018;
/// Letters that a breath after a comma is worth.
const SHORT_BREATH: f32 = 7.0;
/// Letters that a breath after a sentence is worth.
const LONG_BREATH: f32 = 16.0;

/// The line before the reader, and how much of it is typed.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct Typing {
    text: String,
    /// How many bytes of the text are typed; always at a letter's edge.
    typed: usize,
    /// Seconds until the next letter.
    wait: f32,
}

impl Typing {
    /// A line of which nothing is typed yet.
    #[must_use]
    pub fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), typed: 0, wait: 0.0 }
    }

    /// The line.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is typed, and what is not.
    #[must_use]
    pub fn parts(&self) -> (&str, &str) {
        self.text.split_at(self.typed)
    }

    /// Whether all is typed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.typed == self.text.len()
    }

    /// Types all of it.
    pub fn finish(&mut self) {
        self.typed = self.text.len();
    }

    /// Types for so many seconds.
    pub fn go_on(&mut self, seconds: f32) {
        self.wait -= seconds;
        while self.wait < 0.0 {
            let mut rest = self.text[self.typed..].chars();
            let Some(letter) = rest.next() else { return };
            self.typed += letter.len_utf8();
            let ends_word = rest.next().is_none_or(char::is_whitespace);
            let breath = match letter {
                '.' | '!' | '?' | '…' | ':' if ends_word => LONG_BREATH,
                ',' | ';' | '—' | '–' if ends_word => SHORT_BREATH,
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
    fn letters_come_one_by_one_and_none_is_cut_in_two() {
        let mut typing = Typing::of("Déjà “vu”");
        let mut steps = 0;
        while !typing.is_done() {
            typing.go_on(LETTER);
            steps += 1;
            let (typed, rest) = typing.parts();
            assert_eq!(typed.chars().count(), steps.min(9), "{typed}|{rest}");
            assert!(steps < 20, "it never ends");
        }
    }

    #[test]
    fn a_full_stop_takes_a_breath_but_not_inside_a_number() {
        let seconds = |text: &str| {
            let mut typing = Typing::of(text);
            (0..10_000)
                .take_while(|_| {
                    typing.go_on(0.001);
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
        typing.go_on(60.0);
        assert!(typing.is_done());
        assert!(Typing::default().is_done());
    }
}
