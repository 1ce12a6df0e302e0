//! A change affects only the shots that depend on it.

use std::collections::{BTreeMap, BTreeSet};

use bevy_illustrator::{
    recipe::Size,
    story::Story,
    storyboard::{Shot, ShotId, ShotKind, ShotWords, Storyboard},
};

use crate::{changed, inn, painters_door, plan};

/// Asserts that a change to the example story changes exactly the shots for which `expected` is true.
#[track_caller]
fn changes(change: impl FnOnce(&mut Story), expected: impl Fn(&Shot) -> bool) {
    let before = painters_door();
    let mut after = before.clone();
    change(&mut after);
    assert_ne!(before, after);
    let (before, after) = (plan(&before), plan(&after));
    let expected = before.shots().iter().filter(|s| expected(s)).map(|s| s.id.as_str());
    assert_eq!(changed(&before, &after), expected.collect());
}

#[test]
fn changed_dialogue_changes_no_shot() {
    changes(|story| story.scenes[0].lines[0].text.push_str(" Really."), |_| false);
    changes(|story| story.scenes[0].exits[0].text.push_str("Go"), |_| false);
    changes(|story| story.characters[0].colour = None, |_| false);
}

#[test]
fn a_changed_sheet_changes_only_the_shots_that_show_it() {
    let of = |kind: &'static str, id: &str| {
        let (exact, start) = (format!("{kind}-{id}"), format!("{kind}-{id}-"));
        move |shot: &Shot| shot.id.as_str() == exact || shot.id.as_str().starts_with(&start)
    };
    changes(|s| s.characters[0].looks.push_str(" with a scarf"), of("portrait", "ines"));
    changes(|s| s.characters[1].negative_prompt.push_str("hat"), of("portrait", "vell"));
    changes(|s| s.characters[0].expressions[0].words.push('!'), of("portrait", "ines-calm"));
    changes(|s| s.places[0].looks.push_str(" with a stove"), of("background", "studio"));
    changes(|s| s.places[1].negative_prompt.push_str("snow"), of("background", "jungle"));
    changes(|s| s.items[0].looks.push_str(", lit"), of("item", "lantern"));
}

#[test]
fn a_changed_line_changes_only_its_shots() {
    let moment = |story: &mut Story| {
        let mut lines = story.scenes.iter_mut().flat_map(|scene| &mut scene.lines);
        lines.find_map(|line| line.moment.as_mut()).unwrap().words.push_str(" in snow");
    };
    changes(moment, |shot| shot.id.as_str() == "moment-first_step");

    let before = painters_door();
    let mut after = before.clone();
    after.scenes[0].lines[1].expression = Some("out of breath".into());
    after.scenes[2].time = "at dusk".into();
    assert_eq!(
        changed(&plan(&before), &plan(&after)),
        BTreeSet::from([
            "portrait-ines-out_of_breath",
            "background-jungle-at_night",
            "background-jungle-at_dusk",
        ])
    );
}

#[test]
fn a_changed_style_changes_every_shot_that_uses_it() {
    changes(|s| s.style.words.push_str(", at night"), |_| true);
    changes(|s| s.style.negative_prompt.push_str("text"), |_| true);
    changes(|s| s.style.model = "other".into(), |_| true);
    changes(|s| s.style.sampler.steps = Some(21), |_| true);
    changes(|s| s.style.seed += 1, |_| true);
    changes(
        |s| s.style.sizes.portrait = Some(Size::new(8, 8)),
        |shot| shot.kind == ShotKind::Portrait,
    );
    changes(|s| s.style.sizes.item = Some(Size::new(8, 8)), |shot| shot.kind == ShotKind::Item);
}

#[test]
fn an_authors_prompt_changes_one_shot() {
    let story = inn();
    let id = ShotId::new("portrait-mira-glad").unwrap();
    let words = ShotWords {
        words: Some("a girl laughing".into()),
        negative_prompt: Some("teeth".into()),
        seed: Some(u64::MAX),
        ..ShotWords::default()
    };
    let before = plan(&story);
    let after = Storyboard::plan(&story, &story.style, &BTreeMap::from([(id.clone(), words)]));
    assert_eq!(changed(&before, &after), BTreeSet::from([id.as_str()]));
    let shot = after.shot(&id).unwrap();
    assert_eq!(shot.recipe.prompt, "a girl laughing, ink drawing");
    assert_eq!(shot.recipe.negative_prompt, "text, hat, teeth");
    assert_eq!(shot.recipe.seed, u64::MAX);
    let from: Vec<_> = shot.sources.iter().map(|piece| piece.from.to_string()).collect();
    assert_eq!(from, ["your words", "style: words"]);
}

#[test]
fn a_blank_authors_prompt_counts_as_unset() {
    let story = inn();
    let id = ShotId::new("item-key").unwrap();
    let blank = ShotWords {
        words: Some(" ".into()),
        negative_prompt: Some(String::new()),
        ..ShotWords::default()
    };
    let board = Storyboard::plan(&story, &story.style, &BTreeMap::from([(id, blank)]));
    assert_eq!(changed(&plan(&story), &board), BTreeSet::new());
}
