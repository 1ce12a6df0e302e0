//! Where the reader is in a story, and where a step leads: plain data, without a window.

use std::collections::HashSet;

use bevy_illustrator::story::{Exit, Line, Scene, Story};
use serde::{Deserialize, Serialize};

/// A reader in a story. All steps take the story, so that an author may change it under the reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reader {
    here: Mark,
    trail: Vec<Mark>,
}

/// A place in a story: one line of a scene, or (one past the last line) the scene's end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    scene: String,
    line: usize,
}

/// What stands before the reader.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Page<'a> {
    /// The scene.
    pub scene: &'a Scene,
    /// The line; none at an ending, or in a scene without lines.
    pub line: Option<&'a Line>,
    /// The exits to choose from, when this is the place to choose.
    pub choices: &'a [Exit],
    /// Whether the story is over.
    pub ended: bool,
}

impl Reader {
    /// A reader at the beginning; none if the story has no scene.
    #[must_use]
    pub fn at_start(story: &Story) -> Option<Self> {
        let scene = story.first_scene()?.id.clone();
        let mut reader = Self { here: Mark { scene, line: 0 }, trail: Vec::new() };
        reader.pass_silent_scenes(story);
        Some(reader)
    }

    /// Whether all that this reader has seen is still in the story.
    #[must_use]
    pub fn fits(&self, story: &Story) -> bool {
        self.trail.iter().chain([&self.here]).all(|mark| mark.fits(story))
    }

    /// Whether the reader has gone no step yet.
    #[must_use]
    pub fn is_at_start(&self) -> bool {
        self.trail.is_empty()
    }

    /// What stands before the reader; none if the story has lost the scene.
    #[must_use]
    pub fn page<'a>(&self, story: &'a Story) -> Option<Page<'a>> {
        let scene = story.scene(&self.here.scene)?;
        let at_last_line = self.here.line + 1 >= scene.lines.len();
        Some(Page {
            scene,
            line: scene.lines.get(self.here.line),
            choices: if at_last_line && offers_choice(scene) { &scene.exits } else { &[] },
            ended: self.here.line >= scene.lines.len() && scene.exits.is_empty(),
        })
    }

    /// Goes one line on, or through the only exit; returns whether there was anywhere to go.
    pub fn advance(&mut self, story: &Story) -> bool {
        let Some(page) = self.page(story) else { return false };
        if page.ended || !page.choices.is_empty() {
            return false;
        }
        let at_last_line = self.here.line + 1 >= page.scene.lines.len();
        match page.scene.exits.first() {
            Some(exit) if at_last_line => self.enter(story, &exit.to),
            _ => self.go(Mark { line: self.here.line + 1, ..self.here.clone() }),
        }
        true
    }

    /// Takes an exit of [`Page::choices`]; returns whether there is such a one.
    pub fn choose(&mut self, story: &Story, choice: usize) -> bool {
        let exit = self.page(story).and_then(|page| page.choices.get(choice));
        if let Some(exit) = exit {
            self.enter(story, &exit.to);
        }
        exit.is_some()
    }

    /// Goes back to what was read before; returns whether there was anything.
    pub fn back(&mut self) -> bool {
        let before = self.trail.pop();
        let moved = before.is_some();
        self.here = before.unwrap_or_else(|| self.here.clone());
        moved
    }

    fn enter(&mut self, story: &Story, scene: &str) {
        self.go(Mark { scene: scene.to_owned(), line: 0 });
        self.pass_silent_scenes(story);
    }

    fn go(&mut self, to: Mark) {
        self.trail.push(std::mem::replace(&mut self.here, to));
    }

    /// Scenes that say nothing and leave no choice are passed through, each at most once.
    fn pass_silent_scenes(&mut self, story: &Story) {
        let mut passed = HashSet::new();
        while let Some(scene) = story.scene(&self.here.scene) {
            let silent = scene.lines.is_empty() && !offers_choice(scene);
            let Some(exit) = scene.exits.first().filter(|_| silent) else { return };
            if !passed.insert(&scene.id) {
                return;
            }
            self.here = Mark { scene: exit.to.clone(), line: 0 };
        }
    }
}

impl Mark {
    fn fits(&self, story: &Story) -> bool {
        story.scene(&self.scene).is_some_and(|scene| self.line <= scene.lines.len())
    }
}

/// A single exit without words is simply where the story goes on.
fn offers_choice(scene: &Scene) -> bool {
    scene.exits.len() > 1 || scene.exits.iter().any(|exit| !exit.text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(id: &str, lines: &[&str], exits: &[(&str, &str)]) -> Scene {
        Scene {
            id: id.into(),
            lines: lines
                .iter()
                .map(|&text| Line { text: text.into(), ..Line::default() })
                .collect(),
            exits: exits
                .iter()
                .map(|&(to, text)| Exit { to: to.into(), text: text.into() })
                .collect(),
            ..Scene::default()
        }
    }

    fn story() -> Story {
        Story {
            scenes: vec![
                scene("hall", &["one", "two"], &[("passage", "")]),
                scene("passage", &[], &[("fork", "")]),
                scene("fork", &["left or right?"], &[("left", "Left"), ("right", "Right")]),
                scene("left", &["the sea"], &[]),
                scene("right", &["back again"], &[("hall", "")]),
            ],
            ..Story::default()
        }
    }

    /// What the reader sees, in one word.
    fn seen(reader: &Reader, story: &Story) -> String {
        let page = reader.page(story).expect("the scene is there");
        match page.line {
            _ if page.ended => format!("end of {}", page.scene.id),
            Some(line) => line.text.clone(),
            None => format!("choice in {}", page.scene.id),
        }
    }

    #[test]
    fn lines_follow_each_other_and_a_silent_scene_is_passed_through() {
        let story = story();
        let mut reader = Reader::at_start(&story).expect("it has scenes");
        let mut told = vec![seen(&reader, &story)];
        while reader.advance(&story) {
            told.push(seen(&reader, &story));
        }
        assert_eq!(told, ["one", "two", "left or right?"], "it stops where there is a choice");
    }

    #[test]
    fn a_choice_leads_where_it_says_and_an_ending_ends() {
        let story = story();
        let mut reader = Reader::at_start(&story).expect("it has scenes");
        assert!(!reader.choose(&story, 0), "nothing to choose yet");
        while reader.advance(&story) {}
        assert!(!reader.choose(&story, 2), "there are two ways only");
        assert!(reader.choose(&story, 0));
        assert_eq!(seen(&reader, &story), "the sea");
        assert!(reader.advance(&story));
        assert_eq!(seen(&reader, &story), "end of left");
        assert!(!reader.advance(&story));
    }

    #[test]
    fn going_back_takes_each_step_back_and_stops_at_the_beginning() {
        let story = story();
        let mut reader = Reader::at_start(&story).expect("it has scenes");
        let start = reader.clone();
        while reader.advance(&story) {}
        reader.choose(&story, 1);
        let mut told = Vec::new();
        while reader.back() {
            told.push(seen(&reader, &story));
        }
        assert_eq!(told, ["left or right?", "two", "one"]);
        assert_eq!(reader, start);
    }

    #[test]
    fn silent_scenes_that_lead_to_each_other_do_not_hang() {
        let story = Story {
            scenes: vec![scene("a", &[], &[("b", "")]), scene("b", &[], &[("a", "")])],
            ..Story::default()
        };
        assert!(Reader::at_start(&story).is_some());
    }

    #[test]
    fn a_reader_fits_only_a_story_that_holds_all_it_has_seen() {
        let mut story = story();
        let mut reader = Reader::at_start(&story).expect("it has scenes");
        reader.advance(&story);
        assert!(reader.fits(&story));
        story.scenes[0].lines.clear();
        assert!(!reader.fits(&story));
        story.scenes.remove(0);
        assert_eq!(reader.page(&story), None);
    }
}
