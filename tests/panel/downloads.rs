//! Downloads in the models tab, from a hub on the loopback interface.
#![cfg(feature = "hub")]

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use bevy_illustrator::{
    memory::Memory,
    model::{CatalogueEntry, hub::Hub},
    panel::Tab,
};

use egui_kittest::kittest::Queryable;
use walkdir::WalkDir;

use super::support::*;

#[expect(dead_code, reason = "the unit tests use more of it")]
#[path = "../../src/model/hub/tests/server.rs"]
mod server;

use server::Fake;

/// The files of the built-in model, with their paths in a repository.
fn sketch() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models/sketch");
    let files = WalkDir::new(&folder).into_iter().map(Result::unwrap);
    let files = files.filter(|file| file.file_type().is_file());
    let named = files.map(|file| {
        let name = file.path().strip_prefix(&folder).unwrap().display().to_string();
        (name.replace('\\', "/"), fs::read(file.path()).unwrap())
    });
    named.collect()
}

/// A hub with the built-in model in this repository, and a panel that downloads from it into the folder.
fn open(repo: &'static str, cache: &Path) -> (server::Server, Panel) {
    let files = sketch();
    let files: Vec<_> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let mut fake = Fake::new(&files);
    fake.repo = repo;
    let server = fake.start();
    let mut fixture = Fixture::new(story());
    fixture.panel.set_hub(Hub::at(&server.url, cache));
    fixture.panel.tab = Tab::Models;
    let panel = open_in(fixture, [480.0, 2400.0]);
    (server, panel)
}

#[test]
fn a_model_is_downloaded_after_consent_used_and_removed() {
    let cache = tempfile::tempdir().unwrap();
    let (server, mut panel) = open("us/harbour", cache.path());
    panel.get_by_label("Another repository of the hub").focus();
    panel.run_steps(2);
    panel.get_by_label("Another repository of the hub").type_text("us/harbour");
    panel.run_steps(2);
    // The field and its button fit, so that the panel does not grow.
    assert!(panel.get_by_label("Download…").rect().right() < 475.0);
    press(&mut panel, "Download…");
    wait_for(&mut panel, "Download us/harbour");
    assert!(has(&panel, "Licence mit: pictures may be sold"));
    assert_eq!(server.requests().len(), 1, "only the listing");
    press(&mut panel, "Download us/harbour");
    wait_for(&mut panel, "Use us/harbour");

    press(&mut panel, "Use us/harbour");
    press(&mut panel, "Remove us/harbour");
    assert!(has(&panel, "The style uses this model."));
    press(&mut panel, "Delete us/harbour");
    let end = Instant::now() + Duration::from_secs(20);
    while has(&panel, "us/harbour") {
        assert!(Instant::now() < end, "the model is still there");
        thread::sleep(Duration::from_millis(5));
        panel.run_steps(1);
    }
    assert_eq!(fs::read_dir(cache.path().join("models--us--harbour")).ok().map(|_| ()), None);
}

#[test]
fn the_catalogue_tells_size_memory_and_licence_and_an_error_of_the_hub() {
    let cache = tempfile::tempdir().unwrap();
    let (_server, mut panel) = open("us/harbour", cache.path());
    let entry = CatalogueEntry::recommended(Memory::now()).unwrap();
    assert!(has(&panel, &entry.name) && has(&panel, &entry.good_for));
    let top = |panel: &Panel, words: &str| panel.get_by_label(words).rect().top();
    let recommended = top(&panel, "Recommended for this machine");
    for other in CatalogueEntry::all().iter().filter(|other| *other != entry) {
        assert!(recommended < top(&panel, &format!("Look up {}", other.name)), "{}", other.name);
    }
    press(&mut panel, &format!("Look up {}", entry.name));
    wait_for(&mut panel, "it returns status 404");
    assert!(has(&panel, &format!("Try {} again", entry.name)));
}
