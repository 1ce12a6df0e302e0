//! The size and the removal of downloads.

use super::*;

/// A cache with a downloaded model, and the hub.
fn downloaded() -> (CacheFolder, Hub) {
    let server = Fake::new(&model(&[7; 1000])).start();
    let cache = CacheFolder::new();
    let hub = cache.hub(&server);
    let listing = hub.clone().list("us/sketch", "main").expect("listed");
    listing.download(&mut |_, _| {}, &|| false).expect("downloaded");
    (cache, hub)
}

#[test]
fn a_removed_repository_frees_its_bytes_and_leaves_others() {
    let (cache, hub) = downloaded();
    let other = cache.path().join("models--us--sketch-2/blobs/a");
    fs::create_dir_all(other.parent().expect("a folder")).expect("created");
    fs::write(&other, b"others").expect("written");
    let bytes = 2 + 20 + 3 + 1000;
    assert_eq!(hub.cached_bytes("us/sketch").expect("a name"), Some(bytes));
    assert_eq!(hub.remove("us/sketch").expect("removed"), bytes);
    assert_eq!(hub.cached_bytes("us/sketch").expect("a name"), None);
    assert!(!cache.repo().exists() && other.exists());
    let error = hub.remove("us/sketch").expect_err("gone");
    assert!(matches!(error, HubError::NotCached { .. }), "{error}");
}

#[test]
fn a_name_that_could_be_another_folder_is_refused() {
    let (cache, hub) = downloaded();
    for name in ["sketch", "us/sketch/..", "us\\sketch", "us/", "/sketch", "us/a:b", ""] {
        assert!(matches!(hub.remove(name), Err(HubError::RepoName { .. })), "{name}");
    }
    assert!(cache.repo().exists());
}

#[test]
fn nothing_is_removed_during_a_download() {
    let (cache, hub) = downloaded();
    let hash = git_blob_id(&[7; 1000]);
    let name = Path::new("models--us--sketch");
    let lock = cache::lock(&cache.path(), name, &hash).expect("opened").expect("free");
    assert!(matches!(hub.remove("us/sketch"), Err(HubError::Busy { .. })));
    assert!(cache.repo().exists());
    drop(lock);
    hub.remove("us/sketch").expect("removed");
}

#[cfg(unix)]
#[test]
fn what_a_link_leads_to_is_not_removed() {
    let (cache, hub) = downloaded();
    let elsewhere = tempfile::tempdir().expect("a folder");
    fs::write(elsewhere.path().join("mine"), b"mine").expect("written");
    std::os::unix::fs::symlink(elsewhere.path(), cache.repo().join("link")).expect("linked");
    hub.remove("us/sketch").expect("removed");
    assert!(elsewhere.path().join("mine").exists());
    std::os::unix::fs::symlink(elsewhere.path(), cache.repo()).expect("linked");
    assert!(matches!(hub.remove("us/sketch"), Err(HubError::NotOwn { .. })));
    assert!(elsewhere.path().join("mine").exists());
}
