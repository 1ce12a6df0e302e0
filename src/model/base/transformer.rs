//! The base of low-rank adapters for transformers, by the names and the shapes of their layers.

use super::BaseModel;
use crate::model::tensors::TensorHeader;

/// Parts of the names of layers that FLUX.2 has, and FLUX.1 does not.
const FLUX2: [&str; 6] = [
    "attn_to_qkv_mlp_proj",
    "ff_linear_in",
    "ff_context_linear_in",
    "double_stream_modulation_",
    "single_stream_modulation",
    "time_guidance_embed_",
];

/// Dense layers that both have in the original names, before and behind the activation. In FLUX.2 they are gated.
const DENSE: [[&str; 2]; 2] = [["img_mlp_0", "img_mlp_2"], ["txt_mlp_0", "txt_mlp_2"]];

/// Those of the blocks that have the attention beside the dense layer.
const PARALLEL: [&str; 2] = ["_linear1", "_linear2"];

/// Layers of FLUX.2 whose input has the width of the network.
const FLUX2_INPUTS: [&str; 7] = [
    "attn_to_qkv_mlp_proj",
    "attn_to_q",
    "attn_to_k",
    "attn_qkv",
    "linear_in",
    "img_mlp_0",
    "_linear1",
];

/// The width of FLUX.2 \[dev\].
const FLUX2_DEV: usize = 6144;

/// Parts of the names of blocks of Z-Image, and of the layers in them.
const Z_IMAGE_BLOCKS: [&str; 2] = ["layers_", "refiner_"];
const Z_IMAGE: [&str; 5] =
    ["_attention_to_", "_attention_qkv", "_attention_out", "_feed_forward_w", "_adaLN_modulation_"];

/// The width of Lumina 2, whose original names are the same.
const LUMINA: usize = 2304;

/// Parts of the names of the two matrices of a layer.
const DOWN: [&str; 2] = ["lora_down", "lora_A"];
const UP: [&str; 2] = ["lora_up", "lora_B"];

/// The base of a low-rank adapter for a transformer. `None` if its layers do not tell it.
pub(super) fn of_lora(header: &TensorHeader) -> Option<BaseModel> {
    let names = header.names();
    // The names of kohya have no dots.
    let matrices =
        names.iter().filter_map(|name| Some((name.replace('.', "_"), header.shape(name)?)));
    let matrices = Matrices(matrices.collect());
    if matrices.are_of_flux2() {
        let is_dev = FLUX2_INPUTS.iter().any(|layer| matrices.input(layer) == Some(FLUX2_DEV));
        return (!is_dev).then_some(BaseModel::Flux2Klein);
    }
    let has = |name: &str, parts: &[&str]| parts.iter().any(|part| name.contains(part));
    let is_of_block = |name: &str| has(name, &Z_IMAGE_BLOCKS) && has(name, &Z_IMAGE);
    let mut of_blocks = matrices.0.iter().filter(|(name, _)| is_of_block(name)).peekable();
    let is_z_image =
        of_blocks.peek().is_some() && of_blocks.all(|(_, shape)| !shape.contains(&LUMINA));
    is_z_image.then_some(BaseModel::ZImage)
}

/// The matrices of a file, with `_` for dots in their names.
struct Matrices<'a>(Vec<(String, &'a [usize])>);

impl Matrices<'_> {
    fn are_of_flux2(&self) -> bool {
        let is_of_flux2 = |name: &str| {
            FLUX2.iter().any(|part| name.contains(part))
                || (name.contains("single_transformer_blocks_") && name.contains("attn_to_out"))
        };
        self.0.iter().any(|(name, _)| is_of_flux2(name)) || self.is_gated() == Some(true)
    }

    /// Whether a dense layer in the original names is gated: whether its first matrix is twice as wide. `None` if there is no
    /// such layer.
    fn is_gated(&self) -> Option<bool> {
        let found = DENSE.iter().find_map(|[before, behind]| {
            Some((self.output(before)?, self.input(behind)?.checked_mul(2)?))
        });
        if let Some((before, twice)) = found {
            return Some(before == twice);
        }
        // The first matrix also gives queries, keys and values, and the second one also sees the output of the attention.
        let [before, behind] = PARALLEL;
        let width = self.output(behind)?;
        let inner = self.input(behind)?.checked_sub(width)?;
        let twice = width.checked_mul(3)?.checked_add(inner.checked_mul(2)?)?;
        Some(self.output(before)? == twice)
    }

    /// The input channels of the first layer with this part in its name.
    fn input(&self, layer: &str) -> Option<usize> {
        self.shape(layer, &DOWN)?.get(1).copied()
    }

    /// The output channels of the first layer with this part in its name.
    fn output(&self, layer: &str) -> Option<usize> {
        self.shape(layer, &UP)?.first().copied()
    }

    fn shape(&self, layer: &str, kinds: &[&str]) -> Option<&[usize]> {
        let is_kind = |name: &str| kinds.iter().any(|kind| name.contains(kind));
        let found = self.0.iter().find(|(name, _)| name.contains(layer) && is_kind(name));
        found.map(|(_, shape)| *shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::base::tests::header;

    #[test]
    fn the_base_of_an_adapter_for_a_transformer_follows_from_its_layers() {
        let found = |tensors: &[(&str, [usize; 2])]| {
            let tensors: Vec<(&str, &[usize])> =
                tensors.iter().map(|(name, shape)| (*name, shape.as_slice())).collect();
            of_lora(&header(&tensors))
        };
        let klein = Some(BaseModel::Flux2Klein);
        let single = "transformer.single_transformer_blocks.3.attn";
        let input = format!("{single}.to_qkv_mlp_proj.lora_A.weight");
        assert_eq!(found(&[(&input, [4, 3072])]), klein);
        assert_eq!(found(&[(&input, [4, 6144])]), None, "FLUX.2 [dev]");
        assert_eq!(found(&[(&format!("{single}.to_out.lora_B.weight"), [4096, 4])]), klein);
        assert_eq!(found(&[(&format!("{single}.to_q.lora_A.weight"), [4, 3072])]), None);

        // FLUX.1 has the same original names, but its dense layers are not gated.
        let [before, behind, output] = ["linear1.lora_B", "linear2.lora_A", "linear2.lora_B"]
            .map(|layer| format!("diffusion_model.single_blocks.0.{layer}.weight"));
        for (sizes, expected) in [([27648, 12288], klein), ([21504, 15360], None)] {
            let [first, second] = sizes;
            let tensors: [(&str, [usize; 2]); 3] =
                [(&before, [first, 4]), (&behind, [4, second]), (&output, [3072, 4])];
            assert_eq!(found(&tensors), expected, "{sizes:?}");
        }
        let [before, behind] = ["0.lora_up", "2.lora_down"]
            .map(|layer| format!("lora_unet_double_blocks_0_img_mlp_{layer}.weight"));
        for (sizes, expected) in [([18432, 9216], klein), ([12288, 12288], None)] {
            let tensors = [(before.as_str(), [sizes[0], 4]), (&behind, [4, sizes[1]])];
            assert_eq!(found(&tensors), expected, "{sizes:?}");
        }

        let z_image = Some(BaseModel::ZImage);
        for (name, width, expected) in [
            ("diffusion_model.layers.0.attention.to_q.lora_A.weight", 3840, z_image),
            ("lora_unet_layers_0_attention_qkv.lora_down.weight", 3840, z_image),
            ("transformer.context_refiner.1.feed_forward.w1.lora_A.weight", 3840, z_image),
            ("diffusion_model.layers.0.attention.qkv.lora_A.weight", 2304, None),
            ("lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight", 768, None),
        ] {
            assert_eq!(found(&[(name, [4, width])]), expected, "{name}");
        }
    }
}
