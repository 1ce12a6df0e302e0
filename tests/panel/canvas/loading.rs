//! The parts of large pictures, which a thread reads.

use std::fs;

use bevy_illustrator::{
    mask::Mask,
    panel::Tab,
    recipe::{Layer, Marks, Size, Sizes},
    storyboard::ShotKind,
};
use egui_kittest::kittest::{NodeT, Queryable};

use super::{at, saved_layers, stroke, wait_for_objects, wait_until};
use crate::{
    held_log::HeldLog,
    support::{Fixture, has, open_in, story},
};

const LOADING: &str = "Loading the parts";

#[test]
fn a_large_picture_cannot_be_marked_until_its_parts_are_read() {
    let mut story = story();
    // The parts of pictures with at most 2^19 pixels are read at once.
    let size = Size::new(1024, 576);
    story.style.sizes = Sizes::all(size);
    let mut fixture = Fixture::new(story);
    fixture.draw_all();
    let shot = fixture.shot(ShotKind::Portrait).id;
    let take = fixture.project.art().takes(&shot)[0].clone();
    let sky = Mask::from_fn(size.width, size.height, |_, y| u8::from(y < 60) * 255);
    let marks = Marks { layers: vec![Layer::new("sky", sky)], context: None };
    let json = serde_json::to_vec(&marks).unwrap();
    let folder = fixture.project.art().root().join("parts").join(shot.as_str());
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{}.json", take.id));
    fs::write(&file, &json).unwrap();
    let waiting = HeldLog::at(format!("reading the parts of take {}", take.id));
    fixture.panel.select(shot.clone());
    fixture.panel.tab = Tab::Canvas;
    let mut panel = open_in(fixture, [920.0, 720.0]);

    stroke(&mut panel, &shot, &[(0.2, 0.5), (0.4, 0.5)]);
    assert!(has(&panel, LOADING) && !has(&panel, "sky"));
    for button in ["New", "Brush", "Object"] {
        assert!(panel.get_by_label(button).accesskit_node().is_disabled(), "{button}");
    }
    assert_eq!(panel.state().requested(), []);

    drop(waiting);
    wait_until(&mut panel, |panel| !has(panel, LOADING));
    assert!(has(&panel, "sky"));
    assert_eq!(panel.state().requested(), []);
    wait_for_objects(&mut panel);
    stroke(&mut panel, &shot, &[(0.2, 0.5), (0.4, 0.5)]);
    let requested = panel.state_mut().apply_requests();
    let [layer] = saved_layers(&requested) else { panic!("{requested:?}") };
    assert_eq!(layer.name, "sky");
    assert_eq!([at(&layer.mask, 0.9, 0.05), at(&layer.mask, 0.3, 0.5)], [255, 255]);
    assert_eq!(at(&layer.mask, 0.9, 0.9), 0);
}
