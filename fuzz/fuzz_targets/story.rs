//! Story files: parsing, checks, names and the storyboard.

#![no_main]

use std::collections::HashSet;

use bevy_illustrator::{
    recipe::Style,
    story::{check::check, format::StoryFormats},
    storyboard::{AuthorWords, ShotId, Storyboard},
};
use bevy_illustrator_fuzz::is_safe_file_name;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (formats, path) = (StoryFormats::default(), "a.story.ron".as_ref());
    let story = match formats.parse(bytes, path) {
        Ok(story) => story,
        Err(error) => {
            assert!(error.to_string().starts_with("a.story.ron"), "{error}");
            return;
        }
    };
    for fault in check(&story) {
        assert!(!fault.to_string().is_empty());
    }
    let board = Storyboard::plan(&story, &Style::default(), &AuthorWords::default());
    let mut ids = HashSet::new();
    for shot in board.shots() {
        assert_eq!(ShotId::new(shot.id.as_str()).as_ref(), Ok(&shot.id));
        assert!(is_safe_file_name(shot.id.as_str()), "{}", shot.id);
        assert!(ids.insert(shot.id.as_str().to_lowercase()), "two shots are {}", shot.id);
    }
    let written = ron::to_string(&story).expect("a story is plain data");
    let again = formats.parse(written.as_bytes(), path).expect("what was written is read");
    // NaN is not equal to itself.
    assert_eq!(format!("{again:?}"), format!("{story:?}"));
});
