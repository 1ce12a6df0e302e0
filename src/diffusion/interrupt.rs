//! Stopping and pausing work that is under way.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// A handle with which one thread stops or pauses what another computes. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    cancelled: bool,
    paused: bool,
}

/// The work was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

impl Interrupt {
    /// Makes every later [`Self::check`] fail, and wakes one that waits.
    pub fn cancel(&self) {
        self.change(|state| state.cancelled = true);
    }

    /// Makes [`Self::check`] wait until it is resumed or cancelled.
    pub fn set_paused(&self, paused: bool) {
        self.change(|state| state.paused = paused);
    }

    /// Called by the worker wherever it may stop; waits while paused.
    ///
    /// # Errors
    /// [`Cancelled`] when [`Self::cancel`] was called.
    pub fn check(&self) -> Result<(), Cancelled> {
        let (state, changed) = &*self.0;
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = changed
            .wait_while(state, |state| state.paused && !state.cancelled)
            .unwrap_or_else(PoisonError::into_inner);
        if state.cancelled { Err(Cancelled) } else { Ok(()) }
    }

    fn change(&self, with: impl FnOnce(&mut State)) {
        let (state, changed) = &*self.0;
        with(&mut state.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
    }
}
