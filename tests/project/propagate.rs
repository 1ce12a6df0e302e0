//! Propagation of edits to other pictures.

use bevy_illustrator::{
    art::Take,
    project::{Action, ProjectError, Update},
    recipe::{EditKind, Part, PartEdit, Size},
    storyboard::ShotId,
};

use image::{Rgba, RgbaImage};

use super::{
    common::{parts_of, story},
    edits::{edit, edited, left_half, takes},
    fixture::ProjectFixture,
};

#[test]
fn an_added_part_is_propagated_to_the_same_place() {
    let mut fixture = ProjectFixture::drawn();
    let (item, portrait) = (fixture.item(), fixture.portrait());
    let first = takes(&fixture, &item)[0].clone();
    // An added part keeps its place. Other parts would be searched for, and these pictures have no similar objects.
    let kind = EditKind::Add;
    let added = Part { edit: PartEdit { kind, ..left_half().edit }, ..left_half() };
    fixture.apply(Action::Edit {
        shot: item.clone(),
        take: first.id.clone(),
        picture: None,
        parts: vec![added],
        context: None,
        takes: 1,
        score: false,
    });
    fixture.wait_until_idle();
    let made = takes(&fixture, &item)[1].clone();
    let propagate = |take: &Take, others: &[&ShotId]| Action::PropagateEdit {
        shot: item.clone(),
        take: take.id.clone(),
        others: others.iter().map(|&shot| shot.clone()).collect(),
    };
    fixture.apply(propagate(&made, &[&portrait]));
    fixture.wait_until_idle();
    let other = takes(&fixture, &portrait).pop().unwrap();
    let shown = takes(&fixture, &portrait)[0].clone();
    assert_eq!(other.parent(), Some(&shown.id));
    let [a, b] = [&made, &other].map(|take| parts_of(fixture.project.art(), take));
    assert_eq!(made.recipe().origin(), other.recipe().origin());
    let size = shown.recipe().size;
    assert_eq!(b[0].mask, a[0].mask.resized(size.width, size.height));
    // Errors change nothing.
    let refused = fixture.try_apply(propagate(&first, &[&portrait])).unwrap_err();
    assert!(matches!(*refused, ProjectError::NoEdit { .. }), "{refused}");
    for take in takes(&fixture, &portrait) {
        fixture.apply(Action::Discard { shot: portrait.clone(), take: take.id });
    }
    let background = fixture.background();
    let refused = fixture.try_apply(propagate(&made, &[&background, &portrait])).unwrap_err();
    assert!(matches!(*refused, ProjectError::NoPicture(_)), "{refused}");
    assert!(fixture.project.studio().jobs().is_empty());
}

#[test]
fn a_propagation_survives_restarts_until_it_is_drawn_or_cancelled() {
    let (mut fixture, item, _, made) = edited();
    let (portrait, background) = (fixture.portrait(), fixture.background());
    let others = vec![portrait.clone(), background.clone()];
    let propagate = Action::PropagateEdit { shot: item.clone(), take: made.id.clone(), others };
    fixture.apply(propagate.clone());
    // The project closes before the search ends.
    let mut fixture = fixture.reopened();
    fixture.wait_until_idle();
    for shot in [&portrait, &background] {
        let [_, take] = &takes(&fixture, shot)[..] else { panic!("{shot} has two takes") };
        assert_eq!(take.recipe().origin(), made.recipe().origin());
    }
    assert!(fixture.project.art().pending_propagations().is_empty());
    let mut fixture = fixture.reopened();
    fixture.wait_until_idle();
    assert_eq!(takes(&fixture, &portrait).len(), 2, "it is propagated only once");
    fixture.fakes.hold_after(0);
    fixture.apply(propagate);
    fixture.apply(Action::CancelAll);
    let mut fixture = fixture.reopened();
    fixture.wait_until_idle();
    assert_eq!(takes(&fixture, &portrait).len(), 2, "the propagation was cancelled");
}

#[test]
fn a_propagation_of_a_discarded_take_waits_for_a_missing_shot_and_reports_it() {
    let (mut fixture, item, _, made) = edited();
    let (portrait, background) = (fixture.portrait(), fixture.background());
    let others = vec![portrait.clone(), background.clone()];
    fixture.fakes.hold_after(0);
    fixture.apply(Action::PropagateEdit { shot: item.clone(), take: made.id.clone(), others });
    // The take is discarded before the propagation is drawn.
    fixture.apply(Action::Discard { shot: item, take: made.id.clone() });
    let ProjectFixture { dir, project, .. } = fixture;
    drop(project);
    let mut changed = story();
    changed.scenes.iter_mut().for_each(|scene| scene.mood = "eerie".to_owned());
    let mut fixture = ProjectFixture::open(dir, changed);
    fixture.wait_until_idle();
    assert!(
        fixture.project.board().shot(&background).is_none(),
        "the mood is part of the shot's name"
    );
    let last = takes(&fixture, &portrait).pop().unwrap();
    assert_eq!(last.recipe().origin(), made.recipe().origin());
    let reported = fixture.updates.iter().any(|update| {
        matches!(update, Update::Failed { shot, error }
            if *shot == background && error.to_string().contains("cannot be propagated"))
    });
    assert!(reported, "the missing shot is reported");
    let ProjectFixture { dir, project, .. } = fixture;
    assert_eq!(project.art().pending_propagations().keys().collect::<Vec<_>>(), [&background]);
    drop(project);
    let mut fixture = ProjectFixture::open(dir, story());
    fixture.wait_until_idle();
    let last = takes(&fixture, &background).pop().unwrap();
    assert_eq!(last.recipe().origin(), made.recipe().origin());
    assert!(fixture.project.art().pending_propagations().is_empty());
}

#[test]
fn an_edit_is_propagated_to_the_similar_object_in_another_picture() {
    let mut fixture = ProjectFixture::drawn();
    let (item, portrait) = (fixture.item(), fixture.portrait());
    let halves = |take: &Take, is_red: fn(u32, u32) -> bool| {
        let Size { width, height } = take.recipe().size;
        let colour = |x| if is_red(x, width) { [200, 30, 30, 255] } else { [30, 60, 200, 255] };
        let picture = RgbaImage::from_fn(width, height, |x, _| Rgba(colour(x)));
        picture.save(&take.path).unwrap();
    };
    let first = takes(&fixture, &item)[0].clone();
    halves(&first, |x, width| x < width / 2);
    halves(&takes(&fixture, &portrait)[0], |x, width| x >= width / 2);
    fixture.apply(edit(&item, &first.id, 1));
    fixture.wait_until_idle();
    let take = takes(&fixture, &item)[1].id.clone();
    fixture.apply(Action::PropagateEdit { shot: item, take, others: vec![portrait.clone()] });
    fixture.wait_until_idle();
    let made = takes(&fixture, &portrait).pop().unwrap();
    let mask = parts_of(fixture.project.art(), &made).remove(0).mask;
    let (width, height) = mask.size();
    let sides = [width / 8, width - 1 - width / 8].map(|x| mask.at(x, height / 2));
    assert_eq!(sides, [0, 255], "the red half is on the right in this picture");
}
