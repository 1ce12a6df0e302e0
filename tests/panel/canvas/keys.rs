//! Keys on the canvas.

use bevy_illustrator::{
    panel::{
        PanelState, Tab,
        canvas::{Command, Tool},
    },
    project::Action,
    recipe::EditKind,
    storyboard::ShotKind,
};
use egui::{Event, Key, KeyboardShortcut, Modifiers};
use egui_kittest::kittest::Queryable;

use super::{canvas, choose, key, mark_part_for_a_moon, press_and_wait, stroke, wait_for_drawings};
use crate::support::{Fixture, has, open, press, scroll_and_press, story};

#[test]
fn the_canvas_has_keyboard_focus_as_soon_as_it_is_opened() {
    let mut fixture = Fixture::new(story());
    fixture.draw_all();
    let shot = fixture.shot(ShotKind::Portrait).id;
    fixture.panel.select(shot);
    let mut panel = open(fixture);
    scroll_and_press(&mut panel, "Edit parts");
    key(&mut panel, Modifiers::NONE, Key::P);
    assert!(has(&panel, "Click each corner"));
}

#[test]
fn a_rebound_key_is_saved() {
    let (mut panel, _) = canvas();
    press(&mut panel, "Keys");
    press(&mut panel, "Key of Lasso: L");
    key(&mut panel, Modifiers::NONE, Key::B);
    let requested = panel.state_mut().apply_requests();
    let [Action::SetKeys(keys)] = requested.as_slice() else { panic!("{requested:?}") };
    assert_eq!((&keys["Lasso"][..], &keys["Brush"][..]), (&["B".to_owned()][..], &[][..]));
    press(&mut panel, "Keys");
    assert!(!has(&panel, "Key of Lasso: B"), "the second press closes the list");
    key(&mut panel, Modifiers::NONE, Key::B);
    assert!(has(&panel, "Draw around the part"), "the new key selects the lasso");

    // The key is still bound after a restart.
    let shot = panel.state().panel.front().unwrap().clone();
    panel.state_mut().panel = PanelState::default();
    panel.state_mut().panel.set_segmenter_weights(None);
    panel.state_mut().panel.tab = Tab::Canvas;
    panel.state_mut().panel.select(shot);
    panel.run_steps(2);
    press(&mut panel, "Keys");
    press(&mut panel, "Key of Lasso: B");
    key(&mut panel, Modifiers::COMMAND, Key::L);
    assert!(has(&panel, "Key of Lasso: Ctrl+L"));
    press(&mut panel, "Reset all");
    assert!(has(&panel, "Key of Lasso: L"));
    let requested = panel.state_mut().apply_requests();
    assert_eq!(requested.last(), Some(&Action::SetKeys(Default::default())));
}

#[test]
fn the_canvas_gets_keyboard_focus_when_a_field_loses_it() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2), (0.4, 0.2)]);
    for leave in [Key::Enter, Key::Escape] {
        panel.get_by_label("Name").click();
        panel.run_steps(2);
        key(&mut panel, Modifiers::NONE, leave);
        key(&mut panel, Modifiers::NONE, Key::U);
        assert!(has(&panel, "Drag a box."), "{leave:?}");
        key(&mut panel, Modifiers::NONE, Key::B);
    }
    // The canvas also gets the focus after a prompt is typed and drawn.
    choose(&mut panel, EditKind::Replace, "a moon");
    key(&mut panel, Modifiers::COMMAND, Key::Enter);
    let requested = panel.state_mut().apply_requests();
    assert!(matches!(requested.last(), Some(Action::Edit { .. })), "{requested:?}");
    wait_for_drawings(&mut panel);
    key(&mut panel, Modifiers::NONE, Key::Enter);
    let requested = panel.state_mut().apply_requests();
    assert!(
        requested.iter().any(|action| matches!(action, Action::Accept { .. })),
        "{requested:?}"
    );
}

#[test]
fn a_held_key_discards_only_one_candidate() {
    let (mut panel, shot) = canvas();
    mark_part_for_a_moon(&mut panel, &shot);
    press_and_wait(&mut panel, "Replace part 1", 2);
    press(&mut panel, "Fit");
    panel.state_mut().apply_requests();
    for _ in 0..3 {
        panel.event(Event::Key {
            key: Key::Delete,
            physical_key: None,
            pressed: true,
            repeat: false,
            modifiers: Modifiers::NONE,
        });
        panel.run_steps(2);
        panel.state_mut().apply_requests();
    }
    assert_eq!(panel.state().project.art().takes(&shot).len(), 2);
}

#[test]
fn rebound_keys_work_and_do_nothing_in_text_fields() {
    let (mut panel, shot) = canvas();
    let box_key = KeyboardShortcut::new(Modifiers::NONE, Key::F);
    panel.state_mut().panel.canvas_keys().bind(Command::Use(Tool::Box), [box_key]);
    stroke(&mut panel, &shot, &[(0.2, 0.2)]);
    panel.state_mut().apply_requests();
    key(&mut panel, Modifiers::NONE, Key::F);
    assert!(has(&panel, "Drag a box."));
    key(&mut panel, Modifiers::NONE, Key::U);
    assert!(has(&panel, "Drag a box."), "the old key does nothing");
    panel.get_by_label("Name").click();
    panel.run_steps(2);
    key(&mut panel, Modifiers::NONE, Key::E);
    assert!(has(&panel, "Drag a box."), "a typed letter does not select a tool");
}
