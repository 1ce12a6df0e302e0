//! `--play`: plays the story without a reader, for recordings and for tests.

use std::time::Duration;

use bevy::prelude::*;
use bevy_illustrator::project::Project;

use crate::novel::{
    NovelSystems, Screen, flow::Reading, intent::Intent, menu::Pick, scene_card::SceneCard,
    typing::Typing,
};

/// Plays the story from its beginning to an ending, then closes the game. It chooses the first exit of each
/// choice.
pub struct AutoplayPlugin;

/// Seconds on the title, on an ending and on each page.
const PAUSE: f32 = 2.5;
/// Additional seconds for each letter of a line.
const PER_LETTER: f32 = 0.02;

/// The time since the page was typed completely.
#[derive(Resource, Default)]
struct PageTime(Duration);

impl Plugin for AutoplayPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<PageTime>().add_systems(
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
    mut page_time: ResMut<PageTime>,
    mut intents: MessageWriter<Intent>,
    mut picks: MessageWriter<Pick>,
    mut exit: MessageWriter<AppExit>,
) {
    if *screen == Screen::Reading && !typing.is_done() {
        page_time.0 = Duration::ZERO;
        return;
    }
    page_time.0 += time.delta();
    let letters = if *screen == Screen::Reading { typing.text().chars().count() } else { 0 };
    if page_time.0.as_secs_f32() < PAUSE + letters as f32 * PER_LETTER {
        return;
    }
    page_time.0 = Duration::ZERO;
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
