//! Names stored once, in a ring of bytes.
//!
//! New names are written behind the newest; when the ring is full the oldest are overwritten, and their
//! [`NameId`]s resolve to nothing from then on. No allocation after start, no reference counts, and a stranger
//! who invents names costs forgotten labels, never memory.

use super::services::{self, Service};
use super::suffix;
use crate::dissect::hostname::HostName;
use crate::net::mix;

/// Bytes of the ring: some 4,000 names of ordinary length. A power of two, so that positions may wrap.
pub const ARENA_LEN: usize = 1 << 17;

/// Slots of the index that finds a name stored before.
const INDEX_LEN: usize = 1 << 12;

/// A name that is found in the newer part of the ring is not written again.
const FRESH_LEN: u32 = (ARENA_LEN / 4 * 3) as u32;

/// Length, row of the service table, offset of the registrable domain.
const HEADER_LEN: usize = 3;

/// A stored name. Valid until the ring has gone round; equal names usually, not always, have equal ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameId(u32);

impl NameId {
    /// No name.
    pub const NONE: Self = Self(0);
}

#[derive(Debug)]
pub(super) struct Arena {
    ring: Box<[u8]>,
    index: Box<[NameId]>,
    /// Position where the next name goes: counts up for ever, modulo 2³².
    head: u32,
    /// Bytes written since start, as far as it matters: before the ring is full, positions behind are empty.
    filled: u32,
}

impl Arena {
    pub(super) fn new() -> Self {
        Self {
            ring: vec![0; ARENA_LEN].into_boxed_slice(),
            index: vec![NameId::NONE; INDEX_LEN].into_boxed_slice(),
            head: 1,
            filled: 0,
        }
    }

    /// Stores a name, or finds it.
    pub(super) fn intern(&mut self, name: &HostName) -> NameId {
        let bytes = name.as_bytes();
        let slot = hash(bytes) as usize % INDEX_LEN;
        let known = self.index[slot];
        if self.age(known) <= FRESH_LEN
            && self.record(known).is_some_and(|record| record.name == name.as_str())
        {
            return known;
        }
        let id = self.append(name.as_str());
        self.index[slot] = id;
        id
    }

    fn append(&mut self, name: &str) -> NameId {
        let needed = HEADER_LEN + name.len();
        let room = ARENA_LEN - self.head as usize % ARENA_LEN;
        if room < needed {
            self.advance(room);
        }
        // Position 0 says "none".
        if self.head == 0 {
            self.advance(1);
        }
        let id = NameId(self.head);
        let at = self.head as usize % ARENA_LEN;
        // A host name has at most 253 bytes, the ring's end is at least `needed` away.
        self.ring[at] = name.len() as u8;
        self.ring[at + 1] = services::row_of(name);
        self.ring[at + 2] = (name.len() - suffix::registrable(name).len()) as u8;
        self.ring[at + HEADER_LEN..at + needed].copy_from_slice(name.as_bytes());
        self.advance(needed);
        id
    }

    fn advance(&mut self, len: usize) {
        self.head = self.head.wrapping_add(len as u32);
        self.filled = self.filled.saturating_add(len as u32).min(ARENA_LEN as u32);
    }

    /// Bytes written since this name, its own included; more than the ring holds if it is gone or never was.
    fn age(&self, id: NameId) -> u32 {
        let age = self.head.wrapping_sub(id.0);
        if id == NameId::NONE || age == 0 || age > self.filled { u32::MAX } else { age }
    }

    fn record(&self, id: NameId) -> Option<Record<'_>> {
        if self.age(id) as usize > ARENA_LEN {
            return None;
        }
        let (header, rest) = self.ring[id.0 as usize % ARENA_LEN..].split_at_checked(HEADER_LEN)?;
        let name = std::str::from_utf8(rest.get(..usize::from(header[0]))?).ok()?;
        Some(Record { name, row: header[1], site_at: header[2] })
    }

    /// All names that are stored and would be found again.
    pub(super) fn stored(&self) -> impl Iterator<Item = NameId> + '_ {
        self.index.iter().copied().filter(|id| self.age(*id) <= ARENA_LEN as u32)
    }

    pub(super) fn name(&self, id: NameId) -> Option<&str> {
        self.record(id).map(|record| record.name)
    }

    pub(super) fn service(&self, id: NameId) -> Option<Service<'_>> {
        let record = self.record(id)?;
        Some(services::by_row(record.row, record.name.get(usize::from(record.site_at)..)?))
    }
}

struct Record<'a> {
    name: &'a str,
    row: u8,
    site_at: u8,
}

fn hash(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(bytes.len() as u64, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(hash.rotate_left(5) ^ u64::from_le_bytes(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HostName {
        HostName::from_text(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_name_is_stored_once_with_its_service() {
        let mut arena = Arena::new();
        let id = arena.intern(&name("r4.googlevideo.com"));
        let other = arena.intern(&name("a.b.example.co.uk"));
        assert_eq!(arena.intern(&name("r4.googlevideo.com")), id);
        assert_eq!(arena.name(id), Some("r4.googlevideo.com"));
        assert_eq!(arena.service(id).map(|service| service.label), Some("YouTube"));
        assert_eq!(arena.service(other).map(|service| service.label), Some("example.co.uk"));
        assert_eq!(arena.name(NameId::NONE), None);
    }

    #[test]
    fn an_overwritten_name_resolves_to_nothing_and_never_to_another() {
        let mut arena = Arena::new();
        let mut stored = Vec::new();
        for i in 0..20_000 {
            let text = format!("host-{i}.{}.example", "x".repeat(i % 60 + 1));
            stored.push((arena.intern(&name(&text)), text));
        }
        let alive = stored.iter().filter(|(id, text)| match arena.name(*id) {
            Some(found) => {
                assert_eq!(found, text);
                true
            }
            None => false,
        });
        assert!((1_500..4_000).contains(&alive.count()));
        assert!(stored[19_999..].iter().all(|(id, _)| arena.name(*id).is_some()));
    }

    #[test]
    fn positions_may_wrap_around() {
        let mut arena = Arena::new();
        arena.head = u32::MAX - 10;
        arena.filled = ARENA_LEN as u32;
        let ids = ["first.example", "second.example", "third.example"]
            .map(|text| (arena.intern(&name(text)), text));
        for (id, text) in ids {
            assert_eq!(arena.name(id), Some(text));
            assert_ne!(id, NameId::NONE);
        }
    }

    #[test]
    fn a_name_in_use_is_written_again_before_it_is_lost() {
        let mut arena = Arena::new();
        let kept = name("kept.example");
        for i in 0..50_000 {
            arena.intern(&name(&format!("h{i}.example")));
            let id = arena.intern(&kept);
            assert_eq!(arena.name(id), Some("kept.example"));
        }
    }
}
