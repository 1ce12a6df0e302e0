//! The open tab, and the selected shots and takes.

use std::collections::BTreeSet;

use crate::{art::TakeId, storyboard::ShotId};

/// A tab of the panel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// All shots, and details of the selected one.
    #[default]
    Storyboard,
    /// One take with its parts.
    Canvas,
    /// The current job, waiting jobs, and failures.
    Queue,
    /// The style of the story.
    Style,
    /// The models on this machine.
    Models,
}

/// The selected shots, and the shot that is shown in detail.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub shots: BTreeSet<ShotId>,
    /// The shot that is shown in detail.
    pub front: Option<ShotId>,
    /// The take of that shot to view; `None` for the one that the game shows.
    pub take: Option<TakeId>,
    /// Set when another shot is shown, to scroll its details to the top.
    pub fresh: bool,
}

impl Selection {
    /// A plain click: selects only this shot.
    pub fn only(&mut self, shot: ShotId) {
        self.shots = BTreeSet::from([shot.clone()]);
        self.set_front(Some(shot));
    }

    /// A click with Ctrl: selects or deselects a shot.
    pub fn toggle(&mut self, shot: ShotId) {
        if self.shots.remove(&shot) {
            if self.front.as_ref() == Some(&shot) {
                self.set_front(self.shots.first().cloned());
            }
        } else {
            self.shots.insert(shot.clone());
            self.set_front(Some(shot));
        }
    }

    /// A click with Shift: selects the shots from the one in front to this one, in the order of `shown`.
    pub fn extend_to(&mut self, shot: ShotId, shown: &[&ShotId]) {
        let place = |id: &ShotId| shown.iter().position(|other| *other == id);
        let from = self.front.as_ref().and_then(place);
        let (Some(from), Some(to)) = (from, place(&shot)) else { return self.only(shot) };
        self.shots.extend(shown[from.min(to)..=from.max(to)].iter().map(|&id| id.clone()));
    }

    pub fn clear(&mut self) {
        self.shots.clear();
        self.set_front(None);
    }

    /// Deselects shots that no longer exist.
    pub fn retain(&mut self, is_there: impl Fn(&ShotId) -> bool) {
        self.shots.retain(&is_there);
        if self.front.as_ref().is_some_and(|id| !is_there(id)) {
            self.set_front(None);
        }
    }

    fn set_front(&mut self, shot: Option<ShotId>) {
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
    fn shift_selects_the_shots_between() {
        let ids = ["a", "b", "c", "d"].map(id);
        let shown: Vec<&ShotId> = ids.iter().collect();
        let mut selection = Selection::default();
        selection.only(id("c"));
        selection.extend_to(id("a"), &shown);
        assert_eq!(selection.shots, ["a", "b", "c"].map(id).into());
        assert_eq!(selection.front, Some(id("c")), "the shot in detail stays the same");
    }

    #[test]
    fn a_second_ctrl_click_deselects_a_shot() {
        let mut selection = Selection::default();
        selection.only(id("a"));
        selection.toggle(id("b"));
        selection.toggle(id("b"));
        assert_eq!(selection.shots, [id("a")].into());
        assert_eq!(selection.front, Some(id("a")));
    }
}
