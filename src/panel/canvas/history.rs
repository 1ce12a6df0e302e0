//! Undo and redo.

use std::collections::HashSet;

/// The maximum number of steps that can be undone.
const MAX_STEPS: usize = 200;
/// The maximum number of bytes of pixels in all steps.
pub(super) const MAX_BYTES: usize = 256 << 20;

/// The current state, with the earlier and the undone states.
#[derive(Debug)]
pub(super) struct History<T> {
    past: Vec<T>,
    now: T,
    future: Vec<T>,
}

/// A state that undo can return to.
pub(super) trait Step: Clone {
    /// Whether this state counts as a change from `from`.
    fn differs(&self, from: &Self) -> bool;

    /// The pixel buffers of this state. States may share them.
    fn pixels(&self) -> impl Iterator<Item = &[u8]>;
}

/// Counts bytes of pixels. A buffer that several states share counts once.
#[derive(Default)]
pub(super) struct PixelBytes {
    seen: HashSet<*const u8>,
    total: usize,
}

impl PixelBytes {
    /// Adds a state and returns the total.
    pub fn with(&mut self, step: &impl Step) -> usize {
        let new = step.pixels().filter(|pixels| self.seen.insert(pixels.as_ptr()));
        self.total += new.map(<[u8]>::len).sum::<usize>();
        self.total
    }
}

impl<T: Step> History<T> {
    pub fn new(now: T) -> Self {
        Self { past: Vec::new(), now, future: Vec::new() }
    }

    /// The current state.
    pub fn now(&self) -> &T {
        &self.now
    }

    /// All states.
    pub fn steps(&self) -> impl Iterator<Item = &T> {
        self.past.iter().chain([&self.now]).chain(&self.future)
    }

    /// Makes `now` the current state. If it differs from the previous state, undo returns to the previous one.
    pub fn record(&mut self, now: T) {
        let before = std::mem::replace(&mut self.now, now);
        if self.now.differs(&before) {
            self.past.push(before);
            self.future.clear();
            let mut bytes = PixelBytes::default();
            bytes.with(&self.now);
            let latest = self.past.iter().rev().take(MAX_STEPS);
            let fitting = latest.take_while(|step| bytes.with(*step) <= MAX_BYTES).count();
            self.past.drain(..self.past.len() - fitting);
        }
    }

    /// Returns to the state before the last change.
    pub fn undo(&mut self) -> Option<T> {
        let before = self.past.pop()?;
        self.future.push(std::mem::replace(&mut self.now, before));
        Some(self.now.clone())
    }

    /// Returns to the state before the last [`Self::undo`].
    pub fn redo(&mut self) -> Option<T> {
        let after = self.future.pop()?;
        self.past.push(std::mem::replace(&mut self.now, after));
        Some(self.now.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A value that counts as a change, and one that does not.
    impl<T: Clone + PartialEq> Step for (T, u8) {
        fn differs(&self, from: &Self) -> bool {
            self.0 != from.0
        }

        fn pixels(&self) -> impl Iterator<Item = &[u8]> {
            std::iter::empty()
        }
    }

    impl Step for Vec<Arc<Vec<u8>>> {
        fn differs(&self, from: &Self) -> bool {
            self.iter().map(Arc::as_ptr).ne(from.iter().map(Arc::as_ptr))
        }

        fn pixels(&self) -> impl Iterator<Item = &[u8]> {
            self.iter().map(|pixels| &pixels[..])
        }
    }

    #[test]
    fn undo_and_redo_walk_through_states_and_a_new_state_ends_redo() {
        let mut history = History::new(('a', 0));
        [('b', 0), ('b', 0), ('c', 0)].into_iter().for_each(|now| history.record(now));
        let back = [history.undo(), history.undo(), history.undo()];
        assert_eq!(back, [Some(('b', 0)), Some(('a', 0)), None]);
        assert_eq!(history.redo(), Some(('b', 0)));
        history.record(('d', 0));
        assert_eq!(history.redo(), None);
        assert_eq!([history.undo(), history.undo()], [Some(('b', 0)), Some(('a', 0))]);
    }

    #[test]
    fn data_that_does_not_count_as_a_change_is_restored_with_a_state() {
        let mut history = History::new(('a', 0));
        [('a', 1), ('b', 2), ('b', 3)].into_iter().for_each(|now| history.record(now));
        assert_eq!(history.undo(), Some(('a', 1)));
        assert_eq!(history.redo(), Some(('b', 3)));
    }

    #[test]
    fn the_number_of_undo_steps_is_limited() {
        let mut history = History::new((0, 0));
        (1..1000).for_each(|now| history.record((now, 0)));
        let steps = std::iter::from_fn(|| history.undo()).last();
        assert_eq!(steps, Some((999 - MAX_STEPS, 0)));
    }

    #[test]
    fn the_oldest_states_are_dropped_when_their_pixels_need_too_much_memory() {
        // Zeroed pages need no memory until they are written.
        let pixels = |megabytes: usize| Arc::new(vec![0; megabytes << 20]);
        let shared = pixels(100);
        let mut history = History::new(vec![shared.clone()]);
        for _ in 0..10 {
            history.record(vec![shared.clone(), pixels(50)]);
        }
        let back = std::iter::from_fn(|| history.undo()).count();
        assert_eq!(back, 2, "100 + 3 * 50 megabytes is the most that fits into 256");
        history.record(vec![]);
        assert_eq!(
            std::iter::from_fn(|| history.undo()).count(),
            1,
            "dropped states use no memory"
        );
    }
}
