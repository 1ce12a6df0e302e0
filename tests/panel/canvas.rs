//! The canvas: parts are marked with the pointer, and drawn anew.

use bevy_illustrator::{
    art::Take,
    mask::Mask,
    panel::{
        Tab,
        canvas::{Command, Tool},
    },
    project::Action,
    recipe::{EditKind, Layer, Verdict},
    storyboard::{ShotId, ShotKind},
};
use egui::{Key, KeyboardShortcut, Modifiers, Pos2, Rect, accesskit::Role, pos2, vec2};
use egui_kittest::kittest::{AccessKitNode, NodeT, Queryable};

use super::support::{Desk, Panel, has, open, open_in, press, says, story};

/// The canvas with the portrait of a story whose pictures are all drawn, once its picture is read.
fn canvas() -> (Panel, ShotId) {
    let mut desk = Desk::new(story());
    desk.draw_all();
    let shot = desk.shot(ShotKind::Portrait).id;
    desk.panel.select(shot.clone());
    desk.panel.tab = Tab::Canvas;
    let mut panel = open_in(desk, [920.0, 720.0]);
    wait_for_objects(&mut panel);
    (panel, shot)
}

/// The picture is read and looked at by another thread.
fn wait_for_objects(panel: &mut Panel) {
    for _ in 0..2000 {
        let split = panel.get_by_label("Split into parts");
        if !split.accesskit_node().is_disabled() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
        panel.run_steps(1);
    }
    panic!("the picture was not looked at in 10 seconds");
}

fn take(panel: &Panel, shot: &ShotId, number: usize) -> Take {
    panel.state().project.art().takes(shot)[number].clone()
}

/// Where the picture lies: it is fitted into the canvas, with 8 points around it at least.
fn picture(panel: &Panel, shot: &ShotId) -> Rect {
    let room = panel.get_by_label(&format!("Canvas of {shot}")).rect();
    let size = take(panel, shot, 0).recipe().size;
    let size = vec2(size.width as f32, size.height as f32);
    let zoom = ((room.size() - vec2(16.0, 16.0)) / size).min_elem();
    Rect::from_center_size(room.center(), size * zoom)
}

/// A place of the picture, by shares of its width and height.
fn place(panel: &Panel, shot: &ShotId, x: f32, y: f32) -> Pos2 {
    let picture = picture(panel, shot);
    pos2(picture.left() + x * picture.width(), picture.top() + y * picture.height())
}

fn stroke(panel: &mut Panel, shot: &ShotId, places: &[(f32, f32)]) {
    let places: Vec<Pos2> = places.iter().map(|&(x, y)| place(panel, shot, x, y)).collect();
    let button = |pressed, pos| egui::Event::PointerButton {
        pos,
        button: egui::PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    panel.event(egui::Event::PointerMoved(places[0]));
    panel.event(button(true, places[0]));
    panel.run_steps(1);
    for &at in &places[1..] {
        panel.event(egui::Event::PointerMoved(at));
        panel.run_steps(1);
    }
    panel.event(button(false, places[places.len() - 1]));
    panel.run_steps(2);
}

fn key(panel: &mut Panel, modifiers: Modifiers, key: Key) {
    panel.key_press_modifiers(modifiers, key);
    panel.run_steps(2);
}

/// What the panel asked to be kept last.
fn kept(asked: &[Action]) -> &[Layer] {
    let kept = asked.iter().rev().find_map(|action| match action {
        Action::SetLayers { layers, .. } => Some(layers.as_slice()),
        _ => None,
    });
    kept.unwrap_or_else(|| panic!("nothing was kept: {asked:?}"))
}

/// How much of a mask is set around a place.
fn at(mask: &Mask, x: f32, y: f32) -> u8 {
    let (width, height) = mask.size();
    mask.at((x * width as f32) as u32, (y * height as f32) as u32)
}

/// Says what is to become of the chosen part.
fn choose(panel: &mut Panel, kind: EditKind, words: &str) {
    press(panel, kind.name());
    let field = "What it is to show";
    panel.get_by_label(field).click();
    panel.run_steps(2);
    panel.get_by_label(field).type_text(words);
    panel.run_steps(2);
}

#[test]
fn a_stroke_makes_a_part_where_the_pointer_went_and_is_kept() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2), (0.5, 0.2), (0.8, 0.2)]);
    let asked = panel.state_mut().obey();
    let [layer] = kept(&asked) else { panic!("{asked:?}") };
    assert_eq!(layer.name, "part 1");
    assert_eq!([0.2, 0.5, 0.8].map(|x| at(&layer.mask, x, 0.2)), [255; 3]);
    assert_eq!([at(&layer.mask, 0.5, 0.9), at(&layer.mask, 0.02, 0.9)], [0; 2]);
    let id = take(&panel, &shot, 0).id;
    assert_eq!(
        panel.state().project.art().layers(&shot, &id).unwrap(),
        std::slice::from_ref(layer)
    );
    let covered = format!("{:.0} %", 100.0 * layer.mask.coverage());
    assert!(has(&panel, &covered), "the list tells how much it covers");
}

#[test]
fn undo_takes_strokes_back_one_by_one_and_redo_brings_them_again() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.1, 0.1), (0.2, 0.1)]);
    let one = kept(&panel.state_mut().obey()).to_vec();
    stroke(&mut panel, &shot, &[(0.1, 0.9), (0.2, 0.9)]);
    let two = kept(&panel.state_mut().obey()).to_vec();
    assert!(two[0].mask.coverage() > one[0].mask.coverage());
    let mut after = |modifiers, pressed| {
        key(&mut panel, modifiers, pressed);
        kept(&panel.state_mut().obey()).to_vec()
    };
    assert_eq!(after(Modifiers::COMMAND, Key::Z), one);
    assert_eq!(after(Modifiers::COMMAND, Key::Z), []);
    assert_eq!(after(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z), one);
    assert_eq!(after(Modifiers::COMMAND, Key::Y), two);
}

#[test]
fn the_eraser_the_box_and_the_lasso_do_what_they_say() {
    let (mut panel, shot) = canvas();
    press(&mut panel, "Box");
    stroke(&mut panel, &shot, &[(0.1, 0.1), (0.6, 0.6)]);
    let boxed = kept(&panel.state_mut().obey())[0].mask.clone();
    assert!((boxed.coverage() - 0.25).abs() < 0.03, "{}", boxed.coverage());
    press(&mut panel, "Eraser");
    stroke(&mut panel, &shot, &[(0.15, 0.15), (0.2, 0.2)]);
    let erased = kept(&panel.state_mut().obey())[0].mask.clone();
    assert_eq!(
        [at(&boxed, 0.18, 0.18), at(&erased, 0.18, 0.18), at(&erased, 0.55, 0.55)],
        [255, 0, 255]
    );
    press(&mut panel, "Lasso");
    stroke(&mut panel, &shot, &[(0.7, 0.7), (0.9, 0.7), (0.9, 0.9), (0.7, 0.9)]);
    let lassoed = kept(&panel.state_mut().obey())[0].mask.clone();
    assert_eq!([at(&lassoed, 0.8, 0.8), at(&lassoed, 0.55, 0.55)], [255, 255], "it is added");
}

#[test]
fn a_click_takes_the_object_and_escape_gives_it_back() {
    let (mut panel, shot) = canvas();
    key(&mut panel, Modifiers::NONE, Key::B);
    press(&mut panel, "Object");
    stroke(&mut panel, &shot, &[(0.5, 0.5)]);
    let square = kept(&panel.state_mut().obey())[0].mask.clone();
    assert!((square.coverage() - 0.25).abs() < 0.04, "{}", square.coverage());
    assert_eq!([at(&square, 0.5, 0.5), at(&square, 0.1, 0.1)], [255, 0]);
    key(&mut panel, Modifiers::NONE, Key::Escape);
    assert!(kept(&panel.state_mut().obey())[0].mask.is_empty());
}

#[test]
fn a_scribble_is_something_to_add() {
    let (mut panel, shot) = canvas();
    press(&mut panel, "Scribble");
    stroke(&mut panel, &shot, &[(0.3, 0.1), (0.6, 0.1)]);
    let asked = panel.state_mut().obey();
    let [layer] = kept(&asked) else { panic!("{asked:?}") };
    assert_eq!(layer.edit.as_ref().unwrap().kind, EditKind::Add);
    assert_eq!(at(&layer.mask, 0.45, 0.1), 255);
    let scribble = &layer.scribble.as_ref().unwrap().0;
    let (x, y) = (scribble.width() * 45 / 100, scribble.height() / 10);
    assert_eq!(scribble.get_pixel(x, y).0, [255; 4]);
}

#[test]
fn a_locked_part_stays_as_it_is_and_the_canvas_says_why() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2)]);
    press(&mut panel, "Lock part 1");
    panel.state_mut().obey();
    stroke(&mut panel, &shot, &[(0.8, 0.8)]);
    assert_eq!(panel.state_mut().obey(), []);
    assert!(has(&panel, "`part 1` is locked"));
}

#[test]
fn the_button_says_what_will_happen_and_does_it() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2), (0.4, 0.2)]);
    assert!(has(&panel, "say what to do with it"));
    choose(&mut panel, EditKind::Replace, "a moon");
    let asked = panel.state_mut().obey();
    let said = kept(&asked)[0].clone();
    assert_eq!(said.edit.as_ref().unwrap().words, "a moon", "what is typed is kept");
    press(&mut panel, "Replace part 1");
    let asked = panel.state_mut().obey();
    let [Action::Edit { shot: of, take: parent, parts, context: None, takes: 1 }] =
        asked.as_slice()
    else {
        panic!("{asked:?}");
    };
    assert_eq!((of, parent), (&shot, &take(&panel, &shot, 0).id));
    assert_eq!((&parts[0].mask, &parts[0].edit), (&said.mask, said.edit.as_ref().unwrap()));
}

#[test]
fn verdicts_are_one_press_from_a_picture() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2)]);
    press(&mut panel, "Like part 1");
    let asked = panel.state_mut().obey();
    assert_eq!(kept(&asked)[0].verdict, Verdict::Liked);
    press(&mut panel, "Keep what I like, redo the rest");
    let asked = panel.state_mut().obey();
    let [Action::Edit { parts, .. }] = asked.as_slice() else { panic!("{asked:?}") };
    let kinds: Vec<_> = parts.iter().map(|part| part.edit.kind).collect();
    assert_eq!(kinds, [EditKind::Keep, EditKind::Refine]);
}

/// An edit of the portrait, drawn twice.
fn with_candidates() -> (Panel, ShotId) {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2), (0.4, 0.2)]);
    choose(&mut panel, EditKind::Replace, "a moon");
    for _ in 0..2 {
        press(&mut panel, "Replace part 1");
    }
    panel.state_mut().obey();
    panel.state_mut().until(|project| project.studio().jobs().is_empty());
    panel.run_steps(3);
    // The canvas has the keys again, and not the field of words.
    press(&mut panel, "Fit");
    panel.state_mut().obey();
    (panel, shot)
}

#[test]
fn enter_accepts_the_candidate_and_work_goes_on_from_it() {
    let (mut panel, shot) = with_candidates();
    assert!(has(&panel, "Accept"), "what was drawn lies over the picture");
    key(&mut panel, Modifiers::NONE, Key::Enter);
    let asked = panel.state_mut().obey();
    let accepted = asked.iter().find_map(|action| match action {
        Action::Accept { take, .. } => Some(take.clone()),
        _ => None,
    });
    let accepted = accepted.unwrap();
    let made = panel.state().project.art().take(&shot, &accepted).unwrap().clone();
    assert_eq!(made.parent(), Some(&take(&panel, &shot, 0).id));
    assert_eq!(panel.state().project.art().accepted(&shot).unwrap().id, accepted);
    wait_for_objects(&mut panel);
    assert!(has(&panel, "part 1"), "the parts come along");
    stroke(&mut panel, &shot, &[(0.7, 0.7)]);
    let asked = panel.state_mut().obey();
    let on = asked.iter().find_map(|action| match action {
        Action::SetLayers { take, .. } => Some(take.clone()),
        _ => None,
    });
    assert_eq!(on, Some(accepted), "and belong to the new take");
    // And back: the take that it was made of is one key away.
    key(&mut panel, Modifiers::NONE, Key::Backspace);
    panel.run_steps(2);
    assert!(has(&panel, "take 1"));
}

#[test]
fn escape_puts_the_candidate_away_and_the_next_one_comes_into_view() {
    let (mut panel, shot) = with_candidates();
    key(&mut panel, Modifiers::NONE, Key::ArrowLeft);
    key(&mut panel, Modifiers::NONE, Key::ArrowLeft);
    assert!(panel.query_by_label("Discard").is_none(), "before the first stands the take itself");
    key(&mut panel, Modifiers::NONE, Key::ArrowRight);
    let first = take(&panel, &shot, 1).id;
    key(&mut panel, Modifiers::NONE, Key::Escape);
    assert_eq!(panel.state_mut().obey(), [Action::Discard { shot: shot.clone(), take: first }]);
    panel.run_steps(2);
    assert!(panel.query_by_label("Discard").is_some(), "the second one is in view");
    press(&mut panel, "Accept");
    assert_eq!(panel.state().project.art().takes(&shot).len(), 2);
}

#[test]
fn the_key_that_closes_a_menu_puts_no_candidate_away() {
    let (mut panel, _) = with_candidates();
    let ways =
        |node: &AccessKitNode<'_>| node.role() == Role::ComboBox && says(node, "Candidate only");
    panel.get_by(ways).click();
    panel.run_steps(2);
    assert!(panel.query_by_label("Blink").is_some(), "the menu is open");
    key(&mut panel, Modifiers::NONE, Key::Escape);
    assert_eq!(panel.state_mut().obey(), []);
    assert!(panel.query_by_label("Blink").is_none(), "the menu is closed");
    key(&mut panel, Modifiers::NONE, Key::Escape);
    assert!(matches!(panel.state_mut().obey()[..], [Action::Discard { .. }]));
}

#[test]
fn the_pointer_alone_leaves_the_picture_where_it_is() {
    let (mut panel, shot) = canvas();
    press(&mut panel, "Box");
    stroke(&mut panel, &shot, &[(0.0, 0.0), (0.5, 1.0)]);
    let left = kept(&panel.state_mut().obey())[0].mask.clone();
    assert!((left.coverage() - 0.5).abs() < 0.02, "the picture is fitted: {}", left.coverage());
}

#[test]
fn one_is_accepted_and_the_rest_dropped_with_one_press() {
    let (mut panel, shot) = with_candidates();
    press(&mut panel, "Accept, drop the rest");
    panel.state_mut().obey();
    let art = panel.state().project.art();
    assert_eq!(art.takes(&shot).len(), 2);
    assert_eq!(art.accepted(&shot).unwrap().parent(), Some(&art.takes(&shot)[0].id));
}

#[test]
fn the_game_tries_a_candidate_on_only_while_it_is_looked_at() {
    let (mut panel, shot) = with_candidates();
    press(&mut panel, "Try on in the game");
    let asked = panel.state_mut().obey();
    let [Action::TryOn { take: Some(tried), .. }] = asked.as_slice() else { panic!("{asked:?}") };
    let tried = tried.clone();
    let shown = |panel: &Panel| {
        let project = &panel.state().project;
        project.shown(project.board().shot(&shot).unwrap()).unwrap().id.clone()
    };
    assert_eq!(shown(&panel), tried);
    panel.state_mut().panel.tab = Tab::Queue;
    panel.run_steps(2);
    assert_eq!(panel.state_mut().obey(), [Action::TryOn { shot: shot.clone(), take: None }]);
    assert_eq!(shown(&panel), take(&panel, &shot, 0).id);
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
    panel.get_by_label("Name of the part").click();
    panel.run_steps(2);
    key(&mut panel, Modifiers::NONE, Key::E);
    assert!(has(&panel, "Drag a box."), "no tool is taken by a letter of a name");
}

#[test]
fn without_a_picture_the_canvas_says_how_to_get_one() {
    let mut desk = Desk::new(story());
    desk.panel.tab = Tab::Canvas;
    let mut panel = open(desk);
    assert!(has(&panel, "No picture to work on"));
    let shot = panel.state().shot(ShotKind::Portrait).id;
    panel.state_mut().panel.select(shot);
    panel.run_steps(2);
    assert!(has(&panel, "No picture to work on"), "a shot that is not drawn has none either");
}

#[test]
fn a_click_with_the_empty_hand_chooses_the_part_below_it() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2)]);
    press(&mut panel, "New");
    stroke(&mut panel, &shot, &[(0.8, 0.8)]);
    press(&mut panel, "Hand");
    stroke(&mut panel, &shot, &[(0.2, 0.2)]);
    press(&mut panel, "Eraser");
    panel.state_mut().obey();
    stroke(&mut panel, &shot, &[(0.2, 0.2)]);
    let asked = panel.state_mut().obey();
    let [upper, lower] = kept(&asked) else { panic!("{asked:?}") };
    assert_eq!([at(&upper.mask, 0.8, 0.8), at(&lower.mask, 0.2, 0.2)], [255, 0]);
}

#[test]
fn the_same_edit_is_done_to_other_pictures_of_the_same_subject_and_judged_there() {
    let (mut panel, shot) = with_candidates();
    press(&mut panel, "Accept");
    panel.state_mut().obey();
    panel.run_steps(2);
    let others: Vec<ShotId> =
        panel.state().project.board().kin(&shot).map(|shot| shot.id.clone()).collect();
    assert!(!others.is_empty(), "Mira has several expressions");
    press(&mut panel, &format!("Same edit on {} more", others.len()));
    let asked = panel.state_mut().obey();
    assert!(
        matches!(&asked[..], [Action::EditAlike { others: asked, .. }] if *asked == others),
        "{asked:?}"
    );
    panel.state_mut().until(|project| project.studio().jobs().is_empty());
    panel.run_steps(3);
    assert!(panel.query_by_label_contains("Same edit on").is_none(), "it was done everywhere");
    let other = &others[0];
    let made = panel.state().project.art().takes(other).last().unwrap().id.clone();
    press(&mut panel, if others.len() == 1 { "Accept" } else { "Accept all" });
    panel.state_mut().obey();
    assert_eq!(panel.state().project.art().accepted(other).unwrap().id, made);
}

#[test]
fn what_the_model_sees_is_dragged_moved_and_left_to_itself_again() {
    let (mut panel, shot) = canvas();
    press(&mut panel, "Box");
    stroke(&mut panel, &shot, &[(0.3, 0.3), (0.4, 0.4)]);
    choose(&mut panel, EditKind::Replace, "a moon");
    press(&mut panel, "Context");
    let context_after = |panel: &mut Panel, places: &[(f32, f32)]| {
        stroke(panel, &shot, places);
        panel.state_mut().obey();
        press(panel, "Replace part 1");
        let asked = panel.state_mut().asked.split_off(0);
        let [Action::Edit { context, .. }] = asked[..] else { panic!("{asked:?}") };
        context
    };
    let dragged = context_after(&mut panel, &[(0.1, 0.1), (0.7, 0.7)]).unwrap();
    let width = take(&panel, &shot, 0).recipe().size.width;
    let share = |pixels: u32| pixels as f32 / width as f32;
    assert!((share(dragged.width) - 0.6).abs() < 0.03 && (share(dragged.x) - 0.1).abs() < 0.03);
    let moved = context_after(&mut panel, &[(0.5, 0.5), (0.65, 0.6)]).unwrap();
    assert_eq!((moved.width, moved.height), (dragged.width, dragged.height));
    assert!((share(moved.x - dragged.x) - 0.15).abs() < 0.03, "{dragged} {moved}");
    assert_eq!(context_after(&mut panel, &[(0.05, 0.95)]), None);
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// What a hand may do on a canvas, sensible or not.
    #[derive(Clone, Debug)]
    enum Deed {
        Take(usize),
        Stroke(Vec<(f32, f32)>),
        Key(Modifiers, Key),
        Press(&'static str),
    }

    fn deeds() -> impl Strategy<Value = Vec<Deed>> {
        let place = || (-0.2_f32..1.2, -0.2_f32..1.2);
        let keys = [Key::Z, Key::Y, Key::V, Key::Q, Key::Enter, Key::Escape, Key::Backspace];
        let modifiers = [Modifiers::NONE, Modifiers::SHIFT, Modifiers::COMMAND];
        let buttons = ["New", "Split into parts", "Fit", "1:1", "Undo", "Redo"];
        let deed = prop_oneof![
            (0..Tool::ALL.len()).prop_map(Deed::Take),
            prop::collection::vec(place(), 1..5).prop_map(Deed::Stroke),
            (prop::sample::select(modifiers.to_vec()), prop::sample::select(keys.to_vec()))
                .prop_map(|(modifiers, key)| Deed::Key(modifiers, key)),
            prop::sample::select(buttons.to_vec()).prop_map(Deed::Press),
        ];
        prop::collection::vec(deed, 1..24)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn whatever_a_hand_does_can_be_undone_and_what_is_kept_is_what_is_seen(deeds in deeds()) {
            let (mut panel, shot) = canvas();
            for deed in deeds {
                match deed {
                    Deed::Take(tool) => press(&mut panel, Tool::ALL[tool].name()),
                    Deed::Stroke(places) => stroke(&mut panel, &shot, &places),
                    Deed::Key(modifiers, pressed) => key(&mut panel, modifiers, pressed),
                    Deed::Press(button) => press(&mut panel, button),
                }
                panel.state_mut().obey();
            }
            // A stroke that ended outside the panel took the keys away.
            press(&mut panel, "Fit");
            // Whatever is under way is given up, and then step after step.
            for _ in 0..60 {
                key(&mut panel, Modifiers::COMMAND, Key::Z);
                panel.state_mut().obey();
            }
            let first = take(&panel, &shot, 0).id;
            prop_assert_eq!(panel.state().project.art().layers(&shot, &first).unwrap(), []);
        }
    }
}
