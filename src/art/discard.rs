//! Discarded takes: their files are kept, and they can be restored.

use super::{Art, ArtError, Take, TakeId, TakeWriter, scan, take};
use crate::storyboard::ShotId;

impl TakeWriter {
    /// Moves the file of a take to `discarded/`, and returns the take with its new path.
    ///
    /// # Errors
    /// If an operation on a file fails. The file has not moved then.
    pub(crate) fn discard(&self, take: Take) -> Result<Take, ArtError> {
        self.move_take(take, "discarded")
    }

    /// Moves the file of a take back from `discarded/`, and returns the take with its new path.
    ///
    /// # Errors
    /// If an operation on a file fails. The file has not moved then.
    pub(crate) fn restore(&self, take: Take) -> Result<Take, ArtError> {
        self.move_take(take, "takes")
    }

    fn move_take(&self, take: Take, kind: &str) -> Result<Take, ArtError> {
        let to = take::take_path(self.root(), kind, &take.shot, &take.id);
        let _changes = self.folder().changes();
        let old = match self.folder().read(&take.path)? {
            Some(bytes) => take::old_copy(self.folder(), &to, &bytes)?,
            None => None,
        };
        self.folder().move_over(&take.path, &to, old.as_deref())?;
        Ok(Take { path: to, ..take })
    }
}

impl Art {
    /// Discards a take: its file moves to `discarded/`, and it is no longer accepted.
    ///
    /// # Errors
    /// If there is no such take, or an operation on a file fails. Nothing has changed then.
    pub fn discard(&mut self, shot: &ShotId, take: &TakeId) -> Result<(), ArtError> {
        // If the process is killed here, the ledger accepts a discarded take. That has no effect until it is restored.
        let gone = self.writer().discard(self.take(shot, take)?.clone())?;
        if let Err(error) = self.unaccept(shot, take) {
            match self.writer().restore(gone.clone()) {
                Ok(_) => return Err(error),
                Err(stuck) => {
                    log::warn!("{error}; and {stuck}: the take stays discarded");
                }
            }
        }
        self.enter_discarded(gone);
        Ok(())
    }

    /// Records that a take was [moved](TakeWriter::discard) to `discarded/`.
    pub(crate) fn enter_discarded(&mut self, take: Take) {
        if let Some(takes) = self.takes.get_mut(&take.shot) {
            takes.retain(|other| other.id != take.id);
            if takes.is_empty() {
                self.takes.remove(&take.shot);
            }
        }
        take::enter(self.discarded.entry(take.shot.clone()).or_default(), take);
    }

    /// Records that a take was [moved](TakeWriter::restore) back.
    pub(crate) fn enter_restored(&mut self, take: Take) {
        if let Some(discarded) = self.discarded.get_mut(&take.shot) {
            discarded.retain(|other| other.id != take.id);
        }
        self.damaged.remove(&(take.shot.clone(), take.id.clone()));
        let takes = self.takes.entry(take.shot.clone()).or_default();
        take::enter(takes, take);
        scan::sort(&self.folder, takes);
    }

    /// The discarded takes of a shot.
    #[must_use]
    pub fn discarded(&self, shot: &ShotId) -> &[Take] {
        self.discarded.get(shot).map_or(&[], Vec::as_slice)
    }

    /// The takes of a shot, followed by the discarded ones.
    pub(crate) fn with_discarded(&self, shot: &ShotId) -> impl Iterator<Item = &Take> {
        self.takes(shot).iter().chain(self.discarded(shot))
    }

    /// The take of a shot with this name, discarded or not.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn kept_take(&self, shot: &ShotId, take: &TakeId) -> Result<&Take, ArtError> {
        let missing = || ArtError::NoSuchTake { shot: shot.clone(), take: take.clone() };
        self.with_discarded(shot).find(|it| it.id == *take).ok_or_else(missing)
    }

    /// Restores a discarded take to its old position. It replaces a take that was drawn again since, which is the same
    /// picture.
    ///
    /// # Errors
    /// If there is no such discarded take, or an operation on a file fails. Nothing has changed then.
    pub fn restore(&mut self, shot: &ShotId, take: &TakeId) -> Result<(), ArtError> {
        let back = self.writer().restore(self.discarded_take(shot, take)?.clone())?;
        self.enter_restored(back);
        Ok(())
    }

    /// The discarded take with this name.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn discarded_take(&self, shot: &ShotId, take: &TakeId) -> Result<&Take, ArtError> {
        let missing = || ArtError::NoSuchTake { shot: shot.clone(), take: take.clone() };
        self.discarded(shot).iter().find(|it| it.id == *take).ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::art::tests::{draw, folder, recipe, shot};

    #[test]
    fn discarding_moves_the_file_and_keeps_its_number() {
        let (_dir, root) = folder();
        let mut art = Art::open(&root).unwrap();
        assert_eq!(art.next_take(&shot("a"), &recipe("x")), 0);
        let take = draw(&mut art, "a", &recipe("x"), 10);
        assert_eq!(art.next_take(&shot("a"), &recipe("x")), 1);
        assert_eq!(art.next_take(&shot("a"), &recipe("y")), 0);
        let bytes = fs::read(&take.path).unwrap();
        art.accept(&shot("a"), &take.id).unwrap();
        art.discard(&shot("a"), &take.id).unwrap();
        let away = root.join("discarded/a").join(format!("{}.png", take.id));
        assert_eq!(fs::read(away).unwrap(), bytes);
        assert!(!take.path.exists());
        let again = art.discard(&shot("a"), &take.id);
        assert!(matches!(again, Err(ArtError::NoSuchTake { .. })), "{again:?}");
        for art in [art, Art::read(&root).unwrap()] {
            assert_eq!(art.takes(&shot("a")), []);
            assert_eq!(art.accepted(&shot("a")), None);
            assert_eq!(art.next_take(&shot("a"), &recipe("x")), 1);
            assert_eq!(art.shots().count(), 0);
        }
    }

    #[test]
    fn a_take_that_cannot_be_moved_is_still_accepted() {
        let (_dir, root) = folder();
        let mut art = Art::open(&root).unwrap();
        let take = draw(&mut art, "a", &recipe("x"), 10);
        art.accept(&shot("a"), &take.id).unwrap();
        let before = fs::read(root.join("ledger.ron")).unwrap();
        fs::write(root.join("discarded"), "in the way").unwrap();
        let error = art.discard(&shot("a"), &take.id).unwrap_err().to_string();
        assert!(error.contains("discarded") && error.contains("move it away"), "{error}");
        assert_eq!(art.accepted(&shot("a")), Some(&take));
        assert_eq!(art.discarded(&shot("a")), []);
        assert_eq!(fs::read(root.join("ledger.ron")).unwrap(), before);
        // Discarding succeeds after the obstacle is removed.
        fs::remove_file(root.join("discarded")).unwrap();
        art.discard(&shot("a"), &take.id).unwrap();
        art.restore(&shot("a"), &take.id).unwrap();
        assert_eq!(art.accepted(&shot("a")), None);
    }

    #[test]
    fn a_take_whose_discarding_was_interrupted_is_not_accepted() {
        let (_dir, root) = folder();
        let mut art = Art::open(&root).unwrap();
        let take = draw(&mut art, "a", &recipe("x"), 10);
        art.accept(&shot("a"), &take.id).unwrap();
        drop(art);
        let away = root.join("discarded/a").join(format!("{}.png", take.id));
        fs::create_dir_all(root.join("discarded/a")).unwrap();
        fs::rename(&take.path, &away).unwrap();

        let mut art = Art::open(&root).unwrap();
        assert_eq!(art.accepted(&shot("a")), None);
        assert_eq!(art.shown(&shot("a"), Some(&recipe("x"))), None);
        assert_eq!(art.discarded(&shot("a")), [Take { path: away, ..take.clone() }]);
        art.restore(&shot("a"), &take.id).unwrap();
        assert_eq!(art.accepted(&shot("a")), Some(&take), "it is accepted again");
    }

    #[test]
    fn a_restored_take_has_its_old_content_and_position() {
        let (_dir, root) = folder();
        let mut art = Art::open(&root).unwrap();
        let takes: Vec<Take> =
            (0..3).map(|take| draw(&mut art, "a", &recipe("x").with_take(take), 10)).collect();
        let [first, second, _] = &takes[..] else { unreachable!() };
        art.discard(&shot("a"), &second.id).unwrap();
        art.discard(&shot("a"), &first.id).unwrap();
        assert_eq!(art.discarded(&shot("a")).len(), 2);
        art.restore(&shot("a"), &second.id).unwrap();
        art.restore(&shot("a"), &first.id).unwrap();
        let again = art.restore(&shot("a"), &first.id);
        assert!(matches!(again, Err(ArtError::NoSuchTake { .. })), "{again:?}");
        for art in [art, Art::read(&root).unwrap()] {
            assert_eq!(art.takes(&shot("a")), takes);
            assert_eq!(art.discarded(&shot("a")), []);
        }
    }

    #[test]
    fn a_take_that_was_drawn_again_is_listed_once() {
        let (_dir, root) = folder();
        let mut art = Art::open(&root).unwrap();
        let take = draw(&mut art, "a", &recipe("x"), 10);
        for _ in 0..2 {
            art.discard(&shot("a"), &take.id).unwrap();
            assert_eq!(art.discarded(&shot("a")).len(), 1);
            draw(&mut art, "a", &recipe("x"), 10);
        }
        art.restore(&shot("a"), &take.id).unwrap();
        for art in [art, Art::read(&root).unwrap()] {
            let ids = art.takes(&shot("a")).iter().map(|take| &take.id);
            assert_eq!(ids.collect::<Vec<_>>(), [&take.id]);
            assert_eq!(art.discarded(&shot("a")), []);
        }
    }
}
