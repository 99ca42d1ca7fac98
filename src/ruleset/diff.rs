//! From what the kernel acknowledged to what we want, in the fewest steps.

use std::collections::BTreeMap;

use super::{Element, Key, Ruleset, SetName, Shaped};
use crate::time::{Duration, Moment};

/// Ends closer together than this are the same: the kernel counts in jiffies from when it got the batch.
pub const EXPIRY_TOLERANCE: Duration = Duration::from_secs(2);

/// What must happen to the kernel's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// It is as we want it.
    None,
    /// The table is missing or built otherwise: delete it and write it whole, in one batch.
    Whole,
    /// Only elements and rates differ.
    Elements {
        /// Elements to write. Those that are there with another end must be deleted in the same batch first:
        /// kernels before 6.12 ignore a new timeout on an existing element.
        add: Vec<Element>,
        /// Elements to delete, including those written anew by `add`.
        delete: Vec<(SetName, Key)>,
        /// Rates to set (or change).
        shape: Vec<(Shaped, u32)>,
        /// Rates to lift.
        unshape: Vec<Shaped>,
    },
}

/// Compares the desired ruleset with the one acknowledged by, or read back from, the kernel. Elements whose end
/// has passed by `desired.at` count as gone on both sides.
pub fn diff(desired: &Ruleset, acknowledged: Option<&Ruleset>) -> Changes {
    let Some(present) = acknowledged else { return Changes::Whole };
    if desired.chains != present.chains || !desired.sets.keys().eq(present.sets.keys()) {
        return Changes::Whole;
    }
    let (mut add, mut delete) = (Vec::new(), Vec::new());
    let none = BTreeMap::new();
    for (set, wanted) in &desired.sets {
        let there = present.sets.get(set).unwrap_or(&none);
        let alive = |until: &Moment| *until > desired.at;
        for (key, until) in wanted.iter().filter(|(_, until)| alive(until)) {
            let element = Element { set: *set, key: *key, until: *until };
            match there.get(key).filter(|until| alive(until)) {
                None => add.push(element),
                Some(other) if distance(*other, *until) <= EXPIRY_TOLERANCE => {}
                Some(_) => {
                    delete.push((*set, *key));
                    add.push(element);
                }
            }
        }
        let gone = |(key, until): &(&Key, &Moment)| alive(until) && !wanted.get(*key).is_some_and(alive);
        delete.extend(there.iter().filter(gone).map(|(key, _)| (*set, *key)));
    }
    let changed = |(shaped, rate): &(&Shaped, &u32)| present.shapes.get(*shaped) != Some(*rate);
    let shape: Vec<_> =
        desired.shapes.iter().filter(changed).map(|(shaped, rate)| (*shaped, *rate)).collect();
    let lifted = |shaped: &&Shaped| !desired.shapes.contains_key(*shaped);
    let unshape: Vec<_> = present.shapes.keys().filter(lifted).copied().collect();
    if add.is_empty() && delete.is_empty() && shape.is_empty() && unshape.is_empty() {
        return Changes::None;
    }
    Changes::Elements { add, delete, shape, unshape }
}

fn distance(a: Moment, b: Moment) -> Duration {
    a.since(b).max(b.since(a))
}
