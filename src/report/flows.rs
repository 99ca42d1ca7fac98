//! Flows as rows: who began, what went each way, how the connection fared.
//!
//! Latency and loss are measured or absent: the round trip is that of the TCP handshake, the loss is the share of
//! segments that were sent again. UDP tells neither.

use std::fmt::{self, Display};
use std::io::{self, Write};
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{csv, rounded};
use crate::flow::{EndedBy, Flow, Half};
use crate::net::Endpoint;
use crate::time::Moment;

/// One finished flow.
#[derive(Debug, Serialize)]
pub struct FlowRow<'a> {
    #[serde(serialize_with = "protocol")]
    proto: u8,
    #[serde(serialize_with = "shown")]
    orig: Endpoint,
    #[serde(serialize_with = "shown")]
    resp: Endpoint,
    service: Option<&'a str>,
    start_s: f64,
    duration_s: f64,
    orig_frames: u32,
    orig_bytes: u64,
    resp_frames: u32,
    resp_bytes: u64,
    #[serde(serialize_with = "shown")]
    orig_flags: Flags,
    #[serde(serialize_with = "shown")]
    resp_flags: Flags,
    /// Handshake round trip to the end that was called.
    rtt_ms: Option<f64>,
    /// Handshake round trip to the end that called.
    rtt_orig_ms: Option<f64>,
    orig_retransmitted: Option<u32>,
    resp_retransmitted: Option<u32>,
    out_of_order: Option<u32>,
    /// Share of the segments of both ends that were sent before.
    retransmission_ratio: Option<f64>,
    ended: &'static str,
}

/// TCP flags seen, as letters.
#[derive(Clone, Copy, Debug)]
struct Flags(u8);

impl Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        b"FSRPAUEC"
            .iter()
            .enumerate()
            .filter(|(bit, _)| self.0 >> bit & 1 != 0)
            .try_for_each(|(_, &letter)| write!(f, "{}", char::from(letter)))
    }
}

fn shown<S: Serializer>(value: &impl Display, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

fn protocol<S: Serializer>(number: &u8, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&Protocol(*number))
}

struct Protocol(u8);

impl Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.pad("icmp"),
            6 => f.pad("tcp"),
            17 => f.pad("udp"),
            58 => f.pad("icmpv6"),
            other => f.pad(&other.to_string()),
        }
    }
}

fn millis(rtt: Option<Duration>) -> Option<f64> {
    rtt.map(|rtt| rounded(rtt.as_secs_f64() * 1e3))
}

impl<'a> FlowRow<'a> {
    /// As a report shows it; `first` is the first frame of the capture.
    pub fn new(flow: &Flow, by: EndedBy, service: Option<&'a str>, first: Moment) -> Self {
        let Flow { tuple, orig, resp, .. } = flow;
        let tcp = tuple.proto == 6;
        let frames = u64::from(orig.packets) + u64::from(resp.packets);
        let again = u64::from(orig.retransmitted) + u64::from(resp.retransmitted);
        let measured = |half: &Half| tcp.then_some(half.retransmitted);
        Self {
            proto: tuple.proto,
            orig: tuple.orig,
            resp: tuple.resp,
            service,
            start_s: rounded(flow.first.signed_secs_since(first)),
            duration_s: rounded(flow.last.signed_secs_since(flow.first)),
            orig_frames: orig.packets,
            orig_bytes: orig.wire_bytes,
            resp_frames: resp.packets,
            resp_bytes: resp.wire_bytes,
            orig_flags: Flags(orig.flags),
            resp_flags: Flags(resp.flags),
            rtt_ms: millis(flow.rtt_to_resp()),
            rtt_orig_ms: millis(flow.rtt_to_orig()),
            orig_retransmitted: measured(orig),
            resp_retransmitted: measured(resp),
            out_of_order: tcp.then_some(orig.out_of_order.saturating_add(resp.out_of_order)),
            retransmission_ratio: (tcp && frames > 0).then(|| rounded(again as f64 / frames as f64)),
            ended: match by {
                EndedBy::Idle => "idle",
                EndedBy::Evicted => "evicted",
                EndedBy::Drained => "end",
            },
        }
    }

    /// Names of the CSV columns.
    pub const COLUMNS: [&'static str; 19] = [
        "proto",
        "orig",
        "resp",
        "service",
        "start_s",
        "duration_s",
        "orig_frames",
        "orig_bytes",
        "resp_frames",
        "resp_bytes",
        "orig_flags",
        "resp_flags",
        "rtt_ms",
        "rtt_orig_ms",
        "orig_retransmitted",
        "resp_retransmitted",
        "out_of_order",
        "retransmission_ratio",
        "ended",
    ];

    /// As a CSV row; what is not measurable is an empty cell.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn csv(&self, out: &mut impl Write) -> io::Result<()> {
        let proto = Protocol(self.proto);
        let (rtt, rtt_orig) = (Measured(self.rtt_ms, ""), Measured(self.rtt_orig_ms, ""));
        let (orig_again, resp_again) =
            (Measured(self.orig_retransmitted, ""), Measured(self.resp_retransmitted, ""));
        let (late, ratio) = (Measured(self.out_of_order, ""), Measured(self.retransmission_ratio, ""));
        csv::row(
            out,
            &[
                &proto,
                &self.orig,
                &self.resp,
                &self.service.unwrap_or_default(),
                &self.start_s,
                &self.duration_s,
                &self.orig_frames,
                &self.orig_bytes,
                &self.resp_frames,
                &self.resp_bytes,
                &self.orig_flags,
                &self.resp_flags,
                &rtt,
                &rtt_orig,
                &orig_again,
                &resp_again,
                &late,
                &ratio,
                &self.ended,
            ],
        )
    }

    /// The line above the flows.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn text_header(out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "{:<7}{:<47}    {:<47} {:>8} {:>13} {:>8} {:>13} {:>12} {:>10} {:>8} {:>7}  service",
            "proto",
            "orig",
            "resp",
            "frames->",
            "bytes->",
            "frames<-",
            "bytes<-",
            "start",
            "duration",
            "rtt ms",
            "again %"
        )
    }

    /// As a line of text; `—` is what cannot be measured.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn text(&self, out: &mut impl Write) -> io::Result<()> {
        let again = Measured(self.retransmission_ratio.map(|ratio| format!("{:.2}", ratio * 100.0)), "—");
        let rtt = Measured(self.rtt_ms.map(|rtt| format!("{rtt:.3}")), "—");
        writeln!(
            out,
            "{:<7}{:<47} -> {:<47} {:>8} {:>13} {:>8} {:>13} {:>12.6} {:>10.4} {:>8} {:>7}  {}",
            Protocol(self.proto),
            self.orig.to_string(),
            self.resp.to_string(),
            self.orig_frames,
            self.orig_bytes,
            self.resp_frames,
            self.resp_bytes,
            self.start_s,
            self.duration_s,
            rtt.to_string(),
            again.to_string(),
            self.service.unwrap_or("—")
        )
    }
}

/// A number, or what stands for its absence.
struct Measured<T>(Option<T>, &'static str);

impl<T: Display> Display for Measured<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str(self.1),
        }
    }
}
