//! `parts/<shot>/<take>.json` of an art folder. Marks that cannot be read are set aside when new ones are saved.

#![no_main]

use std::fs;

use bevy_illustrator::{
    art::{Art, ArtError},
    recipe::{Marks, TakeId},
    storyboard::ShotId,
};
use bevy_illustrator_fuzz::{empty_folder, repository};
use libfuzzer_sys::fuzz_target;

const SHOT: &str = "item-key";
const TAKE: &str = "2578ec9f365ca4a4";

fuzz_target!(|bytes: &[u8]| {
    let root = empty_folder();
    let take = format!("takes/{SHOT}/{TAKE}.png");
    fs::create_dir_all(root.join("takes").join(SHOT)).expect("room");
    // Unlike `fs::copy`, these continue after a signal.
    let picture = fs::read(repository().join("tests/fixtures/art_today").join(&take));
    fs::write(root.join(&take), picture.expect("the fixture")).expect("room");
    let folder = root.join("parts").join(SHOT);
    fs::create_dir_all(&folder).expect("room");
    fs::write(folder.join(format!("{TAKE}.json")), bytes).expect("room");

    let (shot, take) = (ShotId::new(SHOT).expect("an id"), TakeId::new(TAKE).expect("an id"));
    let mut art = Art::open(root).expect("an art folder");
    let read = art.marks(&shot, &take);
    let marks = read.as_ref().ok().cloned().unwrap_or_default();
    if let Err(error) = art.set_marks(&shot, &take, &marks) {
        // A Git LFS pointer is not replaced.
        assert!(matches!(error, ArtError::LfsPointer { .. }), "{error}");
        assert_eq!(fs::read(folder.join(format!("{TAKE}.json"))).expect("it stays"), bytes);
        return;
    }
    assert_eq!(art.marks(&shot, &take).expect("what was written is read"), marks);
    if read.is_err() {
        let aside = fs::read(folder.join(format!("{TAKE}.broken-1.json")));
        assert_eq!(aside.expect("the old marks are set aside"), bytes);
        assert_eq!(marks, Marks::default());
    }
});
