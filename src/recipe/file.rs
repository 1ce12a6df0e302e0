//! Recipes in files of this and older versions.
//!
//! Older versions wrote masks and scribbles into the recipe, as PNG images in base64. [`RecipeFile::recipe`] replaces them with
//! their ids.

use std::{collections::BTreeMap, iter};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;

use super::{
    Blob, BlobError, BlobId, Canvas, Inspiration, Lora, Loss, PartEdit, PartRecipe, PictureEdit,
    Recipe, RecipeId, Size, TakeId, sampler::SamplerFile,
};
use crate::{mask::Area, picture::Undecoded};

/// A [`Recipe`] in a file. Fields of newer versions are ignored.
#[derive(Deserialize)]
pub(crate) struct RecipeFile {
    prompt: String,
    #[serde(default, alias = "unwanted")]
    negative_prompt: String,
    size: Size,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    take: u32,
    #[serde(default)]
    sampler: SamplerFile,
    model: String,
    #[serde(default)]
    vae: Option<String>,
    #[serde(default)]
    text_encoders: Vec<String>,
    #[serde(default)]
    loras: Vec<Lora>,
    #[serde(default)]
    components: BTreeMap<String, String>,
    #[serde(default)]
    inspirations: Vec<Inspiration>,
    #[serde(default)]
    losses: Vec<Loss>,
    #[serde(default)]
    score: bool,
    #[serde(default)]
    edit: Option<PictureEditFile>,
}

/// A [`PictureEdit`] in a file.
#[derive(Deserialize)]
struct PictureEditFile {
    parent: Option<TakeId>,
    picture: String,
    style: String,
    parts: Vec<PartFile>,
    context: Option<Area>,
    #[serde(default)]
    canvas: Option<Canvas>,
    #[serde(default)]
    shot_size: Option<Size>,
    #[serde(default)]
    tiled: bool,
    #[serde(default)]
    origin: Option<RecipeId>,
    #[serde(default)]
    choice_seed: Option<u64>,
}

/// A [`PartRecipe`] in a file.
#[derive(Deserialize)]
struct PartFile {
    name: String,
    mask: BlobText,
    edit: PartEdit,
    #[serde(default)]
    scribble: Option<BlobText>,
}

/// A mask or a scribble as text: its id, or a base64 PNG.
#[derive(Deserialize)]
#[serde(transparent)]
struct BlobText(String);

/// A mask or a scribble that is part of a file.
#[derive(Debug)]
pub(crate) struct InlineBlob {
    /// A PNG in base64.
    text: String,
    is_mask: bool,
}

/// An error of decoding a mask or a scribble in a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InlineBlobError {
    /// The text is not base64.
    #[error("a mask or scribble in the recipe is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// The data is not a PNG.
    #[error("a mask or scribble in the recipe is damaged: {0}")]
    Blob(#[from] BlobError),
}

impl InlineBlob {
    /// A short key that identifies the blob.
    pub(crate) fn key(&self) -> String {
        let kind = if self.is_mask { "mask" } else { "image" };
        format!("{kind} {}", blake3::hash(self.text.as_bytes()).to_hex())
    }

    /// The number of bytes of its decoded pixels.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub(crate) fn bytes(&self) -> Result<u64, InlineBlobError> {
        let png = BASE64_STANDARD.decode(&self.text)?;
        Ok(Undecoded::open_png(&png).map_err(BlobError::from)?.bytes())
    }

    /// Decodes it.
    ///
    /// # Errors
    /// If it is not a PNG in base64.
    pub(crate) fn decode(&self) -> Result<Blob, InlineBlobError> {
        let png = BASE64_STANDARD.decode(&self.text)?;
        Ok(if self.is_mask { Blob::mask_from_png(&png)? } else { Blob::image_from_png(&png)? })
    }
}

impl RecipeFile {
    /// The bytes of the masks and scribbles that are in the file itself, as text.
    pub(crate) fn inline_bytes(&self) -> usize {
        let parts = self.edit.iter().flat_map(|edit| &edit.parts);
        let texts = parts.flat_map(|part| iter::once(&part.mask).chain(&part.scribble));
        texts.map(|BlobText(text)| text.len()).sum()
    }

    /// The recipe. `id_of` is called with each mask and scribble that is in the file itself.
    ///
    /// # Errors
    /// The error of `id_of`.
    pub(crate) fn recipe<E>(
        self,
        mut id_of: impl FnMut(InlineBlob) -> Result<BlobId, E>,
    ) -> Result<Recipe, E> {
        let Self { prompt, negative_prompt, size, seed, take, model, .. } = self;
        let (vae, text_encoders) = (self.vae, self.text_encoders);
        let (loras, components) = (self.loras, self.components);
        let (inspirations, losses, score) = (self.inspirations, self.losses, self.score);
        let sampler = self.sampler.requested(&model);
        let edit = self.edit.map(|edit| edit.edit(&mut id_of)).transpose()?;
        Ok(Recipe {
            prompt,
            negative_prompt,
            size,
            seed,
            take,
            sampler,
            model,
            vae,
            text_encoders,
            loras,
            components,
            inspirations,
            losses,
            score,
            edit,
        })
    }
}

impl TryFrom<RecipeFile> for Recipe {
    type Error = InlineBlobError;

    fn try_from(file: RecipeFile) -> Result<Self, InlineBlobError> {
        file.recipe(|inline| inline.decode().map(|blob| blob.id()))
    }
}

impl PictureEditFile {
    fn edit<E>(
        self,
        id_of: &mut impl FnMut(InlineBlob) -> Result<BlobId, E>,
    ) -> Result<PictureEdit, E> {
        let Self { parent, picture, style, parts, context, canvas, tiled, .. } = self;
        let Self { shot_size, origin, choice_seed, .. } = self;
        let parts = parts.into_iter().map(|part| part.part(id_of)).collect::<Result<_, _>>()?;
        Ok(PictureEdit {
            parent,
            picture,
            style,
            parts,
            context,
            canvas,
            shot_size,
            tiled,
            origin,
            choice_seed,
        })
    }
}

impl PartFile {
    fn part<E>(
        self,
        id_of: &mut impl FnMut(InlineBlob) -> Result<BlobId, E>,
    ) -> Result<PartRecipe, E> {
        let Self { name, mask, edit, scribble } = self;
        let mut id = |BlobText(text), is_mask| match BlobId::new(text) {
            Ok(id) => Ok(id),
            Err(other) => id_of(InlineBlob { text: other.text, is_mask }),
        };
        let mask = id(mask, true)?;
        let scribble = scribble.map(|scribble| id(scribble, false)).transpose()?;
        Ok(PartRecipe { name, mask, edit, scribble })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use image::{Rgba, RgbaImage};
    use serde::Serialize;

    use super::*;
    use crate::{
        mask::Mask,
        recipe::{EditKind, Part, Scribble},
    };

    /// A recipe with one part, whose mask and scribble are `mask` and `scribble` in JSON.
    fn json(mask: &impl Serialize, scribble: &impl Serialize) -> String {
        let part = serde_json::json!({
            "name": "sky",
            "mask": mask,
            "edit": PartEdit::new(EditKind::Refine),
            "scribble": scribble,
        });
        serde_json::json!({
            "prompt": "a bay",
            "size": Size::new(2, 1),
            "model": "sketch",
            "edit": { "parent": null, "picture": "", "style": "", "parts": [part], "context": null },
        })
        .to_string()
    }

    #[test]
    fn inline_masks_and_scribbles_become_their_ids() {
        let scribble = Scribble(Arc::new(RgbaImage::from_pixel(2, 1, Rgba([1, 2, 3, 0]))));
        let mask = Mask::from_fn(2, 1, |x, _| 100 * x as u8);
        let part = Part {
            scribble: Some(scribble.clone()),
            ..Part::new("sky", mask.clone(), PartEdit::new(EditKind::Refine))
        };
        let old: Recipe = serde_json::from_str(&json(&mask, &scribble)).unwrap();
        assert_eq!(old.edit.as_ref().unwrap().parts, [PartRecipe::from(&part)]);
        let new = serde_json::to_string(&old).unwrap();
        assert_eq!(serde_json::from_str::<Recipe>(&new).unwrap(), old);
        assert!(new.len() < 1000, "the recipe contains no pixels: {new}");
    }

    #[test]
    fn damaged_inline_masks_are_refused() {
        let scribble = Scribble(Arc::new(RgbaImage::new(2, 1)));
        for text in ["?", "QUJD", ""] {
            let recipe = serde_json::from_str::<Recipe>(&json(&text, &scribble));
            let error = recipe.unwrap_err().to_string();
            assert!(error.contains("a mask or scribble in the recipe"), "{error}");
        }
    }

    #[test]
    fn numbers_that_json_cannot_hold_are_refused() {
        // The largest 32-bit number is 3.4028235e38 (IEEE 754).
        for (number, is_read) in [("3.4e38", true), ("1e39", false), ("-1e39", false)] {
            for json in [
                format!(r#"{{"sampler": {{"guidance_scale": {number}}}}}"#),
                format!(r#"{{"sampler": {{"guidance": {number}}}}}"#),
                format!(r#"{{"sampler": {{"guidance_rescale": {number}}}}}"#),
            ] {
                let mut recipe = serde_json::json!({
                    "prompt": "a", "size": Size::new(2, 1), "model": "x",
                });
                let more: serde_json::Value = serde_json::from_str(&json).unwrap();
                recipe["sampler"] = more["sampler"].clone();
                let read = serde_json::from_value::<Recipe>(recipe);
                assert_eq!(read.is_ok(), is_read, "{json}");
            }
            let edit = format!(r#"{{"strength": {number}}}"#);
            assert_eq!(serde_json::from_str::<PartEdit>(&edit).is_ok(), is_read, "{edit}");
        }
    }
}
