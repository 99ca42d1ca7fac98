//! What leaves the router, read by the programs that others use: nfcapd and nfdump, tshark, promtool, PostgreSQL.
//!
//! `make test-fleet` installs them; where one is missing its test says so and skips.
#![cfg(feature = "os")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test of the shell: processes, files and clocks are what it is about"
)]

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

#[path = "fleet/exports.rs"]
mod exports;
#[path = "support/netns.rs"]
mod netns;
#[path = "fleet/uplink.rs"]
mod uplink;

use netns::{BINARY, Household, SERVERS, run, within, works};

/// A household whose daemon exports flows to the servers' node.
fn exporting(name: &str, transport: &str) -> Option<Household> {
    let mut house = Household::try_new(name)?;
    house.start("servers", "servers", &["python3", SERVERS]);
    let sections = format!(
        "\nconfig ipfix 'ipfix'\n\toption enabled '1'\n\toption collector '203.0.113.11:4739'\n\toption transport '{transport}'\n"
    );
    house.daemon_with(&sections);
    Some(house)
}

/// Some traffic of the phone over IPv4 and IPv6, in many connections.
fn traffic(house: &mut Household) {
    house.player("page4", "phone", ["tcp", "203.0.113.12", "3000", "0.2"]);
    house.player("page6", "phone", ["tcp", "2001:db8:1::12", "9000", "0.3"]);
    house.player("talk", "tablet", ["udp", "2001:db8:1::11", "20000", "0.5"]);
    for player in ["page4", "page6", "talk"] {
        house.goes_on(player);
    }
    std::thread::sleep(Duration::from_secs(5));
    for player in ["page4", "page6", "talk"] {
        house.signal(player, "TERM");
    }
    // Nobody listens there, which the server says in an ICMP error that quotes what it is about.
    for (name, family, server) in
        [("closed4", "AF_INET", "203.0.113.12"), ("closed6", "AF_INET6", "2001:db8:1::12")]
    {
        let line = format!(
            "import socket; socket.socket(socket.{family}, socket.SOCK_DGRAM).sendto(bytes(40), ('{server}', 9))"
        );
        house.start(name, "phone", &["python3", "-c", &line]);
    }
}

/// Bytes and packets of IP between the phone or the tablet and the servers, as tshark counts them in a recording.
fn counted(file: &str) -> (u64, u64) {
    let filter = "ip.addr == 203.0.113.0/24 or ipv6.addr == 2001:db8:1::/64";
    // The first of each packet: an ICMP error quotes a second header.
    let line = format!("tshark -r {file} -T fields -E occurrence=f -e ip.len -e ipv6.plen -Y");
    let mut words: Vec<&str> = line.split_whitespace().collect();
    words.push(filter);
    let output = Command::new(words[0]).args(&words[1..]).output().expect("tshark");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lens = text.lines().map(|line| {
        let (four, six) = line.split_once('\t').unwrap_or((line, ""));
        four.parse::<u64>().unwrap_or_else(|_| 40 + six.parse::<u64>().expect("a length"))
    });
    lens.fold((0, 0), |(bytes, packets), len| (bytes + len, packets + 1))
}

#[test]
fn flows_reach_nfcapd_to_the_packet_and_the_byte() {
    if !works("nfcapd -V") || !works("tshark --version") {
        return eprintln!("flows_reach_nfcapd: skipped, no nfdump or tshark");
    }
    let Some(mut house) = exporting("flows", "udp") else { return };
    let flows = house.dir.join("flows");
    fs::create_dir_all(&flows).expect("directory");
    let flows = flows.display().to_string();
    house.start("nfcapd", "servers", &["nfcapd", "-w", &flows, "-p", "4739", "-t", "3600", "-v"]);
    let file = house.dir.join("lan.pcap").display().to_string();
    house.start("record", "router", &[BINARY, "record", "-i", "br-lan", "-o", &file]);
    within(Duration::from_secs(10), "the recording begins", || fs::metadata(&file).ok());
    std::thread::sleep(Duration::from_secs(1));
    traffic(&mut house);
    // What the servers still send to players that are gone is over by then.
    std::thread::sleep(Duration::from_secs(3));
    let doctor = house.call("doctor", &json!({}));
    house.signal("daemon", "TERM");
    house.signal("record", "INT");
    std::thread::sleep(Duration::from_secs(1));
    house.signal("nfcapd", "TERM");
    let text = run(&format!("nfdump -R {flows} -o json"));
    let log = fs::read_to_string(house.dir.join("nfcapd")).unwrap_or_default();
    let records: Vec<Value> = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{log}{doctor}{}", house.log()));
    let is_ours = |record: &&Value| {
        ["src4_addr", "dst4_addr", "src6_addr", "dst6_addr"].iter().any(|key| {
            record[*key]
                .as_str()
                .is_some_and(|addr| addr.starts_with("203.0.113.") || addr.starts_with("2001:db8:1::"))
        })
    };
    let sum = |keys: [&str; 2]| -> u64 {
        let ours = records.iter().filter(is_ours);
        ours.flat_map(|record| keys.map(|key| record[key].as_u64().unwrap_or(0))).sum()
    };
    let got = (sum(["in_bytes", "out_bytes"]), sum(["in_packets", "out_packets"]));
    assert_eq!(got, counted(&file), "{doctor} {:?}", records.first());
    assert!(
        records.iter().any(|record| record["out_bytes"].as_u64() > Some(0)),
        "both directions in one record"
    );
    assert_eq!(doctor["ipfix"]["not_sent"], 0, "{doctor}");
}

#[test]
fn a_connection_carries_what_wireshark_dissects_and_survives_its_collector() {
    if !works("tshark --version") {
        return eprintln!("a_connection_carries: skipped, no tshark");
    }
    const SINK: &str = "import socket
server = socket.create_server(('203.0.113.11', 4739))
while True:
    peer, _ = server.accept()
    while peer.recv(65536):
        pass";
    let Some(mut house) = exporting("tcp", "tcp") else { return };
    let file = house.dir.join("wan.pcap").display().to_string();
    house.start("record", "router", &[BINARY, "record", "-i", "wan", "-o", &file]);
    // Nobody listens yet.
    traffic(&mut house);
    let trouble = &house.call("doctor", &json!({}))["ipfix"]["trouble"];
    assert!(trouble.is_string(), "{trouble}");
    for round in 0..2 {
        house.start("sink", "servers", &["python3", "-c", SINK]);
        // A second for the daemon to notice that the one before is gone.
        std::thread::sleep(Duration::from_secs(2));
        within(Duration::from_secs(30), "the collector is reached", || {
            let doctor = house.call("doctor", &json!({}));
            doctor["ipfix"]["trouble"].is_null().then_some(())
        });
        if round == 0 {
            traffic(&mut house);
            // It is killed, and comes back.
            house.signal("sink", "KILL");
        }
    }
    traffic(&mut house);
    house.signal("daemon", "TERM");
    std::thread::sleep(Duration::from_secs(1));
    house.signal("record", "INT");
    let dissect = |what: &str| {
        let line = format!("tshark -r {file} -d tcp.port==4739,cflow {what}");
        run(&line)
    };
    let malformed = dissect("-Y _ws.malformed -T fields -e frame.number");
    assert_eq!(malformed.trim(), "", "frames that are no IPFIX");
    let shown = dissect("-Y cflow.version==10 -T fields -e cflow.octets");
    let octets: u64 = shown.split([',', '\n', '\t']).filter_map(|word| word.trim().parse::<u64>().ok()).sum();
    assert!(octets > 100_000, "{shown}");
}

#[test]
fn metrics_are_as_prometheus_wants_them() {
    if !works("promtool --version") {
        return eprintln!("metrics_are: skipped, no promtool");
    }
    let Some(mut house) = Household::try_new("metrics") else { return };
    house.start("servers", "servers", &["python3", SERVERS]);
    house.daemon();
    traffic(&mut house);
    let file = house.dir.join("streamguard.prom").display().to_string();
    let output = Command::new(BINARY)
        .env("STREAMGUARD_RUN_DIR", house.dir.join("run"))
        .args(["metrics", "-o", &file])
        .output()
        .expect("metrics");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(&file).expect("text");
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool");
    child.stdin.take().expect("pipe").write_all(text.as_bytes()).expect("write");
    let output = child.wait_with_output().expect("promtool");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.trim().is_empty(), "{said}\n{text}");
    assert!(
        text.contains("streamguard_client_down_bytes_total{client=\"02:00:00:00:01:02\",name=\"Phone\"}")
    );
    house.signal("daemon", "TERM");
}
