//! The base models: what a file is made for.

mod transformer;

use serde::{Serialize, Serializer};

use super::tensors::TensorHeader;

/// A base model, on which finetunes, LoRAs and adapters are based. A LoRA works only with models of its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseModel {
    /// Stable Diffusion 1.x.
    Sd1,
    /// Stable Diffusion 2.x.
    Sd2,
    /// Stable Diffusion XL.
    Xl,
    /// FLUX.2 Klein, of any size.
    Flux2Klein,
    /// Z-Image and Z-Image-Turbo.
    ZImage,
}

/// A part of the names of the layers that read the prompt, by which the width of prompts is found.
const READS_PROMPT: &str = "attn2";

/// Parts of the names of their first matrices, whose input is the prompt. Not the second matrices of a LoRA.
const KEYS: [&str; 2] = ["to_k", "to_k_ip"];
const OUTPUTS: [&str; 4] = ["lora_up", "lora_B", "lora.up", "alpha"];

/// The tensors of a textual inversion for the two text encoders of Stable Diffusion XL.
pub(crate) const EMBEDDINGS_OF_XL: [&str; 2] = ["clip_l", "clip_g"];

impl BaseModel {
    /// All base models.
    pub const ALL: [Self; 5] = [Self::Sd1, Self::Sd2, Self::Xl, Self::Flux2Klein, Self::ZImage];

    /// The display name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sd1 => "Stable Diffusion 1.x",
            Self::Sd2 => "Stable Diffusion 2.x",
            Self::Xl => "Stable Diffusion XL",
            Self::Flux2Klein => "FLUX.2 Klein",
            Self::ZImage => "Z-Image",
        }
    }

    /// The base model with this display name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|base| base.name() == name)
    }

    /// The width of the prompt's vectors, which the layers of a UNet read.
    const fn prompt_width(self) -> Option<usize> {
        match self {
            Self::Sd1 => Some(768),
            Self::Sd2 => Some(1024),
            Self::Xl => Some(2048),
            Self::Flux2Klein | Self::ZImage => None,
        }
    }

    /// The base of a file, by the width of the prompts that its layers read. `None` if no layer reads prompts.
    pub(super) fn of_header(header: &TensorHeader) -> Option<Self> {
        let width = header.names().iter().find_map(|name| prompt_width(name, header.shape(name)?));
        Self::of_width(width?)
    }

    /// The base of a low-rank adapter: by the width of prompts for a UNet, and by the names of layers for a transformer.
    pub(super) fn of_lora(header: &TensorHeader) -> Option<Self> {
        Self::of_header(header).or_else(|| transformer::of_lora(header))
    }

    /// The base of a textual inversion: `clip_l` and `clip_g`, or a single tensor of any name with vectors of the width of
    /// prompts.
    pub(super) fn of_embedding(header: &TensorHeader) -> Option<Self> {
        if EMBEDDINGS_OF_XL.iter().all(|name| header.shape(name).is_some()) {
            return Some(Self::Xl);
        }
        match header.names().as_slice() {
            [name] => match header.shape(name)? {
                [width] | [_, width] => Self::of_width(*width).filter(|base| *base != Self::Xl),
                _ => None,
            },
            _ => None,
        }
    }

    fn of_width(width: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|base| base.prompt_width() == Some(width))
    }
}

/// The width of prompts, if a tensor is the input of a layer that reads them.
fn prompt_width(name: &str, shape: &[usize]) -> Option<usize> {
    let is_key = name.contains(READS_PROMPT) || name.starts_with("ip_adapter.");
    let reads = is_key && KEYS.iter().any(|key| name.contains(key));
    let is_input = reads && !OUTPUTS.iter().any(|output| name.contains(output));
    shape.get(1).copied().filter(|_| is_input)
}

impl std::fmt::Display for BaseModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for BaseModel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::model) fn header(tensors: &[(&str, &[usize])]) -> TensorHeader {
        let mut bytes = 0;
        let entries = tensors.iter().map(|(name, shape)| {
            let from = bytes;
            bytes += shape.iter().product::<usize>() * 4;
            format!(
                r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{from},{bytes}]}}"#
            )
        });
        let json = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
        let mut file = (json.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(json.as_bytes());
        let size = (file.len() + bytes) as u64;
        TensorHeader::read(file.as_slice(), size).unwrap()
    }

    #[test]
    fn the_base_follows_from_the_width_of_the_prompts_that_a_layer_reads() {
        use BaseModel::{Sd1, Sd2, Xl};
        let kohya = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k";
        for (name, shape, expected) in [
            (format!("{kohya}.lora_down.weight"), [4, 2048], Some(Xl)),
            (format!("{kohya}.lora_down.weight"), [4, 768], Some(Sd1)),
            // The second matrix of a LoRA has the width of the layer.
            (format!("{kohya}.lora_up.weight"), [640, 768], None),
            ("unet.mid_block.attn2.to_k.lora_A.weight".to_owned(), [8, 1024], Some(Sd2)),
            ("down_blocks.0.attn2.to_k.weight".to_owned(), [320, 768], Some(Sd1)),
            ("down_blocks.0.attn1.to_k.weight".to_owned(), [320, 768], None),
            ("ip_adapter.1.to_k_ip.weight".to_owned(), [640, 2048], Some(Xl)),
            (format!("{kohya}.lora_down.weight"), [4, 4096], None),
        ] {
            let found = BaseModel::of_header(&header(&[(&name, &shape)]));
            assert_eq!(found, expected, "{name} {shape:?}");
        }
    }

    #[test]
    fn the_base_of_an_embedding_follows_from_the_width_of_its_vectors() {
        use BaseModel::{Sd1, Sd2, Xl};
        let base = |tensors: &[(&str, &[usize])]| BaseModel::of_embedding(&header(tensors));
        assert_eq!(base(&[("emb_params", &[3, 768])]), Some(Sd1));
        assert_eq!(base(&[("<harbour>", &[1024])]), Some(Sd2));
        assert_eq!(base(&[("clip_l", &[3, 768]), ("clip_g", &[3, 1280])]), Some(Xl));
        assert_eq!(base(&[("<harbour>", &[2, 1280])]), None);
        assert_eq!(base(&[("<harbour>", &[2, 3, 768])]), None);
        assert_eq!(base(&[("a", &[3, 768]), ("b", &[3, 768])]), None);
    }
}
