//! Tests against hubs on the loopback interface.

mod cached;
mod component;
mod foreign;
mod prepared;
mod resume;
mod server;
mod task;
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
    let downloaded = listing.download(&mut |_, _| {}, &|| false);
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
    let folder = listing.download(&mut |_, _| {}, &|| false).expect("downloaded");
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
    let folder = listing.download(&mut |_, _| {}, &|| false).expect("downloaded");
    assert_eq!(cache.hub(&server).mobile_sam(), Some(folder.join(file)));
    assert_eq!(fs::read(folder.join(file)).expect("readable"), [3; 50]);

    let mut moved = Fake::new(&[("README.md", b"moved")]);
    moved.repo = repo;
    let error = cache.hub(&moved.start()).list_mobile_sam().expect_err("gone");
    assert!(matches!(error, HubError::NoFile { .. }), "{error}");
}

#[test]
fn the_folder_of_hugging_face_is_hf_home_or_in_the_home_folder() {
    let folder = |variable: Option<&str>, home: Option<&str>| {
        hf_home(variable.map(Into::into), home.map(Into::into))
    };
    assert_eq!(folder(Some("/models"), Some("/home/ona")), Some("/models".into()));
    assert_eq!(folder(None, Some("/home/ona")), Some("/home/ona/.cache/huggingface".into()));
    for home in [None, Some("")] {
        assert_eq!(folder(None, home), None);
    }
}

#[test]
fn the_weights_of_a_variant_replace_the_main_ones_where_they_exist() {
    let files = [
        "model_index.json",
        "text_encoder/config.json",
        "text_encoder/model.fp16.safetensors",
        "text_encoder/model.safetensors",
        "unet/config.json",
        "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
        "unet/diffusion_pytorch_model.fp16-00001-of-00001.safetensors",
        "unet/diffusion_pytorch_model.safetensors.index.fp16.json",
        "unet/diffusion_pytorch_model.safetensors.index.json",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    ];
    let contents = files.map(|file| (file, &b"1"[..]));
    let server = Fake::new(&contents).start();
    let cache = CacheFolder::new();
    let hub = cache.hub(&server);
    let listing = hub.clone().list_variant("us/sketch", "main", "fp16").expect("listed");
    let found: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
    let expected = [0, 1, 2, 4, 6, 7, 9, 10].map(|at| files[at]);
    assert_eq!(found, expected);
    let error = hub.list_variant("us/sketch", "main", "fp8").expect_err("no such variant");
    assert!(matches!(error, HubError::NoVariant { .. }), "{error}");
}

#[test]
fn no_request_is_sent_offline() {
    let server = Fake::new(&model(b"weights")).start();
    let cache = CacheFolder::new();
    let hub = Hub { is_offline: true, ..cache.hub(&server) };
    let error = hub.list("us/sketch", "main").expect_err("offline");
    assert!(error.to_string().contains("HF_HUB_OFFLINE"), "{error}");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn the_token_of_the_environment_precedes_that_of_the_file() {
    let server = Fake::new(&model(b"weights")).start();
    let cache = CacheFolder::with_token("hf_file");
    for (token, expected) in [(None, "Bearer hf_file"), (Some("hf_variable"), "Bearer hf_variable")]
    {
        let token = token.map(|token| Token::from(token.to_owned()));
        let hub = Hub { token, ..cache.hub(&server) };
        hub.list("us/sketch", "main").expect("listed");
        let requests = server.requests();
        let headers = &requests.last().expect("a request").headers;
        assert_eq!(headers.get("authorization").map(String::as_str), Some(expected));
    }
}

#[test]
fn a_cancelled_download_keeps_its_bytes() {
    let weights = vec![7; 1 << 20];
    let server = Fake::new(&model(&weights)).start();
    let cache = CacheFolder::new();
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    let arrived = std::cell::Cell::new(0);
    let mut on_bytes = |file: &RemoteFile, bytes| {
        if file.path == UNET {
            arrived.set(bytes);
        }
    };
    let cancelled = listing.download(&mut on_bytes, &|| arrived.get() > 100_000);
    assert!(matches!(cancelled, Err(HubError::Cancelled)));
    let kept = arrived.get();
    assert!(kept < weights.len() as u64, "{kept}");
    listing.download(&mut |_, _| {}, &|| false).expect("resumed");
    let ranges = server.ranges(UNET);
    assert_eq!(ranges.len(), 2);
    // The first files have 25 bytes.
    assert_eq!(ranges[1], format!("bytes={}-", kept - 25));
}
