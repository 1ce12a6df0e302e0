//! Drives the project of the story.

use std::path::PathBuf;

use bevy::{
    ecs::message::MessageCursor,
    log::warn,
    prelude::*,
    tasks::{IoTaskPool, Task, futures::check_ready},
    window::ExitSystems,
};

use crate::{
    generator::GeneratorRegistry,
    project::{Action, Project, ProjectError, Request, Update as ProjectUpdate},
    schedule::{IllustratorStatus, IllustratorSystems, NewStory, Notices},
    story::Story,
};

/// What the project is opened with.
#[derive(Resource)]
pub(super) struct ProjectOpener {
    art_folder: PathBuf,
    draw_needed: bool,
    registry: GeneratorRegistry,
    /// Reading an art folder takes as long as its pictures are many: a task does it.
    opening: Option<Task<Result<Project, ProjectError>>>,
}

/// What was pending for and is not applied yet.
#[derive(Resource, Default)]
struct PendingActions {
    read: MessageCursor<Request>,
    /// What was pending for before there is a project.
    waiting: Vec<Request>,
}

impl ProjectOpener {
    pub(super) fn new(art_folder: PathBuf, draw_needed: bool, registry: GeneratorRegistry) -> Self {
        Self { art_folder, draw_needed, registry, opening: None }
    }

    /// Opens the project of a story, off the frame.
    fn open(&mut self, story: Story) {
        let (folder, registry) = (self.art_folder.clone(), self.registry.clone());
        let draw_needed = self.draw_needed;
        self.opening = Some(IoTaskPool::get().spawn(async move {
            let mut project = Project::open(story, folder, registry)?;
            if draw_needed {
                project.apply(Action::DrawNeeded);
            }
            Ok(project)
        }));
    }
}

/// Drives a project that is opened with what lies on the opener.
pub(super) fn draw(app: &mut App, opener: ProjectOpener) {
    app.insert_resource(opener)
        .init_resource::<PendingActions>()
        .add_systems(PreUpdate, plan_story.in_set(IllustratorSystems::Plan))
        .add_systems(
            PreUpdate,
            (apply_actions, poll_project).chain().in_set(IllustratorSystems::Poll),
        )
        // No frame comes after the one in which the app ends.
        .add_systems(
            Last,
            apply_actions
                .in_set(IllustratorSystems::Poll)
                .after(ExitSystems)
                .run_if(on_message::<AppExit>),
        );
}

/// Opens the project when the first story is there, and gives it every later one.
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
            Ok(project) => {
                commands.insert_resource(project);
                *status = IllustratorStatus::Ready;
            }
            Err(error) => status.fail(&mut notices, error.to_string()),
        }
        return;
    }
    let Some(story) = new_story.bypass_change_detection().0.take() else { return };
    let Some(mut project) = project else {
        opener.open(story);
        return;
    };
    match project.set_story(story) {
        Ok(()) => *status = IllustratorStatus::Ready,
        Err(error) => return status.fail(&mut notices, error.to_string()),
    }
    if opener.draw_needed {
        project.apply(Action::DrawNeeded);
    }
}

/// Applies what was pending for; what is pending for before there is a project waits for it.
fn apply_actions(
    mut pending: ResMut<PendingActions>,
    requests: Res<Messages<Request>>,
    project: Option<ResMut<Project>>,
) {
    let PendingActions { read, waiting } = &mut *pending;
    waiting.extend(read.read(&requests).cloned());
    let Some(mut project) = project else { return };
    for request in waiting.drain(..) {
        project.apply(request);
    }
}

/// Sends on what happened in the project.
fn poll_project(
    project: Option<ResMut<Project>>,
    mut updates: MessageWriter<ProjectUpdate>,
    mut notices: ResMut<Notices>,
) {
    let Some(mut project) = project else { return };
    let told = project.bypass_change_detection().poll();
    if told.is_empty() {
        return;
    }
    project.set_changed();
    for update in &told {
        match update {
            ProjectUpdate::Applied { result: Err(error), .. } => notices.report(error.to_string()),
            ProjectUpdate::Failed { shot, error } if project.error(shot).is_some() => {
                warn!("shot {shot}: {error}");
            }
            // What was not even begun stands on no shot.
            ProjectUpdate::Failed { shot, error } => notices.report(format!("{shot}: {error}")),
            _ => {}
        }
    }
    updates.write_batch(told);
}
