//! Object selection by clicking, without a network.
//!
//! The picture is divided into superpixels of similar colour (SNIC, Achanta & Süsstrunk 2017). Neighbouring
//! regions are then merged in pairs, the most similar first, until one region covers the whole picture. A region
//! that forms early in this tree and merges late stands out from its surroundings: it is an object. The method
//! suits illustrations, which have clear colours and edges. A [network](super::sam::Sam) may do better on
//! photographs.

mod similar;
mod tree;

use image::{GrayImage, Luma, RgbaImage, imageops};

use super::{Area, Mask, label_regions, over_grey};
use tree::{Node, Tree};

/// The approximate number of pixels in a superpixel.
const SUPERPIXEL: usize = 48;
/// SNIC's compactness: lower values follow colours more closely and give ragged superpixels.
const COMPACTNESS: u8 = 8;
/// Larger pictures are analysed at this size, so that a click is answered immediately.
const LONGEST_SIDE: u32 = 640;
/// The share of the picture that an object may cover.
const OBJECT_SHARE: std::ops::RangeInclusive<f32> = 0.001..=0.6;
/// Inside a box, an object this many times smaller than the largest one is ignored.
const MAX_SIZE_RATIO: usize = 8;
/// A region below this share of the picture does not become a part.
const MIN_PART_SHARE: f32 = 0.005;
/// A hole this many times smaller than the object around it belongs to that object.
const HOLE_RATIO: usize = 4;
/// The share of an object that a box must contain to select it.
const MIN_SHARE_IN_BOX: f32 = 0.8;

/// The detected objects of a picture. Detection runs once; every selection then reads its result.
#[derive(Clone, Debug)]
pub struct Objects {
    /// Width and height of the picture.
    size: (u32, u32),
    /// Width and height at which the picture was analysed.
    analysed_size: (u32, u32),
    /// The superpixel of each analysed pixel, in row-major order.
    labels: Vec<usize>,
    /// The mean colour of each superpixel, in L*a*b*.
    colours: Vec<[f32; 3]>,
    tree: Tree,
}

/// The object to select: points and a box, in pixels of the picture. Points are `(column, row)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectionPrompt {
    /// Points on the object.
    pub include: Vec<(u32, u32)>,
    /// Points that the selection must not contain.
    pub exclude: Vec<(u32, u32)>,
    /// A box around the object.
    pub area: Option<Area>,
}

impl Objects {
    /// Detects the objects of a picture.
    #[must_use]
    pub fn detect(picture: &RgbaImage) -> Self {
        let (size, picture) = (picture.dimensions(), over_grey(picture));
        let shrink = f64::from(LONGEST_SIDE) / f64::from(size.0.max(size.1).max(1));
        let resized = if shrink < 1.0 {
            let side = |side: u32| ((f64::from(side) * shrink).round() as u32).max(1);
            let (width, height) = (side(size.0), side(size.1));
            imageops::resize(&*picture, width, height, imageops::FilterType::Triangle)
        } else {
            picture.into_owned()
        };
        let (width, height) = resized.dimensions();
        let colours = lab(&resized);
        let labels = superpixels(&resized);
        let (pixels, colours) = tree::means(&labels, &colours);
        let tree = Tree::merge_all(&labels, &pixels, colours.clone(), width as usize);
        Self { size, analysed_size: (width, height), labels, colours, tree }
    }

    /// Selects the object around each included point and the objects inside the box.
    ///
    /// Small holes are filled. The mask never contains an excluded point.
    #[must_use]
    pub fn select(&self, prompt: &SelectionPrompt) -> Mask {
        let excluded = self.leaves(&prompt.exclude);
        let mut chosen = vec![false; self.tree.leaves()];
        for leaf in self.leaves(&prompt.include) {
            if let Some(object) = self.object(leaf, &excluded) {
                self.tree.leaves_of(object).for_each(|leaf| chosen[leaf] = true);
            }
        }
        if let Some(area) = prompt.area {
            for object in self.in_box(area, &excluded) {
                self.tree.leaves_of(object).for_each(|leaf| chosen[leaf] = true);
            }
        }
        let mask = self.mask(&chosen);
        let filled = fill_small_holes(&mask);
        // Eyes, windows and highlights belong to the object around them, unless a point excludes them.
        let is_out = |&(x, y): &(u32, u32)| filled.at(x, y) == 0;
        if prompt.exclude.iter().all(is_out) { filled } else { mask }
    }

    /// Divides the picture into at most `max` parts, the largest first. Every pixel is in exactly one part.
    #[must_use]
    pub fn split(&self, max: usize) -> Vec<Mask> {
        let smallest = (MIN_PART_SHARE * self.labels.len() as f32) as usize;
        let parts = self.tree.cut(max, smallest).into_iter().map(|nodes| {
            let mut chosen = vec![false; self.tree.leaves()];
            let leaves = nodes.iter().flat_map(|&node| self.tree.leaves_of(node));
            leaves.for_each(|leaf| chosen[leaf] = true);
            self.mask(&chosen)
        });
        let mut parts = parts.collect::<Vec<_>>();
        parts.sort_by(|a, b| b.coverage().total_cmp(&a.coverage()));
        parts
    }

    /// The enclosing node of a superpixel that stands out most. `None` if every enclosing node contains an
    /// excluded superpixel.
    fn object(&self, leaf: usize, excluded: &[usize]) -> Option<usize> {
        let holds_excluded =
            |node: usize| excluded.iter().any(|&leaf| self.tree.is_within(leaf, node));
        let allowed = || self.tree.ancestors(leaf).take_while(|&node| !holds_excluded(node));
        let fits = |&node: &usize| OBJECT_SHARE.contains(&self.share(self.tree.node(node)));
        let stands_out =
            |a: &usize, b: &usize| self.tree.persistence(*a).total_cmp(&self.tree.persistence(*b));
        let object = allowed().filter(fits).max_by(stands_out).or_else(|| allowed().next())?;
        // A surrounding region of the same colour belongs to the object, however large it is.
        let belongs = |&node: &usize| node <= object || self.tree.is_of_one_colour(node);
        allowed().take_while(belongs).last()
    }

    /// The objects inside a box. If there are none, the object at its centre.
    fn in_box(&self, area: Area, excluded: &[usize]) -> Vec<usize> {
        let mut inside = vec![0_usize; self.tree.leaves()];
        for (i, &label) in self.labels.iter().enumerate() {
            let (x, y) = self.picture_pixel(i);
            inside[label] += usize::from(area.contains(x, y));
        }
        let mut objects = Vec::new();
        for leaf in (0..inside.len()).filter(|&leaf| inside[leaf] > 0) {
            let Some(object) = self.object(leaf, excluded) else { continue };
            let held: usize = self.tree.leaves_of(object).map(|leaf| inside[leaf]).sum();
            if held as f32 >= MIN_SHARE_IN_BOX * self.tree.node(object).pixels as f32 {
                objects.push(object);
            }
        }
        objects.sort_unstable();
        objects.dedup();
        let pixels = |&object: &usize| self.tree.node(object).pixels;
        let largest = objects.iter().map(pixels).max().unwrap_or(0);
        // Slivers of the surroundings lie inside the box too.
        objects.retain(|object| pixels(object) * MAX_SIZE_RATIO >= largest);
        if objects.is_empty() {
            // The centre of the box, clipped to the picture.
            let centre = |first: u32, end: u32, side: u32| first.midpoint(end.min(side));
            let centre = (
                centre(area.x, area.right(), self.size.0),
                centre(area.y, area.bottom(), self.size.1),
            );
            let leaves = self.leaves(&[centre]);
            objects.extend(leaves.first().and_then(|&leaf| self.object(leaf, excluded)));
        }
        objects
    }

    /// The superpixels at points of the picture. Points outside the picture are skipped.
    fn leaves(&self, points: &[(u32, u32)]) -> Vec<usize> {
        let inside = points.iter().filter(|(x, y)| *x < self.size.0 && *y < self.size.1);
        inside.map(|&(x, y)| self.labels[self.analysed_index(x, y)]).collect()
    }

    fn mask(&self, chosen: &[bool]) -> Mask {
        Mask::from_fn(self.size.0, self.size.1, |x, y| {
            if chosen[self.labels[self.analysed_index(x, y)]] { u8::MAX } else { 0 }
        })
    }

    fn analysed_index(&self, x: u32, y: u32) -> usize {
        let along = |at: u32, side: u32, analysed: u32| {
            (u64::from(at) * u64::from(analysed) / u64::from(side)) as usize
        };
        let column = along(x, self.size.0, self.analysed_size.0);
        along(y, self.size.1, self.analysed_size.1) * self.analysed_size.0 as usize + column
    }

    /// The pixel of the picture at the centre of analysed pixel `i`.
    fn picture_pixel(&self, i: usize) -> (u32, u32) {
        let (width, height) = (self.analysed_size.0 as usize, self.analysed_size.1 as usize);
        let scale = |at: usize, side: u32, analysed: usize| {
            ((2 * at + 1) * side as usize / (2 * analysed)) as u32
        };
        (scale(i % width, self.size.0, width), scale(i / width, self.size.1, height))
    }

    fn share(&self, node: &Node) -> f32 {
        node.pixels as f32 / self.labels.len() as f32
    }
}

/// Each pixel in CIE L*a*b*, where distances are close to perceived differences.
fn lab(picture: &RgbaImage) -> Vec<[f32; 3]> {
    use palette::{FromColor, Lab, Srgb};
    let convert = |pixel: &image::Rgba<u8>| {
        let [r, g, b, _] = pixel.0;
        let lab: Lab = Lab::from_color(Srgb::new(r, g, b).into_format::<f32>());
        [lab.l, lab.a, lab.b]
    };
    picture.pixels().map(convert).collect()
}

/// Fills the holes of a mask, except those that are too large to belong to the object.
fn fill_small_holes(mask: &Mask) -> Mask {
    let (width, height) = mask.size();
    let filled = mask.without_holes();
    let is_hole = |x, y| filled.at(x, y) > 0 && mask.at(x, y) == 0;
    let holes =
        label_regions(&GrayImage::from_fn(width, height, |x, y| Luma([u8::from(is_hole(x, y))])));
    let mut pixels = vec![0_usize; holes.len() + 1];
    holes.pixels().for_each(|hole| pixels[hole.0[0] as usize] += 1);
    let object = mask.values().iter().filter(|&&value| value > 0).count();
    Mask::from_fn(width, height, |x, y| match holes.get_pixel(x, y).0[0] {
        0 => mask.at(x, y),
        hole if pixels[hole as usize] * HOLE_RATIO <= object => filled.at(x, y),
        _ => 0,
    })
}

/// The superpixel of each pixel in row-major order. Superpixels are numbered from 0 without gaps.
fn superpixels(picture: &RgbaImage) -> Vec<usize> {
    let (width, height) = picture.dimensions();
    let bytes: Vec<u8> =
        picture.pixels().flat_map(|pixel| [pixel.0[0], pixel.0[1], pixel.0[2]]).collect();
    let count = (bytes.len() / 3 / SUPERPIXEL).max(1);
    let labels =
        simple_clustering::snic_from_bytes(count as u32, COMPACTNESS, width, height, &bytes);
    // A picture too small to divide is one superpixel.
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
