//! What the panel remembers between frames: where the author is, and what is typed but not applied.

use std::path::PathBuf;

use bevy::prelude::Resource;

use super::{
    canvas::{self, Canvas, Keymap, SegmenterModel},
    filter::Filter,
    grid::Grid,
    overview::Overview,
    selection::{Selection, Tab},
    style_tab::StyleDraft,
    words_editor::WordsDrafts,
};
use crate::{project::Action, storyboard::ShotId};

/// What the panel remembers between frames. A resource when [`PanelPlugin`](super::PanelPlugin) draws
/// it; one of your own when you place [`panel_ui`](super::panel_ui) in a dock.
#[derive(Debug, Default, Resource)]
pub struct PanelState {
    /// Whether [`PanelPlugin`](super::PanelPlugin) shows the panel.
    pub open: bool,
    /// The tab in front.
    pub tab: Tab,
    /// Which shots the storyboard shows.
    pub filter: Filter,
    /// Why the newest form of the story was refused while an older one is still shown.
    pub story_error: Option<String>,
    /// What went wrong and belongs to no shot, oldest first; emptied when the author has read it.
    pub notices: Vec<String>,
    /// What has egui's focus while keys mean the panel.
    pub(super) keys: Option<egui::Id>,
    /// Whether a field of the panel had egui's focus in the last frame.
    pub(super) field_has_keys: bool,
    pub(super) selection: Selection,
    pub(super) words: WordsDrafts,
    pub(super) style: StyleDraft,
    pub(super) overview: Overview,
    pub(super) grid: Grid,
    pub(super) canvas: Canvas,
}

impl PanelState {
    /// Shows one shot in detail, and selects nothing else.
    pub fn select(&mut self, shot: ShotId) {
        self.selection.only(shot);
    }

    /// The canvas's keys, to be bound otherwise. Where the author bound keys in the panel, those that were kept
    /// take the place of these when the canvas is shown first.
    pub fn canvas_keys(&mut self) -> &mut Keymap {
        &mut self.canvas.keymap
    }

    /// Lets MobileSAM find the objects that the author clicks at: its weights as a safetensors file, or `None`
    /// to find them by colour and edges. From the start it is what `illustrate models download --mobile-sam`
    /// brought, if it did. Takes effect with the next picture that comes onto the canvas.
    pub fn set_segmenter_weights(&mut self, weights: Option<PathBuf>) {
        self.canvas.segmenter_model = SegmenterModel::new(weights);
    }

    /// What is to be done before the panel is not shown any more: what was marked last on the canvas is
    /// kept, and the game shows no candidates.
    #[must_use]
    pub fn leave(&mut self) -> Vec<Action> {
        canvas::leave(&mut self.canvas)
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
