//! What the fuzz targets share: a limit of memory, and a folder for their files.

use std::{
    alloc::System,
    fs,
    path::{Path, PathBuf},
    process,
    sync::LazyLock,
};

use cap::Cap;

/// The most memory that a target may use, in bytes. An allocation above it aborts the program.
const MEMORY: usize = 1_000_000_000;

/// libFuzzer measures memory once in a second. This finds short peaks, too.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MEMORY);

/// The root of the repository.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A folder of this process, below the system's folder for temporary files. It is removed and created again.
///
/// # Panics
/// If that fails.
pub fn empty_folder() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        std::env::temp_dir().join(format!("bevy_illustrator_fuzz-{}", process::id()))
    });
    let _ = fs::remove_dir_all(&*FOLDER);
    fs::create_dir_all(&*FOLDER).expect("a folder for temporary files");
    &FOLDER
}

/// What separates the parts of an input. It is not part of any UTF-8 text.
const SEPARATOR: &[u8] = b"\xFF--\xFF";

/// The parts of an input for several files.
pub fn parts(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(input);
    std::iter::from_fn(move || {
        let all = rest?;
        let at = all.windows(SEPARATOR.len()).position(|part| part == SEPARATOR);
        rest = at.map(|at| &all[at + SEPARATOR.len()..]);
        Some(&all[..at.unwrap_or(all.len())])
    })
}

/// The parts of an input that are not empty, each with its name from `names`.
pub fn files<'a>(
    input: &'a [u8],
    names: &'a [&'a str],
) -> impl Iterator<Item = (&'a str, &'a [u8])> {
    names.iter().copied().zip(parts(input)).filter(|(_, part)| !part.is_empty())
}

/// Whether a text is the name of one file on every system, with room for an ending.
#[must_use]
pub fn is_safe_file_name(name: &str) -> bool {
    let reserved = ['/', '\\', ':', '*', '?', '"', '<', '>', '|', '\0'];
    let is_plain = name.chars().all(|c| !reserved.contains(&c) && !c.is_control());
    is_plain
        && !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && !name.ends_with(['.', ' '])
}
