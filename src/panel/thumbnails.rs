//! Loads the panel's pictures as textures, and caches them.

use std::{
    borrow::Cow,
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::SystemTime,
};

use egui::{ColorImage, Context, TextureFilter, TextureHandle, TextureId, TextureOptions};
use image::RgbImage;

use crate::{
    art::{ArtError, Blobs, Take},
    picture::scaled_down,
    recipe::BlobId,
    studio::{JobId, lower_priority},
};

/// A picture to show in the panel.
#[derive(Clone, Copy, Debug)]
pub enum Picture<'a> {
    /// A take, at most [`SMALL_SIDE`] pixels wide and high.
    Small(&'a Take),
    /// A take in full size.
    Full(&'a Take),
    /// A take in full size, magnified without smoothing.
    Pixels(&'a Take),
    /// The latest preview of the current job.
    Preview(JobId, &'a Arc<RgbImage>),
    /// An image of an inspiration or a loss in the art folder, at most [`SMALL_SIDE`] pixels wide and high.
    Image(&'a Blobs, &'a BlobId),
}

/// The texture of a picture, if it is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Texture {
    /// The texture is ready.
    Ready(TextureId),
    /// The texture will be ready in a later frame.
    Loading,
    /// The picture cannot be shown, for this reason.
    Failed(String),
}

/// Supplies the panel's pictures. The panel requests each visible picture in every frame, so an implementation must
/// not block: it returns [`Texture::Loading`] until the picture is loaded.
pub trait Thumbnails {
    /// The texture of a picture.
    fn of(&mut self, picture: Picture<'_>) -> Texture;

    /// Drops the texture of a take if its file was modified after it was read. An implementation without a cache does
    /// nothing.
    fn refresh(&mut self, _take: &Take) {}
}

/// The longest side of a [`Picture::Small`], in pixels.
pub const SMALL_SIDE: u32 = 256;

/// The maximum memory of all textures. Beyond it, the least recently visible ones are evicted. Visible ones are kept.
const BUDGET_BYTES: usize = 96 << 20;
/// The maximum number of pictures that are loading. A limit avoids a backlog of pictures that were scrolled past.
const MAX_LOADING: usize = 16;
/// The maximum number of textures uploaded per frame.
const MOST_UPLOADS: usize = 6;

/// The default [`Thumbnails`]: textures of an egui context, read by a thread of low priority. The memory of its
/// textures is bounded, also for long stories.
pub struct ThumbnailCache {
    context: Context,
    slots: HashMap<Key, Slot>,
    frame: u64,
    waiting: usize,
    requests: Sender<(Key, Source)>,
    finished: Receiver<(Key, FileRead)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Small(PathBuf),
    Full(PathBuf),
    Pixels(PathBuf),
    Preview(JobId),
    Image(BlobId),
}

/// What the thread reads.
enum Source {
    Take(Box<Take>),
    Image(Blobs, BlobId),
}

struct Slot {
    content: Content,
    /// The modification time of the file when it was read.
    modified: Option<SystemTime>,
    seen: u64,
}

/// A picture that the thread read.
struct FileRead {
    image: Result<ColorImage, String>,
    modified: Option<SystemTime>,
}

enum Content {
    Loading,
    Ready(TextureHandle),
    Preview(TextureHandle, Arc<RgbImage>),
    Failed(String),
}

impl ThumbnailCache {
    /// Creates an empty cache for an egui context.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn new(context: &Context) -> std::io::Result<Self> {
        let (requests, requested) = channel::<(Key, Source)>();
        let (finish, finished) = channel();
        let waker = context.clone();
        thread::Builder::new().name("illustrator-thumbnails".into()).spawn(move || {
            lower_priority();
            // The thread ends when the cache is dropped, because that closes both channels.
            for (key, source) in requested {
                let small = matches!(key, Key::Small(_) | Key::Image(_));
                let modified = source.modified();
                let image = source.read(small).map_err(|error| error.to_string());
                if finish.send((key, FileRead { image, modified })).is_err() {
                    break;
                }
                waker.request_repaint();
            }
        })?;
        Ok(Self {
            context: context.clone(),
            slots: HashMap::new(),
            frame: 0,
            waiting: 0,
            requests,
            finished,
        })
    }

    /// Whether this cache belongs to a context.
    #[must_use]
    pub fn is_for(&self, context: &Context) -> bool {
        self.context == *context
    }

    /// Uploads loaded pictures and evicts old ones. Call this once per frame, before the panel.
    pub fn begin_frame(&mut self) {
        self.frame += 1;
        for (key, FileRead { image, modified }) in self.finished.try_iter().take(MOST_UPLOADS) {
            self.waiting -= 1;
            let content = match image {
                Ok(image) => {
                    let magnification = match key {
                        Key::Pixels(_) => TextureFilter::Nearest,
                        _ => TextureFilter::Linear,
                    };
                    let options = TextureOptions { magnification, ..TextureOptions::LINEAR };
                    Content::Ready(self.context.load_texture("take", image, options))
                }
                Err(error) => Content::Failed(error),
            };
            self.slots.insert(key, Slot { content, modified, seen: self.frame });
        }
        self.evict();
    }

    /// Evicts the least recently visible textures beyond [`BUDGET_BYTES`], and previews of jobs that ended.
    fn evict(&mut self) {
        let mut bytes: usize = self.slots.values().map(|slot| slot.content.bytes()).sum();
        while bytes > BUDGET_BYTES {
            let hidden = self.slots.iter().filter(|(_, slot)| slot.seen + 1 < self.frame);
            let Some((key, _)) = hidden.min_by_key(|(_, slot)| slot.seen) else { return };
            let key = key.clone();
            bytes -= self.slots.remove(&key).map_or(0, |slot| slot.content.bytes());
        }
        let frame = self.frame;
        self.slots.retain(|key, slot| !matches!(key, Key::Preview(_)) || slot.seen + 2 > frame);
    }

    /// The texture of a picture that the thread reads.
    fn read(&mut self, key: Key, source: impl FnOnce() -> Source) -> Texture {
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.seen = self.frame;
            return slot.content.texture();
        }
        if self.waiting < MAX_LOADING && self.requests.send((key.clone(), source())).is_ok() {
            self.waiting += 1;
            let content = Content::Loading;
            self.slots.insert(key, Slot { content, modified: None, seen: self.frame });
        }
        Texture::Loading
    }

    fn take(&mut self, key: fn(PathBuf) -> Key, take: &Take) -> Texture {
        self.read(key(take.path.clone()), || Source::Take(Box::new(take.clone())))
    }

    fn preview(&mut self, job: JobId, image: &Arc<RgbImage>) -> Texture {
        let upload = || {
            let size = [image.width() as usize, image.height() as usize];
            ColorImage::from_rgb(size, image.as_raw())
        };
        let frame = self.frame;
        let slot = self.slots.entry(Key::Preview(job)).or_insert_with(|| {
            let texture = self.context.load_texture("preview", upload(), TextureOptions::LINEAR);
            let content = Content::Preview(texture, image.clone());
            Slot { content, modified: None, seen: frame }
        });
        slot.seen = frame;
        if let Content::Preview(texture, shown) = &mut slot.content
            && !Arc::ptr_eq(shown, image)
        {
            texture.set(upload(), TextureOptions::LINEAR);
            *shown = image.clone();
        }
        slot.content.texture()
    }
}

impl Thumbnails for ThumbnailCache {
    fn of(&mut self, picture: Picture<'_>) -> Texture {
        match picture {
            Picture::Small(take) => self.take(Key::Small, take),
            Picture::Full(take) => self.take(Key::Full, take),
            Picture::Pixels(take) => self.take(Key::Pixels, take),
            Picture::Preview(job, image) => self.preview(job, image),
            Picture::Image(blobs, id) => {
                self.read(Key::Image(id.clone()), || Source::Image(blobs.clone(), id.clone()))
            }
        }
    }

    fn refresh(&mut self, take: &Take) {
        let modified = take.modified();
        self.slots.retain(|key, slot| {
            let is_loading = matches!(slot.content, Content::Loading);
            is_loading || slot.modified == modified || key.file() != Some(take.path.as_path())
        });
    }
}

impl Key {
    /// The file that the picture is read from.
    fn file(&self) -> Option<&Path> {
        match self {
            Self::Small(path) | Self::Full(path) | Self::Pixels(path) => Some(path),
            Self::Preview(_) | Self::Image(_) => None,
        }
    }
}

impl Content {
    fn bytes(&self) -> usize {
        match self {
            Self::Ready(texture) | Self::Preview(texture, _) => texture.byte_size(),
            Self::Loading | Self::Failed(_) => 0,
        }
    }

    fn texture(&self) -> Texture {
        match self {
            Self::Ready(texture) | Self::Preview(texture, _) => Texture::Ready(texture.id()),
            Self::Loading => Texture::Loading,
            Self::Failed(error) => Texture::Failed(error.clone()),
        }
    }
}

impl Source {
    /// The time of the last change of the file. `None` for images, which never change.
    fn modified(&self) -> Option<SystemTime> {
        match self {
            Self::Take(take) => take.modified(),
            Self::Image(..) => None,
        }
    }

    fn read(&self, small: bool) -> Result<ColorImage, ArtError> {
        let image = match self {
            Self::Take(take) => Arc::new(take.image()?),
            Self::Image(blobs, id) => blobs.image(id)?,
        };
        let image = if small { scaled_down(&image, SMALL_SIDE) } else { Cow::Borrowed(&*image) };
        let size = [image.width() as usize, image.height() as usize];
        Ok(ColorImage::from_rgba_unmultiplied(size, image.as_raw()))
    }
}
