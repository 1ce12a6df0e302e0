//! The filter of the storyboard.

use super::overview::ShotEntry;
use crate::storyboard::{ShotKind, ShotState};

/// A filter of shots. The default shows all shots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Words that must all occur in the id, the title or the prompt. Ignores case.
    pub text: String,
    /// Only shots in this state.
    pub state: Option<ShotState>,
    /// Only shots of this kind.
    pub kind: Option<ShotKind>,
}

impl Filter {
    /// Whether all shots are shown.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The indices of the entries that pass, in order.
    pub(super) fn apply(&self, entries: &[ShotEntry]) -> Vec<usize> {
        let text = self.text.to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        let passes = |entry: &ShotEntry| {
            self.state.is_none_or(|state| entry.state == state)
                && self.kind.is_none_or(|kind| entry.kind == Some(kind))
                && words.iter().all(|word| entry.text.contains(word))
        };
        (0..entries.len()).filter(|&at| passes(&entries[at])).collect()
    }
}
