//! Models of the fixtures as single files in LDM.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::PathBuf,
};

use bevy_illustrator::model::{FolderPackage, Package};
use candle_core::{DType, Device, Tensor};

pub type Tensors = HashMap<String, Tensor>;

/// The tensors of the fixture `name` with their names and shapes in LDM, by the list of `tests/reference/checkpoints.py`.
pub fn tensors(name: &str) -> Tensors {
    let tensors = listed(name);
    assert!(tensors.len() > 300);
    tensors
}

/// As [`tensors`], of a list that may be short.
pub fn listed(name: &str) -> Tensors {
    let names = fs::read(fixtures().join(format!("single_files/{name}.json"))).unwrap();
    let names: BTreeMap<String, String> = serde_json::from_slice(&names).unwrap();
    let package = FolderPackage::open(fixtures().join(name)).unwrap();
    let mut tensors = Tensors::new();
    for (ldm, entry) in names {
        let mut entry = entry.split(' ');
        let view = entry.next().unwrap();
        let parts = entry.map(|tensor| {
            let (component, name) = tensor.split_once('/').unwrap();
            package.tensors(component).unwrap().get(name, DType::F32, &Device::Cpu).unwrap()
        });
        let whole = Tensor::cat(&parts.collect::<Vec<_>>(), 0).unwrap();
        let stored = match view {
            "whole" => whole,
            "transposed" => whole.t().unwrap().contiguous().unwrap(),
            "unsqueezed" => whole.unsqueeze(2).unwrap().unsqueeze(3).unwrap(),
            other => panic!("{other}"),
        };
        tensors.insert(ldm, stored);
    }
    tensors
}

/// A text encoder with the vocabulary of CLIP. Its only layer is narrow.
pub fn with_clip_vocabulary(mut tensors: Tensors) -> Tensors {
    let name = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight";
    let rows = tensors[name].repeat((100, 1)).unwrap().narrow(0, 0, 49408).unwrap();
    tensors.insert(name.to_owned(), rows.contiguous().unwrap());
    tensors
}

/// Networks with more channels, so that the 32 groups of LDM divide them.
pub fn widened(tensors: Tensors) -> Tensors {
    let wide = |(name, tensor): (String, Tensor)| {
        let is_text = name.starts_with("cond_stage_model.");
        let is_moments = name.contains("quant_conv");
        // The autoencoder of the fixture has 4 channels, the UNet 8. Kernels and the channels of pictures have at most 3.
        let (factor, kept) = if name.starts_with("first_stage_model.") { (8, 3) } else { (4, 4) };
        let is_wider = |(at, side): (usize, &usize)| {
            let is_kept = is_text
                || is_moments
                || *side <= kept
                || (at == 0 && name.contains("encoder.conv_out"))
                || (at == 1 && name.contains("decoder.conv_in"))
                || (at == 1 && (name.contains("attn2.to_k") || name.contains("attn2.to_v")));
            if is_kept { 1 } else { factor }
        };
        let times: Vec<usize> = tensor.dims().iter().enumerate().map(is_wider).collect();
        let inputs = times.get(1).copied().unwrap_or(1);
        let wide = (tensor.repeat(times.as_slice()).unwrap() / inputs as f64).unwrap();
        (name, wide.contiguous().unwrap())
    };
    tensors.into_iter().map(wide).collect()
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference/fixtures")
}
