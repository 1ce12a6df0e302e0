//! The effects of a changed story, style or words on pictures and queue.

use bevy_illustrator::{
    project::{Action, Project, ProjectError, Update},
    recipe::Style,
    storyboard::{ShotState, ShotWords},
};

use super::{
    common::{Fakes, gradient, long_story, story, wait_until},
    edits::edit,
    fixture::ProjectFixture,
};

#[test]
fn a_new_style_makes_all_shots_stale_and_keeps_their_pictures() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let take = fixture.project.art().takes(&item)[0].clone();
    fixture.apply(Action::Accept { shot: item.clone(), take: take.id.clone() });
    fixture.wait_until_idle();
    fixture.updates.clear();
    let style = Style { words: "chalk".to_owned(), ..fixture.project.style().clone() };
    fixture.apply(Action::SetStyle(Some(Box::new(style.clone()))));
    assert_eq!(fixture.project.style(), &style);
    assert_eq!(fixture.states(), [ShotState::Stale; 3]);
    fixture.wait_until_idle();
    assert!(matches!(fixture.updates[..], [Update::Planned]), "{:?}", fixture.updates);
    assert_eq!(fixture.published(&item), gradient(take.recipe()));
    assert!(take.path.exists());
    // With the old style, its takes are current again.
    fixture.apply(Action::SetStyle(None));
    assert_eq!(fixture.project.state(&item), ShotState::Accepted);
    assert_eq!(fixture.project.state(&fixture.background()), ShotState::Drafted);
}

#[test]
fn a_redrawn_stale_shot_shows_the_new_take_instead_of_an_accepted_stale_one() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let old = fixture.project.art().takes(&item)[0].clone();
    fixture.apply(Action::Accept { shot: item.clone(), take: old.id });
    let words = ShotWords { words: Some("a silver lamp".to_owned()), ..ShotWords::default() };
    fixture.apply(Action::SetWords { shot: item.clone(), words });
    assert_eq!(fixture.project.state(&item), ShotState::Stale);
    fixture.apply(Action::DrawNeeded);
    fixture.wait_until_idle();
    assert_eq!(fixture.project.state(&item), ShotState::Drafted);
    assert!(fixture.pictures()[&item] == &gradient(fixture.fakes.drawn().last().unwrap()));
    assert!(fixture.fakes.drawn().last().unwrap().prompt.contains("a silver lamp"));
}

#[test]
fn new_words_make_only_their_shot_stale_and_cancel_its_jobs() {
    let mut fixture = ProjectFixture::drawn();
    let (item, portrait) = (fixture.item(), fixture.portrait());
    fixture.apply(Action::Pause(true));
    fixture.apply(Action::DrawMore { shot: item.clone(), takes: 2, score: false });
    fixture.apply(Action::DrawMore { shot: portrait.clone(), takes: 1, score: false });
    let words = ShotWords { words: Some("a silver lamp".to_owned()), ..ShotWords::default() };
    fixture.apply(Action::SetWords { shot: item.clone(), words: words.clone() });
    assert_eq!(fixture.project.state(&item), ShotState::Stale);
    assert_eq!(fixture.project.state(&portrait), ShotState::Queued);
    assert_eq!(fixture.project.state(&fixture.background()), ShotState::Drafted);
    assert_eq!(fixture.project.studio().jobs().len(), 1);
    assert_eq!(fixture.project.art().words()[&item], words);
    fixture.apply(Action::SetWords { shot: item.clone(), words: ShotWords::default() });
    assert_eq!(fixture.project.state(&item), ShotState::Drafted);
    assert!(fixture.project.art().words().is_empty());
}

#[test]
fn new_words_clear_the_failure_of_their_shot() {
    let mut fixture = ProjectFixture::new();
    let item = fixture.item();
    fixture.fakes.fail_on("brass lamp");
    fixture.apply(Action::Draw(vec![item.clone()]));
    fixture.wait_until_idle();
    assert_eq!(fixture.project.state(&item), ShotState::Failed);
    let words = ShotWords { words: Some("a silver lamp".to_owned()), ..ShotWords::default() };
    fixture.apply(Action::SetWords { shot: item.clone(), words });
    assert_eq!(fixture.project.state(&item), ShotState::Missing);
    assert_eq!(fixture.error(&item), None);
}

#[test]
fn a_changed_story_keeps_pictures_and_cancels_unneeded_jobs() {
    let mut fixture = ProjectFixture::drawn();
    let (item, background) = (fixture.item(), fixture.background());
    fixture.apply(Action::Pause(true));
    fixture.apply(Action::DrawMore { shot: item.clone(), takes: 1, score: false });
    fixture.apply(Action::DrawMore { shot: background.clone(), takes: 1, score: false });
    let mut without_lamp = story();
    without_lamp.items.clear();
    without_lamp.scenes[0].lines[0].item = None;
    fixture.project.set_story(without_lamp).unwrap();
    assert_eq!(fixture.project.state(&item), ShotState::Orphaned);
    assert_eq!(fixture.project.orphans().collect::<Vec<_>>(), [&item]);
    assert_eq!(fixture.project.studio().jobs().len(), 1);
    assert_eq!(fixture.project.state(&background), ShotState::Queued);
    fixture.apply(Action::CancelAll);
    fixture.wait_until_idle();
    assert!(fixture.project.art().picture_path(&item).exists());
    // When the lamp returns to the story, its picture is shown again.
    let before = fixture.picture_updates(&item);
    fixture.project.set_story(story()).unwrap();
    assert_eq!(fixture.project.state(&item), ShotState::Drafted);
    fixture.wait_until_idle();
    assert_eq!(fixture.picture_updates(&item), before + 1);
    assert_eq!(fixture.picture_updates(&background), 1);
}

#[test]
fn an_edit_is_drawn_after_the_story_did_not_need_it_for_a_while() {
    for (is_queued, is_reopened) in [(true, false), (true, true), (false, false), (false, true)] {
        let mut fixture = ProjectFixture::drawn();
        let item = fixture.item();
        let take = fixture.project.art().takes(&item)[0].id.clone();
        fixture.fakes.hold_after(0);
        fixture.project.apply(edit(&item, &take, 1));
        if is_queued {
            fixture.poll_until("the job", |project| project.studio().current().is_some());
        }
        let mut other = story();
        other.items[0].looks = "a silver lamp".to_owned();
        fixture.project.set_story(other).unwrap();
        fixture.wait_until_idle();
        assert!(fixture.project.studio().jobs().is_empty());
        assert_eq!(fixture.project.art().takes(&item).len(), 1);
        if is_reopened {
            let ProjectFixture { dir, project, .. } = fixture;
            drop(project);
            fixture = ProjectFixture::open(dir, story());
        } else {
            fixture.fakes.release();
            fixture.project.set_story(story()).unwrap();
            assert_eq!(fixture.project.state(&item), ShotState::Queued);
        }
        fixture.wait_until_idle();
        let drawn = fixture.project.art().takes(&item).last().unwrap();
        assert_eq!(drawn.parent(), Some(&take), "queued: {is_queued}, reopened: {is_reopened}");
        wait_until("an empty queue file", || {
            std::fs::read(fixture.root().join("queue.json")).is_ok_and(|bytes| bytes == b"[]")
        });
    }
}

#[test]
fn cancel_all_also_cancels_an_edit_that_the_story_does_not_need() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let take = fixture.project.art().takes(&item)[0].id.clone();
    fixture.apply(Action::Pause(true));
    fixture.apply(edit(&item, &take, 1));
    let mut without_lamp = story();
    without_lamp.items.clear();
    without_lamp.scenes[0].lines[0].item = None;
    fixture.project.set_story(without_lamp).unwrap();
    fixture.apply(Action::CancelAll);
    assert_eq!(std::fs::read(fixture.root().join("queue.json")).unwrap(), b"[]");
    fixture.apply(Action::Pause(false));
    fixture.project.set_story(story()).unwrap();
    fixture.wait_until_idle();
    assert_eq!(fixture.project.art().takes(&item).len(), 1);
}

#[test]
fn a_story_with_faults_is_an_error_and_does_not_replace_the_old_one() {
    let mut fixture = ProjectFixture::drawn();
    let mut bad = story();
    bad.scenes[0].lines[0].speaker = Some("nobody".to_owned());
    let error = fixture.project.set_story(bad.clone()).unwrap_err();
    assert!(matches!(error, ProjectError::Story(_)));
    assert!(error.to_string().contains("nobody"), "{error}");
    assert_eq!(fixture.project.story(), &story());
    assert_eq!(fixture.states(), [ShotState::Drafted; 3]);
    let dir = tempfile::tempdir().unwrap();
    let opened = Project::open(bad, dir.path(), Fakes::default().registry());
    assert!(matches!(opened, Err(ProjectError::Story(_))));
}

#[test]
fn a_temporary_style_is_used_but_not_saved() {
    let fixture = ProjectFixture::drawn();
    let ProjectFixture { dir, project, fakes, .. } = fixture;
    drop(project);
    let chalk = |style: &Style| Style { words: "chalk".to_owned(), ..style.clone() };
    let project = Project::open_with(story(), dir.path(), fakes.registry(), chalk).unwrap();
    let mut fixture = ProjectFixture::watching(dir, fakes, project);
    assert_eq!(fixture.states(), [ShotState::Stale; 3]);
    fixture.apply(Action::DrawNeeded);
    fixture.wait_until_idle();
    assert_eq!(fixture.states(), [ShotState::Drafted; 3]);
    assert!(fixture.fakes.drawn().last().unwrap().prompt.ends_with("chalk"));
    let fixture = fixture.reopened();
    assert_eq!(fixture.project.style().words, "ink");
    assert_eq!(fixture.project.art().style(), None);
    assert_eq!(fixture.states(), [ShotState::Drafted; 3]);
}

#[test]
fn jobs_of_the_saved_style_stay_queued_while_a_temporary_style_is_used() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    fixture.apply(Action::Pause(true));
    fixture.apply(Action::DrawMore { shot: item.clone(), takes: 2, score: false });
    let ProjectFixture { dir, project, fakes, .. } = fixture;
    drop(project);
    let chalk = |style: &Style| Style { words: "chalk".to_owned(), ..style.clone() };
    let project = Project::open_with(story(), dir.path(), fakes.registry(), chalk).unwrap();
    let mut fixture = ProjectFixture::watching(dir, fakes, project);
    assert_eq!(fixture.project.studio().jobs().len(), 0);
    fixture.apply(Action::DrawNeeded);
    fixture.wait_until_idle();
    let mut fixture = fixture.reopened();
    fixture.wait_until_idle();
    let drawn = fixture.fakes.drawn();
    assert_eq!(drawn.iter().map(|recipe| recipe.take).collect::<Vec<_>>(), [1, 2]);
    assert!(drawn.iter().all(|recipe| recipe.prompt.ends_with("ink")), "{drawn:?}");
}

#[test]
fn five_thousand_shots_can_be_queued_changed_and_cancelled() {
    let dir = tempfile::tempdir().unwrap();
    let mut fixture = ProjectFixture::open(dir, long_story(5000));
    assert_eq!(fixture.states().len(), 5000);
    fixture.apply(Action::Pause(true));
    fixture.apply(Action::DrawNeeded);
    drop(fixture.project.poll());
    assert!(fixture.states().iter().all(|state| *state == ShotState::Queued));
    let shot = fixture.project.board().shots()[2500].id.clone();
    let words = ShotWords { words: Some("x".to_owned()), ..ShotWords::default() };
    fixture.apply(Action::SetWords { shot: shot.clone(), words });
    assert_eq!(fixture.project.state(&shot), ShotState::Missing);
    let queued = fixture.states().iter().filter(|state| **state == ShotState::Queued).count();
    assert_eq!(queued, 4999);
    fixture.apply(Action::CancelAll);
    assert!(fixture.states().iter().all(|state| *state == ShotState::Missing));
    wait_until("an empty queue file", || {
        std::fs::read(fixture.root().join("queue.json")).is_ok_and(|bytes| bytes == b"[]")
    });
}

#[test]
fn draw_new_draws_changed_shots_but_not_failed_ones() {
    let mut fixture = ProjectFixture::new();
    fixture.fakes.fail_on("brass lamp");
    fixture.apply(Action::DrawNeeded);
    fixture.wait_until_idle();
    fixture.fakes.heal();
    let mut changed = story();
    changed.places[0].looks = "a room full of clocks".to_owned();
    fixture.project.set_story(changed).unwrap();
    fixture.apply(Action::DrawNew);
    fixture.wait_until_idle();
    assert_eq!(fixture.project.state(&fixture.item()), ShotState::Failed);
    assert_eq!(fixture.project.state(&fixture.background()), ShotState::Drafted);
    assert!(fixture.fakes.drawn().last().unwrap().prompt.contains("clocks"));
}
