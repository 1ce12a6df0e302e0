//! The menu that makes a picture larger.

use bevy_illustrator::{
    project::Action,
    recipe::{Anchor, Canvas, EditKind, Part, Size},
};

use egui_kittest::kittest::Queryable;

use super::{canvas, mark_part_for_a_moon, press_and_wait, take, wait_until};
use crate::support::{has, press};

#[test]
fn the_menu_draws_around_the_picture() {
    let (mut panel, shot) = canvas();
    let before = take(&panel, &shot, 0);
    let size = before.recipe().size;
    press(&mut panel, "Enlarge");
    press(&mut panel, "Square");
    panel.get_by_label("Surroundings").click();
    panel.run_steps(2);
    panel.get_by_label("Surroundings").type_text("a forest");
    panel.run_steps(2);
    let side = size.width.max(size.height);
    let wanted = Size::new(side, side);
    let requested = press_and_wait(&mut panel, &format!("Draw around it: {side}x{side}"), 1);
    let canvas = Canvas::around(size, wanted, (Anchor::Middle, Anchor::Middle)).unwrap();
    let mut margins = Part::margins(&canvas);
    margins.edit.words = "a forest".to_owned();
    let expected = Action::Enlarge {
        shot: shot.clone(),
        take: before.id.clone(),
        canvas,
        parts: vec![margins],
        tiled: false,
        takes: 1,
    };
    assert!(requested.contains(&expected), "{requested:?}");
    let after = take(&panel, &shot, 1);
    assert_eq!((after.recipe().size, after.parent()), (wanted, Some(&before.id)));
    // The candidate opens with its own size.
    press(&mut panel, "Accept");
    panel.state_mut().apply_requests();
    wait_until(&mut panel, |panel| has(panel, "take 2"));
}

#[test]
fn the_menu_upscales_and_keeps_liked_parts() {
    let (mut panel, shot) = canvas();
    mark_part_for_a_moon(&mut panel, &shot);
    press(&mut panel, "Like part 1");
    panel.state_mut().apply_requests();
    let size = take(&panel, &shot, 0).recipe().size;
    press(&mut panel, "Enlarge");
    press(&mut panel, "3x");
    let wanted = Size::new(3 * size.width, 3 * size.height);
    let requested = press_and_wait(&mut panel, &format!("Upscale to {wanted}"), 1);
    let Some(Action::Enlarge { canvas, parts, tiled: true, .. }) = requested.last() else {
        panic!("{requested:?}")
    };
    assert_eq!(*canvas, Canvas::filled(wanted));
    let [kept, whole] = &parts[..] else { panic!("{parts:?}") };
    assert_eq!((kept.edit.kind, kept.name.as_str()), (EditKind::Keep, "part 1"));
    assert_eq!(kept.mask.size(), (wanted.width, wanted.height));
    assert_eq!(*whole, Part::whole(wanted, 0.3));
    assert_eq!(take(&panel, &shot, 1).recipe().size, wanted);
}
