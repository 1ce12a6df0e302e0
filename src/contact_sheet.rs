//! Contact sheets: many pictures in a grid, with labels.

use font8x8::legacy::{BASIC_LEGACY, LATIN_LEGACY};
use image::{Rgba, RgbaImage, imageops};

use crate::picture::scaled_down;

/// The gap between cells and around the sheet, in pixels.
const GAP: u32 = 12;
/// The maximum width and height of a picture, in pixels.
const MAX_PICTURE: u32 = 256;
/// Width and height of a letter in pixels.
const LETTER: u32 = 8;
/// Height of a line of text in pixels.
const LINE: u32 = 11;
/// The maximum number of lines of a label. Longer labels are truncated.
const MAX_LINES: usize = 3;
const PAPER: Rgba<u8> = Rgba([24, 24, 28, 255]);
const INK: Rgba<u8> = Rgba([222, 222, 214, 255]);

/// Arranges pictures in a grid, in reading order, with a label below each.
///
/// Pictures larger than 256 pixels are scaled down and keep their aspect ratio. Smaller ones keep their size. Labels
/// wrap at the cell's width and are truncated after three lines.
#[must_use]
pub fn contact_sheet<L: AsRef<str>>(pictures: &[(L, RgbaImage)]) -> RgbaImage {
    let fitted: Vec<_> =
        pictures.iter().map(|(_, image)| scaled_down(image, MAX_PICTURE)).collect();
    let width = fitted.iter().map(|image| image.width()).max().unwrap_or(0).max(8 * LETTER);
    let height = fitted.iter().map(|image| image.height()).max().unwrap_or(0);
    let labels: Vec<Vec<String>> =
        pictures.iter().map(|(label, _)| wrap(label.as_ref(), (width / LETTER) as usize)).collect();
    let lines = labels.iter().map(Vec::len).max().unwrap_or(0) as u32;

    let count = pictures.len() as u32;
    let columns = (f64::from(count).sqrt().ceil() as u32).max(1);
    let rows = count.div_ceil(columns);
    let (step_x, step_y) = (width + GAP, height + lines * LINE + GAP);
    let mut sheet =
        RgbaImage::from_pixel(columns * step_x + GAP, (rows * step_y + GAP).max(GAP), PAPER);
    for (index, (image, label)) in (0..).zip(fitted.iter().zip(&labels)) {
        let x = GAP + (index % columns) * step_x;
        let y = GAP + (index / columns) * step_y;
        let centred = (x + (width - image.width()) / 2, y + (height - image.height()) / 2);
        imageops::overlay(&mut sheet, &**image, centred.0.into(), centred.1.into());
        for (line, text) in (0..).zip(label) {
            write(&mut sheet, text, x, y + height + line * LINE + (LINE - LETTER));
        }
    }
    sheet
}

/// Wraps a text into lines of at most `columns` letters, preferably after `-`, `_`, `/` and spaces.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive(['-', '_', ' ', '/']) {
        let length = word.chars().count();
        if used > 0 && used + length > columns {
            lines.push(String::new());
            used = 0;
        }
        for letter in word.chars() {
            if used == columns {
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(letter);
            }
            used += 1;
        }
    }
    lines.truncate(MAX_LINES);
    lines
}

fn write(sheet: &mut RgbaImage, text: &str, x: u32, y: u32) {
    for (at, letter) in (0..).zip(text.chars()) {
        for (dy, row) in (0..).zip(glyph(letter)) {
            for dx in (0..LETTER).filter(|dx| row >> dx & 1 == 1) {
                if let Some(pixel) = sheet.get_pixel_mut_checked(x + at * LETTER + dx, y + dy) {
                    *pixel = INK;
                }
            }
        }
    }
}

/// The eight rows of a letter, with the lowest bit on the left. Letters that the font lacks become `?`.
fn glyph(letter: char) -> [u8; 8] {
    let code = letter as usize;
    BASIC_LEGACY
        .get(code)
        .or_else(|| LATIN_LEGACY.get(code.checked_sub(0xA0)?))
        .copied()
        .unwrap_or(BASIC_LEGACY['?' as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Rgba<u8> = Rgba([255, 0, 0, 255]);

    fn plain(width: u32, height: u32) -> RgbaImage {
        RgbaImage::from_pixel(width, height, RED)
    }

    fn count(image: &RgbaImage, colour: Rgba<u8>) -> usize {
        image.pixels().filter(|&&pixel| pixel == colour).count()
    }

    #[test]
    fn small_pictures_keep_their_size() {
        let pictures: Vec<_> = (0..5).map(|n| (format!("p{n}"), plain(100, 60))).collect();
        assert_eq!(count(&contact_sheet(&pictures), RED), 5 * 100 * 60);
    }

    #[test]
    fn a_large_picture_is_scaled_down_and_keeps_its_aspect_ratio() {
        assert_eq!(count(&contact_sheet(&[("wide", plain(1024, 512))]), RED), 256 * 128);
    }

    #[test]
    fn a_sprite_that_is_scaled_down_has_no_fringe() {
        // A dark figure beside transparent white, on darker paper.
        let sprite = RgbaImage::from_fn(1024, 512, |x, _| {
            if x < 511 { Rgba([40, 40, 40, 255]) } else { Rgba([255, 255, 255, 0]) }
        });
        let sheet = contact_sheet(&[("", sprite)]);
        let brightest = sheet.pixels().map(|pixel| pixel.0[0]).max();
        assert!(brightest <= Some(41), "{brightest:?}");
    }

    #[test]
    fn labels_are_below_their_pictures() {
        let with = contact_sheet(&[("L", plain(80, 80))]);
        let below = imageops::crop_imm(&with, 0, GAP + 80, with.width(), LINE).to_image();
        let bits: u32 = BASIC_LEGACY['L' as usize].iter().map(|row| row.count_ones()).sum();
        assert_eq!(count(&with, INK), bits as usize);
        assert_eq!(count(&below, INK), bits as usize);
    }

    #[test]
    fn a_long_label_wraps() {
        let label = "background-studio-at-night-calm";
        let lines = wrap(label, 16);
        assert_eq!(lines.concat(), label);
        assert_eq!(lines, ["background-", "studio-at-night-", "calm"]);
    }

    #[test]
    fn unknown_letters_and_empty_lists_are_accepted() {
        assert_eq!(glyph('é'), LATIN_LEGACY[0xE9 - 0xA0]);
        assert_eq!(glyph('\u{1F58C}'), BASIC_LEGACY['?' as usize]);
        assert_eq!(count(&contact_sheet::<&str>(&[]), INK), 0);
    }
}
