//! The inputs of the built-in adapters, from pictures. `assets/models/sketch-adapters/README.md` defines them.

use candle_core::{Device, Result, Tensor};
use image::RgbaImage;

use crate::{
    diffusion::pixels::tensor_from_rgba,
    loss::{Frame, ink},
    mask::over_grey,
    picture,
};

/// Pixels of a picture on each side of a pixel of the input.
pub(super) const OUTLINE_SHRINK: usize = 2;
pub(super) const SCRIBBLE_SHRINK: usize = 4;

/// The input for an outline, (1, 1, height, width): ink is 1, paper is 0. It is padded to multiples of `side`.
pub(super) fn outline(
    image: &RgbaImage,
    frame: &Frame,
    side: usize,
    device: &Device,
) -> Result<Tensor> {
    let ink = ink(image);
    reduced(&frame.cut(image), |pixel| [ink(pixel)], OUTLINE_SHRINK, side, device)
}

/// The input for a scribble, (1, 4, height, width): red, green and blue in -1..=1, times alpha, and alpha in 0..=1. It is
/// padded to multiples of `side`.
pub(super) fn scribble(
    image: &RgbaImage,
    frame: &Frame,
    side: usize,
    device: &Device,
) -> Result<Tensor> {
    let channels = |pixel: [u8; 4]| {
        let [red, green, blue, alpha] = pixel.map(|value| f32::from(value) / 255.0);
        let colour = |value: f32| (2.0 * value - 1.0) * alpha;
        [colour(red), colour(green), colour(blue), alpha]
    };
    reduced(&frame.cut(image), channels, SCRIBBLE_SHRINK, side, device)
}

/// An image as the vision encoder of sketch-clip reads it, (1, 3, `side`, `side`) in -1..=1.
pub(super) fn image(image: &RgbaImage, side: usize, device: &Device) -> Result<Tensor> {
    let side = side as u32;
    tensor_from_rgba(&over_grey(&picture::resized_bicubic(image, side, side)), device)
}

/// The means of squares with sides of `shrink` pixels, padded with 0 at the right and at the bottom.
fn reduced<const N: usize>(
    image: &RgbaImage,
    channels: impl Fn([u8; 4]) -> [f32; N],
    shrink: usize,
    side: usize,
    device: &Device,
) -> Result<Tensor> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let values: Vec<f32> = image.pixels().flat_map(|pixel| channels(pixel.0)).collect();
    let pixels = Tensor::from_vec(values, (height, width, N), device)?;
    let pixels = pixels.permute((2, 0, 1))?.unsqueeze(0)?.contiguous()?;
    let means = pixels.avg_pool2d(shrink)?;
    let (_, _, rows, columns) = means.dims4()?;
    let missing = |length: usize| length.next_multiple_of(side) - length;
    means.pad_with_zeros(2, 0, missing(rows))?.pad_with_zeros(3, 0, missing(columns))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::DType;
    use image::Rgba;

    use super::*;
    use crate::recipe::Size;

    /// `tests/reference/adapters.py` computes the expected values with PyTorch and Pillow.
    fn reference() -> HashMap<String, Tensor> {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/reference/fixtures/networks/sketch_adapters.safetensors"
        );
        candle_core::safetensors::load(file, &Device::Cpu).unwrap()
    }

    /// A picture of recorded channels, grey or RGB or RGBA.
    fn picture(channels: &Tensor) -> RgbaImage {
        let channels = channels.to_vec3::<u8>().unwrap();
        let (width, height) = (channels[0][0].len() as u32, channels[0].len() as u32);
        RgbaImage::from_fn(width, height, |x, y| {
            let at = |channel: usize| channels[channel][y as usize][x as usize];
            Rgba(match channels.len() {
                1 => [at(0), at(0), at(0), 255],
                3 => [at(0), at(1), at(2), 255],
                _ => [at(0), at(1), at(2), at(3)],
            })
        })
    }

    /// The frame of a whole picture.
    fn frame(width: u32, height: u32) -> Frame {
        Frame {
            picture: Size::new(width, height),
            origin: (0, 0),
            size: (width, height),
            scale: 16,
        }
    }

    fn apart(found: &Tensor, expected: &Tensor) -> f32 {
        assert_eq!(found.dims(), expected.dims());
        (found - expected).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    #[test]
    fn inputs_equal_those_of_the_training() {
        let (expected, device) = (reference(), &Device::Cpu);
        let frame = frame(144, 112);
        let lines = picture(&expected["lines"]);
        let input = outline(&lines, &frame, 16, device).unwrap();
        assert!(apart(&input, &expected["outline.input"]) < 1e-6);
        let colours = picture(&expected["colours"]);
        let input = scribble(&colours, &frame, 8, device).unwrap();
        assert!(apart(&input, &expected["scribble.input"]) < 1e-6);
    }

    #[test]
    fn images_are_resized_as_by_pillow() {
        let expected = reference();
        let input = image(&picture(&expected["photo"]), 128, &Device::Cpu).unwrap();
        let pixels = expected["photo.resized"].to_dtype(DType::F32).unwrap().unsqueeze(0).unwrap();
        let pixels = pixels.affine(1.0 / 127.5, -1.0).unwrap();
        // One level of rounding.
        assert!(apart(&input, &pixels) < 1.01 / 127.5);
    }

    #[test]
    fn an_area_of_a_picture_has_its_part_of_the_drawing() {
        let drawing = RgbaImage::from_fn(96, 80, |x, y| {
            Rgba([(x * 2) as u8, (y * 3) as u8, (x ^ y) as u8, if x < 50 { 255 } else { 90 }])
        });
        let area = Frame { origin: (32, 16), size: (48, 32), ..frame(96, 80) };
        let cut = image::imageops::crop_imm(&drawing, 32, 16, 48, 32).to_image();
        let device = &Device::Cpu;
        let found = scribble(&drawing, &area, 8, device).unwrap();
        assert_eq!(apart(&found, &scribble(&cut, &frame(48, 32), 8, device).unwrap()), 0.0);
        // A drawing of half the size is enlarged to the whole picture first.
        let small =
            RgbaImage::from_fn(
                48,
                40,
                |x, _| {
                    if x < 24 { Rgba([0, 0, 0, 255]) } else { Rgba([255; 4]) }
                },
            );
        let found = outline(&small, &area, 16, device).unwrap();
        let row: Vec<f32> =
            found.squeeze(0).unwrap().squeeze(0).unwrap().get(0).unwrap().to_vec1().unwrap();
        assert!(row[..7].iter().all(|ink| *ink == 1.0) && row[9..].iter().all(|ink| *ink == 0.0));
    }
}
