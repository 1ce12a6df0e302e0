//! The key bindings of the canvas.

use std::collections::BTreeMap;

use egui::{Event, InputState, Key, KeyboardShortcut, Modifiers};

use super::tool::Tool;

/// A command of the canvas that can be bound to keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Command {
    /// Switches to a tool.
    Use(Tool),
    /// Makes the brush smaller.
    ShrinkBrush,
    /// Makes the brush larger.
    GrowBrush,
    /// Fits the whole picture into view.
    Fit,
    /// Shows one pixel of the picture as one pixel of the screen.
    ActualSize,
    /// Undoes the last change of the parts.
    Undo,
    /// Redoes the last undone change.
    Redo,
    /// Inverts the mask of the selected part.
    InvertMask,
    /// Selects the part above.
    PartAbove,
    /// Selects the part below.
    PartBelow,
    /// Selects the part that was selected before.
    PreviousPart,
    /// Hides or shows all parts.
    ToggleParts,
    /// Presses the first draw button.
    Draw,
    /// Cancels all jobs of the shot.
    CancelJobs,
    /// Cancels all jobs.
    CancelAllJobs,
    /// Accepts the candidate, or closes an outline.
    Accept,
    /// Discards the candidate, or cancels the outline or object in progress.
    Discard,
    /// Selects the previous candidate.
    PreviousCandidate,
    /// Selects the next candidate.
    NextCandidate,
    /// Opens the take that this one was made from.
    GoToParent,
    /// Opens the newest take that was made from this one.
    GoToChild,
}

impl Command {
    /// All commands, in the order of the key list.
    pub fn all() -> impl Iterator<Item = Self> {
        Keymap::default().0.into_keys()
    }

    /// Whether the command repeats while its key is held.
    const fn repeats(self) -> bool {
        matches!(
            self,
            Self::ShrinkBrush
                | Self::GrowBrush
                | Self::Undo
                | Self::Redo
                | Self::PartAbove
                | Self::PartBelow
                | Self::PreviousCandidate
                | Self::NextCandidate
        )
    }

    /// The command's name in the panel and in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Use(tool) => tool.name(),
            Self::ShrinkBrush => "Smaller brush",
            Self::GrowBrush => "Larger brush",
            Self::Fit => "Fit",
            Self::ActualSize => "Actual size",
            Self::Undo => "Undo",
            Self::Redo => "Redo",
            Self::InvertMask => "Invert mask",
            Self::PartAbove => "Part above",
            Self::PartBelow => "Part below",
            Self::PreviousPart => "Previous part",
            Self::ToggleParts => "Hide parts",
            Self::Draw => "Draw",
            Self::CancelJobs => "Stop drawing",
            Self::CancelAllJobs => "Cancel all",
            Self::Accept => "Accept",
            Self::Discard => "Discard or cancel",
            Self::PreviousCandidate => "Previous candidate",
            Self::NextCandidate => "Next candidate",
            Self::GoToParent => "Go to parent",
            Self::GoToChild => "Go to newest child",
        }
    }
}

impl Command {
    /// The name that version 0.1.0 wrote to files, if it was different.
    const fn former_name(self) -> Option<&'static str> {
        Some(match self {
            Self::Use(Tool::Crop) => "Context",
            Self::ActualSize => "One to one",
            Self::InvertMask => "Invert the part",
            Self::PreviousPart => "Part before",
            Self::ToggleParts => "Hide all parts",
            Self::CancelAllJobs => "Empty the queue",
            Self::Discard => "Put away, give up",
            Self::PreviousCandidate => "Candidate before",
            Self::GoToParent => "Back to the parent",
            Self::GoToChild => "Forth to its newest edit",
            _ => return None,
        })
    }
}

/// The key bindings of the canvas. Keys do nothing while the game has the keyboard.
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
        let tools = Tool::ALL.map(|tool| (C::Use(tool), vec![plain(tool.default_key())]));
        let others = [
            (C::ShrinkBrush, vec![plain(Key::OpenBracket)]),
            (C::GrowBrush, vec![plain(Key::CloseBracket)]),
            (C::Fit, vec![ctrl(Key::Num0)]),
            (C::ActualSize, vec![ctrl(Key::Num1)]),
            (C::Undo, vec![ctrl(Key::Z)]),
            (C::Redo, vec![both(Key::Z), ctrl(Key::Y)]),
            (C::InvertMask, vec![shift(Key::V)]),
            (C::PartAbove, vec![alt(Key::OpenBracket)]),
            (C::PartBelow, vec![alt(Key::CloseBracket)]),
            (C::PreviousPart, vec![plain(Key::Q)]),
            (C::ToggleParts, vec![shift(Key::H)]),
            (C::Draw, vec![ctrl(Key::Enter)]),
            (C::CancelJobs, vec![shift(Key::X)]),
            (C::CancelAllJobs, vec![both(Key::X)]),
            (C::Accept, vec![plain(Key::Enter)]),
            (C::Discard, vec![plain(Key::Escape), plain(Key::Delete)]),
            (C::PreviousCandidate, vec![plain(Key::ArrowLeft)]),
            (C::NextCandidate, vec![plain(Key::ArrowRight)]),
            (C::GoToParent, vec![plain(Key::Backspace)]),
            (C::GoToChild, vec![shift(Key::Backspace)]),
        ];
        Self(tools.into_iter().chain(others).collect())
    }
}

impl Keymap {
    /// Binds a command to exactly these keys, and removes them from all other commands.
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

    /// The bindings that differ from the default: command names with the names of their keys, such as `Ctrl+Z`.
    #[must_use]
    pub fn changes(&self) -> BTreeMap<String, Vec<String>> {
        let default = Self::default();
        let changed = self.0.iter().filter(|(command, keys)| default.keys(**command) != *keys);
        changed
            .map(|(command, keys)| {
                (command.name().to_owned(), keys.iter().copied().map(name).collect())
            })
            .collect()
    }

    /// The default bindings with these changes. Unknown commands and keys are ignored.
    #[must_use]
    pub fn with_changes(changes: &BTreeMap<String, Vec<String>>) -> Self {
        let mut keymap = Self::default();
        for command in Command::all() {
            let saved = [command.name()].into_iter().chain(command.former_name());
            if let Some(names) = saved.filter_map(|name| changes.get(name)).next() {
                keymap.0.insert(command, names.iter().filter_map(|name| named(name)).collect());
            }
        }
        keymap
    }

    /// The keys of a command, as text: `Ctrl+Shift+Z, Ctrl+Y`.
    pub(super) fn shown(&self, command: Command) -> String {
        let names = self.keys(command).iter().map(|key| {
            // egui calls a bracket `OpenBracket`.
            key.format(&egui::ModifierNames::NAMES, false)
                .replace("OpenBracket", "[")
                .replace("CloseBracket", "]")
        });
        names.collect::<Vec<_>>().join(", ")
    }

    /// The keys of a command for a tooltip: ` (Ctrl+Z)`. Empty if the command has no keys.
    pub(super) fn hint(&self, command: Command) -> String {
        match self.shown(command) {
            names if names.is_empty() => names,
            names => format!(" ({names})"),
        }
    }

    /// Consumes key presses from the input, and returns their commands. `only` limits them to one command.
    pub(super) fn pressed(&self, input: &mut InputState, only: Option<Command>) -> Vec<Command> {
        let wanted = |command: &Command| only.is_none_or(|only| only == *command);
        let mut bound: Vec<_> = (self.0.iter().filter(|(command, _)| wanted(command)))
            .flat_map(|(command, keys)| keys.iter().map(|key| (*command, *key)))
            .collect();
        // egui also matches a shortcut if additional modifiers are held, so shortcuts with more modifiers come first.
        bound.sort_by_key(|(_, key)| {
            let Modifiers { alt, ctrl, shift, command, .. } = key.modifiers;
            std::cmp::Reverse([alt, ctrl, shift, command].into_iter().filter(|held| *held).count())
        });
        bound.retain(|(command, key)| {
            let is_held = |event: &Event| {
                matches!(event, Event::Key { key: held, pressed: true, repeat: true, .. } if *held == key.logical_key)
            };
            let is_new = command.repeats() || !input.events.iter().any(is_held);
            input.consume_shortcut(key) && is_new
        });
        bound.into_iter().map(|(command, _)| command).collect()
    }
}

/// Modifiers and their names in files. Ctrl is Cmd on a Mac.
const MODIFIERS: [(Modifiers, &str); 3] =
    [(Modifiers::COMMAND, "Ctrl+"), (Modifiers::SHIFT, "Shift+"), (Modifiers::ALT, "Alt+")];

/// The name of a key in a file.
fn name(key: KeyboardShortcut) -> String {
    let held = MODIFIERS.iter().filter(|(modifier, _)| key.modifiers.contains(*modifier));
    held.map(|(_, name)| *name).chain([key.logical_key.name()]).collect()
}

/// The key with this name.
fn named(mut name: &str) -> Option<KeyboardShortcut> {
    let mut modifiers = Modifiers::NONE;
    for (modifier, start) in MODIFIERS {
        if let Some(rest) = name.strip_prefix(start) {
            modifiers |= modifier;
            name = rest;
        }
    }
    Some(KeyboardShortcut::new(modifiers, Key::from_name(name)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_at_most_one_command() {
        let keymap = Keymap::default();
        let mut keys: Vec<_> = keymap.0.values().flatten().map(|key| format!("{key:?}")).collect();
        let all = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), all, "{keys:?}");
    }

    #[test]
    fn binding_a_key_removes_it_from_its_former_command() {
        let mut keymap = Keymap::default();
        let key = KeyboardShortcut::new(Modifiers::NONE, Key::B);
        keymap.bind(Command::Undo, [key]);
        assert_eq!(keymap.keys(Command::Undo), [key]);
        assert_eq!(keymap.keys(Command::Use(Tool::Brush)), []);
        assert_eq!(keymap.hint(Command::Use(Tool::Brush)), "");
        assert_eq!(keymap.hint(Command::Undo), " (B)");
    }

    #[test]
    fn changed_bindings_are_saved_by_name_and_restored() {
        let mut keymap = Keymap::default();
        assert!(keymap.changes().is_empty());
        let keys = [
            KeyboardShortcut::new(Modifiers::COMMAND | Modifiers::ALT, Key::OpenBracket),
            KeyboardShortcut::new(Modifiers::SHIFT, Key::B),
        ];
        keymap.bind(Command::Undo, keys);
        keymap.bind(Command::CancelJobs, [KeyboardShortcut::new(Modifiers::NONE, Key::B)]);
        let mut changes = keymap.changes();
        assert_eq!(changes["Undo"], ["Ctrl+Alt+OpenBracket", "Shift+B"]);
        assert_eq!(changes["Stop drawing"], ["B"]);
        assert!(changes["Brush"].is_empty() && changes.len() == 3, "{changes:?}");
        changes.insert("Fly".to_owned(), vec!["F".to_owned()]);
        changes.get_mut("Undo").unwrap().push("Hyper+Z".to_owned());
        assert_eq!(Keymap::with_changes(&changes), keymap, "unknown commands and keys are ignored");
    }

    #[test]
    fn bindings_under_a_former_command_name_are_read() {
        let changes = BTreeMap::from([("Put away, give up".to_owned(), vec!["X".to_owned()])]);
        let keymap = Keymap::with_changes(&changes);
        let x = KeyboardShortcut::new(Modifiers::NONE, Key::X);
        assert_eq!(keymap.keys(Command::Discard), [x]);
        assert_eq!(keymap.changes()["Discard or cancel"], ["X"]);
    }

    #[test]
    fn default_keys_are_read_as_written_and_command_names_are_unique() {
        let keymap = Keymap::default();
        for key in keymap.0.values().flatten() {
            assert_eq!(named(&name(*key)), Some(*key));
        }
        let names: std::collections::HashSet<_> = Command::all().map(Command::name).collect();
        assert_eq!(names.len(), keymap.0.len());
    }
}
