//! Images from outside the story: the clipboard, and what the game shows.

use bevy_illustrator::{
    panel::{ImageRequest, ImageSource, ImageSourceError, Tab},
    project::Action,
    recipe::{BlobId, Loss, LossKind},
    storyboard::{ShotKind, ShotWords},
};
use image::{Rgba, RgbaImage};

use super::{canvas::wait_until, support::*};

/// Different colours at the left and the right edge.
fn image(width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, y| Rgba([(x * 7) as u8, (y * 5) as u8, 40, 255]))
}

/// The tab `Style` with the image picker of a loss.
fn picker() -> Panel {
    let mut fixture = Fixture::new(story());
    fixture.panel.tab = Tab::Style;
    let mut panel = open(fixture);
    scroll_and_press(&mut panel, "Losses");
    panel.run_steps(12);
    scroll_and_press(&mut panel, "Look like this");
    panel.run_steps(12);
    panel
}

/// Presses a button of the picker. Returns the request for an image.
fn request(panel: &mut Panel, button: &str) -> ImageRequest {
    scroll_and_press(panel, button);
    let mut requests = std::mem::take(&mut panel.state_mut().image_requests);
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

#[test]
fn a_pasted_image_becomes_that_of_a_loss() {
    let mut panel = picker();
    let request = request(&mut panel, "Paste");
    assert_eq!(request.source, ImageSource::Clipboard);
    assert!(has(&panel, "Reading the image..."));
    request.answer(Ok(image(20, 30)));
    wait_until(&mut panel, |panel| has(panel, "Remove this loss"));
    press(&mut panel, "Apply");
    let requested = panel.state_mut().apply_requests();
    let [Action::AddImages(images), Action::SetStyle(Some(style))] = requested.as_slice() else {
        panic!("{requested:?}")
    };
    let id = BlobId::of_image(&image(20, 30));
    assert_eq!(*images[&id], image(20, 30));
    assert_eq!(style.losses, [Loss::new(LossKind::Style(id))]);
}

#[test]
fn a_clipboard_without_an_image_is_reported_in_the_picker_and_another_image_can_be_pasted() {
    let mut panel = picker();
    request(&mut panel, "Paste").answer(Err(ImageSourceError::NoImage));
    wait_until(&mut panel, |panel| has(panel, "Paste: the clipboard holds no image"));
    assert!(!has(&panel, "Remove this loss"));
    request(&mut panel, "Paste").answer(Ok(image(20, 30)));
    wait_until(&mut panel, |panel| has(panel, "Remove this loss"));
}

#[test]
fn a_request_for_an_image_that_nothing_answers_is_reported_in_the_picker() {
    let mut panel = picker();
    drop(request(&mut panel, "What the game shows"));
    wait_until(&mut panel, |panel| has(panel, "What the game shows: no image came"));
}

#[test]
fn what_the_game_shows_is_cut_to_the_shape_of_the_shot() {
    let fixture = Fixture::new(story());
    let shot = fixture.shot(ShotKind::Background);
    let size = shot.recipe.size;
    assert!(size.width > size.height);
    let mut panel = open(fixture);
    click(&mut panel, &shot);
    scroll_and_press(&mut panel, "Losses");
    panel.run_steps(12);
    scroll_and_press(&mut panel, "Like this picture");
    panel.run_steps(12);
    let request = request(&mut panel, "What the game shows");
    assert_eq!(request.source, ImageSource::Game);
    // As wide as the shot, and 40 rows higher.
    let game = image(size.width, size.height + 40);
    request.answer(Ok(game.clone()));
    wait_until(&mut panel, |panel| has(panel, "Remove this loss"));
    scroll_and_press(&mut panel, "Apply and draw");
    let requested = panel.state_mut().apply_requests();
    let cut = image::imageops::crop_imm(&game, 0, 20, size.width, size.height).to_image();
    let losses = vec![Loss::new(LossKind::Content(BlobId::of_image(&cut)))];
    let words = ShotWords { losses, ..ShotWords::default() };
    let id = shot.id.clone();
    assert_eq!(
        requested[1..],
        [Action::SetWords { shot: id.clone(), words }, Action::Draw(vec![id])]
    );
    let Action::AddImages(images) = &requested[0] else { panic!("{requested:?}") };
    assert_eq!(images.values().map(|image| &**image).collect::<Vec<_>>(), [&cut]);
}
