//! The Bevy plugins: they read the game's story, drive its [`Project`](crate::project::Project), and send
//! its updates to the game.
//!
//! A game adds [`IllustratorPlugins`]. [`IllustratorSystems`] lists the phases and their schedules. No system
//! waits for a disk or a network.

mod drive;
mod illustrator;
mod shipped;
mod story_asset;

pub use crate::schedule::{IllustratorStatus, IllustratorSystems, Notices};
pub use illustrator::{Answer, Drawing, Illustrator, IllustratorError, Steps};
pub use story_asset::{StoryAsset, StoryFormatAppExt, StoryLoader};

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
    story::format::{DEFAULT_NAME, StoryFormats},
};

/// Everything that illustrates a story in a running game.
///
/// | plugin | purpose |
/// |---|---|
/// | [`IllustratorPlugin`] | reads the story and drives the [`Project`](crate::project::Project) |
/// | [`HotSwapPlugin`] | keeps one image handle for each shot |
/// | [`ComponentsPlugin`] | shows pictures on entities with an [`Illustration`](crate::components::Illustration) |
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

/// Reads the story and drives its [`Project`](crate::project::Project). It has the settings of
/// [`IllustratorPlugins`].
///
/// It can be added before or after Bevy's own plugins. The panel must be added after them.
#[derive(Clone)]
pub struct IllustratorPlugin {
    /// The source of the story.
    pub story: StoryInput,
    /// The art folder. `None` is `illustrations/<name of the story>` in the game's asset folder.
    pub art_folder: Option<PathBuf>,
    /// The policy for drawing pictures without a request.
    pub draw_policy: DrawPolicy,
    /// Loads the models that draw.
    pub registry: GeneratorRegistry,
}

/// The source of the story.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StoryInput {
    /// The components of [`crate::story`] on the game's entities, and the resource [`StoryMeta`].
    #[default]
    Components,
    /// A story file, as a path in the asset folder. [`StoryFormats`] has the formats: `*.story.ron`, and
    /// those of [`register_story_format`](StoryFormatAppExt::register_story_format). The game follows
    /// changes of the file with Bevy's `file_watcher`, or after [`AssetServer::reload`].
    File(String),
}

/// The policy for drawing pictures without a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DrawPolicy {
    /// Missing and stale pictures are drawn as soon as the story is read, and after each change of it.
    #[default]
    Auto,
    /// Pictures are drawn only by an [`Action`](crate::project::Action).
    OnRequest,
    /// Nothing is drawn. This policy is for a released game. Bevy loads the files in the folder `pictures` of
    /// the art folder, which must be inside the asset folder; the rest of the art folder is not needed.
    /// There is no [`Project`](crate::project::Project), no worker thread and no panel. Nothing is
    /// written.
    Off,
}

impl Default for IllustratorPlugin {
    /// A story in components, drawn by the built-in model on [`DeviceKind::Auto`].
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
    fn folder_name(&self, formats: &StoryFormats) -> &str {
        let Self::File(path) = self else { return DEFAULT_NAME };
        formats.story_name(path.rsplit(['/', '\\']).next().unwrap_or(path))
    }
}

impl PluginGroup for IllustratorPlugins {
    fn build(self) -> PluginGroupBuilder {
        let group = PluginGroupBuilder::start::<Self>()
            .add(IllustratorPlugin::default())
            .add(HotSwapPlugin::default())
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
            .init_resource::<StoryFormats>()
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
    }

    /// Starts after all plugins are added, because Bevy's plugins and story formats may be added after this one.
    fn finish(&self, app: &mut App) {
        let has_assets = app.world().contains_resource::<AssetServer>()
            && app.world().contains_resource::<Assets<Image>>();
        if has_assets {
            self.start(app);
        } else {
            error!("{NO_ASSETS}");
            app.insert_resource(IllustratorStatus::Failed(NO_ASSETS.to_owned()));
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

impl IllustratorPlugin {
    /// Adds the parts that need Bevy's asset plugins.
    fn start(&self, app: &mut App) {
        let root = asset_root(app);
        let formats = app.world().resource::<StoryFormats>().clone();
        let art_folder = self
            .art_folder
            .clone()
            .unwrap_or_else(|| root.join("illustrations").join(self.story.folder_name(&formats)));
        let art_folder = std::path::absolute(&art_folder).unwrap_or(art_folder);
        app.init_resource::<NewStory>();
        match self.draw_policy {
            DrawPolicy::Off => shipped::build(app, &art_folder, &root),
            policy => drive::build(app, art_folder, policy, self.registry.clone()),
        }
        app.insert_resource(AssetRoot(root));
        match &self.story {
            StoryInput::Components => {
                app.init_resource::<StoryMeta>()
                    .add_systems(PreUpdate, gather_story.in_set(IllustratorSystems::Read));
            }
            StoryInput::File(path) => story_asset::build(app, path.clone(), formats),
        }
    }
}

/// The folder that asset paths of the default source are relative to.
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
        let formats = StoryFormats::default();
        for (path, name) in [
            ("stories/painters_door.story.ron", "painters_door"),
            ("acts\\act.2.story.ron", "act.2"),
            ("stories/.ron", "story"),
        ] {
            assert_eq!(StoryInput::File(path.to_owned()).folder_name(&formats), name, "{path}");
        }
        assert_eq!(StoryInput::Components.folder_name(&formats), "story");
    }
}
