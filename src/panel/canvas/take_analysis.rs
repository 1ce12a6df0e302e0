//! Analyses a take in the background.
//!
//! A thread per take decodes its pixels and segments it by colour and edges. If MobileSAM is installed, another thread
//! embeds the newest take and returns masks of selected objects. All takes share this thread.

mod segmenter_thread;

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
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
    art::{MarksSource, Take},
    mask::{
        Mask,
        objects::{Objects, SelectionPrompt},
    },
    recipe::{Marks, picture_hash},
    studio::{lower_priority, panic_message},
};
use segmenter_thread::{EmbedRequest, Message, SegmenterThread};

/// The weights of MobileSAM, and the thread that runs it. The thread starts with the first request.
#[derive(Clone, Debug)]
pub(in crate::panel) struct SegmenterModel {
    weights: Option<PathBuf>,
    thread: Arc<Mutex<Option<SegmenterThread>>>,
}

impl Default for SegmenterModel {
    /// The weights that `illustrate models fetch --mobile-sam` downloaded, if any.
    fn default() -> Self {
        #[cfg(feature = "hub")]
        let weights = crate::model::hub::Hub::from_env().ok().and_then(|hub| hub.mobile_sam());
        #[cfg(not(feature = "hub"))]
        let weights = None;
        Self::new(weights)
    }
}

impl SegmenterModel {
    pub fn new(weights: Option<PathBuf>) -> Self {
        Self { weights, thread: Arc::default() }
    }

    /// The sender for requests. `None` without weights. Starts the thread if it is not running.
    fn inbox(&self) -> io::Result<Option<Sender<Message>>> {
        let Some(weights) = self.weights.clone() else { return Ok(None) };
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        // A thread that panicked is replaced.
        if let Some(thread) = thread.as_ref().filter(|thread| thread.is_running()) {
            return Ok(Some(thread.inbox()));
        }
        Ok(Some(thread.insert(SegmenterThread::start(weights)?).inbox()))
    }
}

/// Whether MobileSAM can select objects of the take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum SegmenterState {
    /// No weights are installed.
    #[default]
    Unavailable,
    /// The weights are being loaded, or the take is being embedded.
    Loading,
    /// MobileSAM answers requests.
    Ready,
    /// MobileSAM cannot be used, for this reason.
    Failed(String),
}

/// A result of the threads.
#[derive(Debug)]
pub(super) enum AnalysisUpdate {
    /// The author's marks.
    Marks(Result<Marks, String>),
    /// The pixels and their [`picture_hash`].
    Picture(Result<(Arc<RgbaImage>, String), String>),
    Objects(Objects),
    Segmenter(SegmenterState),
    Mask(SelectionPrompt, Result<Mask, String>),
}

/// The analysis of one take. Dropping it cancels the work that has not started yet.
#[derive(Debug)]
pub(super) struct TakeAnalysis {
    /// The lock makes it `Sync`, because the panel's state is a Bevy resource.
    updates: Mutex<Receiver<AnalysisUpdate>>,
    segmenter: Option<Sender<Message>>,
    /// Shows an [`UpdateSender`] that the analysis was dropped.
    alive: Arc<()>,
}

impl TakeAnalysis {
    /// Starts the analysis of a take.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(
        context: &Context,
        take: &Take,
        marks: Option<MarksSource>,
        model: SegmenterModel,
    ) -> io::Result<Self> {
        let segmenter = model.inbox()?;
        let (analysis, sender) = Self::new(context, segmenter.clone());
        let take = take.clone();
        // The segmenter's thread may be busy with another take, and the picture must not wait for it.
        Builder::new().name("illustrator-canvas".to_owned()).spawn(move || {
            lower_priority();
            if let Some(marks) = marks {
                log::debug!("reading the parts of take {}", take.id);
                let marks = match catch_unwind(AssertUnwindSafe(|| marks.read())) {
                    Ok(marks) => marks.map_err(|error| error.to_string()),
                    // Without an answer, the take could never be edited.
                    Err(panic) => Err(panic_message(panic.as_ref())),
                };
                sender.send(AnalysisUpdate::Marks(marks));
            }
            analyse(&take, segmenter.as_ref(), sender);
        })?;
        Ok(analysis)
    }

    fn new(context: &Context, segmenter: Option<Sender<Message>>) -> (Self, UpdateSender) {
        let (updates, receiver) = channel();
        let alive = Arc::new(());
        let sender =
            UpdateSender { updates, context: context.clone(), alive: Arc::downgrade(&alive) };
        (Self { updates: Mutex::new(receiver), segmenter, alive }, sender)
    }

    /// The updates since the last call.
    pub fn updates(&mut self) -> Vec<AnalysisUpdate> {
        self.updates.get_mut().map_or_else(|_| Vec::new(), |updates| updates.try_iter().collect())
    }

    /// Requests the mask of an object. Returns whether the segmenter is running.
    pub fn request_mask(&self, pointing: SelectionPrompt) -> bool {
        let request = Message::Select(Arc::downgrade(&self.alive), pointing);
        self.segmenter.as_ref().is_some_and(|segmenter| segmenter.send(request).is_ok())
    }
}

/// Sends the results of the threads to a [`TakeAnalysis`].
#[derive(Debug)]
struct UpdateSender {
    updates: Sender<AnalysisUpdate>,
    context: Context,
    alive: Weak<()>,
}

impl UpdateSender {
    /// Whether the analysis is still needed: `false` once the author works on another take.
    fn is_wanted(&self) -> bool {
        self.alive.strong_count() > 0
    }

    fn send(&self, update: AnalysisUpdate) {
        // Sending fails only if the analysis was dropped.
        let _ = self.updates.send(update);
        self.context.request_repaint();
    }
}

/// Decodes a take, segments it by colour and edges, and requests its embedding.
fn analyse(take: &Take, segmenter: Option<&Sender<Message>>, sender: UpdateSender) {
    let picture = take.image().map(Arc::new).map_err(|error| error.to_string());
    let picture = match picture {
        Ok(picture) => picture,
        Err(error) => return sender.send(AnalysisUpdate::Picture(Err(error))),
    };
    let hash = picture_hash(&picture);
    sender.send(AnalysisUpdate::Picture(Ok((Arc::clone(&picture), hash))));
    if !sender.is_wanted() {
        return;
    }
    let objects = Objects::detect(&picture);
    if segmenter.is_some() {
        sender.send(AnalysisUpdate::Segmenter(SegmenterState::Loading));
    }
    sender.send(AnalysisUpdate::Objects(objects));
    let request = Message::Embed(EmbedRequest { picture, sender });
    let sent = segmenter.map(|segmenter| segmenter.send(request));
    if let Some(Err(SendError(Message::Embed(request)))) = sent {
        let stopped = "MobileSAM has stopped. Open the take again to restart it.";
        let failed = SegmenterState::Failed(stopped.to_owned());
        request.sender.send(AnalysisUpdate::Segmenter(failed));
    }
}
