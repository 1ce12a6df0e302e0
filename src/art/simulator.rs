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

/// A name that is removed, and a name that is added.
#[derive(Clone, Debug)]
struct NameChange {
    removed: Option<PathBuf>,
    added: Option<(PathBuf, Node)>,
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

    /// Ends the wait for a fault.
    pub(super) fn heal(&self) {
        self.lock().calls_left = None;
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

    /// Adds a file with these bytes.
    fn add_file(&mut self, path: &Path, bytes: &[u8], is_synced: bool) -> io::Result<()> {
        self.check_parent(path)?;
        if self.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let node = Node::File(self.files.len());
        self.files.push(Contents { bytes: bytes.to_vec(), is_synced });
        self.rename(NameChange { removed: None, added: Some((path.to_owned(), node)) });
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
        let newer_added = newer.added.as_ref().map(|(path, _)| path);
        self.added
            .take_if(|(path, _)| newer.removed.as_ref() == Some(path) || newer_added == Some(path));
        self.removed.take_if(|path| newer_added == Some(path));
    }

    /// Whether the change is durable once this folder is synced.
    fn is_in(&self, folder: &Path) -> bool {
        let paths = self.removed.iter().chain(self.added.as_ref().map(|(path, _)| path));
        paths.clone().any(|path| path.parent() == Some(folder))
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
        Ok(Metadata { kind: kind(node), length, modified: None })
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.change(|disk| {
            disk.check_parent(path)?;
            if disk.names.contains_key(path) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            let added = Some((path.to_owned(), Node::Folder));
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
        self.change(|disk| {
            disk.file(from)?;
            disk.check_parent(to)?;
            let node = disk.names[from];
            let added = Some((to.to_owned(), node));
            disk.rename(NameChange { removed: Some(from.to_owned()), added });
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(|disk| {
            disk.file(path)?;
            disk.rename(NameChange { removed: Some(path.to_owned()), added: None });
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
