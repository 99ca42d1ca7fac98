"""The second opinion's training: whose rows are an attack's, and trees that vote as scikit-learn's do."""
import pathlib
import sys
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import threat  # noqa: E402
from artifact import pack, unpack  # noqa: E402


def sample(tool, label, x):
    out = threat.Sample.__new__(threat.Sample)
    out.capture, out.phase, out.x, out.label = threat.Capture(pathlib.Path(tool), tool, threat.CLASSES[label]), 0, x, label
    out.accused = np.ones(len(x), bool)
    return out


class Labels(unittest.TestCase):
    TEXT = "source,victim,start_s,found,a\n10.0.0.1,,0,,5\n10.0.0.2,,5,,7\n10.0.0.1,,5,port_scan,6\n0.0.0.0,10.9.9.9,5,,90\n0.0.0.0,10.9.9.8,5,,3\n10.0.0.1,,60,,8\n"

    def test_only_the_attackers_rows_while_it_attacks(self):
        rows = threat.Rows(self.TEXT, ["a"])
        mine = rows.of("10.0.0.1", 1, 9)
        self.assertEqual((rows.x[mine, 0].tolist(), rows.accused[mine].tolist()), ([5, 6], [False, True]))

    def test_where_sources_are_forged_the_victim_is_whom_most_reached(self):
        rows = threat.Rows(self.TEXT, ["a"])
        self.assertEqual(rows.x[rows.of("*", 1, 9), 0].tolist(), [90])

    def test_every_kind_of_the_laboratory_that_has_a_row_has_a_class(self):
        self.assertLessEqual(set(threat.CLASS_OF.values()), set(threat.CLASSES))


class Votes(unittest.TestCase):
    def setUp(self):
        rng = np.random.RandomState(0)
        of = lambda low: rng.randint(low, low + 60, (200, 5)).astype(np.int32)
        self.every = [sample("home", 0, of(0)), sample("nmap", 1, of(50)), sample("masscan", 1, of(55)), sample("iodine", 8, of(120))]
        self.trained = threat.grow(*threat.matrix(self.every, 1), 1)
        self.flat = threat.flatten(self.trained)

    def test_no_vote_differs_from_scikit_learns(self):
        self.assertEqual(threat.mismatches(self.trained, self.flat), 0)

    def test_the_artefact_holds_the_same_trees(self):
        flat, schema, classes, _ = unpack(pack(self.flat, 7, {"classes": threat.CLASSES}, {}))
        x = self.every[1].x
        self.assertEqual((schema, classes["classes"], flat.classes), (7, threat.CLASSES, 9))
        np.testing.assert_array_equal(flat.votes(x), self.flat.votes(x))

    def test_a_tool_is_judged_by_trees_that_saw_none_of_its_captures(self):
        found = threat.left_out(self.every, 1)
        self.assertEqual(found["iodine"]["votes"][:, 8].sum(), 0, "no other tool of its class")
        self.assertNotIn(8, found["iodine"]["known"])


if __name__ == "__main__":
    unittest.main()
