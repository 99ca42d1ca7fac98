#!/usr/bin/env python3
"""Makes the videos the real players watch: ladders of generated titles.

Each title is a chain of scenes (test patterns, fractals, noise, stills) whose
weights differ, so that the bit rate moves as it does in films; several
renditions of it are encoded once and then only copied into playlists of any
segment length. Titles are cached in the work folder and never committed.
"""
import pathlib
import random
import subprocess
import sys

TITLES = {
    "m0": {"rates": [(150, 320, 180), (400, 426, 240), (900, 640, 360)], "audio": 48},
    "m1": {"rates": [(250, 320, 180), (700, 426, 240), (1600, 640, 360)], "audio": 96},
    "m2": {"rates": [(350, 426, 240), (1000, 640, 360), (2400, 640, 360)], "audio": 128},
    "m3": {"rates": [(100, 256, 144), (220, 320, 180), (500, 426, 240)], "audio": 32},
    "m4": {"rates": [(300, 320, 180), (600, 426, 240), (1200, 640, 360), (3000, 640, 360)], "audio": 64},
    "m5": {"rates": [(180, 320, 180), (520, 426, 240), (1400, 640, 360)], "audio": 96},
}
SOURCE_S, PLAY_S, FPS = 100, 900, 24
# what audio players ask for
SOUND_KBPS = (48, 64, 96, 128, 160, 192, 256, 320)
SONGS = 12


def scenes(title):
    """ffmpeg's filter graph of a title: its scenes, joined."""
    rng = random.Random(f"media/{title}")
    parts, left = [], float(SOURCE_S)
    while left > 0:
        length = min(left, rng.uniform(3, 14))
        left -= length
        kind = rng.choice(("testsrc2", "mandelbrot", "life", "gradients", "smptebars", "cellauto"))
        size = "640x360"
        source = {
            "testsrc2": f"testsrc2=s={size}:r={FPS}",
            "mandelbrot": f"mandelbrot=s=320x180:r={FPS}:start_scale={rng.uniform(.5, 3):.2f}",
            "life": f"life=s=160x90:r={FPS}:mold=10:ratio={rng.uniform(.1, .4):.2f}",
            "gradients": f"gradients=s=320x180:r={FPS}:speed={rng.uniform(.001, .05):.3f}",
            "smptebars": f"smptebars=s={size}:r={FPS}",
            "cellauto": f"cellauto=s=320x180:r={FPS}:rule={rng.choice((18, 30, 90, 110))}",
        }[kind]
        noise = rng.choice((0, 0, 4, 10, 25))
        filters = f",noise=alls={noise}:allf=t" if noise else ""
        shape = "scale=640:360,setsar=1,format=yuv420p"
        parts.append(f"{source},trim=duration={length:.2f},{shape}{filters},setpts=PTS-STARTPTS[s{len(parts)}]")
    joined = "".join(f"[s{i}]" for i in range(len(parts)))
    return ";".join(parts) + f";{joined}concat=n={len(parts)}:v=1:a=0"


def ffmpeg(*words):
    subprocess.run(["nice", "ffmpeg", "-v", "error", "-y", *map(str, words)], check=True)


def encode(work, title):
    """The renditions of a title as MP4 files; kept from an earlier call."""
    out = work / "src"
    out.mkdir(parents=True, exist_ok=True)
    spec = TITLES[title]
    files = [out / f"{title}-{i}.mp4" for i in range(len(spec["rates"]))]
    if all(f.exists() for f in files):
        return files
    count = len(files)
    graph = scenes(title) + f",split={count}" + "".join(f"[v{i}]" for i in range(count))
    for i, (_, width, height) in enumerate(spec["rates"]):
        graph += f";[v{i}]scale={width}:{height}[o{i}]"
    sound = f"anoisesrc=a=0.2:r=44100:d={SOURCE_S},lowpass=2500,tremolo=f=0.3"
    words = ["-filter_complex_threads", 1, "-f", "lavfi", "-i", sound, "-filter_complex", graph]
    for i, (kbps, _, _) in enumerate(spec["rates"]):
        picture = f"-c:v libx264 -preset ultrafast -g {FPS} -keyint_min {FPS} -sc_threshold 0 -threads 1"
        rate = f"-b:v {kbps}k -maxrate {int(kbps * 1.8)}k -bufsize {kbps * 4}k"
        rest = f"-c:a aac -b:a {spec['audio']}k -t {SOURCE_S} -movflags +faststart"
        words += ["-map", f"[o{i}]", "-map", "0:a", *f"{picture} {rate} {rest}".split(), f"{files[i]}.part.mp4"]
    ffmpeg(*words)
    for f in files:
        pathlib.Path(f"{f}.part.mp4").rename(f)
    return files


def hls(work, title, segment_s):
    """HLS renditions and the master playlist; returns its path under the web root."""
    root = work / "www" / "hls" / f"{title}-{segment_s}"
    if (root / "master.m3u8").exists():
        return f"hls/{title}-{segment_s}/master.m3u8"
    master = "#EXTM3U\n"
    audio = TITLES[title]["audio"]
    for i, file in enumerate(encode(work, title)):
        folder = root / f"v{i}"
        folder.mkdir(parents=True, exist_ok=True)
        cut = f"-t {PLAY_S} -c copy -f hls -hls_time {segment_s} -hls_playlist_type vod -hls_segment_filename".split()
        ffmpeg("-stream_loop", -1, "-i", file, *cut, folder / "s%04d.ts", folder / "index.m3u8")
        kbps, width, height = TITLES[title]["rates"][i]
        peak, mean = int(kbps * 1.5 + audio) * 1000, (kbps + audio) * 1000
        master += f"#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={mean},RESOLUTION={width}x{height}\n"
        master += f"v{i}/index.m3u8\n"
    (root / "master.m3u8").write_text(master)
    return f"hls/{title}-{segment_s}/master.m3u8"


def dash(work, title, segment_s):
    """A DASH presentation with separate audio; returns its path under the web root."""
    root = work / "www" / "dash" / f"{title}-{segment_s}"
    if (root / "done").exists():
        return f"dash/{title}-{segment_s}/index.mpd"
    root.mkdir(parents=True, exist_ok=True)
    files, words = encode(work, title), []
    for file in files:
        words += ["-stream_loop", -1, "-i", file]
    for i in range(len(files)):
        words += ["-map", f"{i}:v"]
    words += f"-map 0:a -t {PLAY_S} -c copy -f dash -seg_duration {segment_s} -use_template 1 -use_timeline 1".split()
    ffmpeg(*words, "-adaptation_sets", "id=0,streams=v id=1,streams=a", root / "index.mpd")
    (root / "done").write_text("")
    return f"dash/{title}-{segment_s}/index.mpd"


def progressive(work, title, level):
    """One long MP4; returns its path under the web root."""
    root = work / "www" / "mp4"
    root.mkdir(parents=True, exist_ok=True)
    out = root / f"{title}-{level}.mp4"
    if not out.exists():
        source = encode(work, title)[level]
        part = root / f"{title}-{level}.part.mp4"
        ffmpeg("-stream_loop", -1, "-i", source, "-t", PLAY_S, "-c", "copy", "-movflags", "+faststart", part)
        part.rename(out)
    return f"mp4/{title}-{level}.mp4"


def sound(work, kbps, segment_s, packing="mpegts"):
    """Audio alone as HLS, in MPEG transport streams or fragmented MP4; returns its path under the web root."""
    name = f"sound/a{kbps}-{segment_s}-{packing}"
    root = work / "www" / name
    if not (root / "index.m3u8").exists():
        root.mkdir(parents=True, exist_ok=True)
        tail = "m4s" if packing == "fmp4" else "ts"
        words = f"-t {PLAY_S} -c copy -f hls -hls_segment_type {packing} -hls_time {segment_s} -hls_playlist_type vod".split()
        names = ["-hls_segment_filename", root / f"a%04d.{tail}", root / "part.m3u8"]
        ffmpeg("-stream_loop", -1, "-i", spoken(work, kbps), *words, *names)
        (root / "part.m3u8").rename(root / "index.m3u8")
    return f"{name}/index.m3u8"


def spoken(work, kbps):
    """Generated sound of one bit rate."""
    out = work / "src" / f"a{kbps}.m4a"
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        noise = f"anoisesrc=a=0.3:r=44100:d={SOURCE_S}:seed={kbps},lowpass=9000,tremolo=f=0.2"
        part = out.with_suffix(".part.m4a")
        ffmpeg("-f", "lavfi", "-i", noise, "-ac", 2, "-c:a", "aac", "-b:a", f"{kbps}k", part)
        part.rename(out)
    return out


def song(work, kbps, number):
    """One song as a file, 2 to 6 minutes long; returns its path under the web root."""
    name = f"sound/song{number}-{kbps}.m4a"
    out = work / "www" / name
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        length = random.Random(f"song/{number}").randint(120, 360)
        part = out.with_suffix(".part.m4a")
        source = ["-stream_loop", -1, "-i", spoken(work, kbps)]
        ffmpeg(*source, "-t", length, "-c", "copy", "-movflags", "+faststart", part)
        part.rename(out)
    return name


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or TITLES:
        encode(target, name)
        print("media:", name, "ready", flush=True)
