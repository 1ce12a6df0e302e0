//! What a change of story, words or style does to pictures and queue.

use bevy_illustrator::{
    project::{Action, Project, ProjectError, Update},
    recipe::Style,
    storyboard::{ShotState, ShotWords},
};

use super::{
    bench::Bench,
    common::{Fakes, gradient, long_story, story, wait_until},
};

#[test]
fn another_style_makes_everything_stale_and_keeps_the_pictures() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let take = bench.project.art().takes(&item)[0].clone();
    bench.apply(Action::Accept { shot: item.clone(), take: take.id.clone() });
    bench.settle();
    bench.updates.clear();
    let style = Style { words: "chalk".to_owned(), ..bench.project.style().clone() };
    bench.apply(Action::SetStyle(Some(Box::new(style.clone()))));
    assert_eq!(bench.project.style(), &style);
    assert_eq!(bench.states(), [ShotState::Stale; 3]);
    bench.settle();
    assert!(matches!(bench.updates[..], [Update::Planned]), "{:?}", bench.updates);
    assert_eq!(bench.published(&item), gradient(take.recipe()));
    assert!(take.path.exists());
    // Back in the old style, what was drawn and accepted counts again.
    bench.apply(Action::SetStyle(None));
    assert_eq!(bench.project.state(&item), ShotState::Accepted);
    assert_eq!(bench.project.state(&bench.background()), ShotState::Drafted);
}

#[test]
fn a_stale_shot_drawn_anew_shows_the_new_take_though_an_old_one_is_accepted() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let old = bench.project.art().takes(&item)[0].clone();
    bench.apply(Action::Accept { shot: item.clone(), take: old.id });
    let words = ShotWords { words: Some("a silver lamp".to_owned()), ..ShotWords::default() };
    bench.apply(Action::SetWords { shot: item.clone(), words });
    assert_eq!(bench.project.state(&item), ShotState::Stale);
    bench.apply(Action::DrawNeeded);
    bench.settle();
    assert_eq!(bench.project.state(&item), ShotState::Drafted);
    assert!(bench.pictures()[&item] == &gradient(bench.fakes.drawn().last().unwrap()));
    assert!(bench.fakes.drawn().last().unwrap().prompt.contains("a silver lamp"));
}

#[test]
fn other_words_make_only_their_shot_stale_and_cancel_its_jobs() {
    let mut bench = Bench::drawn();
    let (item, portrait) = (bench.item(), bench.portrait());
    bench.apply(Action::Pause(true));
    bench.apply(Action::DrawMore { shot: item.clone(), takes: 2 });
    bench.apply(Action::DrawMore { shot: portrait.clone(), takes: 1 });
    let words = ShotWords { words: Some("a silver lamp".to_owned()), ..ShotWords::default() };
    bench.apply(Action::SetWords { shot: item.clone(), words: words.clone() });
    assert_eq!(bench.project.state(&item), ShotState::Stale);
    assert_eq!(bench.project.state(&portrait), ShotState::Queued);
    assert_eq!(bench.project.state(&bench.background()), ShotState::Drafted);
    assert_eq!(bench.project.studio().jobs().len(), 1);
    assert_eq!(bench.project.art().words()[&item], words);
    bench.apply(Action::SetWords { shot: item.clone(), words: ShotWords::default() });
    assert_eq!(bench.project.state(&item), ShotState::Drafted);
    assert!(bench.project.art().words().is_empty());
}

#[test]
fn a_failure_in_old_words_is_forgotten_with_them() {
    let mut bench = Bench::new();
    let item = bench.item();
    bench.fakes.fail_on("brass lamp");
    bench.apply(Action::Draw(vec![item.clone()]));
    bench.settle();
    assert_eq!(bench.project.state(&item), ShotState::Failed);
    let words = ShotWords { words: Some("a silver lamp".to_owned()), ..ShotWords::default() };
    bench.apply(Action::SetWords { shot: item.clone(), words });
    assert_eq!(bench.project.state(&item), ShotState::Missing);
    assert_eq!(bench.error(&item), None);
}

#[test]
fn a_changed_story_keeps_pictures_and_cancels_what_nobody_wants() {
    let mut bench = Bench::drawn();
    let (item, background) = (bench.item(), bench.background());
    bench.apply(Action::Pause(true));
    bench.apply(Action::DrawMore { shot: item.clone(), takes: 1 });
    bench.apply(Action::DrawMore { shot: background.clone(), takes: 1 });
    let mut without_lamp = story();
    without_lamp.items.clear();
    without_lamp.scenes[0].lines[0].item = None;
    bench.project.set_story(without_lamp).unwrap();
    assert_eq!(bench.project.state(&item), ShotState::Orphaned);
    assert_eq!(bench.project.orphans().collect::<Vec<_>>(), [&item]);
    assert_eq!(bench.project.studio().jobs().len(), 1);
    assert_eq!(bench.project.state(&background), ShotState::Queued);
    bench.apply(Action::CancelAll);
    bench.settle();
    assert!(bench.project.art().picture_path(&item).exists());
    // The lamp comes back, and so does its picture.
    let told = bench.times_told(&item);
    bench.project.set_story(story()).unwrap();
    assert_eq!(bench.project.state(&item), ShotState::Drafted);
    bench.settle();
    assert_eq!(bench.times_told(&item), told + 1);
    assert_eq!(bench.times_told(&background), 1);
}

#[test]
fn a_story_with_faults_is_refused_and_the_old_one_stays() {
    let mut bench = Bench::drawn();
    let mut bad = story();
    bad.scenes[0].lines[0].speaker = Some("nobody".to_owned());
    let error = bench.project.set_story(bad.clone()).unwrap_err();
    assert!(matches!(error, ProjectError::Story(_)));
    assert!(error.to_string().contains("nobody"), "{error}");
    assert_eq!(bench.project.story(), &story());
    assert_eq!(bench.states(), [ShotState::Drafted; 3]);
    let dir = tempfile::tempdir().unwrap();
    let opened = Project::open(bad, dir.path(), Fakes::default().registry());
    assert!(matches!(opened, Err(ProjectError::Story(_))));
}

#[test]
fn a_style_for_now_is_drawn_in_and_not_kept() {
    let bench = Bench::drawn();
    let Bench { dir, project, fakes, .. } = bench;
    drop(project);
    let chalk = |style: &Style| Style { words: "chalk".to_owned(), ..style.clone() };
    let project = Project::open_with(story(), dir.path(), fakes.registry(), chalk).unwrap();
    let mut bench = Bench::watching(dir, fakes, project);
    assert_eq!(bench.states(), [ShotState::Stale; 3]);
    bench.apply(Action::DrawNeeded);
    bench.settle();
    assert_eq!(bench.states(), [ShotState::Drafted; 3]);
    assert!(bench.fakes.drawn().last().unwrap().prompt.ends_with("chalk"));
    let bench = bench.reopened();
    assert_eq!(bench.project.style().words, "ink");
    assert_eq!(bench.project.art().style(), None);
    assert_eq!(bench.states(), [ShotState::Drafted; 3]);
}

#[test]
fn a_style_for_now_leaves_what_waits_in_another_style_to_the_next_start() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    bench.apply(Action::Pause(true));
    bench.apply(Action::DrawMore { shot: item.clone(), takes: 2 });
    let Bench { dir, project, fakes, .. } = bench;
    drop(project);
    let chalk = |style: &Style| Style { words: "chalk".to_owned(), ..style.clone() };
    let project = Project::open_with(story(), dir.path(), fakes.registry(), chalk).unwrap();
    let mut bench = Bench::watching(dir, fakes, project);
    assert_eq!(bench.project.studio().jobs().len(), 0);
    bench.apply(Action::DrawNeeded);
    bench.settle();
    let mut bench = bench.reopened();
    bench.settle();
    let drawn = bench.fakes.drawn();
    assert_eq!(drawn.iter().map(|recipe| recipe.take).collect::<Vec<_>>(), [1, 2]);
    assert!(drawn.iter().all(|recipe| recipe.prompt.ends_with("ink")), "{drawn:?}");
}

#[test]
fn five_thousand_shots_are_queued_reworded_and_cancelled() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::over(dir, long_story(5000));
    assert_eq!(bench.states().len(), 5000);
    bench.apply(Action::Pause(true));
    bench.apply(Action::DrawNeeded);
    drop(bench.project.poll());
    assert!(bench.states().iter().all(|state| *state == ShotState::Queued));
    let shot = bench.project.board().shots()[2500].id.clone();
    let words = ShotWords { words: Some("x".to_owned()), ..ShotWords::default() };
    bench.apply(Action::SetWords { shot: shot.clone(), words });
    assert_eq!(bench.project.state(&shot), ShotState::Missing);
    let queued = bench.states().iter().filter(|state| **state == ShotState::Queued).count();
    assert_eq!(queued, 4999);
    bench.apply(Action::CancelAll);
    assert!(bench.states().iter().all(|state| *state == ShotState::Missing));
    wait_until("an empty queue file", || {
        std::fs::read(bench.root().join("queue.json")).is_ok_and(|bytes| bytes == b"[]")
    });
}

#[test]
fn a_changed_story_draws_what_is_new_and_not_what_failed_before() {
    let mut bench = Bench::new();
    bench.fakes.fail_on("brass lamp");
    bench.apply(Action::DrawNeeded);
    bench.settle();
    bench.fakes.heal();
    let mut changed = story();
    changed.places[0].looks = "a room full of clocks".to_owned();
    bench.project.set_story(changed).unwrap();
    bench.apply(Action::DrawNew);
    bench.settle();
    assert_eq!(bench.project.state(&bench.item()), ShotState::Failed);
    assert_eq!(bench.project.state(&bench.background()), ShotState::Drafted);
    assert!(bench.fakes.drawn().last().unwrap().prompt.contains("clocks"));
}
