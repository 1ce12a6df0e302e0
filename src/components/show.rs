//! Shows pictures on entities.

use bevy::{ecs::entity::EntityHashMap, prelude::*};

use super::{Illustration, IllustrationImage};
use crate::{
    hot_swap::Illustrations,
    project::Update as ProjectUpdate,
    schedule::{CurrentStoryboard, Notices},
};

/// Sets the image of each [`Illustration`] that changed, and of all of them after the storyboard was
/// planned.
///
/// An illustration that the story does not have is reported one frame later: the story is gathered in the next
/// frame with the entities of this one.
pub(super) fn resolve_illustrations(
    storyboard: CurrentStoryboard,
    illustrations: Res<Illustrations>,
    mut updates: MessageReader<ProjectUpdate>,
    mut entities: Query<(Entity, Ref<Illustration>, &mut IllustrationImage)>,
    mut missing: Local<EntityHashMap<Illustration>>,
    mut notices: ResMut<Notices>,
) {
    let planned = updates.read().any(|update| matches!(update, ProjectUpdate::Planned));
    let all = planned || storyboard.is_opened();
    let missed_before = std::mem::take(&mut *missing);
    for (entity, illustration, mut image) in &mut entities {
        let missed = missed_before.get(&entity);
        if !all && !illustration.is_changed() && missed.is_none() {
            continue;
        }
        let shot = storyboard.get().map(|board| illustration.shot(board));
        if shot == Some(None) && *illustration != Illustration::default() {
            if missed == Some(&*illustration) {
                notices.report(format!(
                    "the story has no {}: check the id, or add it to the story",
                    *illustration
                ));
            } else {
                missing.insert(entity, Illustration::clone(&illustration));
            }
        }
        let handle = match shot.flatten() {
            Some(shot) => illustrations.handle(&shot),
            None => illustrations.placeholder(),
        };
        image.set_if_neq(IllustrationImage(handle));
    }
}

/// Copies the image to UI nodes and sprites.
pub(super) fn show_illustrations(
    mut entities: Query<
        (&IllustrationImage, Option<&mut ImageNode>, Option<&mut Sprite>),
        (With<Illustration>, Or<(Changed<IllustrationImage>, Changed<ImageNode>, Changed<Sprite>)>),
    >,
) {
    for (image, node, sprite) in &mut entities {
        if let Some(mut node) = node
            && node.image != image.0
        {
            node.image = image.0.clone();
        }
        if let Some(mut sprite) = sprite
            && sprite.image != image.0
        {
            sprite.image = image.0.clone();
        }
    }
}
