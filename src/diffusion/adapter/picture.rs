//! The adapters of one picture, and those that act in one of its steps.

use std::sync::Arc;

use candle_core::Tensor;

use super::{ControlNet, ImageKeys, PixelMask};
use crate::{
    diffusion::{Conditioning, StepInfo, denoise::cut},
    mask::Area,
};

/// The adapters of one picture. Each acts in a range of the steps.
#[derive(Clone, Debug, Default)]
pub struct PictureAdapters {
    features: Vec<(Vec<Tensor>, AdapterSchedule)>,
    images: Vec<(ScheduledImage, AdapterSchedule)>,
    controls: Vec<(ActiveControl, AdapterSchedule)>,
}

#[derive(Clone, Debug)]
struct ScheduledImage {
    keys: ImageKeys,
    /// For negative prompts.
    no_keys: ImageKeys,
    mask: Option<PixelMask>,
}

/// When and how much an adapter acts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdapterSchedule {
    /// The factor of its features, or of its attention. 1 is the strength of its training, 0 has no effect.
    pub weight: f32,
    /// The first step, as a share of all steps in 0..=1.
    pub from: f32,
    /// The end, as a share of all steps. A step at this share is the first one without the adapter.
    pub to: f32,
}

/// The adapters that act in a prediction.
#[derive(Clone, Debug, Default)]
pub struct ActiveAdapters {
    /// The weighted sum of the features of all T2I-Adapters, one tensor for each level of the denoiser, each (1 or batch,
    /// channels, height, width).
    pub features: Vec<Tensor>,
    /// The images that the cross attentions see.
    pub images: Vec<ActiveImage>,
    /// The ControlNets, each with a drawing.
    pub controls: Vec<ActiveControl>,
}

/// A ControlNet with a drawing.
#[derive(Clone, Debug)]
pub struct ActiveControl {
    /// The network.
    pub network: Arc<ControlNet>,
    /// The embedding of the drawing: see [`ControlNet::embed`].
    pub drawing: Tensor,
    /// The factor of its residuals.
    pub weight: f32,
    /// The share of each cell of each of the residuals, (1, 1, height, width). `None`: it acts everywhere.
    pub masks: Option<Arc<[Tensor]>>,
}

impl ActiveAdapters {
    /// The adapters in a tile of latents of this height and width. The tile begins between the cells of all features.
    pub(in crate::diffusion) fn in_tile(
        &self,
        tile: Area,
        latents: (usize, usize),
    ) -> candle_core::Result<Self> {
        let cut = |cells: &Tensor| cut(cells, tile_in_cells(tile, latents, cells)?);
        let image = |image: &ActiveImage| ActiveImage {
            mask: image.mask.as_ref().map(|mask| mask.in_tile(tile, latents)),
            ..image.clone()
        };
        let control = |control: &ActiveControl| -> candle_core::Result<ActiveControl> {
            let masks = control.masks.as_ref().map(|masks| masks.iter().map(cut).collect());
            let drawing = cut(&control.drawing)?;
            Ok(ActiveControl { drawing, masks: masks.transpose()?, ..control.clone() })
        };
        Ok(Self {
            features: self.features.iter().map(cut).collect::<candle_core::Result<_>>()?,
            images: self.images.iter().map(image).collect(),
            controls: self.controls.iter().map(control).collect::<candle_core::Result<_>>()?,
        })
    }
}

/// A tile of latents in `cells`, (1 or batch, channels, height, width), which cover the latents.
fn tile_in_cells(
    tile: Area,
    (height, width): (usize, usize),
    cells: &Tensor,
) -> candle_core::Result<Area> {
    let (_, _, rows, columns) = cells.dims4()?;
    // Sides of cells are powers of two. The last cells may extend beyond the latents.
    let side = |latents: usize, cells: usize| latents.div_ceil(cells.max(1)).next_power_of_two();
    let side = side(height, rows).max(side(width, columns)) as u32;
    let (right, bottom) = (tile.right().div_ceil(side), tile.bottom().div_ceil(side));
    let (x, y) = (tile.x / side, tile.y / side);
    Ok(Area { x, y, width: right - x, height: bottom - y })
}

impl ActiveControl {
    /// The part of the residual with this index that acts.
    pub(in crate::diffusion) fn acting(
        &self,
        index: usize,
        residual: Tensor,
    ) -> candle_core::Result<Tensor> {
        let residual = (residual * f64::from(self.weight))?;
        match self.masks.as_ref().and_then(|masks| masks.get(index)) {
            Some(mask) => residual.broadcast_mul(&mask.to_dtype(residual.dtype())?),
            None => Ok(residual),
        }
    }
}

/// An image that the cross attentions see.
#[derive(Clone, Debug)]
pub struct ActiveImage {
    /// Its index in [`Conditioning::images`].
    pub index: usize,
    /// The factor of its attention.
    pub weight: f32,
    /// Where it acts. `None`: everywhere.
    pub mask: Option<PixelMask>,
}

impl Default for AdapterSchedule {
    fn default() -> Self {
        Self { weight: 1.0, from: 0.0, to: 1.0 }
    }
}

impl AdapterSchedule {
    /// Whether the adapter acts in a step.
    #[must_use]
    pub fn acts_in(self, step: StepInfo) -> bool {
        let share = step.index as f32 / step.count as f32;
        self.weight != 0.0 && (self.from..self.to).contains(&share)
    }
}

impl PictureAdapters {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.features.is_empty() && self.images.is_empty() && self.controls.is_empty()
    }

    /// Whether the prediction under a negative prompt differs from that under the same text as a prompt.
    #[must_use]
    pub fn have_images(&self) -> bool {
        !self.images.is_empty()
    }

    /// Adds the features of a T2I-Adapter, one for each level of the denoiser.
    pub fn add_features(&mut self, features: Vec<Tensor>, schedule: AdapterSchedule) {
        self.features.push((features, schedule));
    }

    /// Adds a ControlNet with the embedding of a drawing, and the share of each cell of each of its residuals.
    pub fn add_control(
        &mut self,
        network: Arc<ControlNet>,
        drawing: Tensor,
        masks: Option<Arc<[Tensor]>>,
        schedule: AdapterSchedule,
    ) {
        let weight = schedule.weight;
        self.controls.push((ActiveControl { network, drawing, weight, masks }, schedule));
    }

    /// Adds an image: its keys, and those that stand for no image in predictions under a negative prompt.
    pub fn add_image(
        &mut self,
        [keys, no_keys]: [ImageKeys; 2],
        mask: Option<PixelMask>,
        schedule: AdapterSchedule,
    ) {
        self.images.push((ScheduledImage { keys, no_keys, mask }, schedule));
    }

    /// The conditioning of a prompt, which sees the images.
    #[must_use]
    pub fn of_prompt(&self, conditioning: Conditioning) -> Conditioning {
        conditioning.with_images(self.images.iter().map(|(image, _)| image.keys.clone()).collect())
    }

    /// The conditioning of a negative prompt, which sees no images. As in diffusers, it has keys that stand for no image.
    #[must_use]
    pub fn of_negative_prompt(&self, conditioning: Conditioning) -> Conditioning {
        conditioning
            .with_images(self.images.iter().map(|(image, _)| image.no_keys.clone()).collect())
    }

    /// The adapters that act in a step. `None` if none does.
    ///
    /// # Errors
    /// If features of the same level have different shapes.
    pub fn at(&self, step: StepInfo) -> candle_core::Result<Option<ActiveAdapters>> {
        let mut active = ActiveAdapters::default();
        for (features, schedule) in self.features.iter().filter(|(_, it)| it.acts_in(step)) {
            for (level, feature) in features.iter().enumerate() {
                let feature = (feature * f64::from(schedule.weight))?;
                match active.features.get_mut(level) {
                    Some(sum) => *sum = (&*sum + feature)?,
                    None => active.features.push(feature),
                }
            }
        }
        let images = self.images.iter().enumerate().filter(|(_, (_, it))| it.acts_in(step));
        active.images = images
            .map(|(index, (image, schedule))| ActiveImage {
                index,
                weight: schedule.weight,
                mask: image.mask.clone(),
            })
            .collect();
        let controls = self.controls.iter().filter(|(_, it)| it.acts_in(step));
        active.controls = controls.map(|(control, _)| control.clone()).collect();
        let none =
            active.features.is_empty() && active.images.is_empty() && active.controls.is_empty();
        Ok((!none).then_some(active))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Result};

    use super::*;

    #[test]
    fn an_adapter_acts_in_its_range_of_the_steps_only() {
        let acts = |from, to| {
            let schedule = AdapterSchedule { from, to, ..AdapterSchedule::default() };
            let step = |index| StepInfo { index, count: 4, timestep: 0.0 };
            (0..4).map(|index| schedule.acts_in(step(index))).collect::<Vec<_>>()
        };
        assert_eq!(acts(0.0, 1.0), [true; 4]);
        assert_eq!(acts(0.0, 0.5), [true, true, false, false]);
        assert_eq!(acts(0.5, 1.0), [false, false, true, true]);
        assert_eq!(acts(0.3, 0.6), [false, false, true, false]);
    }

    #[test]
    fn a_tile_has_the_cells_of_its_latents() -> Result<()> {
        // 21 x 27 latents, in cells of one latent and of eight.
        let columns = |rows: usize, columns: usize| -> Result<Tensor> {
            Tensor::arange(0_f32, columns as f32, &Device::Cpu)?.broadcast_as((1, 2, rows, columns))
        };
        let mask = PixelMask::new(&image::GrayImage::from_fn(27 * 8, 21 * 8, |x, _| {
            image::Luma([x as u8])
        }));
        let active = ActiveAdapters {
            features: vec![columns(21, 27)?, columns(3, 4)?],
            images: vec![ActiveImage { index: 0, weight: 1.0, mask: Some(mask) }],
            controls: Vec::new(),
        };
        let tile = Area { x: 8, y: 8, width: 16, height: 13 };
        let cut = active.in_tile(tile, (21, 27))?;
        let first_row = |tensor: &Tensor| tensor.get(0)?.get(1)?.get(0)?.to_vec1::<f32>();
        assert_eq!(
            [cut.features[0].dims(), cut.features[1].dims()],
            [[1, 2, 13, 16], [1, 2, 2, 2]]
        );
        assert_eq!(first_row(&cut.features[0])?[..2], [8.0, 9.0]);
        assert_eq!(first_row(&cut.features[1])?, [1.0, 2.0]);
        let means = cut.images[0].mask.as_ref().unwrap().means(8, &Device::Cpu)?;
        assert_eq!(means.dims(), [1, 1, 13, 16]);
        // The pixels of the first latent have the levels 64 to 71.
        let first = (means.flatten_all()?.get(0)?.to_scalar::<f32>()? * 255.0) - 67.5;
        assert!(first.abs() < 1e-3, "{first}");
        Ok(())
    }

    #[test]
    fn features_are_weighted_and_summed() -> Result<()> {
        let feature = |value: f32| Tensor::full(value, (1, 1, 1, 1), &Device::Cpu);
        let mut adapters = PictureAdapters::default();
        let schedule = |weight, to| AdapterSchedule { weight, from: 0.0, to };
        adapters.add_features(vec![feature(1.0)?, feature(2.0)?], schedule(0.5, 1.0));
        adapters.add_features(vec![feature(10.0)?, feature(20.0)?], schedule(2.0, 0.5));
        adapters.add_features(vec![feature(100.0)?, feature(100.0)?], schedule(0.0, 1.0));
        let at = |index| -> Result<Vec<f32>> {
            let active = adapters.at(StepInfo { index, count: 2, timestep: 0.0 })?;
            let features = active.map(|active| active.features).unwrap_or_default();
            features.iter().map(|it| it.flatten_all()?.get(0)?.to_scalar()).collect()
        };
        assert_eq!(at(0)?, [20.5, 41.0]);
        assert_eq!(at(1)?, [0.5, 1.0]);
        assert!(
            PictureAdapters::default()
                .at(StepInfo { index: 0, count: 1, timestep: 0.0 })?
                .is_none()
        );
        Ok(())
    }
}
