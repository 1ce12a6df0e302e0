//! The edits in the README change their parts as described, and no other pixels.

use super::*;
use candle_core::{Device, safetensors};
use image::{GrayImage, RgbaImage};

/// An edit in `examples/edits`: the picture before and after, and the blend mask.
struct Shown {
    folder: PathBuf,
    before: RgbaImage,
    after: RgbaImage,
    blend: Vec<f32>,
}

impl Shown {
    fn run(name: &str) -> Self {
        let workspace = Workspace::new(STORY);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/edits").join(name);
        let [picture, edit] =
            ["before.png", "edit.ron"].map(|file| folder.join(file).display().to_string());
        let args = ["edit", "--picture", &picture, "--edit", &edit, "--out", "after.png"];
        workspace.run(&[&args[..], &["--dump", "dump.safetensors"]].concat()).exits(0);
        let dump = safetensors::load(workspace.path("dump.safetensors"), &Device::Cpu).unwrap();
        Self {
            before: image::open(picture).unwrap().into_rgba8(),
            after: image::open(workspace.path("after.png")).unwrap().into_rgba8(),
            blend: dump["blend_mask"].flatten_all().unwrap().to_vec1().unwrap(),
            folder,
        }
    }

    /// The pixels that a mask or scribble file of the edit marks.
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

    /// Asserts that no pixel outside the blend mask changed.
    fn assert_rest_unchanged(&self) {
        let mut kept = 0;
        for ((before, after), &blend) in
            self.before.pixels().zip(self.after.pixels()).zip(&self.blend)
        {
            if blend == 0.0 {
                assert_eq!(before, after);
                kept += 1;
            }
        }
        assert!(kept * 8 > self.blend.len(), "the blend mask excludes only {kept} pixels");
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

/// The share of pixels that satisfy a predicate.
fn share(picture: &RgbaImage, pixels: &[(u32, u32)], predicate: impl Fn([u8; 4]) -> bool) -> f32 {
    let count = pixels.iter().filter(|&&(x, y)| predicate(picture.get_pixel(x, y).0)).count();
    count as f32 / pixels.len() as f32
}

#[test]
fn the_painter_is_removed_and_the_tree_stays() {
    let shown = Shown::run("painter");
    shown.assert_rest_unchanged();
    let painter = shown.marked("painter.png");
    let is_dark = |[red, green, blue, _]: [u8; 4]| red.max(green).max(blue) < 70;
    let dark = [&shown.before, &shown.after].map(|picture| share(picture, &painter, is_dark));
    assert!(dark[0] > 0.2 && dark[1] < 0.01, "the painter is dark, the meadow is not: {dark:?}");
    // The rows beside the painter have the colours that are expected behind him.
    let beside: Vec<_> =
        painter.iter().filter(|(x, _)| x + 90 < 230).map(|(x, y)| (x + 90, *y)).collect();
    let distance = [&shown.before, &shown.after].map(|picture| {
        let (there, here) = (mean(picture, &beside), mean(picture, &painter));
        there.iter().zip(here).map(|(there, here)| (there - here).abs()).sum::<f32>()
    });
    assert!(distance[1] < 60.0 && distance[1] * 3.0 < distance[0], "{distance:?}");
}

#[test]
fn a_scribble_becomes_a_red_spaceship() {
    let shown = Shown::run("spaceport");
    shown.assert_rest_unchanged();
    let ship = shown.marked("ship.png");
    // The sunset is red too, but brighter.
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
    assert!(differs > 0.5, "the ship is drawn, not pasted: {differs}");
}

#[test]
fn the_coat_turns_green_and_day_turns_to_dusk_while_the_face_stays() {
    let shown = Shown::run("coat");
    shown.assert_rest_unchanged();
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
