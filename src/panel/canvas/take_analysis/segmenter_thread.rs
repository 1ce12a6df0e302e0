//! The thread that runs MobileSAM.
//!
//! It embeds only the newest waiting take. It runs at a low priority, in a thread pool that leaves cores to the game.

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

use super::{AnalysisUpdate, SegmenterState, UpdateSender};
use crate::{
    diffusion::DeviceKind,
    mask::{
        Mask,
        objects::SelectionPrompt,
        sam::{Embedding, Sam},
    },
    studio::{lower_priority, pool},
};

/// A running segmenter. The thread ends when every sender to it is dropped.
#[derive(Debug)]
pub(super) struct SegmenterThread {
    inbox: Sender<Message>,
    thread: JoinHandle<()>,
}

impl SegmenterThread {
    /// Starts the thread. The weights are loaded with the first request.
    pub fn start(weights: PathBuf) -> io::Result<Self> {
        let (inbox, messages) = channel();
        let thread = Builder::new().name("illustrator-segmenter".to_owned()).spawn(move || {
            lower_priority();
            serve(&messages, || MobileSam::load(&weights));
        })?;
        Ok(Self { inbox, thread })
    }

    pub fn inbox(&self) -> Sender<Message> {
        self.inbox.clone()
    }

    pub fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }
}

/// A request to the thread.
pub(super) enum Message {
    Embed(EmbedRequest),
    /// Selects an object. Ignored unless the sender's take is the last embedded one.
    Select(Weak<()>, SelectionPrompt),
}

/// A picture to embed.
pub(super) struct EmbedRequest {
    pub picture: Arc<RgbaImage>,
    pub sender: UpdateSender,
}

/// A network that selects objects of a picture.
trait Segmenter {
    /// The data computed once per picture.
    type Embedding;

    fn embed(&self, picture: &RgbaImage) -> Result<Self::Embedding, String>;
    fn select(
        &self,
        embedding: &Self::Embedding,
        pointing: &SelectionPrompt,
    ) -> Result<Mask, String>;
}

/// Answers requests until every sender is dropped. Embeds only the newest of several waiting pictures.
fn serve<S: Segmenter>(inbox: &Receiver<Message>, mut load: impl FnMut() -> Result<S, String>) {
    let mut segmenter: Option<S> = None;
    let mut embedded: Option<(UpdateSender, S::Embedding)> = None;
    while let Ok(first) = inbox.recv() {
        let mut newest = None;
        for message in iter::once(first).chain(inbox.try_iter()) {
            match message {
                Message::Embed(request) if request.sender.is_wanted() => newest = Some(request),
                Message::Embed(_) => {}
                Message::Select(requester, pointing) => {
                    if let (Some(segmenter), Some((sender, embedding))) = (&segmenter, &embedded)
                        && sender.is_wanted()
                        && sender.alive.ptr_eq(&requester)
                    {
                        let mask = segmenter.select(embedding, &pointing);
                        sender.send(AnalysisUpdate::Mask(pointing, mask));
                    }
                }
            }
        }
        if let Some(request) = newest {
            embedded = embed(&mut segmenter, &mut load, request);
        }
    }
}

/// Embeds a picture, after loading the segmenter if necessary.
fn embed<S: Segmenter>(
    segmenter: &mut Option<S>,
    load: &mut impl FnMut() -> Result<S, String>,
    EmbedRequest { picture, sender }: EmbedRequest,
) -> Option<(UpdateSender, S::Embedding)> {
    let loaded = match segmenter.take() {
        Some(segmenter) => Ok(segmenter),
        None => load(),
    };
    let embedding = loaded.and_then(|loaded| {
        let segmenter = segmenter.insert(loaded);
        // Embedding takes seconds, and the author may have left the take during loading.
        sender.is_wanted().then(|| segmenter.embed(&picture)).transpose()
    });
    match embedding {
        Ok(embedding) => {
            let embedding = embedding?;
            sender.send(AnalysisUpdate::Segmenter(SegmenterState::Ready));
            Some((sender, embedding))
        }
        Err(error) => {
            sender.send(AnalysisUpdate::Segmenter(SegmenterState::Failed(error)));
            None
        }
    }
}

/// MobileSAM with the thread pool that it runs in.
struct MobileSam {
    sam: Sam,
    pool: ThreadPool,
}

impl MobileSam {
    fn load(weights: &Path) -> Result<Self, String> {
        let pool = pool::build("illustrator-sam").map_err(|error| error.to_string())?;
        let sam = pool.install(|| {
            let device = DeviceKind::Auto.open().map_err(|error| error.to_string())?;
            Sam::load(weights, &device).map_err(|error| error.to_string())
        })?;
        Ok(Self { sam, pool })
    }
}

impl Segmenter for MobileSam {
    type Embedding = Embedding;

    fn embed(&self, picture: &RgbaImage) -> Result<Embedding, String> {
        self.pool.install(|| self.sam.embed(picture)).map_err(|error| error.to_string())
    }

    fn select(&self, embedding: &Embedding, pointing: &SelectionPrompt) -> Result<Mask, String> {
        self.pool
            .install(|| self.sam.select(embedding, pointing))
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use egui::Context;

    use super::*;
    use crate::panel::canvas::take_analysis::TakeAnalysis;

    /// Reports the width of each embedded picture, and finishes when the test allows it.
    struct Fake {
        embedded: Sender<u32>,
        finish: Receiver<()>,
    }

    impl Segmenter for Fake {
        type Embedding = ();

        fn embed(&self, picture: &RgbaImage) -> Result<(), String> {
            self.embedded.send(picture.width()).unwrap();
            self.finish.recv().map_err(|error| error.to_string())
        }

        fn select(&self, (): &(), _: &SelectionPrompt) -> Result<Mask, String> {
            Ok(Mask::full(1, 1))
        }
    }

    /// Requests the embedding of a picture of this width.
    fn request(inbox: &Sender<Message>, width: u32) -> TakeAnalysis {
        let (analysis, sender) = TakeAnalysis::new(&Context::default(), Some(inbox.clone()));
        let picture = Arc::new(RgbaImage::new(width, 1));
        inbox.send(Message::Embed(EmbedRequest { picture, sender })).unwrap();
        analysis
    }

    fn next_update(analysis: &TakeAnalysis) -> AnalysisUpdate {
        analysis.updates.lock().unwrap().recv().unwrap()
    }

    #[test]
    fn only_the_newest_of_several_waiting_takes_is_embedded() {
        let (inbox, messages) = channel();
        let (embedded, pictures) = channel();
        let (finish, may_finish) = channel();
        let mut fake = Some(Fake { embedded, finish: may_finish });
        // A second load fails.
        let load = move || fake.take().ok_or_else(String::new);
        let thread = thread::spawn(move || serve(&messages, load));
        let first = request(&inbox, 1);
        assert_eq!(pictures.recv(), Ok(1));
        let skipped = [2, 3, 4].map(|width| request(&inbox, width));
        let last = request(&inbox, 5);
        // A request for a take that the author left can also arrive late.
        let late = request(&inbox, 6);
        drop((first, skipped, late));
        finish.send(()).unwrap();
        assert_eq!(pictures.recv(), Ok(5));
        finish.send(()).unwrap();
        let ready = AnalysisUpdate::Segmenter(SegmenterState::Ready);
        assert_eq!(format!("{:?}", next_update(&last)), format!("{ready:?}"));
        assert!(last.request_mask(SelectionPrompt::default()));
        assert!(matches!(next_update(&last), AnalysisUpdate::Mask(_, Ok(_))));
        drop((last, inbox));
        thread.join().unwrap();
        assert_eq!(pictures.iter().count(), 0, "no other picture is embedded");
    }

    #[test]
    fn a_take_that_the_author_left_while_the_segmenter_loads_is_not_embedded() {
        let (inbox, messages) = channel();
        let (embedded, pictures) = channel();
        let mut analysis = Some(request(&inbox, 1));
        drop(inbox);
        serve(&messages, || {
            analysis = None;
            Ok(Fake { embedded: embedded.clone(), finish: channel().1 })
        });
        drop(embedded);
        assert_eq!(pictures.iter().count(), 0);
    }

    #[test]
    fn loading_fails_with_an_update_and_is_retried_with_the_next_take() {
        let (inbox, messages) = channel();
        let (embedded, pictures) = channel();
        let (finish, may_finish) = channel();
        let fake = Fake { embedded, finish: may_finish };
        let mut tries = vec![Ok(fake), Err("no weights".to_owned())];
        let thread = thread::spawn(move || serve(&messages, || tries.pop().unwrap()));
        let state = |analysis: &TakeAnalysis| match next_update(analysis) {
            AnalysisUpdate::Segmenter(state) => state,
            other => panic!("{other:?}"),
        };
        let first = request(&inbox, 1);
        assert_eq!(state(&first), SegmenterState::Failed("no weights".to_owned()));
        finish.send(()).unwrap();
        let second = request(&inbox, 2);
        assert_eq!(state(&second), SegmenterState::Ready);
        assert_eq!(pictures.recv(), Ok(2));
        drop((first, second, inbox));
        thread.join().unwrap();
    }
}
