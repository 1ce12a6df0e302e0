//! The queue, the style, errors, and the panel in a dock.

use bevy_illustrator::{
    panel::{PanelState, StoryStatus, Tab, panel_status_ui, panel_ui},
    project::Action,
    recipe::{GuidanceInterval, Lora, Sampler, Size},
    story::{Place, Scene, Story},
    storyboard::{ShotKind, ShotState},
};
use egui::{Modifiers, accesskit::Role};
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};

use super::support::*;

#[test]
fn the_queue_is_paused_reordered_and_cancelled() {
    let mut fixture = Fixture::new(story());
    fixture.controls.lock().unwrap().wait = true;
    fixture.apply(Action::DrawNeeded).unwrap();
    fixture.poll_until(|project| {
        let current = project.studio().current();
        current.and_then(|view| view.progress).is_some_and(|progress| progress.done == 1)
    });
    let jobs: Vec<_> = fixture.project.studio().jobs().into_iter().map(|view| view.job).collect();
    let mut panel = open(fixture);
    press(&mut panel, &format!("Queue ({})", jobs.len()));
    assert!(has(&panel, "step 1 of 4"));
    assert!(has(&panel, &format!("{} waiting", jobs.len() - 1)));

    press(&mut panel, "Pause drawing");
    assert_eq!(panel.state_mut().apply_requests(), [Action::Pause(true)]);
    panel.run_steps(2);
    press(&mut panel, "Resume drawing");
    assert_eq!(panel.state_mut().apply_requests(), [Action::Pause(false)]);
    panel.run_steps(2);

    panel.get_all_by_label("Draw next").next().unwrap().click();
    panel.run_steps(2);
    assert_eq!(panel.state().requested(), [Action::MoveToFront(jobs[2].id)]);
    panel.state_mut().requests.clear();

    let board = panel.state().project.board();
    let title = board.shot(&jobs[1].shot).unwrap().title.clone();
    press(&mut panel, &format!("Cancel {title}"));
    assert_eq!(panel.state_mut().apply_requests(), [Action::Cancel(jobs[1].id)]);
    panel.run_steps(2);
    press(&mut panel, "Cancel all");
    assert_eq!(panel.state_mut().apply_requests(), [Action::CancelAll]);
    panel.state_mut().poll_until(|project| project.studio().jobs().is_empty());
    panel.run_steps(2);
    assert!(has(&panel, "The queue is empty"));
}

#[test]
fn viewing_a_style_does_not_change_it() {
    let mut story = story();
    story.style.sampler = Sampler {
        steps: Some(700),
        clip_skip: Some(30),
        guidance_scale: Some(0.0),
        guidance_interval: Some(GuidanceInterval { from: 0.123, to: 0.125 }),
        ..Sampler::default()
    };
    story.style.sizes.item = Some(Size::new(20, 2044));
    let mut panel = open(Fixture::new(story));
    press(&mut panel, "Style");
    panel.run_steps(4);
    assert!(has(&panel, "All pictures of the story share this style."));
    assert!(has(&panel, "2044") && has(&panel, "700"));
}

#[test]
fn low_rank_adapters_are_added_to_the_style_and_removed() {
    let mut fixture = Fixture::new(story());
    fixture.panel.tab = Tab::Style;
    let mut panel = open(fixture);
    press(&mut panel, "Add a LoRA");
    panel.get_by_label("LoRA 1").focus();
    panel.run_steps(2);
    panel.get_by_label("LoRA 1").type_text("loras/ink.safetensors");
    panel.run_steps(2);
    press(&mut panel, "Add a LoRA");
    press(&mut panel, "Remove LoRA 2");
    press(&mut panel, "Apply");
    let requested = panel.state().requested();
    let [Action::SetStyle(Some(style))] = requested.as_slice() else { panic!("{requested:?}") };
    let lora = Lora { file: "loras/ink.safetensors".to_owned(), weight: 1.0 };
    assert_eq!(style.loras, [lora]);
}

#[test]
fn a_text_encoder_is_named_in_the_style_and_a_second_one_has_a_field() {
    let mut fixture = Fixture::new(story());
    fixture.panel.tab = Tab::Style;
    let mut panel = open(fixture);
    let second = "Text encoder 2 (of Stable Diffusion XL)";
    assert!(!has(&panel, second));
    let field = "Text encoder (a file or a folder)";
    panel.get_by_label(field).focus();
    panel.run_steps(2);
    panel.get_by_label(field).type_text("clip_l.safetensors");
    panel.run_steps(2);
    assert!(has(&panel, second));
    press(&mut panel, "Apply");
    let requested = panel.state().requested();
    let [Action::SetStyle(Some(style))] = requested.as_slice() else { panic!("{requested:?}") };
    assert_eq!(style.text_encoders, ["clip_l.safetensors"]);
}

#[test]
fn a_style_without_a_diffusion_network_has_an_optimizer_and_no_guidance() {
    let mut story = story();
    story.style.sampler.scheduler = Some("DDIMScheduler".to_owned());
    let mut fixture = Fixture::new(story);
    fixture.panel.tab = Tab::Style;
    let mut panel = open(fixture);
    assert!(has(&panel, "Scheduler") && has(&panel, "Guidance scale"));
    press(&mut panel, "latents");
    panel.run_steps(2);
    assert!(has(&panel, "Optimizer") && !has(&panel, "Guidance scale"));
    panel.get_by_role_and_label(Role::ComboBox, "Optimizer").click();
    panel.run_steps(2);
    press(&mut panel, "L-BFGS");
    press(&mut panel, "Apply");
    let requested = panel.state().requested();
    let [Action::SetStyle(Some(style))] = requested.as_slice() else { panic!("{requested:?}") };
    assert_eq!(style.model, "latents");
    assert_eq!(style.sampler.scheduler.as_deref(), Some("LBFGS"));
}

#[test]
fn a_style_shows_how_many_pictures_become_stale_before_it_is_applied() {
    let mut fixture = Fixture::new(story());
    fixture.draw_all();
    let all = fixture.project.board().shots().len();
    fixture.panel.tab = Tab::Style;
    let mut panel = open(fixture);
    assert!(!has(&panel, "stale"));
    let field = "Prompt (of every picture)";
    panel.get_by_role_and_label(Role::MultilineTextInput, field).focus();
    panel.run_steps(2);
    panel.get_by_role_and_label(Role::MultilineTextInput, field).type_text("in gouache");
    panel.run_steps(2);
    assert!(has(&panel, &format!("{all} pictures become stale")));
    assert_eq!(panel.state().requested(), []);

    press(&mut panel, "Revert");
    assert!(!has(&panel, "become stale"));
    panel.get_by_role_and_label(Role::MultilineTextInput, field).focus();
    panel.run_steps(2);
    panel.get_by_role_and_label(Role::MultilineTextInput, field).type_text("in ink");
    panel.run_steps(2);
    press(&mut panel, "Apply");
    let requested = panel.state_mut().apply_requests();
    let [Action::SetStyle(Some(style))] = requested.as_slice() else { panic!("{requested:?}") };
    assert_eq!(style.words, "in ink");
    panel.run_steps(2);
    assert!(has(&panel, &format!("0 of {all} drawn, {all} stale")));

    press(&mut panel, "Reset to the story's style");
    assert_eq!(panel.state_mut().apply_requests(), [Action::SetStyle(None)]);
    panel.run_steps(2);
    assert!(has(&panel, &format!("{all} of {all} drawn")), "the old pictures are current again");
}

#[test]
fn an_error_is_shown_on_its_shot_and_in_the_queue() {
    let mut fixture = Fixture::new(story());
    fixture.controls.lock().unwrap().fail_on = Some("rusty");
    fixture.apply(Action::DrawNeeded).unwrap();
    fixture.poll_until(|project| project.studio().jobs().is_empty());
    let shot = fixture.shot(ShotKind::Item);
    let other = fixture.shot(ShotKind::Portrait);
    fixture.poll_until(|project| project.state(&shot.id) == ShotState::Failed);

    let mut panel = open(fixture);
    assert!(has(&panel, "1 failed"));
    assert!(cell(&panel, &shot).accesskit_node().label().unwrap().ends_with("failed)"));
    click(&mut panel, &other);
    assert!(!has(&panel, "the ink ran dry"), "other shots do not show it");
    panel.state_mut().panel.select(shot.id.clone());
    panel.run_steps(2);
    assert!(has(&panel, "the ink ran dry"));
    press(&mut panel, "Try again");
    assert_eq!(panel.state().requested(), [Action::Draw(vec![shot.id.clone()])]);

    panel.state_mut().requests.clear();
    panel.state_mut().panel.tab = Tab::Queue;
    panel.run_steps(2);
    assert!(has(&panel, "the ink ran dry"));
    press(&mut panel, "Try again");
    assert_eq!(panel.state().requested(), [Action::Draw(vec![shot.id])]);
}

#[test]
fn with_5000_shots_only_visible_ones_are_laid_out() {
    let place = |n: usize| Place {
        id: format!("place-{n}"),
        name: format!("Place {n}"),
        looks: format!("hill number {n}"),
        ..Place::default()
    };
    let scene = |n: usize| Scene {
        id: format!("scene-{n}"),
        place: format!("place-{n}"),
        ..Scene::default()
    };
    let story = Story {
        title: "Long".into(),
        places: (0..5000).map(place).collect(),
        scenes: (0..5000).map(scene).collect(),
        ..Story::default()
    };
    let mut panel = open(Fixture::new(story));
    assert_eq!(panel.state().project.board().shots().len(), 5000);
    assert!(has(&panel, " warnings about the story"), "most scenes are unreachable");
    let visible = cells(&panel).len();
    assert!((1..=40).contains(&visible), "{visible} shots are laid out");

    // At the end of the list, the last shot is visible.
    let last = panel.state().project.board().shots().last().unwrap().clone();
    panel.hover_at([240.0, 600.0].into());
    panel.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, -2_000_000.0),
        phase: egui::TouchPhase::Move,
        modifiers: Modifiers::NONE,
    });
    panel.run_steps(40);
    cell(&panel, &last);
    let visible = cells(&panel).len();
    assert!((1..=40).contains(&visible), "{visible} shots are laid out");
}

#[test]
fn two_panels_in_one_dock_do_not_disturb_each_other() {
    let show = |ui: &mut egui::Ui, (fixture, other): &mut (Fixture, PanelState)| {
        ui.columns(2, |columns| {
            panel_ui(&mut columns[0], &mut fixture.panel, &fixture.project, &mut FullSizeOnly);
            panel_ui(&mut columns[1], other, &fixture.project, &mut FullSizeOnly);
        });
    };
    let both = (Fixture::new(story()), PanelState::default());
    let mut panel = Harness::builder().with_size([960.0, 720.0]).build_ui_state(show, both);
    panel.run_steps(2);
    let style = |panel: &Harness<'_, (Fixture, PanelState)>, n: usize| {
        panel.get_all_by_label("Style").nth(n).unwrap().click();
    };
    style(&panel, 1);
    panel.run_steps(2);
    assert_eq!(panel.state().0.panel.tab, Tab::Storyboard);
    assert_eq!(panel.state().1.tab, Tab::Style);
}

#[test]
fn the_error_of_an_unreadable_story_names_line_and_column() {
    let error = "stories/night.story.ron:12:7: expected a comma";
    let panel = Harness::new_ui(move |ui| panel_status_ui(ui, StoryStatus::Failed(error)));
    panel.get_by_label(error);
    let panel = Harness::new_ui(|ui| panel_status_ui(ui, StoryStatus::NoStory));
    panel.get_by_label("No story yet");
}

#[test]
fn notices_stay_until_they_are_dismissed() {
    let mut fixture = Fixture::new(story());
    fixture.panel.story_error = Some("two scenes have the id `pass`".into());
    fixture.panel.notices = vec!["the disk is full".into()];
    let mut panel = open(fixture);
    assert!(has(&panel, "two scenes have the id `pass`"));
    assert!(has(&panel, "the disk is full"));
    press(&mut panel, "Dismiss");
    assert!(!has(&panel, "the disk is full"));
    assert!(has(&panel, "two scenes have the id `pass`"), "it stays until the story is valid");
}
