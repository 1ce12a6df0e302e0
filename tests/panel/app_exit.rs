//! Saving when the app exits.

use bevy::{
    prelude::*,
    render::{RenderPlugin, pipelined_rendering::PipelinedRenderingPlugin, settings::WgpuSettings},
    window::ExitCondition,
    winit::WinitPlugin,
};
use bevy_illustrator::{prelude::*, recipe::Layer, storyboard::ShotId};
use egui_kittest::kittest::Queryable;

use super::{
    canvas::{canvas, mark_part_for_a_moon, take},
    support::{Fixture, Panel},
};

/// Runs an app with this panel and project that exits in its first frame. Returns the saved parts of the shot's take.
fn parts_after_exit(panel: Panel, shot: &ShotId) -> Vec<Layer> {
    let of = take(&panel, shot, 0).id;
    let Fixture { project, panel, folder: _folder, .. } = panel.into_state();
    let window =
        WindowPlugin { primary_window: None, exit_condition: ExitCondition::DontExit, ..default() };
    let render_creation = WgpuSettings { backends: None, ..default() }.into();
    let mut app = App::new();
    app.add_plugins(
        DefaultPlugins
            .set(window)
            .set(RenderPlugin { render_creation, ..default() })
            .disable::<WinitPlugin>()
            .disable::<PipelinedRenderingPlugin>()
            .disable::<bevy::log::LogPlugin>(),
    )
    .add_plugins(IllustratorPlugins.set(IllustratorPlugin {
        story: StoryInput::File("no such.story.ron".into()),
        ..default()
    }));
    app.finish();
    app.cleanup();
    app.insert_resource(project).insert_resource(panel);
    app.world_mut().write_message(AppExit::Success);
    app.update();
    app.world().resource::<Project>().marks(shot, &of).unwrap().layers
}

#[test]
fn a_prompt_typed_when_the_app_exits_is_saved() {
    let (mut panel, shot) = canvas();
    mark_part_for_a_moon(&mut panel, &shot);
    panel.state_mut().apply_requests();
    // Typed text is saved periodically. Stop typing when a key is not saved yet.
    let typed = (1..).find(|_| {
        panel.get_by_label("Prompt").type_text("!");
        panel.run_steps(1);
        panel.state_mut().apply_requests().is_empty()
    });
    let words = format!("a moon{}", "!".repeat(typed.unwrap()));
    let layers = parts_after_exit(panel, &shot);
    assert_eq!(layers[0].edit.as_ref().unwrap().words, words);
}

#[test]
fn refused_marks_are_saved_when_the_app_exits() {
    let (mut panel, shot) = canvas();
    panel.state().fill_disk();
    mark_part_for_a_moon(&mut panel, &shot);
    panel.key_press(egui::Key::Escape);
    panel.run_steps(2);
    assert!(panel.state_mut().try_apply_requests() > 0);
    panel.state().free_disk();
    assert_eq!(parts_after_exit(panel, &shot).len(), 1);
}
