//! The same edit in other pictures.

use bevy_illustrator::{
    art::Take,
    project::{Action, ProjectError, Update},
    recipe::{EditKind, Part, PartEdit, Size},
    storyboard::ShotId,
};

use image::{Rgba, RgbaImage};

use super::{
    bench::Bench,
    common::{parts_of, story},
    edits::{edit, edited, left_half, takes},
};

#[test]
fn an_edit_is_done_alike_to_other_shots() {
    let mut bench = Bench::drawn();
    let (item, portrait) = (bench.item(), bench.portrait());
    let first = takes(&bench, &item)[0].clone();
    // What is added has its place; all else is looked for, and these pictures show nothing to be found.
    let kind = EditKind::Add;
    let added = Part { edit: PartEdit { kind, ..left_half().edit }, ..left_half() };
    bench.apply(Action::Edit {
        shot: item.clone(),
        take: first.id.clone(),
        picture: None,
        parts: vec![added],
        context: None,
        takes: 1,
    });
    bench.settle();
    let made = takes(&bench, &item)[1].clone();
    let alike = |take: &Take, others: &[&ShotId]| Action::PropagateEdit {
        shot: item.clone(),
        take: take.id.clone(),
        others: others.iter().map(|&shot| shot.clone()).collect(),
    };
    bench.apply(alike(&made, &[&portrait]));
    bench.settle();
    let other = takes(&bench, &portrait).pop().unwrap();
    let shown = takes(&bench, &portrait)[0].clone();
    assert_eq!(other.parent(), Some(&shown.id));
    let [a, b] = [&made, &other].map(|take| parts_of(bench.project.art(), take));
    assert_eq!(made.recipe().origin(), other.recipe().origin());
    let size = shown.recipe().size;
    assert_eq!(b[0].mask, a[0].mask.resized(size.width, size.height));
    // What is refused changes nothing.
    let refused = bench.try_apply(alike(&first, &[&portrait])).unwrap_err();
    assert!(matches!(*refused, ProjectError::NoEdit { .. }), "{refused}");
    for take in takes(&bench, &portrait) {
        bench.apply(Action::Discard { shot: portrait.clone(), take: take.id });
    }
    let background = bench.background();
    let refused = bench.try_apply(alike(&made, &[&background, &portrait])).unwrap_err();
    assert!(matches!(*refused, ProjectError::NoPicture(_)), "{refused}");
    assert!(bench.project.studio().jobs().is_empty());
}

#[test]
fn what_is_to_be_done_alike_outlives_the_program_until_it_is_drawn_or_given_up() {
    let (mut bench, item, _, made) = edited();
    let (portrait, background) = (bench.portrait(), bench.background());
    let others = vec![portrait.clone(), background.clone()];
    let alike = Action::PropagateEdit { shot: item.clone(), take: made.id.clone(), others };
    bench.apply(alike.clone());
    // Nothing is found yet, or heard of.
    let mut bench = bench.reopened();
    bench.settle();
    for shot in [&portrait, &background] {
        let [_, take] = &takes(&bench, shot)[..] else { panic!("{shot} has two takes") };
        assert_eq!(take.recipe().origin(), made.recipe().origin());
    }
    assert!(bench.project.art().pending_propagations().is_empty());
    let mut bench = bench.reopened();
    bench.settle();
    assert_eq!(takes(&bench, &portrait).len(), 2, "it is done once");
    bench.fakes.hold_after(0);
    bench.apply(alike);
    bench.apply(Action::CancelAll);
    let mut bench = bench.reopened();
    bench.settle();
    assert_eq!(takes(&bench, &portrait).len(), 2, "it was given up");
}

#[test]
fn what_is_to_be_done_alike_is_done_to_all_but_a_shot_that_is_gone_also_when_its_take_is_put_away()
{
    let (mut bench, item, _, made) = edited();
    let (portrait, background) = (bench.portrait(), bench.background());
    let others = vec![portrait.clone(), background.clone()];
    bench.fakes.hold_after(0);
    bench.apply(Action::PropagateEdit { shot: item.clone(), take: made.id.clone(), others });
    // Before anything is drawn.
    bench.apply(Action::Discard { shot: item, take: made.id.clone() });
    let Bench { dir, project, .. } = bench;
    drop(project);
    let mut elsewhere = story();
    elsewhere.scenes.iter_mut().for_each(|scene| scene.mood = "eerie".to_owned());
    let mut bench = Bench::over(dir, elsewhere);
    bench.settle();
    assert!(bench.project.board().shot(&background).is_none(), "it has another name");
    let last = takes(&bench, &portrait).pop().unwrap();
    assert_eq!(last.recipe().origin(), made.recipe().origin());
    let told = bench.updates.iter().any(|update| {
        matches!(update, Update::Failed { shot, error } if *shot == background && error.to_string().contains("cannot be propagated"))
    });
    assert!(told, "the author is told of the one that is left out");
    assert!(bench.project.art().pending_propagations().is_empty());
}

#[test]
fn the_same_edit_is_done_where_another_picture_shows_the_same() {
    let mut bench = Bench::drawn();
    let (item, portrait) = (bench.item(), bench.portrait());
    let halves = |take: &Take, is_red: fn(u32, u32) -> bool| {
        let Size { width, height } = take.recipe().size;
        let colour = |x| if is_red(x, width) { [200, 30, 30, 255] } else { [30, 60, 200, 255] };
        let picture = RgbaImage::from_fn(width, height, |x, _| Rgba(colour(x)));
        picture.save(&take.path).unwrap();
    };
    let first = takes(&bench, &item)[0].clone();
    halves(&first, |x, width| x < width / 2);
    halves(&takes(&bench, &portrait)[0], |x, width| x >= width / 2);
    bench.apply(edit(&item, &first.id, 1));
    bench.settle();
    let take = takes(&bench, &item)[1].id.clone();
    bench.apply(Action::PropagateEdit { shot: item, take, others: vec![portrait.clone()] });
    bench.settle();
    let made = takes(&bench, &portrait).pop().unwrap();
    let mask = parts_of(bench.project.art(), &made).remove(0).mask;
    let (width, height) = mask.size();
    let sides = [width / 8, width - 1 - width / 8].map(|x| mask.at(x, height / 2));
    assert_eq!(sides, [0, 255], "the red half is the right one here");
}
