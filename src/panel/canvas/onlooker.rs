//! Looking at a take, by a thread of its own: it reads the pixels, finds the objects, and, where there is
//! MobileSAM, answers what is pointed at.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use egui::Context;
use image::RgbaImage;
use thread_priority::ThreadPriority;

use crate::{
    art::Take,
    diffusion::DeviceKind,
    mask::{
        Mask,
        objects::{Objects, Pointing},
        sam::Sam,
    },
};

/// The weights of the network that knows objects, and the network itself once it was needed.
#[derive(Clone, Debug)]
pub(in crate::panel) struct ObjectModel {
    pub file: Option<PathBuf>,
    loaded: Arc<Mutex<Option<Arc<Sam>>>>,
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
        Self { file, loaded: Arc::default() }
    }

    fn load(&self, file: &Path) -> Result<Arc<Sam>, String> {
        let mut loaded = self.loaded.lock().map_err(|error| error.to_string())?;
        if let Some(sam) = &*loaded {
            return Ok(Arc::clone(sam));
        }
        let device = DeviceKind::Auto.open().map_err(|error| error.to_string())?;
        let sam = Arc::new(Sam::load(file, &device).map_err(|error| error.to_string())?);
        *loaded = Some(Arc::clone(&sam));
        Ok(sam)
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

/// What the thread tells.
#[derive(Debug)]
pub(super) enum Seen {
    Picture(Result<Arc<RgbaImage>, String>),
    Objects(Objects),
    Network(Network),
    Mask(Pointing, Result<Mask, String>),
}

/// The thread's other end. It stops when this is dropped.
#[derive(Debug)]
pub(super) struct Onlooker {
    /// Behind a lock only so that the panel's state can be a resource.
    seen: Mutex<Receiver<Seen>>,
    asked: Sender<Pointing>,
}

impl Onlooker {
    pub fn start(context: &Context, take: &Take, model: ObjectModel) -> std::io::Result<Self> {
        let (tell, seen) = channel();
        let (asked, questions) = channel();
        let (take, waker) = (take.clone(), context.clone());
        thread::Builder::new().name("illustrator canvas".into()).spawn(move || {
            let tell = |seen| {
                let is_heard = tell.send(seen).is_ok();
                waker.request_repaint();
                is_heard
            };
            look(&take, &model, &questions, tell);
        })?;
        Ok(Self { seen: Mutex::new(seen), asked })
    }

    /// What was told since the last call.
    pub fn seen(&mut self) -> Vec<Seen> {
        self.seen.get_mut().map_or_else(|_| Vec::new(), |seen| seen.try_iter().collect())
    }

    /// Asks the network; whether it is still there.
    pub fn ask(&self, pointing: Pointing) -> bool {
        self.asked.send(pointing).is_ok()
    }
}

/// Stops as soon as nobody hears what it tells: then the author has gone on.
fn look(
    take: &Take,
    model: &ObjectModel,
    questions: &Receiver<Pointing>,
    tell: impl Fn(Seen) -> bool,
) {
    let picture = take.image().map(Arc::new).map_err(|error| error.to_string());
    if !tell(Seen::Picture(picture.clone())) {
        return;
    }
    let Ok(picture) = picture else { return };
    let objects = Objects::of(&picture);
    let Some(file) = &model.file else {
        tell(Seen::Objects(objects));
        return;
    };
    if !tell(Seen::Network(Network::Looking)) || !tell(Seen::Objects(objects)) {
        return;
    }
    // The network takes seconds on a processor, and the game goes on beside it.
    if let Err(error) = ThreadPriority::Min.set_for_current() {
        log::warn!("the canvas's thread keeps its usual priority: {error:?}");
    }
    let looked_at = model.load(file).and_then(|sam| {
        let embedding = sam.embed(&picture).map_err(|error| error.to_string())?;
        Ok((sam, embedding))
    });
    let (sam, embedding) = match looked_at {
        Ok(looked_at) => looked_at,
        Err(error) => {
            tell(Seen::Network(Network::Failed(error)));
            return;
        }
    };
    tell(Seen::Network(Network::Ready));
    for pointing in questions {
        let mask = sam.select(&embedding, &pointing).map_err(|error| error.to_string());
        if !tell(Seen::Mask(pointing, mask)) {
            return;
        }
    }
}
