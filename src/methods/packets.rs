//! The last packets and windows, and packets as files.

use std::io::BufWriter;
use std::ops::Range;
use std::path::Path;

use serde_json::{Value, json};

use super::{Call, Failure, Host, failure, past, present};
use crate::dissect::{Frame, dissect};
use crate::history::epoch_s;
use crate::net::{Addr, ClientId, Endpoint};
use crate::os::recordings;
use crate::quota::Who;
use crate::report::pcapng::PcapngWriter;
use crate::time::{Duration, Now, WallTime};
use crate::units::Bytes;

/// Packets shown at most.
const MAX_SHOWN: u64 = 5_000;
/// Packets shown unless asked for more.
const SHOWN: u64 = 100;
/// Longest recording.
const MAX_SECONDS: u64 = 3_600;
/// Longest filter.
const MAX_FILTER_CHARS: usize = 1_000;
/// Time around an alert that belongs to it.
const AROUND_S: i64 = 60;

/// A recording that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Where to listen.
    pub interface: String,
    /// Which frames, in libpcap's language; empty = all.
    pub filter: String,
    /// How long at most.
    pub duration: Duration,
    /// How large the file may become.
    pub size: Bytes,
    /// Bytes kept of each frame; `None` = as configured.
    pub snaplen: Option<u32>,
}

/// Which packets are wanted.
struct Wanted {
    range: Range<i64>,
    client: Option<(ClientId, Vec<Addr>)>,
    addr: Option<Addr>,
}

impl Wanted {
    fn takes(&self, frame: &Frame<'_>, now: Now) -> bool {
        if !self.range.contains(&epoch_s(frame.at, now)) {
            return false;
        }
        if self.client.is_none() && self.addr.is_none() {
            return true;
        }
        let packet = dissect(frame);
        let ends = packet.ip().map(|ip| [ip.src, ip.dst]).unwrap_or([Addr::UNSPECIFIED; 2]);
        let is_addr = self.addr.is_none_or(|addr| ends.contains(&addr));
        let is_client = self.client.as_ref().is_none_or(|(client, addresses)| {
            let by_mac =
                packet.ether.is_some_and(|ether| [ether.src, ether.dst].map(ClientId::Mac).contains(client));
            by_mac || ends.iter().any(|end| addresses.contains(end))
        });
        is_addr && is_client
    }
}

/// The packets of a question: of a time, a device, or around an alert.
fn wanted(host: &dyn Host, call: &Call<'_>) -> Result<Wanted, Failure> {
    let house = host.house();
    let mut wanted = Wanted { range: i64::MIN..i64::MAX, client: None, addr: None };
    if call.param("from").is_some() || call.param("to").is_some() {
        wanted.range = past::range(host, call)?;
    }
    if call.param("who").is_some() {
        let Who::Client(client) = present::who(house, call)? else {
            return Err(failure("bad_params", "who is no single device"));
        };
        wanted.client = Some((client, house.addresses_of(client)));
    }
    if let Some(id) = call.number("alert")? {
        let id = i64::try_from(id).unwrap_or(i64::MAX);
        let row = house.incidents().rows().find(|row| row.id == id);
        let row = row.ok_or_else(|| failure("bad_params", format!("no alert {id} in this run")))?;
        wanted.range = row.first_s - AROUND_S..row.last_s + AROUND_S;
        wanted.addr = row.source.parse::<std::net::IpAddr>().ok().map(Addr::from);
        // Forged sources have no address of their own.
        wanted.addr = wanted.addr.filter(|addr| *addr != Addr::UNSPECIFIED && !addr.is_special());
    }
    Ok(wanted)
}

/// The last packets, headers only, the latest first.
pub(super) fn packets(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    let wanted = wanted(host, call)?;
    let limit = call.number("limit")?.unwrap_or(SHOWN).min(MAX_SHOWN);
    let limit = usize::try_from(limit).unwrap_or(0);
    let ring = host.house().packets();
    let mut shown = std::collections::VecDeque::new();
    let all = ring.each(|frame| {
        if wanted.takes(frame, call.now) {
            if shown.len() >= limit {
                shown.pop_front();
            }
            shown.push_back(packet(frame, call.now));
        }
        Ok::<(), std::convert::Infallible>(())
    });
    match all {
        Ok(()) => {}
        Err(never) => match never {},
    }
    let rows: Vec<Value> = shown.into_iter().rev().collect();
    Ok(json!({ "packets": rows, "held": ring.len() }))
}

fn packet(frame: &Frame<'_>, now: Now) -> Value {
    let packet = dissect(frame);
    let at_s = epoch_s(frame.at, now);
    let micros = frame.at.as_nanos() / 1_000 % 1_000_000;
    let (src_port, dst_port) = packet.ports();
    let end = |addr: Addr, port: u16| match port {
        0 => addr.to_string(),
        port => Endpoint { addr, port }.to_string(),
    };
    let (src, dst) = match (packet.ip(), packet.ether) {
        (Some(ip), _) => (end(ip.src, src_port), end(ip.dst, dst_port)),
        (None, Some(ether)) => (ether.src.to_string(), ether.dst.to_string()),
        (None, None) => (String::new(), String::new()),
    };
    json!({
        "time_s": at_s as f64 + micros as f64 / 1e6,
        "src": src,
        "dst": dst,
        "wire_len": packet.wire_len,
        "path": packet.application_path().to_string(),
    })
}

/// Writes packets of the ring to a file below the directory of recordings.
pub(super) fn export_pcap(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    let wanted = wanted(host, call)?;
    let at = WallTime::from_secs(host.wall_s(call.now));
    let house = host.house();
    let failed = |error: std::io::Error| failure("recording", error.to_string());
    let directory = Path::new(&house.config().capture.dir);
    let (path, file) = recordings::create(directory, ("packets", "pcapng"), at).map_err(failed)?;
    let ring = house.packets();
    let mut writer = PcapngWriter::begin(BufWriter::new(file), ring.snaplen()).map_err(failed)?;
    let mut count: u64 = 0;
    ring.each(|frame| {
        if !wanted.takes(frame, call.now) {
            return Ok(());
        }
        count += 1;
        writer.packet(stamp(frame, call.now), frame.link, (frame.wire_len, frame.data))
    })
    .map_err(failed)?;
    let bytes = writer.end().map_err(failed)?;
    Ok(json!({ "file": path.display().to_string(), "packets": count, "bytes": bytes }))
}

/// The wall clock's time of a packet, to the nanosecond.
fn stamp(frame: &Frame<'_>, now: Now) -> WallTime {
    match now.wall {
        Some(wall) if frame.at <= now.mono => wall - now.mono.since(frame.at),
        Some(wall) => wall + frame.at.since(now.mono),
        None => WallTime::from_nanos(i64::try_from(frame.at.as_nanos()).unwrap_or(i64::MAX)),
    }
}

/// Begins a recording.
pub(super) fn capture_start(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    let filter = call.param("filter").map_or(Ok(""), |_| call.text("filter"))?;
    if filter.chars().count() > MAX_FILTER_CHARS {
        return Err(failure(
            "bad_params",
            format!("the filter is longer than {MAX_FILTER_CHARS} characters"),
        ));
    }
    let seconds = call.number("seconds")?.unwrap_or(60);
    let size = call.number("bytes")?.unwrap_or(8_000_000);
    if !(1..=MAX_SECONDS).contains(&seconds) || !(10_000..=recordings::MAX_KEPT_BYTES).contains(&size) {
        let bytes = recordings::MAX_KEPT_BYTES;
        let message = format!("seconds must be from 1 to {MAX_SECONDS}, bytes from 10000 to {bytes}");
        return Err(failure("bad_params", message));
    }
    let snaplen = call.number("snaplen")?.map(|snaplen| u32::try_from(snaplen).unwrap_or(u32::MAX));
    if snaplen.is_some_and(|snaplen| !(64..=65_535).contains(&snaplen)) {
        return Err(failure("bad_params", "snaplen must be from 64 to 65535"));
    }
    let recording = Recording {
        interface: call.text("interface")?.to_owned(),
        filter: filter.to_owned(),
        duration: Duration::from_secs(seconds),
        size: Bytes(size),
        snaplen,
    };
    host.capture_start(&recording, call.now)
}

/// Ends the recording that goes on.
pub(super) fn capture_stop(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    host.capture_stop(call.now)
}

/// What the classifier said of the last windows.
pub(super) fn windows(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    let range = past::range(host, call)?;
    let house = host.house();
    let who = match call.param("who") {
        None => None,
        Some(_) => Some(present::who(house, call)?),
    };
    let device = match &who {
        Some(Who::Client(wanted)) => past::whole_device(host, *wanted),
        None | Some(Who::All | Who::Profile(_)) => Vec::new(),
    };
    let clients = house.engine().lan().clients();
    let rows =
        house.past_windows().iter().filter(|window| range.contains(&window.start_s)).filter_map(|window| {
            let client = clients.known(window.client)?.id;
            let is_wanted = match &who {
                None | Some(Who::All) => true,
                Some(Who::Client(_)) => device.contains(&client),
                Some(Who::Profile(id)) => {
                    house.ledger().settings().profile_of(client).is_some_and(|profile| profile.id == *id)
                }
            };
            is_wanted.then(|| {
                json!({
                    "start_s": window.start_s,
                    "client": client,
                    "name": house.name_of(client),
                    "score": window.score.map(|score| (score.as_f64() * 1e4).round() / 1e4),
                    "streaming": window.counted,
                })
            })
        });
    Ok(json!({ "windows": rows.collect::<Vec<_>>() }))
}
