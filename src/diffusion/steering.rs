//! Setting up the losses of a picture.

use candle_core::{Device, Tensor};

use super::{
    DiffusionError, Interrupt, Model,
    hooks::{SteeredPart, Steering},
};
use crate::{
    loss::{self, Frame, LossTargets},
    mask::Mask,
    recipe::{ImageUse, Images, Inspiration, InspirationKind, Loss, LossKind},
};

/// A part with everything that steers it.
pub(super) struct SteeringOfPart<'a> {
    /// The index of the part in its edit. `None` for the whole picture.
    pub index: Option<usize>,
    pub inspirations: &'a [Inspiration],
    pub losses: &'a [Loss],
    /// The images that these refer to.
    pub images: &'a Images,
    /// Its pixels. Outside of the mask is nothing of the part.
    pub mask: &'a Mask,
}

impl Model {
    /// Sets up the losses of all parts, and then those of their inspirations. `None` if there are none.
    pub(super) fn steering(
        &self,
        frame: Frame,
        parts: &[SteeringOfPart<'_>],
        interrupt: &Interrupt,
    ) -> Result<Option<Steering>, DiffusionError> {
        let device = &self.parts.device;
        let mut steered = Vec::new();
        for &SteeringOfPart { index, inspirations, losses, images, mask } in parts {
            Loss::check_all(losses).map_err(loss::LossSetupError::from)?;
            let losses = losses.iter().cloned().chain(inspirations.iter().filter_map(loss_of));
            let losses: Vec<Loss> = losses.collect();
            if losses.is_empty() {
                continue;
            }
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
        if steered.is_empty() {
            return Ok(None);
        }
        let mut losses = steered.iter().flat_map(|part| &part.losses);
        let autoencoder = match losses.any(|(_, function)| function.reads_colours()) {
            true => Some(self.linear_autoencoder(interrupt)?.clone()),
            false => None,
        };
        Ok(Some(Steering::new(steered, autoencoder)))
    }
}

/// The loss that makes a picture follow an inspiration. `None` for a text, which guides the denoiser.
fn loss_of(inspiration: &Inspiration) -> Option<Loss> {
    let InspirationKind::Image(usage, image) = &inspiration.kind else { return None };
    let kind = match usage {
        ImageUse::Scribble => LossKind::Colours,
        ImageUse::Content => LossKind::Content,
        ImageUse::Style => LossKind::Style,
        ImageUse::Outline => LossKind::Outline,
    };
    let Inspiration { weight, from, .. } = *inspiration;
    Some(Loss { weight, from, to: Some(inspiration.end()), ..Loss::new(kind(image.clone())) })
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
