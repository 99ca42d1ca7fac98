//! A household in network namespaces: clients, a router with a bridge, NAT and a stateful firewall, and servers.
//!
//! The daemon is the real one, the kernel is the real one, the players are scripts that fetch segments as players
//! do. Needs root and a few programs; says so and skips where they are missing.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of it")]

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use streamguard::os::control::{Access, Caller};

pub const BINARY: &str = env!("CARGO_BIN_EXE_streamguard");
pub const FLOOD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/household_kernel/flood.py");
pub const SERVERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/household_kernel/server.py");
pub const PLAYER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/household_kernel/player.py");
/// 3 Mbit/s in segments of four seconds.
pub const SEGMENT: &str = "1500000";

/// Sixty closed ports of one server, one after another.
pub const SCAN: &str = "import socket
for port in range(1, 61):
    tried = socket.socket()
    tried.settimeout(0.2)
    tried.connect_ex(('203.0.113.12', port))
    tried.close()";

pub const CONFIG: &str = "
config streamguard 'main'
	option quota '1'
	option warn '0'
	option grace '0'
	option unknown_shared '0'
	option state_dir 'STATE'
config client
	option name 'Tablet'
	list mac '02:00:00:00:01:01'
config client
	option name 'Phone'
	list mac '02:00:00:00:01:02'
config client
	option name 'Laptop'
	list mac '02:00:00:00:01:03'
	option policy 'exempt'
config capture 'capture'
	option dir 'STATE/recordings'
";

/// The program under test; `STREAMGUARD_BINARY` names another build of it, for numbers of the release.
pub fn binary() -> String {
    std::env::var("STREAMGUARD_BINARY").unwrap_or_else(|_| BINARY.to_owned())
}

/// A command line, split at spaces, that must succeed.
pub fn run(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let output = Command::new(words[0]).args(&words[1..]).output().expect(line);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn works(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let child = Command::new(words[0]).args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    child.is_ok_and(|status| status.success())
}

pub fn epoch_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// Asks again and again until the answer is there or the time is over.
pub fn within<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// One household at a time: beside another one an unoptimised daemon does not keep up, and what the kernel drops
/// makes windows unknown.
static ALONE: Mutex<()> = Mutex::new(());

pub struct Household {
    pub prefix: String,
    pub dir: PathBuf,
    children: Vec<(String, Child)>,
    _alone: MutexGuard<'static, ()>,
}

impl Drop for Household {
    fn drop(&mut self) {
        for (_, child) in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        for node in ["tablet", "phone", "laptop", "router", "servers"] {
            // What they have started in turn: dnsmasq outlives the shell that keeps it, for it changes its credentials.
            let left = Command::new("ip").args(["netns", "pids", &format!("{}{node}", self.prefix)]).output();
            let left = left.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
            for pid in left.unwrap_or_default().split_whitespace() {
                let _ = works(&format!("kill -KILL {pid}"));
            }
            let _ = works(&format!("ip netns del {}{node}", self.prefix));
            let _ = fs::remove_dir_all(format!("/etc/netns/{}{node}", self.prefix));
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl Household {
    pub fn try_new(name: &str) -> Option<Self> {
        for line in ["ip -V", "nft --version", "python3 --version"] {
            if !works(line) {
                eprintln!("{name}: skipped, {line:?} does not work");
                return None;
            }
        }
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let prefix = format!("sg{}{}", std::process::id() % 100_000, &name[..1]);
        if !works(&format!("ip netns add {prefix}router")) || !works("nft list tables") {
            eprintln!("{name}: skipped, network namespaces and nftables need root");
            return None;
        }
        let dir = std::env::temp_dir().join(format!("streamguard-{name}-{prefix}"));
        fs::create_dir_all(&dir).expect("temporary directory");
        let house = Self { prefix, dir, children: Vec::new(), _alone: alone };
        house.wire();
        Some(house)
    }

    pub fn ip(&self, node: &str, rest: &str) {
        run(&format!("ip -n {}{node} {rest}", self.prefix));
    }

    /// Router br-lan 192.168.1.1, fd00:1::1; servers 203.0.113.10–12, 2001:db8:1::10–12.
    pub fn wire(&self) {
        let prefix = &self.prefix;
        self.ip("router", "link set lo up");
        self.ip("router", "link add br-lan address 02:00:00:00:00:01 type bridge");
        for (n, node) in (1..).zip(["tablet", "phone", "laptop"]) {
            run(&format!("ip netns add {prefix}{node}"));
            let mac = format!("02:00:00:00:01:0{n}");
            self.ip(
                "router",
                &format!("link add lan{n} type veth peer name eth0 netns {prefix}{node} address {mac}"),
            );
            self.ip("router", &format!("link set lan{n} master br-lan up"));
            self.ip(node, &format!("address add 192.168.1.1{n}/24 dev eth0"));
            self.ip(node, &format!("address add fd00:1::1{n}/64 dev eth0 nodad"));
            self.ip(node, "link set eth0 up");
            self.ip(node, "route add default via 192.168.1.1");
            self.ip(node, "-6 route add default via fd00:1::1");
        }
        run(&format!("ip netns add {prefix}servers"));
        self.ip("router", &format!("link add wan type veth peer name eth0 netns {prefix}servers"));
        for (device, v4, v6) in
            [("br-lan", "192.168.1.1", "fd00:1::1"), ("wan", "203.0.113.1", "2001:db8:1::1")]
        {
            self.ip("router", &format!("address add {v4}/24 dev {device}"));
            self.ip("router", &format!("address add {v6}/64 dev {device} nodad"));
            self.ip("router", &format!("link set {device} up"));
        }
        for n in 10..13 {
            self.ip("servers", &format!("address add 203.0.113.{n}/24 dev eth0"));
            self.ip("servers", &format!("address add 2001:db8:1::{n}/64 dev eth0 nodad"));
        }
        self.ip("servers", "link set eth0 up");
        self.ip("servers", "-6 route add fd00:1::/64 via 2001:db8:1::1");
        let forward = "net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1";
        run(&format!("ip netns exec {prefix}router sysctl -qw {forward}"));
        self.firewall();
    }

    /// What fw4 would do: NAT, and nothing new from outside.
    pub fn firewall(&self) {
        let file = self.dir.join("fw4.nft");
        let rules = "table inet fw4 {
            chain forward {
                type filter hook forward priority filter; policy drop;
                ct state established,related accept
                iifname \"br-lan\" accept
            }
            chain srcnat {
                type nat hook postrouting priority srcnat;
                oifname \"wan\" meta nfproto ipv4 masquerade
            }
        }";
        fs::write(&file, rules).expect("rules");
        self.router(&format!("nft -f {}", file.display()));
    }

    pub fn router(&self, line: &str) -> String {
        run(&format!("ip netns exec {}router {line}", self.prefix))
    }

    pub fn start(&mut self, name: &str, node: &str, words: &[&str]) {
        let log = fs::File::create(self.dir.join(name)).expect("log");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &format!("{}{node}", self.prefix)]).args(words);
        command.env("STREAMGUARD_RUN_DIR", self.dir.join("run"));
        command.stdout(log.try_clone().expect("log")).stderr(log);
        self.children.push((name.to_owned(), command.spawn().expect(name)));
    }

    pub fn signal(&mut self, name: &str, signal: &str) {
        let at = self.children.iter().position(|(known, _)| known == name).expect(name);
        let (_, mut child) = self.children.remove(at);
        run(&format!("kill -{signal} {}", child.id()));
        child.wait().expect(name);
    }

    /// Waits until a program has ended, and says whether it succeeded.
    pub fn ends(&mut self, name: &str) -> bool {
        let at = self.children.iter().position(|(known, _)| known == name).expect(name);
        let (_, mut child) = self.children.remove(at);
        child.wait().expect(name).success()
    }

    pub fn daemon(&mut self) {
        self.daemon_with("");
    }

    /// The daemon with further sections in its configuration.
    pub fn daemon_with(&mut self, sections: &str) {
        self.daemon_on(&format!("{CONFIG}{sections}"), &[]);
    }

    /// The daemon with a configuration of its own, started through `wrapper` (`taskset -c 0`, `setpriv …`).
    pub fn daemon_on(&mut self, config: &str, wrapper: &[&str]) {
        let file = self.dir.join("config");
        let text = config.replace("STATE", &self.dir.join("state").display().to_string());
        fs::write(&file, text).expect("config");
        let (file, binary) = (file.display().to_string(), binary());
        let mut words = wrapper.to_vec();
        words.extend([binary.as_str(), "run", "--config", &file, "--interface", "br-lan"]);
        self.start("daemon", "router", &words);
        within(Duration::from_secs(20), "the daemon answers", || {
            let status = self.try_call("status", &json!({}))?;
            ["in force", "monitor"].iter().any(|word| status["enforcement"] == *word).then_some(())
        });
    }

    /// The process id of what was started under a name; `ip netns exec` becomes what it runs.
    pub fn pid(&self, name: &str) -> u32 {
        self.children.iter().find(|(known, _)| known == name).expect(name).1.id()
    }

    /// Waits until a program ends by itself, and returns what it said.
    pub fn said(&mut self, name: &str) -> String {
        self.ends(name);
        self.printed(name)
    }

    pub fn player(&mut self, name: &str, node: &str, how: [&str; 4]) {
        let [transport, host, size, gap] = how;
        self.start(name, node, &["python3", PLAYER, transport, host, size, gap]);
    }

    pub fn try_call(&self, method: &str, params: &Value) -> Option<Value> {
        Caller::connect(&self.dir.join("run"), Access::Control).ok()?.call(method, params).ok()
    }

    pub fn call(&self, method: &str, params: &Value) -> Value {
        let mut caller = Caller::connect(&self.dir.join("run"), Access::Control).expect("daemon");
        caller.call(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    pub fn client(&self, who: &str) -> Value {
        self.call("client", &json!({ "who": who }))
    }

    /// When a player last said this word.
    pub fn last(&self, player: &str, word: &str) -> Option<f64> {
        let text = fs::read_to_string(self.dir.join(player)).unwrap_or_default();
        let line = text.lines().rev().find(|line| line.split(' ').next() == Some(word))?;
        line.split(' ').nth(1)?.parse().ok()
    }

    /// Bytes a player got since then.
    pub fn received(&self, player: &str, since_s: f64) -> u64 {
        let text = fs::read_to_string(self.dir.join(player)).unwrap_or_default();
        let pieces = text.lines().filter_map(|line| {
            let mut words = line.strip_prefix("data ")?.split(' ');
            let at: f64 = words.next()?.parse().ok()?;
            (at > since_s).then_some(words.next()?.parse::<u64>().ok()?)
        });
        pieces.sum()
    }

    /// Whether a player finishes a segment from now on.
    pub fn goes_on(&self, player: &str) {
        let now = epoch_s();
        within(Duration::from_secs(20), &format!("{player} goes on"), || {
            self.last(player, "end").filter(|at| *at > now)
        });
    }

    pub fn fails(&self, player: &str) {
        let now = epoch_s();
        within(Duration::from_secs(8), &format!("{player} fails"), || {
            self.last(player, "fail").filter(|at| *at > now)
        });
    }

    /// Time of the `blocked` event of a device, by the recent events.
    pub fn blocked_at(&self, listener: &mut Caller, who: &str) -> f64 {
        let end = Instant::now() + Duration::from_secs(120);
        while Instant::now() < end {
            let Ok(event) = listener.next_message() else { continue };
            if event["event"] == "blocked" && event["name"] == who {
                return epoch_s();
            }
        }
        panic!("{who} was never blocked; daemon: {}", self.log());
    }

    pub fn log(&self) -> String {
        self.printed("daemon")
    }

    /// What a program has printed so far.
    pub fn printed(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap_or_default()
    }
}
