//! Hubs that cannot be trusted: tokens, redirects and names.

use super::*;

#[test]
fn the_token_goes_to_the_hub_and_to_no_other_server() {
    let files = Fake::new(&model(b"weights"));
    let elsewhere = files.clone().start();
    let server = Fake { files_at: Some(elsewhere.url.clone()), ..files }.start();
    let cache = CacheFolder::with_token("hf_secret");
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    assert!(!format!("{listing:?}").contains("hf_secret"));
    let folder = listing.download(&mut |_, _| {}, &|| false).expect("downloaded");
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
        Reply::Bytes(response("307 Temporary Redirect", &[("location", &location)], b""))
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
            Reply::Bytes(response("307 Temporary Redirect", &[("location", &location)], b""))
        }
    });
    let cache = CacheFolder::with_token("hf_secret");
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    listing.download(&mut |_, _| {}, &|| false).expect("downloaded");
    let requests = server.requests();
    assert!(requests.iter().all(|it| it.headers.contains_key("authorization")), "{requests:?}");
}

#[test]
fn a_redirect_to_nowhere_or_to_a_file_is_refused() {
    let targets = [Some("file:///etc/passwd"), Some("//other/x"), Some("x"), Some(""), None];
    for target in targets {
        let headers: Vec<_> = target.map(|target| ("location", target)).into_iter().collect();
        let server = Server::start(move |_| Reply::Bytes(response("302 Found", &headers, b"")));
        let error = CacheFolder::new().hub(&server).list("us/sketch", "main").expect_err("refused");
        assert!(matches!(error, HubError::Redirect { .. }), "{target:?}: {error}");
    }
}

#[test]
fn passwords_and_signatures_of_urls_are_in_no_message() {
    let target = "ftp://files/a?X-Amz-Signature=SIGNED";
    let targets = [target, "/again?X-Amz-Signature=SIGNED", "//user:SECRET@a"];
    let mut errors = Vec::new();
    for target in targets {
        let server = Server::start(move |_| {
            Reply::Bytes(response("302 Found", &[("location", target)], b""))
        });
        let url = server.url.replace("//", "//user:SECRET@");
        let hub = Hub::at(url, CacheFolder::new().path());
        assert!(!format!("{hub:?}").contains("SECRET"), "{hub:?}");
        errors.push(hub.list("us/sketch", "main").expect_err("refused"));
    }
    let hub = Hub::at("http://user:SECRET@127.0.0.1:1/x y", "cache");
    errors.push(hub.list("us/sketch", "main").expect_err("refused"));
    for error in errors {
        let messages = format!("{error} {error:?}");
        assert!(!messages.contains("SECRET") && !messages.contains("SIGNED"), "{messages}");
    }

    let server = Fake::new(&model(b"weights")).start();
    let url = server.url.replace("//", "//user:SECRET@");
    let listing = Hub::at(url, CacheFolder::new().path()).list("us/sketch", "main");
    let shown = format!("{:?}", listing.expect("listed"));
    assert!(!shown.contains("SECRET"), "{shown}");
}

#[test]
fn a_redirect_to_itself_ends_after_ten_redirects() {
    let server =
        Server::start(|_| Reply::Bytes(response("302 Found", &[("location", "/again")], b"")));
    let error = CacheFolder::new().hub(&server).list("us/sketch", "main").expect_err("refused");
    assert!(matches!(error, HubError::TooManyRedirects { limit: 10, .. }), "{error}");
    assert_eq!(server.requests().len(), 11);
}

#[test]
fn a_status_without_content_is_an_error_that_names_it() {
    for status in ["304 Not Modified", "204 No Content", "206 Partial Content", "300 Choices"] {
        let number: u16 = status[..3].parse().expect("a number");
        let server = Server::start(move |_| Reply::Bytes(response(status, &[], b"")));
        let error = CacheFolder::new().hub(&server).list("us/sketch", "main").expect_err("refused");
        let named = matches!(&error, HubError::Status { status, .. } if *status == number);
        assert!(named, "{status}: {error}");
    }
    let mut fake = Fake::new(&model(b"weights"));
    fake.faults = [Fault::Status("304 Not Modified")].into();
    let (_, downloaded) = download(fake);
    let error = downloaded.expect_err("refused");
    assert!(matches!(&error, HubError::Status { status: 304, .. }), "{error}");
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
fn headers_of_a_file_decide_no_path() {
    for tag in ["../../../evil", "/tmp/evil", ""] {
        let mut fake = Fake::new(&model(b"weights"));
        (fake.etag, fake.file_commit) = (tag.to_owned(), tag.to_owned());
        let (cache, downloaded) = download(fake);
        let repo = cache.path().join("models--us--sketch");
        assert_eq!(downloaded.expect("downloaded"), repo.join("snapshots").join(SHA));
        let blobs = contents(&repo.join("blobs"));
        assert!(blobs.contains(&repo.join("blobs").join(git_blob_id(b"weights"))), "{blobs:?}");
        assert_eq!(contents(&cache.repo()).len(), 8, "four contents and four links");
    }
}

#[test]
fn a_file_name_that_leaves_the_folder_or_controls_a_terminal_is_refused() {
    let names = [
        "../evil.json",
        "unet/../../evil.json",
        "/etc/evil",
        "unet\\..\\evil",
        "C:evil",
        "a//b",
        "./a",
        "LICENSE\u{1b}[2J",
    ];
    for name in names {
        let server = Fake::new(&[&model(b"weights")[..], &[(name, b"evil")]].concat()).start();
        let error = CacheFolder::new().hub(&server).list("us/sketch", "main").expect_err("refused");
        let named = matches!(&error, HubError::Malformed { value, .. } if value == name);
        assert!(named && error.to_string().contains("file name"), "{error}");
        assert!(!error.to_string().contains('\u{1b}'));
    }
}

#[test]
fn a_file_name_is_escaped_in_its_url() {
    let name = "LICENSE 100%#?.txt";
    let fake =
        Fake::new(&[&model(b"weights")[..], &[("LICENSE%20100%25%23%3F.txt", b"x")]].concat());
    let mut listed = fake.clone();
    listed.files.last_mut().expect("a file").0 = name.to_owned();
    let (mut fake, mut listed) = (fake, listed);
    let server = Server::start(move |request| {
        if request.path.starts_with("/api/") {
            listed.answer(request)
        } else {
            fake.answer(request)
        }
    });
    let cache = CacheFolder::new();
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    let folder = listing.download(&mut |_, _| {}, &|| false).expect("downloaded");
    assert_eq!(fs::read(folder.join(name)).expect("readable"), b"x");
}

#[test]
fn a_hash_of_another_form_and_a_missing_hash_or_size_are_refused() {
    let expect_field = |fake: Fake, expected: &str| {
        let error =
            CacheFolder::new().hub(&fake.start()).list("us/sketch", "main").expect_err("refused");
        let named = matches!(&error, HubError::Malformed { field, .. } if *field == expected);
        assert!(named, "{error}");
    };
    let fake = Fake::new(&model(b"weights"));
    for value in ["short", "../../../evil", SHA] {
        let mut bad = fake.clone();
        bad.sha256.insert(UNET.to_owned(), value.to_owned());
        expect_field(bad, "SHA-256");
    }
    for value in ["", "../../../evil", &SHA[1..]] {
        let mut bad = fake.clone();
        bad.blob_ids.insert("README.md".to_owned(), value.to_owned());
        expect_field(bad, "blob id");
    }
    let mut bad = fake;
    bad.sizes.insert(UNET.to_owned(), serde_json::Value::Null);
    expect_field(bad, "size");
}

#[test]
fn sizes_that_overflow_are_errors() {
    let fake = |size: serde_json::Value| {
        let mut fake = Fake::new(&model(b"weights"));
        for file in ["README.md", UNET] {
            fake.sizes.insert(file.to_owned(), size.clone());
        }
        fake
    };
    for size in [serde_json::json!(-1), serde_json::json!(1e30), serde_json::json!("7")] {
        let server = fake(size.clone()).start();
        let error = CacheFolder::new().hub(&server).list("us/sketch", "main").expect_err("refused");
        assert!(matches!(error, HubError::Listing { .. }), "{size}: {error}");
    }
    let cache = CacheFolder::new();
    let server = fake(serde_json::json!(u64::MAX)).start();
    let listing = cache.hub(&server).list("us/sketch", "main").expect("listed");
    assert_eq!(listing.bytes(), u64::MAX);
    let error = listing.download(&mut |_, _| {}, &|| false).expect_err("refused");
    assert!(matches!(&error, HubError::Size { found: 20, expected: u64::MAX, .. }), "{error}");

    let length = ("content-length", "99999999999999999999999");
    let server = Server::start(move |_| Reply::Bytes(head("200 OK", &[length])));
    let error = CacheFolder::new().hub(&server).list("us/sketch", "main").expect_err("refused");
    assert!(matches!(error, HubError::Api { .. }), "{error}");
}
