//! The reader's position in a story, and the steps from there: plain data, without Bevy.

use std::collections::HashSet;

use bevy_illustrator::story::{Exit, Line, Scene, Story};
use serde::{Deserialize, Serialize};

/// A reader in a story. Each step takes the story as an argument, because an author may change it meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reader {
    here: Mark,
    trail: Vec<Mark>,
}

/// A position in a story: a line of a scene, or, one past the last line, the end of the scene.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    scene: String,
    line: usize,
}

/// The current page of the reader.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Page<'a> {
    /// The scene.
    pub scene: &'a Scene,
    /// The line; `None` at an ending and in a scene without lines.
    pub line: Option<&'a Line>,
    /// The exits to choose from; empty if there is no choice here.
    pub choices: &'a [Exit],
    /// Whether the story is over.
    pub ended: bool,
}

impl Reader {
    /// A reader at the beginning; `None` if the story has no scenes.
    #[must_use]
    pub fn at_start(story: &Story) -> Option<Self> {
        let scene = story.first_scene()?.id.clone();
        let mut reader = Self { here: Mark { scene, line: 0 }, trail: Vec::new() };
        reader.skip_empty_scenes(story);
        Some(reader)
    }

    /// Whether every position of this reader still exists in the story.
    #[must_use]
    pub fn fits(&self, story: &Story) -> bool {
        self.trail.iter().chain([&self.here]).all(|mark| mark.fits(story))
    }

    /// Whether the reader has not moved yet.
    #[must_use]
    pub fn is_at_start(&self) -> bool {
        self.trail.is_empty()
    }

    /// The current page; `None` if its scene no longer exists.
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

    /// Moves to the next line, or through the only exit. Returns whether the reader moved.
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

    /// Goes through an exit of [`Page::choices`]. Returns whether the exit exists.
    pub fn choose(&mut self, story: &Story, choice: usize) -> bool {
        let exit = self.page(story).and_then(|page| page.choices.get(choice));
        if let Some(exit) = exit {
            self.enter(story, &exit.to);
        }
        exit.is_some()
    }

    /// Goes back to the previous page. Returns whether there was one.
    pub fn back(&mut self) -> bool {
        let before = self.trail.pop();
        let moved = before.is_some();
        self.here = before.unwrap_or_else(|| self.here.clone());
        moved
    }

    fn enter(&mut self, story: &Story, scene: &str) {
        self.go(Mark { scene: scene.to_owned(), line: 0 });
        self.skip_empty_scenes(story);
    }

    fn go(&mut self, to: Mark) {
        self.trail.push(std::mem::replace(&mut self.here, to));
    }

    /// Skips scenes without lines and choices, each at most once.
    fn skip_empty_scenes(&mut self, story: &Story) {
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

/// Whether a scene has a choice. A single exit without text is not a choice.
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

    /// The current page as a short text.
    fn page_text(reader: &Reader, story: &Story) -> String {
        let page = reader.page(story).expect("the scene is there");
        match page.line {
            _ if page.ended => format!("end of {}", page.scene.id),
            Some(line) => line.text.clone(),
            None => format!("choice in {}", page.scene.id),
        }
    }

    #[test]
    fn lines_are_in_order_and_a_scene_without_lines_is_skipped() {
        let story = story();
        let mut reader = Reader::at_start(&story).expect("it has scenes");
        let mut pages = vec![page_text(&reader, &story)];
        while reader.advance(&story) {
            pages.push(page_text(&reader, &story));
        }
        assert_eq!(pages, ["one", "two", "left or right?"], "it stops at the choice");
    }

    #[test]
    fn a_choice_leads_to_its_scene_and_an_ending_is_final() {
        let story = story();
        let mut reader = Reader::at_start(&story).expect("it has scenes");
        assert!(!reader.choose(&story, 0), "nothing to choose yet");
        while reader.advance(&story) {}
        assert!(!reader.choose(&story, 2), "there are only two exits");
        assert!(reader.choose(&story, 0));
        assert_eq!(page_text(&reader, &story), "the sea");
        assert!(reader.advance(&story));
        assert_eq!(page_text(&reader, &story), "end of left");
        assert!(!reader.advance(&story));
    }

    #[test]
    fn going_back_reverses_each_step_and_stops_at_the_beginning() {
        let story = story();
        let mut reader = Reader::at_start(&story).expect("it has scenes");
        let start = reader.clone();
        while reader.advance(&story) {}
        reader.choose(&story, 1);
        let mut pages = Vec::new();
        while reader.back() {
            pages.push(page_text(&reader, &story));
        }
        assert_eq!(pages, ["left or right?", "two", "one"]);
        assert_eq!(reader, start);
    }

    #[test]
    fn a_loop_of_scenes_without_lines_does_not_hang() {
        let story = Story {
            scenes: vec![scene("a", &[], &[("b", "")]), scene("b", &[], &[("a", "")])],
            ..Story::default()
        };
        assert!(Reader::at_start(&story).is_some());
    }

    #[test]
    fn a_reader_fits_only_a_story_with_all_its_positions() {
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
