//! Checks of losses in `f64`.

use candle_core::{Device, Tensor};

use super::{Decoded, LossFunction, LossInput, PartMasks};
use crate::ops::check::gradients_agree;

/// A picture, (1, 3, height, width).
pub(super) fn colours(height: u32, width: u32, colour: impl Fn(u32, u32) -> [f64; 3]) -> Tensor {
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let values: Vec<f64> = pixels.flat_map(|(x, y)| colour(x, y)).collect();
    let rows = Tensor::from_vec(values, (height as usize, width as usize, 3), &Device::Cpu);
    rows.unwrap().permute((2, 0, 1)).unwrap().unsqueeze(0).unwrap().contiguous().unwrap()
}

/// The value of a loss whose latents are the picture itself.
pub(super) fn value(
    loss: &dyn LossFunction,
    picture: &Tensor,
    mask: impl Fn(u32, u32) -> f64,
) -> f64 {
    let (_, _, height, width) = picture.dims4().unwrap();
    let pixels = (0..height as u32).flat_map(|y| (0..width as u32).map(move |x| (x, y)));
    let mask: Vec<f64> = pixels.map(|(x, y)| mask(x, y)).collect();
    let mask = Tensor::from_vec(mask, (1, 1, height, width), &Device::Cpu).unwrap();
    of(loss, picture, &mask).to_scalar().unwrap()
}

/// Compares the gradient with finite differences. The mask has different weights.
pub(super) fn gradient_agrees(loss: &dyn LossFunction, picture: &Tensor) {
    let (_, _, height, width) = picture.dims4().unwrap();
    let weights = (0..height * width).map(|i| 0.2 + 0.1 * (i % 7) as f64).collect();
    let mask = Tensor::from_vec(weights, (1, 1, height, width), &Device::Cpu).unwrap();
    gradients_agree(std::array::from_ref(picture), |[picture]| Ok(of(loss, picture, &mask)));
}

fn of(loss: &dyn LossFunction, picture: &Tensor, mask: &Tensor) -> Tensor {
    let decode = || Ok(picture.clone());
    let [colours, pixels] = [Decoded::new(&decode), Decoded::new(&decode)];
    let masks = PartMasks { latents: mask.clone(), colours: mask.clone(), pixels: mask.clone() };
    loss.value(&LossInput::new(picture, &colours, &pixels, &masks)).unwrap()
}
