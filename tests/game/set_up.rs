//! Adding the plugins to a game.

use bevy::prelude::*;
use bevy_illustrator::{plugin::Notices, prelude::*, project::Update as ProjectUpdate};

use crate::{common::Fakes, support::*};

#[test]
fn the_plugins_can_be_added_before_bevys_plugins() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = App::new();
    app.add_plugins(
        IllustratorPlugins.set(IllustratorPlugin {
            story: StoryInput::File(STORY_FILE.into()),
            ..plugin(&painter)
        }),
    )
    .add_plugins((MinimalPlugins, game.asset_plugin(), ImagePlugin::default()));
    get_ready(&mut app);
    update_until_drawn(&mut app);
    assert_eq!(painter.drawn().len(), 3);
    assert_eq!(app.world().resource::<Project>().art().root(), game.art_folder());
}

#[test]
fn without_bevys_plugins_the_error_names_the_lines_to_add() {
    let painter = Fakes::default();
    let mut app = App::new();
    app.add_plugins(MinimalPlugins).add_plugins(IllustratorPlugins.set(plugin(&painter)));
    app.finish();
    app.cleanup();
    app.update();
    let IllustratorStatus::Failed(text) = app.world().resource::<IllustratorStatus>() else {
        panic!("the status is not `Failed`")
    };
    assert!(text.contains(".add_plugins(DefaultPlugins)"), "{text}");
}

#[test]
fn an_art_folder_that_another_game_has_open_is_reported() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut first = game.start(&painter);
    update_until_drawn(&mut first);

    let mut second = game.start(&painter);
    update_until(&mut second, 20, "a notice is listed", |world| {
        !world.resource::<Notices>().0.is_empty()
    });
    let text = &second.world().resource::<Notices>().0[0];
    assert!(text.contains("illustrations") && text.contains("open"), "{text}");
    assert!(!second.world().contains_resource::<Project>());

    // Requests are answered meanwhile, and the folder is opened when it is free.
    let request = Request::new(Action::DrawNeeded);
    second.world_mut().write_message(request.clone());
    update_until(&mut second, 20, "the request is refused", |world| {
        let updates = world.resource::<Messages<ProjectUpdate>>();
        let mut cursor = updates.get_cursor();
        cursor.read(updates).any(|update| {
            matches!(update, ProjectUpdate::Applied { id, result: Err(_) } if *id == request.id)
        })
    });
    drop(first);
    update_until(&mut second, 20, "the project is open", |world| {
        world.resource::<IllustratorStatus>().is_ready()
    });
}

#[test]
fn requests_of_the_last_frame_are_applied_once_before_the_app_exits() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start(&painter);
    update_until_drawn(&mut app);
    let shot = shot(app.world(), &Illustration::portrait("mira", "happy"));
    let more = Action::DrawMore { shot, takes: 1, score: false };
    app.world_mut().write_message(Request::from(Action::Pause(true)));
    app.world_mut().write_message(Request::new(more.clone()));
    app.add_systems(
        PostUpdate,
        move |mut actions: MessageWriter<Request>, mut exits: MessageWriter<AppExit>| {
            actions.write(Request::new(more.clone()));
            exits.write(AppExit::Success);
        },
    );
    app.update();
    let jobs = app.world().resource::<Project>().studio().jobs().len();
    assert_eq!(jobs, 2, "one request of each of the last two frames");
}
