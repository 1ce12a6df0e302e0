//! Looking at a take beside the game. A thread for each take reads its pixels and finds what is of one colour;
//! where there is MobileSAM, one thread for all takes looks at the newest one and answers what is pointed at.

mod looker;

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        mpsc::{Receiver, SendError, Sender, channel},
    },
    thread::Builder,
};

use egui::Context;
use image::RgbaImage;

use crate::{
    art::Take,
    mask::{
        Mask,
        objects::{Objects, Pointing},
    },
};
use looker::{Looker, Message, Wish};

/// The weights of the network that knows objects, and the thread that looks with it once it was needed.
#[derive(Clone, Debug)]
pub(in crate::panel) struct ObjectModel {
    file: Option<PathBuf>,
    looker: Arc<Mutex<Option<Looker>>>,
}

impl Default for ObjectModel {
    /// What was downloaded, if it was.
    fn default() -> Self {
        #[cfg(feature = "hub")]
        let file = crate::models::hub::Hub::from_env().mobile_sam();
        #[cfg(not(feature = "hub"))]
        let file = None;
        Self::new(file)
    }
}

impl ObjectModel {
    pub fn new(file: Option<PathBuf>) -> Self {
        Self { file, looker: Arc::default() }
    }

    /// Where to ask the thread that looks; `None` where there is no network.
    fn ask_at(&self) -> io::Result<Option<Sender<Message>>> {
        let Some(file) = self.file.clone() else { return Ok(None) };
        let mut looker = self.looker.lock().unwrap_or_else(PoisonError::into_inner);
        // One that panicked is replaced.
        if let Some(looker) = looker.as_ref().filter(|looker| looker.is_there()) {
            return Ok(Some(looker.inbox()));
        }
        Ok(Some(looker.insert(Looker::start(file)?).inbox()))
    }
}

/// How far the network is that knows objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Network {
    /// There is none.
    #[default]
    None,
    /// It is being loaded, or looks at the picture.
    Looking,
    /// It answers.
    Ready,
    /// It cannot.
    Failed(String),
}

/// What the threads tell.
#[derive(Debug)]
pub(super) enum Seen {
    Picture(Result<Arc<RgbaImage>, String>),
    Objects(Objects),
    Network(Network),
    Mask(Pointing, Result<Mask, String>),
}

/// The threads' other end. What waits for it is given up when it is dropped.
#[derive(Debug)]
pub(super) struct Onlooker {
    /// Behind a lock only so that the panel's state can be a resource.
    seen: Mutex<Receiver<Seen>>,
    looker: Option<Sender<Message>>,
    /// What the [`Listener`] looks out for.
    here: Arc<()>,
}

impl Onlooker {
    pub fn start(context: &Context, take: &Take, model: ObjectModel) -> io::Result<Self> {
        let looker = model.ask_at()?;
        let (onlooker, listener) = Self::new(context, looker.clone());
        let take = take.clone();
        // A thread of its own: the picture must not wait until the network is done with another.
        Builder::new()
            .name("illustrator-canvas".to_owned())
            .spawn(move || read(&take, looker.as_ref(), listener))?;
        Ok(onlooker)
    }

    fn new(context: &Context, looker: Option<Sender<Message>>) -> (Self, Listener) {
        let (tell, seen) = channel();
        let here = Arc::new(());
        let listener = Listener { tell, waker: context.clone(), here: Arc::downgrade(&here) };
        (Self { seen: Mutex::new(seen), looker, here }, listener)
    }

    /// What was told since the last call.
    pub fn seen(&mut self) -> Vec<Seen> {
        self.seen.get_mut().map_or_else(|_| Vec::new(), |seen| seen.try_iter().collect())
    }

    /// Asks the network; whether it is still there.
    pub fn ask(&self, pointing: Pointing) -> bool {
        let question = Message::Ask(Arc::downgrade(&self.here), pointing);
        self.looker.as_ref().is_some_and(|looker| looker.send(question).is_ok())
    }
}

/// An [`Onlooker`] as the threads see it.
#[derive(Debug)]
struct Listener {
    tell: Sender<Seen>,
    waker: Context,
    here: Weak<()>,
}

impl Listener {
    /// Whether it still wants to know; else the author has gone on.
    fn is_here(&self) -> bool {
        self.here.strong_count() > 0
    }

    fn tell(&self, seen: Seen) {
        // Nobody hears it when the author goes on just now.
        let _ = self.tell.send(seen);
        self.waker.request_repaint();
    }
}

/// Reads a take, finds its objects by colours and edges, and has the network look at it.
fn read(take: &Take, looker: Option<&Sender<Message>>, listener: Listener) {
    let picture = take.image().map(Arc::new).map_err(|error| error.to_string());
    listener.tell(Seen::Picture(picture.clone()));
    let Ok(picture) = picture else { return };
    if !listener.is_here() {
        return;
    }
    let objects = Objects::of(&picture);
    if looker.is_some() {
        listener.tell(Seen::Network(Network::Looking));
    }
    listener.tell(Seen::Objects(objects));
    let wish = Message::Look(Wish { picture, listener });
    if let Some(Err(SendError(Message::Look(wish)))) = looker.map(|looker| looker.send(wish)) {
        let stopped = "what looks for objects has stopped: choose the picture again";
        wish.listener.tell(Seen::Network(Network::Failed(stopped.to_owned())));
    }
}
