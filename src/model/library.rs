//! Finds the files and folders of models on disk, as in the folders of `ComfyUI`, A1111 and the cache of Hugging Face.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::package::INDEX;

/// The deepest folder that is read, below a given one.
const MAX_DEPTH: usize = 8;

/// The most files and folders that are looked at in a given folder, which may be a whole disk.
const MAX_ENTRIES: usize = 200_000;

/// The folder of commits in a repository of the cache of Hugging Face.
const SNAPSHOTS: &str = "snapshots";

/// The start of the name of a repository's folder.
const REPOSITORY: &str = "models--";

/// The endings of files with weights.
const WEIGHTS: [&str; 6] = ["safetensors", "sft", "gguf", "ckpt", "pt", "pth"];

/// The files and folders below these folders that may be models, LoRAs or components of models: diffusers folders, folders
/// of components, and files with weights. The files in such a folder are not listed. Folders that cannot be read and hidden
/// folders are left out. Links are followed.
pub fn candidates(folders: &[PathBuf]) -> impl Iterator<Item = PathBuf> + use<> {
    let folders = folders.to_vec();
    folders.into_iter().flat_map(|folder| {
        let mut walk = WalkDir::new(&folder)
            .max_depth(MAX_DEPTH)
            .follow_links(true)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry));
        let mut entries = 0;
        std::iter::from_fn(move || {
            while entries < MAX_ENTRIES {
                entries += 1;
                let Ok(entry) = walk.next()? else { continue };
                let path = entry.path();
                if entry.file_type().is_dir() {
                    if is_model_folder(path) {
                        walk.skip_current_dir();
                        return Some(path.to_owned());
                    }
                } else if has_weights(path) {
                    return Some(path.to_owned());
                }
            }
            None
        })
    })
}

/// The repository of a file or folder in the cache of Hugging Face, `OWNER/NAME`. `None` if it is not in such a cache.
pub fn repository(path: &Path) -> Option<String> {
    // `models--OWNER--NAME/snapshots/COMMIT`
    let mut folders = path.ancestors().skip_while(|it| !it.ends_with(SNAPSHOTS));
    let folder = folders.nth(1)?.file_name()?.to_str()?;
    Some(folder.strip_prefix(REPOSITORY)?.replacen("--", "/", 1))
}

/// Whether this is the folder of a commit in the cache of Hugging Face.
pub fn is_commit(path: &Path) -> bool {
    path.parent().is_some_and(|it| it.ends_with(SNAPSHOTS)) && repository(path).is_some()
}

/// A diffusers folder, or the folder of a component.
fn is_model_folder(folder: &Path) -> bool {
    let is_component = || {
        folder.join("config.json").is_file()
            && folder.read_dir().is_ok_and(|it| it.flatten().any(|it| has_weights(&it.path())))
    };
    folder.join(INDEX).is_file() || is_component()
}

fn has_weights(file: &Path) -> bool {
    let extension = file.extension().unwrap_or_default();
    WEIGHTS.iter().any(|weights| extension.eq_ignore_ascii_case(weights))
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with('.')
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A folder with these files, which are empty.
    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    fn found(folder: &Path) -> Vec<String> {
        let found = candidates(&[folder.to_owned()]);
        let relative = |path: PathBuf| path.strip_prefix(folder).unwrap().display().to_string();
        found.map(|path| relative(path).replace('\\', "/")).collect()
    }

    #[test]
    fn folders_of_models_are_found_as_a_whole_and_weights_one_by_one() {
        let folder = folder(&[
            "checkpoints/ink.safetensors",
            "checkpoints/notes.txt",
            "checkpoints/old.ckpt",
            "diffusers/harbour/model_index.json",
            "diffusers/harbour/unet/config.json",
            "diffusers/harbour/unet/diffusion_pytorch_model.safetensors",
            "controlnet/lines/config.json",
            "controlnet/lines/diffusion_pytorch_model.safetensors",
            "configs/sd15/config.json",
            ".cache/hidden.safetensors",
            "loras/deep/er/COAT.SAFETENSORS",
        ]);
        let expected = [
            "checkpoints/ink.safetensors",
            "checkpoints/old.ckpt",
            "controlnet/lines",
            "diffusers/harbour",
            "loras/deep/er/COAT.SAFETENSORS",
        ];
        assert_eq!(found(folder.path()), expected);
    }

    #[test]
    fn a_given_folder_may_be_a_model_or_missing() {
        let folder = folder(&["model_index.json", "unet/a.safetensors"]);
        assert_eq!(found(folder.path()), [""]);
        assert_eq!(found(&folder.path().join("none")), [""; 0]);
    }

    #[test]
    fn the_repository_is_read_from_a_path_in_the_cache_of_hugging_face() {
        let commit = Path::new("hub/models--owner--a--model/snapshots/1f3b");
        assert_eq!(repository(commit).as_deref(), Some("owner/a--model"));
        assert_eq!(repository(&commit.join("loras/ink.safetensors")), repository(commit));
        assert!(is_commit(commit) && !is_commit(&commit.join("unet")));
        for other in ["hub/snapshots/1f3b", "models--owner--name/blobs/1f3b", "snapshots", ""] {
            assert_eq!((repository(Path::new(other)), is_commit(Path::new(other))), (None, false));
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_but_a_loop_ends() {
        let folder = folder(&["real/a.safetensors"]);
        let link = |to: &Path, name: &str| {
            std::os::unix::fs::symlink(to, folder.path().join(name)).unwrap();
        };
        link(&folder.path().join("real"), "link");
        link(folder.path(), "real/loop");
        let found = found(folder.path());
        assert_eq!(found, ["link/a.safetensors", "real/a.safetensors"]);
    }
}
