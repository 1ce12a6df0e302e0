//! Parts of takes drawn anew.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bevy_illustrator::{
    art::{Take, TakeId},
    edit::EditError,
    mask::{Area, Mask},
    project::{Action, ProjectError, Update},
    recipe::{EditKind, Layer, Marks, Part, PartEdit, Size, Verdict, picture_hash},
    storyboard::{ShotId, ShotState, ShotWords},
};

use super::{
    bench::Bench,
    common::{copy_folder, gradient, inverted, parts_of, story, wait_until},
};

/// A part that is the left half of a picture of 32x16.
pub fn left_half() -> Part {
    let words = "a white moon".to_owned();
    Part {
        name: "sky".to_owned(),
        mask: Mask::rectangle(32, 16, Area { x: 0, y: 0, width: 16, height: 16 }),
        edit: PartEdit { words, ..PartEdit::new(EditKind::Replace) },
        scribble: None,
    }
}

pub fn edit(shot: &ShotId, take: &TakeId, takes: u32) -> Action {
    let (shot, take) = (shot.clone(), take.clone());
    Action::Edit { shot, take, picture: None, parts: vec![left_half()], context: None, takes }
}

pub fn takes(bench: &Bench, shot: &ShotId) -> Vec<Take> {
    bench.project.art().takes(shot).to_vec()
}

/// A shot with a take and an edit of it.
pub fn edited() -> (Bench, ShotId, Take, Take) {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let first = takes(&bench, &item)[0].clone();
    bench.apply(edit(&item, &first.id, 1));
    bench.settle();
    let second = takes(&bench, &item)[1].clone();
    (bench, item, first, second)
}

#[test]
fn an_edit_draws_takes_that_know_what_they_were_made_of() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let first = takes(&bench, &item)[0].clone();
    bench.apply(edit(&item, &first.id, 2));
    bench.settle();
    let [_, second, third] = takes(&bench, &item).try_into().unwrap();
    for take in [&second, &third] {
        assert_eq!(take.parent(), Some(&first.id));
        let edit = take.recipe().edit.as_ref().unwrap();
        let parts = parts_of(bench.project.art(), take);
        assert_eq!(take.image().unwrap(), inverted(&first.image().unwrap(), &parts));
        assert_eq!(edit.picture, picture_hash(&first.image().unwrap()));
    }
    assert_eq!((second.recipe().take, third.recipe().take), (0, 1));
    // From an edit the tree goes on.
    bench.apply(edit(&item, &third.id, 1));
    bench.settle();
    let fourth = takes(&bench, &item)[3].clone();
    assert_eq!(fourth.parent(), Some(&third.id));
    assert_eq!(fourth.image().unwrap(), first.image().unwrap(), "turned twice");
}

#[test]
fn the_game_shows_an_edit_once_it_is_accepted() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let first = takes(&bench, &item)[0].clone();
    bench.apply(edit(&item, &first.id, 1));
    bench.settle();
    assert_eq!(bench.published(&item), gradient(first.recipe()));
    assert_eq!(bench.project.state(&item), ShotState::Drafted);
    let second = takes(&bench, &item)[1].clone();
    bench.apply(Action::Accept { shot: item.clone(), take: second.id.clone() });
    bench.settle();
    assert_eq!(bench.published(&item), second.image().unwrap());
    assert_eq!(bench.project.state(&item), ShotState::Accepted);
    let mut bench = bench.reopened();
    bench.settle();
    assert_eq!(bench.project.state(&item), ShotState::Accepted);
    assert_eq!(bench.published(&item), second.image().unwrap());
    // What the shot asks for has changed: the edit is of an older picture.
    let words = ShotWords { seed: Some(9), ..ShotWords::default() };
    bench.apply(Action::SetWords { shot: item.clone(), words });
    assert_eq!(bench.project.state(&item), ShotState::Stale);
}

#[test]
fn an_edit_in_the_queue_outlives_the_program() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let first = takes(&bench, &item)[0].clone();
    bench.fakes.hold_after(1);
    bench.apply(edit(&item, &first.id, 1));
    wait_until("a step", || bench.fakes.steps_done() > 12);
    let mut bench = bench.reopened();
    bench.settle();
    let second = takes(&bench, &item)[1].clone();
    assert_eq!(second.parent(), Some(&first.id));
}

#[test]
fn a_kill_in_the_midst_of_an_edit_leaves_the_marks_and_the_takes_so_far_and_goes_on() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let first = takes(&bench, &item)[0].clone();
    let layer = Layer::new("sky".to_owned(), left_half().mask);
    let layer = Layer { verdict: Verdict::Disliked, ..layer };
    let (shot, take) = (item.clone(), first.id.clone());
    let context = Some(Area { x: 2, y: 0, width: 12, height: 16 });
    let marks = Marks { layers: vec![layer], context };
    bench.apply(Action::SetMarks { shot, take, marks: marks.clone() });
    // The first of two is done, and half of the second: 4 steps and 2.
    let half = bench.fakes.steps_done() + 6;
    bench.fakes.hold_after(6);
    bench.apply(edit(&item, &first.id, 2));
    bench.poll_until("the first", |project| project.art().takes(&item).len() == 2);
    let second = takes(&bench, &item)[1].clone();
    bench.apply(Action::Accept { shot: item.clone(), take: second.id.clone() });
    wait_until("half of the second", || bench.fakes.steps_done() == half);

    let left = tempfile::tempdir().unwrap();
    copy_folder(bench.root(), left.path());
    let mut bench = Bench::over(left, story());
    assert_eq!(bench.project.art().marks(&item, &first.id).unwrap(), marks);
    assert_eq!(bench.project.art().accepted(&item).unwrap().id, second.id);
    bench.settle();
    let third = &takes(&bench, &item)[2];
    assert_eq!(third.parent(), Some(&first.id));
    assert_eq!(bench.published(&item), second.image().unwrap());
    assert_eq!(bench.fakes.drawn().len(), 1, "only what was not finished");
}

#[test]
fn a_take_that_was_put_away_can_still_be_edited_by_what_waits() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let first = takes(&bench, &item)[0].clone();
    bench.apply(Action::Pause(true));
    bench.apply(edit(&item, &first.id, 1));
    bench.apply(Action::Discard { shot: item.clone(), take: first.id.clone() });
    bench.apply(Action::Pause(false));
    bench.settle();
    assert_eq!(takes(&bench, &item)[0].parent(), Some(&first.id));
}

#[test]
fn a_take_that_is_gone_fails_the_edit_and_says_so() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let first = takes(&bench, &item)[0].clone();
    bench.apply(Action::Pause(true));
    bench.apply(edit(&item, &first.id, 1));
    fs::remove_file(&first.path).unwrap();
    bench.apply(Action::Pause(false));
    bench.settle();
    let error = bench.error(&item).unwrap();
    assert!(error.contains(first.id.as_str()), "{error}");
}

#[test]
fn an_edit_that_failed_is_tried_again_as_an_edit_and_its_shot_needs_no_other_picture() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let first = takes(&bench, &item)[0].clone();
    bench.fakes.fail_on(&first.recipe().prompt);
    bench.apply(edit(&item, &first.id, 1));
    bench.settle();
    assert_eq!(bench.project.state(&item), ShotState::Failed);
    assert_eq!(bench.project.needed().count(), 0);
    bench.fakes.heal();
    bench.apply(Action::DrawNeeded);
    bench.settle();
    assert_eq!(takes(&bench, &item).len(), 1);
    bench.apply(Action::Draw(vec![item.clone()]));
    bench.settle();
    let [_, second] = takes(&bench, &item).try_into().unwrap();
    assert_eq!(second.parent(), Some(&first.id));
    assert_eq!(bench.project.state(&item), ShotState::Drafted);
}

#[test]
fn all_edits_that_failed_outlive_the_program_and_are_tried_again_when_they_are_asked_for() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let first = takes(&bench, &item)[0].clone();
    bench.fakes.fail_on(&first.recipe().prompt);
    bench.apply(edit(&item, &first.id, 3));
    bench.settle();
    let mut bench = bench.reopened();
    assert_eq!(bench.project.state(&item), ShotState::Failed);
    assert_eq!(bench.error(&item).as_deref(), Some("fake failure"));
    bench.apply(Action::DrawNeeded);
    bench.settle();
    assert!(bench.fakes.drawn().is_empty(), "they wait for the author");
    bench.apply(Action::Draw(vec![item.clone()]));
    bench.settle();
    let edits = takes(&bench, &item).split_off(1);
    let numbers = edits.iter().map(|take| take.recipe().take).collect::<Vec<_>>();
    assert_eq!(numbers, [0, 1, 2]);
    assert!(edits.iter().all(|take| take.parent() == Some(&first.id)));
    let mut bench = bench.reopened();
    bench.settle();
    assert_eq!(bench.project.state(&item), ShotState::Drafted);
    assert!(bench.fakes.drawn().is_empty(), "what succeeded is not tried again");
}

#[test]
fn a_context_box_may_be_as_tight_as_the_latents_of_the_model() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let first = takes(&bench, &item)[0].id.clone();
    let mut within = |x: u32, width: u32| {
        let (shot, take) = (item.clone(), first.clone());
        let context = Some(Area { x, y: 0, width, height: 16 });
        let parts = vec![left_half()];
        let edit = Action::Edit { shot, take, picture: None, parts, context, takes: 1 };
        bench.try_apply(edit)
    };
    // 8 pixels to a latent: these are whole in sight from 0 to 24, where the part fades out.
    within(7, 10).unwrap();
    let refused = within(8, 10).unwrap_err();
    assert!(matches!(*refused, ProjectError::Edit(EditError::CropTooSmall { .. })), "{refused}");
}

#[test]
fn an_edit_marked_on_another_picture_than_the_file_shows_by_now_is_refused() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let first = takes(&bench, &item)[0].clone();
    let marked_on = |hash: String| {
        let (shot, take) = (item.clone(), first.id.clone());
        let (parts, picture) = (vec![left_half()], Some(hash));
        Action::Edit { shot, take, picture, parts, context: None, takes: 1 }
    };
    let seen = picture_hash(&first.image().unwrap());
    let elsewhere = takes(&bench, &bench.portrait())[0].path.clone();
    fs::copy(&elsewhere, &first.path).unwrap();
    let refused = bench.try_apply(marked_on(seen)).unwrap_err();
    assert!(matches!(*refused, ProjectError::Edit(EditError::OtherPicture)), "{refused}");
    assert!(bench.project.is_idle());
    let now = picture_hash(&first.image().unwrap());
    bench.try_apply(marked_on(now)).unwrap();
}

#[test]
fn what_is_marked_on_a_take_is_kept_and_goes_on_to_its_edits() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let first = takes(&bench, &item)[0].id.clone();
    assert_eq!(bench.project.art().marks(&item, &first).unwrap(), Marks::default());
    let sky = Layer { verdict: Verdict::Disliked, ..Layer::new("sky", left_half().mask) };
    let only = |layer: &Layer| Marks { layers: vec![layer.clone()], context: None };
    let set = |take: &TakeId, layer: &Layer| Action::SetMarks {
        shot: item.clone(),
        take: take.clone(),
        marks: only(layer),
    };
    bench.apply(set(&first, &sky));
    bench.apply(edit(&item, &first, 1));
    bench.settle();
    let mut bench = bench.reopened();
    let second = takes(&bench, &item)[1].id.clone();
    // The verdict was about what has been drawn anew.
    let judged = Layer { verdict: Verdict::None, ..sky.clone() };
    assert_eq!(bench.project.art().marks(&item, &second).unwrap(), only(&judged));
    // From then on each has its own.
    let liked = Layer { verdict: Verdict::Liked, ..sky.clone() };
    bench.apply(set(&second, &liked));
    assert_eq!(bench.project.art().marks(&item, &first).unwrap(), only(&sky));
    assert_eq!(bench.project.art().marks(&item, &second).unwrap(), only(&liked));

    let file = bench.root().join(format!("parts/{item}/{second}.json"));
    fs::write(&file, "[{\"name\": ").unwrap();
    let error = bench.project.art().marks(&item, &second).unwrap_err().to_string();
    assert!(error.contains(&*file.to_string_lossy()), "{error}");
}

#[test]
fn an_edit_of_a_picture_in_an_older_size_is_drawn_whatever_is_planned_meanwhile() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let first = takes(&bench, &item)[0].clone();
    let mut style = bench.project.style().clone();
    style.sizes.item = Some(Size::new(64, 48));
    bench.apply(Action::SetStyle(Some(Box::new(style))));
    bench.apply(Action::Pause(true));
    bench.apply(edit(&item, &first.id, 1));
    let portrait = bench.portrait();
    let words = ShotWords { seed: Some(9), ..ShotWords::default() };
    bench.apply(Action::SetWords { shot: portrait, words });
    let mut bench = bench.reopened();
    bench.apply(Action::Pause(false));
    bench.settle();
    let second = takes(&bench, &item).pop().unwrap();
    assert_eq!((second.parent(), second.recipe().size), (Some(&first.id), Size::new(32, 16)));
    assert_eq!(bench.project.state(&item), ShotState::Stale, "the story asks for another size");
}

#[test]
fn an_edit_that_makes_no_sense_is_refused_at_once() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let first = takes(&bench, &item)[0].id.clone();
    let mut refused = |take: &TakeId, part: Part| {
        let (shot, take) = (item.clone(), take.clone());
        let edit =
            Action::Edit { shot, take, picture: None, parts: vec![part], context: None, takes: 1 };
        bench.try_apply(edit).unwrap_err()
    };
    let nobody = TakeId::new("0123456789abcdef").unwrap();
    assert!(matches!(*refused(&nobody, left_half()), ProjectError::Art(_)));
    let other_size = Part { mask: Mask::full(16, 32), ..left_half() };
    assert!(matches!(*refused(&first, other_size), ProjectError::Edit(_)));
    let nothing = Part { mask: Mask::empty(32, 16), ..left_half() };
    assert!(matches!(*refused(&first, nothing), ProjectError::Edit(_)));
    assert!(bench.project.is_idle());
}

#[test]
fn a_take_that_is_tried_on_is_shown_until_that_ends() {
    let (mut bench, item, first, second) = edited();
    let try_on = |take: Option<&TakeId>| Action::TryOn { shot: item.clone(), take: take.cloned() };
    let shown = |bench: &Bench| bench.pictures()[&item].clone();
    bench.apply(try_on(Some(&second.id)));
    bench.settle();
    assert_eq!(shown(&bench), second.image().unwrap());
    assert_eq!(bench.project.state(&item), ShotState::Drafted, "nothing is accepted");
    bench.apply(try_on(None));
    bench.settle();
    assert_eq!(shown(&bench), first.image().unwrap());
    // It ends by itself when the project is closed, when another take is accepted or this one is put away.
    bench.apply(try_on(Some(&second.id)));
    bench.settle();
    let mut bench = bench.reopened();
    bench.settle();
    assert_eq!(shown(&bench), first.image().unwrap());
    for end in [
        Action::Accept { shot: item.clone(), take: first.id.clone() },
        Action::Discard { shot: item.clone(), take: second.id.clone() },
    ] {
        bench.apply(try_on(Some(&second.id)));
        bench.settle();
        assert_eq!(shown(&bench), second.image().unwrap());
        bench.apply(end);
        bench.settle();
        assert_eq!(shown(&bench), first.image().unwrap());
    }
    let gone = bench.try_apply(try_on(Some(&second.id)));
    let gone = gone.unwrap_err();
    assert!(matches!(*gone, ProjectError::Art(_)), "{gone}");
}

/// What lies in `pictures/`.
fn pictures_folder(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(root.join("pictures")).unwrap().map(|file| file.unwrap().path());
    files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn a_take_that_is_tried_on_is_never_among_the_pictures_that_a_game_ships() {
    let (mut bench, item, _, second) = edited();
    let before = pictures_folder(bench.root());
    let try_on = Action::TryOn { shot: item.clone(), take: Some(second.id.clone()) };
    bench.apply(try_on.clone());
    bench.settle();
    assert!(pictures_folder(bench.root()) == before, "while it is tried on");
    let told = bench.updates.iter().rev().find_map(|update| match update {
        Update::Picture { shot, path, .. } if *shot == item => Some(path),
        _ => None,
    });
    assert_eq!(told, Some(&second.path), "the game is told where it lies");
    bench.apply(Action::TryOn { shot: item.clone(), take: None });
    bench.settle();
    assert!(pictures_folder(bench.root()) == before, "when that has ended");

    bench.apply(try_on);
    bench.settle();
    let Bench { dir, project, .. } = bench;
    drop(project);
    assert!(pictures_folder(dir.path()) == before, "when the program has ended meanwhile");
}

#[test]
fn what_is_drawn_while_a_take_is_tried_on_is_published_and_shown_when_that_ends() {
    let (mut bench, item, _, second) = edited();
    bench.apply(Action::TryOn { shot: item.clone(), take: Some(second.id.clone()) });
    bench.apply(Action::DrawMore { shot: item.clone(), takes: 1 });
    bench.settle();
    let third = takes(&bench, &item)[2].clone();
    assert_eq!(bench.published(&item), third.image().unwrap());
    assert_eq!(*bench.pictures()[&item], second.image().unwrap());
    let last = bench.updates.iter().rev().find_map(|update| match update {
        Update::Published { shot, path } if *shot == item => Some(path),
        _ => None,
    });
    assert_eq!(last, Some(&bench.project.art().picture_path(&item)));
    bench.apply(Action::TryOn { shot: item.clone(), take: None });
    bench.settle();
    assert_eq!(*bench.pictures()[&item], third.image().unwrap());
    // What is accepted is published, though the game shows it already.
    bench.apply(Action::TryOn { shot: item.clone(), take: Some(second.id.clone()) });
    bench.settle();
    bench.apply(Action::Accept { shot: item.clone(), take: second.id.clone() });
    bench.settle();
    assert_eq!(bench.published(&item), second.image().unwrap());
    assert_eq!(*bench.pictures()[&item], second.image().unwrap());
}

#[test]
fn a_failed_edit_is_kept_when_another_take_is_drawn() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let first = takes(&bench, &item)[0].clone();
    bench.fakes.fail_on(&first.recipe().prompt);
    bench.apply(edit(&item, &first.id, 1));
    bench.settle();
    bench.fakes.heal();
    bench.apply(Action::DrawMore { shot: item.clone(), takes: 1 });
    bench.settle();
    assert_eq!(bench.project.state(&item), ShotState::Failed);
    let mut bench = bench.reopened();
    assert_eq!(bench.error(&item).as_deref(), Some("fake failure"));
    bench.apply(Action::Draw(vec![item.clone()]));
    bench.settle();
    assert_eq!(takes(&bench, &item).last().unwrap().parent(), Some(&first.id));
    assert_eq!(bench.project.state(&item), ShotState::Drafted);
}

#[test]
fn a_stale_shot_with_a_failed_edit_is_drawn_as_well() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let first = takes(&bench, &item)[0].clone();
    bench.fakes.fail_on(&first.recipe().prompt);
    bench.apply(edit(&item, &first.id, 1));
    bench.settle();
    let mut style = bench.project.style().clone();
    style.sizes.item = Some(Size::new(64, 48));
    bench.apply(Action::SetStyle(Some(Box::new(style))));
    bench.fakes.heal();
    bench.apply(Action::Draw(vec![item.clone()]));
    bench.settle();
    let sizes = takes(&bench, &item).into_iter().map(|take| take.recipe().size);
    let sizes = sizes.skip(1).collect::<Vec<_>>();
    assert_eq!(sizes, [Size::new(64, 48), Size::new(32, 16)], "the shot's new size, then the edit");
}

#[test]
fn failures_are_cleared_on_request() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let first = takes(&bench, &item)[0].clone();
    bench.fakes.fail_on(&first.recipe().prompt);
    bench.apply(edit(&item, &first.id, 1));
    bench.settle();
    bench.apply(Action::ClearFailures(vec![item.clone()]));
    assert_eq!(bench.project.state(&item), ShotState::Drafted);
    assert_eq!(bench.reopened().project.state(&item), ShotState::Drafted);
}
