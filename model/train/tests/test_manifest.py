"""The manifest reader: what it accepts, what it says, and that no bytes bring it down."""
import pathlib
import random
import tempfile
import unittest

from manifest import BadManifest, read_manifest

HEADER = "file,source,group,client,label,start_s,end_s,label_basis,duration_s,truth,licence,notes\n"
GOOD = HEADER + (
    "a.pcap,own,a,192.168.1.2,streaming,0,60,player,120,,,class=video;family=hls\n"
    "a.pcap,own,a,192.168.1.2,other,60,120,player,120,,,class=video;family=hls\n"
    "b.pcap,own,b,,other,0,30,all,30,,,class=idle\n"
)


class Reading(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name, "manifest.csv")

    def read(self, content):
        self.path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_manifest(self.path)

    def test_a_good_one(self):
        first, second = self.read(GOOD)
        self.assertEqual(first.clients["192.168.1.2"].watched_s, 60)
        self.assertEqual(first.clients["192.168.1.2"].family, "hls")
        self.assertTrue(second.anyone)

    def test_mistakes_are_named_with_file_and_line(self):
        for wrong, right, said in [
            ("0,60", "zero,60", ":2: start_s is 'zero'"),
            ("60,120", "60,inf", ":3: end_s is 'inf'"),
            ("60,120", "120,60", ":3: ends at 60.0 before"),
            ("192.168.1.2,other", "tablet,other", ":3: client is 'tablet'"),
            ("b.pcap,own,b,,other,0,30,all,30,,,class=idle", "b.pcap,own", ":4: no group"),
            ("label,", "lable,", "names no column label"),
        ]:
            with self.subTest(said), self.assertRaises(BadManifest) as caught:
                self.read(GOOD.replace(wrong, right, 1))
            self.assertIn(said, str(caught.exception))
            self.assertIn("manifest.csv", str(caught.exception))

    def test_a_missing_file_is_a_bad_manifest(self):
        with self.assertRaises(BadManifest):
            read_manifest(self.path.with_name("none.csv"))

    def test_no_bytes_bring_it_down(self):
        chance = random.Random(7)
        refused = 0
        for _ in range(1000):
            content = bytearray(GOOD.encode())
            for _ in range(chance.randint(1, 8)):
                at = chance.randrange(len(content))
                match chance.randrange(3):
                    case 0:
                        content[at] = chance.randrange(256)
                    case 1:
                        del content[at:at + chance.randrange(40)]
                    case _:
                        content[at:at] = chance.choice([b",", b'"', b"\n", b"\0", b"\xff", b"nan", b"-1", b"1e999"])
                if not content:
                    break
            try:
                self.read(bytes(content))
            except BadManifest as error:
                refused += 1
                self.assertIn("manifest.csv", str(error))
        self.assertGreater(refused, 200)


if __name__ == "__main__":
    unittest.main()
