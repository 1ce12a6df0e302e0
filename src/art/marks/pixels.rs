//! The memory for the masks, scribbles and images of marks.

use serde::{Deserialize, Deserializer, de};

use crate::{
    mask::text,
    picture::{PixelBudget, TooManyPixels, Undecoded},
    recipe::{Layer, Marks},
};

/// The sizes in a file of marks. Other fields are ignored.
#[derive(Deserialize)]
struct MarksSize {
    layers: Vec<LayerSize>,
}

#[derive(Deserialize)]
struct LayerSize {
    mask: PixelBytes,
    #[serde(default)]
    scribble: Option<PixelBytes>,
    #[serde(default)]
    images: Vec<PixelBytes>,
}

/// The bytes that the pixels of a PNG in base64 have in memory. They are not decoded.
struct PixelBytes(u64);

impl<'de> Deserialize<'de> for PixelBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let png = text::decoded(deserializer)?;
        Ok(Self(Undecoded::open_png(&png).map_err(de::Error::custom)?.bytes()))
    }
}

/// Checks the memory that the marks in a file need, before any of its pixels are decoded. Marks that cannot be parsed pass.
pub(super) fn check_text(json: &[u8]) -> Result<(), TooManyPixels> {
    let Ok(MarksSize { layers }) = serde_json::from_slice(json) else { return Ok(()) };
    let mut left = PixelBudget::default();
    layers.iter().try_for_each(|LayerSize { mask, scribble, images }| {
        let all = [mask].into_iter().chain(scribble).chain(images);
        all.into_iter().try_for_each(|bytes| left.take(bytes.0))
    })
}

/// Checks that [`check_text`] accepts marks when they are written.
pub(super) fn check(marks: &Marks) -> Result<(), TooManyPixels> {
    let mut left = PixelBudget::default();
    marks.layers.iter().try_for_each(|Layer { mask, scribble, images, .. }| {
        left.take(mask.values().len() as u64)?;
        let mut all = scribble.iter().map(|scribble| &scribble.0).chain(images.values());
        all.try_for_each(|image| left.take_image(image.dimensions()))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base64::{Engine, prelude::BASE64_STANDARD};
    use image::RgbaImage;
    use serde_json::json;

    use super::*;
    use crate::{
        mask::Mask,
        recipe::{BlobId, Scribble},
        test_support::png_header,
    };

    #[test]
    fn masks_scribbles_and_images_of_all_layers_are_summed_before_they_are_decoded() {
        // Headers alone: 36 MB each.
        let png = BASE64_STANDARD.encode(png_header(6000, 6000));
        let file = |layers: usize, images: usize| {
            let layer = json!({ "mask": png, "scribble": png, "images": vec![&png; images] });
            json!({ "layers": vec![layer; layers], "context": null }).to_string()
        };
        for (layers, images, fits) in [(7, 0, true), (8, 0, false), (2, 5, true), (1, 13, false)] {
            assert_eq!(check_text(file(layers, images).as_bytes()).is_ok(), fits);
        }
    }

    #[test]
    fn marks_fit_before_they_are_written_as_they_do_in_a_file() {
        let mut layer = Layer::new("sky", Mask::full(3, 2));
        let image = Arc::new(RgbaImage::new(4, 4));
        layer.scribble = Some(Scribble(Arc::clone(&image)));
        layer.images.insert(BlobId::of_image(&image), image);
        let mut marks = Marks { layers: vec![layer], context: None };
        check(&marks).unwrap();
        check_text(&serde_json::to_vec(&marks).unwrap()).unwrap();
        // 36 MB each, which all layers share.
        marks.layers = vec![Layer::new("sky", Mask::empty(6000, 6000)); 15];
        assert_eq!(check(&marks), Err(TooManyPixels));
    }
}
