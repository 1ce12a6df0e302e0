//! What went wrong that belongs to no shot.

use bevy::{log::error, prelude::*};

/// What went wrong that belongs to no shot: an action that was refused, a story with faults. Newest
/// last; the panel shows them. (Why the drawing of a shot failed stands on the shot:
/// [`Project::error`](crate::project::Project::error).)
#[derive(Resource, Reflect, Clone, Debug, Default, PartialEq, Eq)]
#[reflect(Resource, Default, Debug, Clone, PartialEq)]
pub struct Notices(pub Vec<String>);

impl Notices {
    /// How many are kept; older ones go.
    pub const MOST: usize = 50;

    /// Adds a notice, and writes it to the log as an error. One that is there already becomes the
    /// newest.
    pub fn tell(&mut self, text: impl Into<String>) {
        let text = text.into();
        error!("{text}");
        self.0.retain(|told| *told != text);
        if self.0.len() >= Self::MOST {
            self.0.remove(0);
        }
        self.0.push(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_notices_are_kept() {
        let mut notices = Notices::default();
        (0..60).for_each(|n| notices.tell(n.to_string()));
        assert_eq!(notices.0.len(), Notices::MOST);
        assert_eq!(notices.0.last().map(String::as_str), Some("59"));
        assert_eq!(notices.0.first().map(String::as_str), Some("10"));
        notices.tell("10");
        assert_eq!(notices.0.len(), Notices::MOST);
        assert_eq!(notices.0.first().map(String::as_str), Some("11"));
    }
}
