//! New answers in the shape of old ones. What was never measured (flags of single packets, packets of an hour) is null.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Given;
use crate::time::WallTime;

/// Rows of a list unless asked for more.
const ROWS: u64 = 50;
/// Upper bounds of packet sizes, and their names.
const SIZES: [(u64, &str); 5] =
    [(100, "<100"), (500, "100-500"), (1_000, "500-1000"), (1_501, "1000-1500"), (u64::MAX, ">1500")];

pub(super) fn health(status: &Value, _: &Given) -> Value {
    json!({ "status": "healthy", "service": "streamguard", "timestamp": wall(&status["time_s"]) })
}

pub(super) fn counters(status: &Value, _: &Given) -> Value {
    let [frames, bytes, secs] =
        ["frames", "bytes", "uptime_s"].map(|key| status[key].as_f64().unwrap_or(0.0));
    let bps = if secs > 0.0 { 8.0 * bytes / secs } else { 0.0 };
    json!({
        "total_packets": status["frames"], "raw_packets": status["frames"], "total_bytes": status["bytes"],
        "elapsed_time": status["uptime_s"], "is_capturing": true,
        "packets_per_second": if secs > 0.0 { frames / secs } else { 0.0 },
        "throughput_bps": bps, "throughput_mbps": bps / 1e6,
    })
}

pub(super) fn interfaces(doctor: &Value, _: &Given) -> Value {
    let names: Vec<&Value> = list(&doctor["capture"]).iter().map(|ear| &ear["interface"]).collect();
    json!({ "interfaces": names })
}

pub(super) fn protocols(found: &Value, _: &Given) -> Value {
    let counts = counted(found, "protocol");
    json!({ "labels": counts.iter().map(|(name, _)| name).collect::<Vec<_>>(), "values": counts.iter().map(|(_, count)| count).collect::<Vec<_>>() })
}

pub(super) fn top(found: &Value, given: &Given, column: &str) -> Value {
    let all = list(&found["packets"]).len().max(1);
    let name = if column == "dst_port" { "port" } else { "ip" };
    let rows =
        counted(found, column).into_iter().take(take(given.number("limit", 5))).map(|(value, count)| {
            let value = if name == "port" { json!(value.parse::<u16>().ok()) } else { json!(value) };
            json!({ name: value, "packet_count": count, "percentage": 100.0 * count as f64 / all as f64 })
        });
    rows.collect()
}

pub(super) fn sizes(found: &Value, _: &Given) -> Value {
    let mut counts = [0_u64; SIZES.len()];
    for packet in list(&found["packets"]) {
        let len = packet["wire_len"].as_u64().unwrap_or(0);
        if let Some(index) = SIZES.iter().position(|(bound, _)| len < *bound) {
            counts[index] += 1;
        }
    }
    json!({ "labels": SIZES.map(|(_, name)| name), "values": counts })
}

pub(super) fn page(found: &Value, given: &Given) -> Value {
    let is = |row: &Value, key: &str, wanted: Option<&str>| {
        wanted.is_none_or(|wanted| row[key].as_str().is_some_and(|text| text.eq_ignore_ascii_case(wanted)))
    };
    let search = given.text("search").map(str::to_lowercase);
    let rows: Vec<Value> = list(&found["packets"])
        .iter()
        .map(packet)
        .filter(|row| is(row, "protocol", given.text("protocol")) && is(row, "src_ip", given.text("src_ip")))
        .filter(|row| search.as_ref().is_none_or(|text| row.to_string().to_lowercase().contains(text)))
        .collect();
    let (page, limit) = (given.number("page", 1).max(1), given.number("limit", 20).clamp(1, 1_000));
    let first = take((page - 1).saturating_mul(limit));
    let shown: Vec<&Value> = rows.iter().skip(first).take(take(limit)).collect();
    let pages = rows.len().div_ceil(take(limit));
    json!({ "packets": shown, "total": rows.len(), "page": page, "limit": limit, "pages": pages })
}

pub(super) fn recent(found: &Value, given: &Given) -> Value {
    let rows = list(&found["packets"]).iter().take(take(given.number("limit", ROWS)));
    json!({ "packets": rows.map(packet).collect::<Vec<_>>() })
}

pub(super) fn history(found: &Value, _: &Given) -> Value {
    let mut bins: BTreeMap<i64, (u64, i64)> = BTreeMap::new();
    for row in list(&found["traffic"]) {
        let [start_s, end_s] = ["start_s", "end_s"].map(|key| row[key].as_i64().unwrap_or(0));
        let bin = bins.entry(start_s).or_insert((0, (end_s - start_s).max(1)));
        bin.0 += number(row, "up_bytes") + number(row, "down_bytes");
    }
    let rates: Vec<f64> = bins.values().map(|(bytes, secs)| *bytes as f64 / *secs as f64).collect();
    let labels: Vec<String> = bins.keys().map(|start_s| WallTime::from_secs(*start_s).to_string()).collect();
    json!({ "labels": labels, "byte_rates": rates, "packet_rates": null })
}

pub(super) fn direction(found: &Value, _: &Given) -> Value {
    let sum = |key: &str| list(&found["traffic"]).iter().map(|row| number(row, key)).sum::<u64>();
    json!({ "inbound_bytes": sum("down_bytes"), "outbound_bytes": sum("up_bytes"), "inbound_packets": null, "outbound_packets": null })
}

pub(super) fn alerts(found: &Value, given: &Given) -> Value {
    let severity = given.text("severity").map(str::to_lowercase);
    let resolved = given.text("resolved").map(|text| matches!(text, "1" | "true" | "True"));
    let rows: Vec<Value> = list(&found["alerts"])
        .iter()
        .filter(|row| severity.as_deref().is_none_or(|wanted| row["severity"] == wanted))
        .filter(|row| resolved.is_none_or(|wanted| row["resolved_s"].is_null() != wanted))
        .map(alert)
        .collect();
    let shown: Vec<&Value> = rows.iter().take(take(given.number("limit", ROWS))).collect();
    json!({ "alerts": shown, "total": rows.len(), "filters": { "severity": severity, "resolved": resolved } })
}

pub(super) fn summary(found: &Value, _: &Given) -> Value {
    let rows = list(&found["alerts"]);
    let by = |key: &str| {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for row in rows {
            *counts.entry(row[key].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        counts
    };
    let unresolved = rows.iter().filter(|row| row["resolved_s"].is_null()).count();
    json!({ "total_alerts": rows.len(), "unresolved": unresolved, "by_attack_type": by("type"), "by_severity": by("severity") })
}

pub(super) fn anomalies(found: &Value, given: &Given) -> Value {
    let rows = list(&found["alerts"]).iter().take(take(given.number("limit", 20))).map(|row| {
        json!({
            "type": row["type"], "source_ip": row["source"], "target": row["target"], "severity": row["severity"],
            "timestamp": wall(&row["last_s"]), "details": row["evidence"],
        })
    });
    json!({ "anomalies": rows.collect::<Vec<_>>() })
}

/// Certainty was a number of a model's; ours are counted numbers, which stand in the details.
fn alert(row: &Value) -> Value {
    json!({
        "id": row["id"], "src_ip": row["source"], "dst_ip": row["target"], "attack_type": row["type"], "confidence": null,
        "severity": row["severity"].as_str().unwrap_or_default().to_uppercase(), "detected_at": wall(&row["first_s"]),
        "resolved": !row["resolved_s"].is_null(), "details": row["evidence"],
    })
}

fn packet(row: &Value) -> Value {
    let ((src_ip, src_port), (dst_ip, dst_port)) = (end(row, "src"), end(row, "dst"));
    json!({
        "timestamp": row["time_s"], "protocol": protocol(row), "src_ip": src_ip, "dst_ip": dst_ip, "src_port": src_port,
        "dst_port": dst_port, "length": row["wire_len"], "size": row["wire_len"], "flags": null,
    })
}

/// `1.2.3.4:5`, `[::1]:5`, an address or a MAC address alone.
fn end<'a>(row: &'a Value, key: &str) -> (&'a str, Option<u16>) {
    let text = row[key].as_str().unwrap_or_default();
    match text.parse::<std::net::SocketAddr>() {
        Ok(both) => {
            (text.rsplit_once(':').map_or(text, |(addr, _)| addr.trim_matches(['[', ']'])), Some(both.port()))
        }
        Err(_) => (text, None),
    }
}

fn protocol(row: &Value) -> &'static str {
    let known = [("tcp", "TCP"), ("udp", "UDP"), ("icmp", "ICMP"), ("icmpv6", "ICMPv6"), ("arp", "ARP")];
    let path = row["path"].as_str().unwrap_or_default();
    let found = path.split(':').find_map(|part| known.iter().find(|(name, _)| *name == part));
    found.map_or("OTHER", |(_, name)| name)
}

/// How many packets have which value, the most frequent first.
fn counted(found: &Value, column: &str) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for row in list(&found["packets"]) {
        match &packet(row)[column] {
            Value::String(text) => *counts.entry(text.clone()).or_default() += 1,
            Value::Number(number) => *counts.entry(number.to_string()).or_default() += 1,
            _ => {}
        }
    }
    let mut sorted: Vec<(String, u64)> = counts.into_iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    sorted
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn number(row: &Value, key: &str) -> u64 {
    row[key].as_u64().unwrap_or(0)
}

fn take(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn wall(secs: &Value) -> Option<String> {
    secs.as_i64().map(|secs| WallTime::from_secs(secs).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets() -> Value {
        json!({ "packets": [
            { "src": "192.168.1.5:4000", "dst": "[2001:db8::1]:443", "path": "eth:ipv6:tcp:tls", "wire_len": 1514, "time_s": 1.5 },
            { "src": "192.168.1.5:4001", "dst": "10.0.0.1:53", "path": "eth:ip:udp:dns", "wire_len": 80, "time_s": 1.0 },
            { "src": "02:00:00:00:00:01", "dst": "ff:ff:ff:ff:ff:ff", "path": "eth:arp", "wire_len": 42, "time_s": 0.5 },
        ] })
    }

    fn given(pairs: &[(&str, &str)]) -> Given {
        Given(pairs.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect())
    }

    #[test]
    fn packets_are_counted_by_whatever_was_asked() {
        let none = Given::default();
        assert_eq!(
            protocols(&packets(), &none),
            json!({ "labels": ["ARP", "TCP", "UDP"], "values": [1, 1, 1] })
        );
        assert_eq!(top(&packets(), &given(&[("limit", "1")]), "src_ip")[0]["ip"], "192.168.1.5");
        assert_eq!(top(&packets(), &none, "dst_port").as_array().map(Vec::len), Some(2));
        assert_eq!(sizes(&packets(), &none)["values"], json!([2, 0, 0, 0, 1]));
    }

    #[test]
    fn a_page_is_a_page_of_what_fits() {
        let found = page(&packets(), &given(&[("protocol", "tcp"), ("limit", "1")]));
        assert_eq!((&found["total"], &found["pages"]), (&json!(1), &json!(1)));
        assert_eq!(found["packets"][0]["dst_ip"], "2001:db8::1");
        assert_eq!(found["packets"][0]["dst_port"], 443);
        let beyond = page(&packets(), &given(&[("page", "999999"), ("limit", "999999")]));
        assert_eq!(beyond["packets"], json!([]));
    }

    #[test]
    fn alerts_keep_what_was_true_of_them() {
        let row = json!({ "alerts": [{ "id": 1, "type": "port_scan", "severity": "high", "source": "10.0.0.9", "target": null,
            "first_s": 0, "last_s": 60, "resolved_s": null, "evidence": { "ports": 400 } }] });
        let shown = &alerts(&row, &given(&[("severity", "HIGH"), ("resolved", "false")]))["alerts"][0];
        assert_eq!(
            (&shown["attack_type"], &shown["confidence"], &shown["resolved"]),
            (&json!("port_scan"), &Value::Null, &json!(false))
        );
        assert_eq!(alerts(&row, &given(&[("resolved", "true")]))["total"], 0);
        assert_eq!(summary(&row, &Given::default())["by_severity"]["high"], 1);
    }
}
