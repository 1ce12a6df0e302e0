//! Takes on larger canvases.

use bevy_illustrator::{
    edit::EditError,
    mask::Area,
    project::{Action, ProjectError},
    recipe::{Anchor, Canvas, CanvasError, Part, Size},
    storyboard::ShotState,
};

use super::{
    common::inverted,
    edits::{edit, left_half, takes},
    fixture::ProjectFixture,
};

/// A canvas of `size` on the right of a picture of 32x16 pixels.
fn canvas(size: Size) -> Canvas {
    Canvas::around(Size::new(32, 16), size, (Anchor::Start, Anchor::Middle)).unwrap()
}

#[test]
fn an_enlarged_take_is_an_edit_of_its_shot_and_survives_restarts() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].clone();
    let canvas = canvas(Size::new(48, 16));
    let parts = vec![Part::margins(&canvas)];
    let (shot, take) = (item.clone(), first.id.clone());
    fixture.apply(Action::Enlarge { shot, take, canvas, parts, tiled: true, takes: 1 });
    let mut fixture = fixture.reopened();
    fixture.wait_until_idle();
    let second = takes(&fixture, &item)[1].clone();
    let enlarged = second.recipe().edit.as_ref().unwrap();
    assert_eq!((enlarged.canvas, enlarged.tiled), (Some(canvas), true));
    assert_eq!((second.recipe().size, second.parent()), (Size::new(48, 16), Some(&first.id)));
    let (before, after) = (first.image().unwrap(), second.image().unwrap());
    for (x, y, pixel) in before.enumerate_pixels() {
        assert_eq!(after.get_pixel(x, y), pixel);
    }
    // The fakes invert the margin, which continues the last column.
    let expected = inverted(&before, &[Part::whole(Size::new(32, 16), 1.0)]);
    let apart = expected.get_pixel(31, 8).0[0].abs_diff(after.get_pixel(33, 8).0[0]);
    assert!(apart < 40, "{apart}");
    // The take is one of the shot, although the shot has another size.
    fixture.apply(Action::Accept { shot: item.clone(), take: second.id.clone() });
    assert!(fixture.project.shown(&item).is_some_and(|shown| shown.id == second.id));
    assert_eq!(fixture.project.state(&item), ShotState::Accepted);
    // So is an edit of it.
    let part = Part { mask: canvas.margins(), ..left_half() };
    let Action::Edit { shot, take, picture, context, .. } = edit(&item, &second.id, 1) else {
        unreachable!()
    };
    let (parts, score) = (vec![part], false);
    fixture.apply(Action::Edit { shot, take, picture, parts, context, takes: 1, score });
    fixture.wait_until_idle();
    let third = takes(&fixture, &item)[2].id.clone();
    fixture.apply(Action::Accept { shot: item.clone(), take: third.clone() });
    assert!(fixture.project.shown(&item).is_some_and(|shown| shown.id == third));
}

#[test]
fn a_canvas_that_does_not_suit_the_picture_is_refused_before_anything_is_drawn() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].id.clone();
    let mut enlarge = |canvas: Canvas, parts: Vec<Part>| {
        let (shot, take) = (item.clone(), first.clone());
        let action = Action::Enlarge { shot, take, canvas, parts, tiled: false, takes: 1 };
        fixture.try_apply(action).map(drop)
    };
    let good = canvas(Size::new(64, 16));
    let outside = Canvas { picture: Area { x: 40, ..good.picture }, ..good };
    let refused = enlarge(outside, vec![Part::margins(&outside)]).unwrap_err();
    assert!(
        matches!(*refused, ProjectError::Edit(EditError::Canvas(CanvasError::Outside { .. }))),
        "{refused}"
    );
    let other = vec![Part::whole(Size::new(32, 16), 0.5)];
    let refused = enlarge(good, other).unwrap_err();
    assert!(matches!(*refused, ProjectError::Edit(EditError::Mask { .. })), "{refused}");
    enlarge(good, vec![Part::margins(&good)]).unwrap();
}

#[test]
fn an_enlarged_edit_is_propagated_to_pictures_of_the_same_shape_only() {
    let mut fixture = ProjectFixture::drawn();
    let (item, portrait, background) = (fixture.item(), fixture.portrait(), fixture.background());
    let canvas = canvas(Size::new(48, 16));
    for shot in [&item, &background] {
        let take = takes(&fixture, shot)[0].id.clone();
        let (shot, parts) = (shot.clone(), vec![Part::margins(&canvas)]);
        fixture.apply(Action::Enlarge { shot, take, canvas, parts, tiled: false, takes: 1 });
    }
    fixture.wait_until_idle();
    let [made, wide] = [&item, &background].map(|shot| takes(&fixture, shot)[1].id.clone());
    fixture.apply(Action::Accept { shot: background.clone(), take: wide });
    let others = vec![portrait.clone(), background.clone()];
    fixture.apply(Action::PropagateEdit { shot: item, take: made, others });
    fixture.wait_until_idle();
    let [_, other] = &takes(&fixture, &portrait)[..] else { panic!("the portrait has two takes") };
    assert_eq!(other.recipe().edit.as_ref().unwrap().canvas, Some(canvas));
    assert_eq!(other.image().unwrap().dimensions(), (48, 16));
    assert_eq!(takes(&fixture, &background).len(), 2, "48x16 pixels would be stretched to 32x16");
    assert!(fixture.project.art().pending_propagations().is_empty());
}
