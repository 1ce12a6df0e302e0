//! The names of shots in one Unicode form.
//!
//! Archives of macOS and older versions of this program contain folders and pictures whose names have decomposed
//! characters, such as `e` with an accent for `é`. The ids of shots have composed ones.

use std::{collections::BTreeSet, path::Path};

use super::{
    ArtError,
    folder::Folder,
    store::{Entry, Kind},
};
use crate::text::composed;

/// Renames the folders and pictures of shots whose names are not composed (Unicode normalization form C). A file whose
/// new name is taken stays where it is. Failures are reported in the log.
pub(super) fn compose(folder: &Folder) {
    for kind in ["takes", "discarded", "parts", "pictures"] {
        if let Err(error) = compose_in(folder, &folder.root().join(kind)) {
            log::warn!("names with decomposed characters are not replaced: {error}");
        }
    }
}

fn compose_in(folder: &Folder, all: &Path) -> Result<(), ArtError> {
    let entries = folder.list(all)?;
    // Not a lookup of each name: some file systems find a file by either form.
    let mut taken: BTreeSet<_> = entries.iter().map(|entry| entry.name.clone()).collect();
    for Entry { name, kind } in &entries {
        let Some(new) = name.to_str().map(composed).filter(|new| **new != **name) else { continue };
        let (from, to) = (all.join(name), all.join(&*new));
        if taken.insert(new.as_ref().into()) {
            folder.rename(&from, &to)?;
        } else if *kind == Kind::Folder {
            merge(folder, &from, &to)?;
        } else {
            log::warn!("{} stays: there is {} already", from.display(), to.display());
        }
    }
    Ok(())
}

/// Moves the files of a folder to another one.
fn merge(folder: &Folder, from: &Path, to: &Path) -> Result<(), ArtError> {
    for Entry { name, .. } in folder.list(from)? {
        let (from, to) = (from.join(&name), to.join(&name));
        if folder.has(&to)? {
            log::warn!("{} stays: there is {} already", from.display(), to.display());
        } else {
            folder.rename(&from, &to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::{
        art::{
            Art,
            tests::{draw, folder, recipe, shot},
        },
        mask::Mask,
        recipe::{Layer, Marks},
    };

    /// `é` as one character, and as a letter with an accent (Unicode 16, UAX 15).
    const COMPOSED: &str = "item-caf\u{e9}";
    const DECOMPOSED: &str = "item-cafe\u{301}";

    #[test]
    fn takes_marks_and_pictures_in_folders_with_decomposed_names_are_found() {
        let (_dir, root) = folder();
        let mut art = Art::open(&root).unwrap();
        let [first, second] =
            ["x", "y"].map(|prompt| draw(&mut art, COMPOSED, &recipe(prompt), 10));
        let marks = Marks { layers: vec![Layer::new("sky", Mask::full(8, 8))], context: None };
        art.set_marks(&first.shot, &first.id, &marks).unwrap();
        art.discard(&second.shot, &second.id).unwrap();
        art.writer().publish(&first).unwrap();
        drop(art);
        let image = first.image().unwrap();
        for kind in ["takes", "discarded", "parts"] {
            let kind = root.join(kind);
            fs::rename(kind.join(COMPOSED), kind.join(DECOMPOSED)).unwrap();
        }
        let picture = |name| root.join(format!("pictures/{name}.png"));
        fs::rename(picture(COMPOSED), picture(DECOMPOSED)).unwrap();

        let read_only = Art::read(&root).unwrap();
        assert_eq!(read_only.takes(&shot(COMPOSED))[0].image().unwrap(), image);
        for _ in 0..2 {
            let art = Art::open(&root).unwrap();
            assert_eq!(art.takes(&shot(DECOMPOSED)), std::slice::from_ref(&first));
            assert_eq!(art.discarded(&shot(COMPOSED)).len(), 1);
            assert_eq!(art.marks(&first.shot, &first.id).unwrap(), marks);
            assert!(art.writer().is_published(&first).unwrap());
        }
    }

    #[test]
    fn folders_of_the_same_shot_are_merged_and_no_file_is_replaced() {
        let (_dir, root) = folder();
        let mut art = Art::open(&root).unwrap();
        let [first, second] =
            ["x", "y"].map(|prompt| draw(&mut art, COMPOSED, &recipe(prompt), 10));
        drop(art);
        let other = root.join("takes").join(DECOMPOSED);
        fs::create_dir(&other).unwrap();
        fs::rename(&first.path, other.join(first.path.file_name().unwrap())).unwrap();
        let copy = other.join(second.path.file_name().unwrap());
        fs::write(&copy, "another file").unwrap();

        assert_eq!(Art::read(&root).unwrap().takes(&shot(COMPOSED)).len(), 2);
        let art = Art::open(&root).unwrap();
        assert_eq!(art.takes(&shot(COMPOSED)), [first, second]);
        assert_eq!(fs::read_to_string(copy).unwrap(), "another file");
    }
}
