//! The losses of a part.

use bevy_illustrator::{
    project::Action,
    recipe::{EditKind, Loss, LossKind, Part},
};
use egui_kittest::kittest::Queryable;

use super::{
    super::support::{Panel, has, press, scroll_and_press},
    canvas, choose, stroke, wait_until,
};

/// The parts of the edit that the panel requests.
pub fn edited_parts(panel: &mut Panel) -> Vec<Part> {
    let requested = panel.state_mut().apply_requests();
    let parts = requested.iter().find_map(|action| match action {
        Action::Edit { parts, .. } => Some(parts.clone()),
        _ => None,
    });
    parts.unwrap_or_else(|| panic!("{requested:?}"))
}

#[test]
fn losses_are_added_explained_and_drawn_with_the_part() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2), (0.4, 0.2)]);
    choose(&mut panel, EditKind::Replace, "a moon");
    scroll_and_press(&mut panel, "Losses");
    panel.run_steps(12);
    scroll_and_press(&mut panel, "Calmer");
    scroll_and_press(&mut panel, "Show this");
    panel.run_steps(2);
    assert!(has(&panel, "the loss Text has an empty text"), "the draw bar says what is missing");
    panel.get_by_label("What it shows").focus();
    panel.get_by_label("What it shows").type_text("a full moon");
    panel.run_steps(2);
    panel.state_mut().apply_requests();
    press(&mut panel, "Replace part 1");
    let parts = edited_parts(&mut panel);
    let expected =
        [LossKind::TotalVariation, LossKind::Text("a full moon".to_owned())].map(Loss::new);
    assert_eq!(parts[0].edit.losses, expected);
}

#[test]
fn a_removed_loss_is_gone() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2), (0.4, 0.2)]);
    choose(&mut panel, EditKind::Replace, "a moon");
    scroll_and_press(&mut panel, "Losses");
    panel.run_steps(12);
    scroll_and_press(&mut panel, "In these colours");
    panel.run_steps(2);
    scroll_and_press(&mut panel, "Remove this loss");
    panel.state_mut().apply_requests();
    press(&mut panel, "Replace part 1");
    let parts = edited_parts(&mut panel);
    assert_eq!(parts[0].edit.losses, []);
}

/// Draws a part with the loss `Calmer`, until the panel says `words`.
fn draw_until(words: &str) -> Panel {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2), (0.4, 0.2)]);
    choose(&mut panel, EditKind::Replace, "a moon");
    scroll_and_press(&mut panel, "Losses");
    panel.run_steps(12);
    scroll_and_press(&mut panel, "Calmer");
    assert!(!has(&panel, words));
    panel.state_mut().controls.lock().unwrap().wait = true;
    press(&mut panel, "Replace part 1");
    panel.state_mut().apply_requests();
    wait_until(&mut panel, |panel| {
        panel.state_mut().poll();
        has(panel, words)
    });
    panel.state_mut().controls.lock().unwrap().wait = false;
    panel
}

#[test]
fn the_values_of_a_loss_are_shown_while_its_part_is_drawn() {
    draw_until("from 0.50 to 0.25");
}

#[test]
fn the_cost_of_a_kind_is_told_once_it_is_measured() {
    let mut panel = draw_until("+25 % time");
    // Another loss of the same kind, which was never drawn.
    scroll_and_press(&mut panel, "Remove this loss");
    panel.run_steps(2);
    assert!(!has(&panel, "% time"));
    scroll_and_press(&mut panel, "Calmer");
    panel.run_steps(2);
    assert!(has(&panel, "+25 % time"));
}
