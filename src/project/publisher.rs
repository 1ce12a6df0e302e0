//! The thread that copies pictures to `pictures/`, and reads the pictures of watched shots.
//!
//! It compares bytes to check whether `pictures/<shot>.png` is up to date. It decodes a picture only if its shot is
//! watched, or before the picture replaces another copy. A damaged take is restored from its copy in `pictures/`.

use std::{
    collections::{HashMap, VecDeque},
    io,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{Builder, JoinHandle},
};

use image::RgbaImage;

use super::{ProjectError, panics::catch};
use crate::{
    art::{ArtError, Take, TakeWriter},
    storyboard::ShotId,
    studio::lower_priority,
};

/// The maximum number of decoded pictures that wait for [`Publisher::take`].
const MAX_READY: usize = 8;

/// The thread and its tasks. Dropping it finishes only urgent copies. The next start makes the others.
#[derive(Debug)]
pub(super) struct Publisher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// A take to publish.
#[derive(Debug)]
pub(super) struct Publication {
    pub(super) take: Take,
    /// The decoded picture, if known. [`Finished::image`] then returns it without reading the file.
    pub(super) image: Option<RgbaImage>,
    /// Whether this process has just written the take, so that its file is known to be valid.
    pub(super) is_new: bool,
    /// Whether to return the picture in [`Finished::image`].
    pub(super) read: bool,
    /// Whether it runs before all waiting tasks.
    pub(super) urgent: bool,
}

/// A finished task.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) take: Take,
    /// The picture file: the copy in `pictures/`, or the file of the take if it was only read.
    pub(super) path: PathBuf,
    /// The picture, if the task was to read it.
    pub(super) image: Option<RgbaImage>,
    pub(super) error: Option<PictureError>,
    /// Whether the task was a copy to `pictures/`.
    pub(super) is_publication: bool,
}

/// The error of a picture that could not be read or published.
#[derive(Clone, Debug)]
pub(super) struct PictureError {
    pub(super) error: Arc<ProjectError>,
    /// Whether the take itself cannot be read. If `false`, only the copy failed.
    pub(super) is_damaged: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The newest request for each task.
    requests: HashMap<Task, Request>,
    /// The order of the tasks. It may contain finished tasks.
    turns: VecDeque<Task>,
    busy: bool,
    finished: VecDeque<Finished>,
    closing: bool,
}

/// Identifies a task. A newer request for the same task replaces the older one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Task {
    /// Update `pictures/<shot>.png`.
    Publish(ShotId),
    /// Read a picture.
    Read(ShotId),
}

#[derive(Debug)]
enum Request {
    Publish(Box<Publication>),
    /// Remove `pictures/<shot>.png`.
    Unpublish,
    Read(Box<Take>),
}

impl Publisher {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(super) fn start(writer: TakeWriter) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = Builder::new().name("illustrator-pictures".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || {
                lower_priority();
                shared.run(&writer);
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Copies a take to `pictures/`, unless the copy is up to date.
    pub(super) fn publish(&self, publication: Publication) {
        let (task, urgent) = (Task::Publish(publication.take.shot.clone()), publication.urgent);
        self.request(task, Request::Publish(Box::new(publication)), urgent);
    }

    /// Reads a take before all waiting tasks. `pictures/` does not change.
    pub(super) fn read(&self, take: Take) {
        self.request(Task::Read(take.shot.clone()), Request::Read(Box::new(take)), true);
    }

    /// Removes the picture of a shot from `pictures/`.
    pub(super) fn unpublish(&self, shot: ShotId) {
        self.request(Task::Publish(shot), Request::Unpublish, true);
    }

    /// The tasks that have finished since the last call, with at most `most` pictures.
    pub(super) fn take(&self, most: usize) -> Vec<Finished> {
        let mut state = self.shared.lock();
        let mut pictures = 0;
        let is_too_much = |finished: &Finished| {
            pictures += usize::from(finished.image.is_some());
            pictures > most
        };
        let count = state.finished.iter().position(is_too_much).unwrap_or(state.finished.len());
        let taken = state.finished.drain(..count).collect::<Vec<_>>();
        drop(state);
        if !taken.is_empty() {
            self.shared.changed.notify_all();
        }
        taken
    }

    /// Whether all tasks have finished and were returned by [`Self::take`].
    pub(super) fn is_idle(&self) -> bool {
        let state = self.shared.lock();
        state.requests.is_empty() && !state.busy && state.finished.is_empty()
    }

    fn request(&self, task: Task, request: Request, urgent: bool) {
        let mut state = self.shared.lock();
        if urgent {
            state.turns.push_front(task.clone());
        } else {
            state.turns.push_back(task.clone());
        }
        state.requests.insert(task, request);
        drop(state);
        self.shared.changed.notify_all();
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closing = true;
        state.requests.retain(|_, request| match request {
            Request::Publish(publication) => {
                publication.read = false;
                publication.urgent
            }
            Request::Unpublish => true,
            Request::Read(_) => false,
        });
        drop(state);
        self.shared.changed.notify_all();
        // The panic hook has already reported a panic of the thread.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn run(&self, writer: &TakeWriter) {
        while let Some((task, request)) = self.next_request() {
            let finished = match request {
                Request::Publish(publication) => Some(publish(writer, *publication)),
                Request::Read(take) => Some(read(writer, *take)),
                Request::Unpublish => {
                    let (Task::Publish(shot) | Task::Read(shot)) = task;
                    if let Err(error) = catch(|| Ok(writer.unpublish(&shot)?)) {
                        log::error!("{error}");
                    }
                    None
                }
            };
            let mut state = self.lock();
            state.busy = false;
            if state.closing
                && let Some(Finished { error: Some(PictureError { error, .. }), .. }) = &finished
            {
                log::error!("{error}");
            }
            state.finished.extend(finished);
        }
    }

    /// Waits for a request, and until fewer than [`MAX_READY`] pictures wait. Returns `None` if the publisher is
    /// closing and no request is left.
    fn next_request(&self) -> Option<(Task, Request)> {
        let waits = |state: &mut State| {
            let pictures = state.finished.iter().filter(|finished| finished.image.is_some());
            !state.closing && (state.requests.is_empty() || pictures.count() >= MAX_READY)
        };
        let mut state =
            self.changed.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner);
        while let Some(task) = state.turns.pop_front() {
            if let Some(request) = state.requests.remove(&task) {
                state.busy = true;
                return Some((task, request));
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn publish(writer: &TakeWriter, publication: Publication) -> Finished {
    let Publication { take, image, is_new, read, .. } = publication;
    let path = writer.picture_path(&take.shot);
    let decode = |image: Option<RgbaImage>| match image {
        Some(image) => Ok(image),
        None => catch(|| Ok(writer.repaired_image(&take)?)),
    };
    let copy = |image: Option<RgbaImage>| {
        let uncopied = |error| PictureError { error: Arc::new(error), is_damaged: false };
        let is_published = catch(|| Ok(writer.is_published(&take)?)).map_err(damaged)?;
        // A damaged take must not replace a valid copy.
        let must_check = !is_published && !is_new;
        let image = (read || must_check).then(|| decode(image)).transpose().map_err(damaged)?;
        if is_published {
            return Ok((image, None));
        }
        let error = catch(|| Ok(writer.publish(&take)?)).err().map(uncopied);
        Ok((image, error))
    };
    let (image, error) = copy(image).unwrap_or_else(|error| (None, Some(error)));
    let image = image.filter(|_| read);
    Finished { path, image, error, take, is_publication: true }
}

fn read(writer: &TakeWriter, take: Take) -> Finished {
    let (image, error) = match catch(|| Ok(writer.repaired_image(&take)?)) {
        Ok(image) => (Some(image), None),
        Err(error) => (None, Some(damaged(error))),
    };
    Finished { path: take.path.clone(), image, error, take, is_publication: false }
}

/// The error of a take that cannot be read. A take that was moved, for example to `discarded/`, is not damaged.
fn damaged(error: ProjectError) -> PictureError {
    let is_moved = matches!(
        &error,
        ProjectError::Art(ArtError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound
    );
    PictureError { error: Arc::new(error), is_damaged: !is_moved }
}
