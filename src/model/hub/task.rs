//! A download in a thread, which waits for consent after the listing.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::Builder,
};

use super::{HubError, Listing, RemoteFile};

/// A download in a thread. When it is dropped, the download is cancelled. Received bytes are kept.
#[derive(Debug)]
pub struct FetchTask {
    shared: Arc<Shared>,
    /// A message is the consent. The lock makes the task `Sync`.
    consent: Mutex<Sender<()>>,
}

/// The state of a [`FetchTask`].
#[derive(Clone, Debug)]
pub enum FetchState {
    /// The hub is asked for the files.
    Listing,
    /// The files are known, and nothing is downloaded before [`FetchTask::consent`].
    Listed {
        /// The licence that the model card names.
        licence: Option<String>,
        /// The number of files.
        files: usize,
        /// The total size in bytes.
        bytes: u64,
    },
    /// The files arrive.
    Downloading {
        /// The path of the current file in the repository.
        file: String,
        /// The bytes of all files that have arrived.
        arrived: u64,
        /// The total size in bytes.
        bytes: u64,
    },
    /// All files are in this folder.
    Finished(PathBuf),
    /// It failed. The received bytes are kept for another try.
    Failed(Arc<HubError>),
}

#[derive(Debug)]
struct Shared {
    state: Mutex<FetchState>,
    is_cancelled: AtomicBool,
}

impl FetchTask {
    /// Starts a thread that calls `list`, which names the files with one of the functions of [`Hub`](super::Hub), and waits
    /// for consent. `on_change` is called in the thread when the state changes.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(
        list: impl FnOnce() -> Result<Listing, HubError> + Send + 'static,
        on_change: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let is_cancelled = AtomicBool::new(false);
        let shared = Arc::new(Shared { state: Mutex::new(FetchState::Listing), is_cancelled });
        let (consent, consented) = channel();
        let of_thread = Arc::clone(&shared);
        Builder::new().name("illustrator-fetch".to_owned()).spawn(move || {
            let set = |state| {
                *of_thread.state() = state;
                on_change();
            };
            match run(list, &consented, &of_thread, &set) {
                Ok(Some(folder)) => set(FetchState::Finished(folder)),
                Ok(None) => {}
                Err(error) => set(FetchState::Failed(Arc::new(error))),
            }
        })?;
        Ok(Self { shared, consent: Mutex::new(consent) })
    }

    /// The state now.
    #[must_use]
    pub fn state(&self) -> FetchState {
        self.shared.state().clone()
    }

    /// Starts the download of the listed files. Call it only after somebody has seen their size and licence.
    pub fn consent(&self) {
        // The thread has ended if nobody receives it.
        let _ = self.consent.lock().unwrap_or_else(PoisonError::into_inner).send(());
    }
}

impl Drop for FetchTask {
    fn drop(&mut self) {
        self.shared.is_cancelled.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, FetchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }
}

/// Lists and downloads. Returns the folder, or `None` without consent.
fn run(
    list: impl FnOnce() -> Result<Listing, HubError>,
    consented: &Receiver<()>,
    shared: &Shared,
    set: &dyn Fn(FetchState),
) -> Result<Option<PathBuf>, HubError> {
    let listing = list()?;
    let (files, bytes) = (listing.files.len(), listing.bytes());
    set(FetchState::Listed { licence: listing.licence.clone(), files, bytes });
    if consented.recv().is_err() {
        return Ok(None);
    }
    let mut on_bytes = |file: &RemoteFile, arrived| {
        set(FetchState::Downloading { file: file.path.clone(), arrived, bytes });
    };
    listing.download(&mut on_bytes, &|| shared.is_cancelled()).map(Some)
}
