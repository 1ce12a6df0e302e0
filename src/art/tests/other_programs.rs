//! Files that other programs have changed or damaged.

use super::*;

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

#[test]
fn another_picture_with_the_texts_of_a_take_is_set_aside_when_the_take_is_drawn_again() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let take = draw(&mut art, "a", &recipe("x"), 10);
    let painted = RgbaImage::from_pixel(8, 8, Rgba([9, 9, 9, 255]));
    let painted =
        picture_file::encode(&painted, &take.provenance, &picture_file::Attachments::default())
            .unwrap();
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
fn a_take_with_an_impossible_number_does_not_stop_new_takes() {
    for number in [u64::MAX, u64::MAX - 1, 1 << 53, (1 << 52) + 1] {
        let (_dir, root) = folder();
        let mut art = Art::open(&root).unwrap();
        let take = draw(&mut art, "a", &recipe("1"), 1);
        let provenance = Provenance { number, ..take.provenance.clone() };
        let bytes = picture_file::encode(
            &take.image().unwrap(),
            &provenance,
            &picture_file::Attachments::default(),
        )
        .unwrap();
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
fn an_edit_of_a_picture_with_too_many_texts_is_kept_without_them() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let first = draw(&mut art, "a", &recipe("x"), 10);
    let edit = edit_of(&first, "sky");
    // Another program adds a text.
    for (length, is_kept) in [(1000, true), (128 << 20, false)] {
        let text = [b"tEXtComment\0".as_slice(), &vec![b'a'; length - 8]].concat();
        let sum = crc32fast::hash(&text).to_be_bytes();
        let chunk = [&(length as u32).to_be_bytes()[..], &text, &sum].concat();
        let mut bytes = fs::read(&first.path).unwrap();
        bytes.splice(33..33, chunk);
        fs::write(&first.path, bytes).unwrap();
        let second = draw(&mut art, "a", &edit.with_take(length as u32), 20);
        let has_text = fs::read(&second.path).unwrap().windows(7).any(|it| it == b"Comment");
        assert_eq!(has_text, is_kept);
        assert_eq!(picture_file::provenance(&second.path).unwrap(), second.provenance);
    }
}
