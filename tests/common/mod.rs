//! Shared test helpers: a fake generator with controllable failures, stories, and waiting with a deadline.

#![allow(dead_code, reason = "each test uses some of the helpers")]

#[path = "../../src/test_support/copy_folder.rs"]
pub mod copy_folder;

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use bevy_illustrator::{
    art::{Art, Take},
    control::{Control, Interrupt, Step},
    edit::Grid,
    generator::{Drawn, GenerateError, Generator, GeneratorRegistry, Inputs, ModelCard},
    loss::FinalLoss,
    memory::MemoryNeeds,
    model::ModelDefaults,
    project::{ActionResult, Project, Request, Update},
    recipe::{Part, Recipe, Sampler, Size, Sizes, Style},
    story::{Character, Exit, Item, Line, Place, Scene, Story},
    storyboard::{ShotId, ShotKind, Storyboard},
};
use image::{Rgb, RgbImage, Rgba, RgbaImage};

/// Longer than any operation takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Controls fake generators, which draw gradients for any model.
#[derive(Clone, Default)]
pub struct Fakes(Arc<(Mutex<FakeState>, Condvar)>);

#[derive(Default)]
struct FakeState {
    step_duration: Duration,
    /// The number of steps that may still run; unlimited if `None`.
    steps_allowed: Option<u32>,
    steps_done: u32,
    fail_on: Option<String>,
    panic_on: Option<String>,
    /// Whether loading a model blocks until it is interrupted.
    holds_loading: bool,
    /// Whether pictures are one row too high.
    wrong_size: bool,
    /// Whether the files of the loaded model changed.
    model_changed: bool,
    loads: Vec<String>,
    drawn: Vec<Recipe>,
}

struct Fake {
    card: ModelCard,
    fakes: Fakes,
}

/// What the fake models need.
pub const FAKE_NEEDS: MemoryNeeds = MemoryNeeds { weights: 30, text_encoders: 0, picture: 5 };

impl Fakes {
    /// A registry of fakes only. Loading the model `broken` fails. The model `quick` has 3 steps by default, and others 20.
    pub fn registry(&self) -> GeneratorRegistry {
        let fakes = self.clone();
        let mut registry = GeneratorRegistry::default();
        registry.register(move |name, control| {
            fakes.lock().loads.push(name.to_owned());
            control.loading(FAKE_NEEDS);
            while fakes.lock().holds_loading {
                if let Err(cancelled) = control.interrupt().check() {
                    return Some(Err(cancelled.into()));
                }
                thread::sleep(Duration::from_millis(1));
            }
            if name == "broken" {
                return Some(Err(failure("the model is broken: shape [3] is not [4]")));
            }
            let card = ModelCard {
                name: name.to_owned(),
                hash: blake3::hash(name.as_bytes()).to_hex().to_string(),
                licence: Some("CC0-1.0".to_owned()),
                grid: Grid { scale: 8, min_latents: 1, trained_latents: 0 },
                defaults: ModelDefaults {
                    steps: if name == "quick" { 3 } else { 20 },
                    ..ModelDefaults::built_in()
                },
                ..ModelCard::default()
            };
            Some(Ok(Box::new(Fake { card, fakes: fakes.clone() })))
        });
        registry
    }

    /// Sets the duration of each step.
    pub fn slow(&self, step_duration: Duration) {
        self.lock().step_duration = step_duration;
    }

    /// Blocks all drawing after `steps` more steps, until [`Self::release`].
    pub fn hold_after(&self, steps: u32) {
        self.lock().steps_allowed = Some(steps);
    }

    /// Unblocks drawing.
    pub fn release(&self) {
        self.lock().steps_allowed = None;
        self.0.1.notify_all();
    }

    /// Makes drawings fail whose prompt contains `words`.
    pub fn fail_on(&self, words: &str) {
        self.lock().fail_on = Some(words.to_owned());
    }

    /// Makes drawings panic whose prompt contains `words`.
    pub fn panic_on(&self, words: &str) {
        self.lock().panic_on = Some(words.to_owned());
    }

    /// Makes loading a model block until it is interrupted.
    pub fn hold_loading(&self, holds: bool) {
        self.lock().holds_loading = holds;
    }

    /// Makes pictures one row too high.
    pub fn draw_wrong_size(&self) {
        self.lock().wrong_size = true;
    }

    /// The files of the loaded model change.
    pub fn change_model(&self) {
        self.lock().model_changed = true;
    }

    /// Ends all failures and panics.
    pub fn heal(&self) {
        let mut state = self.lock();
        (state.fail_on, state.panic_on, state.wrong_size) = (None, None, false);
    }

    /// The recipes of all finished pictures, in order.
    pub fn drawn(&self) -> Vec<Recipe> {
        self.lock().drawn.clone()
    }

    /// The number of finished steps of all pictures.
    pub fn steps_done(&self) -> u32 {
        self.lock().steps_done
    }

    /// The names of all loaded models, in order.
    pub fn loads(&self) -> Vec<String> {
        self.lock().loads.clone()
    }

    fn lock(&self) -> MutexGuard<'_, FakeState> {
        self.0.0.lock().unwrap()
    }

    /// Waits until a step may run. Checks the interrupt meanwhile, as networks do.
    fn step(&self, interrupt: &Interrupt) -> Result<(), GenerateError> {
        loop {
            interrupt.check()?;
            let mut state = self.lock();
            if state.steps_allowed != Some(0) {
                state.steps_allowed = state.steps_allowed.map(|allowed| allowed - 1);
                state.steps_done += 1;
                let step_duration = state.step_duration;
                drop(state);
                thread::sleep(step_duration);
                return Ok(());
            }
            drop(self.0.1.wait_timeout(state, Duration::from_millis(1)).unwrap());
        }
    }
}

impl Generator for Fake {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn is_current(&self) -> bool {
        !std::mem::take(&mut self.fakes.lock().model_changed)
    }

    fn generate(
        &mut self,
        recipe: &Recipe,
        inputs: &Inputs,
        control: &dyn Control,
    ) -> Result<Drawn, GenerateError> {
        let of = recipe.sampler.resolve(&self.card.defaults).steps;
        for done in 1..=of {
            self.fakes.step(control.interrupt())?;
            let preview = RgbImage::from_pixel(2, 2, Rgb([done as u8; 3]));
            control.step(Step { done, of, preview: Some(preview), ..Step::default() });
        }
        let matches = |words: &Option<String>| {
            words.as_ref().is_some_and(|words| recipe.prompt.contains(words))
        };
        if matches(&self.fakes.lock().fail_on) {
            return Err(failure("fake failure"));
        }
        let panics = matches(&self.fakes.lock().panic_on);
        assert!(!panics, "fake panic");
        if self.fakes.lock().wrong_size {
            return Ok(RgbaImage::new(recipe.size.width, recipe.size.height + 1).into());
        }
        self.fakes.lock().drawn.push(recipe.clone());
        inputs.images(recipe)?;
        let image = match (&inputs.init_image, &recipe.edit) {
            (Some(_), Some(edit)) => inverted(&inputs.picture(edit)?, &inputs.parts(edit)?),
            _ => gradient(recipe),
        };
        let losses = recipe.score.then(|| fake_loss(recipe.take)).into_iter().collect();
        Ok(Drawn { image, losses })
    }
}

/// The loss that the fakes measure for a score. It is smallest for take 2.
pub fn fake_loss(take: u32) -> FinalLoss {
    FinalLoss {
        part: None,
        index: 0,
        kind: "Text".to_owned(),
        weight: 1.0,
        unlike: false,
        value: [0.8, 0.9, 0.6, 0.7][take as usize % 4],
    }
}

/// The edited picture of the fakes: the colours of all parts are inverted.
pub fn inverted(parent: &RgbaImage, parts: &[Part]) -> RgbaImage {
    let mut picture = parent.clone();
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        if parts.iter().any(|part| part.mask.at(x, y) > 0) {
            let [r, g, b, a] = pixel.0;
            pixel.0 = [255 - r, 255 - g, 255 - b, a];
        }
    }
    picture
}

/// The parts of an edited take, with their masks and scribbles.
pub fn parts_of(art: &Art, take: &Take) -> Vec<Part> {
    let edit = take.recipe().edit.as_ref().expect("an edit");
    art.blobs().parts(edit).unwrap()
}

fn failure(text: &str) -> GenerateError {
    GenerateError::other(text)
}

/// The fakes' picture: a gradient between two colours from the recipe's hash.
pub fn gradient(recipe: &Recipe) -> RgbaImage {
    let hash = *blake3::hash(recipe.id().0.as_bytes()).as_bytes();
    let Size { width, height } = recipe.size;
    RgbaImage::from_fn(width, height, |x, y| {
        let mix = |from: u8, to: u8| {
            let along = u64::from(x + y) * 255 / u64::from((width + height).max(2) - 1);
            ((u64::from(from) * (255 - along) + u64::from(to) * along) / 255) as u8
        };
        Rgba([mix(hash[0], hash[3]), mix(hash[1], hash[4]), mix(hash[2], hash[5]), 255])
    })
}

/// A small recipe of 4 steps.
pub fn recipe(prompt: &str) -> Recipe {
    Recipe {
        prompt: prompt.to_owned(),
        negative_prompt: String::new(),
        size: Size::new(32, 16),
        seed: 1,
        take: 0,
        sampler: Sampler { steps: Some(4), ..Sampler::default() },
        model: "fake".to_owned(),
        vae: None,
        text_encoders: Vec::new(),
        loras: Vec::new(),
        components: BTreeMap::new(),
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: false,
        edit: None,
    }
}

/// A story with three shots, drawn in 4 steps at 32x16: a background, a portrait and an item. [`shot_of`] finds each.
pub fn story() -> Story {
    let size = Size::new(32, 16);
    Story {
        title: "The lamp".to_owned(),
        style: Style {
            words: "ink".to_owned(),
            sampler: Sampler { steps: Some(4), ..Sampler::default() },
            sizes: Sizes::all(size),
            ..Style::default()
        },
        characters: vec![Character {
            id: "mira".to_owned(),
            name: "Mira".to_owned(),
            looks: "a painter in blue".to_owned(),
            ..Character::default()
        }],
        places: vec![Place {
            id: "study".to_owned(),
            name: "The study".to_owned(),
            looks: "a room full of canvas".to_owned(),
            ..Place::default()
        }],
        items: vec![Item {
            id: "lamp".to_owned(),
            name: "The lamp".to_owned(),
            looks: "a brass lamp".to_owned(),
        }],
        scenes: vec![Scene {
            id: "first".to_owned(),
            place: "study".to_owned(),
            lines: vec![Line {
                speaker: Some("mira".to_owned()),
                text: "Look.".to_owned(),
                expression: Some("glad".to_owned()),
                item: Some("lamp".to_owned()),
                ..Line::default()
            }],
            ..Scene::default()
        }],
        ..Story::default()
    }
}

/// A story with a chain of scenes, each with its own background.
pub fn long_story(scenes: usize) -> Story {
    let mut story = story();
    let scene = |n: usize| Scene {
        id: format!("s{n}"),
        place: "study".to_owned(),
        mood: format!("mood {n}"),
        exits: Vec::from_iter(
            (n + 1 < scenes).then(|| Exit { to: format!("s{}", n + 1), text: String::new() }),
        ),
        ..Scene::default()
    };
    story.scenes = (0..scenes).map(scene).collect();
    (story.characters, story.items) = (Vec::new(), Vec::new());
    story
}

/// The only shot of a kind in a storyboard.
pub fn shot_of(board: &Storyboard, kind: ShotKind) -> ShotId {
    let mut shots = board.shots().iter().filter(|shot| shot.kind == kind);
    let shot = shots.next().unwrap();
    assert_eq!(shots.next(), None, "two shots of this kind");
    shot.id.clone()
}

/// The shot with this id.
pub fn shot(id: &str) -> ShotId {
    ShotId::new(id).unwrap()
}

/// Polls until `poll` returns a value. Fails after a minute.
#[track_caller]
pub fn wait_for<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = poll() {
            return answer;
        }
        assert!(started.elapsed() < DEADLINE, "timed out waiting for {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Polls until `poll` returns true. Fails after a minute.
#[track_caller]
pub fn wait_until(what: &str, mut poll: impl FnMut() -> bool) {
    wait_for(what, || poll().then_some(()));
}

/// Applies an action and polls until it is answered. The other updates are added to `updates`.
#[track_caller]
pub fn apply(
    project: &mut Project,
    request: impl Into<Request>,
    updates: &mut Vec<Update>,
) -> ActionResult {
    let request_id = project.apply(request);
    wait_for("the answer to an action", || {
        let mut answer = None;
        for update in project.poll() {
            match update {
                Update::Applied { id, result } if id == request_id => {
                    assert!(answer.is_none(), "answered twice");
                    answer = Some(result);
                }
                other => updates.push(other),
            }
        }
        answer
    })
}
