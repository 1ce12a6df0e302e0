//! Lists the takes in an art folder.

use std::{
    collections::BTreeMap,
    io::{self, BufReader},
    path::Path,
    time::SystemTime,
};

use super::{
    ArtError, Blobs, InlineBlobs, Provenance, Take, TakeId,
    folder::{Folder, MAX_TAKE_NUMBER},
    picture_file::{self, PictureError},
    store::{Entry, Kind},
    take,
};
use crate::{
    recipe::{Blob, BlobId},
    storyboard::ShotId,
};

/// Lists the takes below `root/kind`, by shot, oldest first. A file that cannot be read as a take is left in place and
/// reported in the log.
///
/// # Errors
/// If a folder cannot be listed. A folder that does not exist is empty.
pub(super) fn scan(
    folder: &Folder,
    kind: &str,
    inline: &mut InlineBlobs,
) -> Result<BTreeMap<ShotId, Vec<Take>>, ArtError> {
    let (mut takes, all) = (BTreeMap::<_, Vec<_>>::new(), folder.root().join(kind));
    for entry in folder.list(&all)? {
        let path = all.join(&entry.name);
        let Some(shot) = name(&entry).and_then(|name| ShotId::new(name).ok()) else {
            log::warn!("{} is skipped: its name is not a shot id", path.display());
            continue;
        };
        if entry.kind != Kind::Folder {
            log::warn!("{} is skipped: it is not a folder", path.display());
            continue;
        }
        let found = takes_of(folder, &shot, &path, inline)?;
        if !found.is_empty() {
            // Two folders can have names that differ only in their Unicode form.
            takes.entry(shot).or_default().extend(found);
        }
    }
    takes.values_mut().for_each(|takes| sort(folder, takes));
    Ok(takes)
}

/// Turns pictures in `pictures/` into takes: those whose shots have no takes, as in a copy of that folder alone, and those
/// whose take is damaged. `known` returns the takes of a shot, discarded ones included. A picture that cannot become a
/// take is left in place and reported in the log.
///
/// # Errors
/// If the folder cannot be listed.
pub(super) fn adopt(
    folder: &Folder,
    known: impl Fn(&ShotId) -> Vec<TakeId>,
) -> Result<Vec<Take>, ArtError> {
    let (mut adopted, pictures) = (Vec::new(), folder.root().join("pictures"));
    for entry in folder.list(&pictures)? {
        let name = name(&entry).unwrap_or_default();
        let shot = name.strip_suffix(".png").and_then(|stem| ShotId::new(stem).ok());
        let Some(shot) = shot else { continue };
        let ids = known(&shot);
        if !ids.is_empty() && !has_unlisted(folder, &shot, &ids)? {
            continue;
        }
        let path = pictures.join(&entry.name);
        let file = folder.open_file(&path).map_err(PictureError::from);
        let contents = file.and_then(|file| picture_file::read_with_blobs(BufReader::new(file)));
        let Ok(contents) = contents else { continue };
        let take = take::take_path(folder.root(), "takes", &shot, &contents.0.take_id());
        if !ids.is_empty() && (ids.contains(&contents.0.take_id()) || !folder.has(&take)?) {
            continue;
        }
        match adopt_picture(folder, &path, shot, contents) {
            Ok(take) => adopted.push(take),
            Err(error) => log::warn!("{} does not become a take: {error}", path.display()),
        }
    }
    Ok(adopted)
}

/// Whether the folder of a shot has files that are not listed as takes.
fn has_unlisted(folder: &Folder, shot: &ShotId, ids: &[TakeId]) -> Result<bool, ArtError> {
    let files = folder.list(&folder.root().join("takes").join(shot.as_str()))?;
    let stem =
        |entry: &Entry| name(entry).and_then(|name| name.strip_suffix(".png")).map(str::to_owned);
    Ok(files.iter().filter_map(stem).any(|stem| ids.iter().all(|id| id.as_str() != stem)))
}

fn adopt_picture(
    folder: &Folder,
    picture: &Path,
    shot: ShotId,
    (provenance, contained): (Provenance, BTreeMap<BlobId, Blob>),
) -> Result<Take, ArtError> {
    let blobs = Blobs::new(folder.clone());
    for blob in contained.values() {
        blobs.put(blob)?;
    }
    folder.record_take_number(provenance.number);
    let id = provenance.take_id();
    let path = take::take_path(folder.root(), "takes", &shot, &id);
    let missing = || ArtError::io("read", picture)(io::ErrorKind::NotFound.into());
    let bytes = folder.read(picture)?.ok_or_else(missing)?;
    take::write_take(folder, &path, &bytes)?;
    Ok(Take { id, shot, path, provenance })
}

/// Lists the takes of one shot in a folder, in any order.
///
/// # Errors
/// If the folder cannot be listed. A folder that does not exist is empty.
fn takes_of(
    folder: &Folder,
    shot: &ShotId,
    path: &Path,
    inline: &mut InlineBlobs,
) -> Result<Vec<Take>, ArtError> {
    let mut found = Vec::new();
    for entry in folder.list(path)? {
        let path = path.join(&entry.name);
        match read(folder, shot, &path, name(&entry), inline) {
            Ok(take) => {
                folder.record_take_number(take.provenance.number);
                found.push(take);
            }
            Err(why) => log::warn!("{} is skipped: {why}", path.display()),
        }
    }
    Ok(found)
}

/// Sorts takes, oldest first.
pub(super) fn sort(folder: &Folder, takes: &mut [Take]) {
    takes.sort_by_cached_key(|take| {
        let Provenance { number, made, recipe, .. } = &take.provenance;
        // Takes of older versions have the number 0. Their order is that of their times.
        let written = folder.metadata(&take.path).ok().flatten().and_then(|data| data.modified);
        let written = written.unwrap_or(SystemTime::UNIX_EPOCH);
        // A number that is too large is not one of this program.
        let number = Some(*number).filter(|number| *number <= MAX_TAKE_NUMBER).unwrap_or_default();
        let age = (number == 0).then_some((*made, written, recipe.take));
        (number, age, take.id.clone())
    });
}

fn read(
    folder: &Folder,
    shot: &ShotId,
    path: &Path,
    name: Option<&str>,
    inline: &mut InlineBlobs,
) -> Result<Take, String> {
    let stem = name.and_then(|name| name.strip_suffix(".png")).ok_or("it is not a .png file")?;
    let id = TakeId::new(stem).map_err(|error| error.to_string())?;
    let provenance = provenance(folder, path, inline).map_err(|error| error.to_string())?;
    Ok(Take { id, shot: shot.clone(), path: path.to_owned(), provenance })
}

/// Reads the provenance of a picture, and moves inline masks and scribbles to `blobs/`.
fn provenance(
    folder: &Folder,
    path: &Path,
    inline: &mut InlineBlobs,
) -> Result<Provenance, PictureError> {
    let file = picture_file::read(BufReader::new(folder.open_file(path)?))?;
    Ok(file.provenance(|blob| inline.id(&blob))?)
}

fn name(entry: &Entry) -> Option<&str> {
    entry.name.to_str()
}
