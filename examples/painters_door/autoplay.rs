//! `--play`: the story reads itself, for films and for trying the game out.

use std::time::Duration;

use bevy::prelude::*;
use bevy_illustrator::project::Project;

use crate::novel::{
    NovelSystems, Screen, flow::Reading, intent::Intent, menu::Pick, scene_card::SceneCard,
    typing::Typing,
};

/// Reads the story from its beginning to one of its endings, then closes the game. Where there is a choice, it takes
/// the first.
pub struct AutoplayPlugin;

/// Seconds to look at a title or an ending, and at any page.
const PAUSE: f32 = 2.5;
/// Seconds more for each letter of a line.
const PER_LETTER: f32 = 0.02;

/// How long the reader has been looking at what is there.
#[derive(Resource, Default)]
struct Patience(Duration);

impl Plugin for AutoplayPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Patience>().add_systems(
            Update,
            play.run_if(resource_exists::<Project>)
                .run_if(not(any_with_component::<SceneCard>))
                .in_set(NovelSystems::Input),
        );
    }
}

fn play(
    time: Res<Time>,
    project: Res<Project>,
    screen: Res<Screen>,
    reading: Res<Reading>,
    typing: Res<Typing>,
    mut patience: ResMut<Patience>,
    mut intents: MessageWriter<Intent>,
    mut picks: MessageWriter<Pick>,
    mut exit: MessageWriter<AppExit>,
) {
    if *screen == Screen::Reading && !typing.is_done() {
        patience.0 = Duration::ZERO;
        return;
    }
    patience.0 += time.delta();
    let letters = if *screen == Screen::Reading { typing.text().chars().count() } else { 0 };
    if patience.0.as_secs_f32() < PAUSE + letters as f32 * PER_LETTER {
        return;
    }
    patience.0 = Duration::ZERO;
    let page = reading.0.as_ref().and_then(|reader| reader.page(project.story()));
    match (*screen, page) {
        (Screen::Reading, Some(page)) if page.ended => {
            exit.write(AppExit::Success);
        }
        (Screen::Title, _) => {
            picks.write(Pick::Begin);
        }
        _ => {
            intents.write(Intent::Confirm);
        }
    }
}
