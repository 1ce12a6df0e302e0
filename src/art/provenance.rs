//! The origin of a picture.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::{
    generator::ModelCard,
    loss::FinalLoss,
    model::{Abilities, ModelDefaults},
    recipe::{BlobId, InlineBlob, InlineBlobError, Recipe, RecipeFile, ResolvedSampler, TakeId},
};

/// The origin of a picture, stored as JSON in its PNG file. Fields of newer versions are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ProvenanceFile")]
pub struct Provenance {
    /// The requested recipe.
    pub recipe: Recipe,
    /// The sampler that it was drawn with, including values that the recipe leaves to the model.
    pub sampler: ResolvedSampler,
    /// The model that drew it.
    pub model: ModelCard,
    /// Name and version of this program.
    pub program: String,
    /// The final values of its losses, unless the take is of an older version.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<FinalLoss>,
    /// The number of the take in its art folder: takes with larger numbers are newer. 0 for pictures outside of an art
    /// folder, and for takes of older versions.
    #[serde(skip_serializing_if = "is_zero")]
    pub number: u64,
    /// Time of completion, in seconds since 1970-01-01 UTC.
    pub made: u64,
    /// Duration of drawing, in milliseconds.
    pub took_ms: u64,
}

/// [`Provenance`] in the format of this and older versions.
#[derive(Deserialize)]
pub(super) struct ProvenanceFile {
    recipe: RecipeFile,
    /// Missing in files of older versions, which write every value into the recipe.
    sampler: Option<ResolvedSampler>,
    model: ModelCard,
    program: String,
    #[serde(default)]
    losses: Vec<FinalLoss>,
    #[serde(default)]
    number: u64,
    made: u64,
    took_ms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Provenance {
    /// The provenance of a picture without losses that was finished now.
    #[must_use]
    pub fn now(recipe: Recipe, model: ModelCard, took: Duration) -> Self {
        Self {
            sampler: recipe.sampler.resolve(&model.defaults),
            recipe,
            // Abilities and defaults are not written.
            model: ModelCard {
                defaults: ModelDefaults::default(),
                abilities: Abilities::default(),
                ..model
            },
            program: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
            losses: Vec::new(),
            number: 0,
            made: SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |d| d.as_secs()),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// The name of a new take with this provenance. An existing take has the name of its file, which an older version
    /// may have computed differently.
    #[must_use]
    pub fn take_id(&self) -> TakeId {
        TakeId::of(&self.recipe, &self.model.hash)
    }
}

impl ProvenanceFile {
    /// The bytes of the masks and scribbles that are in the file itself, as text.
    pub(super) fn inline_bytes(&self) -> usize {
        self.recipe.inline_bytes()
    }

    /// The provenance. `id_of` is called with each mask and scribble that is in the file itself.
    ///
    /// # Errors
    /// The error of `id_of`.
    pub(super) fn provenance<E>(
        self,
        id_of: impl FnMut(InlineBlob) -> Result<BlobId, E>,
    ) -> Result<Provenance, E> {
        let Self { recipe, sampler, model, program, losses, number, made, took_ms } = self;
        let recipe = recipe.recipe(id_of)?;
        // Values that are unset here are defaults of the built-in model.
        let sampler = sampler.unwrap_or_else(|| recipe.sampler.resolve(&ModelDefaults::built_in()));
        Ok(Provenance { recipe, sampler, model, program, losses, number, made, took_ms })
    }
}

impl TryFrom<ProvenanceFile> for Provenance {
    type Error = InlineBlobError;

    fn try_from(file: ProvenanceFile) -> Result<Self, InlineBlobError> {
        file.provenance(|inline| inline.decode().map(|blob| blob.id()))
    }
}
