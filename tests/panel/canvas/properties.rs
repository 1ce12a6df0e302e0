//! Properties of arbitrary sequences of inputs.

use proptest::prelude::*;

use bevy_illustrator::panel::canvas::Tool;
use egui::{Key, Modifiers};

use crate::support::press;

use super::{canvas, key, stroke, take};

/// An arbitrary input on the canvas.
#[derive(Clone, Debug)]
enum Input {
    Tool(usize),
    Stroke(Vec<(f32, f32)>),
    Key(Modifiers, Key),
    Press(&'static str),
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    // The places must not reach the list of keys, because clicks there rebind keys.
    let place = || (-0.2_f32..1.2, -0.1_f32..1.2);
    let keys = [Key::Z, Key::Y, Key::V, Key::Q, Key::Enter, Key::Escape, Key::Backspace];
    let modifiers = [Modifiers::NONE, Modifiers::SHIFT, Modifiers::COMMAND];
    let buttons = ["New", "Split into parts", "Fit", "1:1", "Undo", "Redo"];
    let input = prop_oneof![
        (0..Tool::ALL.len()).prop_map(Input::Tool),
        prop::collection::vec(place(), 1..5).prop_map(Input::Stroke),
        (prop::sample::select(modifiers.to_vec()), prop::sample::select(keys.to_vec()))
            .prop_map(|(modifiers, key)| Input::Key(modifiers, key)),
        prop::sample::select(buttons.to_vec()).prop_map(Input::Press),
    ];
    prop::collection::vec(input, 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_sequence_of_inputs_can_be_undone(inputs in inputs()) {
        let (mut panel, shot) = canvas();
        for input in inputs {
            match input {
                Input::Tool(tool) => press(&mut panel, Tool::ALL[tool].name()),
                Input::Stroke(places) => stroke(&mut panel, &shot, &places),
                Input::Key(modifiers, pressed) => key(&mut panel, modifiers, pressed),
                Input::Press(button) => press(&mut panel, button),
            }
            panel.state_mut().apply_requests();
        }
        // A stroke that ends outside the panel removes the keyboard focus.
        press(&mut panel, "Fit");
        // The first undo cancels a gesture in progress; the others undo one step each.
        for _ in 0..60 {
            key(&mut panel, Modifiers::COMMAND, Key::Z);
            panel.state_mut().apply_requests();
        }
        let first = take(&panel, &shot, 0).id;
        prop_assert_eq!(panel.state().project.art().marks(&shot, &first).unwrap().layers, []);
    }
}
