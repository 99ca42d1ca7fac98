"""The exporter's promises: the artefact decides as scikit-learn does, and the bytes come back as they went."""
import pathlib
import sys
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import artifact
import forest
import parity
from session import Settings, counted

RECIPE = {"cuts": 40, "leaf": 3, "leaves": 32, "depth": 9, "members": [("extra", 20, "all"), ("random", 10, "odd")]}
BOOST = {"cuts": 40, "columns": ["all", "odd"], "boost": {"max_iter": 30, "learning_rate": 0.1, "max_leaf_nodes": 12, "max_depth": 5,
                               "min_samples_leaf": 20, "l2_regularization": 5, "max_features": 0.5}}


def columns_of(which):
    return list(range(6)) if which == "all" else [1, 3, 5]


def example(seed=0, n=4000):
    rng = np.random.RandomState(seed)
    x = np.stack([rng.lognormal(8, 3, n), rng.randint(-1, 5, n), rng.randint(0, 1000, n), rng.lognormal(12, 4, n),
                  np.zeros(n), rng.randint(0, 3, n)], axis=1)
    x = np.minimum(x, 2**31 - 1).astype(np.int64).astype(np.int32)
    y = ((x[:, 0] > 3000) ^ (x[:, 2] > 500) ^ (rng.rand(n) < 0.1)).astype(np.int8)
    return x, y


class Voting(unittest.TestCase):
    RECIPE = RECIPE

    @classmethod
    def setUpClass(cls):
        x, y = example()
        cls.trained = forest.grow(x, y, np.ones(len(y)), cls.RECIPE, columns_of, 3)
        cls.flat = forest.flatten(cls.trained)

    def rows_at_cuts(self):
        """Rows whose every value is a cut point of its feature, or one beside it."""
        rng, rows = np.random.RandomState(1), np.zeros((3000, 6), np.int64)
        for j, cuts in enumerate(self.trained.cuts):
            rows[:, j] = rng.choice(cuts, len(rows)) + rng.randint(-1, 2, len(rows))
        return np.clip(rows, -2**31, 2**31 - 1).astype(np.int32)

    def test_each_tree_ends_in_the_leaf_scikit_learn_ends_in(self):
        for x in (example(9)[0], self.rows_at_cuts()):
            wrong, apart = parity.mismatches(self.trained, self.flat, x)
            self.assertEqual(wrong, 0)
            self.assertLess(apart, 1 / 64 if self.flat.link else 1 / 256)

    def test_the_artefact_reads_back_and_any_flipped_byte_is_noticed(self):
        session = Settings().params()
        data = artifact.pack(self.flat, 7, session, {"a": 1})
        flat, schema, read, summary = artifact.unpack(data)
        x = self.rows_at_cuts()
        np.testing.assert_array_equal(flat.walk(x), self.flat.walk(x))
        self.assertEqual((schema, read, summary), (7, session, {"a": 1}))
        for at in range(0, len(data) - 8, 97):
            bad = bytearray(data)
            bad[at] ^= 0x10
            self.assertRaises(artifact.ArtifactError, artifact.unpack, bytes(bad))

    def test_the_same_seed_gives_the_same_bytes(self):
        x, y = example()
        again = forest.flatten(forest.grow(x, y, np.ones(len(y)), self.RECIPE, columns_of, 3))
        self.assertEqual(artifact.pack(again, 7, {}, {}), artifact.pack(self.flat, 7, {}, {}))

    def test_no_walk_can_leave_its_tree(self):
        ends = [*self.flat.roots[1:], len(self.flat.nodes)]
        for root, end in zip(self.flat.roots, ends):
            for i, (_, bound, left) in enumerate(self.flat.nodes[root:end].tolist()):
                self.assertTrue(left == i if bound == forest.LEAF else i < left < end - root - 1)


class Boosted(Voting):
    RECIPE = BOOST

    def test_the_link_ascends_and_covers_the_scores(self):
        table = self.flat.link.table
        self.assertTrue((np.diff(table) >= 0).all())
        self.assertLess(table[0], 1_000)
        self.assertGreater(table[-1], 64_535)
        self.assertLess(len(table), 4096)


class Sessions(unittest.TestCase):
    def count(self, down, scores, **columns):
        n = len(down)
        column = lambda name, value: np.asarray(columns.get(name, np.full(n, value)))
        settings = Settings(steady_below_pm=120, steady_hold_ds=50, steady_hold_pm=1500, dead_pm=1000, dead_bridge_ds=300)
        return counted(settings.params(), np.arange(n), np.asarray(scores), np.asarray(down), column("packets", 3), column("bursts", 5),
                       column("period", 150), column("cv", 400))

    def test_silence_inside_the_allowance_is_watched_and_credit_reaches_the_first_evidence(self):
        down = [900_000, 0, 500_000, 0, 500_000, 0, 500_000] + [0] * 30
        on = self.count(down, [62_000 if d else 0 for d in down])
        self.assertEqual(on.tolist(), [True] * 20 + [False] * 17)

    def test_who_fetches_by_the_clock_is_missed_at_once(self):
        down = [900_000, 0, 500_000, 0, 500_000, 0, 500_000] + [0] * 30
        on = self.count(down, [62_000 if d else 0 for d in down], cv=np.full(len(down), 50))
        # 5 s + 1.5 · 15 s: two windows of the silence.
        self.assertEqual(on.tolist(), [True] * 9 + [False] * 28)

    def test_a_dead_silence_waits_and_is_watched_if_fetching_goes_on(self):
        # One dead window of ten seconds is no longer than the period of 15 s, two are.
        for silent, resumed in ((3, True), (4, False)):
            down = [500_000] * 12 + [0] * silent + [500_000] * 2
            on = self.count(down, [62_000 if d else 0 for d in down], packets=[9 if d else 0 for d in down])
            self.assertEqual(on.tolist(), [True] * 13 + [resumed] * (silent - 1) + [True] * 2)

    def test_no_evidence_is_never_watched(self):
        self.assertFalse(self.count([19_999] * 100, [65_535] * 100).any())

    def test_windows_that_look_like_something_else_end_a_session(self):
        on = self.count([500_000] * 40, [62_000] * 20 + [1_000] * 20)
        self.assertTrue(on[:20].all())
        self.assertFalse(on[24:].any())


if __name__ == "__main__":
    unittest.main()
