//! A hub of our own on this machine, which can break off.

use super::*;
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// A hub of our own on the loopback interface, with one repository `us/sketch`.
struct FakeHub {
    endpoint: String,
    /// `path range` of every request for a file's contents.
    asked: Arc<Mutex<Vec<String>>>,
}

fn hub_with(files: &[(&str, &[u8])], promised: &[(&str, &str)], cut_once: &str) -> FakeHub {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let siblings: Vec<_> = files
        .iter()
        .map(|(name, content)| {
            let sha = promised.iter().find(|(file, _)| file == name);
            let lfs = sha.map(|(_, sha256)| serde_json::json!({ "sha256": sha256 }));
            serde_json::json!({ "rfilename": name, "size": content.len(), "lfs": lfs })
        })
        .collect();
    let card = serde_json::json!({ "license": "mit" });
    let info = serde_json::json!({ "sha": SHA, "siblings": siblings, "cardData": card });
    let files: HashMap<String, Vec<u8>> =
        files.iter().map(|(name, content)| ((*name).to_owned(), content.to_vec())).collect();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (log, mut cut) = (Arc::clone(&asked), Some(cut_once.to_owned()));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream, &info.to_string(), &files, &log, &mut cut);
        }
    });
    FakeHub { endpoint, asked }
}

fn answer(
    mut stream: TcpStream,
    info: &str,
    files: &HashMap<String, Vec<u8>>,
    log: &Mutex<Vec<String>>,
    cut: &mut Option<String>,
) {
    let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
    let request = lines.next().and_then(Result::ok).unwrap_or_default();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let headers: Vec<String> =
        lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let repo = ["us/sketch", MOBILE_SAM.0].into_iter().find(|repo| path.contains(repo));
    let repo = repo.unwrap_or_default();
    if path == format!("/api/models/{repo}/revision/main?blobs=true") {
        let head = format!("content-length: {}\r\nconnection: close", info.len());
        let _ = write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n{info}");
        return;
    }
    let name = path.strip_prefix(&format!("/{repo}/resolve/{SHA}/")).unwrap_or_default();
    let Some(content) = files.get(name) else {
        let _ = write!(stream, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
        return;
    };
    let range = headers.iter().find_map(|line| {
        line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned)
    });
    let (from, to) = range.as_deref().and_then(|r| r.split_once('-')).expect("a range");
    let from: usize = from.parse().expect("a number");
    let to = to.parse().map_or(content.len(), |to: usize| to + 1);
    let mut body = &content[from..to];
    if to == content.len() {
        log.lock().expect("no panic").push(format!("{name} {from}"));
    }
    let head = format!(
        "content-length: {}\r\ncontent-range: bytes {from}-{}/{}\r\nx-repo-commit: {SHA}\r\n\
         etag: \"{}\"\r\nconnection: close",
        body.len(),
        to - 1,
        content.len(),
        name.replace(['/', '.'], "-"),
    );
    if to == content.len() && cut.as_deref() == Some(name) {
        *cut = None;
        body = &body[..body.len() / 2];
    }
    let _ = write!(stream, "HTTP/1.1 206 Partial Content\r\n{head}\r\n\r\n");
    let _ = stream.write_all(body);
}

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

fn a_model<'a>(weights: &'a [u8]) -> Vec<(&'a str, &'a [u8])> {
    vec![
        ("model_index.json", b"{}"),
        ("README.md", b"---\nlicense: mit\n---"),
        ("v1-5.ckpt", b"never"),
        ("v1-5.safetensors", b"never"),
        ("../evil.json", b"never"),
        ("unet/../../evil.json", b"never"),
        ("safety_checker/model.safetensors", b"never"),
        ("unet/diffusion_pytorch_model.bin", b"never"),
        ("unet/diffusion_pytorch_model.fp16.safetensors", b"never"),
        ("unet/config.json", b"{}"),
        (UNET, weights),
    ]
}

fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_would_come_is_listed_before_anything_comes() {
    let hub = hub_with(&a_model(&[7; 1000]), &[], "");
    let cache = tempfile::tempdir().expect("a folder");
    let listing = Hub::at(&hub.endpoint, cache.path()).list("us/sketch", "main").expect("listed");
    let files: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(files, ["model_index.json", "README.md", "unet/config.json", UNET]);
    assert_eq!(listing.licence.as_deref(), Some("mit"));
    assert_eq!(listing.bytes(), 2 + 20 + 2 + 1000);
    assert!(hub.asked.lock().expect("no panic").is_empty());
    assert!(cache.path().read_dir().expect("readable").next().is_none());
}

#[test]
fn a_download_that_is_cut_off_goes_on_and_a_second_one_fetches_nothing() {
    let weights: Vec<u8> = (0..20_000_u32).map(|n| (n % 251) as u8).collect();
    let hub = hub_with(&a_model(&weights), &[(UNET, &sha256(&weights))], UNET);
    let cache = tempfile::tempdir().expect("a folder");
    let listing = Hub::at(&hub.endpoint, cache.path()).list("us/sketch", "main").expect("listed");
    let folder = listing.download(&mut |_, _| {}).expect("downloaded");
    assert_eq!(std::fs::read(folder.join(UNET)).expect("readable"), weights);
    assert!(folder.join("model_index.json").exists());
    let asked = hub.asked.lock().expect("no panic").clone();
    let of_unet: Vec<&String> = asked.iter().filter(|a| a.starts_with(UNET)).collect();
    assert_eq!(of_unet, [&format!("{UNET} 0"), &format!("{UNET} 10000")]);

    assert_eq!(listing.download(&mut |_, _| {}).expect("there"), folder);
    assert_eq!(*hub.asked.lock().expect("no panic"), asked);
}

#[test]
fn a_file_that_differs_from_what_was_promised_is_refused_and_removed() {
    let weights = [1; 300];
    let hub = hub_with(&a_model(&weights), &[(UNET, &sha256(b"another"))], "");
    let cache = tempfile::tempdir().expect("a folder");
    let listing = Hub::at(&hub.endpoint, cache.path()).list("us/sketch", "main").expect("listed");
    let error = listing.download(&mut |_, _| {}).expect_err("differs");
    assert!(matches!(&error, HubError::Differs { path } if !path.exists()), "{error}");
}

#[test]
fn an_unknown_repository_and_one_without_a_model_are_refused() {
    let hub = hub_with(&[("model_index.json", b"{}")], &[], "");
    let cache = tempfile::tempdir().expect("a folder");
    let list = |repo| Hub::at(&hub.endpoint, cache.path()).list(repo, "main");
    assert!(matches!(list("us/sketch"), Err(HubError::NoModel { .. })));
    let error = list("us/other").expect_err("unknown").to_string();
    assert!(error.contains("us/other") && error.contains("404"), "{error}");
}

#[test]
fn of_mobile_sam_the_one_file_is_fetched_and_found_again() {
    let (_, file) = MOBILE_SAM;
    let hub = hub_with(&[("sam_vit_b_01ec64.safetensors", b"never"), (file, &[3; 50])], &[], "");
    let cache = tempfile::tempdir().expect("a folder");
    let here = || Hub::at(&hub.endpoint, cache.path());
    assert_eq!(here().mobile_sam(), None);
    let listing = here().list_mobile_sam().expect("listed");
    assert_eq!((listing.files.len(), listing.bytes()), (1, 50));
    let folder = listing.download(&mut |_, _| {}).expect("downloaded");
    assert_eq!(here().mobile_sam(), Some(folder.join(file)));
    assert_eq!(std::fs::read(folder.join(file)).expect("readable"), [3; 50]);

    let hub = hub_with(&[("README.md", b"moved")], &[], "");
    let error = Hub::at(&hub.endpoint, cache.path()).list_mobile_sam().expect_err("gone");
    assert!(matches!(error, HubError::NoFile { .. }), "{error}");
}
