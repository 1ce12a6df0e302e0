//! The search for models, in a thread.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, TryRecvError, channel},
    },
    thread::Builder,
};

use egui::Context;

use crate::{
    control::Interrupt,
    generator::{FoundModel, find_models},
    settings::{SettingsFile, ToldModel},
    studio::lower_priority,
};

/// A found file, and what the author told about it.
type Found = (FoundModel, ToldModel);

/// A search in some folders. The thread ends soon after this is dropped.
#[derive(Debug)]
pub(super) struct ModelSearch {
    folders: Vec<PathBuf>,
    /// `None` at the end of the search. A lock, because a receiver cannot be shared by threads, as the panel's state is.
    incoming: Option<Mutex<Receiver<Found>>>,
    found: Vec<FoundModel>,
    told: HashMap<PathBuf, ToldModel>,
    interrupt: Interrupt,
}

impl ModelSearch {
    /// Starts the search. Each file that is found repaints the panel.
    pub fn start(folders: Vec<PathBuf>, settings: Option<SettingsFile>, context: &Context) -> Self {
        let (sender, incoming) = channel();
        let (searched, context) = (folders.clone(), context.clone());
        let interrupt = Interrupt::default();
        let interrupted = interrupt.clone();
        let search = move || {
            lower_priority();
            for found in find_models(&searched) {
                let inspection = &found.inspection;
                let may_be_told = inspection.lacks_prediction_type()
                    || inspection.possible_finetunes().next().is_some();
                let settings = settings.as_ref().filter(|_| may_be_told);
                let told = settings.map(|it| it.told(&found.path, &interrupted));
                if interrupted.check().is_err() {
                    break;
                }
                let told = told.unwrap_or(Ok(ToldModel::default())).unwrap_or_else(|error| {
                    let path = found.path.display();
                    log::error!("what you told about {path} is not known: {error}");
                    ToldModel::default()
                });
                if sender.send((found, told)).is_err() {
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
        Self { folders, incoming, found: Vec::new(), told: HashMap::new(), interrupt }
    }

    /// What the author told about a file before the search.
    pub fn told(&self, file: &Path) -> Option<&ToldModel> {
        self.told.get(file)
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
                Ok((found, told)) => {
                    self.told.insert(found.path.clone(), told);
                    self.found.push(found);
                }
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

impl Drop for ModelSearch {
    /// Nobody waits for the hash of a file any more.
    fn drop(&mut self) {
        self.interrupt.cancel();
    }
}
