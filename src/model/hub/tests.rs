//! Tests against hubs on the loopback interface, including broken and malicious ones.

use super::*;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";
const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

/// One HTTP request as a server sees it.
#[derive(Clone, Debug)]
struct Request {
    method: String,
    path: String,
    headers: HashMap<String, String>,
}

/// A server on the loopback interface, and the requests that it received.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// `answer` returns the response to a request, without `connection` header.
    fn start(mut answer: impl FnMut(&Request) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let request = read_request(&stream);
                log.lock().expect("no panic").push(request.clone());
                let _ = stream.write_all(&answer(&request));
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic").clone()
    }

    /// The path and first byte of each request for the contents of a file.
    fn fetched(&self) -> Vec<String> {
        let requests = self.requests();
        let gets = requests.iter().filter(|it| it.method == "GET" && it.path.contains("/resolve/"));
        gets.map(|it| {
            let name = it.path.rsplit_once(&format!("/{SHA}/")).expect("a file").1;
            let from = it
                .headers
                .get("range")
                .map_or("0", |range| range.trim_start_matches("bytes=").trim_end_matches('-'));
            format!("{name} {from}")
        })
        .collect()
    }
}

fn read_request(stream: &TcpStream) -> Request {
    let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
    let first = lines.next().and_then(Result::ok).unwrap_or_default();
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
    let headers = headers.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Request { method, path, headers: headers.collect() }
}

fn response(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "content-length") {
        head += &format!("content-length: {}\r\n", body.len());
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// The behaviour of a test hub.
#[derive(Clone)]
struct Fake {
    repo: &'static str,
    commit: String,
    files: Vec<(String, Vec<u8>)>,
    sha256: HashMap<String, String>,
    /// An entity tag that replaces the correct ones.
    etag: Option<String>,
    /// The `x-repo-commit` header of files.
    file_commit: String,
    /// A file whose first response ends in the middle.
    break_once: Option<String>,
    /// A server that files are redirected to.
    files_at: Option<String>,
}

impl Fake {
    fn new(files: &[(&str, &[u8])]) -> Self {
        Self {
            repo: "us/sketch",
            commit: SHA.to_owned(),
            files: files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect(),
            sha256: HashMap::new(),
            etag: None,
            file_commit: SHA.to_owned(),
            break_once: None,
            files_at: None,
        }
    }

    fn start(mut self) -> Server {
        Server::start(move |request| self.answer(request))
    }

    fn answer(&mut self, request: &Request) -> Vec<u8> {
        let repo = self.repo;
        if request.path == format!("/api/models/{repo}/revision/main?blobs=true") {
            return response("200 OK", &[], self.info().as_bytes());
        }
        let name = request.path.strip_prefix(&format!("/{repo}/resolve/{SHA}/"));
        let file = self.files.iter().find(|(file, _)| Some(file.as_str()) == name);
        let Some((name, content)) = file else { return response("404 Not Found", &[], b"") };
        let etag = self.etag.clone().unwrap_or_else(|| sha256(content));
        if let Some(place) = &self.files_at {
            let location = format!("{place}{}", request.path);
            let headers = [
                ("location", location.as_str()),
                ("x-repo-commit", &self.file_commit),
                ("x-linked-etag", &format!("\"{etag}\"")),
            ];
            return response("302 Found", &headers, b"");
        }
        let headers =
            [("x-repo-commit", self.file_commit.as_str()), ("etag", &format!("\"{etag}\""))];
        if request.method == "HEAD" {
            return response("200 OK", &headers, b"");
        }
        let range = request.headers.get("range");
        let from = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        let from: usize = from.map_or(0, |from| from.parse().expect("a number"));
        let (length, mut body) = ((content.len() - from).to_string(), &content[from..]);
        if self.break_once.as_ref() == Some(name) {
            self.break_once = None;
            body = &body[..body.len() / 2];
        }
        let status = if range.is_some() { "206 Partial Content" } else { "200 OK" };
        response(status, &[&headers[..], &[("content-length", &length)]].concat(), body)
    }

    fn info(&self) -> String {
        let siblings = self.files.iter().map(|(name, content)| {
            let lfs = self.sha256.get(name).map(|sha256| serde_json::json!({ "sha256": sha256 }));
            serde_json::json!({ "rfilename": name, "size": content.len(), "lfs": lfs })
        });
        let siblings: Vec<_> = siblings.collect();
        let card = serde_json::json!({ "license": "mit" });
        serde_json::json!({ "sha": self.commit, "siblings": siblings, "cardData": card })
            .to_string()
    }
}

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

    fn hub(&self, server: &Server) -> Hub {
        Hub::at(&server.url, self.path())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("hub")
    }
}

fn model(weights: &[u8]) -> Vec<(&str, &[u8])> {
    vec![
        ("model_index.json", b"{}"),
        ("README.md", b"---\nlicense: mit\n---"),
        ("v1-5.ckpt", b"never"),
        ("v1-5.safetensors", b"never"),
        ("safety_checker/model.safetensors", b"never"),
        ("unet/deep/config.json", b"never"),
        ("unet/diffusion_pytorch_model.bin", b"never"),
        ("unet/diffusion_pytorch_model.fp16.safetensors", b"never"),
        ("unet/config.json", b"{ }"),
        (UNET, weights),
    ]
}

fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
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
fn an_interrupted_download_resumes_and_a_second_download_fetches_nothing() {
    let weights: Vec<u8> = (0..20_000_u32).map(|n| (n % 251) as u8).collect();
    let mut fake = Fake::new(&model(&weights));
    fake.sha256.insert(UNET.to_owned(), sha256(&weights));
    fake.break_once = Some(UNET.to_owned());
    let server = fake.start();
    let cache = CacheFolder::new();
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    let mut arrived = 0;
    let folder = listing.download(&mut |_, bytes| arrived += bytes).expect("downloaded");
    assert_eq!(fs::read(folder.join(UNET)).expect("readable"), weights);
    assert!(folder.join("model_index.json").exists());
    assert_eq!(arrived, listing.bytes());
    let fetched = server.fetched();
    let of_unet: Vec<&String> = fetched.iter().filter(|it| it.starts_with(UNET)).collect();
    assert_eq!(of_unet, [&format!("{UNET} 0"), &format!("{UNET} 10000")]);

    let requests = server.requests().len();
    assert_eq!(listing.download(&mut |_, _| {}).expect("there"), folder);
    assert_eq!(server.requests().len(), requests);
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
fn a_file_that_differs_from_the_listing_is_refused_and_removed() {
    let mut fake = Fake::new(&model(&[1; 300]));
    fake.sha256.insert(UNET.to_owned(), sha256(b"another"));
    let server = fake.start();
    let cache = CacheFolder::new();
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    let error = listing.download(&mut |_, _| {}).expect_err("differs");
    assert!(matches!(&error, HubError::Differs { path } if !path.exists()), "{error}");
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
fn the_token_goes_to_the_hub_and_to_no_other_server() {
    let files = Fake::new(&model(b"weights"));
    let elsewhere = files.clone().start();
    let server = Fake { files_at: Some(elsewhere.url.clone()), ..files }.start();
    let cache = CacheFolder::with_token("hf_secret");
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    let folder = listing.download(&mut |_, _| {}).expect("downloaded");
    assert_eq!(fs::read(folder.join(UNET)).expect("readable"), b"weights");

    let token = |it: &Request| it.headers.get("authorization").cloned();
    let at_hub = server.requests();
    assert!(at_hub.len() > listing.files.len());
    assert!(at_hub.iter().all(|it| token(it).as_deref() == Some("Bearer hf_secret")), "{at_hub:?}");
    let at_other = elsewhere.requests();
    assert_eq!(at_other.len(), listing.files.len());
    for request in at_other {
        assert!(!format!("{request:?}").contains("hf_secret"), "{request:?}");
    }
}

#[test]
fn the_token_does_not_follow_a_redirect_of_the_listing() {
    let elsewhere = Fake::new(&model(b"weights")).start();
    let target = elsewhere.url.clone();
    let server = Server::start(move |request| {
        let location = format!("{target}{}", request.path);
        response("307 Temporary Redirect", &[("location", &location)], b"")
    });
    let cache = CacheFolder::with_token("hf_secret");
    cache.hub(&server).list("us/sketch", "main").expect("listed");
    assert_eq!(elsewhere.requests().len(), 1);
    assert_eq!(elsewhere.requests()[0].headers.get("authorization"), None);
}

#[test]
fn a_redirect_within_the_hub_is_followed_with_the_token() {
    let mut fake = Fake::new(&model(b"weights"));
    let server = Server::start(move |request| match request.path.strip_prefix("/moved") {
        Some(path) => fake.answer(&Request { path: path.to_owned(), ..request.clone() }),
        None => {
            let location = format!("/moved{}", request.path);
            response("307 Temporary Redirect", &[("location", &location)], b"")
        }
    });
    let cache = CacheFolder::with_token("hf_secret");
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    listing.download(&mut |_, _| {}).expect("downloaded");
    let requests = server.requests();
    assert!(requests.iter().all(|it| it.headers.contains_key("authorization")), "{requests:?}");
}

#[test]
fn endless_redirects_and_redirects_to_files_are_refused() {
    for target in ["/again", "file:///etc/passwd", "//other/x", ""] {
        let server = Server::start(|_| response("302 Found", &[("location", target)], b""));
        let error = CacheFolder::new().hub(&server).list("us/sketch", "main").expect_err("refused");
        assert!(matches!(error, HubError::Redirect { .. }), "{target}: {error}");
    }
}

/// All entries of a folder, recursively, including links.
fn contents(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let entries = entries.flat_map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => contents(&entry.path()),
        _ => vec![entry.path()],
    });
    entries.collect()
}

#[test]
fn a_commit_that_is_not_a_hash_is_refused() {
    for commit in ["../../../evil", "/tmp/evil", "", "main", &SHA[1..], &format!("{SHA}/..")] {
        let mut fake = Fake::new(&model(b"weights"));
        fake.commit = commit.to_owned();
        let cache = CacheFolder::new();
        let error = cache.hub(&fake.start()).list("us/sketch", "main").expect_err("refused");
        let named =
            matches!(&error, HubError::Malformed { field: "commit", value, .. } if value == commit);
        assert!(named, "{error}");
    }
}

#[test]
fn an_entity_tag_that_is_not_a_hash_is_refused_and_writes_nothing() {
    for (etag, commit) in [("../../../evil", SHA), ("/tmp/evil", SHA), ("", SHA), (SHA, "../evil")]
    {
        let mut fake = Fake::new(&model(b"weights"));
        (fake.etag, fake.file_commit) = (Some(etag.to_owned()), commit.to_owned());
        let cache = CacheFolder::new();
        let listing = cache.hub(&fake.start()).list("us/sketch", "main").expect("listed");
        let error = listing.download(&mut |_, _| {}).expect_err("refused");
        let named = matches!(&error, HubError::Malformed { value, .. } if [etag, commit].contains(&value.as_str()));
        assert!(named, "{error}");
        assert!(contents(cache.0.path()).is_empty());
    }
}

#[test]
fn a_file_name_that_leaves_the_folder_is_refused() {
    let names = [
        "../evil.json",
        "unet/../../evil.json",
        "/etc/evil",
        "unet\\..\\evil",
        "C:evil",
        "a//b",
        "./a",
    ];
    for name in names {
        let server = Fake::new(&[&model(b"weights")[..], &[(name, b"evil")]].concat()).start();
        let error = CacheFolder::new().hub(&server).list("us/sketch", "main").expect_err("refused");
        let named = matches!(&error, HubError::Malformed { value, .. } if value == name);
        assert!(named && error.to_string().contains("file name"), "{error}");
    }
}

#[test]
fn a_checksum_that_is_not_a_hash_is_refused() {
    let mut fake = Fake::new(&model(b"weights"));
    fake.sha256.insert(UNET.to_owned(), "short".to_owned());
    let error =
        CacheFolder::new().hub(&fake.start()).list("us/sketch", "main").expect_err("refused");
    assert!(matches!(&error, HubError::Malformed { value, .. } if value == "short"), "{error}");
}
