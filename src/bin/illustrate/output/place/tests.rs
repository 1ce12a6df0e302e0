use std::{ffi::OsStr, io::Write};

use super::*;

/// What an exchange of files does.
type Exchange<'a> = &'a dyn Fn(&Path, &Path) -> io::Result<()>;

/// The contents of each file in a folder, by name.
fn files_in(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut files: Vec<_> =
        entries.map(|entry| (name(&entry), fs::read_to_string(entry.path()).unwrap())).collect();
    files.sort();
    files
}

fn new_file(folder: &Path) -> NamedTempFile {
    let mut file = NamedTempFile::new_in(folder).unwrap();
    file.write_all(b"new").unwrap();
    file
}

/// Puts a file with the contents `new` at a place that had the contents `was`, and has the contents `is` now.
/// Returns the contents of each file in the folder, by name.
fn files(exchange: Exchange<'_>, was: Option<&str>, is: Option<&str>) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    if let Some(is) = is {
        fs::write(&path, is).unwrap();
    }
    let was = was.map(|was| Version::Hash(blake3::hash(was.as_bytes())));
    Place { path, was }.put_by(exchange, new_file(folder.path())).unwrap();
    files_in(folder.path())
}

fn file(name: &str, contents: &str) -> (String, String) {
    (name.to_owned(), contents.to_owned())
}

#[test]
fn only_the_file_that_was_there_is_replaced() {
    let unsupported =
        |_: &Path, _: &Path| -> io::Result<()> { Err(io::ErrorKind::Unsupported.into()) };
    for exchange in [&exchange as Exchange<'_>, &unsupported] {
        let new = [file("a.png", "new")];
        assert_eq!(files(exchange, None, None), new);
        assert_eq!(files(exchange, Some("old"), Some("old")), new);
        assert_eq!(files(exchange, Some("old"), None), new);
        let both = [file("a.new-1.png", "new"), file("a.png", "other")];
        assert_eq!(files(exchange, None, Some("other")), both);
        assert_eq!(files(exchange, Some("old"), Some("other")), both);
    }
}

#[test]
fn a_file_that_is_saved_after_the_comparison_stays_without_an_exchange() {
    let save = |_: &Path, path: &Path| -> io::Result<()> {
        fs::write(path, "other")?;
        Err(io::ErrorKind::Unsupported.into())
    };
    let both = [file("a.new-1.png", "new"), file("a.png", "other")];
    assert_eq!(files(&save, Some("old"), Some("old")), both);
}

#[test]
fn an_exchange_that_is_done_and_reported_as_an_error_is_done() {
    let swap = |one: &Path, other: &Path| -> io::Result<()> {
        fs::rename(other, one.with_extension("moved"))?;
        fs::rename(one, other)?;
        fs::rename(one.with_extension("moved"), one)?;
        Err(io::Error::other("no answer"))
    };
    assert_eq!(files(&swap, Some("old"), Some("old")), [file("a.png", "new")]);
    let save_and_swap = |one: &Path, other: &Path| -> io::Result<()> {
        fs::write(other, "other")?;
        swap(one, other)
    };
    let both = [file("a.new-1.png", "other"), file("a.png", "new")];
    assert_eq!(files(&save_and_swap, Some("old"), Some("old")), both);
}

#[test]
fn a_finished_file_that_cannot_be_moved_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    fs::write(&path, "old").unwrap();
    let place = Place { was: Version::of(&path).ok(), path };
    let busy = |_: &Path, _: &Path| -> io::Result<()> { Err(io::ErrorKind::ResourceBusy.into()) };
    let error = place.put_by(busy, new_file(folder.path())).unwrap_err();
    assert_eq!(error.error.kind(), io::ErrorKind::ResourceBusy);
    assert_eq!(fs::read(keep(error.file)).unwrap(), b"new");
    assert_eq!(fs::read(&place.path).unwrap(), b"old");
}

#[cfg(target_os = "linux")]
#[test]
fn the_path_of_a_kept_file_is_known_after_its_folder_is_renamed() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| folder.path().join(name));
    fs::create_dir(&old).unwrap();
    let file = new_file(&old);
    fs::rename(&old, &new).unwrap();
    let place = Place { path: old.join("a.png"), was: None };
    let kept = keep(place.put(file).unwrap_err().file);
    assert_eq!(fs::read(&kept).unwrap(), b"new");
    assert_eq!(kept.parent().unwrap(), fs::canonicalize(&new).unwrap());
}

#[test]
fn a_long_name_is_shortened_on_a_boundary_of_characters() {
    let name = |path: &str| beside(Path::new(path), "new", 12).file_name().unwrap().to_owned();
    assert_eq!(name("b/a.png"), OsStr::new("a.new-12.png"));
    assert_eq!(name("b/a"), OsStr::new("a.new-12"));
    let long = name(&format!("b/x{}.png", "画".repeat(83)));
    // 244 bytes are left for the stem: one letter and 81 signs of 3 bytes.
    assert_eq!(long, OsStr::new(&format!("x{}.new-12.png", "画".repeat(81))));
}

#[test]
fn a_copy_never_replaces_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["from.png", "to.png"].map(|name| folder.path().join(name));
    fs::write(&from, "new").unwrap();
    copy_new(&from, &to).unwrap();
    fs::write(&from, "newer").unwrap();
    assert_eq!(copy_new(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(files_in(folder.path()), [file("from.png", "newer"), file("to.png", "new")]);
}

#[test]
fn a_file_that_was_in_the_way_a_moment_ago_is_no_reason_to_replace_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let error = |kind: io::ErrorKind| io::Error::from(kind);
    assert!(!is_unsupported(&error(io::ErrorKind::AlreadyExists), &path));
    assert!(is_unsupported(&error(io::ErrorKind::Unsupported), &path));
    fs::write(&path, "theirs").unwrap();
    assert!(!is_unsupported(&error(io::ErrorKind::Unsupported), &path));
}
