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

use super::{canvas, choose, key, mark_moon, press_and_wait, stroke, wait_for_drawings};
use crate::support::{Desk, has, open, press, scroll_and_press, story};

#[test]
fn keys_mean_the_canvas_as_soon_as_it_is_opened_from_the_storyboard() {
    let mut desk = Desk::new(story());
    desk.draw_all();
    let shot = desk.shot(ShotKind::Portrait).id;
    desk.panel.select(shot);
    let mut panel = open(desk);
    scroll_and_press(&mut panel, "Edit parts");
    key(&mut panel, Modifiers::NONE, Key::P);
    assert!(has(&panel, "Click each corner"));
}

#[test]
fn a_key_that_is_made_another_one_is_kept() {
    let (mut panel, _) = canvas();
    press(&mut panel, "Keys");
    press(&mut panel, "Key of Lasso: L");
    key(&mut panel, Modifiers::NONE, Key::B);
    let asked = panel.state_mut().obey();
    let [Action::SetKeys(keys)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((&keys["Lasso"][..], &keys["Brush"][..]), (&["B".to_owned()][..], &[][..]));
    press(&mut panel, "Keys");
    assert!(!has(&panel, "Key of Lasso: B"), "the list is closed");
    key(&mut panel, Modifiers::NONE, Key::B);
    assert!(has(&panel, "Draw around the part"), "and the key does what it is to do");

    // Another day.
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
    let asked = panel.state_mut().obey();
    assert_eq!(asked.last(), Some(&Action::SetKeys(Default::default())));
}

#[test]
fn keys_mean_the_canvas_again_once_a_field_is_left_with_the_keyboard() {
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
    // And so they do once that was drawn for which words were typed.
    choose(&mut panel, EditKind::Replace, "a moon");
    key(&mut panel, Modifiers::COMMAND, Key::Enter);
    let asked = panel.state_mut().obey();
    assert!(matches!(asked.last(), Some(Action::Edit { .. })), "{asked:?}");
    wait_for_drawings(&mut panel);
    key(&mut panel, Modifiers::NONE, Key::Enter);
    let asked = panel.state_mut().obey();
    assert!(asked.iter().any(|action| matches!(action, Action::Accept { .. })), "{asked:?}");
}

#[test]
fn a_key_that_is_held_puts_one_candidate_away_and_not_all() {
    let (mut panel, shot) = canvas();
    mark_moon(&mut panel, &shot);
    press_and_wait(&mut panel, "Replace part 1", 2);
    press(&mut panel, "Fit");
    panel.state_mut().obey();
    for _ in 0..3 {
        panel.event(Event::Key {
            key: Key::Delete,
            physical_key: None,
            pressed: true,
            repeat: false,
            modifiers: Modifiers::NONE,
        });
        panel.run_steps(2);
        panel.state_mut().obey();
    }
    assert_eq!(panel.state().project.art().takes(&shot).len(), 2);
}

#[test]
fn keys_can_be_others_and_mean_nothing_while_words_are_typed() {
    let (mut panel, shot) = canvas();
    let box_key = KeyboardShortcut::new(Modifiers::NONE, Key::F);
    panel.state_mut().panel.canvas_keys().bind(Command::Use(Tool::Box), [box_key]);
    stroke(&mut panel, &shot, &[(0.2, 0.2)]);
    panel.state_mut().obey();
    key(&mut panel, Modifiers::NONE, Key::F);
    assert!(has(&panel, "Drag a box."));
    key(&mut panel, Modifiers::NONE, Key::U);
    assert!(has(&panel, "Drag a box."), "the old key does nothing");
    panel.get_by_label("Name").click();
    panel.run_steps(2);
    key(&mut panel, Modifiers::NONE, Key::E);
    assert!(has(&panel, "Drag a box."), "no tool is taken by a letter of a name");
}
