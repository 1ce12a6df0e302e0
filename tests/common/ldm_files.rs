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
    let names = fs::read(fixtures().join(format!("single_files/{name}.json"))).unwrap();
    let names: BTreeMap<String, String> = serde_json::from_slice(&names).unwrap();
    assert!(names.len() > 300);
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

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference/fixtures")
}
