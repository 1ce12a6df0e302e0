//! Textures of the parts and of the region that would change. Only changed areas are repainted.

use egui::{TextureHandle, TextureId, TextureOptions, Ui};

use crate::{
    mask::{Area, Mask, diff_bounds},
    panel::canvas::{overlay, session::Session},
    recipe::{Layer, Scribble},
};

/// Cached textures of the overlays.
#[derive(Default)]
pub(in crate::panel::canvas) struct Overlay {
    parts: Option<(Drawn, TextureHandle)>,
    spotlight: Option<(Mask, TextureHandle)>,
}

impl std::fmt::Debug for Overlay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overlay").finish_non_exhaustive()
    }
}

/// The content of a texture.
#[derive(PartialEq)]
struct Drawn {
    layers: Vec<Layer>,
    chosen: Option<usize>,
    size: (u32, u32),
}

impl Drawn {
    fn all(&self) -> Area {
        Area { x: 0, y: 0, width: self.size.0, height: self.size.1 }
    }

    /// The area to repaint to show `now`, if any.
    fn changed(&self, now: &Self) -> Option<Area> {
        let is_same = (self.chosen, self.size) == (now.chosen, now.size)
            && self.layers.len() == now.layers.len();
        if !is_same {
            return Some(now.all());
        }
        let layers = self.layers.iter().zip(&now.layers);
        let changed = layers.filter_map(|(before, after)| changed(before, after, now.size));
        changed.reduce(Area::union)
    }
}

/// The area in which a part looks different, including its outline.
fn changed(before: &Layer, after: &Layer, size: (u32, u32)) -> Option<Area> {
    if before == after {
        return None;
    }
    let all = Area { x: 0, y: 0, width: size.0, height: size.1 };
    let (mask, scribble) = (after.mask.clone(), after.scribble.clone());
    let painted = Layer { mask, scribble, ..before.clone() };
    if painted != *after || before.mask.size() != size || after.mask.size() != size {
        return Some(all);
    }
    let scribbled = match (&before.scribble, &after.scribble) {
        (Some(Scribble(a)), Some(Scribble(b)))
            if a.dimensions() == size && b.dimensions() == size =>
        {
            diff_bounds(a.as_chunks::<4>().0, b.as_chunks::<4>().0, size.0)
        }
        (None, None) => None,
        _ => return Some(all),
    };
    let masked = after.mask.diff_bounds(&before.mask);
    let differs = masked.into_iter().chain(scribbled).reduce(Area::union)?;
    let (left, top) = (differs.x.saturating_sub(1), differs.y.saturating_sub(1));
    let right = differs.right().saturating_add(1).min(size.0);
    let bottom = differs.bottom().saturating_add(1).min(size.1);
    Some(Area { x: left, y: top, width: right - left, height: bottom - top })
}

impl Overlay {
    pub(super) fn parts(&mut self, ui: &Ui, session: &Session) -> TextureId {
        let (chosen, size) = (session.selected(), session.size);
        let now = Drawn { layers: session.layers.clone(), chosen, size };
        let paint = |area| overlay::painted(&now.layers, chosen, size, area);
        let texture = match self.parts.take() {
            None => ui.ctx().load_texture("parts", paint(now.all()), crisp()),
            Some((drawn, mut texture)) => {
                match drawn.changed(&now) {
                    None => {}
                    Some(area) if area == now.all() => texture.set(paint(area), crisp()),
                    // A stroke changes a small area of a large picture.
                    Some(area) => {
                        let at = [area.x as usize, area.y as usize];
                        texture.set_partial(at, paint(area), crisp());
                    }
                }
                texture
            }
        };
        self.parts.insert((now, texture)).1.id()
    }

    pub(super) fn spotlight(&mut self, ui: &Ui, blend: &Mask) -> TextureId {
        if let Some((drawn, texture)) = &self.spotlight
            && drawn == blend
        {
            return texture.id();
        }
        let texture = ui.ctx().load_texture("spotlight", overlay::spotlight(blend), crisp());
        self.spotlight.insert((blend.clone(), texture)).1.id()
    }
}

fn crisp() -> TextureOptions {
    TextureOptions { minification: egui::TextureFilter::Linear, ..TextureOptions::NEAREST }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use image::{Rgba, RgbaImage};

    use super::*;
    use crate::{mask::Combine, recipe::Verdict};

    const SIZE: (u32, u32) = (20, 10);

    fn drawn(layer: &Layer) -> Drawn {
        let below = Layer::new("below", Mask::full(SIZE.0, SIZE.1));
        Drawn { layers: vec![layer.clone(), below], chosen: Some(0), size: SIZE }
    }

    #[test]
    fn only_the_area_that_a_stroke_changed_is_repainted() {
        let layer = Layer::new("part", Mask::empty(SIZE.0, SIZE.1));
        let before = drawn(&layer);
        assert_eq!(before.changed(&drawn(&layer)), None);

        let mut stroked = layer.clone();
        let stroke = Area { x: 4, y: 0, width: 3, height: 2 };
        let stroke = Mask::rectangle(SIZE.0, SIZE.1, stroke);
        stroked.mask.combine(&stroke, Combine::Add).unwrap();
        let with_rim = Area { x: 3, y: 0, width: 5, height: 3 };
        assert_eq!(before.changed(&drawn(&stroked)), Some(with_rim));

        let empty = RgbaImage::new(SIZE.0, SIZE.1);
        let mut dotted = empty.clone();
        dotted.put_pixel(19, 9, Rgba([9, 9, 9, 255]));
        let [empty, dotted] = [empty, dotted].map(|image| Some(Scribble(Arc::new(image))));
        let dotted = Layer { scribble: dotted, ..layer.clone() };
        let before = drawn(&Layer { scribble: empty, ..layer.clone() });
        let corner = Area { x: 18, y: 8, width: 2, height: 2 };
        assert_eq!(before.changed(&drawn(&dotted)), Some(corner));

        let liked = Layer { verdict: Verdict::Liked, ..layer };
        assert_eq!(before.changed(&drawn(&liked)), Some(before.all()));
    }
}
