//! Edits of takes.

use std::fs;

use bevy_illustrator::{
    art::{Art, Take, TakeId, picture_file::EncodeError, ranked},
    edit::EditError,
    loss::FinalLoss,
    mask::{Area, Mask},
    project::{Action, ProjectError},
    recipe::{EditKind, Inspiration, Layer, Marks, Part, PartEdit, Size, Verdict, picture_hash},
    storyboard::{ShotId, ShotState, ShotWords},
};

use super::{
    common::{
        copy_folder::copy_folder, fake_loss, gradient, inverted, parts_of, story, wait_until,
    },
    fixture::ProjectFixture,
};

/// A part with the left half of a 32x16 picture.
pub fn left_half() -> Part {
    let words = "a white moon".to_owned();
    Part::new(
        "sky",
        Mask::rectangle(32, 16, Area { x: 0, y: 0, width: 16, height: 16 }),
        PartEdit { words, ..PartEdit::new(EditKind::Replace) },
    )
}

pub fn edit(shot: &ShotId, take: &TakeId, takes: u32) -> Action {
    let (shot, take) = (shot.clone(), take.clone());
    Action::Edit {
        shot,
        take,
        picture: None,
        parts: vec![left_half()],
        context: None,
        takes,
        score: false,
    }
}

pub fn takes(fixture: &ProjectFixture, shot: &ShotId) -> Vec<Take> {
    fixture.project.art().takes(shot).to_vec()
}

/// A project, one of its shots, a take of the shot, and an edit of the take.
pub fn edited() -> (ProjectFixture, ShotId, Take, Take) {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].clone();
    fixture.apply(edit(&item, &first.id, 1));
    fixture.wait_until_idle();
    let second = takes(&fixture, &item)[1].clone();
    (fixture, item, first, second)
}

#[test]
fn scored_takes_keep_their_values_and_their_order_after_a_restart() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].clone();
    let Action::Edit { shot, take, picture, parts, context, .. } = edit(&item, &first.id, 4) else {
        unreachable!()
    };
    fixture.apply(Action::Edit { shot, take, picture, parts, context, takes: 4, score: true });
    fixture.apply(Action::DrawMore { shot: item.clone(), takes: 2, score: true });
    fixture.wait_until_idle();
    let order = |fixture: &ProjectFixture| -> Vec<(bool, u32, Vec<FinalLoss>)> {
        let takes = takes(fixture, &item);
        let found = ranked(&takes).into_iter().map(|ranked| {
            let recipe = ranked.take.recipe();
            (recipe.edit.is_some(), recipe.take, ranked.take.provenance.losses.clone())
        });
        found.collect()
    };
    let scored = |is_edit, take: u32| (is_edit, take, vec![fake_loss(take)]);
    let mut expected = vec![(false, 0, Vec::new())];
    // Further takes of the shot continue after the one that was drawn without a score.
    expected.extend([2, 1].map(|take| scored(false, take)));
    expected.extend([2, 3, 0, 1].map(|take| scored(true, take)));
    let mut found = order(&fixture);
    found.sort_by_key(|(is_edit, ..)| *is_edit);
    assert_eq!(found, expected);
    let before = order(&fixture);
    assert_eq!(order(&fixture.reopened()), before);
}

#[test]
fn an_edit_draws_takes_that_record_their_parent_and_parts() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].clone();
    fixture.apply(edit(&item, &first.id, 2));
    fixture.wait_until_idle();
    let [_, second, third] = takes(&fixture, &item).try_into().unwrap();
    for take in [&second, &third] {
        assert_eq!(take.parent(), Some(&first.id));
        let edit = take.recipe().edit.as_ref().unwrap();
        let parts = parts_of(fixture.project.art(), take);
        assert_eq!(take.image().unwrap(), inverted(&first.image().unwrap(), &parts));
        assert_eq!(edit.picture, picture_hash(&first.image().unwrap()));
    }
    assert_eq!((second.recipe().take, third.recipe().take), (0, 1));
    // An edit can be edited again.
    fixture.apply(edit(&item, &third.id, 1));
    fixture.wait_until_idle();
    let fourth = takes(&fixture, &item)[3].clone();
    assert_eq!(fourth.parent(), Some(&third.id));
    assert_eq!(
        fourth.image().unwrap(),
        first.image().unwrap(),
        "inverting twice restores the first picture"
    );
}

#[test]
fn the_game_shows_an_edit_only_after_it_is_accepted() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].clone();
    fixture.apply(edit(&item, &first.id, 1));
    fixture.wait_until_idle();
    assert_eq!(fixture.published(&item), gradient(first.recipe()));
    assert_eq!(fixture.project.state(&item), ShotState::Drafted);
    let second = takes(&fixture, &item)[1].clone();
    fixture.apply(Action::Accept { shot: item.clone(), take: second.id.clone() });
    fixture.wait_until_idle();
    assert_eq!(fixture.published(&item), second.image().unwrap());
    assert_eq!(fixture.project.state(&item), ShotState::Accepted);
    let mut fixture = fixture.reopened();
    fixture.wait_until_idle();
    assert_eq!(fixture.project.state(&item), ShotState::Accepted);
    assert_eq!(fixture.published(&item), second.image().unwrap());
    // With another seed, the edit belongs to an older recipe.
    let words = ShotWords { seed: Some(9), ..ShotWords::default() };
    fixture.apply(Action::SetWords { shot: item.clone(), words });
    assert_eq!(fixture.project.state(&item), ShotState::Stale);
}

#[test]
fn a_queued_edit_survives_a_restart() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].clone();
    fixture.fakes.hold_after(1);
    fixture.apply(edit(&item, &first.id, 1));
    wait_until("a step", || fixture.fakes.steps_done() > 12);
    let mut fixture = fixture.reopened();
    fixture.wait_until_idle();
    let second = takes(&fixture, &item)[1].clone();
    assert_eq!(second.parent(), Some(&first.id));
}

#[test]
fn after_a_kill_during_an_edit_marks_and_takes_are_kept_and_the_edit_continues() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].clone();
    let layer = Layer::new("sky".to_owned(), left_half().mask);
    let layer = Layer { verdict: Verdict::Disliked, ..layer };
    let (shot, take) = (item.clone(), first.id.clone());
    let context = Some(Area { x: 2, y: 0, width: 12, height: 16 });
    let marks = Marks { layers: vec![layer], context };
    fixture.apply(Action::SetMarks { shot, take, marks: marks.clone() });
    // The first of two takes, with 4 steps, and 2 steps of the second.
    let half = fixture.fakes.steps_done() + 6;
    fixture.fakes.hold_after(6);
    fixture.apply(edit(&item, &first.id, 2));
    fixture.poll_until("the first take", |project| project.art().takes(&item).len() == 2);
    let second = takes(&fixture, &item)[1].clone();
    fixture.apply(Action::Accept { shot: item.clone(), take: second.id.clone() });
    wait_until("half of the second take", || fixture.fakes.steps_done() == half);

    let left = tempfile::tempdir().unwrap();
    copy_folder(fixture.root(), left.path());
    let mut fixture = ProjectFixture::open(left, story());
    assert_eq!(fixture.project.art().marks(&item, &first.id).unwrap(), marks);
    assert_eq!(fixture.project.art().accepted(&item).unwrap().id, second.id);
    fixture.wait_until_idle();
    let third = &takes(&fixture, &item)[2];
    assert_eq!(third.parent(), Some(&first.id));
    assert_eq!(fixture.published(&item), second.image().unwrap());
    assert_eq!(fixture.fakes.drawn().len(), 1, "only the unfinished take is drawn");
}

#[test]
fn a_queued_edit_works_after_its_parent_is_discarded() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].clone();
    fixture.apply(Action::Pause(true));
    fixture.apply(edit(&item, &first.id, 1));
    fixture.apply(Action::Discard { shot: item.clone(), take: first.id.clone() });
    fixture.apply(Action::Pause(false));
    fixture.wait_until_idle();
    assert_eq!(takes(&fixture, &item)[0].parent(), Some(&first.id));
}

#[test]
fn an_edit_of_a_missing_take_fails_with_its_name() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].clone();
    fixture.apply(Action::Pause(true));
    fixture.apply(edit(&item, &first.id, 1));
    fs::remove_file(&first.path).unwrap();
    fixture.apply(Action::Pause(false));
    fixture.wait_until_idle();
    let error = fixture.error(&item).unwrap();
    assert!(error.contains(first.id.as_str()), "{error}");
}

#[test]
fn a_failed_edit_is_retried_as_an_edit_and_its_shot_needs_no_new_picture() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].clone();
    fixture.fakes.fail_on(&first.recipe().prompt);
    fixture.apply(edit(&item, &first.id, 1));
    fixture.wait_until_idle();
    assert_eq!(fixture.project.state(&item), ShotState::Failed);
    assert_eq!(fixture.project.needed().count(), 0);
    fixture.fakes.heal();
    fixture.apply(Action::DrawNeeded);
    fixture.wait_until_idle();
    assert_eq!(takes(&fixture, &item).len(), 1);
    fixture.apply(Action::Draw(vec![item.clone()]));
    fixture.wait_until_idle();
    let [_, second] = takes(&fixture, &item).try_into().unwrap();
    assert_eq!(second.parent(), Some(&first.id));
    assert_eq!(fixture.project.state(&item), ShotState::Drafted);
}

#[test]
fn failed_edits_survive_a_restart_and_are_retried_on_request() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].clone();
    fixture.fakes.fail_on(&first.recipe().prompt);
    fixture.apply(edit(&item, &first.id, 3));
    fixture.wait_until_idle();
    let mut fixture = fixture.reopened();
    assert_eq!(fixture.project.state(&item), ShotState::Failed);
    assert_eq!(fixture.error(&item).as_deref(), Some("fake failure"));
    fixture.apply(Action::DrawNeeded);
    fixture.wait_until_idle();
    assert!(fixture.fakes.drawn().is_empty(), "failed edits are not retried without a request");
    fixture.apply(Action::Draw(vec![item.clone()]));
    fixture.wait_until_idle();
    let edits = takes(&fixture, &item).split_off(1);
    let numbers = edits.iter().map(|take| take.recipe().take).collect::<Vec<_>>();
    assert_eq!(numbers, [0, 1, 2]);
    assert!(edits.iter().all(|take| take.parent() == Some(&first.id)));
    let mut fixture = fixture.reopened();
    fixture.wait_until_idle();
    assert_eq!(fixture.project.state(&item), ShotState::Drafted);
    assert!(fixture.fakes.drawn().is_empty(), "successful edits are not drawn again");
}

#[test]
fn the_smallest_context_depends_on_the_latent_size_of_the_model() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].id.clone();
    let mut within = |x: u32, width: u32| {
        let (shot, take) = (item.clone(), first.clone());
        let context = Some(Area { x, y: 0, width, height: 16 });
        let parts = vec![left_half()];
        let edit =
            Action::Edit { shot, take, picture: None, parts, context, takes: 1, score: false };
        fixture.try_apply(edit)
    };
    // With 8 pixels per latent, the context of the first edit is rounded out to 0..24, which contains the feathered
    // part.
    within(7, 10).unwrap();
    let refused = within(8, 10).unwrap_err();
    assert!(matches!(*refused, ProjectError::Edit(EditError::CropTooSmall { .. })), "{refused}");
}

#[test]
fn an_edit_whose_pictures_could_not_be_read_back_is_refused_before_it_is_drawn() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].id.clone();
    let text = format!(r#"{{"kind": "Text", "words": "{}"}}"#, "a".repeat(8000));
    let text = serde_json::from_str::<Inspiration>(&text).unwrap();
    let mut with_texts = |parts: usize| {
        let Action::Edit { shot, take, picture, context, .. } = edit(&item, &first, 1) else {
            unreachable!()
        };
        let mut part = left_half();
        part.edit.inspirations = vec![text.clone(); 16];
        let parts = vec![part; parts];
        fixture.try_apply(Action::Edit {
            shot,
            take,
            picture,
            parts,
            context,
            takes: 1,
            score: false,
        })
    };
    // 128 kB each. A provenance of more than 2 MB cannot be read.
    with_texts(12).unwrap();
    let refused = with_texts(16).unwrap_err();
    assert!(matches!(*refused, ProjectError::Unwritable(EncodeError::LongRecipe)), "{refused}");
    assert!(refused.to_string().contains("shorten the words"), "{refused}");
    fixture.wait_until_idle();
    assert_eq!(takes(&fixture, &item).len(), 2);
    assert_eq!(Art::read(fixture.project.art().root()).unwrap().takes(&item).len(), 2);
}

#[test]
fn an_edit_is_refused_if_its_picture_file_has_changed() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].clone();
    let marked_on = |hash: String| {
        let (shot, take) = (item.clone(), first.id.clone());
        let (parts, picture) = (vec![left_half()], Some(hash));
        Action::Edit { shot, take, picture, parts, context: None, takes: 1, score: false }
    };
    let seen = picture_hash(&first.image().unwrap());
    let other_file = takes(&fixture, &fixture.portrait())[0].path.clone();
    fs::copy(&other_file, &first.path).unwrap();
    let refused = fixture.try_apply(marked_on(seen)).unwrap_err();
    assert!(matches!(*refused, ProjectError::Edit(EditError::OtherPicture)), "{refused}");
    assert!(fixture.project.is_idle());
    let now = picture_hash(&first.image().unwrap());
    fixture.try_apply(marked_on(now)).unwrap();
}

#[test]
fn the_marks_of_a_take_are_saved_and_copied_to_its_edits() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].id.clone();
    assert_eq!(fixture.project.art().marks(&item, &first).unwrap(), Marks::default());
    let sky = Layer { verdict: Verdict::Disliked, ..Layer::new("sky", left_half().mask) };
    let only = |layer: &Layer| Marks { layers: vec![layer.clone()], context: None };
    let set = |take: &TakeId, layer: &Layer| Action::SetMarks {
        shot: item.clone(),
        take: take.clone(),
        marks: only(layer),
    };
    fixture.apply(set(&first, &sky));
    fixture.apply(edit(&item, &first, 1));
    fixture.wait_until_idle();
    let mut fixture = fixture.reopened();
    let second = takes(&fixture, &item)[1].id.clone();
    // The verdict was about the old pixels, so the edit does not copy it.
    let judged = Layer { verdict: Verdict::None, ..sky.clone() };
    assert_eq!(fixture.project.art().marks(&item, &second).unwrap(), only(&judged));
    // After that, each take has its own marks.
    let liked = Layer { verdict: Verdict::Liked, ..sky.clone() };
    fixture.apply(set(&second, &liked));
    assert_eq!(fixture.project.art().marks(&item, &first).unwrap(), only(&sky));
    assert_eq!(fixture.project.art().marks(&item, &second).unwrap(), only(&liked));

    let file = fixture.root().join(format!("parts/{item}/{second}.json"));
    fs::write(&file, "[{\"name\": ").unwrap();
    let error = fixture.project.art().marks(&item, &second).unwrap_err().to_string();
    assert!(error.contains(&*file.to_string_lossy()), "{error}");
}

#[test]
fn an_edit_of_a_picture_with_an_old_size_is_drawn_even_after_replanning() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].clone();
    let mut style = fixture.project.style().clone();
    style.sizes.item = Some(Size::new(64, 48));
    fixture.apply(Action::SetStyle(Some(Box::new(style))));
    fixture.apply(Action::Pause(true));
    fixture.apply(edit(&item, &first.id, 1));
    let portrait = fixture.portrait();
    let words = ShotWords { seed: Some(9), ..ShotWords::default() };
    fixture.apply(Action::SetWords { shot: portrait, words });
    let mut fixture = fixture.reopened();
    fixture.apply(Action::Pause(false));
    fixture.wait_until_idle();
    let second = takes(&fixture, &item).pop().unwrap();
    assert_eq!((second.parent(), second.recipe().size), (Some(&first.id), Size::new(32, 16)));
    assert_eq!(fixture.project.state(&item), ShotState::Stale, "the style has another size");
}

#[test]
fn an_invalid_edit_is_refused_immediately() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].id.clone();
    let mut refused = |take: &TakeId, part: Part| {
        let (shot, take) = (item.clone(), take.clone());
        let edit = Action::Edit {
            shot,
            take,
            picture: None,
            parts: vec![part],
            context: None,
            takes: 1,
            score: false,
        };
        fixture.try_apply(edit).unwrap_err()
    };
    let nobody = TakeId::new("0123456789abcdef").unwrap();
    assert!(matches!(*refused(&nobody, left_half()), ProjectError::Art(_)));
    let other_size = Part { mask: Mask::full(16, 32), ..left_half() };
    assert!(matches!(*refused(&first, other_size), ProjectError::Edit(_)));
    let nothing = Part { mask: Mask::empty(32, 16), ..left_half() };
    assert!(matches!(*refused(&first, nothing), ProjectError::Edit(_)));
    assert!(fixture.project.is_idle());
}

#[test]
fn a_failed_edit_is_kept_when_another_take_is_drawn() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].clone();
    fixture.fakes.fail_on(&first.recipe().prompt);
    fixture.apply(edit(&item, &first.id, 1));
    fixture.wait_until_idle();
    fixture.fakes.heal();
    fixture.apply(Action::DrawMore { shot: item.clone(), takes: 1, score: false });
    fixture.wait_until_idle();
    assert_eq!(fixture.project.state(&item), ShotState::Failed);
    let mut fixture = fixture.reopened();
    assert_eq!(fixture.error(&item).as_deref(), Some("fake failure"));
    fixture.apply(Action::Draw(vec![item.clone()]));
    fixture.wait_until_idle();
    assert_eq!(takes(&fixture, &item).last().unwrap().parent(), Some(&first.id));
    assert_eq!(fixture.project.state(&item), ShotState::Drafted);
}

#[test]
fn a_stale_shot_with_a_failed_edit_is_drawn_as_well() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].clone();
    fixture.fakes.fail_on(&first.recipe().prompt);
    fixture.apply(edit(&item, &first.id, 1));
    fixture.wait_until_idle();
    let mut style = fixture.project.style().clone();
    style.sizes.item = Some(Size::new(64, 48));
    fixture.apply(Action::SetStyle(Some(Box::new(style))));
    fixture.fakes.heal();
    fixture.apply(Action::Draw(vec![item.clone()]));
    fixture.wait_until_idle();
    let sizes = takes(&fixture, &item).into_iter().map(|take| take.recipe().size);
    let sizes = sizes.skip(1).collect::<Vec<_>>();
    assert_eq!(sizes, [Size::new(64, 48), Size::new(32, 16)], "the shot's new size, then the edit");
}

#[test]
fn failures_are_cleared_on_request() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let first = takes(&fixture, &item)[0].clone();
    fixture.fakes.fail_on(&first.recipe().prompt);
    fixture.apply(edit(&item, &first.id, 1));
    fixture.wait_until_idle();
    fixture.apply(Action::ClearFailures(vec![item.clone()]));
    assert_eq!(fixture.project.state(&item), ShotState::Drafted);
    assert_eq!(fixture.reopened().project.state(&item), ShotState::Drafted);
}
