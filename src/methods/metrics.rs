//! The household's numbers for Prometheus: the web gateway serves this text as `/metrics`, `streamguard metrics`
//! prints it or keeps it in a file for node_exporter's textfile collector.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Call, Failure, Host};
use crate::report::metrics::{Kind, Metrics};

pub(super) fn metrics(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    let condition = host.condition(call.now);
    let started_s = host.wall_s(call.now) - i64::try_from(condition.uptime_s).unwrap_or(0);
    let doctor = host.doctor(call.now);
    let mut page = Metrics::default();
    page.family("build_info", Kind::Gauge, "The version that runs; always 1.")
        .sample(&[("version", env!("CARGO_PKG_VERSION")), ("mode", condition.mode)], 1)
        .family("start_time_seconds", Kind::Gauge, "When the service was started, since the epoch.")
        .sample(&[], u64::try_from(started_s).unwrap_or(0))
        .family("enforcement_in_force", Kind::Gauge, "Whether the firewall does what is wanted.")
        .sample(&[], u64::from(condition.enforcement == "in force"))
        .family("config_findings", Kind::Gauge, "Options that were not taken as written.")
        .sample(&[], host.findings().len() as u64);
    traffic(host, &mut page);
    machine(&doctor, &mut page);
    clients(host, &mut page);
    alerts(host, &mut page);
    Ok(json!({ "text": page.into_text() }))
}

fn traffic(host: &dyn Host, page: &mut Metrics) {
    let engine = host.house().engine();
    let (seen, flows) = (engine.seen(), engine.flows());
    let (windows, counted) = host.house().tally();
    page.family("frames_total", Kind::Counter, "Frames seen.")
        .sample(&[], seen.packets)
        .family("frame_bytes_total", Kind::Counter, "Bytes of frames seen, as on the wire.")
        .sample(&[], seen.bytes)
        .family("malformed_frames_total", Kind::Counter, "Frames that are not what they claim.")
        .sample(&[], seen.malformed)
        .family("windows_total", Kind::Counter, "Ten-second windows of clients closed.")
        .sample(&[], windows)
        .family("windows_counted_total", Kind::Counter, "Windows counted as watching.")
        .sample(&[], counted)
        .family("flows", Kind::Gauge, "Flows in the table.")
        .sample(&[], flows.len() as u64)
        .family("flows_evicted_total", Kind::Counter, "Flows that left the full table before their time.")
        .sample(&[], flows.evicted());
}

fn machine(doctor: &Value, page: &mut Metrics) {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let ears = doctor["capture"].as_array().map_or(&[][..], Vec::as_slice);
    let each = |page: &mut Metrics, key: &str| {
        for ear in ears {
            page.sample(&[("interface", ear["interface"].as_str().unwrap_or(""))], number(&ear[key]));
        }
    };
    if !ears.is_empty() {
        page.family("capture_received_frames_total", Kind::Counter, "Frames the kernel passed to us.");
        each(page, "received");
        page.family("capture_dropped_frames_total", Kind::Counter, "Frames the kernel had no room for.");
        each(page, "dropped");
    }
    let storage = &doctor["storage"];
    if storage["bytes"].is_u64() {
        page.family("database_size_bytes", Kind::Gauge, "Size of the history database.")
            .sample(&[], number(&storage["bytes"]))
            .family("database_pending_rows", Kind::Gauge, "Rows that wait for a commit.")
            .sample(&[], number(&storage["pending_rows"]))
            .family("database_commits", Kind::Gauge, "Commits to flash today.")
            .sample(&[], number(&storage["commits_today"]));
    }
}

fn clients(host: &dyn Host, page: &mut Metrics) {
    let house = host.house();
    let clients = house.engine().lan().clients();
    let rows: Vec<_> = clients
        .iter()
        .map(|(index, known)| {
            let name = house.name_of(known.id).unwrap_or_default();
            (known.id.to_string(), name, index, house.ledger().usage(known.id))
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    let mut each = |name: &'static str, kind: Kind, help: &str, value: &dyn Fn(usize) -> Option<u64>| {
        page.family(name, kind, help);
        for (index, (client, name, ..)) in rows.iter().enumerate() {
            if let Some(value) = value(index) {
                page.sample(&[("client", client), ("name", name)], value);
            }
        }
    };
    each("client_up_bytes_total", Kind::Counter, "Bytes a client sent to the outside.", &|index| {
        Some(house.moved(rows[index].2).up)
    });
    each("client_down_bytes_total", Kind::Counter, "Bytes a client received from the outside.", &|index| {
        Some(house.moved(rows[index].2).down)
    });
    each("client_watched_seconds_total", Kind::Counter, "Seconds of video a client watched.", &|index| {
        Some(house.engine().totals(rows[index].2).watched.as_secs())
    });
    each("client_used_seconds", Kind::Gauge, "Seconds of video counted on this quota day.", &|index| {
        Some(rows[index].3.used_s.into())
    });
    each("client_quota_seconds", Kind::Gauge, "Seconds of video allowed on this quota day.", &|index| {
        rows[index].3.quota_s.map(Into::into)
    });
    each("client_restricted", Kind::Gauge, "Whether a client's video is cut off now.", &|index| {
        let client = rows[index].3.client;
        Some(house.ledger().standing(client).restricts_video().into())
    });
}

fn alerts(host: &dyn Host, page: &mut Metrics) {
    let mut all: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    for row in host.house().incidents().rows() {
        let (count, open) = all.entry((&row.kind, &row.severity)).or_default();
        *count += 1;
        *open += u64::from(row.is_open());
    }
    page.family("alerts_open", Kind::Gauge, "Attacks that go on and are not settled.");
    for ((kind, severity), (_, open)) in &all {
        page.sample(&[("type", kind), ("severity", severity)], *open);
    }
    page.family("alerts_recent", Kind::Gauge, "Attacks noticed lately, the open ones included.");
    for ((kind, severity), (count, _)) in &all {
        page.sample(&[("type", kind), ("severity", severity)], *count);
    }
}
