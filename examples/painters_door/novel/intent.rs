//! The reader's input from keys, mouse and wheel. Input that the panel uses is ignored.

use bevy::{
    input::mouse::{AccumulatedMouseScroll, MouseScrollUnit},
    prelude::*,
    window::{MonitorSelection, WindowMode},
};
use bevy_egui::input::{egui_wants_any_keyboard_input, egui_wants_any_pointer_input};

use super::NovelSystems;

/// An input of the reader.
#[derive(Message, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Turn the page.
    Turn,
    /// Choose the marked button of the menu. Without a menu, turn the page.
    Confirm,
    /// Go back one page.
    Back,
    /// Move the mark in the menu down by this many buttons.
    Mark(i32),
    /// Choose the menu's `n`th button, from 0.
    Take(usize),
    /// Go to the title; from the title, quit the game.
    Leave,
}

pub(super) fn plugin(app: &mut App) {
    app.add_message::<Intent>().add_systems(
        Update,
        (
            (read_keys, toggle_full_screen).run_if(not(egui_wants_any_keyboard_input)),
            read_pointer.run_if(not(egui_wants_any_pointer_input)),
        )
            .in_set(NovelSystems::Input),
    );
}

fn read_keys(keys: Res<ButtonInput<KeyCode>>, mut intents: MessageWriter<Intent>) {
    for key in keys.get_just_pressed() {
        let intent = match key {
            KeyCode::Space | KeyCode::Enter | KeyCode::NumpadEnter => Intent::Confirm,
            KeyCode::ArrowRight | KeyCode::PageDown => Intent::Turn,
            KeyCode::ArrowLeft | KeyCode::PageUp | KeyCode::Backspace => Intent::Back,
            KeyCode::ArrowUp => Intent::Mark(-1),
            KeyCode::ArrowDown => Intent::Mark(1),
            KeyCode::Escape => Intent::Leave,
            key => match DIGITS.iter().position(|digit| digit.contains(key)) {
                Some(n) => Intent::Take(n),
                None => continue,
            },
        };
        intents.write(intent);
    }
}

const DIGITS: [[KeyCode; 2]; 9] = [
    [KeyCode::Digit1, KeyCode::Numpad1],
    [KeyCode::Digit2, KeyCode::Numpad2],
    [KeyCode::Digit3, KeyCode::Numpad3],
    [KeyCode::Digit4, KeyCode::Numpad4],
    [KeyCode::Digit5, KeyCode::Numpad5],
    [KeyCode::Digit6, KeyCode::Numpad6],
    [KeyCode::Digit7, KeyCode::Numpad7],
    [KeyCode::Digit8, KeyCode::Numpad8],
    [KeyCode::Digit9, KeyCode::Numpad9],
];

fn read_pointer(
    buttons: Res<ButtonInput<MouseButton>>,
    wheel: Res<AccumulatedMouseScroll>,
    mut intents: MessageWriter<Intent>,
) {
    // A touch pad scrolls by pixels, and small movements would turn pages.
    let notches = if wheel.unit == MouseScrollUnit::Line { wheel.delta.y } else { 0.0 };
    if buttons.just_pressed(MouseButton::Left) || notches < 0.0 {
        intents.write(Intent::Turn);
    }
    if notches > 0.0 {
        intents.write(Intent::Back);
    }
}

fn toggle_full_screen(keys: Res<ButtonInput<KeyCode>>, mut window: Single<&mut Window>) {
    if keys.just_pressed(KeyCode::F11) {
        window.mode = match window.mode {
            WindowMode::Windowed => WindowMode::BorderlessFullscreen(MonitorSelection::Current),
            _ => WindowMode::Windowed,
        };
    }
}
