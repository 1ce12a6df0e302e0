//! The scales in the metadata of a file, as diffusers' training programs write them.

use serde_json::{Map, Value};

use crate::model::tensors::TensorHeader;

/// The metadata with the options of peft, as JSON: each with its component and a dot before its name.
const METADATA: &str = "lora_adapter_metadata";

/// The options of peft for the layers of a file.
pub(super) struct Options(Map<String, Value>);

impl Options {
    /// The options in a file. Empty if it has none.
    pub(super) fn read(header: &TensorHeader) -> Self {
        let parsed = header.text(METADATA).and_then(|text| serde_json::from_str(text).ok());
        Self(parsed.unwrap_or_default())
    }

    /// The alpha of a layer of this rank, by its name in the file. `None` if no option tells it.
    pub(super) fn alpha(&self, layer: &str, rank: f64) -> Option<f64> {
        let (component, layer) = layer.split_once('.')?;
        let option = |name: &str| self.0.get(&format!("{component}.{name}"));
        let patterns = option("alpha_pattern").and_then(Value::as_object);
        let mut patterns = patterns.into_iter().flatten();
        // A pattern is the end of a name.
        let own = patterns.find(|(pattern, _)| {
            let before = layer.strip_suffix(pattern.trim_start_matches('^'));
            before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
        });
        let alpha = own.map(|(_, alpha)| alpha).or_else(|| option("lora_alpha"))?.as_f64()?;
        // Kalajdzievski 2023, arXiv:2312.03732, divides by the root of the rank.
        let is_stabilized = option("use_rslora").and_then(Value::as_bool) == Some(true);
        Some(if is_stabilized { alpha * rank.sqrt() } else { alpha })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_of_the_component_and_patterns_those_of_layers() {
        let options = |json: &str| Options(serde_json::from_str(json).unwrap());
        let some = options(
            r#"{"unet.lora_alpha": 8, "unet.alpha_pattern": {"attn.to_k": 2}, "text_encoder.lora_alpha": 6,
                "text_encoder.use_rslora": true}"#,
        );
        for (layer, alpha) in [
            ("unet.block.attn.to_q", Some(8.0)),
            ("unet.block.attn.to_k", Some(2.0)),
            ("unet.attn.to_k", Some(2.0)),
            ("unet.block.other_attn.to_k", Some(8.0)),
            ("text_encoder.layer", Some(12.0)),
            ("transformer.layer", None),
            ("lora_unet_layer", None),
        ] {
            assert_eq!(some.alpha(layer, 4.0), alpha, "{layer}");
        }
        assert_eq!(options("{}").alpha("unet.layer", 4.0), None);
    }
}
