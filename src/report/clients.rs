//! Who watched how much: the report that everything else is about.

use std::io::{self, Write};

use serde::Serialize;

use super::rounded;
use crate::dissect::trace::Damage;
use crate::engine::{Engine, Output, Verdict};
use crate::lan::ClientIdx;
use crate::net::{Addr, ClientId, MacAddr};
use crate::time::Moment;
use crate::watch::Session;
use crate::window::{WindowNo, window_start};

/// Sessions listed per client; further ones are counted in the watch time only.
const MAX_SESSIONS: usize = 10_000;
/// Gaps listed; further ones are counted.
const MAX_GAPS: usize = 1_000;

/// The capture as a whole.
#[derive(Debug, Serialize)]
pub struct CaptureReport {
    /// The files, in order.
    pub files: Vec<String>,
    /// Frames read.
    pub packets: u64,
    /// Wire bytes of them.
    pub bytes: u64,
    /// Unix time of the first frame in seconds.
    pub first: Option<f64>,
    /// From the first to the latest frame.
    pub duration_s: f64,
    /// Frames that are not what they claim.
    pub malformed: u64,
    /// Whether a file ends inside a record.
    pub truncated: bool,
    /// Records that could not be read.
    #[serde(skip_serializing_if = "is_zero")]
    pub bad_records: u64,
    /// Jumps of the clock.
    pub gaps: Vec<Gap>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A jump of the packet clock by more than an hour.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Gap {
    /// Last moment before it, relative to the first frame.
    pub at_s: f64,
    /// How far it jumped; negative into the past.
    pub seconds: f64,
}

/// One client.
#[derive(Debug, Serialize)]
pub struct ClientReport {
    /// MAC or address.
    pub client: String,
    /// Ethernet address, where there is one.
    pub mac: Option<MacAddr>,
    /// Addresses it used.
    pub addresses: Vec<Addr>,
    /// What it calls itself.
    pub name: Option<String>,
    /// Wire bytes to the outside.
    pub up_bytes: u64,
    /// Wire bytes from the outside.
    pub down_bytes: u64,
    /// Counted time.
    pub watch_s: f64,
    /// When, and from where.
    pub sessions: Vec<SessionReport>,
    /// Every window, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub windows: Option<Vec<WindowLine>>,
}

/// One session.
#[derive(Debug, Serialize)]
pub struct SessionReport {
    /// Relative to the first frame.
    pub start_s: f64,
    /// Relative to the first frame.
    pub end_s: f64,
    /// Counted time.
    pub watch_s: f64,
    /// Service names, most bytes first.
    pub services: Vec<String>,
    /// Servers, most bytes first.
    pub servers: Vec<ServerReport>,
}

/// One server of a session.
#[derive(Clone, Debug, Serialize)]
pub struct ServerReport {
    /// Who.
    pub address: Addr,
    /// IP bytes received from it.
    pub bytes: u64,
    /// The service behind it, if a name was heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// One window of a client.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct WindowLine {
    /// Relative to the first frame; negative for the first window.
    pub start_s: f64,
    /// 0 to 1; `null` where it could not be judged.
    pub score: Option<f64>,
    /// Whether its time was counted.
    pub streaming: bool,
}

/// Whether to keep every window for the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepWindows {
    /// Each one: 12 bytes per window and client.
    All,
    /// None.
    No,
}

/// A window as kept: score 65,536 stands for "not judged".
#[derive(Clone, Copy)]
struct Kept {
    no: WindowNo,
    score: u32,
    streaming: bool,
}

const NOT_JUDGED: u32 = 65_536;

#[derive(Default)]
struct PerClient {
    sessions: Vec<Session>,
    windows: Vec<Kept>,
}

/// Gathers what the engine says into a report.
pub struct Collector {
    keep: KeepWindows,
    clients: Vec<PerClient>,
    gaps: Vec<(Moment, Moment)>,
}

impl Collector {
    /// Nothing yet.
    pub fn new(keep: KeepWindows) -> Self {
        Self { keep, clients: Vec::new(), gaps: Vec::new() }
    }

    /// Takes in one output of the engine.
    pub fn take(&mut self, output: Output) {
        match output {
            Output::Window(report) => {
                if self.keep == KeepWindows::No {
                    return;
                }
                let windows = &mut self.of(report.client).windows;
                let score = report.score.map_or(NOT_JUDGED, |score| u32::from(score.0));
                let streaming = matches!(report.verdict, Verdict::Counted { .. });
                windows.push(Kept { no: report.no, score, streaming });
                if let Verdict::Counted { from } = report.verdict {
                    credit(windows, from);
                }
            }
            Output::SessionEnded { client, session } => {
                let sessions = &mut self.of(client).sessions;
                if sessions.len() < MAX_SESSIONS {
                    sessions.push(*session);
                }
            }
            Output::Alert(_) => {}
            Output::Gap { from, to } => {
                if self.gaps.len() < MAX_GAPS {
                    self.gaps.push((from, to));
                }
            }
        }
    }

    fn of(&mut self, client: ClientIdx) -> &mut PerClient {
        let index = client.index();
        if self.clients.len() <= index {
            self.clients.resize_with(index + 1, PerClient::default);
        }
        &mut self.clients[index]
    }

    /// The capture as a whole.
    pub fn capture(&self, engine: &Engine, files: Vec<String>, damage: Damage) -> CaptureReport {
        let seen = engine.seen();
        let first = seen.first.unwrap_or_default();
        CaptureReport {
            files,
            packets: seen.packets,
            bytes: seen.bytes,
            first: seen.first.map(|at| rounded(at.as_nanos() as f64 / 1e9)),
            duration_s: rounded(seen.last.unwrap_or_default().signed_secs_since(first)),
            malformed: seen.malformed,
            truncated: damage.truncated,
            bad_records: damage.bad_records,
            gaps: self
                .gaps
                .iter()
                .map(|&(from, to)| Gap {
                    at_s: rounded(from.signed_secs_since(first)),
                    seconds: rounded(to.signed_secs_since(from)),
                })
                .collect(),
        }
    }

    /// Every client, in the order of appearance. The engine must be finished.
    pub fn clients(mut self, engine: &Engine) -> Vec<ClientReport> {
        let first = engine.seen().first.unwrap_or_default();
        let known = engine.lan().clients().iter().map(|(client, known)| {
            let addresses = known.addresses.clone();
            (client, known.id, known.mac, addresses, known.name.as_deref().map(str::to_owned))
        });
        let overflow = (engine.lan().clients().overflowed() > 0).then(|| {
            let name = Some("all further devices".to_owned());
            (ClientIdx::OVERFLOW, ClientId::Addr(Addr::UNSPECIFIED), None, Vec::new(), name)
        });
        // With `--identify ip` the addresses that only speak within the LAN are not devices of their own.
        let moved = |client| engine.totals(client).up_bytes + engine.totals(client).down_bytes > 0;
        known
            .filter(|(client, id, ..)| matches!(id, ClientId::Mac(_)) || moved(*client))
            .chain(overflow)
            .map(|(client, id, mac, addresses, name)| {
                let totals = engine.totals(client);
                let gathered = std::mem::take(self.of(client));
                ClientReport {
                    client: id.to_string(),
                    mac,
                    addresses,
                    name,
                    up_bytes: totals.up_bytes,
                    down_bytes: totals.down_bytes,
                    watch_s: rounded(totals.watched.as_secs_f64()),
                    sessions: gathered.sessions.iter().map(|s| session_report(s, first)).collect(),
                    windows: (self.keep == KeepWindows::All)
                        .then(|| gathered.windows.iter().map(|w| w.line(first)).collect()),
                }
            })
            .collect()
    }
}

/// Marks the windows since `from` as counted. They are the youngest ones, so the walk ends soon.
fn credit(windows: &mut [Kept], from: WindowNo) {
    for window in windows.iter_mut().rev().take_while(|window| window.no >= from) {
        window.streaming = true;
    }
}

impl Kept {
    fn line(self, first: Moment) -> WindowLine {
        let score = (self.score != NOT_JUDGED).then(|| rounded(f64::from(self.score) / 65_535.0));
        WindowLine {
            start_s: rounded(window_start(self.no).signed_secs_since(first)),
            score,
            streaming: self.streaming,
        }
    }
}

fn session_report(session: &Session, first: Moment) -> SessionReport {
    SessionReport {
        start_s: rounded(session.start.signed_secs_since(first)),
        end_s: rounded(session.end.signed_secs_since(first)),
        watch_s: rounded(session.watched.as_secs_f64()),
        services: session.services().into_iter().map(str::to_owned).collect(),
        servers: session
            .servers
            .iter()
            .map(|s| ServerReport {
                address: s.addr,
                bytes: s.bytes,
                service: s.service.as_deref().map(str::to_owned),
            })
            .collect(),
    }
}

/// Minutes and seconds, as people read them: `12:05`.
pub fn clock(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// The summary as text.
///
/// # Errors
/// Those of the writer.
pub fn write_text(out: &mut impl Write, capture: &CaptureReport, clients: &[ClientReport]) -> io::Result<()> {
    writeln!(
        out,
        "{} packets, {}, {} of capture",
        capture.packets,
        crate::units::Bytes(capture.bytes),
        clock(capture.duration_s)
    )?;
    if capture.malformed > 0 {
        writeln!(out, "{} frames are malformed; what was readable of them is counted", capture.malformed)?;
    }
    if capture.truncated {
        writeln!(out, "the capture ends inside a record")?;
    }
    if capture.bad_records > 0 {
        writeln!(out, "{} records could not be read", capture.bad_records)?;
    }
    for gap in &capture.gaps {
        writeln!(out, "the clock jumps by {:.0} s after {:.0} s", gap.seconds, gap.at_s)?;
    }
    if clients.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(out, "{:<40} {:>9} {:>10} {:>10}", "client", "watched", "down", "up")?;
    for client in clients {
        let (down, up) = (crate::units::Bytes(client.down_bytes), crate::units::Bytes(client.up_bytes));
        let name = client.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
        let label = format!("{}{name}", client.client);
        writeln!(
            out,
            "{label:<40} {:>9} {:>10} {:>10}",
            clock(client.watch_s),
            down.to_string(),
            up.to_string()
        )?;
        for session in &client.sessions {
            write_session(out, session)?;
        }
    }
    Ok(())
}

fn write_session(out: &mut impl Write, session: &SessionReport) -> io::Result<()> {
    let services =
        if session.services.is_empty() { "unnamed service".to_owned() } else { session.services.join(", ") };
    writeln!(
        out,
        "    {:>7} to {:>7}  {:>6} watched  {services}",
        clock(session.start_s),
        clock(session.end_s),
        clock(session.watch_s)
    )?;
    for server in session.servers.iter().take(3) {
        writeln!(out, "        {:<40} {}", server.address.to_string(), crate::units::Bytes(server.bytes))?;
    }
    let more = session.servers.len().saturating_sub(3);
    if more > 0 {
        writeln!(out, "        and {more} more servers")?;
    }
    Ok(())
}
