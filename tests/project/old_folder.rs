//! An art folder of an older version opens without loss. See `tests/fixtures/README.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use bevy_illustrator::{
    art::{Art, Provenance, Take, TakeId},
    mask::{Area, Mask},
    model::ModelDefaults,
    project::Action,
    recipe::{
        EditKind, Layer, Marks, Part, PartEdit, Sampler, Scribble, Size, Sizes, Style, Verdict,
    },
    story::{Character, Item, Line, Place, Scene, Story},
    storyboard::{ShotId, ShotState, ShotWords},
};
use image::{Rgba, RgbaImage};

use super::{
    common::{copy_folder::copy_folder, gradient, inverted, parts_of, shot},
    fixture::ProjectFixture,
};

const SIZE: Size = Size::new(48, 32);

/// The story of the old folder.
fn story() -> Story {
    let item = |id: &str, name: &str, looks: &str| Item {
        id: id.to_owned(),
        name: name.to_owned(),
        looks: looks.to_owned(),
    };
    Story {
        title: "The lamp".to_owned(),
        style: Style { words: "ink".to_owned(), sizes: Sizes::all(SIZE), ..Style::default() },
        characters: vec![Character {
            id: "mira".to_owned(),
            name: "Mira".to_owned(),
            looks: "a painter in blue".to_owned(),
            ..Character::default()
        }],
        places: vec![Place {
            id: "study".to_owned(),
            name: "The study".to_owned(),
            looks: "a room full of canvas".to_owned(),
            ..Place::default()
        }],
        items: vec![
            item("lamp", "The lamp", "a brass lamp"),
            item("key", "The key", "an iron key"),
        ],
        scenes: vec![Scene {
            id: "first".to_owned(),
            place: "study".to_owned(),
            lines: vec![Line {
                speaker: Some("mira".to_owned()),
                text: "Look.".to_owned(),
                expression: Some("glad".to_owned()),
                item: Some("lamp".to_owned()),
                ..Line::default()
            }],
            ..Scene::default()
        }],
        ..Story::default()
    }
}

fn background() -> ShotId {
    shot("background-study")
}

fn portrait() -> ShotId {
    shot("portrait-mira-glad")
}

fn lamp() -> ShotId {
    shot("item-lamp")
}

fn key() -> ShotId {
    shot("item-key")
}

fn id(text: &str) -> TakeId {
    TakeId::new(text).unwrap()
}

fn ids(takes: &[Take]) -> BTreeSet<&str> {
    takes.iter().map(|take| take.id.as_str()).collect()
}

fn fixture_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/art_today")
}

/// A copy of the old folder.
fn old_folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy_folder(&fixture_folder(), dir.path());
    dir
}

/// The content of each file, by its path in the folder, without `blobs`, `.lock` and `.tmp`.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn add(files: &mut BTreeMap<PathBuf, Vec<u8>>, root: &Path, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = entry.file_name();
            if name == "blobs" || name.to_string_lossy().starts_with('.') {
                continue;
            }
            if path.is_dir() {
                add(files, root, &path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut all = BTreeMap::new();
    add(&mut all, root, root);
    all
}

fn sky() -> Mask {
    Mask::from_fn(48, 32, |x, y| if y < 12 { (x * 5) as u8 } else { 0 })
}

fn is_in_boat(x: u32, y: u32) -> bool {
    (20..30).contains(&x) && (16..26).contains(&y)
}

fn boat() -> Mask {
    Mask::from_fn(48, 32, |x, y| if is_in_boat(x, y) { 255 } else { 0 })
}

/// The parts of the edited background.
fn parts() -> [Part; 2] {
    let red = |x, y| if is_in_boat(x, y) { Rgba([200, 20, 20, 255]) } else { Rgba([0; 4]) };
    [
        Part::new(
            "sky",
            sky(),
            PartEdit {
                words: "stars".to_owned(),
                strength: Some(0.9),
                seed: Some(3),
                ..PartEdit::new(EditKind::Replace)
            },
        ),
        Part {
            scribble: Some(Scribble(Arc::new(RgbaImage::from_fn(48, 32, red)))),
            ..Part::new(
                "boat",
                boat(),
                PartEdit { words: "a red boat".to_owned(), ..PartEdit::new(EditKind::Add) },
            )
        },
    ]
}

/// The author's marks on the background.
fn marks() -> Marks {
    let [sky, boat] = parts();
    let layer = |part: Part, verdict, colour| Layer {
        verdict,
        colour,
        edit: Some(part.edit),
        scribble: part.scribble,
        ..Layer::new(part.name, part.mask)
    };
    Marks {
        layers: vec![layer(sky, Verdict::Disliked, 1), layer(boat, Verdict::Liked, 0)],
        context: Some(Area { x: 0, y: 0, width: 48, height: 32 }),
    }
}

#[test]
fn opening_an_old_folder_reads_everything_and_changes_no_file() {
    let dir = old_folder();
    let before = files(dir.path());
    assert_eq!(before.len(), 14);
    for _ in 0..2 {
        let art = Art::open(dir.path()).unwrap();
        for (shot, takes) in [
            (background(), &["9f226364204eea43", "c0c5fc669a12cb40"][..]),
            (portrait(), &["30d5909fe1eaad3c"]),
            (lamp(), &["46c6b12246175f41", "5c1fc854845c436d"]),
            (key(), &["2578ec9f365ca4a4"]),
        ] {
            assert_eq!(ids(art.takes(&shot)), takes.iter().copied().collect(), "{shot}");
        }
        assert_eq!(art.shots().count(), 4);
        assert_eq!(ids(art.discarded(&lamp())), BTreeSet::from(["10fab05f26acc0df"]));
        let accepted = |shot| art.accepted(&shot).map(|take| take.id.as_str());
        assert_eq!(accepted(background()), Some("c0c5fc669a12cb40"));
        assert_eq!(accepted(lamp()), Some("5c1fc854845c436d"));
        assert_eq!((accepted(portrait()), accepted(key())), (None, None));

        let words = ShotWords {
            words: Some("a tall lamp of brass".to_owned()),
            negative_prompt: Some("soot".to_owned()),
            seed: Some(7),
            ..ShotWords::default()
        };
        assert_eq!(art.words(), &BTreeMap::from([(lamp(), words)]));
        let style = art.style().unwrap();
        assert_eq!(
            (style.words.as_str(), style.model.as_str(), style.seed),
            ("ink and wash", "sketch", 5)
        );
        assert_eq!(style.sizes, Sizes::all(SIZE));

        let edited = art.take(&background(), &id("c0c5fc669a12cb40")).unwrap();
        assert_eq!(edited.parent(), Some(&id("9f226364204eea43")));
        assert_eq!(parts_of(&art, edited), parts());
        assert_eq!(art.marks(&background(), &id("9f226364204eea43")).unwrap(), marks());
        for take in art.shots().flat_map(|shot| art.takes(shot)) {
            assert_eq!(take.image().unwrap().dimensions(), (48, 32), "{}", take.path.display());
        }
        let [shown, other] = ["c0c5fc669a12cb40", "9f226364204eea43"]
            .map(|take| art.take(&background(), &id(take)).unwrap());
        assert!(art.writer().is_published(shown).unwrap());
        assert!(!art.writer().is_published(other).unwrap());
        drop(art);
        assert_eq!(files(dir.path()), before);
    }
}

#[test]
fn takes_from_before_guidance_rescale_resolve_to_no_rescale() {
    let dir = old_folder();
    let art = Art::open(dir.path()).unwrap();
    let provenance =
        |shot, take| -> Provenance { art.take(&shot, &id(take)).unwrap().provenance.clone() };
    let built_in = Sampler::default().resolve(&ModelDefaults::built_in());
    for (take, guidance_scale, guidance_rescale) in [
        (provenance(key(), "2578ec9f365ca4a4"), 3.5, 0.0),
        (provenance(lamp(), "46c6b12246175f41"), 5.0, 0.0),
        (provenance(lamp(), "5c1fc854845c436d"), 5.0, 0.5),
    ] {
        let sampler = &take.sampler;
        assert_eq!(sampler.guidance_scale, guidance_scale);
        assert_eq!(sampler.guidance_rescale, guidance_rescale);
        assert_eq!((&sampler.scheduler, sampler.steps), (&built_in.scheduler, 20));
    }
}

#[test]
fn a_project_with_an_old_folder_draws_its_queued_jobs_and_loses_nothing() {
    let dir = old_folder();
    let before = files(dir.path());
    let mut fixture = ProjectFixture::open(dir, story());
    fixture.wait_until_idle();
    for (reopened, drawn) in [(false, 2), (true, 0)] {
        if reopened {
            fixture = fixture.reopened();
            fixture.wait_until_idle();
        }
        let state = |shot| fixture.project.state(&shot);
        assert_eq!([state(background()), state(lamp())], [ShotState::Accepted; 2]);
        assert_eq!([state(portrait()), state(key())], [ShotState::Drafted; 2]);
        assert_eq!(fixture.fakes.drawn().len(), drawn);

        let art = fixture.project.art();
        assert_eq!(art.takes(&lamp()).len(), 2);
        let [old, new] = art.takes(&key()) else { panic!("one old and one new take of the key") };
        assert_eq!((old.id.as_str(), new.recipe().take), ("2578ec9f365ca4a4", 1));
        assert_eq!(new.recipe().prompt, "an iron key, ink and wash");
        assert_eq!(fixture.published(&key()), gradient(new.recipe()));
        let [face, with_hat] = art.takes(&portrait()) else { panic!("one portrait and its edit") };
        assert_eq!(with_hat.parent(), Some(&face.id));
        let parts = parts_of(art, with_hat);
        assert_eq!((parts[0].name.as_str(), &parts[0].mask), ("hat", &boat()));
        assert_eq!(with_hat.image().unwrap(), inverted(&face.image().unwrap(), &parts));

        let after = files(fixture.root());
        for (path, bytes) in &before {
            let is_updated = ["queue.json", "pictures/item-key.png"].map(Path::new);
            if !is_updated.contains(&path.as_path()) {
                assert_eq!(after.get(path), Some(bytes), "{}", path.display());
            }
        }
        let new_files = after.keys().filter(|path| !before.contains_key(*path));
        let expected = [&new.path, &with_hat.path]
            .map(|path| path.strip_prefix(fixture.root()).unwrap().to_owned());
        assert_eq!(new_files.cloned().collect::<BTreeSet<_>>(), BTreeSet::from(expected));
    }
}

#[test]
fn old_takes_stay_current_when_the_style_leaves_the_defaults_unset() {
    let mut fixture = ProjectFixture::open(old_folder(), story());
    fixture.wait_until_idle();
    let style = |guidance_rescale| Style {
        sampler: Sampler { guidance_rescale, ..Sampler::default() },
        ..fixture.project.style().clone()
    };
    let [unset, same, other] = [None, Some(0.5), Some(0.4)].map(style);
    for (style, states) in [
        (unset, [ShotState::Accepted, ShotState::Accepted, ShotState::Drafted]),
        (other, [ShotState::Stale; 3]),
        (same, [ShotState::Accepted, ShotState::Accepted, ShotState::Drafted]),
    ] {
        fixture.apply(Action::SetStyle(Some(Box::new(style))));
        let shots = [background(), lamp(), portrait()];
        assert_eq!(shots.map(|shot| fixture.project.state(&shot)), states);
    }
    assert_eq!(fixture.fakes.drawn().len(), 2, "only the queued jobs were drawn");
}

#[test]
fn pictures_without_takes_are_imported_as_takes() {
    let dir = tempfile::tempdir().unwrap();
    copy_folder(&fixture_folder().join("pictures"), &dir.path().join("pictures"));
    let pictures = files(dir.path());
    for _ in 0..2 {
        let art = Art::open(dir.path()).unwrap();
        for shot in [background(), portrait(), lamp(), key()] {
            let [take] = art.takes(&shot) else { panic!("one take of {shot}") };
            assert!(art.writer().is_published(take).unwrap());
        }
        assert_eq!(files(dir.path()).len(), 2 * pictures.len());
    }
}
