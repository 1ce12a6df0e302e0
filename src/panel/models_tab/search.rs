//! The search for models, in a thread.

use std::{
    io,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, TryRecvError, channel},
    },
    thread::Builder,
};

use egui::Context;

use crate::{
    generator::{FoundModel, find_models},
    studio::lower_priority,
};

/// A search in some folders. The thread ends soon after this is dropped.
#[derive(Debug)]
pub(super) struct ModelSearch {
    folders: Vec<PathBuf>,
    /// `None` at the end of the search. A lock, because a receiver cannot be shared by threads, as the panel's state is.
    incoming: Option<Mutex<Receiver<FoundModel>>>,
    found: Vec<FoundModel>,
}

impl ModelSearch {
    /// Starts the search. Each file that is found repaints the panel.
    pub fn start(folders: Vec<PathBuf>, context: &Context) -> Self {
        let (sender, incoming) = channel();
        let (searched, context) = (folders.clone(), context.clone());
        let search = move || {
            lower_priority();
            for found in find_models(&searched) {
                if sender.send(found).is_err() {
                    break;
                }
                context.request_repaint();
            }
            drop(sender);
            context.request_repaint();
        };
        let started: io::Result<_> =
            Builder::new().name("illustrator-models".to_owned()).spawn(search);
        if let Err(error) = &started {
            log::error!("models are not searched: {error}");
        }
        let incoming = started.ok().map(|_| Mutex::new(incoming));
        Self { folders, incoming, found: Vec::new() }
    }

    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// The models found so far.
    pub fn found(&self) -> &[FoundModel] {
        &self.found
    }

    pub fn is_running(&self) -> bool {
        self.incoming.is_some()
    }

    /// Takes what was found since the last call.
    pub fn receive(&mut self) {
        let Some(incoming) = &self.incoming else { return };
        let receiver = incoming.lock().unwrap_or_else(PoisonError::into_inner);
        let is_finished = loop {
            match receiver.try_recv() {
                Ok(found) => self.found.push(found),
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => break true,
            }
        };
        drop(receiver);
        if is_finished {
            self.incoming = None;
        }
    }
}
