//! Hubs on the loopback interface, including broken and malicious ones.

use std::{
    collections::{HashMap, VecDeque},
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use sha1::Sha1;
use sha2::{Digest, Sha256};

pub(super) const SHA: &str = "0123456789abcdef0123456789abcdef01234567";
pub(super) const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

/// One HTTP request as a server sees it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) headers: HashMap<String, String>,
}

/// What a server sends.
pub(super) enum Reply {
    /// These bytes. Then the connection ends.
    Bytes(Vec<u8>),
    /// These bytes. Then nothing, on an open connection.
    Silence(Vec<u8>),
    /// The first bytes. Then the others again and again, with pauses, until the client ends the
    /// connection.
    Drip(Vec<u8>, &'static [u8], Duration),
}

/// A server on the loopback interface, and the requests that it received.
pub(super) struct Server {
    pub(super) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(super) fn start(mut answer: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            let mut open = Vec::new();
            for mut stream in listener.incoming().flatten() {
                let request = read_request(&stream);
                log.lock().expect("no panic").push(request.clone());
                match answer(&request) {
                    Reply::Bytes(bytes) => _ = stream.write_all(&bytes),
                    Reply::Silence(bytes) => {
                        let _ = stream.write_all(&bytes);
                        open.push(stream);
                    }
                    Reply::Drip(bytes, more, pause) => {
                        let mut sent = stream.write_all(&bytes);
                        while sent.is_ok() {
                            thread::sleep(pause);
                            sent = stream.write_all(more);
                        }
                    }
                }
            }
        });
        Self { url, requests }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic").clone()
    }

    /// The requests for a file.
    pub(super) fn requests_for(&self, file: &str) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|it| it.path.ends_with(&format!("/resolve/{SHA}/{file}")));
        requests
    }

    /// The `Range` header of each request for a file. Empty if there is none.
    pub(super) fn ranges(&self, file: &str) -> Vec<String> {
        let range = |it: &Request| it.headers.get("range").cloned().unwrap_or_default();
        self.requests_for(file).iter().map(range).collect()
    }
}

fn read_request(stream: &TcpStream) -> Request {
    let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
    let first = lines.next().and_then(Result::ok).unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let headers = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
    let headers = headers.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Request { path, headers: headers.collect() }
}

/// The head of a response, without `content-length`.
pub(super) fn head(status: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    (head + "\r\n").into_bytes()
}

pub(super) fn response(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    let all = [headers, &[("content-length", length.as_str())]].concat();
    [head(status, &all), body.to_vec()].concat()
}

/// A wrong response to one request for the weights of [`UNET`].
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// An error, with an empty body.
    Status(&'static str),
    /// The connection ends in the middle of the requested bytes.
    Half,
    /// The whole file, whatever range was requested.
    Whole,
    /// Status 206 with another `content-range`. Empty: without one.
    ContentRange(&'static str),
    /// The requested bytes without their length.
    Unsized,
    /// The file, then bytes without end.
    Endless,
    /// The head, then nothing.
    Silence,
    /// The head, then a byte at a time.
    Drip,
    /// A chunked response that starts so, then these bytes again and again.
    Chunked(&'static [u8], &'static [u8]),
}

/// The behaviour of a test hub.
#[derive(Clone)]
pub(super) struct Fake {
    pub(super) repo: &'static str,
    pub(super) commit: String,
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// The SHA-256 of files in Git LFS.
    pub(super) sha256: HashMap<String, String>,
    /// Git's blob ids in the listing, if they are not the correct ones.
    pub(super) blob_ids: HashMap<String, String>,
    /// Sizes in the listing, if they are not the correct ones.
    pub(super) sizes: HashMap<String, serde_json::Value>,
    /// The `etag` header of files.
    pub(super) etag: String,
    /// The `x-repo-commit` header of files.
    pub(super) file_commit: String,
    /// The responses to the first requests for [`UNET`].
    pub(super) faults: VecDeque<Fault>,
    /// A server that files are redirected to.
    pub(super) files_at: Option<String>,
    pub(super) licence: serde_json::Value,
}

impl Fake {
    pub(super) fn new(files: &[(&str, &[u8])]) -> Self {
        Self {
            repo: "us/sketch",
            commit: SHA.to_owned(),
            files: files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect(),
            sha256: HashMap::new(),
            blob_ids: HashMap::new(),
            sizes: HashMap::new(),
            etag: "\"tag\"".to_owned(),
            file_commit: SHA.to_owned(),
            faults: VecDeque::new(),
            files_at: None,
            licence: "mit".into(),
        }
    }

    pub(super) fn start(mut self) -> Server {
        Server::start(move |request| self.answer(request))
    }

    pub(super) fn answer(&mut self, request: &Request) -> Reply {
        let repo = self.repo;
        if request.path == format!("/api/models/{repo}/revision/main?blobs=true") {
            return Reply::Bytes(response("200 OK", &[], self.info().as_bytes()));
        }
        let name = request.path.strip_prefix(&format!("/{repo}/resolve/{SHA}/"));
        let file = self.files.iter().find(|(file, _)| Some(file.as_str()) == name);
        let Some((name, content)) = file else {
            return Reply::Bytes(response("404 Not Found", &[], b""));
        };
        if let Some(place) = &self.files_at {
            let location = format!("{place}{}", request.path);
            return Reply::Bytes(response("302 Found", &[("location", &location)], b""));
        }
        let fault = (name == UNET).then(|| self.faults.pop_front()).flatten();
        let range = request.headers.get("range");
        let range = range.filter(|_| !matches!(fault, Some(Fault::Whole)));
        let from = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        let from: usize = from.map_or(0, |from| from.parse().expect("a number"));
        if range.is_some() && from >= content.len() {
            return Reply::Bytes(response("416 Range Not Satisfiable", &[], b""));
        }
        let body = &content[from..];
        let (length, size) = (body.len().to_string(), content.len());
        let mut content_range = format!("bytes {from}-{}/{size}", size.saturating_sub(1));
        if let Some(Fault::ContentRange(other)) = fault {
            content_range = other.to_owned();
        }
        let mut headers = vec![("x-repo-commit", self.file_commit.as_str()), ("etag", &self.etag)];
        let mut status = "200 OK";
        if range.is_some() {
            status = "206 Partial Content";
            if !content_range.is_empty() {
                headers.push(("content-range", &content_range));
            }
        }
        let sized = head(status, &[&headers[..], &[("content-length", &length)]].concat());
        match fault {
            Some(Fault::Status(status)) => Reply::Bytes(response(status, &[], b"")),
            Some(Fault::Half) => Reply::Bytes([&sized, &body[..body.len() / 2]].concat()),
            Some(Fault::Unsized) => Reply::Bytes([&head(status, &headers), body].concat()),
            Some(Fault::Endless) => {
                let endless = [&head(status, &headers), body].concat();
                Reply::Drip(endless, b"x", Duration::ZERO)
            }
            Some(Fault::Silence) => Reply::Silence(sized),
            Some(Fault::Drip) => Reply::Drip(sized, b"x", Duration::from_millis(20)),
            Some(Fault::Chunked(start, more)) => {
                let head = head("200 OK", &[("transfer-encoding", "chunked")]);
                Reply::Drip([&head, start].concat(), more, Duration::from_millis(20))
            }
            Some(Fault::Whole | Fault::ContentRange(_)) | None => {
                Reply::Bytes([&sized, body].concat())
            }
        }
    }

    fn info(&self) -> String {
        let siblings = self.files.iter().map(|(name, content)| {
            let lfs = self.sha256.get(name).map(|sha256| serde_json::json!({ "sha256": sha256 }));
            let blob_id = self.blob_ids.get(name).cloned().unwrap_or_else(|| git_blob_id(content));
            let size = self.sizes.get(name).cloned().unwrap_or_else(|| content.len().into());
            serde_json::json!({ "rfilename": name, "size": size, "blobId": blob_id, "lfs": lfs })
        });
        let siblings: Vec<_> = siblings.collect();
        let card = serde_json::json!({ "license": self.licence });
        serde_json::json!({ "sha": self.commit, "siblings": siblings, "cardData": card })
            .to_string()
    }
}

/// The files of a model with these weights. Files with the contents `never` are not needed.
pub(super) fn model(weights: &[u8]) -> Vec<(&str, &[u8])> {
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

pub(super) fn sha256(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

pub(super) fn git_blob_id(content: &[u8]) -> String {
    let blob = [format!("blob {}\0", content.len()).as_bytes(), content].concat();
    hex(&Sha1::digest(blob))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
