//! The story arguments that commands share.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use bevy_illustrator::story::{
    Story,
    check::{StoryFault, check},
    format::StoryFormats,
};

use crate::{
    failure::{Failure, MAX_DETAILS},
    paths::absolute,
};

/// The story and its art folder.
#[derive(Debug, clap::Args)]
pub(crate) struct StoryArgs {
    /// The story file, NAME.story.ron
    story: PathBuf,
    /// The art folder [default: illustrations/NAME in the nearest parent folder named `assets`, which the
    /// game reads; otherwise next to the story]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl StoryArgs {
    /// Reads the story and prints its warnings on stderr.
    ///
    /// # Errors
    /// If the story cannot be read or has faults other than warnings.
    pub(crate) fn read(&self) -> Result<Story, Failure> {
        let story = StoryFormats::default().read(&self.story)?;
        let (warnings, faults): (Vec<_>, Vec<_>) =
            check(&story).into_iter().partition(StoryFault::is_warning);
        for warning in warnings.iter().take(MAX_DETAILS) {
            log::warn!("{}: {warning}", self.story.display());
        }
        if warnings.len() > MAX_DETAILS {
            let more = warnings.len() - MAX_DETAILS;
            log::warn!("{}: {more} more warnings", self.story.display());
        }
        if faults.is_empty() {
            Ok(story)
        } else {
            Err(Failure::Faults { path: self.story.clone(), faults })
        }
    }

    /// The art folder.
    pub(crate) fn art_folder(&self) -> PathBuf {
        self.out.clone().unwrap_or_else(|| default_art_folder(&self.story))
    }
}

/// The plugin's art folder for a story inside `assets`, otherwise a folder next to the story.
fn default_art_folder(story: &Path) -> PathBuf {
    // Absolute, so that `assets` is found from inside that folder too.
    let absolute = absolute(story).unwrap_or_else(|_| story.to_path_buf());
    let assets = absolute.ancestors().skip(1).find(|folder| folder.ends_with("assets"));
    let beside = story.parent().unwrap_or(Path::new(""));
    let name = folder_name(story.file_name().unwrap_or_default());
    assets.unwrap_or(beside).join("illustrations").join(name)
}

/// The name of the art folder for a story file. A name that is not UTF-8 is kept.
fn folder_name(file_name: &OsStr) -> OsString {
    let text = file_name.to_string_lossy();
    let formats = StoryFormats::default();
    let name = formats.story_name(&text);
    let Some(extension) = text.strip_prefix(name) else { return name.into() };
    let mut stem = PathBuf::from(file_name);
    for _ in extension.matches('.') {
        stem.set_extension("");
    }
    stem.into_os_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_art_folder_is_the_one_that_the_game_reads() {
        for (story, art) in [
            ("/game/assets/stories/door.story.ron", "/game/assets/illustrations/door"),
            ("/game/assets/acts/1/door.story.ron", "/game/assets/illustrations/door"),
            ("door.story.ron", "illustrations/door"),
            ("/x/door.ron", "/x/illustrations/door"),
            ("/x/door.2.story.ron", "/x/illustrations/door.2"),
        ] {
            assert_eq!(default_art_folder(Path::new(story)), Path::new(art));
        }
    }

    #[test]
    fn a_story_outside_of_assets_has_an_art_folder_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["game/assets", "drafts"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let drafts = folder.path().join("game/assets/../../drafts");
        let art = default_art_folder(&drafts.join("door.story.ron"));
        assert_eq!(art, drafts.join("illustrations/door"));
    }

    #[cfg(unix)]
    #[test]
    fn stories_whose_names_are_not_utf_8_have_folders_of_their_own() {
        use std::os::unix::ffi::OsStrExt;
        for name in [b"\xe9", b"\xea"] {
            let file = [name, b".story.ron".as_slice()].concat();
            assert_eq!(folder_name(OsStr::from_bytes(&file)).as_bytes(), name);
        }
    }
}
