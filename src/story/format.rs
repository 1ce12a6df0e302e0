//! File formats of stories: the trait [`StoryFormat`] and the table of formats.
//!
//! A new format is one implementation of [`StoryFormat`] and one call of [`StoryFormats::register`].

mod error;
pub mod ron;

use std::{fmt, path::Path, sync::Arc};

use super::Story;
use crate::{foreign, lfs::LfsPointer};

pub use error::StoryError;

#[cfg(feature = "plugin")]
use bevy::prelude::Resource;

/// The name of a story without a file name. See [`StoryFormats::story_name`].
pub const DEFAULT_NAME: &str = "story";

/// Reads stories from files of one format.
///
/// ```
/// use std::path::Path;
/// use bevy_illustrator::story::{Scene, Story, format::{StoryError, StoryFormat, StoryFormats}};
///
/// /// The title of the story, then the id of one scene on each line.
/// struct Outline;
///
/// impl StoryFormat for Outline {
///     fn extensions(&self) -> &'static [&'static str] {
///         &["outline"]
///     }
///
///     fn parse(&self, bytes: &[u8], path: &Path) -> Result<Story, StoryError> {
///         let text = StoryError::utf8(bytes, path)?;
///         let mut lines = text.lines().map(str::to_owned);
///         let title = lines.next().unwrap_or_default();
///         let scenes = lines.map(|id| Scene { id, ..Scene::default() }).collect();
///         Ok(Story { title, scenes, ..Story::default() })
///     }
/// }
///
/// let mut formats = StoryFormats::default();
/// formats.register(Outline);
/// let story = formats.parse(b"Two tides\nnight\ndawn", Path::new("tides.outline"))?;
/// assert_eq!(story.scenes[1].id, "dawn");
/// # Ok::<(), StoryError>(())
/// ```
pub trait StoryFormat: Send + Sync + 'static {
    /// The file name extensions of the format, without the leading dot. An extension may contain dots:
    /// `story.ron`.
    fn extensions(&self) -> &'static [&'static str];

    /// Reads a story from the content of a file. `path` is for error messages.
    ///
    /// # Errors
    /// If `bytes` are not a story in this format. [`check`](super::check::check) finds the faults in a
    /// well-formed story.
    fn parse(&self, bytes: &[u8], path: &Path) -> Result<Story, StoryError>;
}

/// The known story formats. The default has [RON](ron::RonFormat).
///
/// In a game, [`register_story_format`](crate::plugin::StoryFormatAppExt::register_story_format) adds one.
#[derive(Clone)]
#[cfg_attr(feature = "plugin", derive(Resource))]
pub struct StoryFormats(Vec<Arc<dyn StoryFormat>>);

impl StoryFormats {
    /// Adds a format. It takes precedence over earlier formats with the same extension.
    pub fn register(&mut self, format: impl StoryFormat) -> &mut Self {
        self.0.push(Arc::new(format));
        self
    }

    /// All extensions, without the leading dot; those of the last registered format come first.
    pub fn extensions(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().rev().flat_map(|format| format.extensions()).copied()
    }

    /// The format of a file, and the longest registered extension that matches its name.
    fn find(&self, file_name: &str) -> Option<(&dyn StoryFormat, &'static str)> {
        let matches = self.0.iter().flat_map(|format| {
            let extensions = format.extensions().iter().copied();
            extensions
                .filter(|extension| has_extension(file_name, extension))
                .map(move |e| (format, e))
        });
        let (format, extension) = matches.max_by_key(|(_, extension)| extension.len())?;
        Some((&**format, extension))
    }

    /// The name of a story by its file name, without the extension: `act.1` for `act.1.story.ron`. The art
    /// folder has this name. Without a name, or if the name consists of dots, it is [`DEFAULT_NAME`].
    #[must_use]
    pub fn story_name<'a>(&self, file_name: &'a str) -> &'a str {
        let extension = self.find(file_name).map_or(0, |(_, extension)| extension.len() + 1);
        let name = &file_name[..file_name.len() - extension];
        if name.chars().all(|letter| letter == '.') { DEFAULT_NAME } else { name }
    }

    /// Reads a story from the content of a file, in the format that the extension of `path` names.
    ///
    /// # Errors
    /// If no format has the extension, or the content is not a story in that format.
    pub fn parse(&self, bytes: &[u8], path: &Path) -> Result<Story, StoryError> {
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some((format, _)) = self.find(&file_name) else {
            return Err(StoryError::UnknownFormat {
                path: path.to_owned(),
                known: self.extensions().collect(),
            });
        };
        let pointer = |source| StoryError::LfsPointer { path: path.to_owned(), source };
        LfsPointer::check(bytes).map_err(pointer)?;
        format.parse(bytes, path).map(Story::with_composed_names)
    }

    /// Reads a story from a file, in the format that its extension names.
    ///
    /// # Errors
    /// See [`Self::parse`]. Also if the file cannot be read.
    pub fn read(&self, path: &Path) -> Result<Story, StoryError> {
        let bytes = foreign::read(path, foreign::MAX_TEXT)
            .map_err(|source| StoryError::Read { path: path.to_owned(), source })?;
        self.parse(&bytes, path)
    }
}

impl Default for StoryFormats {
    fn default() -> Self {
        let mut formats = Self(Vec::new());
        formats.register(ron::RonFormat);
        formats
    }
}

impl fmt::Debug for StoryFormats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.extensions()).finish()
    }
}

/// Whether a file name ends in a dot and an extension.
fn has_extension(file_name: &str, extension: &str) -> bool {
    file_name.strip_suffix(extension).is_some_and(|stem| stem.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A format that accepts anything and puts its own name into the title.
    struct Named(&'static str, &'static [&'static str]);

    impl StoryFormat for Named {
        fn extensions(&self) -> &'static [&'static str] {
            self.1
        }

        fn parse(&self, _: &[u8], _: &Path) -> Result<Story, StoryError> {
            Ok(Story { title: self.0.to_owned(), ..Story::default() })
        }
    }

    #[test]
    fn the_story_name_is_the_file_name_without_the_longest_known_extension() {
        let formats = StoryFormats::default();
        for (file_name, name) in [
            ("painters_door.story.ron", "painters_door"),
            ("tale.ron", "tale"),
            ("act.2.story.ron", "act.2"),
            (".ron", "story"),
            (".story.ron", "story"),
            ("", "story"),
            ("..story.ron", "story"),
            ("...story.ron", "story"),
            ("..", "story"),
            ("notes.txt", "notes.txt"),
            ("macron", "macron"),
        ] {
            assert_eq!(formats.story_name(file_name), name, "{file_name}");
        }
    }

    #[test]
    fn the_longest_extension_wins_and_then_the_last_registered_format() {
        let mut formats = StoryFormats::default();
        formats
            .register(Named("first", &["tale"]))
            .register(Named("second", &["tale"]))
            .register(Named("long", &["long.tale"]))
            .register(Named("third", &["other"]));
        let title = |file: &str| formats.parse(b"", Path::new(file)).unwrap().title;
        assert_eq!(title("a/b.tale"), "second");
        assert_eq!(title("a/b.long.tale"), "long");
        assert_eq!(title("b.other"), "third");
    }

    #[test]
    fn an_unknown_extension_is_refused_with_the_known_ones() {
        let error = StoryFormats::default().parse(b"", Path::new("a/b.docx")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("a/b.docx") && text.contains(".story.ron"), "{text}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = StoryFormats::default().read(Path::new("nowhere/x.story.ron")).unwrap_err();
        assert!(error.to_string().contains("nowhere/x.story.ron"), "{error}");
    }
}
