//! Players that people use, in a household of network namespaces (tests/support/netns.rs): mpv and ffmpeg play HLS from
//! nginx, over IPv4 and IPv6, while the same device keeps an ssh session and a web page; Chromium plays over QUIC from
//! the laboratory's server (model/lab/traffic, which `model/lab/deps.sh` can build): that one in `make soak`.
#![cfg(feature = "os")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test of the shell: processes, files and clocks are what it is about"
)]

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use streamguard::os::control::{Access, Caller};

#[path = "support/netns.rs"]
mod netns;

use netns::{Household, SERVERS, run, within, works};

/// What a player buffers ahead: about sixteen seconds, as players on the web do.
const AHEAD: &str = "--demuxer-max-bytes=6MiB";
/// So long after its last byte a player stands still: what it had buffered, and a segment.
const STALLS_WITHIN: Duration = Duration::from_secs(30);
/// Asks the resolver at the router for a name, over UDP, and prints how many bytes it answers.
const ASK_ROUTER: &str = "import socket
asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asked.settimeout(3)
asked.sendto(bytes.fromhex('0007010000010000000000000470616765076578616d706c650000010001'), ('192.168.1.1', 53))
print(len(asked.recv(512)))";

/// A player in a page: it keeps sixteen seconds ahead and says where it is.
const PAGE: &str = r#"<video id=v muted></video><script>
const rest = ms => new Promise(done => setTimeout(done, ms));
setInterval(() => console.log(`at ${v.currentTime.toFixed(2)} s`), 500);
const media = new MediaSource();
v.src = URL.createObjectURL(media);
media.onsourceopen = async () => {
  const buffer = media.addSourceBuffer('video/mp4; codecs="avc1.42c01e"');
  const add = async name => {
    const piece = await (await fetch(name)).arrayBuffer();
    const added = new Promise(done => buffer.onupdateend = done);
    buffer.appendBuffer(piece);
    await added;
  };
  await add('init.mp4');
  v.play();
  for (let n = 0; n < 40;) {
    if (v.buffered.length && v.buffered.end(0) - v.currentTime > 16) await rest(250);
    else await add(`film${n}.m4s`).then(() => n++, () => rest(1000));
  }
};
</script>"#;
/// Where the laboratory's server is made, once for all runs of the tests.
const WORKSHOP: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/traffic");

/// Makes the laboratory's server, which speaks QUIC, if this machine can.
fn quic_server() -> Option<String> {
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/model/lab/traffic");
    let built = format!("{WORKSHOP}/traffic");
    let mut go = Command::new("go");
    go.args(["build", "-o", &built, "."]).current_dir(sources);
    go.env("GO111MODULE", "off")
        .env("GOPATH", "/usr/share/gocode")
        .env("GOCACHE", format!("{WORKSHOP}/cache"));
    go.status().is_ok_and(|status| status.success()).then_some(built)
}

impl Household {
    /// The page and its film at film.example, over TLS and QUIC; returns the pin of the server's key.
    fn quic_cinema(&mut self, server: &str) -> String {
        self.film("fmp4");
        let dir = self.dir.display().to_string();
        fs::write(format!("{dir}/www/play.html"), PAGE).expect("page");
        let make = format!(
            "cd {dir} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 9 -subj \
             /CN=film.example -addext subjectAltName=DNS:film.example -keyout tls.key -out tls.crt 2>tls.log && openssl \
             x509 -in tls.crt -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64"
        );
        let pin = Command::new("sh").args(["-c", &make]).output().expect("openssl").stdout;
        let (cert, key, root) = (format!("{dir}/tls.crt"), format!("{dir}/tls.key"), format!("{dir}/www"));
        let words = ["server", "-cert", &cert, "-key", &key, "-root", &root, "-addr", "2001:db8:1::10"];
        self.start("quic", "servers", &[&[server], &words[..]].concat());
        String::from_utf8_lossy(&pin).trim().to_owned()
    }

    fn chromium(&mut self, name: &str, node: &str, pin: &str) {
        let home = format!("--user-data-dir={}/{name}-home", self.dir.display());
        let pin = format!("--ignore-certificate-errors-spki-list={pin}");
        let words = [
            "chromium",
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--mute-audio",
            "--no-first-run",
            "--disable-sync",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-dev-shm-usage",
            "--autoplay-policy=no-user-gesture-required",
            "--enable-logging=stderr",
            "--v=0",
            "--enable-quic",
            "--origin-to-force-quic-on=film.example:443",
            "--host-resolver-rules=MAP film.example [2001:db8:1::10]",
            &home,
            &pin,
            "https://film.example/f/play.html",
        ];
        self.start(name, node, &words);
    }

    /// Two and a half minutes of film in segments of four seconds at a constant 3 Mbit/s.
    fn film(&self, packing: &str) {
        fs::create_dir_all(self.dir.join("www")).expect("directory");
        let list = self.dir.join("www/film.m3u8").display().to_string();
        run(&format!(
            "ffmpeg -v error -y -f lavfi -i testsrc2=s=640x360:r=25 -t 160 -c:v libx264 -preset ultrafast -profile:v \
             baseline -pix_fmt yuv420p -g 100 -b:v 3M -minrate 3M -maxrate 3M -bufsize 3M -x264-params nal-hrd=cbr -f hls \
             -hls_time 4 -hls_list_size 0 -hls_segment_type {packing} {list}"
        ));
    }

    /// The film as HLS, served by nginx.
    fn cinema(&mut self) {
        self.film("mpegts");
        let dir = self.dir.display().to_string();
        let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("{what}_temp_path {dir}/nginx-{what}; "))
            .concat();
        let text = format!(
            "daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/nginx.errors; user root; events {{}}
             http {{ access_log off; {paths} server {{ listen 8081; listen [::]:8081; root {dir}/www; }} }}"
        );
        let file = format!("{dir}/nginx.conf");
        fs::write(&file, text).expect("configuration");
        self.start("nginx", "servers", &["nginx", "-p", &dir, "-c", &file]);
    }

    /// An ssh session of the tablet with a server beyond the router, in which something is said every second.
    fn ssh_session(&mut self) {
        let at = |name: &str| self.dir.join(name).display().to_string();
        let (host, user) = (at("host-key"), at("user-key"));
        for key in [&host, &user] {
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", key]).status();
            assert!(made.expect("ssh-keygen").success());
        }
        fs::create_dir_all("/run/sshd").expect("sshd's empty directory");
        let options = [
            format!("-oHostKey={host}"),
            format!("-oAuthorizedKeysFile={user}.pub"),
            "-oStrictModes=no".into(),
            "-oUsePAM=no".into(),
            "-oPidFile=none".into(),
            "-oPermitRootLogin=yes".into(),
        ];
        let mut words = vec!["/usr/sbin/sshd", "-D", "-e", "-f/dev/null", "-p2222"];
        words.extend(options.iter().map(String::as_str));
        self.start("sshd", "servers", &words);
        within(Duration::from_secs(10), "sshd listens", || {
            self.printed("sshd").contains("listening").then_some(())
        });
        let quiet = ["-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oBatchMode=yes", "-q"];
        let mut words =
            vec!["ssh", "-p2222", "-i", &user, "root@203.0.113.12", "while sleep 1; do date +%s; done"];
        words.splice(1..1, quiet);
        self.start("ssh", "tablet", &words);
    }

    /// What a program says goes on.
    fn says_more(&self, name: &str) {
        let before = self.printed(name).len();
        within(Duration::from_secs(5), &format!("{name} goes on"), || {
            (self.printed(name).len() > before).then_some(())
        });
    }

    fn ssh_is_silent(&self) -> bool {
        let before = self.printed("ssh").len();
        std::thread::sleep(Duration::from_secs(3));
        self.printed("ssh").len() == before
    }

    fn mpv(&mut self, name: &str, node: &str, host: &str) {
        let film = format!("http://{host}:8081/film.m3u8");
        let said = "--term-status-msg=at ${=time-pos}";
        self.start(name, node, &["mpv", "--no-config", "--vo=null", "--ao=null", AHEAD, said, &film]);
    }

    fn ffmpeg(&mut self, name: &str, node: &str, host: &str) {
        let film = format!("http://{host}:8081/film.m3u8");
        let words = ["-v", "quiet", "-nostdin", "-re", "-i", &film, "-f", "null", "-progress", "pipe:1", "-"];
        self.start(name, node, &[&["ffmpeg"], &words[..]].concat());
    }

    /// The second of the film that a player has shown last.
    fn shown_s(&self, player: &str) -> f64 {
        let text = self.printed(player);
        let mpv = text.rsplit("at ").find_map(|rest| rest.split_whitespace().next()?.parse().ok());
        let micros = text.rsplit("out_time_us=").find_map(|rest| rest.lines().next()?.parse::<f64>().ok());
        micros.map(|micros| micros / 1e6).or(mpv).unwrap_or(0.0)
    }

    fn plays_on(&self, player: &str) {
        let before = self.shown_s(player);
        within(Duration::from_secs(20), &format!("{player} plays on"), || {
            (self.shown_s(player) > before + 2.0).then_some(())
        });
    }

    fn stalls(&self, player: &str) {
        let mut before = self.shown_s(player);
        within(STALLS_WITHIN, &format!("{player} stalls"), || {
            std::thread::sleep(Duration::from_secs(3));
            let now = self.shown_s(player);
            (std::mem::replace(&mut before, now) == now).then_some(())
        });
    }
}

#[test]
fn what_people_play_stops_when_the_quota_is_used_up_and_the_rest_goes_on() {
    for line in
        ["mpv --version", "ffmpeg -version", "nginx -v", "dnsmasq --version", "test -x /usr/sbin/sshd"]
    {
        if !works(line) {
            eprintln!("players: skipped, {line:?} does not work");
            return;
        }
    }
    let Some(mut house) = Household::try_new("players") else { return };
    house.cinema();
    house.start("servers", "servers", &["python3", SERVERS]);
    house.start("web", "router", &["python3", "-m", "http.server", "--bind", "192.168.1.1", "80"]);
    let dns = [
        "-k",
        "-C/dev/null",
        "--user=root",
        "--pid-file=",
        "--no-resolv",
        "--address=/page.example/203.0.113.12",
    ];
    house.start("dnsmasq", "router", &[&["dnsmasq"], &dns[..]].concat());
    house.daemon();
    let mut listener = Caller::connect(&house.dir.join("run"), Access::View).expect("daemon");
    listener.call("subscribe", &json!({})).expect("subscribe");
    house.ssh_session();
    house.player("page", "tablet", ["tcp", "2001:db8:1::12", "3000", "1"]);
    house.mpv("tablet", "tablet", "203.0.113.10");
    house.ffmpeg("phone", "phone", "[2001:db8:1::11]");
    house.mpv("laptop", "laptop", "203.0.113.10");
    ["tablet", "phone", "laptop"].iter().for_each(|player| house.plays_on(player));

    house.blocked_at(&mut listener, "Tablet");
    house.plays_on("laptop");
    house.stalls("tablet");
    house.stalls("phone");
    assert_eq!(house.client("Tablet")["blocked_servers"], json!(["203.0.113.10"]));
    assert_eq!(house.client("Phone")["blocked_servers"], json!(["2001:db8:1::11"]));
    house.plays_on("laptop");
    house.goes_on("page");
    house.says_more("ssh");
    let tablet = format!("ip netns exec {}tablet", house.prefix);
    assert!(works(&format!("{tablet} curl -sf -m 3 -o /dev/null http://192.168.1.1/")), "the router's pages");
    house.start("resolver", "tablet", &["python3", "-c", ASK_ROUTER]);
    assert!(house.said("resolver").trim().parse::<u32>().is_ok_and(|bytes| bytes > 40), "the router's DNS");

    // Who loads the player again sees no more.
    house.mpv("again", "tablet", "203.0.113.10");
    std::thread::sleep(Duration::from_secs(5));
    assert!(house.shown_s("again") < 1.0, "{}", house.printed("again"));

    house.call("grant", &json!({ "who": "Tablet", "minutes": 60 }));
    house.mpv("granted", "tablet", "203.0.113.10");
    house.plays_on("granted");
    house.call("pause", &json!({ "who": "Tablet" }));
    house.stalls("granted");
    assert!(house.ssh_is_silent(), "pause cuts everything");
    house.call("resume", &json!({ "who": "Tablet" }));
    house.goes_on("page");
}

#[test]
fn a_browser_that_plays_over_quic_stops_too() {
    if std::env::var_os("STREAMGUARD_SOAK").is_none() {
        eprintln!("quic: skipped, two minutes that belong to `make soak`");
        return;
    }
    if !works("chromium --version") || !works("openssl version") {
        eprintln!("quic: skipped, no Chromium or no openssl here");
        return;
    }
    let Some(server) = quic_server() else {
        eprintln!("quic: skipped, the laboratory's server cannot be built (model/lab/deps.sh)");
        return;
    };
    let Some(mut house) = Household::try_new("quic") else { return };
    house.start("servers", "servers", &["python3", SERVERS]);
    let pin = house.quic_cinema(&server);
    house.daemon();
    let mut listener = Caller::connect(&house.dir.join("run"), Access::View).expect("daemon");
    listener.call("subscribe", &json!({})).expect("subscribe");
    house.player("page", "phone", ["tcp", "2001:db8:1::12", "3000", "1"]);
    house.chromium("browser", "phone", &pin);
    house.plays_on("browser");
    house.blocked_at(&mut listener, "Phone");
    let flows = house.call("flows", &json!({ "limit": 1 }));
    assert_eq!(flows["flows"][0]["proto"], 17, "what was played came over QUIC: {flows}");
    house.stalls("browser");
    assert_eq!(house.client("Phone")["blocked_servers"], json!(["2001:db8:1::10"]));
    house.goes_on("page");
    house.call("grant", &json!({ "who": "Phone", "minutes": 60 }));
    house.plays_on("browser");
}
