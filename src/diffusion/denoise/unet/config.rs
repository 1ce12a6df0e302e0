//! The `config.json` of a UNet, and the blocks that it describes.

use serde::Deserialize;
use serde_json::json;

use crate::diffusion::{
    DiffusionError,
    config::{ConfigFile, OneOrEach},
};

/// The fields of a UNet's `config.json` that the network uses, with diffusers' defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct UNet2DConditionConfig {
    /// The size of the latents in training.
    pub sample_size: Option<SampleSize>,
    /// Input channels.
    pub in_channels: usize,
    /// Output channels.
    pub out_channels: usize,
    /// Channels of each level, from the largest feature map to the smallest.
    pub block_out_channels: Vec<usize>,
    pub(super) center_input_sample: bool,
    pub(super) flip_sin_to_cos: bool,
    pub(super) freq_shift: f64,
    pub(super) down_block_types: Vec<String>,
    pub(super) mid_block_type: Option<String>,
    pub(super) up_block_types: Vec<String>,
    pub(super) only_cross_attention: OneOrEach<bool>,
    pub(super) layers_per_block: OneOrEach<usize>,
    pub(super) downsample_padding: usize,
    pub(super) mid_block_scale_factor: f64,
    pub(super) act_fn: String,
    pub(super) norm_num_groups: usize,
    pub(super) norm_eps: f64,
    pub(super) cross_attention_dim: OneOrEach<usize>,
    pub(super) transformer_layers_per_block: OneOrEach<OneOrEach<usize>>,
    pub(super) reverse_transformer_layers_per_block: Option<Vec<OneOrEach<usize>>>,
    pub(super) attention_head_dim: OneOrEach<usize>,
    pub(super) num_attention_heads: Option<OneOrEach<usize>>,
    pub(super) use_linear_projection: bool,
    pub(super) resnet_time_scale_shift: String,
    pub(super) time_cond_proj_dim: Option<usize>,
    pub(super) time_embedding_dim: Option<usize>,
    pub(super) time_embedding_act_fn: Option<String>,
    pub(super) timestep_post_act: Option<String>,
    pub(super) conv_in_kernel: usize,
    pub(super) conv_out_kernel: usize,
    pub(super) addition_embed_type: Option<String>,
    pub(super) addition_time_embed_dim: Option<usize>,
    pub(super) projection_class_embeddings_input_dim: Option<usize>,
}

/// Height and width of latents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum SampleSize {
    /// Equal height and width.
    Square(usize),
    /// Height and width.
    Sides(usize, usize),
}

impl SampleSize {
    /// Height and width.
    pub fn height_and_width(self) -> (usize, usize) {
        match self {
            Self::Square(side) => (side, side),
            Self::Sides(height, width) => (height, width),
        }
    }
}

impl UNet2DConditionConfig {
    /// Whether the input is latents, a mask, and the latents of a masked picture, as in diffusers' inpainting pipelines.
    pub fn is_inpainting(&self) -> bool {
        self.in_channels == self.out_channels.saturating_mul(2).saturating_add(1)
    }

    /// Whether it was distilled with guidance, whose scale it embeds.
    pub fn embeds_guidance(&self) -> bool {
        self.time_cond_proj_dim.is_some()
    }

    /// Channels of the latents.
    pub fn latent_channels(&self) -> usize {
        if self.is_inpainting() { self.out_channels } else { self.in_channels }
    }
}

impl Default for UNet2DConditionConfig {
    fn default() -> Self {
        let list = |names: [&str; 4]| names.map(str::to_owned).to_vec();
        let (down, up) = ("CrossAttnDownBlock2D", "CrossAttnUpBlock2D");
        Self {
            sample_size: None,
            in_channels: 4,
            out_channels: 4,
            block_out_channels: vec![320, 640, 1280, 1280],
            center_input_sample: false,
            flip_sin_to_cos: true,
            freq_shift: 0.0,
            down_block_types: list([down, down, down, "DownBlock2D"]),
            mid_block_type: Some("UNetMidBlock2DCrossAttn".to_owned()),
            up_block_types: list(["UpBlock2D", up, up, up]),
            only_cross_attention: OneOrEach::One(false),
            layers_per_block: OneOrEach::One(2),
            downsample_padding: 1,
            mid_block_scale_factor: 1.0,
            act_fn: "silu".to_owned(),
            norm_num_groups: 32,
            norm_eps: 1e-5,
            cross_attention_dim: OneOrEach::One(1280),
            transformer_layers_per_block: OneOrEach::One(OneOrEach::One(1)),
            reverse_transformer_layers_per_block: None,
            attention_head_dim: OneOrEach::One(8),
            num_attention_heads: None,
            use_linear_projection: false,
            resnet_time_scale_shift: "default".to_owned(),
            time_cond_proj_dim: None,
            time_embedding_dim: None,
            time_embedding_act_fn: None,
            timestep_post_act: None,
            conv_in_kernel: 3,
            conv_out_kernel: 3,
            addition_embed_type: None,
            addition_time_embed_dim: None,
            projection_class_embeddings_input_dim: None,
        }
    }
}

/// Returns an error for another class, and for options of other model families than Stable Diffusion 1, 2 and XL.
///
/// Options that only affect unsupported blocks, such as `resnet_skip_time_act` or
/// `cross_attention_norm`, are ignored. So is `upcast_attention`, because the scores of
/// attention are always computed in f32.
pub(super) fn refuse_unsupported(
    file: &ConfigFile,
    class_name: &str,
) -> Result<(), DiffusionError> {
    file.refuse_other_than(&[
        ("_class_name", json!(class_name)),
        ("attention_type", json!("default")),
        ("class_embed_type", json!(null)),
        ("class_embeddings_concat", json!(false)),
        ("dual_cross_attention", json!(false)),
        ("encoder_hid_dim", json!(null)),
        ("encoder_hid_dim_type", json!(null)),
        ("num_class_embeds", json!(null)),
        ("time_embedding_type", json!("positional")),
    ])
}

/// The blocks of a configuration. Lists go from the largest level to the smallest, except
/// `up_depths`, which goes from the smallest to the largest.
pub(super) struct UNetLayout {
    pub(super) layers: Vec<usize>,
    pub(super) heads: Vec<usize>,
    pub(super) contexts: Vec<usize>,
    pub(super) only_cross: Vec<bool>,
    pub(super) scale_shift: bool,
    /// For each block with attention, the number of transformer layers after each residual block.
    pub(super) down_depths: Vec<Option<Vec<usize>>>,
    pub(super) up_depths: Vec<Option<Vec<usize>>>,
    /// Whether there is a middle block, and its number of transformer layers if it has attention.
    pub(super) mid: Option<Option<usize>>,
}

impl UNetLayout {
    pub(super) fn new(
        config: &UNet2DConditionConfig,
        file: &ConfigFile,
    ) -> Result<Self, DiffusionError> {
        let levels = config.block_out_channels.len();
        if levels == 0 || config.block_out_channels.contains(&0) {
            return Err(file.unsupported("block_out_channels", "a list of positive numbers"));
        }
        let crossing = |field: &str, types: &[String], plain: &str, cross: &str| {
            let known = types.iter().map(|name| {
                // Names in the first published pipelines.
                let name = name.strip_prefix("UNetRes").unwrap_or(name);
                (name == plain || name == cross).then_some(name == cross)
            });
            let known: Option<Vec<bool>> = known.collect();
            known.filter(|known| known.len() == levels).ok_or_else(|| {
                let supported = format!("a list of {levels} of {plain} and {cross}");
                file.unsupported(field, &supported)
            })
        };
        let down = crossing(
            "down_block_types",
            &config.down_block_types,
            "DownBlock2D",
            "CrossAttnDownBlock2D",
        )?;
        let up =
            crossing("up_block_types", &config.up_block_types, "UpBlock2D", "CrossAttnUpBlock2D")?;

        // `attention_head_dim` in these files is the number of heads, not their width:
        // https://github.com/huggingface/diffusers/issues/2011
        let (field, heads) = match &config.num_attention_heads {
            Some(heads) => ("num_attention_heads", heads),
            None => ("attention_head_dim", &config.attention_head_dim),
        };
        let heads = file.each(field, heads, levels)?;
        if heads.iter().zip(&config.block_out_channels).any(|(heads, c)| *heads == 0 || heads > c) {
            return Err(file.unsupported(field, "at least one head, at most one per channel"));
        }

        let layers = file.each("layers_per_block", &config.layers_per_block, levels)?;
        let field = "transformer_layers_per_block";
        let depths = file.each(field, &config.transformer_layers_per_block, levels)?;
        let down_depths = expand(file, field, &down, &depths, &layers)?;

        let (field, depths) = match &config.reverse_transformer_layers_per_block {
            Some(depths) => ("reverse_transformer_layers_per_block", depths.clone()),
            None => (field, depths.iter().rev().cloned().collect()),
        };
        let counts: Vec<usize> = layers.iter().rev().map(|layers| layers + 1).collect();
        let up_depths = expand(file, field, &up, &depths, &counts)?;

        let mid = match config.mid_block_type.as_deref() {
            None => None,
            Some("UNetMidBlock2D") => Some(None),
            Some("UNetMidBlock2DCrossAttn") => {
                let depths = &config.transformer_layers_per_block;
                let depths = file.each("transformer_layers_per_block", depths, levels)?;
                Some(match &depths[levels - 1] {
                    OneOrEach::One(depth) => Some(*depth),
                    OneOrEach::Each(depths) => depths.first().copied(),
                })
            }
            Some(_) => {
                let supported = "UNetMidBlock2DCrossAttn, UNetMidBlock2D or null";
                return Err(file.unsupported("mid_block_type", supported));
            }
        };
        let scale_shift = match config.resnet_time_scale_shift.as_str() {
            "default" => false,
            "scale_shift" => true,
            _ => {
                return Err(
                    file.unsupported("resnet_time_scale_shift", "\"default\" or \"scale_shift\"")
                );
            }
        };
        if config.downsample_padding > 1 {
            return Err(file.unsupported("downsample_padding", "0 or 1"));
        }
        for (field, kernel) in
            [("conv_in_kernel", config.conv_in_kernel), ("conv_out_kernel", config.conv_out_kernel)]
        {
            if kernel % 2 == 0 {
                return Err(file.unsupported(field, "an odd number"));
            }
        }
        Ok(Self {
            contexts: file.each("cross_attention_dim", &config.cross_attention_dim, levels)?,
            only_cross: file.each("only_cross_attention", &config.only_cross_attention, levels)?,
            layers,
            heads,
            scale_shift,
            down_depths,
            up_depths,
            mid,
        })
    }
}

/// The number of transformer layers after each residual block, for the blocks with attention.
fn expand(
    file: &ConfigFile,
    field: &str,
    crossing: &[bool],
    depths: &[OneOrEach<usize>],
    counts: &[usize],
) -> Result<Vec<Option<Vec<usize>>>, DiffusionError> {
    if depths.len() != crossing.len() {
        return Err(file.unsupported(field, &format!("a list of {}", crossing.len())));
    }
    let blocks = crossing.iter().zip(depths).zip(counts);
    blocks
        .map(|((crossing, depth), count)| match depth {
            _ if !crossing => Ok(None),
            OneOrEach::One(depth) => Ok(Some(vec![*depth; *count])),
            OneOrEach::Each(depths) if depths.len() >= *count => {
                Ok(Some(depths[..*count].to_vec()))
            }
            OneOrEach::Each(_) => {
                let supported = format!("a list of {count} for a block of {count} layers");
                Err(file.unsupported(field, &supported))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::FolderPackage;

    /// The layout of a configuration with these fields.
    fn layout(fields: Value) -> Result<UNetLayout, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("unet")).unwrap();
        let json = serde_json::to_vec(&fields).unwrap();
        std::fs::write(folder.path().join("unet/config.json"), json).unwrap();
        let files = FolderPackage::open(folder.path()).unwrap();
        let file = ConfigFile::read(&files, "unet").unwrap();
        refuse_unsupported(&file, "UNet2DConditionModel")
            .and_then(|()| UNetLayout::new(&file.parse()?, &file))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_configuration_is_stable_diffusion_1() {
        let layout = layout(json!({})).unwrap();
        assert_eq!(layout.layers, [2; 4]);
        assert_eq!(layout.heads, [8; 4]);
        let deep = Some(vec![1, 1]);
        assert_eq!(layout.down_depths, [deep.clone(), deep.clone(), deep, None]);
        let deep = Some(vec![1, 1, 1]);
        assert_eq!(layout.up_depths, [None, deep.clone(), deep.clone(), deep]);
        assert_eq!(layout.mid, Some(Some(1)));
    }

    #[test]
    fn a_list_of_depths_has_one_for_each_level() {
        let layout = layout(json!({
            "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
            "block_out_channels": [320, 640, 1280],
            "attention_head_dim": [5, 10, 20],
            "transformer_layers_per_block": [1, 2, 10],
        }));
        let layout = layout.unwrap();
        assert_eq!(layout.down_depths, [None, Some(vec![2, 2]), Some(vec![10, 10])]);
        assert_eq!(layout.up_depths, [Some(vec![10; 3]), Some(vec![2; 3]), None]);
        assert_eq!(layout.mid, Some(Some(10)));
    }

    #[test]
    fn attention_head_dim_is_the_number_of_heads() {
        let heads = layout(json!({"attention_head_dim": [5, 10, 20, 20]})).unwrap().heads;
        assert_eq!(heads, [5, 10, 20, 20]);
        let both = json!({"attention_head_dim": 8, "num_attention_heads": 4});
        assert_eq!(layout(both).unwrap().heads, [4; 4]);
    }

    #[test]
    fn a_null_mid_block_differs_from_a_missing_one() {
        assert_eq!(layout(json!({"mid_block_type": null})).unwrap().mid, None);
        assert_eq!(layout(json!({"mid_block_type": "UNetMidBlock2D"})).unwrap().mid, Some(None));
    }

    #[test]
    fn old_block_names_are_accepted() {
        let names = ["UNetResDownBlock2D"; 4];
        assert_eq!(
            layout(json!({"down_block_types": names})).unwrap().down_depths,
            [const { None }; 4]
        );
    }

    #[test]
    fn unsupported_options_are_named_with_their_value() {
        let cases = [
            ("class_embed_type", json!("projection")),
            ("num_class_embeds", json!(1000)),
            ("downsample_padding", json!(2)),
            ("downsample_padding", json!(1_u64 << 31)),
            ("layers_per_block", json!(1_u64 << 53)),
            ("transformer_layers_per_block", json!([[1_u64 << 53], 1, 1, 1])),
            ("block_out_channels", json!([u64::MAX, 1, 1, 1])),
            ("time_embedding_type", json!("fourier")),
            ("dual_cross_attention", json!(true)),
            ("encoder_hid_dim_type", json!("text_proj")),
            ("attention_type", json!("gated")),
            ("_class_name", json!("UNet2DModel")),
            (
                "down_block_types",
                json!(["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"]),
            ),
            ("down_block_types", json!(["DownBlock2D"])),
            (
                "up_block_types",
                json!(["UpBlock2D", "SimpleCrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"]),
            ),
            ("mid_block_type", json!("UNetMidBlock2DSimpleCrossAttn")),
            ("resnet_time_scale_shift", json!("ada_group")),
            ("block_out_channels", json!([])),
            ("block_out_channels", json!([0, 1, 2, 3])),
            ("layers_per_block", json!([1, 2])),
            ("attention_head_dim", json!([1, 2])),
            ("attention_head_dim", json!(0)),
            ("attention_head_dim", json!(400)),
            ("transformer_layers_per_block", json!([1, 1])),
            ("transformer_layers_per_block", json!([[1], [1], [1], [1]])),
            ("reverse_transformer_layers_per_block", json!([1])),
            ("cross_attention_dim", json!([1])),
            ("only_cross_attention", json!([true])),
            ("conv_in_kernel", json!(4)),
            ("conv_out_kernel", json!(0)),
        ];
        for (field, value) in cases {
            let error =
                layout(json!({field: value})).err().unwrap_or_else(|| panic!("{field}: {value}"));
            assert!(error.contains("unet/config.json"), "{error}");
            assert!(error.contains(&format!("`{field}` is {value}")), "{error}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_type_is_an_error_that_names_the_file() {
        let error = layout(json!({"block_out_channels": "many"})).err().unwrap();
        assert!(error.contains("unet/config.json cannot be parsed"), "{error}");
    }
}
