//! Models embedded in the program.

use std::{borrow::Cow, io::Read, sync::Arc};

use super::{
    Package,
    layout::{self, Files},
};
use crate::{
    control::Interrupt,
    model::{
        ModelError,
        tensors::{TensorFile, TensorSource},
    },
};

/// Pairs the relative names of files with their contents.
macro_rules! embed {
    ($folder:literal: $($file:literal),* $(,)?) => {
        &[$(($file, include_bytes!(concat!($folder, $file)).as_slice())),*]
    };
}

/// The model that ships with the crate.
pub(super) const SKETCH: &[(&str, &[u8])] = embed!("../../../assets/models/sketch/":
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/tokenizer.json",
    "tokenizer/tokenizer_config.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
);

/// The encoders of texts and of images that [`LatentClip`](crate::diffusion::LatentClip) was trained with. The tokenizer
/// is that of the model above.
const SKETCH_CLIP: &[(&str, &[u8])] = &[
    ("text_encoder/config.json", CLIP_CONFIG),
    ("text_encoder/model.safetensors", CLIP_WEIGHTS),
    ("image_encoder/config.json", CLIP_CONFIG),
    ("image_encoder/model.safetensors", CLIP_WEIGHTS),
    (
        "tokenizer/tokenizer.json",
        include_bytes!("../../../assets/models/sketch/tokenizer/tokenizer.json"),
    ),
    (
        "tokenizer/tokenizer_config.json",
        include_bytes!("../../../assets/models/sketch/tokenizer/tokenizer_config.json"),
    ),
];

/// Both encoders have the same files.
const CLIP_CONFIG: &[u8] = include_bytes!("../../../assets/models/sketch-clip/config.json");
const CLIP_WEIGHTS: &[u8] = include_bytes!("../../../assets/models/sketch-clip/model.safetensors");

/// A model whose files are part of the program, in diffusers' layout.
#[derive(Clone, Copy)]
pub struct EmbeddedPackage {
    name: &'static str,
    licence: &'static str,
    /// Names relative to the model, with the contents.
    files: &'static [(&'static str, &'static [u8])],
}

impl EmbeddedPackage {
    /// The small model that ships with the crate.
    #[must_use]
    pub const fn built_in() -> Self {
        // The weights have the crate's licence.
        Self { name: "sketch", licence: env!("CARGO_PKG_LICENSE"), files: SKETCH }
    }

    /// The pair of encoders for pictures and texts that ships with the crate.
    pub(crate) const fn sketch_clip() -> Self {
        Self { name: "sketch-clip", licence: env!("CARGO_PKG_LICENSE"), files: SKETCH_CLIP }
    }

    fn bytes(&self, file: &str) -> Result<&'static [u8], ModelError> {
        let found = self.files.iter().find(|(name, _)| *name == file);
        found.map(|(_, bytes)| *bytes).ok_or_else(|| layout::missing(self, file))
    }
}

impl std::fmt::Debug for EmbeddedPackage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedPackage").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Files for EmbeddedPackage {
    fn has(&self, file: &str) -> bool {
        self.files.iter().any(|(name, _)| *name == file)
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, ModelError> {
        let below = |name: &str| Some(name.strip_prefix(folder)?.strip_prefix('/')?.to_owned());
        let names = self.files.iter().filter_map(|(name, _)| below(name));
        Ok(names.filter(|name| !name.contains('/')).collect())
    }

    fn location(&self, file: &str) -> String {
        format!("{}/{file}", self.name)
    }

    fn read(&self, file: &str) -> Result<Cow<'_, [u8]>, ModelError> {
        self.bytes(file).map(Cow::Borrowed)
    }

    fn open(&self, file: &str) -> Result<Box<dyn Read + '_>, ModelError> {
        Ok(Box::new(self.bytes(file)?))
    }

    fn open_tensors(&self, file: &str) -> Result<TensorFile, ModelError> {
        TensorFile::embedded(Files::location(self, file), self.bytes(file)?)
    }
}

impl Package for EmbeddedPackage {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn location(&self, file: &str) -> String {
        Files::location(self, file)
    }

    fn has(&self, file: &str) -> bool {
        Files::has(self, file)
    }

    fn file(&self, file: &str) -> Result<Cow<'_, [u8]>, ModelError> {
        self.read(file)
    }

    fn tensors(&self, part: &str) -> Result<Box<dyn TensorSource>, ModelError> {
        Ok(Box::new(layout::tensors(self, part)?))
    }

    fn hash(&self, interrupt: &Interrupt) -> Result<String, ModelError> {
        layout::hash(self, interrupt)
    }

    fn shared(&self) -> Arc<dyn Package> {
        Arc::new(*self)
    }

    fn licence(&self) -> Option<String> {
        Some(self.licence.to_owned())
    }
}
