//! What each action does, and what is told of it.

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
    bench::Bench,
    common::{gradient, shot, wait_until},
};

#[test]
fn drawing_what_is_needed_draws_every_shot_once_in_story_order() {
    let mut bench = Bench::new();
    assert_eq!(bench.states(), [ShotState::Missing; 3]);
    assert_eq!(bench.project.needed().count(), 3);
    bench.apply(Action::DrawNeeded);
    assert_eq!(bench.states(), [ShotState::Queued; 3]);
    bench.apply(Action::DrawNeeded);
    assert_eq!(bench.project.studio().jobs().len(), 3);
    bench.settle();
    assert_eq!(bench.states(), [ShotState::Drafted; 3]);
    let board = bench.project.board();
    let recipes = board.shots().iter().map(|shot| shot.recipe.clone()).collect::<Vec<_>>();
    assert_eq!(bench.fakes.drawn(), recipes);
    for shot in board.shots() {
        assert_eq!(bench.pictures()[&shot.id], &gradient(&shot.recipe));
        assert_eq!(bench.published(&shot.id), gradient(&shot.recipe));
        assert_eq!(bench.times_told(&shot.id), 1);
    }
    bench.apply(Action::DrawNeeded);
    assert!(bench.project.is_idle());
}

#[test]
fn a_picture_is_told_with_the_file_that_holds_it() {
    let bench = Bench::drawn();
    let told = bench.updates.iter().filter_map(|update| match update {
        Update::Picture { shot, path, .. } => Some((shot, path)),
        _ => None,
    });
    let told = told.collect::<Vec<_>>();
    assert_eq!(told.len(), 3);
    for (shot, path) in told {
        assert_eq!(*path, bench.root().join("pictures").join(format!("{shot}.png")));
        assert!(path.exists());
    }
}

#[test]
fn more_takes_are_numbered_on_and_drawn_before_what_waits() {
    let mut bench = Bench::new();
    bench.apply(Action::Pause(true));
    bench.apply(Action::DrawNeeded);
    let item = bench.item();
    bench.apply(Action::DrawMore { shot: item.clone(), takes: 2 });
    bench.apply(Action::DrawMore { shot: item.clone(), takes: 1 });
    bench.apply(Action::Pause(false));
    bench.settle();
    let recipe = bench.project.board().shot(&item).unwrap().recipe.clone();
    let drawn = bench.fakes.drawn();
    let takes = drawn.iter().filter(|drawn| drawn.prompt == recipe.prompt).map(|r| r.take);
    assert_eq!(takes.collect::<Vec<_>>(), [3, 1, 2, 0]);
    assert_eq!(drawn.len(), 6);
    bench.apply(Action::DrawMore { shot: item.clone(), takes: 1 });
    bench.settle();
    assert_eq!(bench.fakes.drawn().last().unwrap(), &recipe.with_take(4));
    assert_eq!(bench.project.art().takes(&item).len(), 5);
    assert_eq!(bench.pictures()[&item], &gradient(&recipe.with_take(4)), "the newest is shown");
}

#[test]
fn what_the_author_rewords_and_draws_goes_before_what_waits() {
    let mut bench = Bench::new();
    bench.apply(Action::Pause(true));
    bench.apply(Action::DrawNeeded);
    let item = bench.item();
    let words = ShotWords { words: Some("a silver key".to_owned()), ..ShotWords::default() };
    bench.apply(Action::SetWords { shot: item.clone(), words });
    bench.apply(Action::Draw(vec![item.clone()]));
    bench.apply(Action::Pause(false));
    bench.settle();
    let reworded = bench.project.board().shot(&item).unwrap().recipe.clone();
    let drawn = bench.fakes.drawn();
    let place = drawn.iter().position(|recipe| recipe.prompt == reworded.prompt).unwrap();
    assert!(place < drawn.len() - 1, "it was last in story order: {drawn:?}");
}

#[test]
fn accepting_shows_the_take_and_keeps_it_when_others_are_drawn() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    bench.apply(Action::DrawMore { shot: item.clone(), takes: 1 });
    bench.settle();
    let first = bench.project.art().takes(&item)[0].clone();
    bench.apply(Action::Accept { shot: item.clone(), take: first.id.clone() });
    assert_eq!(bench.project.state(&item), ShotState::Accepted);
    bench.settle();
    assert_eq!(bench.pictures()[&item], &gradient(first.recipe()));
    assert_eq!(bench.published(&item), gradient(first.recipe()));
    let told = bench.times_told(&item);
    bench.apply(Action::DrawMore { shot: item.clone(), takes: 1 });
    bench.settle();
    assert_eq!(bench.times_told(&item), told, "the accepted one stays");
    let drawn = bench
        .updates
        .iter()
        .filter(|update| matches!(update, Update::Drawn { shot, .. } if *shot == item));
    assert_eq!(drawn.count(), 3);
}

#[test]
fn discarding_shows_the_next_best_and_the_last_leaves_nothing() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    bench.apply(Action::DrawMore { shot: item.clone(), takes: 1 });
    bench.settle();
    let takes = bench.project.art().takes(&item).to_vec();
    bench.apply(Action::Discard { shot: item.clone(), take: takes[1].id.clone() });
    bench.settle();
    assert_eq!(bench.pictures()[&item], &gradient(takes[0].recipe()));
    assert!(bench.root().join("discarded").join(item.as_str()).is_dir());
    bench.apply(Action::Discard { shot: item.clone(), take: takes[0].id.clone() });
    bench.settle();
    assert_eq!(bench.project.state(&item), ShotState::Missing);
    assert!(!bench.project.art().picture_path(&item).exists());
    let told = |update: &Update| matches!(update, Update::NoPicture { shot } if *shot == item);
    assert_eq!(bench.updates.iter().filter(|update| told(update)).count(), 1);
    // What was put away is not drawn again.
    bench.apply(Action::DrawNeeded);
    bench.settle();
    assert_eq!(bench.fakes.drawn().last().unwrap().take, 2);
    assert_eq!(bench.project.state(&item), ShotState::Drafted);
}

#[test]
fn a_take_that_was_put_away_is_shown_again_when_it_is_brought_back() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let take = bench.project.art().takes(&item)[0].clone();
    bench.apply(Action::Discard { shot: item.clone(), take: take.id.clone() });
    bench.settle();
    assert!(!bench.project.art().picture_path(&item).exists());
    bench.apply(Action::Restore { shot: item.clone(), take: take.id.clone() });
    bench.settle();
    assert_eq!(bench.published(&item), gradient(take.recipe()));
    assert_eq!(bench.project.state(&item), ShotState::Drafted);
    let again = bench.try_apply(Action::Restore { shot: item, take: take.id });
    assert!(again.is_err(), "it is not put away any more");
}

#[test]
fn a_failure_stands_on_its_shot_until_it_is_drawn() {
    let mut bench = Bench::new();
    let item = bench.item();
    bench.fakes.fail_on("brass lamp");
    bench.apply(Action::DrawNeeded);
    bench.settle();
    assert_eq!(bench.project.state(&item), ShotState::Failed);
    assert!(bench.error(&item).unwrap().contains("fake failure"));
    assert_eq!(bench.error(&bench.background()), None);
    assert_eq!(bench.project.needed().count(), 1);
    let told = bench.updates.iter().find_map(|update| match update {
        Update::Failed { shot, error } => Some((shot.clone(), error.to_string())),
        _ => None,
    });
    assert_eq!(told, Some((item.clone(), "fake failure".to_owned())));
    bench.fakes.heal();
    bench.apply(Action::Draw(vec![item.clone()]));
    assert_eq!(bench.project.state(&item), ShotState::Queued);
    assert_eq!(bench.error(&item), None);
    bench.settle();
    assert_eq!(bench.project.state(&item), ShotState::Drafted);
}

#[test]
fn a_panic_in_a_generator_stands_on_its_shot_and_the_others_are_drawn() {
    let mut bench = Bench::new();
    bench.fakes.panic_on("brass lamp");
    bench.apply(Action::DrawNeeded);
    bench.settle();
    assert!(bench.error(&bench.item()).unwrap().contains("fake panic"));
    assert_eq!(bench.project.state(&bench.background()), ShotState::Drafted);
    assert_eq!(bench.project.state(&bench.portrait()), ShotState::Drafted);
}

#[test]
fn a_picture_that_cannot_be_published_is_shown_told_and_only_copied_later() {
    let mut bench = Bench::new();
    let item = bench.item();
    let blocked = bench.root().join("pictures");
    fs::write(&blocked, "a file in the way").unwrap();
    bench.apply(Action::Draw(vec![item.clone()]));
    bench.settle();
    let recipe = bench.project.board().shot(&item).unwrap().recipe.clone();
    assert_eq!(bench.pictures()[&item], &gradient(&recipe));
    assert_eq!(bench.project.state(&item), ShotState::Failed);
    assert!(bench.error(&item).unwrap().contains("pictures"));
    fs::remove_file(&blocked).unwrap();
    bench.apply(Action::Draw(vec![item.clone()]));
    bench.settle();
    assert_eq!(bench.fakes.drawn().len(), 1);
    assert_eq!(bench.project.state(&item), ShotState::Drafted);
    assert_eq!(bench.published(&item), gradient(&recipe));
    assert_eq!(bench.project.art().takes(&item).len(), 1);
}

#[test]
fn cancelling_returns_shots_to_where_they_stood() {
    let mut bench = Bench::new();
    bench.fakes.hold_after(1);
    bench.apply(Action::DrawNeeded);
    wait_until("a step", || bench.fakes.steps_done() == 1);
    let job = bench.project.studio().jobs()[1].job.clone();
    bench.apply(Action::Cancel(job.id));
    assert_eq!(bench.project.state(&job.shot), ShotState::Missing);
    assert_eq!(bench.project.studio().jobs().len(), 2);
    bench.apply(Action::CancelAll);
    assert_eq!(bench.states(), [ShotState::Missing; 3]);
    bench.settle();
    assert_eq!(bench.states(), [ShotState::Missing; 3]);
    assert_eq!(bench.fakes.drawn().len(), 0);
}

#[test]
fn an_action_that_names_what_is_not_there_is_refused_and_changes_nothing() {
    let mut bench = Bench::drawn();
    let (nobody, item) = (shot("nobody"), bench.item());
    let take = TakeId::new("0123456789abcdef").unwrap();
    for action in [
        Action::Draw(vec![item.clone(), nobody.clone()]),
        Action::DrawMore { shot: nobody.clone(), takes: 1 },
        Action::SetWords { shot: nobody.clone(), words: ShotWords::default() },
    ] {
        let error = bench.try_apply(action).unwrap_err();
        assert!(matches!(&*error, ProjectError::NoSuchShot(id) if *id == nobody), "{error}");
    }
    for action in [
        Action::Accept { shot: item.clone(), take: take.clone() },
        Action::Discard { shot: item.clone(), take: take.clone() },
    ] {
        let error = bench.try_apply(action).unwrap_err();
        assert!(matches!(*error, ProjectError::Art(ArtError::NoSuchTake { .. })), "{error}");
    }
    let style =
        Style { sampler: Sampler { steps: Some(0), ..Sampler::default() }, ..Style::default() };
    let error = bench.try_apply(Action::SetStyle(Some(Box::new(style)))).unwrap_err();
    assert!(matches!(*error, ProjectError::Style(_)), "{error}");
    assert_eq!(bench.states(), [ShotState::Drafted; 3]);
    assert!(bench.project.is_idle());
}

#[test]
fn the_revision_grows_with_what_a_view_shows_and_not_with_steps() {
    let mut bench = Bench::new();
    bench.fakes.hold_after(1);
    let before = bench.project.revision();
    bench.apply(Action::DrawNeeded);
    assert!(bench.project.revision() > before);
    let started = |update: &Update| matches!(update, Update::Progress(_));
    wait_until("a step", || {
        bench.updates.extend(bench.project.poll());
        bench.fakes.steps_done() == 1 && bench.updates.iter().any(started)
    });
    bench.poll_until("the step to be told", |project| {
        project.studio().current().is_some_and(|view| view.progress.unwrap().done == 1)
    });
    bench.project.poll();
    let revision = bench.project.revision();
    bench.fakes.hold_after(2);
    wait_until("two more steps", || bench.fakes.steps_done() == 3);
    bench.poll_until("them to be told", |project| {
        project.studio().current().is_some_and(|view| view.progress.unwrap().done == 3)
    });
    assert_eq!(bench.project.revision(), revision);
    bench.fakes.release();
    bench.settle();
    assert!(bench.project.revision() > revision);
}

#[test]
fn each_request_is_answered_once_with_its_own_id_and_the_jobs_it_queued() {
    let mut bench = Bench::new();
    let item = bench.item();
    bench.project.apply(Action::Pause(true));
    let asked = [
        Request::new(Action::DrawMore { shot: item.clone(), takes: 2 }),
        Request::new(Action::Draw(vec![shot("nobody")])),
        Request::new(Action::DrawMore { shot: item.clone(), takes: 1 }),
    ];
    let ids = asked.clone().map(|request| bench.project.apply(request));
    assert_eq!(ids, asked.map(|request| request.id));
    let jobs = bench.project.studio().jobs().into_iter().map(|view| view.job).collect::<Vec<_>>();
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.extend(bench.project.poll().into_iter().filter_map(|update| match update {
            Update::Applied { id, result } if ids.contains(&id) => Some((id, result)),
            _ => None,
        }));
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
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
fn errors_of_a_generator_keep_their_type_up_to_the_update() {
    let mut bench = Bench::new();
    bench.fakes.fail_on("brass lamp");
    bench.apply(Action::DrawNeeded);
    bench.settle();
    let error = bench.project.error(&bench.item()).unwrap();
    let ProjectError::Job(error) = &*error else { panic!("{error:?}") };
    assert!(matches!(**error, JobError::Generate(GenerateError::Other(_))), "{error:?}");
}
