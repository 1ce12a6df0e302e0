//! A panel with a project, a fake generator and a small story.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use bevy_illustrator::{
    art::Take,
    control::{Control, Step},
    generator::{Drawn, GenerateError, Generator, GeneratorRegistry, Inputs, ModelCard},
    loss::{FinalLoss, LossValues},
    mask::Area,
    panel::{ImageRequest, PanelState, Picture, Tab, Texture, Thumbnails, panel_ui},
    project::{Action, ActionResult, Project, Request, Update},
    recipe::{Recipe, Size},
    story::{Character, Expression, Item, Line, Place, Scene, Story},
    storyboard::{Shot, ShotKind, ShotState},
};
use egui::TextureId;
use egui_kittest::{
    Harness, Node,
    kittest::{AccessKitNode, Queryable},
};
use image::{Rgb, RgbImage, Rgba, RgbaImage};

/// The colours of [`FakeGenerator`]: a red square on grey, or on green in an edit.
pub const GROUND: Rgba<u8> = Rgba([90, 90, 90, 255]);
pub const EDITED: Rgba<u8> = Rgba([40, 160, 60, 255]);
pub const SQUARE: Rgba<u8> = Rgba([200, 30, 30, 255]);

/// Draws immediately, unless [`Controls`] makes it fail or wait.
pub struct FakeGenerator {
    pub card: ModelCard,
    pub controls: Arc<Mutex<Controls>>,
}

#[derive(Default)]
pub struct Controls {
    /// Prompts with this word fail.
    pub fail_on: Option<&'static str>,
    /// While this is set, no drawing finishes.
    pub wait: bool,
}

impl Generator for FakeGenerator {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn generate(
        &mut self,
        recipe: &Recipe,
        inputs: &Inputs,
        control: &dyn Control,
    ) -> Result<Drawn, GenerateError> {
        let preview = Some(RgbImage::from_pixel(4, 4, Rgb([120, 120, 120])));
        let parts = recipe.edit.as_ref().map(|edit| inputs.parts(edit)).transpose()?;
        let losses = parts.iter().flatten().enumerate().flat_map(|(part, it)| {
            it.edit.losses.iter().enumerate().map(move |(index, loss)| LossValues {
                part: Some(part),
                index,
                kind: loss.kind.name().to_owned(),
                strict: loss.strict,
                values: vec![0.5, 0.25],
                cost: Some(0.25),
            })
        });
        let of_picture = recipe.losses.iter().enumerate().map(|(index, loss)| LossValues {
            part: None,
            index,
            kind: loss.kind.name().to_owned(),
            strict: loss.strict,
            values: vec![0.75, 0.125],
            cost: Some(0.25),
        });
        let losses = losses.chain(of_picture).collect();
        let areas = parts.iter().flatten().filter_map(|part| part.mask.bounds());
        control.step(Step { done: 1, of: 4, preview, changed: areas.reduce(Area::union), losses });
        while self.controls.lock().unwrap().wait {
            control.interrupt().check()?;
            thread::sleep(Duration::from_millis(1));
        }
        let fail_on = self.controls.lock().unwrap().fail_on;
        if fail_on.is_some_and(|word| recipe.prompt.contains(word)) {
            return Err(GenerateError::Panicked("the ink ran dry".into()));
        }
        let Size { width, height } = recipe.size;
        let ground = if recipe.edit.is_some() { EDITED } else { GROUND };
        let image = RgbaImage::from_fn(width, height, |x, y| {
            let is_middle = (width / 4..3 * width / 4).contains(&x)
                && (height / 4..3 * height / 4).contains(&y);
            if is_middle { SQUARE } else { ground }
        });
        // The third take of four is the best one.
        let final_loss = |part: Option<usize>| FinalLoss {
            part,
            index: 0,
            kind: "Text".to_owned(),
            weight: 1.0,
            unlike: false,
            value: [0.8, 0.9, 0.6, 0.7][recipe.take as usize % 4],
        };
        let measured = match parts {
            _ if !recipe.score => Vec::new(),
            Some(parts) => (0..parts.len()).map(Some).collect(),
            None => vec![None],
        };
        Ok(Drawn { image, losses: measured.into_iter().map(final_loss).collect() })
    }
}

/// Supplies full-size takes and previews, but no thumbnails: they never finish loading.
pub struct FullSizeOnly;

/// The texture of every preview.
pub const PREVIEW: TextureId = TextureId::User(0);

impl Thumbnails for FullSizeOnly {
    fn of(&mut self, picture: Picture<'_>) -> Texture {
        match picture {
            Picture::Full(take) | Picture::Pixels(take) => Texture::Ready(texture_of(take)),
            Picture::Preview(..) => Texture::Ready(PREVIEW),
            Picture::Small(_) | Picture::Image(..) => Texture::Loading,
        }
    }
}

/// The texture of a take in full size.
pub fn texture_of(take: &Take) -> TextureId {
    TextureId::User(u64::from_str_radix(take.id.as_str(), 16).unwrap())
}

/// The panel, its project, and the pending requests.
pub struct Fixture {
    pub project: Project,
    pub panel: PanelState,
    pub requests: Vec<Request>,
    pub image_requests: Vec<ImageRequest>,
    pub controls: Arc<Mutex<Controls>>,
    /// The art folder, removed on drop.
    pub folder: tempfile::TempDir,
}

impl Fixture {
    pub fn new(story: Story) -> Self {
        let controls = Arc::<Mutex<Controls>>::default();
        let mut registry = GeneratorRegistry::default();
        let for_generator = controls.clone();
        registry.register(move |_, _| {
            Some(Ok(Box::new(FakeGenerator {
                card: ModelCard::default(),
                controls: for_generator.clone(),
            })))
        });
        let folder = tempfile::tempdir().unwrap();
        let project = Project::open(story, folder.path(), registry).unwrap();
        let mut panel = PanelState::default();
        // Ignores weights that were downloaded on this machine.
        panel.set_segmenter_weights(None);
        let (requests, image_requests) = (Vec::new(), Vec::new());
        Self { project, panel, requests, image_requests, controls, folder }
    }

    /// The requested actions that are not applied yet.
    pub fn requested(&self) -> Vec<Action> {
        self.requests.iter().map(|request| request.action.clone()).collect()
    }

    /// Applies all requests, and returns their actions.
    pub fn apply_requests(&mut self) -> Vec<Action> {
        let requests = std::mem::take(&mut self.requests);
        for request in &requests {
            self.apply(request.clone()).unwrap();
        }
        requests.into_iter().map(|request| request.action).collect()
    }

    /// Applies all requests, and returns how many were refused.
    pub fn try_apply_requests(&mut self) -> usize {
        let requests = std::mem::take(&mut self.requests);
        requests.into_iter().filter(|request| self.apply(request.clone()).is_err()).count()
    }

    /// Applies an action and waits for the answer.
    pub fn apply(&mut self, request: impl Into<Request>) -> ActionResult {
        let request = self.project.apply(request);
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let mut answer = None;
            for update in self.project.poll() {
                self.panel.receive(&update);
                match update {
                    Update::Applied { id, result } if id == request => answer = Some(result),
                    _ => {}
                }
            }
            if let Some(answer) = answer {
                return answer;
            }
            assert!(Instant::now() < end, "a request was not answered within 20 seconds");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Passes the updates of the project to the panel.
    pub fn poll(&mut self) {
        for update in self.project.poll() {
            self.panel.receive(&update);
        }
    }

    /// Makes every write to the art folder fail.
    pub fn fill_disk(&self) {
        let unfinished = self.project.art().root().join(".tmp");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished).unwrap();
        }
        std::fs::write(&unfinished, "in the way").unwrap();
    }

    /// Undoes [`Self::fill_disk`].
    pub fn free_disk(&self) {
        std::fs::remove_file(self.project.art().root().join(".tmp")).unwrap();
    }

    pub fn poll_until(&mut self, holds: impl Fn(&Project) -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !holds(&self.project) {
            assert!(Instant::now() < end, "the condition did not hold within 20 seconds");
            thread::sleep(Duration::from_millis(2));
            self.poll();
        }
        // The worker may have finished something since the last poll.
        self.poll();
    }

    pub fn draw_all(&mut self) {
        self.apply(Action::DrawNeeded).unwrap();
        self.poll_until(|project| {
            project.needed().next().is_none() && project.studio().jobs().is_empty()
        });
    }

    pub fn shot(&self, kind: ShotKind) -> Shot {
        self.project.board().shots().iter().find(|shot| shot.kind == kind).unwrap().clone()
    }
}

pub type Panel = Harness<'static, Fixture>;

/// The panel in its default size, next to a game of 1280 x 720 pixels.
pub fn open(fixture: Fixture) -> Panel {
    open_in(fixture, [480.0, 720.0])
}

/// The panel in a given size. The canvas has its own window, as in the plugin.
pub fn open_in(fixture: Fixture, room: [f32; 2]) -> Panel {
    let show = |ui: &mut egui::Ui, fixture: &mut Fixture| {
        let window = fixture.panel.tab == Tab::Canvas;
        let show = |ui: &mut egui::Ui| {
            panel_ui(ui, &mut fixture.panel, &fixture.project, &mut FullSizeOnly)
        };
        fixture.requests.extend(ui.push_id(window, show).inner);
        fixture.image_requests.extend(fixture.panel.take_image_requests());
    };
    let mut panel = Harness::builder().with_size(room).build_ui_state(show, fixture);
    panel.run_steps(2);
    panel
}

pub fn press(panel: &mut Panel, name: &str) {
    panel.get_by_label(name).click();
    // The press, the release, a frame in which the draw buttons below the parts grow, and one in which they have their place.
    panel.run_steps(4);
}

/// Scrolls until the widget with this name is visible, then clicks it.
pub fn scroll_and_press(panel: &mut Panel, name: &str) {
    panel.get_by_label(name).scroll_to_me();
    panel.run_steps(4);
    press(panel, name);
}

/// All cells of the grid that are laid out.
pub fn cells<'a>(panel: &'a Panel) -> Vec<Node<'a>> {
    let states: Vec<String> = ShotState::ALL.iter().map(|s| format!(", {})", s.name())).collect();
    let is_cell = move |label: &str| states.iter().any(|state| label.ends_with(state.as_str()));
    panel.get_all_by(move |node| node.label().is_some_and(|label| is_cell(&label))).collect()
}

pub fn cell<'a>(panel: &'a Panel, shot: &Shot) -> Node<'a> {
    let start = format!("{} ({}, ", shot.title, shot.kind.name());
    panel.get_by(move |node| node.label().is_some_and(|label| label.starts_with(&start)))
}

pub fn click(panel: &mut Panel, shot: &Shot) {
    cell(panel, shot).click();
    panel.run_steps(2);
}

pub fn has(panel: &Panel, words: &str) -> bool {
    panel.query_all_by(|node| says(node, words)).next().is_some()
}

/// Runs the panel until it shows these words.
pub fn wait_for(panel: &mut Panel, words: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    while !has(panel, words) {
        assert!(Instant::now() < end, "the panel does not show `{words}`");
        thread::sleep(Duration::from_millis(5));
        panel.run_steps(1);
    }
    panel.run_steps(2);
}

pub fn says(node: &AccessKitNode<'_>, words: &str) -> bool {
    let label = node.label().is_some_and(|label| label.contains(words));
    label || node.value().is_some_and(|value| value.contains(words))
}

pub fn line(speaker: Option<&str>, text: &str, expression: Option<&str>) -> Line {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Line {
        speaker: owned(speaker),
        text: text.into(),
        expression: owned(expression),
        ..Line::default()
    }
}

/// A story with two places, two expressions of Mira, and an item.
pub fn story() -> Story {
    let place = |id: &str, looks: &str| Place {
        id: id.into(),
        name: format!("The {id}"),
        looks: looks.into(),
        ..Place::default()
    };
    let scene = |id: &str, place: &str, lines: Vec<Line>| Scene {
        id: id.into(),
        place: place.into(),
        time: "at dusk".into(),
        lines,
        ..Scene::default()
    };
    let key = Line { item: Some("key".into()), ..line(None, "A key lies there.", None) };
    Story {
        title: "The Lighthouse".into(),
        characters: vec![Character {
            id: "mira".into(),
            name: "Mira".into(),
            looks: "a woman with red hair".into(),
            expressions: vec![Expression { id: "glad".into(), words: "a broad smile".into() }],
            ..Character::default()
        }],
        places: vec![place("shore", "a rocky coast"), place("tower", "a spiral staircase")],
        items: vec![Item { id: "key".into(), name: "The key".into(), looks: "rusty iron".into() }],
        scenes: vec![
            scene("arrival", "shore", vec![line(Some("mira"), "Hello?", Some("glad")), key]),
            scene("climb", "tower", vec![line(Some("mira"), "So many steps.", Some("tired"))]),
        ],
        ..Story::default()
    }
}
