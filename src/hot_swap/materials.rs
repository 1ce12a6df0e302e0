//! Materials that show images of changing size.

use std::collections::{HashMap, HashSet};

use bevy::{
    asset::{AssetMut, UntypedAssetId},
    prelude::*,
};

use crate::schedule::IllustratorSystems;

/// Updates materials when the size of an image changes.
pub trait HotSwapAppExt {
    /// Prepares materials of type `M` again when the size of an image that they use changes. Bevy 0.19
    /// would keep the old texture.
    ///
    /// A material that declares its images with `#[dependency]` is prepared again when one of them changes
    /// its size. A material that declares none, such as Bevy's own [`ColorMaterial`], is prepared again when
    /// any image does.
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
/// It reads the change of an image one frame late, after the texture is prepared, so that the new bind group
/// uses it.
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

/// Whether a material may show one of these images, according to the images that it declares.
fn may_show<M: Asset>(material: &M, images: &HashSet<UntypedAssetId>) -> bool {
    let (mut declares_any, mut declares_one) = (false, false);
    material.visit_dependencies(&mut |id| {
        declares_any = true;
        declares_one |= images.contains(&id);
    });
    declares_one || !declares_any
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A material that declares its image.
    #[derive(Asset, TypePath)]
    struct Named(#[dependency] Handle<Image>);

    /// A material that does not declare its image.
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
        assert!(
            may_show(&unnamed, &resized),
            "it declares no image, so it may show any ({:?})",
            unnamed.0
        );
    }
}
