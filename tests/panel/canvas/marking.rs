//! Marking parts and setting their edits.

use bevy_illustrator::{
    panel::Tab,
    project::Action,
    recipe::{EditKind, Layer, Marks, Verdict, picture_hash},
    storyboard::ShotKind,
};
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;

use crate::support::{Fixture, Panel, has, open, open_in, press, scroll_and_press, story};

use super::{
    at, canvas, choose, key, mark_part_for_a_moon, press_and_wait, repaint, saved_layers, stroke,
    take, wait_for_drawings, wait_for_objects,
};

#[test]
fn a_stroke_makes_a_part_along_its_path_and_is_saved() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2), (0.5, 0.2), (0.8, 0.2)]);
    let requested = panel.state_mut().apply_requests();
    let [layer] = saved_layers(&requested) else { panic!("{requested:?}") };
    assert_eq!(layer.name, "part 1");
    assert_eq!([0.2, 0.5, 0.8].map(|x| at(&layer.mask, x, 0.2)), [255; 3]);
    assert_eq!([at(&layer.mask, 0.5, 0.9), at(&layer.mask, 0.02, 0.9)], [0; 2]);
    let id = take(&panel, &shot, 0).id;
    assert_eq!(
        panel.state().project.art().marks(&shot, &id).unwrap().layers,
        std::slice::from_ref(layer)
    );
    let covered = format!("{:.0} %", 100.0 * layer.mask.coverage());
    assert!(has(&panel, &covered), "the list shows the coverage");
}

#[test]
fn a_notation_of_another_program_in_a_prompt_is_named() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2), (0.4, 0.2)]);
    choose(&mut panel, EditKind::Replace, "a red moon");
    assert!(!has(&panel, "is read as ordinary words"));
    panel.get_by_label("Prompt").type_text(" (full:13)");
    panel.run_steps(2);
    assert!(has(&panel, "the number in `(full:13)` is read as ordinary words"));
}

#[test]
fn undo_removes_strokes_one_by_one_and_redo_restores_them() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.1, 0.1), (0.2, 0.1)]);
    let one = saved_layers(&panel.state_mut().apply_requests()).to_vec();
    stroke(&mut panel, &shot, &[(0.1, 0.9), (0.2, 0.9)]);
    let two = saved_layers(&panel.state_mut().apply_requests()).to_vec();
    assert!(two[0].mask.coverage() > one[0].mask.coverage());
    let mut after = |modifiers, pressed| {
        key(&mut panel, modifiers, pressed);
        saved_layers(&panel.state_mut().apply_requests()).to_vec()
    };
    assert_eq!(after(Modifiers::COMMAND, Key::Z), one);
    assert_eq!(after(Modifiers::COMMAND, Key::Z), []);
    assert_eq!(after(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z), one);
    assert_eq!(after(Modifiers::COMMAND, Key::Y), two);
}

#[test]
fn the_eraser_removes_pixels_and_box_and_lasso_add_their_inside() {
    let (mut panel, shot) = canvas();
    press(&mut panel, "Box");
    stroke(&mut panel, &shot, &[(0.1, 0.1), (0.6, 0.6)]);
    let boxed = saved_layers(&panel.state_mut().apply_requests())[0].mask.clone();
    assert!((boxed.coverage() - 0.25).abs() < 0.03, "{}", boxed.coverage());
    press(&mut panel, "Eraser");
    stroke(&mut panel, &shot, &[(0.15, 0.15), (0.2, 0.2)]);
    let erased = saved_layers(&panel.state_mut().apply_requests())[0].mask.clone();
    assert_eq!(
        [at(&boxed, 0.18, 0.18), at(&erased, 0.18, 0.18), at(&erased, 0.55, 0.55)],
        [255, 0, 255]
    );
    press(&mut panel, "Lasso");
    stroke(&mut panel, &shot, &[(0.7, 0.7), (0.9, 0.7), (0.9, 0.9), (0.7, 0.9)]);
    let lassoed = saved_layers(&panel.state_mut().apply_requests())[0].mask.clone();
    assert_eq!([at(&lassoed, 0.8, 0.8), at(&lassoed, 0.55, 0.55)], [255, 255], "it is added");
}

#[test]
fn in_a_narrow_panel_the_picture_fills_the_width_and_the_parts_are_below_it() {
    let mut fixture = Fixture::new(story());
    fixture.draw_all();
    let shot = fixture.shot(ShotKind::Portrait).id;
    fixture.panel.select(shot.clone());
    fixture.panel.tab = Tab::Canvas;
    let mut panel = open_in(fixture, [420.0, 720.0]);
    wait_for_objects(&mut panel);
    stroke(&mut panel, &shot, &[(0.3, 0.3), (0.6, 0.3)]);
    scroll_and_press(&mut panel, "remove");
    // The layout needs a few frames.
    panel.run_steps(4);
    press_and_wait(&mut panel, "Remove part 1", 1);
    panel.get_by_label(&format!("Canvas of {shot}")).scroll_to_me();
    panel.run_steps(4);
    let picture = panel.get_by_label(&format!("Canvas of {shot}")).rect();
    assert!(picture.width() > 370.0 && picture.height() > 250.0, "{picture:?}");
    assert!(panel.get_by_label("Accept").rect().top() >= picture.bottom());
    assert!(
        panel.get_by_label("Remove part 1").rect().bottom() <= 720.0,
        "the button stays visible"
    );
}

#[test]
fn a_scribble_sets_the_edit_to_add() {
    let (mut panel, shot) = canvas();
    press(&mut panel, "Scribble");
    stroke(&mut panel, &shot, &[(0.3, 0.1), (0.6, 0.1)]);
    let requested = panel.state_mut().apply_requests();
    let [layer] = saved_layers(&requested) else { panic!("{requested:?}") };
    assert_eq!(layer.edit.as_ref().unwrap().kind, EditKind::Add);
    assert_eq!(at(&layer.mask, 0.45, 0.1), 255);
    let scribble = &layer.scribble.as_ref().unwrap().0;
    let (x, y) = (scribble.width() * 45 / 100, scribble.height() / 10);
    assert_eq!(scribble.get_pixel(x, y).0, [255; 4]);
}

#[test]
fn a_locked_part_does_not_change_and_the_canvas_says_why() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2)]);
    press(&mut panel, "Lock part 1");
    panel.state_mut().apply_requests();
    stroke(&mut panel, &shot, &[(0.8, 0.8)]);
    assert_eq!(panel.state_mut().apply_requests(), []);
    assert!(has(&panel, "`part 1` is locked"));
}

#[test]
fn the_draw_button_names_its_edits_and_requests_them() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2), (0.4, 0.2)]);
    assert!(has(&panel, "choose an edit"));
    choose(&mut panel, EditKind::Replace, "a moon");
    let requested = panel.state_mut().apply_requests();
    let layer = saved_layers(&requested)[0].clone();
    assert_eq!(layer.edit.as_ref().unwrap().words, "a moon", "the typed prompt is saved");
    press(&mut panel, "Replace part 1");
    let requested = panel.state_mut().apply_requests();
    let [
        Action::Edit {
            shot: of,
            take: parent,
            picture: Some(_),
            parts,
            context: None,
            takes: 1,
            score: false,
        },
    ] = requested.as_slice()
    else {
        panic!("{requested:?}");
    };
    assert_eq!((of, parent), (&shot, &take(&panel, &shot, 0).id));
    assert_eq!((&parts[0].mask, &parts[0].edit), (&layer.mask, layer.edit.as_ref().unwrap()));
}

#[test]
fn the_draw_button_leaves_out_empty_parts() {
    let (mut panel, shot) = canvas();
    mark_part_for_a_moon(&mut panel, &shot);
    press(&mut panel, "New");
    choose(&mut panel, EditKind::Add, "a cat");
    press(&mut panel, "Replace part 1");
    let requested = panel.state_mut().apply_requests();
    let Some(Action::Edit { parts, .. }) = requested.last() else { panic!("{requested:?}") };
    assert_eq!(parts.iter().map(|part| &part.name[..]).collect::<Vec<_>>(), ["part 1"]);
}

#[test]
fn the_canvas_keeps_its_undo_history_while_another_tab_is_open() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.1, 0.1), (0.2, 0.1)]);
    let one = saved_layers(&panel.state_mut().apply_requests()).to_vec();
    stroke(&mut panel, &shot, &[(0.1, 0.9), (0.2, 0.9)]);
    panel.state_mut().apply_requests();
    press(&mut panel, "Style");
    panel.state_mut().apply_requests();
    press(&mut panel, "Canvas");
    press(&mut panel, "Fit");
    key(&mut panel, Modifiers::COMMAND, Key::Z);
    assert_eq!(saved_layers(&panel.state_mut().apply_requests()), one);
    // Marks that other code changed are loaded again.
    press(&mut panel, "Style");
    panel.state_mut().apply_requests();
    let (of, mine) = (take(&panel, &shot, 0).id, Layer::new("mine", one[0].mask.inverted()));
    let marks = Marks { layers: vec![mine], context: None };
    let action = Action::SetMarks { shot, take: of, marks };
    panel.state_mut().apply(action).unwrap();
    press(&mut panel, "Canvas");
    assert!(has(&panel, "mine") && !has(&panel, "part 1"));
}

#[test]
fn the_undo_history_of_a_take_survives_edits_of_another_take() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.1, 0.1), (0.2, 0.1)]);
    choose(&mut panel, EditKind::Replace, "a moon");
    press_and_wait(&mut panel, "Replace part 1", 1);
    press(&mut panel, "Accept");
    panel.state_mut().apply_requests();
    wait_for_objects(&mut panel);
    let of = take(&panel, &shot, 1).id;
    let own = panel.state().project.art().marks(&shot, &of).unwrap();
    press(&mut panel, "Fit");
    key(&mut panel, Modifiers::NONE, Key::Backspace);
    // Undoes the prompt, the kind and the stroke.
    for _ in 0..3 {
        key(&mut panel, Modifiers::COMMAND, Key::Z);
    }
    assert_eq!(saved_layers(&panel.state_mut().apply_requests()), []);
    let art = panel.state().project.art();
    assert_eq!(art.marks(&shot, &of).unwrap(), own, "the edited take has parts of its own");
    assert_eq!(own.layers.len(), 1);
}

#[test]
fn verdicts_alone_are_enough_to_draw() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2)]);
    let place = |panel: &Panel| panel.get_by_label("keep").rect();
    let before = place(&panel);
    press(&mut panel, "Like part 1");
    assert!(has(&panel, "Keep liked parts, redraw the rest"));
    assert_eq!(place(&panel), before, "the form stays where the pointer is");
    let requested = panel.state_mut().apply_requests();
    assert_eq!(saved_layers(&requested)[0].verdict, Verdict::Liked);
    press(&mut panel, "Keep liked parts, redraw the rest");
    let requested = panel.state_mut().apply_requests();
    let [Action::Edit { parts, .. }] = requested.as_slice() else { panic!("{requested:?}") };
    let kinds: Vec<_> = parts.iter().map(|part| part.edit.kind).collect();
    assert_eq!(kinds, [EditKind::Keep, EditKind::Refine]);
    // A crop that does not contain the whole picture must not disable the button.
    press(&mut panel, "Crop");
    stroke(&mut panel, &shot, &[(0.1, 0.1), (0.5, 0.5)]);
    panel.state_mut().apply_requests();
    press(&mut panel, "Keep liked parts, redraw the rest");
    let requested = panel.state_mut().apply_requests();
    assert!(matches!(requested[..], [Action::Edit { context: None, .. }]), "{requested:?}");
}

#[test]
fn a_picture_that_changes_on_disk_is_loaded_again() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2)]);
    choose(&mut panel, EditKind::Replace, "a moon");
    panel.state_mut().apply_requests();
    let first = take(&panel, &shot, 0);
    let picture = repaint(&mut panel, &first);
    press(&mut panel, "Replace part 1");
    let requested = panel.state_mut().apply_requests();
    let [Action::Edit { picture: Some(seen), .. }] = &requested[..] else {
        panic!("{requested:?}")
    };
    assert_eq!(*seen, picture_hash(&picture));
}

#[test]
fn a_failed_edit_shows_its_error_on_the_canvas() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2)]);
    choose(&mut panel, EditKind::Replace, "a moon");
    panel.state_mut().controls.lock().unwrap().fail_on = Some("");
    press_and_wait(&mut panel, "Replace part 1", 1);
    assert!(has(&panel, "Drawing failed: ") && has(&panel, "the ink ran dry"));
    panel.state_mut().controls.lock().unwrap().fail_on = None;
    press(&mut panel, "Replace part 1");
    panel.state_mut().apply_requests();
    panel.run_steps(2);
    assert!(!has(&panel, "Drawing failed: "));
}

#[test]
fn moving_the_pointer_does_not_move_the_picture() {
    let (mut panel, shot) = canvas();
    press(&mut panel, "Box");
    stroke(&mut panel, &shot, &[(0.0, 0.0), (0.5, 1.0)]);
    let left = saved_layers(&panel.state_mut().apply_requests())[0].mask.clone();
    assert!((left.coverage() - 0.5).abs() < 0.02, "the picture is fitted: {}", left.coverage());
}

#[test]
fn without_a_picture_the_canvas_says_how_to_get_one() {
    let mut fixture = Fixture::new(story());
    fixture.panel.tab = Tab::Canvas;
    let mut panel = open(fixture);
    assert!(has(&panel, "No picture to edit"));
    let shot = panel.state().shot(ShotKind::Portrait).id;
    panel.state_mut().panel.select(shot);
    panel.run_steps(2);
    assert!(has(&panel, "No picture to edit"), "a shot without a take has no picture");
}

#[test]
fn a_click_with_the_hand_tool_selects_the_part_under_it() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2)]);
    press(&mut panel, "New");
    stroke(&mut panel, &shot, &[(0.8, 0.8)]);
    press(&mut panel, "Hand");
    stroke(&mut panel, &shot, &[(0.2, 0.2)]);
    press(&mut panel, "Eraser");
    panel.state_mut().apply_requests();
    stroke(&mut panel, &shot, &[(0.2, 0.2)]);
    let requested = panel.state_mut().apply_requests();
    let [upper, lower] = saved_layers(&requested) else { panic!("{requested:?}") };
    assert_eq!([at(&upper.mask, 0.8, 0.8), at(&lower.mask, 0.2, 0.2)], [255, 0]);
}

#[test]
fn the_crop_is_dragged_resized_and_reset() {
    let (mut panel, shot) = canvas();
    press(&mut panel, "Box");
    stroke(&mut panel, &shot, &[(0.3, 0.3), (0.4, 0.4)]);
    choose(&mut panel, EditKind::Replace, "a moon");
    press(&mut panel, "Crop");
    let context_after = |panel: &mut Panel, places: &[(f32, f32)]| {
        stroke(panel, &shot, places);
        panel.state_mut().apply_requests();
        press(panel, "Replace part 1");
        let requested = panel.state().requested();
        panel.state_mut().requests.clear();
        let [Action::Edit { context, .. }] = requested[..] else { panic!("{requested:?}") };
        context
    };
    let dragged = context_after(&mut panel, &[(0.1, 0.1), (0.7, 0.7)]).unwrap();
    let width = take(&panel, &shot, 0).recipe().size.width;
    let share = |pixels: u32| pixels as f32 / width as f32;
    assert!((share(dragged.width) - 0.6).abs() < 0.03 && (share(dragged.x) - 0.1).abs() < 0.03);
    let moved = context_after(&mut panel, &[(0.5, 0.5), (0.65, 0.6)]).unwrap();
    assert_eq!((moved.width, moved.height), (dragged.width, dragged.height));
    assert!((share(moved.x - dragged.x) - 0.15).abs() < 0.03, "{dragged} {moved}");
    let pulled = context_after(&mut panel, &[(0.85, 0.5), (0.95, 0.6)]).unwrap();
    assert_eq!((pulled.x, pulled.y, pulled.height), (moved.x, moved.y, moved.height));
    assert!((share(pulled.width - moved.width) - 0.1).abs() < 0.03, "{moved} {pulled}");
    press(&mut panel, "Undo");
    assert_eq!(context_after(&mut panel, &[(0.5, 0.5)]), Some(moved), "undo restores the crop");
    assert_eq!(context_after(&mut panel, &[(0.05, 0.95)]), None);
}

#[test]
fn a_newly_drawn_take_does_not_replace_the_open_one() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2)]);
    panel.state_mut().apply_requests();
    let more = Action::DrawMore { shot: shot.clone(), takes: 1, score: false };
    panel.state_mut().apply(more).unwrap();
    wait_for_drawings(&mut panel);
    assert_eq!(panel.state().project.art().takes(&shot).len(), 2);
    stroke(&mut panel, &shot, &[(0.8, 0.8)]);
    let requested = panel.state_mut().apply_requests();
    let first = take(&panel, &shot, 0).id;
    let [Action::SetMarks { take, marks, .. }] = &requested[..] else { panic!("{requested:?}") };
    assert_eq!((take, marks.layers.len()), (&first, 1));
}
