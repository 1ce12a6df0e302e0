//! The preview of the picture that is being painted.

use bevy::{asset::RenderAssetUsages, image::ImageSampler, prelude::*};
use bevy_illustrator::{
    plugin::IllustratorSystems,
    project::{Project, Update as ProjectUpdate},
    storyboard::ShotId,
};

/// The latest preview, with one pixel for each latent.
#[derive(Resource, Debug, Default)]
pub struct Preview(Option<(ShotId, Handle<Image>)>);

impl Preview {
    /// The preview of this shot, if the shot is being painted.
    #[must_use]
    pub fn of(&self, shot: &ShotId) -> Option<Handle<Image>> {
        self.0.as_ref().filter(|(of, _)| of == shot).map(|(_, image)| image.clone())
    }
}

pub(super) fn plugin(app: &mut App) {
    app.init_resource::<Preview>()
        .add_systems(PostUpdate, store_preview.in_set(IllustratorSystems::Swap));
}

/// Stores the preview of each step. Each shot gets an image of its own, so that a canvas can fade out the
/// old one.
fn store_preview(
    mut updates: MessageReader<ProjectUpdate>,
    project: Option<Res<Project>>,
    mut preview: ResMut<Preview>,
    mut images: ResMut<Assets<Image>>,
) -> Result {
    let stepped = updates.read().any(|update| matches!(update, ProjectUpdate::Progress(_)));
    let current = project.filter(|_| stepped).and_then(|project| project.studio().current());
    let Some(view) = current else { return Ok(()) };
    let Some(pixels) = view.progress.and_then(|progress| progress.preview) else { return Ok(()) };
    let srgb = true;
    let mut image =
        Image::from_dynamic((*pixels).clone().into(), srgb, RenderAssetUsages::RENDER_WORLD);
    image.sampler = ImageSampler::linear();
    match preview.of(&view.job.shot) {
        Some(handle) => images.insert(handle.id(), image)?,
        None => preview.0 = Some((view.job.shot, images.add(image))),
    }
    Ok(())
}
