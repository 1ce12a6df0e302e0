//! What is there when a project is opened again, after a good end or a bad one.

use std::fs;

use bevy_illustrator::{
    art::ArtError,
    project::{Action, Project, ProjectError, Update},
    recipe::{Recipe, Style},
    storyboard::{ShotState, ShotWords},
};

use super::{
    bench::Bench,
    common::{Fakes, copy_folder, gradient, story, wait_until},
};

#[test]
fn opening_again_tells_every_picture_that_was_there_and_draws_nothing() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    bench.apply(Action::DrawMore { shot: item.clone(), takes: 1 });
    bench.settle();
    let accepted = bench.project.art().takes(&item)[0].clone();
    bench.apply(Action::Accept { shot: item.clone(), take: accepted.id.clone() });
    let mut bench = bench.reopened();
    assert_eq!(bench.project.state(&item), ShotState::Accepted);
    bench.settle();
    assert!(matches!(bench.updates[0], Update::Planned));
    assert_eq!(bench.pictures().len(), 3);
    assert_eq!(bench.pictures()[&item], &gradient(accepted.recipe()));
    assert_eq!(bench.published(&item), gradient(accepted.recipe()));
    assert_eq!(bench.project.needed().count(), 0);
    assert_eq!(bench.fakes.loads().len(), 0);
}

#[test]
fn words_and_style_are_kept() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let words = ShotWords { seed: Some(7), ..ShotWords::default() };
    bench.apply(Action::SetWords { shot: item.clone(), words: words.clone() });
    let style = Style { words: "chalk".to_owned(), ..bench.project.style().clone() };
    bench.apply(Action::SetStyle(Some(Box::new(style.clone()))));
    let recipe =
        |bench: &Bench| -> Recipe { bench.project.board().shot(&item).unwrap().recipe.clone() };
    let before = recipe(&bench);
    assert_eq!(before.seed, 7);
    let bench = bench.reopened();
    assert_eq!(bench.project.style(), &style);
    assert_eq!(bench.project.art().words()[&item], words);
    assert_eq!(recipe(&bench), before);
}

#[test]
fn the_queue_goes_on_but_for_what_nothing_asks_for_any_more() {
    let mut bench = Bench::new();
    bench.fakes.hold_after(2);
    bench.apply(Action::DrawNeeded);
    wait_until("two steps", || bench.fakes.steps_done() == 2);
    let Bench { dir, project, .. } = bench;
    let item = project.board().shots().iter().find(|shot| shot.recipe.prompt.contains("lamp"));
    let item = item.unwrap().id.clone();
    drop(project);
    let mut without_lamp = story();
    without_lamp.items.clear();
    without_lamp.scenes[0].lines[0].item = None;
    let mut bench = Bench::over(dir, without_lamp);
    bench.settle();
    assert_eq!(bench.states(), [ShotState::Drafted; 2]);
    assert_eq!(bench.fakes.drawn().len(), 2);
    assert_eq!(bench.project.art().takes(&item), []);
}

#[test]
fn a_kill_at_any_moment_leaves_finished_takes_and_queue() {
    let mut bench = Bench::new();
    bench.fakes.hold_after(6);
    bench.apply(Action::DrawNeeded);
    wait_until("one picture and half of the next", || bench.fakes.steps_done() == 6);
    let first = bench.project.board().shots()[0].clone();
    bench.poll_until("it to be told", |project| project.state(&first.id) == ShotState::Drafted);
    wait_until("the queue to be kept", || {
        let text = fs::read_to_string(bench.root().join("queue.json")).unwrap();
        !text.contains(first.id.as_str())
    });
    let left = tempfile::tempdir().unwrap();
    copy_folder(bench.root(), left.path());
    let mut bench = Bench::over(left, story());
    assert_eq!(bench.project.state(&first.id), ShotState::Drafted);
    bench.settle();
    assert_eq!(bench.states(), [ShotState::Drafted; 3]);
    assert_eq!(bench.pictures()[&first.id], &gradient(&first.recipe));
    assert_eq!(bench.fakes.drawn().len(), 2, "only what was not finished");
}

#[test]
fn a_kill_between_take_and_queue_does_not_draw_the_take_again() {
    let bench = Bench::drawn();
    let Bench { dir, project, .. } = bench;
    let shot = project.board().shots()[0].clone();
    drop(project);
    let entry = serde_json::json!([{ "shot": shot.id.as_str(), "recipe": shot.recipe }]);
    fs::write(dir.path().join("queue.json"), entry.to_string()).unwrap();
    let mut bench = Bench::over(dir, story());
    bench.settle();
    assert_eq!(bench.fakes.drawn(), []);
    wait_until("the job to be out of the file", || {
        fs::read(bench.root().join("queue.json")).is_ok_and(|bytes| bytes == b"[]")
    });
    assert_eq!(bench.project.art().takes(&shot.id).len(), 1);
    assert_eq!(bench.project.state(&shot.id), ShotState::Drafted);
}

#[test]
fn a_damaged_take_is_told_on_its_shot_and_drawn_anew() {
    let bench = Bench::drawn();
    let item = bench.item();
    let path = bench.project.art().takes(&item)[0].path.clone();
    let mut bytes = fs::read(&path).unwrap();
    // In the middle of the pixels, so that only reading them finds it.
    let at = bytes.windows(4).position(|window| window == b"IDAT").unwrap() + 8;
    bytes[at] ^= 0xff;
    fs::write(&path, &bytes).unwrap();
    let mut bench = bench.reopened();
    bench.settle();
    assert_eq!(bench.project.state(&item), ShotState::Failed);
    let error = bench.error(&item).unwrap();
    assert!(error.contains(path.to_str().unwrap()), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes, "left where it is");
    assert_eq!(bench.pictures().len(), 2);
    bench.apply(Action::DrawNeeded);
    bench.settle();
    assert_eq!(bench.project.state(&item), ShotState::Drafted);
    assert!(bench.pictures().contains_key(&item));
}

#[test]
fn an_accepted_take_that_is_damaged_gives_way_to_what_is_drawn_in_its_place() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let take = bench.project.art().takes(&item)[0].clone();
    bench.apply(Action::Accept { shot: item.clone(), take: take.id.clone() });
    bench.settle();
    let mut bytes = fs::read(&take.path).unwrap();
    let at = bytes.windows(4).position(|window| window == b"IDAT").unwrap() + 8;
    bytes[at] ^= 0xff;
    fs::write(&take.path, &bytes).unwrap();
    let mut bench = bench.reopened();
    bench.settle();
    assert_eq!(bench.project.state(&item), ShotState::Failed);
    bench.apply(Action::DrawNeeded);
    bench.settle();
    assert_eq!(bench.project.state(&item), ShotState::Drafted);
    let second = bench.project.art().takes(&item)[1].clone();
    assert_eq!(bench.published(&item), gradient(second.recipe()));

    let mut bench = bench.reopened();
    bench.settle();
    let told = bench.updates.iter().find_map(|update| match update {
        Update::Failed { shot, error } if *shot == item => Some(error.to_string()),
        _ => None,
    });
    assert!(told.is_some_and(|error| error.contains(take.id.as_str())), "the damage is told");
    assert_eq!(*bench.pictures()[&item], gradient(second.recipe()));
    assert_eq!(bench.project.state(&item), ShotState::Drafted);
    assert_eq!(bench.project.needed().count(), 0, "no start draws one more");
}

#[test]
fn a_copy_that_holds_nothing_but_pictures_shows_them_and_draws_nothing() {
    let bench = Bench::drawn();
    let item = bench.item();
    let copy = tempfile::tempdir().unwrap();
    let [from, to] = [bench.root(), copy.path()].map(|root| root.join("pictures"));
    copy_folder(&from, &to);
    let shown = bench.published(&item);
    let mut bench = Bench::over(copy, story());
    bench.apply(Action::DrawNeeded);
    bench.settle();
    assert!(bench.fakes.drawn().is_empty());
    assert_eq!(bench.states(), [ShotState::Drafted; 3]);
    assert_eq!(bench.pictures()[&item], &shown);
    assert_eq!(bench.published(&item), shown);
}

#[test]
fn a_project_at_rest_writes_nothing() {
    let mut bench = Bench::drawn();
    let written =
        |bench: &Bench| fs::metadata(bench.root().join("queue.json")).unwrap().modified().unwrap();
    wait_until("the queue to be kept", || {
        fs::read(bench.root().join("queue.json")).is_ok_and(|bytes| bytes == b"[]")
    });
    let before = written(&bench);
    for _ in 0..20 {
        bench.project.poll();
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(written(&bench), before);
}

#[test]
fn a_folder_that_another_project_has_open_is_refused() {
    let bench = Bench::drawn();
    let error = Project::open(story(), bench.root(), Fakes::default().registry()).unwrap_err();
    assert!(matches!(error, ProjectError::Art(ArtError::Locked { .. })), "{error}");
    let bench = bench.reopened();
    assert_eq!(bench.states(), [ShotState::Drafted; 3]);
}

#[test]
fn what_was_drawn_is_published_though_the_project_closes_at_once() {
    let mut bench = Bench::new();
    bench.apply(Action::DrawNeeded);
    bench.poll_until("three drafts", |project| {
        let drafted = |id| project.state(id) == ShotState::Drafted;
        project.board().shots().iter().all(|shot| drafted(&shot.id))
    });
    let shots = bench.project.board().shots().to_vec();
    let Bench { dir, project, .. } = bench;
    drop(project);
    for shot in shots {
        let path = dir.path().join("pictures").join(format!("{}.png", shot.id));
        assert_eq!(image::open(path).unwrap().into_rgba8(), gradient(&shot.recipe));
    }
}

#[test]
fn opening_reads_no_picture_until_its_shot_is_watched() {
    let bench = Bench::drawn();
    let (item, portrait) = (bench.item(), bench.portrait());
    let take = bench.project.art().takes(&item)[0].clone();
    let Bench { dir, project, fakes, .. } = bench;
    drop(project);
    let project = Project::open(story(), dir.path(), fakes.registry()).unwrap();
    let mut bench = Bench { dir, fakes, project, updates: Vec::new() };
    bench.settle();
    assert!(bench.pictures().is_empty());
    bench.project.watch(&item);
    bench.project.watch(&item);
    bench.settle();
    assert_eq!((bench.times_told(&item), bench.times_told(&portrait)), (1, 0));
    assert_eq!(bench.pictures()[&item], &gradient(take.recipe()));
    bench.apply(Action::DrawMore { shot: item.clone(), takes: 1 });
    bench.apply(Action::DrawMore { shot: portrait.clone(), takes: 1 });
    bench.settle();
    assert_eq!((bench.times_told(&item), bench.times_told(&portrait)), (2, 0));
    bench.project.unwatch(&item);
    bench.apply(Action::DrawMore { shot: item.clone(), takes: 1 });
    bench.settle();
    assert_eq!(bench.times_told(&item), 2);
    assert_eq!(bench.published(&item), gradient(&take.recipe().with_take(2)));
}

#[test]
fn a_damaged_take_does_not_replace_a_whole_copy_of_another() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    bench.apply(Action::DrawMore { shot: item.clone(), takes: 1 });
    bench.settle();
    let [first, second] = bench.project.art().takes(&item) else { panic!("two takes") };
    let (first, second) = (first.clone(), second.clone());
    let mut bytes = fs::read(&first.path).unwrap();
    let at = bytes.windows(4).position(|window| window == b"IDAT").unwrap() + 8;
    bytes[at] ^= 0xff;
    fs::write(&first.path, &bytes).unwrap();
    // Nobody looks at the pictures.
    bench.project.unwatch(&item);
    bench.apply(Action::Accept { shot: item.clone(), take: first.id.clone() });
    bench.settle();
    assert_eq!(bench.published(&item), gradient(second.recipe()));
}
