//! Every fault has a message with its place and the remedy.

use super::*;
use crate::{
    recipe::{GuidanceInterval, Lora, Size},
    story::{Character, Exit, Expression, Item, Moment, Place},
};

/// Two scenes in one place, with one character, one item and no fault.
fn valid_story() -> Story {
    let line = |text: &str| Line { text: text.into(), ..Line::default() };
    Story {
        title: "A test".into(),
        characters: vec![Character {
            id: "mira".into(),
            looks: "a girl".into(),
            colour: Some("#F2a65a".into()),
            expressions: vec![Expression { id: "glad".into(), words: "smiling".into() }],
            ..Character::default()
        }],
        places: vec![Place { id: "inn".into(), looks: "a room".into(), ..Place::default() }],
        items: vec![Item { id: "key".into(), looks: "a key".into(), ..Item::default() }],
        scenes: vec![
            Scene {
                id: "one".into(),
                place: "inn".into(),
                lines: vec![
                    Line {
                        speaker: Some("mira".into()),
                        expression: Some("glad".into()),
                        ..line("Hm.")
                    },
                    Line {
                        item: Some("key".into()),
                        moment: Some(Moment { id: "found".into(), words: "a key".into() }),
                        ..line("A key.")
                    },
                ],
                exits: vec![Exit { to: "two".into(), text: String::new() }],
                ..Scene::default()
            },
            Scene { id: "two".into(), place: "inn".into(), ..Scene::default() },
        ],
        ..Story::default()
    }
}

/// The one fault that a change of the valid story causes, and whether it is a warning.
#[track_caller]
fn fault(change: impl FnOnce(&mut Story)) -> (String, bool) {
    let mut story = valid_story();
    change(&mut story);
    let faults = check(&story);
    assert_eq!(faults.len(), 1, "{faults:?}");
    (faults[0].to_string(), faults[0].is_warning())
}

#[track_caller]
fn error(parts: &[&str], change: impl FnOnce(&mut Story)) {
    let (message, is_warning) = fault(change);
    assert!(!is_warning, "{message}");
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
}

#[track_caller]
fn warning(parts: &[&str], change: impl FnOnce(&mut Story)) {
    let (message, is_warning) = fault(change);
    assert!(is_warning, "{message}");
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
}

#[test]
fn a_valid_story_has_no_faults() {
    assert_eq!(check(&valid_story()), []);
}

#[test]
fn loops_between_scenes_are_allowed_if_an_ending_is_reachable() {
    let mut story = valid_story();
    let back = Scene { id: "back".into(), place: "inn".into(), ..Scene::default() };
    let to = |id: &str| Exit { to: id.into(), text: "go".into() };
    story.scenes.push(Scene { exits: vec![to("one"), to("back")], ..back });
    story.scenes[0].exits.push(to("back"));
    assert_eq!(check(&story), []);
}

#[test]
fn notations_of_other_programs_are_warnings() {
    warning(&["character `mira`", "`(red:13)`"], |s| {
        s.characters[0].looks = "a (red:13) coat".into();
    });
    warning(&["style", "`<lora:ink:x>`"], |s| s.style.words = "ink, <lora:ink:x>".into());
}

#[test]
fn a_duplicate_id_is_an_error() {
    error(&["character", "`mira`", "rename"], |s| s.characters.push(s.characters[0].clone()));
    error(&["place", "`inn`"], |s| s.places.push(s.places[0].clone()));
    error(&["item", "`key`"], |s| s.items.push(s.items[0].clone()));
    error(&["scene", "`two`"], |s| s.scenes.push(s.scenes[1].clone()));
    error(&["moment", "`found`"], |s| s.scenes[1].lines = vec![s.scenes[0].lines[1].clone()]);
    error(&["expression", "`mira`", "`glad`"], |s| {
        let glad = s.characters[0].expressions[0].clone();
        s.characters[0].expressions.push(glad);
    });
}

#[test]
fn ids_that_differ_only_in_case_are_duplicates() {
    error(&["item", "`KEY`"], |s| {
        s.items.push(Item { id: "KEY".into(), ..s.items[0].clone() });
    });
}

#[test]
fn an_id_that_cannot_be_a_file_name_is_an_error() {
    let long = "a".repeat(MAX_ID_LENGTH + 1);
    for id in ["", " ", "../x", "a b", "a/b", "a\\b", "-a", "a-", "_", "a\0", "a.b", &long] {
        error(&["item", &format!("`{id}`"), "letters, digits"], |s| {
            s.items.push(Item { id: id.into(), ..s.items[0].clone() });
        });
    }
    error(&["expression of the character `mira`", "`../x`"], |s| {
        s.characters[0].expressions[0].id = "../x".into();
    });
    error(&["moment", "`../x`"], |s| {
        s.scenes[0].lines[1].moment = Some(Moment { id: "../x".into(), words: "x".into() });
    });
    for id in ["a", "old-town", "Übung_7", "7", "夜"] {
        assert!(is_id(id), "{id}");
    }
}

#[test]
fn a_reference_to_a_missing_thing_is_an_error() {
    error(&["scene `one`, line 1", "`nobody`"], |s| {
        let line = Line { speaker: Some("nobody".into()), ..Line::default() };
        s.scenes[0].lines.insert(0, line);
    });
    error(&["scene `two`", "place `moon`"], |s| s.scenes[1].place = "moon".into());
    error(&["scene `one`, line 2", "`sword`"], |s| {
        s.scenes[0].lines[1].item = Some("sword".into());
    });
    error(&["scene `one`, exit 2", "`three`"], |s| {
        s.scenes[0].exits.push(Exit { to: "three".into(), text: "go".into() });
    });
    error(&["`three`", "`start`"], |s| s.start = "three".into());
}

#[test]
fn a_story_without_scenes_is_an_error() {
    let faults = check(&Story { title: "Nothing".into(), ..Story::default() });
    assert_eq!(faults, [StoryFault::NoScenes]);
    assert!(!StoryFault::NoScenes.is_warning());
}

#[test]
fn a_colour_is_a_hash_and_six_digits() {
    for colour in ["", "red", "#12345", "#1234567", "#12345g", "123456", "#é2345"] {
        error(&["`mira`", "#f2a65a"], |s| s.characters[0].colour = Some(colour.into()));
    }
}

#[test]
fn sizes_and_sampler_settings_out_of_range_are_errors() {
    error(&["portrait", "0x128"], |s| s.style.sizes.portrait = Some(Size::new(0, 128)));
    error(&["item", "128x15"], |s| s.style.sizes.item = Some(Size::new(128, 15)));
    error(&["background", "128x2049"], |s| s.style.sizes.background = Some(Size::new(128, 2049)));
    error(&["0 steps"], |s| s.style.sampler.steps = Some(0));
    error(&["1001 steps"], |s| s.style.sampler.steps = Some(1001));
    error(&["NaN"], |s| s.style.sampler.guidance_scale = Some(f32::NAN));
    error(&["-1"], |s| s.style.sampler.guidance_scale = Some(-1.0));
    error(&["inf"], |s| s.style.sampler.guidance_scale = Some(f32::INFINITY));
    let lora = |file: &str, weight| Lora { file: file.to_owned(), weight };
    error(&["LoRA `a`", "weight 11"], |s| s.style.loras = vec![lora("a", 11.0)]);
    error(&["LoRA `a`", "weight NaN"], |s| s.style.loras = vec![lora("a", f32::NAN)]);
    error(&["no file"], |s| s.style.loras = vec![lora(" ", 1.0)]);
    error(&["17 LoRAs"], |s| s.style.loras = vec![lora("a", 1.0); 17]);
    error(&["rescale cannot be NaN"], |s| s.style.sampler.guidance_rescale = Some(f32::NAN));
    error(&["rescale cannot be 1.1"], |s| s.style.sampler.guidance_rescale = Some(1.1));
    error(&["rescale cannot be -0.1"], |s| s.style.sampler.guidance_rescale = Some(-0.1));
    let interval = |from, to| Some(GuidanceInterval { from, to });
    error(&["0.8 to 0.1"], |s| s.style.sampler.guidance_interval = interval(0.8, 0.1));
    error(&["0 to NaN"], |s| s.style.sampler.guidance_interval = interval(0.0, f32::NAN));
}

#[test]
fn a_text_that_is_too_long_for_a_prompt_is_an_error() {
    let long = || "a".repeat(8193);
    let size = "8193 bytes";
    error(&["style", "`words`", size], |s| s.style.words = long());
    error(&["style", "`negative_prompt`", size], |s| s.style.negative_prompt = long());
    error(&["character `mira`", "`looks`", size], |s| s.characters[0].looks = long());
    error(&["character `mira`", "`name`", size], |s| s.characters[0].name = long());
    error(&["character `mira`", "`words`", size], |s| {
        s.characters[0].expressions[0].words = long();
    });
    error(&["place `inn`", "`looks`", size], |s| s.places[0].looks = long());
    error(&["item `key`", "`looks`", size], |s| s.items[0].looks = long());
    error(&["scene `one`", "`mood`", size], |s| s.scenes[0].mood = long());
    error(&["scene `one`", "`expression`", size], |s| {
        s.scenes[0].lines[0].expression = Some(long());
    });
    let mut story = valid_story();
    story.places[0].looks = "a".repeat(8192);
    assert_eq!(check(&story), []);
}

#[test]
fn prompts_that_need_too_much_memory_together_are_an_error() {
    let mut story = valid_story();
    story.style.words = "a".repeat(8000);
    let line = story.scenes[0].lines[0].clone();
    // All pictures of a character with one expression are the same.
    story.scenes[0].lines.resize(30_000, line.clone());
    assert_eq!(check(&story), []);
    let expressions = (0..20_000).map(|n| Some(format!("mood {n}")));
    story.scenes[0].lines =
        expressions.map(|expression| Line { expression, ..line.clone() }).collect();
    let faults = check(&story);
    let [fault @ StoryFault::LongPrompts { .. }] = &faults[..] else { panic!("{faults:?}") };
    assert!(fault.to_string().contains("160 MB, more than 128 MB"), "{fault}");
}

#[test]
fn ids_that_are_one_name_on_a_disk_that_ignores_case_are_an_error() {
    for (a, b) in [("straße", "strasse"), ("νιος", "νιοσ"), ("mſ", "ms"), ("µ", "μ")] {
        let mut story = valid_story();
        for id in [a, b] {
            story.items.push(Item { id: id.into(), looks: "a key".into(), ..Item::default() });
        }
        let faults = check(&story);
        assert!(
            matches!(&faults[..], [StoryFault::DuplicateId { id, .. }] if id == b),
            "{faults:?}"
        );
    }
}

#[test]
fn unused_unreachable_and_incomplete_parts_are_warnings() {
    warning(&["scene `lost`", "no path leads here"], |s| {
        s.scenes.push(Scene { id: "lost".into(), ..s.scenes[1].clone() });
    });
    warning(&["no ending"], |s| {
        s.scenes[1].exits.push(Exit { to: "one".into(), text: String::new() });
    });
    warning(&["character `zoe`"], |s| {
        s.characters.push(Character { id: "zoe".into(), ..s.characters[0].clone() });
    });
    warning(&["place `attic`"], |s| {
        s.places.push(Place { id: "attic".into(), ..s.places[0].clone() });
    });
    warning(&["place `inn`", "looks"], |s| s.places[0].looks = " ".into());
    warning(&["scene `two`, line 1", "`glad`"], |s| {
        let line = Line { expression: Some("glad".into()), ..Line::default() };
        s.scenes[1].lines.push(line);
    });
}

#[test]
fn an_unreachable_ending_does_not_count() {
    let mut story = valid_story();
    story.scenes[0].exits[0].to = "one".into();
    let message: Vec<_> = check(&story).iter().map(ToString::to_string).collect();
    assert_eq!(message.len(), 2, "{message:?}");
    assert!(message[0].contains("`two`") && message[1].contains("no ending"));
}
