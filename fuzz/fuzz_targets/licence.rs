//! The licence that a model names in its README or licence file.

#![no_main]

use std::fs;

use bevy_illustrator::model::{FolderPackage, Package};
use bevy_illustrator_fuzz::{empty_folder, files};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let root = empty_folder();
    fs::create_dir(root.join("unet")).expect("room");
    fs::write(root.join("unet/config.json"), "{}").expect("room");
    for (name, bytes) in files(input, &["README.md", "LICENSE"]) {
        fs::write(root.join(name), bytes).expect("room");
    }
    if let Some(licence) = FolderPackage::open(root).expect("a marker").licence() {
        assert!(!licence.contains('\n'));
    }
});
