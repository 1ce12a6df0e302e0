//! The menu of a scene's exits.

use bevy::prelude::*;
use bevy_illustrator::project::Project;

use super::{
    NovelSystems,
    flow::Reading,
    frame::Rise,
    menu::{Pick, spawn_menu},
    theme::Fonts,
    typing::Typing,
};

/// The parent node of the choices.
#[derive(Component, Debug)]
pub struct ChoicesSlot;

pub(super) fn plugin(app: &mut App) {
    app.add_systems(
        Update,
        (remove_choices, offer_choices)
            .chain()
            .run_if(resource_exists::<Project>)
            .in_set(NovelSystems::Show),
    );
}

fn remove_choices(
    reading: Res<Reading>,
    slot: Option<Single<Entity, (With<ChoicesSlot>, With<Children>)>>,
    mut commands: Commands,
) {
    if let Some(slot) = slot.filter(|_| reading.is_changed()) {
        commands.entity(*slot).despawn_children();
    }
}

/// Shows the choices once the line before them is typed.
fn offer_choices(
    reading: Res<Reading>,
    typing: Res<Typing>,
    project: Res<Project>,
    fonts: Res<Fonts>,
    slot: Option<Single<Entity, (With<ChoicesSlot>, Without<Children>)>>,
    mut commands: Commands,
) {
    let Some(slot) = slot.filter(|_| typing.is_done()) else { return };
    let story = project.story();
    let Some(page) = reading.0.as_ref().and_then(|reader| reader.page(story)) else { return };
    let choices: Vec<_> = page
        .choices
        .iter()
        .enumerate()
        .map(|(at, exit)| {
            let leads = story.scene(&exit.to).and_then(|scene| story.place(&scene.place));
            let place = leads.map_or(exit.to.as_str(), |place| &place.name);
            let words = if exit.text.is_empty() { place } else { &exit.text };
            (words.to_owned(), Pick::Exit(at))
        })
        .collect();
    if !choices.is_empty() {
        commands
            .entity(*slot)
            .insert(Rise::now())
            .with_children(|slot| spawn_menu(slot, &fonts, &choices));
    }
}
