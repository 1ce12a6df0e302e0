//! The author's panel in a window of your own: `panel_ui` draws it into any egui `Ui`, such as a tab of a dock.
//!
//! `panel_ui` only changes its own state. It returns requests, which your code passes on to the project.
//!
//! ```sh
//! cargo run --example own_dock
//! ```

mod common;

use bevy::prelude::*;
use bevy_egui::{EguiContexts, EguiPlugin, EguiPrimaryContextPass, egui};
use bevy_illustrator::{
    components::ComponentsPlugin,
    hot_swap::HotSwapPlugin,
    panel::{ImageRequest, ImageSourcesPlugin, PanelState, ThumbnailCache, panel_ui},
    prelude::*,
    project::{Request, Update as ProjectUpdate},
};

fn main() -> AppExit {
    App::new()
        .add_plugins((common::default_plugins(), EguiPlugin::default()))
        // `IllustratorPlugins` without `PanelPlugin`, which would open a second panel with F2.
        .add_plugins((IllustratorPlugin::default(), HotSwapPlugin::default(), ComponentsPlugin))
        // Pastes images, and takes pictures of the game.
        .add_plugins(ImageSourcesPlugin)
        .init_resource::<PanelState>()
        .add_systems(Startup, (common::write_story, spawn_stage))
        .add_systems(EguiPrimaryContextPass, show_dock)
        .run()
}

fn show_dock(
    mut contexts: EguiContexts,
    mut panel: ResMut<PanelState>,
    project: Option<Res<Project>>,
    mut thumbnails: Local<Option<ThumbnailCache>>,
    mut updates: MessageReader<ProjectUpdate>,
    mut requests: MessageWriter<Request>,
    mut image_requests: MessageWriter<ImageRequest>,
) -> Result {
    let context = contexts.ctx_mut()?.clone();
    let Some(project) = project else { return Ok(()) };
    // The panel needs the answers to its requests.
    updates.read().for_each(|update| panel.receive(update));
    let thumbnails = match &mut *thumbnails {
        Some(thumbnails) => thumbnails,
        none => none.insert(ThumbnailCache::new(&context)?),
    };
    thumbnails.begin_frame();
    egui::Window::new("Pictures").default_width(480.0).show(&context, |ui| {
        let new_requests = panel_ui(ui, &mut panel, &project, thumbnails);
        requests.write_batch(new_requests);
        image_requests.write_batch(panel.take_image_requests());
    });
    Ok(())
}

fn spawn_stage(mut commands: Commands) {
    commands.spawn(Camera2d);
    commands.spawn((
        Node { width: percent(100), height: percent(100), ..default() },
        ImageNode::default().with_mode(NodeImageMode::Stretch),
        Illustration::background("arrival"),
    ));
}
