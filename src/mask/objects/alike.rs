//! The same thing in another picture.
//!
//! Colours are compared, and places a little: each superpixel is as likely to be of the thing as its colour is
//! commoner within the other picture's mask than outside of it. Of all objects, and a few of them together, that
//! which overlaps most with what is likely (its expected Dice coefficient) is the thing; of several places only the
//! likeliest, if it is one place in the other picture.

use std::collections::BTreeMap;

use super::{Mask, Objects, tree};
use crate::mask::places;

/// How far colours of one surface lie apart in two pictures, in L*a*b*.
const SPREAD: f32 = 9.0;
/// How much a difference in lightness counts beside one in colour: the light changes first.
const LIGHTNESS: f32 = 0.6;
/// Colours that lie within boxes of this side are counted together.
const BOX: f32 = 5.0;
/// How common a colour counts at least: one that the other picture hardly has tells nothing.
const RARE: f32 = 0.02;
/// How likely the thing is where it stands in the other picture, before any colour is seen.
const SAME_PLACE: f32 = 0.4;
/// How far around that place this fades, as a share of the picture's longer side.
const NEARBY: f32 = 0.12;
/// The most objects that the thing falls apart into.
const PIECES: usize = 6;
/// Which share of a mask hangs together if it is one place.
const WHOLE: f32 = 0.9;
/// What looks less alike is another thing.
const ALIKE: f32 = 0.5;

impl Objects {
    /// The mask of what looks like that which `mask` holds in the picture of `other`, wherever it stands. None if
    /// nothing does, or nothing more so than what lies at the very same place.
    #[must_use]
    pub fn alike(&self, other: &Self, mask: &Mask) -> Option<Mask> {
        if mask.size() != other.size {
            return None;
        }
        let likely = self.likely(other, mask)?;
        let mut leaves = vec![false; self.tree.leaves()];
        let chosen = self.most_overlapping(&likely);
        let within = chosen.into_iter().flat_map(|node| self.tree.leaves_of(node));
        within.for_each(|leaf| leaves[leaf] = true);
        let mut found = self.mask(&leaves);
        if is_one_place(mask) {
            found = self.likeliest_place(&found, &likely);
        }
        let (width, height) = self.size;
        let overlap = self.overlap(&found, &likely);
        if overlap < ALIKE || overlap <= self.overlap(&mask.resized(width, height), &likely) {
            return None;
        }
        Some(if *mask == mask.without_holes() { found.without_holes() } else { found })
    }

    /// How likely each superpixel is to be of the thing. None if a mask tells nothing: all or nothing is in it.
    fn likely(&self, other: &Self, mask: &Mask) -> Option<Vec<f32>> {
        let [inside, outside] = other.colours_of(mask)?;
        let (width, height) = self.size;
        let nearby = (NEARBY * width.max(height) as f32) as u32;
        let near = self.shares(&mask.resized(width, height).feathered(nearby));
        let anywhere = mask.coverage().min(SAME_PLACE);
        let likely = self.colours.iter().zip(near).map(|(colour, near)| {
            let before = anywhere + (SAME_PLACE - anywhere) * near;
            // A superpixel says more than one pixel would: twice as much, so that a loose mask's surroundings stay out.
            let [inside, outside] = [&inside, &outside].map(|colours| colours.of(colour).powi(2));
            let (is, is_not) = (before * inside, (1.0 - before) * outside);
            is / (is + is_not)
        });
        Some(likely.collect())
    }

    /// How common which colours are within a mask, and outside of it.
    fn colours_of(&self, mask: &Mask) -> Option<[Colours; 2]> {
        let mut counted = BTreeMap::<[i32; 3], [f32; 2]>::new();
        for (leaf, share) in self.shares(mask).into_iter().enumerate() {
            let pixels = self.tree.node(leaf).pixels as f32;
            let at = self.colours[leaf].map(|value| (value / BOX).round() as i32);
            let count = counted.entry(at).or_default();
            count[0] += share * pixels;
            count[1] += (1.0 - share) * pixels;
        }
        let of = |side: usize| {
            let total: f32 = counted.values().map(|count| count[side]).sum();
            let colours = counted.iter().map(|(at, count)| (*at, count[side] / total)).collect();
            (total >= 1.0).then_some(Colours(colours))
        };
        Some([of(0)?, of(1)?])
    }

    /// How much of each superpixel is in a mask of the picture.
    fn shares(&self, mask: &Mask) -> Vec<f32> {
        let mut shares = vec![0.0; self.tree.leaves()];
        for (i, &leaf) in self.labels.iter().enumerate() {
            let (x, y) = self.in_picture(i);
            shares[leaf] += f32::from(mask.at(x, y)) / f32::from(u8::MAX);
        }
        let share = |(leaf, sum): (usize, f32)| sum / self.tree.node(leaf).pixels.max(1) as f32;
        shares.into_iter().enumerate().map(share).collect()
    }

    /// How much a mask overlaps with what is likely: the Dice coefficient that is to be expected.
    fn overlap(&self, mask: &Mask, likely: &[f32]) -> f32 {
        let (mut both, mut one, mut other) = (0.0, 0.0, 0.0);
        for (leaf, (share, likely)) in self.shares(mask).into_iter().zip(likely).enumerate() {
            let pixels = self.tree.node(leaf).pixels as f32;
            both += share * likely * pixels;
            one += share * pixels;
            other += likely * pixels;
        }
        dice(both, one, other)
    }

    /// Of the places that a mask falls apart into, the one that most of what is likely lies in.
    fn likeliest_place(&self, mask: &Mask, likely: &[f32]) -> Mask {
        let places = places(mask.image());
        let mut sums = BTreeMap::<u32, f32>::new();
        for (x, y, place) in places.enumerate_pixels().filter(|(_, _, place)| place.0[0] > 0) {
            let leaf = self.labels[self.looked_at_index(x, y)];
            *sums.entry(place.0[0]).or_default() += likely[leaf];
        }
        let best =
            sums.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(place, _)| place);
        let (width, height) = mask.size();
        let is_it = |x, y| places.get_pixel(x, y).0[0] == best;
        Mask::from_fn(
            width,
            height,
            |x, y| if mask.at(x, y) > 0 && is_it(x, y) { u8::MAX } else { 0 },
        )
    }

    /// The objects that together overlap most with what is likely.
    fn most_overlapping(&self, likely: &[f32]) -> Vec<usize> {
        let sums = self.tree.sums(likely);
        let leaves = 0..self.tree.leaves();
        let total = leaves.map(|leaf| likely[leaf] * self.tree.node(leaf).pixels as f32).sum();
        let (mut chosen, mut overlap) = (Vec::<usize>::new(), 0.0);
        let (mut inside, mut pixels) = (0.0, 0.0);
        while chosen.len() < PIECES {
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

/// Whether nearly all of a mask hangs together.
fn is_one_place(mask: &Mask) -> bool {
    let places = places(mask.map(|value| if value < 128 { 0 } else { value }).image());
    let mut pixels = BTreeMap::<u32, usize>::new();
    for place in places.pixels().filter(|place| place.0[0] > 0) {
        *pixels.entry(place.0[0]).or_default() += 1;
    }
    let (most, all) = (pixels.values().max().copied().unwrap_or(0), pixels.values().sum::<usize>());
    most as f32 >= WHOLE * all as f32
}

/// The Dice coefficient of two regions, from the pixels in both and in each.
fn dice(both: f32, one: f32, other: f32) -> f32 {
    2.0 * both / (one + other).max(1.0)
}

/// How common colours are: the middles of boxes, in boxes, and the share of the pixels in each.
struct Colours(Vec<([i32; 3], f32)>);

impl Colours {
    /// How common colours like this one are, from `RARE` to a little above 1.
    fn of(&self, colour: &[f32; 3]) -> f32 {
        let near = |(at, share): &([i32; 3], f32)| {
            let mut middle = at.map(|value| value as f32 * BOX);
            middle[0] = colour[0] + LIGHTNESS * (middle[0] - colour[0]);
            let far = tree::distance(middle, *colour) / SPREAD;
            share * (-0.5 * far * far).exp()
        };
        RARE + self.0.iter().map(near).sum::<f32>()
    }
}
