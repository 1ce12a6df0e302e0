//! Keys and buttons during a gesture of the pointer.

use bevy_illustrator::{project::Action, recipe::EditKind, storyboard::ShotId};
use egui::{Event, Key, Modifiers, PointerButton, accesskit::Role};
use egui_kittest::kittest::{AccessKitNode, Queryable};

use crate::support::{Panel, has, press, scroll_and_press};

use super::{
    at, canvas, choose, draw, key, mark_part_for_a_moon, place, saved_layers, stroke,
    wait_for_drawings,
};

/// Presses the button at one place and moves the pointer to another. The button stays down.
fn begin_stroke(panel: &mut Panel, shot: &ShotId, from: (f32, f32), to: (f32, f32)) {
    let [from, to] = [from, to].map(|(x, y)| place(panel, shot, x, y));
    panel.event(Event::PointerMoved(from));
    panel.event(button(from, true));
    panel.run_steps(1);
    panel.event(Event::PointerMoved(to));
    panel.run_steps(1);
}

fn end_stroke(panel: &mut Panel, shot: &ShotId, at: (f32, f32)) {
    let at = place(panel, shot, at.0, at.1);
    panel.event(button(at, false));
    panel.run_steps(2);
}

fn button(pos: egui::Pos2, pressed: bool) -> Event {
    let (button, modifiers) = (PointerButton::Primary, Modifiers::NONE);
    Event::PointerButton { pos, button, pressed, modifiers }
}

/// Selects a part in the list.
fn choose_part(panel: &mut Panel, name: &str) {
    let is_part = |node: &AccessKitNode<'_>| {
        node.role() == Role::Button && node.label().as_deref() == Some(name)
    };
    panel.get_by(is_part).scroll_to_me();
    panel.run_steps(4);
    panel.get_by(is_part).click();
    panel.run_steps(2);
}

/// Makes two parts. The second one is on top and selected.
fn two_parts() -> (Panel, ShotId) {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.1, 0.1), (0.3, 0.1)]);
    press(&mut panel, "New");
    stroke(&mut panel, &shot, &[(0.1, 0.9), (0.3, 0.9)]);
    panel.state_mut().apply_requests();
    (panel, shot)
}

#[test]
fn selecting_another_part_during_a_stroke_does_not_move_the_stroke() {
    let (mut panel, shot) = two_parts();
    begin_stroke(&mut panel, &shot, (0.6, 0.5), (0.8, 0.5));
    key(&mut panel, Modifiers::NONE, Key::Q);
    let to = place(&panel, &shot, 0.8, 0.7);
    panel.event(Event::PointerMoved(to));
    panel.run_steps(1);
    end_stroke(&mut panel, &shot, (0.8, 0.7));
    let requested = panel.state_mut().apply_requests();
    let [above, below] = saved_layers(&requested) else { panic!("{requested:?}") };
    assert_eq!([at(&above.mask, 0.7, 0.5), at(&above.mask, 0.2, 0.9)], [255, 255]);
    assert_eq!([at(&below.mask, 0.7, 0.5), at(&below.mask, 0.2, 0.9)], [0, 0]);
    assert_eq!((at(&below.mask, 0.2, 0.1), below.name.as_str()), (255, "part 1"));
}

#[test]
fn a_stroke_that_ends_while_space_is_held_is_not_lost() {
    let (mut panel, shot) = canvas();
    begin_stroke(&mut panel, &shot, (0.2, 0.5), (0.6, 0.5));
    let space = |pressed| Event::Key {
        key: Key::Space,
        physical_key: None,
        pressed,
        repeat: false,
        modifiers: Modifiers::NONE,
    };
    panel.event(space(true));
    panel.run_steps(1);
    end_stroke(&mut panel, &shot, (0.6, 0.5));
    panel.event(space(false));
    panel.run_steps(1);
    press(&mut panel, "Eraser");
    let painted = saved_layers(&panel.state_mut().apply_requests())[0].mask.clone();
    assert_eq!(at(&painted, 0.4, 0.5), 255);
    key(&mut panel, Modifiers::COMMAND, Key::Z);
    assert_eq!(saved_layers(&panel.state_mut().apply_requests()), [], "the stroke can be undone");
}

#[test]
fn an_object_clicked_after_new_is_added_only_to_the_new_part() {
    let (mut panel, shot) = canvas();
    press(&mut panel, "Object");
    stroke(&mut panel, &shot, &[(0.5, 0.5)]);
    press(&mut panel, "New");
    stroke(&mut panel, &shot, &[(0.05, 0.05)]);
    let parts = saved_layers(&panel.state_mut().apply_requests()).to_vec();
    assert_eq!([at(&parts[0].mask, 0.5, 0.5), at(&parts[0].mask, 0.05, 0.05)], [0, 255]);
    key(&mut panel, Modifiers::NONE, Key::Escape);
    let after = saved_layers(&panel.state_mut().apply_requests()).to_vec();
    assert!(after[0].mask.is_empty(), "Escape removes the last object");
    assert_eq!(after[1], parts[1], "Escape keeps the earlier object");
}

#[test]
fn a_cleared_object_does_not_return_with_the_next_click() {
    let (mut panel, shot) = canvas();
    press(&mut panel, "Object");
    stroke(&mut panel, &shot, &[(0.5, 0.5)]);
    scroll_and_press(&mut panel, "Clear");
    panel.state_mut().apply_requests();
    stroke(&mut panel, &shot, &[(0.05, 0.05)]);
    let mask = saved_layers(&panel.state_mut().apply_requests())[0].mask.clone();
    assert_eq!([at(&mask, 0.5, 0.5), at(&mask, 0.05, 0.05)], [0, 255]);
}

#[test]
fn undo_selects_the_part_that_it_changes() {
    let (mut panel, shot) = two_parts();
    choose_part(&mut panel, "part 1");
    press(&mut panel, "New");
    key(&mut panel, Modifiers::COMMAND, Key::Z);
    stroke(&mut panel, &shot, &[(0.6, 0.5), (0.8, 0.5)]);
    let requested = panel.state_mut().apply_requests();
    let [above, below] = saved_layers(&requested) else { panic!("{requested:?}") };
    assert_eq!([at(&above.mask, 0.7, 0.5), at(&below.mask, 0.7, 0.5)], [0, 255]);
}

#[test]
fn input_between_two_frames_is_not_lost() {
    let (mut panel, shot) = canvas();
    let [from, over, to] =
        [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8)].map(|(x, y)| place(&panel, &shot, x, y));
    for event in [
        Event::PointerMoved(from),
        button(from, true),
        Event::PointerMoved(over),
        button(to, false),
        Event::PointerMoved(from),
    ] {
        panel.event(event);
    }
    panel.run_steps(2);
    let mask = saved_layers(&panel.state_mut().apply_requests())[0].mask.clone();
    assert_eq!([(0.5, 0.2), (0.8, 0.5)].map(|(x, y)| at(&mask, x, y)), [255; 2]);
    assert_eq!(at(&mask, 0.5, 0.5), 0, "moves after the release paint nothing");
}

#[test]
fn the_draw_key_does_nothing_during_a_stroke() {
    let (mut panel, shot) = canvas();
    mark_part_for_a_moon(&mut panel, &shot);
    press(&mut panel, "Fit");
    panel.state_mut().apply_requests();
    let draws = |requested: &[Action]| requested.iter().any(|it| matches!(it, Action::Edit { .. }));
    begin_stroke(&mut panel, &shot, (0.6, 0.5), (0.8, 0.5));
    key(&mut panel, Modifiers::COMMAND, Key::Enter);
    assert!(!draws(&panel.state_mut().apply_requests()));
    end_stroke(&mut panel, &shot, (0.8, 0.7));
    key(&mut panel, Modifiers::COMMAND, Key::Enter);
    assert!(draws(&panel.state_mut().apply_requests()));
}

#[test]
fn an_outline_of_one_point_changes_nothing() {
    let (mut panel, shot) = two_parts();
    for tool in ["Lasso", "Polygon"] {
        press(&mut panel, tool);
        let keys = Modifiers::COMMAND | Modifiers::SHIFT;
        draw(&mut panel, &shot, &[(0.5, 0.5)], PointerButton::Primary, keys);
        key(&mut panel, Modifiers::NONE, Key::Enter);
        assert_eq!(panel.state_mut().apply_requests(), [], "{tool}");
    }
}

#[test]
fn a_polygon_closes_at_its_first_corner_and_backspace_removes_its_last() {
    let (mut panel, shot) = canvas();
    press(&mut panel, "Polygon");
    for corner in [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9)] {
        stroke(&mut panel, &shot, &[corner]);
    }
    key(&mut panel, Modifiers::NONE, Key::Backspace);
    for corner in [(0.1, 0.9), (0.1, 0.1)] {
        stroke(&mut panel, &shot, &[corner]);
    }
    let mask = saved_layers(&panel.state_mut().apply_requests())[0].mask.clone();
    assert!((mask.coverage() - 0.32).abs() < 0.03, "{}", mask.coverage());
    assert_eq!([at(&mask, 0.2, 0.2), at(&mask, 0.8, 0.8)], [255, 0]);
}

#[test]
fn a_candidate_drawn_during_an_outline_is_selected_after_it() {
    let (mut panel, shot) = canvas();
    mark_part_for_a_moon(&mut panel, &shot);
    press(&mut panel, "Replace part 1");
    press(&mut panel, "Polygon");
    for corner in [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9)] {
        stroke(&mut panel, &shot, &[corner]);
    }
    panel.state_mut().apply_requests();
    wait_for_drawings(&mut panel);
    assert!(panel.query_by_label("Accept").is_none(), "an outline is in progress");
    key(&mut panel, Modifiers::NONE, Key::Enter);
    panel.run_steps(2);
    assert!(panel.query_by_label("Accept").is_some());
}

#[test]
fn a_later_take_of_the_request_is_not_selected() {
    let (mut panel, shot) = canvas();
    mark_part_for_a_moon(&mut panel, &shot);
    press(&mut panel, "Replace part 1");
    let drawn = |panel: &mut Panel, count| {
        panel.state_mut().poll_until(|project| project.art().takes(&shot).len() == count);
        panel.run_steps(3);
    };
    let mut requested = panel.state_mut().apply_requests();
    drawn(&mut panel, 2);
    press(&mut panel, "Fit");
    key(&mut panel, Modifiers::NONE, Key::ArrowLeft);
    assert!(panel.query_by_label("Accept").is_none());
    // Repeat the edit to draw a second take.
    let Some(edit) = requested.pop().filter(|action| matches!(action, Action::Edit { .. })) else {
        panic!("{requested:?}")
    };
    panel.state_mut().apply(edit).unwrap();
    drawn(&mut panel, 3);
    assert!(panel.query_by_label("Accept").is_none());
}

#[test]
fn undo_in_a_text_field_affects_only_the_part_of_the_field() {
    let (mut panel, _) = two_parts();
    choose(&mut panel, EditKind::Replace, "a red sky");
    choose_part(&mut panel, "part 1");
    scroll_and_press(&mut panel, "replace");
    scroll_and_press(&mut panel, "Prompt");
    key(&mut panel, Modifiers::COMMAND, Key::Z);
    panel.state_mut().apply_requests();
    assert!(!has(&panel, "Replace part 1: a red sky"));
    assert!(panel.get_by_label("Prompt").value().unwrap_or_default().is_empty());
}
