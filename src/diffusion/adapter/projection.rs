//! The projections of IP-Adapters: from the encoding of an image to tokens.

mod resampler;

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use self::resampler::{Resampler, ResamplerShape};
use crate::{
    diffusion::{
        DiffusionError,
        layers::{LayerNorm, Linear},
    },
    model::{
        ModelError, TensorSource,
        tensors::{dims, unsupported},
    },
};

/// diffusers' default for the norms here.
const LAYER_NORM_EPS: f64 = 1e-5;

/// The most tokens of an image. Published adapters have 4 or 16.
const MAX_TOKENS: usize = 256;

/// A projection, with the encoding that it reads.
#[derive(Clone, Debug)]
pub(super) enum Projection {
    /// IP-Adapter: reads embeddings.
    Plain(ImageProjection),
    /// IP-Adapter Plus: reads hidden states.
    Plus(Resampler),
}

/// The sizes of a projection.
#[derive(Clone, Copy, Debug)]
pub(super) enum ProjectionShape {
    Plain { input: usize, tokens: usize, width: usize },
    Plus(ResamplerShape),
}

/// diffusers' `ImageProjection`.
#[derive(Clone, Debug)]
pub(super) struct ImageProjection {
    proj: Linear,
    norm: LayerNorm,
    tokens: usize,
    width: usize,
}

impl ProjectionShape {
    /// The shape of the projection in a file of IP-Adapter.
    ///
    /// # Errors
    /// If the file has another kind of projection, or none.
    pub(super) fn detect(tensors: &dyn TensorSource) -> std::result::Result<Self, DiffusionError> {
        if let Some(shape) = ResamplerShape::detect(tensors)? {
            return Ok(Self::Plus(shape));
        }
        if tensors.contains("image_proj.proj.weight") {
            let [rows, input] = dims(tensors, "image_proj.proj.weight")?;
            let [width] = dims(tensors, "image_proj.norm.weight")?;
            let is_whole = width > 0 && rows.is_multiple_of(width);
            if !is_whole || !(1..=MAX_TOKENS).contains(&(rows / width)) {
                let expected = format!("a multiple of {width} rows, for 1 to {MAX_TOKENS} tokens");
                return Err(unsupported(tensors, "image_proj.proj.weight", &expected).into());
            }
            return Ok(Self::Plain { input, tokens: rows / width, width });
        }
        // The tensors by which diffusers tells the kinds apart.
        let kinds = [
            ("image_proj.proj.3.weight", "IP-Adapter Full"),
            ("image_proj.perceiver_resampler.proj_in.weight", "IP-Adapter FaceID Plus"),
            ("image_proj.norm.weight", "IP-Adapter FaceID"),
        ];
        let kind = kinds.into_iter().find(|(tensor, _)| tensors.contains(tensor));
        Err(DiffusionError::Model(ModelError::Unsupported {
            file: tensors.files(),
            field: "image_proj".to_owned(),
            value: kind.map_or("missing", |(_, kind)| kind).to_owned(),
            supported: "the projection of IP-Adapter or of IP-Adapter Plus".to_owned(),
        }))
    }

    /// The width of the encoding of an image.
    pub(super) fn input(self) -> usize {
        match self {
            Self::Plain { input, .. } => input,
            Self::Plus(shape) => shape.input,
        }
    }

    /// The width of a token.
    pub(super) fn width(self) -> usize {
        match self {
            Self::Plain { width, .. } => width,
            Self::Plus(shape) => shape.output,
        }
    }
}

impl Projection {
    pub(super) fn load(shape: ProjectionShape, weights: &VarBuilder) -> Result<Self> {
        Ok(match shape {
            ProjectionShape::Plain { input, tokens, width } => Self::Plain(ImageProjection {
                proj: Linear::load(input, tokens * width, &weights.pp("proj"))?,
                norm: LayerNorm::load(width, LAYER_NORM_EPS, &weights.pp("norm"))?,
                tokens,
                width,
            }),
            ProjectionShape::Plus(shape) => Self::Plus(Resampler::load(shape, weights)?),
        })
    }

    /// The tokens of encoded images, `(batch, tokens, width)`.
    pub(super) fn forward(&self, encoded: &Tensor) -> Result<Tensor> {
        match self {
            Self::Plain(projection) => projection.forward(encoded),
            Self::Plus(resampler) => resampler.forward(encoded),
        }
    }
}

impl ImageProjection {
    fn forward(&self, embeddings: &Tensor) -> Result<Tensor> {
        let (batch, _) = embeddings.dims2()?;
        let tokens = self.proj.forward(embeddings)?.reshape((batch, self.tokens, self.width))?;
        self.norm.forward(&tokens)
    }
}
