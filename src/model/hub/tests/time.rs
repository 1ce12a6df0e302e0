//! Servers that take too long.

use super::*;
use std::time::{Duration, Instant};

/// Far below the minute of a user, and far above what a slow machine needs.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_silent_server_ends_with_an_error() {
    let began = Instant::now();
    let server = Server::start(|_| Reply::Silence(Vec::new()));
    let error = CacheFolder::new().hub(&server).list("us/sketch", "main").expect_err("silent");
    assert!(matches!(error, HubError::Api { .. }), "{error}");
    assert!(error.to_string().contains("timeout"), "{error}");

    let server = Server::start(|_| Reply::Silence(head("200 OK", &[("content-length", "9")])));
    let error = CacheFolder::new().hub(&server).list("us/sketch", "main").expect_err("silent");
    assert!(matches!(error, HubError::Body { .. }), "{error}");

    let mut fake = Fake::new(&model(b"weights"));
    fake.faults = vec![Fault::Silence; 4].into();
    let (_, downloaded) = download(fake);
    let error = downloaded.expect_err("silent");
    assert!(matches!(error, HubError::Body { .. }), "{error}");
    assert!(began.elapsed() < SOON);
}

#[test]
fn a_server_that_answers_byte_by_byte_ends_with_an_error() {
    let began = Instant::now();
    let pause = Duration::from_millis(20);
    for start in ["HTTP/1.1 200 OK\r\nx: ", "HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n\""] {
        let server = Server::start(move |_| Reply::Drip(start.as_bytes().to_vec(), b"x", pause));
        let error = CacheFolder::new().hub(&server).list("us/sketch", "main").expect_err("slow");
        assert!(matches!(error, HubError::Api { .. } | HubError::Body { .. }), "{error}");
    }
    let mut fake = Fake::new(&model(&[7; 9000]));
    fake.faults = vec![Fault::Drip; 4].into();
    let (_, downloaded) = download(fake);
    let error = downloaded.expect_err("slow").to_string();
    assert!(error.contains(UNET) && error.contains("bytes arrived in"), "{error}");
    assert!(began.elapsed() < SOON);
}

#[test]
fn a_server_that_sends_bytes_of_no_body_without_end_ends_with_an_error() {
    // The extension of a chunk, the size of a chunk, and headers after the last chunk.
    for (start, more) in [("5;", "a"), ("", "0"), ("3\r\nwei\r\n0\r\n", "x: y\r\n")] {
        let began = Instant::now();
        let mut fake = Fake::new(&model(b"weights"));
        fake.faults = vec![Fault::Chunked(start.as_bytes(), more.as_bytes()); 4].into();
        let (_, downloaded) = download(fake);
        let error = downloaded.expect_err("slow").to_string();
        assert!(error.contains(UNET) && error.contains("bytes arrived in"), "{error}");
        assert!(began.elapsed() < SOON);
    }
}

#[test]
fn a_file_is_complete_before_the_end_of_its_response() {
    let mut fake = Fake::new(&model(b"weights"));
    fake.faults = [Fault::Chunked(b"7\r\nweights\r\n0\r\n", b"x: y\r\n")].into();
    let (_cache, downloaded) = download(fake);
    let folder = downloaded.expect("downloaded");
    assert_eq!(fs::read(folder.join(UNET)).expect("readable"), b"weights");
}

#[test]
fn a_silent_server_is_asked_again() {
    let mut fake = Fake::new(&model(&[7; 9000]));
    fake.faults = [Fault::Silence, Fault::Silence].into();
    let (_cache, downloaded) = download(fake);
    let folder = downloaded.expect("downloaded");
    assert_eq!(fs::read(folder.join(UNET)).expect("readable"), [7; 9000]);
}

#[test]
fn a_listing_without_end_is_refused() {
    let server = Server::start(|_| Reply::Bytes(response("200 OK", &[], &vec![b' '; 33 << 20])));
    let error = CacheFolder::new().hub(&server).list("us/sketch", "main").expect_err("large");
    assert!(matches!(error, HubError::ListingTooLarge { limit: 33_554_432, .. }), "{error}");
}

#[test]
fn a_proxy_that_answers_byte_by_byte_or_without_end_ends_with_an_error() {
    let cases: [(&[u8], Duration, &str); 2] = [
        (b"x", Duration::from_millis(20), "timeout: connect"),
        (&[b'x'; 8192], Duration::ZERO, "more than 65536 bytes"),
    ];
    for (more, pause, word) in cases {
        let began = Instant::now();
        let start = b"HTTP/1.1 200 OK\r\nx: ";
        let proxy = Server::start(move |_| Reply::Drip(start.to_vec(), more, pause));
        let hub = CacheFolder::new().hub(&proxy);
        let variables = [("ALL_PROXY", proxy.url.clone().into())].into_iter().collect();
        let hub = Hub { endpoint: SecretUrl("http://hub.invalid".into()), variables, ..hub };
        let error = hub.list("us/sketch", "main").expect_err("slow").to_string();
        assert!(error.contains(word) && error.contains("the proxy in ALL_PROXY"), "{error}");
        assert_eq!(proxy.requests()[0].path, "hub.invalid:80");
        assert!(began.elapsed() < SOON);
    }
}

/// The limits of the answer do not apply to the bytes behind it.
#[test]
fn a_file_comes_through_a_proxy() {
    let mut fake = Fake::new(&model(&[7; 200_000]));
    let server = Server::start(move |request| fake.answer(request));
    let proxy = tunnel_to(&server);
    let cache = CacheFolder::new();
    let variables = [("HTTP_PROXY", proxy.into())].into_iter().collect();
    let hub =
        Hub { endpoint: SecretUrl("http://hub.invalid".into()), variables, ..cache.hub(&server) };
    let folder =
        hub.list("us/sketch", "main").and_then(|it| it.download(&mut |_, _| {}, &|| false));
    assert_eq!(fs::read(folder.expect("downloaded").join(UNET)).expect("readable"), [7; 200_000]);
}

/// The address of a proxy that connects to this server, whatever host is requested.
fn tunnel_to(server: &Server) -> String {
    use std::{
        io::{Read, Write, copy},
        net::{Shutdown, TcpListener, TcpStream},
        thread::spawn,
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let target = server.url.trim_start_matches("http://").to_owned();
    spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).expect("a request");
                request.push(byte[0]);
            }
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("answered");
            let mut hub = TcpStream::connect(&target).expect("connected");
            let (mut from, mut to) =
                (client.try_clone().expect("a stream"), hub.try_clone().expect("a stream"));
            spawn(move || copy(&mut from, &mut to));
            spawn(move || {
                let _ = copy(&mut hub, &mut client);
                let _ = client.shutdown(Shutdown::Both);
            });
        }
    });
    address
}
