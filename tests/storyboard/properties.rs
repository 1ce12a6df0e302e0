//! Properties of every story, including stories with many faults.

use std::{collections::HashSet, path::Path};

use bevy_illustrator::{
    recipe::{Sampler, SigmaSpacing, Size, Sizes, Style},
    story::{
        Character, Exit, Expression, Item, Line, Moment, Place, Scene, Story, check::check,
        format::ron::parse,
    },
    storyboard::ShotId,
};
use proptest::prelude::*;

use crate::{painters_door, plan, recipes};

/// Short ids: some are duplicates, unknown or invalid.
fn some_id() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "a-b", "a_b", "A", "a b", "", "../x"]).prop_map(Into::into)
}

/// Arbitrary text.
fn some_text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "\\PC{0,8}", ".{0,8}", some_id()]
}

prop_compose! {
    fn some_style()(
        words in some_text(), negative_prompt in some_text(), model in some_text(), seed in any::<u64>(),
        scheduler in prop::option::of(prop::sample::select(vec!["DDIMScheduler", "EulerDiscreteScheduler"])),
        steps in prop::option::of(any::<u32>()), guidance_scale in prop::option::of(-1e9_f32..1e9),
        guidance_rescale in prop::option::of(-1e9_f32..1e9),
        sigmas in prop::option::of(prop::sample::select(SigmaSpacing::ALL.to_vec())),
        side in any::<u32>(),
    ) -> Style {
        let sizes = Sizes { item: Some(Size::new(side, 64)), ..Sizes::default() };
        let scheduler = scheduler.map(str::to_owned);
        Style { words, negative_prompt, model, sampler: Sampler { scheduler, sigmas, steps, guidance_scale, guidance_rescale, ..Sampler::default() }, sizes, seed, ..Style::default() }
    }
}

prop_compose! {
    fn some_line()(
        speaker in prop::option::of(some_id()), text in some_text(),
        expression in prop::option::of(some_id()),
        moment in prop::option::of((some_id(), some_text())), item in prop::option::of(some_id()),
    ) -> Line {
        let moment = moment.map(|(id, words)| Moment { id, words });
        Line { speaker, text, expression, moment, item }
    }
}

prop_compose! {
    fn some_scene()(
        [id, place] in [some_id(), some_id()],
        [time, weather, mood] in [some_text(), some_text(), some_text()],
        lines in prop::collection::vec(some_line(), 0..5),
        exits in prop::collection::vec((some_id(), some_text()), 0..3),
        ending in prop::option::of(some_text()),
    ) -> Scene {
        let exits = exits.into_iter().map(|(to, text)| Exit { to, text }).collect();
        Scene { id, place, time, weather, mood, lines, exits, ending }
    }
}

prop_compose! {
    /// An arbitrary story, usually with many faults.
    fn some_story()(
        title in some_text(), start in some_id(),
        style in some_style(),
        characters in prop::collection::vec((some_id(), some_text(), prop::option::of(some_text()),
            prop::collection::vec((some_id(), some_text()), 0..3)), 0..3),
        places in prop::collection::vec((some_id(), some_text()), 0..3),
        items in prop::collection::vec((some_id(), some_text()), 0..3),
        scenes in prop::collection::vec(some_scene(), 0..5),
    ) -> Story {
        let character = |(id, looks, colour, expressions): (_, String, _, Vec<_>)| {
            let expression = |(id, words)| Expression { id, words };
            let expressions = expressions.into_iter().map(expression).collect();
            Character { id, name: looks.clone(), looks, colour, expressions, negative_prompt: "x".into() }
        };
        let place = |(id, looks): (_, String)| {
            Place { id, name: looks.clone(), looks, negative_prompt: String::new() }
        };
        let item = |(id, looks): (_, String)| Item { id, name: looks.clone(), looks };
        Story {
            title, start, style, scenes,
            characters: characters.into_iter().map(character).collect(),
            places: places.into_iter().map(place).collect(),
            items: items.into_iter().map(item).collect(),
        }
    }
}

proptest! {
    #[test]
    fn a_story_survives_a_round_trip_through_ron(story in some_story()) {
        let text = ron::ser::to_string_pretty(&story, ron::ser::PrettyConfig::new()).unwrap();
        prop_assert_eq!(parse(&text, Path::new("s.story.ron")).unwrap(), story.clone());
        let dense = ron::to_string(&story).unwrap();
        prop_assert_eq!(parse(dense, Path::new("s.story.ron")).unwrap(), story);
    }

    #[test]
    fn a_story_with_faults_can_be_checked_and_planned(story in some_story()) {
        let _ = check(&story);
        let board = plan(&story);
        let all: HashSet<_> = board.shots().iter().map(|shot| shot.id.as_str().to_lowercase()).collect();
        prop_assert_eq!(all.len(), board.shots().len(), "two shots share an id");
        for shot in board.shots() {
            prop_assert!(ShotId::new(shot.id.as_str()).is_ok());
            prop_assert_eq!(&board.shot(&shot.id).unwrap().recipe, &shot.recipe);
        }
    }

    #[test]
    fn moving_scenes_and_inserting_lines_keeps_every_recipe(
        order in Just((0..17).collect::<Vec<usize>>()).prop_shuffle(),
        at in prop::collection::vec((0..17_usize, 0..5_usize), 0..20),
    ) {
        let before = painters_door();
        prop_assert_eq!(before.scenes.len(), order.len());
        let mut after = before.clone();
        for (scene, line) in at {
            let text = Line { text: "And so on.".into(), ..Line::default() };
            after.scenes[scene].lines.insert(line, text);
        }
        after.scenes = order.iter().map(|&scene| after.scenes[scene].clone()).collect();
        let (before, after) = (plan(&before), plan(&after));
        prop_assert_eq!(recipes(&before), recipes(&after));
    }
}
