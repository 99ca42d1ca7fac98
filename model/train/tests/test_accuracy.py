"""What docs/accuracy.md is made of: baselines, beginnings, spread."""
import pathlib
import struct
import sys
import tempfile
import types
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import baselines
import evaluate
import train
from manifest import Client
from session import Settings

NAMES = ["down_bytes", "down_packets", "bursts_120", "burst_period", "burst_period_cv"]


def sample(down, intervals):
    """A client with these received bytes in windows of ten seconds from 0."""
    x = np.array([[d, d // 1000, 5, 100, 400] for d in down], np.int64)
    rows = types.SimpleNamespace(start_s=10.0 * np.arange(len(down)), x=x)
    recording = types.SimpleNamespace(duration_s=10.0 * len(down))
    return types.SimpleNamespace(rows=rows, recording=recording, client=Client("192.0.2.1", "vod", "vod", intervals))


def capture(order, packets):
    """A pcap of Ethernet frames: (seconds, IPv4 packet)."""
    text = struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for at, packet in packets:
        frame = bytes(12) + b"\x08\x00" + packet
        text += struct.pack(order + "IIII", int(at), round(at % 1 * 1e6), len(frame), len(frame)) + frame
    return text


def ipv4(src, dst, proto, payload):
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 57, proto, 0, bytes(src), bytes(dst)) + payload


class Baselines(unittest.TestCase):
    def test_three_windows_begin_and_three_end(self):
        self.assertEqual(baselines.hysteresis([1, 1, 1, 1, 0, 0, 0, 0]), 40)
        self.assertEqual(baselines.hysteresis([1, 1, 0, 1, 1, 0]), 0)

    def test_the_throughput_rule_counts_a_steady_stream_and_not_a_trickle(self):
        self.assertEqual(baselines.throughput(sample([2_000_000] * 30, []), NAMES), 300)
        self.assertEqual(baselines.throughput(sample([20_000] * 30, []), NAMES), 0)

    def test_packets_of_both_byte_orders_read_the_same(self):
        udp = ipv4([192, 0, 2, 1], [198, 51, 100, 7], 17, struct.pack(">HHHH", 5000, 443, 12, 0) + bytes(4))
        tcp = ipv4([198, 51, 100, 7], [192, 0, 2, 1], 6, struct.pack(">HHIIHHHH", 443, 5001, 1, 0xFEDCBA98, 0x5010, 0, 0, 0))
        for order in "<>":
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder, "a.pcap")
                path.write_bytes(capture(order, [(1.5, udp), (2.25, tcp), (3.0, b"\x60" + bytes(40))]))
                stamp, src, dst, length, ttl, ack, sport, dport = baselines.packets(path)
            self.assertEqual(stamp.tolist(), [1.5, 2.25])
            self.assertEqual((src.tolist()[0], dst.tolist()[1]), (0xC0000201, 0xC0000201))
            self.assertEqual((length.tolist(), ttl.tolist(), ack.tolist()), ([32, 40], [57, 57], [-1, 0xFEDCBA98]))
            self.assertEqual((sport.tolist(), dport.tolist()), ([5000, -1], [443, -1]))

    def test_a_window_needs_two_packets_each_way(self):
        there, back = [ipv4(a, b, 17, struct.pack(">HHHH", 1, 2, 8, 0)) for a, b in (([192, 0, 2, 1], [198, 51, 100, 7]), ([198, 51, 100, 7], [192, 0, 2, 1]))]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "a.pcap")
            path.write_bytes(capture("<", [(0, there), (1, back), (2, there), (3, back), (11, there), (12, back), (13, back)]))
            starts, rows = baselines.ten_columns(baselines.packets(path), "192.0.2.1")
        self.assertEqual((starts.tolist(), rows.shape), ([0.0], (1, 10)))
        self.assertEqual((rows[0, 5], rows[0, 6], rows[0, 9]), (28, 57, 1))


class Beginnings(unittest.TestCase):
    def test_a_session_is_told_a_second_after_the_window_that_decides(self):
        watched = sample([0, 0] + [500_000] * 10, [(0, 25, "other"), (25, 120, "streaming")])
        params = Settings(temper=1.0, on=(4.0, 3.0, 2.0)).params()
        # Each window adds the most, 2; the belief begins at -1: on with the second, which ends at 40 s.
        self.assertEqual(evaluate.begun_after(watched, np.full(12, 65_535), params, NAMES), 16)
        self.assertIsNone(evaluate.begun_after(watched, np.zeros(12, np.int64), params, NAMES))


class Spread(unittest.TestCase):
    def test_fifths_by_weight(self):
        x = np.stack([np.arange(100), np.zeros(100)], axis=1).astype(np.int32)
        even, constant = train.spread(x, np.ones(100))
        self.assertEqual(even, {"bounds": [19, 39, 59, 79], "shares_pm": [200] * 5})
        self.assertEqual(constant, {"bounds": [0] * 4, "shares_pm": [1000, 0, 0, 0, 0]})
        heavy, _ = train.spread(x, np.where(np.arange(100) < 50, 4.0, 1.0))
        self.assertEqual(heavy["bounds"], [12, 24, 37, 49])


if __name__ == "__main__":
    unittest.main()
