//! Tests against hubs on the loopback interface.

mod component;
mod foreign;
mod prepared;
mod resume;
mod server;
mod time;

use std::{fs, path::Path, time::Duration};

use super::*;
use server::{
    Fake, Fault, Reply, Request, SHA, Server, UNET, git_blob_id, head, model, response, sha256,
};

/// A temporary folder for a cache and a token file.
struct CacheFolder(tempfile::TempDir);

impl CacheFolder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn with_token(token: &str) -> Self {
        let cache = Self::new();
        fs::write(cache.0.path().join("token"), token).expect("written");
        cache
    }

    /// A hub with limits that suit a server on the same machine.
    fn hub(&self, server: &Server) -> Hub {
        let limits = Limits {
            connect: Duration::from_secs(2),
            response: Duration::from_secs(1),
            idle: Duration::from_secs(1),
            period: Duration::from_millis(200),
            period_bytes: 1000,
            pause: Duration::from_millis(1),
        };
        let variables = Variables::default();
        Hub { limits, variables, ..Hub::at(&server.url, self.path()) }
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("hub")
    }

    /// The folder of the repository.
    fn repo(&self) -> PathBuf {
        self.path().join("models--us--sketch")
    }
}

/// Downloads the model of a hub into a new cache.
fn download(fake: Fake) -> (CacheFolder, Result<PathBuf, HubError>) {
    let server = fake.start();
    let cache = CacheFolder::new();
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    let downloaded = listing.download(&mut |_, _| {});
    (cache, downloaded)
}

/// All entries of a folder, recursively, including links.
fn contents(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let entries = entries.flat_map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => contents(&entry.path()),
        _ => vec![entry.path()],
    });
    entries.collect()
}

#[test]
fn listing_names_the_needed_files_and_downloads_none() {
    let server = Fake::new(&model(&[7; 1000])).start();
    let cache = CacheFolder::new();
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    let files: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(files, ["model_index.json", "README.md", "unet/config.json", UNET]);
    assert_eq!(listing.licence.as_deref(), Some("mit"));
    assert_eq!(listing.bytes(), 2 + 20 + 3 + 1000);
    assert_eq!(server.requests().len(), 1);
    assert!(!cache.path().exists());
}

#[test]
fn a_model_card_may_name_several_licences_or_none() {
    use serde_json::json;
    let cases = [
        (json!("mit"), Some("mit")),
        (json!(["mit", "cc0-1.0"]), Some("mit, cc0-1.0")),
        (json!(null), None),
    ];
    for (licence, expected) in cases {
        let mut fake = Fake::new(&model(b"weights"));
        fake.licence = licence;
        let listing = CacheFolder::new().hub(&fake.start()).list("us/sketch", "main");
        assert_eq!(listing.expect("listed").licence.as_deref(), expected);
    }
}

#[test]
fn an_empty_file_is_downloaded() {
    let server = Fake::new(&[&model(b"weights")[..], &[("LICENSE", b"")]].concat()).start();
    let cache = CacheFolder::new();
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    let folder = listing.download(&mut |_, _| {}).expect("downloaded");
    assert_eq!(fs::read(folder.join("LICENSE")).expect("readable"), b"");
}

#[test]
fn an_unknown_repository_and_one_without_a_model_are_refused() {
    let server = Fake::new(&[("model_index.json", b"{}")]).start();
    let cache = CacheFolder::new();
    let list = |repo| cache.hub(&server).list(repo, "main");
    assert!(matches!(list("us/sketch"), Err(HubError::NoModel { .. })));
    let error = list("us/other").expect_err("unknown").to_string();
    assert!(error.contains("us/other") && error.contains("404"), "{error}");
}

#[test]
fn mobile_sam_is_downloaded_as_one_file_and_found_in_the_cache() {
    let (repo, file) = MOBILE_SAM;
    let mut fake = Fake::new(&[("sam_vit_b_01ec64.safetensors", b"never"), (file, &[3; 50])]);
    fake.repo = repo;
    let server = fake.start();
    let cache = CacheFolder::new();
    assert_eq!(cache.hub(&server).mobile_sam(), None);
    let listing = cache.hub(&server).list_mobile_sam().expect("listed");
    assert_eq!((listing.files.len(), listing.bytes()), (1, 50));
    let folder = listing.download(&mut |_, _| {}).expect("downloaded");
    assert_eq!(cache.hub(&server).mobile_sam(), Some(folder.join(file)));
    assert_eq!(fs::read(folder.join(file)).expect("readable"), [3; 50]);

    let mut moved = Fake::new(&[("README.md", b"moved")]);
    moved.repo = repo;
    let error = cache.hub(&moved.start()).list_mobile_sam().expect_err("gone");
    assert!(matches!(error, HubError::NoFile { .. }), "{error}");
}

#[test]
fn the_cache_is_below_hf_home_or_the_home_folder() {
    let folder = |hf_home: Option<&str>, home: Option<&str>| {
        cache_folder(hf_home.map(Into::into), home.map(Into::into)).ok()
    };
    assert_eq!(folder(Some("/models"), Some("/home/ona")), Some("/models/hub".into()));
    let usual = Some("/home/ona/.cache/huggingface/hub".into());
    assert_eq!(folder(None, Some("/home/ona")), usual);
    for home in [None, Some("")] {
        let error = cache_folder(None, home.map(Into::into)).expect_err("no folder");
        assert!(error.to_string().contains("HF_HOME"), "{error}");
    }
}
