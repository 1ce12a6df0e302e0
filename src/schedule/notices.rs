//! Problems that belong to no shot.

use bevy::{log::error, prelude::*};

/// Problems that belong to no shot, such as a refused action or a fault in the story, the newest last.
///
/// The panel shows them. [`Project::error`](crate::project::Project::error) has the reason why a shot
/// failed.
#[derive(Resource, Reflect, Clone, Debug, Default, PartialEq, Eq)]
#[reflect(Resource, Default, Debug, Clone, PartialEq)]
pub struct Notices(pub Vec<String>);

impl Notices {
    /// The maximum number of notices. The oldest one is dropped for a new one.
    pub const CAPACITY: usize = 50;

    /// Adds a notice and logs it as an error. A notice that is already listed becomes the newest.
    pub fn report(&mut self, text: impl Into<String>) {
        let text = text.into();
        error!("{text}");
        self.0.retain(|listed| *listed != text);
        if self.0.len() >= Self::CAPACITY {
            self.0.remove(0);
        }
        self.0.push(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_notices_are_dropped() {
        let mut notices = Notices::default();
        (0..60).for_each(|n| notices.report(n.to_string()));
        assert_eq!(notices.0.len(), Notices::CAPACITY);
        assert_eq!(notices.0.last().map(String::as_str), Some("59"));
        assert_eq!(notices.0.first().map(String::as_str), Some("10"));
        notices.report("10");
        assert_eq!(notices.0.len(), Notices::CAPACITY);
        assert_eq!(notices.0.first().map(String::as_str), Some("11"));
    }
}
