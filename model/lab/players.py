"""Real programs in a client's namespace: Chromium, mpv, ffmpeg, curl.

Each is a thread that starts the program, carries out the viewer's script, and
writes the same reports as a light client does (see labels.py). Pictures are
not drawn (no GPU, null outputs); the network side is the players' own.
"""
import base64
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

import media
import net

SURF_PAGES = 40
# what the parts of a generated site are multiplied by
WEIGHTS = {"light": 0.4, "medium": 1.0, "heavy": 2.5}
BUFFERS_S = (10, 20, 30, 30, 60, 90)
NICE = ["nice", "-n", "5"]
CHROMIUM = """chromium --headless=new --no-sandbox --disable-gpu --mute-audio --no-first-run --disable-sync
    --disable-background-networking --disable-component-update --disable-extensions --disable-dev-shm-usage
    --autoplay-policy=no-user-gesture-required --ignore-certificate-errors --enable-logging=stderr --v=0
    --window-size=400,300""".split()
# the picture is not decoded, but its bytes are fetched: streams are muxed
MPV = """mpv --no-config --tls-verify=no --vid=no --ao=null --cache=yes --really-quiet
    --demuxer-max-bytes=40MiB""".split()
FFMPEG = "ffmpeg -nostdin -v error -tls_verify 0 -re".split()


def viewer_script(rng, duration):
    """Sittings of a viewer in front of a real player: [[at, action, argument], ...]."""
    at, steps = rng.uniform(3, 40), []
    while at < duration - 60:
        length = min(duration - at, rng.choice((rng.uniform(60, 150), rng.uniform(150, 400), rng.uniform(300, 900))))
        steps.append([round(at, 1), "start"])
        inner = at + rng.uniform(30, 150)
        while inner < at + length - 40:
            if rng.random() < 0.5:
                rest = rng.choice((rng.uniform(10, 40), rng.uniform(60, 120)))
                steps.append([round(inner, 1), "pause"])
                if inner + rest > at + length - 15:
                    break
                steps.append([round(inner + rest, 1), "resume"])
                inner += rest
            else:
                steps.append([round(inner, 1), "seek", rng.choice((-30, 10, 30, 90))])
            inner += rng.uniform(60, 240)
        at += length
        if at < duration - 5:
            steps.append([round(at, 1), "stop"])
        at += rng.uniform(61, 160)
    return steps


class RealPlayer(threading.Thread):
    """What the three have in common: settings drawn from the seed, a log, a script."""

    def __init__(self, scenario, client, work, folder, world):
        super().__init__(daemon=True)
        self.scenario, self.client, self.work, self.folder = scenario, client, work, folder
        rng = random.Random(f"{scenario.seed}/player/{client.number}")
        self.rng = rng
        given = client.settings
        self.page = given.get("page", "hls")
        self.proto = given["proto"]
        kind = {"surf": "web", "audio": "audio", "songs": "audio", "files": "download"}.get(self.page, "video")
        self.host = given.get("host") or world.host(kind)
        if self.host not in world.hosts:
            world.hosts[self.host] = rng.choice(world.pool[kind])
        self.title = given.get("title") or rng.choice(sorted(media.TITLES))
        self.segment_s = given.get("segment_s") or rng.choice((2, 4, 6, 8))
        self.buffer_s = given.get("buffer_s") or rng.choice(BUFFERS_S)
        self.level = given.get("level", rng.randrange(len(media.TITLES[self.title]["rates"])))
        self.script = given.get("script") or viewer_script(rng, scenario.duration_s)
        self.kbps = given.get("kbps") or rng.choice(media.SOUND_KBPS)
        self.weight = given.get("weight") or rng.choice(sorted(WEIGHTS))
        if self.page == "audio":
            self.segment_s = given.get("segment_s") or rng.choice((4, 6, 8, 10, 10, 12, 15))
            self.packing = given.get("packing") or rng.choice(("mpegts", "fmp4"))
            # who listens seldom touches anything
            self.script = given.get("script") or [[round(rng.uniform(1, 30), 1), "start"]]
        self.log = open(folder / f"{client.name}.jsonl", "w", encoding="utf-8")
        self.ended = threading.Event()
        self.process = None

    def prepare(self):
        """Makes the media this player will ask for."""
        if self.page == "dash" or self.page == "shaka":
            self.source = media.dash(self.work, self.title, self.segment_s)
        elif self.page == "prog":
            self.source = media.progressive(self.work, self.title, self.level)
        elif self.page == "audio":
            self.source = media.sound(self.work, self.kbps, self.segment_s, self.packing)
        elif self.page == "songs":
            self.sources = [media.song(self.work, self.kbps, self.rng.randrange(media.SONGS)) for _ in range(6)]
            self.source = self.sources[0]
        elif self.page not in ("surf", "files"):
            self.source = media.hls(self.work, self.title, self.segment_s)

    @property
    def cls(self):
        by_page = {"prog": "progressive", "live": "live", "dash": "dash", "shaka": "dash", "surf": "web"}
        return {**by_page, "audio": "audio", "songs": "audio", "files": "download"}.get(self.page, "hls")

    def report(self, event, at=None, **fields):
        self.log.write(json.dumps({"t": at or time.time(), "event": event, "class": self.cls, **fields}) + "\n")
        self.log.flush()

    def stop(self):
        self.ended.set()
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def url(self):
        return f"https://{self.host}/{'live' if self.page == 'live' else 'f'}/{self.source}"

    def wait_until(self, began, at):
        """Sleeps until `at` seconds into the run; False when the run is over first."""
        return not self.ended.wait(max(0.0, began + at - time.time()))


class Chromium(RealPlayer):
    spki = ""

    def run(self):
        home = tempfile.mkdtemp(prefix=f"{net.PREFIX}chromium-")
        given = {
            "page": self.page,
            "buffer_s": self.buffer_s,
            "script": self.script,
            "seed": self.scenario.seed,
            "pages": SURF_PAGES,
            "folder": f"web/{self.weight}",
            "think_s": [self.rng.uniform(2, 6), self.rng.uniform(10, 60)],
            # a cap makes a low rendition stay: phones on "data saver"
            "cap": self.client.settings.get("level", -1),
        }
        if self.page == "songs":
            given["sources"] = self.sources
        elif self.page != "surf":
            given["sources"] = ["/live/" + self.source if self.page == "live" else self.source]
        name = "surf.html" if self.page == "surf" else "play.html"
        address = f"https://{self.host}/f/{name}#" + urllib.parse.quote(json.dumps(given))
        words = [*CHROMIUM, f"--user-data-dir={home}", f"--ignore-certificate-errors-spki-list={self.spki}"]
        if self.proto == "h3":
            words += ["--enable-quic", f"--origin-to-force-quic-on={self.host}:443"]
        else:
            words.append("--disable-quic")
        self.report("begin")
        with open(self.folder / f"{self.client.name}.err", "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                net.inside(self.client.name, *NICE, *words, address),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
            for line in self.process.stderr:
                if "STATE" in line:
                    self.read_state(line)
                else:
                    errors.write(line)
        shutil.rmtree(home, ignore_errors=True)

    def read_state(self, line):
        """Console lines look like: [..:INFO:CONSOLE(1)] "STATE {...}", source: ... (1)"""
        begin, end = line.find("{"), line.rfind("}")
        try:
            state = json.loads(line[begin : end + 1].replace('\\"', '"'))
            at = state.pop("at")
        except (ValueError, KeyError):
            return
        self.report("state", at, **state)


class Mpv(RealPlayer):
    def run(self):
        began = time.time()
        self.path = f"/tmp/{net.PREFIX}mpv-{os.getpid()}-{self.client.number}"
        self.report("begin")
        watcher = threading.Thread(target=self.watch, daemon=True)
        watcher.start()
        for at, action, *argument in self.script:
            if not self.wait_until(began, at):
                break
            self.act(action, argument[0] if argument else 0)
        self.ended.wait()
        self.close()

    def act(self, action, argument):
        if action == "start":
            self.close()
            kbps = self.kbps if self.page == "audio" else media.TITLES[self.title]["rates"][self.level][0]
            words = [*MPV, f"--cache-secs={self.buffer_s}", f"--demuxer-readahead-secs={self.buffer_s}"]
            words += [f"--hls-bitrate={kbps * 1500 + 200_000}", f"--input-ipc-server={self.path}", self.url()]
            self.process = subprocess.Popen(
                net.inside(self.client.name, *NICE, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        elif action == "stop":
            self.close()
            self.report("state", state="stopped")
        elif action in ("pause", "resume"):
            self.ask("set_property", "pause", action == "pause")
        elif action == "seek":
            self.ask("seek", argument)

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        self.process = None

    def ask(self, *command):
        """One answer of mpv's JSON socket, or None."""
        try:
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(2)
                link.connect(self.path)
                link.sendall(json.dumps({"command": list(command), "request_id": 7}).encode() + b"\n")
                for line in link.makefile():
                    answer = json.loads(line)
                    if answer.get("request_id") == 7:
                        return answer.get("data")
        except (OSError, ValueError):
            return None
        return None

    def watch(self):
        while not self.ended.wait(1):
            if not self.process or self.process.poll() is not None:
                self.report("state", state="stopped")
                continue
            position = self.ask("get_property", "time-pos")
            state = "playing"
            if self.ask("get_property", "pause"):
                state = "paused"
            elif position is None or self.ask("get_property", "paused-for-cache"):
                state = "buffering"
            buffered = self.ask("get_property", "demuxer-cache-duration")
            self.report("state", state=state, position_s=round(position or 0, 2), buffer_s=round(buffered or 0, 1))


class Ffmpeg(RealPlayer):
    """A reader that takes exactly what it plays (`-re`): the plainest of players. It cannot pause."""

    def run(self):
        began = time.time()
        self.report("begin")
        for at, action, *_ in self.script:
            if not self.wait_until(began, at):
                break
            if action == "start":
                self.close()
                # one rendition: given the master playlist, ffmpeg would read all of them
                source = self.url().replace("master.m3u8", f"v{self.level}/index.m3u8")
                rest = "-map 0 -c copy -f null - -progress pipe:1 -stats_period 1".split()
                words = [*FFMPEG, "-i", source, *rest]
                self.process = subprocess.Popen(
                    net.inside(self.client.name, *NICE, *words),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
                threading.Thread(target=self.follow, args=(self.process,), daemon=True).start()
            elif action == "stop":
                self.close()
                self.report("state", state="stopped")
        self.ended.wait()
        self.close()

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        self.process = None

    def follow(self, process):
        last = -1.0
        for line in process.stdout:
            if line.startswith("out_time_us="):
                try:
                    position = int(line.split("=")[1]) / 1e6
                except ValueError:
                    continue
                if process is self.process:
                    self.report(
                        "state", state="playing" if position > last else "buffering", position_s=round(position, 2)
                    )
                last = position


class Curl(RealPlayer):
    """Files, one after the other, some slowly, with pauses between: what package managers and people do."""

    def run(self):
        began, rng = time.time(), self.rng
        self.report("begin")
        largest, longest = rng.choice((4, 20, 60)), rng.choice((10, 40, 90))
        slow = rng.choice((0, 300, 800, 2000))
        at = rng.uniform(1, 30)
        version = {"h1": "--http1.1", "h2": "--http2"}[self.proto if self.proto != "h3" else "h2"]
        while self.wait_until(began, at):
            size = int(1e6 * largest ** rng.uniform(-0.3, 1))
            limit = ["--limit-rate", f"{int(slow * rng.uniform(0.5, 2))}k"] if slow and rng.random() < 0.6 else []
            words = ["curl", "-sk", version, *limit, "-o", "/dev/null", f"https://{self.host}/b?n={size}"]
            self.process = subprocess.Popen(
                net.inside(self.client.name, *NICE, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            while self.process.poll() is None and not self.ended.wait(0.2):
                pass
            at = time.time() - began + rng.uniform(0, longest)


KINDS = {"chromium": Chromium, "mpv": Mpv, "ffmpeg": Ffmpeg, "curl": Curl}


def key_pin(certificate):
    """Chromium's name for the lab's own key (base64 of SHA-256 of its SPKI)."""
    words = (
        f"openssl x509 -in {certificate} -pubkey -noout | openssl pkey -pubin -outform der"
        " | openssl dgst -sha256 -binary"
    )
    return base64.b64encode(subprocess.run(["sh", "-c", words], check=True, capture_output=True).stdout).decode()


def web_root(work):
    """Puts pages, player libraries and generated sites under the servers' root."""
    here, root = pathlib.Path(__file__).parent, work / "www"
    (root / "js").mkdir(parents=True, exist_ok=True)
    for page in ("play.html", "surf.html"):
        shutil.copy(here / "www" / page, root / page)
    libraries = {
        "hls.js": "hls.js/dist/hls.min.js",
        "dash.js": "dashjs/dist/modern/umd/dash.all.min.js",
        "shaka.js": "shaka-player/dist/shaka-player.compiled.js",
    }
    for name, source in libraries.items():
        shutil.copy(work / "node_modules" / source, root / "js" / name)
    for weight in WEIGHTS:
        for number in range(SURF_PAGES):
            site(root / "web" / weight / f"p{number}", WEIGHTS[weight], random.Random(f"sites/{weight}/{number}"))
    return root


def site(folder, weight, rng):
    """A generated page with pictures and scripts, `weight` times as heavy as usual."""
    if (folder / "index.html").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    tags = []
    for i in range(rng.randint(4, 40)):
        size = int(min(900_000, weight * rng.lognormvariate(9.3, 1.2)))
        (folder / f"i{i}.jpg").write_bytes(rng.randbytes(size))
        tags.append(f'<img src="i{i}.jpg" alt="">')
    for i in range(rng.randint(1, 8)):
        size = int(min(400_000, weight * rng.lognormvariate(9.8, 1.0)))
        (folder / f"s{i}.js").write_bytes(b"//" + rng.randbytes(size).hex().encode())
        tags.append(f'<script src="s{i}.js"></script>')
    (folder / "index.html").write_text("<!doctype html><body>" + "text " * rng.randint(500, 8000) + "".join(tags))
