//! Which pixels an edit changes, and what of the picture the networks see for it: arithmetic of masks alone.

use serde::{Deserialize, Serialize};

use crate::{
    mask::{Area, Combine, Mask},
    recipe::{EditKind, Part, PartEdit, Size},
};

use super::EditError;

/// The shares of the surroundings that the networks see around what changes, of its size on each side.
const CONTEXT: f32 = 0.06;

/// The grid on which a model sees a picture; by default that of its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// Pixels along each side of a latent.
    pub scale: u32,
    /// How many latents along each side the model wants to see at least: with less in sight it draws
    /// anything.
    pub least: u32,
}

impl Default for Grid {
    fn default() -> Self {
        Self { scale: 1, least: 1 }
    }
}

/// What an edit comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct EditPlan {
    /// How much of each pixel becomes new. Where it is 0, not one bit changes.
    pub blend: Mask,
    /// What of the picture the networks see, in pixels. It may reach over the right and the lower edge of the
    /// picture, by less than one latent.
    pub context: Area,
    /// The parts that change something, each with the pixels that are left to it by those above.
    pub(super) parts: Vec<PlannedPart>,
}

/// A part that changes something.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PlannedPart {
    pub mask: Mask,
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
        let mut above = Mask::empty(size.width, size.height);
        let mut blend = above.clone();
        let mut planned = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let named = |source| EditError::Mask { part: part.name.clone(), source };
            part.mask.check_size((size.width, size.height)).map_err(named)?;
            let picture = (size.width, size.height);
            let scribble = part.scribble.as_ref().map(|scribble| scribble.0.dimensions());
            if let Some(scribble) = scribble.filter(|&scribble| scribble != picture) {
                let part = part.name.clone();
                return Err(EditError::Scribble { part, scribble, picture });
            }
            let edit = &part.edit;
            edit.check().map_err(|source| EditError::Part { part: part.name.clone(), source })?;
            let mut mask = reach(&part.mask, edit, size);
            if edit.kind != EditKind::Keep {
                mask = short_of(&mask, &part.mask, &parts[index + 1..]);
            }
            mask.combine(&above, Combine::Subtract).map_err(named)?;
            above = together(&above, &mask);
            if edit.kind != EditKind::Keep && !mask.is_empty() {
                blend = together(&blend, &mask);
                planned.push(PlannedPart { mask, index });
            }
        }
        let changed = blend.bounds().ok_or(EditError::Nothing)?;
        let context = match context {
            None => around(changed, size, grid),
            Some(asked) => fitted(asked, changed, size, grid)?,
        };
        Ok(Self { blend, context, parts: planned })
    }
}

/// Two masks of one size of which each took only what the other left: where both have a share, the pixel is in
/// both shares together. The greater one alone would let the old picture through along their border.
fn together(a: &Mask, b: &Mask) -> Mask {
    let (width, height) = a.size();
    Mask::from_fn(width, height, |x, y| a.at(x, y).saturating_add(b.at(x, y)))
}

/// A part's mask as far as its edit reaches.
fn reach(mask: &Mask, edit: &PartEdit, size: Size) -> Mask {
    // What is kept is kept to the pixel.
    let [grow, feather] = match edit.kind {
        EditKind::Keep => [0, 0],
        _ => usual_reach(mask, size),
    };
    mask.grown(edit.grow.unwrap_or(grow)).feathered(edit.feather.unwrap_or(feather))
}

/// A part as far as it reaches, but for what is kept below it: there it has only what was marked. A part of another
/// size is told of when its turn comes.
fn short_of(reached: &Mask, marked: &Mask, below: &[Part]) -> Mask {
    let (width, height) = reached.size();
    let is_kept =
        |part: &&Part| part.edit.kind == EditKind::Keep && part.mask.size() == (width, height);
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

/// The box that the networks see around what changes, on the grid of latents.
fn around(changed: Area, size: Size, Grid { scale, least }: Grid) -> Area {
    let along = |from: u32, length: u32, side: u32| {
        let margin = ((length as f32 * CONTEXT).ceil() as u32).max(scale / 2);
        let cells = side.div_ceil(scale);
        let first = from.saturating_sub(margin) / scale;
        let end = (from + length + margin).div_ceil(scale).min(cells);
        widened(first, end, least, cells)
    };
    let columns = along(changed.x, changed.width, size.width);
    pixels(columns, along(changed.y, changed.height, size.height), scale)
}

/// A box that was asked for, on the grid of latents.
fn fitted(
    asked: Area,
    changed: Area,
    size: Size,
    Grid { scale, least }: Grid,
) -> Result<Area, EditError> {
    let along = |from: u32, end: u32, side: u32| {
        let first = from.min(side) / scale;
        (first, end.min(side).div_ceil(scale).saturating_sub(first))
    };
    let columns = along(asked.x, asked.right(), size.width);
    let rows = along(asked.y, asked.bottom(), size.height);
    let held = pixels(columns, rows, scale);
    if held.with(changed) != held || held.width == 0 || held.height == 0 {
        return Err(EditError::Context { context: asked, changed });
    }
    let wide =
        |(first, count), side: u32| widened(first, first + count, least, side.div_ceil(scale));
    Ok(pixels(wide(columns, size.width), wide(rows, size.height), scale))
}

/// The pixels of so many columns and rows of latents; each is the first and their number.
fn pixels(columns: (u32, u32), rows: (u32, u32), scale: u32) -> Area {
    let ((x, width), (y, height)) = (columns, rows);
    Area { x: x * scale, y: y * scale, width: width * scale, height: height * scale }
}

/// The first and the number of the cells from `first` to `end`; where that is too little to see, wider on both sides
/// and away from the edge.
fn widened(first: u32, end: u32, least: u32, cells: u32) -> (u32, u32) {
    let count = (end - first).max(least.min(cells));
    (first.saturating_sub((count - (end - first)) / 2).min(cells - count), count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            let found = [&plan.blend, &plan.parts[0].mask, &plan.parts[1].mask];
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
        assert!((128..255).contains(&plan.parts[0].mask.at(49, 30)), "the upper one fades out");
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

    proptest! {
        #[test]
        fn the_context_holds_what_changes_on_the_grid_and_is_no_larger_than_the_picture(
            (width, height) in (1_u32..200, 1_u32..200), seed in any::<(u32, u32, u32, u32)>(),
            scale in prop::sample::select(vec![8_u32, 16]), least in 1_u32..20,
        ) {
            let (x, y) = (seed.0 % width, seed.1 % height);
            let changed = area(x, y, 1 + seed.2 % (width - x), 1 + seed.3 % (height - y));
            let context = around(changed, Size::new(width, height), Grid { scale, least });
            prop_assert_eq!(context.with(changed), context);
            for side in [context.x, context.y, context.width, context.height] {
                prop_assert_eq!(side % scale, 0);
            }
            prop_assert!(context.right() < width + scale && context.bottom() < height + scale);
            prop_assert!(context.width >= scale * least.min(width.div_ceil(scale)));
            prop_assert_eq!(fitted(context, changed, Size::new(width, height), Grid { scale, least }).unwrap(), context);
            let asked = fitted(changed, changed, Size::new(width, height), Grid { scale, least });
            let asked = asked.unwrap();
            prop_assert_eq!(asked.with(changed), asked);
            prop_assert!(asked.width >= scale * least.min(width.div_ceil(scale)));
            prop_assert!(asked.right() < width + scale && asked.bottom() < height + scale);
        }
    }
}
