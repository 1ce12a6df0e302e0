//! Faults inside a well-formed story.

mod fault;
mod paths;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

pub use fault::StoryFault;

use super::{Line, Scene, Story};
use crate::{
    prompt::PromptSyntax,
    recipe::{
        GuidanceInterval, Inspiration, Lora, Loss, MAX_SIDE, MAX_TEXT_LENGTH, MIN_SIDE, Sampler,
        Style,
    },
    text::{folded, is_letter},
};

/// The maximum length of an id, in bytes. A shot's id consists of two ids and must fit into a file name.
pub const MAX_ID_LENGTH: usize = 40;
/// The maximum number of bytes of the prompts of all pictures. A plan needs about twice as much memory.
pub const MAX_PROMPTS: u64 = 128_000_000;
/// The maximum number of steps for a picture.
pub const MAX_STEPS: u32 = 1000;

/// Finds the errors and warnings of a story: first of the style, then of the sheets, of the scenes, and of
/// the story as a whole.
#[must_use]
pub fn check(story: &Story) -> Vec<StoryFault> {
    let story = &story.clone().with_composed_names();
    let mut faults = check_style(&story.style);
    let mut check = Check::new(story, &mut faults);
    check.sheets();
    check.scenes();
    check.uses();
    check.prompts();
    check.prompts_together();
    paths::check(story, &mut faults);
    faults
}

/// Finds the errors of a style.
#[must_use]
pub fn check_style(style: &Style) -> Vec<StoryFault> {
    let mut faults = Vec::new();
    let sizes = [
        ("background", style.sizes.background),
        ("portrait", style.sizes.portrait),
        ("moment", style.sizes.moment),
        ("item", style.sizes.item),
    ];
    for (kind, size) in sizes.into_iter().filter_map(|(kind, size)| Some((kind, size?))) {
        let sides = MIN_SIDE..=MAX_SIDE;
        if !sides.contains(&size.width) || !sides.contains(&size.height) {
            faults.push(StoryFault::BadSize { kind, size });
        }
    }
    let Sampler { steps, guidance_scale, guidance_rescale, guidance_interval, .. } = &style.sampler;
    if let Some(steps) = steps.filter(|&steps| steps == 0 || steps > MAX_STEPS) {
        faults.push(StoryFault::BadSteps { steps });
    }
    if let Some(guidance) = guidance_scale.filter(|it| !it.is_finite() || *it < 0.0) {
        faults.push(StoryFault::BadGuidance { guidance: guidance.to_string() });
    }
    if let Some(guidance_rescale) = guidance_rescale.filter(|it| !(0.0..=1.0).contains(it)) {
        let guidance_rescale = guidance_rescale.to_string();
        faults.push(StoryFault::BadGuidanceRescale { guidance_rescale });
    }
    let interval = guidance_interval.map_or(Ok(()), GuidanceInterval::check);
    faults.extend(interval.err().map(|error| StoryFault::GuidanceInterval(error.to_string())));
    let loras = Lora::check_all(&style.loras);
    faults.extend(loras.err().map(|error| StoryFault::Lora(error.to_string())));
    let inspirations = Inspiration::check_all(&style.inspirations);
    faults.extend(inspirations.err().map(|error| StoryFault::Inspiration(error.to_string())));
    let losses = Loss::check_all(&style.losses);
    faults.extend(losses.err().map(|error| StoryFault::Loss(error.to_string())));
    for (field, text) in [("words", &style.words), ("negative_prompt", &style.negative_prompt)] {
        faults.extend(long_text("style", field, text));
    }
    faults
}

/// The error of a text that is too long for a prompt.
fn long_text(of: &str, field: &'static str, text: &str) -> Option<StoryFault> {
    let bytes = text.len();
    (bytes > MAX_TEXT_LENGTH).then(|| StoryFault::LongText { of: of.to_owned(), field, bytes })
}

/// Whether a text is a valid id: letters, digits, `-` and `_`, with a letter or digit first and last, and at
/// most [`MAX_ID_LENGTH`] bytes. The marks of a letter, such as Thai tones, are part of it.
#[must_use]
pub fn is_id(text: &str) -> bool {
    text.len() <= MAX_ID_LENGTH
        && text.starts_with(char::is_alphanumeric)
        && text.ends_with(is_letter)
        && text.chars().all(|c| is_letter(c) || c == '-' || c == '_')
}

/// A pass over a story that collects its faults.
struct Check<'a> {
    story: &'a Story,
    characters: HashSet<&'a str>,
    places: HashSet<&'a str>,
    items: HashSet<&'a str>,
    scenes: HashSet<&'a str>,
    /// The characters that speak.
    used_characters: HashSet<&'a str>,
    /// The places where scenes play.
    used_places: HashSet<&'a str>,
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
            used_characters: HashSet::new(),
            used_places: HashSet::new(),
            faults,
        }
    }

    /// Finds invalid ids, and ids that two of a kind share.
    fn ids(&mut self, what: &'static str, of: &str, ids: impl Iterator<Item = &'a str>) {
        let mut seen = HashSet::new();
        for id in ids {
            if !is_id(id) {
                self.faults.push(StoryFault::BadId { what, of: of.to_owned(), id: id.to_owned() });
            // Files are named after ids, and many file systems ignore the case of letters.
            } else if !seen.insert(folded(id)) {
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
        self.used_places.insert(&scene.place);
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
            self.used_characters.insert(speaker);
            if !self.characters.contains(speaker.as_str()) {
                self.faults.push(StoryFault::UnknownSpeaker {
                    scene: scene.id.clone(),
                    line: number,
                    speaker: speaker.clone(),
                });
            }
        } else if let Some(expression) = &line.expression {
            self.faults.push(StoryFault::ExpressionWithoutSpeaker {
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

    /// Finds texts that are too long for prompts, and notations of other programs in prompts.
    fn prompts(&mut self) {
        let story = self.story;
        self.syntax("style", &story.style.words);
        self.syntax("style", &story.style.negative_prompt);
        for character in &story.characters {
            let of = format!("character `{}`", character.id);
            self.length(&of, "name", &character.name);
            self.prompt(&of, "looks", &character.looks);
            self.prompt(&of, "negative_prompt", &character.negative_prompt);
            for expression in &character.expressions {
                self.prompt(&of, "words", &expression.words);
            }
        }
        for place in &story.places {
            let of = format!("place `{}`", place.id);
            self.length(&of, "name", &place.name);
            self.prompt(&of, "looks", &place.looks);
            self.prompt(&of, "negative_prompt", &place.negative_prompt);
        }
        for item in &story.items {
            let of = format!("item `{}`", item.id);
            self.length(&of, "name", &item.name);
            self.prompt(&of, "looks", &item.looks);
        }
        for scene in &story.scenes {
            let of = format!("scene `{}`", scene.id);
            let Scene { time, weather, mood, lines, .. } = scene;
            self.prompt(&of, "time", time);
            self.prompt(&of, "weather", weather);
            self.prompt(&of, "mood", mood);
            for line in lines {
                self.length(&of, "expression", line.expression.as_deref().unwrap_or_default());
                if let Some(moment) = &line.moment {
                    self.prompt(&of, "words", &moment.words);
                }
            }
        }
    }

    /// Finds a story whose prompts are too long together. Each picture has the texts of the style and of what it shows.
    fn prompts_together(&mut self) {
        let story = self.story;
        let places =
            story.places.iter().map(|it| (&*it.id, it.looks.len() + it.negative_prompt.len()));
        let places: HashMap<&str, usize> = places.collect();
        let backgrounds = story.scenes.iter().map(|it| {
            let of_place = places.get(&*it.place).copied().unwrap_or_default();
            of_place + it.time.len() + it.weather.len() + it.mood.len()
        });
        let characters = story.characters.iter().map(|it| {
            let words = it.expressions.iter().map(|it| it.words.len()).max();
            (&*it.id, it.looks.len() + it.negative_prompt.len() + words.unwrap_or_default())
        });
        let characters: HashMap<&str, usize> = characters.collect();
        let lines = || story.scenes.iter().flat_map(|scene| &scene.lines);
        let portraits =
            lines().filter_map(|line| Some((line.speaker.as_deref()?, &line.expression)));
        let portraits =
            portraits.collect::<HashSet<_>>().into_iter().map(|(speaker, expression)| {
                let of_expression = expression.as_ref().map_or(0, String::len);
                characters.get(speaker).copied().unwrap_or_default() + of_expression
            });
        let moments = lines().filter_map(|line| Some(line.moment.as_ref()?.words.len()));
        let items = story.items.iter().map(|it| it.looks.len());
        let of_style = story.style.words.len() + story.style.negative_prompt.len();
        let all = backgrounds.chain(portraits).chain(moments).chain(items);
        let bytes = all.map(|it| (it + of_style) as u64).sum();
        if bytes > MAX_PROMPTS {
            self.faults.push(StoryFault::LongPrompts { bytes });
        }
    }

    fn prompt(&mut self, of: &str, field: &'static str, text: &str) {
        self.length(of, field, text);
        self.syntax(of, text);
    }

    fn length(&mut self, of: &str, field: &'static str, text: &str) {
        self.faults.extend(long_text(of, field, text));
    }

    fn syntax(&mut self, of: &str, words: &str) {
        let found = PromptSyntax::find(words);
        self.faults.extend(found.map(|syntax| StoryFault::Syntax { of: of.to_owned(), syntax }));
    }

    /// Finds unused sheets.
    fn uses(&mut self) {
        for character in &self.story.characters {
            if !self.used_characters.contains(character.id.as_str()) {
                let id = character.id.clone();
                self.faults.push(StoryFault::Unused { what: "character", id });
            }
        }
        for place in &self.story.places {
            if !self.used_places.contains(place.id.as_str()) {
                self.faults.push(StoryFault::Unused { what: "place", id: place.id.clone() });
            }
        }
    }
}

fn is_colour(text: &str) -> bool {
    text.strip_prefix('#')
        .is_some_and(|digits| digits.len() == 6 && digits.chars().all(|c| c.is_ascii_hexdigit()))
}
