//! The tools and buttons for marking parts.

use bevy_illustrator::{
    mask::Mask,
    project::Action,
    recipe::{EditKind, Verdict},
    storyboard::ShotId,
};
use egui::{Key, Modifiers, PointerButton, accesskit::Role};
use egui_kittest::kittest::{NodeT, Queryable};

use crate::support::{Panel, has, press, says, scroll_and_press};

use super::{at, canvas, draw, key, mark_part_for_a_moon, saved_layers, stroke};

const CTRL: Modifiers = Modifiers::COMMAND;

/// The saved mask of the top part.
fn mask(panel: &mut Panel) -> Mask {
    saved_layers(&panel.state_mut().apply_requests())[0].mask.clone()
}

/// Draws a box, in fractions of the picture, while modifiers are held.
fn boxed(panel: &mut Panel, shot: &ShotId, from: (f32, f32), to: (f32, f32), keys: Modifiers) {
    draw(panel, shot, &[from, to], PointerButton::Primary, keys);
}

/// Opens the menu that shows `shown`, and selects `wanted`.
fn choose_from(panel: &mut Panel, shown: &str, wanted: &str) {
    panel.get_by(|node| node.role() == Role::ComboBox && says(node, shown)).click();
    panel.run_steps(2);
    // The menu's entry is on top of other widgets with this name.
    panel.query_all_by_label(wanted).last().unwrap().click();
    panel.run_steps(4);
}

#[test]
fn a_polygon_has_its_corners_at_the_clicks_and_enter_closes_it() {
    let (mut panel, shot) = canvas();
    press(&mut panel, "Polygon");
    for corner in [(0.1, 0.1), (0.9, 0.1), (0.1, 0.9)] {
        stroke(&mut panel, &shot, &[corner]);
    }
    key(&mut panel, Modifiers::NONE, Key::Enter);
    let triangle = mask(&mut panel);
    assert!((triangle.coverage() - 0.32).abs() < 0.03, "{}", triangle.coverage());
    assert_eq!([at(&triangle, 0.2, 0.2), at(&triangle, 0.8, 0.8)], [255, 0]);
    // Escape cancels a polygon and does not change the part.
    stroke(&mut panel, &shot, &[(0.6, 0.6)]);
    stroke(&mut panel, &shot, &[(0.9, 0.9)]);
    key(&mut panel, Modifiers::NONE, Key::Escape);
    assert_eq!(panel.state_mut().apply_requests(), []);
}

#[test]
fn keys_and_menu_set_how_outlines_combine_with_the_part() {
    let (mut panel, shot) = canvas();
    press(&mut panel, "Box");
    boxed(&mut panel, &shot, (0.1, 0.1), (0.7, 0.7), Modifiers::NONE);
    boxed(&mut panel, &shot, (0.1, 0.1), (0.3, 0.3), CTRL);
    let less = mask(&mut panel);
    assert_eq!([at(&less, 0.2, 0.2), at(&less, 0.5, 0.5)], [0, 255], "Ctrl subtracts");
    boxed(&mut panel, &shot, (0.5, 0.5), (0.9, 0.9), CTRL | Modifiers::SHIFT);
    let both = mask(&mut panel);
    let places = [(0.4, 0.4), (0.6, 0.6), (0.8, 0.8)].map(|(x, y)| at(&both, x, y));
    assert_eq!(places, [0, 255, 0], "Ctrl and Shift intersect");
    choose_from(&mut panel, "add", "replace");
    boxed(&mut panel, &shot, (0.3, 0.6), (0.5, 0.8), Modifiers::NONE);
    let replaced = mask(&mut panel);
    assert_eq!([at(&replaced, 0.4, 0.7), at(&replaced, 0.6, 0.6)], [255, 0]);
}

#[test]
fn the_colour_tool_selects_all_pixels_of_the_clicked_colour() {
    let (mut panel, shot) = canvas();
    press(&mut panel, "Colour");
    stroke(&mut panel, &shot, &[(0.05, 0.05)]);
    let ground = mask(&mut panel);
    assert_eq!([at(&ground, 0.95, 0.95), at(&ground, 0.5, 0.5)], [255, 0]);
    assert!((ground.coverage() - 0.75).abs() < 0.02, "{}", ground.coverage());
}

#[test]
fn shift_and_the_right_button_exclude_pixels_from_an_object() {
    for (button, keys) in
        [(PointerButton::Primary, Modifiers::SHIFT), (PointerButton::Secondary, Modifiers::NONE)]
    {
        let (mut panel, shot) = canvas();
        press(&mut panel, "Object");
        stroke(&mut panel, &shot, &[(0.5, 0.5)]);
        let square = mask(&mut panel);
        draw(&mut panel, &shot, &[(0.3, 0.3)], button, keys);
        let less = mask(&mut panel);
        assert_eq!([at(&square, 0.3, 0.3), at(&less, 0.3, 0.3)], [255, 0], "{button:?}");
    }
}

#[test]
fn subtracting_an_object_keeps_the_other_objects() {
    let (mut panel, shot) = canvas();
    press(&mut panel, "Object");
    stroke(&mut panel, &shot, &[(0.05, 0.05)]);
    stroke(&mut panel, &shot, &[(0.5, 0.5)]);
    let all = mask(&mut panel);
    assert!(all.coverage() > 0.98, "{}", all.coverage());
    draw(&mut panel, &shot, &[(0.5, 0.5)], PointerButton::Primary, CTRL);
    let ground = mask(&mut panel);
    assert_eq!([at(&ground, 0.05, 0.05), at(&ground, 0.5, 0.5)], [255, 0]);
    stroke(&mut panel, &shot, &[(0.5, 0.5)]);
    assert_eq!(mask(&mut panel), all, "a plain click adds it again");
}

#[test]
fn buttons_grow_shrink_invert_and_fill_a_part() {
    let (mut panel, shot) = canvas();
    press(&mut panel, "Box");
    boxed(&mut panel, &shot, (0.2, 0.2), (0.8, 0.8), Modifiers::NONE);
    boxed(&mut panel, &shot, (0.4, 0.4), (0.6, 0.6), CTRL);
    let ring = mask(&mut panel);
    let mut after = |name: &str| {
        scroll_and_press(&mut panel, name);
        mask(&mut panel)
    };
    assert_eq!(after("Fill holes"), ring.without_holes());
    let filled = ring.without_holes();
    assert_eq!(after("Grow"), filled.grown(4));
    assert_eq!(after("Shrink"), filled.grown(4).shrunk(4));
    assert_eq!(after("Feather"), filled.grown(4).shrunk(4).feathered(4));
    assert_eq!(after("Invert"), filled.grown(4).shrunk(4).feathered(4).inverted());
    assert_eq!(after("Select all").coverage(), 1.0);
    assert!(after("Clear").is_empty());
}

#[test]
fn brackets_make_the_brush_smaller_and_larger() {
    let width_after = |pressed: Key| {
        let (mut panel, shot) = canvas();
        press(&mut panel, "Brush");
        for _ in 0..3 {
            key(&mut panel, Modifiers::NONE, pressed);
        }
        stroke(&mut panel, &shot, &[(0.5, 0.5)]);
        mask(&mut panel).coverage()
    };
    let (small, large) = (width_after(Key::OpenBracket), width_after(Key::CloseBracket));
    assert!(large > 4.0 * small, "{small} {large}");
}

#[test]
fn a_hidden_part_is_not_drawn_and_a_locked_one_cannot_be_deleted() {
    let (mut panel, shot) = canvas();
    mark_part_for_a_moon(&mut panel, &shot);
    press(&mut panel, "Hide part 1");
    assert!(has(&panel, "Draw parts"), "no part has an edit");
    press(&mut panel, "Show part 1");
    assert!(has(&panel, "Replace part 1"));
    press(&mut panel, "Lock part 1");
    panel.state_mut().apply_requests();
    panel
        .get_by(|node| node.role() == Role::Button && node.label().as_deref() == Some("part 1"))
        .click_secondary();
    panel.run_steps(2);
    assert!(panel.get_by_label("Delete part").accesskit_node().is_disabled());
}

#[test]
fn redraw_disliked_parts_uses_their_edits() {
    let (mut panel, shot) = canvas();
    stroke(&mut panel, &shot, &[(0.2, 0.2), (0.4, 0.2)]);
    choose_remove(&mut panel);
    press(&mut panel, "Dislike part 1");
    let requested = panel.state_mut().apply_requests();
    assert_eq!(saved_layers(&requested)[0].verdict, Verdict::Disliked);
    press(&mut panel, "Redraw disliked parts");
    let requested = panel.state_mut().apply_requests();
    let [Action::Edit { parts, takes: 1, .. }] = requested.as_slice() else {
        panic!("{requested:?}")
    };
    assert_eq!((parts[0].edit.kind, parts[0].edit.strength()), (EditKind::Remove, 1.0));
}

fn choose_remove(panel: &mut Panel) {
    press(panel, EditKind::Remove.name());
    panel.get_by_label("What to remove").click();
    panel.run_steps(2);
    panel.get_by_label("What to remove").type_text("a painter");
    panel.run_steps(2);
}
