//! The walk: a row is held against all cut points once, then every tree is a fixed number of branch-free steps.

use std::fmt;

use super::cuts::{Answers, Cuts};

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

/// Places of a tree, a power of two: a masked number needs no bounds check.
pub(super) const TREE_NODES: usize = 1024;
/// Places of a tree of a forest whose trees are all small: boosted trees are many, and memory is not.
pub(super) const SMALL_TREE_NODES: usize = 64;

/// A node in four bytes. Inner: go to `left` if the answer at `place` is no, else to `left + 1`. Leaf: `place` is
/// its value, below [`super::cuts::LEAF_PLACES`], where the answer is always no, and `left` is the node itself. So a walk may
/// take more steps than the tree is deep and stays in its leaf.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Node(u32);

impl Node {
    pub(super) const fn inner(place: u16, left: u16) -> Self {
        Self(place as u32 | (left as u32) << 16)
    }

    pub(super) const fn leaf(value: u8, itself: u16) -> Self {
        Self::inner(value as u16, itself)
    }

    const fn value(self) -> u32 {
        self.0 & 0xff
    }

    /// Where a row goes from here. `left` of a checked node is below [`TREE_NODES`].
    #[inline(always)]
    fn next(self, answers: &Answers) -> u32 {
        (self.0 >> 16) + answers.at(self.0 as u16)
    }
}

/// One tree; nodes after its own are leaves of value 0 that nothing points to.
pub(super) type Tree<const PLACES: usize> = [Node; PLACES];

/// All trees, in places of one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trees {
    /// Every tree has at most [`SMALL_TREE_NODES`] nodes.
    Small(Vec<Tree<SMALL_TREE_NODES>>),
    /// Every tree has at most [`TREE_NODES`] nodes.
    Large(Vec<Tree<TREE_NODES>>),
}

/// How the sum of the leaves becomes a score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Trees that vote: leaves are probabilities in 1/255, the score is their mean.
    Mean,
    /// Trees that add up: `table[(sum - first) >> shift]`, its ends beyond it. The table ascends.
    Table { first: u32, shift: u32, table: Vec<u16> },
}

impl Link {
    fn score(&self, sum: u32, trees: u32) -> Score {
        match self {
            // Leaves are in 1/255, scores in 1/65535 = 1/(255 · 257).
            Self::Mean => Score(u16::try_from((sum * 257 + trees / 2) / trees.max(1)).unwrap_or(u16::MAX)),
            Self::Table { first, shift, table } => {
                let place = (sum.saturating_sub(*first) >> shift) as usize;
                Score(table.get(place).or(table.last()).copied().unwrap_or_default())
            }
        }
    }
}

/// Trees as flat arrays, voting (Geurts, Ernst, Wehenkel 2006) or boosted (Friedman 2001); made by
/// [`super::Artifact`], which checks them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forest {
    pub(super) cuts: Cuts,
    pub(super) trees: Trees,
    pub(super) link: Link,
    pub(super) n_nodes: usize,
    pub(super) max_depth: u16,
}

impl Forest {
    /// Number of features a row must have.
    pub fn n_features(&self) -> usize {
        self.cuts.n_features()
    }

    /// Number of trees.
    pub fn n_trees(&self) -> usize {
        match &self.trees {
            Trees::Small(trees) => trees.len(),
            Trees::Large(trees) => trees.len(),
        }
    }

    /// Number of nodes.
    pub fn n_nodes(&self) -> usize {
        self.n_nodes
    }

    /// What the leaves that `row` falls into say together. A row shorter than the forest's features reads as zeros.
    pub fn predict(&self, row: &[i32]) -> Score {
        let mut answers = Answers::default();
        self.cuts.hold(row, &mut answers);
        let sum = match &self.trees {
            Trees::Small(trees) => walk_all(trees, &answers, self.max_depth),
            Trees::Large(trees) => walk_all(trees, &answers, self.max_depth),
        };
        self.link.score(sum, self.n_trees() as u32)
    }
}

/// Trees walked side by side: a step waits for two loads, and the processor has room for this many of them.
const SIDE_BY_SIDE: usize = 8;

/// The sum of the leaves that a row falls into.
fn walk_all<const PLACES: usize>(trees: &[Tree<PLACES>], answers: &Answers, steps: u16) -> u32 {
    let (groups, rest) = trees.as_chunks::<SIDE_BY_SIDE>();
    let grouped: u32 = groups.iter().map(|group| walk(group, answers, steps)).sum();
    rest.iter().fold(grouped, |sum, tree| sum + walk(std::array::from_ref(tree), answers, steps))
}

/// The sum of a few trees' leaves, the places in all of them held in registers.
#[inline(always)]
fn walk<const PLACES: usize, const N: usize>(
    trees: &[Tree<PLACES>; N],
    answers: &Answers,
    steps: u16,
) -> u32 {
    let mut places = [0u32; N];
    for _ in 0..steps {
        for (tree, place) in trees.iter().zip(&mut places) {
            *place = node(tree, *place).next(answers);
        }
    }
    trees.iter().zip(places).map(|(tree, place)| node(tree, place).value()).sum()
}

#[inline(always)]
fn node<const PLACES: usize>(tree: &Tree<PLACES>, at: u32) -> Node {
    tree[at as usize % PLACES]
}
