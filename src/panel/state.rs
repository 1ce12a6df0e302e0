//! The state of the panel between frames, such as selections and unapplied text.

use std::path::PathBuf;

use bevy::prelude::Resource;

use super::{
    canvas::{self, Canvas, Keymap, SegmenterModel},
    filter::Filter,
    grid::Grid,
    image_request::ImageRequest,
    models_tab::ModelsTab,
    overview::Overview,
    selection::{Selection, Tab},
    style_draft::StyleDraft,
    words_editor::WordsDrafts,
};
use crate::{
    project::{Request, Update},
    settings::SettingsFile,
    storyboard::ShotId,
};

/// The state of the panel between frames. [`PanelPlugin`](super::PanelPlugin) adds it as a resource. With
/// [`panel_ui`](super::panel_ui), keep your own.
#[derive(Debug, Default, Resource)]
pub struct PanelState {
    /// Whether [`PanelPlugin`](super::PanelPlugin) shows the panel.
    pub open: bool,
    /// The open tab.
    pub tab: Tab,
    /// The filter of the storyboard.
    pub filter: Filter,
    /// The error in the newest version of the story, if any. The panel then shows the last valid version.
    pub story_error: Option<String>,
    /// Errors that belong to no shot, oldest first. The author can dismiss them.
    pub notices: Vec<String>,
    /// The widget that has egui's focus while keys are meant for the panel.
    pub(super) keys: Option<egui::Id>,
    /// Whether a text field of the panel had the focus in the last frame.
    pub(super) field_has_keys: bool,
    /// Whether the panel draws nothing in this frame, because the game's picture is taken.
    pub(super) is_captured: bool,
    pub(super) image_requests: Vec<ImageRequest>,
    pub(super) selection: Selection,
    pub(super) words: WordsDrafts,
    pub(super) style: StyleDraft,
    pub(super) models: ModelsTab,
    pub(super) overview: Overview,
    pub(super) grid: Grid,
    pub(super) canvas: Canvas,
}

impl PanelState {
    /// Selects one shot and shows its details.
    pub fn select(&mut self, shot: ShotId) {
        self.selection.only(shot);
    }

    /// The key bindings of the canvas. Bindings that the author saved replace these when the canvas is first shown.
    pub fn canvas_keys(&mut self) -> &mut Keymap {
        &mut self.canvas.keymap
    }

    /// Sets the safetensors file of MobileSAM, which the object tool uses to select objects. With `None`, the tool
    /// selects by colour and edges. The default is the file from `illustrate models fetch --mobile-sam`, if it
    /// exists. The change applies to the next opened take.
    pub fn set_segmenter_weights(&mut self, weights: Option<PathBuf>) {
        self.canvas.segmenter_model = SegmenterModel::new(weights);
    }

    /// Sets folders with models that the tab for models lists besides those that the author added. The default is the
    /// cache of Hugging Face, if there is one.
    pub fn set_shared_models(&mut self, folders: Vec<PathBuf>) {
        self.models.set_shared(folders);
    }

    /// Sets the settings in which the tab for models remembers answers of the author. The default is
    /// [`SettingsFile::from_env`].
    pub fn set_settings(&mut self, settings: SettingsFile) {
        self.models.set_settings(settings);
    }

    /// Sets the hub from which the tab for models downloads, and whose cache it lists instead of the
    /// [shared folders](Self::set_shared_models). The default is [`Hub::from_env`](crate::model::hub::Hub::from_env).
    #[cfg(feature = "hub")]
    pub fn set_hub(&mut self, hub: crate::model::hub::Hub) {
        self.models = std::mem::take(&mut self.models).with_hub(hub);
    }

    /// Call this before the panel is hidden. Returns requests that save the marks and end the trial of a candidate in
    /// the game.
    #[must_use]
    pub fn leave(&mut self) -> Vec<Request> {
        canvas::leave(&mut self.canvas)
    }

    /// Takes the requests for images from outside the story. Call this after every [`panel_ui`](super::panel_ui), and
    /// send them as messages to [`ImageSourcesPlugin`](super::ImageSourcesPlugin), or answer them yourself. The next
    /// `panel_ui` drops requests that were not taken.
    #[must_use]
    pub fn take_image_requests(&mut self) -> Vec<ImageRequest> {
        std::mem::take(&mut self.image_requests)
    }

    /// Processes an update of the project. Call this with every update: updates answer the requests of
    /// [`panel_ui`](super::panel_ui) and [`Self::leave`].
    pub fn receive(&mut self, update: &Update) {
        self.canvas.receive(update);
        if let Update::Applied { id, result } = update {
            let accepted = result.is_ok();
            self.words.receive(*id, accepted);
            self.style.receive(*id, accepted);
        }
    }

    /// The shot that is shown in detail.
    #[must_use]
    pub fn front(&self) -> Option<&ShotId> {
        self.selection.front.as_ref()
    }

    /// All selected shots.
    pub fn selected(&self) -> impl Iterator<Item = &ShotId> {
        self.selection.shots.iter()
    }
}
