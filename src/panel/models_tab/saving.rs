//! Changes of the user's settings, which a thread saves.

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, TryRecvError, channel},
    },
    thread::Builder,
};

use egui::Context;

use crate::settings::SettingsError;

/// A value that is being saved.
#[derive(Debug)]
pub(super) struct Saving<T> {
    pub value: T,
    /// The lock makes it `Sync`.
    result: Mutex<Receiver<Result<(), SettingsError>>>,
}

/// The state of a [`Saving`].
pub(super) enum Saved<T> {
    /// It is not saved yet.
    Pending(Saving<T>),
    /// It is saved.
    Done(T),
    /// It is not saved, with the reason.
    Failed(String),
}

impl<T> Saving<T> {
    /// Saves a value in a thread, which repaints the panel at its end.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub fn start(
        context: &Context,
        value: T,
        save: impl FnOnce() -> Result<(), SettingsError> + Send + 'static,
    ) -> io::Result<Self> {
        let ((sender, result), context) = (channel(), context.clone());
        Builder::new().name("illustrator-settings".to_owned()).spawn(move || {
            // Nobody waits for it if the panel is gone.
            let _ = sender.send(save());
            context.request_repaint();
        })?;
        Ok(Self { value, result: Mutex::new(result) })
    }

    /// Whether the value is saved.
    pub fn poll(self) -> Saved<T> {
        let received = self.result.lock().unwrap_or_else(PoisonError::into_inner).try_recv();
        match received {
            Err(TryRecvError::Empty) => Saved::Pending(self),
            Err(TryRecvError::Disconnected) => Saved::Failed("saving stopped".to_owned()),
            Ok(Ok(())) => Saved::Done(self.value),
            Ok(Err(error)) => Saved::Failed(error.to_string()),
        }
    }
}
