//! The plan of an edit: the pixels that it changes, and their opacity.

use crate::{
    mask::{Area, Combine, Mask},
    recipe::{EditKind, Part, PartEdit, Size},
};

use super::{
    EditError,
    crop::{Grid, crop_around, crop_from_request},
};

/// The denoise feather is 32/25 of the blend feather, as in Krita AI Diffusion.
const DENOISE_FEATHER: f32 = 32.0 / 25.0;

/// The maximum strength of a part that keeps its shapes, so that a small crop is enough.
const MAX_OLD_STRENGTH: f32 = 0.5;

/// The pixels that an edit changes, and the crop that the model receives.
#[derive(Clone, Debug, PartialEq)]
pub struct EditPlan {
    /// The opacity of the new pixels. Pixels where it is 0 do not change at all.
    pub blend_mask: Mask,
    /// The bounding box of all pixels that change.
    pub changed: Area,
    /// The crop that the model receives, in pixels. It may extend beyond the right and bottom edge
    /// of the picture by less than one latent.
    pub crop: Area,
    /// The parts that change pixels, from top to bottom, each without the pixels of the parts
    /// above.
    pub parts: Vec<PlannedPart>,
}

/// A part that changes pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedPart {
    /// The opacity of its new pixels.
    pub blend_mask: Mask,
    /// The denoised pixels: those of the blend mask and a margin, so that denoising does not stop
    /// exactly at the visible edge.
    pub denoise_mask: Mask,
    /// Its index in the list of parts.
    pub index: usize,
}

impl EditPlan {
    /// Plans an edit for a model with this `grid`. Where parts overlap, the upper one wins, which
    /// comes earlier in the list. `crop` replaces the default crop.
    ///
    /// # Errors
    /// As [`Self::check`]. Also if nothing would change, or if the requested crop does not contain
    /// all changed pixels.
    pub fn new(
        size: Size,
        parts: &[Part],
        crop: Option<Area>,
        grid: Grid,
    ) -> Result<Self, EditError> {
        Self::check(size, parts)?;
        let mut above = Mask::empty(size.width, size.height);
        let mut blend_mask = above.clone();
        let mut planned = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let edit = &part.edit;
            let mut masks = grow_and_feather(&part.mask, edit, size);
            for mask in &mut masks {
                if edit.kind != EditKind::Keep {
                    *mask = exclude_kept_below(mask, &part.mask, &parts[index + 1..]);
                }
                let of_part = |source| EditError::Mask { part: part.name.clone(), source };
                mask.combine(&above, Combine::Subtract).map_err(of_part)?;
            }
            let [own, denoise_mask] = masks;
            above = add(&above, &own);
            if edit.kind != EditKind::Keep && !own.is_empty() {
                blend_mask = add(&blend_mask, &own);
                planned.push(PlannedPart { blend_mask: own, denoise_mask, index });
            }
        }
        for part in &mut planned {
            part.limit_denoise_mask(&blend_mask);
        }
        let changed = blend_mask.bounds().ok_or(EditError::Nothing)?;
        let crop = match crop {
            None => {
                let denoised = planned.iter().filter_map(|part| part.denoise_mask.bounds());
                let denoised = denoised.fold(changed, Area::union);
                // A model invents best at its training size: see `training/README.md`.
                let is_new =
                    planned.iter().any(|part| parts[part.index].edit.strength() > MAX_OLD_STRENGTH);
                let trained = if is_new { grid.trained_latents } else { 0 };
                let min_latents = grid.min_latents.max(trained);
                let shown = if is_new && grid.draws_whole(size) { whole(size) } else { changed };
                crop_around(shown, denoised, size, Grid { min_latents, ..grid })
            }
            Some(requested) => crop_from_request(requested, changed, size, grid)?,
        };
        Ok(Self { blend_mask, changed, crop, parts: planned })
    }

    /// Whether the part with this index changes any pixel. Kept parts and fully covered parts do
    /// not.
    #[must_use]
    pub fn changes(&self, part: usize) -> bool {
        self.parts.iter().any(|planned| planned.index == part)
    }

    /// Checks each part separately against a picture of this size.
    ///
    /// # Errors
    /// If a mask or a scribble differs in size from the picture, or if an edit has an invalid
    /// value.
    pub fn check(size: Size, parts: &[Part]) -> Result<(), EditError> {
        let picture = (size.width, size.height);
        for Part { name, mask, edit, scribble, .. } in parts {
            let part = || name.clone();
            mask.check_size(picture).map_err(|source| EditError::Mask { part: part(), source })?;
            let scribble = scribble.as_ref().map(|scribble| scribble.0.dimensions());
            if let Some(scribble) = scribble.filter(|&scribble| scribble != picture) {
                return Err(EditError::Scribble { part: part(), scribble, picture });
            }
            edit.check().map_err(|source| EditError::Part { part: part(), source })?;
        }
        Ok(())
    }
}

impl PlannedPart {
    /// Limits the denoise mask: outside its own blend mask it must not overlap other parts.
    /// `blend_mask` is the union of all parts.
    fn limit_denoise_mask(&mut self, blend_mask: &Mask) {
        let (width, height) = blend_mask.size();
        self.denoise_mask = Mask::from_fn(width, height, |x, y| {
            let own = self.blend_mask.at(x, y);
            let others = blend_mask.at(x, y) - own;
            self.denoise_mask.at(x, y).min(u8::MAX - others).max(own)
        });
    }
}

fn whole(Size { width, height }: Size) -> Area {
    Area { x: 0, y: 0, width, height }
}

/// The sum of two masks that share soft borders but do not overlap. With the maximum instead, the
/// old picture would show through along such a border.
fn add(a: &Mask, b: &Mask) -> Mask {
    let (width, height) = a.size();
    Mask::from_fn(width, height, |x, y| a.at(x, y).saturating_add(b.at(x, y)))
}

/// The blend mask and the denoise mask of a part, ignoring other parts.
fn grow_and_feather(mask: &Mask, edit: &PartEdit, size: Size) -> [Mask; 2] {
    // A kept part is neither grown nor feathered.
    let [grow, feather] = match edit.kind {
        EditKind::Keep => [0, 0],
        _ => default_reach(mask, size),
    };
    let grown = mask.grown(edit.grow.unwrap_or(grow));
    let feather = edit.feather.unwrap_or(feather);
    let denoise_feather = (feather as f32 * DENOISE_FEATHER).ceil() as u32;
    [grown.feathered(feather), grown.feathered(denoise_feather)]
}

/// Removes the grown and feathered rim of a part where kept parts lie below. Only the part's own
/// `mask` covers kept parts.
fn exclude_kept_below(grown: &Mask, mask: &Mask, below: &[Part]) -> Mask {
    let (width, height) = grown.size();
    let is_kept = |part: &&Part| part.edit.kind == EditKind::Keep;
    let kept = below.iter().filter(is_kept).map(|part| &part.mask).collect::<Vec<_>>();
    Mask::from_fn(width, height, |x, y| {
        let kept = kept.iter().map(|kept| kept.at(x, y)).max().unwrap_or(0);
        grown.at(x, y).min((u8::MAX - kept).max(mask.at(x, y)))
    })
}

/// The defaults of [`PartEdit::grow`] and [`PartEdit::feather`]: 4 and at most 25 pixels for a
/// picture of 512 pixels. Small parts get less feather.
fn default_reach(mask: &Mask, size: Size) -> [u32; 2] {
    let side = size.width.min(size.height) as f32 / 512.0;
    let part = (mask.coverage() * size.width as f32 * size.height as f32).sqrt();
    let feather = (0.1 * part).clamp(8.0 * side, 25.0 * side);
    [(4.0 * side).ceil() as u32, feather.ceil() as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(96, 64);

    const GRID: Grid = Grid { scale: 8, min_latents: 2, trained_latents: 0 };

    fn part(area: Area, kind: EditKind) -> Part {
        let edit = PartEdit {
            words: "a cat".to_owned(),
            grow: Some(0),
            feather: Some(0),
            ..PartEdit::new(kind)
        };
        let mask = Mask::rectangle(SIZE.width, SIZE.height, area);
        Part::new(format!("{kind:?}"), mask, edit)
    }

    fn area(x: u32, y: u32, width: u32, height: u32) -> Area {
        Area { x, y, width, height }
    }

    #[test]
    fn a_part_that_becomes_something_new_is_drawn_in_a_crop_of_the_training_size() {
        let grid = Grid { trained_latents: 6, ..GRID };
        let size_of = |kind, strength| {
            let mut part = part(area(40, 24, 8, 8), kind);
            part.edit.strength = strength;
            let Area { width, height, .. } = EditPlan::new(SIZE, &[part], None, grid).unwrap().crop;
            (width, height)
        };
        for kind in [EditKind::Add, EditKind::Remove, EditKind::Replace] {
            assert_eq!(size_of(kind, None), (48, 48), "{kind:?}");
        }
        assert_eq!(size_of(EditKind::Refine, Some(0.51)), (48, 48));
        let whole = Grid { trained_latents: 8, ..GRID };
        let part_of_whole = part(area(40, 24, 8, 8), EditKind::Replace);
        let plan = EditPlan::new(SIZE, &[part_of_whole], None, whole).unwrap();
        assert_eq!(plan.crop, area(0, 0, 96, 64), "12 x 8 latents are one and a half times 8 x 8");
        // One latent for the part, and one on each side.
        for kind in [EditKind::Refine, EditKind::Embolden] {
            assert_eq!(size_of(kind, None), (24, 24), "{kind:?}");
        }
        assert_eq!(size_of(EditKind::Replace, Some(0.5)), (24, 24));
    }

    #[test]
    fn where_parts_overlap_the_upper_one_wins() {
        let parts = [
            part(area(0, 0, 20, 20), EditKind::Keep),
            part(area(10, 10, 30, 30), EditKind::Refine),
            part(area(0, 0, 60, 60), EditKind::Replace),
        ];
        let plan = EditPlan::new(SIZE, &parts, None, GRID).unwrap();
        assert_eq!(plan.parts.iter().map(|part| part.index).collect::<Vec<_>>(), [1, 2]);
        for (x, y, blend, refine, replace) in
            [(5, 5, 0, 0, 0), (15, 15, 0, 0, 0), (25, 25, 255, 255, 0), (50, 50, 255, 0, 255)]
        {
            let found = [&plan.blend_mask, &plan.parts[0].blend_mask, &plan.parts[1].blend_mask];
            assert_eq!(found.map(|mask| mask.at(x, y)), [blend, refine, replace], "{x} {y}");
        }
    }

    #[test]
    fn the_old_picture_does_not_show_between_parts_with_soft_borders() {
        let faded = |area, kind| {
            let mut part = part(area, kind);
            part.edit.feather = None;
            part
        };
        let parts = [
            faded(area(0, 0, 48, 64), EditKind::Refine),
            faded(area(48, 0, 48, 64), EditKind::Replace),
        ];
        let plan = EditPlan::new(SIZE, &parts, None, GRID).unwrap();
        assert!(
            (128..255).contains(&plan.parts[0].blend_mask.at(49, 30)),
            "the upper part fades out"
        );
        assert!(plan.blend_mask.values().iter().all(|&blend| blend == u8::MAX));
        // A kept part removes its pixels from the parts below.
        let kept = [part(area(0, 0, 48, 64), EditKind::Keep), parts[1].clone()];
        let plan = EditPlan::new(SIZE, &kept, None, GRID).unwrap();
        assert_eq!([plan.blend_mask.at(47, 30), plan.blend_mask.at(48, 30)], [0, 255]);
    }

    #[test]
    fn the_feather_of_a_part_does_not_change_a_kept_part_below() {
        let mut sky = part(area(0, 0, 96, 32), EditKind::Replace);
        (sky.edit.grow, sky.edit.feather) = (Some(4), Some(12));
        let face = part(area(40, 30, 20, 20), EditKind::Keep);
        let blend = |parts: &[Part]| EditPlan::new(SIZE, parts, None, GRID).unwrap().blend_mask;
        let (with, without) = (blend(&[sky.clone(), face]), blend(&[sky]));
        for y in 0..64 {
            for x in 0..96 {
                let is_kept = (40..60).contains(&x) && (32..50).contains(&y);
                assert_eq!(with.at(x, y), if is_kept { 0 } else { without.at(x, y) }, "{x} {y}");
            }
        }
        assert_eq!(with.at(50, 31), 255, "pixels in both masks belong to the upper part");
        assert!(without.at(50, 40) > 0);
    }

    #[test]
    fn without_grow_and_feather_both_masks_equal_the_parts_mask() {
        let parts = [part(area(30, 20, 1, 1), EditKind::Refine)];
        let plan = EditPlan::new(SIZE, &parts, None, GRID).unwrap();
        assert_eq!(plan.blend_mask, parts[0].mask);
        assert_eq!(plan.parts[0].denoise_mask, parts[0].mask);
    }

    #[test]
    fn the_denoise_mask_reaches_beyond_the_blend_mask_but_not_into_kept_parts() {
        let mut coat = part(area(40, 20, 20, 20), EditKind::Replace);
        coat.edit.feather = Some(4);
        let face = part(area(40, 10, 20, 8), EditKind::Keep);
        let above = EditPlan::new(SIZE, &[face.clone(), coat.clone()], None, GRID).unwrap();
        let below = EditPlan::new(SIZE, &[coat, face], None, GRID).unwrap();
        assert_eq!(above.parts[0].denoise_mask, below.parts[0].denoise_mask);
        let PlannedPart { blend_mask, denoise_mask, .. } = &below.parts[0];
        let far = |mask: &Mask| {
            let down = (40..).take_while(|&y| mask.at(50, y) > 0).count();
            let up = (0..20).rev().take_while(|&y| mask.at(50, y) > 0).count();
            [down, up]
        };
        // The face ends two pixels above the coat.
        assert_eq!([far(blend_mask), far(denoise_mask)], [[4, 2], [6, 2]]);
    }

    #[test]
    fn an_error_names_its_part_and_its_value() {
        let fine = part(area(0, 0, 9, 9), EditKind::Refine);
        let wrong = |part: Part| {
            EditPlan::new(SIZE, &[fine.clone(), part], None, GRID).unwrap_err().to_string()
        };
        let other_size = Part { mask: Mask::full(64, 96), name: "sky".to_owned(), ..fine.clone() };
        let message = wrong(other_size);
        assert!(message.contains("sky") && message.contains("64x96"), "{message}");
        let edit = PartEdit { strength: Some(7.0), ..fine.edit.clone() };
        let message = wrong(Part { edit, name: "coat".to_owned(), ..fine.clone() });
        assert!(message.contains("coat") && message.contains('7'), "{message}");
        let nothing = [part(area(0, 0, 96, 64), EditKind::Keep), fine.clone()];
        assert!(matches!(EditPlan::new(SIZE, &nothing, None, GRID), Err(EditError::Nothing)));
        let far = EditPlan::new(SIZE, &[fine], Some(area(40, 40, 20, 20)), GRID);
        assert!(matches!(far, Err(EditError::CropTooSmall { .. })));
    }
}
