//! Candidates are compared, accepted or discarded.

use bevy_illustrator::{
    art::Take,
    panel::Tab,
    project::{Action, Project},
    recipe::{EditKind, Part},
    storyboard::ShotId,
};
use egui::{Key, Modifiers, Rect, Shape, TextureId, accesskit::Role};
use egui_kittest::kittest::{AccessKitNode, NodeT, Queryable};

use crate::support::{PREVIEW, Panel, has, press, says, texture_of};

use super::{
    canvas, choose, key, mark_part_for_a_moon, picture, place, press_and_wait, stroke, take,
    wait_for_drawings, wait_for_objects, wait_until,
};

/// The parts of an edited take.
fn parts_of(panel: &Panel, take: &Take) -> Vec<Part> {
    let edit = take.recipe().edit.as_ref().unwrap();
    panel.state().project.art().blobs().parts(edit).unwrap()
}

/// Opens the canvas with two candidates for an edit of the portrait.
fn with_candidates() -> (Panel, ShotId) {
    let (mut panel, shot) = canvas();
    mark_part_for_a_moon(&mut panel, &shot);
    press_and_wait(&mut panel, "Replace part 1", 2);
    // The canvas gets the keyboard back from the prompt.
    press(&mut panel, "Fit");
    for _ in 0..2 {
        key(&mut panel, Modifiers::NONE, Key::ArrowRight);
    }
    panel.state_mut().apply_requests();
    (panel, shot)
}

#[test]
fn enter_accepts_the_candidate_and_opens_it() {
    let (mut panel, shot) = with_candidates();
    let accept = panel.query_by_label("Accept");
    assert!(accept.is_some(), "the candidate is shown");
    key(&mut panel, Modifiers::NONE, Key::Enter);
    let requested = panel.state_mut().apply_requests();
    let accepted = requested.iter().find_map(|action| match action {
        Action::Accept { take, .. } => Some(take.clone()),
        _ => None,
    });
    let accepted = accepted.unwrap();
    let made = panel.state().project.art().take(&shot, &accepted).unwrap().clone();
    assert_eq!(made.parent(), Some(&take(&panel, &shot, 0).id));
    assert_eq!(panel.state().project.art().accepted(&shot).unwrap().id, accepted);
    wait_for_objects(&mut panel);
    assert!(has(&panel, "part 1"), "the parts are copied");
    stroke(&mut panel, &shot, &[(0.7, 0.7)]);
    let requested = panel.state_mut().apply_requests();
    let on = requested.iter().find_map(|action| match action {
        Action::SetMarks { take, .. } => Some(take.clone()),
        _ => None,
    });
    assert_eq!(on, Some(accepted), "the copied parts belong to the new take");
    // A key opens the parent take.
    key(&mut panel, Modifiers::NONE, Key::Backspace);
    panel.run_steps(2);
    assert!(has(&panel, "take 1"));
    // A key opens the newest child of the parent.
    press(&mut panel, "Accept this take");
    panel.state_mut().apply_requests();
    assert_eq!(panel.state().project.art().accepted(&shot).unwrap().id, take(&panel, &shot, 0).id);
    key(&mut panel, Modifiers::SHIFT, Key::Backspace);
    panel.run_steps(2);
    assert!(has(&panel, "take 3"), "the newer of the two children");
}

/// The tiles of takes, from left to right.
fn tiles(panel: &Panel) -> Vec<String> {
    let is_tile = |node: &AccessKitNode<'_>| {
        node.label().is_some_and(|label| label.starts_with("Take ")) && !node.is_disabled()
    };
    let mut tiles: Vec<_> = panel.get_all_by(is_tile).collect();
    tiles.sort_by(|one, other| one.rect().left().total_cmp(&other.rect().left()));
    tiles.iter().map(|tile| tile.accesskit_node().label().unwrap()).collect()
}

#[test]
fn the_best_of_four_takes_comes_first_and_shows_its_values() {
    let (mut panel, shot) = canvas();
    mark_part_for_a_moon(&mut panel, &shot);
    press(&mut panel, "Best of 4");
    let requested = press_and_wait(&mut panel, "Replace part 1", 1);
    let is_scored = |action: &Action| matches!(action, Action::Edit { takes: 4, score: true, .. });
    assert!(requested.iter().any(is_scored), "{requested:?}");
    // The values of the four takes are 0.8, 0.9, 0.6 and 0.7.
    let expected =
        ["Take 1", "Take 4, best of 4", "Take 5, 2 of 4", "Take 2, 3 of 4", "Take 3, 4 of 4"];
    assert_eq!(tiles(&panel), expected);
    panel.get_by_label("Take 4, best of 4").hover();
    panel.run_steps(8);
    // 0.15 below the mean, with a standard deviation of 0.1118.
    assert!(has(&panel, "Score -1.34"));
    assert!(has(&panel, "part 1: Show this: 0.600"));
    // Keys follow the order on the screen.
    press(&mut panel, "Fit");
    press(&mut panel, "Take 1");
    key(&mut panel, Modifiers::NONE, Key::ArrowRight);
    key(&mut panel, Modifiers::NONE, Key::ArrowRight);
    press(&mut panel, "Accept");
    let accepted = Action::Accept { shot: shot.clone(), take: take(&panel, &shot, 4).id };
    assert!(panel.state_mut().apply_requests().contains(&accepted));

    press(&mut panel, "Best of 4");
    assert!(has(&panel, "1 take"), "without the choice, one take is drawn");
}

#[test]
fn escape_discards_the_candidate_and_selects_the_next_one() {
    let (mut panel, shot) = with_candidates();
    key(&mut panel, Modifiers::NONE, Key::ArrowLeft);
    key(&mut panel, Modifiers::NONE, Key::ArrowLeft);
    assert!(
        panel.query_by_label("Discard").is_none(),
        "the open take comes before the first candidate"
    );
    key(&mut panel, Modifiers::NONE, Key::ArrowRight);
    let first = take(&panel, &shot, 1).id;
    key(&mut panel, Modifiers::NONE, Key::Escape);
    assert_eq!(
        panel.state_mut().apply_requests(),
        [Action::Discard { shot: shot.clone(), take: first }]
    );
    panel.run_steps(2);
    assert!(panel.query_by_label("Discard").is_some(), "the second candidate is shown");
    press(&mut panel, "Accept");
    assert_eq!(panel.state().project.art().takes(&shot).len(), 2);
}

#[test]
fn a_restored_take_returns_to_its_place_and_is_opened() {
    let (mut panel, shot) = with_candidates();
    let first = take(&panel, &shot, 1);
    key(&mut panel, Modifiers::NONE, Key::ArrowLeft);
    key(&mut panel, Modifiers::NONE, Key::Escape);
    panel.state_mut().apply_requests();
    panel.run_steps(2);
    assert_eq!(panel.state().project.art().takes(&shot).len(), 2);
    press(&mut panel, "Discarded takes: 1");
    press(&mut panel, "Restore: Replace part 1");
    let restore = Action::Restore { shot: shot.clone(), take: first.id.clone() };
    assert_eq!(panel.state_mut().apply_requests(), [restore]);
    panel.run_steps(3);
    assert_eq!(take(&panel, &shot, 1), first, "the restored take is before the second one again");
    assert!(has(&panel, "take 2"), "the canvas shows it");
    assert!(!has(&panel, "Discarded takes: 1"));
}

#[test]
fn the_key_that_closes_a_menu_does_not_discard_a_candidate() {
    let (mut panel, _) = with_candidates();
    let ways =
        |node: &AccessKitNode<'_>| node.role() == Role::ComboBox && says(node, "Candidate only");
    panel.get_by(ways).click();
    panel.run_steps(2);
    assert!(panel.query_by_label("Blink").is_some(), "the menu is open");
    key(&mut panel, Modifiers::NONE, Key::Escape);
    assert_eq!(panel.state_mut().apply_requests(), []);
    assert!(panel.query_by_label("Blink").is_none(), "the menu is closed");
    key(&mut panel, Modifiers::NONE, Key::Escape);
    assert!(matches!(panel.state_mut().apply_requests()[..], [Action::Discard { .. }]));
}

#[test]
fn one_button_accepts_a_take_and_discards_the_others() {
    let (mut panel, shot) = with_candidates();
    // The button does not discard takes of other requests.
    let (first, second) = (take(&panel, &shot, 0), take(&panel, &shot, 1));
    let mut parts = parts_of(&panel, &second);
    parts[0].edit.words = "a cloud".to_owned();
    let (shot_again, take) = (shot.clone(), first.id);
    let other = Action::Edit {
        shot: shot_again,
        take,
        picture: None,
        parts,
        context: None,
        takes: 1,
        score: false,
    };
    panel.state_mut().apply(other).unwrap();
    wait_for_drawings(&mut panel);
    press(&mut panel, "Accept, discard others");
    panel.state_mut().apply_requests();
    let art = panel.state().project.art();
    assert_eq!(art.takes(&shot).len(), 3);
    assert_eq!(art.accepted(&shot).unwrap().parent(), Some(&art.takes(&shot)[0].id));
}

#[test]
fn accepting_one_take_of_a_request_cancels_its_waiting_jobs() {
    let (mut panel, shot) = with_candidates();
    panel.state_mut().controls.lock().unwrap().wait = true;
    press(&mut panel, "Replace part 1");
    panel.state_mut().apply_requests();
    panel.run_steps(2);
    let waits = panel.state().project.studio().jobs()[0].job.id;
    key(&mut panel, Modifiers::NONE, Key::ArrowRight);
    press(&mut panel, "Accept, discard others");
    let requested = panel.state_mut().apply_requests();
    assert!(requested.contains(&Action::Cancel(waits)), "{requested:?}");
    panel.state_mut().poll_until(|project| project.studio().jobs().is_empty());
    assert_eq!(panel.state().project.art().takes(&shot).len(), 2);
}

#[test]
fn the_game_shows_a_candidate_on_trial_only_while_it_is_viewed() {
    let (mut panel, shot) = with_candidates();
    press(&mut panel, "Preview in the game");
    let requested = panel.state_mut().apply_requests();
    let [Action::TryOn { take: Some(tried), .. }] = requested.as_slice() else {
        panic!("{requested:?}")
    };
    let tried = tried.clone();
    let shown = |panel: &Panel| {
        let project = &panel.state().project;
        project.shown(&shot).unwrap().id.clone()
    };
    assert_eq!(shown(&panel), tried);
    panel.state_mut().panel.tab = Tab::Queue;
    panel.run_steps(2);
    assert_eq!(
        panel.state_mut().apply_requests(),
        [Action::TryOn { shot: shot.clone(), take: None }]
    );
    assert_eq!(shown(&panel), take(&panel, &shot, 0).id);
}

#[test]
fn an_edit_is_repeated_on_related_shots_and_accepted_there() {
    let (mut panel, shot) = with_candidates();
    press(&mut panel, "Accept");
    panel.state_mut().apply_requests();
    panel.run_steps(2);
    let others: Vec<ShotId> =
        panel.state().project.board().related(&shot).map(|shot| shot.id.clone()).collect();
    assert!(!others.is_empty(), "Mira has several expressions");
    press(&mut panel, &format!("Repeat edit ({})", others.len()));
    let requested = panel.state_mut().apply_requests();
    assert!(
        matches!(&requested[..], [Action::PropagateEdit { others: found, .. }] if *found == others),
        "{requested:?}"
    );
    panel.state_mut().poll_until(Project::is_idle);
    panel.run_steps(3);
    assert!(
        panel.query_by_label_contains("Repeat edit").is_none(),
        "the edit was repeated on all related shots"
    );
    let other = &others[0];
    let made = panel.state().project.art().takes(other).last().unwrap().id.clone();
    press(&mut panel, if others.len() == 1 { "Accept" } else { "Accept all" });
    panel.state_mut().apply_requests();
    assert_eq!(panel.state().project.art().accepted(other).unwrap().id, made);
    // A result that was edited again does not need to be accepted.
    let edited = panel.state().project.art().take(other, &made).unwrap().clone();
    let parts = parts_of(&panel, &edited);
    let (of, picture) = (other.clone(), None);
    let edit = Action::Edit {
        shot: of,
        take: made,
        picture,
        parts,
        context: None,
        takes: 1,
        score: false,
    };
    panel.state_mut().apply(edit).unwrap();
    panel.state_mut().poll_until(Project::is_idle);
    let last = panel.state().project.art().takes(other).last().unwrap().id.clone();
    let accept = Action::Accept { shot: other.clone(), take: last };
    panel.state_mut().apply(accept).unwrap();
    panel.run_steps(3);
    assert!(panel.query_by_label_contains("Accept").is_none(), "no result waits to be accepted");
}

#[test]
fn a_preview_covers_only_the_area_that_may_change() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2), (0.3, 0.2)]);
    choose(&mut panel, EditKind::Replace, "a moon");
    panel.state_mut().controls.lock().unwrap().wait = true;
    press(&mut panel, "Replace part 1");
    panel.state_mut().apply_requests();
    wait_until(&mut panel, |panel| !on_canvas(panel, &shot).is_empty());
    let [forming] = on_canvas(&panel, &shot)[..] else {
        panic!("the preview is not shown exactly once")
    };
    for (x, y, may_change) in
        [(0.2, 0.2, true), (0.3, 0.2, true), (0.9, 0.2, false), (0.2, 0.9, false)]
    {
        assert_eq!(forming.contains(place(&panel, &shot, x, y)), may_change, "{x} {y} {forming:?}");
    }
    panel.state_mut().controls.lock().unwrap().wait = false;
}

/// The areas of the canvas that show the preview.
fn on_canvas(panel: &Panel, shot: &ShotId) -> Vec<Rect> {
    let room = picture(panel, shot);
    textured(panel, PREVIEW).into_iter().filter(|seen| room.contains_rect(*seen)).collect()
}

/// Selects the way to compare the candidate with its parent.
fn compare(panel: &mut Panel, way: &str) {
    panel.get_by(|node| node.role() == Role::ComboBox && says(node, "Candidate only")).click();
    panel.run_steps(2);
    panel.get_by_label(way).click();
    panel.run_steps(2);
}

/// The areas of the canvas that show a take, from bottom to top.
fn seen(panel: &Panel, take: &Take) -> Vec<Rect> {
    textured(panel, texture_of(take))
}

/// The areas that show a texture, from bottom to top.
fn textured(panel: &Panel, of: TextureId) -> Vec<Rect> {
    let shapes = panel.output().shapes.iter();
    let visible = shapes.filter_map(|clipped| match &clipped.shape {
        Shape::Mesh(mesh) if mesh.texture_id == of => {
            Some(mesh.calc_bounds().intersect(clipped.clip_rect))
        }
        _ => None,
    });
    visible.collect()
}

#[test]
fn the_slider_shows_before_and_after_on_both_sides_of_its_divider() {
    let (mut panel, shot) = with_candidates();
    let (before, after) = (take(&panel, &shot, 0), take(&panel, &shot, 2));
    assert_eq!(
        (seen(&panel, &before).len(), seen(&panel, &after).len()),
        (0, 1),
        "only the candidate is shown"
    );
    compare(&mut panel, "Slider");
    let whole = picture(&panel, &shot);
    for share in [0.5, 0.25, 0.8] {
        if share != 0.5 {
            stroke(&mut panel, &shot, &[(0.5, 0.5), (share, 0.5)]);
        }
        let line = whole.left() + share * whole.width();
        let (before, after) = (seen(&panel, &before), seen(&panel, &after));
        assert!((before[0].right() - line).abs() < 1.5, "{share}: {before:?}");
        assert!((before[0].left() - whole.left()).abs() < 1.5);
        assert!(
            (after[0].right() - whole.right()).abs() < 1.5,
            "the candidate fills the whole area below"
        );
    }
}

#[test]
fn before_and_after_are_shown_side_by_side_or_alternating() {
    let (mut panel, shot) = with_candidates();
    let (before, after) = (take(&panel, &shot, 0), take(&panel, &shot, 2));
    compare(&mut panel, "Side by side");
    let (left, right) = (seen(&panel, &before), seen(&panel, &after));
    assert_eq!((left.len(), right.len()), (1, 1));
    assert!(left[0].right() <= right[0].left(), "{left:?} {right:?}");
    assert!((left[0].width() - right[0].width()).abs() < 1.5, "both have the same size");

    panel.get_by(|node| node.role() == Role::ComboBox && says(node, "Side by side")).click();
    panel.run_steps(2);
    panel.get_by_label("Blink").click();
    panel.run_steps(2);
    let mut turns = Vec::new();
    for _ in 0..24 {
        panel.run_steps(1);
        let both = (seen(&panel, &before).len(), seen(&panel, &after).len());
        assert!(matches!(both, (1, 0) | (0, 1)), "one at a time: {both:?}");
        turns.push(both.0 == 1);
    }
    turns.dedup();
    assert!(turns.len() >= 3, "alternating: {turns:?}");
}
