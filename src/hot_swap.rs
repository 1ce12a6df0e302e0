//! Pictures behind handles: a [`Handle<Image>`] of a shot shows every later picture of the shot.
//!
//! Bevy writes a new picture of the same size into the existing texture, so that everything that uses the
//! handle shows it. A picture of another size is a new texture. UI nodes and sprites find it themselves;
//! materials do not, because their bind groups keep the old texture (bevyengine/bevy#25433). Call
//! [`HotSwapAppExt::hot_swap_material`] for them.
//!
//! A picture is in memory only while a handle of its shot exists. See [`Illustrations`].

mod illustrations;
mod materials;
mod picture;

pub use illustrations::Illustrations;
pub use materials::HotSwapAppExt;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use bevy::{
    asset::{AssetPath, RenderAssetUsages},
    image::CompressedImageFormatSupport,
    log::error,
    prelude::*,
};

use crate::{
    project::{Project, Update as ProjectUpdate},
    schedule::{AssetRoot, CurrentStoryboard, IllustratorSystems},
    storyboard::{ShotId, Storyboard},
};

/// Keeps the [`Illustrations`]. Part of [`IllustratorPlugins`](crate::plugin::IllustratorPlugins).
#[derive(Clone, Copy, Debug)]
pub struct HotSwapPlugin {
    /// The time between two searches for unused pictures. A picture is released if its handle is unused in two
    /// successive searches. A handle that is dropped and soon requested again therefore keeps its picture.
    pub release_interval: Duration,
    /// Whether the images keep their pixels in main memory, for a game that reads them. Otherwise the
    /// pixels are only in the memory of the graphics adapter. Without an adapter this has no effect.
    pub keep_pixels: bool,
}

impl Default for HotSwapPlugin {
    fn default() -> Self {
        Self { release_interval: Duration::from_secs(2), keep_pixels: false }
    }
}

impl Plugin for HotSwapPlugin {
    fn build(&self, app: &mut App) {
        start(app);
        app.insert_resource(Settings(*self)).add_systems(
            PostUpdate,
            (release_unused, watch_pictures, show_pictures, fill_placeholders)
                .chain()
                .run_if(resource_exists::<Illustrations>)
                .in_set(IllustratorSystems::Swap),
        );
    }

    fn finish(&self, app: &mut App) {
        start(app);
    }
}

/// The settings of the plugin.
#[derive(Resource)]
pub(crate) struct Settings(HotSwapPlugin);

/// Adds the [`Illustrations`]. They need Bevy's images, whose plugin may be added later.
fn start(app: &mut App) {
    if app.world().contains_resource::<Assets<Image>>() {
        app.init_resource::<Illustrations>();
    }
}

/// Releases the pictures whose handles are unused.
fn release_unused(
    illustrations: Res<Illustrations>,
    settings: Res<Settings>,
    mut last_search: Local<Option<Instant>>,
    project: Option<ResMut<Project>>,
) {
    let last = *last_search.get_or_insert_with(Instant::now);
    if last.elapsed() < settings.0.release_interval {
        return;
    }
    *last_search = Some(Instant::now());
    let released = illustrations.release_unused();
    if let Some(mut project) = project {
        let project = project.bypass_change_detection();
        released.iter().for_each(|shot| project.unwatch(shot));
    }
}

/// Watches the shots whose handles are in use.
fn watch_pictures(illustrations: Res<Illustrations>, project: Option<ResMut<Project>>) {
    let Some(mut project) = project else { return };
    let project = project.bypass_change_detection();
    illustrations.for_each_shot(|shot| {
        if !project.is_watched(shot) {
            project.watch(shot);
        }
    });
}

/// Puts each new picture behind the handle of its shot, or a placeholder if the shot no longer has a picture.
pub(crate) fn show_pictures(
    mut updates: MessageReader<ProjectUpdate>,
    illustrations: Res<Illustrations>,
    storyboard: CurrentStoryboard,
    mut images: ResMut<Assets<Image>>,
    memory: PictureMemory,
    root: Option<Res<AssetRoot>>,
    server: Option<Res<AssetServer>>,
) {
    let usages = memory.usages();
    for update in updates.read() {
        let (shot, image) = match update {
            ProjectUpdate::Picture { shot, image, .. } => {
                if illustrations.in_use(shot).is_none() {
                    continue;
                }
                (shot, picture::image(image.clone(), usages))
            }
            ProjectUpdate::NoPicture { shot } => {
                (shot, placeholder(storyboard.get(), shot, usages))
            }
            ProjectUpdate::Published { path, .. } => {
                if let (Some(root), Some(server)) = (&root, &server) {
                    reload(server, &root.0, path);
                }
                continue;
            }
            _ => continue,
        };
        let Some(handle) = illustrations.in_use(shot) else { continue };
        if let Err(error) = images.insert(handle, image) {
            error!("the picture of shot {shot} cannot be shown: {error}");
        }
    }
}

/// The memory that holds the pixels of pictures.
#[derive(bevy::ecs::system::SystemParam)]
pub(crate) struct PictureMemory<'w> {
    settings: Option<Res<'w, Settings>>,
    /// Bevy adds it when there is a graphics adapter.
    adapter: Option<Res<'w, CompressedImageFormatSupport>>,
}

impl PictureMemory<'_> {
    fn usages(&self) -> RenderAssetUsages {
        let keeps_pixels = self.settings.as_ref().is_some_and(|settings| settings.0.keep_pixels);
        if self.adapter.is_some() && !keeps_pixels {
            RenderAssetUsages::RENDER_WORLD
        } else {
            RenderAssetUsages::default()
        }
    }
}

/// A placeholder of the size that the picture of a shot will have.
fn placeholder(board: Option<&Storyboard>, shot: &ShotId, usages: RenderAssetUsages) -> Image {
    let shot = board.and_then(|board| board.shot(shot));
    let size = shot.map_or(picture::PLACEHOLDER_SIZE, |shot| shot.recipe.size);
    picture::placeholder(size, usages)
}

/// Reloads a picture file for a game that loads it by its path.
fn reload(server: &AssetServer, root: &Path, file: &Path) {
    let Ok(path) = file.strip_prefix(root).map(|path| AssetPath::from(path.to_owned())) else {
        return;
    };
    if server.get_path_id(&path).is_some() {
        server.reload(path);
    }
}

/// Puts a placeholder behind each new handle. It has the size of the picture, so that the
/// layout stays the same when the picture arrives.
pub(crate) fn fill_placeholders(
    illustrations: Res<Illustrations>,
    storyboard: CurrentStoryboard,
    memory: PictureMemory,
    mut images: ResMut<Assets<Image>>,
) {
    for (shot, handle) in illustrations.drain_new() {
        if images.contains(handle) {
            continue;
        }
        let image = placeholder(storyboard.get(), &shot, memory.usages());
        if let Err(error) = images.insert(handle, image) {
            error!("the placeholder of shot {shot} cannot be shown: {error}");
        }
    }
}
