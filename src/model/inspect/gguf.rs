//! Identifies a GGUF file by its architecture and the names of its tensors.

use std::{io, path::Path};

use serde_json::Value;

use super::{Inspection, ModelKind, Obstacle, Part, single_file::one};
use crate::{
    foreign,
    model::{ModelError, detect::QWEN3, tensors::GgufHeader, transformer_file::TransformerFormat},
};

/// The metadata with the architecture of a language model.
const ARCHITECTURE: &str = "general.architecture";

/// The metadata with the licence.
const LICENCE: &str = "general.license";

/// Inspects a file that begins like a GGUF file.
pub(super) fn inspect(path: &Path, mut part: Part, found: ModelKind) -> io::Result<Inspection> {
    let header = match GgufHeader::read(foreign::open(path)?, part.bytes) {
        Ok(header) => header,
        Err(error) => {
            let file = part.name.clone();
            return Ok(one(part, found, Some(Obstacle::BrokenGguf { file, error })));
        }
    };
    part.count(header.parameters());
    let text = |name: &str| header.value(name).and_then(Value::as_str).map(str::to_owned);
    let kind =
        if let Some((format, _)) = TransformerFormat::of(&|name| header.shape(name).is_some()) {
            ModelKind::Component(format.class.to_owned())
        } else if text(ARCHITECTURE).as_deref() == Some("qwen3") {
            ModelKind::Component(QWEN3.to_owned())
        } else {
            found
        };
    let unreadable = header.unreadable().map(|(tensor, found)| {
        let (file, tensor, found) = (part.name.clone(), tensor.to_owned(), found.to_string());
        Obstacle::Refused(ModelError::NumberType { file, tensor, found }.to_string())
    });
    let obstacle = match &kind {
        ModelKind::Component(class) => Obstacle::of_component(class),
        _ => Obstacle::Gguf,
    };
    let mut inspection = one(part, kind, Some(obstacle));
    inspection.obstacles.extend(unreadable);
    Ok(Inspection { licence: text(LICENCE), ..inspection })
}
