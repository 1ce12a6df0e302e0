//! The effects and updates of each action.

use std::fs;

use bevy_illustrator::{
    art::{ArtError, TakeId},
    generator::GenerateError,
    project::{Action, ActionResult, ProjectError, Request, Update},
    recipe::{Sampler, Style},
    storyboard::{ShotState, ShotWords},
    studio::JobError,
};

use super::{
    common::{gradient, shot, wait_until},
    fixture::ProjectFixture,
};

#[test]
fn draw_needed_draws_every_shot_once_in_story_order() {
    let mut fixture = ProjectFixture::new();
    assert_eq!(fixture.states(), [ShotState::Missing; 3]);
    assert_eq!(fixture.project.needed().count(), 3);
    fixture.fakes.hold_after(0);
    fixture.apply(Action::DrawNeeded);
    assert_eq!(fixture.states(), [ShotState::Queued; 3]);
    fixture.apply(Action::DrawNeeded);
    assert_eq!(fixture.project.studio().jobs().len(), 3);
    fixture.fakes.release();
    fixture.wait_until_idle();
    assert_eq!(fixture.states(), [ShotState::Drafted; 3]);
    let board = fixture.project.board();
    let recipes = board.shots().iter().map(|shot| shot.recipe.clone()).collect::<Vec<_>>();
    assert_eq!(fixture.fakes.drawn(), recipes);
    for shot in board.shots() {
        assert_eq!(fixture.pictures()[&shot.id], &gradient(&shot.recipe));
        assert_eq!(fixture.published(&shot.id), gradient(&shot.recipe));
        assert_eq!(fixture.picture_updates(&shot.id), 1);
    }
    fixture.apply(Action::DrawNeeded);
    assert!(fixture.project.is_idle());
}

#[test]
fn a_picture_update_has_the_path_of_the_picture() {
    let fixture = ProjectFixture::drawn();
    let reported = fixture.updates.iter().filter_map(|update| match update {
        Update::Picture { shot, path, .. } => Some((shot, path)),
        _ => None,
    });
    let reported = reported.collect::<Vec<_>>();
    assert_eq!(reported.len(), 3);
    for (shot, path) in reported {
        assert_eq!(*path, fixture.root().join("pictures").join(format!("{shot}.png")));
        assert!(path.exists());
    }
}

#[test]
fn more_takes_continue_the_numbers_and_are_drawn_before_queued_jobs() {
    let mut fixture = ProjectFixture::new();
    fixture.apply(Action::Pause(true));
    fixture.apply(Action::DrawNeeded);
    let item = fixture.item();
    fixture.apply(Action::DrawMore { shot: item.clone(), takes: 2, score: false });
    fixture.apply(Action::DrawMore { shot: item.clone(), takes: 1, score: false });
    fixture.apply(Action::Pause(false));
    fixture.wait_until_idle();
    let recipe = fixture.project.board().shot(&item).unwrap().recipe.clone();
    let drawn = fixture.fakes.drawn();
    let takes = drawn.iter().filter(|drawn| drawn.prompt == recipe.prompt).map(|r| r.take);
    assert_eq!(takes.collect::<Vec<_>>(), [3, 1, 2, 0]);
    assert_eq!(drawn.len(), 6);
    fixture.apply(Action::DrawMore { shot: item.clone(), takes: 1, score: false });
    fixture.wait_until_idle();
    assert_eq!(fixture.fakes.drawn().last().unwrap(), &recipe.with_take(4));
    assert_eq!(fixture.project.art().takes(&item).len(), 5);
    assert_eq!(
        fixture.pictures()[&item],
        &gradient(&recipe.with_take(4)),
        "the newest take is shown"
    );
}

#[test]
fn a_requested_shot_with_new_words_is_drawn_before_queued_jobs() {
    let mut fixture = ProjectFixture::new();
    fixture.apply(Action::Pause(true));
    fixture.apply(Action::DrawNeeded);
    let item = fixture.item();
    let words = ShotWords { words: Some("a silver key".to_owned()), ..ShotWords::default() };
    fixture.apply(Action::SetWords { shot: item.clone(), words });
    fixture.apply(Action::Draw(vec![item.clone()]));
    fixture.apply(Action::Pause(false));
    fixture.wait_until_idle();
    let reworded = fixture.project.board().shot(&item).unwrap().recipe.clone();
    let drawn = fixture.fakes.drawn();
    let place = drawn.iter().position(|recipe| recipe.prompt == reworded.prompt).unwrap();
    assert!(place < drawn.len() - 1, "the item must not be drawn last: {drawn:?}");
}

#[test]
fn an_accepted_take_is_shown_even_after_more_takes_are_drawn() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    fixture.apply(Action::DrawMore { shot: item.clone(), takes: 1, score: false });
    fixture.wait_until_idle();
    let first = fixture.project.art().takes(&item)[0].clone();
    fixture.apply(Action::Accept { shot: item.clone(), take: first.id.clone() });
    assert_eq!(fixture.project.state(&item), ShotState::Accepted);
    fixture.wait_until_idle();
    assert_eq!(fixture.pictures()[&item], &gradient(first.recipe()));
    assert_eq!(fixture.published(&item), gradient(first.recipe()));
    let before = fixture.picture_updates(&item);
    fixture.apply(Action::DrawMore { shot: item.clone(), takes: 1, score: false });
    fixture.wait_until_idle();
    assert_eq!(fixture.picture_updates(&item), before, "the accepted take is still shown");
    let drawn = fixture
        .updates
        .iter()
        .filter(|update| matches!(update, Update::Drawn { shot, .. } if *shot == item));
    assert_eq!(drawn.count(), 3);
}

#[test]
fn discarding_shows_another_take_and_discarding_the_last_shows_none() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    fixture.apply(Action::DrawMore { shot: item.clone(), takes: 1, score: false });
    fixture.wait_until_idle();
    let takes = fixture.project.art().takes(&item).to_vec();
    fixture.apply(Action::Discard { shot: item.clone(), take: takes[1].id.clone() });
    fixture.wait_until_idle();
    assert_eq!(fixture.pictures()[&item], &gradient(takes[0].recipe()));
    assert!(fixture.root().join("discarded").join(item.as_str()).is_dir());
    fixture.apply(Action::Discard { shot: item.clone(), take: takes[0].id.clone() });
    fixture.wait_until_idle();
    assert_eq!(fixture.project.state(&item), ShotState::Missing);
    assert!(!fixture.project.art().picture_path(&item).exists());
    let is_no_picture =
        |update: &Update| matches!(update, Update::NoPicture { shot } if *shot == item);
    assert_eq!(fixture.updates.iter().filter(|update| is_no_picture(update)).count(), 1);
    // Discarded takes are not drawn again.
    fixture.apply(Action::DrawNeeded);
    fixture.wait_until_idle();
    assert_eq!(fixture.fakes.drawn().last().unwrap().take, 2);
    assert_eq!(fixture.project.state(&item), ShotState::Drafted);
}

#[test]
fn a_restored_take_is_shown_again() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let take = fixture.project.art().takes(&item)[0].clone();
    fixture.apply(Action::Discard { shot: item.clone(), take: take.id.clone() });
    fixture.wait_until_idle();
    assert!(!fixture.project.art().picture_path(&item).exists());
    fixture.apply(Action::Restore { shot: item.clone(), take: take.id.clone() });
    fixture.wait_until_idle();
    assert_eq!(fixture.published(&item), gradient(take.recipe()));
    assert_eq!(fixture.project.state(&item), ShotState::Drafted);
    let again = fixture.try_apply(Action::Restore { shot: item, take: take.id });
    assert!(again.is_err(), "the take is no longer discarded");
}

#[test]
fn a_shot_is_failed_until_it_is_drawn() {
    let mut fixture = ProjectFixture::new();
    let item = fixture.item();
    fixture.fakes.fail_on("brass lamp");
    fixture.apply(Action::DrawNeeded);
    fixture.wait_until_idle();
    assert_eq!(fixture.project.state(&item), ShotState::Failed);
    assert!(fixture.error(&item).unwrap().contains("fake failure"));
    assert_eq!(fixture.error(&fixture.background()), None);
    assert_eq!(fixture.project.needed().count(), 1);
    let reported = fixture.updates.iter().find_map(|update| match update {
        Update::Failed { shot, error } => Some((shot.clone(), error.to_string())),
        _ => None,
    });
    assert_eq!(reported, Some((item.clone(), "fake failure".to_owned())));
    fixture.fakes.heal();
    fixture.fakes.hold_after(0);
    fixture.apply(Action::Draw(vec![item.clone()]));
    assert_eq!(fixture.project.state(&item), ShotState::Queued);
    assert_eq!(fixture.error(&item), None);
    fixture.fakes.release();
    fixture.wait_until_idle();
    assert_eq!(fixture.project.state(&item), ShotState::Drafted);
}

#[test]
fn a_panic_in_a_generator_fails_only_its_shot() {
    let mut fixture = ProjectFixture::new();
    fixture.fakes.panic_on("brass lamp");
    fixture.apply(Action::DrawNeeded);
    fixture.wait_until_idle();
    assert!(fixture.error(&fixture.item()).unwrap().contains("fake panic"));
    assert_eq!(fixture.project.state(&fixture.background()), ShotState::Drafted);
    assert_eq!(fixture.project.state(&fixture.portrait()), ShotState::Drafted);
}

#[test]
fn a_picture_that_cannot_be_published_is_reported_and_published_later_without_redrawing() {
    let mut fixture = ProjectFixture::new();
    let item = fixture.item();
    let blocked = fixture.root().join("pictures");
    fs::write(&blocked, "a file in the way").unwrap();
    fixture.apply(Action::Draw(vec![item.clone()]));
    fixture.wait_until_idle();
    let recipe = fixture.project.board().shot(&item).unwrap().recipe.clone();
    assert_eq!(fixture.pictures()[&item], &gradient(&recipe));
    assert_eq!(fixture.project.state(&item), ShotState::Failed);
    assert!(fixture.error(&item).unwrap().contains("pictures"));
    fs::remove_file(&blocked).unwrap();
    fixture.apply(Action::Draw(vec![item.clone()]));
    fixture.wait_until_idle();
    assert_eq!(fixture.fakes.drawn().len(), 1);
    assert_eq!(fixture.project.state(&item), ShotState::Drafted);
    assert_eq!(fixture.published(&item), gradient(&recipe));
    assert_eq!(fixture.project.art().takes(&item).len(), 1);
}

#[test]
fn cancelled_shots_return_to_their_previous_state() {
    let mut fixture = ProjectFixture::new();
    fixture.fakes.hold_after(1);
    fixture.apply(Action::DrawNeeded);
    wait_until("a step", || fixture.fakes.steps_done() == 1);
    let job = fixture.project.studio().jobs()[1].job.clone();
    fixture.apply(Action::Cancel(job.id));
    assert_eq!(fixture.project.state(&job.shot), ShotState::Missing);
    assert_eq!(fixture.project.studio().jobs().len(), 2);
    fixture.apply(Action::CancelAll);
    assert_eq!(fixture.states(), [ShotState::Missing; 3]);
    fixture.wait_until_idle();
    assert_eq!(fixture.states(), [ShotState::Missing; 3]);
    assert_eq!(fixture.fakes.drawn().len(), 0);
}

#[test]
fn invalid_actions_are_errors_and_change_nothing() {
    let mut fixture = ProjectFixture::drawn();
    let (nobody, item) = (shot("nobody"), fixture.item());
    let take = TakeId::new("0123456789abcdef").unwrap();
    for action in [
        Action::Draw(vec![item.clone(), nobody.clone()]),
        Action::DrawMore { shot: nobody.clone(), takes: 1, score: false },
        Action::SetWords { shot: nobody.clone(), words: ShotWords::default() },
    ] {
        let error = fixture.try_apply(action).unwrap_err();
        assert!(matches!(&*error, ProjectError::NoSuchShot(id) if *id == nobody), "{error}");
    }
    for action in [
        Action::Accept { shot: item.clone(), take: take.clone() },
        Action::Discard { shot: item.clone(), take: take.clone() },
    ] {
        let error = fixture.try_apply(action).unwrap_err();
        assert!(matches!(*error, ProjectError::Art(ArtError::NoSuchTake { .. })), "{error}");
    }
    let style =
        Style { sampler: Sampler { steps: Some(0), ..Sampler::default() }, ..Style::default() };
    let error = fixture.try_apply(Action::SetStyle(Some(Box::new(style)))).unwrap_err();
    assert!(matches!(*error, ProjectError::Style(_)), "{error}");
    assert_eq!(fixture.states(), [ShotState::Drafted; 3]);
    assert!(fixture.project.is_idle());
}

#[test]
fn the_revision_increases_on_visible_changes_but_not_on_steps() {
    let mut fixture = ProjectFixture::new();
    fixture.fakes.hold_after(1);
    let before = fixture.project.revision();
    fixture.apply(Action::DrawNeeded);
    assert!(fixture.project.revision() > before);
    let started = |update: &Update| matches!(update, Update::Progress(_));
    wait_until("a step", || {
        fixture.updates.extend(fixture.project.poll());
        fixture.fakes.steps_done() == 1 && fixture.updates.iter().any(started)
    });
    fixture.poll_until("the step to be reported", |project| {
        project.studio().current().is_some_and(|view| view.progress.unwrap().done == 1)
    });
    fixture.project.poll();
    let revision = fixture.project.revision();
    fixture.fakes.hold_after(2);
    wait_until("two more steps", || fixture.fakes.steps_done() == 3);
    fixture.poll_until("the steps to be reported", |project| {
        project.studio().current().is_some_and(|view| view.progress.unwrap().done == 3)
    });
    assert_eq!(fixture.project.revision(), revision);
    fixture.fakes.release();
    fixture.wait_until_idle();
    assert!(fixture.project.revision() > revision);
}

#[test]
fn each_request_is_answered_once_with_its_own_id_and_the_jobs_it_queued() {
    let mut fixture = ProjectFixture::new();
    let item = fixture.item();
    fixture.project.apply(Action::Pause(true));
    let requests = [
        Request::new(Action::DrawMore { shot: item.clone(), takes: 2, score: false }),
        Request::new(Action::Draw(vec![shot("nobody")])),
        Request::new(Action::DrawMore { shot: item.clone(), takes: 1, score: false }),
    ];
    let ids = requests.clone().map(|request| fixture.project.apply(request));
    assert_eq!(ids, requests.map(|request| request.id));
    let jobs = fixture.project.studio().jobs().into_iter().map(|view| view.job).collect::<Vec<_>>();
    let mut answers = Vec::new();
    wait_until("three answers", || {
        answers.extend(fixture.project.poll().into_iter().filter_map(|update| match update {
            Update::Applied { id, result } if ids.contains(&id) => Some((id, result)),
            _ => None,
        }));
        answers.len() >= 3
    });
    // A refusal does not wait for the disk.
    answers.sort_by_key(|(id, _)| *id);
    let [(first, two), (second, refused), (third, one)] = &answers[..] else {
        panic!("{answers:?}")
    };
    assert_eq!([*first, *second, *third], ids);
    let queued = |result: &ActionResult| {
        let ids = &result.as_ref().unwrap().jobs;
        let takes = ids.iter().map(|id| jobs.iter().find(|job| job.id == *id).unwrap().recipe.take);
        takes.collect::<Vec<_>>()
    };
    assert_eq!((queued(two), queued(one)), (vec![0, 1], vec![2]));
    assert!(matches!(**refused.as_ref().unwrap_err(), ProjectError::NoSuchShot(_)));
}

#[test]
fn a_request_is_answered_before_the_first_event_of_its_jobs() {
    let mut fixture = ProjectFixture::new();
    let item = fixture.item();
    for _ in 0..20 {
        let id =
            fixture.project.apply(Action::DrawMore { shot: item.clone(), takes: 1, score: false });
        let mut updates = Vec::new();
        wait_until("the picture", || {
            updates.extend(fixture.project.poll());
            updates.iter().any(|update| matches!(update, Update::Drawn { .. }))
        });
        let first = updates
            .iter()
            .position(|update| matches!(update, Update::Progress(_) | Update::Drawn { .. }));
        let answer = updates
            .iter()
            .position(|update| matches!(update, Update::Applied { id: of, .. } if *of == id));
        assert!(answer < first && answer.is_some(), "{updates:?}");
        fixture.wait_until_idle();
    }
}

#[test]
fn the_error_of_a_generator_keeps_its_type() {
    let mut fixture = ProjectFixture::new();
    fixture.fakes.fail_on("brass lamp");
    fixture.apply(Action::DrawNeeded);
    fixture.wait_until_idle();
    let error = fixture.project.error(&fixture.item()).unwrap();
    let ProjectError::Job(error) = &*error else { panic!("{error:?}") };
    assert!(matches!(**error, JobError::Generate(GenerateError::Other(_))), "{error:?}");
}
