//! A drawing that an async task waits for.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use async_channel::Receiver;
use bevy::tasks::futures_lite::Stream;

use super::{IllustratorError, Reception};
use crate::{art::TakeId, studio::Progress};

/// A picture that is being drawn. Resolves to the new take.
///
/// Dropping it does not cancel the drawing.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Drawing {
    result: Reception<TakeId>,
    // Boxed, because a receiver is not `Unpin`.
    steps: Box<Receiver<Progress>>,
}

/// The steps of a [`Drawing`], in order. The stream ends when the drawing ends.
///
/// Steps between two frames of the app are combined into one item.
pub struct Steps(Pin<Box<Receiver<Progress>>>);

impl Drawing {
    pub(super) fn new(
        result: Receiver<Result<TakeId, IllustratorError>>,
        steps: Receiver<Progress>,
    ) -> Self {
        Self { result: Reception::new(result), steps: Box::new(steps) }
    }

    /// The steps of the drawing. Call it once: two streams of one drawing share the items.
    #[must_use]
    pub fn steps(&self) -> Steps {
        Steps(Box::into_pin(self.steps.clone()))
    }
}

impl Future for Drawing {
    type Output = Result<TakeId, IllustratorError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.result.poll(context)
    }
}

impl Stream for Steps {
    type Item = Progress;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Progress>> {
        self.0.as_mut().poll_next(context)
    }
}
