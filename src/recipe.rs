//! Everything that decides a picture, as plain data.

mod blob;
mod digest;
pub mod edit_file;
pub mod layer;
pub mod part;
mod sampler;
pub mod style;
mod take_id;
pub(crate) mod words;

use std::fmt;

use serde::{Deserialize, Serialize};

use digest::Digester;
use sampler::SamplerFile;

pub use blob::{BlobId, BlobIdError};
pub use layer::{Layer, Marks, Verdict};
pub use part::{EditKind, Part, PartEdit, PartEditError, PictureEdit, Scribble};
pub use sampler::{ResolvedSampler, Sampler};
pub use style::{Sizes, Style};
pub use take_id::{TakeId, TakeIdError};

#[cfg(feature = "plugin")]
use bevy::prelude::Reflect;

/// Everything that decides a picture. The same recipe on the same kind of device draws the same
/// picture, bit for bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "RecipeFile")]
pub struct Recipe {
    /// What the picture shows.
    pub prompt: String,
    /// What it must not show: the negative prompt.
    pub negative_prompt: String,
    /// Size in pixels.
    pub size: Size,
    /// Seed of the starting noise of take 0.
    pub seed: u64,
    /// Which take of this recipe: take `n` starts from the noise of seed `seed + n`.
    pub take: u32,
    /// How it is sampled.
    pub sampler: Sampler,
    /// The model: `sketch` is the built-in one, anything else a diffusers folder.
    pub model: String,
    /// For a picture that is made of another one: what becomes of which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edit: Option<PictureEdit>,
}

/// A [`Recipe`] as this and older versions write it. Fields of newer versions are ignored.
#[derive(Deserialize)]
struct RecipeFile {
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
    edit: Option<PictureEdit>,
}

impl From<RecipeFile> for Recipe {
    fn from(file: RecipeFile) -> Self {
        let RecipeFile { prompt, negative_prompt, size, seed, take, sampler, model, edit } = file;
        let sampler = sampler.requested(&model);
        Self { prompt, negative_prompt, size, seed, take, sampler, model, edit }
    }
}

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "plugin", derive(Reflect), reflect(Debug, Clone))]
pub struct Size {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

/// The identity of a recipe: the blake3 of its contents, as 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecipeId(pub String);

impl Recipe {
    /// A recipe for take 0 of a new picture, with everything else at its default.
    #[must_use]
    pub fn new(prompt: impl Into<String>, size: Size, model: impl Into<String>) -> Self {
        Self {
            prompt: prompt.into(),
            negative_prompt: String::new(),
            size,
            seed: 0,
            take: 0,
            sampler: Sampler::default(),
            model: model.into(),
            edit: None,
        }
    }

    /// The identity of the picture: a digest of everything that decides it. It stays the same in later
    /// versions of this program, which may know more fields.
    #[must_use]
    pub fn id(&self) -> RecipeId {
        let mut digest = Digester::new();
        self.feed(&mut digest);
        RecipeId(digest.finish())
    }

    fn feed(&self, digest: &mut Digester) {
        let Self { prompt, negative_prompt, size, seed, take, sampler, model, edit } = self;
        digest.text("prompt", prompt);
        digest.text("negative_prompt", negative_prompt);
        digest.number("width", size.width.into());
        digest.number("height", size.height.into());
        digest.number("seed", *seed);
        digest.number("take", (*take).into());
        digest.text("model", model);
        let Sampler { scheduler, steps, guidance_scale, guidance_rescale } = sampler;
        digest.text("scheduler", scheduler.as_deref().unwrap_or_default());
        digest.optional_number("steps", *steps);
        digest.optional_float("guidance_scale", *guidance_scale);
        digest.optional_float("guidance_rescale", *guidance_rescale);
        if let Some(edit) = edit {
            digest.nested("edit", |digest| edit.feed(digest));
        }
    }

    /// The same recipe for its `n`th take.
    #[must_use]
    pub fn with_take(&self, n: u32) -> Self {
        Self { take: n, ..self.clone() }
    }

    /// Whether two recipes are takes of one: nothing that decides their [identity](Self::id) differs,
    /// apart from [`Self::take`].
    #[must_use]
    pub fn same_but_take(&self, other: &Self) -> bool {
        self.sampler == other.sampler && self.same_but_take_and_sampler(other)
    }

    /// As [`Self::same_but_take`], for recipes whose samplers were compared before.
    pub(crate) fn same_but_take_and_sampler(&self, other: &Self) -> bool {
        let same_edit = match (&self.edit, &other.edit) {
            (Some(edit), Some(other)) => edit.draws_the_same(other),
            (edit, other) => edit.is_none() && other.is_none(),
        };
        self.size == other.size && self.same_prompts(other) && same_edit
    }

    /// Whether prompts, seed and model are the same.
    fn same_prompts(&self, other: &Self) -> bool {
        (&self.prompt, &self.negative_prompt) == (&other.prompt, &other.negative_prompt)
            && (self.seed, &self.model) == (other.seed, &other.model)
    }

    /// What all takes of one edit have in common, and all of the same edit done to other pictures by
    /// [`Action::PropagateEdit`](crate::project::Action::PropagateEdit): the identity of the first of them. None of what no
    /// edit made.
    #[must_use]
    pub fn origin(&self) -> Option<RecipeId> {
        let edit = self.edit.as_ref()?;
        Some(edit.origin.clone().unwrap_or_else(|| self.with_take(0).id()))
    }

    /// Whether a shot that requests `shot` still wants this drawn: a take of the same recipe, or any edit
    /// of one. An edit has the size of its picture, which may be an older one.
    #[must_use]
    pub fn is_wanted_by(&self, shot: &Self) -> bool {
        sampler::same_request(&self.model, &self.sampler, &shot.sampler)
            && self.is_wanted_whatever_the_sampler(shot)
    }

    /// As [`Self::is_wanted_by`], for recipes whose samplers were compared before.
    pub(crate) fn is_wanted_whatever_the_sampler(&self, shot: &Self) -> bool {
        let fits = self.edit.is_some() || self.size == shot.size;
        fits && shot.edit.is_none() && self.same_prompts(shot)
    }

    /// The seed of this take's starting noise.
    #[must_use]
    pub fn noise_seed(&self) -> u64 {
        self.seed.wrapping_add(u64::from(self.take))
    }
}

impl fmt::Display for RecipeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Size {
    /// A size in pixels.
    #[must_use]
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}
