//! The pictures that a recipe refers to.

use std::{collections::BTreeMap, sync::Arc};

use image::RgbaImage;

use crate::recipe::{Blob, BlobId, Images, Part, PartRecipe, PictureEdit, Recipe, Scribble};

/// The pictures that a recipe refers to.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The picture that an edit changes.
    pub init_image: Option<RgbaImage>,
    /// The masks and scribbles of its parts.
    pub blobs: BTreeMap<BlobId, Blob>,
}

/// A mask or a scribble that is missing from [`Inputs`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mask or scribble {id} of part `{part}` is missing: mark the part again")]
pub struct MissingBlob {
    /// The name of the part.
    pub part: String,
    /// The id of the mask or scribble.
    pub id: BlobId,
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
        self.images_of("the picture", recipe.images())
    }

    fn images_of<'a>(
        &self,
        part: &str,
        ids: impl Iterator<Item = &'a BlobId>,
    ) -> Result<Images, MissingBlob> {
        let image = |id: &BlobId| match self.blobs.get(id) {
            Some(Blob::Image(image)) => Ok((id.clone(), Arc::clone(image))),
            _ => Err(MissingBlob { part: part.to_owned(), id: id.clone() }),
        };
        ids.map(image).collect()
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
        let missing = |id: &BlobId| MissingBlob { part: name.clone(), id: id.clone() };
        let Some(Blob::Mask(pixels)) = self.blobs.get(mask) else { return Err(missing(mask)) };
        let scribble = scribble.as_ref().map(|id| match self.blobs.get(id) {
            Some(Blob::Image(image)) => Ok(Scribble(Arc::clone(image))),
            _ => Err(missing(id)),
        });
        let images = self.images_of(name, edit.images())?;
        let part = Part::new(name.clone(), pixels.clone(), edit.clone());
        Ok(Part { scribble: scribble.transpose()?, images, ..part })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mask::Mask,
        recipe::{EditKind, PartEdit},
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
        }
    }
}
