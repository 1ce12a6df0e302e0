//! Published copies of takes.

use super::*;

/// Overwrites a picture as another program does, without a provenance.
fn paint_over(path: &Path) -> Vec<u8> {
    RgbaImage::from_pixel(8, 8, Rgba([1, 2, 3, 255])).save(path).unwrap();
    fs::read(path).unwrap()
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

#[test]
fn a_take_that_was_painted_over_is_set_aside_when_it_is_replaced() {
    let (_dir, root) = folder();
    let take = draw(&mut Art::open(&root).unwrap(), "a", &recipe("x"), 10);
    let painted = paint_over(&take.path);
    let mut art = Art::open(&root).unwrap();
    assert_eq!(art.next_take(&shot("a"), &recipe("x")), 0, "the list does not contain it anymore");
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

/// A chunk of a PNG (PNG specification, third edition, 5.3).
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let typed = [kind, data].concat();
    let length = (data.len() as u32).to_be_bytes();
    let sum = crc32fast::hash(&typed).to_be_bytes();
    [&length, &typed[..], &sum].concat()
}

/// Inserts a chunk before the end of a PNG.
fn with_chunk(png: &[u8], kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let (start, end) = png.split_at(png.len() - 12);
    [start, &chunk(kind, data), end].concat()
}

/// Replaces the first text under a keyword. `data` is that of the new chunk.
fn with_text(png: &[u8], keyword: &str, data: &[u8]) -> Vec<u8> {
    let typed = [keyword.as_bytes(), &[0]].concat();
    let at = png.windows(typed.len()).position(|window| window == typed).unwrap();
    let (start, end) = (at - 8, at + data_length(png, at) + 4);
    let kind = png[at - 4..at].try_into().unwrap();
    [&png[..start], &chunk(&kind, data), &png[end..]].concat()
}

/// The length of the data of a chunk, which begin at `at`.
fn data_length(png: &[u8], at: usize) -> usize {
    u32::from_be_bytes(png[at - 8..at - 4].try_into().unwrap()) as usize
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

#[test]
fn a_published_picture_with_other_texts_under_the_keywords_of_this_program_is_set_aside() {
    let (_dir, root) = folder();
    let mut art = Art::open(&root).unwrap();
    let [one, two] = ["1", "2"].map(|prompt| draw(&mut art, "a", &recipe(prompt), 1));
    let path = art.writer().publish(&one).unwrap();
    let whole = fs::read(&path).unwrap();
    // The same picture, drawn at another time.
    let later = Provenance { made: 99, number: 77, ..one.provenance.clone() };
    let again =
        picture_file::encode(&one.image().unwrap(), &later, &picture_file::Attachments::default())
            .unwrap();
    assert_ne!(again, whole);
    let note = b"parameters\0Mira must look older";
    let more = |from: &str, to: &str| {
        let json = serde_json::to_string(&one.provenance).unwrap().replacen(from, to, 1);
        let text = [b"bevy_illustrator\0\0\0\0\0", json.as_bytes()].concat();
        with_text(&whole, "bevy_illustrator", &text)
    };
    assert_eq!(more("", ""), whole, "the chunk that this program writes");
    let changes = [
        (again, false),
        (with_text(&whole, "parameters", note), true),
        (with_chunk(&whole, b"tEXt", note), true),
        (with_chunk(&whole, b"iTXt", b"parameters\0\0\0en\0\0two pages"), true),
        (with_chunk(&whole, b"iTXt", b"bevy_illustrator\0\0\0\0\0{}"), true),
        (more("{", "{\"note\":\"older\","), true),
        (more("\"prompt\"", "\"reference\":\"older\",\"prompt\""), true),
    ];
    for (n, (changed, is_kept)) in changes.into_iter().enumerate() {
        fs::write(&path, &changed).unwrap();
        art.writer().publish(&two).unwrap();
        let kept = fs::read(aside(&path)).ok();
        assert_eq!(kept, is_kept.then_some(changed), "{n}");
        if is_kept {
            fs::remove_file(aside(&path)).unwrap();
        }
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
