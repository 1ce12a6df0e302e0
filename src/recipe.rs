//! Recipes: everything that determines a picture, as plain data.

mod blob;
mod canvas;
mod choices;
mod digest;
pub mod edit_file;
mod embeddings;
mod file;
mod guidance_interval;
mod inspiration;
pub mod layer;
mod lora;
mod loss;
mod part;
pub mod part_edit;
mod picture_edit;
mod sampler;
pub mod style;
mod take_id;

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use digest::Digester;

pub use blob::{Blob, BlobError, BlobId, BlobIdError};
pub use canvas::{Anchor, Canvas, CanvasError, MAX_CANVAS_SIDE};
pub use file::InlineBlobError;
pub(crate) use file::{InlineBlob, RecipeFile};
pub use guidance_interval::{GuidanceInterval, GuidanceIntervalError};
pub(crate) use inspiration::scribbles;
pub use inspiration::{ImageUse, Inspiration, InspirationError, InspirationKind, MAX_INSPIRATIONS};
pub use layer::{Layer, Marks, Verdict};
pub use lora::{Lora, LoraError, MAX_LORA_WEIGHT, MAX_LORAS};
pub use loss::{
    Colour, ColourError, Loss, LossError, LossKind, MAX_COLOURS, MAX_LOSSES, MAX_WEIGHT,
};
pub use part::{Images, Part, Scribble};
pub use part_edit::{EditKind, PartEdit, PartEditError};
pub use picture_edit::{PartRecipe, PictureEdit, picture_hash};
pub use sampler::{PredictionType, ResolvedSampler, Sampler, SigmaSpacing};
pub use style::{Sizes, Style};
pub use take_id::{TakeId, TakeIdError};

#[cfg(feature = "plugin")]
use bevy::prelude::Reflect;

/// Everything that determines a picture. The same recipe on the same kind of device draws the same
/// picture, bit for bit. An edit refers to its masks and images by their ids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RecipeFile")]
pub struct Recipe {
    /// The prompt: a description of the picture.
    pub prompt: String,
    /// The negative prompt: a description of what the picture must not show.
    pub negative_prompt: String,
    /// Size in pixels.
    pub size: Size,
    /// Seed of the starting noise of take 0.
    pub seed: u64,
    /// The number of the take: take `n` starts from the noise of seed `seed + n`.
    pub take: u32,
    /// The sampler.
    pub sampler: Sampler,
    /// The model: `sketch` is the built-in one, any other value is a diffusers folder or a single file.
    pub model: String,
    /// The file or the folder of an autoencoder (VAE) that replaces that of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vae: Option<String>,
    /// The files or the folders of text encoders that replace those of the model, or that it lacks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub text_encoders: Vec<String>,
    /// The low-rank adapters that change the model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loras: Vec<Lora>,
    /// The files or the folders of [optional components](crate::model::package::optional_components) that replace those of the
    /// model, or that it lacks, by the names of the components.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<String, String>,
    /// The inspirations of the whole picture. In an edit, of all parts together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inspirations: Vec<Inspiration>,
    /// What the whole picture is steered by while it is drawn. In an edit, all parts together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<Loss>,
    /// Whether losses only measure the finished picture, and do not steer it. Without losses, the picture is measured by
    /// how well it shows its words, or what they change. See [`scores`](crate::loss::scores).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub score: bool,
    /// The edit, for a picture that is made from another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edit: Option<PictureEdit>,
}

/// The maximum length of a text that becomes part of a prompt, in bytes. A prompt has at most [`MAX_PROMPT_TOKENS`](crate::prompt::MAX_PROMPT_TOKENS) tokens,
/// about as many as this, and every shot has its own copy of its texts.
pub const MAX_TEXT_LENGTH: usize = 8 * 1024;

/// The minimum width and height of a picture, in pixels.
pub const MIN_SIDE: u32 = 16;
/// The maximum width and height of a picture that is drawn in one pass, in pixels. The memory for attention grows with
/// the fourth power of the side.
pub const MAX_SIDE: u32 = 2048;

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
    /// A recipe for take 0 of a new picture, with all other fields at their defaults.
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
            vae: None,
            text_encoders: Vec::new(),
            loras: Vec::new(),
            components: BTreeMap::new(),
            inspirations: Vec::new(),
            losses: Vec::new(),
            score: false,
            edit: None,
        }
    }

    /// The identity of the picture: a digest of everything that determines it. It stays the same in later
    /// versions of this program, even if they add fields.
    #[must_use]
    pub fn id(&self) -> RecipeId {
        let mut digest = Digester::new();
        self.feed(&mut digest);
        RecipeId(digest.finish())
    }

    fn feed(&self, digest: &mut Digester) {
        let Self { prompt, negative_prompt, size, seed, take, sampler, model, .. } = self;
        let Self { vae, text_encoders, loras, components, .. } = self;
        let Self { inspirations, losses, score, edit, .. } = self;
        digest.text("prompt", prompt);
        digest.text("negative_prompt", negative_prompt);
        digest.number("width", size.width.into());
        digest.number("height", size.height.into());
        digest.number("seed", *seed);
        digest.number("take", (*take).into());
        digest.text("model", model);
        let Sampler { scheduler, sigmas, steps, guidance_scale, guidance_rescale, .. } = sampler;
        digest.text("scheduler", scheduler.as_deref().unwrap_or_default());
        digest.text("sigmas", sigmas.map_or("", SigmaSpacing::name));
        if let Some(prediction_type) = sampler.prediction_type {
            digest.text("prediction_type", prediction_type.name());
        }
        digest.optional_number("clip_skip", sampler.clip_skip);
        digest.optional_number("steps", *steps);
        digest.optional_float("guidance_scale", *guidance_scale);
        digest.optional_float("guidance_rescale", *guidance_rescale);
        if let Some(interval) = sampler.guidance_interval {
            digest.nested("guidance_interval", |digest| interval.feed(digest));
        }
        if let Some(vae) = vae {
            digest.text("vae", vae);
        }
        for text_encoder in text_encoders {
            digest.text("text_encoder", text_encoder);
        }
        for lora in loras {
            digest.nested("lora", |digest| lora.feed(digest));
        }
        for (component, file) in components {
            digest.nested("component", |digest| {
                digest.text("name", component);
                digest.text("file", file);
            });
        }
        for inspiration in inspirations {
            digest.nested("inspiration", |digest| inspiration.feed(digest));
        }
        for loss in losses {
            digest.nested("loss", |digest| loss.feed(digest));
        }
        if *score {
            digest.number("score", 1);
        }
        if let Some(edit) = edit {
            digest.nested("edit", |digest| edit.feed(digest));
        }
    }

    /// The masks and images that it refers to.
    pub fn blobs(&self) -> impl Iterator<Item = &BlobId> {
        self.images().chain(self.edit.iter().flat_map(PictureEdit::blobs))
    }

    /// The images that the inspirations and losses of the whole picture refer to.
    pub fn images(&self) -> impl Iterator<Item = &BlobId> {
        images_of(&self.inspirations, &self.losses)
    }

    /// The same recipe for its `n`th take.
    #[must_use]
    pub fn with_take(&self, n: u32) -> Self {
        Self { take: n, ..self.clone() }
    }

    /// Whether losses steer the picture.
    #[must_use]
    pub fn is_steered(&self) -> bool {
        let mut parts = self.edit.iter().flat_map(|edit| &edit.parts);
        let has_losses = !self.losses.is_empty() || parts.any(|part| !part.edit.losses.is_empty());
        has_losses && !self.score
    }

    /// Whether two recipes differ at most in their [take](Self::take), and in a [score](Self::score) that does not change
    /// the picture.
    #[must_use]
    pub fn same_but_take(&self, other: &Self) -> bool {
        self.sampler == other.sampler && self.same_but_take_and_sampler(other)
    }

    /// As [`Self::same_but_take`], without comparing the samplers.
    pub(crate) fn same_but_take_and_sampler(&self, other: &Self) -> bool {
        let same_edit = match (&self.edit, &other.edit) {
            (Some(edit), Some(other)) => edit.draws_the_same(other),
            (edit, other) => edit.is_none() && other.is_none(),
        };
        let same_wishes = self.same_steering(other) && self.is_steered() == other.is_steered();
        self.size == other.size && self.same_prompts(other) && same_wishes && same_edit
    }

    /// Whether prompts, seed, and the model with its other files are the same.
    fn same_prompts(&self, other: &Self) -> bool {
        (&self.prompt, &self.negative_prompt) == (&other.prompt, &other.negative_prompt)
            && (self.seed, &self.model) == (other.seed, &other.model)
            && (&self.vae, &self.loras) == (&other.vae, &other.loras)
            && self.text_encoders == other.text_encoders
            && self.components == other.components
    }

    /// Whether the whole pictures follow the same inspirations and losses.
    fn same_steering(&self, other: &Self) -> bool {
        self.inspirations == other.inspirations && self.losses == other.losses
    }

    /// Whether an edit has the inspirations and losses of [`Self::without_shapes`] of a shot's recipe.
    fn same_steering_without_shapes(&self, shot: &Self) -> bool {
        let inspirations = shot.inspirations.iter().filter(|it| !it.kind.holds_shapes());
        let losses = shot.losses.iter().filter(|it| !it.kind.holds_shapes());
        self.inspirations.iter().eq(inspirations) && self.losses.iter().eq(losses)
    }

    /// The recipe without the inspirations and losses that hold shapes. Edits of the picture do not follow those, because
    /// they change its shapes.
    pub(crate) fn without_shapes(mut self) -> Self {
        self.inspirations.retain(|inspiration| !inspiration.kind.holds_shapes());
        self.losses.retain(|loss| !loss.kind.holds_shapes());
        self
    }

    /// The identity of the first recipe of an edit. All takes of the edit have the same origin, and so do its
    /// [propagations](crate::project::Action::PropagateEdit) to other pictures. `None` if the recipe is not an edit.
    #[must_use]
    pub fn origin(&self) -> Option<RecipeId> {
        let edit = self.edit.as_ref()?;
        Some(edit.origin.clone().unwrap_or_else(|| self.with_take(0).id()))
    }

    /// Whether it belongs to a shot with the recipe `shot`: it is a take of that recipe, or an edit of such a take. The
    /// size of an edit is not compared, because the size of the shot may have changed since.
    #[must_use]
    pub fn is_wanted_by(&self, shot: &Self) -> bool {
        sampler::same_request(&self.model, &self.sampler, &shot.sampler)
            && self.is_wanted_whatever_the_sampler(shot)
    }

    /// As [`Self::is_wanted_by`], without comparing the samplers.
    pub(crate) fn is_wanted_whatever_the_sampler(&self, shot: &Self) -> bool {
        let fits = match self.edit {
            Some(_) => self.same_steering_without_shapes(shot),
            None => self.size == shot.size && self.same_steering(shot),
        };
        fits && shot.edit.is_none() && self.same_prompts(shot)
    }

    /// The seed of this take's starting noise.
    #[must_use]
    pub fn noise_seed(&self) -> u64 {
        self.seed.wrapping_add(u64::from(self.take))
    }
}

/// The images that inspirations and losses refer to.
fn images_of<'a, I>(
    inspirations: &'a [Inspiration<I>],
    losses: &'a [Loss<I>],
) -> impl Iterator<Item = &'a I> {
    let of_inspirations = inspirations.iter().filter_map(|inspiration| inspiration.kind.image());
    of_inspirations.chain(losses.iter().filter_map(|loss| loss.kind.image()))
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

    /// The width divided by the height.
    #[must_use]
    pub fn aspect_ratio(self) -> f32 {
        self.width as f32 / self.height as f32
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}
