//! What is wrong inside a story that reads well.

mod fault;
mod paths;

use std::collections::HashSet;

pub use fault::StoryFault;

use super::{Line, Scene, Story};
use crate::recipe::Style;

/// The longest id in bytes, so that a shot's id, which is made of two, still names a file.
pub const LONGEST_ID: usize = 40;
/// The shortest side of a picture in pixels.
pub const SMALLEST_SIZE: u32 = 16;
/// The longest side of a picture in pixels.
pub const LARGEST_SIZE: u32 = 2048;
/// The most steps that a picture may take.
pub const MOST_STEPS: u32 = 1000;

/// Finds everything that is wrong in a story, errors and warnings, in story order: the style, the
/// sheets, the scenes, and last what only the whole story shows.
#[must_use]
pub fn check(story: &Story) -> Vec<StoryFault> {
    let mut faults = check_style(&story.style);
    let mut check = Check::new(story, &mut faults);
    check.sheets();
    check.scenes();
    check.uses();
    paths::check(story, &mut faults);
    faults
}

/// Finds what is wrong in a style alone.
#[must_use]
pub fn check_style(style: &Style) -> Vec<StoryFault> {
    let mut faults = Vec::new();
    let sizes = [
        ("background", style.sizes.background),
        ("portrait", style.sizes.portrait),
        ("moment", style.sizes.moment),
        ("item", style.sizes.item),
    ];
    for (kind, size) in sizes {
        let sides = SMALLEST_SIZE..=LARGEST_SIZE;
        if !sides.contains(&size.width) || !sides.contains(&size.height) {
            faults.push(StoryFault::BadSize { kind, size });
        }
    }
    let steps = style.sampler.steps;
    if steps == 0 || steps > MOST_STEPS {
        faults.push(StoryFault::BadSteps { steps });
    }
    let guidance = style.sampler.guidance;
    if !guidance.is_finite() || guidance < 0.0 {
        faults.push(StoryFault::BadGuidance { guidance: guidance.to_string() });
    }
    faults
}

/// Whether a text may be the id of a scene, character, place, item, moment or expression: letters,
/// digits, `-` and `_`, a letter or digit first and last, at most [`LONGEST_ID`] bytes.
#[must_use]
pub fn is_id(text: &str) -> bool {
    text.len() <= LONGEST_ID
        && text.starts_with(char::is_alphanumeric)
        && text.ends_with(char::is_alphanumeric)
        && text.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
}

/// A walk through a story that notes what it meets.
struct Check<'a> {
    story: &'a Story,
    characters: HashSet<&'a str>,
    places: HashSet<&'a str>,
    items: HashSet<&'a str>,
    scenes: HashSet<&'a str>,
    /// Characters that speak and places that scenes play in.
    spoke: HashSet<&'a str>,
    played: HashSet<&'a str>,
    faults: &'a mut Vec<StoryFault>,
}

impl<'a> Check<'a> {
    fn new(story: &'a Story, faults: &'a mut Vec<StoryFault>) -> Self {
        Self {
            story,
            characters: story.characters.iter().map(|c| c.id.as_str()).collect(),
            places: story.places.iter().map(|p| p.id.as_str()).collect(),
            items: story.items.iter().map(|i| i.id.as_str()).collect(),
            scenes: story.scenes.iter().map(|s| s.id.as_str()).collect(),
            spoke: HashSet::new(),
            played: HashSet::new(),
            faults,
        }
    }

    /// Refuses ids that name no file, and ids that two of a kind share.
    fn ids(&mut self, what: &'static str, of: &str, ids: impl Iterator<Item = &'a str>) {
        let mut seen = HashSet::new();
        for id in ids {
            if !is_id(id) {
                self.faults.push(StoryFault::BadId { what, of: of.to_owned(), id: id.to_owned() });
            // Files are named after ids, and many file systems take `Mira` and `mira` for one.
            } else if !seen.insert(id.to_lowercase()) {
                self.faults.push(StoryFault::DuplicateId {
                    what,
                    of: of.to_owned(),
                    id: id.to_owned(),
                });
            }
        }
    }

    fn sheets(&mut self) {
        let story = self.story;
        self.ids("character", "", story.characters.iter().map(|c| c.id.as_str()));
        for character in &story.characters {
            let of = format!(" of the character `{}`", character.id);
            self.ids("expression", &of, character.expressions.iter().map(|e| e.id.as_str()));
            if let Some(colour) = &character.colour
                && !is_colour(colour)
            {
                self.faults.push(StoryFault::BadColour {
                    character: character.id.clone(),
                    colour: colour.clone(),
                });
            }
            self.looks("character", &character.id, &character.looks);
        }
        self.ids("place", "", story.places.iter().map(|p| p.id.as_str()));
        for place in &story.places {
            self.looks("place", &place.id, &place.looks);
        }
        self.ids("item", "", story.items.iter().map(|i| i.id.as_str()));
        for item in &story.items {
            self.looks("item", &item.id, &item.looks);
        }
    }

    fn looks(&mut self, what: &'static str, id: &str, looks: &str) {
        if looks.trim().is_empty() {
            self.faults.push(StoryFault::NoLooks { what, id: id.to_owned() });
        }
    }

    fn scenes(&mut self) {
        let story = self.story;
        if story.scenes.is_empty() {
            self.faults.push(StoryFault::NoScenes);
        } else if !story.start.is_empty() && !self.scenes.contains(story.start.as_str()) {
            self.faults.push(StoryFault::UnknownStart { start: story.start.clone() });
        }
        self.ids("scene", "", story.scenes.iter().map(|s| s.id.as_str()));
        let moments = story.scenes.iter().flat_map(|s| &s.lines).filter_map(|l| l.moment.as_ref());
        self.ids("moment", "", moments.map(|m| m.id.as_str()));
        for scene in &story.scenes {
            self.scene(scene);
        }
    }

    fn scene(&mut self, scene: &'a Scene) {
        self.played.insert(&scene.place);
        if !self.places.contains(scene.place.as_str()) {
            self.faults.push(StoryFault::UnknownPlace {
                scene: scene.id.clone(),
                place: scene.place.clone(),
            });
        }
        for (at, line) in scene.lines.iter().enumerate() {
            self.line(scene, at + 1, line);
        }
        for (at, exit) in scene.exits.iter().enumerate() {
            if !self.scenes.contains(exit.to.as_str()) {
                self.faults.push(StoryFault::UnknownExit {
                    scene: scene.id.clone(),
                    exit: at + 1,
                    to: exit.to.clone(),
                });
            }
        }
    }

    fn line(&mut self, scene: &Scene, number: usize, line: &'a Line) {
        if let Some(speaker) = &line.speaker {
            self.spoke.insert(speaker);
            if !self.characters.contains(speaker.as_str()) {
                self.faults.push(StoryFault::UnknownSpeaker {
                    scene: scene.id.clone(),
                    line: number,
                    speaker: speaker.clone(),
                });
            }
        } else if let Some(expression) = &line.expression {
            self.faults.push(StoryFault::ExpressionOfNobody {
                scene: scene.id.clone(),
                line: number,
                expression: expression.clone(),
            });
        }
        if let Some(item) = &line.item
            && !self.items.contains(item.as_str())
        {
            self.faults.push(StoryFault::UnknownItem {
                scene: scene.id.clone(),
                line: number,
                item: item.clone(),
            });
        }
    }

    /// Warns of sheets that nothing uses.
    fn uses(&mut self) {
        for character in &self.story.characters {
            if !self.spoke.contains(character.id.as_str()) {
                let id = character.id.clone();
                self.faults.push(StoryFault::Unused { what: "character", id });
            }
        }
        for place in &self.story.places {
            if !self.played.contains(place.id.as_str()) {
                self.faults.push(StoryFault::Unused { what: "place", id: place.id.clone() });
            }
        }
    }
}

fn is_colour(text: &str) -> bool {
    text.strip_prefix('#')
        .is_some_and(|digits| digits.len() == 6 && digits.chars().all(|c| c.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        recipe::Size,
        story::{Character, Exit, Expression, Item, Moment, Place},
    };

    /// Two scenes in one place, with one character, one item and no fault.
    fn sound() -> Story {
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

    /// The one fault that a change of the sound story brings, and whether it is a warning.
    #[track_caller]
    fn fault(change: impl FnOnce(&mut Story)) -> (String, bool) {
        let mut story = sound();
        change(&mut story);
        let faults = check(&story);
        assert_eq!(faults.len(), 1, "{faults:?}");
        (faults[0].to_string(), faults[0].is_warning())
    }

    #[track_caller]
    fn error(parts: &[&str], change: impl FnOnce(&mut Story)) {
        let (told, is_warning) = fault(change);
        assert!(!is_warning, "{told}");
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
    }

    #[track_caller]
    fn warning(parts: &[&str], change: impl FnOnce(&mut Story)) {
        let (told, is_warning) = fault(change);
        assert!(is_warning, "{told}");
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
    }

    #[test]
    fn a_sound_story_has_no_fault() {
        assert_eq!(check(&sound()), []);
    }

    #[test]
    fn loops_between_scenes_are_fine_while_there_is_a_way_out() {
        let mut story = sound();
        let back = Scene { id: "back".into(), place: "inn".into(), ..Scene::default() };
        let to = |id: &str| Exit { to: id.into(), text: "go".into() };
        story.scenes.push(Scene { exits: vec![to("one"), to("back")], ..back });
        story.scenes[0].exits.push(to("back"));
        assert_eq!(check(&story), []);
    }

    #[test]
    fn an_id_that_two_share_is_an_error() {
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
    fn ids_that_differ_in_case_only_would_share_a_file_on_some_systems() {
        error(&["item", "`KEY`"], |s| {
            s.items.push(Item { id: "KEY".into(), ..s.items[0].clone() });
        });
    }

    #[test]
    fn an_id_that_names_no_file_is_an_error() {
        let long = "a".repeat(LONGEST_ID + 1);
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
    fn what_a_scene_names_must_be_there() {
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
    fn numbers_of_a_style_that_no_picture_can_have_are_errors() {
        error(&["portrait", "0x128"], |s| s.style.sizes.portrait = Size::new(0, 128));
        error(&["item", "128x15"], |s| s.style.sizes.item = Size::new(128, 15));
        error(&["background", "128x2049"], |s| s.style.sizes.background = Size::new(128, 2049));
        error(&["0 steps"], |s| s.style.sampler.steps = 0);
        error(&["1001 steps"], |s| s.style.sampler.steps = 1001);
        error(&["NaN"], |s| s.style.sampler.guidance = f32::NAN);
        error(&["-1"], |s| s.style.sampler.guidance = -1.0);
        error(&["inf"], |s| s.style.sampler.guidance = f32::INFINITY);
    }

    #[test]
    fn what_is_merely_odd_is_a_warning() {
        warning(&["scene `lost`", "nothing leads there"], |s| {
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
    fn an_ending_that_nothing_reaches_is_no_ending() {
        let mut story = sound();
        story.scenes[0].exits[0].to = "one".into();
        let told: Vec<_> = check(&story).iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("`two`") && told[1].contains("no ending"));
    }
}
