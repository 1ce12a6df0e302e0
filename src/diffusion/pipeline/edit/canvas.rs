//! An edit in pixels: what goes into the networks, and how what comes out goes into the picture.

use image::{Rgb, Rgb32FImage, RgbaImage};

use super::{EditPlan, EditRequest, fill::filled, plan::PlannedPart};
use crate::{mask::Mask, recipe::EditKind};

/// The context box of a picture.
pub(super) struct Canvas {
    /// As it is, in -1..=1.
    pub original: Rgb32FImage,
    /// Columns and rows of it that lie inside the picture.
    inside: (u32, u32),
}

impl Canvas {
    pub fn new(request: &EditRequest, plan: &EditPlan) -> Self {
        let (area, picture) = (plan.context, &request.picture);
        let inside = (picture.width() - area.x, picture.height() - area.y);
        let inside = (inside.0.min(area.width), inside.1.min(area.height));
        let mut canvas = Self { original: Rgb32FImage::new(area.width, area.height), inside };
        canvas.original = Rgb32FImage::from_fn(area.width, area.height, |x, y| {
            let (column, row) = canvas.in_picture(plan, x, y);
            let [r, g, b, _] = picture.get_pixel(column, row).0;
            Rgb([r, g, b].map(|value| f32::from(value) / 127.5 - 1.0))
        });
        canvas
    }

    /// What parts begin from that do not begin from what is there; `None` if there is no such part.
    pub fn begun(&self, request: &EditRequest, plan: &EditPlan) -> Option<Rgb32FImage> {
        let mut begun = None;
        // The lowest first: what lies above is drawn over it.
        for part in plan.parts.iter().rev() {
            let asked = &request.edit.parts[part.index];
            let under = begun.as_ref().unwrap_or(&self.original);
            let drawn = match (asked.edit.kind, &asked.scribble) {
                (EditKind::Remove, _) => self.closed(under, plan, part),
                (EditKind::Embolden, _) => {
                    self.bolder(under, plan, part, 1.0 + 0.5 * asked.edit.amount())
                }
                (EditKind::Add | EditKind::Replace, Some(scribble)) => {
                    self.scribbled(under, plan, part, &scribble.0)
                }
                _ => continue,
            };
            begun = Some(drawn);
        }
        begun
    }

    /// The picture with the networks' drawing in it.
    ///
    /// What they answer for pixels that nothing moved (`unmoved`) should be what was there; by how much it is
    /// not is what they get wrong about these surroundings. That error, carried on into what moved, is taken
    /// off, so that no seam shows.
    pub fn blended(
        &self,
        request: &EditRequest,
        plan: &EditPlan,
        drawn: Rgb32FImage,
        unmoved: impl Fn(u32, u32) -> bool,
    ) -> RgbaImage {
        let (area, mut picture) = (plan.context, request.picture.clone());
        let errors = Rgb32FImage::from_fn(area.width, area.height, |x, y| {
            let (was, is) = (self.original.get_pixel(x, y).0, drawn.get_pixel(x, y).0);
            Rgb(std::array::from_fn(|c| was[c] - is[c]))
        });
        let errors = filled(&errors, unmoved);
        for y in 0..self.inside.1 {
            for x in 0..self.inside.0 {
                let (column, row) = (area.x + x, area.y + y);
                let share = f32::from(plan.blend.at(column, row)) / 255.0;
                if share == 0.0 {
                    continue;
                }
                let (is, error) = (drawn.get_pixel(x, y).0, errors.get_pixel(x, y).0);
                let pixel = &mut picture.get_pixel_mut(column, row).0;
                for (c, was) in pixel.iter_mut().take(3).enumerate() {
                    let new = ((is[c] + error[c]).clamp(-1.0, 1.0) + 1.0) * 127.5;
                    *was = (f32::from(*was) * (1.0 - share) + new * share).round_ties_even() as u8;
                }
            }
        }
        picture
    }

    /// With a part closed over by its surroundings.
    fn closed(&self, under: &Rgb32FImage, plan: &EditPlan, part: &PlannedPart) -> Rgb32FImage {
        filled(under, |x, y| self.share(&part.blend, plan, x, y) == 0.0)
    }

    /// With a part's colours moved away from the mean of its surroundings.
    fn bolder(
        &self,
        under: &Rgb32FImage,
        plan: &EditPlan,
        part: &PlannedPart,
        times: f32,
    ) -> Rgb32FImage {
        let (mut sum, mut count) = ([0.0; 3], 0.0_f32);
        for (x, y, pixel) in under.enumerate_pixels() {
            let weight = 1.0 - self.share(&part.blend, plan, x, y);
            sum.iter_mut().zip(pixel.0).for_each(|(sum, value)| *sum += weight * value);
            count += weight;
        }
        let mean = sum.map(|sum| sum / count.max(1.0));
        let mut bolder = under.clone();
        for (x, y, pixel) in bolder.enumerate_pixels_mut() {
            let times = 1.0 + (times - 1.0) * self.share(&part.blend, plan, x, y);
            for (value, mean) in pixel.0.iter_mut().zip(mean) {
                *value = (mean + times * (*value - mean)).clamp(-1.0, 1.0);
            }
        }
        bolder
    }

    /// With a rough shape laid over a part.
    fn scribbled(
        &self,
        under: &Rgb32FImage,
        plan: &EditPlan,
        part: &PlannedPart,
        scribble: &RgbaImage,
    ) -> Rgb32FImage {
        let mut drawn = under.clone();
        for (x, y, pixel) in drawn.enumerate_pixels_mut() {
            let (column, row) = self.in_picture(plan, x, y);
            let [r, g, b, opacity] = scribble.get_pixel(column, row).0.map(f32::from);
            let share = opacity / 255.0 * self.share(&part.blend, plan, x, y);
            for (value, over) in pixel.0.iter_mut().zip([r, g, b]) {
                *value += share * (over / 127.5 - 1.0 - *value);
            }
        }
        drawn
    }

    /// How much of a pixel of the box is in a mask of the picture.
    fn share(&self, mask: &Mask, plan: &EditPlan, x: u32, y: u32) -> f32 {
        let (column, row) = self.in_picture(plan, x, y);
        f32::from(mask.at(column, row)) / 255.0
    }

    /// Where a pixel of the box lies in the picture; over the edge, the outermost one that goes on there.
    fn in_picture(&self, plan: &EditPlan, x: u32, y: u32) -> (u32, u32) {
        let (wide, high) = self.inside;
        (plan.context.x + x.min(wide - 1), plan.context.y + y.min(high - 1))
    }
}
