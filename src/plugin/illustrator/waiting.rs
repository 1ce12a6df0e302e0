//! The async tasks that wait for the project.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use async_channel::Receiver;
use bevy::prelude::Resource;

use super::{DrawingSender, IllustratorError, TaskRequest, WaitingTask};
use crate::{
    art::TakeId,
    project::{ActionId, ActionResult, Project, Request, Update},
    recipe::Recipe,
    storyboard::ShotId,
    studio::JobId,
};

/// Receives the requests of async tasks, and resolves their futures from the project's updates.
#[derive(Resource)]
pub(crate) struct WaitingTasks {
    inbox: Receiver<TaskRequest>,
    /// The tasks whose request is not answered yet.
    unanswered: HashMap<ActionId, WaitingTask>,
    drawings: Vec<QueuedDrawing>,
}

/// A drawing whose job was queued.
struct QueuedDrawing {
    sender: DrawingSender,
    job: JobId,
    /// `None` if the job ended before its answer was read. Then the next take of the shot is the result.
    recipe: Option<Arc<Recipe>>,
    /// Whether the job had left the queue when the project was last polled.
    ended: bool,
}

impl WaitingTasks {
    pub(super) fn new(inbox: Receiver<TaskRequest>) -> Self {
        Self { inbox, unanswered: HashMap::new(), drawings: Vec::new() }
    }

    /// The requests that tasks have sent since the last call.
    pub(crate) fn receive(&mut self) -> Vec<Request> {
        let mut requests = Vec::new();
        while let Ok(TaskRequest { request, waiting }) = self.inbox.try_recv() {
            self.unanswered.insert(request.id, waiting);
            requests.push(request);
        }
        requests
    }

    /// Passes an answer to the task that waits for it. `project` is `None` only if the answer is an error.
    pub(crate) fn answer(
        &mut self,
        id: ActionId,
        result: &ActionResult,
        project: Option<&Project>,
    ) {
        let Some(waiting) = self.unanswered.remove(&id) else { return };
        let result = result.clone().map_err(IllustratorError::Project);
        match waiting {
            WaitingTask::Answer(sender) => drop(sender.try_send(result)),
            WaitingTask::Drawing(sender) => match result {
                Ok(reply) => {
                    let Some(&job) = reply.jobs.first() else { return };
                    let views = project.map(|project| project.studio().jobs()).unwrap_or_default();
                    let view = views.into_iter().find(|view| view.job.id == job);
                    let recipe = view.map(|view| view.job.recipe);
                    self.drawings.push(QueuedDrawing { sender, job, recipe, ended: false });
                }
                Err(error) => drop(sender.result.try_send(Err(error))),
            },
        }
    }

    /// Passes updates on to the tasks. Call it after each poll of the project, even if there are no updates.
    pub(crate) fn update(&mut self, updates: &[Update], project: &Project) {
        for update in updates {
            if let Update::Applied { id, result } = update {
                self.answer(*id, result, Some(project));
            }
        }
        let changed = !updates.is_empty() || self.drawings.iter().any(|drawing| drawing.ended);
        if self.drawings.is_empty() || !changed {
            return;
        }
        let jobs = project.studio().jobs();
        let queued: HashSet<JobId> = jobs.iter().map(|view| view.job.id).collect();
        let running = jobs.iter().find_map(|view| Some((view.job.id, view.progress.as_ref()?)));
        for update in updates {
            match update {
                Update::Progress(job) => {
                    let Some((id, progress)) = running.filter(|(id, _)| *id == job.id) else {
                        continue;
                    };
                    for drawing in self.drawings.iter().filter(|drawing| drawing.job == id) {
                        drop(drawing.sender.steps.try_send(progress.clone()));
                    }
                }
                Update::Drawn { shot, take, .. } => self
                    .finish(|drawing| drawing.has_drawn(shot, take, project), |_| Ok(take.clone())),
                Update::Failed { shot, error } => self.finish(
                    |drawing| drawing.sender.shot == *shot && !queued.contains(&drawing.job),
                    |_| Err(error.clone().into()),
                ),
                _ => {}
            }
        }
        // The project reports the end of a job no later than the poll after the job left the queue. A job without
        // a report by then was cancelled.
        self.finish(
            |drawing| drawing.ended && !queued.contains(&drawing.job),
            |shot| Err(IllustratorError::Cancelled(shot.clone())),
        );
        for drawing in &mut self.drawings {
            drawing.ended = !queued.contains(&drawing.job);
        }
    }

    /// Sends a result to the drawings that `ends` selects, and forgets them.
    fn finish(
        &mut self,
        ends: impl Fn(&QueuedDrawing) -> bool,
        result: impl Fn(&ShotId) -> Result<TakeId, IllustratorError>,
    ) {
        self.drawings.retain(|drawing| {
            let ends = ends(drawing);
            if ends {
                drop(drawing.sender.result.try_send(result(&drawing.sender.shot)));
            }
            !ends
        });
    }
}

impl QueuedDrawing {
    /// Whether this drawing produced the take.
    fn has_drawn(&self, shot: &ShotId, take: &TakeId, project: &Project) -> bool {
        self.sender.shot == *shot
            && self.recipe.as_ref().is_none_or(|recipe| {
                project.art().take(shot, take).is_ok_and(|take| take.recipe() == &**recipe)
            })
    }
}

impl Drop for WaitingTasks {
    /// Ends the futures of requests that were not received.
    fn drop(&mut self) {
        self.inbox.close();
        while self.inbox.try_recv().is_ok() {}
    }
}
