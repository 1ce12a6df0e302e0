//! Everything that decides a picture, as plain data.

pub mod edit_file;
pub mod layer;
pub mod part;
pub mod style;
mod take_id;
pub(crate) mod words;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use layer::{Layer, Marks, Verdict};
pub use part::{EditKind, Part, PartEdit, PartEditError, PictureEdit, Scribble};
pub use style::{Sizes, Style};
pub use take_id::{TakeId, TakeIdError};

#[cfg(feature = "plugin")]
use bevy::prelude::{Reflect, ReflectDefault};

/// Everything that decides a picture. The same recipe on the same kind of device draws the same
/// picture, bit for bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What the picture shows.
    pub prompt: String,
    /// What it must not show: the negative prompt.
    #[serde(alias = "unwanted")]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<PictureEdit>,
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

/// How a picture is sampled from noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "plugin", derive(Reflect), reflect(Default, Debug, Clone))]
#[serde(deny_unknown_fields, default)]
pub struct Sampler {
    /// Which scheduler walks from noise to picture.
    pub scheduler: SchedulerKind,
    /// Steps, at least 1.
    pub steps: u32,
    /// Classifier-free guidance scale (Ho & Salimans 2022, arXiv:2207.12598); 1 is none.
    pub guidance: f32,
    /// How much of the contrast that guidance adds is taken back, in 0..=1: φ of Lin et al. 2023 (arXiv:2305.08891,
    /// section 3.4), 0 is nothing. Colours burn out less, and a higher guidance can be used.
    pub guidance_rescale: f32,
}

/// A scheduler by name; its options come from the model's `scheduler_config.json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "plugin", derive(Reflect), reflect(Default, Debug, Clone))]
pub enum SchedulerKind {
    /// DDIM (Song et al. 2021, arXiv:2010.02502).
    Ddim,
    /// Euler (Karras et al. 2022, arXiv:2206.00364, algorithm 2 without churn).
    Euler,
    /// DPM-Solver++ 2M (Lu et al. 2022, arXiv:2211.01095).
    #[default]
    DpmPlusPlus2M,
}

/// The identity of a recipe: the blake3 of its contents, as 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecipeId(pub String);

impl Recipe {
    /// The identity of the picture.
    #[must_use]
    pub fn id(&self) -> RecipeId {
        let mut hash = blake3::Hasher::new();
        for text in [&self.prompt, &self.negative_prompt, &self.model] {
            update_text(&mut hash, text);
        }
        hash.update(&self.size.width.to_le_bytes());
        hash.update(&self.size.height.to_le_bytes());
        hash.update(&self.seed.to_le_bytes());
        hash.update(&self.take.to_le_bytes());
        hash.update(self.sampler.scheduler.name().as_bytes());
        hash.update(&self.sampler.steps.to_le_bytes());
        hash.update(&self.sampler.guidance.to_le_bytes());
        hash.update(&self.sampler.guidance_rescale.to_le_bytes());
        if let Some(edit) = &self.edit {
            edit.deciding().update(&mut hash);
        }
        RecipeId(hash.finalize().to_hex().to_string())
    }

    /// The same recipe for its `n`th take.
    #[must_use]
    pub fn with_take(&self, n: u32) -> Self {
        Self { take: n, ..self.clone() }
    }

    /// Whether two recipes are takes of one: what decides their [identity](Self::id) differs in nothing but
    /// [`Self::take`]. Names of parts do not count.
    #[must_use]
    pub fn same_but_take(&self, other: &Self) -> bool {
        let [edit, others] = [self, other].map(|it| it.edit.as_ref().map(PictureEdit::deciding));
        self.size == other.size && self.same_words(other) && edit == others
    }

    /// Whether two recipes ask for the same in the same way, whatever their size and what is edited in them.
    fn same_words(&self, other: &Self) -> bool {
        let Self { prompt, negative_prompt, size: _, seed, take: _, sampler, model, edit: _ } =
            self;
        (prompt, negative_prompt) == (&other.prompt, &other.negative_prompt)
            && (seed, sampler, model) == (&other.seed, &other.sampler, &other.model)
    }

    /// What all takes of one edit have in common, and all of the same edit done to other pictures by
    /// [`Action::PropagateEdit`](crate::project::Action::PropagateEdit): the identity of the first of them. None of what no
    /// edit made.
    #[must_use]
    pub fn origin(&self) -> Option<RecipeId> {
        let edit = self.edit.as_ref()?;
        Some(edit.origin.clone().unwrap_or_else(|| self.with_take(0).id()))
    }

    /// Whether it draws what a shot asks for with `shot`: a take of it, or any edit of one.
    #[must_use]
    pub fn is_for(&self, shot: &Self) -> bool {
        self.size == shot.size && self.is_wanted_by(shot)
    }

    /// Whether a shot that asks for `shot` wants it drawn: what it asks for, or any edit of its pictures. An edit has
    /// the size of its picture, which may be an older one.
    #[must_use]
    pub fn is_wanted_by(&self, shot: &Self) -> bool {
        let fits = self.edit.is_some() || self.size == shot.size;
        fits && shot.edit.is_none() && self.same_words(shot)
    }

    /// The seed of this take's starting noise.
    #[must_use]
    pub fn noise_seed(&self) -> u64 {
        self.seed.wrapping_add(u64::from(self.take))
    }
}

/// Adds a text to an identity, so that two that follow each other cannot be taken for two others.
fn update_text(hash: &mut blake3::Hasher, text: &str) {
    hash.update(&(text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
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

impl Default for Sampler {
    /// What suits the built-in model.
    fn default() -> Self {
        Self {
            scheduler: SchedulerKind::default(),
            steps: 20,
            guidance: 5.0,
            guidance_rescale: 0.5,
        }
    }
}

impl SchedulerKind {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Ddim, Self::Euler, Self::DpmPlusPlus2M];

    /// The name that the command line uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ddim => "ddim",
            Self::Euler => "euler",
            Self::DpmPlusPlus2M => "dpm++2m",
        }
    }

    /// The name that people know it by.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Ddim => "DDIM",
            Self::Euler => "Euler",
            Self::DpmPlusPlus2M => "DPM++ 2M",
        }
    }

    /// The name of the class in diffusers.
    #[must_use]
    pub const fn class_name(self) -> &'static str {
        match self {
            Self::Ddim => "DDIMScheduler",
            Self::Euler => "EulerDiscreteScheduler",
            Self::DpmPlusPlus2M => "DPMSolverMultistepScheduler",
        }
    }

    /// The kind with this [`Self::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
