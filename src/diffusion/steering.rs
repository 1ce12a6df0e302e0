//! Setting up the losses of a picture.

use std::{borrow::Cow, sync::Arc};

use candle_core::{Device, Tensor};

use super::{
    DiffusionError, Interrupt, Model, StepHook,
    hooks::{LossDecoders, SteeredPart, Steering},
};
use crate::{
    loss::{self, FinalLoss, Frame, LossTargets, PartMasks, View},
    mask::Mask,
    recipe::{ImageUse, Images, Inspiration, InspirationKind, Loss, LossKind},
};

/// The inspirations and losses of a part.
pub(super) struct PartLosses<'a> {
    /// The index of the part in its edit. `None` for the whole picture.
    pub index: Option<usize>,
    pub inspirations: &'a [Inspiration],
    /// The losses of its texts, if no denoiser follows them. They steer like those of inspirations.
    pub texts: Vec<Loss>,
    pub losses: Cow<'a, [Loss]>,
    /// The images that these refer to.
    pub images: &'a Images,
    /// Its pixels. Outside of the mask is nothing of the part.
    pub mask: &'a Mask,
    /// The denoising strength: the share of the steps that are run.
    pub strength: f32,
}

/// The losses of a picture, set up.
pub(super) struct PictureLosses {
    /// The losses that steer. `None` if there are none.
    steering: Option<Steering>,
    /// The losses that only measure the finished picture. `None` if those that steer measure it, too.
    score: Option<Steering>,
}

impl PictureLosses {
    /// The hook that steers.
    pub(super) fn hook(&mut self) -> Option<&mut dyn StepHook> {
        self.steering.as_mut().map(|hook| hook as &mut dyn StepHook)
    }

    /// The losses that steer.
    pub(super) fn steering(&self) -> Option<&Steering> {
        self.steering.as_ref()
    }

    /// The values for the finished latents.
    pub(super) fn measure(&self, latents: &Tensor) -> Result<Vec<FinalLoss>, DiffusionError> {
        let losses = self.score.as_ref().or(self.steering.as_ref());
        Ok(losses.map(|losses| losses.measure(latents)).transpose()?.unwrap_or_default())
    }
}

/// A loss, and the use of the image if it is one of an inspiration.
type UsedLoss = (Loss, Option<ImageUse>);

fn without_use(losses: &[Loss]) -> impl Iterator<Item = UsedLoss> {
    losses.iter().map(|loss| (loss.clone(), None))
}

impl Model {
    /// Sets up the losses of all parts. In each part, those of inspirations without an adapter follow its own. With `score`, only those of
    /// inspirations steer, and the others measure the picture.
    ///
    /// # Errors
    /// If a loss cannot be set up, or if there is none and `score` needs one.
    pub(super) fn losses(
        &self,
        frame: Frame,
        parts: &[PartLosses<'_>],
        score: bool,
        interrupt: &Interrupt,
    ) -> Result<PictureLosses, DiffusionError> {
        for part in parts {
            Loss::check_all(&part.losses).map_err(loss::LossSetupError::from)?;
        }
        let own = |part: &PartLosses<'_>| without_use(&part.losses).collect::<Vec<_>>();
        for inspiration in parts.iter().flat_map(|part| part.inspirations) {
            self.check_reference(inspiration)?;
        }
        let of_inspirations = |part: &PartLosses<'_>| {
            let of_images = part.inspirations.iter().filter(|it| !self.is_adapted(it));
            let of_images = of_images.filter_map(loss_of);
            without_use(&part.texts).chain(of_images).collect::<Vec<_>>()
        };
        let set_up = |losses: &dyn Fn(&PartLosses<'_>) -> Vec<UsedLoss>| {
            self.set_up(frame, parts, losses, interrupt)
        };
        if !score {
            let all = |part: &PartLosses<'_>| [own(part), of_inspirations(part)].concat();
            return Ok(PictureLosses { steering: set_up(&all)?, score: None });
        }
        let score = set_up(&own)?.ok_or(loss::LossSetupError::NothingToScore)?;
        Ok(PictureLosses { steering: set_up(&of_inspirations)?, score: Some(score) })
    }

    /// Sets up some losses of each part. `None` if there are none.
    fn set_up(
        &self,
        frame: Frame,
        parts: &[PartLosses<'_>],
        losses: &dyn Fn(&PartLosses<'_>) -> Vec<UsedLoss>,
        interrupt: &Interrupt,
    ) -> Result<Option<Steering>, DiffusionError> {
        let device = &self.parts.device;
        let mut steered = Vec::new();
        for part in parts {
            let losses = losses(part);
            if losses.is_empty() {
                continue;
            }
            let masks = masks(part.mask, frame, device)?;
            let targets = LossTargets {
                images: part.images,
                frame,
                autoencoder: &*self.parts.autoencoder,
                encoder: &|| Ok(self.loss_encoder(interrupt)?.cloned()),
                device,
                masks: &masks,
                interrupt,
            };
            let set_up = |(loss, usage): UsedLoss| {
                let function = loss::build(&loss, &targets);
                let function = function.map_err(|error| match usage {
                    Some(usage) => error.of_inspiration(usage.name()),
                    None => error,
                })?;
                Ok((loss, function))
            };
            let losses = losses.into_iter().map(set_up).collect::<Result<_, DiffusionError>>()?;
            let (index, strength) = (part.index, part.strength);
            steered.push(SteeredPart { index, strength, masks, losses });
        }
        if steered.is_empty() {
            return Ok(None);
        }
        let losses = || steered.iter().flat_map(|part| &part.losses);
        let read = |view| losses().any(|(_, function)| function.reads(view));
        let decoders = LossDecoders {
            colours: match read(View::Colours) {
                true => Some(self.linear_autoencoder(interrupt)?.clone()),
                false => None,
            },
            pixels: match read(View::Pixels) {
                true => Some(Arc::clone(self.pixel_decoder(interrupt)?)),
                false => None,
            },
            interrupt: interrupt.clone(),
        };
        Ok(Some(Steering::new(steered, decoders)))
    }
}

/// The loss that makes a picture follow an inspiration. `None` for a text and a reference, which the denoiser reads.
fn loss_of(inspiration: &Inspiration) -> Option<UsedLoss> {
    let InspirationKind::Image(usage, image) = &inspiration.kind else { return None };
    let kind = match usage {
        ImageUse::Scribble => LossKind::Colours,
        ImageUse::Content => LossKind::Content,
        ImageUse::Style => LossKind::Style,
        ImageUse::Outline => LossKind::Outline,
        ImageUse::Reference => return None,
    };
    let Inspiration { weight, from, .. } = *inspiration;
    let loss = Loss::new(kind(image.clone()));
    Some((Loss { weight, from, to: Some(inspiration.end()), ..loss }, Some(*usage)))
}

/// The shares that a mask of the picture covers.
fn masks(mask: &Mask, frame: Frame, device: &Device) -> candle_core::Result<PartMasks> {
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
    let (latents, colours) =
        (averages(scale)?, averages(scale / Frame::colours_per_latent(scale))?);
    Ok(PartMasks { latents, colours, pixels })
}
