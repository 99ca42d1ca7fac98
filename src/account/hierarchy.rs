//! Frames by protocol path.
//!
//! Counting is by exact path: one counter per distinct path, found through a memo of the path before (packets come
//! in trains). Parents are summed when the tree is asked for, so their counts include their children's, as in
//! tshark's `io,phs`.

use crate::dissect::{IpVersion, Path, Proto};
use crate::net::mix;

use super::Count;

/// Distinct paths counted by themselves. Households show some dozens, fuzzers some hundreds; further ones count
/// as their closest known parent.
pub const MAX_PATHS: usize = 2048;
/// Slots of the index: a power of two, at most half full.
const SLOTS: usize = MAX_PATHS * 2;

/// What a path says about its frames, found out once per path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// The outermost IP header, if there is one.
    pub(super) ip: Option<IpVersion>,
    pub(super) link: Link,
    pub(super) depth: Depth,
}

/// Whether a frame begins with an Ethernet header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Ethernet,
    Other,
}

/// Whether the packet's fields are all there is to know of its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// At most one header of each layer.
    Plain,
    /// Tunnels, or a transport that packets do not tell of.
    Nested,
}

impl Shape {
    fn of(path: Path) -> Self {
        let count = |wanted: &[Proto]| path.layers().filter(|layer| wanted.contains(layer)).count();
        let nested = count(&[Proto::Eth]) > 1
            || count(&[Proto::Ip, Proto::Ipv6]) > 1
            || count(&[Proto::Tcp, Proto::Udp]) > 1
            || count(&[Proto::UdpLite]) > 0;
        let version = |layer| match layer {
            Proto::Ip => Some(IpVersion::V4),
            Proto::Ipv6 => Some(IpVersion::V6),
            _ => None,
        };
        Self {
            ip: path.layers().find_map(version),
            link: if path.layers().next() == Some(Proto::Eth) { Link::Ethernet } else { Link::Other },
            depth: if nested { Depth::Nested } else { Depth::Plain },
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Leaf {
    path: Path,
    count: Count,
    shape: Shape,
}

/// Frames by protocol path.
#[derive(Debug)]
pub struct Hierarchy {
    /// In order of appearance.
    leaves: Vec<Leaf>,
    /// One more than an index into `leaves`; 0 is empty.
    index: Box<[u16; SLOTS]>,
    /// The leaf counted last.
    last: usize,
}

/// One protocol within its parents; it counts its children too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where in the hierarchy.
    pub path: Path,
    /// Frames with these layers.
    pub count: Count,
}

impl Hierarchy {
    pub(super) fn new() -> Self {
        Self { leaves: Vec::with_capacity(32), index: Box::new([0; SLOTS]), last: 0 }
    }

    #[inline]
    pub(super) fn observe(&mut self, path: Path, wire_len: u32) -> Shape {
        if self.leaves.get(self.last).is_none_or(|leaf| leaf.path != path) {
            self.last = self.find(path);
        }
        match self.leaves.get_mut(self.last) {
            Some(leaf) => {
                leaf.count.add(wire_len);
                leaf.shape
            }
            None => Shape::of(path),
        }
    }

    /// The leaf of a path, or of its closest parent once the table is full.
    #[inline(never)]
    fn find(&mut self, path: Path) -> usize {
        let bits = path.as_bits();
        let mut slot = mix(bits as u64 ^ mix((bits >> 64) as u64)) as usize % SLOTS;
        loop {
            match self.index[slot] {
                0 => break,
                found => {
                    let leaf = usize::from(found) - 1;
                    if self.leaves[leaf].path == path {
                        return leaf;
                    }
                }
            }
            slot = (slot + 1) % SLOTS;
        }
        // The empty path keeps a place, so that every path has a parent to fall back on.
        if self.leaves.len() + usize::from(!path.is_empty()) < MAX_PATHS {
            self.leaves.push(Leaf { path, count: Count::default(), shape: Shape::of(path) });
            self.index[slot] = u16::try_from(self.leaves.len()).unwrap_or(0);
            self.leaves.len() - 1
        } else {
            self.find(path.parent())
        }
    }

    /// All frames.
    pub fn total(&self) -> Count {
        let mut total = Count::default();
        for leaf in &self.leaves {
            total += leaf.count;
        }
        total
    }

    /// The tree, parents before children, siblings in order of appearance.
    pub fn nodes(&self) -> Vec<Node> {
        let mut nodes: Vec<Node> = Vec::new();
        for leaf in &self.leaves {
            for depth in 1..=leaf.path.len() {
                let path = leaf.path.ancestor(depth);
                match nodes.iter_mut().find(|node| node.path == path) {
                    Some(node) => node.count += leaf.count,
                    None => {
                        let at = place(&nodes, path);
                        nodes.insert(at, Node { path, count: leaf.count });
                    }
                }
            }
        }
        nodes
    }
}

/// Where a new node belongs: after all that lies under its parent.
fn place(nodes: &[Node], path: Path) -> usize {
    let parent = path.parent();
    if parent.is_empty() {
        return nodes.len();
    }
    let Some(at) = nodes.iter().position(|node| node.path == parent) else { return nodes.len() };
    let under = nodes[at + 1..].iter().take_while(|node| node.path.len() > parent.len()).count();
    at + 1 + under
}
