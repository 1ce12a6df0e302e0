//! The Bevy plugins: they read the game's story, drive its [`Project`](crate::project::Project), and tell
//! the game what happens.
//!
//! [`IllustratorPlugins`] is all that a game adds. What each of its parts does in a frame stands on
//! [`IllustratorSystems`]; nothing in there waits for a disk or a network.

mod drive;
mod shipped;
mod story_asset;

pub use crate::schedule::{IllustratorStatus, IllustratorSystems, Notices};
pub use story_asset::{StoryAsset, StoryLoader};

use std::path::{Path, PathBuf};

use bevy::{
    app::{PluginGroup, PluginGroupBuilder},
    asset::{AssetEventSystems, AssetPlugin, io::file::FileAssetReader},
    log::error,
    prelude::*,
    ui::UiSystems,
};

#[cfg(feature = "panel")]
use crate::panel::PanelPlugin;
use crate::{
    components::{ComponentsPlugin, StoryMeta, story::gather_story},
    diffusion::DeviceKind,
    generator::GeneratorRegistry,
    hot_swap::HotSwapPlugin,
    project::{Request, Update as ProjectUpdate},
    schedule::{AssetRoot, NewStory},
    story::ron_file,
};

/// Everything that illustrates a story in a running game.
///
/// | part | does |
/// |---|---|
/// | [`IllustratorPlugin`] | reads the story, drives the [`Project`](crate::project::Project) |
/// | [`HotSwapPlugin`] | gives each shot a handle that shows every later picture |
/// | [`ComponentsPlugin`] | puts pictures on entities with an [`Illustration`](crate::components::Illustration) |
/// | `PanelPlugin`, with the feature `panel` | the author's panel; F2 opens it |
///
/// ```
/// # use bevy::prelude::*;
/// # use bevy_illustrator::prelude::*;
/// # let mut app = App::new();
/// app.add_plugins(IllustratorPlugins.set(IllustratorPlugin {
///     story: StoryInput::File("stories/painters_door.story.ron".into()),
///     ..default()
/// }));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct IllustratorPlugins;

/// Reads the story and drives its [`Project`](crate::project::Project): the part of [`IllustratorPlugins`] with the settings.
///
/// It may be added before or after Bevy's own plugins; the panel wants to come after them.
#[derive(Clone)]
pub struct IllustratorPlugin {
    /// Where the story comes from.
    pub story: StoryInput,
    /// Where the pictures are kept; `None` is `illustrations/<name of the story>` below the game's
    /// asset folder.
    pub art_folder: Option<PathBuf>,
    /// What is drawn unasked; a game that is finished draws nothing.
    pub draw_policy: DrawPolicy,
    /// What draws.
    pub registry: GeneratorRegistry,
}

/// Where the story comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StoryInput {
    /// The components of [`crate::story`] on the game's own entities, and the resource
    /// [`StoryMeta`].
    #[default]
    Components,
    /// A `*.story.ron` asset, as a path in the asset folder. A change of the file takes effect in the
    /// running game, through Bevy's `file_watcher` or [`AssetServer::reload`].
    File(String),
}

/// When the illustrator draws without being asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DrawPolicy {
    /// Pictures that are missing or stale, as soon as the story is read and each time it changes.
    #[default]
    Auto,
    /// Nothing until a [`Request`] asks for it.
    OnRequest,
    /// Nothing at all: for a game that is finished. What lies in the folder `pictures` of the art folder is
    /// loaded through Bevy's assets, from wherever the game has them, and nothing else is needed of it. There
    /// is no [`Project`](crate::project::Project), no worker thread and no panel, and nothing is written. The
    /// art folder must lie in the asset folder.
    Off,
}

impl Default for IllustratorPlugin {
    /// A story from components, drawn by what is built in on the best device there is.
    fn default() -> Self {
        Self {
            story: StoryInput::default(),
            art_folder: None,
            draw_policy: DrawPolicy::default(),
            registry: GeneratorRegistry::built_in(DeviceKind::Auto),
        }
    }
}

impl StoryInput {
    /// The name of the art folder.
    fn folder_name(&self) -> &str {
        let Self::File(path) = self else { return ron_file::NO_NAME };
        ron_file::name(path.rsplit(['/', '\\']).next().unwrap_or(path))
    }
}

impl PluginGroup for IllustratorPlugins {
    fn build(self) -> PluginGroupBuilder {
        let group = PluginGroupBuilder::start::<Self>()
            .add(IllustratorPlugin::default())
            .add(HotSwapPlugin)
            .add(ComponentsPlugin);
        #[cfg(feature = "panel")]
        let group = group.add(PanelPlugin::default());
        group
    }
}

impl Plugin for IllustratorPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<IllustratorStatus>()
            .init_resource::<Notices>()
            .register_type::<IllustratorStatus>()
            .register_type::<Notices>()
            .add_message::<Request>()
            .add_message::<ProjectUpdate>()
            .configure_sets(
                PreUpdate,
                (IllustratorSystems::Read, IllustratorSystems::Plan, IllustratorSystems::Poll)
                    .chain(),
            )
            .configure_sets(
                PostUpdate,
                IllustratorSystems::Swap.before(AssetEventSystems).before(UiSystems::Content),
            );
        if has_assets(app) {
            self.start(app);
        }
    }

    fn finish(&self, app: &mut App) {
        if app.world().contains_resource::<AssetRoot>() {
            return;
        }
        if has_assets(app) {
            self.start(app);
        } else {
            let text = NO_ASSETS.to_owned();
            error!("{text}");
            app.insert_resource(IllustratorStatus::Failed(text));
        }
    }
}

const NO_ASSETS: &str = "the illustrator needs Bevy's AssetPlugin and ImagePlugin; add them:

    App::new()
        .add_plugins(DefaultPlugins)
        .add_plugins(IllustratorPlugins)

or, without a window:

    App::new()
        .add_plugins((MinimalPlugins, AssetPlugin::default(), ImagePlugin::default()))
        .add_plugins(IllustratorPlugins)";

/// Whether the plugins are there without which nothing can be loaded or shown.
fn has_assets(app: &App) -> bool {
    app.world().contains_resource::<AssetServer>()
        && app.world().contains_resource::<Assets<Image>>()
}

impl IllustratorPlugin {
    /// Sets everything up that needs Bevy's asset plugins.
    fn start(&self, app: &mut App) {
        let root = asset_root(app);
        let art_folder = self
            .art_folder
            .clone()
            .unwrap_or_else(|| root.join("illustrations").join(self.story.folder_name()));
        let art_folder = std::path::absolute(&art_folder).unwrap_or(art_folder);
        app.init_resource::<NewStory>();
        match self.draw_policy {
            DrawPolicy::Off => shipped::build(app, &art_folder, &root),
            policy => {
                let needed = policy == DrawPolicy::Auto;
                drive::draw(
                    app,
                    drive::ProjectOpener::new(art_folder, needed, self.registry.clone()),
                );
            }
        }
        app.insert_resource(AssetRoot(root));
        match &self.story {
            StoryInput::Components => {
                app.init_resource::<StoryMeta>()
                    .add_systems(PreUpdate, gather_story.in_set(IllustratorSystems::Read));
            }
            StoryInput::File(path) => story_asset::follow(app, path.clone()),
        }
    }
}

/// The folder that asset paths of the default source start from.
fn asset_root(app: &App) -> PathBuf {
    let plugins = app.get_added_plugins::<AssetPlugin>();
    let folder = plugins.first().map_or("assets", |plugin| plugin.file_path.as_str());
    let root = FileAssetReader::get_base_path().join(Path::new(folder));
    std::path::absolute(&root).unwrap_or(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_art_folder_is_named_after_the_story_file() {
        let name = |path: &str| StoryInput::File(path.to_owned()).folder_name().to_owned();
        assert_eq!(name("stories/painters_door.story.ron"), "painters_door");
        assert_eq!(name("tale.ron"), "tale");
        assert_eq!(name("acts/act.2.story.ron"), "act.2", "which is not that of act 1");
        assert_eq!(name("stories/.ron"), "story");
        assert_eq!(StoryInput::Components.folder_name(), "story");
    }
}
