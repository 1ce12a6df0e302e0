//! Requests for images from outside the story: the clipboard, and what the game shows.

use std::{io, sync::Arc};

use async_channel::{Receiver, Sender, TryRecvError, bounded};
use bevy::{image::IntoDynamicImageError, prelude::Message};
use image::RgbaImage;

use crate::picture::MAX_PIXELS;

/// A source of images outside the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageSource {
    /// The image on the clipboard.
    Clipboard,
    /// What the game's primary window shows, without the panel.
    Game,
}

/// A request for an image from outside the story. The panel sends it, or your code.
///
/// [`ImageSourcesPlugin`](super::ImageSourcesPlugin) answers it as a message. The image comes back through the
/// [`ImageReply`]. [`Action::AddImages`](crate::project::Action::AddImages) adds it to the art folder.
///
/// ```
/// # use bevy::prelude::*;
/// # use bevy_illustrator::panel::{ImageReply, ImageRequest, ImageSource};
/// fn take_picture(mut requests: MessageWriter<ImageRequest>, mut waiting: Local<Option<ImageReply>>) {
///     let reply = waiting.get_or_insert_with(|| {
///         let (request, reply) = ImageRequest::new(ImageSource::Game);
///         requests.write(request);
///         reply
///     });
///     if let Some(Ok(image)) = reply.poll() {
///         info!("The game shows {} x {} pixels", image.width(), image.height());
///     }
/// }
/// ```
#[derive(Clone, Debug, Message)]
pub struct ImageRequest {
    /// Where the image comes from.
    pub source: ImageSource,
    answers: Sender<ImageResult>,
}

/// The image of an [`ImageRequest`].
pub type ImageResult = Result<RgbaImage, ImageSourceError>;

/// The place where the answer to an [`ImageRequest`] arrives.
#[derive(Debug)]
pub struct ImageReply(Receiver<ImageResult>);

/// The reason why a source has no image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageSourceError {
    /// The clipboard is empty, or holds something else.
    #[error("the clipboard holds no image: copy a picture, not a text or the file of a picture")]
    NoImage,
    /// The clipboard cannot be read.
    #[error("the clipboard cannot be read, so save the image as a file and open that: {0}")]
    Clipboard(#[source] arboard::Error),
    /// The image on the clipboard has more than [`MAX_PIXELS`].
    #[error(
        "the image on the clipboard has {width} x {height} pixels, more than {} million: make it smaller, and copy it again",
        MAX_PIXELS / 1_000_000
    )]
    TooLarge {
        /// The width in pixels.
        width: usize,
        /// The height in pixels.
        height: usize,
    },
    /// The number of bytes on the clipboard is not that of an image of its size.
    #[error(
        "the image on the clipboard has {bytes} bytes, but {width} x {height} pixels: copy it again"
    )]
    Bytes {
        /// The width in pixels.
        width: usize,
        /// The height in pixels.
        height: usize,
        /// The number of bytes.
        bytes: usize,
    },
    /// The game has no primary window.
    #[error("the game has no primary window, so there is nothing to take a picture of")]
    NoWindow,
    /// The format of the window's pixels is not supported.
    #[error("the picture of the game's window cannot be converted: {0}")]
    Window(#[source] Arc<IntoDynamicImageError>),
    /// No thread could be started.
    #[error("no thread could be started to read the image: {0}")]
    Thread(#[source] io::Error),
    /// Nothing answers image requests, or the window was closed.
    #[error(
        "no image came: try again; a game with a panel of its own needs the plugin `ImageSourcesPlugin`"
    )]
    Unanswered,
}

impl ImageRequest {
    /// Creates a request, and the place where its answer arrives.
    #[must_use]
    pub fn new(source: ImageSource) -> (Self, ImageReply) {
        let (answers, reply) = bounded(1);
        (Self { source, answers }, ImageReply(reply))
    }

    /// Answers the request. Only the first answer counts.
    pub fn answer(&self, result: ImageResult) {
        // It fails if there is an answer already, or if nobody waits any more.
        let _ = self.answers.try_send(result);
    }
}

impl ImageReply {
    /// The answer, if it has arrived. Only one call returns it.
    #[must_use]
    pub fn poll(&self) -> Option<ImageResult> {
        match self.0.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Closed) => Some(Err(ImageSourceError::Unanswered)),
        }
    }

    /// Blocks the thread until the answer arrives.
    ///
    /// # Errors
    /// If the source has no image, or if all copies of the request are dropped without an answer.
    pub fn wait(self) -> ImageResult {
        self.0.recv_blocking().unwrap_or(Err(ImageSourceError::Unanswered))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_the_first_answer_to_the_request() {
        let (request, reply) = ImageRequest::new(ImageSource::Clipboard);
        assert!(reply.poll().is_none());
        request.answer(Ok(RgbaImage::new(2, 1)));
        request.answer(Err(ImageSourceError::NoImage));
        assert_eq!(reply.poll().unwrap().unwrap().dimensions(), (2, 1));
        assert!(reply.poll().is_none());
    }

    #[test]
    fn a_dropped_request_is_an_error() {
        let (request, reply) = ImageRequest::new(ImageSource::Game);
        drop(request);
        assert!(matches!(reply.wait(), Err(ImageSourceError::Unanswered)));
    }
}
