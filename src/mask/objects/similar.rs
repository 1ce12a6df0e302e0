//! Finding an object of one picture in another picture.
//!
//! Each superpixel gets a probability of belonging to the object: from how much more common its colour is inside
//! the reference mask than outside, and, with less weight, from its position. The result is the union of a few
//! regions with the highest expected Dice coefficient. If the reference mask is one connected region, only the most
//! probable connected region is kept.

use std::collections::BTreeMap;

use super::{Mask, Objects, tree};
use crate::mask::label_regions;

/// The standard deviation of one surface's colour between two pictures, in L*a*b*.
const COLOUR_DEVIATION: f32 = 9.0;
/// The weight of lightness relative to a* and b*. It is below 1 because lighting changes between pictures.
const LIGHTNESS_WEIGHT: f32 = 0.6;
/// The side of a histogram bin, in L*a*b*.
const BIN: f32 = 5.0;
/// The lowest frequency of a colour: colours that are rare in the reference are not evidence.
const MIN_FREQUENCY: f32 = 0.02;
/// The prior probability of the object at its position in the reference.
const PRIOR_AT_REFERENCE: f32 = 0.4;
/// The distance over which that prior fades, as a share of the picture's longer side.
const PRIOR_FADE: f32 = 0.12;
/// The highest number of regions in a result.
const MAX_REGIONS: usize = 6;
/// A mask counts as connected if its largest region has this share of it.
const CONNECTED_SHARE: f32 = 0.9;
/// The lowest expected Dice coefficient of a result.
const MIN_OVERLAP: f32 = 0.5;

impl Objects {
    /// Finds the object that `mask` selects in the picture of `reference`.
    ///
    /// Returns `None` if nothing in this picture is similar enough, or if the same position is as similar as the
    /// best candidate. Also returns `None` if `mask` does not have the size of the reference picture.
    #[must_use]
    pub fn find_similar(&self, reference: &Self, mask: &Mask) -> Option<Mask> {
        if mask.size() != reference.size {
            return None;
        }
        let probabilities = self.probabilities(reference, mask)?;
        let mut leaves = vec![false; self.tree.leaves()];
        let chosen = self.best_regions(&probabilities);
        let within = chosen.into_iter().flat_map(|node| self.tree.leaves_of(node));
        within.for_each(|leaf| leaves[leaf] = true);
        let mut found = self.mask(&leaves);
        if is_connected(mask) {
            found = self.most_probable_region(&found, &probabilities);
        }
        let (width, height) = self.size;
        let overlap = self.overlap(&found, &probabilities);
        if overlap < MIN_OVERLAP
            || overlap <= self.overlap(&mask.resized(width, height), &probabilities)
        {
            return None;
        }
        Some(if *mask == mask.without_holes() { found.without_holes() } else { found })
    }

    /// The probability of each superpixel to belong to the object. `None` if the mask selects everything or
    /// nothing.
    fn probabilities(&self, reference: &Self, mask: &Mask) -> Option<Vec<f32>> {
        let [inside, outside] = reference.histograms(mask)?;
        let (width, height) = self.size;
        let fade = (PRIOR_FADE * width.max(height) as f32) as u32;
        let closeness = self.shares(&mask.resized(width, height).feathered(fade));
        let base = mask.coverage().min(PRIOR_AT_REFERENCE);
        let probabilities = self.colours.iter().zip(closeness).map(|(colour, closeness)| {
            let prior = base + (PRIOR_AT_REFERENCE - base) * closeness;
            // A superpixel is stronger evidence than a pixel. Squaring keeps the surroundings in a loose mask out.
            let [inside, outside] =
                [&inside, &outside].map(|colours| colours.frequency(colour).powi(2));
            let (is, is_not) = (prior * inside, (1.0 - prior) * outside);
            is / (is + is_not)
        });
        Some(probabilities.collect())
    }

    /// The colour histograms inside and outside a mask.
    fn histograms(&self, mask: &Mask) -> Option<[Histogram; 2]> {
        let mut counted = BTreeMap::<[i32; 3], [f32; 2]>::new();
        for (leaf, share) in self.shares(mask).into_iter().enumerate() {
            let pixels = self.tree.node(leaf).pixels as f32;
            let at = self.colours[leaf].map(|value| (value / BIN).round() as i32);
            let count = counted.entry(at).or_default();
            count[0] += share * pixels;
            count[1] += (1.0 - share) * pixels;
        }
        let histogram = |side: usize| {
            let total: f32 = counted.values().map(|count| count[side]).sum();
            let colours = counted.iter().map(|(at, count)| (*at, count[side] / total)).collect();
            (total >= 1.0).then_some(Histogram(colours))
        };
        Some([histogram(0)?, histogram(1)?])
    }

    /// The share of each superpixel that a mask selects.
    fn shares(&self, mask: &Mask) -> Vec<f32> {
        let mut shares = vec![0.0; self.tree.leaves()];
        for (i, &leaf) in self.labels.iter().enumerate() {
            let (x, y) = self.picture_pixel(i);
            shares[leaf] += f32::from(mask.at(x, y)) / f32::from(u8::MAX);
        }
        let share = |(leaf, sum): (usize, f32)| sum / self.tree.node(leaf).pixels.max(1) as f32;
        shares.into_iter().enumerate().map(share).collect()
    }

    /// The expected Dice coefficient of a mask and the object.
    fn overlap(&self, mask: &Mask, probabilities: &[f32]) -> f32 {
        let (mut both, mut one, mut other) = (0.0, 0.0, 0.0);
        for (leaf, (share, probability)) in
            self.shares(mask).into_iter().zip(probabilities).enumerate()
        {
            let pixels = self.tree.node(leaf).pixels as f32;
            both += share * probability * pixels;
            one += share * pixels;
            other += probability * pixels;
        }
        dice(both, one, other)
    }

    /// Keeps only the connected region of a mask with the highest sum of probabilities.
    fn most_probable_region(&self, mask: &Mask, probabilities: &[f32]) -> Mask {
        let regions = label_regions(mask.image());
        let mut sums = BTreeMap::<u32, f32>::new();
        for (x, y, region) in regions.enumerate_pixels().filter(|(_, _, region)| region.0[0] > 0) {
            let leaf = self.labels[self.analysed_index(x, y)];
            *sums.entry(region.0[0]).or_default() += probabilities[leaf];
        }
        let best =
            sums.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(region, _)| region);
        let (width, height) = mask.size();
        let is_best = |x, y| regions.get_pixel(x, y).0[0] == best;
        Mask::from_fn(
            width,
            height,
            |x, y| if mask.at(x, y) > 0 && is_best(x, y) { u8::MAX } else { 0 },
        )
    }

    /// The regions whose union has the highest expected Dice coefficient, chosen greedily.
    fn best_regions(&self, probabilities: &[f32]) -> Vec<usize> {
        let sums = self.tree.sums(probabilities);
        let leaves = 0..self.tree.leaves();
        let total =
            leaves.map(|leaf| probabilities[leaf] * self.tree.node(leaf).pixels as f32).sum();
        let (mut chosen, mut overlap) = (Vec::<usize>::new(), 0.0);
        let (mut inside, mut pixels) = (0.0, 0.0);
        while chosen.len() < MAX_REGIONS {
            let is_free = |&node: &usize| {
                let together =
                    |&it: &usize| self.tree.is_within(it, node) || self.tree.is_within(node, it);
                !chosen.iter().any(together)
            };
            let with = |node: usize| {
                let more = self.tree.node(node).pixels as f32;
                dice(inside + sums[node], pixels + more, total)
            };
            let best = (0..sums.len()).filter(is_free).max_by(|&a, &b| with(a).total_cmp(&with(b)));
            let Some(best) = best.filter(|&best| with(best) > overlap) else { break };
            overlap = with(best);
            inside += sums[best];
            pixels += self.tree.node(best).pixels as f32;
            chosen.push(best);
        }
        chosen
    }
}

/// Whether nearly all of a mask is one connected region.
fn is_connected(mask: &Mask) -> bool {
    let regions = label_regions(mask.map(|value| if value < 128 { 0 } else { value }).image());
    let mut pixels = BTreeMap::<u32, usize>::new();
    for region in regions.pixels().filter(|region| region.0[0] > 0) {
        *pixels.entry(region.0[0]).or_default() += 1;
    }
    let (largest, all) =
        (pixels.values().max().copied().unwrap_or(0), pixels.values().sum::<usize>());
    largest as f32 >= CONNECTED_SHARE * all as f32
}

/// The Dice coefficient of two regions, from the size of their intersection and of each.
fn dice(both: f32, one: f32, other: f32) -> f32 {
    2.0 * both / (one + other).max(1.0)
}

/// A colour histogram: the index of each bin and its share of the pixels.
struct Histogram(Vec<([i32; 3], f32)>);

impl Histogram {
    /// The frequency of colours close to this one, from `MIN_FREQUENCY` to slightly above 1.
    fn frequency(&self, colour: &[f32; 3]) -> f32 {
        let near = |(at, share): &([i32; 3], f32)| {
            let mut centre = at.map(|value| value as f32 * BIN);
            centre[0] = colour[0] + LIGHTNESS_WEIGHT * (centre[0] - colour[0]);
            let distance = tree::distance(centre, *colour) / COLOUR_DEVIATION;
            share * (-0.5 * distance * distance).exp()
        };
        MIN_FREQUENCY + self.0.iter().map(near).sum::<f32>()
    }
}
