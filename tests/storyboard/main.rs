//! From a story to its shots: ids, prompts, seeds and the effect of changes. Also checks the example's story.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod changes;
mod painters_door;
mod planning;
mod properties;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use bevy_illustrator::{
    recipe::Recipe,
    story::{
        Story,
        check::check,
        format::{StoryFormats, ron::parse},
    },
    storyboard::{AuthorWords, Shot, ShotId, Storyboard},
};

fn painters_door() -> Story {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/stories/painters_door.story.ron");
    StoryFormats::default().read(&file).unwrap()
}

/// A story with every element.
const INN: &str = r#"(
    title: "The inn",
    style: (words: "ink drawing", negative_prompt: "text", seed: 7),
    characters: [
        (id: "mira", name: "Mira", looks: "a girl", negative_prompt: "hat", expressions: [
            (id: "glad", words: "smiling"),
            (id: "very_sad", words: "in tears"),
        ]),
        (id: "odo", name: "Odo", looks: "a knight"),
    ],
    places: [
        (id: "inn", name: "The inn", looks: "a cosy room", negative_prompt: "people"),
        (id: "road", name: "The road", looks: "a road"),
    ],
    items: [
        (id: "map", name: "A map", looks: "an old map"),
        (id: "key", name: "A key", looks: "a red key"),
    ],
    scenes: [
        (id: "evening", place: "inn", time: "at night", weather: "in the rain", mood: "calm", lines: [
            (text: "Rain."),
            (speaker: "mira", text: "Hello."),
            (speaker: "odo", expression: "with a wry smile", text: "Good evening."),
            (text: "A key.", item: "key"),
            (speaker: "mira", expression: "glad", text: "Oh!", moment: (id: "the_key", words: "a girl finds a key")),
        ], exits: [(to: "morning")]),
        (id: "morning", place: "road", time: "at dawn", lines: [
            (speaker: "mira", expression: "glad", text: "Come on."),
            (speaker: "mira", expression: "very_sad", text: "It is far."),
            (speaker: "mira", expression: "very sad", text: "Too far."),
        ], exits: [(to: "back")]),
        (id: "back", place: "inn", time: " at night,", weather: "in the rain", mood: "calm"),
    ],
)"#;

fn inn() -> Story {
    let story = parse(INN, Path::new("inn.story.ron")).unwrap();
    assert_eq!(check(&story), []);
    story
}

fn plan(story: &Story) -> Storyboard {
    Storyboard::plan(story, &story.style, &AuthorWords::new())
}

fn shot<'b>(board: &'b Storyboard, id: &str) -> &'b Shot {
    board.shot(&ShotId::new(id).unwrap()).unwrap_or_else(|| panic!("no shot {id}"))
}

fn ids(board: &Storyboard) -> Vec<&str> {
    board.shots().iter().map(|shot| shot.id.as_str()).collect()
}

fn recipes(board: &Storyboard) -> BTreeMap<&str, &Recipe> {
    board.shots().iter().map(|shot| (shot.id.as_str(), &shot.recipe)).collect()
}

/// The ids of shots that were added, removed or changed.
fn changed<'b>(before: &'b Storyboard, after: &'b Storyboard) -> BTreeSet<&'b str> {
    let (old, new) = (recipes(before), recipes(after));
    let all = old.keys().chain(new.keys());
    all.copied().filter(|id| old.get(id) != new.get(id)).collect()
}
