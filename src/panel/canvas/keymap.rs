//! The canvas's keys, all of which can be others.

use std::collections::BTreeMap;

use egui::{InputState, Key, KeyboardShortcut, Modifiers};

use super::tool::Tool;

/// Something that a key does on the canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Command {
    /// Takes a tool into the hand.
    Use(Tool),
    /// A smaller brush.
    Smaller,
    /// A larger brush.
    Larger,
    /// The whole picture in sight.
    Fit,
    /// One pixel of the screen for each of the picture.
    ActualSize,
    /// Takes back the last change to the parts.
    Undo,
    /// Does it again.
    Redo,
    /// What is not in the part.
    Invert,
    /// The part above.
    PartAbove,
    /// The part below.
    PartBelow,
    /// The part that was chosen before.
    LastPart,
    /// Shows the picture without its parts, and with them.
    Overlay,
    /// Draws what the button says.
    Draw,
    /// Stops drawing.
    Stop,
    /// Accepts the candidate.
    Accept,
    /// Puts the candidate away, or ends what is being outlined or pointed at.
    Discard,
    /// The candidate before.
    Previous,
    /// The candidate after.
    Next,
    /// Back to the take that this one was made of.
    Back,
}

/// Which keys do what on the canvas; none does anything while the game has the keyboard.
#[derive(Clone, Debug, PartialEq)]
pub struct Keymap(BTreeMap<Command, Vec<KeyboardShortcut>>);

impl Default for Keymap {
    fn default() -> Self {
        use Command as C;
        let plain = |key| KeyboardShortcut::new(Modifiers::NONE, key);
        let shift = |key| KeyboardShortcut::new(Modifiers::SHIFT, key);
        let alt = |key| KeyboardShortcut::new(Modifiers::ALT, key);
        let ctrl = |key| KeyboardShortcut::new(Modifiers::COMMAND, key);
        let both = |key| KeyboardShortcut::new(Modifiers::COMMAND | Modifiers::SHIFT, key);
        let tools = Tool::ALL.map(|tool| (C::Use(tool), vec![plain(tool.usual_key())]));
        let others = [
            (C::Smaller, vec![plain(Key::OpenBracket)]),
            (C::Larger, vec![plain(Key::CloseBracket)]),
            (C::Fit, vec![ctrl(Key::Num0)]),
            (C::ActualSize, vec![ctrl(Key::Num1)]),
            (C::Undo, vec![ctrl(Key::Z)]),
            (C::Redo, vec![both(Key::Z), ctrl(Key::Y)]),
            (C::Invert, vec![shift(Key::V)]),
            (C::PartAbove, vec![alt(Key::OpenBracket)]),
            (C::PartBelow, vec![alt(Key::CloseBracket)]),
            (C::LastPart, vec![plain(Key::Q)]),
            (C::Overlay, vec![shift(Key::H)]),
            (C::Draw, vec![ctrl(Key::Enter)]),
            (C::Stop, vec![shift(Key::X)]),
            (C::Accept, vec![plain(Key::Enter)]),
            (C::Discard, vec![plain(Key::Escape), plain(Key::Delete)]),
            (C::Previous, vec![plain(Key::ArrowLeft)]),
            (C::Next, vec![plain(Key::ArrowRight)]),
            (C::Back, vec![plain(Key::Backspace)]),
        ];
        Self(tools.into_iter().chain(others).collect())
    }
}

impl Keymap {
    /// Has a command done by these keys and no others. Whatever else they did they do no more.
    pub fn bind(&mut self, command: Command, keys: impl IntoIterator<Item = KeyboardShortcut>) {
        let keys: Vec<_> = keys.into_iter().collect();
        for bound in self.0.values_mut() {
            bound.retain(|key| !keys.contains(key));
        }
        self.0.insert(command, keys);
    }

    /// The keys of a command.
    #[must_use]
    pub fn keys(&self, command: Command) -> &[KeyboardShortcut] {
        self.0.get(&command).map_or(&[], Vec::as_slice)
    }

    /// The keys of a command in brackets, for its button: ` (Ctrl+Z)`.
    pub(super) fn hint(&self, command: Command) -> String {
        let names = self.keys(command).iter().map(|key| {
            // A bracket's own name is `OpenBracket`.
            key.format(&egui::ModifierNames::NAMES, false)
                .replace("OpenBracket", "[")
                .replace("CloseBracket", "]")
        });
        match names.collect::<Vec<_>>().join(", ") {
            names if names.is_empty() => names,
            names => format!(" ({names})"),
        }
    }

    /// What was pressed since the last frame; nobody else hears of those keys then.
    pub(super) fn pressed(&self, input: &mut InputState, only: Option<Command>) -> Vec<Command> {
        let wanted = |command: &Command| only.is_none_or(|only| only == *command);
        let mut bound: Vec<_> = (self.0.iter().filter(|(command, _)| wanted(command)))
            .flat_map(|(command, keys)| keys.iter().map(|key| (*command, *key)))
            .collect();
        // egui lets a shortcut match with more modifiers held than it names: the longest goes first.
        bound.sort_by_key(|(_, key)| {
            let Modifiers { alt, ctrl, shift, command, .. } = key.modifiers;
            std::cmp::Reverse([alt, ctrl, shift, command].into_iter().filter(|held| *held).count())
        });
        bound.retain(|(_, key)| input.consume_shortcut(key));
        bound.into_iter().map(|(command, _)| command).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_does_two_things() {
        let keymap = Keymap::default();
        let mut keys: Vec<_> = keymap.0.values().flatten().map(|key| format!("{key:?}")).collect();
        let all = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), all, "{keys:?}");
    }

    #[test]
    fn a_key_that_is_given_away_is_taken_from_what_had_it() {
        let mut keymap = Keymap::default();
        let key = KeyboardShortcut::new(Modifiers::NONE, Key::B);
        keymap.bind(Command::Undo, [key]);
        assert_eq!(keymap.keys(Command::Undo), [key]);
        assert_eq!(keymap.keys(Command::Use(Tool::Brush)), []);
        assert_eq!(keymap.hint(Command::Use(Tool::Brush)), "");
        assert_eq!(keymap.hint(Command::Undo), " (B)");
    }
}
