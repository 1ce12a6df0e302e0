//! Interrupted downloads, and wrong bytes.

use super::*;

/// Weights that differ at each offset.
fn weights() -> Vec<u8> {
    (0..20_000_u32).map(|n| (n % 251) as u8).collect()
}

/// A hub with [`weights`] in Git LFS.
fn fake(faults: impl IntoIterator<Item = Fault>) -> Fake {
    let mut fake = Fake::new(&model(&weights()));
    fake.sha256.insert(UNET.to_owned(), sha256(&weights()));
    fake.faults = faults.into_iter().collect();
    fake
}

/// The unfinished file of the weights, with these contents.
fn part(cache: &CacheFolder, contents: &[u8]) -> PathBuf {
    let blobs = cache.path().join("models--us--sketch/blobs");
    let part = blobs.join(sha256(&weights())).with_extension("part");
    fs::create_dir_all(blobs).expect("a folder");
    fs::write(&part, contents).expect("written");
    part
}

#[test]
fn an_interrupted_download_resumes_and_a_second_download_fetches_nothing() {
    let server = fake([Fault::Half]).start();
    let cache = CacheFolder::new();
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    let mut arrived = Vec::new();
    let folder =
        listing.download(&mut |_, bytes| arrived.push(bytes), &|| false).expect("downloaded");
    assert_eq!(fs::read(folder.join(UNET)).expect("readable"), weights());
    assert!(folder.join("model_index.json").exists());
    assert!(arrived.is_sorted() && arrived.last() == Some(&listing.bytes()), "{arrived:?}");
    assert_eq!(server.ranges(UNET), ["", "bytes=10000-"]);

    let requests = server.requests().len();
    assert_eq!(listing.download(&mut |_, _| {}, &|| false).expect("there"), folder);
    assert_eq!(server.requests().len(), requests);
}

#[test]
fn a_resumed_download_recovers_from_every_unexpected_response() {
    let whole = ["", "bytes=10000-", ""];
    let rest = ["", "bytes=10000-", "bytes=10000-"];
    for (fault, ranges) in [
        (Fault::Status("503 Service Unavailable"), &rest[..]),
        (Fault::Status("429 Too Many Requests"), &rest),
        (Fault::Status("416 Range Not Satisfiable"), &whole),
        (Fault::Whole, &whole[..2]),
        (Fault::ContentRange("bytes 0-19999/20000"), &whole),
        (Fault::ContentRange("bytes 10000-19999/30000"), &whole),
        (Fault::ContentRange("bytes 10000-19999/99999999999999999999999"), &whole),
        (Fault::ContentRange("bytes */20000"), &whole),
        (Fault::ContentRange(""), &whole),
        (Fault::ContentRange("bytes 10000-19999/*"), &whole[..2]),
        (Fault::Half, &["", "bytes=10000-", "bytes=15000-"]),
    ] {
        let server = fake([Fault::Half, fault.clone()]).start();
        let cache = CacheFolder::new();
        let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
        let folder = listing.download(&mut |_, _| {}, &|| false).expect("downloaded");
        assert_eq!(fs::read(folder.join(UNET)).expect("readable"), weights(), "{fault:?}");
        assert_eq!(server.ranges(UNET), ranges, "{fault:?}");
    }
}

#[test]
fn an_unfinished_file_of_any_length_and_contents_is_completed() {
    let all = weights();
    for (contents, ranges) in [
        (all.clone(), &[][..]),
        (all[..7].to_vec(), &["bytes=7-"]),
        ([&all[..], b"more"].concat(), &[""]),
        (vec![0; all.len()], &[""]),
        (vec![0; 7], &["bytes=7-", ""]),
    ] {
        let cache = CacheFolder::new();
        let part = part(&cache, &contents);
        let server = fake([]).start();
        let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
        let folder = listing.download(&mut |_, _| {}, &|| false).expect("downloaded");
        assert_eq!(fs::read(folder.join(UNET)).expect("readable"), all);
        assert_eq!(server.ranges(UNET), ranges, "{} bytes", contents.len());
        assert!(!part.exists());
    }
}

#[test]
fn a_resumed_request_names_the_entity_tag_unless_it_is_weak() {
    for (etag, if_range) in [("\"a1\"", Some("\"a1\"")), ("W/\"a1\"", None), ("", None)] {
        let mut fake = fake([Fault::Half]);
        fake.etag = etag.to_owned();
        let server = fake.start();
        let cache = CacheFolder::new();
        let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
        listing.download(&mut |_, _| {}, &|| false).expect("downloaded");
        let requests = server.requests_for(UNET);
        let sent = |it: &Request| it.headers.get("if-range").cloned();
        assert_eq!(requests.iter().map(sent).collect::<Vec<_>>(), [None, if_range.map(Into::into)]);
    }
}

#[test]
fn a_download_that_keeps_failing_ends_and_keeps_its_bytes() {
    let server = fake(vec![Fault::Half; 9]).start();
    let cache = CacheFolder::new();
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    let error = listing.download(&mut |_, _| {}, &|| false).expect_err("broken");
    assert!(matches!(error, HubError::Body { .. } | HubError::Incomplete { .. }), "{error}");
    assert_eq!(server.ranges(UNET).len(), 4);
    let parts = contents(&cache.path().join("models--us--sketch/blobs"));
    let parts: Vec<_> = parts.iter().filter(|it| it.extension().is_some()).collect();
    assert_eq!(parts.len(), 1);
    assert_eq!(fs::read(parts[0]).expect("readable"), weights()[..18_750]);
}

#[test]
fn a_failed_download_without_bytes_leaves_no_file() {
    for status in ["403 Forbidden", "500 Internal Server Error"] {
        let (cache, downloaded) = download(fake(vec![Fault::Status(status); 9]));
        let error = downloaded.expect_err("refused");
        assert!(error.to_string().contains(&status[..3]), "{error}");
        let left = contents(&cache.path());
        assert!(left.iter().all(|it| it.extension().is_none_or(|end| end != "part")), "{left:?}");
    }
}

#[test]
fn a_file_that_differs_from_the_listing_is_refused_and_removed() {
    for weights in [b"wrong!!", b"weights"] {
        let mut lfs = Fake::new(&model(weights));
        lfs.sha256.insert(UNET.to_owned(), sha256(b"another"));
        let mut git = Fake::new(&model(weights));
        git.blob_ids.insert(UNET.to_owned(), git_blob_id(b"another"));
        for (fake, hash) in [(lfs, "SHA-256"), (git, "git blob id")] {
            let (cache, downloaded) = download(fake);
            let error = downloaded.expect_err("differs");
            assert!(matches!(error, HubError::Differs { .. }), "{error}");
            assert!(error.to_string().contains(hash) && error.to_string().contains(UNET));
            let left = contents(&cache.repo());
            assert!(left.iter().all(|it| !it.ends_with(UNET)), "{left:?}");
            assert_eq!(left.len(), 6, "three contents and three links: {left:?}");
        }
    }
}

#[test]
fn a_file_of_another_size_than_promised_is_refused() {
    for size in [0, 6, 8, u64::MAX] {
        let mut fake = Fake::new(&model(b"weights"));
        fake.sizes.insert(UNET.to_owned(), size.into());
        let (cache, downloaded) = download(fake);
        let error = downloaded.expect_err("another size");
        assert!(error.to_string().contains(UNET), "{error}");
        assert!(contents(&cache.path()).iter().all(|it| !it.ends_with(UNET)));
    }
    // Without a `content-length`, the connection ends too soon.
    let mut fake = fake([Fault::Unsized]);
    fake.sizes.insert(UNET.to_owned(), 20_001.into());
    let (cache, downloaded) = download(fake);
    let error = downloaded.expect_err("short");
    assert!(matches!(&error, HubError::Size { found: 20_000, .. }), "{error}");
    assert!(contents(&cache.path()).iter().all(|it| !it.ends_with(UNET)));
}

#[test]
fn nothing_larger_than_promised_is_written() {
    // The right file, followed by more.
    let server = fake([Fault::Endless]).start();
    let cache = CacheFolder::new();
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    let mut largest = 0;
    let folder = listing.download(&mut |_, arrived| largest = largest.max(arrived), &|| false);
    assert_eq!(fs::read(folder.expect("downloaded").join(UNET)).expect("readable"), weights());
    assert_eq!(largest, listing.bytes());

    // A file that is larger than its promised size.
    let mut larger = fake([Fault::Endless]);
    larger.sizes.insert(UNET.to_owned(), 100.into());
    let server = larger.start();
    let cache = CacheFolder::new();
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    let mut largest = 0;
    let downloaded = listing.download(&mut |_, arrived| largest = largest.max(arrived), &|| false);
    assert!(matches!(downloaded, Err(HubError::Differs { .. })));
    assert_eq!(largest, listing.bytes());
}

/// A kill at any time leaves what is on disk at that time.
#[test]
fn a_file_has_no_final_name_before_it_is_checked() {
    let server = fake([]).start();
    let cache = CacheFolder::new();
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    let blob = cache.path().join("models--us--sketch/blobs").join(sha256(&weights()));
    let mut calls = 0;
    listing
        .download(
            &mut |file, _| {
                if file.path == UNET {
                    calls += 1;
                    assert!(!blob.exists(), "the contents are not checked yet");
                    assert!(contents(&cache.path()).iter().all(|it| !it.ends_with(UNET)));
                }
            },
            &|| false,
        )
        .expect("downloaded");
    assert!(calls > 1 && blob.exists());
}

#[test]
fn wrong_contents_in_the_cache_are_replaced() {
    let wrong: [(&str, fn(&Path)); 3] = [
        ("other bytes", |file| fs::write(file, vec![0; 20_000]).expect("written")),
        ("a part", |file| fs::write(file, &weights()[..9]).expect("written")),
        ("no file", |file| fs::remove_file(file.canonicalize().expect("a link")).expect("removed")),
    ];
    for (what, damage) in wrong {
        let server = fake([]).start();
        let cache = CacheFolder::new();
        let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
        let folder = listing.download(&mut |_, _| {}, &|| false).expect("downloaded");
        damage(&folder.join(UNET));
        listing.download(&mut |_, _| {}, &|| false).expect("downloaded");
        assert_eq!(fs::read(folder.join(UNET)).expect("readable"), weights(), "{what}");
        assert_eq!(server.ranges(UNET).len(), 2, "{what}");
        assert_eq!(server.ranges("README.md").len(), 1, "{what}");
    }
}

#[test]
fn a_file_in_the_cache_without_its_link_is_not_downloaded_again() {
    let server = fake([]).start();
    let cache = CacheFolder::new();
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    let folder = listing.download(&mut |_, _| {}, &|| false).expect("downloaded");
    fs::remove_file(folder.join(UNET)).expect("removed");
    listing.download(&mut |_, _| {}, &|| false).expect("downloaded");
    assert_eq!(fs::read(folder.join(UNET)).expect("readable"), weights());
    assert_eq!(server.ranges(UNET).len(), 1);
    assert_eq!(contents(&cache.repo()).len(), 8, "four contents and four links");
}

#[test]
fn a_file_that_another_process_downloads_is_left_alone() {
    let cache = CacheFolder::new();
    let part = part(&cache, b"begun");
    // The lock file of `huggingface_hub`.
    let locks = cache.path().join(".locks/models--us--sketch");
    fs::create_dir_all(&locks).expect("a folder");
    let lock = locks.join(sha256(&weights())).with_extension("lock");
    let other = fs::File::create(lock).expect("open");
    other.lock().expect("locked");
    let server = fake([]).start();
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    let error = listing.download(&mut |_, _| {}, &|| false).expect_err("busy");
    assert!(matches!(&error, HubError::Busy { path } if *path == part), "{error}");
    assert_eq!(fs::read(&part).expect("readable"), b"begun");
}
