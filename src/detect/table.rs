//! Bounded tables of whoever is being watched.
//!
//! Four places per set, fixed at start; their memory comes with the first entry, for most households never see most
//! kinds of attack. When a set is full, the newcomer takes the place of the entry that is out
//! of date, else of the one with the least evidence, but never of one that has more evidence than
//! [`HEAVY`] and was touched within a minute: a flood of strangers must not wash out an attack in
//! progress. A newcomer that finds no place is counted and not watched.

use super::count::Slice;

/// Places per set.
const WAYS: usize = 4;
/// Touches that make an entry hard to displace.
const HEAVY: u16 = 16;
/// For so many slices without a touch.
const HEAVY_FOR: Slice = 12;

/// A key and what is known of it.
#[derive(Clone, Debug)]
struct Place<K, V> {
    key: K,
    last: Slice,
    touched: u16,
    value: V,
}

/// A table of a fixed number of entries.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    /// Part of the hash, 0 where nothing lives.
    tags: Box<[u32]>,
    /// None until the first entry.
    places: Box<[Place<K, V>]>,
    /// Slices after which an untouched entry is dropped.
    ttl: Slice,
    /// Where the last one was entered: floods come in a row.
    recent: usize,
    refused: u64,
}

impl<K: Copy + Eq + Default, V: Clone + Default> Table<K, V> {
    /// For `capacity` entries (rounded up to a power of two), each forgotten `ttl` slices after its last touch.
    pub(super) fn new(capacity: usize, ttl: Slice) -> Self {
        let len = capacity.next_power_of_two().max(WAYS);
        Self { tags: vec![0; len].into_boxed_slice(), places: Box::default(), ttl, recent: 0, refused: 0 }
    }

    fn set(&self, hash: u64) -> (usize, u32) {
        let first = hash as usize % (self.tags.len() / WAYS) * WAYS;
        (first, (hash >> 32) as u32 | 1)
    }

    #[inline]
    #[cfg_attr(router, optimize(speed))]
    fn find(&self, hash: u64, key: &K) -> Option<usize> {
        let (first, tag) = self.set(hash);
        (first..first + WAYS).find(|&at| self.tags[at] == tag && self.places[at].key == *key)
    }

    /// The entry of a key, if there is one; not a touch.
    #[inline]
    pub(super) fn entry(&mut self, hash: u64, key: &K) -> Option<&mut V> {
        self.find(hash, key).map(|at| &mut self.places[at].value)
    }

    /// Whether a key has an entry.
    #[inline]
    pub(super) fn contains(&self, hash: u64, key: &K) -> bool {
        self.find(hash, key).is_some()
    }

    /// Whether this key was the last one entered.
    #[inline]
    pub(super) fn is_again(&self, key: &K) -> bool {
        self.tags[self.recent] != 0 && self.places[self.recent].key == *key
    }

    /// The entry last entered, without a look for it; a touch.
    #[inline]
    pub(super) fn again(&mut self, slice: Slice) -> &mut V {
        let place = &mut self.places[self.recent];
        place.last = slice;
        place.touched = place.touched.saturating_add(1);
        &mut place.value
    }

    /// Makes the entry of a key, if it has one, the one last entered; not a touch.
    pub(super) fn turn_to(&mut self, hash: u64, key: &K) -> bool {
        self.find(hash, key).inspect(|&at| self.recent = at).is_some()
    }

    /// The entry last entered; not a touch.
    #[inline]
    pub(super) fn recent(&mut self) -> &mut V {
        &mut self.places[self.recent].value
    }

    /// The entry of a key, made if there is room for it.
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn enter(&mut self, hash: u64, key: &K, slice: Slice) -> Option<&mut V> {
        let at = match self.find(hash, key) {
            Some(at) => at,
            None => self.admit(hash, key, slice)?,
        };
        self.recent = at;
        let place = &mut self.places[at];
        place.last = slice;
        place.touched = place.touched.saturating_add(1);
        Some(&mut place.value)
    }

    #[inline(never)]
    #[cfg_attr(router, optimize(speed))]
    fn admit(&mut self, hash: u64, key: &K, slice: Slice) -> Option<usize> {
        let (first, tag) = self.set(hash);
        let rank = |at: &usize| {
            if self.tags[*at] == 0 {
                return (0, 0);
            }
            let place = &self.places[*at];
            let idle = slice.saturating_sub(place.last);
            if idle > self.ttl {
                (1, 0)
            } else if place.touched >= HEAVY && idle <= HEAVY_FOR {
                (u16::MAX, 0)
            } else {
                (2 + place.touched.min(HEAVY), place.last)
            }
        };
        let at = (first..first + WAYS).min_by_key(rank)?;
        if rank(&at).0 == u16::MAX {
            self.refused += 1;
            return None;
        }
        self.tags[at] = tag;
        if self.places.is_empty() {
            let place = Place { key: K::default(), last: 0, touched: 0, value: V::default() };
            self.places = vec![place; self.tags.len()].into_boxed_slice();
        }
        self.places[at] = Place { key: *key, last: slice, touched: 0, value: V::default() };
        Some(at)
    }

    /// Shows every entry touched in slice `slice`, and drops those out of date.
    pub(super) fn touched(&mut self, slice: Slice, mut show: impl FnMut(&K, &mut V)) {
        for (tag, place) in self.tags.iter_mut().zip(&mut self.places) {
            if *tag == 0 {
                continue;
            }
            if place.last == slice {
                show(&place.key, &mut place.value);
            } else if slice.saturating_sub(place.last) > self.ttl {
                *tag = 0;
            }
        }
    }

    /// Shows every entry.
    pub(super) fn all(&mut self, mut show: impl FnMut(&K, &mut V)) {
        for (tag, place) in self.tags.iter().zip(&mut self.places) {
            if *tag != 0 {
                show(&place.key, &mut place.value);
            }
        }
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        self.tags.fill(0);
    }

    /// Newcomers that found no place.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::mix;

    #[test]
    fn a_flood_of_strangers_does_not_displace_evidence() {
        let mut table = Table::<u64, u32>::new(64, 36);
        for _ in 0..20 {
            *table.enter(mix(7), &7, 5).unwrap() += 1;
        }
        for stranger in 100..100_000 {
            table.enter(mix(stranger), &stranger, 5);
        }
        assert_eq!(table.entry(mix(7), &7).copied(), Some(20));
        assert!(table.refused() == 0, "strangers displace strangers");
    }

    #[test]
    fn entries_leave_when_their_time_is_over() {
        let mut table = Table::<u64, u32>::new(64, 36);
        table.enter(mix(7), &7, 5);
        table.touched(41, |_, _| ());
        assert!(table.contains(mix(7), &7));
        table.touched(42, |_, _| ());
        assert!(!table.contains(mix(7), &7));
    }
}
