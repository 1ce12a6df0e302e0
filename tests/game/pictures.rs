//! From a story to pictures behind handles.

use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_illustrator::{
    hot_swap::HotSwapPlugin,
    mask::Mask,
    plugin::Notices,
    prelude::*,
    project::Update as ProjectUpdate,
    recipe::{EditKind, Part, PartEdit},
};

use crate::{common::Fakes, support::*};

#[test]
fn a_missing_picture_is_drawn_and_replaces_its_placeholder() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start(&painter);
    let id = ShotId::new("portrait-mira-happy").unwrap();
    let handle = app.world().resource::<Illustrations>().handle(&id);
    app.update();
    let canvas = colour(app.world(), &handle).expect("a placeholder");

    update_until_drawn(&mut app);

    assert_eq!(shot(app.world(), &Illustration::portrait("mira", "happy")), id);
    assert_eq!(app.world().resource::<Illustrations>().handle(&id), handle);
    let painted = expected(app.world(), &id);
    assert_ne!(painted, canvas);
    assert_eq!(colour(app.world(), &handle), Some(painted));
    assert_eq!(painter.drawn().len(), 3, "two backgrounds and a portrait");
}

#[test]
fn discarding_the_last_take_shows_the_placeholder_again() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start(&painter);
    let id = ShotId::new("portrait-mira-happy").unwrap();
    let handle = app.world().resource::<Illustrations>().handle(&id);
    app.update();
    let canvas = colour(app.world(), &handle).expect("a placeholder");
    update_until_drawn(&mut app);
    let size = |app: &App| app.world().resource::<Assets<Image>>().get(&handle).unwrap().size();
    let painted = size(&app);
    assert_ne!(colour(app.world(), &handle), Some(canvas));

    let take = app.world().resource::<Project>().art().takes(&id)[0].id.clone();
    app.world_mut().write_message(Request::from(Action::Discard { shot: id, take }));
    update_until(&mut app, 20, "the placeholder is back", |world| {
        colour(world, &handle) == Some(canvas)
    });
    assert_eq!(size(&app), painted);
}

#[test]
fn an_edit_is_shown_in_the_game_on_trial_and_after_it_is_accepted() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start(&painter);
    let shot = ShotId::new("portrait-mira-happy").unwrap();
    let handle = app.world().resource::<Illustrations>().handle(&shot);
    update_until_drawn(&mut app);
    let before = colour(app.world(), &handle).unwrap();
    let takes = |app: &App| {
        let takes = app.world().resource::<Project>().art().takes(&shot);
        takes.iter().map(|take| take.id.clone()).collect::<Vec<_>>()
    };
    let act = |app: &mut App, action: Action| {
        app.world_mut().write_message(Request::new(action));
        app.update();
        update_until_drawn(app);
    };

    let size = app.world().resource::<Assets<Image>>().get(&handle).unwrap().size();
    let all = Part::new(
        "all",
        Mask::full(size.x, size.y),
        PartEdit { words: "the moon".to_owned(), ..PartEdit::new(EditKind::Replace) },
    );
    let (of, take) = (shot.clone(), takes(&app)[0].clone());
    let parts = vec![all];
    let edit = Action::Edit {
        shot: of,
        take,
        picture: None,
        parts,
        context: None,
        takes: 1,
        score: false,
    };
    act(&mut app, edit);
    let made = takes(&app)[1].clone();
    assert_eq!(colour(app.world(), &handle), Some(before), "the edit is not on trial yet");
    let edited = before.map(|channel| 255 - channel);
    let edited = [edited[0], edited[1], edited[2], 255];
    let try_on = |take| Action::TryOn { shot: shot.clone(), take };
    act(&mut app, try_on(Some(made.clone())));
    assert_eq!(colour(app.world(), &handle), Some(edited));
    act(&mut app, try_on(None));
    assert_eq!(colour(app.world(), &handle), Some(before));
    act(&mut app, Action::Accept { shot: shot.clone(), take: made });
    assert_eq!(colour(app.world(), &handle), Some(edited));
}

#[test]
fn an_illustration_sets_the_image_of_nodes_and_sprites_and_has_a_handle() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start(&painter);
    let dawn = Illustration::background("dawn");
    let node = app.world_mut().spawn((ImageNode::default(), dawn.clone())).id();
    let sprite = app.world_mut().spawn((Sprite::default(), dawn.clone())).id();
    let other = app.world_mut().spawn(dawn.clone()).id();
    app.update();
    let world = app.world();
    let placeholder = world.resource::<Illustrations>().placeholder();
    assert_eq!(
        world.get::<ImageNode>(node).unwrap().image,
        placeholder,
        "before the story is planned"
    );

    update_until_drawn(&mut app);

    let world = app.world();
    let image = world.resource::<Illustrations>().handle(&shot(world, &dawn));
    assert_eq!(world.get::<ImageNode>(node).unwrap().image, image);
    assert_eq!(world.get::<Sprite>(sprite).unwrap().image, image);
    assert_eq!(world.get::<IllustrationImage>(other).unwrap().0, image);
    assert_eq!(colour(world, &image), Some(expected(world, &shot(world, &dawn))));
}

/// Bevy draws UI roots in the order of their archetypes. A picture that moved an entity to another archetype
/// would change which root is in front.
#[test]
fn the_arrival_of_a_picture_does_not_change_archetypes() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    painter.hold_after(0);
    let mut app = game.start(&painter);
    let (dawn, mira) = (Illustration::background("dawn"), Illustration::portrait("mira", "happy"));
    let world = app.world_mut();
    let entities = [
        world.spawn((ImageNode::default(), dawn.clone())).id(),
        world.spawn((ImageNode::default(), mira.clone())).id(),
        world.spawn((Sprite::default(), dawn.clone())).id(),
        world.spawn((IllustrationImage::default(), Transform::default(), mira)).id(),
        world.spawn((Text::default(), dawn.clone())).id(),
        world.spawn(dawn).id(),
    ];
    let archetypes = |app: &App| entities.map(|entity| app.world().entity(entity).archetype().id());
    let spawned = archetypes(&app);
    update_until(&mut app, 20, "the project is open", |world| world.contains_resource::<Project>());
    assert_eq!(archetypes(&app), spawned, "with the placeholder");

    painter.release();
    update_until_drawn(&mut app);

    assert_eq!(archetypes(&app), spawned, "with the picture");
}

#[test]
fn a_changed_illustration_shows_its_new_picture() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start(&painter);
    let node = app.world_mut().spawn((ImageNode::default(), Illustration::background("dawn"))).id();
    update_until_drawn(&mut app);

    let night = Illustration::background("night");
    app.world_mut().entity_mut(node).insert(night.clone());
    app.update();

    let image = app.world().get::<ImageNode>(node).unwrap().image.clone();
    let night = shot(app.world(), &night);
    update_until_shown(&mut app, &night, &image);
}

#[test]
fn an_illustration_without_a_shot_shows_a_placeholder_and_is_reported() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start(&painter);
    let node = app.world_mut().spawn((ImageNode::default(), Illustration::background("noon"))).id();
    update_until_drawn(&mut app);

    let world = app.world();
    let placeholder = world.resource::<Illustrations>().placeholder();
    assert_eq!(world.get::<ImageNode>(node).unwrap().image, placeholder);
    let notices = &world.resource::<Notices>().0;
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("background of scene `noon`"), "{notices:?}");
}

#[test]
fn a_restarted_game_shows_its_pictures_and_draws_nothing() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start(&painter);
    update_until_drawn(&mut app);
    drop(app);

    let second = Fakes::default();
    let mut app = game.start(&second);
    update_until_drawn(&mut app);

    assert_eq!(second.drawn().len(), 0);
    for illustration in [Illustration::background("dawn"), Illustration::portrait("mira", "happy")]
    {
        let id = shot(app.world(), &illustration);
        let image = app.world().resource::<Illustrations>().handle(&id);
        update_until_shown(&mut app, &id, &image);
    }
}

#[test]
fn a_picture_loaded_by_its_path_is_updated_too() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start(&painter);
    update_until_drawn(&mut app);
    let id = shot(app.world(), &Illustration::background("dawn"));
    let path = format!("illustrations/tides/pictures/{id}.png");
    let image: Handle<Image> = app.world().resource::<AssetServer>().load(path);
    let first = expected(app.world(), &id);
    update_until(&mut app, 20, "the file is loaded", |world| colour(world, &image) == Some(first));

    app.world_mut().write_message(Request::from(Action::DrawMore {
        shot: id.clone(),
        takes: 1,
        score: false,
    }));

    let project = app.world().resource::<Project>();
    let recipe = project.board().shot(&id).unwrap().recipe.with_take(1);
    let second = first_pixel(&recipe);
    assert_ne!(first, second);
    update_until(&mut app, 20, "the file is loaded again", |world| {
        colour(world, &image) == Some(second)
    });
}

#[test]
fn nothing_is_drawn_without_a_request_with_policy_on_request() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let story = StoryInput::File(STORY_FILE.into());
    let mut app = game.start_with(IllustratorPlugin {
        story,
        draw_policy: DrawPolicy::OnRequest,
        ..plugin(&painter)
    });
    update_until(&mut app, 20, "the project is open", |world| world.contains_resource::<Project>());
    (0..50).for_each(|_| app.update());
    let project = app.world().resource::<Project>();
    assert_eq!(project.studio().jobs().len(), 0);
    assert_eq!(project.needed().count(), 3);

    app.world_mut().write_message(Request::from(Action::DrawNeeded));
    update_until_drawn(&mut app);
    assert_eq!(painter.drawn().len(), 3);
}

#[test]
fn each_picture_is_reported_in_one_message() {
    #[derive(Resource, Default)]
    struct Drawn(Vec<ShotId>);

    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start(&painter);
    app.init_resource::<Drawn>().add_systems(
        Update,
        |mut updates: MessageReader<ProjectUpdate>, mut reported: ResMut<Drawn>| {
            for update in updates.read() {
                if let ProjectUpdate::Published { shot, .. } = update {
                    reported.0.push(shot.clone());
                }
            }
        },
    );
    update_until_drawn(&mut app);

    let mut reported = app.world_mut().remove_resource::<Drawn>().unwrap().0;
    reported.sort();
    let board = app.world().resource::<Project>().board();
    let mut shots: Vec<_> = board.shots().iter().map(|shot| shot.id.clone()).collect();
    shots.sort();
    assert_eq!(reported, shots, "each picture is reported once");
}

#[test]
fn a_refused_action_is_listed_in_the_notices() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start(&painter);
    let nowhere = ShotId::new("background-nowhere").unwrap();
    // The request waits until the project is open.
    app.world_mut().write_message(Request::from(Action::Draw(vec![nowhere])));
    update_until(&mut app, 20, "the refusal is reported", |world| {
        !world.resource::<Notices>().0.is_empty()
    });
    let notices = &app.world().resource::<Notices>().0;
    assert!(notices[0].contains("`background-nowhere`"), "{notices:?}");
}

#[test]
fn the_app_exits_immediately_during_a_drawing() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    painter.hold_after(2);
    let mut app = game.start(&painter);
    update_until(&mut app, 20, "a drawing has started", |world| {
        let project = world.get_resource::<Project>();
        project.is_some_and(|project| !project.studio().jobs().is_empty())
    });
    let before = Instant::now();
    drop(app);
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
}

#[test]
fn only_pictures_with_a_handle_are_in_memory() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = App::new();
    let illustrator =
        IllustratorPlugin { story: StoryInput::File(STORY_FILE.into()), ..plugin(&painter) };
    let hot_swap = HotSwapPlugin { release_interval: Duration::ZERO, ..default() };
    app.add_plugins((MinimalPlugins, game.asset_plugin(), ImagePlugin::default()))
        .add_plugins(IllustratorPlugins.set(illustrator).set(hot_swap));
    get_ready(&mut app);
    update_until_drawn(&mut app);
    let images = |app: &App| app.world().resource::<Assets<Image>>().len();
    let without_handles = images(&app);

    let id = ShotId::new("portrait-mira-happy").unwrap();
    let handle = app.world().resource::<Illustrations>().handle(&id);
    update_until_shown(&mut app, &id, &handle);
    (0..5).for_each(|_| app.update());
    assert_eq!(images(&app), without_handles + 1, "only the picture with a handle is in memory");
    assert!(app.world().resource::<Project>().is_watched(&id));

    drop(handle);
    update_until(&mut app, 20, "the picture is released", |world| {
        world.resource::<Assets<Image>>().len() == without_handles
    });
    assert!(!app.world().resource::<Project>().is_watched(&id));

    let handle = app.world().resource::<Illustrations>().handle(&id);
    update_until_shown(&mut app, &id, &handle);
}
