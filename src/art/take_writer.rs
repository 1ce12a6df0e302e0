//! Writing takes, and the pictures that the game shows.

use std::{
    io::{self, Cursor, Read},
    path::{Path, PathBuf},
};

use image::RgbaImage;

use super::{
    ArtError, Provenance, Take, copies,
    folder::Folder,
    picture_file::{self, Attachments, EncodeError},
    store::{self, Entry, Kind},
    take::{take_path, write_take},
};
use crate::{
    lfs,
    picture::Metadata,
    recipe::{Recipe, TakeId},
    storyboard::ShotId,
};

/// Writes takes into an art folder, from any thread. The folder stays locked until all of its writers are dropped.
#[derive(Clone, Debug)]
pub struct TakeWriter {
    folder: Folder,
}

impl TakeWriter {
    pub(super) fn new(folder: Folder) -> Self {
        Self { folder }
    }

    /// Checks before a picture is drawn that a file in the place of its take does not prevent writing it.
    ///
    /// # Errors
    /// If the file exists and cannot be read at the moment, or is a Git LFS pointer.
    pub(crate) fn check(&self, shot: &ShotId, take: &TakeId) -> Result<(), ArtError> {
        let path = take_path(self.root(), "takes", shot, take);
        let first = self.folder.read_first(&path, lfs::FIRST_BYTES as u64)?;
        first.map_or(Ok(()), |first| ArtError::check_pointer(&path, &first))
    }

    /// Writes a take atomically. An edit keeps the [metadata](picture_file::metadata) of its parent.
    ///
    /// # Errors
    /// If an operation on a file fails.
    pub fn write(
        &self,
        shot: &ShotId,
        image: &RgbaImage,
        provenance: Provenance,
    ) -> Result<Take, ArtError> {
        let provenance = Provenance { number: self.folder.next_take_number(), ..provenance };
        let id = provenance.take_id();
        let path = take_path(self.root(), "takes", shot, &id);
        let metadata = self.inherited_metadata(shot, &provenance.recipe)?;
        let attachments = Attachments::of_metadata(metadata);
        let bytes = match picture_file::encode(image, &provenance, &attachments) {
            // The picture is drawn already, and must not be lost.
            Err(error @ EncodeError::TooLarge) => {
                log::warn!(
                    "{error}; {id} does not keep the colour profile and texts of its parent"
                );
                picture_file::encode(image, &provenance, &Attachments::default())
            }
            encoded => encoded,
        };
        let bytes = bytes.map_err(|source| {
            let (path, source) = (path.clone(), Box::new(source));
            ArtError::Unwritable { path, source }
        })?;
        write_take(&self.folder, &path, &bytes)?;
        Ok(Take { id, shot: shot.clone(), path, provenance })
    }

    /// The metadata that an edit keeps of its parent. The log reports metadata that is lost.
    ///
    /// # Errors
    /// If the file of the parent cannot be read.
    fn inherited_metadata(&self, shot: &ShotId, recipe: &Recipe) -> Result<Metadata, ArtError> {
        let parent = recipe.edit.as_ref().and_then(|edit| edit.parent.as_ref());
        let Some(parent) = parent else { return Ok(Metadata::default()) };
        let (path, bytes) = match self.kept_file(shot, parent) {
            // The picture is drawn already, and must not be lost with its parent.
            Err(missing @ ArtError::NoSuchTake { .. }) => {
                log::warn!("{missing}: its edit does not keep its colour profile and texts");
                return Ok(Metadata::default());
            }
            result => result?,
        };
        let metadata = picture_file::metadata(&bytes);
        if metadata.has_lost_profile() {
            let path = path.display();
            log::warn!("the colour profile of {path} is for grey pictures; its edit is in sRGB");
        }
        if !metadata.lost_chunks().is_empty() || metadata.has_more_data() {
            let path = path.display();
            log::warn!("the edit of {path} does not keep what other programs added to that file");
        }
        Ok(metadata)
    }

    /// Reads the picture of a take, discarded or not.
    ///
    /// # Errors
    /// If there is no such take, or it cannot be read.
    pub fn image(&self, shot: &ShotId, take: &TakeId) -> Result<RgbaImage, ArtError> {
        let (path, bytes) = self.kept_file(shot, take)?;
        picture_file::decode(&path, &bytes)
    }

    /// The file of a take, discarded or not, and its contents.
    ///
    /// # Errors
    /// If there is none, or it cannot be read.
    fn kept_file(&self, shot: &ShotId, take: &TakeId) -> Result<(PathBuf, Vec<u8>), ArtError> {
        // Another thread may move the take between two looks.
        for kind in ["takes", "discarded", "takes"] {
            let path = take_path(self.root(), kind, shot, take);
            if let Some(bytes) = self.folder.read(&path)? {
                return Ok((path, bytes));
            }
        }
        Err(ArtError::NoSuchTake { shot: shot.clone(), take: take.clone() })
    }

    /// Reads the picture of a take. If its file is damaged and `pictures/<shot>.png` is a whole copy, that copy takes its
    /// place, and the damaged file is set aside.
    ///
    /// # Errors
    /// If the file cannot be read, or is damaged and there is no whole copy.
    pub(crate) fn repaired_image(&self, take: &Take) -> Result<RgbaImage, ArtError> {
        let _changes = self.folder.changes();
        let damaged = match picture_file::decode(&take.path, &self.bytes(&take.path)?) {
            Err(damaged @ ArtError::Picture { .. }) => damaged,
            result => return result,
        };
        let path = self.picture_path(&take.shot);
        let Ok(Some(bytes)) = self.folder.read(&path) else { return Err(damaged) };
        let is_copy = picture_file::read(Cursor::new(&bytes))
            .is_ok_and(|file| Provenance::try_from(file).is_ok_and(|it| it == take.provenance));
        let image = picture_file::decode(&path, &bytes).ok().filter(|_| is_copy).ok_or(damaged)?;
        // Another program may be writing the file at this moment.
        self.folder.replace(&take.path, &bytes, None)?;
        log::warn!("{} was damaged: it is copied from {}", take.path.display(), path.display());
        Ok(image)
    }

    /// Returns whether `pictures/<shot>.png` has exactly the bytes of a take's file. The files are compared piece by
    /// piece, without decoding them. A copy that cannot be read counts as different.
    ///
    /// # Errors
    /// If the take's file cannot be read.
    pub fn is_published(&self, take: &Take) -> Result<bool, ArtError> {
        let unreadable = |error| ArtError::io("read", &take.path)(error);
        let mut file = self.folder.open_file(&take.path).map_err(unreadable)?;
        let Ok(mut copy) = self.folder.open_file(&self.picture_path(&take.shot)) else {
            return Ok(false);
        };
        let (mut piece, mut copied) = (vec![0; PIECE], vec![0; PIECE]);
        loop {
            let length = read_piece(&mut file, &mut piece).map_err(unreadable)?;
            let same = read_piece(&mut copy, &mut copied);
            if !same.is_ok_and(|other| piece[..length] == copied[..other]) {
                return Ok(false);
            }
            if length < PIECE {
                return Ok(true);
            }
        }
    }

    /// Copies a take to `pictures/<shot>.png` atomically, unless it is there already, and returns that path. An old
    /// file that is not a copy of a take, for example because it was painted over, is renamed to
    /// `<shot>.broken-1.png`.
    ///
    /// # Errors
    /// If an operation on a file fails.
    pub fn publish(&self, take: &Take) -> Result<PathBuf, ArtError> {
        let _changes = self.folder.changes();
        let path = self.picture_path(&take.shot);
        let bytes = self.bytes(&take.path)?;
        let old = self.folder.read(&path)?;
        if old.as_ref() == Some(&bytes) {
            self.folder.sync(&path)?;
            return Ok(path);
        }
        match self.copied(&take.shot, old)? {
            Some(old) => {
                let is_copy = || self.is_copy(&take.shot, &old);
                self.folder.replace_copy(&path, &bytes, &old, &is_copy)?;
            }
            None => self.folder.replace(&path, &bytes, None)?,
        }
        Ok(path)
    }

    /// Removes `pictures/<shot>.png`; the takes stay. A file that is not a copy of a take is set aside.
    ///
    /// # Errors
    /// If an operation on a file fails.
    pub fn unpublish(&self, shot: &ShotId) -> Result<(), ArtError> {
        let _changes = self.folder.changes();
        let path = self.picture_path(shot);
        match self.copied(shot, self.folder.read(&path)?)? {
            Some(old) => self.folder.remove_copy(&path, &old, &|| self.is_copy(shot, &old)),
            None => self.folder.remove(&path, None),
        }
    }

    /// Removes `pictures/<shot>.png` if it is a copy of a take, discarded or not.
    ///
    /// # Errors
    /// If an operation on a file fails.
    pub(super) fn unpublish_copy(&self, shot: &ShotId) -> Result<(), ArtError> {
        let _changes = self.folder.changes();
        let path = self.picture_path(shot);
        match self.copied(shot, self.folder.read(&path)?)? {
            Some(old) => self.folder.remove_copy(&path, &old, &|| self.is_copy(shot, &old)),
            None => Ok(()),
        }
    }

    /// The contents of `pictures/<shot>.png` if another file has the same picture: see [`Self::has_copy`].
    fn copied(&self, shot: &ShotId, picture: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, ArtError> {
        match picture {
            Some(picture) if self.has_copy(shot, &picture)? => Ok(Some(picture)),
            _ => Ok(None),
        }
    }

    /// Whether the picture still has a copy. Another program may have changed it meanwhile.
    fn is_copy(&self, shot: &ShotId, picture: &[u8]) -> bool {
        self.has_copy(shot, picture).unwrap_or(false)
    }

    /// Whether another file has the picture in `pictures/<shot>.png`, so that it can be removed: one of the files of the
    /// shot's takes, discarded ones included, is equal, or the take that the picture names is a [copy](copies::is_copy). A
    /// take that leads to the same file is not another file.
    ///
    /// # Errors
    /// If the files cannot be compared.
    fn has_copy(&self, shot: &ShotId, picture: &[u8]) -> Result<bool, ArtError> {
        let own = self.folder.metadata(&self.picture_path(shot))?.and_then(|data| data.file);
        let is_other =
            |data: &store::Metadata| data.kind == Kind::File && (own.is_none() || data.file != own);
        let named = || {
            let file = picture_file::read(Cursor::new(picture)).ok()?;
            Some(Provenance::try_from(file).ok()?.take_id())
        };
        let named = named().map(|id| format!("{id}.png"));
        for kind in ["takes", "discarded"] {
            let folder = self.root().join(kind).join(shot.as_str());
            // Equal files may have other names, because older versions named takes differently.
            for Entry { name, .. } in self.folder.list(&folder)? {
                let path = folder.join(&name);
                let Some(data) = self.folder.metadata(&path)?.filter(is_other) else { continue };
                let is_named = named.as_ref().is_some_and(|named| name == **named);
                if data.length != picture.len() as u64 && !is_named {
                    continue;
                }
                // A take that cannot be read is not a second copy.
                let Ok(Some(take)) = self.folder.read(&path) else { continue };
                if take == picture || is_named && copies::is_copy(&take, picture) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Reads a file that exists.
    fn bytes(&self, path: &Path) -> Result<Vec<u8>, ArtError> {
        let missing = || ArtError::io("read", path)(io::ErrorKind::NotFound.into());
        self.folder.read(path)?.ok_or_else(missing)
    }

    /// The path to which [`Self::publish`] copies a take of a shot.
    #[must_use]
    pub fn picture_path(&self, shot: &ShotId) -> PathBuf {
        self.root().join("pictures").join(format!("{shot}.png"))
    }

    /// The art folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.folder.root()
    }

    /// Access to the files of the art folder.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }
}

/// The number of bytes that are compared at a time.
const PIECE: usize = 64 << 10;

/// Fills `piece` up to the end of the file, and returns the number of bytes.
fn read_piece(file: &mut impl Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < piece.len() {
        match file.read(&mut piece[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
