//! `queue.json` of an art folder. No job is lost, and a queue that cannot be parsed is set aside.

#![no_main]

use std::{fs, path::Path};

use bevy_illustrator::{
    art::Art,
    generator::GeneratorRegistry,
    lfs::LfsPointer,
    recipe::{Recipe, Size},
    storyboard::ShotId,
    studio::{Resume, Studio},
};
use bevy_illustrator_fuzz::empty_folder;
use libfuzzer_sys::fuzz_target;

/// The jobs in the queue file. They stay there.
fn jobs(root: &Path, add: Option<(ShotId, Recipe)>) -> Vec<(ShotId, Recipe)> {
    let art = Art::open(root).expect("an art folder");
    let mut jobs = Vec::new();
    let resume = |shot: &ShotId, recipe: &Recipe| {
        jobs.push((shot.clone(), recipe.clone()));
        Resume::Leave
    };
    let mut studio =
        Studio::start(GeneratorRegistry::default(), art.writer(), resume).expect("threads");
    studio.set_paused(true);
    studio.push(add.into_iter().collect(), false);
    drop(studio);
    jobs
}

fuzz_target!(|bytes: &[u8]| {
    // A Git LFS pointer is an error, and is not replaced.
    if LfsPointer::check(bytes).is_err() {
        return;
    }
    let root = empty_folder();
    fs::write(root.join("queue.json"), bytes).expect("room");
    let new = (ShotId::new("new").expect("an id"), Recipe::new("x", Size::new(16, 16), "none"));
    let mut found = jobs(root, Some(new.clone()));
    let aside = root.join("queue.broken-1.json");
    // It cannot be parsed, or has fields of a newer version.
    if aside.exists() {
        assert_eq!(fs::read(aside).expect("the old queue is set aside"), bytes);
    }
    let mut again = jobs(root, None);
    found.push(new);
    let key = |(shot, recipe): &(ShotId, Recipe)| (shot.clone(), recipe.id());
    found.sort_by_key(key);
    again.sort_by_key(key);
    assert_eq!(again, found);
});
