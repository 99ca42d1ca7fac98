//! Flows as rows: who began, what went each way, how the connection fared.
//!
//! Latency and loss are measured or absent: the round trip is that of the TCP handshake, the loss is the share of
//! segments that were sent again. UDP tells neither.

use std::fmt::{self, Display};
use std::io::{self, Write};
use std::time::Duration;

use super::rounded;
use super::row::{Row, Value};
use crate::flow::{EndedBy, Flow, Half};
use crate::net::Endpoint;
use crate::time::Moment;

/// One finished flow.
#[derive(Debug)]
pub struct FlowRow<'a> {
    proto: u8,
    orig: Endpoint,
    resp: Endpoint,
    service: Option<&'a str>,
    start_s: f64,
    duration_s: f64,
    orig_frames: u32,
    orig_bytes: u64,
    resp_frames: u32,
    resp_bytes: u64,
    orig_flags: Flags,
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
#[derive(Debug)]
struct Flags {
    letters: [u8; 8],
    len: u8,
}

impl Flags {
    fn new(bits: u8) -> Self {
        let mut flags = Self { letters: [0; 8], len: 0 };
        let mut left = bits;
        while left != 0 {
            flags.letters[usize::from(flags.len)] = b"FSRPAUEC"[left.trailing_zeros() as usize];
            flags.len += 1;
            left &= left - 1;
        }
        flags
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.letters[..usize::from(self.len)]).unwrap_or_default()
    }
}

/// The name of an IP protocol, if reports have one for it.
pub(super) fn protocol(number: u8) -> Option<&'static str> {
    match number {
        1 => Some("icmp"),
        6 => Some("tcp"),
        17 => Some("udp"),
        58 => Some("icmpv6"),
        _ => None,
    }
}

/// An IP protocol as text: the others have their number.
struct Protocol(u8);

impl Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match protocol(self.0) {
            Some(name) => f.pad(name),
            None => f.pad(&self.0.to_string()),
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
            orig_flags: Flags::new(orig.flags),
            resp_flags: Flags::new(resp.flags),
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

impl Row for FlowRow<'_> {
    const COLUMNS: &'static [&'static str] = &[
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

    fn values(&self) -> impl AsRef<[Value<'_>]> {
        [
            Value::Protocol(self.proto),
            Value::Endpoint(self.orig),
            Value::Endpoint(self.resp),
            Value::name(self.service),
            Value::Decimal(self.start_s),
            Value::Decimal(self.duration_s),
            Value::Number(self.orig_frames.into()),
            Value::Number(self.orig_bytes),
            Value::Number(self.resp_frames.into()),
            Value::Number(self.resp_bytes),
            Value::Word(self.orig_flags.text()),
            Value::Word(self.resp_flags.text()),
            Value::decimal(self.rtt_ms),
            Value::decimal(self.rtt_orig_ms),
            Value::number(self.orig_retransmitted),
            Value::number(self.resp_retransmitted),
            Value::number(self.out_of_order),
            Value::decimal(self.retransmission_ratio),
            Value::Word(self.ended),
        ]
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
