//! The storyboard: shots, their prompts and their takes.

use std::collections::HashSet;

use bevy_illustrator::{
    project::Action,
    storyboard::{PromptSource, ShotKind, ShotState, ShotWords},
};
use egui::{Key, Modifiers, accesskit::Role};
use egui_kittest::kittest::{NodeT, Queryable};

use super::support::*;

#[test]
fn one_button_draws_everything_that_is_missing() {
    let mut panel = open(Fixture::new(story()));
    let all = panel.state().project.board().shots().len();
    assert!(has(&panel, &format!("0 of {all} drawn")));
    press(&mut panel, &format!("Draw all needed ({all})"));
    assert_eq!(panel.state_mut().apply_requests(), [Action::DrawNeeded]);

    panel.state_mut().poll_until(|project| project.needed().next().is_none());
    panel.state_mut().poll_until(|project| project.studio().jobs().is_empty());
    panel.run_steps(2);
    assert!(has(&panel, &format!("{all} of {all} drawn")));
    assert_eq!(panel.state().requested(), []);
    assert!(has(&panel, "Draw all needed (0)"));
}

#[test]
fn the_search_shows_only_matching_shots() {
    let mut panel = open(Fixture::new(story()));
    let all = panel.state().project.board().shots().len();
    assert_eq!(cells(&panel).len(), all, "this small story fits on the screen");

    panel.get_by_label("Search shots").click();
    panel.run_steps(2);
    panel.get_by_label("Search shots").type_text("STAIRCASE");
    panel.run_steps(2);
    let tower = panel.state().project.board().background("climb").unwrap().clone();
    assert_eq!(cells(&panel).len(), 1);
    cell(&panel, &tower);

    press(&mut panel, "Clear");
    assert_eq!(cells(&panel).len(), all);
    panel.state_mut().panel.filter.kind = Some(ShotKind::Item);
    panel.run_steps(2);
    assert_eq!(cells(&panel).len(), 1);
    panel.state_mut().panel.filter.state = Some(ShotState::Accepted);
    panel.run_steps(2);
    assert!(has(&panel, "No shot matches"));
}

#[test]
fn a_click_on_a_shot_shows_its_prompt_with_the_source_of_each_piece() {
    let mut panel = open(Fixture::new(story()));
    let shot = panel.state().shot(ShotKind::Portrait);
    assert!(!has(&panel, "Prompt and sources"));
    click(&mut panel, &shot);
    assert_eq!(panel.state().panel.front(), Some(&shot.id));
    assert!(has(&panel, "Prompt and sources"));
    let looks = PromptSource::Character("mira".into());
    assert!(shot.sources.iter().any(|piece| piece.from == looks));
    for piece in &shot.sources {
        assert!(has(&panel, &piece.from.to_string()), "{}", piece.from);
        assert!(has(&panel, &piece.words), "{}", piece.words);
    }
}

#[test]
fn ctrl_and_shift_select_several_shots_to_draw() {
    let mut panel = open(Fixture::new(story()));
    let shots = panel.state().project.board().shots().to_vec();
    let names: Vec<String> =
        cells(&panel).iter().map(|c| c.accesskit_node().label().unwrap()).collect();
    panel.get_by_label(&names[0]).click();
    panel.run_steps(2);
    panel.get_by_label(&names[2]).click_modifiers(Modifiers::SHIFT);
    panel.run_steps(2);
    panel.get_by_label(&names[1]).click_modifiers(Modifiers::COMMAND);
    panel.run_steps(2);
    press(&mut panel, "Draw selected (2)");
    let requested = panel.state_mut().apply_requests();
    let [Action::Draw(drawn)] = requested.as_slice() else { panic!("{requested:?}") };
    let titles: HashSet<String> = drawn
        .iter()
        .map(|id| shots.iter().find(|shot| shot.id == *id).unwrap().title.clone())
        .collect();
    assert!(
        [0, 2].iter().all(|&n| titles.iter().any(|title| names[n].starts_with(title.as_str())))
    );
}

#[test]
fn keys_change_the_weight_of_words_in_a_prompt() {
    let mut panel = open(Fixture::new(story()));
    let shot = panel.state().shot(ShotKind::Background);
    click(&mut panel, &shot);
    let field = |panel: &Panel| {
        let field = "Prompt (the style's prompt is added)";
        panel.get_by_role_and_label(Role::MultilineTextInput, field).value().unwrap_or_default()
    };
    let node = "Prompt (the style's prompt is added)";
    panel.get_by_role_and_label(Role::MultilineTextInput, node).focus();
    panel.run_steps(2);
    panel.key_press_modifiers(Modifiers::COMMAND, Key::A);
    panel.get_by_role_and_label(Role::MultilineTextInput, node).type_text("an élan, a fox");
    panel.run_steps(2);
    let mut press_key = |modifiers, key, expected: &str| {
        panel.key_press_modifiers(modifiers, key);
        panel.run_steps(2);
        assert_eq!(field(&panel), expected);
    };
    press_key(Modifiers::COMMAND, Key::ArrowUp, "an élan, a (fox:1.1)");
    // The word stays selected.
    press_key(Modifiers::COMMAND, Key::ArrowUp, "an élan, a (fox:1.2)");
    press_key(Modifiers::COMMAND, Key::A, "an élan, a (fox:1.2)");
    press_key(Modifiers::COMMAND, Key::ArrowDown, "(an élan, a (fox:1.2):0.9)");
    press_key(Modifiers::COMMAND, Key::ArrowUp, "an élan, a (fox:1.2)");
    press_key(Modifiers::COMMAND, Key::Z, "(an élan, a (fox:1.2):0.9)");
}

#[test]
fn a_changed_prompt_is_saved_and_drawn_when_applied() {
    let mut panel = open(Fixture::new(story()));
    let shot = panel.state().shot(ShotKind::Background);
    click(&mut panel, &shot);
    let field = "Prompt (the style's prompt is added)";
    panel.get_by_role_and_label(Role::MultilineTextInput, field).focus();
    panel.run_steps(2);
    panel.key_press_modifiers(Modifiers::COMMAND, Key::A);
    panel.get_by_role_and_label(Role::MultilineTextInput, field).type_text("a quiet harbour");
    panel.run_steps(2);
    assert_eq!(panel.state().requested(), [], "nothing happens before it is applied");
    panel.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    panel.run_steps(2);

    let words = ShotWords { words: Some("a quiet harbour".into()), ..ShotWords::default() };
    let requested = panel.state_mut().apply_requests();
    let expected =
        [Action::SetWords { shot: shot.id.clone(), words }, Action::Draw(vec![shot.id.clone()])];
    assert_eq!(requested, expected);
    let recipe = &panel.state().project.board().shot(&shot.id).unwrap().recipe;
    assert!(recipe.prompt.starts_with("a quiet harbour"), "{}", recipe.prompt);

    // The current job has a tile among the takes.
    panel.state_mut().poll_until(|project| project.studio().jobs().is_empty());
    panel.run_steps(2);
    scroll_and_press(&mut panel, "Reset to the story");
    let back = Action::SetWords { shot: shot.id.clone(), words: ShotWords::default() };
    assert_eq!(panel.state().requested().first(), Some(&back));
    panel.state_mut().apply_requests();
    assert_eq!(panel.state().project.board().shot(&shot.id).unwrap().recipe, shot.recipe);
}

#[test]
fn a_seed_that_is_not_a_number_is_refused_with_a_message() {
    let mut panel = open(Fixture::new(story()));
    let shot = panel.state().shot(ShotKind::Background);
    click(&mut panel, &shot);
    panel.get_by_role_and_label(Role::TextInput, "Seed").focus();
    panel.run_steps(2);
    panel.get_by_role_and_label(Role::TextInput, "Seed").type_text("lucky");
    panel.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    panel.run_steps(2);
    assert!(has(&panel, "`lucky` is not a seed"));
    assert_eq!(panel.state().requested(), []);
}

#[test]
fn the_best_of_four_takes_of_a_shot_comes_before_the_others() {
    let mut fixture = Fixture::new(story());
    fixture.draw_all();
    let shot = fixture.shot(ShotKind::Portrait);
    let mut panel = open(fixture);
    click(&mut panel, &shot);
    scroll_and_press(&mut panel, "Best of 4");
    let more = Action::DrawMore { shot: shot.id.clone(), takes: 4, score: true };
    assert_eq!(panel.state_mut().apply_requests(), [more]);
    panel.state_mut().poll_until(|project| project.studio().jobs().is_empty());
    panel.run_steps(3);
    // Take 1 has no score. The values of the others are 0.9, 0.6, 0.7 and 0.8.
    let left = |name: &str| panel.get_by_label(name).rect().left();
    let order =
        ["Take 1", "Take 3, best of 4", "Take 4, 2 of 4", "Take 5, 3 of 4", "Take 2, 4 of 4"];
    assert!(order.map(left).is_sorted(), "{:?}", order.map(left));
    scroll_and_press(&mut panel, "Take 1");
    panel.key_press(Key::ArrowRight);
    panel.run_steps(2);
    assert!(has(&panel, "take 3 of 5"), "keys follow the order on the screen");
}

#[test]
fn takes_are_accepted_and_discarded() {
    let mut fixture = Fixture::new(story());
    fixture.draw_all();
    let shot = fixture.shot(ShotKind::Portrait);
    fixture.apply(Action::DrawMore { shot: shot.id.clone(), takes: 1, score: false }).unwrap();
    fixture.poll_until(|project| project.art().takes(&shot.id).len() == 2);
    fixture.poll_until(|project| project.studio().jobs().is_empty());
    let takes: Vec<_> =
        fixture.project.art().takes(&shot.id).iter().map(|take| take.id.clone()).collect();

    let mut panel = open(fixture);
    click(&mut panel, &shot);
    assert!(has(&panel, " of 2"));
    scroll_and_press(&mut panel, "Take 1");
    scroll_and_press(&mut panel, "Accept");
    let accept = Action::Accept { shot: shot.id.clone(), take: takes[0].clone() };
    assert_eq!(panel.state_mut().apply_requests(), [accept]);
    panel.run_steps(2);
    assert_eq!(panel.state().project.state(&shot.id), ShotState::Accepted);
    assert!(has(&panel, "Take 1, accepted"));

    scroll_and_press(&mut panel, "Take 2");
    panel.key_press(Key::Delete);
    panel.run_steps(2);
    let discard = Action::Discard { shot: shot.id.clone(), take: takes[1].clone() };
    assert_eq!(panel.state_mut().apply_requests(), [discard]);
    panel.run_steps(2);
    assert!(has(&panel, "take 1 of 1"));
    scroll_and_press(&mut panel, "Another take");
    assert_eq!(
        panel.state_mut().apply_requests(),
        [Action::DrawMore { shot: shot.id, takes: 1, score: false }]
    );
}

#[test]
fn delete_in_a_text_field_removes_a_letter_and_not_a_take() {
    let mut fixture = Fixture::new(story());
    fixture.draw_all();
    let shot = fixture.shot(ShotKind::Portrait);
    let mut panel = open(fixture);
    click(&mut panel, &shot);
    panel.get_by_role_and_label(Role::TextInput, "Seed").focus();
    panel.run_steps(2);
    panel.key_press(Key::Delete);
    panel.key_press(Key::Enter);
    panel.run_steps(2);
    assert_eq!(panel.state().requested(), []);
}

#[test]
fn a_prompt_whose_end_is_not_used_is_reported() {
    for (words, is_too_long) in [(550, false), (601, true)] {
        let mut story = story();
        story.items[0].looks = "a blue ".repeat(words);
        let mut fixture = Fixture::new(story);
        let shot = fixture.shot(ShotKind::Item).id;
        fixture.panel.select(shot);
        let panel = open(fixture);
        assert_eq!(has(&panel, "at most 1200 are used"), is_too_long, "{words}");
    }
}
