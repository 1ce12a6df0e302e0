//! Pictures behind handles: a [`Handle<Image>`] taken once shows every later picture of its shot.
//!
//! A new picture of the same size reaches everything that shows the handle, because Bevy writes it
//! into the texture that is there. A picture of another size is a new texture; UI nodes and sprites
//! find it by themselves, materials do not (their bind groups keep the old texture alive:
//! bevyengine/bevy#25433). [`HotSwapAppExt::hot_swap_material`] makes them.

mod materials;
mod picture;

pub use materials::HotSwapAppExt;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bevy::{
    asset::{AssetHandleProvider, AssetPath},
    log::error,
    prelude::*,
};

use crate::{
    project::{Project, Update as ProjectUpdate},
    schedule::{AssetRoot, CurrentStoryboard, IllustratorSystems},
    storyboard::{ShotId, Storyboard},
};

/// Keeps the [`Illustrations`]. Part of [`IllustratorPlugins`](crate::plugin::IllustratorPlugins).
#[derive(Clone, Copy, Debug, Default)]
pub struct HotSwapPlugin;

/// The images of all shots.
///
/// ```
/// # use bevy::prelude::*;
/// # use bevy_illustrator::prelude::*;
/// fn hang_the_map(illustrations: Res<Illustrations>, mut commands: Commands) -> Result {
///     let map = illustrations.handle(&ShotId::new("item-map")?);
///     commands.spawn(Sprite::from_image(map));
///     Ok(())
/// }
/// ```
#[derive(Resource)]
pub struct Illustrations {
    provider: AssetHandleProvider,
    placeholder: Handle<Image>,
    handles: Mutex<Handles>,
    /// Of a finished game: what loads its pictures, and the folder where they lie.
    finished: Option<(AssetServer, PathBuf)>,
}

#[derive(Default)]
struct Handles {
    by_shot: HashMap<ShotId, Handle<Image>>,
    /// Those that no image stands behind yet.
    fresh: Vec<ShotId>,
}

impl Illustrations {
    /// The image of a shot, for ever the same: a placeholder until there is a picture, then what
    /// [`Project::shown`](crate::project::Project::shown) says. In a finished game it is the file in `pictures`.
    #[must_use]
    pub fn handle(&self, shot: &ShotId) -> Handle<Image> {
        let mut handles = self.handles();
        if let Some(handle) = handles.by_shot.get(shot) {
            return handle.clone();
        }
        let handle = match &self.finished {
            Some((server, folder)) => server.load(folder.join(format!("{shot}.png"))),
            None => self.provider.reserve_handle().typed(),
        };
        handles.by_shot.insert(shot.clone(), handle.clone());
        handles.fresh.push(shot.clone());
        handle
    }

    /// What stands where the story asks for no picture.
    #[must_use]
    pub fn placeholder(&self) -> Handle<Image> {
        self.placeholder.clone()
    }

    /// From now on handles are those of files in a folder of the assets.
    pub(crate) fn load_from(&mut self, server: AssetServer, folder: PathBuf) {
        self.finished = Some((server, folder));
    }

    /// Nothing panics while it holds the lock, and a map of handles is whole at any time.
    fn handles(&self) -> MutexGuard<'_, Handles> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FromWorld for Illustrations {
    fn from_world(world: &mut World) -> Self {
        let mut images = world.resource_mut::<Assets<Image>>();
        Self {
            placeholder: images.add(picture::placeholder(picture::PLACEHOLDER_SIZE)),
            provider: images.get_handle_provider(),
            handles: Mutex::default(),
            finished: None,
        }
    }
}

impl Plugin for HotSwapPlugin {
    fn build(&self, app: &mut App) {
        start(app);
        app.add_systems(
            PostUpdate,
            (watch_pictures, show_pictures, fill_placeholders)
                .chain()
                .run_if(resource_exists::<Illustrations>)
                .in_set(IllustratorSystems::Swap),
        );
    }

    fn finish(&self, app: &mut App) {
        start(app);
    }
}

/// Needs Bevy's images, which may come with a plugin that is added later.
fn start(app: &mut App) {
    if app.world().contains_resource::<Assets<Image>>() {
        app.init_resource::<Illustrations>();
    }
}

/// Watches each shot whose handle was taken.
fn watch_pictures(illustrations: Res<Illustrations>, project: Option<ResMut<Project>>) {
    let Some(mut project) = project else { return };
    let project = project.bypass_change_detection();
    for shot in illustrations.handles().by_shot.keys() {
        if !project.is_watched(shot) {
            project.watch(shot);
        }
    }
}

/// Puts each new picture behind the handle of its shot, and a placeholder where there is none any more.
pub(crate) fn show_pictures(
    mut updates: MessageReader<ProjectUpdate>,
    illustrations: Res<Illustrations>,
    storyboard: CurrentStoryboard,
    mut images: ResMut<Assets<Image>>,
    root: Option<Res<AssetRoot>>,
    server: Option<Res<AssetServer>>,
) {
    for update in updates.read() {
        let (shot, image) = match update {
            ProjectUpdate::Picture { shot, image, .. } => (shot, picture::image(image.clone())),
            ProjectUpdate::NoPicture { shot } => (shot, placeholder(storyboard.get(), shot)),
            ProjectUpdate::Published { path, .. } => {
                if let (Some(root), Some(server)) = (&root, &server) {
                    reload(server, &root.0, path);
                }
                continue;
            }
            _ => continue,
        };
        let handle = illustrations.handle(shot);
        if let Err(error) = images.insert(handle.id(), image) {
            error!("the picture of shot {shot} cannot be shown: {error}");
        }
    }
}

/// A placeholder in the size that the picture of a shot will have.
fn placeholder(board: Option<&Storyboard>, shot: &ShotId) -> Image {
    let shot = board.and_then(|board| board.shot(shot));
    picture::placeholder(shot.map_or(picture::PLACEHOLDER_SIZE, |shot| shot.recipe.size))
}

/// Loads a picture file again for a game that loads it by its path.
fn reload(server: &AssetServer, root: &Path, file: &Path) {
    let Ok(path) = file.strip_prefix(root).map(|path| AssetPath::from(path.to_owned())) else {
        return;
    };
    if server.get_path_id(&path).is_some() {
        server.reload(path);
    }
}

/// Puts a placeholder behind each handle that was taken before there was a picture, in the size that
/// the picture will have, so that nothing moves when it comes.
pub(crate) fn fill_placeholders(
    illustrations: Res<Illustrations>,
    storyboard: CurrentStoryboard,
    mut images: ResMut<Assets<Image>>,
) {
    let mut handles = illustrations.handles();
    let fresh = std::mem::take(&mut handles.fresh);
    for shot in fresh {
        let Some(handle) = handles.by_shot.get(&shot) else { continue };
        if images.contains(handle.id()) {
            continue;
        }
        if let Err(error) = images.insert(handle.id(), placeholder(storyboard.get(), &shot)) {
            error!("the placeholder of shot {shot} cannot be shown: {error}");
        }
    }
}
