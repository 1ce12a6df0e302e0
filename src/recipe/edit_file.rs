//! Edits in a RON file, with masks in PNG files beside it:
//!
//! ```ron
//! (
//!     prompt: "a lighthouse on a cliff at dusk, flat colours",
//!     parts: [
//!         (name: "sky", mask: "sky.png", edit: Replace, words: "night sky with stars", strength: 0.9),
//!         (name: "boat", scribble: "boat.png", edit: Add, words: "a small red boat"),
//!         (name: "face", mask: "face.png", edit: Keep),
//!     ],
//! )
//! ```

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use image::{ImageFormat, RgbaImage};
use ron::{Options, extensions::Extensions};
use serde::Deserialize;

use super::part::{EditKind, Part, PartEdit, PictureEdit, Scribble, picture_hash};
use crate::mask::{Area, Mask, MaskError};

/// A file of edits. Parts stand from the uppermost down.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EditFile {
    /// What the whole picture shows.
    #[serde(default)]
    pub prompt: String,
    /// What no part may show.
    #[serde(default, alias = "unwanted")]
    pub negative_prompt: String,
    /// Words that every part's own words end with.
    #[serde(default)]
    pub style: String,
    /// The parts.
    pub parts: Vec<PartEntry>,
    /// What of the picture the networks see, in pixels.
    #[serde(default)]
    pub context: Option<Area>,
}

/// A part in a file of edits: [`PartEdit`] with files.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartEntry {
    /// Its name; that of its mask if it has none.
    #[serde(default)]
    pub name: String,
    /// A grey PNG as large as the picture: white may change, grey partly, black not. Without one, what the
    /// scribble covers.
    #[serde(default)]
    pub mask: Option<PathBuf>,
    /// As [`PartEdit::kind`].
    pub edit: EditKind,
    /// As [`PartEdit::words`].
    #[serde(default)]
    pub words: String,
    /// As [`PartEdit::negative_prompt`].
    #[serde(default, alias = "unwanted")]
    pub negative_prompt: String,
    /// As [`PartEdit::strength`].
    #[serde(default)]
    pub strength: Option<f32>,
    /// As [`PartEdit::amount`].
    #[serde(default)]
    pub amount: Option<f32>,
    /// As [`PartEdit::seed`].
    #[serde(default)]
    pub seed: Option<u64>,
    /// As [`PartEdit::grow`].
    #[serde(default)]
    pub grow: Option<u32>,
    /// As [`PartEdit::feather`].
    #[serde(default)]
    pub feather: Option<u32>,
    /// A rough shape in colours: a PNG as large as the picture, see-through where there is nothing.
    #[serde(default)]
    pub scribble: Option<PathBuf>,
}

/// Why a file of edits cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditFileError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The text is no file of edits.
    #[error("{path}:{line}:{column}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What RON said.
        message: String,
    },
    /// A file is no mask.
    #[error("{path}: {source}")]
    Mask {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: MaskError,
    },
    /// A file is no scribble.
    #[error(
        "{path} is no scribble: {source}: save it as a PNG, see-through where there is nothing"
    )]
    Scribble {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: image::ImageError,
    },
    /// A part is nowhere.
    #[error("part `{part}` has neither a mask nor a scribble: say which pixels it is about")]
    NoMask {
        /// Its name, or its number.
        part: String,
    },
}

impl EditFile {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is no file of edits: a field that there is not is refused.
    pub fn read(path: &Path) -> Result<Self, EditFileError> {
        Self::parse(&bytes(path)?, path)
    }

    /// Reads the bytes of a file; `path` is for messages only.
    ///
    /// # Errors
    /// When they are no file of edits.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, EditFileError> {
        let options = Options::default().with_default_extension(Extensions::IMPLICIT_SOME);
        options.from_bytes(bytes).map_err(|error| EditFileError::Syntax {
            path: path.to_owned(),
            line: error.span.start.line,
            column: error.span.start.col,
            message: error.code.to_string(),
        })
    }

    /// What it says about a picture, with all masks and scribbles read. Their paths are seen from `folder`,
    /// where the file lies.
    ///
    /// # Errors
    /// When one of them cannot be read, or a part has none.
    pub fn load(&self, folder: &Path, picture: &RgbaImage) -> Result<PictureEdit, EditFileError> {
        let parts = self.parts.iter().enumerate();
        Ok(PictureEdit {
            parent: None,
            picture: picture_hash(picture),
            style: self.style.clone(),
            parts: parts.map(|(i, part)| part.load(i, folder)).collect::<Result<_, _>>()?,
            context: self.context,
            origin: None,
        })
    }
}

impl PartEntry {
    fn load(&self, index: usize, folder: &Path) -> Result<Part, EditFileError> {
        let scribble =
            self.scribble.as_ref().map(|file| scribble(&folder.join(file))).transpose()?;
        let mask = match (&self.mask, &scribble) {
            (Some(file), _) => mask(&folder.join(file))?,
            (None, Some(Scribble(image))) => {
                Mask::from_fn(image.width(), image.height(), |x, y| image.get_pixel(x, y).0[3])
            }
            (None, None) => return Err(EditFileError::NoMask { part: self.title(index) }),
        };
        Ok(Part {
            name: self.title(index),
            mask,
            edit: PartEdit {
                kind: self.edit,
                words: self.words.clone(),
                negative_prompt: self.negative_prompt.clone(),
                strength: self.strength,
                amount: self.amount,
                seed: self.seed,
                grow: self.grow,
                feather: self.feather,
            },
            scribble,
        })
    }

    fn title(&self, index: usize) -> String {
        let file = self.mask.as_ref().or(self.scribble.as_ref());
        let stem = file.and_then(|file| file.file_stem()).map(|stem| stem.to_string_lossy());
        match (self.name.trim(), stem) {
            ("", Some(stem)) => stem.into_owned(),
            ("", None) => (index + 1).to_string(),
            (name, _) => name.to_owned(),
        }
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, EditFileError> {
    std::fs::read(path).map_err(|source| EditFileError::Read { path: path.to_owned(), source })
}

fn mask(path: &Path) -> Result<Mask, EditFileError> {
    let wrong = |source| EditFileError::Mask { path: path.to_owned(), source };
    Mask::from_png(&bytes(path)?).map_err(wrong)
}

fn scribble(path: &Path) -> Result<Scribble, EditFileError> {
    let wrong = |source| EditFileError::Scribble { path: path.to_owned(), source };
    let image = image::load_from_memory_with_format(&bytes(path)?, ImageFormat::Png);
    Ok(Scribble(Arc::new(image.map_err(wrong)?.into_rgba8())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<EditFile, EditFileError> {
        EditFile::parse(text.as_bytes(), Path::new("edit.ron"))
    }

    #[test]
    fn what_is_not_said_is_as_usual() {
        let file = parse(r#"(parts: [(mask: "sky.png", edit: Refine)])"#).unwrap();
        let entry = PartEntry {
            mask: Some("sky.png".into()),
            edit: EditKind::Refine,
            ..PartEntry::default()
        };
        assert_eq!((file.prompt.as_str(), &file.parts), ("", &vec![entry]));
        assert_eq!(file.parts[0].title(0), "sky");
    }

    #[test]
    fn a_slip_of_the_pen_is_told_with_its_place() {
        for (text, place, word) in [
            ("(parts: [\n  (mask: \"a.png\", edit: Enlarge)])", "edit.ron:2:", "Enlarge"),
            ("(parts: [(mask: \"a.png\", edit: Keep, strenght: 1)])", "edit.ron:1:", "strenght"),
            ("(prompt: \"a\")", "edit.ron:1:", "parts"),
            ("(parts: [(mask: \"a.png\")])", "edit.ron:1:", "edit"),
            ("", "edit.ron:1:", ""),
            ("\u{0}\u{7}", "edit.ron:1:", ""),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.starts_with(place) && message.contains(word), "{message}");
        }
    }

    #[test]
    fn a_part_that_is_nowhere_is_refused() {
        let file = parse(r#"(parts: [(edit: Add, words: "a cat")])"#).unwrap();
        let error = file.load(Path::new("."), &RgbaImage::new(1, 1)).unwrap_err().to_string();
        assert!(error.contains("`1`") && error.contains("mask"), "{error}");
    }

    /// A file of edits with some of its letters exchanged, left out or doubled.
    fn slips() -> impl Strategy<Value = Vec<u8>> {
        const RIGHT: &str = r#"(prompt: "a", style: "ink", context: (x: 0, y: 1, width: 8, height: 8), parts: [
            (name: "sky", mask: "sky.png", edit: Replace, words: "stars", strength: 0.9, grow: 4, seed: 7),
            (name: "boat", scribble: "boat.png", edit: Add, words: "a boat", feather: 12),
        ])"#;
        prop::collection::vec((0..RIGHT.len(), any::<u8>(), 0_u8..3), 0..6).prop_map(|slips| {
            let mut bytes = RIGHT.as_bytes().to_vec();
            for (at, byte, how) in slips {
                let at = at.min(bytes.len() - 1);
                match how {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    _ => drop(bytes.remove(at)),
                }
            }
            bytes
        })
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd_to_be_told_what_is_wrong_with_it(bytes in slips()) {
            match EditFile::parse(&bytes, Path::new("edit.ron")) {
                Ok(file) => {
                    let missing = file.load(Path::new("nowhere"), &RgbaImage::new(4, 4));
                    prop_assert!(missing.is_err() || file.parts.is_empty());
                }
                Err(error) => prop_assert!(error.to_string().starts_with("edit.ron:"), "{error}"),
            }
        }
    }
}
