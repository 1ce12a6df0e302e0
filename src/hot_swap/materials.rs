//! Materials that follow their images.

use std::collections::{HashMap, HashSet};

use bevy::{
    asset::{AssetMut, UntypedAssetId},
    prelude::*,
};

use crate::schedule::IllustratorSystems;

/// Makes materials follow images that change their size.
pub trait HotSwapAppExt {
    /// Makes all materials of type `M` show the new texture when an image that they use changes its
    /// size; Bevy 0.19 leaves them with the old one.
    ///
    /// Materials that name their images with `#[dependency]` are prepared again when one of those
    /// changed; materials that name none (Bevy's own [`ColorMaterial`] does not) whenever any image
    /// did. Images change their size seldom, so this costs next to nothing.
    ///
    /// ```
    /// # use bevy::prelude::*;
    /// # use bevy_illustrator::prelude::*;
    /// # let mut app = App::new();
    /// app.hot_swap_material::<ColorMaterial>();
    /// ```
    ///
    /// [`ColorMaterial`]: https://docs.rs/bevy/0.19/bevy/prelude/struct.ColorMaterial.html
    fn hot_swap_material<M: Asset>(&mut self) -> &mut Self;
}

impl HotSwapAppExt for App {
    fn hot_swap_material<M: Asset>(&mut self) -> &mut Self {
        self.add_systems(
            PostUpdate,
            touch_materials::<M>
                .run_if(resource_exists::<Assets<M>>)
                .run_if(resource_exists::<Assets<Image>>)
                .in_set(IllustratorSystems::Swap),
        )
    }
}

/// Marks the materials as modified whose images changed their size.
///
/// The change of an image is read one frame late: its texture is then surely prepared, and the bind
/// group that is made anew finds it.
fn touch_materials<M: Asset>(
    mut changes: MessageReader<AssetEvent<Image>>,
    mut sizes: Local<HashMap<AssetId<Image>, UVec2>>,
    images: Res<Assets<Image>>,
    mut materials: ResMut<Assets<M>>,
) {
    let mut resized = HashSet::new();
    for change in changes.read() {
        match *change {
            AssetEvent::Added { id } | AssetEvent::Modified { id } => {
                let Some(size) = images.get(id).map(Image::size) else { continue };
                if sizes.insert(id, size).is_some_and(|before| before != size) {
                    resized.insert(id.untyped());
                }
            }
            AssetEvent::Removed { id } => {
                sizes.remove(&id);
            }
            AssetEvent::Unused { .. } | AssetEvent::LoadedWithDependencies { .. } => {}
        }
    }
    if resized.is_empty() {
        return;
    }
    let stale: Vec<_> = materials
        .iter()
        .filter(|(_, material)| may_show(*material, &resized))
        .map(|(id, _)| id)
        .collect();
    for id in stale {
        // Only `into_inner` marks an asset as modified without changing it.
        materials.get_mut(id).map(AssetMut::into_inner);
    }
}

/// Whether a material shows one of these images, as far as it tells.
fn may_show<M: Asset>(material: &M, images: &HashSet<UntypedAssetId>) -> bool {
    let (mut names_any, mut names_one) = (false, false);
    material.visit_dependencies(&mut |id| {
        names_any = true;
        names_one |= images.contains(&id);
    });
    names_one || !names_any
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A material that names its image.
    #[derive(Asset, TypePath)]
    struct Named(#[dependency] Handle<Image>);

    /// A material that does not.
    #[derive(Asset, TypePath)]
    struct Unnamed(Handle<Image>);

    #[test]
    fn only_materials_that_may_show_an_image_are_touched() {
        let mut images = Assets::<Image>::default();
        let (ours, other) = (images.add(Image::default()), images.add(Image::default()));
        let resized = HashSet::from([ours.id().untyped()]);
        assert!(may_show(&Named(ours), &resized));
        assert!(!may_show(&Named(other.clone()), &resized));
        let unnamed = Unnamed(other);
        assert!(may_show(&unnamed, &resized), "it does not tell, so it may ({:?})", unnamed.0);
    }
}
