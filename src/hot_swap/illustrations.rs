//! The image handles of shots.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bevy::{
    asset::{AssetHandleProvider, RenderAssetUsages},
    prelude::*,
};

use super::picture;
use crate::storyboard::ShotId;

/// The image handles of all shots.
///
/// A picture is loaded when its handle is first requested, and released some seconds after the last clone of the
/// handle is dropped. An [`Illustration`](crate::components::Illustration) holds a clone while it exists.
///
/// ```
/// # use bevy::prelude::*;
/// # use bevy_illustrator::prelude::*;
/// fn spawn_map(illustrations: Res<Illustrations>, mut commands: Commands) -> Result {
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
    /// With [`DrawPolicy::Off`](crate::plugin::DrawPolicy::Off): the server and the asset folder that
    /// pictures are loaded from.
    shipped: Option<(AssetServer, PathBuf)>,
}

#[derive(Default)]
struct Handles {
    by_shot: HashMap<ShotId, Slot>,
    /// The shots whose handle has no image yet.
    new: Vec<ShotId>,
}

struct Slot {
    handle: Handle<Image>,
    /// Whether no clone existed at the last search.
    unused: bool,
}

impl Slot {
    /// Whether a clone of the handle exists.
    fn is_held(&self) -> bool {
        match &self.handle {
            Handle::Strong(handle) => Arc::strong_count(handle) > 1,
            Handle::Uuid(..) => true,
        }
    }
}

impl Illustrations {
    /// The image of a shot. It shows a placeholder until there is a picture, and then each later picture
    /// that [`Project::shown`](crate::project::Project::shown) returns. With
    /// [`DrawPolicy::Off`](crate::plugin::DrawPolicy::Off) it is the file in the folder `pictures`.
    ///
    /// The handle of a shot stays the same while a clone of it exists.
    #[must_use]
    pub fn handle(&self, shot: &ShotId) -> Handle<Image> {
        let mut handles = self.handles();
        if let Some(slot) = handles.by_shot.get(shot) {
            return slot.handle.clone();
        }
        let handle = match &self.shipped {
            Some((server, folder)) => server.load(folder.join(format!("{shot}.png"))),
            None => self.provider.reserve_handle().typed(),
        };
        handles.by_shot.insert(shot.clone(), Slot { handle: handle.clone(), unused: false });
        handles.new.push(shot.clone());
        handle
    }

    /// The image for an illustration that is not in the story.
    #[must_use]
    pub fn placeholder(&self) -> Handle<Image> {
        self.placeholder.clone()
    }

    /// Loads the pictures from a folder of the assets.
    pub(crate) fn load_from(&mut self, server: AssetServer, folder: PathBuf) {
        self.shipped = Some((server, folder));
    }

    /// The image of a shot whose handle is in use.
    pub(super) fn in_use(&self, shot: &ShotId) -> Option<AssetId<Image>> {
        self.handles().by_shot.get(shot).map(|slot| slot.handle.id())
    }

    /// Calls a function with each shot whose handle is in use.
    pub(super) fn for_each_shot(&self, f: impl FnMut(&ShotId)) {
        self.handles().by_shot.keys().for_each(f);
    }

    /// The shots and images of the handles that were created since the last call.
    pub(super) fn drain_new(&self) -> Vec<(ShotId, AssetId<Image>)> {
        let mut handles = self.handles();
        let new = std::mem::take(&mut handles.new);
        let with_image = |shot: ShotId| {
            let id = handles.by_shot.get(&shot)?.handle.id();
            Some((shot, id))
        };
        new.into_iter().filter_map(with_image).collect()
    }

    /// Drops the handles without clones in the last search and in this one, which frees their images. Returns
    /// their shots.
    pub(super) fn release_unused(&self) -> Vec<ShotId> {
        let mut released = Vec::new();
        self.handles().by_shot.retain(|shot, slot| {
            let unused = !slot.is_held();
            let is_used = !(unused && slot.unused);
            slot.unused = unused;
            if !is_used {
                released.push(shot.clone());
            }
            is_used
        });
        released
    }

    /// The map stays valid if a thread panics while it holds the lock.
    fn handles(&self) -> MutexGuard<'_, Handles> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FromWorld for Illustrations {
    fn from_world(world: &mut World) -> Self {
        let mut images = world.resource_mut::<Assets<Image>>();
        let placeholder =
            picture::placeholder(picture::PLACEHOLDER_SIZE, RenderAssetUsages::default());
        Self {
            placeholder: images.add(placeholder),
            provider: images.get_handle_provider(),
            handles: Mutex::default(),
            shipped: None,
        }
    }
}
