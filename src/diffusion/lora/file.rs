//! The file of a low-rank adapter.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, PoisonError},
};

use candle_core::{DType, Device, Tensor};

use crate::{
    diffusion::DiffusionError,
    model::{ModelError, TensorSource, tensors::TensorFiles},
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

/// The name of the scale of a layer. Without it, the scale is the rank.
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
        Ok(Self { tensors, weight, layers: Mutex::new(layers) })
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
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let found = candidates.iter().find(|layer| layers.contains_key(*layer));
        let Some(layer) = found else { return Ok(weight) };
        layers.insert(layer.clone(), true);
        drop(layers);
        let [down, up] = self.factors(layer);
        let read = |name: &str| self.tensors.get(name, DType::F32, device);
        let (down_name, up_name) = (down, up);
        let (down, up) = (read(&down_name)?, read(&up_name)?);
        let alpha = format!("{layer}{ALPHA}");
        let alpha = match self.tensors.contains(&alpha) {
            true => Some(read(&alpha)?),
            false => None,
        };
        let changed = || -> candle_core::Result<Tensor> {
            let rank = down.dim(0)?;
            let alpha = match alpha {
                Some(alpha) => f64::from(alpha.flatten_all()?.get(0)?.to_scalar::<f32>()?),
                None => rank as f64,
            };
            let down = down.flatten_from(1)?;
            let up = up.flatten_from(1)?;
            let change = up.matmul(&down)?.reshape(weight.shape())?;
            let scale = f64::from(self.weight) * alpha / rank as f64;
            &weight + (change * scale)?.to_dtype(weight.dtype())?
        };
        changed().map_err(|_| ModelError::Unsupported {
            file: self.tensors.files(),
            field: down_name.clone(),
            value: format!(
                "of the shape {:?}, and `{up_name}` of the shape {:?}",
                down.dims(),
                up.dims()
            ),
            supported: format!("a change of a weight of the shape {:?}", weight.dims()),
        })
    }

    /// Checks that every layer was applied to a weight.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] if the model has no weights for some of them: the file is for another family of models.
    pub(super) fn check_used(&self) -> Result<(), ModelError> {
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
    fn factors(&self, layer: &str) -> [String; 2] {
        let mut names =
            FACTORS.iter().map(|factors| factors.map(|factor| format!("{layer}{factor}")));
        let found = names.find(|names| self.tensors.contains(&names[0]));
        found.unwrap_or_else(|| OLD_FACTORS.map(|factor| format!("{layer}{factor}")))
    }
}

/// The layer that a matrix belongs to.
fn layer_of(name: &str) -> Option<String> {
    let suffixes = FACTORS.iter().flatten().chain(&OLD_FACTORS);
    suffixes.into_iter().find_map(|suffix| Some(name.strip_suffix(*suffix)?.to_owned()))
}
