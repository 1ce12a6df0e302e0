//! Opens the project of the story, applies requests to it, and sends its updates.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bevy::{
    ecs::message::MessageCursor,
    log::warn,
    prelude::*,
    tasks::{IoTaskPool, Task, futures::check_ready},
    window::ExitSystems,
};

use super::{
    DrawPolicy,
    illustrator::{Illustrator, WaitingTasks},
};
use crate::{
    art::ArtError,
    generator::GeneratorRegistry,
    project::{Action, Project, ProjectError, Request, Update as ProjectUpdate},
    schedule::{IllustratorStatus, IllustratorSystems, NewStory, Notices},
    story::Story,
};

/// The delay before a locked art folder is opened again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Opens the project in a task, because the time to read an art folder grows with the number of pictures.
#[derive(Resource)]
struct ProjectOpener {
    art_folder: PathBuf,
    draw_policy: DrawPolicy,
    registry: GeneratorRegistry,
    /// The story of the last attempt.
    story: Story,
    opening: Option<Task<Result<Project, ProjectError>>>,
    /// The reason why the last attempt failed, until a story is read or an attempt succeeds.
    failure: Option<Failure>,
}

struct Failure {
    error: Arc<ProjectError>,
    at: Instant,
}

/// The requests that are not applied yet.
#[derive(Resource, Default)]
struct PendingRequests {
    messages: MessageCursor<Request>,
    requests: Vec<Request>,
}

impl ProjectOpener {
    fn open(&mut self, story: Story) {
        self.story = story.clone();
        let (folder, registry) = (self.art_folder.clone(), self.registry.clone());
        let opening = async move { Project::open(story, folder, registry) };
        self.opening = Some(IoTaskPool::get().spawn(opening));
    }

    /// Tries again to open the project if another program had locked its art folder.
    fn retry(&mut self) {
        let is_locked = |failure: &Failure| {
            matches!(&*failure.error, ProjectError::Art(ArtError::Locked { .. }))
                && failure.at.elapsed() >= RETRY_INTERVAL
        };
        if self.failure.as_ref().is_some_and(is_locked) {
            self.open(self.story.clone());
        }
    }

    /// Applies an action that draws, if the policy allows it. No other code draws without a request.
    fn draw(&self, project: &mut Project, action: Action) {
        if self.draw_policy == DrawPolicy::Auto {
            project.apply(action);
        }
    }
}

/// Sets the app up to drive a project.
pub(super) fn build(
    app: &mut App,
    art_folder: PathBuf,
    draw_policy: DrawPolicy,
    registry: GeneratorRegistry,
) {
    let (illustrator, tasks) = Illustrator::new();
    app.insert_resource(ProjectOpener {
        art_folder,
        draw_policy,
        registry,
        story: Story::default(),
        opening: None,
        failure: None,
    })
    .insert_resource(illustrator)
    .insert_resource(tasks)
    .init_resource::<PendingRequests>()
    .add_systems(PreUpdate, plan_story.in_set(IllustratorSystems::Plan))
    .add_systems(PreUpdate, (apply_requests, poll_project).chain().in_set(IllustratorSystems::Poll))
    // The app ends after this frame, so that no later `PreUpdate` applies these requests.
    .add_systems(
        Last,
        apply_requests
            .in_set(IllustratorSystems::Poll)
            .after(ExitSystems)
            .run_if(on_message::<AppExit>),
    );
}

/// Opens the project with the first story, and passes every later story to it.
fn plan_story(
    mut commands: Commands,
    mut opener: ResMut<ProjectOpener>,
    mut new_story: ResMut<NewStory>,
    project: Option<ResMut<Project>>,
    mut status: ResMut<IllustratorStatus>,
    mut notices: ResMut<Notices>,
) {
    if let Some(task) = &mut opener.opening {
        let Some(opened) = check_ready(task) else { return };
        opener.opening = None;
        match opened {
            Ok(mut project) => {
                opener.failure = None;
                opener.draw(&mut project, Action::DrawNeeded);
                commands.insert_resource(project);
                *status = IllustratorStatus::Ready;
            }
            Err(error) => {
                status.fail(&mut notices, error.to_string());
                opener.failure = Some(Failure { error: error.into(), at: Instant::now() });
            }
        }
        return;
    }
    let story = new_story.bypass_change_detection().0.take();
    match (project, story) {
        (Some(mut project), Some(story)) => match project.set_story(story) {
            Ok(()) => {
                *status = IllustratorStatus::Ready;
                // A shot that failed with the same recipe would only fail again.
                opener.draw(&mut project, Action::DrawNew);
            }
            Err(error) => status.fail(&mut notices, error.to_string()),
        },
        (None, Some(story)) => {
            opener.failure = None;
            opener.open(story);
        }
        (None, None) => opener.retry(),
        (Some(_), None) => {}
    }
}

/// Applies requests. They wait for the project to be opened, and are refused if it cannot be opened.
fn apply_requests(
    mut pending: ResMut<PendingRequests>,
    mut tasks: ResMut<WaitingTasks>,
    opener: Res<ProjectOpener>,
    messages: Res<Messages<Request>>,
    project: Option<ResMut<Project>>,
    mut updates: MessageWriter<ProjectUpdate>,
    mut notices: ResMut<Notices>,
) {
    let PendingRequests { messages: cursor, requests } = &mut *pending;
    requests.extend(cursor.read(&messages).cloned());
    requests.extend(tasks.receive());
    match (project, &opener.failure) {
        (Some(mut project), _) => requests.drain(..).for_each(|request| {
            project.apply(request);
        }),
        (None, Some(failure)) => {
            for Request { id, .. } in requests.drain(..) {
                let result = Err(failure.error.clone());
                notices.report(failure.error.to_string());
                tasks.answer(id, &result, None);
                updates.write(ProjectUpdate::Applied { id, result });
            }
        }
        (None, None) => {}
    }
}

/// Sends the project's updates as messages.
fn poll_project(
    project: Option<ResMut<Project>>,
    mut tasks: ResMut<WaitingTasks>,
    mut messages: MessageWriter<ProjectUpdate>,
    mut notices: ResMut<Notices>,
) {
    let Some(mut project) = project else { return };
    let updates = project.bypass_change_detection().poll();
    tasks.update(&updates, &project);
    if updates.is_empty() {
        return;
    }
    project.set_changed();
    for update in &updates {
        match update {
            ProjectUpdate::Applied { result: Err(error), .. } => notices.report(error.to_string()),
            ProjectUpdate::Failed { shot, error } if project.error(shot).is_some() => {
                warn!("shot {shot}: {error}");
            }
            // A failure before the drawing began is not in the state of the shot.
            ProjectUpdate::Failed { shot, error } => notices.report(format!("{shot}: {error}")),
            _ => {}
        }
    }
    messages.write_batch(updates);
}
