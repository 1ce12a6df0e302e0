//! The author's panel, driven as a person would: by what stands on its buttons.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bevy_illustrator::{
    diffusion::{DiffusionError, Interrupt},
    generator::{GenerateError, Generator, GeneratorRegistry, ModelCard, Step},
    panel::{
        PanelState, Picture, StoryStatus, Tab, Texture, Thumbnails, panel_status_ui, panel_ui,
    },
    project::{Action, Project},
    recipe::Recipe,
    story::{Character, Expression, Item, Line, Place, Scene, Story},
    storyboard::{PromptSource, Shot, ShotKind, ShotState, ShotWords},
};
use egui::{Key, Modifiers, accesskit::Role};
use egui_kittest::{
    Harness, Node,
    kittest::{AccessKitNode, NodeT, Queryable},
};
use image::RgbaImage;

/// Draws grey at once; what [`Orders`] say can be made to fail or to wait.
struct Hand {
    card: ModelCard,
    orders: Arc<Mutex<Orders>>,
}

#[derive(Default)]
struct Orders {
    /// Prompts with this word fail.
    fail_on: Option<&'static str>,
    /// Nothing is finished while this holds.
    wait: bool,
}

impl Generator for Hand {
    fn model(&self) -> &ModelCard {
        &self.card
    }

    fn generate(
        &mut self,
        recipe: &Recipe,
        _parent: Option<&RgbaImage>,
        interrupt: &Interrupt,
        on_step: &mut dyn FnMut(Step),
    ) -> Result<RgbaImage, GenerateError> {
        on_step(Step { done: 1, of: 4, preview: None });
        while self.orders.lock().unwrap().wait {
            interrupt.check().map_err(|_| DiffusionError::Cancelled)?;
            std::thread::sleep(Duration::from_millis(1));
        }
        let fail_on = self.orders.lock().unwrap().fail_on;
        if fail_on.is_some_and(|word| recipe.prompt.contains(word)) {
            return Err(GenerateError::Panicked("the ink ran dry".into()));
        }
        Ok(RgbaImage::from_pixel(recipe.size.width, recipe.size.height, image::Rgba([90; 4])))
    }
}

/// Has no pictures; the panel must do without.
struct NoPictures;

impl Thumbnails for NoPictures {
    fn of(&mut self, _: Picture<'_>) -> Texture {
        Texture::Loading
    }
}

/// An author in front of the panel.
struct Desk {
    project: Project,
    panel: PanelState,
    asked: Vec<Action>,
    orders: Arc<Mutex<Orders>>,
    _folder: tempfile::TempDir,
}

impl Desk {
    fn new(story: Story) -> Self {
        let orders = Arc::<Mutex<Orders>>::default();
        let mut registry = GeneratorRegistry::default();
        let for_hand = orders.clone();
        registry.register(move |_| {
            Some(Ok(Box::new(Hand { card: ModelCard::default(), orders: for_hand.clone() })))
        });
        let folder = tempfile::tempdir().unwrap();
        let project = Project::open(story, folder.path(), registry).unwrap();
        Self { project, panel: PanelState::default(), asked: Vec::new(), orders, _folder: folder }
    }

    /// Does what was asked for, and tells it.
    fn obey(&mut self) -> Vec<Action> {
        let asked = std::mem::take(&mut self.asked);
        for action in &asked {
            self.project.apply(action.clone()).unwrap();
        }
        asked
    }

    fn until(&mut self, holds: impl Fn(&Project) -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !holds(&self.project) {
            assert!(Instant::now() < end, "it did not come to pass in 20 seconds");
            std::thread::sleep(Duration::from_millis(2));
            self.project.poll();
        }
    }

    fn draw_all(&mut self) {
        self.project.apply(Action::DrawNeeded).unwrap();
        self.until(|project| {
            project.needed().next().is_none() && project.studio().jobs().is_empty()
        });
    }

    fn shot(&self, kind: ShotKind) -> Shot {
        self.project.board().shots().iter().find(|shot| shot.kind == kind).unwrap().clone()
    }
}

type Panel = Harness<'static, Desk>;

/// The panel at the size that it has beside a game of 1280 x 720.
fn open(desk: Desk) -> Panel {
    let show = |ui: &mut egui::Ui, desk: &mut Desk| {
        let actions = panel_ui(ui, &mut desk.panel, &desk.project, &mut NoPictures);
        desk.asked.extend(actions);
    };
    let mut panel = Harness::builder().with_size([480.0, 720.0]).build_ui_state(show, desk);
    panel.run_steps(2);
    panel
}

fn press(panel: &mut Panel, name: &str) {
    panel.get_by_label(name).click();
    panel.run_steps(2);
}

/// Turns the wheel over the lower half until a thing with this name is in sight, then clicks it.
fn scroll_and_press(panel: &mut Panel, name: &str) {
    panel.get_by_label(name).scroll_to_me();
    panel.run_steps(4);
    press(panel, name);
}

/// All pictures of shots that are laid out.
fn cells<'a>(panel: &'a Panel) -> Vec<Node<'a>> {
    let states: Vec<String> = ShotState::ALL.iter().map(|s| format!(", {})", s.name())).collect();
    let is_cell = move |label: &str| states.iter().any(|state| label.ends_with(state.as_str()));
    panel.get_all_by(move |node| node.label().is_some_and(|label| is_cell(&label))).collect()
}

fn cell<'a>(panel: &'a Panel, shot: &Shot) -> Node<'a> {
    let start = format!("{} ({}, ", shot.title, shot.kind.name());
    panel.get_by(move |node| node.label().is_some_and(|label| label.starts_with(&start)))
}

fn click(panel: &mut Panel, shot: &Shot) {
    cell(panel, shot).click();
    panel.run_steps(2);
}

fn has(panel: &Panel, words: &str) -> bool {
    panel.query_all_by(|node| says(node, words)).next().is_some()
}

fn says(node: &AccessKitNode<'_>, words: &str) -> bool {
    let label = node.label().is_some_and(|label| label.contains(words));
    label || node.value().is_some_and(|value| value.contains(words))
}

fn line(speaker: Option<&str>, text: &str, expression: Option<&str>) -> Line {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Line {
        speaker: owned(speaker),
        text: text.into(),
        expression: owned(expression),
        ..Line::default()
    }
}

/// Two places, two expressions of Mira, and a key that one line shows.
fn story() -> Story {
    let place = |id: &str, looks: &str| Place {
        id: id.into(),
        name: format!("The {id}"),
        looks: looks.into(),
        ..Place::default()
    };
    let scene = |id: &str, place: &str, lines: Vec<Line>| Scene {
        id: id.into(),
        place: place.into(),
        time: "at dusk".into(),
        lines,
        ..Scene::default()
    };
    let key = Line { item: Some("key".into()), ..line(None, "A key lies there.", None) };
    Story {
        title: "The Lighthouse".into(),
        characters: vec![Character {
            id: "mira".into(),
            name: "Mira".into(),
            looks: "a woman with red hair".into(),
            expressions: vec![Expression { id: "glad".into(), words: "a broad smile".into() }],
            ..Character::default()
        }],
        places: vec![place("shore", "a rocky coast"), place("tower", "a spiral staircase")],
        items: vec![Item { id: "key".into(), name: "The key".into(), looks: "rusty iron".into() }],
        scenes: vec![
            scene("arrival", "shore", vec![line(Some("mira"), "Hello?", Some("glad")), key]),
            scene("climb", "tower", vec![line(Some("mira"), "So many steps.", Some("tired"))]),
        ],
        ..Story::default()
    }
}

#[test]
fn all_that_is_missing_is_drawn_with_one_press() {
    let mut panel = open(Desk::new(story()));
    let all = panel.state().project.board().shots().len();
    assert!(has(&panel, &format!("0 of {all} drawn")));
    press(&mut panel, &format!("Draw all missing and stale ({all})"));
    assert_eq!(panel.state_mut().obey(), [Action::DrawNeeded]);

    panel.state_mut().until(|project| project.needed().next().is_none());
    panel.state_mut().until(|project| project.studio().jobs().is_empty());
    panel.run_steps(2);
    assert!(has(&panel, &format!("{all} of {all} drawn")));
    assert_eq!(panel.state().asked, []);
    assert!(has(&panel, "Draw all missing and stale (0)"));
}

#[test]
fn the_search_leaves_only_shots_whose_words_match() {
    let mut panel = open(Desk::new(story()));
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
fn a_click_on_a_shot_reveals_its_prompt_and_where_each_piece_comes_from() {
    let mut panel = open(Desk::new(story()));
    let shot = panel.state().shot(ShotKind::Portrait);
    assert!(!has(&panel, "where it comes from"));
    click(&mut panel, &shot);
    assert_eq!(panel.state().panel.front(), Some(&shot.id));
    assert!(has(&panel, "The prompt, and where it comes from"));
    let looks = PromptSource::Character("mira".into());
    assert!(shot.sources.iter().any(|piece| piece.from == looks));
    for piece in &shot.sources {
        assert!(has(&panel, &piece.from.to_string()), "{}", piece.from);
        assert!(has(&panel, &piece.words), "{}", piece.words);
    }
}

#[test]
fn ctrl_and_shift_select_several_shots_to_draw() {
    let mut panel = open(Desk::new(story()));
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
    let asked = panel.state_mut().obey();
    let [Action::Draw(drawn)] = asked.as_slice() else { panic!("{asked:?}") };
    let titles: HashSet<String> = drawn
        .iter()
        .map(|id| shots.iter().find(|shot| shot.id == *id).unwrap().title.clone())
        .collect();
    assert!(
        [0, 2].iter().all(|&n| titles.iter().any(|title| names[n].starts_with(title.as_str())))
    );
}

#[test]
fn changed_words_are_kept_and_drawn_when_applied() {
    let mut panel = open(Desk::new(story()));
    let shot = panel.state().shot(ShotKind::Background);
    click(&mut panel, &shot);
    let field = "What it shows (the style's words follow)";
    panel.get_by_role_and_label(Role::MultilineTextInput, field).focus();
    panel.run_steps(2);
    panel.key_press_modifiers(Modifiers::COMMAND, Key::A);
    panel.get_by_role_and_label(Role::MultilineTextInput, field).type_text("a quiet harbour");
    panel.run_steps(2);
    assert_eq!(panel.state().asked, [], "nothing happens before it is applied");
    panel.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    panel.run_steps(2);

    let words = ShotWords { words: Some("a quiet harbour".into()), ..ShotWords::default() };
    let asked = panel.state_mut().obey();
    let expected =
        [Action::SetWords { shot: shot.id.clone(), words }, Action::Draw(vec![shot.id.clone()])];
    assert_eq!(asked, expected);
    let recipe = &panel.state().project.board().shot(&shot.id).unwrap().recipe;
    assert!(recipe.prompt.starts_with("a quiet harbour"), "{}", recipe.prompt);

    panel.run_steps(2);
    scroll_and_press(&mut panel, "Back to the story's words");
    let back = Action::SetWords { shot: shot.id.clone(), words: ShotWords::default() };
    assert_eq!(panel.state().asked.first(), Some(&back));
    panel.state_mut().obey();
    assert_eq!(panel.state().project.board().shot(&shot.id).unwrap().recipe, shot.recipe);
}

#[test]
fn a_seed_that_is_no_number_is_refused_in_words() {
    let mut panel = open(Desk::new(story()));
    let shot = panel.state().shot(ShotKind::Background);
    click(&mut panel, &shot);
    panel.get_by_role_and_label(Role::TextInput, "Seed").focus();
    panel.run_steps(2);
    panel.get_by_role_and_label(Role::TextInput, "Seed").type_text("lucky");
    panel.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    panel.run_steps(2);
    assert!(has(&panel, "`lucky` is no seed"));
    assert_eq!(panel.state().asked, []);
}

#[test]
fn takes_are_accepted_and_put_away() {
    let mut desk = Desk::new(story());
    desk.draw_all();
    let shot = desk.shot(ShotKind::Portrait);
    desk.project.apply(Action::DrawMore { shot: shot.id.clone(), takes: 1 }).unwrap();
    desk.until(|project| project.art().takes(&shot.id).len() == 2);
    desk.until(|project| project.studio().jobs().is_empty());
    let takes: Vec<_> =
        desk.project.art().takes(&shot.id).iter().map(|take| take.id.clone()).collect();

    let mut panel = open(desk);
    click(&mut panel, &shot);
    assert!(has(&panel, " of 2"));
    scroll_and_press(&mut panel, "Take 1");
    scroll_and_press(&mut panel, "Accept");
    let accept = Action::Accept { shot: shot.id.clone(), take: takes[0].clone() };
    assert_eq!(panel.state_mut().obey(), [accept]);
    panel.run_steps(2);
    assert_eq!(panel.state().project.state(&shot.id), ShotState::Accepted);
    assert!(has(&panel, "Take 1, accepted"));

    scroll_and_press(&mut panel, "Take 2");
    panel.key_press(Key::Delete);
    panel.run_steps(2);
    let discard = Action::Discard { shot: shot.id.clone(), take: takes[1].clone() };
    assert_eq!(panel.state_mut().obey(), [discard]);
    panel.run_steps(2);
    assert!(has(&panel, "take 1 of 1"));
    scroll_and_press(&mut panel, "Another take");
    assert_eq!(panel.state_mut().obey(), [Action::DrawMore { shot: shot.id, takes: 1 }]);
}

#[test]
fn delete_while_typing_takes_away_a_letter_and_no_take() {
    let mut desk = Desk::new(story());
    desk.draw_all();
    let shot = desk.shot(ShotKind::Portrait);
    let mut panel = open(desk);
    click(&mut panel, &shot);
    panel.get_by_role_and_label(Role::TextInput, "Seed").focus();
    panel.run_steps(2);
    panel.key_press(Key::Delete);
    panel.key_press(Key::Enter);
    panel.run_steps(2);
    assert_eq!(panel.state().asked, []);
}

#[test]
fn the_queue_is_paused_reordered_and_cancelled() {
    let mut desk = Desk::new(story());
    desk.orders.lock().unwrap().wait = true;
    desk.project.apply(Action::DrawNeeded).unwrap();
    desk.until(|project| {
        let current = project.studio().current();
        current.and_then(|view| view.progress).is_some_and(|progress| progress.done == 1)
    });
    let jobs: Vec<_> = desk.project.studio().jobs().into_iter().map(|view| view.job).collect();
    let mut panel = open(desk);
    press(&mut panel, &format!("Queue ({})", jobs.len()));
    assert!(has(&panel, "step 1 of 4"));
    assert!(has(&panel, &format!("{} waiting", jobs.len() - 1)));

    press(&mut panel, "Pause drawing");
    assert_eq!(panel.state_mut().obey(), [Action::Pause(true)]);
    panel.run_steps(2);
    press(&mut panel, "Resume drawing");
    assert_eq!(panel.state_mut().obey(), [Action::Pause(false)]);
    panel.run_steps(2);

    panel.get_all_by_label("Draw next").next().unwrap().click();
    panel.run_steps(2);
    assert_eq!(panel.state().asked, [Action::MoveToFront(jobs[2].id)]);
    panel.state_mut().asked.clear();

    let board = panel.state().project.board();
    let title = board.shot(&jobs[1].shot).unwrap().title.clone();
    press(&mut panel, &format!("Cancel {title}"));
    assert_eq!(panel.state_mut().obey(), [Action::Cancel(jobs[1].id)]);
    panel.run_steps(2);
    press(&mut panel, "Cancel all");
    assert_eq!(panel.state_mut().obey(), [Action::CancelAll]);
    panel.state_mut().until(|project| project.studio().jobs().is_empty());
    panel.run_steps(2);
    assert!(has(&panel, "Nothing waits to be drawn"));
}

#[test]
fn a_style_tells_how_many_pictures_it_makes_stale_before_it_is_applied() {
    let mut desk = Desk::new(story());
    desk.draw_all();
    let all = desk.project.board().shots().len();
    desk.panel.tab = Tab::Style;
    let mut panel = open(desk);
    assert!(!has(&panel, "stale"));
    let field = "Words at the end of every prompt";
    panel.get_by_role_and_label(Role::MultilineTextInput, field).focus();
    panel.run_steps(2);
    panel.get_by_role_and_label(Role::MultilineTextInput, field).type_text("in gouache");
    panel.run_steps(2);
    assert!(has(&panel, &format!("{all} pictures become stale")));
    assert_eq!(panel.state().asked, []);

    press(&mut panel, "Revert");
    assert!(!has(&panel, "become stale"));
    panel.get_by_role_and_label(Role::MultilineTextInput, field).focus();
    panel.run_steps(2);
    panel.get_by_role_and_label(Role::MultilineTextInput, field).type_text("in ink");
    panel.run_steps(2);
    press(&mut panel, "Apply");
    let asked = panel.state_mut().obey();
    let [Action::SetStyle(Some(style))] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(style.words, "in ink");
    panel.run_steps(2);
    assert!(has(&panel, &format!("0 of {all} drawn, {all} stale")));

    press(&mut panel, "Back to the story's style");
    assert_eq!(panel.state_mut().obey(), [Action::SetStyle(None)]);
    panel.run_steps(2);
    assert!(has(&panel, &format!("{all} of {all} drawn")), "the old pictures fit again");
}

#[test]
fn an_error_stands_on_its_shot_and_in_the_queue() {
    let mut desk = Desk::new(story());
    desk.orders.lock().unwrap().fail_on = Some("rusty");
    desk.project.apply(Action::DrawNeeded).unwrap();
    desk.until(|project| project.studio().jobs().is_empty());
    let shot = desk.shot(ShotKind::Item);
    let other = desk.shot(ShotKind::Portrait);
    desk.until(|project| project.state(&shot.id) == ShotState::Failed);

    let mut panel = open(desk);
    assert!(has(&panel, "1 failed"));
    assert!(cell(&panel, &shot).accesskit_node().label().unwrap().ends_with("failed)"));
    click(&mut panel, &other);
    assert!(!has(&panel, "the ink ran dry"), "it is no business of other shots");
    panel.state_mut().panel.select(shot.id.clone());
    panel.run_steps(2);
    assert!(has(&panel, "the ink ran dry"));
    press(&mut panel, "Try again");
    assert_eq!(panel.state().asked, [Action::Draw(vec![shot.id.clone()])]);

    panel.state_mut().asked.clear();
    panel.state_mut().panel.tab = Tab::Queue;
    panel.run_steps(2);
    assert!(has(&panel, "the ink ran dry"));
    press(&mut panel, "Try again");
    assert_eq!(panel.state().asked, [Action::Draw(vec![shot.id])]);
}

#[test]
fn with_5000_shots_only_those_in_sight_are_laid_out() {
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
    let mut panel = open(Desk::new(story));
    assert_eq!(panel.state().project.board().shots().len(), 5000);
    assert!(has(&panel, " notes on the story"), "nothing leads to most scenes");
    let in_sight = cells(&panel).len();
    assert!((1..=40).contains(&in_sight), "{in_sight} shots are laid out");

    // At the far end it is the same, and the last shot is really there.
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
    let in_sight = cells(&panel).len();
    assert!((1..=40).contains(&in_sight), "{in_sight} shots are laid out");
}

#[test]
fn two_panels_in_one_dock_do_not_disturb_each_other() {
    let show = |ui: &mut egui::Ui, (desk, other): &mut (Desk, PanelState)| {
        ui.columns(2, |columns| {
            panel_ui(&mut columns[0], &mut desk.panel, &desk.project, &mut NoPictures);
            panel_ui(&mut columns[1], other, &desk.project, &mut NoPictures);
        });
    };
    let both = (Desk::new(story()), PanelState::default());
    let mut panel = Harness::builder().with_size([960.0, 720.0]).build_ui_state(show, both);
    panel.run_steps(2);
    let style = |panel: &Harness<'_, (Desk, PanelState)>, n: usize| {
        panel.get_all_by_label("Style").nth(n).unwrap().click();
    };
    style(&panel, 1);
    panel.run_steps(2);
    assert_eq!(panel.state().0.panel.tab, Tab::Storyboard);
    assert_eq!(panel.state().1.tab, Tab::Style);
}

#[test]
fn a_story_that_cannot_be_read_is_told_with_line_and_column() {
    let error = "stories/night.story.ron:12:7: expected a comma";
    let panel = Harness::new_ui(move |ui| panel_status_ui(ui, StoryStatus::Failed(error)));
    panel.get_by_label(error);
    let panel = Harness::new_ui(|ui| panel_status_ui(ui, StoryStatus::NoStory));
    panel.get_by_label("No story yet");
}

#[test]
fn what_was_refused_stays_until_it_is_dismissed() {
    let mut desk = Desk::new(story());
    desk.panel.story_error = Some("two scenes have the id `pass`".into());
    desk.panel.notices = vec!["the disk is full".into()];
    let mut panel = open(desk);
    assert!(has(&panel, "two scenes have the id `pass`"));
    assert!(has(&panel, "the disk is full"));
    press(&mut panel, "Dismiss");
    assert!(!has(&panel, "the disk is full"));
    assert!(has(&panel, "two scenes have the id `pass`"), "that goes when the story reads well");
}
