//! A bounded table of exchanges between two ends, in order of appearance.
//!
//! Rows are kept in one growing vector and never move within it, so that the order of appearance is the order of
//! the report and growing costs no second copy of the rows (large vectors are remapped, not copied). Beside it
//! lies an index of four bytes a slot: 20 bits of row number and 12 bits of hash, so that a look-up reads one
//! line of the index and one row.

use crate::time::Moment;

use super::row::{Beyonds, Entry, Exchange, Row, Sender};
use super::{Count, Rest, Seed};

/// Bits of an index slot that hold a row number plus one.
const ROW_BITS: u32 = 20;
const ROW_MASK: u32 = (1 << ROW_BITS) - 1;
/// Slots at first.
const FIRST_SLOTS: usize = 256;

/// Two ends that talk, in the order of the first packet.
pub(super) trait Key: Copy {
    /// Which end sends what `other` describes; `None` if these are other ends.
    fn sender(&self, other: &Self) -> Option<Sender>;
    /// The same for both directions.
    fn hash(&self, seed: Seed) -> u64;
}

/// The table.
#[derive(Debug)]
pub(super) struct Table<K> {
    rows: Vec<Row<K>>,
    beyonds: Beyonds,
    index: Box<[u32]>,
    /// Slots in use; rows that were superseded have none.
    indexed: usize,
    /// The row used last: packets come in trains.
    recent: usize,
    seed: Seed,
    limit: usize,
    rest: Rest,
}

impl<K: Key> Table<K> {
    /// At most `limit` rows (fewer than 2^20).
    pub(super) fn new(limit: usize, seed: Seed) -> Self {
        debug_assert!(limit < ROW_MASK as usize);
        Self {
            rows: Vec::new(),
            beyonds: Beyonds::new(),
            index: vec![0; FIRST_SLOTS].into_boxed_slice(),
            indexed: 0,
            recent: 0,
            seed,
            limit,
            rest: Rest::default(),
        }
    }

    /// The row of these ends, which is made if it is missing; `None` if it is missing and the table is full.
    #[inline]
    pub(super) fn entry(&mut self, key: &K, at: Moment) -> Option<Entry<'_, K>> {
        let known = self.rows.get(self.recent).and_then(|row| row.key.sender(key));
        let sender = match known {
            Some(sender) => sender,
            None => {
                let (row, sender) = self.find_or_add(key, at)?;
                self.recent = row;
                sender
            }
        };
        self.recent(sender)
    }

    /// The row used last.
    #[inline]
    fn recent(&mut self, sender: Sender) -> Option<Entry<'_, K>> {
        let row = self.rows.get_mut(self.recent)?;
        Some(Entry { row, sender, no: self.recent as u32, beyonds: &mut self.beyonds })
    }

    #[inline(never)]
    fn find_or_add(&mut self, key: &K, at: Moment) -> Option<(usize, Sender)> {
        let hash = key.hash(self.seed);
        let slot = match self.find(key, hash) {
            Ok((row, sender)) => return Some((row, sender)),
            Err(slot) => slot,
        };
        if self.rows.len() >= self.limit {
            return None;
        }
        self.rows.push(Row::new(*key, at));
        let row = self.rows.len() - 1;
        self.index[slot] = entry_of(row, hash);
        self.indexed += 1;
        if self.indexed * 4 > self.index.len() * 3 {
            self.grow();
        }
        Some((row, Sender::A))
    }

    /// The row of a key, or the slot where it belongs.
    #[inline]
    fn find(&self, key: &K, hash: u64) -> Result<(usize, Sender), usize> {
        let mask = self.index.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let entry = self.index[slot];
            if entry == 0 {
                return Err(slot);
            }
            if entry & !ROW_MASK == tag(hash) {
                let row = (entry & ROW_MASK) as usize - 1;
                if let Some(sender) = self.rows[row].key.sender(key) {
                    return Ok((row, sender));
                }
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Opens a new row for ends that have one already; from now on it is theirs.
    #[cold]
    pub(super) fn supersede(&mut self, key: &K, at: Moment) -> Option<Entry<'_, K>> {
        if self.rows.len() >= self.limit {
            return None;
        }
        let hash = key.hash(self.seed);
        let (old, _) = self.find(key, hash).ok()?;
        let stale = entry_of(old, hash);
        let mask = self.index.len() - 1;
        let mut slot = hash as usize & mask;
        while self.index[slot] != stale {
            slot = (slot + 1) & mask;
        }
        self.rows.push(Row::new(*key, at));
        self.recent = self.rows.len() - 1;
        self.index[slot] = entry_of(self.recent, hash);
        self.recent(Sender::A)
    }

    /// Adds what the two ends of `key` sent between two moments.
    pub(super) fn merge(&mut self, key: &K, sent: [Count; 2], span: [Moment; 2]) {
        if let Some(mut entry) = self.entry(key, span[0]) {
            entry.merge(sent, span);
        }
    }

    /// Doubles the index.
    #[cold]
    fn grow(&mut self) {
        let len = self.index.len() * 2;
        let old = std::mem::replace(&mut self.index, vec![0; len].into_boxed_slice());
        for entry in old.iter().filter(|&&entry| entry != 0) {
            let row = (entry & ROW_MASK) as usize - 1;
            let mut slot = self.rows[row].key.hash(self.seed) as usize & (len - 1);
            while self.index[slot] != 0 {
                slot = (slot + 1) & (len - 1);
            }
            self.index[slot] = *entry;
        }
    }

    /// Lets a few more rows in.
    pub(super) fn extend_limit(&mut self, limit: usize) {
        self.limit = self.limit.max(limit);
    }

    /// Counts a frame that has no row.
    pub(super) fn miss(&mut self, wire_len: u32) {
        self.rest.add(wire_len);
    }

    /// What has no row.
    pub(super) fn rest(&self) -> Rest {
        self.rest
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whose a row is, by order of appearance.
    pub(super) fn key(&self, no: usize) -> Option<&K> {
        self.rows.get(no).map(|row| &row.key)
    }

    /// What a row says, by order of appearance.
    pub(super) fn exchange(&self, no: usize) -> Option<Exchange<K>> {
        self.rows.get(no).map(|row| Exchange::of(row, self.beyonds.get(&(no as u32))))
    }

    /// What all rows say, in order of appearance.
    pub(super) fn exchanges(&self) -> impl Iterator<Item = Exchange<K>> {
        (0..self.rows.len()).filter_map(|no| self.exchange(no))
    }
}

const fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32 & !ROW_MASK
}

fn entry_of(row: usize, hash: u64) -> u32 {
    tag(hash) | (row as u32 + 1)
}

/// Folds a 64 by 64 bit product: mixes two words well, whichever comes first.
#[inline]
pub(super) const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}
