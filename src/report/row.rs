//! Rows of tables, as JSON objects and as lines of CSV.
//!
//! A report of everything over a large capture is a hundred megabytes of rows, and asking a serialiser field by
//! field and a formatter digit by digit took a third of its instructions (docs/performance.md). A row names its columns
//! once and hands over values; here they become bytes in a line that is used again for the next row.

use std::fmt::{self, Display};
use std::io::{self, Write};
use std::net::Ipv6Addr;

use super::csv::Cell;
use super::flows::protocol;
use super::line::{Line, Stamp};
use crate::net::{Addr, Endpoint, MacAddr};

/// What one column holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Not measurable or not known: `null`, an empty cell.
    Absent,
    /// A word of ours, which nothing needs to be escaped in.
    Word(&'a str),
    /// A name from anywhere.
    Name(&'a str),
    /// A count.
    Number(u64),
    /// Seconds or a share. Never in scientific notation.
    Decimal(f64),
    /// An IP protocol: its name, or its number as text.
    Protocol(u8),
    /// A hardware address.
    Mac(MacAddr),
    /// A network address.
    Addr(Addr),
    /// An address of an IPv6 header, which may hold an IPv4-mapped one.
    V6(Ipv6Addr),
    /// Address and port.
    Endpoint(Endpoint),
}

impl<'a> Value<'a> {
    /// A number that may not be there.
    pub fn number(number: Option<impl Into<u64>>) -> Self {
        number.map_or(Value::Absent, |number| Value::Number(number.into()))
    }

    /// A measure that may not be there.
    pub fn decimal(number: Option<f64>) -> Self {
        number.map_or(Value::Absent, Value::Decimal)
    }

    /// A name that may not be there.
    pub fn name(name: Option<&'a str>) -> Self {
        name.map_or(Value::Absent, Value::Name)
    }

    /// Appends it as it reads, without quotes.
    fn put(self, line: &mut Line) {
        match self {
            Self::Absent => {}
            Self::Word(text) | Self::Name(text) => line.piece(text.as_bytes()),
            Self::Number(number) => line.number(number),
            Self::Decimal(number) => match billionths(number) {
                Some(whole) => line.decimal(number < 0.0, whole),
                None if number.is_finite() => line.shown(&number),
                None => line.null(),
            },
            Self::Protocol(number) => match protocol(number) {
                Some(name) => line.piece(name.as_bytes()),
                None => line.number(number.into()),
            },
            Self::Mac(mac) => line.mac(mac),
            Self::Addr(addr) => match addr.v4() {
                Some(octets) => line.v4(octets),
                None => line.shown(&addr),
            },
            Self::V6(addr) => line.shown(&addr),
            Self::Endpoint(endpoint) => match endpoint.addr.v4() {
                Some(octets) => {
                    line.v4(octets);
                    line.push(b':');
                    line.number(endpoint.port.into());
                }
                None => line.shown(&endpoint),
            },
        }
    }
}

impl Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Line::default();
        self.put(&mut line);
        f.pad(&String::from_utf8_lossy(line.text()))
    }
}

/// A number as whole billionths, without its sign, if it is that many: up to 15 digits their decimal is the shortest
/// that reads back as the same double.
fn billionths(number: f64) -> Option<u64> {
    let size = number.abs();
    // Not `round`, which is a call on processors of before 2008, and so wherever we do not know better.
    let whole = (size * 1e9 + 0.5) as u64;
    (whole < 1_000_000_000_000_000 && whole as f64 / 1e9 == size).then_some(whole)
}

/// Bytes of the longest name.
const fn longest(names: &[&str]) -> usize {
    let (mut longest, mut index) = (0, 0);
    while index < names.len() {
        if names[index].len() > longest {
            longest = names[index].len();
        }
        index += 1;
    }
    longest
}

/// Something that is a row of a table.
pub trait Row {
    /// Names of its columns: keys in JSON, the first line in CSV.
    const COLUMNS: &'static [&'static str];

    /// A value for each column.
    fn values(&self) -> impl AsRef<[Value<'_>]>;
}

/// Writes rows of one kind; holds the line that it makes them in.
#[derive(Debug, Default)]
pub struct Rows {
    line: Line,
    /// What stands before each value in JSON: `,"name":`.
    keys: Vec<Stamp>,
}

impl Rows {
    /// Writes a row as one item of a JSON list, after a comma unless it `is_first`.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn json<R: Row>(&mut self, out: &mut impl Write, is_first: bool, row: &R) -> io::Result<()> {
        const { assert!(longest(R::COLUMNS) + r#",{"":"#.len() <= Stamp::MAX) }
        if self.keys.len() != R::COLUMNS.len() {
            self.learn(R::COLUMNS);
        }
        self.make_json(row.values().as_ref())?;
        out.write_all(&self.line.text()[usize::from(is_first)..])
    }

    #[cold]
    fn learn(&mut self, columns: &[&str]) {
        let key = |(index, name): (usize, &&str)| match index {
            0 => Stamp::new(&format!(",{{\"{name}\":")),
            _ => Stamp::new(&format!(",\"{name}\":")),
        };
        self.keys = columns.iter().enumerate().map(key).collect();
    }

    fn make_json(&mut self, values: &[Value<'_>]) -> io::Result<()> {
        let line = &mut self.line;
        line.clear();
        for (key, value) in self.keys.iter().zip(values) {
            line.stamp(key);
            match *value {
                Value::Absent => line.null(),
                Value::Number(number) => line.number(number),
                Value::Decimal(_) => value.put(line),
                Value::Name(name) => serde_json::to_writer(&mut *line, name)?,
                Value::Word(_)
                | Value::Protocol(_)
                | Value::Mac(_)
                | Value::Addr(_)
                | Value::V6(_)
                | Value::Endpoint(_) => {
                    line.push(b'"');
                    value.put(line);
                    line.push(b'"');
                }
            }
        }
        line.push(b'}');
        Ok(())
    }

    /// Writes a row as a line of CSV.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn csv<R: Row>(&mut self, out: &mut impl Write, row: &R) -> io::Result<()> {
        let line = &mut self.line;
        line.clear();
        for (index, value) in row.values().as_ref().iter().enumerate() {
            if index > 0 {
                line.push(b',');
            }
            match value {
                Value::Name(name) => line.shown(&Cell(name)),
                value => value.put(line),
            }
        }
        line.piece(b"\r\n");
        out.write_all(line.text())
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn decimals_read_back_as_the_number_they_were() {
        for (number, text) in [
            (0.0, "0.0"),
            (1.0, "1.0"),
            (12.5, "12.5"),
            (-0.25, "-0.25"),
            (0.000_001, "0.000001"),
            (86_399.999_999_999, "86399.999999999"),
            (1_700_000_000.123_456, "1700000000.123456"),
            (1.0 / 3.0, "0.3333333333333333"),
            (f64::NAN, "null"),
        ] {
            assert_eq!(Value::Decimal(number).to_string(), text);
        }
        let mut state = 7;
        for _ in 0..100_000 {
            state = crate::net::mix(state);
            for number in [(state >> 20) as f64 / 1e6, (state >> 34) as f64 / 1e9, f64::from_bits(state >> 2)]
            {
                let text = Value::Decimal(number).to_string();
                assert_eq!(text.parse(), Ok(number), "{text}");
            }
        }
    }

    #[test]
    fn addresses_read_as_everywhere() {
        for text in ["0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "2001:db8::7"] {
            let addr: Addr = text.parse::<IpAddr>().unwrap().into();
            assert_eq!(Value::Addr(addr).to_string(), text);
            let endpoint = Endpoint { addr, port: 443 };
            assert_eq!(Value::Endpoint(endpoint).to_string(), endpoint.to_string());
        }
        let mac: MacAddr = "02:00:ab:cd:ef:0f".parse().unwrap();
        assert_eq!(Value::Mac(mac).to_string(), mac.to_string());
    }

    struct Two<'a>(&'a str);

    impl Row for Two<'_> {
        const COLUMNS: &'static [&'static str] = &["name", "rtt_ms"];
        fn values(&self) -> impl AsRef<[Value<'_>]> {
            [Value::Name(self.0), Value::Absent]
        }
    }

    #[test]
    fn hostile_names_break_neither_form() {
        let (mut json, mut csv) = (Vec::new(), Vec::new());
        for name in ["\"}\\\u{7}", "=1+1"] {
            let is_first = json.is_empty();
            Rows::default().json(&mut json, is_first, &Two(name)).unwrap();
            Rows::default().csv(&mut csv, &Two(name)).unwrap();
        }
        let read: serde_json::Value =
            serde_json::from_str(&format!("[{}]", String::from_utf8(json).unwrap())).unwrap();
        assert_eq!(read[0]["name"], "\"}\\\u{7}");
        assert_eq!((&read[1]["name"], &read[1]["rtt_ms"]), (&"=1+1".into(), &serde_json::Value::Null));
        assert_eq!(String::from_utf8(csv).unwrap(), "\"\"\"}\\ \",\r\n'=1+1,\r\n");
    }
}
