//! Names learnt from real captures, held against tshark's.
//!
//! The captures are not part of the repository: they are looked for in `$STREAMGUARD_SHARED` or `../shared`. The
//! tests skip with a message where they, or tshark, are missing.

#![expect(clippy::disallowed_methods, reason = "tests look for captures and start tshark")]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use streamguard::dissect::dissect;
use streamguard::lan::{Identify, Lan, Placement, Vantage};
use streamguard::names::{DeviceSource, Event, NameWatcher, Source};
use streamguard::os::files::CaptureReader;

fn captures() -> Option<PathBuf> {
    let shared = std::env::var("STREAMGUARD_SHARED")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let captures = shared.join("captures");
    if !captures.is_dir() {
        println!("skipped: no captures in {}", shared.display());
        return None;
    }
    Some(captures)
}

/// What was heard in a capture.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    /// Name and carrier.
    spoken: BTreeSet<(String, &'static str)>,
    /// Name and address.
    answered: BTreeSet<(String, String)>,
    devices: BTreeSet<(String, DeviceSource)>,
}

fn watch(path: &Path) -> Heard {
    let mut reader = CaptureReader::open(&[path.to_owned()]).unwrap();
    let mut lan = Lan::new(Vantage::Guess, Identify::Mac);
    let mut watcher = NameWatcher::new(0);
    let mut heard = Heard::default();
    while let Some(frame) = reader.next().unwrap() {
        let packet = dissect(&frame);
        let direction = match lan.place(&packet) {
            Placement::Client(side) => Some(side.direction),
            Placement::Local | Placement::Foreign | Placement::NotIp => None,
        };
        watcher.observe(&packet, direction);
        for event in watcher.events() {
            let name = |id| watcher.names().name(id).unwrap().to_owned();
            match event {
                Event::Spoken(spoken) if spoken.source != Source::Http => {
                    heard.spoken.insert((name(spoken.name), spoken.source.as_str()));
                }
                Event::Answered(answered) => {
                    heard.answered.insert((name(answered.name), answered.addr.to_string()));
                }
                Event::Device(device) => {
                    heard.devices.insert((device.name.to_string(), device.source));
                }
                Event::Spoken(_) | Event::Dns(_) | Event::Dhcp { .. } => {}
            }
        }
    }
    heard
}

/// Rows of tshark's fields, `None` if there is no tshark.
fn tshark(path: &Path, filter: &str, fields: &[&str]) -> Option<Vec<Vec<String>>> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(path).args(["-n", "-Y", filter, "-T", "fields"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).to_lowercase();
    Some(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}

/// Server names that tshark finds.
fn spoken_by_tshark(path: &Path) -> Option<BTreeSet<(String, &'static str)>> {
    let fields = ["udp.srcport", "tls.handshake.extensions_server_name"];
    let rows = tshark(path, "tls.handshake.extensions_server_name", &fields)?;
    let mut names = BTreeSet::new();
    for row in rows {
        let carrier = if row[0].is_empty() { "tls" } else { "quic" };
        // An address in place of a name says nothing that the packet did not.
        let is_name = |name: &&str| name.parse::<IpAddr>().is_err();
        names.extend(row[1].split(',').filter(is_name).map(|name| (name.to_owned(), carrier)));
    }
    Some(names)
}

/// Names and addresses of DNS answers that tshark finds.
fn answered_by_tshark(path: &Path) -> Option<BTreeSet<(String, String)>> {
    let filter =
        "dns.flags.response == 1 && dns.flags.rcode == 0 && udp.srcport == 53 && (dns.a || dns.aaaa)";
    let rows = tshark(path, filter, &["dns.qry.name", "dns.a", "dns.aaaa"])?;
    let mut answers = BTreeSet::new();
    for row in rows {
        let addresses = row[1].split(',').chain(row[2].split(',')).filter(|addr| !addr.is_empty());
        answers.extend(addresses.map(|addr| (row[0].clone(), addr.to_owned())));
    }
    Some(answers)
}

#[test]
fn server_names_and_answers_are_those_that_tshark_finds() {
    let Some(captures) = captures() else { return };
    let (mut total, mut different) = ((0, 0), Vec::new());
    for name in [
        "quic-28.pcap",
        "android.pcap",
        "teams.pcap",
        "netflix.pcap",
        "discord.pcapng",
        "webex.pcap",
        "zoom.pcapng",
        "signal.pcap",
    ] {
        let path = captures.join("protocols").join(format!("{name}.zst"));
        let heard = watch(&path);
        let (Some(spoken), Some(answered)) = (spoken_by_tshark(&path), answered_by_tshark(&path)) else {
            println!("skipped: no tshark");
            return;
        };
        different.extend(heard.spoken.symmetric_difference(&spoken).map(|(host, _)| (name, host.clone())));
        different
            .extend(heard.answered.symmetric_difference(&answered).map(|(host, _)| (name, host.clone())));
        total = (total.0 + spoken.len(), total.1 + answered.len());
    }
    assert_eq!(different, []);
    println!("{} server names, {} answers", total.0, total.1);
    assert!(total.0 > 40 && total.1 > 40, "{total:?}");
}

#[test]
fn devices_are_called_what_they_call_themselves_to_dhcp() {
    let Some(captures) = captures() else { return };
    let (mut ours, mut theirs) = (BTreeSet::new(), BTreeSet::new());
    for name in ["android.pcap", "signal.pcap", "teams.pcap", "wa_video.pcap", "zoom.pcapng"] {
        let path = captures.join("protocols").join(format!("{name}.zst"));
        let Some(rows) = tshark(&path, "dhcp.type == 1 && dhcp.option.hostname", &["dhcp.option.hostname"])
        else {
            println!("skipped: no tshark");
            return;
        };
        theirs.extend(rows.into_iter().map(|row| row[0].clone()));
        let devices = watch(&path).devices.into_iter();
        ours.extend(
            devices.filter(|device| device.1 == DeviceSource::Dhcp4).map(|(name, _)| name.to_lowercase()),
        );
    }
    println!("{ours:?}");
    assert_eq!(ours, theirs);
}

#[test]
fn the_shipped_captures_server_names_are_those_that_tshark_finds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/demo.pcap.zst");
    let Some(spoken) = spoken_by_tshark(&path) else {
        println!("skipped: no tshark");
        return;
    };
    assert_eq!(watch(&path).spoken, spoken);
}
