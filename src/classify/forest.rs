//! The walk: a row is quantised once, then every tree is a fixed number of branch-free steps.

use std::fmt;

/// A probability of video in 1/65535.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score(pub u16);

impl Score {
    /// As a number between 0 and 1, for reports.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 65_535.0
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.as_f64())
    }
}

/// Trees walked in lock step: enough to hide the latency of the loads, few enough to stay in registers.
const LANES: usize = 8;

/// A node in four bytes. Inner: go to `left` if the row's bin of `feature` is at most `bin`, else to `left + 1`.
/// Leaf: `bin` is 255, which every bin is at most, and `left` is the node itself; `feature` holds the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) feature: u8,
    pub(super) bin: u8,
    pub(super) left: u16,
}

/// Extra Trees (Geurts, Ernst, Wehenkel 2006) as flat arrays; made by [`super::Artifact`], which checks them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forest {
    /// Cut points of each feature, ascending: `cuts[starts[f]..starts[f + 1]]`.
    pub(super) cuts: Vec<i32>,
    pub(super) starts: Vec<u32>,
    /// First node of each tree.
    pub(super) roots: Vec<u32>,
    pub(super) nodes: Vec<Node>,
    pub(super) max_depth: u16,
}

impl Forest {
    /// Number of features a row must have.
    pub fn n_features(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of trees.
    pub fn n_trees(&self) -> usize {
        self.roots.len()
    }

    /// Number of nodes.
    pub fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The mean of the leaves that `row` falls into. A row shorter than the forest's features reads as zeros.
    pub fn predict(&self, row: &[i32]) -> Score {
        let bins = self.quantise(row);
        let sum: u32 = self.roots.chunks(LANES).map(|roots| self.walk(roots, &bins)).sum();
        // Leaves are in 1/255, scores in 1/65535 = 1/(255 · 257).
        let trees = self.roots.len().max(1) as u32;
        Score(u16::try_from((sum * 257 + trees / 2) / trees).unwrap_or(u16::MAX))
    }

    /// The bin of each feature: how many cut points the value exceeds. 256 wide, so that a leaf's value can be
    /// used as an index without a check.
    fn quantise(&self, row: &[i32]) -> [u8; 256] {
        let mut bins = [0; 256];
        for (feature, value) in row.iter().enumerate().take(self.n_features()) {
            let cuts = &self.cuts[self.starts[feature] as usize..self.starts[feature + 1] as usize];
            bins[feature] = cuts.partition_point(|cut| cut < value) as u8;
        }
        bins
    }

    fn walk(&self, roots: &[u32], bins: &[u8; 256]) -> u32 {
        let mut at = [0u32; LANES];
        for (lane, root) in at.iter_mut().zip(roots) {
            *lane = *root;
        }
        let mut bases = at;
        for base in &mut bases[roots.len()..] {
            *base = roots[0];
        }
        at = bases;
        for _ in 0..self.max_depth {
            for lane in 0..LANES {
                let node = self.nodes[at[lane] as usize];
                let right = u32::from(bins[usize::from(node.feature)] > node.bin);
                at[lane] = bases[lane] + u32::from(node.left) + right;
            }
        }
        at[..roots.len()].iter().map(|&place| u32::from(self.nodes[place as usize].feature)).sum()
    }
}
