//! An art folder with foreign files in its places. Opening it loses none of them.

#![no_main]

use std::{fs, path::Path};

use bevy_illustrator::art::{Art, Take};
use bevy_illustrator_fuzz::{empty_folder, files};
use libfuzzer_sys::fuzz_target;

const FILES: [&str; 5] = [
    "takes/item-key/2578ec9f365ca4a4.png",
    "pictures/item-key.png",
    "discarded/item-key/10fab05f26acc0df.png",
    "pictures/item-lamp.png",
    "blobs/inline.json",
];

/// Whether a file below the folder has this content.
fn has(folder: &Path, content: &[u8]) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.into_iter().any(|path| {
        if path.is_dir() {
            has(&path, content)
        } else {
            fs::read(&path).is_ok_and(|it| it == content)
        }
    })
}

fn takes(art: &Art) -> Vec<Take> {
    art.shots().flat_map(|shot| art.takes(shot)).cloned().collect()
}

fuzz_target!(|input: &[u8]| {
    let root = empty_folder();
    let files: Vec<_> = files(input, &FILES).collect();
    for (name, bytes) in &files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("room");
        fs::write(path, bytes).expect("room");
    }
    let art = Art::open(root).expect("an art folder");
    let found = takes(&art);
    for take in &found {
        let _ = take.image();
        if let Some(edit) = &take.recipe().edit {
            let _ = art.blobs().parts(edit);
        }
    }
    drop(art);
    // The list of old inline masks is made again from the takes.
    for (name, bytes) in files.iter().filter(|(name, _)| !name.ends_with(".json")) {
        assert!(has(root, bytes), "{name} is lost");
    }
    assert_eq!(takes(&Art::open(root).expect("an art folder")), found);
});
