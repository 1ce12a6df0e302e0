//! Closing a studio or cancelling a job while a model loads.

use bevy_illustrator::{
    art::Art,
    recipe::{Recipe, Sampler},
    studio::{Resume, Studio, StudioEvent},
};

use super::common::{FAKE_NEEDS, Fakes, recipe, shot, wait_until};

fn studio(art: &Art, fakes: &Fakes) -> Studio {
    Studio::start(fakes.registry(), art.writer(), |_, _| Resume::Draw).unwrap()
}

#[test]
fn closing_a_studio_interrupts_loading_a_model() {
    let (dir, fakes) = (tempfile::tempdir().unwrap(), Fakes::default());
    let art = Art::open(dir.path()).unwrap();
    let mut studio = studio(&art, &fakes);
    fakes.hold_loading(true);
    studio.push(vec![(shot("a"), recipe("a"))], false);
    wait_until("loading", || fakes.loads() == ["fake"]);
    let closing = std::thread::spawn(move || drop(studio));
    wait_until("the studio to be closed", || closing.is_finished());
    // The job is still queued.
    fakes.hold_loading(false);
    let studio = self::studio(&art, &fakes);
    wait_until("the picture", || studio.jobs().is_empty());
    assert_eq!(fakes.drawn().len(), 1);
}

#[test]
fn a_job_can_be_cancelled_while_its_model_loads() {
    let (dir, fakes) = (tempfile::tempdir().unwrap(), Fakes::default());
    let art = Art::open(dir.path()).unwrap();
    let mut studio = studio(&art, &fakes);
    fakes.hold_loading(true);
    let jobs = studio.push(vec![(shot("a"), recipe("a"))], false);
    wait_until("loading", || fakes.loads() == ["fake"]);
    let loading = || studio.jobs()[0].progress.as_ref().and_then(|progress| progress.loading);
    wait_until("the memory that the model needs", || loading() == Some(FAKE_NEEDS));
    studio.cancel(jobs[0]);
    wait_until("the cancellation", || studio.jobs().is_empty());
    fakes.hold_loading(false);
    studio.push(vec![(shot("b"), recipe("b"))], false);
    wait_until("the next picture", || studio.jobs().is_empty());
    let drawn: Vec<_> = fakes.drawn().into_iter().map(|recipe| recipe.prompt).collect();
    assert_eq!(drawn, ["b"]);
}

#[test]
fn a_picture_of_the_wrong_size_is_refused() {
    let (dir, fakes) = (tempfile::tempdir().unwrap(), Fakes::default());
    let art = Art::open(dir.path()).unwrap();
    let mut studio = studio(&art, &fakes);
    fakes.draw_wrong_size();
    studio.push(vec![(shot("a"), recipe("a"))], false);
    wait_until("the failure", || studio.jobs().is_empty());
    let error = studio.poll().into_iter().find_map(|event| match event {
        StudioEvent::Failed { error, .. } => Some(error.to_string()),
        _ => None,
    });
    let (size, error) = (recipe("a").size, error.unwrap());
    let found = format!("{}x{} pixels instead of {size}", size.width, size.height + 1);
    assert!(error.contains(&found), "{error}");
    assert!(!dir.path().join("takes").exists(), "the picture is not saved");
}

#[test]
fn a_job_whose_model_is_loaded_needs_no_memory_for_loading() {
    let (dir, fakes) = (tempfile::tempdir().unwrap(), Fakes::default());
    let art = Art::open(dir.path()).unwrap();
    let mut studio = studio(&art, &fakes);
    fakes.hold_after(1);
    studio.push(vec![(shot("a"), recipe("a"))], false);
    wait_until("the first step", || fakes.steps_done() == 1);
    let progress = studio.jobs()[0].progress.clone().unwrap();
    assert_eq!(progress.loading, None);
    fakes.release();
}

#[test]
fn the_number_of_steps_is_that_of_the_model_before_the_first_step() {
    let (dir, fakes) = (tempfile::tempdir().unwrap(), Fakes::default());
    let art = Art::open(dir.path()).unwrap();
    let mut studio = studio(&art, &fakes);
    fakes.hold_after(0);
    let quick = Recipe { model: "quick".to_owned(), ..recipe("a") };
    let quick = Recipe { sampler: Sampler::default(), ..quick };
    studio.push(vec![(shot("a"), quick)], false);
    let steps = || studio.jobs()[0].progress.as_ref().map(|progress| (progress.done, progress.of));
    wait_until("the steps of the model", || steps() == Some((0, 3)));
    fakes.release();
}
