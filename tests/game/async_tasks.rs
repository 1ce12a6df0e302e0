//! Requests from a game's async tasks.

use bevy::{
    prelude::*,
    tasks::{
        AsyncComputeTaskPool, Task,
        futures::check_ready,
        futures_lite::{StreamExt, future},
    },
};
use bevy_illustrator::{
    plugin::{Illustrator, IllustratorError},
    prelude::*,
    project::ProjectError,
};

use crate::{common::Fakes, support::*};

fn portrait() -> ShotId {
    ShotId::new("portrait-mira-happy").unwrap()
}

fn illustrator(app: &App) -> Illustrator {
    app.world().resource::<Illustrator>().clone()
}

fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> Task<T> {
    AsyncComputeTaskPool::get().spawn(task)
}

/// Runs frames until a task has a result.
fn update_until_ready<T>(app: &mut App, mut task: Task<T>) -> T {
    let mut result = None;
    let ready = std::cell::RefCell::new((&mut task, &mut result));
    update_until(app, 20, "the task is ready", |_| {
        let (task, result) = &mut *ready.borrow_mut();
        **result = check_ready(task);
        result.is_some()
    });
    result.unwrap()
}

#[test]
fn a_task_awaits_the_take_that_it_requests() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start(&painter);
    // Sent before the project is open.
    let drawing = illustrator(&app).draw(&portrait());
    let task = spawn(drawing);
    let take = update_until_ready(&mut app, task).unwrap();
    let project = app.world().resource::<Project>();
    assert!(project.art().take(&portrait(), &take).is_ok(), "the take is on disk");
}

#[test]
fn the_stream_of_steps_is_in_order_and_ends_with_the_drawing() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    painter.slow(std::time::Duration::from_millis(5));
    let mut app = game.start(&painter);
    let illustrator = illustrator(&app);
    let task = spawn(async move {
        let drawing = illustrator.draw(&portrait());
        let steps: Vec<_> = drawing.steps().map(|step| (step.done, step.of)).collect().await;
        (steps, drawing.await)
    });
    let (steps, take) = update_until_ready(&mut app, task);
    take.unwrap();
    assert!(steps.len() > 1, "{steps:?}");
    assert!(steps.is_sorted(), "{steps:?}");
    assert!(steps.iter().all(|(done, of)| done <= of), "{steps:?}");
}

#[test]
fn each_of_several_tasks_gets_its_own_take() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start(&painter);
    let tasks = [0; 3].map(|_| illustrator(&app).draw(&portrait()));
    let task = spawn(async move {
        let mut takes = Vec::new();
        for drawing in tasks {
            takes.push(drawing.await.unwrap());
        }
        takes
    });
    let mut takes = update_until_ready(&mut app, task);
    takes.sort();
    takes.dedup();
    assert_eq!(takes.len(), 3);
}

#[test]
fn a_refused_request_and_a_failed_drawing_are_typed_errors() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start(&painter);
    update_until_drawn(&mut app);
    let nowhere = ShotId::new("background-nowhere").unwrap();
    let task = spawn(illustrator(&app).draw(&nowhere));
    let error = update_until_ready(&mut app, task).unwrap_err();
    let IllustratorError::Project(error) = error else { panic!("{error}") };
    assert!(matches!(&*error, ProjectError::NoSuchShot(shot) if *shot == nowhere), "{error}");

    painter.fail_on("painter");
    let task = spawn(illustrator(&app).draw(&portrait()));
    let error = update_until_ready(&mut app, task).unwrap_err();
    let IllustratorError::Project(error) = error else { panic!("{error}") };
    assert!(matches!(&*error, ProjectError::Job(_)), "{error}");
}

#[test]
fn a_cancelled_drawing_is_an_error_for_its_task() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start(&painter);
    update_until_drawn(&mut app);
    painter.hold_after(0);
    let illustrator = illustrator(&app);
    let task = spawn(async move {
        let drawing = illustrator.draw(&portrait());
        illustrator.apply(Action::CancelAll).await.unwrap();
        drawing.await
    });
    let error = update_until_ready(&mut app, task).unwrap_err();
    assert!(matches!(&error, IllustratorError::Cancelled(shot) if *shot == portrait()), "{error}");
}

#[test]
fn tasks_get_an_error_when_the_app_ends() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    painter.hold_after(0);
    let mut app = game.start(&painter);
    let illustrator = illustrator(&app);
    let queued = illustrator.draw(&portrait());
    update_until(&mut app, 20, "the project is open", |world| world.contains_resource::<Project>());
    (0..3).for_each(|_| app.update());
    let unreceived = illustrator.draw(&portrait());

    drop(app);

    let late = illustrator.apply(Action::DrawNeeded);
    assert!(matches!(future::block_on(queued), Err(IllustratorError::AppEnded)));
    assert!(matches!(future::block_on(unreceived), Err(IllustratorError::AppEnded)));
    assert!(matches!(future::block_on(late), Err(IllustratorError::AppEnded)));
}

#[test]
fn a_game_with_draw_policy_off_refuses_requests() {
    let (game, painter) = (Game::with_story(), Fakes::default());
    let mut app = game.start_with(IllustratorPlugin {
        story: StoryInput::File(STORY_FILE.into()),
        draw_policy: DrawPolicy::Off,
        ..plugin(&painter)
    });
    let task = spawn(illustrator(&app).draw(&portrait()));
    let error = update_until_ready(&mut app, task).unwrap_err();
    assert!(error.to_string().contains("DrawPolicy::OnRequest"), "{error}");
}
