//! The pictures that a recipe refers to.

use std::{collections::BTreeMap, fmt, sync::Arc};

use image::RgbaImage;

use super::GenerateError;
use crate::{
    diffusion::DiffusionError,
    edit::{EditError, placed},
    recipe::{Blob, BlobId, Images, Part, PartRecipe, PictureEdit, Recipe, Scribble, picture_hash},
};

/// The pictures that a recipe refers to.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The picture that an edit changes: see [`Self::picture`].
    pub init_image: Option<RgbaImage>,
    /// The masks and scribbles of its parts.
    pub blobs: BTreeMap<BlobId, Blob>,
}

/// What a mask or an image is in a recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobUse {
    /// The mask of a part, with the name of the part.
    Mask(String),
    /// The scribble of a part, with the name of the part.
    Scribble(String),
    /// An image that an inspiration or a loss follows, with the name of the part. `None`: that of the whole picture.
    Image(Option<String>),
}

/// A mask or an image that [`Inputs`] do not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MissingBlob {
    /// There is nothing with this id.
    #[error("{of} is missing ({id}): {}", .of.remedy())]
    Missing {
        /// What it is in the recipe.
        of: BlobUse,
        /// Its id.
        id: BlobId,
    },
    /// It is an image instead of a mask, or a mask instead of an image.
    #[error("{of} is {} ({id}): {}", .of.other_kind(), .of.remedy())]
    OtherKind {
        /// What it is in the recipe.
        of: BlobUse,
        /// Its id.
        id: BlobId,
    },
}

impl BlobUse {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Mask(_) | Self::Scribble(_) => "mark the part again",
            Self::Image(_) => "choose the image again",
        }
    }

    fn other_kind(&self) -> &'static str {
        match self {
            Self::Mask(_) => "an image instead of a mask",
            Self::Scribble(_) | Self::Image(_) => "a mask instead of an image",
        }
    }
}

impl fmt::Display for BlobUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mask(part) => write!(f, "the mask of part `{part}`"),
            Self::Scribble(part) => write!(f, "the scribble of part `{part}`"),
            Self::Image(Some(part)) => write!(f, "an image that part `{part}` follows"),
            Self::Image(None) => f.write_str("an image that the whole picture follows"),
        }
    }
}

impl Inputs {
    /// Adds the masks and scribbles of parts.
    pub fn add_parts(&mut self, parts: &[Part]) {
        let blobs = parts.iter().flat_map(Part::blobs);
        self.blobs.extend(blobs.map(|blob| (blob.id(), blob)));
    }

    /// Adds images.
    pub fn add_images(&mut self, images: &Images) {
        let blobs = images.iter().map(|(id, image)| (id.clone(), Blob::Image(Arc::clone(image))));
        self.blobs.extend(blobs);
    }

    /// The images that the inspirations and losses of the whole picture refer to.
    ///
    /// # Errors
    /// If one of them is missing.
    pub fn images(&self, recipe: &Recipe) -> Result<Images, MissingBlob> {
        self.images_of(&BlobUse::Image(None), recipe.images())
    }

    fn images_of<'a>(
        &self,
        of: &BlobUse,
        ids: impl Iterator<Item = &'a BlobId>,
    ) -> Result<Images, MissingBlob> {
        ids.map(|id| Ok((id.clone(), self.image(of, id)?))).collect()
    }

    fn image(&self, of: &BlobUse, id: &BlobId) -> Result<Arc<RgbaImage>, MissingBlob> {
        match self.blob(of, id)? {
            Blob::Image(image) => Ok(Arc::clone(image)),
            Blob::Mask(_) => Err(MissingBlob::OtherKind { of: of.clone(), id: id.clone() }),
        }
    }

    fn blob(&self, of: &BlobUse, id: &BlobId) -> Result<&Blob, MissingBlob> {
        let missing = || MissingBlob::Missing { of: of.clone(), id: id.clone() };
        self.blobs.get(id).ok_or_else(missing)
    }

    /// The picture that an edit changes, on the canvas of the edit if it has one.
    ///
    /// # Errors
    /// If it is missing, is not the picture of the edit, or does not suit the canvas.
    pub fn picture(&self, edit: &PictureEdit) -> Result<RgbaImage, GenerateError> {
        let missing = || GenerateError::NoInitImage("the inputs have no init image".to_owned());
        let picture = self.init_image.as_ref().ok_or_else(missing)?;
        let of_edit = |error: EditError| GenerateError::from(DiffusionError::from(error));
        if picture_hash(picture) != edit.picture {
            return Err(of_edit(EditError::OtherPicture));
        }
        match &edit.canvas {
            Some(canvas) => placed(picture, canvas).map_err(|error| of_edit(error.into())),
            None => Ok(picture.clone()),
        }
    }

    /// The parts of an edit, with their masks and images.
    ///
    /// # Errors
    /// If one of them is missing.
    pub fn parts(&self, edit: &PictureEdit) -> Result<Vec<Part>, MissingBlob> {
        edit.parts.iter().map(|part| self.part(part)).collect()
    }

    fn part(&self, part: &PartRecipe) -> Result<Part, MissingBlob> {
        let PartRecipe { name, mask, edit, scribble } = part;
        let of = BlobUse::Mask(name.clone());
        let Blob::Mask(pixels) = self.blob(&of, mask)? else {
            return Err(MissingBlob::OtherKind { of, id: mask.clone() });
        };
        let of = BlobUse::Scribble(name.clone());
        let scribble = scribble.as_ref().map(|id| self.image(&of, id).map(Scribble)).transpose()?;
        let images = self.images_of(&BlobUse::Image(Some(name.clone())), edit.images())?;
        let part = Part::new(name.clone(), pixels.clone(), edit.clone());
        Ok(Part { scribble, images, ..part })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mask::Mask,
        recipe::{EditKind, PartEdit, Size},
        test_support::edit_of_parts,
    };

    #[test]
    fn parts_are_restored_and_a_missing_mask_or_scribble_is_named() {
        let part = Part {
            scribble: Some(Scribble(Arc::new(RgbaImage::new(2, 2)))),
            ..Part::new("sky", Mask::full(2, 2), PartEdit::new(EditKind::Refine))
        };
        let edit = edit_of_parts(vec![PartRecipe::from(&part)]);
        let mut inputs = Inputs::default();
        inputs.add_parts(std::slice::from_ref(&part));
        assert_eq!(inputs.parts(&edit).unwrap(), [part]);
        for id in edit.blobs() {
            let mut inputs = inputs.clone();
            inputs.blobs.remove(id);
            let error = inputs.parts(&edit).unwrap_err().to_string();
            assert!(error.contains("`sky`") && error.contains(id.as_str()), "{error}");
            assert!(
                error.contains("is missing") && error.contains("mark the part again"),
                "{error}"
            );
        }
    }

    #[test]
    fn an_image_that_is_missing_or_a_mask_is_not_called_a_mask_of_a_part() {
        let id = BlobId::of_mask(&Mask::full(2, 2));
        let style = format!(r#"{{"kind": "StyleImage", "image": "{id}"}}"#);
        let recipe = Recipe {
            inspirations: vec![serde_json::from_str(&style).unwrap()],
            ..Recipe::new("a fox", Size::new(8, 8), "fake")
        };
        let mut inputs = Inputs::default();
        let error = inputs.images(&recipe).unwrap_err().to_string();
        assert!(error.starts_with("an image that the whole picture follows is missing"), "{error}");
        assert!(error.ends_with("choose the image again"), "{error}");
        inputs.blobs.insert(id, Blob::Mask(Mask::full(2, 2)));
        let error = inputs.images(&recipe).unwrap_err().to_string();
        assert!(error.contains("is a mask instead of an image"), "{error}");
    }
}
