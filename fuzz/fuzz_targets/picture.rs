//! PNG, JPEG and WebP files: pixels and metadata. PNG files: recipe chunk, and masks and scribbles in the file.

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
    let mut plain = Cursor::new(Vec::new());
    image.write_to(&mut plain, ImageFormat::Png).expect("a picture with pixels");
    let plain = plain.into_inner();
    let copy = metadata.insert_into(plain.clone());
    assert!(picture::decode(&copy).expect("what was written is read").into_rgba8() == image);
    // The copy has everything that can be kept, and nothing else.
    let kept = picture_file::metadata(&copy);
    assert!(kept.lost_chunks().is_empty() && !kept.has_lost_profile() && !kept.is_animated());
    assert!(kept.insert_into(plain) == copy);
});
