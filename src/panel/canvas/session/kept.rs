//! What the art has of what is marked on a take, which may be less than it was told to keep.

use crate::recipe::Marks;

/// How often the art is told to keep something before it is read what came of it.
const UNREAD: usize = 8;

/// What the art may have: what it had when that was read, and what it was told to keep since, the latest last. It may
/// have refused any of it.
#[derive(Debug)]
pub(in crate::panel::canvas) struct Kept(Vec<Marks>);

impl Kept {
    pub fn new(read: Marks) -> Self {
        Self(vec![read])
    }

    /// Whether this is what the art was told last.
    pub fn is_latest(&self, marks: &Marks) -> bool {
        self.0.last() == Some(marks)
    }

    /// The art is told to keep this.
    pub fn tell(&mut self, marks: Marks) {
        self.0.push(marks);
    }

    /// Whether the art may have this from here, and from nobody else.
    pub fn may_be(&self, marks: &Marks) -> bool {
        self.0.contains(marks)
    }

    /// Whether it is time to read what the art has.
    pub fn is_unread(&self) -> bool {
        self.0.len() > UNREAD
    }

    /// The art has this. Whether that is from here: what was refused is not the latest any more then.
    pub fn found(&mut self, marks: &Marks) -> bool {
        let at = self.0.iter().rposition(|told| told == marks);
        if let Some(at) = at {
            self.0 = vec![self.0.swap_remove(at)];
        }
        at.is_some()
    }

    /// Whatever the art has, the next that it is told goes before it.
    pub fn forget(&mut self) {
        self.0.drain(..self.0.len().saturating_sub(1));
    }
}
