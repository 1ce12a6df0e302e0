//! What the picture that is being painted looks like so far.

use bevy::{asset::RenderAssetUsages, image::ImageSampler, prelude::*};
use bevy_illustrator::{
    plugin::IllustratorSystems,
    project::{Project, Update as ProjectUpdate},
    storyboard::ShotId,
};

/// The latest preview: one pixel for each latent, so a few dabs of colour.
#[derive(Resource, Debug, Default)]
pub struct Preview(Option<(ShotId, Handle<Image>)>);

impl Preview {
    /// The image of this shot's preview, if it is the shot that is being painted.
    #[must_use]
    pub fn of(&self, shot: &ShotId) -> Option<Handle<Image>> {
        self.0.as_ref().filter(|(of, _)| of == shot).map(|(_, image)| image.clone())
    }
}

pub(super) fn plugin(app: &mut App) {
    app.init_resource::<Preview>()
        .add_systems(PostUpdate, keep_preview.in_set(IllustratorSystems::Swap));
}

/// Keeps the preview of each step. Another shot gets another image, so that a canvas can let the old
/// one fade.
fn keep_preview(
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
