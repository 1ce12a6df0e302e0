//! What is drawn: recipes, and for edits the picture that is edited.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use bevy_illustrator::{
    generator::Inputs,
    mask::{Area, Mask},
    recipe::{
        EditKind, Part, PartEdit, PartRecipe, PictureEdit, Recipe, Sampler, Scribble, Size,
        edit_file::EditFile, picture_hash,
    },
    story::format::ron,
    storyboard::Storyboard,
};
use image::{Rgba, RgbaImage};

type Drawing = (String, Recipe, Inputs);

pub fn all() -> Vec<Drawing> {
    let mut all = story();
    assert_eq!(all.len(), 38, "the shots of the example");
    all.extend(plain());
    all.extend(files());
    all.extend(kinds());
    all
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All shots of the example.
fn story() -> Vec<Drawing> {
    let path = root().join("assets/stories/painters_door.story.ron");
    let story = ron::parse(fs::read(&path).unwrap(), &path).unwrap();
    let board = Storyboard::plan(&story, &story.style, &Default::default());
    let shots = board.shots().iter();
    shots.map(|shot| (shot.id.to_string(), shot.recipe.clone(), Inputs::default())).collect()
}

/// Other schedulers, sizes and guidance than the story's.
fn plain() -> Vec<Drawing> {
    let sampler = |scheduler: &str, guidance_scale, guidance_rescale| Sampler {
        scheduler: Some(scheduler.to_owned()),
        sigmas: None,
        prediction_type: None,
        clip_skip: None,
        steps: Some(6),
        guidance_scale: Some(guidance_scale),
        guidance_rescale: Some(guidance_rescale),
        guidance_interval: None,
    };
    let ddim = sampler("DDIMScheduler", 5.0, 0.5);
    let euler = sampler("EulerDiscreteScheduler", 5.0, 0.0);
    let unguided = sampler("DPMSolverMultistepScheduler", 1.0, 0.5);
    let cases = [
        ("plain-ddim", ddim, Size::new(256, 256)),
        ("plain-euler", euler, Size::new(251, 190)),
        ("plain-unguided", unguided, Size::new(224, 288)),
    ];
    let drawing = |(name, sampler, size): (&str, Sampler, Size)| {
        let recipe =
            Recipe { sampler, size, ..recipe("a red lighthouse by the sea at dusk, oil painting") };
        (name.to_owned(), recipe, Inputs::default())
    };
    cases.into_iter().map(drawing).collect()
}

/// The edits of `examples/edits`.
fn files() -> Vec<Drawing> {
    let edit = |name: &str| {
        let folder = root().join("examples/edits").join(name);
        let picture = image::open(folder.join("before.png")).unwrap().into_rgba8();
        let file = EditFile::read(&folder.join("edit.ron")).unwrap();
        let size = Size::new(picture.width(), picture.height());
        let parts = file.load(&folder, size).unwrap().parts;
        let (recipe, inputs) = edited(picture, &file.style, &parts, file.context);
        let recipe =
            Recipe { prompt: file.prompt, negative_prompt: file.negative_prompt, ..recipe };
        (format!("edit-{name}"), recipe, inputs)
    };
    ["coat", "painter", "spaceport"].map(edit).into()
}

/// Edits of each kind, of several at once and of a picture that the model could not draw at once.
fn kinds() -> Vec<Drawing> {
    let scribble = |picture: &RgbaImage| {
        let boat = |x, y| if on_disc(picture, 0.7, x, y) { [200, 40, 30, 255] } else { [0; 4] };
        let image = RgbaImage::from_fn(picture.width(), picture.height(), |x, y| Rgba(boat(x, y)));
        Some(Scribble(Arc::new(image)))
    };
    let (small, large) = (landscape(256, 224), landscape(640, 480));
    let disc =
        |picture: &RgbaImage, kind| part(kind, mask(picture, |x, y| on_disc(picture, 0.5, x, y)));
    let exact = |mut part: Part| {
        (part.edit.grow, part.edit.feather) = (Some(0), Some(0));
        part
    };
    let boat = Part {
        mask: mask(&small, |x, y| on_disc(&small, 0.7, x, y)),
        scribble: scribble(&small),
        ..disc(&small, EditKind::Add)
    };
    let mut seeded = disc(&small, EditKind::Replace);
    seeded.edit.seed = Some(11);
    let sky = part(EditKind::Refine, mask(&small, |_, y| y < 90));
    let cases = [
        ("refine", &small, vec![disc(&small, EditKind::Refine)], None),
        ("replace", &small, vec![exact(disc(&small, EditKind::Replace))], None),
        ("add", &small, vec![boat], None),
        ("remove", &small, vec![disc(&small, EditKind::Remove)], None),
        ("embolden", &small, vec![disc(&small, EditKind::Embolden)], None),
        ("several", &small, vec![seeded, sky, disc(&small, EditKind::Keep)], None),
        (
            "large",
            &large,
            vec![disc(&large, EditKind::Replace)],
            Some(Area { x: 160, y: 16, width: 320, height: 320 }),
        ),
    ];
    let drawing = |(name, picture, parts, context): (&str, &RgbaImage, Vec<Part>, Option<Area>)| {
        let (recipe, inputs) = edited(picture.clone(), "storybook illustration", &parts, context);
        (format!("kind-{name}"), Recipe { take: 1, ..recipe }, inputs)
    };
    cases.into_iter().map(drawing).collect()
}

fn edited(
    picture: RgbaImage,
    style: &str,
    parts: &[Part],
    context: Option<Area>,
) -> (Recipe, Inputs) {
    let size = Size::new(picture.width(), picture.height());
    let edit = PictureEdit {
        picture: picture_hash(&picture),
        style: style.to_owned(),
        parts: parts.iter().map(PartRecipe::from).collect(),
        context,
        ..PictureEdit::default()
    };
    let recipe =
        Recipe { size, edit: Some(edit), ..recipe("a meadow by day, storybook illustration") };
    let mut inputs = Inputs { init_image: Some(picture), ..Inputs::default() };
    inputs.add_parts(parts);
    (recipe, inputs)
}

fn recipe(prompt: &str) -> Recipe {
    Recipe {
        prompt: prompt.to_owned(),
        negative_prompt: "in the rain".to_owned(),
        size: Size::new(256, 256),
        seed: 5,
        take: 0,
        sampler: Sampler::default(),
        model: "sketch".to_owned(),
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

fn part(kind: EditKind, mask: Mask) -> Part {
    let edit = PartEdit { words: "a white moon".to_owned(), ..PartEdit::new(kind) };
    Part::new(kind.name().to_owned(), mask, edit)
}

fn mask(picture: &RgbaImage, is_in: impl Fn(u32, u32) -> bool) -> Mask {
    let (width, height) = picture.dimensions();
    Mask::from_fn(width, height, |x, y| if is_in(x, y) { 255 } else { 0 })
}

/// Sky over grass, with a red disc in the sky.
fn landscape(width: u32, height: u32) -> RgbaImage {
    let plain = RgbaImage::new(width, height);
    RgbaImage::from_fn(width, height, |x, y| {
        let [r, g, b] = match (on_disc(&plain, 0.5, x, y), y < height * 2 / 3) {
            (true, _) => [210, 40, 40],
            (false, true) => [120, 170, 230],
            (false, false) => [70, 140, 60],
        };
        Rgba([r, g, b, 255])
    })
}

/// Whether a pixel lies on a disc whose middle is `left` of the width from the left.
fn on_disc(picture: &RgbaImage, left: f32, x: u32, y: u32) -> bool {
    let (width, height) = picture.dimensions();
    let away = |at: u32, side: u32, part: f32| (at as f32 + 0.5) - side as f32 * part;
    away(x, width, left).hypot(away(y, height, 0.35)) < height as f32 * 0.2
}
