//! The queue and the worker: what is drawn, in which order, and what becomes of it when the program ends.

use std::{fs, path::Path, time::Duration};

use bevy_illustrator::{
    art::Art,
    studio::{JobId, Resume, Studio, StudioEvent},
};

use super::common::{Fakes, copy_folder, gradient, recipe, shot, wait_until};
#[cfg(target_os = "linux")]
use super::threads::threads;

/// A studio over an art folder of its own.
struct Desk {
    dir: tempfile::TempDir,
    fakes: Fakes,
    /// Before the art, so that it lets go of the folder first.
    studio: Studio,
    art: Art,
    events: Vec<StudioEvent>,
}

impl Desk {
    fn new() -> Self {
        Self::over(tempfile::tempdir().unwrap(), Fakes::default())
    }

    fn over(dir: tempfile::TempDir, fakes: Fakes) -> Self {
        let art = Art::open(dir.path()).unwrap();
        let studio = Studio::start(fakes.registry(), art.writer(), |_, _| Resume::Draw).unwrap();
        Self { dir, fakes, studio, art, events: Vec::new() }
    }

    fn restart(self) -> Self {
        let Self { dir, fakes, studio, art, .. } = self;
        drop((studio, art));
        fakes.release();
        Self::over(dir, fakes)
    }

    fn push(&mut self, prompt: &str) -> JobId {
        self.studio.push(vec![(shot(prompt), recipe(prompt))], false)[0]
    }

    fn wait(&mut self, what: &str, mut done: impl FnMut(&[StudioEvent]) -> bool) {
        let Self { studio, events, .. } = self;
        wait_until(what, || {
            events.extend(studio.poll());
            done(events)
        });
    }

    fn wait_until_idle(&mut self) {
        let Self { studio, events, .. } = self;
        wait_until("an empty queue", || studio.jobs().is_empty());
        events.extend(studio.poll());
    }

    fn drawn(&self) -> Vec<String> {
        self.fakes.drawn().into_iter().map(|recipe| recipe.prompt).collect()
    }

    /// The first error that was told.
    fn error(&self) -> Option<String> {
        self.events.iter().find_map(|event| match event {
            StudioEvent::Failed { error, .. } => Some(error.to_string()),
            _ => None,
        })
    }

    fn queued_in_file(&self) -> Vec<String> {
        queued_in_file(self.art.root())
    }
}

/// The shots in `queue.json`, in order.
fn queued_in_file(root: &Path) -> Vec<String> {
    let Ok(text) = fs::read_to_string(root.join("queue.json")) else { return Vec::new() };
    let entries: serde_json::Value = serde_json::from_str(&text).unwrap();
    let shots = entries.as_array().unwrap().iter().map(|entry| entry["shot"].as_str().unwrap());
    shots.map(str::to_owned).collect()
}

#[test]
fn pictures_are_drawn_in_order_and_each_is_on_disk_before_anybody_is_told() {
    let mut desk = Desk::new();
    for prompt in ["a", "b", "c"] {
        desk.push(prompt);
    }
    let mut told = Vec::new();
    while told.len() < 3 {
        for event in desk.studio.poll() {
            let StudioEvent::Drawn { job, take, image } = event else { continue };
            assert_eq!(take.image().unwrap(), image);
            assert_eq!(image, gradient(&job.recipe));
            assert_eq!(take.provenance.recipe, *job.recipe);
            assert_eq!(take.provenance.model.licence.as_deref(), Some("CC0-1.0"));
            told.push(job.shot.to_string());
        }
        std::thread::yield_now();
    }
    assert_eq!(told, ["a", "b", "c"]);
    assert_eq!(desk.fakes.loads(), ["fake"], "the model is kept");
}

#[test]
fn progress_counts_steps_and_tells_the_time_left() {
    let mut desk = Desk::new();
    desk.fakes.slow(Duration::from_millis(30));
    desk.fakes.hold_after(2);
    desk.push("a");
    wait_until("two steps", || {
        desk.studio.current().and_then(|view| view.progress).is_some_and(|p| p.done == 2)
    });
    let progress = desk.studio.jobs()[0].progress.clone().unwrap();
    assert_eq!((progress.done, progress.of), (2, 4));
    assert!(progress.elapsed >= Duration::from_millis(60));
    let left = progress.left.unwrap();
    assert!(left <= Duration::from_secs(5) && left > Duration::ZERO, "{left:?}");
    assert_eq!(progress.preview.unwrap().get_pixel(0, 0).0, [2; 3]);
    desk.fakes.release();
    desk.wait("the picture", |events| matches!(events.last(), Some(StudioEvent::Drawn { .. })));
    assert!(matches!(desk.events[0], StudioEvent::Started(_)));
    assert!(desk.events.iter().any(|event| matches!(event, StudioEvent::Stepped(_))));
}

#[test]
fn cancelling_stops_within_one_step_and_draws_the_next() {
    let mut desk = Desk::new();
    desk.fakes.hold_after(2);
    let first = desk.push("a");
    desk.push("b");
    wait_until("two steps", || desk.fakes.steps_done() == 2);
    desk.studio.cancel(first);
    desk.wait("the end of it", |events| {
        events.iter().any(|event| matches!(event, StudioEvent::Cancelled(job) if job.id == first))
    });
    assert_eq!(desk.fakes.steps_done(), 2);
    desk.fakes.release();
    desk.wait_until_idle();
    assert_eq!(desk.drawn(), ["b"]);
}

#[test]
fn a_picture_queued_again_while_its_cancelled_job_ends_is_drawn() {
    let mut desk = Desk::new();
    desk.fakes.hold_after(1);
    let first = desk.push("a");
    wait_until("a step", || desk.fakes.steps_done() == 1);
    desk.studio.cancel(first);
    let second = desk.push("a");
    assert_ne!(first, second);
    desk.fakes.release();
    desk.wait_until_idle();
    assert_eq!(desk.drawn(), ["a"]);
}

#[test]
fn cancelling_all_leaves_nothing_waiting() {
    let mut desk = Desk::new();
    desk.fakes.hold_after(1);
    for prompt in ["a", "b", "c"] {
        desk.push(prompt);
    }
    wait_until("a step", || desk.fakes.steps_done() == 1);
    desk.studio.cancel_all();
    assert_eq!(desk.studio.jobs().len(), 0);
    desk.wait("three ends", |events| {
        events.iter().filter(|event| matches!(event, StudioEvent::Cancelled(_))).count() == 3
    });
    wait_until("an empty queue file", || desk.queued_in_file().is_empty());
    assert_eq!(desk.drawn().len(), 0);
}

#[test]
fn a_pause_in_the_middle_of_a_picture_holds_it_and_it_goes_on() {
    let mut desk = Desk::new();
    desk.fakes.hold_after(2);
    desk.push("a");
    desk.push("b");
    wait_until("two steps", || desk.fakes.steps_done() == 2);
    desk.studio.set_paused(true);
    desk.fakes.release();
    let elapsed = || desk.studio.current().unwrap().progress.unwrap().elapsed;
    let held = elapsed();
    std::thread::sleep(Duration::from_millis(50));
    assert!(desk.studio.is_paused());
    // One step may have been between its look at the interrupt and its end.
    assert!(desk.fakes.steps_done() <= 3);
    assert_eq!(elapsed(), held, "a pause is not counted");
    desk.studio.set_paused(false);
    desk.wait_until_idle();
    assert_eq!(desk.drawn(), ["a", "b"]);
}

#[test]
fn a_paused_studio_begins_nothing() {
    let mut desk = Desk::new();
    desk.studio.set_paused(true);
    desk.push("a");
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(desk.fakes.steps_done(), 0);
    assert!(desk.studio.jobs()[0].progress.is_none());
    desk.studio.set_paused(false);
    desk.wait_until_idle();
    assert_eq!(desk.drawn(), ["a"]);
}

#[test]
fn jobs_pushed_or_moved_to_the_front_are_drawn_next() {
    let mut desk = Desk::new();
    desk.studio.set_paused(true);
    let ids = ["a", "b", "c"].map(|prompt| desk.push(prompt));
    desk.studio.push(vec![(shot("d"), recipe("d"))], true);
    desk.studio.move_to_front(ids[2]);
    assert_eq!(desk.push("b"), ids[1], "queued already");
    desk.studio.set_paused(false);
    desk.wait_until_idle();
    assert_eq!(desk.drawn(), ["c", "d", "a", "b"]);
}

#[test]
fn pictures_pushed_together_are_drawn_in_order_though_the_worker_waits_for_the_first() {
    let mut desk = Desk::new();
    for round in 0..50 {
        let prompts = ["a", "b", "c"].map(|name| format!("{name}{round}"));
        let pictures = prompts.iter().map(|prompt| (shot(prompt), recipe(prompt)));
        desk.studio.push(pictures.collect(), true);
        desk.wait_until_idle();
        assert_eq!(desk.drawn()[3 * round..], prompts);
    }
}

#[test]
fn an_error_fails_its_job_alone_and_the_next_try_works() {
    let mut desk = Desk::new();
    desk.fakes.fail_on("a");
    desk.push("a");
    desk.push("b");
    desk.wait_until_idle();
    assert!(desk.error().unwrap().contains("fake failure"), "{:?}", desk.events);
    assert_eq!(desk.drawn(), ["b"]);
    desk.fakes.heal();
    desk.push("a");
    desk.wait_until_idle();
    assert_eq!(desk.drawn(), ["b", "a"]);
    assert_eq!(desk.fakes.loads(), ["fake"]);
}

#[test]
fn a_panic_fails_its_job_alone_and_the_model_is_loaded_anew() {
    let mut desk = Desk::new();
    desk.fakes.panic_on("a");
    desk.push("a");
    desk.push("b");
    desk.wait_until_idle();
    assert!(desk.error().unwrap().contains("fake panic"), "{:?}", desk.error());
    assert_eq!(desk.drawn(), ["b"]);
    assert_eq!(desk.fakes.loads(), ["fake", "fake"]);
}

#[test]
fn a_model_that_cannot_be_loaded_is_told_and_the_next_one_draws() {
    let mut desk = Desk::new();
    let broken = bevy_illustrator::recipe::Recipe { model: "broken".to_owned(), ..recipe("a") };
    desk.studio.push(vec![(shot("a"), broken)], false);
    desk.push("b");
    desk.wait_until_idle();
    assert!(desk.error().unwrap().contains("shape [3] is not [4]"));
    assert_eq!(desk.drawn(), ["b"]);
}

#[test]
fn the_queue_survives_a_restart_with_the_picture_under_way_first() {
    let mut desk = Desk::new();
    desk.fakes.hold_after(6);
    for prompt in ["a", "b", "c", "d"] {
        desk.push(prompt);
    }
    wait_until("a and half of b", || desk.fakes.steps_done() == 6);
    let mut desk = desk.restart();
    desk.wait_until_idle();
    assert_eq!(desk.drawn(), ["a", "b", "c", "d"]);
    wait_until("an empty queue file", || desk.queued_in_file().is_empty());
}

#[test]
fn a_kill_in_the_middle_of_a_picture_loses_only_that_picture() {
    let mut desk = Desk::new();
    desk.fakes.hold_after(6);
    for prompt in ["a", "b", "c"] {
        desk.push(prompt);
    }
    wait_until("a and half of b", || desk.fakes.steps_done() == 6);
    wait_until("the queue file", || desk.queued_in_file() == ["b", "c"]);
    // What lies on disk now is what a kill would leave; a half written file besides.
    let left = tempfile::tempdir().unwrap();
    copy_folder(desk.art.root(), left.path());
    fs::write(left.path().join(".tmp/half"), b"\x89PNG half of a pictu").unwrap();

    let mut desk = Desk::over(left, Fakes::default());
    assert_eq!(desk.art.takes(&shot("a")).len(), 1);
    assert_eq!(desk.art.takes(&shot("a"))[0].image().unwrap(), gradient(&recipe("a")));
    assert!(!desk.art.root().join(".tmp/half").exists());
    desk.wait_until_idle();
    assert_eq!(desk.drawn(), ["b", "c"]);
}

#[test]
fn a_broken_queue_file_is_set_aside_and_drawing_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("queue.json"), "[{\"shot\": \"../../evil\"").unwrap();
    let mut desk = Desk::over(dir, Fakes::default());
    let aside = desk.art.root().join("queue.broken-1.json");
    assert_eq!(fs::read_to_string(aside).unwrap(), "[{\"shot\": \"../../evil\"");
    desk.push("a");
    desk.wait_until_idle();
    assert_eq!(desk.drawn(), ["a"]);
}

#[test]
fn a_take_that_the_disk_refuses_is_told_and_written_without_drawing_again() {
    let mut desk = Desk::new();
    let blocked = desk.art.root().join("takes");
    fs::write(&blocked, "a file in the way").unwrap();
    desk.push("a");
    desk.wait_until_idle();
    assert!(desk.error().unwrap().contains("takes"), "{:?}", desk.error());
    fs::remove_file(&blocked).unwrap();
    desk.push("a");
    desk.wait_until_idle();
    let Some(StudioEvent::Drawn { take, .. }) = desk.events.last() else {
        panic!("{:?}", desk.events)
    };
    assert_eq!(take.image().unwrap(), gradient(&recipe("a")));
    assert_eq!(desk.drawn(), ["a"], "drawn once");
}

#[cfg(target_os = "linux")]
#[test]
fn the_threads_that_draw_have_names_and_the_lowest_priority() {
    let desk = Desk::new();
    // The system cuts names off after 15 bytes.
    for name in ["illustrator-stu", "illustrator-dra"] {
        wait_until(name, || {
            let mut ours = threads();
            ours.retain(|(other, ..)| other == name);
            !ours.is_empty() && ours.iter().all(|(_, nice, _)| *nice == 19)
        });
    }
    drop(desk);
}

#[test]
fn a_queue_that_cannot_be_saved_is_saved_when_the_disk_has_room_again() {
    let mut desk = Desk::new();
    desk.studio.set_paused(true);
    let unfinished = desk.art.root().join(".tmp");
    let _ = fs::remove_dir(&unfinished);
    fs::write(&unfinished, "in the way").unwrap();
    desk.push("a");
    std::thread::sleep(Duration::from_millis(50));
    assert!(desk.queued_in_file().is_empty());
    fs::remove_file(&unfinished).unwrap();
    // Nothing else changes the queue.
    wait_until("the queue file", || desk.queued_in_file() == ["a"]);
}

#[cfg(unix)]
#[test]
fn a_queue_file_that_cannot_be_read_is_set_aside_and_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    // Reading a folder is an error of the system, not of the text.
    fs::create_dir(dir.path().join("queue.json")).unwrap();
    fs::write(dir.path().join("queue.json/kept"), "as it was").unwrap();
    let mut desk = Desk::over(dir, Fakes::default());
    desk.studio.set_paused(true);
    desk.push("a");
    wait_until("the queue file", || desk.queued_in_file() == ["a"]);
    let aside = desk.art.root().join("queue.broken-1.json/kept");
    assert_eq!(fs::read_to_string(aside).unwrap(), "as it was");
}
