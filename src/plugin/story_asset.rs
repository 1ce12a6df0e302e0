//! A story file as a Bevy asset.

use std::path::Path;

use bevy::{
    asset::{AssetLoadError, AssetLoadFailedEvent, AssetLoader, LoadContext, io::Reader},
    prelude::*,
};

use crate::{
    schedule::{IllustratorStatus, IllustratorSystems, NewStory, Notices},
    story::{
        Story,
        format::{StoryError, StoryFormat, StoryFormats},
    },
};

/// A [`Story`] that was loaded from a file.
#[derive(Asset, TypePath, Clone, Debug)]
pub struct StoryAsset(pub Story);

/// Loads [`StoryAsset`]s in all [`StoryFormats`].
#[derive(TypePath, Clone, Debug)]
pub struct StoryLoader {
    formats: StoryFormats,
    extensions: Vec<&'static str>,
}

impl StoryLoader {
    /// A loader for these formats.
    #[must_use]
    pub fn new(formats: StoryFormats) -> Self {
        let all: Vec<_> = formats.extensions().collect();
        // Games use a short extension like `ron` for other assets too. Bevy also finds this loader by the
        // asset's type, so registering the long extension, such as `story.ron`, is enough.
        let is_short = |short: &str| all.iter().any(|long| long.ends_with(&format!(".{short}")));
        let extensions = all.iter().copied().filter(|extension| !is_short(extension)).collect();
        Self { formats, extensions }
    }
}

impl AssetLoader for StoryLoader {
    type Asset = StoryAsset;
    type Settings = ();
    type Error = StoryError;

    async fn load(
        &self,
        reader: &mut dyn Reader,
        (): &(),
        load_context: &mut LoadContext<'_>,
    ) -> Result<StoryAsset, StoryError> {
        let path = load_context.path().path().to_owned();
        let mut bytes = Vec::new();
        reader
            .read_to_end(&mut bytes)
            .await
            .map_err(|source| StoryError::Read { path: path.clone(), source })?;
        self.formats.parse(&bytes, &path).map(StoryAsset)
    }

    fn extensions(&self) -> &[&str] {
        &self.extensions
    }
}

/// Adds story formats to an app.
pub trait StoryFormatAppExt {
    /// Adds a format of story files, for [`StoryInput::File`](super::StoryInput::File). Call it before the app
    /// runs; the order relative to the plugins does not matter.
    fn register_story_format(&mut self, format: impl StoryFormat) -> &mut Self;
}

impl StoryFormatAppExt for App {
    fn register_story_format(&mut self, format: impl StoryFormat) -> &mut Self {
        self.world_mut().get_resource_or_init::<StoryFormats>().register(format);
        self
    }
}

/// The story file of the game.
#[derive(Resource, Debug)]
struct StoryFile {
    path: String,
    handle: Handle<StoryAsset>,
}

/// Loads the story file and follows its changes.
pub(super) fn build(app: &mut App, path: String, formats: StoryFormats) {
    app.init_asset::<StoryAsset>()
        .register_asset_loader(StoryLoader::new(formats))
        .add_systems(PreStartup, move |mut commands: Commands, server: Res<AssetServer>| {
            let handle = server.load(path.clone());
            commands.insert_resource(StoryFile { path: path.clone(), handle });
        })
        .add_systems(PreUpdate, read_story_file.in_set(IllustratorSystems::Read));
}

/// Reads the story each time its file is loaded.
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
        status.fail(&mut notices, message(&file.path, &failure.error));
    }
}

/// The message for a story file that failed to load.
fn message(path: &str, error: &AssetLoadError) -> String {
    if let AssetLoadError::AssetLoaderError(error) = error
        && let Some(error) = error.error().downcast_ref::<StoryError>()
    {
        return error.to_string();
    }
    let file = Path::new(path).display();
    format!("cannot load the story file {file}: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_does_not_register_the_extension_ron() {
        let loader = StoryLoader::new(StoryFormats::default());
        assert_eq!(loader.extensions(), ["story.ron"]);
    }
}
