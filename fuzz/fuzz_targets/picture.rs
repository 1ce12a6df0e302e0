//! PNG files: pixels, metadata, recipe chunk, and masks and scribbles in the file.

#![no_main]

use std::{fs, io::Cursor};

use bevy_illustrator::{art::picture_file, picture};
use bevy_illustrator_fuzz::empty_folder;
use image::ImageFormat;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = empty_folder().join("a.png");
    fs::write(&path, bytes).expect("room");
    if let Ok((provenance, blobs)) = picture_file::provenance_with_blobs(&path) {
        assert_eq!(picture_file::provenance(&path).expect("read before"), provenance);
        assert!(blobs.iter().all(|(id, blob)| blob.id() == *id));
    }
    let _ = picture_file::pixels(&path);
    let metadata = picture_file::metadata(bytes);
    let Ok(image) = picture::decode(bytes) else { return };
    let image = image.into_rgba8();
    let mut copy = Cursor::new(Vec::new());
    image.write_to(&mut copy, ImageFormat::Png).expect("a picture with pixels");
    let copy = metadata.insert_into(copy.into_inner());
    assert!(picture::decode(&copy).expect("what was written is read").into_rgba8() == image);
    assert_eq!(picture_file::metadata(&copy), metadata);
});
