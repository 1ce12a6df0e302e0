//! Requests from a game's async tasks.

mod drawing;
mod waiting;

use async_channel::{Receiver, Sender, bounded, unbounded};
use bevy::prelude::Resource;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use crate::{
    art::TakeId,
    project::{Action, ProjectError, Reply, Request},
    storyboard::ShotId,
    studio::Progress,
};

pub use drawing::{Drawing, Steps};
pub(crate) use waiting::WaitingTasks;

/// Sends requests to the [`Project`](crate::project::Project) from async tasks, and waits for the results.
///
/// It is a resource that a system clones into a task. Its methods send the request immediately and return a
/// future; they never block. Any number of tasks can use clones at the same time. A request that is sent
/// before the project is open waits for it. Dropping a future cancels nothing.
///
/// ```
/// use bevy::{prelude::*, tasks::{IoTaskPool, futures_lite::StreamExt}};
/// use bevy_illustrator::{plugin::Illustrator, prelude::*};
///
/// fn draw_map(illustrator: Res<Illustrator>) -> Result {
///     let (illustrator, map) = (illustrator.clone(), ShotId::new("item-map")?);
///     let task = async move {
///         let drawing = illustrator.draw(&map);
///         let mut steps = drawing.steps();
///         while let Some(step) = steps.next().await {
///             info!("step {} of {}", step.done, step.of);
///         }
///         match drawing.await {
///             Ok(take) => info!("drew take {take}"),
///             Err(error) => error!("{error}"),
///         }
///     };
///     IoTaskPool::get().spawn(task).detach();
///     Ok(())
/// }
/// ```
#[derive(Resource, Clone, Debug)]
pub struct Illustrator {
    requests: Sender<TaskRequest>,
}

/// An error of a request from an async task.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IllustratorError {
    /// The project refused the request, or the drawing failed.
    #[error(transparent)]
    Project(#[from] Arc<ProjectError>),
    /// The drawing was cancelled.
    #[error("the drawing of shot {0} was cancelled")]
    Cancelled(ShotId),
    /// The app ended before there was a result.
    #[error("the app ended before the request was done")]
    AppEnded,
}

/// The result of an action. Resolves when the action is applied, not when a drawing that it queues is done.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Answer(Reception<Reply>);

/// A request with the channels for its result.
#[derive(Debug)]
struct TaskRequest {
    request: Request,
    waiting: WaitingTask,
}

/// The task that waits for a request.
#[derive(Debug)]
enum WaitingTask {
    Answer(Sender<Result<Reply, IllustratorError>>),
    Drawing(DrawingSender),
}

/// The sending half of a [`Drawing`].
#[derive(Debug)]
struct DrawingSender {
    shot: ShotId,
    result: Sender<Result<TakeId, IllustratorError>>,
    steps: Sender<Progress>,
}

impl Illustrator {
    /// The handle and the resource that serves it.
    pub(crate) fn new() -> (Self, WaitingTasks) {
        let (requests, inbox) = unbounded();
        (Self { requests }, WaitingTasks::new(inbox))
    }

    /// Draws another take of a shot, in front of the queue. Resolves to the new take.
    ///
    /// The result is an error if the storyboard does not have the shot, if the drawing fails or is cancelled,
    /// or if the app ends.
    pub fn draw(&self, shot: &ShotId) -> Drawing {
        let (result, receiver) = bounded(1);
        let (steps, step_receiver) = unbounded();
        let request = Action::DrawMore { shot: shot.clone(), takes: 1, score: false }.into();
        let sender = DrawingSender { shot: shot.clone(), result, steps };
        self.send(request, WaitingTask::Drawing(sender));
        Drawing::new(receiver, step_receiver)
    }

    /// Applies an action. Resolves to its reply.
    ///
    /// The result is an error if the project refuses the action, or if the app ends.
    pub fn apply(&self, action: Action) -> Answer {
        let (sender, receiver) = bounded(1);
        self.send(action.into(), WaitingTask::Answer(sender));
        Answer(Reception::new(receiver))
    }

    fn send(&self, request: Request, waiting: WaitingTask) {
        // When the app has ended, this drops the senders, which ends the future with `AppEnded`.
        drop(self.requests.try_send(TaskRequest { request, waiting }));
    }
}

impl Future for Answer {
    type Output = Result<Reply, IllustratorError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(context)
    }
}

/// Waits for a result from the app.
struct Reception<T>(Pin<Box<dyn Future<Output = Result<T, IllustratorError>> + Send>>);

impl<T: Send + 'static> Reception<T> {
    fn new(receiver: Receiver<Result<T, IllustratorError>>) -> Self {
        Self(Box::pin(
            async move { receiver.recv().await.unwrap_or(Err(IllustratorError::AppEnded)) },
        ))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<T, IllustratorError>> {
        self.0.as_mut().poll(context)
    }
}

impl<T> std::fmt::Debug for Reception<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reception")
    }
}
