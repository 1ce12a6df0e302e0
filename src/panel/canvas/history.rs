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

impl<T: Clone + PartialEq> History<T> {
    pub fn new(now: T) -> Self {
        Self { past: Vec::new(), now, future: Vec::new() }
    }

    /// If something has changed, that is a step.
    pub fn settle(&mut self, now: &T) {
        if self.now != *now {
            if self.past.len() == MOST {
                self.past.remove(0);
            }
            self.past.push(std::mem::replace(&mut self.now, now.clone()));
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

    #[test]
    fn steps_go_back_and_forth_and_a_new_one_ends_what_was_to_be() {
        let mut history = History::new('a');
        ['b', 'b', 'c'].iter().for_each(|now| history.settle(now));
        assert_eq!([history.undo(), history.undo(), history.undo()], [Some('b'), Some('a'), None]);
        assert_eq!(history.redo(), Some('b'));
        history.settle(&'d');
        assert_eq!(history.redo(), None);
        assert_eq!([history.undo(), history.undo()], [Some('b'), Some('a')]);
    }

    #[test]
    fn the_way_back_is_long_but_not_endless() {
        let mut history = History::new(0);
        (1..1000).for_each(|now| history.settle(&now));
        let steps = std::iter::from_fn(|| history.undo()).last();
        assert_eq!(steps, Some(999 - MOST));
    }
}
