//! The queue and the worker: drawing order, failures and restarts.

use std::{fs, path::Path, time::Duration};

use bevy_illustrator::{
    art::Art,
    studio::{JobId, Resume, Studio, StudioEvent},
};

use super::common::{Fakes, copy_folder::copy_folder, gradient, recipe, shot, wait_until};
#[cfg(target_os = "linux")]
use super::threads::threads;

/// A studio in a temporary art folder.
struct StudioFixture {
    dir: tempfile::TempDir,
    fakes: Fakes,
    /// Declared before `art`, so that it is dropped first and releases the folder.
    studio: Studio,
    art: Art,
    events: Vec<StudioEvent>,
}

impl StudioFixture {
    fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap(), Fakes::default())
    }

    fn open(dir: tempfile::TempDir, fakes: Fakes) -> Self {
        let art = Art::open(dir.path()).unwrap();
        let studio = Studio::start(fakes.registry(), art.writer(), |_, _| Resume::Draw).unwrap();
        Self { dir, fakes, studio, art, events: Vec::new() }
    }

    fn restart(self) -> Self {
        let Self { dir, fakes, studio, art, .. } = self;
        drop((studio, art));
        fakes.release();
        Self::open(dir, fakes)
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

    /// The first reported error.
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
fn pictures_are_drawn_in_order_and_saved_before_they_are_reported() {
    let mut fixture = StudioFixture::new();
    for prompt in ["a", "b", "c"] {
        fixture.push(prompt);
    }
    let mut reported = Vec::new();
    while reported.len() < 3 {
        for event in fixture.studio.poll() {
            let StudioEvent::Drawn { job, take, image } = event else { continue };
            assert_eq!(take.image().unwrap(), image);
            assert_eq!(image, gradient(&job.recipe));
            assert_eq!(take.provenance.recipe, *job.recipe);
            assert_eq!(take.provenance.model.licence.as_deref(), Some("CC0-1.0"));
            reported.push(job.shot.to_string());
        }
        std::thread::yield_now();
    }
    assert_eq!(reported, ["a", "b", "c"]);
    assert_eq!(fixture.fakes.loads(), ["fake"], "the model is loaded once");
}

#[test]
fn progress_has_steps_preview_and_remaining_time() {
    let mut fixture = StudioFixture::new();
    fixture.fakes.slow(Duration::from_millis(30));
    fixture.fakes.hold_after(2);
    fixture.push("a");
    wait_until("two steps", || {
        fixture.studio.current().and_then(|view| view.progress).is_some_and(|p| p.done == 2)
    });
    let progress = fixture.studio.jobs()[0].progress.clone().unwrap();
    assert_eq!((progress.done, progress.of), (2, 4));
    assert!(progress.elapsed >= Duration::from_millis(60));
    let left = progress.left.unwrap();
    assert!(left <= Duration::from_secs(5) && left > Duration::ZERO, "{left:?}");
    assert_eq!(progress.preview.unwrap().get_pixel(0, 0).0, [2; 3]);
    fixture.fakes.release();
    fixture.wait("the picture", |events| matches!(events.last(), Some(StudioEvent::Drawn { .. })));
    assert!(matches!(fixture.events[0], StudioEvent::Started(_)));
    assert!(fixture.events.iter().any(|event| matches!(event, StudioEvent::Stepped(_))));
}

#[test]
fn a_cancelled_job_stops_within_one_step_and_the_next_job_is_drawn() {
    let mut fixture = StudioFixture::new();
    fixture.fakes.hold_after(2);
    let first = fixture.push("a");
    fixture.push("b");
    wait_until("two steps", || fixture.fakes.steps_done() == 2);
    fixture.studio.cancel(first);
    fixture.wait("the cancellation", |events| {
        events.iter().any(|event| matches!(event, StudioEvent::Cancelled(job) if job.id == first))
    });
    assert_eq!(fixture.fakes.steps_done(), 2);
    fixture.fakes.release();
    fixture.wait_until_idle();
    assert_eq!(fixture.drawn(), ["b"]);
}

#[test]
fn a_picture_can_be_queued_again_before_its_cancelled_job_has_ended() {
    let mut fixture = StudioFixture::new();
    fixture.fakes.hold_after(1);
    let first = fixture.push("a");
    wait_until("a step", || fixture.fakes.steps_done() == 1);
    fixture.studio.cancel(first);
    let second = fixture.push("a");
    assert_ne!(first, second);
    fixture.fakes.release();
    fixture.wait_until_idle();
    assert_eq!(fixture.drawn(), ["a"]);
}

#[test]
fn cancel_all_empties_the_queue() {
    let mut fixture = StudioFixture::new();
    fixture.fakes.hold_after(1);
    for prompt in ["a", "b", "c"] {
        fixture.push(prompt);
    }
    wait_until("a step", || fixture.fakes.steps_done() == 1);
    fixture.studio.cancel_all();
    assert_eq!(fixture.studio.jobs().len(), 0);
    fixture.wait("three cancellations", |events| {
        events.iter().filter(|event| matches!(event, StudioEvent::Cancelled(_))).count() == 3
    });
    wait_until("an empty queue file", || fixture.queued_in_file().is_empty());
    assert_eq!(fixture.drawn().len(), 0);
}

#[test]
fn a_paused_picture_continues_where_it_stopped() {
    let mut fixture = StudioFixture::new();
    fixture.fakes.hold_after(2);
    fixture.push("a");
    fixture.push("b");
    wait_until("two steps", || fixture.fakes.steps_done() == 2);
    fixture.studio.set_paused(true);
    fixture.fakes.release();
    let elapsed = || fixture.studio.current().unwrap().progress.unwrap().elapsed;
    let held = elapsed();
    std::thread::sleep(Duration::from_millis(50));
    assert!(fixture.studio.is_paused());
    // One step may already have passed its interrupt check.
    assert!(fixture.fakes.steps_done() <= 3);
    assert_eq!(elapsed(), held, "pauses are not counted");
    fixture.studio.set_paused(false);
    fixture.wait_until_idle();
    assert_eq!(fixture.drawn(), ["a", "b"]);
}

#[test]
fn a_paused_studio_starts_no_job() {
    let mut fixture = StudioFixture::new();
    fixture.studio.set_paused(true);
    fixture.push("a");
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(fixture.fakes.steps_done(), 0);
    assert!(fixture.studio.jobs()[0].progress.is_none());
    fixture.studio.set_paused(false);
    fixture.wait_until_idle();
    assert_eq!(fixture.drawn(), ["a"]);
}

#[test]
fn jobs_pushed_or_moved_to_the_front_are_drawn_next() {
    let mut fixture = StudioFixture::new();
    fixture.studio.set_paused(true);
    let ids = ["a", "b", "c"].map(|prompt| fixture.push(prompt));
    fixture.studio.push(vec![(shot("d"), recipe("d"))], true);
    fixture.studio.move_to_front(ids[2]);
    assert_eq!(fixture.push("b"), ids[1], "it is already queued");
    fixture.studio.set_paused(false);
    fixture.wait_until_idle();
    assert_eq!(fixture.drawn(), ["c", "d", "a", "b"]);
}

#[test]
fn pictures_pushed_together_to_an_idle_worker_are_drawn_in_order() {
    let mut fixture = StudioFixture::new();
    for round in 0..50 {
        let prompts = ["a", "b", "c"].map(|name| format!("{name}{round}"));
        let pictures = prompts.iter().map(|prompt| (shot(prompt), recipe(prompt)));
        fixture.studio.push(pictures.collect(), true);
        fixture.wait_until_idle();
        assert_eq!(fixture.drawn()[3 * round..], prompts);
    }
}

#[test]
fn an_error_fails_only_its_job_which_can_be_queued_again() {
    let mut fixture = StudioFixture::new();
    fixture.fakes.fail_on("a");
    fixture.push("a");
    fixture.push("b");
    fixture.wait_until_idle();
    assert!(fixture.error().unwrap().contains("fake failure"), "{:?}", fixture.events);
    assert_eq!(fixture.drawn(), ["b"]);
    fixture.fakes.heal();
    fixture.push("a");
    fixture.wait_until_idle();
    assert_eq!(fixture.drawn(), ["b", "a"]);
    assert_eq!(fixture.fakes.loads(), ["fake"]);
}

#[test]
fn a_panic_fails_only_its_job_and_the_model_is_loaded_again() {
    let mut fixture = StudioFixture::new();
    fixture.fakes.panic_on("a");
    fixture.push("a");
    fixture.push("b");
    fixture.wait_until_idle();
    assert!(fixture.error().unwrap().contains("fake panic"), "{:?}", fixture.error());
    assert_eq!(fixture.drawn(), ["b"]);
    assert_eq!(fixture.fakes.loads(), ["fake", "fake"]);
}

#[test]
fn a_model_whose_files_changed_is_loaded_again_for_the_next_picture() {
    let mut fixture = StudioFixture::new();
    fixture.push("first");
    fixture.wait_until_idle();
    fixture.push("second");
    fixture.wait_until_idle();
    assert_eq!(fixture.fakes.loads().len(), 1);
    fixture.fakes.change_model();
    fixture.push("third");
    fixture.wait_until_idle();
    assert_eq!((fixture.fakes.loads().len(), fixture.drawn().len()), (2, 3));
}

#[test]
fn a_model_that_fails_to_load_is_reported_and_the_next_job_is_drawn() {
    let mut fixture = StudioFixture::new();
    let broken = bevy_illustrator::recipe::Recipe { model: "broken".to_owned(), ..recipe("a") };
    fixture.studio.push(vec![(shot("a"), broken)], false);
    fixture.push("b");
    fixture.wait_until_idle();
    assert!(fixture.error().unwrap().contains("shape [3] is not [4]"));
    assert_eq!(fixture.drawn(), ["b"]);
}

#[test]
fn the_queue_survives_a_restart_with_the_running_job_first() {
    let mut fixture = StudioFixture::new();
    fixture.fakes.hold_after(6);
    for prompt in ["a", "b", "c", "d"] {
        fixture.push(prompt);
    }
    wait_until("a and half of b", || fixture.fakes.steps_done() == 6);
    let mut fixture = fixture.restart();
    fixture.wait_until_idle();
    assert_eq!(fixture.drawn(), ["a", "b", "c", "d"]);
    wait_until("an empty queue file", || fixture.queued_in_file().is_empty());
}

#[test]
fn a_kill_loses_only_the_steps_of_the_running_job() {
    let mut fixture = StudioFixture::new();
    fixture.fakes.hold_after(6);
    for prompt in ["a", "b", "c"] {
        fixture.push(prompt);
    }
    wait_until("a and half of b", || fixture.fakes.steps_done() == 6);
    wait_until("the queue file", || fixture.queued_in_file() == ["b", "c"]);
    // The current state on disk is what a kill would leave, plus a partially written file.
    let left = tempfile::tempdir().unwrap();
    copy_folder(fixture.art.root(), left.path());
    fs::write(left.path().join(".tmp/1-0.unfinished"), b"\x89PNG half of a pictu").unwrap();

    let mut fixture = StudioFixture::open(left, Fakes::default());
    assert_eq!(fixture.art.takes(&shot("a")).len(), 1);
    assert_eq!(fixture.art.takes(&shot("a"))[0].image().unwrap(), gradient(&recipe("a")));
    assert!(!fixture.art.root().join(".tmp/1-0.unfinished").exists());
    fixture.wait_until_idle();
    assert_eq!(fixture.drawn(), ["b", "c"]);
}

#[test]
fn a_queue_file_with_a_byte_order_mark_is_read() {
    let mut fixture = StudioFixture::new();
    fixture.fakes.hold_after(1);
    for prompt in ["a", "b"] {
        fixture.push(prompt);
    }
    wait_until("the queue file", || fixture.queued_in_file() == ["a", "b"]);
    let json = fs::read_to_string(fixture.art.root().join("queue.json")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("queue.json"), format!("\u{feff}{json}")).unwrap();
    let mut fixture = StudioFixture::open(dir, Fakes::default());
    assert!(!fixture.art.root().join("queue.broken-1.json").exists());
    fixture.wait_until_idle();
    assert_eq!(fixture.drawn(), ["a", "b"]);
}

#[test]
fn a_queue_file_of_a_newer_version_is_kept() {
    let mut fixture = StudioFixture::new();
    fixture.fakes.hold_after(0);
    fixture.push("a");
    wait_until("the queue file", || fixture.queued_in_file() == ["a"]);
    let json = fs::read_to_string(fixture.art.root().join("queue.json")).unwrap();
    let newer = json.replacen("\"prompt\"", "\"new\":1,\"prompt\"", 1);
    assert_ne!(newer, json);
    for (text, is_kept) in [(&json, false), (&newer, true)] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("queue.json"), text).unwrap();
        let mut fixture = StudioFixture::open(dir, Fakes::default());
        fixture.wait_until_idle();
        assert_eq!(fixture.drawn(), ["a"]);
        wait_until("the queue file", || fixture.queued_in_file().is_empty());
        let aside = fixture.art.root().join("queue.broken-1.json");
        wait_until("the kept file", || aside.exists() == is_kept);
        assert_eq!(fs::read_to_string(aside).ok().as_ref(), is_kept.then_some(text));
    }
}

#[test]
fn a_broken_queue_file_is_renamed_and_new_jobs_are_drawn() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("queue.json"), "[{\"shot\": \"../../evil\"").unwrap();
    let mut fixture = StudioFixture::open(dir, Fakes::default());
    let aside = fixture.art.root().join("queue.broken-1.json");
    assert_eq!(fs::read_to_string(aside).unwrap(), "[{\"shot\": \"../../evil\"");
    fixture.push("a");
    fixture.wait_until_idle();
    assert_eq!(fixture.drawn(), ["a"]);
}

#[test]
fn a_take_that_cannot_be_saved_is_reported_and_saved_later_without_redrawing() {
    let mut fixture = StudioFixture::new();
    let blocked = fixture.art.root().join("takes");
    fixture.fakes.hold_after(1);
    fixture.push("a");
    wait_until("the drawing starts", || fixture.fakes.steps_done() == 1);
    fs::write(&blocked, "a file in the way").unwrap();
    fixture.fakes.release();
    fixture.wait_until_idle();
    assert!(fixture.error().unwrap().contains("takes"), "{:?}", fixture.error());
    fs::remove_file(&blocked).unwrap();
    fixture.push("a");
    fixture.wait_until_idle();
    let Some(StudioEvent::Drawn { take, .. }) = fixture.events.last() else {
        panic!("{:?}", fixture.events)
    };
    assert_eq!(take.image().unwrap(), gradient(&recipe("a")));
    assert_eq!(fixture.drawn(), ["a"], "drawn once");
}

#[test]
fn a_picture_whose_take_cannot_be_written_is_not_drawn() {
    let mut fixture = StudioFixture::new();
    fixture.push("a");
    fixture.wait_until_idle();
    let Some(StudioEvent::Drawn { take, .. }) = fixture.events.last() else {
        panic!("{:?}", fixture.events)
    };
    let path = take.path.clone();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    fs::write(&path, pointer).unwrap();
    fixture.push("a");
    fixture.wait_until_idle();
    assert!(fixture.error().unwrap().contains("Git LFS pointer"), "{:?}", fixture.error());
    assert_eq!(fixture.drawn(), ["a"], "drawn once");
    assert_eq!(fs::read_to_string(&path).unwrap(), pointer);
}

#[cfg(target_os = "linux")]
#[test]
fn drawing_threads_have_names_and_the_lowest_priority() {
    let fixture = StudioFixture::new();
    // Linux truncates thread names to 15 bytes.
    for name in ["illustrator-stu", "illustrator-dra"] {
        wait_until(name, || {
            let mut ours = threads();
            ours.retain(|(other, ..)| other == name);
            !ours.is_empty() && ours.iter().all(|(_, nice, _)| *nice == 19)
        });
    }
    drop(fixture);
}

#[test]
fn a_failed_save_of_the_queue_is_repeated() {
    let mut fixture = StudioFixture::new();
    fixture.studio.set_paused(true);
    let unfinished = fixture.art.root().join(".tmp");
    let _ = fs::remove_dir(&unfinished);
    fs::write(&unfinished, "in the way").unwrap();
    fixture.push("a");
    std::thread::sleep(Duration::from_millis(50));
    assert!(fixture.queued_in_file().is_empty());
    fs::remove_file(&unfinished).unwrap();
    // The save is repeated even though the queue does not change.
    wait_until("the queue file", || fixture.queued_in_file() == ["a"]);
}
