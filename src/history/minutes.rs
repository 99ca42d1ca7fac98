//! The last minutes in memory, and what is made of a minute before it is kept.
//!
//! A minute lists, for each client, its largest services and protocols; the rest of them is one honest row,
//! [`OTHERS`]. So a device that talks to a thousand sites costs no more than one that watches a film, and the sum
//! stays what the packets were.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::rows::TrafficRow;
use crate::account::Moved;

/// Service or protocol of what is not listed one by one.
pub const OTHERS: &str = "(other)";
/// Client of what stays in the LAN or is not IP.
pub const LAN: &str = "(lan)";
/// Client of the devices beyond the capacity of the household.
pub const OVERFLOW: &str = "(other devices)";
/// Rows of a client in a minute.
pub const MAX_MINUTE_ROWS: usize = 24;
/// Peers of a client in a minute.
pub const MAX_MINUTE_PEERS: usize = 16;
/// Minutes remembered.
const MAX_MINUTES: usize = 180;
/// Rows of all of them: about 24 bytes each.
const MAX_ROWS: usize = 16_384;
/// Texts of all of them.
const MAX_LABELS: usize = 4_096;

/// What a client exchanged with an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerRow {
    /// Seconds since the epoch.
    pub start_s: i64,
    /// Who.
    pub client: String,
    /// With whom.
    pub peer: String,
    /// How much.
    pub moved: Moved,
}

/// One minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Minute {
    /// Seconds since the epoch.
    pub start_s: i64,
    /// By client, service and protocol.
    pub traffic: Vec<TrafficRow>,
    /// By client and address: the largest of each client.
    pub peers: Vec<PeerRow>,
}

/// Keeps the largest `most` lines of each client; `rest` says where the others are added.
pub fn fold<K: Ord + Clone>(
    sums: BTreeMap<(String, K), Moved>,
    most: usize,
    rest: &K,
) -> BTreeMap<(String, K), Moved> {
    let mut ranked: Vec<_> = sums.into_iter().collect();
    ranked.sort_by(|(a, x), (b, y)| {
        (&a.0, std::cmp::Reverse(x.total()), &a.1).cmp(&(&b.0, std::cmp::Reverse(y.total()), &b.1))
    });
    let mut folded: BTreeMap<(String, K), Moved> = BTreeMap::new();
    let mut listed: (String, usize) = Default::default();
    for ((client, what), moved) in ranked {
        if listed.0 != client {
            listed = (client.clone(), 0);
        }
        let is_rest = what == *rest;
        let key = if is_rest || listed.1 >= most { (client, rest.clone()) } else { (client, what) };
        listed.1 += usize::from(!is_rest);
        *folded.entry(key).or_default() += moved;
    }
    folded
}

#[derive(Clone, Copy, Debug)]
struct Row {
    client: u16,
    service: u16,
    protocol: u16,
    moved: Moved,
}

/// A ring of minutes; the oldest leaves when there are too many minutes, rows or texts.
#[derive(Debug, Default)]
pub struct Minutes {
    minutes: VecDeque<(i64, Box<[Row]>)>,
    rows: usize,
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u16>,
}

impl Minutes {
    /// Remembers a minute.
    pub fn push(&mut self, minute: &Minute) {
        while self.minutes.len() >= MAX_MINUTES || self.rows + minute.traffic.len() > MAX_ROWS {
            let Some((_, oldest)) = self.minutes.pop_front() else { break };
            self.rows -= oldest.len();
        }
        if self.texts.len() + 3 * minute.traffic.len() > MAX_LABELS {
            self.forget_unused();
        }
        let rows: Box<[Row]> = minute
            .traffic
            .iter()
            .take(MAX_ROWS)
            .map(|row| Row {
                client: self.number(&row.client),
                service: self.number(&row.service),
                protocol: self.number(&row.protocol),
                moved: Moved { up: row.up_bytes, down: row.down_bytes },
            })
            .collect();
        self.rows += rows.len();
        self.minutes.push_back((minute.start_s, rows));
    }

    fn number(&mut self, text: &str) -> u16 {
        if let Some(&known) = self.numbers.get(text) {
            return known;
        }
        let text = if self.texts.len() < MAX_LABELS + 3 * MAX_MINUTE_ROWS { text } else { OTHERS };
        if let Some(&known) = self.numbers.get(text) {
            return known;
        }
        let number = u16::try_from(self.texts.len()).unwrap_or(u16::MAX);
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }

    /// Numbers anew the texts that are still used.
    fn forget_unused(&mut self) {
        let old = std::mem::take(&mut self.texts);
        self.numbers.clear();
        let mut minutes = std::mem::take(&mut self.minutes);
        for row in minutes.iter_mut().flat_map(|(_, rows)| rows.iter_mut()) {
            for number in [&mut row.client, &mut row.service, &mut row.protocol] {
                let text = old.get(usize::from(*number)).map_or(OTHERS, |text| text);
                *number = self.number(text);
            }
        }
        self.minutes = minutes;
    }

    /// When the oldest minute remembered began.
    pub fn since_s(&self) -> Option<i64> {
        self.minutes.front().map(|(start_s, _)| *start_s)
    }

    /// Shows each row of a range: start, client, service, protocol, bytes.
    pub fn each(&self, range: &Range<i64>, mut show: impl FnMut(i64, [&str; 3], Moved)) {
        let text = |number: u16| self.texts.get(usize::from(number)).map_or("", |text| text);
        for (start_s, rows) in self.minutes.iter().filter(|(start_s, _)| range.contains(start_s)) {
            for row in rows {
                show(*start_s, [text(row.client), text(row.service), text(row.protocol)], row.moved);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Stretch;

    fn row(start_s: i64, service: &str, up_bytes: u64) -> TrafficRow {
        TrafficRow {
            stretch: Stretch::Minute,
            start_s,
            client: "02:00:00:00:00:01".into(),
            service: service.into(),
            protocol: "tls".into(),
            up_bytes,
            down_bytes: 0,
        }
    }

    #[test]
    fn the_largest_are_listed_and_the_rest_is_a_row_of_its_own() {
        let line = |client: &str, what: &'static str, up| ((client.to_owned(), what), Moved { up, down: 1 });
        let sums = [
            line("a", "x", 10),
            line("a", "y", 30),
            line("a", "z", 20),
            line("a", OTHERS, 5),
            line("b", "x", 1),
        ];
        let folded = fold(sums.into_iter().collect(), 2, &OTHERS);
        let expected = [
            (("a".to_owned(), OTHERS), Moved { up: 15, down: 2 }),
            (("a".to_owned(), "y"), Moved { up: 30, down: 1 }),
            (("a".to_owned(), "z"), Moved { up: 20, down: 1 }),
            (("b".to_owned(), "x"), Moved { up: 1, down: 1 }),
        ];
        assert_eq!(folded.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_ring_is_bounded_in_minutes_rows_and_texts() {
        let mut minutes = Minutes::default();
        for n in 0..2_000_i64 {
            let traffic = (0..100).map(|k| row(60 * n, &format!("site{}.example", n * 100 + k), 7)).collect();
            minutes.push(&Minute { start_s: 60 * n, traffic, peers: Vec::new() });
            assert!(minutes.rows <= MAX_ROWS && minutes.minutes.len() <= MAX_MINUTES);
            assert!(minutes.texts.len() <= MAX_LABELS + 3 * MAX_MINUTE_ROWS + 300, "{}", minutes.texts.len());
        }
        let mut sum = 0;
        let mut shown = 0;
        minutes.each(&(60 * 1_999..60 * 2_000), |_, [client, ..], moved| {
            assert_eq!(client, "02:00:00:00:00:01");
            shown += 1;
            sum += moved.up;
        });
        assert_eq!((shown, sum), (100, 700), "the latest minute is whole");
        assert!(minutes.since_s().unwrap() > 60 * 1_800);
    }
}
