//! A story in a `*.story.ron` file, as a Bevy asset.

use std::path::Path;

use bevy::{
    asset::{AssetLoadError, AssetLoadFailedEvent, AssetLoader, LoadContext, io::Reader},
    prelude::*,
};

use crate::{
    schedule::{IllustratorStatus, IllustratorSystems, NewStory, Notices},
    story::{
        Story,
        ron_file::{self, RonStoryError},
    },
};

/// A [`Story`] that was loaded from a `*.story.ron` file.
#[derive(Asset, TypePath, Clone, Debug)]
pub struct StoryAsset(pub Story);

/// Loads [`StoryAsset`]s.
#[derive(TypePath, Clone, Copy, Debug, Default)]
pub struct StoryLoader;

impl AssetLoader for StoryLoader {
    type Asset = StoryAsset;
    type Settings = ();
    type Error = RonStoryError;

    async fn load(
        &self,
        reader: &mut dyn Reader,
        (): &(),
        load_context: &mut LoadContext<'_>,
    ) -> Result<StoryAsset, RonStoryError> {
        let path = load_context.path().path().to_owned();
        let mut bytes = Vec::new();
        reader
            .read_to_end(&mut bytes)
            .await
            .map_err(|source| RonStoryError::Read { path: path.clone(), source })?;
        ron_file::parse(&bytes, &path).map(StoryAsset)
    }

    fn extensions(&self) -> &[&str] {
        &["story.ron"]
    }
}

/// The story file of the game.
#[derive(Resource, Debug)]
struct StoryFile {
    path: String,
    handle: Handle<StoryAsset>,
}

/// Loads the story file, and follows its changes.
pub(super) fn follow(app: &mut App, path: String) {
    app.init_asset::<StoryAsset>()
        .register_asset_loader(StoryLoader)
        .add_systems(PreStartup, move |mut commands: Commands, server: Res<AssetServer>| {
            let handle = server.load(path.clone());
            commands.insert_resource(StoryFile { path: path.clone(), handle });
        })
        .add_systems(PreUpdate, read_story_file.in_set(IllustratorSystems::Read));
}

/// Reads the story when its file was loaded, or loaded again.
fn read_story_file(
    file: Res<StoryFile>,
    stories: Res<Assets<StoryAsset>>,
    mut changes: MessageReader<AssetEvent<StoryAsset>>,
    mut failures: MessageReader<AssetLoadFailedEvent<StoryAsset>>,
    mut new_story: ResMut<NewStory>,
    mut status: ResMut<IllustratorStatus>,
    mut notices: ResMut<Notices>,
) {
    let id = file.handle.id();
    let changed = changes.read().any(|change| {
        matches!(change, AssetEvent::Added { id: of } | AssetEvent::Modified { id: of } if *of == id)
    });
    if changed && let Some(story) = stories.get(id) {
        new_story.0 = Some(story.0.clone());
    }
    for failure in failures.read().filter(|failure| failure.id == id) {
        status.fail(&mut notices, told(&file.path, &failure.error));
    }
}

/// Why a story file was not loaded, for people.
fn told(path: &str, error: &AssetLoadError) -> String {
    if let AssetLoadError::AssetLoaderError(error) = error
        && let Some(error) = error.error().downcast_ref::<RonStoryError>()
    {
        return error.to_string();
    }
    let file = Path::new(path).display();
    format!("cannot load the story {file}: {error}")
}
