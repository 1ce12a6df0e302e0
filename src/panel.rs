//! The author's panel over the running game: every picture of the story, and all actions on it.
//!
//! [`PanelPlugin`] adds it to a game and opens it with a key. For a dock of your own, call [`panel_ui`]: it shows the
//! panel for a [`PanelState`] and a [`Project`], and returns the author's requests. Pass the project's updates to
//! [`PanelState::receive`]:
//!
//! ```no_run
//! # use bevy_illustrator::{panel::{PanelState, ThumbnailCache, panel_ui}, project::Project};
//! # fn dock(ui: &mut egui::Ui, state: &mut PanelState, project: &mut Project, cache: &mut ThumbnailCache) {
//! cache.begin_frame();
//! for request in panel_ui(ui, state, project, cache) {
//!     project.apply(request);
//! }
//! for update in project.poll() {
//!     state.receive(&update);
//! }
//! # }
//! ```
//!
//! The image picker can also ask for the image on the clipboard, or for what the game shows. Send the requests of
//! [`PanelState::take_image_requests`] as messages, and add [`ImageSourcesPlugin`], or
//! [answer](ImageRequest::answer) them yourself.

mod badge;
pub mod canvas;
mod context;
mod discarded;
mod filter;
mod grid;
mod image_request;
mod image_sources;
mod loras_form;
mod losses;
mod models_tab;
mod overview;
mod picture;
mod plugin;
mod prompt_field;
mod queue_tab;
mod selection;
mod shot_actions;
mod shot_detail;
mod state;
mod status;
mod steering;
mod storyboard_tab;
mod style_draft;
mod style_tab;
mod takes_strip;
mod theme;
mod thumbnails;
mod tile;
mod widgets;
mod words_editor;

pub use filter::Filter;
pub use image_request::{ImageReply, ImageRequest, ImageResult, ImageSource, ImageSourceError};
pub use image_sources::ImageSourcesPlugin;
pub use plugin::{PanelPlugin, egui_wants_any_keyboard_input, egui_wants_any_pointer_input};
pub use selection::Tab;
pub use state::PanelState;
pub use status::{StoryStatus, panel_status_ui};
pub use thumbnails::{Picture, SMALL_SIDE, Texture, ThumbnailCache, Thumbnails};

use std::time::Duration;

use egui::{Button, EventFilter, RichText, Ui, WidgetInfo, WidgetType, vec2};

use crate::project::{Project, Request};
use context::PanelContext;
use theme::STEP;

/// Shows the whole panel in `ui`. Returns the author's requests, in order.
///
/// The function changes only `state`. It sets its own style and has no global state. It needs at least the width of a
/// phone.
pub fn panel_ui(
    ui: &mut Ui,
    state: &mut PanelState,
    project: &Project,
    thumbnails: &mut dyn Thumbnails,
) -> Vec<Request> {
    // Moved out of the state for this frame, so that the tabs can read it while they change the state.
    let mut overview = std::mem::take(&mut state.overview);
    overview.refresh(project);
    let current = project.studio().current();
    let summary = overview.summary(current.as_ref(), project.studio().is_paused());
    if current.is_some() {
        ui.ctx().request_repaint_after(Duration::from_millis(200));
    }
    // The id stays the same when the panel moves to another window, so that it keeps the keyboard.
    let keys = *state.keys.get_or_insert_with(|| ui.id().with("keys"));
    let mut cx = PanelContext {
        project,
        overview: &overview,
        thumbnails,
        current,
        has_keys: ui.memory(|memory| memory.has_focus(keys)),
        next_tab: None,
        requests: Vec::new(),
        image_requests: Vec::new(),
    };

    let panel = ui.scope(|ui| {
        if state.is_captured {
            ui.set_opacity(0.0);
        }
        ui.set_style(theme::style());
        theme::background_frame().show(ui, |ui| {
            ui.set_min_size(ui.available_size());
            header(ui, state, &mut cx, &summary);
            if state.tab != Tab::Canvas {
                cx.requests.extend(state.leave());
            }
            match state.tab {
                Tab::Storyboard => storyboard_tab::storyboard_tab(ui, state, &mut cx),
                Tab::Canvas => {
                    canvas::canvas_tab(ui, &mut state.canvas, &mut state.selection, &mut cx);
                }
                Tab::Queue => queue_tab::queue_tab(ui, &mut state.selection, &mut cx),
                Tab::Style => style_tab::style_tab(ui, &mut state.style, &mut cx),
                Tab::Models => {
                    models_tab::models_tab(ui, &mut state.models, &mut state.style, &mut cx);
                    if let Some(weights) = state.models.take_mobile_sam() {
                        state.set_segmenter_weights(Some(weights));
                    }
                }
            }
        });
    });
    update_focus(ui, panel.response.rect, keys, state);
    state.tab = cx.next_tab.unwrap_or(state.tab);
    let requests = cx.requests;
    // Requests that nobody took are dropped. The image picker then says so.
    state.image_requests = cx.image_requests;
    state.overview = overview;
    requests
}

/// Gives the panel keyboard focus when it is clicked, until something else is clicked. The panel then has egui's
/// focus, so that the game can ignore the keys. When a text field of the panel loses the focus by Enter, Esc or a
/// shortcut, the panel gets the focus back.
fn update_focus(ui: &Ui, panel: egui::Rect, id: egui::Id, state: &mut PanelState) {
    let response = ui.interact(panel, id, egui::Sense::focusable_noninteractive());
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Other, true, "Illustrator"));
    let clicked = ui.input(|input| input.pointer.any_pressed() || input.pointer.any_released());
    let focused = ui.memory(egui::Memory::focused);
    let is_left = std::mem::take(&mut state.field_has_keys) && !clicked;
    if focused.is_none() && (is_left || clicked && ui.rect_contains_pointer(panel)) {
        response.request_focus();
    }
    let field =
        focused.filter(|field| *field != id).and_then(|field| ui.ctx().read_response(field));
    state.field_has_keys = field.is_some_and(|field| panel.contains_rect(field.rect));
    let filter = EventFilter {
        horizontal_arrows: true,
        vertical_arrows: true,
        // On the canvas, Esc discards a candidate. On other tabs, it returns the keyboard to the game.
        escape: state.tab == Tab::Canvas,
        ..EventFilter::default()
    };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
}

/// Title, progress, problems of the story, and the tabs.
fn header(ui: &mut Ui, state: &mut PanelState, cx: &mut PanelContext<'_>, summary: &str) {
    let title = &cx.project.story().title;
    let title = if title.is_empty() { "Untitled story" } else { title };
    ui.add(egui::Label::new(RichText::new(title).heading()).truncate());
    ui.add(egui::Label::new(theme::weak(summary)).wrap());
    let (drawn, all) = cx.overview.drawn_of();
    let part = drawn as f32 / all.max(1) as f32;
    ui.add(theme::progress_bar(part, 4.0));

    if let Some(error) = &state.story_error {
        theme::error_box(ui, error, "The panel shows the last valid version of the story.");
    }
    notices(ui, &mut state.notices);
    warnings(ui, &cx.overview.warnings);

    ui.horizontal(|ui| {
        let waiting = cx.overview.jobs.len();
        let queue = if waiting == 0 { "Queue".into() } else { format!("Queue ({waiting})") };
        let tabs = [
            (Tab::Storyboard, "Storyboard".to_owned()),
            (Tab::Canvas, "Canvas".to_owned()),
            (Tab::Queue, queue),
            (Tab::Style, "Style".to_owned()),
            (Tab::Models, "Models".to_owned()),
        ];
        // All tabs fit the narrowest panel.
        let width = if ui.available_width() < 560.0 { 60.0 } else { 96.0 };
        ui.spacing_mut().button_padding.x = 6.0;
        ui.spacing_mut().item_spacing.x = STEP / 2.0;
        for (tab, name) in tabs {
            let button = Button::selectable(state.tab == tab, name).min_size(vec2(width, 28.0));
            if ui.add(button).clicked() {
                state.tab = tab;
            }
        }
    });
    ui.separator();
}

/// The newest notice and the number of earlier ones.
fn notices(ui: &mut Ui, notices: &mut Vec<String>) {
    let Some(newest) = notices.last() else { return };
    let more = match notices.len() - 1 {
        0 => String::new(),
        1 => "1 earlier notice.".to_owned(),
        more => format!("{more} earlier notices."),
    };
    theme::error_box(ui, newest, &more);
    if ui.button("Dismiss").on_hover_text("Removes these notices").clicked() {
        notices.clear();
    }
}

/// Warnings about the story, collapsed.
fn warnings(ui: &mut Ui, warnings: &[String]) {
    if warnings.is_empty() {
        return;
    }
    let heading = match warnings.len() {
        1 => "1 warning about the story".to_owned(),
        notes => format!("{notes} warnings about the story"),
    };
    let heading = RichText::new(heading).color(theme::WARNING);
    egui::CollapsingHeader::new(heading).id_salt("notes").show(ui, |ui| {
        let area = egui::ScrollArea::vertical().max_height(120.0).auto_shrink([false, true]);
        let height = ui.text_style_height(&egui::TextStyle::Body);
        area.show_rows(ui, height, warnings.len(), |ui, rows| {
            for warning in &warnings[rows] {
                ui.add(egui::Label::new(warning).truncate()).on_hover_text(warning);
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use egui::{Context, RawInput, epaint::Primitive};

    use super::*;
    use crate::{
        generator::GeneratorRegistry,
        story::{Place, Scene, Story},
    };

    struct NoThumbnails;

    impl Thumbnails for NoThumbnails {
        fn of(&mut self, _picture: Picture<'_>) -> Texture {
            Texture::Loading
        }
    }

    #[test]
    fn nothing_is_drawn_while_the_picture_of_the_game_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let registry = GeneratorRegistry::default();
        let place = Place { id: "shore".into(), looks: "a coast".into(), ..Place::default() };
        let scene = Scene { id: "one".into(), place: "shore".into(), ..Scene::default() };
        let story = Story { places: vec![place], scenes: vec![scene], ..Story::default() };
        let project = Project::open(story, folder.path(), registry).unwrap();
        let mut state = PanelState { tab: Tab::Style, ..PanelState::default() };
        let context = Context::default();
        let mut is_seen = |is_captured: bool| {
            state.is_captured = is_captured;
            let mut output = context.run_ui(RawInput::default(), |ui| {
                panel_ui(ui, &mut state, &project, &mut NoThumbnails);
            });
            output.textures_delta.clear();
            let primitives = context.tessellate(output.shapes, 1.0);
            primitives.iter().any(|it| match &it.primitive {
                Primitive::Mesh(mesh) => mesh.vertices.iter().any(|it| it.color.a() > 0),
                Primitive::Callback(_) => true,
            })
        };
        assert!(is_seen(false));
        assert!(!is_seen(true));
        assert!(is_seen(false));
    }
}
