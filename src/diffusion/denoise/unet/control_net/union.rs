//! Union ControlNets (xinsir's `ControlNet++`, 2024; diffusers' `ControlNetUnionModel`): one network for drawings of several
//! types.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;

use super::super::config::UNet2DConditionConfig;
use crate::{
    diffusion::{
        DiffusionError,
        config::ConfigFile,
        layers::{LayerNorm, Linear},
        weights::weights,
    },
    model::{
        Package,
        tensors::{count, dims, unsupported},
    },
    ops::{self, Activation},
};

/// What a drawing for a union network shows, with its number in the published networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ControlType {
    /// Scribbles, or soft edges of networks such as `PiDiNet`.
    SoftEdges = 2,
    /// Thin lines: line art, or edges of Canny or MLSD.
    #[default]
    Lines = 3,
}

/// The embedding of each type, which other networks do not have.
pub(super) const TASKS: &str = "task_embedding";

const EPS: f64 = 1e-5;

/// The layers that only a union network has.
#[derive(Clone, Debug)]
pub(super) struct Union {
    pub(super) control_type: ControlType,
    /// The embedding of each type, `(types, channels)`.
    tasks: Tensor,
    layers: Vec<Layer>,
    projection: Linear,
    /// The channels of the sinusoidal embedding of each type. The type of the drawing is 1, and the others are 0.
    type_width: usize,
    flip_sin_to_cos: bool,
    freq_shift: f64,
    time: [Linear; 2],
}

/// diffusers' `ResidualAttentionBlock`. Its attention goes along the batch, as in the program that trained the published
/// networks. All pictures of a batch have the same drawing, so that each attends to equal values: queries and keys have no
/// effect.
#[derive(Clone, Debug)]
struct Layer {
    norms: [LayerNorm; 2],
    /// The weight and the bias of the values.
    values: (Tensor, Tensor),
    output: Linear,
    dense: [Linear; 2],
}

impl Union {
    /// Loads the layers, if the network has them, which one of the class `ControlNetUnionModel` must. They compute in f32.
    pub(super) fn load(
        package: &dyn Package,
        component: &str,
        config: &UNet2DConditionConfig,
        time_width: usize,
        file: &ConfigFile,
        device: &Device,
    ) -> std::result::Result<Option<Self>, DiffusionError> {
        let tensors = package.tensors(component)?;
        if file.text("_class_name") != Some(super::UNION_CLASS_NAME) && !tensors.contains(TASKS) {
            return Ok(None);
        }
        let [types, channels] = dims(&*tensors, TASKS)?;
        if types <= ControlType::Lines as usize || channels != config.block_out_channels[0] {
            let (least, channels) = (ControlType::Lines as usize + 1, config.block_out_channels[0]);
            let expected = format!("at least {least} types with {channels} channels");
            return Err(unsupported(&*tensors, TASKS, &expected).into());
        }
        let type_width = config.addition_time_embed_dim.filter(|width| (1..=4096).contains(width));
        let type_width = type_width.ok_or_else(|| {
            file.unsupported("addition_time_embed_dim", "a number from 1 to 4096")
        })?;
        // The name in the files has this spelling.
        let layers = "transformer_layes";
        let found = count(&*tensors, |at| format!("{layers}.{at}.ln_1.weight"));
        let weights = weights(package, component, device)?;
        let layer = |at| Layer::load(channels, &weights.pp(layers).pp(at));
        let time = weights.pp("control_add_embedding");
        Ok(Some(Self {
            control_type: ControlType::default(),
            tasks: weights.get((types, channels), TASKS)?,
            layers: (0..found).map(layer).collect::<Result<_>>()?,
            projection: Linear::load(channels, channels, &weights.pp("spatial_ch_projs"))?,
            type_width,
            flip_sin_to_cos: config.flip_sin_to_cos,
            freq_shift: config.freq_shift,
            time: [
                Linear::load(types * type_width, time_width, &time.pp("linear_1"))?,
                Linear::load(time_width, time_width, &time.pp("linear_2"))?,
            ],
        }))
    }

    /// Changes the embedding of a drawing, `(1, channels, height, width)`, by its type.
    pub(super) fn add_to(&self, drawing: &Tensor) -> Result<Tensor> {
        let mean = drawing.to_dtype(DType::F32)?.mean((2, 3))?;
        let task = self.tasks.get(self.control_type as usize)?;
        let mut hidden = mean.broadcast_add(&task)?;
        for layer in &self.layers {
            hidden = layer.forward(&hidden)?;
        }
        let change = self.projection.forward(&hidden)?.to_dtype(drawing.dtype())?;
        drawing.broadcast_add(&change.unsqueeze(2)?.unsqueeze(3)?)
    }

    /// The embedding of the type, `(1, width)`. It is added to that of the timestep.
    pub(super) fn time(&self) -> Result<Tensor> {
        let (types, device) = (self.tasks.dim(0)?, self.tasks.device());
        let waves = (0..types).map(|at| {
            let is_on = f64::from(u8::from(at == self.control_type as usize));
            let (flip, shift) = (self.flip_sin_to_cos, self.freq_shift);
            ops::time_embedding(is_on, self.type_width, flip, shift, device)
        });
        let waves = Tensor::cat(&waves.collect::<Result<Vec<_>>>()?, 1)?;
        let [first, second] = &self.time;
        second.forward(&first.forward(&waves)?.silu()?)
    }
}

impl Layer {
    fn load(channels: usize, weights: &VarBuilder) -> Result<Self> {
        let norm = |name: &str| LayerNorm::load(channels, EPS, &weights.pp(name));
        let (attention, dense) = (weights.pp("attn"), weights.pp("mlp"));
        let values = |tensor: Tensor| tensor.narrow(0, 2 * channels, channels);
        let weight = values(attention.get((3 * channels, channels), "in_proj_weight")?)?;
        Ok(Self {
            norms: [norm("ln_1")?, norm("ln_2")?],
            values: (
                ops::column_major(&weight)?,
                values(attention.get(3 * channels, "in_proj_bias")?)?,
            ),
            output: Linear::load(channels, channels, &attention.pp("out_proj"))?,
            dense: [
                Linear::load(channels, 4 * channels, &dense.pp("c_fc"))?,
                Linear::load(4 * channels, channels, &dense.pp("c_proj"))?,
            ],
        })
    }

    fn forward(&self, hidden: &Tensor) -> Result<Tensor> {
        let ([before, after], (weight, bias)) = (&self.norms, &self.values);
        let values = ops::linear(&before.forward(hidden)?, weight, Some(bias))?;
        let hidden = (hidden + self.output.forward(&values)?)?;
        let [wider, back] = &self.dense;
        let wide = Activation::QuickGelu.forward(&wider.forward(&after.forward(&hidden)?)?)?;
        &hidden + back.forward(&wide)?
    }
}
