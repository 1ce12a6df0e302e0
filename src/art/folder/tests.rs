use std::{sync::Barrier, thread, time::Duration};

use super::*;
use crate::{
    art::{
        Art, Provenance, Take,
        simulator::{Fault, ForeignWrite, SimulatedStore},
    },
    generator::ModelCard,
    recipe::{Recipe, Size},
    storyboard::ShotId,
};

fn open() -> (tempfile::TempDir, Folder) {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path().join("art")).unwrap();
    (dir, folder)
}

#[test]
fn a_write_that_fails_anywhere_leaves_the_old_file_unchanged() {
    // Creating the unfinished file, moving it, naming it after its place, and exchanging it.
    for (calls, old) in (0..4).flat_map(|calls| [(calls, None), (calls, Some(&b"the old one"[..]))])
    {
        let store = Arc::new(SimulatedStore::new());
        let folder = Folder::over(PathBuf::from("/art"), store.clone()).unwrap();
        let path = folder.root().join("pictures/a.png");
        folder.write_bytes(&path, b"the old one").unwrap();
        store.fail_after(calls, Fault::Full);
        let error = folder.replace(&path, b"the new one", old).unwrap_err().to_string();
        assert!(error.contains("a.png") && error.contains("free some space"), "{error}");
        assert_eq!(folder.read(&path).unwrap().unwrap(), b"the old one");
        assert_eq!(folder.list(Path::new(".tmp")).unwrap(), []);
    }
}

#[test]
fn a_file_can_be_written_once_what_was_in_the_way_of_the_temporary_folder_is_removed() {
    let (_dir, folder) = open();
    let (path, temporary) = (folder.root().join("ledger.ron"), folder.root().join(".tmp"));
    fs::write(&temporary, "in the way").unwrap();
    assert!(folder.write_bytes(&path, b"new").is_err());
    fs::remove_file(&temporary).unwrap();
    folder.write_bytes(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

#[test]
fn nothing_that_another_program_writes_during_a_call_is_lost() {
    type Call = fn(&Folder, &Path);
    let calls: [Call; 4] = [
        |folder, path| drop(folder.replace(path, b"new", Some(b"old"))),
        |folder, path| drop(folder.remove(path, Some(b"old"))),
        |folder, path| drop(folder.set_aside(path)),
        |folder, path| drop(folder.move_over(&folder.root().join("other.png"), path, Some(b"old"))),
    ];
    type Disk = (&'static str, fn(SimulatedStore) -> SimulatedStore);
    let disks: [Disk; 3] = [
        ("with exchange", |store| store),
        ("without exchange", SimulatedStore::without_exchange),
        ("without flags", SimulatedStore::without_flags),
    ];
    for (call, after, in_place, (disk, with), target) in calls.iter().flat_map(|call| {
        (0..12).flat_map(move |after| {
            disks.into_iter().flat_map(move |disk| {
                ["a.png", "a.broken-1.png", "other.png"].into_iter().flat_map(move |target| {
                    [true, false].map(|in_place| (call, after, in_place, disk, target))
                })
            })
        })
    }) {
        let store = Arc::new(with(SimulatedStore::new()));
        let folder = Folder::over(PathBuf::from("/art"), store.clone()).unwrap();
        let path = folder.root().join("a.png");
        folder.write_bytes(&folder.root().join("other.png"), b"other").unwrap();
        folder.write_bytes(&path, b"old").unwrap();
        let write = ForeignWrite { path: target.into(), bytes: b"author".to_vec(), in_place };
        store.write_foreign_after(after, write);
        call(&folder, &path);
        let contents = store.contents();
        assert!(
            store.foreign_files().iter().all(|file| contents.contains(file)),
            "after {after} calls, in place: {in_place}, {disk}: {target}"
        );
    }
}

#[test]
fn a_file_whose_folder_cannot_be_created_stays_in_the_temporary_folder() {
    let (dir, folder) = open();
    drop(folder);
    let root = dir.path().join("art");
    let moved = root.join(".tmp/1-1.ledger.ron,a.png.replaced");
    fs::create_dir_all(root.join(".tmp")).unwrap();
    fs::write(&moved, "moved").unwrap();
    fs::write(root.join("ledger.ron"), "()").unwrap();
    Folder::open(root.clone()).unwrap();
    assert_eq!(fs::read(&moved).unwrap(), b"moved");
    assert_eq!(fs::read(root.join("ledger.ron")).unwrap(), b"()");
}

#[test]
fn a_file_that_was_moved_away_by_a_killed_process_is_brought_back() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(".tmp")).unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    let hash = |text: &str| blake3::hash(text.as_bytes()).to_hex()[..16].to_owned();
    write(".tmp/1-0.pictures,a.png.replaced", "alone");
    write("ledger.ron", "new");
    write(&format!(".tmp/1-1.{}.ledger.ron.replaced", hash("old")), "old");
    write("queue.json", "new");
    write(&format!(".tmp/1-2.{}.queue.json.replaced", hash("old")), "changed");
    let folder = Folder::open(dir.path().into()).unwrap();
    let text = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    assert_eq!(text("pictures/a.png"), "alone");
    assert_eq!([text("ledger.ron"), text("queue.json")], ["new", "new"]);
    assert_eq!(text("queue.broken-1.json"), "changed");
    assert!(!dir.path().join("ledger.broken-1.ron").exists());
    assert_eq!(folder.list(Path::new(".tmp")).unwrap(), []);
}

#[test]
fn a_file_of_somebody_else_is_brought_back_to_no_place_of_other_programs() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(".tmp")).unwrap();
    let places = [
        ".git,hooks,post-commit",
        ".lock",
        "takes,.hidden,a.png",
        "hooks,a",
        "a.story.ron",
        "Cargo.toml",
    ];
    let moved = places.map(|place| dir.path().join(format!(".tmp/1-0.{place}.replaced")));
    for moved in &moved {
        fs::write(moved, "theirs").unwrap();
    }
    Folder::open(dir.path().into()).unwrap();
    assert!(moved.iter().all(|moved| moved.exists()));
    for place in places {
        assert!(place == ".lock" || !dir.path().join(place.replace(',', "/")).exists(), "{place}");
    }
}

#[test]
fn an_error_of_a_lookup_is_not_an_absence() {
    let (_dir, folder) = open();
    fs::write(folder.root().join("takes"), "in the way").unwrap();
    let error = folder.has(&folder.root().join("takes/a.png"));
    assert!(cfg!(windows) || matches!(error, Err(ArtError::Io { .. })), "{error:?}");
}

#[test]
fn threads_that_write_to_the_same_new_folder_at_the_same_time_all_succeed() {
    for _ in 0..20 {
        let (_dir, folder) = open();
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for n in 0..8 {
                let (folder, start) = (&folder, &start);
                scope.spawn(move || {
                    start.wait();
                    let path = folder.root().join(format!("takes/lamp/{n}.png"));
                    folder.write_bytes(&path, b"a picture").unwrap();
                });
            }
        });
        assert_eq!(folder.list(Path::new("takes/lamp")).unwrap().len(), 8);
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_was_replaced_is_not_written_to() {
    let (dir, folder) = open();
    let root = folder.root().to_owned();
    fs::rename(&root, dir.path().join("old")).unwrap();
    for is_new in [false, true] {
        if is_new {
            fs::create_dir(&root).unwrap();
        }
        let error = folder.write_bytes(&root.join("ledger.ron"), b"new").unwrap_err();
        assert!(matches!(error, ArtError::Moved { .. }), "{error}");
    }
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn a_folder_stays_locked_when_its_lock_file_is_removed() {
    let (_dir, folder) = open();
    fs::remove_file(folder.root().join(".lock")).unwrap();
    assert!(matches!(Folder::open(folder.root().into()), Err(ArtError::Locked { .. })));
}

#[cfg(unix)]
#[test]
fn no_link_in_the_folder_is_followed_for_writing_or_deleting() {
    use std::os::unix::fs::symlink;
    let (dir, folder) = open();
    let target = dir.path().join("documents");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("a.png"), b"mine").unwrap();
    symlink(&target, folder.root().join("pictures")).unwrap();
    let inside = folder.root().join("pictures/a.png");
    for result in [
        folder.write_bytes(&inside, b"new"),
        folder.write_bytes(&folder.root().join("pictures/b/c.png"), b"new"),
        folder.remove(&inside, None),
        folder.rename(&inside, &folder.root().join("b.png")),
        folder.set_aside(&inside).map(drop),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, ArtError::LinkedFolder { .. }), "{error}");
    }
    assert_eq!(fs::read(target.join("a.png")).unwrap(), b"mine");
    assert_eq!(fs::read_dir(&target).unwrap().count(), 1);
    // A link in place of a file is replaced, and its target stays.
    symlink(target.join("a.png"), folder.root().join("ledger.ron")).unwrap();
    folder.write_bytes(&folder.root().join("ledger.ron"), b"new").unwrap();
    assert_eq!(fs::read(target.join("a.png")).unwrap(), b"mine");
    assert_eq!(fs::read(folder.root().join("ledger.ron")).unwrap(), b"new");
}

#[test]
fn a_file_in_place_of_the_temporary_folder_is_reported_and_nothing_is_lost() {
    let (_dir, folder) = open();
    let path = folder.root().join("ledger.ron");
    folder.write_bytes(&path, b"old").unwrap();
    fs::remove_dir(folder.root().join(".tmp")).unwrap();
    fs::write(folder.root().join(".tmp"), b"in the way").unwrap();
    let error = folder.write_bytes(&path, b"new").unwrap_err();
    assert!(error.to_string().contains(".tmp"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn unfinished_files_of_a_killed_process_are_removed_only_under_the_lock() {
    let (_dir, folder) = open();
    let left = folder.root().join(".tmp/4711-0.unfinished");
    fs::create_dir_all(left.parent().unwrap()).unwrap();
    fs::write(&left, b"half a picture").unwrap();
    assert!(matches!(Folder::open(folder.root().into()), Err(ArtError::Locked { .. })));
    assert!(left.exists());
    let root = folder.root().to_owned();
    drop(folder);
    Folder::open(root).unwrap();
    assert!(!left.exists());
}

#[test]
fn files_of_other_programs_in_the_temporary_folder_stay() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["notes.txt", "2024-11", "half.unfinished", "1-0.x.replaced.txt"];
    fs::create_dir(dir.path().join(".tmp")).unwrap();
    for name in names {
        fs::write(dir.path().join(".tmp").join(name), "a week of notes").unwrap();
    }
    let folder = Folder::open(dir.path().into()).unwrap();
    folder.write_bytes(Path::new("ledger.ron"), b"()").unwrap();
    for name in names {
        let text = fs::read_to_string(dir.path().join(".tmp").join(name)).unwrap();
        assert_eq!(text, "a week of notes");
    }
}

#[cfg(unix)]
#[test]
fn a_link_in_place_of_the_temporary_folder_is_removed_and_its_target_keeps_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let (root, target) = (dir.path().join("art"), dir.path().join("documents"));
    let letter = target.join("letter.txt");
    fs::create_dir_all(&target).unwrap();
    fs::create_dir_all(&root).unwrap();
    fs::write(&letter, b"mine").unwrap();
    std::os::unix::fs::symlink(&target, root.join(".tmp")).unwrap();

    let folder = Folder::open(root.clone()).unwrap();
    assert_eq!(fs::read(&letter).unwrap(), b"mine");
    assert!(!root.join(".tmp").is_symlink());
    folder.write_bytes(&root.join("ledger.ron"), b"new").unwrap();

    // A link that appears while the folder is open.
    fs::remove_dir(root.join(".tmp")).unwrap();
    std::os::unix::fs::symlink(&target, root.join(".tmp")).unwrap();
    let error = folder.write_bytes(&root.join("ledger.ron"), b"newer").unwrap_err();
    assert!(matches!(&error, ArtError::LinkedFolder { path } if *path == root.join(".tmp")));
    assert_eq!(fs::read(root.join("ledger.ron")).unwrap(), b"new");
    assert_eq!(fs::read_dir(&target).unwrap().count(), 1);
}

#[test]
fn the_lock_is_held_until_the_last_clone_is_dropped() {
    let (_dir, folder) = open();
    let (root, clone) = (folder.root().to_owned(), folder.clone());
    drop(folder);
    assert!(matches!(Folder::open(root.clone()), Err(ArtError::Locked { .. })));
    drop(clone);
    Folder::open(root).unwrap();
}

#[test]
fn a_read_only_folder_refuses_to_write() {
    let (_dir, folder) = open();
    let read_only = Folder::read_only(folder.root().into());
    let error = read_only.write_bytes(&folder.root().join("x"), b"x").unwrap_err();
    assert!(matches!(error, ArtError::ReadOnly { .. }));
    assert!(!folder.root().join("x").exists());
}

#[test]
fn files_that_are_set_aside_get_different_names() {
    let (_dir, folder) = open();
    let path = folder.root().join("parts/a.json");
    for (n, text) in [(1, "first"), (2, "second")] {
        folder.write_bytes(&path, text.as_bytes()).unwrap();
        let aside = folder.set_aside(&path).unwrap();
        assert_eq!(aside, path.with_file_name(format!("a.broken-{n}.json")));
    }
    let kept = |n| fs::read_to_string(path.with_file_name(format!("a.broken-{n}.json")));
    assert_eq!([kept(1).unwrap(), kept(2).unwrap()], ["first", "second"]);
    assert!(!path.exists());
}

#[test]
fn a_file_without_an_extension_is_set_aside_under_a_name_that_windows_can_have() {
    let (_dir, folder) = open();
    let path = folder.root().join("takes");
    folder.write_bytes(&path, b"in the way").unwrap();
    assert_eq!(folder.set_aside(&path).unwrap(), folder.root().join("takes.broken-1"));
}

#[test]
fn a_file_that_would_be_too_long_to_be_read_is_not_written() {
    let (_dir, folder) = open();
    let path = folder.root().join("a.png");
    folder.replace(&path, b"old", None).unwrap();
    let error = folder.replace(&path, &vec![0; (512 << 20) + 1], Some(b"old")).unwrap_err();
    assert!(error.to_string().contains("more than 512 MB"), "{error}");
    assert_eq!(folder.read(&path).unwrap().unwrap(), b"old");
}

#[cfg(unix)]
#[test]
fn a_written_file_has_the_permissions_of_other_files() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, folder) = open();
    let (ours, plain) = (folder.root().join("ours"), dir.path().join("plain"));
    folder.write_bytes(&ours, b"").unwrap();
    fs::write(&plain, b"").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&ours), mode(&plain));
}

#[test]
fn a_copy_is_kept_if_the_take_that_it_equals_is_changed_before_the_copy_is_removed() {
    let png = |colour: u8| {
        let image = image::RgbaImage::from_pixel(2, 2, image::Rgba([colour, 0, 0, 255]));
        let recipe = Recipe::new("a bay", Size::new(2, 2), "fake").with_take(colour.into());
        (image, Provenance::now(recipe, ModelCard::default(), Duration::ZERO))
    };
    type Call = fn(&Art, &Take) -> Result<(), ArtError>;
    let calls: [Call; 2] = [
        |art, take| art.writer().publish(take).map(drop),
        |art, take| art.writer().unpublish(&take.shot),
    ];
    let [publish, unpublish] = calls;
    // The calls before the old file is removed.
    for (call, after, can_exchange) in (0..5)
        .map(|after| (publish, after, true))
        .chain((0..7).map(|after| (publish, after, false)))
        .chain((0..2).map(|after| (unpublish, after, true)))
    {
        let store = SimulatedStore::new();
        let store = Arc::new(if can_exchange { store } else { store.without_exchange() });
        let folder = Folder::over(PathBuf::from("/art"), store.clone()).unwrap();
        let mut art = Art::load(folder).unwrap();
        let shot = ShotId::new("a").unwrap();
        let mut draw = |colour| {
            let (image, provenance) = png(colour);
            let take = art.writer().write(&shot, &image, provenance).unwrap();
            art.enter(take.clone());
            take
        };
        let (shown, other) = (draw(1), draw(2));
        art.writer().publish(&shown).unwrap();
        let picture = art.folder.read(&shown.path).unwrap().unwrap();
        let path = art.folder.relative(&shown.path).to_owned();
        let write = ForeignWrite { path, bytes: b"painted".to_vec(), in_place: false };
        store.write_foreign_after(after, write);
        // The other program may also have been faster.
        drop(call(&art, &other));
        store.heal();
        let contents = store.contents();
        assert!(contents.contains(&picture), "after {after} calls, exchange: {can_exchange}");
    }
}
