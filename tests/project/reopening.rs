//! Reopening a project after it was closed or killed.

use std::{fs, path::Path};

use bevy_illustrator::{
    art::ArtError,
    project::{Action, Project, ProjectError, Update},
    recipe::{Recipe, Style},
    storyboard::{ShotState, ShotWords},
};

use super::{
    common::{Fakes, copy_folder::copy_folder, gradient, story, wait_until},
    edits::edit,
    fixture::ProjectFixture,
};

#[test]
fn reopening_reports_all_pictures_and_draws_nothing() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    fixture.apply(Action::DrawMore { shot: item.clone(), takes: 1, score: false });
    fixture.wait_until_idle();
    let accepted = fixture.project.art().takes(&item)[0].clone();
    fixture.apply(Action::Accept { shot: item.clone(), take: accepted.id.clone() });
    let mut fixture = fixture.reopened();
    assert_eq!(fixture.project.state(&item), ShotState::Accepted);
    fixture.wait_until_idle();
    assert!(matches!(fixture.updates[0], Update::Planned));
    assert_eq!(fixture.pictures().len(), 3);
    assert_eq!(fixture.pictures()[&item], &gradient(accepted.recipe()));
    assert_eq!(fixture.published(&item), gradient(accepted.recipe()));
    assert_eq!(fixture.project.needed().count(), 0);
    assert_eq!(fixture.fakes.loads().len(), 0);
}

#[test]
fn words_and_style_survive_a_restart() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let words = ShotWords { seed: Some(7), ..ShotWords::default() };
    fixture.apply(Action::SetWords { shot: item.clone(), words: words.clone() });
    let style = Style { words: "chalk".to_owned(), ..fixture.project.style().clone() };
    fixture.apply(Action::SetStyle(Some(Box::new(style.clone()))));
    let recipe = |fixture: &ProjectFixture| -> Recipe {
        fixture.project.board().shot(&item).unwrap().recipe.clone()
    };
    let before = recipe(&fixture);
    assert_eq!(before.seed, 7);
    let fixture = fixture.reopened();
    assert_eq!(fixture.project.style(), &style);
    assert_eq!(fixture.project.art().words()[&item], words);
    assert_eq!(recipe(&fixture), before);
}

#[test]
fn queued_jobs_survive_a_restart_unless_the_story_no_longer_needs_them() {
    let mut fixture = ProjectFixture::new();
    fixture.fakes.hold_after(2);
    fixture.apply(Action::DrawNeeded);
    wait_until("two steps", || fixture.fakes.steps_done() == 2);
    let ProjectFixture { dir, project, .. } = fixture;
    let item = project.board().shots().iter().find(|shot| shot.recipe.prompt.contains("lamp"));
    let item = item.unwrap().id.clone();
    drop(project);
    let mut without_lamp = story();
    without_lamp.items.clear();
    without_lamp.scenes[0].lines[0].item = None;
    let mut fixture = ProjectFixture::open(dir, without_lamp);
    fixture.wait_until_idle();
    assert_eq!(fixture.states(), [ShotState::Drafted; 2]);
    assert_eq!(fixture.fakes.drawn().len(), 2);
    assert_eq!(fixture.project.art().takes(&item), []);
}

#[test]
fn finished_takes_and_queued_jobs_survive_a_kill() {
    let mut fixture = ProjectFixture::new();
    fixture.fakes.hold_after(6);
    fixture.apply(Action::DrawNeeded);
    wait_until("one picture and half of the next", || fixture.fakes.steps_done() == 6);
    let first = fixture.project.board().shots()[0].clone();
    fixture.poll_until("the first picture to be reported", |project| {
        project.state(&first.id) == ShotState::Drafted
    });
    wait_until("the queue to be saved", || {
        let text = fs::read_to_string(fixture.root().join("queue.json")).unwrap();
        !text.contains(first.id.as_str())
    });
    let left = tempfile::tempdir().unwrap();
    copy_folder(fixture.root(), left.path());
    let mut fixture = ProjectFixture::open(left, story());
    assert_eq!(fixture.project.state(&first.id), ShotState::Drafted);
    fixture.wait_until_idle();
    assert_eq!(fixture.states(), [ShotState::Drafted; 3]);
    assert_eq!(fixture.pictures()[&first.id], &gradient(&first.recipe));
    assert_eq!(fixture.fakes.drawn().len(), 2, "only unfinished pictures are drawn");
}

#[test]
fn requested_and_cancelled_pictures_are_in_the_queue_file_when_the_request_is_answered() {
    let mut fixture = ProjectFixture::new();
    fixture.fakes.hold_after(0);
    let queued = |fixture: &ProjectFixture| {
        let bytes = fs::read(fixture.root().join("queue.json")).unwrap();
        serde_json::from_slice::<Vec<serde_json::Value>>(&bytes).unwrap().len()
    };
    for _ in 0..10 {
        fixture.apply(Action::DrawNeeded);
        assert_eq!(queued(&fixture), 3);
        fixture.apply(Action::CancelAll);
        assert_eq!(queued(&fixture), 0);
    }
}

#[test]
fn a_saved_take_is_not_drawn_again_if_a_kill_left_its_job_in_the_queue() {
    let fixture = ProjectFixture::drawn();
    let ProjectFixture { dir, project, .. } = fixture;
    let shot = project.board().shots()[0].clone();
    drop(project);
    let queue =
        serde_json::json!([{ "shot": shot.id.as_str(), "recipe": shot.recipe }]).to_string();
    fs::write(dir.path().join("queue.json"), &queue).unwrap();
    let mut fixture = ProjectFixture::open(dir, story());
    fixture.wait_until_idle();
    assert_eq!(fixture.fakes.drawn(), []);
    wait_until("the job to be removed from the file", || {
        fs::read(fixture.root().join("queue.json")).is_ok_and(|bytes| bytes == b"[]")
    });
    assert_eq!(fixture.project.art().takes(&shot.id).len(), 1);
    assert_eq!(fixture.project.state(&shot.id), ShotState::Drafted);
    // Nor is a take that was discarded before the kill.
    let take = fixture.project.art().takes(&shot.id)[0].id.clone();
    fixture.apply(Action::Discard { shot: shot.id.clone(), take });
    let ProjectFixture { dir, project, .. } = fixture;
    drop(project);
    fs::write(dir.path().join("queue.json"), &queue).unwrap();
    let mut fixture = ProjectFixture::open(dir, story());
    fixture.wait_until_idle();
    assert_eq!(fixture.fakes.drawn(), []);
}

#[test]
fn a_queued_edit_survives_a_start_with_another_story() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let take = fixture.project.art().takes(&item)[0].id.clone();
    fixture.fakes.hold_after(0);
    fixture.apply(edit(&item, &take, 1));
    let ProjectFixture { dir, project, .. } = fixture;
    drop(project);
    let mut other = story();
    other.items[0].looks = "a silver lamp".to_owned();
    let mut fixture = ProjectFixture::open(dir, other);
    fixture.wait_until_idle();
    assert_eq!(fixture.fakes.drawn(), []);
    let ProjectFixture { dir, project, .. } = fixture;
    drop(project);
    let mut fixture = ProjectFixture::open(dir, story());
    fixture.wait_until_idle();
    assert_eq!(fixture.project.art().takes(&item)[1].parent(), Some(&take));
}

/// Damages the pixel data of a picture file, which is found only by decoding it. Returns the damaged bytes.
fn damage(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.windows(4).position(|window| window == b"IDAT").unwrap() + 8;
    bytes[at] ^= 0xff;
    fs::write(path, &bytes).unwrap();
    bytes
}

#[test]
fn a_damaged_take_is_restored_from_its_published_copy() {
    let fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let take = fixture.project.art().takes(&item)[0].clone();
    let whole = fs::read(&take.path).unwrap();
    damage(&take.path);
    let mut fixture = fixture.reopened();
    fixture.wait_until_idle();
    assert_eq!(fixture.project.state(&item), ShotState::Drafted);
    assert_eq!(*fixture.pictures()[&item], gradient(take.recipe()));
    assert_eq!(fs::read(&take.path).unwrap(), whole);
}

#[test]
fn a_damaged_take_without_a_copy_fails_its_shot_and_is_redrawn_on_request() {
    let fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let path = fixture.project.art().takes(&item)[0].path.clone();
    let bytes = damage(&path);
    fs::remove_file(fixture.project.art().picture_path(&item)).unwrap();
    let mut fixture = fixture.reopened();
    fixture.wait_until_idle();
    assert_eq!(fixture.project.state(&item), ShotState::Failed);
    let error = fixture.error(&item).unwrap();
    assert!(error.contains(path.to_str().unwrap()), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes, "the damaged file is kept");
    assert_eq!(fixture.pictures().len(), 2);
    fixture.apply(Action::DrawNeeded);
    fixture.wait_until_idle();
    assert_eq!(fixture.project.state(&item), ShotState::Drafted);
    assert!(fixture.pictures().contains_key(&item));
}

#[test]
fn a_damaged_accepted_take_is_replaced_by_a_new_take() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let take = fixture.project.art().takes(&item)[0].clone();
    fixture.apply(Action::Accept { shot: item.clone(), take: take.id.clone() });
    fixture.wait_until_idle();
    damage(&take.path);
    fs::remove_file(fixture.project.art().picture_path(&item)).unwrap();
    let mut fixture = fixture.reopened();
    fixture.wait_until_idle();
    assert_eq!(fixture.project.state(&item), ShotState::Failed);
    fixture.apply(Action::DrawNeeded);
    fixture.wait_until_idle();
    assert_eq!(fixture.project.state(&item), ShotState::Drafted);
    let second = fixture.project.art().takes(&item)[1].clone();
    assert_eq!(fixture.published(&item), gradient(second.recipe()));

    let mut fixture = fixture.reopened();
    fixture.wait_until_idle();
    let reported = fixture.updates.iter().find_map(|update| match update {
        Update::Failed { shot, error } if *shot == item => Some(error.to_string()),
        _ => None,
    });
    assert!(
        reported.is_some_and(|error| error.contains(take.id.as_str())),
        "the damage is reported"
    );
    assert_eq!(*fixture.pictures()[&item], gradient(second.recipe()));
    assert_eq!(fixture.project.state(&item), ShotState::Drafted);
    assert_eq!(fixture.project.needed().count(), 0, "the next start does not draw another one");
}

#[test]
fn a_folder_with_only_pictures_shows_them_and_draws_nothing() {
    let fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let copy = tempfile::tempdir().unwrap();
    let [from, to] = [fixture.root(), copy.path()].map(|root| root.join("pictures"));
    copy_folder(&from, &to);
    let shown = fixture.published(&item);
    let mut fixture = ProjectFixture::open(copy, story());
    fixture.apply(Action::DrawNeeded);
    fixture.wait_until_idle();
    assert!(fixture.fakes.drawn().is_empty());
    assert_eq!(fixture.states(), [ShotState::Drafted; 3]);
    assert_eq!(fixture.pictures()[&item], &shown);
    assert_eq!(fixture.published(&item), shown);
}

#[test]
fn an_idle_project_writes_nothing() {
    let mut fixture = ProjectFixture::drawn();
    let written = |fixture: &ProjectFixture| {
        fs::metadata(fixture.root().join("queue.json")).unwrap().modified().unwrap()
    };
    wait_until("the queue to be saved", || {
        fs::read(fixture.root().join("queue.json")).is_ok_and(|bytes| bytes == b"[]")
    });
    let before = written(&fixture);
    for _ in 0..20 {
        fixture.project.poll();
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(written(&fixture), before);
}

#[test]
fn a_folder_cannot_be_opened_by_two_projects() {
    let fixture = ProjectFixture::drawn();
    let error = Project::open(story(), fixture.root(), Fakes::default().registry()).unwrap_err();
    assert!(matches!(error, ProjectError::Art(ArtError::Locked { .. })), "{error}");
    let fixture = fixture.reopened();
    assert_eq!(fixture.states(), [ShotState::Drafted; 3]);
}

#[test]
fn drawn_pictures_are_published_even_if_the_project_closes_immediately() {
    let mut fixture = ProjectFixture::new();
    fixture.apply(Action::DrawNeeded);
    fixture.poll_until("three drafts", |project| {
        let drafted = |id| project.state(id) == ShotState::Drafted;
        project.board().shots().iter().all(|shot| drafted(&shot.id))
    });
    let shots = fixture.project.board().shots().to_vec();
    let ProjectFixture { dir, project, .. } = fixture;
    drop(project);
    for shot in shots {
        let path = dir.path().join("pictures").join(format!("{}.png", shot.id));
        assert_eq!(image::open(path).unwrap().into_rgba8(), gradient(&shot.recipe));
    }
}

#[test]
fn pictures_of_unwatched_shots_are_not_read() {
    let fixture = ProjectFixture::drawn();
    let (item, portrait) = (fixture.item(), fixture.portrait());
    let take = fixture.project.art().takes(&item)[0].clone();
    let ProjectFixture { dir, project, fakes, .. } = fixture;
    drop(project);
    let project = Project::open(story(), dir.path(), fakes.registry()).unwrap();
    let mut fixture = ProjectFixture { dir, fakes, project, updates: Vec::new() };
    fixture.wait_until_idle();
    assert!(fixture.pictures().is_empty());
    fixture.project.watch(&item);
    fixture.project.watch(&item);
    fixture.wait_until_idle();
    assert_eq!((fixture.picture_updates(&item), fixture.picture_updates(&portrait)), (1, 0));
    assert_eq!(fixture.pictures()[&item], &gradient(take.recipe()));
    fixture.apply(Action::DrawMore { shot: item.clone(), takes: 1, score: false });
    fixture.apply(Action::DrawMore { shot: portrait.clone(), takes: 1, score: false });
    fixture.wait_until_idle();
    assert_eq!((fixture.picture_updates(&item), fixture.picture_updates(&portrait)), (2, 0));
    fixture.project.unwatch(&item);
    fixture.apply(Action::DrawMore { shot: item.clone(), takes: 1, score: false });
    fixture.wait_until_idle();
    assert_eq!(fixture.picture_updates(&item), 2);
    assert_eq!(fixture.published(&item), gradient(&take.recipe().with_take(2)));
}

#[test]
fn a_damaged_take_does_not_replace_the_valid_picture_of_another() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    fixture.apply(Action::DrawMore { shot: item.clone(), takes: 1, score: false });
    fixture.wait_until_idle();
    let [first, second] = fixture.project.art().takes(&item) else { panic!("two takes") };
    let (first, second) = (first.clone(), second.clone());
    let mut bytes = fs::read(&first.path).unwrap();
    let at = bytes.windows(4).position(|window| window == b"IDAT").unwrap() + 8;
    bytes[at] ^= 0xff;
    fs::write(&first.path, &bytes).unwrap();
    // Without watching, no picture is decoded for display.
    fixture.project.unwatch(&item);
    fixture.apply(Action::Accept { shot: item.clone(), take: first.id.clone() });
    fixture.wait_until_idle();
    assert_eq!(fixture.published(&item), gradient(second.recipe()));
}
