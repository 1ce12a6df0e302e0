use std::{fs, time::Duration};

use image::{Rgba, RgbaImage};

use super::*;
use crate::{
    generator::ModelCard,
    mask::Mask,
    recipe::{
        EditKind, Marks, Part, PartEdit, PartRecipe, PictureEdit, Sampler, Size, Style,
        picture_hash,
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
        edit: None,
    }
}

/// An edit of a take that refines one part of it.
pub(crate) fn edit_of(take: &Take, part: &str) -> Recipe {
    let part = Part {
        name: part.to_owned(),
        mask: Mask::full(8, 8),
        edit: PartEdit::new(EditKind::Refine),
        scribble: None,
    };
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
fn damaged_and_foreign_files_are_skipped_and_left_in_place() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let whole = draw(&mut art, "a", &recipe("whole"), 10);
    let cut = draw(&mut art, "a", &recipe("cut"), 20);
    drop(art);
    let bytes = fs::read(&cut.path).unwrap();
    fs::write(&cut.path, &bytes[..bytes.len() - 5]).unwrap();
    let foreign = cut.path.with_file_name("0123456789abcdef.png");
    RgbaImage::new(4, 4).save(&foreign).unwrap();
    let notes = root.join("takes/a/notes.txt");
    fs::write(&notes, "mine").unwrap();
    fs::create_dir(root.join("takes/what is this")).unwrap();
    fs::write(root.join("takes/stray.png"), "x").unwrap();

    let art = Art::open(&root).unwrap();
    assert_eq!(art.takes(&shot("a")), [whole]);
    assert_eq!(art.shots().count(), 1);
    assert!(cut.path.exists() && foreign.exists() && notes.exists());
    assert!(root.join("takes/stray.png").exists());
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

#[test]
fn publishing_copies_the_take_unless_it_is_published_already() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let (one, two) = (draw(&mut art, "a", &recipe("1"), 1), draw(&mut art, "a", &recipe("2"), 2));
    let path = art.writer().publish(&one).unwrap();
    assert_eq!(path, root.join("pictures/a.png"));
    assert_eq!(fs::read(&path).unwrap(), fs::read(&one.path).unwrap());
    let written = fs::metadata(&path).unwrap().modified().unwrap();
    art.writer().publish(&one).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
    art.writer().publish(&two).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&two.path).unwrap());
    fs::remove_file(&one.path).unwrap();
    art.writer().publish(&one).unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&two.path).unwrap());
}

/// Overwrites a picture as another program does, without a provenance.
fn paint_over(path: &Path) -> Vec<u8> {
    RgbaImage::from_pixel(8, 8, Rgba([1, 2, 3, 255])).save(path).unwrap();
    fs::read(path).unwrap()
}

fn aside(path: &Path) -> PathBuf {
    path.with_extension("broken-1.png")
}

#[test]
fn a_take_that_was_painted_over_is_set_aside_when_it_is_replaced() {
    let (_dir, root) = folder();
    let take = draw(&mut Art::open(&root).unwrap(), "a", &recipe("x"), 10);
    let painted = paint_over(&take.path);
    let mut art = Art::open(&root).unwrap();
    assert_eq!(art.next_take(&shot("a"), &recipe("x")), 0, "it is no longer listed");
    let again = draw(&mut art, "a", &recipe("x"), 20);
    assert_eq!(again.path, take.path);
    assert_eq!(fs::read(aside(&take.path)).unwrap(), painted);
    // Restoring a discarded take also sets the file aside.
    art.discard(&shot("a"), &take.id).unwrap();
    let discarded = root.join("discarded/a").join(take.path.file_name().unwrap());
    fs::remove_file(aside(&take.path)).unwrap();
    let painted = paint_over(&take.path);
    art.restore(&shot("a"), &take.id).unwrap();
    assert_eq!(fs::read(aside(&take.path)).unwrap(), painted);
    let painted = paint_over(&discarded);
    art.discard(&shot("a"), &take.id).unwrap();
    assert_eq!(fs::read(aside(&discarded)).unwrap(), painted);
}

#[test]
fn only_a_published_picture_that_was_painted_over_is_set_aside() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let (one, two) = (draw(&mut art, "a", &recipe("1"), 1), draw(&mut art, "a", &recipe("2"), 2));
    let path = art.writer().publish(&one).unwrap();
    art.writer().publish(&two).unwrap();
    art.discard(&shot("a"), &two.id).unwrap();
    art.writer().publish(&one).unwrap();
    assert!(!aside(&path).exists(), "the copy of a discarded take is not set aside");
    let painted = paint_over(&path);
    art.writer().publish(&one).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&one.path).unwrap());
    assert_eq!(fs::read(aside(&path)).unwrap(), painted);
    fs::remove_file(aside(&path)).unwrap();
    let painted = paint_over(&path);
    art.writer().unpublish(&shot("a")).unwrap();
    assert!(!path.exists());
    assert_eq!(fs::read(aside(&path)).unwrap(), painted);
}

#[test]
fn published_pictures_without_takes_become_takes() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let take = draw(&mut art, "a", &recipe("x"), 10);
    let other = draw(&mut art, "b", &recipe("y"), 20);
    let published = [&take, &other].map(|take| art.writer().publish(take).unwrap());
    art.discard(&shot("b"), &other.id).unwrap();
    drop(art);
    fs::remove_dir_all(root.join("takes")).unwrap();
    fs::write(root.join("pictures/notes.txt"), "mine").unwrap();
    RgbaImage::new(4, 4).save(root.join("pictures/c.png")).unwrap();

    assert_eq!(Art::read(&root).unwrap().shots().count(), 0, "reading changes nothing");
    let art = Art::open(&root).unwrap();
    assert_eq!(art.takes(&shot("a")), std::slice::from_ref(&take));
    assert_eq!(fs::read(&take.path).unwrap(), fs::read(&published[0]).unwrap());
    assert_eq!(art.takes(&shot("b")), [], "it has a discarded take");
    assert!(!published[1].exists(), "the process was killed before it removed the copy");
    assert_eq!(art.shots().count(), 1);
}

#[test]
fn a_picture_that_cannot_become_a_take_leaves_the_other_takes() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let takes = ["a", "b", "c"].map(|name| draw(&mut art, name, &recipe(name), 10));
    for take in &takes {
        art.writer().publish(take).unwrap();
    }
    drop(art);
    fs::remove_dir_all(root.join("takes")).unwrap();
    fs::create_dir(root.join("takes")).unwrap();
    fs::write(root.join("takes/b"), "in the way").unwrap();
    let art = Art::open(&root).unwrap();
    let [a, _, c] = &takes;
    assert_eq!(art.takes(&shot("a")), std::slice::from_ref(a));
    assert_eq!(art.takes(&shot("c")), std::slice::from_ref(c));
    assert_eq!(art.takes(&shot("b")), []);
    assert!(art.picture_path(&shot("b")).exists());
}

#[test]
fn a_published_copy_of_a_take_with_an_old_name_is_not_set_aside() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let path = draw(&mut art, "a", &recipe("1"), 1).path;
    fs::rename(&path, path.with_file_name("0123456789abcdef.png")).unwrap();
    drop(art);
    let mut art = Art::open(&root).unwrap();
    let old = art.takes(&shot("a"))[0].clone();
    let new = draw(&mut art, "a", &recipe("2"), 2);
    let path = art.writer().publish(&old).unwrap();
    art.writer().publish(&new).unwrap();
    art.writer().publish(&old).unwrap();
    art.discard(&shot("a"), &old.id).unwrap();
    art.writer().publish(&new).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&new.path).unwrap());
    assert!(!aside(&path).exists());
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
        Sampler { guidance_rescale: Some(0.0), ..sampler },
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
fn a_damaged_take_is_restored_from_its_published_copy_only() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let first = draw(&mut art, "a", &recipe("x"), 10);
    let second = draw(&mut art, "a", &recipe("y"), 20);
    let (writer, image) = (art.writer(), first.image().unwrap());
    writer.publish(&first).unwrap();
    let whole = fs::read(&first.path).unwrap();
    // The provenance comes first: it is still readable.
    let half = &whole[..whole.len() - 30];
    for take in [&first, &second] {
        fs::write(&take.path, half).unwrap();
    }
    assert_eq!(writer.repaired_image(&first).unwrap(), image);
    assert_eq!(fs::read(&first.path).unwrap(), whole);
    assert_eq!(fs::read(aside(&first.path)).unwrap(), half, "another program may be saving it");
    let error = writer.repaired_image(&second).unwrap_err();
    assert!(matches!(error, ArtError::Picture { .. }), "{error}");
    fs::remove_file(&second.path).unwrap();
    let error = writer.repaired_image(&second).unwrap_err();
    assert!(matches!(error, ArtError::Io { .. }), "{error}");
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

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_read_for_now_is_not_replaced() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let take = draw(&mut art, "a", &recipe("x"), 10);
    // A folder cannot be read as a file, whoever tries.
    fs::remove_file(&take.path).unwrap();
    fs::create_dir(&take.path).unwrap();
    let image = RgbaImage::new(8, 8);
    let error = art.writer().write(&take.shot, &image, take.provenance.clone()).unwrap_err();
    assert!(matches!(error, ArtError::Io { what: "read", .. }), "{error}");
    assert!(take.path.is_dir());
}

#[test]
fn a_truncated_take_is_replaced_by_its_published_copy_when_the_folder_is_opened() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    draw(&mut art, "a", &recipe("x"), 10);
    let take = draw(&mut art, "a", &recipe("y"), 20);
    art.writer().publish(&take).unwrap();
    drop(art);
    let whole = fs::read(&take.path).unwrap();
    fs::write(&take.path, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(Art::read(&root).unwrap().takes(&shot("a")).len(), 1);
    let art = Art::open(&root).unwrap();
    assert_eq!(art.take(&shot("a"), &take.id).unwrap().provenance, take.provenance);
    assert_eq!(fs::read(&take.path).unwrap(), whole);
    let aside = take.path.with_file_name(format!("{}.broken-1.png", take.id));
    assert_eq!(fs::read(aside).unwrap(), &whole[..whole.len() / 2]);
    // A take that the author deleted stays deleted.
    drop(art);
    fs::remove_file(&take.path).unwrap();
    assert_eq!(Art::open(&root).unwrap().takes(&shot("a")).len(), 1);
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
fn an_edit_keeps_the_metadata_of_its_parent_that_another_program_changed() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let parent = draw(&mut art, "a", &recipe("x"), 10);
    // Another program keeps the provenance of the picture, but not its note about sRGB.
    let bytes = fs::read(&parent.path).unwrap();
    let mut painted = Vec::new();
    let mut encoder = png::Encoder::new(&mut painted, 8, 8);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_source_gamma(png::ScaledFloat::from_scaled(100_000));
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: 11_811,
        yppu: 11_811,
        unit: png::Unit::Meter,
    }));
    encoder.add_text_chunk("Copyright".to_owned(), "Ada".to_owned()).unwrap();
    for text in &info(&bytes).utf8_text {
        encoder.add_itxt_chunk(text.keyword.clone(), text.get_text().unwrap()).unwrap();
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[7; 8 * 8 * 4]).unwrap();
    writer.finish().unwrap();
    fs::write(&parent.path, &painted).unwrap();
    drop(art);

    let mut art = Art::open(&root).unwrap();
    let edit = draw(&mut art, "a", &edit_of(&parent, "sky"), 20);
    art.discard(&shot("a"), &parent.id).unwrap();
    let after = draw(&mut art, "a", &edit_of(&edit, "sea"), 30);
    art.discard(&shot("a"), &edit.id).unwrap();
    let again = draw(&mut art, "a", &edit_of(&after, "sky"), 40);
    for take in [&after, &again] {
        let info = info(&fs::read(&take.path).unwrap());
        assert_eq!((info.srgb, info.gama_chunk.unwrap().into_scaled()), (None, 100_000));
        assert_eq!(info.pixel_dims.unwrap().xppu, 11_811);
        let texts = info.uncompressed_latin1_text.iter();
        let texts = texts.map(|text| (text.keyword.as_str(), text.text.lines().next().unwrap()));
        assert_eq!(texts.collect::<Vec<_>>(), [("Copyright", "Ada"), ("parameters", "x")]);
        assert_eq!(picture_file::provenance(&take.path).unwrap(), take.provenance);
    }
    // The metadata of a picture that no longer exists is lost, but not the edit.
    let next = edit_of(&again, "sea");
    fs::remove_file(&again.path).unwrap();
    let lost = draw(&mut art, "a", &next, 50);
    assert!(info(&fs::read(&lost.path).unwrap()).pixel_dims.is_none());
}

/// What an independent reader finds in a PNG.
fn info(png: &[u8]) -> png::Info<'static> {
    png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap().info().clone()
}

#[test]
fn a_take_and_marks_that_are_git_lfs_pointers_are_not_replaced() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let take = draw(&mut art, "a", &recipe("x"), 10);
    art.set_marks(&take.shot, &take.id, &Marks::default()).unwrap();
    let marks = root.join(format!("parts/a/{}.json", take.id));
    for path in [&take.path, &marks] {
        fs::write(path, pointer).unwrap();
    }
    let image = RgbaImage::new(8, 8);
    for error in [
        take.image().unwrap_err(),
        art.writer().write(&take.shot, &image, take.provenance.clone()).unwrap_err(),
        art.marks(&take.shot, &take.id).unwrap_err(),
        art.set_marks(&take.shot, &take.id, &Marks::default()).unwrap_err(),
    ] {
        assert!(error.to_string().contains("git lfs pull"), "{error}");
    }
    for path in [&take.path, &marks] {
        assert_eq!(fs::read_to_string(path).unwrap(), pointer);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}

/// Inserts a chunk before the end of a PNG (PNG specification, third edition, 5.3).
fn with_chunk(png: &[u8], kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let (start, end) = png.split_at(png.len() - 12);
    let typed = [kind, data].concat();
    let length = (data.len() as u32).to_be_bytes();
    let sum = crc32fast::hash(&typed).to_be_bytes();
    [start, &length, &typed, &sum, end].concat()
}

/// The picture in 16 bits, with other low bits.
fn in_16_bits(take: &Take) -> Vec<u8> {
    let image = take.image().unwrap();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, image.width(), image.height());
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Sixteen);
    let json = serde_json::to_string(&take.provenance).unwrap();
    encoder.add_itxt_chunk(picture_file::KEYWORD.to_owned(), json).unwrap();
    let samples: Vec<u8> = image.as_raw().iter().flat_map(|&byte| [byte, byte ^ 1]).collect();
    encoder.write_header().unwrap().write_image_data(&samples).unwrap();
    bytes
}

#[test]
fn a_published_picture_with_other_depth_or_chunks_is_set_aside() {
    for change in 0..3 {
        let (_dir, root) = folder();
        let mut art = Art::open(&root).unwrap();
        let [one, two] = ["1", "2"].map(|prompt| draw(&mut art, "a", &recipe(prompt), 1));
        let path = art.writer().publish(&one).unwrap();
        let whole = fs::read(&path).unwrap();
        let changed = match change {
            0 => in_16_bits(&one),
            1 => with_chunk(&whole, b"tEXt", b"Copyright\0me"),
            _ => [&whole[..], b"a second picture"].concat(),
        };
        fs::write(&path, &changed).unwrap();
        art.writer().publish(&two).unwrap();
        assert_eq!(fs::read(aside(&path)).unwrap(), changed, "{change}");
    }
}

#[cfg(unix)]
#[test]
fn a_take_that_is_a_link_to_its_published_picture_is_not_a_second_copy() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let [one, two] = ["1", "2"].map(|prompt| draw(&mut art, "a", &recipe(prompt), 1));
    let path = art.writer().publish(&one).unwrap();
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&one.path).unwrap();
    std::os::unix::fs::symlink("../../pictures/a.png", &one.path).unwrap();
    art.writer().publish(&two).unwrap();
    assert_eq!(fs::read(aside(&path)).unwrap(), bytes);
}

#[test]
fn another_picture_with_the_texts_of_a_take_is_set_aside_when_the_take_is_drawn_again() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let take = draw(&mut art, "a", &recipe("x"), 10);
    let painted = RgbaImage::from_pixel(8, 8, Rgba([9, 9, 9, 255]));
    let painted = picture_file::encode(&painted, &take.provenance, &BTreeMap::new()).unwrap();
    fs::write(&take.path, &painted).unwrap();
    draw(&mut art, "a", &recipe("x"), 20);
    assert_eq!(fs::read(aside(&take.path)).unwrap(), painted);
    // The same picture is replaced.
    draw(&mut art, "a", &recipe("x"), 30);
    assert!(!take.path.with_extension("broken-2.png").exists());
    // Discarding does not replace another picture, either.
    let discarded = root.join("discarded/a").join(take.path.file_name().unwrap());
    fs::create_dir_all(discarded.parent().unwrap()).unwrap();
    fs::write(&discarded, &painted).unwrap();
    art.discard(&shot("a"), &take.id).unwrap();
    assert_eq!(fs::read(aside(&discarded)).unwrap(), painted);
}

#[test]
fn a_ledger_that_contains_more_than_was_read_is_kept_when_it_is_written_again() {
    let words = |seed| ShotWords { seed: Some(seed), ..ShotWords::default() };
    for change in ["// a note\n(", "twice"] {
        let (_dir, root) = folder();
        let mut art = Art::open(&root).unwrap();
        art.set_words(&shot("a"), words(1)).unwrap();
        drop(art);
        let path = root.join("ledger.ron");
        let text = fs::read_to_string(&path).unwrap();
        // A comment, and two entries with the same key, as a merge of two branches writes them.
        let theirs = match change {
            "twice" => text.replacen("\"a\":", "\"a\": (seed: Some(9)),\n        \"a\":", 1),
            comment => text.replacen('(', comment, 1),
        };
        assert_ne!(theirs, text);
        fs::write(&path, &theirs).unwrap();
        let mut art = Art::open(&root).unwrap();
        for seed in [2, 3] {
            art.set_words(&shot("b"), words(seed)).unwrap();
        }
        assert_eq!(art.words()[&shot("a")], words(1));
        assert_eq!(fs::read_to_string(root.join("ledger.broken-1.ron")).unwrap(), theirs);
        assert!(!root.join("ledger.broken-2.ron").exists());
        // A ledger of this program is not kept.
        drop(art);
        Art::open(&root).unwrap().set_words(&shot("b"), words(4)).unwrap();
        assert!(!root.join("ledger.broken-2.ron").exists());
    }
}

#[test]
fn a_ledger_or_marks_that_another_program_has_changed_are_set_aside() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let take = draw(&mut art, "a", &recipe("x"), 10);
    let mark = |art: &mut Art, name: &str| {
        let layers = vec![crate::recipe::Layer::new(name, Mask::full(8, 8))];
        art.set_marks(&shot("a"), &take.id, &Marks { layers, context: None }).unwrap();
    };
    art.accept(&shot("a"), &take.id).unwrap();
    mark(&mut art, "sky");
    let ledger = root.join("ledger.ron");
    let marks = root.join("parts/a").join(format!("{}.json", take.id));
    let theirs = [fs::read(&ledger).unwrap(), fs::read(&marks).unwrap()].map(|mut text| {
        text.push(b'\n');
        text
    });
    fs::write(&ledger, &theirs[0]).unwrap();
    fs::write(&marks, &theirs[1]).unwrap();
    for seed in [1, 2] {
        art.set_words(&shot("a"), ShotWords { seed: Some(seed), ..ShotWords::default() }).unwrap();
        mark(&mut art, "sea");
    }
    assert_eq!(fs::read(root.join("ledger.broken-1.ron")).unwrap(), theirs[0]);
    assert_eq!(fs::read(marks.with_extension("broken-1.json")).unwrap(), theirs[1]);
    // Only the files of the other program.
    assert!(!root.join("ledger.broken-2.ron").exists());
    assert!(!marks.with_extension("broken-2.json").exists());
    assert_eq!(Art::read(&root).unwrap().words()[&shot("a")].seed, Some(2));
}

#[test]
fn a_take_after_an_adopted_picture_is_newer() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    for prompt in ["1", "2", "3"] {
        draw(&mut art, "a", &recipe(prompt), 1);
    }
    let newest = draw(&mut art, "a", &recipe("4"), 1);
    art.writer().publish(&newest).unwrap();
    drop(art);
    fs::remove_dir_all(root.join("takes")).unwrap();
    let mut art = Art::open(&root).unwrap();
    let next = draw(&mut art, "a", &recipe("5"), 1);
    assert!(next.provenance.number > newest.provenance.number);
}

#[test]
fn a_take_with_an_impossible_number_does_not_stop_new_takes() {
    for number in [u64::MAX, u64::MAX - 1, 1 << 53, (1 << 52) + 1] {
        let (_dir, root) = folder();
        let mut art = Art::open(&root).unwrap();
        let take = draw(&mut art, "a", &recipe("1"), 1);
        let provenance = Provenance { number, ..take.provenance.clone() };
        let bytes =
            picture_file::encode(&take.image().unwrap(), &provenance, &BTreeMap::new()).unwrap();
        fs::write(&take.path, bytes).unwrap();
        drop(art);
        let mut art = Art::open(&root).unwrap();
        let next = draw(&mut art, "a", &recipe("2"), 2);
        drop(art);
        let art = Art::open(&root).unwrap();
        assert_eq!(art.takes(&shot("a")).last(), Some(&next), "{number}");
    }
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
