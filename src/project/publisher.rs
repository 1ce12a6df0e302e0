//! The thread that reads pictures for the game and copies those that it may ship to `pictures/`, so that no
//! frame waits for the disk.

use std::{
    collections::{HashMap, VecDeque},
    io,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{Builder, JoinHandle},
};

use image::RgbaImage;

use super::ProjectError;
use crate::{
    art::{Take, TakeWriter},
    storyboard::ShotId,
    studio::lower_priority,
};

/// How many pictures lie ready at most until somebody takes them: what is read too early is only memory.
const READY: usize = 32;

/// The thread and what it was told to do. Dropping it finishes what was drawn or chosen since the project
/// was opened.
#[derive(Debug)]
pub(super) struct Publisher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// A picture that is ready for the game, or why it is not.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) take: Take,
    /// The file that holds it.
    pub(super) path: PathBuf,
    /// `None` where it could not be read.
    pub(super) image: Option<RgbaImage>,
    /// Why it could not be read or copied.
    pub(super) error: Option<Arc<ProjectError>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// One order for each thing to do: the last.
    orders: HashMap<Deed, Order>,
    /// Those with an order, and perhaps some whose order is carried out already.
    turns: VecDeque<Deed>,
    busy: bool,
    ready: VecDeque<Published>,
    closing: bool,
}

/// What is to be done for a shot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Deed {
    /// To put its picture into `pictures/`, and read it.
    Publish(ShotId),
    /// To read a picture only.
    Show(ShotId),
}

#[derive(Debug)]
struct Order {
    /// The take, with its picture where it is at hand; none to take away what is published.
    take: Option<(Box<Take>, Option<RgbaImage>)>,
    /// Before those that wait.
    soon: bool,
}

impl Publisher {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives none.
    pub(super) fn start(writer: TakeWriter) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = Builder::new().name("illustrator-pictures".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || {
                lower_priority();
                shared.work(&writer);
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Has a take published and read, unless its picture is at hand: soon, or when all others have
    /// had their turn.
    pub(super) fn publish(&self, take: Take, image: Option<RgbaImage>, soon: bool) {
        let deed = Deed::Publish(take.shot.clone());
        self.order(deed, Order { take: Some((Box::new(take), image)), soon });
    }

    /// Has a take read soon, and leaves what is published.
    pub(super) fn show(&self, take: Take) {
        let deed = Deed::Show(take.shot.clone());
        self.order(deed, Order { take: Some((Box::new(take), None)), soon: true });
    }

    /// Has the picture of a shot taken away.
    pub(super) fn unpublish(&self, shot: ShotId) {
        self.order(Deed::Publish(shot), Order { take: None, soon: true });
    }

    /// Up to `most` pictures that are ready.
    pub(super) fn take(&self, most: usize) -> Vec<Published> {
        let mut state = self.shared.lock();
        let most = most.min(state.ready.len());
        let taken = state.ready.drain(..most).collect::<Vec<_>>();
        drop(state);
        if !taken.is_empty() {
            self.shared.changed.notify_all();
        }
        taken
    }

    /// Whether all is done and taken.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.shared.lock();
        state.orders.is_empty() && !state.busy && state.ready.is_empty()
    }

    fn order(&self, deed: Deed, order: Order) {
        let mut state = self.shared.lock();
        if order.soon {
            state.turns.push_front(deed.clone());
        } else {
            state.turns.push_back(deed.clone());
        }
        state.orders.insert(deed, order);
        drop(state);
        self.shared.changed.notify_all();
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closing = true;
        state.orders.retain(|deed, order| order.soon && matches!(deed, Deed::Publish(_)));
        drop(state);
        self.shared.changed.notify_all();
        // A panic of its own was told by the panic hook.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn work(&self, writer: &TakeWriter) {
        while let Some((deed, order)) = self.next_order() {
            let published = match (deed, order.take) {
                (Deed::Publish(_), Some((take, image))) => Some(publish(writer, *take, image)),
                (Deed::Show(_), take) => take.map(|(take, image)| read(*take, image)),
                (Deed::Publish(shot), None) => {
                    if let Err(error) = writer.unpublish(&shot) {
                        log::error!("{error}");
                    }
                    None
                }
            };
            let mut state = self.lock();
            state.busy = false;
            if state.closing
                && let Some(Published { error: Some(error), .. }) = &published
            {
                log::error!("{error}");
            }
            state.ready.extend(published);
        }
    }

    /// Waits for an order, and for room for what comes of it; `None` when nothing is left to do and the
    /// publisher closes.
    fn next_order(&self) -> Option<(Deed, Order)> {
        let waits = |state: &mut State| {
            !state.closing && (state.orders.is_empty() || state.ready.len() >= READY)
        };
        let mut state =
            self.changed.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner);
        while let Some(deed) = state.turns.pop_front() {
            if let Some(order) = state.orders.remove(&deed) {
                state.busy = true;
                return Some((deed, order));
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn publish(writer: &TakeWriter, take: Take, image: Option<RgbaImage>) -> Published {
    let path = writer.picture_path(&take.shot);
    let read = read(take, image);
    let uncopied = read.image.as_ref().and_then(|_| writer.publish(&read.take).err());
    let uncopied = uncopied.map(|error| Arc::new(error.into()));
    Published { path, error: read.error.or(uncopied), ..read }
}

fn read(take: Take, image: Option<RgbaImage>) -> Published {
    let path = take.path.clone();
    match image.map_or_else(|| take.image(), Ok) {
        Ok(image) => Published { take, path, image: Some(image), error: None },
        Err(error) => Published { take, path, image: None, error: Some(Arc::new(error.into())) },
    }
}
