//! Files that a killed process left in the temporary folder.
//!
//! `<process>-<n>.unfinished` is a new file, which can be removed. `<process>-<n>.<hashes>.<place>.replaced` is a file
//! that has left its place, or a new file shortly before it takes that place. The place has `,` for `/`. The hashes are
//! those of contents that can be removed.

use std::path::{Path, PathBuf};

use blake3::Hash;

use super::{
    ArtError, Entry, Folder, Kind, is_missing,
    replace::{TEMPORARY, UNFINISHED},
    settle::Known,
};

const REPLACED: &str = ".replaced";

/// The folders and the files of an art folder that this program writes. A file that comes with somebody else's art folder
/// is brought back to no other place, such as `.git/hooks`.
const FOLDERS: [&str; 5] = ["blobs", "discarded", "parts", "pictures", "takes"];
const FILES: [&str; 2] = ["ledger.ron", "queue.json"];

/// The number of hexadecimal digits of a hash in a name.
const DIGITS: usize = 16;

impl Folder {
    /// A new name in the temporary folder for a file that leaves its place.
    ///
    /// # Errors
    /// If the name cannot be read back, which no path of this program does.
    pub(super) fn replaced_path(
        &self,
        place: &Path,
        known: &[Hash],
        new: Option<Hash>,
    ) -> Result<PathBuf, ArtError> {
        let unsuitable = || {
            let error = std::io::Error::other("its name is not suitable");
            self.error("write", place, error)
        };
        let parts = place.iter().map(|part| part.to_str().filter(|part| !part.contains(',')));
        let parts = parts.collect::<Option<Vec<_>>>().map(|parts| parts.join(","));
        let place = parts.filter(|place| is_own(place)).ok_or_else(unsuitable)?;
        let hashes = known.last().into_iter().chain(&new);
        let hashes: String = hashes.map(|hash| format!("{}.", short(hash))).collect();
        let name = format!("{}.{hashes}{place}{REPLACED}", self.number());
        Ok(Path::new(TEMPORARY).join(name))
    }

    /// Removes the unfinished files of a killed process, and brings back the files that had left their places. Other
    /// files stay. If `.tmp` is a link, only the link is removed.
    ///
    /// # Errors
    /// If `.tmp` is a link that cannot be removed, or a file cannot be brought back.
    pub(super) fn recover(&self) -> Result<(), ArtError> {
        let folder = Path::new(TEMPORARY);
        if self.store.metadata(folder).is_ok_and(|data| data.kind == Kind::Link) {
            let path = self.root.join(folder);
            log::warn!("{} is a link: it is removed, its target stays", path.display());
            return self.store.remove(folder).map_err(|_| ArtError::LinkedFolder { path });
        }
        for Entry { name, .. } in self.store.list(folder).unwrap_or_default() {
            let path = folder.join(&name);
            let name = name.to_str().unwrap_or_default();
            if name.strip_suffix(UNFINISHED).is_some_and(is_number) {
                if let Err(error) = self.store.remove(&path) {
                    let path = self.root.join(path);
                    log::warn!("cannot remove the unfinished file {}: {error}", path.display());
                }
            } else if let Some((hashes, place)) = replaced(name) {
                self.bring_back(&path, &hashes, &place)?;
            }
        }
        Ok(())
    }

    /// Brings back or removes the files that had left one place when a change there failed.
    ///
    /// # Errors
    /// If the temporary folder cannot be listed, or a file cannot be brought back.
    pub(super) fn recover_place(&self, place: &Path) -> Result<(), ArtError> {
        for Entry { name, .. } in self.list(Path::new(TEMPORARY))? {
            let Some((hashes, from)) = name.to_str().and_then(replaced) else { continue };
            if from == place {
                self.bring_back(&Path::new(TEMPORARY).join(&name), &hashes, place)?;
            }
        }
        // A power cut must not undo these moves and removals.
        if self.has(Path::new(TEMPORARY))? {
            self.sync_folder(Path::new(TEMPORARY))
        } else {
            Ok(())
        }
    }

    fn bring_back(&self, path: &Path, hashes: &[&str], place: &Path) -> Result<(), ArtError> {
        let is_file = |path: &Path| self.store.metadata(path).is_ok_and(|it| it.kind == Kind::File);
        if let Some(file) = place.ancestors().skip(1).find(|path| is_file(path)) {
            let [path, file] = [path, file].map(|path| self.root.join(path));
            let (path, file) = (path.display(), file.display());
            log::warn!(
                "{path} stays where it is: its folder cannot be created, because {file} is a file"
            );
            return Ok(());
        }
        let parent = self.create_parent(place)?;
        match self.store.metadata(place) {
            Err(error) if is_missing(&error) => {
                self.move_file(path, place).map_err(|error| self.error("write", place, error))?;
                return self.sync_folder(parent);
            }
            result => result.map_err(|error| self.error("read", place, error))?,
        };
        // A file that cannot be read is set aside.
        let [hash, in_place] = [path, place].map(|path| self.hash(path).ok().flatten());
        let is_known = hash
            .is_some_and(|hash| hashes.contains(&short(&hash).as_str()) || in_place == Some(hash));
        // The exchange must be durable before the old file is removed.
        self.sync_folder(parent)?;
        self.settle(path, place, Known::Hashes(hash.filter(|_| is_known).as_slice()))
    }
}

/// The hashes and the place in the name of a file that has left its place.
fn replaced(name: &str) -> Option<(Vec<&str>, PathBuf)> {
    let (number, mut rest) = name.strip_suffix(REPLACED)?.split_once('.')?;
    let is_hash = |text: &str| text.len() == DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit());
    let mut hashes = Vec::new();
    while let Some((hash, place)) = rest.split_once('.').filter(|(hash, _)| is_hash(hash)) {
        hashes.push(hash);
        rest = place;
    }
    (is_number(number) && is_own(rest)).then(|| (hashes, rest.split(',').collect()))
}

/// Whether a place, with `,` for `/`, is one that this program writes to.
fn is_own(place: &str) -> bool {
    match place.split_once(',') {
        Some((folder, rest)) => {
            // No name of this program begins with a dot.
            let is_name = |name: &str| !name.is_empty() && !name.starts_with('.');
            FOLDERS.contains(&folder) && rest.split(',').all(is_name)
        }
        // A file may be in the way of a folder.
        None => FILES.contains(&place) || FOLDERS.contains(&place),
    }
}

/// Whether a text is `<process>-<n>`.
fn is_number(text: &str) -> bool {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.split_once('-').is_some_and(|(process, n)| is_digits(process) && is_digits(n))
}

fn short(hash: &Hash) -> String {
    hash.to_hex()[..DIGITS].to_owned()
}
