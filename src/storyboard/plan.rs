//! Derives the shots of a story.
//!
//! | shot | one for each | prompt, before the style's words | seed family |
//! |---|---|---|---|
//! | background | place, time, weather and mood | looks, time, weather, mood | the place |
//! | portrait | character and expression that lines use | `portrait of` looks, expression | the character |
//! | moment | moment | its words | the moment |
//! | item | item | looks | the item |
//!
//! For a sheet without looks, its name is used instead.

use std::collections::HashMap;

use super::{
    AuthorWords, PromptSource, Shot, ShotId, ShotKind, Storyboard,
    naming::{Name, family_seed},
    prompt::Prompt,
};
use crate::{
    model::ModelDefaults,
    prompt::words::{join, tidy},
    recipe::{Recipe, Size, Sizes, Style},
    story::{Character, Item, Line, Moment, Place, Scene, Story},
};

impl Storyboard {
    /// Lists every shot of a story in `style`, with the author's own words applied.
    ///
    /// Sizes that the style leaves unset are those of the built-in model; see
    /// [`Style::with_sizes_of`] for others. Shots of sheets that do not exist are left out.
    #[must_use]
    pub fn plan(story: &Story, style: &Style, words: &AuthorWords) -> Self {
        let story = story.clone().with_composed_names();
        let mut planner = Planner::new(&story, style, words);
        for scene in &story.scenes {
            planner.scene(scene);
        }
        for item in &story.items {
            planner.item(item, None);
        }
        planner.board
    }
}

/// Builds a storyboard, with the sheets of the story by id.
struct Planner<'a> {
    style: &'a Style,
    sizes: Sizes,
    words: &'a AuthorWords,
    characters: HashMap<&'a str, &'a Character>,
    /// The words for an expression, by character and expression.
    expressions: HashMap<(&'a str, &'a str), &'a str>,
    places: HashMap<&'a str, &'a Place>,
    items: HashMap<&'a str, &'a Item>,
    board: Storyboard,
}

/// The properties of a shot that depend on its kind.
struct Draft<'a> {
    id: ShotId,
    kind: ShotKind,
    title: String,
    /// The id of the character, place, moment or item that determines the seed.
    family: &'a str,
    prompt: Prompt,
    negative_prompt: &'a str,
}

impl<'a> Planner<'a> {
    fn new(story: &'a Story, style: &'a Style, words: &'a AuthorWords) -> Self {
        let expressions = story.characters.iter().flat_map(|c| {
            c.expressions.iter().map(|e| ((c.id.as_str(), e.id.as_str()), e.words.as_str()))
        });
        Self {
            style,
            sizes: style.sizes.resolve(&ModelDefaults::built_in()),
            words,
            characters: story.characters.iter().map(|c| (c.id.as_str(), c)).collect(),
            expressions: expressions.collect(),
            places: story.places.iter().map(|p| (p.id.as_str(), p)).collect(),
            items: story.items.iter().map(|i| (i.id.as_str(), i)).collect(),
            board: Storyboard::default(),
        }
    }

    /// Adds the shots of a scene in reading order.
    fn scene(&mut self, scene: &'a Scene) {
        self.background(scene);
        for line in &scene.lines {
            self.portrait(line, scene);
            if let Some(moment) = &line.moment {
                self.moment(moment, scene);
            }
            if let Some(item) = line.item.as_deref().and_then(|id| self.items.get(id).copied()) {
                self.item(item, Some(scene));
            }
        }
    }

    fn background(&mut self, scene: &'a Scene) {
        let Some(&place) = self.places.get(scene.place.as_str()) else { return };
        let [time, weather, mood] = [&scene.time, &scene.weather, &scene.mood].map(|w| tidy(w));
        let id = Name::new(ShotKind::Background).id(&place.id);
        let id = id.words(&time).words(&weather).words(&mood).finish();
        let at = self.board.by_id.get(&id).copied().unwrap_or_else(|| {
            let from = || scene.id.clone();
            self.add(Draft {
                id,
                kind: ShotKind::Background,
                title: join([or_else(&place.name, &place.id), &time, &weather, &mood]),
                family: &place.id,
                prompt: Prompt::default()
                    .with(or_else(&place.looks, &place.name), PromptSource::Place(place.id.clone()))
                    .with(&time, PromptSource::Time(from()))
                    .with(&weather, PromptSource::Weather(from()))
                    .with(&mood, PromptSource::Mood(from())),
                negative_prompt: &place.negative_prompt,
            })
        });
        self.board.backgrounds.entry(scene.id.clone()).or_insert(at);
        self.add_scene(at, scene);
    }

    fn portrait(&mut self, line: &'a Line, scene: &Scene) {
        let speaker = line.speaker.as_deref().and_then(|id| self.characters.get(id).copied());
        let Some(character) = speaker else { return };
        let expression = line.expression.as_deref().unwrap_or_default().trim();
        let of_character = self.board.portraits.get(&character.id);
        let known = of_character.and_then(|of| of.get(expression)).copied();
        let at = known.unwrap_or_else(|| self.new_portrait(character, expression));
        self.add_scene(at, scene);
    }

    /// `expression` is empty for the plain portrait.
    fn new_portrait(&mut self, character: &'a Character, expression: &'a str) -> usize {
        let name = Name::new(ShotKind::Portrait).id(&character.id);
        let on_sheet = self.expressions.get(&(character.id.as_str(), expression)).copied();
        let id = if on_sheet.is_some() {
            name.id(expression)
        } else if self.expressions.contains_key(&(&character.id, &expression.replace(' ', "_"))) {
            // `very happy` in a line is not the `very_happy` of the sheet.
            name.words(expression).hashed()
        } else {
            name.words(expression)
        };
        let looks = tidy(or_else(&character.looks, &character.name));
        let framed = if looks.is_empty() { looks } else { format!("portrait of {looks}") };
        let from = PromptSource::Expression {
            character: character.id.clone(),
            expression: expression.to_owned(),
        };
        let at = self.add(Draft {
            id: id.finish(),
            kind: ShotKind::Portrait,
            title: join([or_else(&character.name, &character.id), expression]),
            family: &character.id,
            prompt: Prompt::default()
                .with(&framed, PromptSource::Character(character.id.clone()))
                .with(on_sheet.unwrap_or(expression), from),
            negative_prompt: &character.negative_prompt,
        });
        let portraits = self.board.portraits.entry(character.id.clone()).or_default();
        portraits.insert(expression.to_owned(), at);
        at
    }

    fn moment(&mut self, moment: &'a Moment, scene: &Scene) {
        let at = self.board.moments.get(&moment.id).copied().unwrap_or_else(|| {
            let at = self.add(Draft {
                id: Name::new(ShotKind::Moment).id(&moment.id).finish(),
                kind: ShotKind::Moment,
                title: moment.id.replace(['_', '-'], " "),
                family: &moment.id,
                prompt: Prompt::default()
                    .with(&moment.words, PromptSource::Moment(moment.id.clone())),
                negative_prompt: "",
            });
            self.board.moments.insert(moment.id.clone(), at);
            at
        });
        self.add_scene(at, scene);
    }

    fn item(&mut self, item: &'a Item, scene: Option<&Scene>) {
        let at = self.board.items.get(&item.id).copied().unwrap_or_else(|| {
            let at = self.add(Draft {
                id: Name::new(ShotKind::Item).id(&item.id).finish(),
                kind: ShotKind::Item,
                title: or_else(&item.name, &item.id).to_owned(),
                family: &item.id,
                prompt: Prompt::default()
                    .with(or_else(&item.looks, &item.name), PromptSource::Item(item.id.clone())),
                negative_prompt: "",
            });
            self.board.items.insert(item.id.clone(), at);
            at
        });
        if let Some(scene) = scene {
            self.add_scene(at, scene);
        }
    }

    /// Appends a shot to the board.
    fn add(&mut self, draft: Draft<'a>) -> usize {
        let Draft { id, kind, title, family, prompt, negative_prompt } = draft;
        let sizes = self.sizes;
        let own = self.words.get(&id).cloned().unwrap_or_default();
        let own_words = own.words.as_deref().map(tidy).filter(|words| !words.is_empty());
        let prompt = match own_words {
            Some(words) => Prompt::default().with(&words, PromptSource::Author),
            None => prompt,
        };
        let (prompt, sources) = prompt.in_style(&self.style.words);
        let by_hand = own.negative_prompt.unwrap_or_default();
        let recipe = Recipe {
            prompt,
            negative_prompt: join([self.style.negative_prompt.as_str(), negative_prompt, &by_hand]),
            size: (match kind {
                ShotKind::Background => sizes.background,
                ShotKind::Portrait => sizes.portrait,
                ShotKind::Moment => sizes.moment,
                ShotKind::Item => sizes.item,
            })
            .unwrap_or(Size::new(256, 256)),
            seed: own.seed.unwrap_or_else(|| family_seed(self.style.seed, kind, family)),
            take: 0,
            sampler: self.style.sampler.clone(),
            model: self.style.model.clone(),
            vae: self.style.vae.clone(),
            text_encoders: self.style.text_encoders.clone(),
            loras: self.style.loras.clone(),
            components: self.style.components.clone(),
            inspirations: [self.style.inspirations.as_slice(), &own.inspirations].concat(),
            losses: [self.style.losses.as_slice(), &own.losses].concat(),
            score: false,
            edit: None,
        };
        let at = self.board.shots.len();
        self.board.by_id.insert(id.clone(), at);
        self.board.shots.push(Shot { id, kind, title, scenes: Vec::new(), recipe, sources });
        at
    }

    /// Records that a scene shows a shot. Scenes are planned one after the other, so a scene that is recorded already
    /// is the last.
    fn add_scene(&mut self, at: usize, scene: &Scene) {
        let scenes = &mut self.board.shots[at].scenes;
        if scenes.last() != Some(&scene.id) {
            scenes.push(scene.id.clone());
        }
    }
}

/// `text`, or `other` if it is blank.
fn or_else<'t>(text: &'t str, other: &'t str) -> &'t str {
    if text.trim().is_empty() { other } else { text }
}
