//! The daemon in a household of network namespaces: enforcement, alerts, books (tests/support/netns.rs).
#![cfg(feature = "os")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test of the shell: processes, files and clocks are what it is about"
)]

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use streamguard::os::control::{Access, Caller};

#[path = "support/netns.rs"]
mod netns;

use netns::{BINARY, Household, SCAN, SEGMENT, SERVERS, epoch_s, run, within, works};

#[test]
fn a_used_up_quota_stops_the_video_and_nothing_else() {
    let Some(mut house) = Household::try_new("enforce") else { return };
    house.start("servers", "servers", &["python3", SERVERS]);
    house.daemon();
    let mut listener = Caller::connect(&house.dir.join("run"), Access::View).expect("daemon");
    listener.call("subscribe", &json!({})).expect("subscribe");
    house.player("tablet-video", "tablet", ["tcp", "203.0.113.10", SEGMENT, "4"]);
    house.player("tablet-page", "tablet", ["tcp", "2001:db8:1::12", "3000", "1"]);
    house.player("laptop-video", "laptop", ["tcp", "203.0.113.10", SEGMENT, "4"]);

    let blocked = house.blocked_at(&mut listener, "Tablet");
    house.fails("tablet-video");
    let last = house.last("tablet-video", "data").expect("some video was played");
    assert!(last - blocked <= 1.0, "payload arrived {:.3} s after the block", last - blocked);
    eprintln!("block effective {:.3} s after the event", (last - blocked).max(0.0));
    house.goes_on("tablet-page");
    house.goes_on("laptop-video");
    let tablet = house.client("Tablet");
    assert_eq!(tablet["standing"], "exhausted");
    assert_eq!(tablet["blocked_servers"], json!(["203.0.113.10"]));
    assert_eq!(house.client("Laptop")["standing"], "exempt");

    // A dead daemon leaves the block, with a timeout; its successor knows what was used.
    let used_s = tablet["used_s"].as_u64().expect("seconds");
    house.signal("daemon", "KILL");
    house.fails("tablet-video");
    let text = house.router("nft list set inet streamguard video4");
    assert!(text.contains("02:00:00:00:01:01 . 203.0.113.10") && text.contains("expires"), "{text}");
    house.daemon();
    let again = house.client("Tablet");
    assert!(again["used_s"].as_u64().expect("seconds") + 10 >= used_s, "{again}");
    assert_eq!(again["standing"], "exhausted");
    assert_eq!(again["blocked_servers"], json!(["203.0.113.10"]));

    // Somebody flushes everything: back within a second.
    house.router("nft flush ruleset");
    within(Duration::from_secs(1), "the table is back", || {
        works(&format!("ip netns exec {}router nft list set inet streamguard video4", house.prefix))
            .then_some(())
    });
    house.firewall();
    house.goes_on("tablet-page");

    house.call("grant", &json!({ "who": "Tablet", "minutes": 60 }));
    house.goes_on("tablet-video");

    house.call("pause", &json!({ "who": "Tablet" }));
    house.fails("tablet-page");
    house.fails("tablet-video");
    house.goes_on("laptop-video");
    house.call("resume", &json!({ "who": "Tablet" }));
    house.goes_on("tablet-page");

    house.signal("daemon", "TERM");
    assert_eq!(house.router("nft list tables").trim(), "table inet fw4");
}

#[test]
fn every_flow_with_a_listed_server_stops_datagrams_over_ipv6_too() {
    let Some(mut house) = Household::try_new("datagrams") else { return };
    house.start("servers", "servers", &["python3", SERVERS]);
    house.daemon();
    let mut listener = Caller::connect(&house.dir.join("run"), Access::View).expect("daemon");
    listener.call("subscribe", &json!({})).expect("subscribe");
    house.player("phone-video", "phone", ["tcp", "2001:db8:1::11", SEGMENT, "4"]);
    house.player("phone-datagrams", "phone", ["udp", "2001:db8:1::11", "60000", "0.5"]);
    house.player("phone-page", "phone", ["tcp", "203.0.113.12", "3000", "1"]);
    let blocked = house.blocked_at(&mut listener, "Phone");
    house.fails("phone-video");
    house.fails("phone-datagrams");
    for player in ["phone-video", "phone-datagrams"] {
        let last = house.last(player, "data").expect("something arrived before");
        assert!(last - blocked <= 1.0, "{player}: payload {:.3} s after the block", last - blocked);
    }
    house.goes_on("phone-page");
    assert_eq!(house.client("Phone")["blocked_servers"], json!(["2001:db8:1::11"]));
}

#[test]
fn an_attack_from_the_lan_is_told_kept_and_acknowledged() {
    let Some(mut house) = Household::try_new("alerts") else { return };
    house.daemon();
    let mut listener = Caller::connect(&house.dir.join("run"), Access::View).expect("daemon");
    listener.call("subscribe", &json!({})).expect("subscribe");
    house.start("scan", "phone", &["python3", "-c", SCAN]);
    let event = within(Duration::from_secs(30), "the scan is an alert", || {
        listener.next_message().ok().filter(|event| event["event"] == "alert")
    });
    assert_eq!((&event["type"], &event["stage"]), (&json!("port_scan"), &json!("opened")), "{event}");
    assert_eq!((&event["source"], &event["source_name"]), (&json!("192.168.1.12"), &json!("Phone")));

    let open = json!({ "open": true, "type": "port_scan", "severity": "low" });
    let alerts = house.call("alerts", &open);
    let id = alerts["alerts"][0]["id"].as_i64().expect("an alert");
    assert_eq!(alerts["alerts"].as_array().map(Vec::len), Some(1), "{alerts}");
    house.call("ack", &json!({ "alert": id, "note": "my own test", "resolve": true }));
    assert_eq!(house.call("alerts", &open)["alerts"], json!([]));
    let viewer =
        Caller::connect(&house.dir.join("run"), Access::View).expect("daemon").call("ack", &json!({}));
    assert!(viewer.is_err(), "the socket for looking lets nobody acknowledge");

    // The next daemon knows it by the same number, and that it is over.
    house.signal("daemon", "TERM");
    house.daemon();
    let kept = house.call("alerts", &json!({}));
    let kept = &kept["alerts"][0];
    assert_eq!(
        (&kept["id"], &kept["note"], &kept["closed"]),
        (&json!(id), &json!("my own test"), &json!(true))
    );
    assert_eq!(kept["opinion"]["class"], "scan", "{kept}");
    house.signal("daemon", "TERM");
}

#[test]
fn an_attacker_in_the_house_is_cut_off_for_a_while_where_that_is_wanted() {
    let Some(mut house) = Household::try_new("wanted") else { return };
    house.start("servers", "servers", &["python3", SERVERS]);
    house.daemon_with("config detect 'detect'\n\tlist block 'port_scan'\n");
    let mut listener = Caller::connect(&house.dir.join("run"), Access::View).expect("daemon");
    listener.call("subscribe", &json!({})).expect("subscribe");
    house.player("phone-page", "phone", ["tcp", "203.0.113.12", "3000", "0.5"]);
    house.player("tablet-page", "tablet", ["tcp", "203.0.113.12", "3000", "0.5"]);
    house.goes_on("phone-page");
    // The laptop is exempt, whatever it does.
    house.start("allowed", "laptop", &["python3", "-c", SCAN]);
    house.start("scan", "phone", &["python3", "-c", SCAN]);
    let event = within(Duration::from_secs(40), "the scanner is blocked", || {
        listener.next_message().ok().filter(|event| event["event"] == "attacker_blocked")
    });
    assert_eq!((&event["type"], &event["who"]), (&json!("port_scan"), &json!("02:00:00:00:01:02")));
    assert_eq!((&event["enforced"], &event["seconds"]), (&json!(true), &json!(600)));
    house.fails("phone-page");
    house.goes_on("tablet-page");
    let cut = house.router("nft list set inet streamguard cut");
    assert!(cut.contains("02:00:00:00:01:02") && !cut.contains("02:00:00:00:01:03"), "{cut}");
    house.call("resume", &json!({ "who": "Phone" }));
    house.goes_on("phone-page");

    // What devices send in a day is known to the next daemon.
    let uploads = |house: &Household| {
        let text = fs::read_to_string(house.dir.join("run/state.json")).expect("state");
        let state: Value = serde_json::from_str(text.lines().nth(1).expect("a second line")).expect("JSON");
        let mut uploads = state["uploads"].as_array().expect("uploads").clone().into_iter();
        let phone = uploads.find(|upload| upload["client"] == "02:00:00:00:01:02").expect("the phone");
        phone["today_bytes"].as_u64().expect("bytes")
    };
    house.signal("daemon", "TERM");
    let before = uploads(&house);
    house.daemon_with("");
    house.signal("daemon", "TERM");
    assert!(before > 0 && uploads(&house) >= before, "{before} bytes were sent");
}

/// Sums a column pair of rows in three ways that people read them.
const SUMS: &str = "import csv, json, sqlite3, sys
csv_file, json_file, ndjson_file, database = sys.argv[1:]
moved = lambda row: int(row['up_bytes']) + int(row['down_bytes'])
print(sum(map(moved, csv.DictReader(open(csv_file, newline='')))))
print(sum(map(moved, json.load(open(json_file))['traffic'])))
print(sum(moved(json.loads(line)) for line in open(ndjson_file)))
view = 'SELECT sum(up_bytes + down_bytes) FROM traffic'
print(sqlite3.connect(database).execute(view).fetchone()[0])";

#[test]
fn what_moved_is_recorded_kept_and_exported() {
    let Some(mut house) = Household::try_new("books") else { return };
    house.router("sysctl -qw net.netfilter.nf_conntrack_acct=1");
    house.start("servers", "servers", &["python3", SERVERS]);
    house.daemon();
    let mut listener = Caller::connect(&house.dir.join("run"), Access::View).expect("daemon");
    listener.call("subscribe", &json!({})).expect("subscribe");
    house.player("phone-page", "phone", ["tcp", "203.0.113.12", "3000", "0.2"]);
    house.goes_on("phone-page");

    house.is_counted_by_the_kernel();

    let recording = json!({ "interface": "br-lan", "filter": "tcp port 80 or tcp", "seconds": 2 });
    house.call("capture_start", &recording);
    for (wrong, why) in [
        (recording.clone(), "busy"),
        (json!({ "interface": "nowhere" }), "no such interface"),
        (json!({ "interface": "br-lan", "filter": "port" }), "no filter"),
        (json!({ "interface": "br-lan", "seconds": 1_000_000 }), "too long"),
    ] {
        assert!(house.try_call("capture_start", &wrong).is_none(), "{why}");
    }
    let event = within(Duration::from_secs(20), "the recording ends", || {
        listener.next_message().ok().filter(|event| event["event"] == "recording")
    });
    assert_eq!(event["ended"], "time", "{event}");
    house.is_readable(&event);
    let exported = house.call("export_pcap", &json!({ "who": "Phone" }));
    house.is_readable(&exported);
    let packets = house.call("packets", &json!({ "who": "Phone", "limit": 5 }));
    let packet = &packets["packets"][0];
    assert!(packet["path"].as_str().is_some_and(|path| path.starts_with("eth:ip")), "{packets}");

    house.signal("phone-page", "TERM");
    let bytes = house.call("status", &json!({}))["bytes"].as_u64().expect("bytes");
    let page = house.call("metrics", &json!({}));
    let page = page["text"].as_str().expect("text");
    assert!(
        page.contains("streamguard_client_down_bytes_total{client=\"02:00:00:00:01:02\",name=\"Phone\"}")
    );
    house.signal("daemon", "TERM");
    house.daemon();
    let answer = house.call("traffic", &json!({ "per": "total", "by": "client", "from": "1h" }));
    let rows = answer["traffic"].as_array().expect("rows");
    let sum: u64 =
        rows.iter().flat_map(|row| [&row["up_bytes"], &row["down_bytes"]]).filter_map(Value::as_u64).sum();
    assert!(sum >= bytes && sum <= bytes + bytes / 10, "{sum} of {bytes}: {answer}");

    let mut files = Vec::new();
    for form in ["csv", "json", "ndjson"] {
        let file = house.dir.join(format!("traffic.{form}")).display().to_string();
        let run_dir = house.dir.join("run");
        let output = Command::new(BINARY)
            .env("STREAMGUARD_RUN_DIR", run_dir)
            .args(["export", "traffic", "--from", "2h", "--format", form, "-o", &file])
            .output()
            .expect("export");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        files.push(file);
    }
    files.push(house.dir.join("state/streamguard.db").display().to_string());
    let sums = Command::new("python3").args(["-c", SUMS]).args(&files).output().expect("python3");
    let sums = String::from_utf8_lossy(&sums.stdout).into_owned();
    assert_eq!(sums.lines().collect::<Vec<_>>(), vec![sum.to_string(); 4], "{answer}");
    house.signal("daemon", "TERM");
}

impl Household {
    /// Whether conntrack's counters and ours agree.
    fn is_counted_by_the_kernel(&self) {
        within(Duration::from_secs(10), "the kernel counted about as many bytes", || {
            let accounting = &self.call("doctor", &json!({}))["accounting"];
            let theirs = accounting["kernel_bytes"].as_u64()?;
            let ours = accounting["counted_bytes"].as_u64()?;
            (ours * 10 >= theirs * 9 && theirs * 10 >= ours * 9).then_some(())
        });
    }

    /// Whether Wireshark's tools read a file of packets as it is said to be.
    fn is_readable(&self, said: &Value) {
        let file = said["file"].as_str().expect("file");
        assert!(file.starts_with(&self.dir.join("state/recordings").display().to_string()), "{said}");
        assert!(said["packets"].as_u64().is_some_and(|packets| packets > 5), "{said}");
        assert_eq!(fs::metadata(file).expect("file").len(), said["bytes"].as_u64().expect("bytes"));
        if !works("tshark --version") {
            eprintln!("no tshark: {file} is not read again");
            return;
        }
        let fields =
            run(&format!("tshark -r {file} -T fields -e frame.time_epoch -e frame.len -e frame.cap_len"));
        assert_eq!(fields.lines().count() as u64, said["packets"].as_u64().expect("packets"));
        for line in fields.lines() {
            let words: Vec<f64> = line.split_whitespace().map(|word| word.parse().expect("number")).collect();
            assert!(
                (epoch_s() - words[0]).abs() < 120.0 && words[1] >= words[2] && words[2] <= 128.0,
                "{line}"
            );
        }
    }
}
