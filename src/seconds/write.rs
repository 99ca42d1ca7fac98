//! From packets to seconds.

use std::collections::HashMap;
use std::io::{self, Write};

use super::{MAX_NUMBERED, VERSION, head, values};
use crate::classify::{FNV1A_START, fnv1a_on};
use crate::lan::{ClientIdx, Clients};
use crate::net::{Addr, Direction};
use crate::time::{Duration, Moment, NANOS_PER_SEC};
use crate::window::{Progress, Sample, Sums, WINDOW_SECS, Windows};

/// Records of one client that may wait for the end of their second; then they are written and new ones begun.
const MAX_WAITING: usize = 64;
/// A leap of the clock by this much is written to the nanosecond, for the windows may take it for a gap; and no reader is
/// left without the time for longer.
const FAR: Duration = Duration::from_secs(1_500);

/// The place of a record without received packets.
const NOTHING: usize = usize::MAX;

/// What passed between a client and a server in one second, until something has to come between.
struct Record {
    second: u64,
    server: Addr,
    sums: Sums,
    /// The place of its first received packet among those of the client's records; servers enter tables in this order.
    first_received: usize,
}

/// What is not written yet of a client.
#[derive(Default)]
struct Desk {
    /// Stamp of its latest packet.
    latest: Option<Moment>,
    records: Vec<Record>,
}

impl Desk {
    fn count(&mut self, sample: &Sample) {
        let second = sample.at.as_secs();
        let found = self.records.iter().position(|r| r.second == second && r.server == sample.server);
        let index = found.unwrap_or_else(|| {
            let (server, sums) = (sample.server, Sums::default());
            self.records.push(Record { second, server, sums, first_received: NOTHING });
            self.records.len() - 1
        });
        let receivers = self.records.iter().filter(|record| record.first_received != NOTHING).count();
        let record = &mut self.records[index];
        if sample.direction == Direction::Down && record.first_received == NOTHING {
            record.first_received = receivers;
        }
        record.sums.count(sample, self.latest);
        self.latest = self.latest.max(Some(sample.at));
    }
}

/// Writes a seconds file while a capture is read. Nothing grows with the length of the capture.
pub struct Writer<W> {
    out: Summed<W>,
    /// The windows as they come out at each phase.
    phases: [Windows; WINDOW_SECS],
    desks: Vec<Desk>,
    /// Clients whose numbers the reader knows: all below.
    clients: usize,
    servers: HashMap<Addr, usize>,
    /// Time of the last `at` line.
    told: Moment,
    records: u64,
}

impl<W: Write> Writer<W> {
    /// Writes to `out`, the head at once.
    ///
    /// # Errors
    /// Those of writing.
    pub fn try_new(out: W) -> io::Result<Self> {
        let mut out = Summed { out, sum: FNV1A_START };
        writeln!(out, "seconds,{VERSION}")?;
        writeln!(out, "{}", head())?;
        Ok(Self {
            out,
            phases: std::array::from_fn(|_| Windows::new()),
            desks: Vec::new(),
            clients: 0,
            servers: HashMap::new(),
            told: Moment::ZERO,
            records: 0,
        })
    }

    /// A frame of any kind was captured: time moves on. Call it before [`Writer::packet`].
    ///
    /// # Errors
    /// Those of writing.
    pub fn frame(&mut self, at: Moment) -> io::Result<()> {
        match self.clock() {
            None => {
                self.out.stamp("first", at)?;
                self.told = at;
            }
            Some(clock) if clock.since(at).max(at.since(clock)) > FAR => {
                self.write_waiting()?;
                self.out.stamp("at", clock)?;
                self.out.stamp("at", at)?;
                self.told = at;
            }
            Some(clock) if at.as_secs() > clock.as_secs() => {
                self.write_waiting()?;
                if clock.since(self.told) > FAR {
                    self.tell_clock()?;
                }
            }
            Some(_) => {}
        }
        self.advance(at);
        Ok(())
    }

    /// The frame was a packet of a client; `clients` has its name.
    ///
    /// # Errors
    /// Those of writing.
    pub fn packet(&mut self, clients: &Clients, client: ClientIdx, sample: &Sample) -> io::Result<()> {
        if client == ClientIdx::OVERFLOW {
            return Ok(());
        }
        self.name_clients(clients, client)?;
        let mut displaces = false;
        for (phase_s, windows) in (0..).zip(&mut self.phases) {
            let sample = Sample { at: sample.at + Duration::from_secs(phase_s), ..*sample };
            displaces |= windows.displaces(client, &sample);
            windows.observe(client, &sample);
        }
        if self.desks.len() <= client.index() {
            self.desks.resize_with(client.index() + 1, Desk::default);
        }
        if displaces || self.desks[client.index()].records.len() == MAX_WAITING {
            self.write_desk(client.index())?;
        }
        self.desks[client.index()].count(sample);
        Ok(())
    }

    /// The capture is over.
    ///
    /// # Errors
    /// Those of writing.
    pub fn finish(mut self) -> io::Result<()> {
        self.write_waiting()?;
        if self.clock().is_some() {
            self.tell_clock()?;
        }
        let (records, sum) = (self.records, self.out.sum);
        writeln!(self.out, "end,{records},{sum:016x}")?;
        self.out.flush()
    }

    fn clock(&self) -> Option<Moment> {
        self.phases[0].clock()
    }

    /// Moves the clocks of all phases; they are as far apart as ever, so a gap is one in all of them.
    fn advance(&mut self, at: Moment) {
        for (phase_s, windows) in (0..).zip(&mut self.phases) {
            loop {
                match windows.advance(at + Duration::from_secs(phase_s)) {
                    Progress::UpToDate => break,
                    Progress::Close(no) => windows.clients_mut().for_each(|(_, client)| client.close(no)),
                    Progress::Gap { .. } => {
                        windows.forget();
                        self.desks.iter_mut().for_each(|desk| desk.latest = None);
                    }
                }
            }
        }
    }

    fn write_waiting(&mut self) -> io::Result<()> {
        (0..self.desks.len()).try_for_each(|index| self.write_desk(index))
    }

    /// Writes what waits of one client.
    fn write_desk(&mut self, client: usize) -> io::Result<()> {
        let mut records = std::mem::take(&mut self.desks[client].records);
        if records.is_empty() {
            return Ok(());
        }
        records.sort_by_key(|record| record.first_received);
        self.tell_clock()?;
        let clock_s = self.clock().unwrap_or_default().as_secs();
        let mut back_s = 0;
        for record in &records {
            let back = clock_s.saturating_sub(record.second);
            if back != back_s {
                writeln!(self.out, "back,{back}")?;
                back_s = back;
            }
            let server = self.number(record.server)?;
            write!(self.out, "{client},{server}")?;
            for value in values(&record.sums) {
                if value == 0 { self.out.write_all(b",")? } else { write!(self.out, ",{value}")? }
            }
            writeln!(self.out)?;
            self.records += 1;
        }
        if back_s != 0 {
            writeln!(self.out, "back,0")?;
        }
        records.clear();
        self.desks[client].records = records;
        Ok(())
    }

    /// Says which second it is, once.
    fn tell_clock(&mut self) -> io::Result<()> {
        let clock = Moment::from_secs(self.clock().unwrap_or_default().as_secs());
        if clock > self.told {
            self.out.stamp("at", clock)?;
            self.told = clock;
        }
        Ok(())
    }

    /// Clients are named in the order of their numbers, which is the order of rows.
    fn name_clients(&mut self, clients: &Clients, client: ClientIdx) -> io::Result<()> {
        while self.clients <= client.index() {
            let known = clients.known(ClientIdx::at(self.clients));
            let Some(known) = known else { return Ok(()) };
            writeln!(self.out, "client,{}", known.id)?;
            self.clients += 1;
        }
        Ok(())
    }

    fn number(&mut self, server: Addr) -> io::Result<usize> {
        if let Some(&number) = self.servers.get(&server) {
            return Ok(number);
        }
        if self.servers.len() == MAX_NUMBERED {
            self.servers.clear();
            writeln!(self.out, "renumber")?;
        }
        let number = self.servers.len();
        self.servers.insert(server, number);
        writeln!(self.out, "server,{server}")?;
        Ok(number)
    }
}

/// What is written, and its checksum so far.
struct Summed<W> {
    out: W,
    sum: u64,
}

impl<W: Write> Summed<W> {
    /// A line with a time; whole seconds without their nanoseconds.
    fn stamp(&mut self, word: &str, at: Moment) -> io::Result<()> {
        let (secs, nanos) = (at.as_secs(), at.as_nanos() % NANOS_PER_SEC);
        if nanos == 0 { writeln!(self, "{word},{secs}") } else { writeln!(self, "{word},{secs}.{nanos:09}") }
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.out.write(bytes)?;
        self.sum = fnv1a_on(self.sum, &bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
