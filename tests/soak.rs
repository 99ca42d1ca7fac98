//! What happens to the daemon in months, in minutes: killed, flooded, out of disk, its interface taken away.
//!
//! Every test has a short form that belongs to `make test`. `make soak` sets `STREAMGUARD_SOAK=1` and takes the
//! release build: then the numbers are those of docs/enforcement.md, and so are the bounds. Needs root.
#![cfg(feature = "os")]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test of the shell: processes, files and clocks are what it is about"
)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;
use streamguard::os::control::{Access, Caller};

#[path = "support/netns.rs"]
mod netns;

use netns::{CONFIG, FLOOD, Household, SEGMENT, SERVERS, epoch_s, run, within, works};

/// The tablet has a minute; the phone has the whole day, so that what it counts can be followed.
fn config() -> String {
    CONFIG.replace("quota '1'", "quota '600'").replace("'Tablet'\n", "'Tablet'\n\toption profile 'minute'\n")
        + "config profile 'minute'\n\toption quota '1'\n"
}

/// Bytes of memory a flooded daemon may have (docs/design.md §9).
const RSS_UNDER_FLOOD_KIB: u64 = 16 * 1024;
/// How long the control socket may take under a flood.
const ANSWER_UNDER_FLOOD: Duration = Duration::from_millis(50);

/// How thorough a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// A part of `make test`, with a build that is not optimised.
    Short,
    /// `make soak`.
    Long,
}

fn form() -> Form {
    if std::env::var_os("STREAMGUARD_SOAK").is_some() { Form::Long } else { Form::Short }
}

/// How often a test does what it is about.
fn rounds(short: usize, long: usize) -> usize {
    match form() {
        Form::Short => short,
        Form::Long => long,
    }
}

/// Milliseconds below `limit`, another number each time.
fn random_ms(limit: u32) -> Duration {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").subsec_nanos();
    Duration::from_millis(u64::from(nanos.wrapping_mul(2_654_435_761) >> 8) % u64::from(limit))
}

/// What the kernel says of the daemon.
impl Household {
    fn used_s(&self, who: &str) -> u64 {
        self.client(who)["used_s"].as_u64().expect("seconds")
    }

    fn rss_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid("daemon"))).expect("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        line.split_whitespace().nth(1).expect("KiB").parse().expect("number")
    }

    /// Processor time in seconds, user's and system's.
    fn cpu_s(&self) -> (f64, f64) {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid("daemon"))).expect("stat");
        let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
        let ticks: Vec<f64> =
            fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse().expect("ticks")).collect();
        (ticks[0] / 100.0, ticks[1] / 100.0)
    }

    /// Frames that the kernel passed to the daemon, and those it dropped.
    fn heard(&self) -> (u64, u64) {
        let capture = &self.call("doctor", &json!({}))["capture"][0];
        let count = |what: &str| capture[what].as_u64().expect("a count");
        (count("received"), count("dropped"))
    }

    fn elements(&self, set: &str) -> String {
        self.router(&format!("nft list set inet streamguard {set}"))
    }

    /// The slowest of the answers until then: from the question to the last byte, before anybody reads JSON.
    fn slowest_answer(&self, until: Instant) -> Duration {
        let mut stream =
            UnixStream::connect(self.dir.join("run").join(Access::View.socket_name())).expect("daemon");
        let (mut slowest, mut chunk) = (Duration::ZERO, vec![0; 64 * 1024]);
        while Instant::now() < until {
            let asked = Instant::now();
            stream.write_all(b"{\"id\":1,\"method\":\"status\",\"params\":{}}\n").expect("asked");
            loop {
                let len = stream.read(&mut chunk).expect("an answer");
                assert_ne!(len, 0, "the daemon hung up");
                if chunk[len - 1] == b'\n' {
                    break;
                }
            }
            slowest = slowest.max(asked.elapsed());
            std::thread::sleep(Duration::from_millis(50));
        }
        slowest
    }
}

#[test]
fn killed_at_any_moment_it_loses_ten_seconds_at_most_and_blocks_nobody_wrongly() {
    let Some(mut house) = Household::try_new("kills") else { return };
    house.start("servers", "servers", &["python3", SERVERS]);
    house.daemon_on(&config(), &[]);
    house.player("tablet-video", "tablet", ["tcp", "203.0.113.10", SEGMENT, "4"]);
    house.player("phone-video", "phone", ["tcp", "203.0.113.10", SEGMENT, "4"]);
    within(Duration::from_secs(150), "the tablet is blocked", || {
        (house.client("Tablet")["standing"] == "exhausted").then_some(())
    });
    let mut lost_most_s = 0;
    for round in 0..rounds(4, 200) {
        std::thread::sleep(random_ms(12_000));
        let act = ["grant", "revoke", "", ""][round % 4];
        if !act.is_empty() {
            house.call(act, &json!({ "who": "Tablet", "minutes": 600 }));
        }
        let granted = act == "grant";
        if act == "revoke" {
            // The grant took its server off the list; a streaming-like window puts it back.
            within(Duration::from_secs(30), "the server is listed again", || {
                house.elements("video4").contains("02:00:00:00:01:01").then_some(())
            });
        }
        let (phone_s, tablet_s) = (house.used_s("Phone"), house.used_s("Tablet"));
        house.signal("daemon", "KILL");
        let left = house.elements("video4");
        assert_eq!(left.contains("02:00:00:00:01:01"), !granted, "round {round}, {act}: {left}");
        assert!(!left.contains("02:00:00:00:01:02"), "round {round}: {left}");
        house.daemon_on(&config(), &[]);
        let again = house.client("Tablet");
        let standing = if granted { "within" } else { "exhausted" };
        assert_eq!(again["standing"], standing, "round {round}, {act}: {again}");
        let text = house.elements("video4");
        assert_eq!(text.contains("02:00:00:00:01:01"), !granted, "round {round}, {act}: {text}");
        assert!(again["used_s"].as_u64().expect("seconds") + 10 >= tablet_s, "round {round}: {again}");
        let now_s = house.used_s("Phone");
        lost_most_s = lost_most_s.max(phone_s.saturating_sub(now_s));
        assert!(now_s + 10 >= phone_s, "round {round}: {phone_s} s were counted, {now_s} s are left");
    }
    house.goes_on("phone-video");
    eprintln!("killed {} times: at most {lost_most_s} s lost", rounds(4, 200));
}

#[test]
fn a_block_is_effective_within_a_second() {
    if form() == Form::Short {
        return; // tests/household_kernel.rs does it once.
    }
    let Some(mut house) = Household::try_new("effective") else { return };
    house.start("servers", "servers", &["python3", SERVERS]);
    house.daemon();
    let mut listener = Caller::connect(&house.dir.join("run"), Access::View).expect("daemon");
    listener.call("subscribe", &json!({})).expect("subscribe");
    let mut late_s = Vec::new();
    for run in 0..20 {
        let name = format!("tablet-{run}");
        house.call("reset", &json!({ "who": "Tablet" }));
        house.player(&name, "tablet", ["tcp", "203.0.113.10", SEGMENT, "4"]);
        let blocked = house.blocked_at(&mut listener, "Tablet");
        house.fails(&name);
        late_s.push((house.last(&name, "data").expect("some video") - blocked).max(0.0));
        house.signal(&name, "KILL");
    }
    late_s.sort_by(f64::total_cmp);
    eprintln!("payload after the blocked event, 20 runs: {late_s:.3?} s");
    assert!(late_s[18] <= 1.0, "95th percentile {:.3} s", late_s[18]);
}

#[test]
fn an_interface_may_go_and_come_back_another() {
    let Some(mut house) = Household::try_new("interface") else { return };
    house.start("servers", "servers", &["python3", SERVERS]);
    house.daemon_on(&config(), &[]);
    house.player("phone-video", "phone", ["tcp", "203.0.113.10", SEGMENT, "4"]);
    for round in 0..rounds(1, 10) {
        let counted = house.used_s("Phone");
        within(Duration::from_secs(60), "the phone's video counts", || {
            (house.used_s("Phone") > counted).then_some(())
        });
        house.ip("router", "link del br-lan");
        within(Duration::from_secs(5), "doctor says so", || {
            let doctor = house.call("doctor", &json!({}));
            doctor["capture"][0]["trouble"].is_string().then_some(())
        });
        house.call("pause", &json!({ "who": "Tablet" }));
        house.ip("router", &format!("link add br-lan address 02:00:00:00:0{round:x}:01 type bridge"));
        for port in ["lan1", "lan2", "lan3"] {
            house.ip("router", &format!("link set {port} master br-lan"));
        }
        house.ip("router", "address add 192.168.1.1/24 dev br-lan");
        house.ip("router", "address add fd00:1::1/64 dev br-lan nodad");
        house.ip("router", "link set br-lan up");
        within(Duration::from_secs(5), "it listens again", || {
            let doctor = house.call("doctor", &json!({}));
            doctor["capture"][0]["trouble"].is_null().then_some(())
        });
        assert!(house.elements("cut").contains("02:00:00:00:01:01"), "the pause is in force");
        house.call("resume", &json!({ "who": "Tablet" }));
    }
    let counted = house.used_s("Phone");
    within(Duration::from_secs(60), "the phone's video counts", || {
        (house.used_s("Phone") > counted).then_some(())
    });
}

#[test]
fn a_full_disk_costs_history_and_nothing_else() {
    let Some(mut house) = Household::try_new("disk") else { return };
    house.start("servers", "servers", &["python3", SERVERS]);
    let state = house.dir.join("state");
    fs::create_dir_all(&state).expect("directory");
    run(&format!("mount -t tmpfs -o size=320k none {}", state.display()));
    let mounted = Mounted(state.display().to_string());
    house.daemon_on(&config().replace("'600'", "'1'"), &[]);
    fs::write(state.join("other-people's-files"), vec![0; 1 << 20]).expect_err("full");
    house.player("phone-video", "phone", ["tcp", "203.0.113.10", SEGMENT, "4"]);
    within(Duration::from_secs(150), "the phone is blocked", || {
        (house.client("Phone")["standing"] == "exhausted").then_some(())
    });
    house.fails("phone-video");
    within(Duration::from_secs(90), "doctor says that nothing can be written", || {
        house.call("doctor", &json!({}))["storage"]["trouble"].is_string().then_some(())
    });
    let used_s = house.used_s("Phone");
    house.signal("daemon", "KILL");
    house.daemon_on(&config().replace("'600'", "'1'"), &[]);
    assert_eq!(house.client("Phone")["standing"], "exhausted", "{}", house.log());
    assert!(house.used_s("Phone") + 10 >= used_s);

    // Room again: the last commit of a daemon that leaves tries whatever was refused before.
    fs::remove_file(state.join("other-people's-files")).expect("file");
    house.signal("daemon", "TERM");
    let ledger = "SELECT count(*) FROM ledger";
    let database = state.join("streamguard.db").display().to_string();
    let count = run(&format!("python3 {} {database} {}", query(&house), ledger.replace(' ', "_")));
    assert_ne!(count.trim(), "0", "{}", house.log());
    drop(mounted);
}

/// A file system that goes with the test.
struct Mounted(String);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = works(&format!("umount -l {}", self.0));
    }
}

/// As on a router: what is written each window is written to memory and waits for no disk.
fn state_in_memory(house: &Household) -> Mounted {
    let run_dir = house.dir.join("run");
    fs::create_dir_all(&run_dir).expect("directory");
    run(&format!("mount -t tmpfs none {}", run_dir.display()));
    Mounted(run_dir.display().to_string())
}

/// A script that asks a database; [`run`] splits at spaces, so the statement has none.
fn query(house: &Household) -> String {
    let file = house.dir.join("query.py");
    let text = "import sqlite3, sys\nask = sys.argv[2].replace('_', ' ')\n\
                print(sqlite3.connect(sys.argv[1]).execute(ask).fetchone()[0])";
    fs::write(&file, text).expect("script");
    file.display().to_string()
}

#[test]
fn floods_cost_neither_memory_nor_answers() {
    let Some(mut house) = Household::try_new("floods") else { return };
    let _memory = state_in_memory(&house);
    house.daemon_on(&config(), &[]);
    let seconds = rounds(5, 60);
    for kind in ["syn", "quic", "devices"] {
        let length = seconds.to_string();
        let words = ["python3", FLOOD, "eth0", "02:00:00:00:00:01", kind, &length];
        house.start(kind, "tablet", &words);
        within(Duration::from_secs(20), "the flood begins", || {
            fs::read_to_string(house.dir.join(kind)).is_ok_and(|text| text.contains("ready")).then_some(())
        });
        let before = house.call("status", &json!({}))["bytes"].as_u64();
        let slowest = house.slowest_answer(Instant::now() + Duration::from_secs(seconds as u64 - 1));
        let said = house.said(kind);
        let after = house.call("status", &json!({}))["bytes"].as_u64();
        assert!(after > before, "{kind}: the flood was not seen");
        let rss = house.rss_kib();
        let sent = said.lines().last().unwrap_or_default();
        eprintln!("{kind}: {sent}; slowest answer {slowest:?}; RSS {rss} KiB");
        if form() == Form::Long {
            assert!(slowest <= ANSWER_UNDER_FLOOD, "{kind}: {slowest:?}");
            assert!(rss <= RSS_UNDER_FLOOD_KIB, "{kind}: {rss} KiB");
        } else {
            assert!(slowest <= ANSWER_UNDER_FLOOD * 10, "{kind}: {slowest:?}");
            assert!(rss <= RSS_UNDER_FLOOD_KIB * 2, "{kind}: {rss} KiB");
        }
    }
    let clients = house.call("doctor", &json!({}))["clients"].as_u64();
    assert!(clients.is_some_and(|clients| clients <= 1_025), "{clients:?} clients");
    assert_eq!(house.call("status", &json!({}))["enforcement"], "in force");
}

#[test]
fn at_rest_it_costs_next_to_nothing() {
    let Some(mut house) = Household::try_new("rest") else { return };
    house.daemon_on(&config(), &[]);
    std::thread::sleep(Duration::from_secs(2));
    let (before, began) = (house.cpu_s(), epoch_s());
    std::thread::sleep(Duration::from_secs(rounds(10, 60) as u64));
    let (after, took_s) = (house.cpu_s(), epoch_s() - began);
    let share = (after.0 + after.1 - before.0 - before.1) / took_s;
    eprintln!("at rest: {:.3} % of a core, RSS {} KiB", 100.0 * share, house.rss_kib());
    assert!(share < 0.005, "{:.3} %", 100.0 * share);
}

/// Sender and daemon share one core: what one takes the other lacks, so the sender cannot outrun it for long. Nothing
/// is forwarded and nothing tracked, for that is the kernel's work and not the daemon's: behind the packet sockets
/// the bridge drops all.
#[test]
fn what_one_core_can_send_and_hear_is_heard() {
    let Some(mut house) = Household::try_new("bench") else { return };
    house.router("nft delete table inet fw4");
    let _memory = state_in_memory(&house);
    house.daemon_on(&config().replace("option warn '0'", "option mode 'monitor'"), &["taskset", "-c", "0"]);
    let file = house.dir.join("drop.nft");
    let rules = "table netdev bench {\n\tchain heard {\n\t\ttype filter hook ingress device \"br-lan\" priority 0\n\
                 \t\tpolicy drop\n\t}\n}\n";
    fs::write(&file, rules).expect("rules");
    house.router(&format!("nft -f {}", file.display()));
    // Bridged frames past the firewall of IP, where there is such a thing.
    let _ = works(&format!(
        "ip netns exec {}router sysctl -qw net.bridge.bridge-nf-call-iptables=0",
        house.prefix
    ));
    let mut lost = Vec::new();
    for kind in ["small", "mixed", "syn"] {
        let seconds = rounds(3, 60).to_string();
        let words =
            ["taskset", "-c", "0", "python3", FLOOD, "lan1", "02:00:00:00:00:01", kind, &seconds, "received"];
        house.start(kind, "router", &words);
        within(Duration::from_secs(60), "the frames are made", || {
            house.printed(kind).contains("ready").then_some(())
        });
        let (before, cpu) = (house.heard(), house.cpu_s());
        let said = house.said(kind);
        std::thread::sleep(Duration::from_millis(500));
        let (after, spent) = (house.heard(), house.cpu_s());
        let (packets, dropped) = (after.0 - before.0, after.1 - before.1);
        let ns = |seconds: f64| seconds * 1e9 / packets.max(1) as f64;
        eprintln!(
            "{kind}: {}; {packets} heard, {dropped} dropped, {:.0} ns user and {:.0} ns system a packet, RSS {} KiB",
            said.lines().last().unwrap_or_default(),
            ns(spent.0 - cpu.0),
            ns(spent.1 - cpu.1),
            house.rss_kib()
        );
        assert!(packets > 10_000, "{kind}: {packets} heard; {said}");
        if form() == Form::Long && dropped > 0 {
            lost.push(kind);
        }
    }
    // Asked at the end, so that the numbers of all are there.
    assert!(lost.is_empty(), "dropped: {lost:?}");
}
