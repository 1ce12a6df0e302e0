//! The thread that looks at takes with MobileSAM: at the newest one of those that wait, and in a pool that leaves the
//! game its frame rate.

use std::{
    io, iter,
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{Builder, JoinHandle},
};

use image::RgbaImage;
use rayon::ThreadPool;

use super::{Listener, Network, Seen};
use crate::{
    diffusion::DeviceKind,
    mask::{
        Mask,
        objects::Pointing,
        sam::{Embedding, Sam},
    },
    studio::{lower_priority, pool},
};

/// The thread that looks, with the network at hand. It ends when nobody can ask it any more.
#[derive(Debug)]
pub(super) struct Looker {
    inbox: Sender<Message>,
    thread: JoinHandle<()>,
}

impl Looker {
    /// Starts it with the network's weights in `file`, which are loaded with the first wish.
    pub fn start(file: PathBuf) -> io::Result<Self> {
        let (inbox, messages) = channel();
        let thread = Builder::new().name("illustrator-look".to_owned()).spawn(move || {
            lower_priority();
            attend(&messages, || Pooled::load(&file));
        })?;
        Ok(Self { inbox, thread })
    }

    /// Where to ask it.
    pub fn inbox(&self) -> Sender<Message> {
        self.inbox.clone()
    }

    /// Whether it answers still.
    pub fn is_there(&self) -> bool {
        !self.thread.is_finished()
    }
}

/// What the thread that looks is told.
pub(super) enum Message {
    Look(Wish),
    /// From the onlooker that is here.
    Ask(Weak<()>, Pointing),
}

/// A picture to look at.
pub(super) struct Wish {
    pub picture: Arc<RgbaImage>,
    pub listener: Listener,
}

/// A network that knows objects.
trait Eyes {
    /// What it saw in a picture.
    type Sight;

    fn look(&self, picture: &RgbaImage) -> Result<Self::Sight, String>;
    fn answer(&self, sight: &Self::Sight, pointing: &Pointing) -> Result<Mask, String>;
}

/// Looks at one picture after the other, of those that wait only at the newest, and answers what is asked about
/// the last one, until nobody can ask any more.
fn attend<E: Eyes>(inbox: &Receiver<Message>, mut load: impl FnMut() -> Result<E, String>) {
    let mut eyes: Option<E> = None;
    let mut seen: Option<(Listener, E::Sight)> = None;
    while let Ok(first) = inbox.recv() {
        let mut newest = None;
        for message in iter::once(first).chain(inbox.try_iter()) {
            match message {
                Message::Look(wish) if wish.listener.is_here() => newest = Some(wish),
                Message::Look(_) => {}
                Message::Ask(asker, pointing) => {
                    if let (Some(eyes), Some((listener, sight))) = (&eyes, &seen)
                        && listener.is_here()
                        && listener.here.ptr_eq(&asker)
                    {
                        let mask = eyes.answer(sight, &pointing);
                        listener.tell(Seen::Mask(pointing, mask));
                    }
                }
            }
        }
        if let Some(wish) = newest {
            seen = look(&mut eyes, &mut load, wish);
        }
    }
}

/// Looks at a picture, with a network that is loaded if none is there.
fn look<E: Eyes>(
    eyes: &mut Option<E>,
    load: &mut impl FnMut() -> Result<E, String>,
    Wish { picture, listener }: Wish,
) -> Option<(Listener, E::Sight)> {
    let loaded = match eyes.take() {
        Some(eyes) => Ok(eyes),
        None => load(),
    };
    let sight = loaded.and_then(|loaded| {
        let eyes = eyes.insert(loaded);
        // The author may have gone on while it was loaded, and looking takes seconds.
        listener.is_here().then(|| eyes.look(&picture)).transpose()
    });
    match sight {
        Ok(sight) => {
            let sight = sight?;
            listener.tell(Seen::Network(Network::Ready));
            Some((listener, sight))
        }
        Err(error) => {
            listener.tell(Seen::Network(Network::Failed(error)));
            None
        }
    }
}

/// MobileSAM, all of whose work is done in a pool that leaves the game its frame rate.
struct Pooled {
    sam: Sam,
    pool: ThreadPool,
}

impl Pooled {
    fn load(file: &Path) -> Result<Self, String> {
        let pool = pool::build("illustrator-sam").map_err(|error| error.to_string())?;
        let sam = pool.install(|| {
            let device = DeviceKind::Auto.open().map_err(|error| error.to_string())?;
            Sam::load(file, &device).map_err(|error| error.to_string())
        })?;
        Ok(Self { sam, pool })
    }
}

impl Eyes for Pooled {
    type Sight = Embedding;

    fn look(&self, picture: &RgbaImage) -> Result<Embedding, String> {
        self.pool.install(|| self.sam.embed(picture)).map_err(|error| error.to_string())
    }

    fn answer(&self, sight: &Embedding, pointing: &Pointing) -> Result<Mask, String> {
        self.pool.install(|| self.sam.select(sight, pointing)).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use egui::Context;

    use super::*;
    use crate::panel::canvas::onlooker::Onlooker;

    /// Notes the width of each picture that it looks at, and looks for as long as the test wants.
    struct Fake {
        looked_at: Sender<u32>,
        go_on: Receiver<()>,
    }

    impl Eyes for Fake {
        type Sight = ();

        fn look(&self, picture: &RgbaImage) -> Result<(), String> {
            self.looked_at.send(picture.width()).unwrap();
            self.go_on.recv().map_err(|error| error.to_string())
        }

        fn answer(&self, (): &(), _: &Pointing) -> Result<Mask, String> {
            Ok(Mask::full(1, 1))
        }
    }

    /// A picture of this width is wished for.
    fn wish(inbox: &Sender<Message>, width: u32) -> Onlooker {
        let (onlooker, listener) = Onlooker::new(&Context::default(), Some(inbox.clone()));
        let picture = Arc::new(RgbaImage::new(width, 1));
        inbox.send(Message::Look(Wish { picture, listener })).unwrap();
        onlooker
    }

    /// What is told next.
    fn told(onlooker: &Onlooker) -> Seen {
        onlooker.seen.lock().unwrap().recv().unwrap()
    }

    #[test]
    fn of_the_takes_that_the_author_walks_through_only_the_one_where_he_stays_is_looked_at() {
        let (inbox, messages) = channel();
        let (looked_at, pictures) = channel();
        let (go_on, may_go_on) = channel();
        let mut fake = Some(Fake { looked_at, go_on: may_go_on });
        // A second load fails.
        let load = move || fake.take().ok_or_else(String::new);
        let looker = thread::spawn(move || attend(&messages, load));
        let first = wish(&inbox, 1);
        assert_eq!(pictures.recv(), Ok(1));
        let passed = [2, 3, 4].map(|width| wish(&inbox, width));
        let last = wish(&inbox, 5);
        // What was passed may also come late.
        let late = wish(&inbox, 6);
        drop((first, passed, late));
        go_on.send(()).unwrap();
        assert_eq!(pictures.recv(), Ok(5));
        go_on.send(()).unwrap();
        assert!(matches!(told(&last), Seen::Network(Network::Ready)));
        assert!(last.ask(Pointing::default()));
        assert!(matches!(told(&last), Seen::Mask(_, Ok(_))));
        drop((last, inbox));
        looker.join().unwrap();
        assert_eq!(pictures.iter().count(), 0, "and nothing else");
    }

    #[test]
    fn a_take_that_was_left_while_the_network_was_loaded_is_not_looked_at() {
        let (inbox, messages) = channel();
        let (looked_at, pictures) = channel();
        let mut onlooker = Some(wish(&inbox, 1));
        drop(inbox);
        attend(&messages, || {
            onlooker = None;
            Ok(Fake { looked_at: looked_at.clone(), go_on: channel().1 })
        });
        drop(looked_at);
        assert_eq!(pictures.iter().count(), 0);
    }

    #[test]
    fn a_network_that_cannot_be_loaded_is_told_and_tried_again_with_the_next_take() {
        let (inbox, messages) = channel();
        let (looked_at, pictures) = channel();
        let (go_on, may_go_on) = channel();
        let fake = Fake { looked_at, go_on: may_go_on };
        let mut tries = vec![Ok(fake), Err("no weights".to_owned())];
        let looker = thread::spawn(move || attend(&messages, || tries.pop().unwrap()));
        let first = wish(&inbox, 1);
        assert!(
            matches!(told(&first), Seen::Network(Network::Failed(error)) if error == "no weights")
        );
        go_on.send(()).unwrap();
        let second = wish(&inbox, 2);
        assert!(matches!(told(&second), Seen::Network(Network::Ready)));
        assert_eq!(pictures.recv(), Ok(2));
        drop((first, second, inbox));
        looker.join().unwrap();
    }
}
