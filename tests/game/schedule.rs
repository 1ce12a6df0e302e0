//! The order of the systems.

use bevy::{
    ecs::schedule::{LogLevel, ScheduleBuildSettings},
    prelude::*,
};
use bevy_illustrator::prelude::*;

use crate::{common::Fakes, support::*};

/// Bevy reports two systems that access the same data in no defined order.
#[test]
fn no_two_systems_run_in_an_ambiguous_order() {
    let inputs = [StoryInput::Components, StoryInput::File(STORY_FILE.into())];
    for story in inputs {
        for draw_policy in [DrawPolicy::Auto, DrawPolicy::Off] {
            let (game, painter) = (Game::with_story(), Fakes::default());
            let mut app = game.start_with(IllustratorPlugin {
                story: story.clone(),
                draw_policy,
                ..plugin(&painter)
            });
            app.configure_schedules(ScheduleBuildSettings {
                ambiguity_detection: LogLevel::Error,
                ..default()
            });
            // Building a schedule with an ambiguity panics.
            (0..3).for_each(|_| app.update());
        }
    }
}
