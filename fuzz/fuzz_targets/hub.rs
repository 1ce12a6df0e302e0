//! Answers of a hub: its listing, headers, redirects and files, over a socket.
//!
//! An input has one answer after the other, as raw HTTP. In them `{hub}` is the address of the hub, and `{other}` that of
//! another server, which must not get the token.

#![no_main]

use std::{
    collections::VecDeque,
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{LazyLock, Mutex},
    thread,
};

use bevy_illustrator::model::hub::Hub;
use bevy_illustrator_fuzz::{empty_folder, parts};
use libfuzzer_sys::fuzz_target;

const TOKEN: &str = "hf_secret";

/// The answers that were not sent yet.
static ANSWERS: Mutex<VecDeque<Vec<u8>>> = Mutex::new(VecDeque::new());

/// The addresses of the hub and of the other server.
static SERVERS: LazyLock<[String; 2]> = LazyLock::new(|| [true, false].map(serve));

fn serve(may_see_token: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let head = request(&stream);
            assert!(may_see_token || !head.contains(TOKEN), "the token goes to another server");
            let next = ANSWERS.lock().expect("no panic").pop_front();
            let _ = (&stream).write_all(&next.unwrap_or_default());
        }
    });
    address
}

fn request(stream: &TcpStream) -> String {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The answers of an input. `None` if they could lead to other servers than ours.
fn answers(input: &[u8]) -> Option<VecDeque<Vec<u8>>> {
    let [hub, other] = &*SERVERS;
    let answers = parts(input).map(|answer| {
        let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
        let text = text.replace("{hub}/", "").replace("{other}/", "");
        let leads_away = text.contains("location") && (text.contains("//") || text.contains('@'));
        (!leads_away).then(|| replace(&replace(answer, b"{hub}", hub), b"{other}", other))
    });
    answers.collect()
}

fn replace(text: &[u8], from: &[u8], to: &str) -> Vec<u8> {
    let mut replaced = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(from.len()).position(|part| part == from) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(to.as_bytes());
        rest = &rest[at + from.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}

/// The number of bytes of all files below a folder that are no links.
fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => bytes_below(&entry.path()),
            Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |file| file.len()),
            _ => 0,
        })
        .sum()
}

fuzz_target!(|input: &[u8]| {
    let Some(answers) = answers(input) else { return };
    *ANSWERS.lock().expect("no panic") = answers;
    let root = empty_folder();
    fs::write(root.join("token"), TOKEN).expect("room");
    let hub = Hub::at(SERVERS[0].as_str(), root.join("hub"));
    let Ok(listing) = hub.list("owner/name", "main") else { return };
    assert!(listing.files.iter().all(|file| !file.path.contains("..")));
    let downloaded = listing.download(&mut |_, _| {}, &|| false);
    // Nothing is written elsewhere, and no more than the listing promises.
    let names: Vec<_> = fs::read_dir(root).expect("a folder").flatten().collect();
    assert_eq!(names.len(), 1 + usize::from(root.join("hub").exists()));
    assert!(bytes_below(&root.join("hub")) <= listing.bytes());
    if let Ok(folder) = downloaded {
        for file in &listing.files {
            let found = fs::metadata(folder.join(&file.path)).expect("a downloaded file");
            assert_eq!(found.len(), file.bytes);
        }
    }
});
