//! One exchange between two ends: 48 bytes over IPv4, and exact however much is exchanged.
//!
//! Whoever asks for everything keeps a row per conversation, so rows are what that weighs. Nearly all conversations
//! are small and short: 16 bits of frames, 32 bits of bytes and 48 bits of nanoseconds (78 hours) hold them. What
//! these counters cannot hold is carried over into [`Beyond`], which lies beside the table and has a place only for
//! the rows that need one. Nothing is rounded, nothing saturates.

use std::collections::HashMap;

use crate::time::Moment;

use super::Count;

/// Who sent a packet of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    A = 0,
    B = 1,
}

impl Sender {
    /// The end that receives.
    pub(super) const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// A row as it is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<K> {
    first: Moment,
    /// Free for the owner of the table, and so is `state`.
    pub(super) numbers: [u32; 2],
    bytes: [u32; 2],
    span_low: u32,
    span_high: u16,
    frames: [u16; 2],
    pub(super) state: u8,
    pub(super) key: K,
}

/// Nanoseconds from here on are told by [`Beyond`].
const LONG_SPAN_NS: u64 = (1 << 48) - 1;

impl<K> Row<K> {
    pub(super) fn new(key: K, first: Moment) -> Self {
        Self {
            first,
            numbers: [0; 2],
            bytes: [0; 2],
            span_low: 0,
            span_high: 0,
            frames: [0; 2],
            state: 0,
            key,
        }
    }

    #[inline]
    fn span_ns(&self) -> u64 {
        u64::from(self.span_high) << 32 | u64::from(self.span_low)
    }

    /// Keeps what fits of a span, and returns whether it did.
    #[inline]
    fn keep_span(&mut self, span_ns: u64) -> bool {
        let kept = span_ns.min(LONG_SPAN_NS);
        (self.span_low, self.span_high) = (kept as u32, (kept >> 32) as u16);
        span_ns < LONG_SPAN_NS
    }
}

/// What the counters of a row could not hold.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beyond {
    /// Frames and bytes of each end.
    sent: [Count; 2],
    /// The whole span, if it is long.
    span_ns: u64,
}

/// By number of row; at most as many as there are rows, some 100 bytes each if somebody makes every row need one.
pub(super) type Beyonds = HashMap<u32, Beyond>;

/// What two ends exchanged, all of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange<K> {
    pub(super) key: K,
    /// What either end sent.
    pub(super) sent: [Count; 2],
    pub(super) first: Moment,
    pub(super) last: Moment,
}

impl<K: Copy> Exchange<K> {
    pub(super) fn of(row: &Row<K>, beyond: Option<&Beyond>) -> Self {
        let count = |side: usize| Count { frames: row.frames[side].into(), bytes: row.bytes[side].into() };
        let mut sent = [count(0), count(1)];
        let mut span_ns = row.span_ns();
        if let Some(beyond) = beyond {
            sent[0] += beyond.sent[0];
            sent[1] += beyond.sent[1];
            span_ns = span_ns.max(beyond.span_ns);
        }
        let last = Moment::from_nanos(row.first.as_nanos().saturating_add(span_ns));
        Self { key: row.key, sent, first: row.first, last }
    }
}

/// A row that is about to count.
pub(super) struct Entry<'a, K> {
    pub(super) row: &'a mut Row<K>,
    /// Which of its ends sends.
    pub(super) sender: Sender,
    pub(super) no: u32,
    pub(super) beyonds: &'a mut Beyonds,
}

impl<K> Entry<'_, K> {
    /// Counts a frame.
    #[inline]
    pub(super) fn add(&mut self, at: Moment, wire_len: u32) {
        let side = self.sender as usize;
        let (frames, all_frames) = self.row.frames[side].overflowing_add(1);
        let (bytes, all_bytes) = self.row.bytes[side].overflowing_add(wire_len);
        (self.row.frames[side], self.row.bytes[side]) = (frames, bytes);
        if all_frames || all_bytes {
            let carried = Count { frames: u64::from(all_frames) << 16, bytes: u64::from(all_bytes) << 32 };
            self.carry(side, carried);
        }
        self.reach(at);
    }

    /// Adds what was counted elsewhere: by this sender and by the other end, between two moments.
    pub(super) fn merge(&mut self, sent: [Count; 2], span: [Moment; 2]) {
        for (side, count) in [self.sender as usize, self.sender.other() as usize].into_iter().zip(sent) {
            let frames = count.frames + u64::from(self.row.frames[side]);
            let bytes = count.bytes + u64::from(self.row.bytes[side]);
            (self.row.frames[side], self.row.bytes[side]) = (frames as u16, bytes as u32);
            let carried = Count { frames: frames >> 16 << 16, bytes: bytes >> 32 << 32 };
            if carried != Count::default() {
                self.carry(side, carried);
            }
        }
        span.into_iter().for_each(|at| self.reach(at));
    }

    #[cold]
    fn carry(&mut self, side: usize, carried: Count) {
        self.beyonds.entry(self.no).or_default().sent[side] += carried;
    }

    /// The row has something of this moment.
    #[inline]
    fn reach(&mut self, at: Moment) {
        let (first, at_ns) = (self.row.first.as_nanos(), at.as_nanos());
        match at_ns.checked_sub(first) {
            Some(span_ns) if span_ns <= self.row.span_ns() => {}
            Some(span_ns) => self.lengthen(span_ns),
            None => self.begin_earlier(at),
        }
    }

    #[inline]
    fn lengthen(&mut self, span_ns: u64) {
        if !self.row.keep_span(span_ns) {
            self.keep_long(span_ns);
        }
    }

    #[cold]
    fn keep_long(&mut self, span_ns: u64) {
        let beyond = self.beyonds.entry(self.no).or_default();
        beyond.span_ns = beyond.span_ns.max(span_ns);
    }

    #[cold]
    fn begin_earlier(&mut self, at: Moment) {
        let long_ns = self.beyonds.get(&self.no).map_or(0, |beyond| beyond.span_ns);
        let earlier_ns = self.row.first.as_nanos() - at.as_nanos();
        self.row.first = at;
        self.lengthen(self.row.span_ns().max(long_ns) + earlier_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 13] = [7; 13];

    /// A row that was shown these moments, each with a frame of a size.
    fn shown(frames: &[(u64, u32)]) -> Exchange<[u8; 13]> {
        let (mut row, mut beyonds) = (Row::new(KEY, Moment::from_nanos(frames[0].0)), Beyonds::new());
        let mut entry = Entry { row: &mut row, sender: Sender::B, no: 3, beyonds: &mut beyonds };
        frames.iter().for_each(|&(at_ns, wire_len)| entry.add(Moment::from_nanos(at_ns), wire_len));
        Exchange::of(&row, beyonds.get(&3))
    }

    #[test]
    fn a_row_takes_48_bytes() {
        assert_eq!(size_of::<Row<[u8; 13]>>(), 48);
    }

    #[test]
    fn counters_go_on_where_a_row_ends() {
        let exchange = shown(&vec![(5, u32::MAX); 200_000]);
        let all = Count { frames: 200_000, bytes: 200_000 * u64::from(u32::MAX) };
        assert_eq!(exchange.sent, [Count::default(), all]);
    }

    #[test]
    fn spans_of_any_length_are_exact_in_any_order() {
        for moments in [
            &[9_u64, 3, 7][..],
            &[1 << 60, 1 << 61, 5, u64::MAX, 8],
            &[0, LONG_SPAN_NS - 1],
            &[0, LONG_SPAN_NS],
            &[0, LONG_SPAN_NS, 7, LONG_SPAN_NS + 1],
            &[LONG_SPAN_NS, 1, 0, 1 << 50],
            &[u64::MAX, 0],
        ] {
            let frames: Vec<_> = moments.iter().map(|&at_ns| (at_ns, 1)).collect();
            let Exchange { first, last, .. } = shown(&frames);
            let reached = [first, last].map(Moment::as_nanos);
            assert_eq!(reached.as_slice(), [*moments.iter().min().unwrap(), *moments.iter().max().unwrap()]);
        }
    }

    #[test]
    fn what_was_counted_elsewhere_adds_up() {
        let (mut row, mut beyonds) = (Row::new(KEY, Moment::ZERO), Beyonds::new());
        let mut entry = Entry { row: &mut row, sender: Sender::B, no: 0, beyonds: &mut beyonds };
        let (many, few) = (Count { frames: 1 << 40, bytes: 3 << 40 }, Count { frames: 65_535, bytes: 9 });
        for _ in 0..2 {
            entry.merge([many, few], [Moment::from_secs(1), Moment::from_secs(9_000_000)]);
        }
        let exchange = Exchange::of(&row, beyonds.get(&0));
        let twice = |count: Count| Count { frames: 2 * count.frames, bytes: 2 * count.bytes };
        assert_eq!(exchange.sent, [twice(few), twice(many)]);
        assert_eq!(exchange.last, Moment::from_secs(9_000_000));
    }
}
