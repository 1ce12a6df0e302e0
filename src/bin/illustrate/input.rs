//! The story that a command works on, and its art folder.

use std::path::{Path, PathBuf};

use bevy_illustrator::story::{
    Story,
    check::{StoryFault, check},
    format::StoryFormats,
};

use crate::failure::Failure;

/// Which story, and where its pictures lie.
#[derive(Debug, clap::Args)]
pub(crate) struct StoryArgs {
    /// The story file: NAME.story.ron
    story: PathBuf,
    /// The art folder [default: illustrations/NAME in the nearest folder above the story that is
    /// called `assets`, as the game finds it, or else beside the story]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl StoryArgs {
    /// Reads the story and tells its warnings on stderr.
    ///
    /// # Errors
    /// When it cannot be read, or has faults that keep it from being planned.
    pub(crate) fn read(&self) -> Result<Story, Failure> {
        let story = StoryFormats::default().read(&self.story)?;
        let (warnings, faults): (Vec<_>, Vec<_>) =
            check(&story).into_iter().partition(StoryFault::is_warning);
        for warning in warnings {
            eprintln!("warning: {}: {warning}", self.story.display());
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

/// Where the plugin keeps the pictures of a story in an asset folder; elsewhere, beside the story.
fn default_art_folder(story: &Path) -> PathBuf {
    // Absolute, so that it is found from within that folder as well.
    let absolute = std::path::absolute(story).unwrap_or_else(|_| story.to_path_buf());
    let assets = absolute.ancestors().skip(1).find(|folder| folder.ends_with("assets"));
    let beside = story.parent().unwrap_or(Path::new(""));
    let name = story.file_name().unwrap_or_default().to_string_lossy();
    assets.unwrap_or(beside).join("illustrations").join(StoryFormats::default().story_name(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_lie_where_the_game_looks_for_them() {
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
}
