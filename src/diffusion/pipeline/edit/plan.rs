//! Which pixels an edit changes, and how much of each: arithmetic of masks alone.

use crate::{
    mask::{Area, Combine, Mask},
    recipe::{EditKind, Part, PartEdit, Size},
};

use super::{
    EditError,
    context::{Grid, around, fitted},
};

/// How much further than what is shown that fades out which is drawn: the 32 pixels for the 25 of Krita AI Diffusion.
const DENOISE: f32 = 32.0 / 25.0;

/// What an edit comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct EditPlan {
    /// How much of each pixel becomes new. Where it is 0, not one bit changes.
    pub blend: Mask,
    /// The box around all pixels that become new.
    pub changed: Area,
    /// What of the picture the networks see, in pixels. It may reach over the right and the lower edge of the
    /// picture, by less than one latent.
    pub context: Area,
    /// The parts that change something, each with the pixels that are left to it by those above.
    pub(super) parts: Vec<PlannedPart>,
}

/// A part that changes something.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PlannedPart {
    /// How much of each pixel it makes new.
    pub blend: Mask,
    /// How much of each pixel is drawn anew, shown or not: what is blended in then goes on where it ends.
    pub denoise: Mask,
    /// Which of the request's parts it is.
    pub index: usize,
}

impl EditPlan {
    /// Plans an edit for a model that sees the picture on `grid`. Of parts that overlap the upper one, which
    /// is the earlier one, wins.
    ///
    /// # Errors
    /// When a mask has another size than the picture, an edit makes no sense, nothing is to be changed, or a
    /// context box that was asked for does not hold it.
    pub fn new(
        size: Size,
        parts: &[Part],
        context: Option<Area>,
        grid: Grid,
    ) -> Result<Self, EditError> {
        Self::check(size, parts)?;
        let mut above = Mask::empty(size.width, size.height);
        let mut blend = above.clone();
        let mut planned = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let edit = &part.edit;
            let mut reached = reach(&part.mask, edit, size);
            for mask in &mut reached {
                if edit.kind != EditKind::Keep {
                    *mask = short_of(mask, &part.mask, &parts[index + 1..]);
                }
                let named = |source| EditError::Mask { part: part.name.clone(), source };
                mask.combine(&above, Combine::Subtract).map_err(named)?;
            }
            let [own, denoise] = reached;
            above = together(&above, &own);
            if edit.kind != EditKind::Keep && !own.is_empty() {
                blend = together(&blend, &own);
                planned.push(PlannedPart { blend: own, denoise, index });
            }
        }
        for part in &mut planned {
            part.stay_off(&blend);
        }
        let changed = blend.bounds().ok_or(EditError::Nothing)?;
        let context = match context {
            None => {
                let drawn = planned.iter().filter_map(|part| part.denoise.bounds());
                around(changed, drawn.fold(changed, Area::with), size, grid)
            }
            Some(asked) => fitted(asked, changed, size, grid)?,
        };
        Ok(Self { blend, changed, context, parts: planned })
    }

    /// Whether a part, by its place in the list, changes a pixel: one that is kept does not, nor one of which those
    /// above leave nothing.
    #[must_use]
    pub fn draws(&self, part: usize) -> bool {
        self.parts.iter().any(|planned| planned.index == part)
    }

    /// Whether each of these parts makes sense for a picture of this size, whatever they come to together.
    ///
    /// # Errors
    /// When a mask or a scribble has another size than the picture, or an edit makes no sense.
    pub fn check(size: Size, parts: &[Part]) -> Result<(), EditError> {
        let picture = (size.width, size.height);
        for Part { name, mask, edit, scribble } in parts {
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
    /// What it shows may reach into other parts, what is drawn only to go on may not: `shown` is of all parts.
    fn stay_off(&mut self, shown: &Mask) {
        let (width, height) = shown.size();
        self.denoise = Mask::from_fn(width, height, |x, y| {
            let own = self.blend.at(x, y);
            let others = shown.at(x, y) - own;
            self.denoise.at(x, y).min(u8::MAX - others).max(own)
        });
    }
}

/// Two masks of one size of which each took only what the other left: where both have a share, the pixel is in
/// both shares together. The greater one alone would let the old picture through along their border.
fn together(a: &Mask, b: &Mask) -> Mask {
    let (width, height) = a.size();
    Mask::from_fn(width, height, |x, y| a.at(x, y).saturating_add(b.at(x, y)))
}

/// A part's mask as far as its edit reaches: in what is shown, and in what is drawn.
fn reach(mask: &Mask, edit: &PartEdit, size: Size) -> [Mask; 2] {
    // What is kept is kept to the pixel.
    let [grow, feather] = match edit.kind {
        EditKind::Keep => [0, 0],
        _ => usual_reach(mask, size),
    };
    let grown = mask.grown(edit.grow.unwrap_or(grow));
    let feather = edit.feather.unwrap_or(feather);
    let drawn = (feather as f32 * DENOISE).ceil() as u32;
    [grown.feathered(feather), grown.feathered(drawn)]
}

/// A part as far as it reaches, but for what is kept below it: there it has only what was marked.
fn short_of(reached: &Mask, marked: &Mask, below: &[Part]) -> Mask {
    let (width, height) = reached.size();
    let is_kept = |part: &&Part| part.edit.kind == EditKind::Keep;
    let kept = below.iter().filter(is_kept).map(|part| &part.mask).collect::<Vec<_>>();
    Mask::from_fn(width, height, |x, y| {
        let kept = kept.iter().map(|kept| kept.at(x, y)).max().unwrap_or(0);
        reached.at(x, y).min((u8::MAX - kept).max(marked.at(x, y)))
    })
}

/// How far a mask is grown and feathered where nothing is said: 4 and at most 25 pixels in a picture of 512
/// pixels, less for small parts.
fn usual_reach(mask: &Mask, size: Size) -> [u32; 2] {
    let side = size.width.min(size.height) as f32 / 512.0;
    let part = (mask.coverage() * size.width as f32 * size.height as f32).sqrt();
    let feather = (0.1 * part).clamp(8.0 * side, 25.0 * side);
    [(4.0 * side).ceil() as u32, feather.ceil() as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(96, 64);
    const GRID: Grid = Grid { scale: 8, least: 2 };

    fn part(area: Area, kind: EditKind) -> Part {
        let edit = PartEdit {
            words: "a cat".to_owned(),
            grow: Some(0),
            feather: Some(0),
            ..PartEdit::new(kind)
        };
        let mask = Mask::rectangle(SIZE.width, SIZE.height, area);
        Part { name: format!("{kind:?}"), mask, edit, scribble: None }
    }

    fn area(x: u32, y: u32, width: u32, height: u32) -> Area {
        Area { x, y, width, height }
    }

    #[test]
    fn the_upper_part_wins() {
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
            let found = [&plan.blend, &plan.parts[0].blend, &plan.parts[1].blend];
            assert_eq!(found.map(|mask| mask.at(x, y)), [blend, refine, replace], "{x} {y}");
        }
    }

    #[test]
    fn parts_that_fade_into_each_other_leave_nothing_of_the_old_picture_between_them() {
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
        assert!((128..255).contains(&plan.parts[0].blend.at(49, 30)), "the upper one fades out");
        assert!(plan.blend.values().iter().all(|&blend| blend == u8::MAX));
        // What is kept above others is not theirs.
        let kept = [part(area(0, 0, 48, 64), EditKind::Keep), parts[1].clone()];
        let plan = EditPlan::new(SIZE, &kept, None, GRID).unwrap();
        assert_eq!([plan.blend.at(47, 30), plan.blend.at(48, 30)], [0, 255]);
    }

    #[test]
    fn what_is_kept_below_loses_nothing_to_the_reach_of_a_part_above() {
        let mut sky = part(area(0, 0, 96, 32), EditKind::Replace);
        (sky.edit.grow, sky.edit.feather) = (Some(4), Some(12));
        let face = part(area(40, 30, 20, 20), EditKind::Keep);
        let blend = |parts: &[Part]| EditPlan::new(SIZE, parts, None, GRID).unwrap().blend;
        let (with, without) = (blend(&[sky.clone(), face]), blend(&[sky]));
        for y in 0..64 {
            for x in 0..96 {
                let is_kept = (40..60).contains(&x) && (32..50).contains(&y);
                assert_eq!(with.at(x, y), if is_kept { 0 } else { without.at(x, y) }, "{x} {y}");
            }
        }
        assert_eq!(with.at(50, 31), 255, "what is marked in both is the upper one's");
        assert!(without.at(50, 40) > 0);
    }

    #[test]
    fn grow_and_feather_of_nothing_are_exactly_the_mask() {
        let parts = [part(area(30, 20, 1, 1), EditKind::Refine)];
        let plan = EditPlan::new(SIZE, &parts, None, GRID).unwrap();
        assert_eq!(plan.blend, parts[0].mask);
        assert_eq!(plan.parts[0].denoise, parts[0].mask);
    }

    #[test]
    fn what_fades_out_is_drawn_further_than_it_is_shown_but_not_into_what_is_kept() {
        let mut coat = part(area(40, 20, 20, 20), EditKind::Replace);
        coat.edit.feather = Some(4);
        let face = part(area(40, 10, 20, 8), EditKind::Keep);
        let above = EditPlan::new(SIZE, &[face.clone(), coat.clone()], None, GRID).unwrap();
        let below = EditPlan::new(SIZE, &[coat, face], None, GRID).unwrap();
        assert_eq!(above.parts[0].denoise, below.parts[0].denoise);
        let PlannedPart { blend, denoise, .. } = &below.parts[0];
        let far = |mask: &Mask| {
            let down = (40..).take_while(|&y| mask.at(50, y) > 0).count();
            let up = (0..20).rev().take_while(|&y| mask.at(50, y) > 0).count();
            [down, up]
        };
        // The face ends two pixels above the coat.
        assert_eq!([far(blend), far(denoise)], [[4, 2], [6, 2]]);
    }

    #[test]
    fn what_is_wrong_names_the_part() {
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
        assert!(matches!(far, Err(EditError::Context { .. })));
    }
}
