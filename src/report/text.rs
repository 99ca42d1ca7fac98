//! Tables as text, in the shape that tshark's readers know, with exact bytes instead of rounded ones.

use std::fmt::Display;
use std::io::{self, Write};

use super::ClientReport;
use super::csv;
use super::tables::{
    ConversationRow, HostRow, Kind, PairRow, Talks, host_rows, interval_rows, pair_rows, service_rows,
};
use crate::account::{Account, Intervals, Pairs, Rest, Services};
use crate::time::Moment;

/// Lines of a list of pairs or hosts; the rest is summed up. JSON and CSV list them all.
const MAX_LINES: usize = 50;

const RULE: &str = "===================================================================";

/// The protocol hierarchy, like `tshark -qz io,phs`.
///
/// # Errors
/// Those of the writer.
pub fn protocols(out: &mut impl Write, account: &Account) -> io::Result<()> {
    writeln!(out, "\n{RULE}\nProtocol Hierarchy Statistics\n")?;
    for node in account.hierarchy().nodes() {
        let depth = node.path.len().saturating_sub(1);
        let name = node.path.leaf().map_or("", |proto| proto.name());
        let label = format!("{:indent$}{name}", "", indent = 2 * depth);
        writeln!(out, "{label:<40} frames:{} bytes:{}", node.count.frames, node.count.bytes)?;
    }
    writeln!(out, "{RULE}")?;
    rest(out, "ICMP errors, whose quoted packets the capture cuts off", account.cut_quotes())
}

/// The non-empty intervals, like `tshark -qz io,stat`.
///
/// # Errors
/// Those of the writer.
pub fn intervals(out: &mut impl Write, intervals: &Intervals) -> io::Result<()> {
    let width_s = intervals.width().as_secs_f64();
    let places = if width_s.fract() == 0.0 { 0 } else { 6 };
    writeln!(out, "\nIO Statistics, intervals of {width_s} s, empty ones left out\n")?;
    writeln!(out, "{:^31} | {:>12} | {:>15}", "Interval", "Frames", "Bytes")?;
    writeln!(out, "{:-<32}+{:-<14}+{:-<16}", "", "", "")?;
    for row in interval_rows(intervals) {
        let (from, to) = (row.start_s, row.start_s + width_s);
        writeln!(out, "{from:>14.places$} <> {to:<13.places$} | {:>12} | {:>15}", row.frames, row.bytes)?;
    }
    rest(out, "later intervals", intervals.rest())
}

/// One kind of conversations, most frames first, like `tshark -qz conv,…`.
///
/// # Errors
/// Those of the writer.
pub fn conversations(out: &mut impl Write, talks: &Talks, kind: Kind, first: Moment) -> io::Result<()> {
    writeln!(out, "\n{} conversations\n", kind.title())?;
    writeln!(
        out,
        "{:<47}    {:<47} {:>8} {:>13} {:>8} {:>13} {:>8} {:>13} {:>16} {:>14}",
        "a", "b", "frames<-", "bytes<-", "frames->", "bytes->", "frames", "bytes", "start", "duration"
    )?;
    for place in kind.busiest_first(talks) {
        let Some(conversation) = kind.at(talks, place as usize) else { continue };
        let row = ConversationRow::new(kind, &conversation, first);
        let (a, b) = row.names();
        writeln!(
            out,
            "{a:<47} <-> {b:<47}{:>8} {:>13} {:>8} {:>13} {:>8} {:>13} {:>16.9} {:>14.4}",
            row.frames_ba,
            row.bytes_ba,
            row.frames_ab,
            row.bytes_ab,
            row.frames_ab + row.frames_ba,
            row.bytes_ab + row.bytes_ba,
            row.start_s,
            row.duration_s
        )?;
    }
    rest(out, "further conversations", kind.rest(&talks.conversations))
}

/// Pairs of addresses, most bytes first.
///
/// # Errors
/// Those of the writer.
pub fn pairs(out: &mut impl Write, pairs: &Pairs) -> io::Result<()> {
    let mut rows = pair_rows(pairs);
    writeln!(out, "\nPairs of addresses\n")?;
    writeln!(out, "{:<40} {:<40} {:>10} {:>15}", "a", "b", "frames", "bytes")?;
    for PairRow { a, b, frames, bytes } in rows.by_ref().take(MAX_LINES) {
        writeln!(out, "{:<40} {:<40} {frames:>10} {bytes:>15}", a.to_string(), b.to_string())?;
    }
    let mut more = Rest::default();
    for row in rows {
        more += Rest { frames: row.frames, bytes: row.bytes };
    }
    more += pairs.rest();
    rest(out, "further pairs", more)
}

/// Addresses, most bytes first.
///
/// # Errors
/// Those of the writer.
pub fn hosts(out: &mut impl Write, pairs: &Pairs) -> io::Result<()> {
    let mut rows = host_rows(pairs);
    writeln!(out, "\nHosts\n")?;
    writeln!(out, "{:<40} {:>10} {:>15} {:>15} {:>15}", "address", "frames", "bytes", "sent", "received")?;
    for HostRow { address, frames, bytes, sent_bytes, received_bytes, .. } in rows.by_ref().take(MAX_LINES) {
        let address = address.to_string();
        writeln!(out, "{address:<40} {frames:>10} {bytes:>15} {sent_bytes:>15} {received_bytes:>15}")?;
    }
    let more = rows.count();
    if more > 0 {
        writeln!(out, "and {more} more hosts")?;
    }
    rest(out, "hosts not listed", pairs.rest())
}

/// Services, most bytes first.
///
/// # Errors
/// Those of the writer.
pub fn services(out: &mut impl Write, services: &Services) -> io::Result<()> {
    writeln!(out, "\nServices\n")?;
    writeln!(out, "{:<40} {:>8} {:>10} {:>15} {:>15}", "service", "flows", "frames", "down", "up")?;
    for row in service_rows(services) {
        let name = row.service.unwrap_or("—");
        writeln!(
            out,
            "{name:<40} {:>8} {:>10} {:>15} {:>15}",
            row.flows, row.frames, row.down_bytes, row.up_bytes
        )?;
    }
    rest(out, "further services", services.rest())
}

/// What is not listed, if anything is not.
fn rest(out: &mut impl Write, what: &str, rest: Rest) -> io::Result<()> {
    if rest.is_zero() {
        return Ok(());
    }
    writeln!(out, "and {} frames, {} bytes of {what}", rest.frames, rest.bytes)
}

/// A section of a CSV file: an empty line before all but the first, then the names of its columns.
///
/// # Errors
/// Those of the writer.
pub fn csv_section(out: &mut impl Write, first: &mut bool, columns: &[&str]) -> io::Result<()> {
    if !std::mem::replace(first, false) {
        out.write_all(b"\r\n")?;
    }
    let cells: Vec<&dyn Display> = columns.iter().map(|column| column as &dyn Display).collect();
    csv::row(out, &cells)
}

/// Clients, and their windows where they were kept.
///
/// # Errors
/// Those of the writer.
pub fn clients_csv(out: &mut impl Write, first: &mut bool, clients: &[ClientReport]) -> io::Result<()> {
    csv_section(out, first, &["client", "mac", "name", "up_bytes", "down_bytes", "watch_s", "sessions"])?;
    for client in clients {
        let mac = client.mac.map(|mac| mac.to_string()).unwrap_or_default();
        let name = client.name.as_deref().unwrap_or_default();
        let ClientReport { client, up_bytes, down_bytes, watch_s, sessions, .. } = client;
        csv::row(out, &[client, &mac, &name, up_bytes, down_bytes, watch_s, &sessions.len()])?;
    }
    if clients.iter().all(|client| client.windows.is_none()) {
        return Ok(());
    }
    csv_section(out, first, &["client", "start_s", "score", "streaming"])?;
    for client in clients {
        for window in client.windows.iter().flatten() {
            let score = window.score.map(|score| score.to_string()).unwrap_or_default();
            csv::row(out, &[&client.client, &window.start_s, &score, &window.streaming])?;
        }
    }
    Ok(())
}
