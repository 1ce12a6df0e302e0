//! The inputs of adapters, from images.

use std::borrow::Cow;

use candle_core::{Device, Result, Tensor};
use image::{GrayImage, Luma, Rgba, RgbaImage, imageops};

use super::{AdapterError, ControlType, PixelMask, T2iAdapter, vision::clip_normalized};
use crate::{
    diffusion::pixels::tensor_from_rgba,
    loss::ink,
    mask::{Mask, over_grey},
    picture::{self, MapKind},
    recipe::ImageUse,
};

/// Checks that a T2I-Adapter can read images of a use.
pub(super) fn check_channels(
    usage: ImageUse,
    adapter: &T2iAdapter,
) -> std::result::Result<(), AdapterError> {
    match (usage, adapter.in_channels()) {
        (ImageUse::Outline, 1) | (_, 3) => Ok(()),
        (_, found) => Err(AdapterError::Channels {
            adapter: adapter.name().to_owned(),
            usage: usage.name(),
            found,
        }),
    }
}

/// The input of a ControlNet: white lines on black. An outline has lines, of other images they are the soft edges.
pub(super) fn lines(usage: ImageUse, image: &RgbaImage) -> RgbaImage {
    let white = |share: f32| {
        let level = (255.0 * share).round() as u8;
        Rgba([level, level, level, 255])
    };
    let lines = match usage {
        ImageUse::Outline => Cow::Borrowed(image),
        _ => Cow::Owned(MapKind::SoftEdges.extract(image)),
    };
    let ink = ink(&lines);
    RgbaImage::from_fn(image.width(), image.height(), |x, y| white(ink(lines.get_pixel(x, y).0)))
}

/// What these [lines] are for a union network.
pub(super) fn control_type(usage: ImageUse) -> ControlType {
    match usage {
        ImageUse::Outline => ControlType::Lines,
        _ => ControlType::SoftEdges,
    }
}

/// An opaque image as a tensor, (1, 3, height, width) in 0..=1, padded with 0 to multiples of `cell`.
pub(super) fn padded(image: &RgbaImage, cell: usize, device: &Device) -> Result<Tensor> {
    to_multiples(tensor_from_rgba(image, device)?.affine(0.5, 0.5)?, cell)
}

fn to_multiples(input: Tensor, cell: usize) -> Result<Tensor> {
    let (_, _, height, width) = input.dims4()?;
    let missing = |side: usize| side.next_multiple_of(cell) - side;
    input.pad_with_zeros(2, 0, missing(height))?.pad_with_zeros(3, 0, missing(width))
}

/// The input of a T2I-Adapter, (1, channels, height, width) in 0..=1, padded with 0 to multiples of its downscale factor.
/// Outlines are white lines on black. Other images are in colour, transparent pixels are grey.
pub(super) fn drawing(
    usage: ImageUse,
    image: &RgbaImage,
    adapter: &T2iAdapter,
    device: &Device,
) -> Result<Tensor> {
    let input = match usage {
        ImageUse::Outline => {
            let ink = ink(image);
            let (width, height) = (image.width() as usize, image.height() as usize);
            let lines: Vec<f32> = image.pixels().map(|pixel| ink(pixel.0)).collect();
            let lines = Tensor::from_vec(lines, (1, 1, height, width), device)?;
            lines.repeat((1, adapter.in_channels(), 1, 1))?
        }
        _ => tensor_from_rgba(&over_grey(image), device)?.affine(0.5, 0.5)?,
    };
    to_multiples(input, adapter.downscale_factor())
}

/// Whether all of an image is transparent.
pub(super) fn is_transparent(image: &RgbaImage) -> bool {
    image.pixels().all(|pixel| pixel.0[3] == 0)
}

/// Where a drawing acts: inside the mask of its part, and of a scribble only where it is opaque, or at most `reach` pixels
/// from there. `None`: everywhere.
pub(super) fn mask(
    usage: ImageUse,
    drawing: &RgbaImage,
    part: Option<GrayImage>,
    reach: u32,
) -> Option<PixelMask> {
    let mask = match usage {
        ImageUse::Scribble => Some(opacity(drawing, part.as_ref(), reach)),
        _ => part,
    };
    let mask = mask.filter(|mask| mask.pixels().any(|share| *share != Luma([255])))?;
    Some(PixelMask::new(&mask))
}

/// The reach of a scribble for a network with these cells: half a cell, so that a thin line fills one. Of all cells of at
/// most an eighth of the shorter side, it is the largest; without any, the smallest of all.
pub(super) fn reach(cells: impl Iterator<Item = usize>, drawing: &RgbaImage) -> u32 {
    let longest = drawing.width().min(drawing.height()) as usize / 8;
    let mut cells: Vec<usize> = cells.collect();
    let smallest = cells.iter().copied().min();
    cells.retain(|cell| *cell <= longest);
    let largest = cells.into_iter().max().or(smallest);
    largest.and_then(|cell| u32::try_from(cell / 2).ok()).unwrap_or(0)
}

/// The opacity of an image, widened by `reach` pixels, inside a mask of the same size.
fn opacity(image: &RgbaImage, mask: Option<&GrayImage>, reach: u32) -> GrayImage {
    let opacity = Mask::from_fn(image.width(), image.height(), |x, y| image.get_pixel(x, y).0[3]);
    let opacity = opacity.grown(reach);
    GrayImage::from_fn(image.width(), image.height(), |x, y| {
        let share = mask.map_or(255, |mask| mask.get_pixel(x, y).0[0]);
        let product = u16::from(opacity.at(x, y)) * u16::from(share);
        Luma([(product / 255) as u8])
    })
}

/// An image as an image encoder of CLIP reads it, (1, 3, `side`, `side`): as transformers' `CLIPImageProcessor`, the
/// shorter side is resized, and the centre is cut out.
pub(super) fn for_clip(image: &RgbaImage, side: usize, device: &Device) -> Result<Tensor> {
    // Of a long image, most would be cut off after it was resized.
    let image = picture::centre(image, 8);
    let (side, shorter) = (side as u32, image.width().min(image.height()).max(1));
    let resized = |length: u32| (u64::from(side) * u64::from(length) / u64::from(shorter)) as u32;
    let (width, height) = (resized(image.width()).max(side), resized(image.height()).max(side));
    let image = picture::resized_bicubic(&image, width, height);
    let (left, top) = ((width - side) / 2, (height - side) / 2);
    let image = imageops::crop_imm(&image, left, top, side, side).to_image();
    clip_normalized(&tensor_from_rgba(&over_grey(&image), device)?.affine(0.5, 0.5)?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::DType;

    use super::*;

    fn fixtures() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/fixtures"))
    }

    #[test]
    fn outlines_are_lines_for_a_union_network_and_other_images_soft_edges() {
        let types = [ImageUse::Outline, ImageUse::Scribble, ImageUse::Content].map(control_type);
        let edges = ControlType::SoftEdges;
        assert_eq!(types, [ControlType::Lines, edges, edges]);
    }

    #[test]
    fn images_for_clip_are_those_of_its_image_processor() {
        let file = fixtures().join("networks/sd1_adapters.safetensors");
        let recorded = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
        let photo = recorded["photo"].permute((1, 2, 0)).unwrap().to_vec3::<u8>().unwrap();
        let photo = RgbaImage::from_fn(200, 96, |x, y| {
            let [red, green, blue] = photo[y as usize][x as usize][..] else { unreachable!() };
            Rgba([red, green, blue, 255])
        });
        let found = for_clip(&photo, 20, &Device::Cpu).unwrap();
        // Pillow filters rows first, and this crate columns. That matters where values are clipped in between.
        let expected = &recorded["photo.pixels"];
        let apart = ((found - expected).unwrap().abs().unwrap() * (255.0 * 0.26)).unwrap();
        let [mean, most] = [apart.mean_all(), apart.max_all()]
            .map(|levels| levels.unwrap().to_scalar::<f32>().unwrap());
        assert!(mean < 0.3 && most < 4.5, "{mean} {most}");
    }

    #[test]
    fn drawings_are_padded_to_the_cells_of_an_adapter() {
        let adapter = fixtures().join("sd1_adapters/full");
        let adapter = T2iAdapter::open(&adapter, &Device::Cpu).unwrap();
        let image = RgbaImage::from_fn(12, 8, |x, _| match x {
            0 => Rgba([0, 0, 0, 255]),
            _ => Rgba([255, 255, 255, 255]),
        });
        let row = |usage| -> Vec<f32> {
            let input = drawing(usage, &image, &adapter, &Device::Cpu).unwrap();
            assert_eq!(input.dims(), [1, 3, 8, 16]);
            let row = input.get(0).unwrap().get(2).unwrap().get(7).unwrap();
            row.to_dtype(DType::F32).unwrap().to_vec1().unwrap()
        };
        let lines = row(ImageUse::Outline);
        assert!(lines[0] == 1.0 && lines[1..].iter().all(|ink| ink.abs() < 1e-6), "{lines:?}");
        let colours = row(ImageUse::Scribble);
        assert_eq!([colours[0], colours[1], colours[11], colours[12]], [0.0, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn a_control_net_reads_depths_from_an_inverted_depth_map_as_an_outline_but_not_as_a_content() {
        let grey = |level: u8| Rgba([level, level, level, 255]);
        // Near is dark. Networks for depth read near in white.
        let depths = RgbaImage::from_fn(256, 2, |x, _| grey(x as u8));
        let read = lines(ImageUse::Outline, &depths);
        assert!(read.enumerate_pixels().all(|(x, _, pixel)| *pixel == grey(255 - x as u8)));
        let flat = [40, 200].map(|depth| RgbaImage::from_pixel(8, 8, grey(depth)));
        let [near, far] = flat.map(|depths| lines(ImageUse::Content, &depths));
        assert_eq!(near, far);
    }

    #[test]
    fn an_opacity_is_that_of_the_image_inside_the_mask() {
        let image = RgbaImage::from_fn(3, 1, |x, _| Rgba([9, 9, 9, [255, 255, 100][x as usize]]));
        let mask = GrayImage::from_fn(3, 1, |x, _| Luma([[255, 51, 0][x as usize]]));
        assert_eq!(opacity(&image, Some(&mask), 0).into_raw(), [255, 51, 0]);
        assert_eq!(opacity(&image, None, 0).into_raw(), [255, 255, 100]);
    }

    #[test]
    fn a_thin_line_acts_in_a_whole_cell_of_its_part() {
        // A vertical line of one pixel in cells of 8 pixels.
        let image =
            RgbaImage::from_fn(40, 8, |x, _| Rgba([0, 0, 0, if x == 19 { 255 } else { 0 }]));
        let widened = opacity(&image, None, 4);
        let opaque = widened.pixels().take(40).map(|share| share.0[0] == 255);
        assert!(opaque.eq((0..40).map(|x| (15..=23).contains(&x))));
        let part = GrayImage::from_fn(40, 8, |x, _| Luma([if x < 20 { 255 } else { 0 }]));
        let inside = opacity(&image, Some(&part), 4);
        let opaque = inside.pixels().take(40).map(|share| share.0[0] == 255);
        assert!(opaque.eq((0..40).map(|x| (15..20).contains(&x))));
    }

    #[test]
    fn the_reach_is_half_the_largest_cell_of_an_eighth_of_the_picture() {
        let cells = [8, 8, 16, 16, 32, 32, 64, 64, 64];
        for (width, height, expected) in
            [(512, 768, 32), (511, 768, 16), (256, 256, 16), (64, 48, 4), (8, 512, 4)]
        {
            let drawing = RgbaImage::new(width, height);
            assert_eq!(reach(cells.into_iter(), &drawing), expected, "{width}x{height}");
        }
        assert_eq!(reach(std::iter::empty(), &RgbaImage::new(8, 8)), 0);
    }
}
