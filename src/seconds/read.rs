//! From a seconds file back to what was counted. The file may be anybody's: every number is checked, every table bounded.

use std::fmt;
use std::io::{self, BufRead, Read};

use super::{COLUMNS, MAX_NUMBERED, VERSION, head, sums};
use crate::classify::{FNV1A_START, fnv1a_on};
use crate::lan::MAX_CLIENTS;
use crate::net::{Addr, ClientId};
use crate::time::{Moment, NANOS_PER_SEC};
use crate::window::Sums;

/// Bytes of a line at most; ours have fewer than 300.
const MAX_LINE: usize = 512;

/// What a line says.
#[derive(Debug)]
pub enum Entry {
    /// The capture began.
    First(Moment),
    /// The next client's name.
    Client(ClientId),
    /// The packet clock.
    Clock(Moment),
    /// What passed in a second.
    Record {
        /// The client's number.
        client: usize,
        /// The beginning of the second.
        second: Moment,
        /// The other end.
        server: Addr,
        /// What was counted.
        sums: Sums,
    },
}

/// What is wrong with a seconds file, and where.
#[derive(Debug)]
pub struct BadSeconds {
    /// Line, from 1.
    line: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    Read(io::Error),
    LongLine,
    Version,
    Head,
    Word,
    /// This field is no number, or too large a one.
    Number(&'static str),
    /// This field refers to what no line has named.
    Unnamed(&'static str),
    Client,
    Server,
    Early,
    Fields,
    Cut,
    Damaged,
    AfterEnd,
}

impl fmt::Display for BadSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match &self.what {
            What::Read(_) => f.write_str("cannot be read"),
            What::LongLine => write!(f, "longer than {MAX_LINE} bytes"),
            What::Version => write!(f, "not seconds of version {VERSION}"),
            What::Head => f.write_str("other columns than those of this version"),
            What::Word => f.write_str("begins with no word of the format"),
            What::Number(field) => write!(f, "{field} is no number in its range"),
            What::Unnamed(field) => write!(f, "{field} is a number that no line has named"),
            What::Client => write!(f, "a client that is no address, has a number or is beyond {MAX_CLIENTS}"),
            What::Server => write!(f, "a server that is no address or beyond {MAX_NUMBERED}"),
            What::Early => f.write_str("stands before the line `first`, or is a second one"),
            What::Fields => write!(f, "a record has {} fields", COLUMNS.len() + 2),
            What::Cut => f.write_str("the file ends here without its line `end`: it was cut off"),
            What::Damaged => {
                f.write_str("the number of records or the checksum is another: the file was damaged")
            }
            What::AfterEnd => f.write_str("stands after the line `end`"),
        }
    }
}

impl std::error::Error for BadSeconds {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.what {
            What::Read(cause) => Some(cause),
            _ => None,
        }
    }
}

/// Reads a seconds file.
pub struct Reader<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
    sum: u64,
    /// Second of the packet clock, once there is one.
    clock_s: Option<u64>,
    back_s: u64,
    clients: Vec<ClientId>,
    servers: Vec<Addr>,
    client: usize,
    records: u64,
}

impl<R: BufRead> Reader<R> {
    /// Reads the head.
    ///
    /// # Errors
    /// Another format or version.
    pub fn try_new(input: R) -> Result<Self, BadSeconds> {
        let mut reader = Self {
            input,
            line: Vec::with_capacity(MAX_LINE),
            number: 0,
            sum: FNV1A_START,
            clock_s: None,
            back_s: 0,
            clients: Vec::new(),
            servers: Vec::new(),
            client: 0,
            records: 0,
        };
        reader.expect(&format!("seconds,{VERSION}"), What::Version)?;
        reader.expect(&head(), What::Head)?;
        Ok(reader)
    }

    fn expect(&mut self, text: &str, otherwise: What) -> Result<(), BadSeconds> {
        let found = self.read_line()?;
        self.sum = fnv1a_on(self.sum, &self.line);
        if found && self.line.trim_ascii_end() == text.as_bytes() { Ok(()) } else { Err(self.bad(otherwise)) }
    }

    /// What the next line says; `None` after the last.
    ///
    /// # Errors
    /// The first line that is not of the format, and a file that is not whole.
    #[expect(clippy::should_implement_trait, reason = "an iterator would go on after an error")]
    pub fn next(&mut self) -> Result<Option<Entry>, BadSeconds> {
        loop {
            if !self.read_line()? {
                return Err(self.bad(What::Cut));
            }
            let line = std::mem::take(&mut self.line);
            let said = std::str::from_utf8(line.trim_ascii_end()).map_err(|_| What::Word);
            let said = said.and_then(|text| self.parse(text));
            self.sum = fnv1a_on(self.sum, &line);
            self.line = line;
            match said.map_err(|what| self.bad(what))? {
                Said::Entry(entry) => return Ok(Some(entry)),
                Said::Context => {}
                Said::End if self.read_line()? => return Err(self.bad(What::AfterEnd)),
                Said::End => return Ok(None),
            }
        }
    }

    fn bad(&self, what: What) -> BadSeconds {
        BadSeconds { line: self.number, what }
    }

    /// The next line with its end; `false` at the end of the file.
    fn read_line(&mut self) -> Result<bool, BadSeconds> {
        self.line.clear();
        self.number += 1;
        let mut input = (&mut self.input).take(MAX_LINE as u64);
        match input.read_until(b'\n', &mut self.line) {
            Err(cause) => Err(self.bad(What::Read(cause))),
            Ok(0) => Ok(false),
            Ok(_) if self.line.ends_with(b"\n") => Ok(true),
            Ok(MAX_LINE) => Err(self.bad(What::LongLine)),
            Ok(_) => Err(self.bad(What::Cut)),
        }
    }

    fn parse(&mut self, text: &str) -> Result<Said, What> {
        let (word, rest) = text.split_once(',').unwrap_or((text, ""));
        match word {
            "first" if self.clock_s.is_none() => Ok(Said::Entry(Entry::First(self.moment("first", rest)?))),
            "first" => Err(What::Early),
            "end" => self.end(rest),
            "client" => {
                let id = rest.parse().map_err(|_| What::Client)?;
                if self.clients.len() == MAX_CLIENTS || self.clients.contains(&id) {
                    return Err(What::Client);
                }
                self.clients.push(id);
                Ok(Said::Entry(Entry::Client(id)))
            }
            "server" => {
                let ip: std::net::IpAddr = rest.parse().map_err(|_| What::Server)?;
                if self.servers.len() == MAX_NUMBERED {
                    return Err(What::Server);
                }
                self.servers.push(ip.into());
                Ok(Said::Context)
            }
            "renumber" => {
                self.servers.clear();
                Ok(Said::Context)
            }
            "at" => {
                self.clock_s.ok_or(What::Early)?;
                self.back_s = 0;
                Ok(Said::Entry(Entry::Clock(self.moment("at", rest)?)))
            }
            "back" => {
                self.back_s = number(rest, "back")?;
                Ok(Said::Context)
            }
            _ if word.bytes().all(|byte| byte.is_ascii_digit()) => self.record(word, rest),
            _ => Err(What::Word),
        }
    }

    /// A time, which the clock is set to.
    fn moment(&mut self, field: &'static str, text: &str) -> Result<Moment, What> {
        let (secs, nanos) = match text.split_once('.') {
            Some((secs, nanos)) if nanos.len() == 9 => (secs, number(nanos, field)?),
            Some(_) => return Err(What::Number(field)),
            None => (text, 0),
        };
        let secs = number(secs, field)?;
        let all = secs.checked_mul(NANOS_PER_SEC).and_then(|all| all.checked_add(nanos));
        self.clock_s = Some(secs);
        all.map(Moment::from_nanos).ok_or(What::Number(field))
    }

    fn record(&mut self, client: &str, rest: &str) -> Result<Said, What> {
        let clock_s = self.clock_s.ok_or(What::Early)?;
        if !client.is_empty() {
            self.client = index(client, "client")?;
        }
        if self.client >= self.clients.len() {
            return Err(What::Unnamed("client"));
        }
        let mut fields = rest.split(',');
        let server = index(fields.next().unwrap_or_default(), "server")?;
        let server = *self.servers.get(server).ok_or(What::Unnamed("server"))?;
        let mut values = [0; COLUMNS.len()];
        for (value, column) in values.iter_mut().zip(COLUMNS) {
            *value = match fields.next().ok_or(What::Fields)? {
                "" => 0,
                text => number(text, column)?,
            };
        }
        if fields.next().is_some() {
            return Err(What::Fields);
        }
        self.records += 1;
        let second = Moment::from_secs(clock_s.checked_sub(self.back_s).ok_or(What::Number("back"))?);
        let sums = sums(&values).map_err(What::Number)?;
        Ok(Said::Entry(Entry::Record { client: self.client, second, server, sums }))
    }

    fn end(&self, rest: &str) -> Result<Said, What> {
        let told = rest.split_once(',').ok_or(What::Fields)?;
        let whole = number(told.0, "records")? == self.records && told.1 == format!("{:016x}", self.sum);
        if whole { Ok(Said::End) } else { Err(What::Damaged) }
    }
}

/// What became of a line.
enum Said {
    Entry(Entry),
    /// It matters for the lines after it.
    Context,
    End,
}

/// Digits and nothing else: the standard library reads signs, too.
fn number(text: &str, field: &'static str) -> Result<u64, What> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().ok_or(What::Number(field))
}

fn index(text: &str, field: &'static str) -> Result<usize, What> {
    usize::try_from(number(text, field)?).map_err(|_| What::Number(field))
}
