//! The inspirations of a part.

use bevy_illustrator::{
    recipe::{BlobId, EditKind, ImageUse, Images, Inspiration, InspirationKind, Part, Size},
    storyboard::ShotKind,
};
use egui_kittest::kittest::Queryable;
use image::{Rgba, RgbaImage};

use super::{
    super::support::{Panel, has, press, scroll_and_press},
    canvas, choose,
    losses::edited_parts,
    stroke, wait_until,
};

/// The canvas with a part whose inspirations are shown.
fn opened() -> Panel {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2), (0.4, 0.2)]);
    choose(&mut panel, EditKind::Replace, "a moon");
    scroll_and_press(&mut panel, "Inspirations");
    panel.run_steps(12);
    panel
}

/// The part of the edit that the panel requests.
fn edited_part(panel: &mut Panel) -> Part {
    panel.state_mut().apply_requests();
    press(panel, "Replace part 1");
    edited_parts(panel).remove(0)
}

fn wait_for_inspiration(panel: &mut Panel) {
    wait_until(panel, |panel| has(panel, "Remove this inspiration"));
}

#[test]
fn a_picture_of_the_story_becomes_the_style_of_a_part() {
    let mut panel = opened();
    scroll_and_press(&mut panel, "Look like this");
    panel.run_steps(2);
    let (title, picture) = {
        let project = &panel.state_mut().project;
        let shot = project.board().shots().iter().find(|shot| project.shown(&shot.id).is_some());
        let shot = shot.unwrap();
        (shot.title.clone(), project.shown(&shot.id).unwrap().image().unwrap())
    };
    scroll_and_press(&mut panel, &format!("Use {title}"));
    wait_for_inspiration(&mut panel);
    let part = edited_part(&mut panel);
    let id = BlobId::of_image(&picture);
    let expected = Inspiration::new(InspirationKind::Image(ImageUse::Style, id.clone()));
    assert_eq!(part.edit.inspirations, [expected]);
    assert_eq!(part.images.keys().collect::<Vec<_>>(), [&id]);
    assert_eq!(*part.images[&id], picture);
}

#[test]
fn an_image_file_becomes_the_outline_of_a_part_and_a_wrong_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let [file, text] = ["lines.png", "notes.txt"].map(|name| folder.path().join(name));
    let mut panel = opened();
    let Size { width, height } = panel.state().shot(ShotKind::Portrait).recipe.size;
    let lines = RgbaImage::from_fn(width, height, |x, _| Rgba([if x == 9 { 0 } else { 255 }; 4]));
    lines.save(&file).unwrap();
    std::fs::write(&text, "no image").unwrap();
    scroll_and_press(&mut panel, "Hold this outline");
    panel.run_steps(2);
    let open = |panel: &mut Panel, path: &std::path::Path| {
        let field = panel.get_by_role_and_label(egui::accesskit::Role::TextInput, "Path");
        field.focus();
        field.type_text(path.to_str().unwrap());
        panel.run_steps(2);
        scroll_and_press(panel, "Open");
    };
    open(&mut panel, &text);
    wait_until(&mut panel, |panel| has(panel, "notes.txt"));
    assert!(!has(&panel, "Remove this inspiration"));
    scroll_and_press(&mut panel, "Cancel");
    scroll_and_press(&mut panel, "Hold this outline");
    panel.run_steps(2);
    open(&mut panel, &file);
    wait_for_inspiration(&mut panel);
    let part = edited_part(&mut panel);
    let id = BlobId::of_image(&lines);
    let expected = Inspiration::new(InspirationKind::Image(ImageUse::Outline, id));
    assert_eq!(part.edit.inspirations, [expected]);
}

#[test]
fn a_text_without_words_cannot_be_drawn_and_a_removed_inspiration_leaves_no_image() {
    let mut panel = opened();
    scroll_and_press(&mut panel, "Also this");
    panel.run_steps(2);
    assert!(has(&panel, "the inspiration Text has no words"), "the draw bar says what is missing");
    scroll_and_press(&mut panel, "Remove this inspiration");
    panel.run_steps(2);
    let part = edited_part(&mut panel);
    assert_eq!((part.edit.inspirations, part.images), (Vec::new(), Images::new()));
}

#[test]
fn a_part_that_covers_the_whole_picture_does_not_widen_the_list() {
    let mut panel = opened();
    let left = |panel: &Panel| panel.get_by_label("Inspirations").rect().left();
    let before = left(&panel);
    scroll_and_press(&mut panel, "Select all");
    panel.run_steps(20);
    assert!(has(&panel, "100 %"));
    assert_eq!(left(&panel), before);
}
