//! The edits that the README shows do what they say, and nothing else.

use super::*;
use candle_core::{Device, safetensors};
use image::{GrayImage, RgbaImage};

/// An edit of `examples/edits`: its picture, what comes of it, and how much of each pixel may be new.
struct Shown {
    folder: PathBuf,
    before: RgbaImage,
    after: RgbaImage,
    blend: Vec<f32>,
}

impl Shown {
    fn of(name: &str) -> Self {
        let desk = Desk::new(STORY);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/edits").join(name);
        let [picture, edit] =
            ["before.png", "edit.ron"].map(|file| folder.join(file).display().to_string());
        let args = ["edit", "--picture", &picture, "--edit", &edit, "--out", "after.png"];
        desk.run(&[&args[..], &["--dump", "way.safetensors"]].concat()).exits(0);
        let dump = safetensors::load(desk.path("way.safetensors"), &Device::Cpu).unwrap();
        Self {
            before: image::open(picture).unwrap().into_rgba8(),
            after: image::open(desk.path("after.png")).unwrap().into_rgba8(),
            blend: dump["blend_mask"].flatten_all().unwrap().to_vec1().unwrap(),
            folder,
        }
    }

    /// The pixels of the edit that a file of it marks, by their place in the picture.
    fn marked(&self, file: &str) -> Vec<(u32, u32)> {
        let mask: GrayImage = match image::open(self.folder.join(file)).unwrap() {
            image::DynamicImage::ImageRgba8(scribble) => {
                GrayImage::from_fn(scribble.width(), scribble.height(), |x, y| {
                    image::Luma([scribble.get_pixel(x, y).0[3]])
                })
            }
            mask => mask.into_luma8(),
        };
        let marked = mask.enumerate_pixels().filter(|(.., pixel)| pixel.0[0] > 127);
        marked.map(|(x, y, _)| (x, y)).collect()
    }

    /// Where nothing may be new, not a bit is.
    fn changes_nothing_else(&self) {
        let mut kept = 0;
        for ((before, after), &blend) in
            self.before.pixels().zip(self.after.pixels()).zip(&self.blend)
        {
            if blend == 0.0 {
                assert_eq!(before, after);
                kept += 1;
            }
        }
        assert!(kept * 8 > self.blend.len(), "only {kept} pixels were to be kept");
    }
}

/// The mean red, green and blue of some pixels.
fn mean(picture: &RgbaImage, pixels: &[(u32, u32)]) -> [f32; 3] {
    let mut sum = [0.0; 3];
    for &(x, y) in pixels {
        let pixel = picture.get_pixel(x, y).0;
        (0..3).for_each(|channel| sum[channel] += f32::from(pixel[channel]));
    }
    sum.map(|sum| sum / pixels.len() as f32)
}

/// How many of some pixels, as a share, are such.
fn share(picture: &RgbaImage, pixels: &[(u32, u32)], is: impl Fn([u8; 4]) -> bool) -> f32 {
    let count = pixels.iter().filter(|&&(x, y)| is(picture.get_pixel(x, y).0)).count();
    count as f32 / pixels.len() as f32
}

#[test]
fn the_painter_leaves_the_landscape_and_the_tree_stays() {
    let shown = Shown::of("painter");
    shown.changes_nothing_else();
    let painter = shown.marked("painter.png");
    let is_dark = |[red, green, blue, _]: [u8; 4]| red.max(green).max(blue) < 70;
    let dark = [&shown.before, &shown.after].map(|picture| share(picture, &painter, is_dark));
    assert!(dark[0] > 0.2 && dark[1] < 0.01, "he is dark, the meadow is not: {dark:?}");
    // What is left and right of him, in the same rows, is what should be behind him.
    let beside: Vec<_> =
        painter.iter().filter(|(x, _)| x + 90 < 230).map(|(x, y)| (x + 90, *y)).collect();
    let away = [&shown.before, &shown.after].map(|picture| {
        let (there, here) = (mean(picture, &beside), mean(picture, &painter));
        there.iter().zip(here).map(|(there, here)| (there - here).abs()).sum::<f32>()
    });
    assert!(away[1] < 60.0 && away[1] * 3.0 < away[0], "{away:?}");
}

#[test]
fn a_scribble_becomes_a_red_spaceship() {
    let shown = Shown::of("spaceport");
    shown.changes_nothing_else();
    let ship = shown.marked("ship.png");
    // The sunset is red as well, but brighter.
    let is_red = |[red, green, blue, _]: [u8; 4]| {
        red > 130 && u16::from(red) > 2 * u16::from(green.max(blue)) && green < 90
    };
    let red = [&shown.before, &shown.after].map(|picture| share(picture, &ship, is_red));
    assert!(red[0] < 0.2 && red[1] > 0.4, "{red:?}");
    let scribble = image::open(shown.folder.join("ship.png")).unwrap().into_rgba8();
    let differs = ship.iter().filter(|&&(x, y)| {
        let (drawn, scribbled) = (shown.after.get_pixel(x, y).0, scribble.get_pixel(x, y).0);
        drawn.iter().zip(scribbled).map(|(a, b)| a.abs_diff(b)).max() > Some(12)
    });
    let differs = differs.count() as f32 / ship.len() as f32;
    assert!(differs > 0.5, "it is drawn, not pasted: {differs}");
}

#[test]
fn the_coat_turns_green_and_the_day_dusk_while_the_face_is_kept() {
    let shown = Shown::of("coat");
    shown.changes_nothing_else();
    let face = shown.marked("face.png");
    assert!(face.iter().all(|&(x, y)| shown.before.get_pixel(x, y) == shown.after.get_pixel(x, y)));
    let (coat, sky) = (shown.marked("coat.png"), shown.marked("sky.png"));
    let [red, green, _] = mean(&shown.before, &coat);
    assert!(red > 2.0 * green, "{red} {green}");
    let [red, green, _] = mean(&shown.after, &coat);
    assert!(green > 1.5 * red, "{red} {green}");
    let [red, _, blue] = mean(&shown.before, &sky);
    assert!(blue > red, "{red} {blue}");
    let [red, _, blue] = mean(&shown.after, &sky);
    assert!(red > 1.5 * blue, "{red} {blue}");
}
