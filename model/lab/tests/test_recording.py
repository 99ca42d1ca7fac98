"""One short recording from start to manifest. Needs root and the lab's tools; skips without them.

    STREAMGUARD_LAB=1 python3 -m unittest discover -s model/lab/tests
"""
import csv
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

LAB = pathlib.Path(__file__).resolve().parent.parent
WORK = pathlib.Path(os.environ.get("STREAMGUARD_LAB_WORK") or LAB.parent / "work" / "lab")
SCENARIO = """
name = "short"
seed = 1
duration_s = 30
[network]
rtt_ms = [20, 20]
[[client]]
family = "vod_fixed"
proto = "h1"
spec = { script = [[20, "stop"]], ladder_kbps = [300], titles_s = [60] }
[[client]]
family = "telemetry"
proto = "h2"
[[client]]
family = "call_audio"
"""


def missing():
    if os.environ.get("STREAMGUARD_LAB") != "1":
        return "STREAMGUARD_LAB=1 is not set"
    if os.geteuid() != 0:
        return "not root"
    absent = [t for t in ("ip", "tcpdump", "dnsmasq", "zstd", "ethtool") if not shutil.which(t)]
    if absent or not (WORK / "traffic").exists():
        return f"run model/lab/deps.sh first (missing: {absent or 'the built traffic program'})"
    return None


@unittest.skipIf(missing(), missing())
class Recording(unittest.TestCase):
    def test_a_short_run_leaves_a_manifest_and_no_namespace(self):
        with tempfile.TemporaryDirectory() as folder:
            scenario = pathlib.Path(folder) / "short.toml"
            scenario.write_text(SCENARIO)
            environment = {**os.environ, "STREAMGUARD_LAB_PREFIX": "sgtest-"}
            command = [sys.executable, str(LAB / "run.py"), "--out", folder, str(scenario)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(pathlib.Path(folder) / "short" / "manifest.csv", encoding="utf-8") as rows:
                rows = list(csv.DictReader(rows))
            self.assertEqual({r["client"] for r in rows}, {f"192.168.77.{n}" for n in (11, 12, 13)})
            self.assertGreater(int(rows[0]["packets"]), 500)
            kept = pathlib.Path(folder) / "short" / "short.pcap.zst.seconds.zst"
            self.assertTrue(kept.exists() or "short: no seconds: " in done.stderr, done.stderr)
            self.assertNotIn(
                "sgtest-", subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
            )
            again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
            self.assertIn("recorded already", again.stdout)


if __name__ == "__main__":
    unittest.main()
