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

/// Places of a tree, a power of two: a masked number needs no bounds check.
pub(super) const TREE_NODES: usize = 1024;
/// Places of a tree of a forest whose trees are all small: boosted trees are many, and memory is not.
pub(super) const SMALL_TREE_NODES: usize = 64;
/// The bin that marks a leaf; no feature has so many.
pub(super) const LEAF_BIN: u8 = 255;

/// A node in four bytes. Inner: go to `left` if the row's bin of `feature` is at most `bin`, else to `left + 1`.
/// Leaf: `bin` is [`LEAF_BIN`], which every bin is at most, and `left` is the node itself; `feature` holds the
/// value. So a walk may take more steps than the tree is deep and stays in its leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node(u32);

impl Node {
    pub(super) const fn new(feature: u8, bin: u8, left: u16) -> Self {
        Self(feature as u32 | (bin as u32) << 8 | (left as u32) << 16)
    }

    pub(super) const fn feature(self) -> u8 {
        self.0 as u8
    }

    const fn bin(self) -> u8 {
        (self.0 >> 8) as u8
    }

    const fn left(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// Where a row goes from here. `left` of a checked node is below [`TREE_NODES`].
    #[inline(always)]
    fn next(self, bins: &[u8; 256]) -> u16 {
        self.left() + u16::from(bins[usize::from(self.feature())] > self.bin())
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
    /// Trees that vote for a class each: leaves are numbers below `classes`. There is no score.
    Votes { classes: u8 },
}

/// Classes of trees that vote for one, at most.
pub const MAX_CLASSES: usize = 16;

/// How many trees vote for each class.
pub type Votes = [u16; MAX_CLASSES];

impl Link {
    fn score(&self, sum: u32, trees: u32) -> Score {
        match self {
            // Leaves are in 1/255, scores in 1/65535 = 1/(255 · 257).
            Self::Mean => Score(u16::try_from((sum * 257 + trees / 2) / trees.max(1)).unwrap_or(u16::MAX)),
            Self::Table { first, shift, table } => {
                let place = (sum.saturating_sub(*first) >> shift) as usize;
                Score(table.get(place).or(table.last()).copied().unwrap_or_default())
            }
            Self::Votes { .. } => Score::default(),
        }
    }
}

/// Trees as flat arrays, voting (Geurts, Ernst, Wehenkel 2006) or boosted (Friedman 2001); made by
/// [`super::Artifact`], which checks them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forest {
    /// Cut points of each feature, ascending: `cuts[starts[f]..starts[f + 1]]`.
    pub(super) cuts: Vec<i32>,
    pub(super) starts: Vec<u32>,
    pub(super) trees: Trees,
    pub(super) link: Link,
    pub(super) n_nodes: usize,
    pub(super) max_depth: u16,
}

impl Forest {
    /// Number of features a row must have.
    pub fn n_features(&self) -> usize {
        self.starts.len() - 1
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

    /// What the leaves that `row` falls into say together; 0 where they are classes ([`Self::votes`]). A row shorter
    /// than the forest's features reads as zeros.
    #[cfg_attr(router, optimize(speed))]
    pub fn predict(&self, row: &[i32]) -> Score {
        let bins = self.quantise(row);
        let sum = match &self.trees {
            Trees::Small(trees) => walk_all(trees, &bins, self.max_depth),
            Trees::Large(trees) => walk_all(trees, &bins, self.max_depth),
        };
        self.link.score(sum, self.n_trees() as u32)
    }

    /// How many classes there are to vote for; 0 of a forest that scores.
    pub fn n_classes(&self) -> usize {
        match self.link {
            Link::Votes { classes } => classes.into(),
            Link::Mean | Link::Table { .. } => 0,
        }
    }

    /// The class that each tree votes for, counted; nobody votes in a forest that scores.
    pub fn votes(&self, row: &[i32]) -> Votes {
        let mut votes = [0; MAX_CLASSES];
        if let Link::Votes { .. } = self.link {
            let bins = self.quantise(row);
            match &self.trees {
                Trees::Small(trees) => count_votes(trees, &bins, self.max_depth, &mut votes),
                Trees::Large(trees) => count_votes(trees, &bins, self.max_depth, &mut votes),
            }
        }
        votes
    }

    /// The bin of each feature: how many cut points the value exceeds. 256 wide, so that a leaf's value can be
    /// used as an index without a check.
    #[cfg_attr(router, optimize(speed))]
    fn quantise(&self, row: &[i32]) -> [u8; 256] {
        let mut bins = [0; 256];
        for (feature, value) in row.iter().enumerate().take(self.n_features()) {
            let cuts = &self.cuts[self.starts[feature] as usize..self.starts[feature + 1] as usize];
            bins[feature] = cuts.partition_point(|cut| cut < value) as u8;
        }
        bins
    }
}

/// The sum of the leaves that a row falls into: eight trees side by side, so that the processor has eight loads under
/// way. Written out: a loop over eight places keeps them in memory where the compiler looks for size.
#[cfg_attr(router, optimize(speed))]
fn walk_all<const PLACES: usize>(trees: &[Tree<PLACES>], bins: &[u8; 256], steps: u16) -> u32 {
    let (eights, rest) = trees.as_chunks::<8>();
    let value = |tree, at| u32::from(node(tree, at).feature());
    let mut sum = 0;
    for [t0, t1, t2, t3, t4, t5, t6, t7] in eights {
        let (mut a, mut b, mut c, mut d) = (0, 0, 0, 0);
        let (mut e, mut f, mut g, mut h) = (0, 0, 0, 0);
        for _ in 0..steps {
            a = node(t0, a).next(bins);
            b = node(t1, b).next(bins);
            c = node(t2, c).next(bins);
            d = node(t3, d).next(bins);
            e = node(t4, e).next(bins);
            f = node(t5, f).next(bins);
            g = node(t6, g).next(bins);
            h = node(t7, h).next(bins);
        }
        sum += value(t0, a) + value(t1, b) + value(t2, c) + value(t3, d);
        sum += value(t4, e) + value(t5, f) + value(t6, g) + value(t7, h);
    }
    for tree in rest {
        sum += u32::from(leaf(tree, bins, steps));
    }
    sum
}

fn count_votes<const PLACES: usize>(trees: &[Tree<PLACES>], bins: &[u8; 256], steps: u16, votes: &mut Votes) {
    for tree in trees {
        // A checked leaf is below the number of classes.
        votes[usize::from(leaf(tree, bins, steps)) % MAX_CLASSES] += 1;
    }
}

/// The value of the leaf that a row falls into.
#[inline(always)]
fn leaf<const PLACES: usize>(tree: &Tree<PLACES>, bins: &[u8; 256], steps: u16) -> u8 {
    let at = (0..steps).fold(0, |at, _| node(tree, at).next(bins));
    node(tree, at).feature()
}

#[inline(always)]
fn node<const PLACES: usize>(tree: &Tree<PLACES>, at: u16) -> Node {
    tree[usize::from(at) % PLACES]
}
