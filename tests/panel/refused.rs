//! Typed text stays in its field until it is applied.

use bevy_illustrator::{panel::Tab, storyboard::ShotKind};
use egui::{Key, Modifiers, accesskit::Role};
use egui_kittest::kittest::{NodeT, Queryable};

use super::{canvas::wait_until, support::*};

const WORDS: &str = "Prompt (the style's prompt is added)";
const STYLE: &str = "Prompt (of every picture)";

/// Replaces the text of a field.
fn type_into(panel: &mut Panel, field: &str, text: &str) {
    panel.get_by_role_and_label(Role::MultilineTextInput, field).focus();
    panel.run_steps(2);
    panel.key_press_modifiers(Modifiers::COMMAND, Key::A);
    panel.get_by_role_and_label(Role::MultilineTextInput, field).type_text(text);
    panel.run_steps(2);
}

fn shown(panel: &Panel, field: &str) -> String {
    panel.get_by_role_and_label(Role::MultilineTextInput, field).value().unwrap()
}

/// Whether there are unapplied changes.
fn is_unapplied(panel: &Panel) -> bool {
    !panel.get_by_label("Revert").accesskit_node().is_disabled()
}

#[test]
fn a_refused_prompt_stays_typed_and_can_be_applied_again() {
    let mut panel = open(Fixture::new(story()));
    let shot = panel.state().shot(ShotKind::Background);
    click(&mut panel, &shot);
    type_into(&mut panel, WORDS, " a quiet harbour ");
    panel.state().fill_disk();
    panel.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    panel.run_steps(2);
    assert!(panel.state_mut().try_apply_requests() > 0);
    panel.run_steps(2);
    assert_eq!(shown(&panel, WORDS), " a quiet harbour ");

    panel.state().free_disk();
    // The error disappears meanwhile, so that the button may move away from the pointer.
    wait_until(&mut panel, |panel| {
        scroll_and_press(panel, "Apply and draw");
        !panel.state().requests.is_empty()
    });
    assert_eq!(panel.state_mut().try_apply_requests(), 0);
    // Surrounding spaces are removed when the answer arrives.
    wait_until(&mut panel, |panel| shown(panel, WORDS) == "a quiet harbour");
    assert!(!is_unapplied(&panel));
}

#[test]
fn text_typed_after_apply_stays_when_the_prompt_is_applied() {
    let mut panel = open(Fixture::new(story()));
    let shot = panel.state().shot(ShotKind::Background);
    click(&mut panel, &shot);
    type_into(&mut panel, WORDS, "a quiet harbour");
    panel.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    panel.run_steps(2);
    type_into(&mut panel, WORDS, "a quiet harbour at noon");
    panel.state_mut().apply_requests();
    panel.run_steps(2);
    assert_eq!(shown(&panel, WORDS), "a quiet harbour at noon");
    assert!(is_unapplied(&panel));
}

#[test]
fn a_refused_style_stays_typed_and_can_be_applied_again() {
    let mut fixture = Fixture::new(story());
    fixture.panel.tab = Tab::Style;
    let mut panel = open(fixture);
    type_into(&mut panel, STYLE, "in ink");
    panel.get_by_role_and_label(Role::TextInput, "Seed").focus();
    panel.run_steps(2);
    panel.get_by_role_and_label(Role::TextInput, "Seed").type_text(" ");
    panel.run_steps(2);
    panel.state().fill_disk();
    press(&mut panel, "Apply");
    assert_eq!(panel.state_mut().try_apply_requests(), 1);
    panel.run_steps(2);
    assert_eq!(shown(&panel, STYLE), "in ink");
    assert!(is_unapplied(&panel));

    panel.state().free_disk();
    press(&mut panel, "Apply");
    panel.state_mut().apply_requests();
    panel.run_steps(2);
    assert_eq!(panel.state().project.style().words, "in ink");
    assert!(!is_unapplied(&panel), "a space after the seed is not a change");
}
