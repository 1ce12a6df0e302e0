//! The layout of diffusers: the weight files of a component.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    io::{self, Read},
    iter,
    path::Path,
};

use serde_json::Value;

use super::{ADAPTERS, LOSS_AUTOENCODER, LOSS_ENCODER, config_file, optional_components};
use crate::{
    control::Interrupt,
    foreign,
    model::{
        ModelError,
        detect::TRANSFORMER,
        parse_json,
        tensors::{TensorFile, TensorFiles},
    },
};

/// The possible names of weight files, without extension: those of diffusers, then those of
/// transformers, each also in half precision.
const STEMS: [&str; 4] =
    ["diffusion_pytorch_model", "model", "diffusion_pytorch_model.fp16", "model.fp16"];

/// Extensions of weight files that may hold pickles.
pub(in crate::model) const PICKLES: [&str; 5] = ["bin", "ckpt", "pt", "pth", "pkl"];

/// The components whose weights identify a model: of newer families, the transformer instead of the UNet.
fn hashed(files: &dyn Files) -> [&'static str; 3] {
    let has_transformer = files.has(&config_file(TRANSFORMER)) && !files.has(&config_file("unet"));
    ["text_encoder", if has_transformer { TRANSFORMER } else { "unet" }, "vae"]
}

/// The component of some families whose weights identify a model, too.
const SECOND_TEXT_ENCODER: &str = "text_encoder_2";

/// The number of bytes to hash between two checks of the interrupt.
const HASHED_AT_ONCE: usize = 1 << 22;

/// Files in the layout of diffusers, named relative to the model with `/`.
pub(super) trait Files {
    fn has(&self, file: &str) -> bool;
    /// The names of everything in a folder, in any order. Nothing if the folder does not exist.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    fn names(&self, folder: &str) -> Result<Vec<String>, ModelError>;
    fn location(&self, file: &str) -> String;
    fn read(&self, file: &str) -> Result<Cow<'_, [u8]>, ModelError>;
    fn open(&self, file: &str) -> Result<Box<dyn Read + '_>, ModelError>;
    fn open_tensors(&self, file: &str) -> Result<TensorFile, ModelError>;
}

/// The error for a file that should exist.
pub(super) fn missing(files: &dyn Files, file: &str) -> ModelError {
    let is_of = |parts: &[&str]| parts.iter().any(|part| file.starts_with(part));
    let hint = match () {
        () if is_of(&ADAPTERS) => "copy or download it from the repository of the adapter",
        () if is_of(&[LOSS_ENCODER, LOSS_AUTOENCODER]) => {
            "copy or download it from the repository of the network"
        }
        () => "every model in diffusers' layout has this file; download or copy the model again",
    };
    ModelError::Missing { file: files.location(file), hint: hint.to_owned() }
}

/// Opens the weights of a component.
pub(super) fn tensors(files: &dyn Files, part: &str) -> Result<TensorFiles, ModelError> {
    let names = weight_files(files, part)?;
    let opened: Result<_, _> = names.iter().map(|name| files.open_tensors(name)).collect();
    opened.map(TensorFiles::new)
}

/// The blake3 hash of the weight files, in the order of [`hashed`] with shards sorted by name. The name and the weights of
/// the second text encoder and of each optional component follow; one that cannot be loaded affects no picture.
pub(super) fn hash(files: &dyn Files, interrupt: &Interrupt) -> Result<String, ModelError> {
    let mut hasher = blake3::Hasher::new();
    for part in hashed(files) {
        for file in weight_files(files, part)? {
            hash_file(files, &file, &mut hasher, interrupt)?;
        }
    }
    for part in iter::once(SECOND_TEXT_ENCODER).chain(optional_components()) {
        for file in weight_files(files, part).unwrap_or_default() {
            if files.open(&file).is_err() {
                continue;
            }
            hasher.update(part.as_bytes());
            hash_file(files, &file, &mut hasher, interrupt)?;
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// The weight files that [`hash`] reads. They may be missing or unreadable.
pub(super) fn identifying_weights(files: &dyn Files) -> impl Iterator<Item = String> {
    let parts = hashed(files).into_iter().chain([SECOND_TEXT_ENCODER]).chain(optional_components());
    parts.flat_map(move |part| weight_files(files, part).unwrap_or_default())
}

fn hash_file(
    files: &dyn Files,
    file: &str,
    hasher: &mut blake3::Hasher,
    interrupt: &Interrupt,
) -> Result<(), ModelError> {
    let io = |source| ModelError::Io { file: files.location(file), source };
    hash_reader(&mut *files.open(file)?, hasher, interrupt, &io)
}

/// The blake3 of a whole file on disk, as 64 hex digits.
pub(crate) fn file_hash(path: &Path, interrupt: &Interrupt) -> Result<String, ModelError> {
    let io = |source| ModelError::Io { file: path.display().to_string(), source };
    let mut file = foreign::open(path).map_err(io)?;
    let mut hasher = blake3::Hasher::new();
    hash_reader(&mut file, &mut hasher, interrupt, &io)?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Hashes a whole file.
pub(crate) fn hash_reader(
    content: &mut dyn Read,
    hasher: &mut blake3::Hasher,
    interrupt: &Interrupt,
    io: &dyn Fn(io::Error) -> ModelError,
) -> Result<(), ModelError> {
    let mut buffer = vec![0; HASHED_AT_ONCE];
    loop {
        interrupt.check()?;
        match content.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => _ = hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(io(source)),
        }
    }
}

/// The weight files of a component: one, or the shards in an index.
///
/// An empty `part` is the model's folder itself.
pub(super) fn weight_files(files: &dyn Files, part: &str) -> Result<Vec<String>, ModelError> {
    let below = |file: &str| match part {
        "" => file.to_owned(),
        part => format!("{part}/{file}"),
    };
    for stem in STEMS {
        let single = below(&format!("{stem}.safetensors"));
        if files.has(&single) {
            return Ok(vec![single]);
        }
        for index in indexes(stem).map(|index| below(&index)) {
            if files.has(&index) {
                return shards(files, &index, &below);
            }
        }
    }
    if ADAPTERS.contains(&part) {
        return only_weights(files, part);
    }
    let pickled = STEMS.iter().chain(&["pytorch_model"]).find_map(|stem| {
        let mut names = PICKLES.iter().map(|extension| below(&format!("{stem}.{extension}")));
        names.find(|file| files.has(file))
    });
    Err(match pickled {
        Some(file) => ModelError::Pickle { file: files.location(&file) },
        None => missing(files, &below(&format!("{}.safetensors", usual_stem(part)))),
    })
}

/// The possible names of the index of shards.
fn indexes(stem: &str) -> [String; 2] {
    [
        format!("{stem}.safetensors.index.json"),
        // Half precision: `model.safetensors.index.fp16.json`.
        stem.replace(".fp16", ".safetensors.index.fp16.json"),
    ]
}

/// The weight files that would be loaded, from the names in the folder of a component: one file, or an index with its
/// shards. Empty if no file has a usual name. Shards belong to an index if their names begin like its name.
#[cfg(feature = "hub")]
pub(in crate::model) fn weights_among(names: &BTreeSet<&str>) -> Vec<String> {
    for stem in STEMS {
        let single = format!("{stem}.safetensors");
        if names.contains(single.as_str()) {
            return vec![single];
        }
        let Some(index) = indexes(stem).into_iter().find(|name| names.contains(name.as_str()))
        else {
            continue;
        };
        let (base, is_half) = match stem.strip_suffix(".fp16") {
            Some(base) => (base, true),
            None => (stem, false),
        };
        let is_shard = |name: &&str| {
            name.starts_with(base)
                && name.contains("-of-")
                && name.ends_with(".safetensors")
                && name.contains(".fp16") == is_half
        };
        let shards = names.iter().filter(|name| is_shard(name)).map(|name| (*name).to_owned());
        return iter::once(index).chain(shards).collect();
    }
    Vec::new()
}

/// The weight file of an adapter with an unusual name. There must be a single one.
fn only_weights(files: &dyn Files, part: &str) -> Result<Vec<String>, ModelError> {
    let mut names = files.names(part)?;
    names.sort_unstable();
    let with = |extensions: &[&str]| {
        let has = |name: &&String| {
            name.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
        };
        names.iter().filter(has).map(|name| format!("{part}/{name}")).collect::<Vec<_>>()
    };
    let found = with(&["safetensors"]);
    match (found.as_slice(), with(&PICKLES).first()) {
        ([_], _) => Ok(found),
        ([_, _, ..], _) => Err(ModelError::Unsupported {
            file: files.location(part),
            field: "*.safetensors".to_owned(),
            value: names.join(", "),
            supported: "a single file: keep one adapter in the folder".to_owned(),
        }),
        ([], Some(pickle)) => Err(ModelError::Pickle { file: files.location(pickle) }),
        ([], None) => Err(missing(files, &format!("{part}/{}.safetensors", usual_stem(part)))),
    }
}

/// The shards that an index lists. Each must be the name of a file in the folder of the index.
fn shards(
    files: &dyn Files,
    index: &str,
    below: &dyn Fn(&str) -> String,
) -> Result<Vec<String>, ModelError> {
    let json = parse_json(&files.read(index)?)
        .map_err(|source| ModelError::Json { file: files.location(index), source })?;
    let unsupported = |value: &Value, supported: &str| ModelError::Unsupported {
        file: files.location(index),
        field: "weight_map".to_owned(),
        value: value.to_string(),
        supported: supported.to_owned(),
    };
    let map = json.get("weight_map").and_then(Value::as_object).filter(|map| !map.is_empty());
    let map = map.ok_or_else(|| {
        unsupported(
            json.get("weight_map").unwrap_or(&Value::Null),
            "a map from tensors to file names",
        )
    })?;
    let mut shards = BTreeSet::new();
    for value in map.values() {
        let name = value.as_str().filter(|name| !name.contains(['/', '\\', ':']));
        let name =
            name.ok_or_else(|| unsupported(value, "the name of a file in the same folder"))?;
        shards.insert(below(name));
    }
    Ok(shards.into_iter().collect())
}

/// The standard weight file name of a component in diffusers or transformers.
fn usual_stem(part: &str) -> &'static str {
    let is_encoder =
        part.starts_with("text_encoder") || part.ends_with("image_encoder") || part == LOSS_ENCODER;
    if is_encoder { "model" } else { "diffusion_pytorch_model" }
}
