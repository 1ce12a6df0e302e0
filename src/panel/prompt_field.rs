//! The field for a prompt.

use std::{fmt::Debug, hash::Hash, ops::Range};

use egui::{
    Id, Key, Label, Modifiers, Response, TextEdit, Ui,
    text::{CCursor, CCursorRange},
};

use super::theme;
use crate::prompt::{LongPrompt, PromptSyntax, reweighted};

/// The change of a weight for a press of a key.
const WEIGHT_STEP: f32 = 0.1;

/// Shows the field below its label, and below it what its text contains of the notations of other programs, and that it is
/// too long. Ctrl+Up and Ctrl+Down change the weight of the selected words.
pub(super) fn prompt_field(
    ui: &mut Ui,
    salt: impl Hash + Debug,
    name: &str,
    hint: &str,
    rows: usize,
    text: &mut String,
) -> Response {
    let label = ui.label(theme::small(name)).on_hover_text(
        "Ctrl+Up and Ctrl+Down change the weight of the selected words: (red:1.1). {red|blue} chooses one of them",
    );
    let id = ui.make_persistent_id(salt);
    let is_changed = change_weight(ui, id, text);
    let field = theme::field(text, rows, hint).id(id);
    let mut response = ui.add(field).labelled_by(label.id);
    if is_changed {
        response.mark_changed();
    }
    let syntax = PromptSyntax::find(text).map(|syntax| syntax.to_string());
    for hint in syntax.chain(length_hint(text)) {
        ui.add(Label::new(theme::small(hint)).wrap());
    }
    response
}

/// The message for a prompt that is too long.
pub(super) fn length_hint(prompt: &str) -> Option<String> {
    LongPrompt::find(prompt).map(|long| long.to_string())
}

/// Changes the weight of the selected words if its keys are pressed. Returns whether the text changed.
fn change_weight(ui: &Ui, id: Id, text: &mut String) -> bool {
    if !ui.memory(|memory| memory.has_focus(id)) {
        return false;
    }
    let presses = ui.input_mut(|input| {
        let mut count = |key| input.count_and_consume_key(Modifiers::COMMAND, key) as f32;
        count(Key::ArrowUp) - count(Key::ArrowDown)
    });
    let Some(mut state) = TextEdit::load_state(ui.ctx(), id).filter(|_| presses != 0.0) else {
        return false;
    };
    let selection = state.cursor.char_range().map(|range| bytes(text, range));
    let changed = selection.and_then(|range| reweighted(text, range, presses * WEIGHT_STEP));
    let Some((new, selection)) = changed else { return false };
    let place = |at: usize| CCursor::new(new[..at].chars().count());
    let range = CCursorRange::two(place(selection.start), place(selection.end));
    state.cursor.set_char_range(Some(range));
    state.store(ui.ctx(), id);
    *text = new;
    true
}

/// A range of characters in bytes.
fn bytes(text: &str, range: CCursorRange) -> Range<usize> {
    let [first, last] = range.sorted_cursors();
    let place = |cursor: CCursor| {
        let mut places = text.char_indices().map(|(at, _)| at);
        places.nth(cursor.index.0).unwrap_or(text.len())
    };
    place(first)..place(last)
}
