//! The embedded guidance scale of a network that was distilled with guidance (Meng et al. 2023, arXiv:2210.03142), such as a
//! latent consistency model (Luo et al. 2023, arXiv:2310.04378).

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;

use super::config::UNet2DConditionConfig;
use crate::{
    diffusion::{
        Conditioning, DiffusionError,
        config::ConfigFile,
        layers::{LayerMut, Linear},
    },
    ops,
};

/// Embeds the guidance scale, as `cond_proj` in diffusers' `TimestepEmbedding`.
#[derive(Clone, Debug)]
pub(super) struct GuidanceEmbedding {
    width: usize,
    projection: Linear,
}

impl GuidanceEmbedding {
    /// Loads the embedding, if the network has one.
    pub(super) fn load(
        config: &UNet2DConditionConfig,
        file: &ConfigFile,
        time_embedding: &VarBuilder,
    ) -> Result<Option<Self>, DiffusionError> {
        let Some(width) = config.time_cond_proj_dim else { return Ok(None) };
        if !(4..=4096).contains(&width) {
            return Err(file.unsupported("time_cond_proj_dim", "a number from 4 to 4096, or null"));
        }
        let channels = config.block_out_channels[0];
        let weights = time_embedding.pp("cond_proj");
        let projection = Linear::load_without_bias(width, channels, &weights)?;
        Ok(Some(Self { width, projection }))
    }

    pub(super) fn layer(&mut self) -> LayerMut<'_> {
        LayerMut::Linear(&mut self.projection)
    }

    /// The embedding, `(1, channels)`. It is added to the waves of the timestep.
    pub(super) fn forward(
        &self,
        conditioning: &Conditioning,
        device: &Device,
    ) -> Result<Tensor, DiffusionError> {
        let scale = conditioning.guidance_scale.ok_or_else(|| {
            candle_core::Error::msg("the denoiser needs the guidance scale of the conditioning")
        })?;
        // diffusers' `get_guidance_scale_embedding`.
        let waves = ops::time_embedding(1000.0 * (scale - 1.0), self.width, false, 1.0, device)?;
        Ok(self.projection.forward(&waves)?)
    }
}
