//! Neighbouring regions merged two by two, the most alike first.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

/// How much regions of one colour differ: below that nothing stands out from anything.
const NOISE: f32 = 4.0;

/// All regions that come about on the way from superpixels to the whole picture: the superpixels first, then
/// each merge; the last one is the whole picture.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    leaves: usize,
}

/// A region.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub pixels: usize,
    /// What it cost to merge it; 0 for a superpixel. Never falls on the way up.
    cost: f32,
    /// How unlike any two were that it was merged from; 0 for a superpixel.
    contrast: f32,
    parent: Option<usize>,
    children: Option<[usize; 2]>,
}

/// The border between two regions.
#[derive(Clone, Copy, Debug, Default)]
struct Border {
    /// In pixels.
    length: f32,
    /// Differences of the superpixels' colours across it, summed over its length.
    contrast: f32,
}

/// A part of the picture while it is cut up.
struct Part {
    node: usize,
    /// What it falls apart into.
    halves: Option<[usize; 2]>,
    /// Nodes beside it that belong to it.
    splinters: Vec<usize>,
}

/// A merge that may come next, by its cost and its contrast: the cheapest is the greatest.
type Candidate = Reverse<(u32, u32, usize, usize)>;

impl Tree {
    /// Merges superpixels, given the superpixel of each pixel, row by row, and the pixels and the mean colour of each
    /// superpixel.
    pub fn grown(
        labels: &[usize],
        pixels: &[usize],
        mut means: Vec<[f32; 3]>,
        width: usize,
    ) -> Self {
        let leaves = pixels.len();
        let mut borders = borders(labels, &means, width, leaves);
        let leaf = |&pixels: &usize| Node {
            pixels,
            cost: 0.0,
            contrast: 0.0,
            parent: None,
            children: None,
        };
        let mut tree = Self { nodes: pixels.iter().map(leaf).collect(), leaves };
        let mut candidates = BinaryHeap::new();
        for (a, around) in borders.iter().enumerate() {
            for (&b, border) in around.range(a + 1..) {
                candidates.push(tree.candidate(&means, a, b, border));
            }
        }
        while let Some(Reverse((cost, contrast, a, b))) = candidates.pop() {
            if [a, b].iter().any(|&node| tree.nodes[node].parent.is_some()) {
                continue;
            }
            let merged = tree.merge(a, b, f32::from_bits(cost), f32::from_bits(contrast));
            means.push(mean(&means, &tree.nodes, [a, b]));
            let mut around = std::mem::take(&mut borders[a]);
            for (other, border) in std::mem::take(&mut borders[b]) {
                around.entry(other).or_default().add(border);
            }
            around.retain(|&other, _| other != a && other != b);
            for (&other, border) in &around {
                borders[other].remove(&a);
                borders[other].remove(&b);
                borders[other].insert(merged, *border);
                candidates.push(tree.candidate(&means, other, merged, border));
            }
            borders.push(around);
        }
        tree
    }

    pub fn node(&self, node: usize) -> &Node {
        &self.nodes[node]
    }

    /// How many superpixels there are; they are the nodes from 0.
    pub fn leaves(&self) -> usize {
        self.leaves
    }

    /// A node and all that are around it, from the inside out.
    pub fn around(&self, node: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(node), |&node| self.nodes[node].parent)
    }

    /// Whether a node is `outer` or in it.
    pub fn is_within(&self, node: usize, outer: usize) -> bool {
        self.around(node).any(|around| around == outer)
    }

    /// The superpixels in a node.
    pub fn leaves_of(&self, node: usize) -> impl Iterator<Item = usize> {
        let mut waiting = vec![node];
        std::iter::from_fn(move || {
            loop {
                let node = waiting.pop()?;
                match self.nodes[node].children {
                    Some(children) => waiting.extend(children),
                    None => return Some(node),
                }
            }
        })
    }

    /// The sum of values over the pixels of each node, given those of the superpixels' pixels.
    pub fn sums(&self, of_leaves: &[f32]) -> Vec<f32> {
        let mut sums = Vec::with_capacity(self.nodes.len());
        for (node, of) in self.nodes.iter().enumerate() {
            // Children come before what is merged from them.
            sums.push(match of.children {
                Some([a, b]) => sums[a] + sums[b],
                None => of_leaves[node] * of.pixels as f32,
            });
        }
        sums
    }

    /// How much a node stands out: how many times its contrast to what it was merged with is that within.
    pub fn persistence(&self, node: usize) -> f32 {
        let of = &self.nodes[node];
        of.parent.map_or(0.0, |parent| self.nodes[parent].contrast / of.contrast.max(NOISE))
    }

    /// Whether nothing in a node stands out from the rest of it.
    pub fn is_of_one_colour(&self, node: usize) -> bool {
        self.nodes[node].contrast <= NOISE
    }

    /// The whole picture as at most `most` parts, each some nodes: the dearest merges undone. Splinters of
    /// fewer than `smallest` pixels stay with the larger half of what they stood out from.
    pub fn cut(&self, most: usize, smallest: usize) -> Vec<Vec<usize>> {
        let is_root = |&node: &usize| self.nodes[node].parent.is_none();
        let roots = (0..self.nodes.len()).filter(is_root);
        let mut parts = roots.map(|root| self.part(root, Vec::new(), smallest)).collect::<Vec<_>>();
        while parts.len() < most {
            let cost = |part: &Part| part.halves.map(|_| self.nodes[part.node].cost);
            let dearest = (0..parts.len())
                .filter_map(|i| cost(&parts[i]).map(|cost| (cost, i)))
                .max_by(|a, b| a.0.total_cmp(&b.0));
            let Some((_, i)) = dearest else { break };
            let Part { halves: Some(mut halves), splinters, .. } = parts.swap_remove(i) else {
                break;
            };
            halves.sort_by_key(|&half| Reverse(self.nodes[half].pixels));
            parts.push(self.part(halves[0], splinters, smallest));
            parts.push(self.part(halves[1], Vec::new(), smallest));
        }
        let nodes = |part: Part| [vec![part.node], part.splinters].concat();
        parts.into_iter().map(nodes).collect()
    }

    /// Takes splinters off a node until it is one that falls apart into two halves, or not at all.
    fn part(&self, mut node: usize, mut splinters: Vec<usize>, smallest: usize) -> Part {
        while let Some([a, b]) = self.nodes[node].children {
            match [a, b].map(|child| self.nodes[child].pixels >= smallest) {
                [true, true] => return Part { node, halves: Some([a, b]), splinters },
                [true, false] => (node, _) = (a, splinters.push(b)),
                [false, true] => (node, _) = (b, splinters.push(a)),
                [false, false] => break,
            }
        }
        Part { node, halves: None, splinters }
    }

    fn merge(&mut self, a: usize, b: usize, cost: f32, contrast: f32) -> usize {
        let merged = self.nodes.len();
        let [one, other] = [self.nodes[a], self.nodes[b]];
        self.nodes.push(Node {
            pixels: one.pixels + other.pixels,
            cost: cost.max(one.cost).max(other.cost),
            contrast: contrast.max(one.contrast).max(other.contrast),
            parent: None,
            children: Some([a, b]),
        });
        self.nodes[a].parent = Some(merged);
        self.nodes[b].parent = Some(merged);
        merged
    }

    /// What it costs to merge two neighbours: how much their colours differ, on the whole and along the
    /// border that they share, more for larger ones (as Ward's method has it).
    fn candidate(&self, means: &[[f32; 3]], a: usize, b: usize, border: &Border) -> Candidate {
        let [m, n] = [a, b].map(|node| self.nodes[node].pixels as f32);
        let contrast = distance(means[a], means[b]) + border.contrast / border.length.max(1.0);
        let cost = (m * n / (m + n)).sqrt() * contrast;
        // The bits of floats that are not negative are ordered as they are.
        Reverse((cost.to_bits(), contrast.to_bits(), a, b))
    }
}

impl Border {
    fn add(&mut self, other: Self) {
        self.length += other.length;
        self.contrast += other.contrast;
    }
}

/// Pixels and mean colour of each superpixel.
pub(super) fn means(labels: &[usize], colours: &[[f32; 3]]) -> (Vec<usize>, Vec<[f32; 3]>) {
    let leaves = labels.iter().max().map_or(0, |most| most + 1);
    let (mut pixels, mut sums) = (vec![0; leaves], vec![[0_f32; 3]; leaves]);
    for (&label, colour) in labels.iter().zip(colours) {
        pixels[label] += 1;
        sums[label].iter_mut().zip(colour).for_each(|(sum, value)| *sum += value);
    }
    let mean = |(sum, &count): ([f32; 3], &usize)| sum.map(|value| value / count.max(1) as f32);
    let means = sums.into_iter().zip(&pixels).map(mean).collect();
    (pixels, means)
}

fn borders(
    labels: &[usize],
    means: &[[f32; 3]],
    width: usize,
    leaves: usize,
) -> Vec<BTreeMap<usize, Border>> {
    let mut borders = vec![BTreeMap::<usize, Border>::new(); leaves];
    let mut touch = |a: usize, b: usize| {
        if a != b {
            let contrast = distance(means[a], means[b]);
            let border = Border { length: 1.0, contrast };
            borders[a].entry(b).or_default().add(border);
            borders[b].entry(a).or_default().add(border);
        }
    };
    for (i, &label) in labels.iter().enumerate() {
        if (i + 1) % width != 0 {
            touch(label, labels[i + 1]);
        }
        if let Some(&below) = labels.get(i + width) {
            touch(label, below);
        }
    }
    borders
}

fn mean(means: &[[f32; 3]], nodes: &[Node], [a, b]: [usize; 2]) -> [f32; 3] {
    let [m, n] = [a, b].map(|node| nodes[node].pixels as f32);
    std::array::from_fn(|i| (m * means[a][i] + n * means[b][i]) / (m + n))
}

pub(super) fn distance(a: [f32; 3], b: [f32; 3]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
}
