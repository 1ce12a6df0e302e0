//! Absolute paths.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

/// The absolute path of a file, without `.` and `..`. Links are kept, unless `..` follows them: the parent of a link is
/// that of its target.
///
/// # Errors
/// If the current folder, or a folder before `..`, cannot be found.
pub(crate) fn absolute(path: &Path) -> io::Result<PathBuf> {
    let mut absolute = PathBuf::new();
    // On Unix, `std::path::absolute` keeps `..`.
    for part in std::path::absolute(path)?.components() {
        if part == Component::ParentDir {
            absolute = fs::canonicalize(&absolute)?;
            absolute.pop();
        } else {
            absolute.push(part);
        }
    }
    Ok(absolute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn parents_are_resolved_and_other_links_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir_all(root.join("c")).unwrap();
        std::os::unix::fs::symlink("../a/b", root.join("c/link")).unwrap();
        for (path, expected) in [
            ("a/../c/x", "c/x"),
            ("a/b/../../c/./x", "c/x"),
            ("c/link/x", "c/link/x"),
            ("c/link/../x", "a/x"),
        ] {
            assert_eq!(absolute(&root.join(path)).unwrap(), root.join(expected), "{path}");
        }
        assert!(absolute(&root.join("none/../x")).is_err());
    }
}
