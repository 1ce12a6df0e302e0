//! Edit files: the parts of an edit in RON, with masks and scribbles in PNG files in the same folder.
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

mod error;
mod images;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{
    Canvas, EditKind, Images, Inspiration, Loss, MAX_TEXT_LENGTH, Part, PartEdit, Size, images_of,
};
use crate::{
    foreign,
    lfs::LfsPointer,
    mask::Area,
    ron_text::{self, RonError},
    text::without_bom,
};
pub use error::EditFileError;
use images::ImageFiles;
pub use images::read_mask;

/// The most parts of an edit.
pub const MAX_PARTS: usize = 64;

/// The most images of an edit.
pub const MAX_IMAGES: usize = 32;

/// The most bytes of the masks and scribbles of all parts and of their plan, even if parts share files.
const MAX_BYTES: u64 = 700_000_000;

/// An edit file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EditFile {
    /// The prompt of the whole picture.
    #[serde(default)]
    pub prompt: String,
    /// The negative prompt for all parts.
    #[serde(default, alias = "unwanted")]
    pub negative_prompt: String,
    /// Text that is appended to each part's own prompt.
    #[serde(default)]
    pub style: String,
    /// The parts, from top to bottom.
    pub parts: Vec<PartEntry>,
    /// The crop that the model receives, in pixels. By default it is chosen around the parts.
    #[serde(default)]
    pub context: Option<Area>,
    /// As [`PictureEdit::canvas`](super::PictureEdit::canvas). Masks and scribbles have its size.
    #[serde(default)]
    pub canvas: Option<Canvas>,
    /// As [`PictureEdit::tiled`](super::PictureEdit::tiled).
    #[serde(default)]
    pub tiled: bool,
    /// The inspirations of all parts together. Images are files.
    #[serde(default)]
    pub inspirations: Vec<Inspiration<PathBuf>>,
    /// What all parts together are steered by. Images are files.
    #[serde(default)]
    pub losses: Vec<Loss<PathBuf>>,
    /// As [`Recipe::score`](super::Recipe::score).
    #[serde(default)]
    pub score: bool,
}

/// The parts of an edit file, with the pixels of their files.
#[derive(Clone, Debug)]
pub struct LoadedEdit {
    /// The parts, from top to bottom.
    pub parts: Vec<Part>,
    /// The inspirations of all parts together.
    pub inspirations: Vec<Inspiration>,
    /// What all parts together are steered by.
    pub losses: Vec<Loss>,
    /// The images that these refer to.
    pub images: Images,
}

/// A part in an edit file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartEntry {
    /// Its name. By default it is the name of the mask file.
    #[serde(default)]
    pub name: String,
    /// The mask: a grey PNG of the picture's size. White pixels may change, black ones are kept. By default the mask is
    /// the opaque area of the scribble.
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
    /// A rough drawing in colour: a PNG of the picture's size, transparent where nothing is drawn.
    #[serde(default)]
    pub scribble: Option<PathBuf>,
    /// As [`PartEdit::inspirations`]. Images are files.
    #[serde(default)]
    pub inspirations: Vec<Inspiration<PathBuf>>,
    /// As [`PartEdit::losses`]. Images are files.
    #[serde(default)]
    pub losses: Vec<Loss<PathBuf>>,
}

impl EditFile {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or is not an edit file. Unknown fields are refused.
    pub fn read(path: &Path) -> Result<Self, EditFileError> {
        let bytes = foreign::read(path, foreign::MAX_TEXT)
            .map_err(|source| EditFileError::Read { path: path.to_owned(), source })?;
        Self::parse(&bytes, path)
    }

    /// Parses the contents of a file. `path` is only used in messages.
    ///
    /// # Errors
    /// If it is not an edit file.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, EditFileError> {
        let pointer = |source| EditFileError::LfsPointer { path: path.to_owned(), source };
        LfsPointer::check(bytes).map_err(pointer)?;
        let file: Self = ron_text::parse(without_bom(bytes)).map_err(|error| {
            let RonError { line, column, message } = error;
            EditFileError::Syntax { path: path.to_owned(), line, column, message }
        })?;
        let texts = [
            ("prompt", &file.prompt),
            ("negative_prompt", &file.negative_prompt),
            ("style", &file.style),
        ];
        if let Some((field, text)) =
            texts.into_iter().find(|(_, text)| text.len() > MAX_TEXT_LENGTH)
        {
            let bytes = text.len();
            return Err(EditFileError::LongText { path: path.to_owned(), field, bytes });
        }
        Ok(file)
    }

    /// Reads the masks, scribbles and images of all parts. Their paths are relative to `folder`, the folder of the edit
    /// file, and neither they nor links lead out of it. Parts that name the same file share its pixels.
    ///
    /// # Errors
    /// If the canvas does not suit the `picture`; if one of them is outside the folder, or cannot be read; if a mask or scribble does not have the size of the
    /// `picture`; if a part has neither; if an inspiration or a loss is not valid; if there are more than [`MAX_PARTS`] or
    /// [`MAX_IMAGES`], or they need too much memory.
    pub fn load(&self, folder: &Path, picture: Size) -> Result<LoadedEdit, EditFileError> {
        if let Some(canvas) = &self.canvas {
            canvas.check(picture)?;
        }
        let picture = self.canvas.map_or(picture, |canvas| canvas.size);
        let parts = self.parts.len();
        if parts > MAX_PARTS {
            return Err(EditFileError::TooManyParts { parts });
        }
        let pixels = u64::from(picture.width) * u64::from(picture.height);
        // Each part has a mask, and two in the plan. A scribble has four bytes per pixel.
        let bytes = |part: &PartEntry| if part.scribble.is_some() { 7 } else { 3 };
        if self.parts.iter().map(bytes).sum::<u64>().saturating_mul(pixels) > MAX_BYTES {
            return Err(EditFileError::TooLarge { parts, picture });
        }
        // Decoding images takes time, so the values are checked first.
        Inspiration::check_all(&self.inspirations)?;
        Loss::check_all(&self.losses)?;
        self.parts.iter().enumerate().try_for_each(|(i, part)| part.check(i))?;
        let mut images = ImageFiles::new(folder, picture);
        let part = |(i, part): (usize, &PartEntry)| part.load(i, &mut images);
        let parts = self.parts.iter().enumerate().map(part).collect::<Result<_, _>>()?;
        let mut of_all = Images::new();
        let inspirations = images.of_inspirations(&self.inspirations, &mut of_all)?;
        let losses = images.of_losses(&self.losses, &mut of_all)?;
        Ok(LoadedEdit { parts, inspirations, losses, images: of_all })
    }

    /// The files of all masks, scribbles and images.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let of_parts = self.parts.iter().flat_map(|part| {
            let own = [&part.mask, &part.scribble].into_iter().flatten();
            own.chain(images_of(&part.inspirations, &part.losses))
        });
        of_parts.chain(images_of(&self.inspirations, &self.losses)).map(PathBuf::as_path)
    }
}

impl PartEntry {
    /// Checks the inspirations and losses.
    fn check(&self, index: usize) -> Result<(), EditFileError> {
        let of_inspirations = Inspiration::check_all(&self.inspirations).map_err(Into::into);
        of_inspirations
            .and_then(|()| Loss::check_all(&self.losses).map_err(Into::into))
            .map_err(|source| EditFileError::Part { part: self.title(index), source })
    }

    fn load(&self, index: usize, images: &mut ImageFiles) -> Result<Part, EditFileError> {
        let no_mask = || EditFileError::NoMask { part: self.title(index) };
        let (mask, scribble) = images.of(self)?.ok_or_else(no_mask)?;
        let mut own = Images::new();
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
                inspirations: images.of_inspirations(&self.inspirations, &mut own)?,
                losses: images.of_losses(&self.losses, &mut own)?,
            },
            scribble,
            images: own,
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<EditFile, EditFileError> {
        EditFile::parse(text.as_bytes(), Path::new("edit.ron"))
    }

    #[test]
    fn fields_that_are_left_out_have_defaults() {
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
    fn a_text_that_is_too_long_for_a_prompt_is_an_error() {
        for field in ["prompt", "negative_prompt", "style"] {
            let file = |bytes| format!("({field}: \"{}\", parts: [])", "a".repeat(bytes));
            assert!(parse(&file(8192)).is_ok());
            let message = parse(&file(8193)).unwrap_err().to_string();
            assert!(message.contains(&format!("`{field}` has 8193 bytes")), "{message}");
        }
    }

    #[test]
    fn an_error_names_the_place_and_the_word() {
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
    fn a_part_without_mask_and_scribble_is_refused() {
        let file = parse(r#"(parts: [(edit: Add, words: "a cat")])"#).unwrap();
        let error = file.load(Path::new("."), Size::new(8, 8)).unwrap_err().to_string();
        assert!(error.contains("`1`") && error.contains("mask"), "{error}");
    }

    #[test]
    fn the_context_in_the_documentation_is_valid() {
        let documentation = include_str!("../../docs/command_line.md");
        let (_, rest) = documentation.split_once("`context: (").unwrap();
        let (area, _) = rest.split_once('`').unwrap();
        let file = parse(&format!("(parts: [], context: ({area})")).unwrap();
        assert_eq!(file.context, Some(Area { x: 0, y: 0, width: 256, height: 192 }));
    }

    /// An edit file in which some bytes are replaced, removed or inserted.
    fn damaged() -> impl Strategy<Value = Vec<u8>> {
        const VALID: &str = r#"(prompt: "a", style: "ink", context: (x: 0, y: 1, width: 8, height: 8), parts: [
            (name: "sky", mask: "sky.png", edit: Replace, words: "stars", strength: 0.9, grow: 4, seed: 7),
            (name: "boat", scribble: "boat.png", edit: Add, words: "a boat", feather: 12),
        ])"#;
        prop::collection::vec((0..VALID.len(), any::<u8>(), 0_u8..3), 0..6).prop_map(|faults| {
            let mut bytes = VALID.as_bytes().to_vec();
            for (at, byte, how) in faults {
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
        fn every_text_is_parsed_or_refused_with_its_place(bytes in damaged()) {
            match EditFile::parse(&bytes, Path::new("edit.ron")) {
                Ok(file) => {
                    let missing = file.load(Path::new("nowhere"), Size::new(8, 8));
                    prop_assert!(missing.is_err() || file.parts.is_empty());
                }
                Err(error) => prop_assert!(error.to_string().starts_with("edit.ron:"), "{error}"),
            }
        }
    }
}
