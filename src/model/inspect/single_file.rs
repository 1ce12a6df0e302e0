//! Identifies a single file by its first bytes and the names of its tensors, not by its file name.

use std::{
    ffi::OsStr,
    io::{self, Read},
    path::Path,
};

use super::{HeaderError, Inspection, ModelKind, Obstacle, Part, TensorHeader, gguf};
use crate::{
    foreign,
    lfs::LfsPointer,
    model::{
        BaseModel,
        detect::{self, QWEN3},
        ldm::{LdmFamily, autoencoder, prediction},
        qwen3_file,
        transformer_file::TransformerFormat,
    },
};

/// The metadata of a single file that names its licence.
pub(in crate::model) const LICENCE: &str = "modelspec.license";

/// Enough bytes to identify every format, including the longest file name at the start of a zip archive.
const FIRST_BYTES: u64 = 512;

pub(super) fn inspect(path: &Path) -> io::Result<Inspection> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = foreign::open(path)?;
    let bytes = file.metadata()?.len();
    let mut first = Vec::new();
    file.take(FIRST_BYTES).read_to_end(&mut first)?;
    let part = Part { name, bytes, ..Part::default() };
    Ok(match Format::of(&first, path.extension()) {
        Format::Gguf { version, tensors } => {
            gguf::inspect(path, part, ModelKind::Gguf { version, tensors })?
        }
        Format::Pickle => {
            let file = part.name.clone();
            one(part, ModelKind::Pickle, Some(Obstacle::Pickle { file }))
        }
        Format::Safetensors => safetensors(path, part)?,
        Format::LfsPointer => Inspection::no_model(Obstacle::LfsPointer { file: part.name }),
        Format::Other(what) => {
            Inspection::no_model(Obstacle::NoModel(format!("{} is {what}", part.name)))
        }
    })
}

/// A file format, identified by the first bytes.
#[derive(Debug, PartialEq)]
enum Format {
    Gguf { version: u32, tensors: u64 },
    Pickle,
    Safetensors,
    LfsPointer,
    Other(&'static str),
}

impl Format {
    fn of(first: &[u8], extension: Option<&OsStr>) -> Self {
        let has_extension = |names: &[&str]| {
            extension.is_some_and(|e| names.iter().any(|name| e.eq_ignore_ascii_case(name)))
        };
        if LfsPointer::check(first).is_err() {
            return Self::LfsPointer;
        }
        if let Some(rest) = first.strip_prefix(b"GGUF") {
            return Self::gguf(rest);
        }
        // PyTorch keeps its pickle in a zip archive, whose first entry is `<name>/data.pkl`.
        let torch_archive =
            first.starts_with(b"PK\x03\x04") && first.windows(8).any(|part| part == b"data.pkl");
        let bare_pickle = matches!(first, [0x80, 2..=5, ..]);
        if torch_archive || bare_pickle || has_extension(&["ckpt", "pt", "pth", "pkl"]) {
            return Self::Pickle;
        }
        if has_extension(&["safetensors"]) || first.get(8) == Some(&b'{') {
            return Self::Safetensors;
        }
        match first {
            [] => Self::Other("empty"),
            [b'<', ..] => Self::Other("a web page instead of a model file"),
            _ => Self::Other("not in a known model format"),
        }
    }

    /// Version (u32) and number of tensors (u64), both little-endian.
    fn gguf(rest: &[u8]) -> Self {
        let numbers = rest.split_first_chunk::<4>().and_then(|(version, rest)| {
            let (tensors, _) = rest.split_first_chunk::<8>()?;
            Some((u32::from_le_bytes(*version), u64::from_le_bytes(*tensors)))
        });
        match numbers {
            Some((version, tensors)) => Self::Gguf { version, tensors },
            None => Self::Other("a truncated GGUF file"),
        }
    }
}

fn safetensors(path: &Path, mut part: Part) -> io::Result<Inspection> {
    let header = match TensorHeader::read(foreign::open(path)?, part.bytes) {
        Ok(header) => header,
        Err(HeaderError::Pickle) => {
            let file = part.name.clone();
            return Ok(one(part, ModelKind::Pickle, Some(Obstacle::Pickle { file })));
        }
        Err(error) => {
            let file = part.name.clone();
            return Ok(one(part, ModelKind::Broken, Some(Obstacle::Broken { file, error })));
        }
    };
    let bytes = std::mem::take(&mut part.bytes);
    part.add(&header, bytes);
    let kind = classify(&header);
    let base = match &kind {
        ModelKind::LdmCheckpoint { family } => BaseModel::from_name(family),
        ModelKind::Lora => BaseModel::of_lora(&header),
        ModelKind::Embedding => BaseModel::of_embedding(&header),
        _ => None,
    };
    let base = base.or_else(|| BaseModel::of_header(&header));
    let obstacle = match &kind {
        ModelKind::LdmCheckpoint { family } if LdmFamily::from_name(family).is_some() => {
            let has_text_encoders = LdmFamily::of_unet(&header).is_none();
            match (has_text_encoders, autoencoder::is_in(&header)) {
                (true, true) => None,
                (false, true) => Some(Obstacle::NoTextEncoder),
                (true, false) => Some(Obstacle::NoVae),
                (false, false) => Some(Obstacle::OnlyUNet),
            }
        }
        ModelKind::LdmCheckpoint { .. } => Some(Obstacle::OneFile),
        ModelKind::Component(class) => Some(Obstacle::of_component(class)),
        ModelKind::Embedding => Some(Obstacle::Embedding),
        ModelKind::Lora => Some(Obstacle::Adapter),
        _ => Some(Obstacle::NoModel(format!("the tensors in {} have unknown names", part.name))),
    };
    let licence = header.text(LICENCE).map(str::to_owned);
    let prediction_type = prediction::told(&header);
    let found = one(part, kind, obstacle);
    Ok(Inspection { base: base.or(found.base), licence, prediction_type, ..found })
}

/// An inspection of a file without a licence.
pub(super) fn one(part: Part, kind: ModelKind, obstacle: Option<Obstacle>) -> Inspection {
    let obstacles = obstacle.into_iter().collect();
    let parts = vec![part];
    let base = match &kind {
        // Each transformer is of one family.
        ModelKind::Component(class) if TransformerFormat::of_class(class).is_some() => {
            detect::component_of(class).and_then(|(family, _)| BaseModel::from_name(family.name))
        }
        _ => None,
    };
    Inspection { kind, base, parts, licence: None, prediction_type: None, memory: None, obstacles }
}

/// The kind of a safetensors file, by the names of its tensors.
pub(in crate::model) fn classify(header: &TensorHeader) -> ModelKind {
    let names = header.names();
    let any = |found: &dyn Fn(&str) -> bool| names.iter().any(|name| found(name));
    let starts = |prefix: &str| any(&|name| name.starts_with(prefix));
    let has = |part: &str| any(&|name| name.contains(part));

    if has("lora_up") || has("lora_down") || has("lora_A") || has("lora_B") || has(".lora.") {
        return ModelKind::Lora;
    }
    let has_tensor = |name: &str| header.shape(name).is_some();
    if let Some((format, _)) = TransformerFormat::of(&has_tensor) {
        return ModelKind::Component(format.class.to_owned());
    }
    if qwen3_file::Names::of(&has_tensor).is_some() {
        return ModelKind::Component(QWEN3.to_owned());
    }
    if starts("model.diffusion_model.") {
        let family = if starts("model.diffusion_model.joint_blocks.") {
            "Stable Diffusion 3"
        } else if starts("model.diffusion_model.double_blocks.") {
            "Flux"
        } else {
            let family =
                LdmFamily::of_text_encoders(&starts).or_else(|| LdmFamily::of_unet(header));
            family.map_or("a diffusion network of another family", |it| it.base().name())
        };
        return ModelKind::LdmCheckpoint { family: family.to_owned() };
    }
    if ["emb_params", "clip_g", "clip_l"].into_iter().any(has_tensor)
        || BaseModel::of_embedding(header).is_some()
    {
        return ModelKind::Embedding;
    }
    let component = if has_tensor("task_embedding") {
        "ControlNetUnionModel"
    } else if starts("controlnet_cond_embedding.") || has("input_hint_block.") {
        "ControlNetModel"
    } else if starts("image_proj.") || starts("ip_adapter.") {
        "IPAdapter"
    } else if has("body.0.") && !starts("down_blocks.") {
        "T2IAdapter"
    } else if starts("time_embedding.") && starts("up_blocks.") {
        "UNet2DConditionModel"
    } else if starts("decoder.layers.") {
        "AutoencoderTiny"
    } else if starts("decoder.conv_in.") && starts("encoder.") {
        "AutoencoderKL"
    } else if starts("vision_model.") {
        "CLIPVisionModel"
    } else if starts("text_model.embeddings.token_embedding.") {
        "CLIPTextModel"
    } else {
        return ModelKind::UnknownTensors;
    };
    ModelKind::Component(component.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inspect::inspect;
    use proptest::prelude::*;

    /// A safetensors file with one f32 in each of these tensors.
    fn with_tensors(names: &[&str]) -> Vec<u8> {
        let entries: Vec<String> = (0..)
            .zip(names)
            .map(|(at, name)| {
                let offsets = [at * 4, at * 4 + 4];
                format!(r#""{name}":{{"dtype":"F32","shape":[1],"data_offsets":{offsets:?}}}"#)
            })
            .collect();
        let json = format!("{{{}}}", entries.join(","));
        let mut file = (json.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(json.as_bytes());
        file.resize(file.len() + 4 * names.len(), 0);
        file
    }

    fn inspected(name: &str, content: &[u8]) -> Inspection {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        inspect(&path).expect("readable")
    }

    #[test]
    fn a_safetensors_file_is_identified_by_the_names_of_its_tensors() {
        let transformer = || ModelKind::Component("Flux2Transformer2DModel".to_owned());
        let cases: [(&[&str], ModelKind); 19] = [
            (&["double_stream_modulation_img.lin.weight", "img_in.weight"], transformer()),
            (&["model.diffusion_model.double_stream_modulation_img.lin.weight"], transformer()),
            (&["double_stream_modulation_img.linear.weight"], transformer()),
            (
                &["model.diffusion_model.a", "cond_stage_model.transformer.b"],
                ModelKind::LdmCheckpoint { family: "Stable Diffusion 1.x".to_owned() },
            ),
            (
                &["model.diffusion_model.a", "cond_stage_model.model.b"],
                ModelKind::LdmCheckpoint { family: "Stable Diffusion 2.x".to_owned() },
            ),
            (
                &[
                    "model.diffusion_model.a",
                    "conditioner.embedders.0.transformer.b",
                    "conditioner.embedders.1.model.c",
                ],
                ModelKind::LdmCheckpoint { family: "Stable Diffusion XL".to_owned() },
            ),
            (
                &[
                    "model.diffusion_model.label_emb.0.0.weight",
                    "model.diffusion_model.input_blocks.0.0.weight",
                    "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight",
                ],
                ModelKind::LdmCheckpoint { family: "Stable Diffusion XL".to_owned() },
            ),
            (&["lora_unet_down_blocks_0.lora_up.weight"], ModelKind::Lora),
            (&["unet.down_blocks.0.lora_A.weight"], ModelKind::Lora),
            (
                &["time_embedding.linear_1.weight", "up_blocks.0.resnets.0.conv1.weight"],
                ModelKind::Component("UNet2DConditionModel".to_owned()),
            ),
            (
                &["decoder.conv_in.weight", "encoder.conv_in.weight"],
                ModelKind::Component("AutoencoderKL".to_owned()),
            ),
            (&["emb_params"], ModelKind::Embedding),
            (&["clip_l", "clip_g"], ModelKind::Embedding),
            (
                &["control_model.input_hint_block.0.weight"],
                ModelKind::Component("ControlNetModel".to_owned()),
            ),
            (
                &["controlnet_cond_embedding.conv_in.weight", "task_embedding"],
                ModelKind::Component("ControlNetUnionModel".to_owned()),
            ),
            (
                &["image_proj.proj.weight", "ip_adapter.1.to_k_ip.weight"],
                ModelKind::Component("IPAdapter".to_owned()),
            ),
            (
                &["adapter.body.0.resnets.0.block1.weight"],
                ModelKind::Component("T2IAdapter".to_owned()),
            ),
            (
                &["vision_model.embeddings.class_embedding", "visual_projection.weight"],
                ModelKind::Component("CLIPVisionModel".to_owned()),
            ),
            (&["some.thing"], ModelKind::UnknownTensors),
        ];
        for (names, kind) in cases {
            let found = inspected("a.safetensors", &with_tensors(names));
            assert_eq!(found.kind, kind, "{names:?}");
            assert_eq!(found.parts[0].parameters, names.len() as u64);
            let is_model = matches!(&kind, ModelKind::LdmCheckpoint { family } if BaseModel::from_name(family).is_some());
            let has_text_encoder = names.iter().any(|name| name.starts_with("cond"));
            // None has an autoencoder.
            let lacks_vae = found.obstacles == [Obstacle::NoVae];
            assert_eq!(lacks_vae, is_model && has_text_encoder, "{names:?}");
            let lacks_both = found.obstacles == [Obstacle::OnlyUNet];
            assert_eq!(lacks_both, is_model && !has_text_encoder, "{names:?}");
        }
    }

    #[test]
    fn a_pickle_is_recognized_by_its_bytes_under_any_name() {
        let archive = [b"PK\x03\x04".as_slice(), &[0; 22], &[16, 0, 0, 0], b"archive/data.pkl"];
        for (name, content) in [
            ("model.safetensors", archive.concat()),
            ("model.bin", vec![0x80, 2, b'}', b'.']),
            ("model.ckpt", b"anything".to_vec()),
        ] {
            let found = inspected(name, &content);
            assert_eq!(found.kind, ModelKind::Pickle, "{name}");
            assert_eq!(found.obstacles, [Obstacle::Pickle { file: name.to_owned() }]);
        }
    }

    #[test]
    fn a_gguf_file_is_reported_with_version_and_tensors() {
        let content = [b"GGUF".as_slice(), &3_u32.to_le_bytes(), &291_u64.to_le_bytes()].concat();
        let found = inspected("model.gguf", &content);
        assert_eq!(found.kind, ModelKind::Gguf { version: 3, tensors: 291 });
    }

    #[test]
    fn a_truncated_safetensors_file_is_reported_as_broken() {
        let mut content = with_tensors(&["a", "b"]);
        content.truncate(content.len() - 5);
        let found = inspected("a.safetensors", &content);
        let error = HeaderError::CutOff { tensor: "a".to_owned(), missing: 5 };
        let expected = Obstacle::Broken { file: "a.safetensors".to_owned(), error };
        assert_eq!((found.kind, found.obstacles), (ModelKind::Broken, vec![expected]));
    }

    #[test]
    fn a_file_that_is_not_a_model_is_described() {
        for (content, word) in [
            (b"".as_slice(), "empty"),
            (b"<!doctype html>", "web page"),
            (b"version https://git-lfs.github.com/spec/v1", "LFS pointer"),
            (b"hello", "known model format"),
        ] {
            let found = inspected("thing.dat", content);
            assert_eq!(found.kind, ModelKind::NoModel);
            assert!(found.obstacles[0].to_string().contains(word), "{:?}", found.obstacles);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn arbitrary_files_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..600),
            magic in prop::sample::select(vec![&b""[..], b"GGUF", b"PK\x03\x04", b"\x80\x02"]),
        ) {
            let _ = inspected("any.safetensors", &[magic, &bytes].concat());
            let _ = inspected("any", &[magic, &bytes].concat());
        }
    }
}
