//! The files of a model, which no output replaces.

use std::{
    collections::{BTreeSet, VecDeque},
    fs,
    path::{Path, PathBuf},
};

/// The depth of a model's files below the folder that a user names: `snapshots/COMMIT/unet/FILE`.
const MAX_DEPTH: usize = 4;

/// The most entries of folders that are examined. The folder may be no model, or contain training data.
const MAX_ENTRIES: usize = 10_000;

/// The files of a model, except pictures, which no model reads.
#[derive(Debug, Default)]
pub(super) struct ModelFiles {
    pub(super) files: Vec<PathBuf>,
    /// Whether the model has files that are not listed.
    pub(super) has_more: bool,
}

impl ModelFiles {
    /// Lists the files of a model that is a file or a folder. Links are followed, and each folder is listed once. Files
    /// near the top come first.
    pub(super) fn list(model: &Path) -> Self {
        let mut found = Self::default();
        let (mut listed, mut entries) = (BTreeSet::new(), 0);
        let mut folders = VecDeque::new();
        found.add(model.to_path_buf(), MAX_DEPTH, &mut folders);
        while let Some((folder, depth)) = folders.pop_front() {
            if !fs::canonicalize(&folder).is_ok_and(|folder| listed.insert(folder)) {
                continue;
            }
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                entries += 1;
                if entries > MAX_ENTRIES {
                    found.has_more = true;
                    return found;
                }
                found.add(entry.path(), depth - 1, &mut folders);
            }
        }
        found
    }

    /// Adds a file, or a folder that is still to be listed.
    fn add(&mut self, path: PathBuf, depth: usize, folders: &mut VecDeque<(PathBuf, usize)>) {
        match fs::metadata(&path) {
            Ok(data) if data.is_file() && !is_picture(&path) => self.files.push(path),
            Ok(data) if data.is_dir() && depth > 0 => folders.push_back((path, depth)),
            _ => {}
        }
    }
}

/// Whether a file is a picture, by its name.
pub(super) fn is_picture(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("png"))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn folders_that_link_to_each_other_are_listed_once() {
        let model = tempfile::tempdir().unwrap();
        fs::create_dir(model.path().join("e")).unwrap();
        for n in 0..300 {
            symlink("e", model.path().join(format!("l{n}"))).unwrap();
            symlink(".", model.path().join(format!("e/l{n}"))).unwrap();
        }
        fs::write(model.path().join("e/weights"), "").unwrap();
        let found = ModelFiles::list(model.path());
        assert_eq!((found.files.len(), found.has_more), (1, false));
    }

    #[test]
    fn a_list_that_is_not_complete_says_so_and_has_the_files_near_the_top() {
        let model = tempfile::tempdir().unwrap();
        fs::create_dir_all(model.path().join("a/b")).unwrap();
        for n in 0..=MAX_ENTRIES {
            fs::write(model.path().join(format!("a/b/{n}")), "").unwrap();
        }
        fs::create_dir(model.path().join("unet")).unwrap();
        fs::write(model.path().join("unet/weights"), "").unwrap();
        let found = ModelFiles::list(model.path());
        assert!(found.has_more && found.files.contains(&model.path().join("unet/weights")));
        // A single file is a model, too.
        let file = model.path().join("unet/weights");
        assert_eq!(ModelFiles::list(&file).files, [file]);
    }
}
