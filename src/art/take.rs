//! Takes: the candidate pictures of a shot.

use std::{
    fs,
    io::{self, Cursor, Read},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use image::RgbaImage;
use serde::{Deserialize, Serialize};

use super::{
    ArtError, copies,
    folder::Folder,
    picture_file::{self, Attachments, EncodeError},
    store::{self, Entry, Kind},
};
use crate::{
    generator::ModelCard,
    loss::FinalLoss,
    model::{Abilities, ModelDefaults},
    picture::Metadata,
    recipe::{BlobId, InlineBlob, InlineBlobError, Recipe, RecipeFile, ResolvedSampler, TakeId},
    storyboard::ShotId,
};

/// One candidate picture made from a recipe, on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Take {
    /// Its name.
    pub id: TakeId,
    /// The shot that it was drawn for.
    pub shot: ShotId,
    /// The PNG file.
    pub path: PathBuf,
    /// The provenance in the file.
    pub provenance: Provenance,
}

/// The origin of a picture, stored as JSON in its PNG file. Fields of newer versions are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ProvenanceFile")]
pub struct Provenance {
    /// The requested recipe.
    pub recipe: Recipe,
    /// The sampler that it was drawn with, including values that the recipe leaves to the model.
    pub sampler: ResolvedSampler,
    /// The model that drew it.
    pub model: ModelCard,
    /// Name and version of this program.
    pub program: String,
    /// The final values of its losses, unless the take is of an older version.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<FinalLoss>,
    /// The number of the take in its art folder: takes with larger numbers are newer. 0 for pictures outside of an art
    /// folder, and for takes of older versions.
    #[serde(skip_serializing_if = "is_zero")]
    pub number: u64,
    /// Time of completion, in seconds since 1970-01-01 UTC.
    pub made: u64,
    /// Duration of drawing, in milliseconds.
    pub took_ms: u64,
}

/// [`Provenance`] in the format of this and older versions.
#[derive(Deserialize)]
pub(super) struct ProvenanceFile {
    recipe: RecipeFile,
    /// Missing in files of older versions, which write every value into the recipe.
    sampler: Option<ResolvedSampler>,
    model: ModelCard,
    program: String,
    #[serde(default)]
    losses: Vec<FinalLoss>,
    #[serde(default)]
    number: u64,
    made: u64,
    took_ms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Writes takes into an art folder, from any thread. The folder stays locked until all of its writers are dropped.
#[derive(Clone, Debug)]
pub struct TakeWriter {
    folder: Folder,
}

impl Take {
    /// Reads the picture.
    ///
    /// # Errors
    /// If the file does not exist, or is not a PNG.
    pub fn image(&self) -> Result<RgbaImage, ArtError> {
        picture_file::pixels(&self.path)
    }

    /// The time of the last change of the file, if the system provides it.
    #[must_use]
    pub fn modified(&self) -> Option<SystemTime> {
        fs::metadata(&self.path).and_then(|file| file.modified()).ok()
    }

    /// The requested recipe.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.provenance.recipe
    }

    /// Returns whether it is a take of the recipe `shot`, or an edit of one. A value that was left to the model
    /// counts as the model's default at that time.
    #[must_use]
    pub fn is_for(&self, shot: &Recipe) -> bool {
        let Provenance { recipe, sampler, .. } = &self.provenance;
        recipe.size == shot.size
            && shot.sampler.is_met_by(&recipe.sampler, sampler)
            && recipe.is_wanted_whatever_the_sampler(shot)
    }

    /// Returns whether it is a take of `recipe`, with any number.
    #[must_use]
    pub fn is_take_of(&self, recipe: &Recipe) -> bool {
        let Provenance { recipe: own, sampler, .. } = &self.provenance;
        recipe.sampler.is_met_by(&own.sampler, sampler) && own.same_but_take_and_sampler(recipe)
    }

    /// The take that this one was edited from.
    #[must_use]
    pub fn parent(&self) -> Option<&TakeId> {
        self.recipe().edit.as_ref()?.parent.as_ref()
    }
}

impl Provenance {
    /// The provenance of a picture without losses that was finished now.
    #[must_use]
    pub fn now(recipe: Recipe, model: ModelCard, took: Duration) -> Self {
        Self {
            sampler: recipe.sampler.resolve(&model.defaults),
            recipe,
            // Abilities and defaults are not written.
            model: ModelCard {
                defaults: ModelDefaults::default(),
                abilities: Abilities::default(),
                ..model
            },
            program: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
            losses: Vec::new(),
            number: 0,
            made: SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |d| d.as_secs()),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// The name of a new take with this provenance. An existing take has the name of its file, which an older version
    /// may have computed differently.
    #[must_use]
    pub fn take_id(&self) -> TakeId {
        TakeId::of(&self.recipe, &self.model.hash)
    }
}

impl ProvenanceFile {
    /// The bytes of the masks and scribbles that are in the file itself, as text.
    pub(super) fn inline_bytes(&self) -> usize {
        self.recipe.inline_bytes()
    }

    /// The provenance. `id_of` is called with each mask and scribble that is in the file itself.
    ///
    /// # Errors
    /// The error of `id_of`.
    pub(super) fn provenance<E>(
        self,
        id_of: impl FnMut(InlineBlob) -> Result<BlobId, E>,
    ) -> Result<Provenance, E> {
        let Self { recipe, sampler, model, program, losses, number, made, took_ms } = self;
        let recipe = recipe.recipe(id_of)?;
        // Values that are unset here are defaults of the built-in model.
        let sampler = sampler.unwrap_or_else(|| recipe.sampler.resolve(&ModelDefaults::built_in()));
        Ok(Provenance { recipe, sampler, model, program, losses, number, made, took_ms })
    }
}

impl TryFrom<ProvenanceFile> for Provenance {
    type Error = InlineBlobError;

    fn try_from(file: ProvenanceFile) -> Result<Self, InlineBlobError> {
        file.provenance(|inline| inline.decode().map(|blob| blob.id()))
    }
}

impl TakeWriter {
    pub(super) fn new(folder: Folder) -> Self {
        Self { folder }
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

/// `takes/<shot>/<take>.png`, or the same below `discarded`.
pub(super) fn take_path(root: &Path, kind: &str, shot: &ShotId, take: &TakeId) -> PathBuf {
    root.join(kind).join(shot.as_str()).join(format!("{take}.png"))
}

/// Writes the file of a take. An old file with the same picture is replaced; anything else is set aside.
///
/// # Errors
/// If an operation on a file fails, for example because the old file cannot be read at the moment.
pub(super) fn write_take(folder: &Folder, path: &Path, bytes: &[u8]) -> Result<(), ArtError> {
    let _changes = folder.changes();
    folder.replace(path, bytes, old_copy(folder, path, bytes)?.as_deref())
}

/// The contents of the file at the path of a take if they are a copy of the new ones.
///
/// # Errors
/// If the file exists and cannot be read. It may be a take: permissions or a share may make it unreadable at the moment,
/// and the file of a Git LFS pointer is on another machine.
pub(super) fn old_copy(
    folder: &Folder,
    path: &Path,
    new: &[u8],
) -> Result<Option<Vec<u8>>, ArtError> {
    let Some(old) = folder.read(path)? else { return Ok(None) };
    ArtError::check_pointer(path, &old)?;
    Ok(Some(old).filter(|old| copies::is_copy(old, new)))
}

/// Adds a take to the takes of its shot. It replaces a take with the same name, which has the same file.
pub(super) fn enter(takes: &mut Vec<Take>, take: Take) {
    takes.retain(|other| other.id != take.id);
    takes.push(take);
}
