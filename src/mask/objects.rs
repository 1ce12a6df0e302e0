//! Masks of objects, by clicking at them, with nothing but the picture itself.
//!
//! The picture is cut into superpixels of about one colour (SNIC, Achanta & Süsstrunk 2017), and these are
//! merged two by two, the most alike first, up to the whole picture. What comes about early in that tree and
//! is merged late stands out from its surroundings: that is an object. Illustrations have clear colours
//! and edges, which is where this works well; a network may do better on photographs.

mod alike;
mod tree;

use image::{GrayImage, Luma, RgbaImage, imageops};

use super::{Area, Mask, places};
use tree::{Node, Tree};

/// Pixels of a superpixel, about.
const SUPERPIXEL: usize = 48;
/// How far a superpixel gives up shape for colour: less is more ragged.
const COMPACTNESS: u8 = 8;
/// Larger pictures are looked at in this size: a click has to be answered at once.
const LONGEST_SIDE: u32 = 640;
/// Objects take at least and at most this share of a picture.
const SHARES: std::ops::RangeInclusive<f32> = 0.001..=0.6;
/// In a box, what is so many times smaller than the largest object is none.
const SLIVER: usize = 8;
/// What is smaller than this share of the picture is no part of its own.
const SPLINTER: f32 = 0.005;
/// What an object runs around is none of its own where it is so many times smaller.
const HOLE: usize = 4;
/// How much of an object a box around it must hold.
const IN_BOX: f32 = 0.8;

/// What the objects of a picture are: found once, then every click is answered from it.
#[derive(Clone, Debug)]
pub struct Objects {
    /// Of the picture.
    size: (u32, u32),
    /// Of the picture as it was looked at.
    looked_at: (u32, u32),
    /// The superpixel of each pixel that was looked at, row by row.
    labels: Vec<usize>,
    /// The mean colour of each superpixel.
    colours: Vec<[f32; 3]>,
    tree: Tree,
}

/// What somebody points at. Points are columns and rows of the picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointing {
    /// Pixels of what is meant.
    pub include: Vec<(u32, u32)>,
    /// Pixels of what is not meant.
    pub exclude: Vec<(u32, u32)>,
    /// A box around what is meant.
    pub area: Option<Area>,
}

impl Objects {
    /// Looks at a picture.
    #[must_use]
    pub fn of(picture: &RgbaImage) -> Self {
        let size = picture.dimensions();
        let shrink = f64::from(LONGEST_SIDE) / f64::from(size.0.max(size.1).max(1));
        let looked_at = if shrink < 1.0 {
            let side = |side: u32| ((f64::from(side) * shrink).round() as u32).max(1);
            let (width, height) = (side(size.0), side(size.1));
            imageops::resize(picture, width, height, imageops::FilterType::Triangle)
        } else {
            picture.clone()
        };
        let (width, height) = looked_at.dimensions();
        let colours = lab(&looked_at);
        let labels = superpixels(&looked_at);
        let (pixels, colours) = tree::means(&labels, &colours);
        let tree = Tree::grown(&labels, &pixels, colours.clone(), width as usize);
        Self { size, looked_at: (width, height), labels, colours, tree }
    }

    /// The mask of what is pointed at: the object around each pixel that is meant, without small holes and
    /// without any pixel that is not meant; of a box, the objects that lie in it.
    #[must_use]
    pub fn select(&self, pointing: &Pointing) -> Mask {
        let excluded = self.leaves(&pointing.exclude);
        let mut chosen = vec![false; self.tree.leaves()];
        for leaf in self.leaves(&pointing.include) {
            if let Some(object) = self.object(leaf, &excluded) {
                self.tree.leaves_of(object).for_each(|leaf| chosen[leaf] = true);
            }
        }
        if let Some(area) = pointing.area {
            for object in self.in_box(area, &excluded) {
                self.tree.leaves_of(object).for_each(|leaf| chosen[leaf] = true);
            }
        }
        let mask = self.mask(&chosen);
        let whole = closed(&mask);
        // Eyes, windows and highlights belong to what is around them, unless somebody said no.
        let is_out = |&(x, y): &(u32, u32)| whole.at(x, y) == 0;
        if pointing.exclude.iter().all(is_out) { whole } else { mask }
    }

    /// The whole picture as at most `most` parts, the largest first. No pixel is in two of them.
    #[must_use]
    pub fn split(&self, most: usize) -> Vec<Mask> {
        let smallest = (SPLINTER * self.labels.len() as f32) as usize;
        let parts = self.tree.cut(most, smallest).into_iter().map(|nodes| {
            let mut chosen = vec![false; self.tree.leaves()];
            let leaves = nodes.iter().flat_map(|&node| self.tree.leaves_of(node));
            leaves.for_each(|leaf| chosen[leaf] = true);
            self.mask(&chosen)
        });
        let mut parts = parts.collect::<Vec<_>>();
        parts.sort_by(|a, b| b.coverage().total_cmp(&a.coverage()));
        parts
    }

    /// The node that stands out most of all those around a superpixel.
    fn object(&self, leaf: usize, excluded: &[usize]) -> Option<usize> {
        let holds_excluded =
            |node: usize| excluded.iter().any(|&leaf| self.tree.is_within(leaf, node));
        let allowed = || self.tree.around(leaf).take_while(|&node| !holds_excluded(node));
        let fits = |&node: &usize| SHARES.contains(&self.share(self.tree.node(node)));
        let stands_out =
            |a: &usize, b: &usize| self.tree.persistence(*a).total_cmp(&self.tree.persistence(*b));
        let object = allowed().filter(fits).max_by(stands_out).or_else(|| allowed().next())?;
        // What is of one colour with it belongs to it, however large that is.
        let belongs = |&node: &usize| node <= object || self.tree.is_of_one_colour(node);
        allowed().take_while(belongs).last()
    }

    /// The objects that lie in a box; where there are none, that around its middle.
    fn in_box(&self, area: Area, excluded: &[usize]) -> Vec<usize> {
        let mut inside = vec![0_usize; self.tree.leaves()];
        for (i, &label) in self.labels.iter().enumerate() {
            let (x, y) = self.in_picture(i);
            inside[label] += usize::from(area.contains(x, y));
        }
        let mut objects = Vec::new();
        for leaf in (0..inside.len()).filter(|&leaf| inside[leaf] > 0) {
            let Some(object) = self.object(leaf, excluded) else { continue };
            let held: usize = self.tree.leaves_of(object).map(|leaf| inside[leaf]).sum();
            if held as f32 >= IN_BOX * self.tree.node(object).pixels as f32 {
                objects.push(object);
            }
        }
        objects.sort_unstable();
        objects.dedup();
        let pixels = |&object: &usize| self.tree.node(object).pixels;
        let largest = objects.iter().map(pixels).max().unwrap_or(0);
        // Slivers of the surroundings lie in the box too.
        objects.retain(|object| pixels(object) * SLIVER >= largest);
        if objects.is_empty() {
            // Of what of the box lies in the picture.
            let middle = |first: u32, end: u32, side: u32| first.midpoint(end.min(side));
            let middle = (
                middle(area.x, area.right(), self.size.0),
                middle(area.y, area.bottom(), self.size.1),
            );
            let leaves = self.leaves(&[middle]);
            objects.extend(leaves.first().and_then(|&leaf| self.object(leaf, excluded)));
        }
        objects
    }

    /// The superpixels at points of the picture; points outside are left out.
    fn leaves(&self, points: &[(u32, u32)]) -> Vec<usize> {
        let inside = points.iter().filter(|(x, y)| *x < self.size.0 && *y < self.size.1);
        inside.map(|&(x, y)| self.labels[self.looked_at_index(x, y)]).collect()
    }

    fn mask(&self, chosen: &[bool]) -> Mask {
        Mask::from_fn(self.size.0, self.size.1, |x, y| {
            if chosen[self.labels[self.looked_at_index(x, y)]] { u8::MAX } else { 0 }
        })
    }

    fn looked_at_index(&self, x: u32, y: u32) -> usize {
        let along = |at: u32, side: u32, looked_at: u32| {
            (u64::from(at) * u64::from(looked_at) / u64::from(side)) as usize
        };
        let column = along(x, self.size.0, self.looked_at.0);
        along(y, self.size.1, self.looked_at.1) * self.looked_at.0 as usize + column
    }

    /// The pixel of the picture at the middle of one that was looked at.
    fn in_picture(&self, i: usize) -> (u32, u32) {
        let (width, height) = (self.looked_at.0 as usize, self.looked_at.1 as usize);
        let back = |at: usize, side: u32, looked_at: usize| {
            ((2 * at + 1) * side as usize / (2 * looked_at)) as u32
        };
        (back(i % width, self.size.0, width), back(i / width, self.size.1, height))
    }

    fn share(&self, node: &Node) -> f32 {
        node.pixels as f32 / self.labels.len() as f32
    }
}

/// CIE L*a*b* of each pixel, in which distances are about as large as they look.
fn lab(picture: &RgbaImage) -> Vec<[f32; 3]> {
    use palette::{FromColor, Lab, Srgb};
    let of = |pixel: &image::Rgba<u8>| {
        let [r, g, b, _] = pixel.0;
        let lab: Lab = Lab::from_color(Srgb::new(r, g, b).into_format::<f32>());
        [lab.l, lab.a, lab.b]
    };
    picture.pixels().map(of).collect()
}

/// A mask that holds what it runs around, but for what is too large to be a part of it.
fn closed(mask: &Mask) -> Mask {
    let (width, height) = mask.size();
    let whole = mask.without_holes();
    let is_hole = |x, y| whole.at(x, y) > 0 && mask.at(x, y) == 0;
    let holes = places(&GrayImage::from_fn(width, height, |x, y| Luma([u8::from(is_hole(x, y))])));
    let mut pixels = vec![0_usize; holes.len() + 1];
    holes.pixels().for_each(|place| pixels[place.0[0] as usize] += 1);
    let object = mask.values().iter().filter(|&&value| value > 0).count();
    Mask::from_fn(width, height, |x, y| match holes.get_pixel(x, y).0[0] {
        0 => mask.at(x, y),
        hole if pixels[hole as usize] * HOLE <= object => whole.at(x, y),
        _ => 0,
    })
}

/// The superpixel of each pixel, row by row, numbered from 0 without gaps.
fn superpixels(picture: &RgbaImage) -> Vec<usize> {
    let (width, height) = picture.dimensions();
    let bytes: Vec<u8> =
        picture.pixels().flat_map(|pixel| [pixel.0[0], pixel.0[1], pixel.0[2]]).collect();
    let count = (bytes.len() / 3 / SUPERPIXEL).max(1);
    let labels =
        simple_clustering::snic_from_bytes(count as u32, COMPACTNESS, width, height, &bytes);
    // A picture too small to be cut up is one piece.
    let labels = labels.unwrap_or_else(|_| vec![0; bytes.len() / 3]);
    let mut numbers = std::collections::HashMap::new();
    labels
        .into_iter()
        .map(|label| {
            let next = numbers.len();
            *numbers.entry(label).or_insert(next)
        })
        .collect()
}

#[cfg(test)]
mod tests;
