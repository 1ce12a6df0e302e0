//! Answers image requests in a running game: reads the clipboard, and takes pictures of the window.

use std::{sync::Arc, thread};

use arboard::{Clipboard, ImageData};
use bevy::{
    prelude::*,
    render::view::screenshot::{Screenshot, ScreenshotCaptured},
    tasks::AsyncComputeTaskPool,
    window::PrimaryWindow,
};
use image::{DynamicImage, RgbaImage};

use super::{
    image_request::{ImageRequest, ImageResult, ImageSource, ImageSourceError},
    state::PanelState,
};
use crate::picture::MAX_PIXELS;

/// Answers the messages [`ImageRequest`]. [`PanelPlugin`](super::PanelPlugin) adds it. With a dock of your own, add it
/// yourself, and send the requests of [`PanelState::take_image_requests`].
///
/// The clipboard is read on a thread. The picture of the game is that of the primary window in the next frame. If
/// [`PanelState`] is a resource, [`panel_ui`](super::panel_ui) draws nothing in that frame.
#[derive(Debug, Default)]
pub struct ImageSourcesPlugin;

impl Plugin for ImageSourcesPlugin {
    fn build(&self, app: &mut App) {
        app.add_message::<ImageRequest>().add_systems(PreUpdate, answer_image_requests);
    }
}

fn answer_image_requests(
    mut requests: MessageReader<ImageRequest>,
    windows: Query<(), With<PrimaryWindow>>,
    mut panel: Option<ResMut<PanelState>>,
    mut commands: Commands,
) {
    let mut of_game = Vec::new();
    for request in requests.read() {
        match request.source {
            ImageSource::Clipboard => read_clipboard(request.clone()),
            ImageSource::Game if windows.is_empty() => {
                request.answer(Err(ImageSourceError::NoWindow));
            }
            ImageSource::Game => of_game.push(request.clone()),
        }
    }
    let is_captured = !of_game.is_empty();
    if let Some(panel) = panel.as_mut().filter(|panel| panel.is_captured != is_captured) {
        panel.is_captured = is_captured;
    }
    if is_captured {
        // One screenshot answers all of them: Bevy takes only one of a window in a frame.
        commands.spawn(Screenshot::primary_window()).observe(
            move |mut captured: On<ScreenshotCaptured>| {
                let image = std::mem::take(&mut captured.event_mut().image);
                let requests = of_game.clone();
                AsyncComputeTaskPool::get()
                    .spawn(async move { convert(image, &requests) })
                    .detach();
            },
        );
    }
}

/// Reads the clipboard on a thread, because the program that owns it may answer late.
fn read_clipboard(request: ImageRequest) {
    let reader = request.clone();
    let started = thread::Builder::new()
        .name("illustrator-clipboard".into())
        .spawn(move || reader.answer(image_on_clipboard()));
    if let Err(error) = started {
        request.answer(Err(ImageSourceError::Thread(error)));
    }
}

fn image_on_clipboard() -> ImageResult {
    let mut clipboard = Clipboard::new().map_err(ImageSourceError::Clipboard)?;
    match clipboard.get_image() {
        Ok(image) => checked(image),
        Err(arboard::Error::ContentNotAvailable) => Err(ImageSourceError::NoImage),
        // Some programs offer a text under the name of every format.
        Err(_) if clipboard.get_text().is_ok() => Err(ImageSourceError::NoImage),
        Err(error) => Err(ImageSourceError::Clipboard(error)),
    }
}

/// An image on the clipboard, if it is not too large and its size is that of its bytes.
fn checked(ImageData { width, height, bytes }: ImageData<'_>) -> ImageResult {
    let pixels = (width as u64).saturating_mul(height as u64);
    if pixels > MAX_PIXELS {
        return Err(ImageSourceError::TooLarge { width, height });
    }
    let wrong = ImageSourceError::Bytes { width, height, bytes: bytes.len() };
    let sides = u32::try_from(width).ok().zip(u32::try_from(height).ok());
    let sides = sides.filter(|(width, height)| width.min(height) > &0);
    let image =
        sides.and_then(|(width, height)| RgbaImage::from_raw(width, height, bytes.into_owned()));
    image.ok_or(wrong)
}

/// Answers requests with a screenshot.
fn convert(screenshot: Image, requests: &[ImageRequest]) {
    // The alpha channel of a window has no meaning.
    let opaque = |image: DynamicImage| DynamicImage::from(image.into_rgb8()).into_rgba8();
    let result = screenshot.try_into_dynamic().map(opaque).map_err(Arc::new);
    for request in requests {
        request.answer(result.clone().map_err(ImageSourceError::Window));
    }
}

#[cfg(test)]
mod tests {
    use bevy::{
        asset::RenderAssetUsages,
        render::render_resource::{Extent3d, TextureDimension, TextureFormat},
    };

    use super::*;
    use crate::panel::ImageReply;

    fn app() -> App {
        let mut app = App::new();
        app.add_plugins((MinimalPlugins, ImageSourcesPlugin)).init_resource::<PanelState>();
        app
    }

    fn send(app: &mut App) -> ImageReply {
        let (request, reply) = ImageRequest::new(ImageSource::Game);
        app.world_mut().write_message(request);
        reply
    }

    #[test]
    fn an_image_on_the_clipboard_has_the_bytes_of_its_size_and_at_most_40_million_pixels() {
        let image = |width, height, bytes: usize| {
            checked(ImageData { width, height, bytes: vec![1; bytes].into() })
        };
        assert_eq!(image(2, 1, 8).unwrap().dimensions(), (2, 1));
        for wrong in [image(2, 1, 7), image(0, 1, 0), image(1, 2, 4)] {
            assert!(matches!(wrong, Err(ImageSourceError::Bytes { .. })));
        }
        for large in [image(40_001, 1000, 8), image(usize::MAX, 2, 8)] {
            assert!(matches!(large, Err(ImageSourceError::TooLarge { .. })));
        }
    }

    #[test]
    fn without_a_window_there_is_no_picture_of_the_game() {
        let mut app = app();
        let reply = send(&mut app);
        app.update();
        assert!(matches!(reply.wait(), Err(ImageSourceError::NoWindow)));
    }

    #[test]
    fn one_picture_of_the_window_answers_all_requests_and_the_panel_is_hidden_for_one_frame() {
        let mut app = app();
        app.world_mut().spawn((Window::default(), PrimaryWindow));
        let replies = [send(&mut app), send(&mut app)];
        app.update();
        assert!(app.world().resource::<PanelState>().is_captured);
        let mut screenshots = app.world_mut().query_filtered::<Entity, With<Screenshot>>();
        let entity = screenshots.single(app.world()).unwrap();
        app.update();
        assert!(!app.world().resource::<PanelState>().is_captured);
        assert!(replies.iter().all(|reply| reply.poll().is_none()));
        let size = Extent3d { width: 2, height: 1, depth_or_array_layers: 1 };
        // Blue, green, red, alpha.
        let pixels = vec![1, 2, 3, 0, 4, 5, 6, 255];
        let format = TextureFormat::Bgra8UnormSrgb;
        let usage = RenderAssetUsages::default();
        let image = Image::new(size, TextureDimension::D2, pixels, format, usage);
        app.world_mut().trigger(ScreenshotCaptured { entity, image });
        for reply in replies {
            assert_eq!(reply.wait().unwrap().as_raw(), &[3, 2, 1, 255, 6, 5, 4, 255]);
        }
    }
}
