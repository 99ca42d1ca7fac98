"""What is kept of a recording: with a program that says what it was asked, and with zstd."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import keep

# Says how it was called, and what it was given.
PROGRAM = '#!/bin/sh\necho "seconds of $*"\ncat\n'
BROKEN = "#!/bin/sh\ncat >/dev/null\necho 'line 7: not a capture' >&2\nexit 2\n"


@unittest.skipUnless(shutil.which("zstd"), "no zstd")
class Keeping(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.capture = pathlib.Path(folder.name, "short.pcap.zst")
        subprocess.run(["zstd", "-q", "--long=27", "-o", self.capture], input=b"packets\n", check=True)

    def program(self, text):
        place = self.capture.with_name("streamguard")
        place.write_text(text)
        place.chmod(0o755)
        return place

    def test_the_seconds_stand_packed_beside_the_capture(self):
        place = keep.keep_seconds(self.program(PROGRAM), self.capture)
        self.assertEqual(place.name, "short.pcap.zst.seconds.zst")
        said = subprocess.run(["zstd", "-dcq", place], check=True, capture_output=True).stdout
        self.assertEqual(said, b"seconds of features --identify ip --of seconds -- -\npackets\n")

    def test_a_program_that_fails_leaves_nothing(self):
        with self.assertRaisesRegex(keep.KeepError, "short.pcap.zst: line 7: not a capture"):
            keep.keep_seconds(self.program(BROKEN), self.capture)
        self.assertFalse(keep.seconds_of(self.capture).exists())

    def test_a_capture_that_does_not_unpack_leaves_nothing(self):
        self.capture.write_bytes(self.capture.read_bytes()[:-6])
        with self.assertRaises(keep.KeepError):
            keep.keep_seconds(self.program(PROGRAM), self.capture)
        self.assertFalse(keep.seconds_of(self.capture).exists())


if __name__ == "__main__":
    unittest.main()
