//! Undo and redo.

/// How many steps there are back.
const MOST: usize = 200;

/// What was, and what was to be, around what is.
#[derive(Debug)]
pub(super) struct History<T> {
    past: Vec<T>,
    now: T,
    future: Vec<T>,
}

/// Something that is changed step by step.
pub(super) trait Step: Clone {
    /// Whether this is another step than that.
    fn differs(&self, from: &Self) -> bool;
}

impl<T: Step> History<T> {
    pub fn new(now: T) -> Self {
        Self { past: Vec::new(), now, future: Vec::new() }
    }

    /// What is.
    pub fn now(&self) -> &T {
        &self.now
    }

    /// If something has changed, that is a step.
    pub fn settle(&mut self, now: T) {
        let before = std::mem::replace(&mut self.now, now);
        if self.now.differs(&before) {
            if self.past.len() == MOST {
                self.past.remove(0);
            }
            self.past.push(before);
            self.future.clear();
        }
    }

    /// What was before the last step.
    pub fn undo(&mut self) -> Option<T> {
        let before = self.past.pop()?;
        self.future.push(std::mem::replace(&mut self.now, before));
        Some(self.now.clone())
    }

    /// What was before the last [`Self::undo`].
    pub fn redo(&mut self) -> Option<T> {
        let after = self.future.pop()?;
        self.past.push(std::mem::replace(&mut self.now, after));
        Some(self.now.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Something that changes, and something that is remembered beside it.
    impl<T: Clone + PartialEq> Step for (T, u8) {
        fn differs(&self, from: &Self) -> bool {
            self.0 != from.0
        }
    }

    #[test]
    fn steps_go_back_and_forth_and_a_new_one_ends_what_was_to_be() {
        let mut history = History::new(('a', 0));
        [('b', 0), ('b', 0), ('c', 0)].into_iter().for_each(|now| history.settle(now));
        let back = [history.undo(), history.undo(), history.undo()];
        assert_eq!(back, [Some(('b', 0)), Some(('a', 0)), None]);
        assert_eq!(history.redo(), Some(('b', 0)));
        history.settle(('d', 0));
        assert_eq!(history.redo(), None);
        assert_eq!([history.undo(), history.undo()], [Some(('b', 0)), Some(('a', 0))]);
    }

    #[test]
    fn what_is_remembered_beside_a_step_is_no_step_but_comes_back_with_it() {
        let mut history = History::new(('a', 0));
        [('a', 1), ('b', 2), ('b', 3)].into_iter().for_each(|now| history.settle(now));
        assert_eq!(history.undo(), Some(('a', 1)));
        assert_eq!(history.redo(), Some(('b', 3)));
    }

    #[test]
    fn the_way_back_is_long_but_not_endless() {
        let mut history = History::new((0, 0));
        (1..1000).for_each(|now| history.settle((now, 0)));
        let steps = std::iter::from_fn(|| history.undo()).last();
        assert_eq!(steps, Some((999 - MOST, 0)));
    }
}
