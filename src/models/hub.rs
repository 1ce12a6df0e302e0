//! Download of a diffusers folder, or of MobileSAM's weights, from the Hugging Face hub.
//!
//! Two steps, so that nothing starts unasked: [`Hub::list`] tells what would come (files, sizes,
//! licence) and fetches no file; [`Listing::download`] fetches it. Only the parts that run here are
//! taken, and of them only safetensors, JSON and text files. A download that was cut off goes on
//! where it stopped, and each weight file is checked against the SHA-256 that the hub tells.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use hf_hub::{
    Cache, CacheRepo, Repo, RepoType,
    api::{
        Progress,
        sync::{ApiBuilder, ApiError, ApiRepo},
    },
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The parts of a pipeline that run here; a safety checker, for one, would be fetched for nothing.
const PARTS: [&str; 5] = ["scheduler", "text_encoder", "tokenizer", "unet", "vae"];

/// Repository and file of MobileSAM's weights as safetensors.
const MOBILE_SAM: (&str, &str) = ("lmz/candle-sam", "mobile_sam-tiny-vitt.safetensors");

/// Where models come from and where they are kept.
#[derive(Debug)]
pub struct Hub {
    api: ApiBuilder,
    cache: Cache,
}

/// What a download would bring.
#[derive(Debug)]
pub struct Listing {
    /// The commit that it stands for, as the hub names it.
    pub commit: String,
    /// The licence that the model card names.
    pub licence: Option<String>,
    /// The files, in the hub's order.
    pub files: Vec<RemoteFile>,
    repo: ApiRepo,
    here: CacheRepo,
}

/// A file on the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its path below the model's folder.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    sha256: Option<String>,
}

/// Why nothing was downloaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The hub cannot be asked, or says no.
    #[error("the hub does not give {repo}: {source}")]
    Api {
        /// The repository.
        repo: String,
        /// What went wrong.
        source: ApiError,
    },
    /// The repository holds no diffusers folder.
    #[error("{repo} holds no diffusers folder with .safetensors files")]
    NoModel {
        /// The repository.
        repo: String,
    },
    /// The repository holds no such file.
    #[error("{repo} holds no {file}")]
    NoFile {
        /// The repository.
        repo: String,
        /// The file.
        file: String,
    },
    /// A file arrived, but not the one that the hub promised.
    #[error(
        "{path} is not what the hub promised (its SHA-256 differs): it was removed, download it again"
    )]
    Differs {
        /// The file.
        path: PathBuf,
    },
    /// The file that arrived cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Called with the bytes that came since the last call, and the file that they belong to.
pub type OnBytes<'a> = dyn FnMut(&RemoteFile, u64) + 'a;

impl Hub {
    /// The public hub and its usual cache folder; `HF_ENDPOINT` and `HF_HOME` name others.
    #[must_use]
    pub fn from_env() -> Self {
        Self { api: ApiBuilder::from_env(), cache: Cache::from_env() }
    }

    /// Another address and cache folder.
    #[must_use]
    pub fn at(endpoint: impl Into<String>, cache: impl Into<PathBuf>) -> Self {
        let cache = Cache::new(cache.into());
        let api = ApiBuilder::from_cache(cache.clone()).with_endpoint(endpoint.into());
        Self { api, cache }
    }

    /// Tells what a download of this repository would bring, and downloads nothing. `revision` is a
    /// branch, a tag or a commit.
    ///
    /// # Errors
    /// When the hub cannot be asked, does not know the repository, or it holds no diffusers folder.
    pub fn list(self, repo: &str, revision: &str) -> Result<Listing, HubError> {
        let listing = self.listing(repo, revision, wanted)?;
        let has = |end: &str| listing.files.iter().any(|file| file.path.ends_with(end));
        if has("model_index.json") && has(".safetensors") {
            Ok(listing)
        } else {
            Err(HubError::NoModel { repo: repo.to_owned() })
        }
    }

    /// Tells what a download of MobileSAM's weights would bring ([`Sam`](crate::mask::sam::Sam) reads them),
    /// and downloads nothing.
    ///
    /// # Errors
    /// When the hub cannot be asked, or does not have them any more.
    pub fn list_mobile_sam(self) -> Result<Listing, HubError> {
        let (repo, file) = MOBILE_SAM;
        let wanted = |mut siblings: Vec<Sibling>| {
            siblings.retain(|sibling| sibling.rfilename == file);
            siblings.into_iter().map(Into::into).collect()
        };
        let listing = self.listing(repo, "main", wanted)?;
        if listing.files.is_empty() {
            return Err(HubError::NoFile { repo: repo.to_owned(), file: file.to_owned() });
        }
        Ok(listing)
    }

    /// MobileSAM's weights, if they were downloaded before.
    #[must_use]
    pub fn mobile_sam(&self) -> Option<PathBuf> {
        let (repo, file) = MOBILE_SAM;
        let commits = self.cache.repo(Repo::model(repo.to_owned())).pointer_path("");
        let commits = commits.read_dir().ok()?.flatten();
        commits.map(|commit| commit.path().join(file)).find(|file| file.exists())
    }

    fn listing(
        self,
        repo: &str,
        revision: &str,
        wanted: impl FnOnce(Vec<Sibling>) -> Vec<RemoteFile>,
    ) -> Result<Listing, HubError> {
        let failed = |source| HubError::Api { repo: repo.to_owned(), source };
        let api = self.api.with_retries(3).build().map_err(failed)?;
        let named = |revision: &str| {
            Repo::with_revision(repo.to_owned(), RepoType::Model, revision.to_owned())
        };
        let request = api.repo(named(revision)).info_request().query("blobs", "true");
        let ask = || -> Result<Answer, ureq::Error> { request.call()?.body_mut().read_json() };
        let answer = ask().map_err(|error| failed(Box::new(error).into()))?;
        // Files of one commit belong together, even when the branch moves on while they come.
        let repo = api.repo(named(&answer.sha));
        let here = self.cache.repo(named(&answer.sha));
        let licence = answer.card.and_then(|card| card.license_name.or(card.license));
        Ok(Listing { commit: answer.sha, licence, files: wanted(answer.siblings), repo, here })
    }
}

impl Listing {
    /// Size of all files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Downloads what is not there yet, and returns the folder that holds it all.
    ///
    /// # Errors
    /// When the hub stops answering, a file differs from what it promised, or the disk refuses. What
    /// has come so far stays, and the next call goes on from there.
    pub fn download(&self, on_bytes: &mut OnBytes<'_>) -> Result<PathBuf, HubError> {
        for file in &self.files {
            if self.here.get(&file.path).is_some() {
                continue;
            }
            let progress = Report { file, on_bytes };
            let path = self
                .repo
                .download_with_progress(&file.path, progress)
                .map_err(|source| HubError::Api { repo: file.path.clone(), source })?;
            file.check(&path)?;
        }
        Ok(self.here.pointer_path(&self.commit))
    }
}

impl RemoteFile {
    /// Compares a file that has come with what the hub promised.
    fn check(&self, path: &Path) -> Result<(), HubError> {
        let Some(promised) = &self.sha256 else { return Ok(()) };
        let read = |source| HubError::Read { path: path.to_path_buf(), source };
        let mut hash = Sha256::new();
        io::copy(&mut File::open(path).map_err(read)?, &mut hash).map_err(read)?;
        let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if found == *promised {
            return Ok(());
        }
        // The link in the folder and the file that it points to, so that the next download is whole.
        if let Ok(blob) = path.canonicalize() {
            std::fs::remove_file(blob).map_err(read)?;
        }
        Err(HubError::Differs { path: path.to_path_buf() })
    }
}

/// What we take of a repository.
fn wanted(siblings: Vec<Sibling>) -> Vec<RemoteFile> {
    let names: BTreeSet<String> = siblings.iter().map(|s| s.rfilename.clone()).collect();
    let kept = |path: &str| match path.split_once('/') {
        None => path == "model_index.json" || path == "README.md" || path.starts_with("LICENSE"),
        Some((part, file)) => {
            // Of two precisions the full one; `model.non_ema.safetensors` is for training.
            let twin = ["fp16", "non_ema"].iter().any(|variant| {
                let whole = path.replace(&format!(".{variant}."), ".");
                whole != path && names.contains(&whole)
            });
            let known = matches!(file.rsplit_once('.'), Some((_, "safetensors" | "json" | "txt")));
            PARTS.contains(&part) && !file.contains(['/', '\\']) && known && !twin
        }
    };
    siblings.into_iter().filter(|sibling| kept(&sibling.rfilename)).map(Into::into).collect()
}

impl From<Sibling> for RemoteFile {
    fn from(sibling: Sibling) -> Self {
        Self {
            path: sibling.rfilename,
            bytes: sibling.size.unwrap_or(0),
            sha256: sibling.lfs.map(|lfs| lfs.sha256),
        }
    }
}

/// What the hub says of a repository.
#[derive(Deserialize)]
struct Answer {
    sha: String,
    siblings: Vec<Sibling>,
    #[serde(rename = "cardData")]
    card: Option<Card>,
}

#[derive(Deserialize)]
struct Card {
    license: Option<String>,
    license_name: Option<String>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: String,
}

struct Report<'a, 'b> {
    file: &'a RemoteFile,
    on_bytes: &'a mut OnBytes<'b>,
}

impl Progress for Report<'_, '_> {
    fn init(&mut self, _size: usize, _filename: &str) {}

    fn update(&mut self, bytes: usize) {
        (self.on_bytes)(self.file, bytes as u64);
    }

    fn finish(&mut self) {}
}

#[cfg(test)]
mod tests {
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
        let listing =
            Hub::at(&hub.endpoint, cache.path()).list("us/sketch", "main").expect("listed");
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
        let listing =
            Hub::at(&hub.endpoint, cache.path()).list("us/sketch", "main").expect("listed");
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
        let listing =
            Hub::at(&hub.endpoint, cache.path()).list("us/sketch", "main").expect("listed");
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
        let hub =
            hub_with(&[("sam_vit_b_01ec64.safetensors", b"never"), (file, &[3; 50])], &[], "");
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
}
