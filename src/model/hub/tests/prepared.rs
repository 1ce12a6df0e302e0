//! Caches that other programs change meanwhile, and caches that come from somebody else, with links.

use super::*;

/// A file outside the cache that must not change.
const NOVEL: &[u8] = b"ten years of work";

/// Downloads into a cache that `prepare` changes first. It gets the folder of the repository and the
/// path of a file outside the cache.
fn download_into(
    prepare: impl FnOnce(&Path, &Path),
) -> (CacheFolder, tempfile::TempDir, Result<PathBuf, HubError>) {
    let server = Fake::new(&model(b"weights")).start();
    let cache = CacheFolder::new();
    let outside = tempfile::tempdir().expect("a folder");
    let novel = outside.path().join("README.md");
    fs::write(&novel, NOVEL).expect("written");
    fs::create_dir_all(cache.repo().join("blobs")).expect("a folder");
    fs::create_dir_all(cache.repo().join("snapshots")).expect("a folder");
    prepare(&cache.repo(), &novel);
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    let downloaded = listing.download(&mut |_, _| {}, &|| false);
    assert_eq!(fs::read(&novel).expect("readable"), NOVEL);
    assert!(!novel.symlink_metadata().expect("there").is_symlink());
    (cache, outside, downloaded)
}

fn part_of_weights(repo: &Path) -> PathBuf {
    repo.join("blobs").join(git_blob_id(b"weights")).with_extension("part")
}

/// Asserts that the error names the file and the reason.
fn assert_refused(downloaded: Result<PathBuf, HubError>, name: &Path, reason: &str) {
    let error = downloaded.expect_err("refused");
    assert!(matches!(&error, HubError::NotOwn { path, .. } if path == name), "{error}");
    assert!(error.to_string().contains(reason), "{error}");
}

#[test]
fn two_downloads_at_once_never_leave_an_empty_file() {
    // The other download finishes between the look at the cache and the look at the part.
    let server = Fake::new(&model(b"weights")).start();
    let cache = CacheFolder::new();
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    let folder = listing.download(&mut |_, _| {}, &|| false).expect("downloaded");
    let part = part_of_weights(&cache.repo());
    let blob = part.with_extension("");
    // A part that is the finished blob: the first program has it open while it is renamed.
    fs::hard_link(&blob, &part).expect("linked");
    fs::remove_file(folder.join(UNET)).expect("removed");
    listing.download(&mut |_, _| {}, &|| false).expect("downloaded");
    assert_eq!(fs::read(folder.join(UNET)).expect("readable"), b"weights");
    assert_eq!(fs::read(blob).expect("readable"), b"weights");
    assert!(!part.exists());
}

#[test]
fn threads_that_download_the_same_model_get_all_files_or_an_error() {
    for _ in 0..20 {
        let server = Fake::new(&model(&[7; 5000])).start();
        let cache = CacheFolder::new();
        let done: Vec<_> = std::thread::scope(|scope| {
            let start = || {
                let hub = cache.hub(&server);
                scope.spawn(|| hub.list("us/sketch", "main")?.download(&mut |_, _| {}, &|| false))
            };
            let threads: Vec<_> = (0..3).map(|_| start()).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert!(done.iter().any(Result::is_ok), "{done:?}");
        for done in done {
            match done {
                Ok(folder) => {
                    assert_eq!(fs::read(folder.join(UNET)).expect("readable"), [7; 5000]);
                    assert_eq!(fs::read(folder.join("model_index.json")).expect("there"), b"{}");
                }
                Err(error) => assert!(matches!(error, HubError::Busy { .. }), "{error}"),
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn a_part_that_is_a_link_or_a_pipe_or_has_other_names_is_refused() {
    let kinds: [(&str, fn(&Path, &Path)); 3] = [
        ("link", |part, novel| std::os::unix::fs::symlink(novel, part).expect("linked")),
        ("others", |part, novel| fs::hard_link(novel, part).expect("linked")),
        ("no regular file", |part, _| {
            let made = std::process::Command::new("mkfifo").arg(part).status();
            assert!(made.expect("mkfifo runs").success());
        }),
    ];
    for (reason, make) in kinds {
        let (cache, _outside, downloaded) =
            download_into(|repo, novel| make(&part_of_weights(repo), novel));
        assert_refused(downloaded, &part_of_weights(&cache.repo()), reason);
    }
}

#[cfg(unix)]
#[test]
fn a_folder_of_the_cache_that_is_a_link_is_refused() {
    for name in ["blobs", "snapshots", &format!("snapshots/{SHA}")] {
        let (cache, outside, downloaded) = download_into(|repo, novel| {
            let _ = fs::remove_dir(repo.join(name));
            let outside = novel.parent().expect("a folder");
            std::os::unix::fs::symlink(outside, repo.join(name)).expect("linked");
        });
        assert_refused(downloaded, &cache.repo().join(name), "link");
        assert_eq!(contents(outside.path()).len(), 1);
    }
}

#[cfg(unix)]
#[test]
fn the_folder_of_the_repository_may_be_a_link() {
    let elsewhere = tempfile::tempdir().expect("a folder");
    let (_cache, _outside, downloaded) = download_into(|repo, _| {
        fs::remove_dir_all(repo).expect("removed");
        std::os::unix::fs::symlink(elsewhere.path(), repo).expect("linked");
    });
    let folder = downloaded.expect("downloaded");
    assert_eq!(fs::read(folder.join(UNET)).expect("readable"), b"weights");
}

#[cfg(unix)]
#[test]
fn a_link_in_place_of_a_blob_is_replaced_and_its_target_stays() {
    let (cache, _outside, downloaded) = download_into(|repo, novel| {
        let blob = part_of_weights(repo).with_extension("");
        std::os::unix::fs::symlink(novel, blob).expect("linked");
    });
    let folder = downloaded.expect("downloaded");
    assert_eq!(fs::read(folder.join(UNET)).expect("readable"), b"weights");
    let blob = part_of_weights(&cache.repo()).with_extension("");
    assert!(blob.symlink_metadata().expect("there").is_file());
}
