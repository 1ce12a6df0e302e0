mod other_programs;
mod published;

use std::{collections::BTreeMap, fs, time::Duration};

use image::{Rgba, RgbaImage};

use super::*;
use crate::{
    generator::ModelCard,
    mask::Mask,
    recipe::{
        EditKind, Marks, Part, PartEdit, PartRecipe, PictureEdit, Sampler, SigmaSpacing, Size,
        Style, picture_hash,
    },
    storyboard::ShotWords,
    test_support::edit_of_parts,
};

pub(crate) fn shot(name: &str) -> ShotId {
    ShotId::new(name).unwrap()
}

pub(crate) fn recipe(prompt: &str) -> Recipe {
    Recipe {
        prompt: prompt.to_owned(),
        negative_prompt: String::new(),
        size: Size::new(8, 8),
        seed: 1,
        take: 0,
        sampler: Sampler::default(),
        model: "fake".to_owned(),
        vae: None,
        text_encoders: Vec::new(),
        loras: Vec::new(),
        components: BTreeMap::new(),
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: false,
        edit: None,
    }
}

/// An edit of a take that refines one part of it.
pub(crate) fn edit_of(take: &Take, part: &str) -> Recipe {
    let part = Part::new(part.to_owned(), Mask::full(8, 8), PartEdit::new(EditKind::Refine));
    let edit = PictureEdit {
        parent: Some(take.id.clone()),
        picture: picture_hash(&take.image().unwrap()),
        ..edit_of_parts(vec![PartRecipe::from(&part)])
    };
    Recipe { edit: Some(edit), ..recipe("x") }
}

/// Writes a take that was made at `made`, in seconds, and adds it to `art`.
pub(crate) fn draw(art: &mut Art, name: &str, recipe: &Recipe, made: u64) -> Take {
    let model = ModelCard { hash: "h".to_owned(), ..ModelCard::default() };
    let mut provenance = Provenance::now(recipe.clone(), model, Duration::from_millis(5));
    provenance.made = made;
    let colour = blake3::hash(format!("{recipe:?}").as_bytes()).as_bytes()[0];
    let image = RgbaImage::from_pixel(8, 8, Rgba([colour, 0, 0, 255]));
    let take = art.writer().write(&shot(name), &image, provenance).unwrap();
    art.enter(take.clone());
    take
}

pub(crate) fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("art");
    (dir, root)
}

#[test]
fn reopening_a_folder_finds_what_was_saved() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let old = draw(&mut art, "a", &recipe("old"), 10);
    let new = draw(&mut art, "a", &recipe("new"), 20);
    let words = ShotWords { words: Some("mine".to_owned()), seed: Some(7), ..Default::default() };
    art.accept(&shot("a"), &old.id).unwrap();
    art.set_words(&shot("a"), words.clone()).unwrap();
    art.set_style(Some(Style { words: "ink, \"quoted\"".to_owned(), ..Style::default() })).unwrap();
    let (takes, style) = (art.takes(&shot("a")).to_vec(), art.style().cloned());
    drop(art);

    let art = Art::open(&root).unwrap();
    assert_eq!(takes, [old.clone(), new]);
    assert_eq!(art.takes(&shot("a")), takes);
    assert_eq!(art.accepted(&shot("a")), Some(&old));
    assert_eq!(art.words().get(&shot("a")), Some(&words));
    assert_eq!(art.style(), style.as_ref());
    assert_eq!(art.shots().collect::<Vec<_>>(), [&shot("a")]);
    assert_eq!(takes[0].image().unwrap().dimensions(), (8, 8));
}

#[test]
fn takes_of_the_same_second_keep_their_order() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    for n in (0..9).rev() {
        draw(&mut art, "a", &recipe("x").with_take(n), 10);
    }
    let before = art.takes(&shot("a")).to_vec();
    drop(art);
    assert_eq!(Art::read(&root).unwrap().takes(&shot("a")), before);
}

#[test]
fn a_second_process_can_open_the_folder_read_only() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let take = draw(&mut art, "a", &recipe("x"), 10);
    let error = Art::open(&root).unwrap_err();
    assert!(matches!(error, ArtError::Locked { .. }));
    assert!(error.to_string().contains("another program"), "{error}");
    let mut read_only = Art::read(&root).unwrap();
    assert_eq!(read_only.takes(&shot("a")), std::slice::from_ref(&take));
    let error = read_only.accept(&shot("a"), &take.id).unwrap_err();
    assert!(matches!(error, ArtError::ReadOnly { .. }));
    drop(art);
    Art::open(&root).unwrap();
}

#[test]
fn reading_a_folder_that_does_not_exist_does_not_create_it() {
    let (_dir, root) = folder();
    assert_eq!(Art::read(&root).unwrap().shots().count(), 0);
    assert!(!root.exists());
}

#[test]
fn a_file_in_place_of_the_art_folder_is_a_clear_error() {
    let (_dir, root) = folder();
    fs::write(&root, "in the way").unwrap();
    let error = Art::open(&root).unwrap_err().to_string();
    assert!(error.contains("art") && error.contains("move it away"), "{error}");
}

#[test]
fn a_broken_ledger_is_reported_with_line_and_column_and_never_overwritten() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let take = draw(&mut art, "a", &recipe("x"), 10);
    art.accept(&shot("a"), &take.id).unwrap();
    drop(art);
    let broken = "(\n    accepted: {\n        \"a\": \"../../evil\",\n    },\n)";
    fs::write(root.join("ledger.ron"), broken).unwrap();
    let error = Art::open(&root).unwrap_err();
    let ArtError::Ledger { line, message, .. } = &error else { panic!("{error}") };
    assert_eq!(*line, 3, "{error}");
    assert!(message.contains("../../evil"), "{error}");
    assert!(matches!(Art::read(&root), Err(ArtError::Ledger { .. })));
    assert_eq!(fs::read_to_string(root.join("ledger.ron")).unwrap(), broken);
}

#[test]
fn a_ledger_that_cannot_be_written_changes_nothing() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let take = draw(&mut art, "a", &recipe("x"), 10);
    art.accept(&shot("a"), &take.id).unwrap();
    let before = fs::read(root.join("ledger.ron")).unwrap();
    fs::remove_dir(root.join(".tmp")).unwrap();
    fs::write(root.join(".tmp"), "in the way").unwrap();
    art.set_style(Some(Style::default())).unwrap_err();
    art.discard(&shot("a"), &take.id).unwrap_err();
    assert_eq!(art.style(), None);
    assert_eq!(art.accepted(&shot("a")), Some(&take));
    assert!(take.path.exists());
    assert_eq!(fs::read(root.join("ledger.ron")).unwrap(), before);
}

#[test]
fn the_game_shows_the_accepted_take_then_the_newest_of_the_recipe() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let (old, new) = (recipe("old"), recipe("new"));
    let first_old = draw(&mut art, "a", &old, 1);
    let shown = |art: &Art, recipe| art.shown(&shot("a"), recipe).map(|take| take.id.clone());
    assert_eq!(shown(&art, Some(&new)).as_ref(), Some(&first_old.id), "the newest of all");
    let second_old = draw(&mut art, "a", &old.with_take(1), 2);
    art.accept(&shot("a"), &first_old.id).unwrap();
    assert_eq!(shown(&art, Some(&new)).as_ref(), Some(&first_old.id), "the accepted one");
    let first_new = draw(&mut art, "a", &new, 3);
    draw(&mut art, "a", &recipe("other"), 4);
    assert_eq!(shown(&art, Some(&new)).as_ref(), Some(&first_new.id), "of this recipe");
    assert_eq!(shown(&art, Some(&old)).as_ref(), Some(&first_old.id), "accepted, not newest");
    assert_eq!(shown(&art, None).as_ref(), Some(&first_old.id), "accepted, without a recipe");
    art.discard(&shot("a"), &first_old.id).unwrap();
    assert_eq!(shown(&art, Some(&old)).as_ref(), Some(&second_old.id), "newest of the recipe");
    assert_eq!(art.shown(&shot("b"), Some(&old)), None);
}

#[test]
fn renaming_a_part_does_not_make_a_new_edit() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let first = draw(&mut art, "a", &recipe("x"), 10);
    draw(&mut art, "a", &edit_of(&first, "sky"), 20);
    assert_eq!(art.next_take(&shot("a"), &edit_of(&first, "heaven")), 1);
    assert_eq!(art.next_take(&shot("a"), &recipe("x")), 1);
}

fn aside(path: &Path) -> PathBuf {
    path.with_extension("broken-1.png")
}

#[test]
fn a_take_is_named_by_its_recipe_and_its_model() {
    let id = TakeId::of(&recipe("x"), "1");
    assert_eq!(id.as_str().len(), 16);
    assert_eq!(id, TakeId::of(&recipe("x"), "1"));
    assert_ne!(id, TakeId::of(&recipe("x").with_take(1), "1"));
    assert_ne!(id, TakeId::of(&recipe("x"), "2"));
    let Recipe { sampler, .. } = recipe("x");
    for sampler in [
        Sampler { steps: Some(21), ..sampler.clone() },
        Sampler { guidance_scale: Some(6.0), ..sampler.clone() },
        Sampler { guidance_rescale: Some(0.0), ..sampler.clone() },
        Sampler { guidance_interval: "0:1".parse().ok(), ..sampler.clone() },
        Sampler { sigmas: Some(SigmaSpacing::Karras), ..sampler.clone() },
        Sampler { sigmas: Some(SigmaSpacing::Beta), ..sampler },
    ] {
        assert_ne!(
            id,
            TakeId::of(&Recipe { sampler: sampler.clone(), ..recipe("x") }, "1"),
            "{sampler:?}"
        );
    }
    for text in ["", "../../../etc/pass", "0123456789ABCDEF", "0123456789abcde"] {
        assert!(TakeId::new(text).is_err(), "{text}");
    }
}

#[test]
fn the_state_of_a_shot_follows_its_takes() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let shot_a = Shot {
        id: shot("a"),
        kind: crate::storyboard::ShotKind::Item,
        title: String::new(),
        scenes: Vec::new(),
        recipe: recipe("new"),
        sources: Vec::new(),
    };
    assert_eq!(art.state(&shot_a), ShotState::Missing);
    let old = draw(&mut art, "a", &recipe("old"), 10);
    assert_eq!(art.state(&shot_a), ShotState::Stale);
    art.accept(&shot_a.id, &old.id).unwrap();
    assert_eq!(art.state(&shot_a), ShotState::Stale);
    let new = draw(&mut art, "a", &recipe("new").with_take(3), 20);
    assert_eq!(art.state(&shot_a), ShotState::Drafted);
    art.accept(&shot_a.id, &new.id).unwrap();
    assert_eq!(art.state(&shot_a), ShotState::Accepted);
}

#[test]
fn takes_are_ordered_by_their_numbers_and_not_by_the_clock() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    for (prompt, made) in [("x", 30), ("y", 10), ("z", 20)] {
        draw(&mut art, "a", &recipe(prompt), made);
    }
    drop(art);
    let mut art = Art::open(&root).unwrap();
    draw(&mut art, "a", &recipe("w"), 5);
    for art in [art, Art::read(&root).unwrap()] {
        let takes = art.takes(&shot("a")).iter();
        let order = takes.map(|take| (take.recipe().prompt.as_str(), take.provenance.number));
        assert_eq!(order.collect::<Vec<_>>(), [("x", 1), ("y", 2), ("z", 3), ("w", 4)]);
    }
}

#[test]
fn a_folder_that_cannot_be_opened_is_an_error_and_a_missing_one_is_empty() {
    let (dir, root) = folder();
    assert_eq!(Art::read(&root).unwrap().shots().count(), 0);
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Art::read(&file).unwrap_err();
    assert!(matches!(error, ArtError::Io { .. }), "{error}");
}

#[test]
fn a_restored_take_is_no_longer_damaged() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let take = draw(&mut art, "a", &recipe("x"), 1);
    art.mark_damaged(&shot("a"), &take.id);
    art.discard(&shot("a"), &take.id).unwrap();
    art.restore(&shot("a"), &take.id).unwrap();
    assert!(art.is_whole(&take));
}
