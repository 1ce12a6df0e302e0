//! Interrupts long work and reports its progress.
//!
//! Loading a model, hashing it and drawing with it take seconds to minutes on a worker thread.
//! The thread that starts such work passes a [`Control`] to it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use image::RgbImage;

use crate::{loss::LossValues, mask::Area, memory::MemoryNeeds};

/// Interrupts work and receives its progress.
pub trait Control: Sync {
    /// Stops or pauses the work. The work checks it between tensors while it loads or hashes a
    /// model, and between network blocks while it draws.
    fn interrupt(&self) -> &Interrupt;

    /// Called before a model is loaded, with the memory that it and its picture need.
    fn loading(&self, needs: MemoryNeeds) {
        let _ = needs;
    }

    /// Called after each sampling step.
    fn step(&self, step: Step) {
        let _ = step;
    }
}

/// A [`Control`] that calls a function after each sampling step.
#[derive(Clone, Debug, Default)]
pub struct OnStep<F> {
    /// Stops or pauses the work.
    pub interrupt: Interrupt,
    /// Called after each sampling step.
    pub on_step: F,
}

impl<F: Fn(Step)> OnStep<F> {
    /// Calls `on_step` after each sampling step.
    pub fn new(interrupt: Interrupt, on_step: F) -> Self {
        Self { interrupt, on_step }
    }
}

impl<F: Fn(Step) + Sync> Control for OnStep<F> {
    fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    fn step(&self, step: Step) {
        (self.on_step)(step);
    }
}

/// One finished sampling step.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// The number of finished steps, at least 1.
    pub done: u32,
    /// The total number of steps.
    pub of: u32,
    /// A small preview of the finished picture, one pixel per latent.
    pub preview: Option<RgbImage>,
    /// The area of the picture that may change, in pixels. `None` if it is the whole picture.
    pub changed: Option<Area>,
    /// The values of all losses so far.
    pub losses: Vec<LossValues>,
}

/// Stops or pauses work on another thread. Clones share one state.
///
/// As a [`Control`] it ignores progress.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    state: Arc<(Mutex<State>, Condvar)>,
    /// The interrupt that this one follows.
    followed: Option<Box<Interrupt>>,
}

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
    /// An interrupt of a part of the work: it follows this one, and can be cancelled alone.
    pub(crate) fn follower(&self) -> Self {
        Self { state: Arc::default(), followed: Some(Box::new(self.clone())) }
    }

    /// Makes every later or waiting [`Self::check`] fail.
    pub fn cancel(&self) {
        self.change(|state| state.cancelled = true);
    }

    /// Makes [`Self::check`] wait until the work is resumed or cancelled.
    pub fn set_paused(&self, paused: bool) {
        self.change(|state| state.paused = paused);
    }

    /// Returns an error if the work was cancelled, and waits while it is paused. Workers call this
    /// wherever they can stop.
    ///
    /// # Errors
    /// [`Cancelled`] after a call to [`Self::cancel`].
    pub fn check(&self) -> Result<(), Cancelled> {
        if let Some(followed) = &self.followed {
            followed.check()?;
        }
        let (state, changed) = &*self.state;
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = changed
            .wait_while(state, |state| state.paused && !state.cancelled)
            .unwrap_or_else(PoisonError::into_inner);
        if state.cancelled { Err(Cancelled) } else { Ok(()) }
    }

    fn change(&self, with: impl FnOnce(&mut State)) {
        let (state, changed) = &*self.state;
        with(&mut state.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
    }
}

impl Control for Interrupt {
    fn interrupt(&self) -> &Interrupt {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_is_cancelled_alone_or_with_the_interrupt_that_it_follows() {
        let interrupt = Interrupt::default();
        let [first, second] = [interrupt.follower(), interrupt.follower()];
        first.cancel();
        assert_eq!(first.check(), Err(Cancelled));
        assert_eq!((interrupt.check(), second.check()), (Ok(()), Ok(())));
        interrupt.cancel();
        assert_eq!(second.check(), Err(Cancelled));
    }
}
