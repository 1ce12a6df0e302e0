//! The JSON of the recipe chunk, with old inline masks. A recipe that is read has the same identity after writing.

#![no_main]

use std::fs;

use bevy_illustrator::art::{
    Provenance,
    picture_file::{self, Attachments},
};
use bevy_illustrator_fuzz::empty_folder;
use image::RgbaImage;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(provenance) = serde_json::from_slice::<Provenance>(bytes) else { return };
    let json = serde_json::to_string(&provenance).expect("a provenance is plain data");
    let again: Provenance = serde_json::from_str(&json).expect("what was written is read");
    assert_eq!(again, provenance);
    assert_eq!(again.recipe.id(), provenance.recipe.id());
    assert_eq!(again.take_id(), provenance.take_id());
    // PNG text cannot hold every character.
    let attachments = Attachments::default();
    if let Ok(png) = picture_file::encode(&RgbaImage::new(1, 1), &provenance, &attachments) {
        let path = empty_folder().join("a.png");
        fs::write(&path, png).expect("room");
        assert_eq!(picture_file::provenance(&path).expect("what was written is read"), provenance);
    }
});
