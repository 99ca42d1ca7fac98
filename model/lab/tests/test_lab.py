"""Claims about the parts of the lab that need no network: scenarios, plans, labels, the trimmer.

    python3 -m unittest discover -s model/lab/tests
"""
import collections
import glob
import io
import json
import pathlib
import random
import struct
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import families  # noqa: E402
import labels  # noqa: E402
import players  # noqa: E402
import scenario  # noqa: E402
import trim  # noqa: E402
import viewing  # noqa: E402
import world  # noqa: E402


def write(text):
    file = tempfile.NamedTemporaryFile("w", suffix=".toml", delete=False)
    file.write(text)
    file.close()
    return file.name


class Scenarios(unittest.TestCase):
    def test_every_shipped_scenario_loads(self):
        files = glob.glob(str(HERE.parent / "scenarios" / "*.toml"))
        self.assertTrue(files)
        for file in files:
            self.assertGreater(len(scenario.load(file).clients), 0, file)

    def test_all_faults_are_reported_at_once(self):
        path = write(
            'name = 7\nseed = 1\nduration_s = 5\nspeed = 1\n[[client]]\nfamily = "flying"\n'
            '[[client]]\nplayer = "mpv"\nscript = [[9, "stop"], [3, "start"]]\n'
        )
        with self.assertRaises(scenario.ScenarioError) as caught:
            scenario.load(path)
        text = str(caught.exception)
        for word in (
            "unknown key speed",
            "name: str wanted",
            "20 to 7200",
            "unknown family flying",
            "goes back in time",
        ):
            self.assertIn(word, text)

    def test_clients_are_the_same_for_the_same_seed(self):
        path = write('name = "a"\nseed = 4\nduration_s = 60\n[[client]]\nfamily = "vod"\ncount = 3\n')
        self.assertEqual(scenario.load(path), scenario.load(path))
        self.assertEqual(
            [c.address for c in scenario.load(path).clients], ["192.168.77.11", "192.168.77.12", "192.168.77.13"]
        )

    def test_an_ipv6_house_has_ipv6_servers_and_no_tunnel(self):
        house = 'name = "six"\nseed = 4\nduration_s = 60\nlan = "fd42:7::/64"\n[[client]]\nfamily = "vod"\n'
        one = scenario.load(write(house))
        self.assertEqual((one.router, one.clients[0].address), ("fd42:7::1", "fd42:7::b"))
        self.assertTrue(all(":" in a for a in world.servers(one.lan.version)))
        with self.assertRaisesRegex(scenario.ScenarioError, "only on an IPv4"):
            scenario.load(write(house + "vpn = true\n"))

    def test_who_only_listens_or_fetches_is_no_viewer(self):
        path = write(
            'name = "a"\nseed = 4\nduration_s = 60\n'
            '[[client]]\nplayer = "mpv"\npage = "audio"\nkbps = 96\npacking = "fmp4"\nproto = "h1"\n'
            '[[client]]\nplayer = "curl"\npage = "files"\nproto = "h2"\n'
        )
        house, net = scenario.load(path), world.World(4)
        with tempfile.TemporaryDirectory() as folder:
            made = [
                players.KINDS[c.player](house, c, pathlib.Path(folder), pathlib.Path(folder), net)
                for c in house.clients
            ]
            for one in made:
                one.log.close()
        self.assertEqual([one.cls for one in made], ["audio", "download"])
        self.assertFalse({one.cls for one in made} & families.STREAMING)
        self.assertEqual([s[1] for s in made[0].script], ["start"])
        self.assertEqual((made[0].kbps, made[0].packing), (96, "fmp4"))

    def test_what_runs_beside_a_client_is_a_family_and_no_word_in_its_labels_but_the_notes(self):
        house = 'name = "two"\nseed = 4\nduration_s = 60\n[[client]]\nplayer = "mpv"\nproto = "h1"\nbeside = '
        one = scenario.load(write(house + '"datagrams"\n')).clients[0]
        self.assertEqual(labels.remarks(one, "hls", "", ""), "class=hls; family=mpv; mpv h1 beside datagrams")
        with self.assertRaisesRegex(scenario.ScenarioError, "unknown family mpv beside"):
            scenario.load(write(house + '"mpv"\n'))

    def test_plain_datagrams_keep_one_rate_for_the_whole_run(self):
        for seed in range(20):
            (one,) = families.plan("datagrams", random.Random(seed), world.World(seed), "h2", 600, odds=0)["activities"]
            (flow,) = one["spec"]["down"]
            kbps = flow["kbps"] if flow["kind"] == "picture" else flow["size"][0] * 8 / flow["period_ms"]
            self.assertTrue(199 < kbps < 2001, kbps)
            self.assertEqual(one["spec"]["call_s"], [600, 600])

    def test_text_that_is_no_toml_names_the_file(self):
        path = write("name = [")
        with self.assertRaisesRegex(scenario.ScenarioError, path):
            scenario.load(path)


class Plans(unittest.TestCase):
    def test_every_family_fills_its_time_and_is_deterministic(self):
        for name in families.FAMILIES:
            for seed in range(5):
                first = families.plan(name, random.Random(seed), world.World(seed), "h2", 900)
                again = families.plan(name, random.Random(seed), world.World(seed), "h2", 900)
                self.assertEqual(first, again, name)
                total = sum(a["duration_s"] for a in first["activities"])
                self.assertTrue(838 < total < 962, (name, total))
                json.dumps(first)

    def test_scripts_end_with_stop_and_never_go_back(self):
        for seed in range(200):
            rng = random.Random(seed)
            for steps in (viewing.user_script(rng, 600), players.viewer_script(rng, 900)):
                times = [s[0] for s in steps]
                self.assertEqual(times, sorted(times))

    def test_a_tunnel_renames_classes(self):
        plan = {"activities": [{"class": "vod"}, {"class": "web"}]}
        families.rename_tunnelled(plan, True)
        self.assertEqual([a["class"] for a in plan["activities"]], ["vpn_video", "vpn_other"])

    def test_fixed_names_keep_their_address_to_themselves(self):
        one = world.World(1, {"a.example": "203.0.113.12"})
        self.assertEqual(one.hosts["a.example"], "203.0.113.12")
        self.assertFalse(any("203.0.113.12" in pool for pool in one.pool.values()))

    def test_line_table_has_a_row_per_client_and_server(self):
        rows = world.line_table(1, ["10.0.0.11"], {"rtt_ms": [40, 40]}).splitlines()
        self.assertEqual(len(rows), 1 + len(world.servers()))
        self.assertIn("rtt_ms 40 ", rows[0])


def state(t, what, cls="vod"):
    return {"t": t, "event": "state", "class": cls, "state": what}


class Labels(unittest.TestCase):
    def test_buffering_is_unknown_and_pauses_are_other(self):
        events = [
            {"t": 10, "event": "begin", "class": "vod"},
            state(11, "buffering"),
            *[state(12 + i, "playing") for i in range(5)],
            *[state(17 + i, "paused") for i in range(3)],
            *[state(20 + i, "playing") for i in range(5)],
            state(25, "stopped"),
            {"t": 26, "event": "finish", "class": "vod"},
        ]
        spans = [s[:3] for s in labels.intervals(events, 0, 40) if s[0]]
        self.assertEqual(
            spans,
            [
                ("other", 0, 10),
                ("other", 10, 11),
                ("streaming", 12, 17),
                ("other", 17, 20),
                ("streaming", 20, 25),
                ("other", 25, 40),
            ],
        )

    def test_a_player_that_falls_silent_is_unknown(self):
        spans = labels.intervals([state(1, "playing"), state(2, "playing"), state(60, "stopped")], 0, 70)
        self.assertEqual(
            [(s[0], s[1], s[2]) for s in spans],
            [("other", 0, 1), ("streaming", 1, 3.0), (None, 3.0, 60), ("other", 60, 70)],
        )

    def test_audio_players_are_never_streaming(self):
        events = [{"t": 0, "event": "begin", "class": "audio"}] + [state(t, "playing", "audio") for t in range(1, 20)]
        self.assertEqual({s[0] for s in labels.intervals(events, 0, 20)}, {"other"})

    def test_manifest_has_the_columns_of_the_capture_library(self):
        client = scenario.Client(1, "192.168.77.11", "", "vod", {"proto": "h1", "family": "vod"})
        house = collections.namedtuple("House", "name clients")("run9", [client])
        rows = labels.rows(
            house, "run9.pcap.zst", (100.0, 5, 900, 30.0), {"c1": [state(101 + i, "playing") for i in range(10)]}
        )
        self.assertEqual(set(rows[0]), set(labels.COLUMNS))
        self.assertEqual(
            [(r["label"], r["start_s"], r["end_s"]) for r in rows],
            [("other", "0.000", "1.000"), ("streaming", "1.000", "11.000")],
        )
        self.assertTrue(all(r["notes"].startswith("class=vod; family=vod") for r in rows))

    def test_half_written_reports_are_skipped(self):
        path = write('{"t": 1, "event": "end"}\n{"t": 2, "eve')
        self.assertEqual([e["t"] for e in labels.read_events(path)], [1.0])


def frame(proto, ports, payload, options=b""):
    if proto == 6:
        l4 = struct.pack(">HHIIBBHHH", *ports, 1, 2, (20 + len(options)) // 4 << 4, 0x18, 1000, 0, 0) + options
    else:
        l4 = struct.pack(">HHHH", *ports, 8 + len(payload), 0)
    ip = struct.pack(
        ">BBHHHBBH4s4s",
        0x45,
        0,
        20 + len(l4) + len(payload),
        7,
        0,
        64,
        proto,
        0,
        b"\xc0\xa8\x4d\x0b",
        b"\xcb\x00\x71\x0a",
    )
    return b"\0" * 12 + b"\x08\x00" + ip + l4 + payload


def pcap(frames):
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for i, data in enumerate(frames):
        out += struct.pack("<IIII", 100 + i, 5, len(data), len(data)) + data
    return out


def records(data):
    at, out = 24, []
    while at < len(data):
        _, _, size, wire = struct.unpack("<IIII", data[at : at + 16])
        out.append((size, wire, data[at + 16 : at + 16 + size]))
        at += 16 + size
    return out


def trimmed(frames, keep):
    out = io.BytesIO()
    shape = trim.trim(io.BytesIO(pcap(frames)), out, keep)
    return shape, records(out.getvalue())


class Trimmer(unittest.TestCase):
    hello = b"\x16\x03\x01" + struct.pack(">H", 1800) + b"\x01" + b"h" * 1000

    def test_headers_only_keeps_true_lengths(self):
        frames = [frame(6, (40000, 443), b"x" * 900, b"\1" * 12), frame(17, (40000, 443), b"y" * 700)]
        shape, out = trimmed(frames, "headers")
        self.assertEqual([(s, w) for s, w, _ in out], [(14 + 20 + 32, len(frames[0])), (14 + 20 + 8, len(frames[1]))])
        self.assertEqual(shape, trim.Shape(100.000005, 2, 52 + 900 + 28 + 700, 1.0))

    def test_names_keeps_dns_hellos_and_initials_whole(self):
        frames = [
            frame(17, (53, 40000), b"d" * 80),
            frame(6, (40000, 443), self.hello),
            frame(6, (40000, 443), b"h" * 805),
            frame(6, (40000, 443), b"data" * 50),
            frame(17, (40000, 443), b"\xc3\0\0\0\1" + b"i" * 1200),
            frame(17, (40000, 443), b"\x43" + b"s" * 1200),
            frame(17, (443, 40000), b"\xc3\0\0\0\1" + b"i" * 1200),
        ]
        _, out = trimmed(frames, "names")
        self.assertEqual([size == wire for size, wire, _ in out], [True, True, True, False, True, False, False])

    def test_bytes_are_never_changed(self):
        frames = [
            frame(6, (40000, 443), self.hello),
            frame(17, (5000, 5001), b"z" * 99),
            b"\0" * 12 + b"\x08\x06" + b"a" * 28,
            b"\0" * 9,
        ]
        for keep in ("headers", "names"):
            for (size, _, data), original in zip(trimmed(frames, keep)[1], frames):
                self.assertEqual(data, original[:size])

    def test_ipv6_is_cut_after_its_transport_header_and_icmp_stays_whole(self):
        def six(proto, rest):
            return b"\0" * 12 + b"\x86\xdd" + struct.pack(">IHBB", 6 << 28, len(rest), proto, 64) + b"\x20" * 32 + rest

        _, out = trimmed(
            [six(17, struct.pack(">HHHH", 9, 443, 508, 0) + b"u" * 500), six(58, b"\x86" + b"r" * 60)], "headers"
        )
        self.assertEqual([(s, w) for s, w, _ in out], [(14 + 40 + 8, 14 + 40 + 508), (14 + 40 + 61, 14 + 40 + 61)])

    def test_a_torn_last_record_is_dropped(self):
        data = pcap([frame(17, (1, 2), b"q" * 10)] * 3)[:-4]
        self.assertEqual(trim.trim(io.BytesIO(data), io.BytesIO()).packets, 2)

    def test_what_is_no_pcap_is_refused(self):
        for junk in (b"", b"\n\r\r\n" + b"\0" * 60, b"GIF89a" + b"\0" * 60, pcap([])):
            with self.assertRaises(trim.NotPcap):
                trim.trim(io.BytesIO(junk), io.BytesIO())


if __name__ == "__main__":
    unittest.main()
