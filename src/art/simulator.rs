//! A simulated disk for art folders: it fails, loses power, and keeps only what was synced.
//!
//! Contents that were not synced and names whose folder was not synced may or may not survive a loss of power,
//! independently of each other, as on a file system that reorders writes.

mod histories;

use std::{
    collections::BTreeMap,
    io::{self, Cursor},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
};

use super::store::{Entry, Kind, Metadata, ReadSeek, Store};

/// A simulated disk with one art folder.
#[derive(Debug, Default)]
pub(super) struct SimulatedStore(Mutex<Disk>);

#[derive(Clone, Debug, Default)]
struct Disk {
    /// The files and folders as programs see them.
    names: BTreeMap<PathBuf, Node>,
    /// The files and folders after a loss of power in which all pending changes are lost.
    durable: BTreeMap<PathBuf, Node>,
    /// Changes of names whose folder was not synced since, in order.
    pending: Vec<NameChange>,
    files: Vec<Contents>,
    /// The number of calls that change the disk until a fault happens.
    calls_left: Option<u64>,
    fault: Fault,
    /// What another program writes after this number of calls that change the disk.
    foreign: Option<(u64, ForeignWrite)>,
    /// The files that other programs wrote, except for those that they replaced later.
    foreign_files: Vec<Vec<u8>>,
    has_no_exchange: bool,
    has_no_rename: bool,
    has_power: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Node {
    Folder,
    /// An index into [`Disk::files`].
    File(usize),
}

#[derive(Clone, Debug)]
struct Contents {
    bytes: Vec<u8>,
    is_synced: bool,
}

/// A name that is removed, and the names that are added: two by an exchange.
#[derive(Clone, Debug)]
struct NameChange {
    removed: Option<PathBuf>,
    added: Vec<(PathBuf, Node)>,
}

/// A file that another program writes between two calls.
#[derive(Clone, Debug)]
pub(super) struct ForeignWrite {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
    /// Whether the contents of an existing file change. Otherwise a new file takes its place.
    pub(super) in_place: bool,
}

/// A fault of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fault {
    /// The disk is full. A file that is written stays incomplete.
    #[default]
    Full,
    /// The call is refused and has no effect.
    Refused,
    /// The call takes effect, but reports an error.
    Late,
    /// The power is lost before the call, and a file that is written stays incomplete.
    PowerLossBefore,
    /// The power is lost after the call.
    PowerLossAfter,
}

impl SimulatedStore {
    /// An empty disk.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Disk { has_power: true, ..Disk::default() }))
    }

    /// Makes a fault happen after `calls` more calls that change the disk.
    pub(super) fn fail_after(&self, calls: u64, fault: Fault) {
        let mut disk = self.lock();
        (disk.calls_left, disk.fault) = (Some(calls), fault);
    }

    /// Ends the wait for a fault and for another program.
    pub(super) fn heal(&self) {
        let mut disk = self.lock();
        (disk.calls_left, disk.foreign) = (None, None);
    }

    /// A disk that cannot exchange files.
    pub(super) fn without_exchange(self) -> Self {
        self.lock().has_no_exchange = true;
        self
    }

    /// A disk that cannot exchange files, nor move a file without replacing another one.
    pub(super) fn without_flags(self) -> Self {
        let mut disk = self.lock();
        (disk.has_no_exchange, disk.has_no_rename) = (true, true);
        drop(disk);
        self
    }

    /// Makes another program write a file after `calls` more calls that change the disk, and make it durable.
    pub(super) fn write_foreign_after(&self, calls: u64, write: ForeignWrite) {
        self.lock().foreign = Some((calls, write));
    }

    /// Records that this program has read a file, so that it may replace what another program had written there.
    pub(super) fn forget_foreign(&self, path: &Path) {
        let mut disk = self.lock();
        if let Ok(file) = disk.file(path) {
            let read = file.bytes.clone();
            disk.foreign_files.retain(|file| *file != read);
        }
    }

    /// The files that other programs wrote, except for those that they replaced later.
    pub(super) fn foreign_files(&self) -> Vec<Vec<u8>> {
        self.lock().foreign_files.clone()
    }

    /// The contents of all files outside of the temporary folder.
    pub(super) fn contents(&self) -> Vec<Vec<u8>> {
        let disk = self.lock();
        let places = disk.names.iter().filter(|(path, _)| !path.starts_with(".tmp"));
        let bytes = |(_, node): (&PathBuf, &Node)| match node {
            Node::File(at) => Some(disk.files[*at].bytes.clone()),
            Node::Folder => None,
        };
        places.filter_map(bytes).collect()
    }

    /// Whether the power was lost.
    pub(super) fn has_power(&self) -> bool {
        self.lock().has_power
    }

    /// The disk after a loss of power. `survives` decides about each change and each file that was not synced.
    pub(super) fn restarted(&self, mut survives: impl FnMut() -> bool) -> Self {
        let mut disk = self.lock().clone();
        for change in std::mem::take(&mut disk.pending) {
            if survives() {
                change.apply(&mut disk.durable);
            }
        }
        // A file in a lost folder is lost.
        let all = disk.durable.clone();
        let is_reachable = |path: &Path| {
            let mut folders = path.ancestors().skip(1).filter(|it| !it.as_os_str().is_empty());
            folders.all(|folder| all.get(folder) == Some(&Node::Folder))
        };
        disk.durable.retain(|path, _| is_reachable(path));
        for file in disk.files.iter_mut().filter(|file| !file.is_synced) {
            if !survives() {
                file.bytes.truncate(file.bytes.len() / 2);
            }
            file.is_synced = true;
        }
        (disk.names, disk.calls_left, disk.has_power) = (disk.durable.clone(), None, true);
        disk.foreign = None;
        Self(Mutex::new(disk))
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }

    /// Runs a call that changes the disk, unless a fault prevents it.
    fn change(&self, call: impl FnOnce(&mut Disk) -> io::Result<()>) -> io::Result<()> {
        let mut disk = self.lock();
        if !disk.has_power {
            return Err(io::Error::other("no power"));
        }
        if let Some((calls, write)) = disk.foreign.take() {
            match calls.checked_sub(1) {
                Some(calls) => disk.foreign = Some((calls, write)),
                None => disk.write_foreign(write),
            }
        }
        let is_due = disk.calls_left == Some(0);
        disk.calls_left = disk.calls_left.map(|calls| calls.wrapping_sub(1)).filter(|_| !is_due);
        match disk.fault {
            _ if !is_due => call(&mut disk),
            Fault::Full => Err(io::ErrorKind::StorageFull.into()),
            Fault::Refused => Err(io::ErrorKind::PermissionDenied.into()),
            Fault::Late => call(&mut disk).and(Err(io::Error::other("input/output error"))),
            Fault::PowerLossBefore => {
                disk.has_power = false;
                Err(io::Error::other("no power"))
            }
            Fault::PowerLossAfter => {
                let result = call(&mut disk);
                disk.has_power = false;
                result
            }
        }
    }
}

impl Disk {
    fn file(&self, path: &Path) -> io::Result<&Contents> {
        match self.names.get(path) {
            Some(Node::File(at)) => Ok(&self.files[*at]),
            Some(Node::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn check_parent(&self, path: &Path) -> io::Result<()> {
        let parent = path.parent().unwrap_or(Path::new(""));
        match self.names.get(parent) {
            _ if parent.as_os_str().is_empty() => Ok(()),
            Some(Node::Folder) => Ok(()),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn rename(&mut self, change: NameChange) {
        change.clone().apply(&mut self.names);
        self.pending.push(change);
    }

    /// Gives a file another name, and removes one.
    fn add_name(&mut self, from: &Path, to: &Path, removed: Option<&Path>) -> io::Result<()> {
        self.file(from)?;
        self.check_parent(to)?;
        let added = vec![(to.to_owned(), self.names[from])];
        self.rename(NameChange { removed: removed.map(Path::to_owned), added });
        Ok(())
    }

    /// Writes a file as another program does, which then syncs the whole disk.
    fn write_foreign(&mut self, write: ForeignWrite) {
        let ForeignWrite { path, bytes, in_place } = write;
        if self.check_parent(&path).is_err() || self.names.get(&path) == Some(&Node::Folder) {
            return;
        }
        if let Ok(file) = self.file(&path) {
            let replaced = file.bytes.clone();
            self.foreign_files.retain(|file| *file != replaced);
        }
        self.foreign_files.push(bytes.clone());
        match self.names.get(&path) {
            Some(Node::File(at)) if in_place => self.files[*at].bytes = bytes,
            _ => {
                let node = Node::File(self.files.len());
                self.files.push(Contents { bytes, is_synced: true });
                self.rename(NameChange { removed: None, added: vec![(path, node)] });
            }
        }
        self.pending.clear();
        self.durable.clone_from(&self.names);
    }

    /// Adds a file with these bytes.
    fn add_file(&mut self, path: &Path, bytes: &[u8], is_synced: bool) -> io::Result<()> {
        self.check_parent(path)?;
        if self.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let node = Node::File(self.files.len());
        self.files.push(Contents { bytes: bytes.to_vec(), is_synced });
        self.rename(NameChange { removed: None, added: vec![(path.to_owned(), node)] });
        Ok(())
    }
}

impl NameChange {
    fn apply(self, names: &mut BTreeMap<PathBuf, Node>) {
        if let Some(removed) = self.removed {
            names.remove(&removed);
        }
        names.extend(self.added);
    }

    /// Leaves out the names that a newer change sets: that one counts.
    fn forget_names_of(&mut self, newer: &Self) {
        let is_newer = |path: &PathBuf| newer.added.iter().any(|(newer, _)| newer == path);
        self.added.retain(|(path, _)| newer.removed.as_ref() != Some(path) && !is_newer(path));
        self.removed.take_if(|path| is_newer(path));
    }

    /// Whether the change is durable once this folder is synced.
    fn is_in(&self, folder: &Path) -> bool {
        let mut paths = self.removed.iter().chain(self.added.iter().map(|(path, _)| path));
        paths.any(|path| path.parent() == Some(folder))
    }
}

impl Store for SimulatedStore {
    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadSeek>> {
        Ok(Box::new(Cursor::new(self.lock().file(path)?.bytes.clone())))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let disk = self.lock();
        if disk.names.get(folder) != Some(&Node::Folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = disk.names.iter().filter(|(path, _)| path.parent() == Some(folder));
        let entry = |(path, node): (&PathBuf, &Node)| {
            Some(Entry { name: path.file_name()?.to_owned(), kind: kind(*node) })
        };
        Ok(inside.filter_map(entry).collect())
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let disk = self.lock();
        let node = *disk.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        let length = disk.file(path).map_or(0, |file| file.bytes.len() as u64);
        let file = match node {
            Node::File(at) => Some((0, at as u64)),
            Node::Folder => None,
        };
        Ok(Metadata { kind: kind(node), length, modified: None, file })
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.change(|disk| {
            disk.check_parent(path)?;
            if disk.names.contains_key(path) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            let added = vec![(path.to_owned(), Node::Folder)];
            disk.rename(NameChange { removed: None, added });
            Ok(())
        })
    }

    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let result = self.change(|disk| disk.add_file(path, bytes, true));
        let mut disk = self.lock();
        if result.is_err() && !disk.names.contains_key(path) {
            // The beginning of the file was written.
            let _ = disk.add_file(path, &bytes[..bytes.len() / 3], false);
        }
        result
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.lock().has_no_rename {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.change(|disk| {
            if disk.names.contains_key(to) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            disk.add_name(from, to, Some(from))
        })
    }

    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|disk| disk.add_name(from, to, Some(from)))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|disk| {
            if disk.names.contains_key(to) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            disk.add_name(from, to, None)
        })
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        if self.lock().has_no_exchange {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.change(|disk| {
            disk.file(one)?;
            disk.file(other)?;
            let added =
                vec![(one.to_owned(), disk.names[other]), (other.to_owned(), disk.names[one])];
            disk.rename(NameChange { removed: None, added });
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(|disk| {
            disk.file(path)?;
            disk.rename(NameChange { removed: Some(path.to_owned()), added: Vec::new() });
            Ok(())
        })
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.change(|disk| {
            let (synced, left) = disk.pending.drain(..).partition(|change| change.is_in(path));
            disk.pending = left;
            let synced: Vec<NameChange> = synced;
            for change in synced {
                disk.pending.iter_mut().for_each(|older| older.forget_names_of(&change));
                change.apply(&mut disk.durable);
            }
            Ok(())
        })
    }

    fn is_in_place(&self) -> bool {
        true
    }
}

fn kind(node: Node) -> Kind {
    match node {
        Node::Folder => Kind::Folder,
        Node::File(_) => Kind::File,
    }
}
