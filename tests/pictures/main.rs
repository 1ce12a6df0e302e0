//! The built-in model draws the pictures that it drew before: all of the example's story, some of other sizes and
//! schedulers, and edits of every kind.
//!
//! `golden/digests.json` holds a blake3 of each picture and the processor features that they were taken with. A
//! processor with the same features draws the same bits. Another one adds floats in another order; there each
//! picture agrees with the means of 8x8 pixels in `golden/NAME.png` (16 bits per channel) within 1e-3.
//!
//! `UPDATE_PICTURES=1 cargo test --test pictures` takes the pictures of now as the right ones.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod golden;
mod recipes;

use bevy_illustrator::{control::Interrupt, diffusion::DeviceKind, generator::GeneratorRegistry};

use golden::Golden;

#[test]
fn the_built_in_model_draws_the_pictures_that_it_drew_before() {
    let control = Interrupt::default();
    let mut generator =
        GeneratorRegistry::built_in(DeviceKind::Cpu).load("sketch", &control).unwrap();
    let mut golden = Golden::read();
    for (name, recipe, inputs) in recipes::all() {
        let drawn = generator
            .generate(&recipe, &inputs, &control)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        golden.compare(&name, &drawn.image);
    }
    golden.finish();
}
