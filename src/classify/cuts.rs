//! Cut points: a row is held against all of them at once, before any tree is walked.
//!
//! A node of a tree asks "is feature f above cut c?". All such questions of a forest together are a few thousand,
//! many nodes share one, and comparing sixteen integers with one is a single run of vector instructions. So the
//! answers are worked out first, a byte each, and a step of the walk is one load of its answer, without a
//! comparison (the idea of `QuickScorer`, Lucchese et al. 2015, kept to its cheap half).

/// Places of [`Answers`], a power of two: a masked number needs no bounds check.
const PLACES: usize = 8_192;
/// The first places answer no: a leaf asks one of them, and which one is the leaf's value.
pub(super) const LEAF_PLACES: usize = 256;
/// Cuts compared together.
const BLOCK: usize = 16;

/// For each cut point, whether the row's value exceeds it (1) or not (0).
pub(super) struct Answers([u8; PLACES]);

impl Default for Answers {
    fn default() -> Self {
        Self([0; PLACES])
    }
}

impl Answers {
    /// The answer at a place, which a checked node has below [`PLACES`].
    #[inline(always)]
    pub(super) fn at(&self, place: u16) -> u32 {
        u32::from(self.0[usize::from(place) % PLACES])
    }
}

/// The cut points of all features, ascending in each, each feature's filled up to whole blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cuts {
    blocks: Vec<[i32; BLOCK]>,
    /// The feature that each block belongs to.
    features: Vec<u8>,
    /// First block and number of cuts of each feature.
    spans: Vec<(u16, u16)>,
}

impl Cuts {
    /// Enters the next feature's cut points, which ascend strictly.
    ///
    /// # Errors
    /// The name of what is wrong: `n_features`, more than 255; `cuts`, not ascending; `n_cuts`, no place left.
    pub(super) fn push(&mut self, cuts: &[i32]) -> Result<(), &'static str> {
        let feature = u8::try_from(self.spans.len()).map_err(|_| "n_features")?;
        if !cuts.is_sorted_by(|low, high| low < high) {
            return Err("cuts");
        }
        let first = self.blocks.len();
        if LEAF_PLACES + (first + cuts.len().div_ceil(BLOCK)) * BLOCK > PLACES {
            return Err("n_cuts");
        }
        for some in cuts.chunks(BLOCK) {
            // Nothing exceeds what fills a block up.
            let mut block = [i32::MAX; BLOCK];
            block[..some.len()].copy_from_slice(some);
            self.blocks.push(block);
            self.features.push(feature);
        }
        self.spans.push((first as u16, cuts.len() as u16));
        Ok(())
    }

    /// Number of features.
    pub(super) fn n_features(&self) -> usize {
        self.spans.len()
    }

    /// Number of cut points.
    pub(super) fn len(&self) -> usize {
        self.spans.iter().map(|(_, count)| usize::from(*count)).sum()
    }

    /// Where the answer for cut number `bin` of a feature stands, if there is such a cut.
    pub(super) fn place(&self, feature: u8, bin: u8) -> Option<u16> {
        let (first, count) = *self.spans.get(usize::from(feature))?;
        (u16::from(bin) < count).then(|| LEAF_PLACES as u16 + first * BLOCK as u16 + u16::from(bin))
    }

    /// Holds a row against all cut points, into answers that all say no so far. A missing feature reads as 0.
    pub(super) fn hold(&self, row: &[i32], answers: &mut Answers) {
        let (places, _) = answers.0[LEAF_PLACES..].as_chunks_mut::<BLOCK>();
        for ((block, feature), places) in self.blocks.iter().zip(&self.features).zip(places) {
            let value = row.get(usize::from(*feature)).copied().unwrap_or(0);
            *places = block.map(|cut| u8::from(value > cut));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(cuts: &Cuts, row: &[i32]) -> Answers {
        let mut answers = Answers::default();
        cuts.hold(row, &mut answers);
        answers
    }

    #[test]
    fn an_answer_is_one_from_the_first_value_above_its_cut() {
        let mut cuts = Cuts::default();
        cuts.push(&[]).unwrap();
        let many: Vec<i32> = (0..40).map(|i| i * 10).collect();
        cuts.push(&many).unwrap();
        cuts.push(&[i32::MIN, i32::MAX]).unwrap();
        assert_eq!((cuts.n_features(), cuts.len(), cuts.place(0, 0), cuts.place(1, 40)), (3, 42, None, None));
        for value in [i32::MIN, -1, 0, 1, 155, 390, 391, i32::MAX] {
            let answers = answers(&cuts, &[9, value, value]);
            for (bin, cut) in many.iter().enumerate() {
                let place = cuts.place(1, bin as u8).unwrap();
                assert_eq!(answers.at(place), u32::from(value > *cut), "{value} against {cut}");
            }
            assert_eq!(answers.at(cuts.place(2, 0).unwrap()), u32::from(value > i32::MIN));
            assert_eq!(answers.at(cuts.place(2, 1).unwrap()), 0, "nothing exceeds the largest number");
            assert!((0..LEAF_PLACES as u16).all(|place| answers.at(place) == 0));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut cuts = Cuts::default();
        assert_eq!(cuts.push(&[2, 2]), Err("cuts"));
        let many: Vec<i32> = (0..254).collect();
        let entered = (0..64).take_while(|_| cuts.push(&many).is_ok()).count();
        assert_eq!((entered, cuts.push(&many)), (31, Err("n_cuts")));
        let highest = cuts.place(30, 253).unwrap();
        assert_eq!(answers(&cuts, &[i32::MAX; 31]).at(highest), 1);
    }
}
