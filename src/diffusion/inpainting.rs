//! What inpainting models see beside the latents: which latents are redrawn, and the picture around them.
//!
//! These are the models of diffusers' `StableDiffusionInpaintPipeline` and `StableDiffusionXLInpaintPipeline`, whose UNet
//! has 9 input channels (Rombach et al. 2022, section 4.5).

use candle_core::{DType, Tensor};

use super::{DiffusionError, Interrupt, Model, edit::latent_mask, request::LatentLayout};
use crate::edit::{Crop, EditPlan, LatentRegions};

impl Model {
    /// For a whole picture: everything is redrawn, and the picture is grey. `None` if the model is not for inpainting.
    pub(super) fn inpainting_of_picture(
        &self,
        layout: &LatentLayout,
        interrupt: &Interrupt,
    ) -> Result<Option<Tensor>, DiffusionError> {
        if !self.parts.denoiser.is_inpainting() {
            return Ok(None);
        }
        let ([_, _, height, width], device) = (layout.shape, &self.parts.device);
        let mask = Tensor::ones((1, 1, height, width), DType::F32, device)?;
        let (height, width) = (height * self.scale(), width * self.scale());
        let grey = Tensor::zeros((1, 3, height, width), DType::F32, device)?;
        Ok(Some(Tensor::cat(&[mask, self.encode(&grey, interrupt)?], 1)?))
    }

    /// For an edit: all its parts are redrawn in all steps, also those that are denoised later than others. `None` if the
    /// model is not for inpainting.
    pub(super) fn inpainting_of_edit(
        &self,
        crop: &Crop,
        plan: &EditPlan,
        regions: &LatentRegions,
        interrupt: &Interrupt,
    ) -> Result<Option<Tensor>, DiffusionError> {
        if !self.parts.denoiser.is_inpainting() {
            return Ok(None);
        }
        let redrawn = plan.redrawn();
        let mask = latent_mask(regions, regions.touched(&redrawn), &self.parts.device)?;
        let picture = self.encode_image(&crop.without(&redrawn), interrupt)?;
        Ok(Some(Tensor::cat(&[mask, picture], 1)?))
    }
}
