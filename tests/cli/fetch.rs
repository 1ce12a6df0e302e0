//! `illustrate models fetch`.
#![cfg(feature = "hub")]

#[expect(dead_code, reason = "the unit tests use more of it")]
#[path = "../../src/model/hub/tests/server.rs"]
mod server;

use std::fs::File;

use super::*;
use server::{Fake, Fault, Server, UNET, model};

/// `models fetch us/sketch` from this hub, into the folder `home`.
fn fetch(workspace: &Workspace, server: &Server, more: &[&str]) -> Command {
    let mut command = workspace.command(&[&["models", "fetch", "us/sketch"], more].concat());
    command.env("HF_ENDPOINT", &server.url).env("HF_HOME", workspace.path("home"));
    command
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn the_listing_is_printed_before_anything_is_downloaded() {
    let mut fake = Fake::new(&model(b"weights"));
    fake.licence = "mit\u{1b}[2K\r\u{202e}\nAll files: 1 B".into();
    fake.sizes.insert("README.md".to_owned(), u64::MAX.into());
    let server = fake.start();
    let workspace = Workspace::new(STORY);
    let run = Run(fetch(&workspace, &server, &[]).output().unwrap());
    let error = run.fails_with(&["unet/config.json", "Licence: mit", "--yes"]);
    assert!(error.contains("mit\\u{1b}[2K\\r\\u{202e}\\nAll files"), "{error}");
    assert_eq!(server.requests().len(), 1);
    assert!(files(&workspace.path("home")).is_empty());
    Run(fetch(&workspace, &server, &["--yes"]).output().unwrap()).fails_with(&["README.md"]);
}

#[test]
fn an_endless_answer_is_no_answer() {
    let server = Fake::new(&model(b"weights")).start();
    let workspace = Workspace::new(STORY);
    for answer in [File::open("/dev/zero"), latin_1_answer(&workspace)] {
        let run = fetch(&workspace, &server, &[]).stdin(answer.unwrap()).output();
        Run(run.unwrap()).fails_with(&["nothing was downloaded"]);
    }
}

/// Another program may have made the terminal non-blocking.
#[cfg(target_os = "linux")]
#[test]
fn an_answer_is_waited_for() {
    use std::io::Write;

    use rustix::fs::{OFlags, fcntl_setfl};

    let server = Fake::new(&model(b"weights")).start();
    let workspace = Workspace::new(STORY);
    let (reader, mut writer) = std::io::pipe().unwrap();
    fcntl_setfl(&reader, OFlags::NONBLOCK).unwrap();
    let mut command = fetch(&workspace, &server, &[]);
    let mut child = command.stdin(reader).stdout(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "it waits");
    writer.write_all(b"y\n").unwrap();
    assert!(child.wait().unwrap().success());
    // An answer that cannot be read counts as no.
    let folder = File::open(workspace.folder.path()).unwrap();
    let run = Run(fetch(&workspace, &server, &[]).stdin(folder).output().unwrap());
    run.fails_with(&["nothing was downloaded", "--yes"]);
}

/// A file with an answer that is not UTF-8.
fn latin_1_answer(workspace: &Workspace) -> std::io::Result<File> {
    fs::write(workspace.path("answer"), b"s\xed\n")?;
    File::open(workspace.path("answer"))
}

#[test]
fn a_downloaded_model_is_printed_and_found_from_the_folder_above() {
    let server = Fake::new(&model(b"weights")).start();
    let workspace = Workspace::new(STORY);
    let run = Run(fetch(&workspace, &server, &["--yes"]).output().unwrap());
    let folder = String::from_utf8_lossy(&run.exits(0).0.stdout).trim().to_owned();
    assert_eq!(fs::read(Path::new(&folder).join(UNET)).unwrap(), b"weights");
    let above = Path::new(&folder).ancestors().nth(2).unwrap().to_str().unwrap();
    workspace.run(&["models", "inspect", above]).fails_with(&[&folder]);
    workspace.render(&["--model", above]).fails_with(&[&folder]);
}

/// Whenever a signal ends a download, the next one completes it. SIGTERM stands for Ctrl-C, which a test in the background
/// of a shell ignores.
#[cfg(unix)]
#[test]
fn a_signal_ends_a_download_at_any_time() {
    use std::os::unix::process::ExitStatusExt;
    for fault in [Fault::Silence, Fault::Drip] {
        let mut fake = Fake::new(&model(&[7; 100_000]));
        fake.faults = [fault].into();
        let server = fake.start();
        let workspace = Workspace::new(STORY);
        let mut running = fetch(&workspace, &server, &["--yes"]).spawn().unwrap();
        wait_until("a request", || !server.requests_for(UNET).is_empty());
        let pid = running.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let began = Instant::now();
        assert_eq!(running.wait().unwrap().signal(), Some(15));
        assert!(began.elapsed() < Duration::from_secs(5));
        let left = files(&workspace.path("home/hub/models--us--sketch"));
        let is_part = |file: &PathBuf| file.extension().is_some_and(|end| end == "part");
        assert_eq!(left.iter().filter(|file| is_part(file)).count(), 1, "{left:?}");
        assert_eq!(left.len(), 7, "three contents with links, and the begun file: {left:?}");

        // A byte at a time is wrong, too.
        Run(fetch(&workspace, &server, &["--yes"]).output().unwrap()).exits(0);
        let left = files(&workspace.path("home/hub/models--us--sketch"));
        assert_eq!(left.len(), 8, "four contents with links: {left:?}");
        let unet = left.iter().find(|file| file.ends_with(UNET)).unwrap();
        assert_eq!(fs::read(unet).unwrap(), [7; 100_000]);
    }
}

#[test]
fn a_proxy_that_cannot_be_used_is_an_error_before_any_request() {
    let server = Fake::new(&model(b"weights")).start();
    let workspace = Workspace::new(STORY);
    let values = [
        ("socks5://user:SECRET@127.0.0.1:1", "SOCKS5"),
        ("socks4://user:SECRET@127.0.0.1:1", "SOCKS4"),
        ("http//user:SECRET@127.0.0.1:1", "URL"),
        ("http://user:SECRET@127.0.0.1:70000", "port"),
    ];
    for (proxy, word) in values {
        for variable in ["ALL_PROXY", "HTTP_PROXY", "all_proxy"] {
            let mut command = fetch(&workspace, &server, &["--yes"]);
            let run = Run(command.env(variable, proxy).output().unwrap());
            let error = run.fails_with(&[variable, word]);
            assert!(!error.contains("SECRET"), "{error}");
        }
    }
    assert!(server.requests().is_empty());
}

#[test]
fn the_port_of_the_hub_must_be_a_port() {
    let workspace = Workspace::new(STORY);
    let mut command = workspace.command(&["models", "fetch", "us/sketch", "--yes"]);
    command.env("HF_HOME", workspace.path("home"));
    let run = Run(command.env("HF_ENDPOINT", "http://127.0.0.1:70000").output().unwrap());
    run.fails_with(&["http://127.0.0.1:70000", "HF_ENDPOINT", "port"]);
}

#[test]
fn an_edited_file_of_a_downloaded_model_is_kept_and_named() {
    let server = Fake::new(&model(b"weights")).start();
    let workspace = Workspace::new(STORY);
    let go = || Run(fetch(&workspace, &server, &["--yes"]).output().unwrap());
    let folder = String::from_utf8_lossy(&go().exits(0).0.stdout).trim().to_owned();
    let config = Path::new(&folder).join("unet/config.json");
    let edit = |text: &str| {
        // Most editors replace the file, and so the link.
        fs::remove_file(&config).unwrap();
        fs::write(&config, text).unwrap();
    };
    for (n, text) in ["first", "second"].into_iter().enumerate() {
        edit(text);
        let run = go();
        let name = format!("config.json.yours-{}", n + 1);
        assert!(run.exits(0).error().contains(&name), "{}", run.error());
        assert_eq!(fs::read_to_string(config.with_file_name(name)).unwrap(), text);
        assert_eq!(fs::read(&config).unwrap(), b"{ }");
    }
    // Others write through the link.
    fs::write(&config, "third").unwrap();
    go().exits(0);
    let third = config.with_file_name("config.json.yours-3");
    assert_eq!(fs::read_to_string(third).unwrap(), "third");
    assert_eq!(fs::read(&config).unwrap(), b"{ }");
    // A link to a file elsewhere.
    #[cfg(unix)]
    {
        fs::write(workspace.path("tuned.json"), "tuned").unwrap();
        fs::remove_file(&config).unwrap();
        std::os::unix::fs::symlink(workspace.path("tuned.json"), &config).unwrap();
        let run = go();
        assert!(run.exits(0).error().contains("config.json.yours-4"), "{}", run.error());
        let link = fs::read_link(config.with_file_name("config.json.yours-4")).unwrap();
        assert_eq!(link, workspace.path("tuned.json"));
        assert_eq!(fs::read(&config).unwrap(), b"{ }");
    }
    let asked = server.requests_for(UNET).len();
    fs::remove_file(&config).unwrap();
    fs::create_dir(&config).unwrap();
    go().fails_with(&["config.json", "a folder", "move it away"]);
    assert_eq!(server.requests_for(UNET).len(), asked);
}

#[test]
fn a_token_that_cannot_be_sent_is_left_out_with_a_warning() {
    let server = Fake::new(&model(b"weights")).start();
    let workspace = Workspace::new(STORY);
    fs::create_dir(workspace.path("home")).unwrap();
    let sent = |token: &[u8]| {
        fs::write(workspace.path("home/token"), token).unwrap();
        let before = server.requests().len();
        let run = Run(fetch(&workspace, &server, &["--yes"]).output().unwrap());
        let headers = server.requests()[before].headers.clone();
        (run.exits(0).error(), headers.get("authorization").cloned())
    };
    let (_, header) = sent(b"\xef\xbb\xbf hf_TOKEN\r\n");
    assert_eq!(header.as_deref(), Some("Bearer hf_TOKEN"));
    for token in [b"hf_TO\nKEN\n".as_slice(), b"hf_TOK\xc3\x89N", b"h\0f\0_\0", b"hf_\xff"] {
        let (error, header) = sent(token);
        assert_eq!(header, None);
        for word in ["home/token", "hf auth login"] {
            assert!(error.contains(word), "{error}");
        }
        assert!(!error.contains("hf_TO"), "{error}");
    }
}

#[test]
fn a_component_is_copied_into_a_model_after_it_was_listed() {
    const WEIGHTS: &str = "diffusion_pytorch_model.safetensors";
    let server = Fake::new(&[
        ("config.json", b"{}"),
        (WEIGHTS, b"weights"),
        ("diffusion_pytorch_model.bin", b"never"),
        ("files/lineart.safetensors", b"one file"),
    ])
    .start();
    let workspace = Workspace::new(STORY);
    let run = |more: &[&str]| Run(fetch(&workspace, &server, more).output().unwrap());
    let into = ["--into", "my_model/adapters/outline"];
    let listed = run(&into).fails_with(&["config.json", WEIGHTS, "Licence: mit", "--yes"]);
    assert!(listed.contains("They are copied into my_model/adapters/outline."), "{listed}");
    assert!(!workspace.path("my_model").exists());

    let done = run(&[&into[..], &["--yes"]].concat());
    done.exits(0);
    assert_eq!(String::from_utf8_lossy(&done.0.stdout).trim(), into[1]);
    let folder = workspace.path(into[1]);
    assert_eq!(fs::read(folder.join("config.json")).unwrap(), b"{}");
    assert_eq!(fs::read(folder.join(WEIGHTS)).unwrap(), b"weights");
    assert_eq!(files(&folder).len(), 2);

    // Nothing is requested for a folder that is taken.
    fs::write(folder.join("config.json"), "mine").unwrap();
    let before = server.requests().len();
    let taken = [&into[..], &["--yes"]].concat();
    run(&taken).fails_with(&["config.json is there with other contents", "another folder"]);
    assert_eq!(server.requests().len(), before + 1);
    assert_eq!(fs::read(folder.join("config.json")).unwrap(), b"mine");

    let file = ["--into", "one", "--file", "files/lineart.safetensors", "--yes"];
    run(&file).exits(0);
    assert_eq!(fs::read(workspace.path("one/lineart.safetensors")).unwrap(), b"one file");
    run(&["--file", "x.safetensors"]).exits(2);
}

#[test]
fn a_downloaded_model_is_removed_after_consent() {
    let server = Fake::new(&model(b"weights")).start();
    let workspace = Workspace::new(STORY);
    Run(fetch(&workspace, &server, &["--yes"]).output().unwrap()).exits(0);
    let remove = |more: &[&str]| {
        let mut command = workspace.command(&[&["models", "remove", "us/sketch"], more].concat());
        Run(command.env("HF_HOME", workspace.path("home")).output().unwrap())
    };
    let cache = workspace.path("home/hub").display().to_string();
    remove(&[]).fails_with(&["us/sketch has 32 B in", &cache, "nothing was removed", "--yes"]);
    let removed = remove(&["--yes"]);
    assert_eq!(String::from_utf8_lossy(&removed.exits(0).0.stdout).trim(), "32 B freed");
    remove(&["--yes"]).fails_with(&["us/sketch is not in the cache"]);
}

#[test]
fn a_variant_is_downloaded_and_an_unknown_one_is_refused() {
    let half = "unet/diffusion_pytorch_model.bf16.safetensors";
    let server = Fake::new(&[&model(b"weights")[..], &[(half, b"half")]].concat()).start();
    let workspace = Workspace::new(STORY);
    let run = |more: &[&str]| Run(fetch(&workspace, &server, more).output().unwrap());
    let done = run(&["--variant", "bf16", "--yes"]);
    let folder = String::from_utf8_lossy(&done.exits(0).0.stdout).trim().to_owned();
    assert_eq!(fs::read(Path::new(&folder).join(half)).unwrap(), b"half");
    assert!(!Path::new(&folder).join(UNET).exists());
    run(&["--variant", "fp8", "--yes"]).fails_with(&["\"fp8\"", "leave the variant out"]);
}

#[test]
fn nothing_is_requested_offline() {
    let server = Fake::new(&model(b"weights")).start();
    let workspace = Workspace::new(STORY);
    let run = fetch(&workspace, &server, &["--yes"]).env("HF_HUB_OFFLINE", "1").output();
    Run(run.unwrap()).fails_with(&["us/sketch", "HF_HUB_OFFLINE"]);
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn the_catalogue_lists_models_that_are_fetched_by_their_names() {
    let workspace = Workspace::new(STORY);
    let all = workspace.run(&["models", "list", "--catalogue", "--json"]).json();
    let klein = all.as_array().unwrap().iter().find(|it| it["name"] == "FLUX.2 Klein 4B").unwrap();
    let repo = klein["repo"].as_str().unwrap();
    let listed = workspace.run(&["models", "list", "--catalogue"]);
    let text = String::from_utf8_lossy(&listed.exits(0).0.stdout).into_owned();
    assert!(text.contains(repo) && text.contains("apache-2.0 (pictures may be sold)"), "{text}");

    // The hub does not have it, and says which repository was asked for.
    let server = Fake::new(&model(b"weights")).start();
    let mut command = workspace.command(&["models", "fetch", "flux.2 klein 4b", "--yes"]);
    command.env("HF_ENDPOINT", &server.url).env("HF_HOME", workspace.path("home"));
    Run(command.output().unwrap()).fails_with(&[repo, "404"]);
}

#[test]
fn without_a_name_the_recommended_model_is_fetched() {
    let workspace = Workspace::new(STORY);
    let server = Fake::new(&model(b"weights")).start();
    let mut command = workspace.command(&["models", "fetch", "--yes"]);
    command.env("HF_ENDPOINT", &server.url).env("HF_HOME", workspace.path("home"));
    let error = Run(command.output().unwrap()).fails_with(&["is recommended for this machine"]);
    let repos = ["black-forest-labs/FLUX.2-klein-4B", "stable-diffusion-v1-5/"];
    assert!(repos.iter().any(|repo| error.contains(repo)), "{error}");
    assert_eq!(server.requests().len(), 1);
}
