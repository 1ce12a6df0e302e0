//! A binary tree of regions: neighbouring regions are merged in pairs, the most similar first.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

/// The contrast, in L*a*b*, up to which regions count as one colour.
const NOISE: f32 = 4.0;

/// All regions from superpixels to the whole picture: the superpixels first, then each merge in order. The last
/// node is the whole picture.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    leaves: usize,
}

/// A region.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub pixels: usize,
    /// The highest cost of any merge inside this node; 0 for a superpixel.
    cost: f32,
    /// The highest contrast of any merge inside this node; 0 for a superpixel.
    contrast: f32,
    parent: Option<usize>,
    children: Option<[usize; 2]>,
}

/// The border between two regions.
#[derive(Clone, Copy, Debug, Default)]
struct Border {
    /// Length in pixels.
    length: f32,
    /// The colour differences of the superpixels on both sides, summed along the border.
    contrast: f32,
}

/// A part of the picture while [`Tree::cut`] runs.
struct Part {
    node: usize,
    /// The two nodes that the part can be split into.
    halves: Option<[usize; 2]>,
    /// Small neighbouring nodes that belong to the part.
    fragments: Vec<usize>,
}

/// A possible merge: cost, contrast (as float bits) and the two nodes. `Reverse` makes the heap pop the cheapest.
type Candidate = Reverse<(u32, u32, usize, usize)>;

impl Tree {
    /// Merges superpixels until one region is left.
    ///
    /// `labels` is the superpixel of each pixel in row-major order. `pixels` and `means` are the size and the mean
    /// colour of each superpixel.
    pub fn merge_all(
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

    /// The number of superpixels. They are the first nodes.
    pub fn leaves(&self) -> usize {
        self.leaves
    }

    /// A node and all nodes that contain it, from the inside out.
    pub fn ancestors(&self, node: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(node), |&node| self.nodes[node].parent)
    }

    /// Whether a node is `outer` or lies inside it.
    pub fn is_within(&self, node: usize, outer: usize) -> bool {
        self.ancestors(node).any(|ancestor| ancestor == outer)
    }

    /// The superpixels inside a node.
    pub fn leaves_of(&self, node: usize) -> impl Iterator<Item = usize> {
        let mut stack = vec![node];
        std::iter::from_fn(move || {
            loop {
                let node = stack.pop()?;
                match self.nodes[node].children {
                    Some(children) => stack.extend(children),
                    None => return Some(node),
                }
            }
        })
    }

    /// Sums a value over the pixels of each node, given the value per pixel of each superpixel.
    pub fn sums(&self, leaf_values: &[f32]) -> Vec<f32> {
        let mut sums = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            // Children come before their parent.
            sums.push(match node.children {
                Some([a, b]) => sums[a] + sums[b],
                None => leaf_values[index] * node.pixels as f32,
            });
        }
        sums
    }

    /// The prominence of a node: the ratio of its contrast to its sibling and the contrast inside it.
    pub fn persistence(&self, node: usize) -> f32 {
        let node = &self.nodes[node];
        node.parent.map_or(0.0, |parent| self.nodes[parent].contrast / node.contrast.max(NOISE))
    }

    /// Whether a node has a single colour, up to [`NOISE`].
    pub fn is_of_one_colour(&self, node: usize) -> bool {
        self.nodes[node].contrast <= NOISE
    }

    /// Divides the picture into at most `max` parts by undoing the most expensive merges. Each part is a list of
    /// nodes. A fragment of fewer than `smallest` pixels stays with its larger sibling.
    pub fn cut(&self, max: usize, smallest: usize) -> Vec<Vec<usize>> {
        let is_root = |&node: &usize| self.nodes[node].parent.is_none();
        let roots = (0..self.nodes.len()).filter(is_root);
        let mut parts = roots.map(|root| self.part(root, Vec::new(), smallest)).collect::<Vec<_>>();
        while parts.len() < max {
            let cost = |part: &Part| part.halves.map(|_| self.nodes[part.node].cost);
            let most_expensive = (0..parts.len())
                .filter_map(|i| cost(&parts[i]).map(|cost| (cost, i)))
                .max_by(|a, b| a.0.total_cmp(&b.0));
            let Some((_, i)) = most_expensive else { break };
            let Part { halves: Some(mut halves), fragments, .. } = parts.swap_remove(i) else {
                break;
            };
            halves.sort_by_key(|&half| Reverse(self.nodes[half].pixels));
            parts.push(self.part(halves[0], fragments, smallest));
            parts.push(self.part(halves[1], Vec::new(), smallest));
        }
        let nodes = |part: Part| [vec![part.node], part.fragments].concat();
        parts.into_iter().map(nodes).collect()
    }

    /// Strips fragments off a node until the rest splits into two large halves or cannot be split.
    fn part(&self, mut node: usize, mut fragments: Vec<usize>, smallest: usize) -> Part {
        while let Some([a, b]) = self.nodes[node].children {
            match [a, b].map(|child| self.nodes[child].pixels >= smallest) {
                [true, true] => return Part { node, halves: Some([a, b]), fragments },
                [true, false] => (node, _) = (a, fragments.push(b)),
                [false, true] => (node, _) = (b, fragments.push(a)),
                [false, false] => break,
            }
        }
        Part { node, halves: None, fragments }
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

    /// The merge of two neighbours. Its contrast is the difference of their mean colours plus the mean difference
    /// along their border. Its cost weights the contrast by size, as in Ward's method.
    fn candidate(&self, means: &[[f32; 3]], a: usize, b: usize, border: &Border) -> Candidate {
        let [m, n] = [a, b].map(|node| self.nodes[node].pixels as f32);
        let contrast = distance(means[a], means[b]) + border.contrast / border.length.max(1.0);
        let cost = (m * n / (m + n)).sqrt() * contrast;
        // The bits of non-negative floats have the same order as the floats.
        Reverse((cost.to_bits(), contrast.to_bits(), a, b))
    }
}

impl Border {
    fn add(&mut self, other: Self) {
        self.length += other.length;
        self.contrast += other.contrast;
    }
}

/// The number of pixels and the mean colour of each superpixel.
pub(super) fn means(labels: &[usize], colours: &[[f32; 3]]) -> (Vec<usize>, Vec<[f32; 3]>) {
    let leaves = labels.iter().max().map_or(0, |max| max + 1);
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
