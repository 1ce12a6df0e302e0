//! Ids of stories, shots, takes and blobs: what is accepted is a safe file name.

#![no_main]

use bevy_illustrator::{
    recipe::{BlobId, TakeId},
    story::{check::is_id, format::StoryFormats},
    storyboard::ShotId,
};
use bevy_illustrator_fuzz::is_safe_file_name;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if is_id(text) {
        assert!(is_safe_file_name(text));
    }
    if let Ok(shot) = ShotId::new(text) {
        assert!(is_safe_file_name(shot.as_str()));
        assert_eq!(ShotId::new(shot.as_str()), Ok(shot));
    }
    if let Ok(take) = TakeId::new(text) {
        assert_eq!((take.as_str(), is_safe_file_name(text)), (text, true));
    }
    if let Ok(blob) = BlobId::new(text) {
        assert_eq!((blob.as_str(), is_safe_file_name(text)), (text, true));
    }
    let name = StoryFormats::default().story_name(text).to_owned();
    assert!(text.starts_with(&name) || name == "story");
});
