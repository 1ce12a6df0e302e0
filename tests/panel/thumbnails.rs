//! The texture cache, which loads pictures on another thread.

use std::{
    fs::File,
    time::{Duration, Instant, SystemTime},
};

use bevy_illustrator::{
    panel::{Picture, Texture, ThumbnailCache, Thumbnails},
    storyboard::ShotKind,
};

use crate::support::{Fixture, story};

#[test]
fn a_picture_is_loaded_again_after_its_file_changes() {
    let mut fixture = Fixture::new(story());
    fixture.draw_all();
    let shot = fixture.shot(ShotKind::Portrait).id;
    let take = fixture.project.art().takes(&shot)[0].clone();
    let mut cache = ThumbnailCache::new(&egui::Context::default()).unwrap();
    let mut read = |refresh: bool| {
        if refresh {
            cache.refresh(&take);
        }
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            cache.begin_frame();
            match cache.of(Picture::Full(&take)) {
                Texture::Loading => {
                    assert!(Instant::now() < end, "the picture was not loaded within 20 seconds");
                }
                texture => return texture,
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    let first = read(false);
    assert!(matches!(first, Texture::Ready(_)), "{first:?}");
    assert_eq!(read(true), first, "nothing has changed");
    std::fs::write(&take.path, "no picture").unwrap();
    let file = File::options().write(true).open(&take.path).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
    assert_eq!(read(false), first, "without a check the old texture stays");
    let now = read(true);
    assert!(matches!(now, Texture::Failed(_)), "{now:?}");
}
