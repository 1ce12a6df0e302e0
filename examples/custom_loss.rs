//! A kind of loss of your own: pictures that are symmetric from left to right.
//!
//! A loss is a number that is differentiable with candle. Drawing is steered to make it small. The name of the kind is
//! part of the recipe, so that the picture can be drawn again. Here, the picture is drawn without and with the loss.
//!
//! ```sh
//! cargo run --example custom_loss
//! ```

use std::{error::Error, path::Path};

use bevy_illustrator::{
    control::Interrupt,
    diffusion::DeviceKind,
    generator::{GeneratorRegistry, Inputs},
    loss::{self, LossClass, LossFunction, LossInput},
    recipe::{Loss, LossKind, Recipe, Size, style::BUILT_IN_MODEL},
};
use candle_core::{Result, Tensor};

/// The mean squared difference of the picture from its mirror image, in 0..=1.
struct Symmetry;

impl LossFunction for Symmetry {
    fn value(&self, input: &LossInput<'_>) -> Result<Tensor> {
        let colours = input.colours()?;
        let mirrored = (0..colours.dim(3)?).rev().map(|x| colours.narrow(3, x, 1));
        let mirrored = Tensor::cat(&mirrored.collect::<Result<Vec<_>>>()?, 3)?;
        (colours - mirrored)?.sqr()?.mean_all()
    }
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    loss::register(LossClass {
        name: "Symmetry",
        build: |value, _| match value {
            "" => Ok(Box::new(Symmetry)),
            _ => Err("leave it empty".to_owned()),
        },
    });
    let symmetry = LossKind::Custom { name: "Symmetry".to_owned(), value: String::new() };
    let prompt = "a lighthouse by the sea at dusk, storybook illustration";
    let plain = Recipe::new(prompt, Size::new(256, 256), BUILT_IN_MODEL);
    let steered = Recipe { losses: vec![Loss::new(symmetry)], ..plain.clone() };

    let registry = GeneratorRegistry::built_in(DeviceKind::Auto);
    let mut model = registry.load(BUILT_IN_MODEL, &Interrupt::default())?;
    let folder = Path::new("assets/illustrations/symmetry");
    std::fs::create_dir_all(folder)?;
    for (name, recipe) in [("plain.png", plain), ("symmetric.png", steered)] {
        let drawn = model.generate(&recipe, &Inputs::default(), &Interrupt::default())?;
        drawn.image.save(folder.join(name))?;
        for loss in drawn.losses {
            println!("{name}: {} {:.3}", loss.kind, loss.value);
        }
    }
    println!("The pictures are in {}.", folder.display());
    Ok(())
}
