//! The shared windows: counters and sets over the last 5, 30 and 180 seconds.
//!
//! Time comes in slices of five seconds. A counter keeps the last six slices, and the last six half minutes as
//! sums of those, so that every window is a sum of at most six cells and nothing is counted twice. A set of hosts
//! or ports is a row of buckets, each holding the slice in which it was last hit: how many buckets are young
//! enough tells, for any window at once, how many different members there were (linear counting).

use crate::time::{Duration, Moment};

/// A number of slices since an origin.
pub(super) type Slice = u32;

/// Length of a slice.
pub(super) const SLICE: Duration = Duration::from_secs(5);

/// The slice of a moment.
pub(super) fn slice_of(at: Moment) -> Slice {
    (at.as_secs() / SLICE.as_secs()) as Slice
}

/// How far back to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    S5,
    S30,
    S180,
}

impl Span {
    /// In slices.
    pub(super) const fn slices(self) -> Slice {
        match self {
            Self::S5 => 1,
            Self::S30 => 6,
            Self::S180 => 36,
        }
    }
}

const CELLS: usize = 6;

/// `N` counters over all three spans.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sliding<const N: usize> {
    slice: Slice,
    fives: [[u32; N]; CELLS],
    thirties: [[u32; N]; CELLS],
}

impl<const N: usize> Default for Sliding<N> {
    fn default() -> Self {
        Self { slice: 0, fives: [[0; N]; CELLS], thirties: [[0; N]; CELLS] }
    }
}

impl<const N: usize> Sliding<N> {
    /// Forgets what is too old in slice `slice`.
    #[inline]
    pub(super) fn roll(&mut self, slice: Slice) {
        if slice > self.slice {
            clear(&mut self.fives, self.slice, slice);
            clear(&mut self.thirties, self.slice / CELLS as u32, slice / CELLS as u32);
            self.slice = slice;
        }
    }

    /// Counts `n` more of `which`.
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn add(&mut self, slice: Slice, which: usize, n: u32) {
        let (five, thirty) = self.present(slice);
        five[which] = five[which].saturating_add(n);
        thirty[which] = thirty[which].saturating_add(n);
    }

    /// All counters of slice `slice`, and of its half minute: what is counted goes into both.
    #[inline]
    pub(super) fn present(&mut self, slice: Slice) -> (&mut [u32; N], &mut [u32; N]) {
        self.roll(slice);
        let (five, thirty) = (self.slice as usize % CELLS, self.slice as usize / CELLS % CELLS);
        (&mut self.fives[five], &mut self.thirties[thirty])
    }

    /// Takes back up to `n` of what was counted within the half minute.
    pub(super) fn take_back(&mut self, slice: Slice, which: usize, n: u32) {
        self.roll(slice);
        take(&mut self.fives, self.slice as usize, which, n);
        take(&mut self.thirties, self.slice as usize / CELLS, which, n);
    }

    /// How many of `which` there were in the span that ends with slice `slice`.
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn sum(&mut self, slice: Slice, which: usize, span: Span) -> u32 {
        self.roll(slice);
        let of = |cells: &[[u32; N]; CELLS]| {
            cells.iter().fold(0, |sum: u32, cell| sum.saturating_add(cell[which]))
        };
        match span {
            Span::S5 => self.fives[self.slice as usize % CELLS][which],
            Span::S30 => of(&self.fives),
            Span::S180 => of(&self.thirties),
        }
    }
}

/// Empties the cells between two points of their ring.
fn clear<const N: usize>(cells: &mut [[u32; N]; CELLS], from: u32, to: u32) {
    for step in 1..=(to - from).min(CELLS as u32) {
        cells[(from + step) as usize % CELLS] = [0; N];
    }
}

/// Subtracts from the newest cells first.
#[cfg_attr(router, optimize(speed))]
fn take<const N: usize>(cells: &mut [[u32; N]; CELLS], newest: usize, which: usize, n: u32) {
    let mut left = n;
    for back in 0..CELLS {
        let cell = &mut cells[(newest + CELLS - back) % CELLS][which];
        let taken = left.min(*cell);
        *cell -= taken;
        left -= taken;
    }
}

/// Stamps count modulo this, 0 meaning never; older ones must be scrubbed before they come round again.
const CYCLE: u32 = 251;

/// A set whose members age.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamps<const M: usize>([u8; M]);

impl<const M: usize> Default for Stamps<M> {
    fn default() -> Self {
        Self([0; M])
    }
}

impl<const M: usize> Stamps<M> {
    /// Notes a member by its hash.
    #[inline]
    pub(super) fn mark(&mut self, hash: u64, slice: Slice) {
        self.0[(hash >> 32) as usize % M] = (slice % CYCLE) as u8 + 1;
    }

    #[inline(always)]
    fn is_young(&self, bucket: usize, slice: Slice, slices: Slice) -> bool {
        let stamp = u32::from(self.0[bucket]);
        stamp != 0 && (slice % CYCLE + CYCLE + 1 - stamp) % CYCLE < slices
    }

    /// Buckets hit in the span.
    #[cfg_attr(router, optimize(speed))]
    fn hit(&self, slice: Slice, span: Span) -> usize {
        (0..M).filter(|&bucket| self.is_young(bucket, slice, span.slices())).count()
    }

    /// About how many different members there were in the span.
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn distinct(&self, slice: Slice, span: Span) -> u32 {
        estimate(self.hit(slice, span), M)
    }

    /// Forgets stamps that no span reaches, before they come round again.
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn scrub(&mut self, slice: Slice) {
        for bucket in 0..M {
            if !self.is_young(bucket, slice, Span::S180.slices()) {
                self.0[bucket] = 0;
            }
        }
    }
}

/// Members tried, and which of them answered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tried<const M: usize> {
    tried: Stamps<M>,
    answered: Stamps<M>,
}

/// How tries fared in a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fared {
    /// Different members tried, about.
    pub(super) distinct: u32,
    /// Share of them that did not answer, in percent.
    pub(super) failed_pct: u32,
}

impl<const M: usize> Tried<M> {
    pub(super) fn attempt(&mut self, hash: u64, slice: Slice) {
        self.tried.mark(hash, slice);
    }

    pub(super) fn answer(&mut self, hash: u64, slice: Slice) {
        self.answered.mark(hash, slice);
    }

    #[cfg_attr(router, optimize(speed))]
    pub(super) fn fared(&self, slice: Slice, span: Span) -> Fared {
        let slices = span.slices();
        let (mut hit, mut failed) = (0, 0);
        for bucket in 0..M {
            if self.tried.is_young(bucket, slice, slices) {
                hit += 1;
                // An answer to a try of a slice ago may have come a slice later.
                failed += usize::from(!self.answered.is_young(bucket, slice, slices + 1));
            }
        }
        Fared { distinct: estimate(hit, M), failed_pct: (failed * 100 / hit.max(1)) as u32 }
    }

    pub(super) fn scrub(&mut self, slice: Slice) {
        self.tried.scrub(slice);
        self.answered.scrub(slice);
    }
}

/// Draws it takes on average to hit `hit` of `of` buckets (the coupon collector's sum), in integers.
fn estimate(hit: usize, of: usize) -> u32 {
    const SCALE: usize = 1 << 16;
    let draws: usize = (0..hit).map(|done| of * SCALE / (of - done)).sum();
    ((draws + SCALE / 2) / SCALE) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::mix;

    #[test]
    fn windows_forget_exactly_what_is_too_old() {
        let mut counters = Sliding::<2>::default();
        for slice in 0..40 {
            counters.add(slice, 1, 1);
        }
        assert_eq!(counters.sum(39, 1, Span::S5), 1);
        assert_eq!(counters.sum(39, 1, Span::S30), 6);
        // Half minutes are aligned: five whole ones and the present one.
        assert_eq!(counters.sum(39, 1, Span::S180), 34);
        assert_eq!(counters.sum(39, 0, Span::S180), 0);
        assert_eq!(counters.sum(45, 1, Span::S30), 0);
        assert_eq!(counters.sum(500, 1, Span::S180), 0);
    }

    #[test]
    fn what_is_taken_back_was_never_there() {
        let mut counters = Sliding::<1>::default();
        counters.add(7, 0, 3);
        counters.add(8, 0, 2);
        counters.take_back(8, 0, 4);
        assert_eq!(counters.sum(8, 0, Span::S30), 1);
        counters.take_back(8, 0, 40);
        assert_eq!(counters.sum(8, 0, Span::S180), 0);
    }

    #[test]
    fn sets_count_members_within_a_few_percent_and_age() {
        for n in [1, 5, 15, 30, 60] {
            let mut set = Stamps::<64>::default();
            for member in 0..n {
                set.mark(mix(member + 1_000), 10);
            }
            let seen = set.distinct(10, Span::S30);
            assert!(u64::from(seen).abs_diff(n) <= 2 + n / 5, "{n} members counted as {seen}");
            assert_eq!(set.distinct(16, Span::S30), 0);
            assert_eq!(set.distinct(45, Span::S180), seen);
            assert_eq!(set.distinct(46, Span::S180), 0);
        }
    }

    #[test]
    fn stamps_do_not_come_back_to_life() {
        let mut set = Stamps::<64>::default();
        set.mark(mix(1), 10);
        for slice in 11..600 {
            set.scrub(slice);
            if slice > 46 {
                assert_eq!(set.distinct(slice, Span::S180), 0, "{slice}");
            }
        }
    }

    #[test]
    fn answers_are_told_from_silence() {
        let mut ports = Tried::<64>::default();
        for port in 0..20 {
            ports.attempt(mix(port), 3);
            if port < 5 {
                ports.answer(mix(port), 3);
            }
        }
        let fared = ports.fared(3, Span::S30);
        assert!((17..=23).contains(&fared.distinct) && (65..=85).contains(&fared.failed_pct), "{fared:?}");
    }
}
