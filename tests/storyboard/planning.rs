//! The shots of a story: their order and their recipes.

use std::collections::{BTreeMap, BTreeSet};

use bevy_illustrator::{
    recipe::Recipe,
    storyboard::{Shot, ShotKind},
};

use crate::{ids, inn, painters_door, plan, shot};

#[test]
fn shots_are_in_reading_order() {
    let board = plan(&inn());
    assert_eq!(
        ids(&board)[..7],
        [
            "background-inn-at_night-in_the_rain-calm",
            "portrait-mira",
            "portrait-odo-with_a_wry_smile",
            "item-key",
            "portrait-mira-glad",
            "moment-the_key",
            "background-road-at_dawn",
        ]
    );
    assert_eq!(ids(&board)[7], "portrait-mira-very_sad");
    assert!(
        ids(&board)[8].starts_with("portrait-mira-very_sad__"),
        "free text instead of an expression of the sheet"
    );
    assert_eq!(ids(&board)[9..], ["item-map"], "items that no line shows come last");
}

#[test]
fn a_recipe_combines_sheets_scene_and_style() {
    let board = plan(&inn());
    let recipe = |id| {
        let Recipe { prompt, negative_prompt, .. } = shot(&board, id).recipe.clone();
        (prompt, negative_prompt)
    };
    let expected =
        |prompt: &str, negative_prompt: &str| (prompt.to_owned(), negative_prompt.to_owned());
    assert_eq!(
        recipe("background-inn-at_night-in_the_rain-calm"),
        expected("a cosy room, at night, in the rain, calm, ink drawing", "text, people")
    );
    assert_eq!(
        recipe("portrait-mira-glad"),
        expected("portrait of a girl, smiling, ink drawing", "text, hat")
    );
    assert_eq!(recipe("portrait-mira"), expected("portrait of a girl, ink drawing", "text, hat"));
    assert_eq!(
        recipe("portrait-odo-with_a_wry_smile"),
        expected("portrait of a knight, with a wry smile, ink drawing", "text")
    );
    assert_eq!(recipe("moment-the_key"), expected("a girl finds a key, ink drawing", "text"));
    assert_eq!(recipe("item-key"), expected("a red key, ink drawing", "text"));
}

#[test]
fn every_piece_of_a_prompt_names_its_source() {
    let board = plan(&inn());
    let sources = |id| {
        let pieces = shot(&board, id).sources.iter();
        pieces.map(|piece| format!("{} <- {}", piece.words, piece.from)).collect::<Vec<_>>()
    };
    assert_eq!(
        sources("background-inn-at_night-in_the_rain-calm"),
        [
            "a cosy room <- place inn: looks",
            "at night <- scene evening: time",
            "in the rain <- scene evening: weather",
            "calm <- scene evening: mood",
            "ink drawing <- style: words",
        ]
    );
    assert_eq!(
        sources("portrait-mira-glad"),
        [
            "portrait of a girl <- character mira: looks",
            "smiling <- character mira: expression glad",
            "ink drawing <- style: words",
        ]
    );
    for shot in plan(&painters_door()).shots() {
        let words: Vec<_> = shot.sources.iter().map(|piece| piece.words.as_str()).collect();
        assert_eq!(words.join(", "), shot.recipe.prompt);
    }
}

#[test]
fn scenes_with_equal_place_time_weather_and_mood_share_a_background() {
    let board = plan(&inn());
    let background = shot(&board, "background-inn-at_night-in_the_rain-calm");
    assert_eq!(background.scenes, ["evening", "back"]);
    assert_eq!(board.background("back").unwrap().id, background.id);
    assert_eq!(shot(&board, "portrait-mira-glad").scenes, ["evening", "morning"]);
    assert!(shot(&board, "item-map").scenes.is_empty());
}

#[test]
fn every_line_has_its_shots() {
    let story = painters_door();
    let board = plan(&story);
    for scene in &story.scenes {
        let shows = |shot: Option<&Shot>, kind| {
            let shot = shot.unwrap_or_else(|| panic!("scene {} lacks a {kind:?}", scene.id));
            assert_eq!(shot.kind, kind);
            assert!(shot.scenes.contains(&scene.id));
        };
        shows(board.background(&scene.id), ShotKind::Background);
        for line in &scene.lines {
            if let Some(speaker) = &line.speaker {
                shows(board.portrait(speaker, line.expression.as_deref()), ShotKind::Portrait);
            }
            if let Some(moment) = &line.moment {
                shows(board.moment(&moment.id), ShotKind::Moment);
            }
            if let Some(item) = &line.item {
                shows(board.item(item), ShotKind::Item);
            }
        }
    }
    assert!(board.background("nowhere").is_none());
    assert!(board.portrait("nobody", None).is_none());
    assert!(board.portrait("ines", Some("furious")).is_none(), "no line uses it");
}

#[test]
fn all_shots_of_a_character_or_place_share_a_seed() {
    let board = plan(&painters_door());
    let mut families: BTreeMap<(ShotKind, &str), BTreeSet<u64>> = BTreeMap::new();
    for shot in board.shots() {
        let id = shot.id.as_str().split('-').nth(1).unwrap();
        families.entry((shot.kind, id)).or_default().insert(shot.recipe.seed);
    }
    assert!(families.values().all(|seeds| seeds.len() == 1), "{families:?}");
    let seeds: BTreeSet<_> = families.values().flatten().collect();
    assert_eq!(seeds.len(), families.len(), "two families share a seed");
}

#[test]
fn a_sheet_without_looks_uses_its_name() {
    let mut story = inn();
    story.places[0].looks.clear();
    story.characters[0].looks.clear();
    story.items[1].looks = " ".into();
    let board = plan(&story);
    let prompt = |id| shot(&board, id).recipe.prompt.as_str();
    assert_eq!(prompt("portrait-mira"), "portrait of Mira, ink drawing");
    assert_eq!(prompt("item-key"), "A key, ink drawing");
    assert!(prompt("background-inn-at_night-in_the_rain-calm").starts_with("The inn, at night"));
}
