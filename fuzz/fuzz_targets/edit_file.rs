//! Edit files, with their masks and scribbles.

#![no_main]

use std::path::Path;

use bevy_illustrator::{
    picture,
    recipe::{
        Size,
        edit_file::{EditFile, LoadedEdit},
    },
};
use bevy_illustrator_fuzz::files;
use libfuzzer_sys::fuzz_target;

/// The size of the first picture that is one.
fn size(root: &Path) -> Size {
    let decoded = ["a.png", "b.png"]
        .map(|name| picture::decode(&std::fs::read(root.join(name)).unwrap_or_default()).ok());
    let image = decoded.into_iter().flatten().next();
    image.map_or(Size::new(8, 8), |image| Size::new(image.width(), image.height()))
}

fuzz_target!(|input: &[u8]| {
    let root = bevy_illustrator_fuzz::empty_folder();
    let names = ["edit.ron", "a.png", "b.png"];
    for (name, bytes) in files(input, &names) {
        std::fs::write(root.join(name), bytes).expect("room");
    }
    let file = match EditFile::read(&root.join("edit.ron")) {
        Ok(file) => file,
        Err(error) => {
            assert!(error.to_string().contains("edit.ron"), "{error}");
            return;
        }
    };
    // Other files of this machine are refused.
    if let Ok(LoadedEdit { parts, images, .. }) = file.load(root, size(root)) {
        assert_eq!(parts.len(), file.parts.len());
        assert!(parts.iter().all(|part| !part.name.is_empty()));
        let mut ids = parts.iter().flat_map(|part| part.edit.images());
        assert!(ids.all(|id| images.contains_key(id)));
    }
});
