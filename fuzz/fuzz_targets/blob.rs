//! Masks and scribbles in `blobs/`: what is written is read back, whatever was there before.

#![no_main]

use std::fs;

use bevy_illustrator::{art::Art, recipe::Blob};
use bevy_illustrator_fuzz::empty_folder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for blob in [Blob::mask_from_png(bytes), Blob::image_from_png(bytes)].into_iter().flatten() {
        let root = empty_folder();
        let id = blob.id();
        fs::create_dir(root.join("blobs")).expect("room");
        fs::write(root.join(format!("blobs/{id}.png")), bytes).expect("room");
        let blobs = Art::open(root).expect("an empty art folder").blobs();
        if let Ok(found) = blobs.get(&id) {
            assert!(found == blob);
        }
        assert_eq!(blobs.put(&blob).expect("room"), id);
        assert!(blobs.get(&id).expect("what was written is read") == blob);
    }
});
