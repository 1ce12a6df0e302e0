//! A generator of your own: anything that turns a recipe into a picture. This one paints a gradient.
//!
//! A loader in the registry maps the name of a model to a generator. The style of the story names the model. A
//! generator runs on the worker thread. The queue, takes, progress and cancelling work as for a network.
//!
//! ```sh
//! cargo run --example custom_generator
//! ```

mod common;

use bevy::prelude::*;
use bevy_illustrator::{
    generator::{
        Control, Drawn, GenerateError, Generator, GeneratorRegistry, Inputs, ModelCard, Step,
    },
    prelude::*,
    recipe::{Recipe, Style},
};
use image::{Rgba, RgbaImage};

/// The name of the model in styles and recipes.
const MODEL: &str = "gradient";

fn main() -> AppExit {
    let mut registry = GeneratorRegistry::default();
    registry.register(|model, _control| {
        (model == MODEL).then(|| Ok(Box::new(Gradient::new()) as Box<dyn Generator>))
    });
    let art_folder = Some("assets/illustrations/gradient".into());
    let illustrator = IllustratorPlugin { registry, art_folder, ..default() };
    App::new()
        .add_plugins((common::default_plugins(), IllustratorPlugins.set(illustrator)))
        .insert_resource(StoryMeta {
            style: Style { model: MODEL.into(), ..default() },
            ..default()
        })
        .add_systems(Startup, (common::write_story, spawn_stage))
        .run()
}

struct Gradient {
    card: ModelCard,
}

impl Gradient {
    fn new() -> Self {
        // The card is part of the provenance of each picture.
        Self { card: ModelCard { name: MODEL.into(), hash: "1".into(), ..default() } }
    }
}

impl Generator for Gradient {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn generate(
        &mut self,
        recipe: &Recipe,
        _inputs: &Inputs,
        control: &dyn Control,
    ) -> Result<Drawn, GenerateError> {
        let (width, height) = (recipe.size.width, recipe.size.height);
        // The same recipe gives the same picture.
        let [red, green, ..] = recipe.noise_seed().to_le_bytes();
        let mut picture = RgbaImage::new(width, height);
        for y in 0..height {
            // An author can cancel or pause between two rows.
            control.interrupt().check()?;
            for x in 0..width {
                picture.put_pixel(x, y, Rgba([red, green, (255 * y / height) as u8, 255]));
            }
            control.step(Step { done: y + 1, of: height, ..Step::default() });
        }
        // It measures no losses.
        Ok(picture.into())
    }
}

fn spawn_stage(mut commands: Commands) {
    commands.spawn(Camera2d);
    commands.spawn((
        Node { width: percent(100), height: percent(100), ..default() },
        ImageNode::default().with_mode(NodeImageMode::Stretch),
        Illustration::background("arrival"),
    ));
}
