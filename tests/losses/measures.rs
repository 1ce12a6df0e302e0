//! Measures of pictures that share no code with the losses.

use image::{GrayImage, RgbaImage, imageops};
use palette::{IntoColor, Lab, Oklab, Srgb};

/// The distance of two colours in CIELAB (CIE 1976).
pub fn lab_distance(one: [u8; 3], other: [u8; 3]) -> f64 {
    let [one, other] = [one, other].map(lab);
    let squares = one.iter().zip(other).map(|(one, other)| f64::from(one - other).powi(2));
    squares.sum::<f64>().sqrt()
}

fn lab(rgb: [u8; 3]) -> [f32; 3] {
    let lab: Lab = Srgb::from(rgb).into_format::<f32>().into_color();
    lab.into()
}

/// The mean distance in CIELAB of the pixels to the nearest of some colours.
pub fn palette_distance(picture: &RgbaImage, colours: &[[u8; 3]]) -> f64 {
    nearest(picture, colours, lab)
}

/// As [`palette_distance`], in Oklab. Black and white are 1 apart.
pub fn oklab_distance(picture: &RgbaImage, colours: &[[u8; 3]]) -> f64 {
    let lab = |rgb: [u8; 3]| -> Oklab { Srgb::from(rgb).into_format::<f32>().into_color() };
    nearest(picture, colours, |rgb| lab(rgb).into())
}

/// The mean distance of the pixels to the nearest of some colours, in a colour space.
fn nearest(picture: &RgbaImage, colours: &[[u8; 3]], space: impl Fn([u8; 3]) -> [f32; 3]) -> f64 {
    let colours: Vec<_> = colours.iter().map(|&rgb| space(rgb)).collect();
    mean(picture.pixels().map(|pixel| {
        let [red, green, blue, _] = pixel.0;
        let found = space([red, green, blue]);
        let squares = |other: &[f32; 3]| -> f32 {
            found.iter().zip(other).map(|(one, other)| (one - other).powi(2)).sum()
        };
        colours.iter().map(|other| f64::from(squares(other)).sqrt()).fold(f64::INFINITY, f64::min)
    }))
}

/// The mean slope of the lightness on the dark lines of an outline, divided by the mean slope 6 to 16 pixels beside
/// them.
pub fn edges_on_lines(picture: &RgbaImage, outline: &GrayImage) -> f64 {
    let light = imageops::grayscale(picture);
    let at = |x: u32, y: u32| f64::from(light.get_pixel(x, y).0[0]);
    let distances = imageproc::distance_transform::euclidean_squared_distance_transform(
        &imageproc::contrast::threshold(
            outline,
            128,
            imageproc::contrast::ThresholdType::BinaryInverted,
        ),
    );
    let (mut on, mut beside) = (Vec::new(), Vec::new());
    for y in 1..light.height() - 1 {
        for x in 1..light.width() - 1 {
            let slope = (at(x + 1, y) - at(x - 1, y)).hypot(at(x, y + 1) - at(x, y - 1));
            match distances.get_pixel(x, y).0[0].sqrt() {
                distance if distance <= 3.0 => on.push(slope),
                distance if (6.0..16.0).contains(&distance) => beside.push(slope),
                _ => {}
            }
        }
    }
    mean(on) / mean(beside)
}

/// The correlation of two pictures, shrunk to 16 x 16 grey pixels.
pub fn layout_correlation(picture: &RgbaImage, other: &RgbaImage) -> f64 {
    let small = |picture: &RgbaImage| {
        let grey = imageops::grayscale(picture);
        let grey = imageops::resize(&grey, 16, 16, imageops::FilterType::Triangle);
        let values: Vec<f64> = grey.pixels().map(|pixel| pixel.0[0].into()).collect();
        let mean = mean(values.iter().copied());
        values.into_iter().map(|value| value - mean).collect::<Vec<_>>()
    };
    let (a, b) = (small(picture), small(other));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
}

/// The distance of the style of two pictures: means and deviations of lightness and both colour axes, and of their
/// slopes at three scales, compared one by one.
pub fn style_distance(picture: &RgbaImage, other: &RgbaImage) -> f64 {
    let (a, b) = (style(picture), style(other));
    mean(a.iter().zip(&b).map(|(a, b)| (a - b).abs() / (a.abs() + b.abs() + 1.0)))
}

fn style(picture: &RgbaImage) -> Vec<f64> {
    let mut statistics = Vec::new();
    for scale in [1, 2, 4] {
        let (width, height) = (picture.width() / scale, picture.height() / scale);
        let small = imageops::resize(picture, width, height, imageops::FilterType::Triangle);
        let lab: Vec<[f64; 3]> = small
            .pixels()
            .map(|pixel| {
                let [red, green, blue, _] = pixel.0;
                let lab: Lab = Srgb::from([red, green, blue]).into_format::<f32>().into_color();
                [lab.l.into(), lab.a.into(), lab.b.into()]
            })
            .collect();
        let width = width as usize;
        for channel in 0..3 {
            let values: Vec<f64> = lab.iter().map(|lab| lab[channel]).collect();
            let slopes =
                values.windows(width + 1).map(|it| (it[1] - it[0]).hypot(it[width] - it[0]));
            for values in [values.clone(), slopes.collect()] {
                let mean_value = mean(values.iter().copied());
                let variance = mean(values.iter().map(|value| (value - mean_value).powi(2)));
                statistics.extend([mean_value, variance.sqrt()]);
            }
        }
    }
    statistics
}

/// The mean difference of neighbouring pixels, in levels.
pub fn variation(picture: &RgbaImage) -> f64 {
    let grey = imageops::grayscale(picture);
    let at = |x: u32, y: u32| f64::from(grey.get_pixel(x, y).0[0]);
    let pixels = (1..grey.height()).flat_map(|y| (1..grey.width()).map(move |x| (x, y)));
    mean(pixels.map(|(x, y)| (at(x, y) - at(x - 1, y)).abs() + (at(x, y) - at(x, y - 1)).abs()))
}

/// The mean saturation of HSV, in 0..=1.
pub fn saturation(picture: &RgbaImage) -> f64 {
    mean(picture.pixels().map(|pixel| {
        let [red, green, blue, _] = pixel.0.map(f64::from);
        let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
        if most > 0.0 { (most - least) / most } else { 0.0 }
    }))
}

/// The mean lightness in Oklab, in 0..=1.
pub fn lightness(picture: &RgbaImage) -> f64 {
    mean(picture.pixels().map(|pixel| {
        let [red, green, blue, _] = pixel.0;
        let lab: Oklab = Srgb::from([red, green, blue]).into_format::<f32>().into_color();
        f64::from(lab.l)
    }))
}

/// The mean of one channel, in levels.
pub fn channel(picture: &RgbaImage, channel: usize) -> f64 {
    mean(picture.pixels().map(|pixel| f64::from(pixel.0[channel])))
}

pub fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) =
        values.into_iter().fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}
