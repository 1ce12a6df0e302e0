//! The losses of a part.

use bevy_illustrator::{
    art::Take,
    project::Action,
    recipe::{BlobId, EditKind, Images, Loss, LossKind, Part},
};
use egui_kittest::kittest::Queryable;

use super::{
    super::support::{Panel, has, press, scroll_and_press},
    canvas, choose, saved_layers, stroke, wait_until,
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

/// The canvas with a part whose losses are shown, and the first two shots with their titles and pictures.
fn opened() -> (Panel, [(String, Take); 2]) {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2), (0.4, 0.2)]);
    choose(&mut panel, EditKind::Replace, "a moon");
    scroll_and_press(&mut panel, "Losses");
    panel.run_steps(12);
    let project = &panel.state().project;
    let shots = project.board().shots().iter();
    let mut shown =
        shots.filter_map(|shot| Some((shot.title.clone(), project.shown(&shot.id)?.clone())));
    let pictures = [shown.next().unwrap(), shown.next().unwrap()];
    (panel, pictures)
}

fn use_picture(panel: &mut Panel, title: &str) {
    scroll_and_press(panel, &format!("Use {title}"));
    wait_until(panel, |panel| !has(panel, "Choose the image for"));
    panel.run_steps(2);
}

#[test]
fn a_loss_has_the_chosen_image_and_is_not_drawn_before_one_is_chosen() {
    let (mut panel, [(title, take), _]) = opened();
    scroll_and_press(&mut panel, "Look like this");
    panel.run_steps(12);
    assert!(has(&panel, "Choose the image for “Look like this”"));
    panel.state_mut().apply_requests();
    press(&mut panel, "Replace part 1");
    let part = edited_parts(&mut panel).remove(0);
    assert_eq!((part.edit.losses, part.images), (Vec::new(), Images::new()));
    use_picture(&mut panel, &title);
    panel.state_mut().apply_requests();
    press(&mut panel, "Replace part 1");
    let part = edited_parts(&mut panel).remove(0);
    let picture = take.image().unwrap();
    let id = BlobId::of_image(&picture);
    assert_eq!(part.edit.losses, [Loss::new(LossKind::Style(id.clone()))]);
    assert_eq!(part.images, Images::from([(id, picture.into())]));
}

#[test]
fn the_image_of_a_loss_is_replaced_and_its_other_values_stay() {
    let (mut panel, [(first, _), (second, take)]) = opened();
    scroll_and_press(&mut panel, "Look like this");
    panel.run_steps(12);
    use_picture(&mut panel, &first);
    scroll_and_press(&mut panel, "less of this");
    scroll_and_press(&mut panel, "Change the image");
    panel.run_steps(12);
    use_picture(&mut panel, &second);
    panel.state_mut().apply_requests();
    press(&mut panel, "Replace part 1");
    let part = edited_parts(&mut panel).remove(0);
    let picture = take.image().unwrap();
    let id = BlobId::of_image(&picture);
    let loss = Loss { unlike: true, ..Loss::new(LossKind::Style(id.clone())) };
    assert_eq!(part.edit.losses, [loss]);
    assert_eq!(part.images.keys().collect::<Vec<_>>(), [&id]);
}

#[test]
fn presses_on_kinds_of_edits_lose_neither_words_nor_losses() {
    let (mut panel, _) = opened();
    scroll_and_press(&mut panel, "Calmer");
    let edit_of = |panel: &mut Panel| {
        let requested = panel.state_mut().apply_requests();
        saved_layers(&requested)[0].edit.clone()
    };
    let edit = edit_of(&mut panel);
    let chosen = edit.as_ref().unwrap();
    assert_eq!((chosen.words.as_str(), chosen.losses.len()), ("a moon", 1));
    scroll_and_press(&mut panel, "replace");
    assert_eq!(
        panel.state_mut().apply_requests(),
        [],
        "a press on the chosen kind changes nothing"
    );
    scroll_and_press(&mut panel, "keep");
    scroll_and_press(&mut panel, "replace");
    assert_eq!(edit_of(&mut panel), edit);
    scroll_and_press(&mut panel, "Delete edit");
    assert_eq!(edit_of(&mut panel), None);
    press(&mut panel, "Undo");
    assert_eq!(edit_of(&mut panel), edit);
}

/// Draws a part with the loss `Calmer`, until the panel says `words`.
///
/// The drawing does not finish: the widgets below the progress would move at that moment, and a click would miss them.
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
    panel
}

#[test]
fn the_values_of_a_loss_are_shown_while_its_part_is_drawn() {
    draw_until("from 0.50 to 0.25");
}

#[test]
fn the_usual_cost_of_a_kind_is_told_until_it_is_measured() {
    let mut panel = draw_until("+25 % time");
    // Another loss of the same kind, which was never drawn.
    scroll_and_press(&mut panel, "Remove this loss");
    wait_until(&mut panel, |panel| !has(panel, "% time"));
    scroll_and_press(&mut panel, "Calmer");
    panel.run_steps(2);
    assert!(has(&panel, "+25 % time") && !has(&panel, "about +"));
    scroll_and_press(&mut panel, "In these colours");
    panel.run_steps(2);
    assert!(has(&panel, "about +5 % time"));
}
