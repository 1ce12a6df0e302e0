//! What of a picture the networks see for an edit: whole latents around what changes, and not too few.

use serde::{Deserialize, Serialize};

use super::EditError;
use crate::{mask::Area, recipe::Size};

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

/// The box that the networks see around what changes, on the grid of latents; it holds what is `drawn` for that, too.
pub(super) fn around(changed: Area, drawn: Area, size: Size, Grid { scale, least }: Grid) -> Area {
    let along = |[from, end]: [u32; 2], drawn: [u32; 2], side: u32| {
        let margin = (((end - from) as f32 * CONTEXT).ceil() as u32).max(scale / 2);
        let cells = side.div_ceil(scale);
        let first = from.saturating_sub(margin).min(drawn[0]) / scale;
        let end = (end + margin).max(drawn[1]).div_ceil(scale).min(cells);
        widened(first, end, least, cells)
    };
    let columns = |area: Area| [area.x, area.right()];
    let rows = |area: Area| [area.y, area.bottom()];
    let across = along(columns(changed), columns(drawn), size.width);
    pixels(across, along(rows(changed), rows(drawn), size.height), scale)
}

/// A box that was asked for, on the grid of latents.
pub(super) fn fitted(
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

    proptest! {
        #[test]
        fn the_context_holds_what_changes_on_the_grid_and_is_no_larger_than_the_picture(
            (width, height) in (1_u32..200, 1_u32..200), seed in any::<(u32, u32, u32, u32)>(),
            scale in prop::sample::select(vec![8_u32, 16]), least in 1_u32..20,
        ) {
            let (x, y) = (seed.0 % width, seed.1 % height);
            let (wide, high) = (1 + seed.2 % (width - x), 1 + seed.3 % (height - y));
            let changed = Area { x, y, width: wide, height: high };
            let drawn = Area {
                x: x.saturating_sub(seed.0 % 40),
                y: y.saturating_sub(seed.1 % 40),
                width: (wide + seed.2 % 80).min(width - x.saturating_sub(seed.0 % 40)),
                height: (high + seed.3 % 80).min(height - y.saturating_sub(seed.1 % 40)),
            };
            let size = Size::new(width, height);
            let context = around(changed, drawn, size, Grid { scale, least });
            prop_assert_eq!(context.with(changed).with(drawn), context);
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
