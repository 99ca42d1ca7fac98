//! The trained artefact: one file with a forest, the constants of the session layer and a training summary.
//!
//! Little endian, whatever the router. The layout stands in docs/features.md. Every field is checked before use:
//! an artefact that is cut, corrupt, made for another schema or that would walk outside its arrays is refused
//! with the reason, and the one in force stays in force.

use std::fmt;

use super::fnv1a;
use super::forest::{Forest, LEAF_BIN, Link, MAX_CLASSES, Node, SMALL_TREE_NODES, TREE_NODES, Tree, Trees};

const MAGIC: &[u8; 4] = b"SGFR";
/// Trees that vote; trees that add up, with a table from sums to scores; and trees that vote for a class each.
const VERSION_MEAN: u16 = 1;
const VERSION_LINK: u16 = 2;
const VERSION_VOTES: u16 = 3;
/// Larger files are refused unread: four times the budget of the shipped artefact.
pub const MAX_ARTIFACT_BYTES: usize = 512 * 1024;
/// Bins of a feature; 255 marks a leaf.
const MAX_CUTS: usize = 254;
/// 4 KiB of memory each.
const MAX_TREES: usize = 512;
const MAX_DEPTH: u16 = 64;
const MAX_LINK: usize = 4096;
/// Sums have 17 bits at most.
const MAX_LINK_SHIFT: u16 = 16;

/// A checked artefact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The classifier.
    pub forest: Forest,
    /// Constants of the session layer as JSON, for `watch`; of a forest that votes for classes, their names.
    pub session_json: String,
    /// What it was trained on, as JSON, for `model` and the model card.
    pub summary_json: String,
    /// The checksum, which names this artefact in reports.
    pub fingerprint: u64,
}

/// Why an artefact is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArtifactError {
    /// Not an artefact of ours.
    Magic,
    /// Of a version that this program does not know.
    Version(u16),
    /// Shorter or longer than its own header says.
    Size { expected: usize, found: usize },
    /// Its checksum is wrong.
    Checksum,
    /// Trained on other features.
    Schema { expected: u64, found: u64 },
    /// A field is out of range.
    Field(&'static str),
    /// A node points outside its tree, or at a cut that does not exist.
    Node { tree: usize, node: usize },
    /// JSON text that is not UTF-8.
    Text,
}

impl fmt::Display for ArtifactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("not a streamguard forest"),
            Self::Version(found) => {
                write!(f, "forest format {found}, this program reads {VERSION_MEAN} to {VERSION_VOTES}")
            }
            Self::Size { expected, found } => write!(f, "{found} bytes where the header says {expected}"),
            Self::Checksum => f.write_str("checksum does not match: damaged or cut"),
            Self::Schema { expected, found } => {
                write!(f, "trained on feature schema {found:016x}, this program has {expected:016x}")
            }
            Self::Field(name) => write!(f, "field {name} is out of range"),
            Self::Node { tree, node } => write!(f, "node {node} of tree {tree} is invalid"),
            Self::Text => f.write_str("embedded text is not UTF-8"),
        }
    }
}

impl std::error::Error for ArtifactError {}

/// Reads fields off the front of a slice.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, len: usize) -> Result<&'a [u8], ArtifactError> {
        let (head, rest) =
            self.0.split_at_checked(len).ok_or(ArtifactError::Size { expected: len, found: self.0.len() })?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ArtifactError> {
        let bytes = self.bytes(N)?;
        bytes.try_into().map_err(|_| ArtifactError::Size { expected: N, found: bytes.len() })
    }

    fn u16(&mut self) -> Result<u16, ArtifactError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, ArtifactError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn len(&mut self, name: &'static str, max: usize) -> Result<usize, ArtifactError> {
        let value = self.u32()? as usize;
        if value > max { Err(ArtifactError::Field(name)) } else { Ok(value) }
    }

    fn text(&mut self, len: usize) -> Result<String, ArtifactError> {
        String::from_utf8(self.bytes(len)?.to_vec()).map_err(|_| ArtifactError::Text)
    }
}

impl Artifact {
    /// Checks and unpacks an artefact made for the feature schema with hash `schema_hash`.
    ///
    /// # Errors
    /// Whatever makes it unusable; nothing of it is used then.
    pub fn from_bytes(bytes: &[u8], schema_hash: u64) -> Result<Self, ArtifactError> {
        if bytes.len() > MAX_ARTIFACT_BYTES {
            return Err(ArtifactError::Size { expected: MAX_ARTIFACT_BYTES, found: bytes.len() });
        }
        let (body, checksum) = bytes.split_last_chunk::<8>().ok_or(ArtifactError::Magic)?;
        let mut from = Reader(body);
        if from.bytes(4).map_err(|_| ArtifactError::Magic)? != MAGIC {
            return Err(ArtifactError::Magic);
        }
        let version = from.u16()?;
        if !(VERSION_MEAN..=VERSION_VOTES).contains(&version) {
            return Err(ArtifactError::Version(version));
        }
        let fingerprint = fnv1a(body);
        if fingerprint != u64::from_le_bytes(*checksum) {
            return Err(ArtifactError::Checksum);
        }
        let n_features = usize::from(from.u16()?);
        let found = u64::from_le_bytes(from.array()?);
        if found != schema_hash {
            return Err(ArtifactError::Schema { expected: schema_hash, found });
        }
        let n_trees = usize::from(from.u16()?);
        let max_depth = from.u16()?;
        let n_nodes = from.len("n_nodes", MAX_ARTIFACT_BYTES / 4)?;
        let n_cuts = from.len("n_cuts", 255 * MAX_CUTS)?;
        let session_len = from.len("session_len", MAX_ARTIFACT_BYTES)?;
        let summary_len = from.len("summary_len", MAX_ARTIFACT_BYTES)?;
        for (name, valid) in [
            ("n_features", (1..=255).contains(&n_features)),
            ("n_trees", (1..=MAX_TREES).contains(&n_trees)),
            ("max_depth", max_depth <= MAX_DEPTH),
            ("n_nodes", n_nodes >= n_trees),
        ] {
            if !valid {
                return Err(ArtifactError::Field(name));
            }
        }
        let (cuts, starts) = read_cuts(&mut from, n_features)?;
        if cuts.len() != n_cuts {
            return Err(ArtifactError::Field("n_cuts"));
        }
        let link = match version {
            VERSION_LINK => read_link(&mut from)?,
            VERSION_VOTES => read_classes(&mut from)?,
            _ => Link::Mean,
        };
        let last_leaf = if let Link::Votes { classes } = link { classes - 1 } else { u8::MAX };
        let trees = read_trees(&mut from, Shape { n_trees, n_nodes, max_depth, last_leaf }, &starts)?;
        let forest = Forest { cuts, starts, trees, link, n_nodes, max_depth };
        let session_json = from.text(session_len)?;
        let summary_json = from.text(summary_len)?;
        if !from.0.is_empty() {
            return Err(ArtifactError::Size { expected: bytes.len() - from.0.len(), found: bytes.len() });
        }
        Ok(Self { forest, session_json, summary_json, fingerprint })
    }
}

#[derive(Clone, Copy)]
struct Shape {
    n_trees: usize,
    n_nodes: usize,
    max_depth: u16,
    /// The greatest value of a leaf.
    last_leaf: u8,
}

/// Cut points of all features and where each feature's begin.
fn read_cuts(from: &mut Reader<'_>, n_features: usize) -> Result<(Vec<i32>, Vec<u32>), ArtifactError> {
    let mut cuts: Vec<i32> = Vec::new();
    let mut starts = vec![0];
    for _ in 0..n_features {
        let count = usize::from(from.u16()?);
        if count > MAX_CUTS {
            return Err(ArtifactError::Field("n_cuts_f"));
        }
        let first = cuts.len();
        for _ in 0..count {
            let cut = i32::from_le_bytes(from.array()?);
            if cuts[first..].last().is_some_and(|before| *before >= cut) {
                return Err(ArtifactError::Field("cuts"));
            }
            cuts.push(cut);
        }
        starts.push(cuts.len() as u32);
    }
    Ok((cuts, starts))
}

/// The table from sums to scores, which may not fall.
fn read_link(from: &mut Reader<'_>) -> Result<Link, ArtifactError> {
    let first = from.u32()?;
    let shift = from.u16()?;
    let count = usize::from(from.u16()?);
    if shift > MAX_LINK_SHIFT || !(1..=MAX_LINK).contains(&count) {
        return Err(ArtifactError::Field("link"));
    }
    let mut table = Vec::with_capacity(count);
    for _ in 0..count {
        let score = from.u16()?;
        if table.last().is_some_and(|before| *before > score) {
            return Err(ArtifactError::Field("link"));
        }
        table.push(score);
    }
    Ok(Link::Table { first, shift: u32::from(shift), table })
}

/// How many classes there are.
fn read_classes(from: &mut Reader<'_>) -> Result<Link, ArtifactError> {
    let classes =
        u8::try_from(from.u16()?).ok().filter(|&classes| (2..=MAX_CLASSES).contains(&classes.into()));
    Ok(Link::Votes { classes: classes.ok_or(ArtifactError::Field("n_classes"))? })
}

fn read_trees(from: &mut Reader<'_>, shape: Shape, starts: &[u32]) -> Result<Trees, ArtifactError> {
    let mut roots = Vec::with_capacity(shape.n_trees);
    for _ in 0..shape.n_trees {
        roots.push(from.u32()?);
    }
    let mut lens = Vec::with_capacity(shape.n_trees);
    let ends = roots.iter().skip(1).copied().chain([shape.n_nodes as u32]);
    for (number, (root, end)) in roots.iter().zip(ends).enumerate() {
        let len = end.checked_sub(*root).filter(|len| (1..=TREE_NODES as u32).contains(len));
        lens.push(len.filter(|_| number > 0 || *root == 0).ok_or(ArtifactError::Field("roots"))? as usize);
    }
    let each = lens.iter().copied().enumerate();
    if lens.iter().all(|len| *len <= SMALL_TREE_NODES) {
        each.map(|tree| read_tree(from, tree, starts, shape)).collect::<Result<_, _>>().map(Trees::Small)
    } else {
        each.map(|tree| read_tree(from, tree, starts, shape)).collect::<Result<_, _>>().map(Trees::Large)
    }
}

/// Reads `len` nodes. After this no walk leaves the tree, and every walk of `max_depth` steps ends in a leaf.
fn read_tree<const PLACES: usize>(
    from: &mut Reader<'_>,
    (number, len): (usize, usize),
    starts: &[u32],
    shape: Shape,
) -> Result<Tree<PLACES>, ArtifactError> {
    let mut tree = [Node::new(0, LEAF_BIN, 0); PLACES];
    // Children come after their parent, so one pass from the front knows every depth.
    let mut depths = [0u16; TREE_NODES + 1];
    for i in 0..len {
        let bad = ArtifactError::Node { tree: number, node: i };
        let [feature, bin, low, high] = from.array()?;
        let left = usize::from(u16::from_le_bytes([low, high]));
        if bin == LEAF_BIN {
            if left != i || depths[i] > shape.max_depth || feature > shape.last_leaf {
                return Err(bad);
            }
        } else {
            let at = usize::from(feature);
            let cuts = starts.get(at).zip(starts.get(at + 1)).map_or(0, |(first, past)| past - first);
            if left <= i || left + 1 >= len || u32::from(bin) >= cuts {
                return Err(bad);
            }
            depths[left] = depths[i] + 1;
            depths[left + 1] = depths[i] + 1;
        }
        tree[i] = Node::new(feature, bin, left as u16);
    }
    Ok(tree)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One feature, cuts at 10 and 20, one tree: x <= 10 -> 0, x <= 20 -> 128, else 255.
    pub(crate) fn small() -> Vec<u8> {
        with_link(VERSION_MEAN, &[])
    }

    /// The same tree; sums from 100 on, four at a time, to 7, 8, ... 49 hundred.
    fn linked() -> Vec<u8> {
        let mut link = Vec::new();
        link.extend(100u32.to_le_bytes());
        link.extend(2u16.to_le_bytes());
        link.extend(43u16.to_le_bytes());
        link.extend((7..50u16).flat_map(|score| (100 * score).to_le_bytes()));
        with_link(VERSION_LINK, &link)
    }

    /// The same cuts; x <= 10 -> class 0, x <= 20 -> class 2, else class 1.
    fn voting() -> Vec<u8> {
        with_leaves(VERSION_VOTES, &3u16.to_le_bytes(), [0, 2, 1])
    }

    fn with_link(version: u16, link: &[u8]) -> Vec<u8> {
        with_leaves(version, link, [0, 128, 255])
    }

    fn with_leaves(version: u16, link: &[u8], [low, middle, high]: [u8; 3]) -> Vec<u8> {
        let mut b = Vec::new();
        b.extend(MAGIC);
        b.extend(version.to_le_bytes());
        b.extend(1u16.to_le_bytes());
        b.extend(7u64.to_le_bytes());
        b.extend(1u16.to_le_bytes());
        b.extend(2u16.to_le_bytes());
        for n in [5u32, 2, 2, 2] {
            b.extend(n.to_le_bytes());
        }
        b.extend(2u16.to_le_bytes());
        b.extend(10i32.to_le_bytes());
        b.extend(20i32.to_le_bytes());
        b.extend(link);
        b.extend(0u32.to_le_bytes());
        for node in [[0, 0, 1, 0], [low, 255, 1, 0], [0, 1, 3, 0], [middle, 255, 3, 0], [high, 255, 4, 0]] {
            b.extend::<[u8; 4]>(node);
        }
        b.extend(b"{}{}");
        sealed(b)
    }

    /// Trees that all vote for one class: a single leaf.
    pub(crate) fn unanimous(schema: u64, (features, classes): (usize, usize), class: u8) -> Vec<u8> {
        let mut b = Vec::new();
        b.extend(MAGIC);
        b.extend(VERSION_VOTES.to_le_bytes());
        b.extend((features as u16).to_le_bytes());
        b.extend(schema.to_le_bytes());
        b.extend([1u16, 0].map(u16::to_le_bytes).concat());
        b.extend([1u32, 0, 2, 2].map(u32::to_le_bytes).concat());
        b.extend(vec![0; 2 * features]);
        b.extend((classes as u16).to_le_bytes());
        b.extend(0u32.to_le_bytes());
        b.extend([class, LEAF_BIN, 0, 0]);
        b.extend(b"{}{}");
        sealed(b)
    }

    fn sealed(mut body: Vec<u8>) -> Vec<u8> {
        let sum = fnv1a(&body);
        body.extend(sum.to_le_bytes());
        body
    }

    #[test]
    fn a_walk_ends_in_the_leaf_of_its_interval() {
        let forest = Artifact::from_bytes(&small(), 7).unwrap().forest;
        let score = |x: i32| forest.predict(&[x]).0;
        assert_eq!(
            [score(i32::MIN), score(10), score(11), score(20), score(21)],
            [0, 0, 32_896, 32_896, 65_535]
        );
    }

    #[test]
    fn a_sum_outside_the_table_has_the_score_of_its_end() {
        let forest = Artifact::from_bytes(&linked(), 7).unwrap().forest;
        assert_eq!([0, 15, 25].map(|x| forest.predict(&[x]).0), [700, 1_400, 4_500]);
        let body = linked();
        // Before the tables: 36 of header, 10 of cuts, 8 of the link.
        let mut falling = body[..body.len() - 8].to_vec();
        falling[54..56].copy_from_slice(&u16::MAX.to_le_bytes());
        assert_eq!(Artifact::from_bytes(&sealed(falling), 7).unwrap_err(), ArtifactError::Field("link"));
    }

    #[test]
    fn trees_vote_for_the_class_of_their_leaf_and_for_no_other() {
        let forest = Artifact::from_bytes(&voting(), 7).unwrap().forest;
        assert_eq!((forest.n_classes(), forest.predict(&[15]).0), (3, 0));
        let voted = |x: i32| forest.votes(&[x]).iter().position(|&votes| votes == 1);
        assert_eq!([voted(10), voted(11), voted(21)], [Some(0), Some(2), Some(1)]);
        let scoring = Artifact::from_bytes(&small(), 7).unwrap().forest;
        assert_eq!((scoring.n_classes(), scoring.votes(&[15]).iter().sum::<u16>()), (0, 0));
        let body = voting();
        // Before the trees: 36 of header, 10 of cuts, 2 of the classes, 4 of the root; the first leaf is the second node.
        let mut stranger = body[..body.len() - 8].to_vec();
        stranger[56] = 3;
        let error = Artifact::from_bytes(&sealed(stranger), 7).unwrap_err();
        assert_eq!(error, ArtifactError::Node { tree: 0, node: 1 });
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_refused() {
        for good in [small(), linked(), voting()] {
            refused_in_part(&good);
        }
    }

    fn refused_in_part(good: &[u8]) {
        for len in 0..good.len() {
            assert!(Artifact::from_bytes(&good[..len], 7).is_err(), "cut at {len}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Artifact::from_bytes(&bad, 7).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_valid_checksum_over_nonsense_does_not_help() {
        for good in [small(), linked(), voting()] {
            nonsense_is_safe(&good[..good.len() - 8]);
        }
    }

    fn nonsense_is_safe(body: &[u8]) {
        let mut refused = 0;
        for at in 6..body.len() - 4 {
            for value in [0, 1, 5, 127, 254, 255] {
                let mut bad = body.to_vec();
                bad[at] = value;
                // Whatever is accepted must be safe to walk.
                match Artifact::from_bytes(&sealed(bad), 7) {
                    Ok(artifact) => drop((artifact.forest.predict(&[15]), artifact.forest.votes(&[15]))),
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(refused > 100);
    }

    #[test]
    fn another_schema_is_named() {
        let error = Artifact::from_bytes(&small(), 8).unwrap_err();
        assert_eq!(error, ArtifactError::Schema { expected: 8, found: 7 });
        assert!(error.to_string().contains("0000000000000007"));
    }
}
