//! The sources of the story, and changes of it in a running game.

use bevy::{ecs::system::SystemState, prelude::*};
use bevy_illustrator::{
    components::ComponentStory,
    plugin::Notices,
    prelude::*,
    recipe::Style,
    story::{Scene, StorySource},
};

use crate::{common::Fakes, support::*};

/// Reloads the story file, as Bevy's file watcher does.
fn reload(app: &App) {
    app.world().resource::<AssetServer>().reload(STORY_FILE);
}

fn status(world: &World) -> &IllustratorStatus {
    world.resource::<IllustratorStatus>()
}

#[test]
fn a_story_is_read_from_components() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start_with(plugin(&painter));
    spawn_story(app.world_mut());
    let portrait = Illustration::portrait("mira", "happy");
    let node = app.world_mut().spawn((ImageNode::default(), portrait.clone())).id();
    update_until_drawn(&mut app);

    let world = app.world();
    let image = &world.get::<ImageNode>(node).unwrap().image;
    assert_eq!(colour(world, image), Some(expected(world, &shot(world, &portrait))));
    assert_eq!(painter.drawn().len(), 2, "a background and a portrait");
    assert!(world.resource::<Project>().art().root().ends_with("illustrations/story"));
}

#[test]
fn lines_and_exits_can_be_in_a_scene_or_on_its_children() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start_with(plugin(&painter));
    let world = app.world_mut();
    world.insert_resource(StoryMeta {
        title: "Two tides".into(),
        start: "b".into(),
        style: Style { words: "ink".into(), ..default() },
    });
    let scene = Scene { id: "a".into(), lines: vec![line("one")], ..default() };
    let exit = Exit { to: "b".into(), text: "Go.".into() };
    world.spawn((scene, children![line("two"), exit.clone(), line("three")]));
    world.spawn(Scene { id: "b".into(), ..default() });

    let mut state = SystemState::<ComponentStory>::new(world);
    let story = state.get(world).unwrap().story().unwrap();

    assert_eq!((story.title.as_str(), story.start.as_str()), ("Two tides", "b"));
    assert_eq!(story.style.words, "ink");
    assert_eq!(story.scenes[0].lines, [line("one"), line("two"), line("three")]);
    assert_eq!(story.scenes[0].exits, [exit]);
    assert_eq!(story.scenes[1].id, "b");
}

#[test]
fn a_line_spawned_later_adds_its_portrait() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start_with(plugin(&painter));
    let scene = spawn_story(app.world_mut());
    update_until_drawn(&mut app);

    let later = app.world_mut().spawn((line("sad"), ChildOf(scene))).id();
    let sad = Illustration::portrait("mira", "sad");
    update_until(&mut app, 20, "the portrait is planned", |world| {
        sad.shot(world.resource::<Project>().board()).is_some()
    });
    update_until_drawn(&mut app);
    assert_eq!(painter.drawn().len(), 3, "only the new portrait");

    app.world_mut().entity_mut(later).despawn();
    update_until(&mut app, 20, "the portrait is orphaned", |world| {
        sad.shot(world.resource::<Project>().board()).is_none()
    });
    assert_eq!(app.world().resource::<Project>().orphans().count(), 1, "its picture is kept");
}

#[test]
fn an_illustration_of_a_scene_spawned_in_the_same_frame_is_not_reported() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start_with(plugin(&painter));
    spawn_story(app.world_mut());
    update_until_drawn(&mut app);
    assert!(app.world().resource::<Notices>().0.is_empty());

    // `Update` runs after the story of this frame was gathered.
    let spawn = |mut commands: Commands| {
        let (place, time) = ("shore".into(), "at noon".into());
        commands.spawn((ImageNode::default(), Illustration::background("noon")));
        commands.spawn((ImageNode::default(), Illustration::background("nowhere")));
        commands.spawn(Scene { id: "noon".into(), place, time, ..default() });
    };
    app.add_systems(Update, spawn.run_if(run_once));
    update_until(&mut app, 20, "the missing scene is reported", |world| {
        world.resource::<Notices>().0.iter().any(|notice| notice.contains("nowhere"))
    });
    update_until_drawn(&mut app);

    let notices = &app.world().resource::<Notices>().0;
    assert_eq!(notices.len(), 1, "{notices:?}");
    let noon = shot(app.world(), &Illustration::background("noon"));
    let image = app.world().resource::<Illustrations>().handle(&noon);
    update_until_shown(&mut app, &noon, &image);
}

#[test]
fn a_changed_story_file_redraws_only_the_affected_pictures() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start(&painter);
    let dawn = Illustration::background("dawn");
    update_until_drawn(&mut app);
    let id = shot(app.world(), &Illustration::portrait("mira", "happy"));
    let portrait = expected(app.world(), &id);

    game.write_story(&STORY.replace("a rocky shore", "a sandy shore"));
    reload(&app);
    update_until(&mut app, 20, "the change is planned", |world| {
        world.resource::<Project>().story().places[0].looks == "a sandy shore"
    });
    update_until_drawn(&mut app);

    assert_eq!(painter.drawn().len(), 5, "two more backgrounds");
    assert_eq!(expected(app.world(), &id), portrait);
    let dawn = shot(app.world(), &dawn);
    for id in [id, dawn] {
        let image = app.world().resource::<Illustrations>().handle(&id);
        update_until_shown(&mut app, &id, &image);
    }
}

#[test]
fn an_invalid_story_file_is_reported_with_line_and_column_and_the_old_story_stays() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start(&painter);
    update_until_drawn(&mut app);

    game.write_story(&STORY.replace("scenes: [", "scenes: [[["));
    reload(&app);
    update_until(&mut app, 20, "the fault is reported", |world| !status(world).is_ready());

    let IllustratorStatus::Failed(text) = status(app.world()) else {
        panic!("the status is not `Failed`")
    };
    assert!(text.contains("tides.story.ron:5:"), "{text}");
    assert_eq!(app.world().resource::<Notices>().0.last(), Some(text));
    assert_eq!(app.world().resource::<Project>().story().scenes.len(), 2);

    game.write_story(STORY);
    reload(&app);
    update_until(&mut app, 20, "the story is valid again", |world| status(world).is_ready());
}

#[test]
fn a_story_with_faults_is_reported_and_the_old_story_stays() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start(&painter);
    update_until_drawn(&mut app);

    game.write_story(&STORY.replace("to: \"dawn\"", "to: \"noon\""));
    reload(&app);
    update_until(&mut app, 20, "the fault is reported", |world| !status(world).is_ready());

    let IllustratorStatus::Failed(text) = status(app.world()) else {
        panic!("the status is not `Failed`")
    };
    assert!(text.contains("noon"), "{text}");
    assert_eq!(app.world().resource::<Project>().story().scenes[0].exits[0].to, "dawn");
}

#[test]
fn a_missing_story_file_is_reported() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let story = StoryInput::File("stories/lost.story.ron".into());
    let mut app = game.start_with(IllustratorPlugin { story, ..plugin(&painter) });
    update_until(
        &mut app,
        20,
        "the missing file is reported",
        |world| matches!(status(world), IllustratorStatus::Failed(text) if text.contains("lost.story.ron")),
    );
    assert!(!app.world().contains_resource::<Project>());
}
