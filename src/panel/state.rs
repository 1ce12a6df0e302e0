//! What the panel remembers between frames: where the author is, and what is typed but not applied.

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
};

use bevy::prelude::Resource;

use super::{
    canvas::{self, Canvas, Keymap, ObjectModel},
    filter::Filter,
    grid::Grid,
    overview::Overview,
    style_tab::StyleDraft,
    words_editor::WordsDraft,
};
use crate::{art::TakeId, project::Action, storyboard::ShotId};

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
    pub(super) words: HashMap<ShotId, WordsDraft>,
    pub(super) style: StyleDraft,
    pub(super) overview: Overview,
    pub(super) grid: Grid,
    pub(super) canvas: Canvas,
}

/// A tab of the panel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// All shots, and the one in front in detail.
    #[default]
    Storyboard,
    /// One take closely, and its parts.
    Canvas,
    /// What waits for the studio.
    Queue,
    /// The one look of the story.
    Style,
}

/// Which shots are selected, and which of them is looked at.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub shots: BTreeSet<ShotId>,
    /// The one that is shown in detail.
    pub front: Option<ShotId>,
    /// The take of it that the author looks at; what the game shows when none.
    pub take: Option<TakeId>,
    /// The detail scrolls to its top when this turns true.
    pub fresh: bool,
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
    pub fn find_objects_with(&mut self, weights: Option<PathBuf>) {
        self.canvas.object_model = ObjectModel::new(weights);
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

impl Selection {
    /// A plain click.
    pub fn only(&mut self, shot: ShotId) {
        self.shots = BTreeSet::from([shot.clone()]);
        self.look_at(Some(shot));
    }

    /// A click with Ctrl: in or out.
    pub fn toggle(&mut self, shot: ShotId) {
        if self.shots.remove(&shot) {
            if self.front.as_ref() == Some(&shot) {
                self.look_at(self.shots.first().cloned());
            }
        } else {
            self.shots.insert(shot.clone());
            self.look_at(Some(shot));
        }
    }

    /// A click with Shift: everything between the one in front and this one, in the order of `shown`.
    pub fn extend_to(&mut self, shot: ShotId, shown: &[&ShotId]) {
        let place = |id: &ShotId| shown.iter().position(|other| *other == id);
        let from = self.front.as_ref().and_then(place);
        let (Some(from), Some(to)) = (from, place(&shot)) else { return self.only(shot) };
        self.shots.extend(shown[from.min(to)..=from.max(to)].iter().map(|&id| id.clone()));
    }

    pub fn clear(&mut self) {
        self.shots.clear();
        self.look_at(None);
    }

    /// Forgets shots that are not there any more.
    pub fn retain(&mut self, is_there: impl Fn(&ShotId) -> bool) {
        self.shots.retain(&is_there);
        if self.front.as_ref().is_some_and(|id| !is_there(id)) {
            self.look_at(None);
        }
    }

    fn look_at(&mut self, shot: Option<ShotId>) {
        if self.front != shot {
            self.front = shot;
            self.take = None;
            self.fresh = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ShotId {
        ShotId::new(text).unwrap()
    }

    #[test]
    fn shift_selects_what_lies_between() {
        let ids = ["a", "b", "c", "d"].map(id);
        let shown: Vec<&ShotId> = ids.iter().collect();
        let mut selection = Selection::default();
        selection.only(id("c"));
        selection.extend_to(id("a"), &shown);
        assert_eq!(selection.shots, ["a", "b", "c"].map(id).into());
        assert_eq!(selection.front, Some(id("c")), "the detail stays where the author began");
    }

    #[test]
    fn a_second_ctrl_click_takes_a_shot_out_again() {
        let mut selection = Selection::default();
        selection.only(id("a"));
        selection.toggle(id("b"));
        selection.toggle(id("b"));
        assert_eq!(selection.shots, [id("a")].into());
        assert_eq!(selection.front, Some(id("a")));
    }
}
