//! What to extract from a chosen image.

use egui::{Ui, vec2};
use image::RgbaImage;

use crate::{panel::theme, picture::MapKind, recipe::ImageUse};

/// What to extract from an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Extracted {
    /// The map that fits its use, unless the image is one already: a drawing on white or transparent paper.
    #[default]
    Automatic,
    Map(MapKind),
    Nothing,
}

/// The maps that fit a use of an image, the usual one first.
const fn maps(usage: ImageUse) -> &'static [MapKind] {
    match usage {
        ImageUse::Outline => &[MapKind::Edges, MapKind::SoftEdges],
        ImageUse::Scribble => &[MapKind::RoughColours],
        ImageUse::Style | ImageUse::Content | ImageUse::Reference => &[],
    }
}

/// The share of pixels of a drawing that are paper.
const PAPER: f32 = 0.5;

impl Extracted {
    /// Shows the choice, if there is one for this use.
    pub(super) fn show(&mut self, ui: &mut Ui, usage: ImageUse) {
        let maps = maps(usage);
        if maps.is_empty() {
            return;
        }
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
            ui.label(theme::small("Take"));
            let mut choice = |extracted, name: &str, tooltip: &str| {
                ui.selectable_value(self, extracted, name).on_hover_text(tooltip);
            };
            let automatic = "Extracts what is needed, unless the image is a drawing on white or transparent paper";
            choice(Extracted::Automatic, "what fits", automatic);
            for &map in maps {
                let (name, tooltip) = match map {
                    MapKind::Edges => ("its edges", "Thin lines on the edges"),
                    MapKind::SoftEdges => {
                        ("its soft edges", "Lines as dark as the edges are strong")
                    }
                    MapKind::RoughColours => ("its rough colours", "The colours without details"),
                };
                choice(Extracted::Map(map), name, tooltip);
            }
            choice(Extracted::Nothing, "all of it", "The image as it is");
        });
    }

    /// The map of an image for this use. `None` if the image is used as it is.
    pub(super) fn map(self, image: &RgbaImage, usage: ImageUse) -> Option<MapKind> {
        match self {
            Self::Map(map) => Some(map),
            Self::Nothing => None,
            Self::Automatic => maps(usage).first().copied().filter(|_| !is_drawing(image)),
        }
    }
}

/// Whether an image is a drawing on white or transparent paper.
fn is_drawing(image: &RgbaImage) -> bool {
    let is_paper =
        |[red, green, blue, alpha]: [u8; 4]| alpha < 16 || red.min(green).min(blue) > 240;
    let paper = image.pixels().filter(|pixel| is_paper(pixel.0)).count();
    paper as f32 >= PAPER * (image.width() * image.height()) as f32
}

#[cfg(test)]
mod tests {
    use image::Rgba;

    use super::*;

    #[test]
    fn a_picture_gives_its_edges_or_colours_and_a_drawing_is_used_as_it_is() {
        let picture = RgbaImage::from_pixel(8, 8, Rgba([90, 120, 40, 255]));
        let line = |ground: [u8; 4]| {
            RgbaImage::from_fn(8, 8, |x, _| Rgba(if x == 3 { [0, 0, 0, 255] } else { ground }))
        };
        let [paper, clear] = [[255; 4], [0; 4]].map(line);
        let of = |usage, image| Extracted::Automatic.map(image, usage);
        assert_eq!(of(ImageUse::Outline, &picture), Some(MapKind::Edges));
        assert_eq!(of(ImageUse::Scribble, &picture), Some(MapKind::RoughColours));
        for usage in [ImageUse::Style, ImageUse::Content, ImageUse::Reference] {
            assert_eq!(of(usage, &picture), None);
        }
        for drawing in [&paper, &clear] {
            assert_eq!(of(ImageUse::Outline, drawing), None);
            let chosen = Extracted::Map(MapKind::SoftEdges).map(drawing, ImageUse::Outline);
            assert_eq!(chosen, Some(MapKind::SoftEdges));
        }
        assert_eq!(Extracted::Nothing.map(&picture, ImageUse::Outline), None);
    }
}
