"""Where rows come from: the capture, else its seconds, else rows that were made once."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from dataset import SHIFTS
from extract import ExtractError, Extractor
from manifest import Client, Recording, read_manifest

# Two features; the rows tell by their bytes which file was read, and how.
PROGRAM = """#!/bin/sh
if [ "$1" = model ]; then printf 'bytes B\\narguments n\\nhash 00ff\\n'; exit; fi
printf 'client,start_s,bytes,arguments\\n10.0.0.2,0.000000,%s,%s\\n' "$(cat | wc -c)" $#
"""
HEAD = b"client,start_s,bytes,arguments\n"


@unittest.skipUnless(shutil.which("zstd"), "no zstd")
class Rows(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        program = self.folder / "streamguard"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        self.extractor = Extractor(program, self.folder / "cache")
        self.recording = Recording(
            self.folder / "a.pcap.zst", "a.pcap.zst", "lab", "a", 60, {"10.0.0.2": Client("10.0.0.2", "video", "hls", [])})

    def pack(self, name, content):
        subprocess.run(["zstd", "-q", "-f", "-o", self.folder / name], input=content, check=True)

    def row(self, shift):
        return self.extractor.rows(self.recording, shift)["10.0.0.2"].x.tolist()[0]

    def test_rows_that_were_kept_hold_for_their_shift(self):
        self.pack("a.pcap.zst.phase3.csv.zst", HEAD + b"10.0.0.2,0.0,7,8\n")
        self.assertEqual(self.row(3), [7, 8])
        with self.assertRaisesRegex(ExtractError, "a.pcap.zst: neither the capture"):
            self.row(5)

    def test_seconds_go_before_rows_and_settle_who_is_a_client(self):
        self.pack("a.pcap.zst.phase3.csv.zst", HEAD + b"10.0.0.2,0.0,7,8\n")
        self.pack("a.pcap.zst.seconds.zst", b"12345")
        # features --phase 3 -- -
        self.assertEqual(self.row(3), [5, 5])

    def test_a_capture_goes_before_its_seconds(self):
        self.pack("a.pcap.zst.seconds.zst", b"12345")
        self.pack("a.pcap.zst", b"123")
        # features --phase 3 --identify ip -- -
        self.assertEqual(self.row(3), [3, 7])

    def test_rows_of_another_schema_are_refused(self):
        self.pack("a.pcap.zst.phase0.csv.zst", b"client,start_s,bytes,others\n")
        with self.assertRaises(ExtractError):
            self.row(0)

    def test_rows_are_made_once(self):
        self.pack("a.pcap.zst.seconds.zst", b"12345")
        first = self.row(0)
        (self.folder / "streamguard").unlink()
        np.testing.assert_array_equal(self.row(0), first)


class Corpus(unittest.TestCase):
    def test_every_recording_is_there_at_every_shift_and_all_have_room_in_the_repository(self):
        corpus = pathlib.Path(__file__).parents[2] / "corpus"
        manifests = sorted(corpus.glob("*/manifest.csv"))
        self.assertGreaterEqual(len(manifests), 16)
        for manifest in manifests:
            for recording in read_manifest(manifest):
                for shift in SHIFTS:
                    self.assertTrue(Extractor.kept(recording, shift).is_relative_to(corpus))
        self.assertLessEqual(sum(file.stat().st_size for file in corpus.rglob("*")), 20 << 20)


if __name__ == "__main__":
    unittest.main()
