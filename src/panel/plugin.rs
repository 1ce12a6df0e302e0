//! The panel in a running game.

use std::sync::Mutex;

use bevy::{
    ecs::schedule::{BoxedCondition, SystemCondition},
    log::error,
    prelude::*,
    render::RenderPlugin,
    window::ExitSystems,
};
use bevy_egui::{EguiContexts, EguiPlugin, EguiPrimaryContextPass};
use egui::{Align2, Frame, Window};

use super::{
    image_request::ImageRequest,
    image_sources::ImageSourcesPlugin,
    panel_ui,
    selection::Tab,
    state::PanelState,
    status::{StoryStatus, panel_status_ui},
    theme,
    thumbnails::ThumbnailCache,
};
use crate::{
    project::{Project, Request, Update},
    schedule::{IllustratorStatus, IllustratorSystems, Notices, ShippedStoryboard},
};

/// Run conditions for a game's own input systems: whether egui has the keyboard or the pointer.
///
/// Keys and clicks on the panel also reach the game, unless its systems ignore them:
/// `read_keys.run_if(not(egui_wants_any_keyboard_input))`. The panel has the keyboard from a click on the panel until a
/// click on the game.
pub use bevy_egui::input::{egui_wants_any_keyboard_input, egui_wants_any_pointer_input};

/// Draws the panel on the right-hand side of the game.
///
/// | key | action |
/// |---|---|
/// | F2 | opens and closes the panel |
/// | Up, Down | select the previous or the next shot |
/// | Left, Right | select the previous or the next take |
/// | Enter, Delete | accept or discard the take |
/// | Ctrl+Enter | applies the typed prompt and draws |
///
/// The canvas has more keys: see [`Keymap`](super::canvas::Keymap). Except for F2, the panel uses keys only from a
/// click on the panel until a click on the game.
///
/// This plugin adds [`EguiPlugin`] and [`ImageSourcesPlugin`], unless the game already added them. It must be added after Bevy's renderer. Without a
/// renderer there is no panel. A game should ignore keys and clicks for the panel: see
/// [`egui_wants_any_keyboard_input`].
///
/// ```no_run
/// # use bevy::prelude::*;
/// # use bevy_illustrator::{panel::egui_wants_any_keyboard_input, prelude::*};
/// # #[derive(Resource)] struct AuthorMode;
/// # fn read_keys() {}
/// App::new()
///     .add_plugins(DefaultPlugins)
///     .add_plugins(
///         IllustratorPlugins.set(PanelPlugin::default().run_if(resource_exists::<AuthorMode>)),
///     )
///     .add_systems(Update, read_keys.run_if(not(egui_wants_any_keyboard_input)));
/// ```
#[derive(Default)]
pub struct PanelPlugin {
    condition: Mutex<Option<BoxedCondition>>,
}

impl PanelPlugin {
    /// Lets the author open the panel only while `condition` holds. [`PanelState::open`] opens it from code.
    #[must_use]
    pub fn run_if<M>(self, condition: impl SystemCondition<M>) -> Self {
        Self { condition: Mutex::new(Some(Box::new(IntoSystem::into_system(condition)))) }
    }
}

impl Plugin for PanelPlugin {
    fn build(&self, app: &mut App) {
        if !app.is_plugin_added::<RenderPlugin>() {
            // There is no renderer yet. If the plugins are in the wrong order, `finish` reports it.
            return;
        }
        if !app.is_plugin_added::<EguiPlugin>() {
            app.add_plugins(EguiPlugin::default());
        }
        if !app.is_plugin_added::<ImageSourcesPlugin>() {
            app.add_plugins(ImageSourcesPlugin);
        }
        app.init_resource::<PanelState>().add_message::<Request>().add_message::<Update>();
        let mut show = show_panel.run_if(not(resource_exists::<ShippedStoryboard>));
        let condition = self.condition.lock().map_or(None, |mut condition| condition.take());
        if let Some(condition) = condition {
            show.run_if_dyn(condition);
        }
        app.add_systems(PreUpdate, receive_updates.after(IllustratorSystems::Poll));
        app.add_systems(EguiPrimaryContextPass, show).add_systems(
            Last,
            leave_on_exit
                .after(ExitSystems)
                .before(IllustratorSystems::Poll)
                .run_if(on_message::<AppExit>),
        );
    }

    fn finish(&self, app: &mut App) {
        if app.is_plugin_added::<RenderPlugin>() && !app.world().contains_resource::<PanelState>() {
            error!("{WRONG_ORDER}");
        }
    }
}

const WRONG_ORDER: &str =
    "the illustrator's panel must be added after Bevy's renderer; add the plugins in this order:

    App::new()
        .add_plugins(DefaultPlugins)
        .add_plugins(IllustratorPlugins)";

fn show_panel(
    mut contexts: EguiContexts,
    mut state: ResMut<PanelState>,
    project: Option<Res<Project>>,
    status: Option<Res<IllustratorStatus>>,
    mut notices: Option<ResMut<Notices>>,
    mut cache: Local<Option<ThumbnailCache>>,
    mut requests: MessageWriter<Request>,
    mut image_requests: MessageWriter<ImageRequest>,
) -> Result {
    let context = contexts.ctx_mut()?.clone();
    if context.input(is_toggled) {
        state.open = !state.open;
        if !state.open {
            requests.write_batch(state.leave());
        }
    }
    if !state.open {
        return Ok(());
    }
    if !cache.as_ref().is_some_and(|cache| cache.is_for(&context)) {
        *cache = Some(ThumbnailCache::new(&context)?);
    }
    let Some(cache) = cache.as_mut() else { return Ok(()) };
    cache.begin_frame();

    let story_error = match status.as_deref() {
        Some(IllustratorStatus::Failed(text)) => Some(text.clone()),
        _ => None,
    };
    if let Some(notices) = &notices {
        let others = notices.0.iter().filter(|text| story_error.as_ref() != Some(*text));
        state.notices = others.cloned().collect();
    }
    state.story_error = story_error;

    // Menus and tooltips use the style of the context, so the panel's style is set while the panel is shown.
    let style = context.global_style();
    context.set_global_style(theme::style());
    side_window(&context, state.tab).show(&context, |ui| match &project {
        Some(project) => {
            requests.write_batch(panel_ui(ui, &mut state, project, cache));
            image_requests.write_batch(state.take_image_requests());
        }
        None => {
            let status = match (&status, &state.story_error) {
                (_, Some(error)) => StoryStatus::Failed(error),
                (Some(_), None) => StoryStatus::Loading,
                (None, None) => StoryStatus::NoStory,
            };
            panel_status_ui(ui, status);
        }
    });
    context.set_global_style(style);

    if let Some(notices) = &mut notices
        && state.notices.is_empty()
        && !notices.0.is_empty()
    {
        notices.0.clear();
    }
    Ok(())
}

/// Passes the project's updates to the panel, also while it is closed.
fn receive_updates(mut state: ResMut<PanelState>, mut updates: MessageReader<Update>) {
    for update in updates.read() {
        state.receive(update);
    }
}

/// Saves the marks when the app exits.
fn leave_on_exit(mut state: ResMut<PanelState>, mut requests: MessageWriter<Request>) {
    state.canvas.retry_save();
    requests.write_batch(state.leave());
}

/// Whether F2 was pressed. Repeated events of a held key do not count.
fn is_toggled(input: &egui::InputState) -> bool {
    input.events.iter().any(|event| {
        matches!(event, egui::Event::Key { key: egui::Key::F2, pressed: true, repeat: false, .. })
    })
}

/// A window along the right-hand side of the game. It is not an egui panel, because egui captures the pointer only
/// above windows.
fn side_window(context: &egui::Context, tab: Tab) -> Window<'static> {
    let screen = context.viewport_rect();
    // The canvas needs more width than the lists, so it has its own window, which keeps its own width.
    let (name, share) = match tab {
        Tab::Canvas => ("Illustrator's canvas", 0.72),
        _ => ("Illustrator", 0.375),
    };
    let max_width = (screen.width() - 160.0).max(360.0);
    let width = if tab == Tab::Canvas {
        screen.width() * share
    } else {
        (screen.width() * share).clamp(400.0, 640.0)
    };
    Window::new(name)
        .title_bar(false)
        .anchor(Align2::RIGHT_TOP, [0.0, 0.0])
        .frame(Frame::new())
        .resizable([true, false])
        .default_width(width.min(max_width))
        .min_width(360.0)
        .max_width(max_width)
        .min_height(screen.height())
        .max_height(screen.height())
}
