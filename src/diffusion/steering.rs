//! Setting up the losses of a picture.

use candle_core::{Device, Tensor};

use super::{
    DiffusionError, Interrupt, Model,
    hooks::{SteeredPart, Steering},
};
use crate::{
    loss::{self, Frame, Images, LossTargets},
    mask::Mask,
    recipe::Loss,
};

/// The losses of a part.
pub(super) struct PartLosses<'a> {
    /// The index of the part in its edit. `None` for the whole picture.
    pub index: Option<usize>,
    pub losses: &'a [Loss],
    /// Its pixels. Outside of the mask is nothing of the part.
    pub mask: &'a Mask,
}

impl Model {
    /// Sets up the losses of all parts. `None` if there are none.
    pub(super) fn steering(
        &self,
        frame: Frame,
        parts: &[PartLosses<'_>],
        images: &Images,
        interrupt: &Interrupt,
    ) -> Result<Option<Steering>, DiffusionError> {
        let device = &self.parts.device;
        let mut steered = Vec::new();
        for &PartLosses { index, losses, mask } in parts.iter().filter(|it| !it.losses.is_empty()) {
            Loss::check_all(losses).map_err(loss::LossSetupError::from)?;
            let [latent_mask, colour_mask] = masks(mask, frame, device)?;
            let targets = LossTargets {
                images,
                frame,
                autoencoder: &*self.parts.autoencoder,
                encoder: self.latent_clip()?,
                device,
                colour_mask: &colour_mask,
                interrupt,
            };
            let set_up = |loss: &Loss| Ok((loss.clone(), loss::build(loss, &targets)?));
            let losses = losses.iter().map(set_up).collect::<Result<_, DiffusionError>>()?;
            steered.push(SteeredPart { index, latent_mask, colour_mask, losses });
        }
        Ok(match steered.is_empty() {
            true => None,
            false => Some(Steering::new(steered, self.linear_autoencoder(interrupt)?.clone())),
        })
    }
}

/// The share of each latent, and of each pixel at a quarter of the size, that a mask of the picture covers.
fn masks(mask: &Mask, frame: Frame, device: &Device) -> candle_core::Result<[Tensor; 2]> {
    let ((width, height), (left, top)) = (frame.size, frame.origin);
    let (columns, rows) = mask.size();
    let at = |x: u32, y: u32| {
        let (x, y) = (left + i64::from(x), top + i64::from(y));
        let inside = (0..columns.into()).contains(&x) && (0..rows.into()).contains(&y);
        if inside { f32::from(mask.at(x as u32, y as u32)) / 255.0 } else { 0.0 }
    };
    let values = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let values: Vec<f32> = values.map(|(x, y)| at(x, y)).collect();
    let pixels = Tensor::from_vec(values, (1, 1, height as usize, width as usize), device)?;
    let scale = frame.scale as usize;
    let averages = |side| pixels.avg_pool2d(side);
    Ok([averages(scale)?, averages(scale / Frame::colours_per_latent(scale))?])
}
