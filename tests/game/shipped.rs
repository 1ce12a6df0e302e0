//! A shipped game shows its pictures and draws nothing.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bevy::prelude::*;
use bevy_illustrator::{plugin::Notices, prelude::*};

use crate::{common::Fakes, support::*};

/// Draws the game's pictures, and removes everything else from its art folder. Returns the first pixel of each shot's
/// picture.
fn drawn() -> (Game, BTreeMap<ShotId, [u8; 4]>) {
    let game = Game::with_story();
    let mut app = game.start(&Fakes::default());
    update_until_drawn(&mut app);
    let world = app.world();
    let shots = world.resource::<Project>().board().shots().iter().map(|shot| shot.id.clone());
    let colours = shots.map(|shot| (shot.clone(), expected(world, &shot))).collect();
    drop(app);
    for entry in fs::read_dir(game.art_folder()).unwrap() {
        let path = entry.unwrap().path();
        match path.file_name().unwrap().to_str().unwrap() {
            "pictures" => {}
            _ if path.is_dir() => fs::remove_dir_all(path).unwrap(),
            _ => fs::remove_file(path).unwrap(),
        }
    }
    (game, colours)
}

fn start_shipped(game: &Game, painter: &Fakes) -> App {
    game.start_with(IllustratorPlugin {
        story: StoryInput::File(STORY_FILE.into()),
        draw_policy: DrawPolicy::Off,
        ..plugin(painter)
    })
}

/// All files below a folder, with their content.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.append(&mut files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn a_shipped_game_shows_its_picture_files_and_does_not_draw_or_write() {
    let ((game, colours), painter) = (drawn(), Fakes::default());
    let before = files(&game.art_folder());
    let mut app = start_shipped(&game, &painter);
    let scene = app.world_mut().spawn((Sprite::default(), Illustration::background("dawn"))).id();
    // Requested before the story is read, as in a startup system.
    let handles: Vec<_> = colours
        .iter()
        .map(|(shot, colour)| (app.world().resource::<Illustrations>().handle(shot), *colour))
        .collect();

    update_until(&mut app, 20, "all pictures are shown", |world| {
        let sprite = world.get::<Sprite>(scene).unwrap().image.clone();
        handles.iter().all(|(handle, painted)| colour(world, handle) == Some(*painted))
            && handles.iter().any(|(handle, _)| *handle == sprite)
    });

    assert!(app.world().resource::<IllustratorStatus>().is_ready());
    assert!(!app.world().contains_resource::<Project>());
    assert!(painter.drawn().is_empty());
    assert!(files(&game.art_folder()) == before, "no file is added, changed or removed");
}

#[test]
fn a_shipped_game_shows_a_placeholder_of_the_right_size_for_a_missing_picture() {
    let ((game, colours), painter) = (drawn(), Fakes::default());
    let (missing, _) = colours.first_key_value().unwrap();
    fs::remove_file(game.art_folder().join(format!("pictures/{missing}.png"))).unwrap();
    let mut app = start_shipped(&game, &painter);
    update_until(&mut app, 20, "the story is read", |world| {
        world.resource::<IllustratorStatus>().is_ready()
    });
    let handle = app.world().resource::<Illustrations>().handle(missing);
    update_until(&mut app, 20, "the file is found missing", |world| {
        world.resource::<AssetServer>().load_state(&handle).is_failed()
    });
    app.update();
    let image = app.world().resource::<Assets<Image>>().get(&handle).unwrap();
    assert_eq!((image.width(), image.height()), (384, 224), "a background");
    assert_eq!(colour(app.world(), &handle), Some([0xd8, 0xd1, 0xc4, 255]));
}

#[test]
fn a_shipped_game_refuses_requests_with_the_reason() {
    let ((game, _), painter) = (drawn(), Fakes::default());
    let mut app = start_shipped(&game, &painter);
    app.world_mut().write_message(Request::from(Action::DrawNeeded));
    update_until(&mut app, 20, "a notice is listed", |world| {
        !world.resource::<Notices>().0.is_empty()
    });
    let text = &app.world().resource::<Notices>().0[0];
    assert!(text.contains("draws nothing") && text.contains("DrawPolicy::OnRequest"), "{text}");
}

#[test]
fn an_art_folder_outside_the_assets_is_reported_in_a_shipped_game() {
    let (game, painter, elsewhere) =
        (Game::with_story(), Fakes::default(), tempfile::tempdir().unwrap());
    let app = game.start_with(IllustratorPlugin {
        art_folder: Some(elsewhere.path().into()),
        draw_policy: DrawPolicy::Off,
        ..plugin(&painter)
    });
    let IllustratorStatus::Failed(text) = app.world().resource::<IllustratorStatus>() else {
        panic!("the status is not `Failed`")
    };
    assert!(text.contains(&*elsewhere.path().to_string_lossy()), "{text}");
}
