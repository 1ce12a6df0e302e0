//! Headless games for the tests of this folder.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use bevy::{
    image::{CompressedImageFormats, ImageLoader},
    prelude::*,
};
use bevy_illustrator::{plugin::Notices, prelude::*, recipe::Recipe, story::Scene};
use tempfile::TempDir;

use crate::common::{Fakes, gradient};

/// A story with two scenes in one place at two times of day, and one portrait.
pub const STORY: &str = r#"(
    title: "Two tides",
    places: [(id: "shore", name: "The shore", looks: "a rocky shore")],
    characters: [(id: "mira", name: "Mira", looks: "a painter")],
    scenes: [
        (
            id: "night", place: "shore", time: "at night",
            lines: [(speaker: "mira", text: "Listen.", expression: "happy")],
            exits: [(to: "dawn")],
        ),
        (id: "dawn", place: "shore", time: "at dawn", lines: [(text: "The end.")]),
    ],
)"#;

/// The asset path of the story file.
pub const STORY_FILE: &str = "stories/tides.story.ron";

/// A folder with a game's assets.
pub struct Game {
    assets: TempDir,
}

impl Game {
    /// A game whose story file contains [`STORY`].
    pub fn with_story() -> Self {
        let game = Self { assets: TempDir::new().expect("a temporary folder") };
        game.write_story(STORY);
        game
    }

    /// Writes the story file.
    pub fn write_story(&self, text: &str) {
        let file = self.assets.path().join(STORY_FILE);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("folder is made");
        std::fs::write(file, text).expect("story is written");
    }

    /// The art folder of its story.
    pub fn art_folder(&self) -> PathBuf {
        self.assets.path().join("illustrations/tides")
    }

    /// Starts the game with its story file.
    pub fn start(&self, painter: &Fakes) -> App {
        self.start_with(IllustratorPlugin {
            story: StoryInput::File(STORY_FILE.into()),
            registry: painter.registry(),
            ..plugin(painter)
        })
    }

    /// Starts the game with these settings.
    pub fn start_with(&self, plugin: IllustratorPlugin) -> App {
        let mut app = App::new();
        app.add_plugins((MinimalPlugins, self.asset_plugin(), ImagePlugin::default()))
            .add_plugins(IllustratorPlugins.set(plugin));
        get_ready(&mut app);
        app
    }

    /// Bevy's asset plugin with this game's assets.
    pub fn asset_plugin(&self) -> AssetPlugin {
        AssetPlugin {
            file_path: self.assets.path().to_string_lossy().into_owned(),
            watch_for_changes_override: Some(false),
            ..default()
        }
    }
}

/// Settings for a game whose story is in components.
pub fn plugin(painter: &Fakes) -> IllustratorPlugin {
    IllustratorPlugin {
        story: StoryInput::Components,
        art_folder: None,
        draw_policy: DrawPolicy::Auto,
        registry: painter.registry(),
    }
}

/// Finishes the plugins, as a runner does before the first frame.
pub fn get_ready(app: &mut App) {
    // Bevy registers the image loader only with a renderer. Without one, images would load for ever.
    app.register_asset_loader(ImageLoader::new(CompressedImageFormats::NONE));
    app.finish();
    app.cleanup();
}

/// Spawns the first scene of [`STORY`] as components.
pub fn spawn_story(world: &mut World) -> Entity {
    world.spawn(Place {
        id: "shore".into(),
        name: "The shore".into(),
        looks: "a rocky shore".into(),
        ..default()
    });
    world.spawn(Character {
        id: "mira".into(),
        name: "Mira".into(),
        looks: "a painter".into(),
        ..default()
    });
    let scene =
        Scene { id: "night".into(), place: "shore".into(), time: "at night".into(), ..default() };
    world.spawn((scene, children![line("happy")])).id()
}

/// A line of Mira's.
pub fn line(expression: &str) -> Line {
    Line {
        speaker: Some("mira".into()),
        text: "Listen.".into(),
        expression: Some(expression.into()),
        ..default()
    }
}

/// Runs frames until `holds` returns true. Fails after `seconds`.
pub fn update_until(app: &mut App, seconds: u64, what: &str, holds: impl Fn(&mut World) -> bool) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        app.update();
        if holds(app.world_mut()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let world = app.world();
    panic!(
        "not within {seconds} s: {what}; status {:?}, notices {:?}",
        world.resource::<IllustratorStatus>(),
        world.resource::<Notices>().0,
    );
}

/// Runs frames until every picture is drawn and reported.
pub fn update_until_drawn(app: &mut App) {
    update_until(app, 20, "every picture is drawn", |world| {
        let project = world.get_resource::<Project>();
        project.is_some_and(|project| project.is_idle() && project.needed().next().is_none())
    });
}

/// Runs frames until a handle shows the picture of its shot.
pub fn update_until_shown(app: &mut App, shot: &ShotId, image: &Handle<Image>) {
    update_until(app, 20, "the picture is shown", |world| {
        colour(world, image) == Some(expected(world, shot))
    });
}

/// The shot of an illustration.
pub fn shot(world: &World, illustration: &Illustration) -> ShotId {
    let project = world.resource::<Project>();
    illustration.shot(project.board()).expect("the story has this shot")
}

/// The expected first pixel of a shot's picture, from its current recipe.
pub fn expected(world: &World, shot: &ShotId) -> [u8; 4] {
    let project = world.resource::<Project>();
    first_pixel(&project.board().shot(shot).expect("a shot").recipe)
}

/// The first pixel of the fakes' picture for a recipe.
pub fn first_pixel(recipe: &Recipe) -> [u8; 4] {
    gradient(recipe).get_pixel(0, 0).0
}

/// The colour of the first pixel of an image.
pub fn colour(world: &World, image: &Handle<Image>) -> Option<[u8; 4]> {
    let image = world.resource::<Assets<Image>>().get(image)?;
    image.data.as_ref()?.first_chunk().copied()
}
