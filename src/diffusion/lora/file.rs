//! The file of a low-rank adapter.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, PoisonError},
};

use candle_core::{DType, Device, Tensor};

use super::{LowRank, metadata::Options};
use crate::{
    diffusion::DiffusionError,
    model::{
        ModelError, TensorSource,
        tensors::{TensorFiles, View},
    },
};

/// The names of the two matrices of a layer: `down`, then `up`.
const FACTORS: [[&str; 2]; 5] = [
    [".lora_down.weight", ".lora_up.weight"],
    [".lora_A.weight", ".lora_B.weight"],
    [".lora_A.default.weight", ".lora_B.default.weight"],
    [".lora.down.weight", ".lora.up.weight"],
    [".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"],
];

/// The factors of attention layers in older files of diffusers, whose names end with these.
const OLD_FACTORS: [&str; 2] = ["_lora.down.weight", "_lora.up.weight"];

/// The name of the alpha of a layer. Without it and without [`Options`], the alpha is the rank.
const ALPHA: &str = ".alpha";

/// Parts of names that identify unsupported kinds, each with the kind.
const UNSUPPORTED: [(&str, &str); 8] = [
    (".dora_scale", "a DoRA, which also changes the lengths of weights"),
    (".lora_magnitude_vector", "a DoRA, which also changes the lengths of weights"),
    (".lora_mid.", "a LoRA with Tucker decomposition"),
    (".hada_w", "a LoHa"),
    (".lokr_w", "a LoKr"),
    (".oft_", "an OFT"),
    (".on_input", "an (IA)³"),
    (".diff", "the difference of whole weights"),
];

/// An open file with a low-rank adapter. Its matrices are read when a weight needs them.
pub struct LoraFile {
    tensors: TensorFiles,
    options: Options,
    weight: f32,
    /// Whether each layer was applied to a weight, by its name.
    layers: Mutex<BTreeMap<String, bool>>,
}

impl LoraFile {
    /// Opens a file. `weight` is how much of its change is applied.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] if it is not a low-rank adapter, or if its kind is not supported. Otherwise if it cannot be
    /// read, or is not a safetensors file.
    pub fn open(path: &Path, weight: f32) -> Result<Self, DiffusionError> {
        let tensors = TensorFiles::open(path)?;
        let unsupported = |value: &str| {
            DiffusionError::from(ModelError::Unsupported {
                file: tensors.files(),
                field: "the file".to_owned(),
                value: value.to_owned(),
                supported: "a LoRA of linear layers and convolutions".to_owned(),
            })
        };
        let names = tensors.header().names();
        for (part, kind) in UNSUPPORTED {
            if names.iter().any(|name| name.contains(part)) {
                return Err(unsupported(kind));
            }
        }
        let mut layers = BTreeMap::new();
        for name in &names {
            if let Some(layer) = layer_of(name) {
                layers.insert(layer, false);
            } else if !name.ends_with(ALPHA) {
                return Err(unsupported(&format!("a file with the tensor `{name}`")));
            }
        }
        if layers.is_empty() {
            return Err(unsupported("a file without low-rank matrices"));
        }
        let options = Options::read(tensors.header());
        Ok(Self { tensors, options, weight, layers: Mutex::new(layers) })
    }

    /// Adds the change of the first of these layers that the file has to a weight.
    ///
    /// # Errors
    /// If the layer is for another shape, or cannot be read.
    pub(super) fn add_to(
        &self,
        weight: Tensor,
        candidates: &[String],
        device: &Device,
    ) -> Result<Tensor, ModelError> {
        let Some(layer) = self.use_first(candidates.iter().map(String::as_str)) else {
            return Ok(weight);
        };
        let factors = self.read(layer, device)?;
        let changed = || -> candle_core::Result<Tensor> {
            let (scale, down, up) = factors.matrices()?;
            let change = up.matmul(&down)?.reshape(weight.shape())?;
            &weight + (change * scale)?.to_dtype(weight.dtype())?
        };
        changed().map_err(|_| self.mismatch(&factors, weight.dims()))
    }

    /// The change of a dense layer by all these files. `candidates` are its possible names, each with what the dense layer has
    /// of it, and `shape` is that of its weight, `[out, in]`. `None` if no file changes it.
    ///
    /// # Errors
    /// As [`Self::add_to`].
    pub(in crate::diffusion) fn change(
        files: &[Self],
        candidates: &[(String, View)],
        shape: [usize; 2],
        device: &Device,
    ) -> Result<Option<LowRank>, DiffusionError> {
        let factors = files.iter().map(|file| file.factors_of(candidates, shape, device));
        let factors = factors.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
        Ok(LowRank::sum(&factors)?)
    }

    /// The change of a dense layer by the first of these layers that the file has: its scale, `down`, `(rank, in)`, and `up`,
    /// `(out, rank)`.
    fn factors_of(
        &self,
        candidates: &[(String, View)],
        shape: [usize; 2],
        device: &Device,
    ) -> Result<Option<(f64, Tensor, Tensor)>, ModelError> {
        let Some(layer) = self.use_first(candidates.iter().map(|(name, _)| name.as_str())) else {
            return Ok(None);
        };
        let view = candidates.iter().find(|(name, _)| name == layer).map(|(_, view)| *view);
        let factors = self.read(layer, device)?;
        let matrices = || -> candle_core::Result<Option<(f64, Tensor, Tensor)>> {
            let (scale, down, up) = factors.matrices()?;
            let Some(up) = view.unwrap_or(View::Whole).rows_of(&up)? else { return Ok(None) };
            let is_change = [up.dim(0)?, down.dim(1)?] == shape && up.dim(1)? == down.dim(0)?;
            Ok(is_change.then_some((scale, down, up)))
        };
        match matrices() {
            Ok(Some(matrices)) => Ok(Some(matrices)),
            Ok(None) | Err(_) => Err(self.mismatch(&factors, &shape)),
        }
    }

    /// The first of these layers that the file has. It counts as applied.
    fn use_first<'a>(&self, mut candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let layer = candidates.find(|layer| layers.contains_key(*layer))?;
        layers.insert(layer.to_owned(), true);
        Some(layer)
    }

    /// Reads the matrices of a layer.
    fn read(&self, layer: &str, device: &Device) -> Result<Factors, ModelError> {
        let names = self.names(layer);
        let read = |name: &str| self.tensors.get(name, DType::F32, device);
        let [down, up] = [read(&names[0])?, read(&names[1])?];
        let rank = down.dims().first().copied().unwrap_or_default() as f64;
        let alpha = format!("{layer}{ALPHA}");
        let alpha = match self.tensors.contains(&alpha) {
            true => Some(self.number(&alpha)?),
            false => self.options.alpha(layer, rank),
        };
        let scale = f64::from(self.weight) * alpha.unwrap_or(rank) / rank;
        Ok(Factors { names, down, up, scale })
    }

    /// The first number of a tensor.
    fn number(&self, name: &str) -> Result<f64, ModelError> {
        let tensor = self.tensors.get(name, DType::F32, &Device::Cpu)?;
        let number = tensor.flatten_all().and_then(|all| all.get(0)?.to_scalar::<f32>());
        number.map(f64::from).map_err(|source| {
            let (file, tensor, source) = (self.tensors.files(), name.to_owned(), Box::new(source));
            ModelError::Tensor { file, tensor, source }
        })
    }

    /// The error for matrices that do not fit the shape of a weight.
    fn mismatch(&self, factors: &Factors, weight: &[usize]) -> ModelError {
        let Factors { names: [down_name, up_name], down, up, .. } = factors;
        ModelError::Unsupported {
            file: self.tensors.files(),
            field: down_name.clone(),
            value: format!(
                "of the shape {:?}, and `{up_name}` of the shape {:?}",
                down.dims(),
                up.dims()
            ),
            supported: format!("a change of a weight of the shape {weight:?}"),
        }
    }

    /// Checks that every layer was applied to a weight.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] if the model has no weights for some of them: the file is for another family of models.
    pub fn check_used(&self) -> Result<(), ModelError> {
        let layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let unused: Vec<&String> =
            layers.iter().filter(|(_, is_used)| !**is_used).map(|(layer, _)| layer).collect();
        let Some(first) = unused.first() else { return Ok(()) };
        Err(ModelError::Unsupported {
            file: self.tensors.files(),
            field: (*first).clone(),
            value: format!(
                "a layer that this model does not have ({} of {} layers)",
                unused.len(),
                layers.len()
            ),
            supported: "a LoRA for the family of the model".to_owned(),
        })
    }

    /// The names of the matrices of a layer.
    fn names(&self, layer: &str) -> [String; 2] {
        let mut names =
            FACTORS.iter().map(|factors| factors.map(|factor| format!("{layer}{factor}")));
        let found = names.find(|names| self.tensors.contains(&names[0]));
        found.unwrap_or_else(|| OLD_FACTORS.map(|factor| format!("{layer}{factor}")))
    }
}

/// The matrices of a layer, as the file has them.
struct Factors {
    /// Their names: of `down`, then of `up`.
    names: [String; 2],
    down: Tensor,
    up: Tensor,
    /// That of their product.
    scale: f64,
}

impl Factors {
    /// The scale of the change, then `down`, `(rank, in)`, and `up`, `(out, rank)`.
    fn matrices(&self) -> candle_core::Result<(f64, Tensor, Tensor)> {
        Ok((self.scale, self.down.flatten_from(1)?, self.up.flatten_from(1)?))
    }
}

/// The layer that a matrix belongs to.
fn layer_of(name: &str) -> Option<String> {
    let suffixes = FACTORS.iter().flatten().chain(&OLD_FACTORS);
    suffixes.into_iter().find_map(|suffix| Some(name.strip_suffix(*suffix)?.to_owned()))
}
