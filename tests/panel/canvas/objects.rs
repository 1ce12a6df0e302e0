//! Objects selected by a click.

use bevy_illustrator::mask::{objects::SelectionPrompt, sam::Sam};
use egui::{Key, Modifiers};

use super::{at, canvas, canvas_with, key, saved_layers, stroke, take, wait_until};
#[cfg(target_os = "linux")]
use crate::threads::threads;
use crate::{
    mobile_sam,
    support::{has, press},
};

#[test]
fn a_click_selects_an_object_and_escape_removes_it() {
    let (mut panel, shot) = canvas();
    key(&mut panel, Modifiers::NONE, Key::B);
    press(&mut panel, "Object");
    stroke(&mut panel, &shot, &[(0.5, 0.5)]);
    let square = saved_layers(&panel.state_mut().apply_requests())[0].mask.clone();
    assert!((square.coverage() - 0.25).abs() < 0.04, "{}", square.coverage());
    assert_eq!([at(&square, 0.5, 0.5), at(&square, 0.1, 0.1)], [255, 0]);
    key(&mut panel, Modifiers::NONE, Key::Escape);
    assert!(saved_layers(&panel.state_mut().apply_requests())[0].mask.is_empty());
}

#[test]
fn a_split_covers_the_whole_picture_and_a_second_split_adds_nothing() {
    let (mut panel, _) = canvas();
    press(&mut panel, "Split into parts");
    let parts = saved_layers(&panel.state_mut().apply_requests()).to_vec();
    assert!(parts.len() > 1);
    for place in (1..10).flat_map(|y| (1..10).map(move |x| [x as f32 / 10.0, y as f32 / 10.0])) {
        let coverage: u32 =
            parts.iter().map(|part| u32::from(at(&part.mask, place[0], place[1]))).sum();
        assert_eq!(coverage, 255, "each pixel is in one part: {place:?}");
    }
    press(&mut panel, "Split into parts");
    assert_eq!(panel.state_mut().apply_requests(), [], "a second split adds nothing");
}

#[test]
fn mobile_sam_selects_objects_where_it_is_installed() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), mobile_sam::weights(&mobile_sam::shapes())).unwrap();
    let (mut panel, shot) =
        canvas_with(|panel| panel.set_segmenter_weights(Some(file.path().into())));
    press(&mut panel, "Object");
    wait_until(&mut panel, |panel| has(panel, "MobileSAM selects the objects"));
    stroke(&mut panel, &shot, &[(0.5, 0.5)]);
    let mut requested = Vec::new();
    wait_until(&mut panel, |panel| {
        requested.extend(panel.state_mut().apply_requests());
        !requested.is_empty()
    });
    let sam = Sam::load(file.path(), &candle_core::Device::Cpu).unwrap();
    let picture = take(&panel, &shot, 0).image().unwrap();
    let middle = (picture.width() / 2, picture.height() / 2);
    let pointing = SelectionPrompt { include: vec![middle], ..SelectionPrompt::default() };
    let expected = sam.select(&sam.embed(&picture).unwrap(), &pointing).unwrap();
    assert_eq!(saved_layers(&requested)[0].mask, expected);
}

#[test]
fn invalid_weights_are_reported_and_objects_are_selected_by_colour() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (mut panel, shot) =
        canvas_with(|panel| panel.set_segmenter_weights(Some(file.path().into())));
    press(&mut panel, "Object");
    wait_until(&mut panel, |panel| has(panel, "does not contain MobileSAM's weights"));
    stroke(&mut panel, &shot, &[(0.5, 0.5)]);
    let square = saved_layers(&panel.state_mut().apply_requests())[0].mask.clone();
    assert!((square.coverage() - 0.25).abs() < 0.04, "{}", square.coverage());
}

#[cfg(target_os = "linux")]
#[test]
fn mobile_sam_runs_on_its_own_threads_at_the_lowest_priority() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), mobile_sam::weights(&mobile_sam::shapes())).unwrap();
    let (mut panel, _) = canvas_with(|panel| panel.set_segmenter_weights(Some(file.path().into())));
    press(&mut panel, "Object");
    wait_until(&mut panel, |panel| has(panel, "MobileSAM selects the objects"));
    for name in ["illustrator-seg", "illustrator-sam"] {
        wait_until(&mut panel, |_| {
            let mut ours = threads();
            ours.retain(|(other, ..)| other == name);
            !ours.is_empty() && ours.iter().all(|(_, nice, _)| *nice == 19)
        });
    }
    let threads = threads();
    let worked = |name: &str| -> u64 {
        threads.iter().filter(|(other, ..)| other == name).map(|(.., time)| time).sum()
    };
    assert!(worked("illustrator-sam") > worked("illustrator-seg"), "{threads:?}");
}
