//! Downloads in a thread.

use std::sync::mpsc::{Receiver, sync_channel};

use super::*;

/// The task of a download from a hub, and a message for each change of its state. The download waits until the message is
/// received.
fn start(cache: &CacheFolder, server: &Server) -> (FetchTask, Receiver<()>) {
    let hub = cache.hub(server);
    let (sender, changes) = sync_channel(0);
    let changed = move || _ = sender.send(());
    (FetchTask::start(move || hub.list("us/sketch", "main"), changed).expect("started"), changes)
}

/// Waits for a state.
fn wait<T>(
    task: &FetchTask,
    changes: &Receiver<()>,
    is_wanted: impl Fn(FetchState) -> Option<T>,
) -> T {
    loop {
        if let Some(found) = is_wanted(task.state()) {
            return found;
        }
        changes.recv_timeout(Duration::from_secs(10)).expect("a change");
    }
}

fn listed(state: FetchState) -> Option<(Option<String>, usize, u64)> {
    match state {
        FetchState::Listed { licence, files, bytes } => Some((licence, files, bytes)),
        _ => None,
    }
}

#[test]
fn nothing_is_downloaded_before_consent() {
    let server = Fake::new(&model(&[7; 1000])).start();
    let cache = CacheFolder::new();
    let (task, changes) = start(&cache, &server);
    let found = wait(&task, &changes, listed);
    assert_eq!(found, (Some("mit".to_owned()), 4, 1025));
    while changes.recv_timeout(Duration::from_millis(100)).is_ok() {}
    assert!(listed(task.state()).is_some(), "it waits");
    assert_eq!(server.requests().len(), 1);

    task.consent();
    let folder = wait(&task, &changes, |state| match state {
        FetchState::Finished(folder) => Some(folder),
        FetchState::Failed(error) => panic!("{error}"),
        _ => None,
    });
    assert_eq!(fs::read(folder.join(UNET)).expect("readable"), [7; 1000]);
}

#[test]
fn a_dropped_task_ends_the_download_and_the_next_one_resumes_it() {
    let weights = vec![7; 4 << 20];
    let server = Fake::new(&model(&weights)).start();
    let cache = CacheFolder::new();
    let (task, changes) = start(&cache, &server);
    wait(&task, &changes, listed);
    task.consent();
    let arrived = wait(&task, &changes, |state| match state {
        FetchState::Downloading { arrived, bytes, .. } => {
            assert_eq!(bytes, 25 + (4 << 20));
            (arrived > 100_000).then_some(arrived)
        }
        _ => None,
    });
    drop(task);
    // The thread drops its sender at its end.
    while changes.recv_timeout(Duration::from_secs(10)).is_ok() {}
    let blob = cache.repo().join("blobs").join(git_blob_id(&weights));
    let part = blob.with_extension("part").metadata().expect("the bytes are kept").len();
    assert!(part >= arrived - 25 && part < 4 << 20, "{part}");

    let (task, changes) = start(&cache, &server);
    wait(&task, &changes, listed);
    task.consent();
    wait(&task, &changes, |state| matches!(state, FetchState::Finished(_)).then_some(()));
    assert_eq!(server.ranges(UNET).last(), Some(&format!("bytes={part}-")));
}

#[test]
fn a_failure_is_the_state_of_the_task() {
    let server = Fake::new(&[("README.md", b"no model")]).start();
    let cache = CacheFolder::new();
    let (task, changes) = start(&cache, &server);
    let error = wait(&task, &changes, |state| match state {
        FetchState::Failed(error) => Some(error),
        _ => None,
    });
    assert!(matches!(&*error, HubError::NoModel { .. }), "{error}");
}
