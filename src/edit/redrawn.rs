//! The crop of an edit as inpainting models see it: without the pixels that are redrawn.

use image::{Rgb, Rgb32FImage};

use super::{Crop, EditPlan, PlannedPart};
use crate::mask::Mask;

impl EditPlan {
    /// The pixels that the edit redraws, as 0 and 255: those of all parts together, whatever their strengths, in which a
    /// denoise mask has at least half of its largest value. So half of a soft border is context, as in diffusers and
    /// `ComfyUI`.
    #[must_use]
    pub fn redrawn(&self) -> Mask {
        let (width, height) = self.blend_mask.size();
        let mut redrawn = Mask::empty(width, height);
        for PlannedPart { denoise_mask: mask, .. } in &self.parts {
            let most = mask.values().iter().copied().max().unwrap_or(0);
            let half = most.div_ceil(2).max(1);
            redrawn = Mask::from_fn(width, height, |x, y| {
                if mask.at(x, y) >= half { u8::MAX } else { redrawn.at(x, y) }
            });
        }
        redrawn
    }
}

impl Crop {
    /// The pixels, RGB in -1..=1, with zeros (grey) in all pixels of `mask`, a mask of the picture.
    #[must_use]
    pub fn without(&self, mask: &Mask) -> Rgb32FImage {
        let mut pixels = self.pixels().clone();
        for (x, y, pixel) in pixels.enumerate_pixels_mut() {
            if self.opacity(mask, x, y) > 0.0 {
                *pixel = Rgb([0.0; 3]);
            }
        }
        pixels
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgba, RgbaImage};

    use super::*;
    use crate::{
        edit::{Grid, LatentRegions},
        mask::Area,
        recipe::{EditKind, Part, PartEdit, Size},
    };

    fn part(area: Area, kind: EditKind, strength: f32, feather: u32) -> Part {
        let edit = PartEdit {
            words: "a cat".to_owned(),
            strength: Some(strength),
            grow: Some(0),
            feather: Some(feather),
            ..PartEdit::new(kind)
        };
        Part::new("part", Mask::rectangle(40, 24, area), edit)
    }

    #[test]
    fn all_parts_are_redrawn_except_kept_ones() {
        let area = |x| Area { x, y: 4, width: 6, height: 9 };
        let parts = [
            part(area(0), EditKind::Replace, 1.0, 0),
            part(area(10), EditKind::Refine, 0.2, 0),
            part(area(20), EditKind::Keep, 1.0, 0),
        ];
        let plan = EditPlan::new(Size::new(40, 24), &parts, None, Grid::default()).unwrap();
        let redrawn = plan.redrawn();
        for (x, y) in (0..40).flat_map(|x| (0..24).map(move |y| (x, y))) {
            let is_redrawn = (4..13).contains(&y) && (x < 6 || (10..16).contains(&x));
            assert_eq!(redrawn.at(x, y), if is_redrawn { 255 } else { 0 }, "{x} {y}");
        }
    }

    #[test]
    fn half_of_a_soft_border_is_context_also_of_a_faint_part() {
        let soft = part(Area { x: 0, y: 0, width: 20, height: 24 }, EditKind::Replace, 1.0, 6);
        let faint = Mask::from_fn(40, 24, |x, y| soft.mask.at(x, y) / 5);
        for part in [soft.clone(), Part { mask: faint, ..soft }] {
            let parts = [part];
            let plan = EditPlan::new(Size::new(40, 24), &parts, None, Grid::default()).unwrap();
            let denoised = &plan.parts[0].denoise_mask;
            // The part fades out from its edge at 20 to 28.
            assert!((1..denoised.at(0, 12)).contains(&denoised.at(25, 12)));
            let redrawn = plan.redrawn();
            let end = (0..40).take_while(|&x| redrawn.at(x, 12) == 255).count();
            assert!((23..=25).contains(&end), "{end}");
        }
    }

    #[test]
    fn redrawn_pixels_are_grey_and_touch_their_whole_latents() {
        let picture = RgbaImage::from_pixel(40, 24, Rgba([200, 100, 0, 255]));
        let parts = [part(Area { x: 9, y: 8, width: 7, height: 8 }, EditKind::Replace, 1.0, 0)];
        let area = Area { x: 0, y: 0, width: 40, height: 24 };
        let grid = Grid { scale: 8, ..Grid::default() };
        let plan = EditPlan::new(Size::new(40, 24), &parts, Some(area), grid).unwrap();
        let (crop, redrawn) = (Crop::new(&picture, plan.crop), plan.redrawn());
        let pixels = crop.without(&redrawn);
        for (x, y, pixel) in pixels.enumerate_pixels() {
            let is_redrawn = (9..16).contains(&x) && (8..16).contains(&y);
            let expected = if is_redrawn { [0.0; 3] } else { crop.pixels().get_pixel(x, y).0 };
            assert_eq!(pixel.0, expected, "{x} {y}");
        }
        let mut touched = vec![0.0; 15];
        touched[6] = 1.0;
        assert_eq!(LatentRegions::new(&plan, &parts, 8).touched(&redrawn), touched);
    }
}
