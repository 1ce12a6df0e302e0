//! The thread that writes the author's changes and prepares edits, so that no frame waits for the disk.
//!
//! Tasks run in the order of their requests. Requests for the same file are combined while they wait: only the newest
//! ledger, and the newest marks of a take, are written.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{Builder, JoinHandle},
};

use super::{
    ActionId, ProjectError,
    edits::{EditPurpose, EditTask},
    panics::catch,
};
use crate::{
    art::{Ledger, Take, TakeId, TakeWriter},
    recipe::{Marks, Recipe},
    storyboard::ShotId,
    studio::lower_priority,
};

/// The thread and its tasks. Dropping it finishes all tasks.
#[derive(Debug)]
pub(super) struct DiskThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// A finished task.
#[derive(Debug)]
pub(super) enum Done {
    Ledger {
        revision: u64,
        ledger: Arc<Ledger>,
        result: Result<(), ProjectError>,
    },
    Marks {
        shot: ShotId,
        take: TakeId,
        /// All requests that this task answers.
        ids: Vec<ActionId>,
        result: Result<(), ProjectError>,
    },
    /// A take was moved to `discarded/` or back.
    Moved {
        id: ActionId,
        direction: Direction,
        shot: ShotId,
        take: TakeId,
        result: Result<Box<Take>, ProjectError>,
    },
    Edit {
        purpose: EditPurpose,
        shot: ShotId,
        result: Result<Box<Recipe>, ProjectError>,
    },
    Images {
        id: ActionId,
        result: Result<(), ProjectError>,
    },
}

/// The direction in which a take is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Discard,
    Restore,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    tasks: VecDeque<Task>,
    ledger: Option<(u64, Arc<Ledger>)>,
    marks: HashMap<(ShotId, TakeId), (Vec<ActionId>, Marks)>,
    busy: bool,
    done: Vec<Done>,
    closing: bool,
}

#[derive(Debug)]
enum Task {
    /// Write [`State::ledger`].
    Ledger,
    /// Write the [`State::marks`] of this take.
    Marks(ShotId, TakeId),
    Move(ActionId, Direction, Box<Take>),
    Edit(Box<EditTask>),
    /// Write the images that the art folder keeps in memory.
    Images(ActionId),
}

impl DiskThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(super) fn start(writer: TakeWriter) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = Builder::new().name("illustrator-disk".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || {
                lower_priority();
                shared.run(&writer);
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Writes the ledger. It replaces a waiting one.
    pub(super) fn write_ledger(&self, revision: u64, ledger: Arc<Ledger>) {
        self.change(|state| {
            if state.ledger.replace((revision, ledger)).is_none() {
                state.tasks.push_back(Task::Ledger);
            }
        });
    }

    /// Writes the marks of a take. They replace waiting ones, whose requests are answered together with this one.
    pub(super) fn write_marks(&self, id: ActionId, shot: ShotId, take: TakeId, marks: Marks) {
        self.change(|state| {
            let key = (shot, take);
            if let Some((ids, waiting)) = state.marks.get_mut(&key) {
                ids.push(id);
                *waiting = marks;
            } else {
                state.tasks.push_back(Task::Marks(key.0.clone(), key.1.clone()));
                state.marks.insert(key, (vec![id], marks));
            }
        });
    }

    /// Moves a take to `discarded/` or back.
    pub(super) fn move_take(&self, id: ActionId, direction: Direction, take: Take) {
        self.change(|state| state.tasks.push_back(Task::Move(id, direction, Box::new(take))));
    }

    /// Prepares the recipe of an edit.
    pub(super) fn prepare_edit(&self, task: EditTask) {
        self.change(|state| state.tasks.push_back(Task::Edit(Box::new(task))));
    }

    /// Writes the images that the art folder keeps in memory.
    pub(super) fn write_images(&self, id: ActionId) {
        self.change(|state| state.tasks.push_back(Task::Images(id)));
    }

    /// The tasks that have finished since the last call. Does not wait for the disk.
    pub(super) fn take(&self) -> Vec<Done> {
        std::mem::take(&mut self.shared.lock().done)
    }

    /// Whether all tasks have finished and were returned by [`Self::take`].
    pub(super) fn is_idle(&self) -> bool {
        let state = self.shared.lock();
        state.tasks.is_empty() && !state.busy && state.done.is_empty()
    }

    /// Waits until all tasks have finished.
    pub(super) fn finish(&self) {
        let works = |state: &mut State| state.busy || !state.tasks.is_empty();
        let guard = self.shared.changed.wait_while(self.shared.lock(), works);
        drop(guard.unwrap_or_else(PoisonError::into_inner));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.shared.lock());
        self.shared.changed.notify_all();
    }
}

impl Drop for DiskThread {
    fn drop(&mut self) {
        self.change(|state| state.closing = true);
        // The panic hook has already reported a panic of the thread.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn run(&self, writer: &TakeWriter) {
        while let Some(work) = self.next() {
            let done = work.perform(writer);
            let mut state = self.lock();
            state.busy = false;
            state.done.push(done);
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Waits for a task. Returns `None` if the project is closing and no task is left.
    fn next(&self) -> Option<Work> {
        let waits = |state: &mut State| state.tasks.is_empty() && !state.closing;
        let mut state =
            self.changed.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner);
        let work = state.next();
        state.busy = work.is_some();
        work
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task with its data.
enum Work {
    Ledger(u64, Arc<Ledger>),
    Marks(ShotId, TakeId, Vec<ActionId>, Marks),
    Move(ActionId, Direction, Box<Take>),
    Edit(Box<EditTask>),
    Images(ActionId),
}

impl State {
    fn next(&mut self) -> Option<Work> {
        loop {
            let work = match self.tasks.pop_front()? {
                Task::Ledger => self.ledger.take().map(|(revision, it)| Work::Ledger(revision, it)),
                Task::Marks(shot, take) => {
                    let key = (shot, take);
                    let found = self.marks.remove(&key);
                    found.map(|(ids, marks)| Work::Marks(key.0, key.1, ids, marks))
                }
                Task::Move(id, direction, take) => Some(Work::Move(id, direction, take)),
                Task::Edit(task) => Some(Work::Edit(task)),
                Task::Images(id) => Some(Work::Images(id)),
            };
            if work.is_some() {
                return work;
            }
        }
    }
}

impl Work {
    fn perform(self, writer: &TakeWriter) -> Done {
        match self {
            Self::Ledger(revision, ledger) => {
                let result = catch(|| {
                    // A ledger refers to images, so those come first.
                    writer.blobs().write_unwritten()?;
                    Ok(writer.write_ledger(&ledger)?)
                });
                Done::Ledger { revision, ledger, result }
            }
            Self::Marks(shot, take, ids, marks) => {
                let result = catch(|| Ok(writer.write_marks(&shot, &take, &marks)?));
                Done::Marks { shot, take, ids, result }
            }
            Self::Move(id, direction, take) => {
                let (shot, name) = (take.shot.clone(), take.id.clone());
                let result = catch(|| {
                    Ok(match direction {
                        Direction::Discard => writer.discard(*take).map(Box::new)?,
                        Direction::Restore => writer.restore(*take).map(Box::new)?,
                    })
                });
                Done::Moved { id, direction, shot, take: name, result }
            }
            Self::Edit(task) => {
                let (purpose, shot) = (task.purpose, task.draft.take.shot.clone());
                let result = catch(|| task.recipe(&writer.blobs()).map(Box::new));
                Done::Edit { purpose, shot, result }
            }
            Self::Images(id) => {
                let result = catch(|| Ok(writer.blobs().write_unwritten()?));
                Done::Images { id, result }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        art::{
            Art,
            tests::{draw, folder, recipe, shot},
        },
        project::{Action, Request},
    };

    /// A queue without a thread, so that its tasks wait.
    fn not_started() -> DiskThread {
        DiskThread { shared: Arc::default(), thread: None }
    }

    #[test]
    fn waiting_marks_are_written_once_and_answer_every_request() {
        let (_dir, root) = folder();
        let mut art = Art::open(&root).unwrap();
        let take = draw(&mut art, "a", &recipe("x"), 10);
        let disk = not_started();
        let ids = [0, 1, 2].map(|_| Request::new(Action::CancelAll).id);
        for (n, id) in ids.into_iter().enumerate() {
            let context = Some(crate::mask::Area { x: n as u32, y: 0, width: 1, height: 1 });
            let marks = Marks { layers: Vec::new(), context };
            disk.write_marks(id, shot("a"), take.id.clone(), marks);
        }
        disk.change(|state| state.closing = true);
        disk.shared.run(&art.writer());
        let [Done::Marks { ids: answered, result: Ok(()), .. }] = &disk.take()[..] else {
            panic!("one write")
        };
        assert_eq!(answered[..], ids);
        assert_eq!(art.marks(&shot("a"), &take.id).unwrap().context.unwrap().x, 2);
    }

    #[test]
    fn only_the_newest_waiting_ledger_is_written() {
        let (_dir, root) = folder();
        let art = Art::open(&root).unwrap();
        let disk = not_started();
        for n in 1..=3 {
            let keys = [(n.to_string(), Vec::new())].into();
            disk.write_ledger(n, Arc::new(Ledger { keys, ..Ledger::default() }));
        }
        disk.change(|state| state.closing = true);
        disk.shared.run(&art.writer());
        let [Done::Ledger { revision: 3, result: Ok(()), .. }] = &disk.take()[..] else {
            panic!("one write")
        };
        drop(art);
        let art = Art::read(&root).unwrap();
        assert_eq!(art.keys().keys().collect::<Vec<_>>(), ["3"]);
    }
}
