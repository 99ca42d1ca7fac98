//! The books of a household: every byte of a capture, and a month of them, in a database that stays small.
#![cfg(feature = "os")]
#![expect(clippy::disallowed_methods, reason = "tests make directories and read captures")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use streamguard::account::Moved;
use streamguard::config::Config;
use streamguard::engine::house::House;
use streamguard::engine::{FILE_SEED, Model, NamesFrom, Settings};
use streamguard::history::{Calendar, LAN, Minute, PeerRow, Per, SessionRow, Stretch, TrafficRow, UsageRow};
use streamguard::lan::{Identify, Vantage};
use streamguard::os::files::CaptureReader;
use streamguard::os::store::{By, Database, Limits, Names, Urgency};
use streamguard::time::{Duration, LocalDay, Moment, Now, WallTime, Zone};
use streamguard::units::Bytes;
use streamguard::watch::Sensitivity;

const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/demo.pcap.zst");

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("streamguard-books-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn database(&self, size: u64) -> Database {
        let limits = Limits { size: Bytes(size), history_days: 90, interval: Duration::from_secs(3_000) };
        let (mut database, trouble) = Database::open(&self.0.join("s.db"), limits).unwrap();
        assert!(trouble.is_none());
        database.set_calendar(calendar());
        database
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn calendar() -> Calendar {
    Calendar::new(Zone::from_posix(BERLIN).unwrap(), "04:00".parse().unwrap())
}

/// The day of a second, reckoned without the calendar: before four o'clock it is still the day before.
fn day_by_the_dial(at_s: i64) -> LocalDay {
    let local = Zone::from_posix(BERLIN).unwrap().local(WallTime::from_secs(at_s));
    if local.second < 4 * 3_600 { local.day.plus(-1) } else { local.day }
}

fn now_at(at: Moment) -> Now {
    Now { mono: at, wall: i64::try_from(at.as_nanos()).ok().map(WallTime::from_nanos) }
}

fn sum<'m>(all: impl IntoIterator<Item = &'m Moved>) -> Moved {
    let mut sum = Moved::default();
    all.into_iter().for_each(|moved| sum += *moved);
    sum
}

#[test]
fn every_byte_of_a_capture_is_in_the_books_once() {
    let settings = Settings {
        vantage: Vantage::Guess,
        identify: Identify::Mac,
        sensitivity: Sensitivity::Normal,
        model: Arc::new(Model::embedded()),
        seed: FILE_SEED,
    };
    let mut house =
        House::new(Config::default(), Zone::from_posix(BERLIN).unwrap(), settings, NamesFrom::EveryFrame);
    let place = Place::new("capture");
    let mut database = place.database(1_000_000);
    let mut reader = CaptureReader::open(&[PathBuf::from(DEMO)]).unwrap();
    let (mut next, mut last, mut first) = (None, Moment::ZERO, None);
    while let Some(frame) = reader.next().unwrap() {
        first = first.or(Some(frame.at));
        let mut due = next.unwrap_or(frame.at);
        while due <= frame.at {
            house.tick(now_at(due));
            house.take_minutes().for_each(|minute| database.intake().put_minute(minute));
            due = due + Duration::from_secs(1);
        }
        (next, last) = (Some(due), frame.at);
        house.frame(&frame);
    }
    house.close_books(now_at(last));
    house.take_minutes().for_each(|minute| database.intake().put_minute(minute));
    database.commit(Urgency::Leaving, last, LocalDay::from_days(20_000)).unwrap();

    let seen = house.engine().seen().bytes;
    assert!(seen > 100_000_000, "{seen}");
    let first_s = first.unwrap().as_secs() as i64;
    let all = first_s - 3_600..last.as_secs() as i64 + 3_600;
    let by_client = database.moved(&all, By::Client, None).unwrap();
    assert_eq!(sum(by_client.values()).total(), seen);
    for (index, known) in house.engine().lan().clients().iter() {
        let totals = house.engine().totals(index);
        let booked = by_client.get(&known.id.to_string()).copied().unwrap_or_default();
        assert_eq!((booked.up, booked.down), (totals.up_bytes, totals.down_bytes), "{}", known.id);
    }
    for by in [By::Service, By::Protocol] {
        assert_eq!(sum(database.moved(&all, by, None).unwrap().values()), sum(by_client.values()));
    }
    // What is known of the capture is in the rows: a video by QUIC or TLS, most of all bytes.
    let services = database.moved(&all, By::Service, None).unwrap();
    let (largest, moved) = services.iter().max_by_key(|(_, moved)| moved.total()).unwrap();
    assert!(!largest.is_empty() && moved.total() > seen / 4, "{services:?}");
    // Minutes in memory say the same as hours on disk.
    let mut in_memory = Moved::default();
    house.minutes().each(&all, |_, _, moved| in_memory += moved);
    assert_eq!(in_memory, sum(by_client.values()));
}

/// Numbers that repeat.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

const SERVICES: [&str; 16] = [
    "YouTube",
    "Netflix",
    "",
    "Twitch",
    "TikTok",
    "apple.com",
    "microsoft.com",
    "Steam",
    "WhatsApp",
    "github.com",
    "wikipedia.org",
    "Spotify",
    "zoom.us",
    "amazon.com",
    "Disney+",
    "example.org",
];
const PROTOCOLS: [&str; 4] = ["quic", "tls", "dns", "http"];
const CLIENTS: u64 = 20;

/// A minute of 20 clients, about 3.5 MB: 5 GB a day.
fn minute(start_s: i64, dice: &mut Dice) -> Minute {
    let (mut traffic, mut peers) = (Vec::new(), Vec::new());
    for n in 0..CLIENTS {
        let client = format!("02:00:00:00:00:{n:02x}");
        for _ in 0..dice.below(4) {
            // Some services are used far more than others.
            let service = (dice.below(16) * dice.below(16) / 15) as usize;
            let moved = Moved { up: dice.below(9_000), down: dice.below(300_000) };
            traffic.push(TrafficRow {
                stretch: Stretch::Minute,
                start_s,
                client: client.clone(),
                service: SERVICES[service].into(),
                protocol: PROTOCOLS[dice.below(4) as usize].into(),
                up_bytes: moved.up,
                down_bytes: moved.down,
            });
            let peer = format!("203.0.{}.{}", service, dice.below(30));
            peers.push(PeerRow { start_s, client: client.clone(), peer, moved });
        }
    }
    Minute { start_s, traffic, peers }
}

/// What a day must be, by client.
type Days = BTreeMap<LocalDay, BTreeMap<String, Moved>>;

/// Compares every period of every kind with what was moved.
fn check(database: &Database, days: &Days, from: LocalDay) {
    let calendar = calendar();
    let kept: Vec<_> = days.range(from..).collect();
    let span = |day: &LocalDay| calendar.span(*day);
    for (day, clients) in &kept {
        let by_client = database.moved(&span(day), By::Client, None).unwrap();
        assert_eq!(&by_client, *clients, "{day}");
        for by in [By::Service, By::Protocol] {
            let sums = database.moved(&span(day), by, None).unwrap();
            assert_eq!(sum(sums.values()), sum(clients.values()), "{day} {by:?}");
        }
        let one = [clients.keys().next().unwrap().clone()];
        let of_one = database.moved(&span(day), By::Service, Some(&one)).unwrap();
        assert_eq!(sum(of_one.values()), clients[&one[0]]);
        let next = day.plus(1);
        let peers = database.peers(&(**day..next), Some(&one)).unwrap();
        assert!(sum(peers.values()).total() <= clients[&one[0]].total(), "{day}: the rest is not negative");
    }
    let all = span(kept[0].0).start..span(kept[kept.len() - 1].0).end;
    let total = sum(kept.iter().flat_map(|(_, clients)| clients.values()));
    for per in [Per::Hour, Per::Day, Per::Week, Per::Month, Per::Year, Per::Total] {
        let periods = calendar.periods(per, &all).unwrap();
        let sums = periods.iter().flat_map(|period| {
            let cut = period.start.max(all.start)..period.end.min(all.end);
            database.moved(&cut, By::Client, None).unwrap().into_values().collect::<Vec<_>>()
        });
        assert_eq!(sum(&sums.collect::<Vec<_>>()), total, "{per:?}");
    }
}

#[test]
fn a_month_of_a_household_fits_and_its_sums_are_those_of_its_packets() {
    let place = Place::new("month");
    let mut database = place.database(1_000_000);
    let mut dice = Dice(0x5eed_1234_5678_9abc);
    // Clocks go back on 2026-10-25.
    let begin_s = calendar().begins(LocalDay::from_ymd(2026, 10, 9));
    let mut days = Days::new();
    let (mut at_s, mut committed_s) = (begin_s, begin_s);
    let mut largest = Bytes(0);
    let mut today = day_by_the_dial(at_s);
    for _ in 0..31 * 1_440 {
        today = day_by_the_dial(at_s);
        let minute = minute(at_s, &mut dice);
        let day = days.entry(today).or_default();
        for row in &minute.traffic {
            *day.entry(row.client.clone()).or_default() += Moved { up: row.up_bytes, down: row.down_bytes };
        }
        if dice.below(25) == 0 {
            let client = format!("02:00:00:00:00:{:02x}", dice.below(CLIENTS));
            database.intake().put_usage(UsageRow { day: today, client: client.clone(), used_s: 1_800 });
            let servers = (0..4).map(|n| (format!("203.0.113.{n}"), 50_000_000)).collect();
            let (start_s, end_s) = (at_s - 1_800, at_s);
            let services = vec!["YouTube".into()];
            database.intake().put_session(SessionRow {
                client,
                start_s,
                end_s,
                watch_s: 1_700,
                services,
                servers,
            });
        }
        database.intake().put_minute(minute);
        at_s += 60;
        if at_s - committed_s >= 3_600 {
            committed_s = at_s;
            database.commit(Urgency::Ordinary, Moment::from_secs(at_s as u64), today).unwrap();
            largest = largest.max(database.size().unwrap());
            assert!(largest <= Bytes(1_000_000), "{largest:?} on {today}");
        }
        if at_s.rem_euclid(10 * 86_400) == 0 {
            let month = *days.keys().next().unwrap();
            check(&database, &days, month);
        }
    }
    let moved = sum(days.values().flat_map(BTreeMap::values)).total();
    assert!(moved > 31 * 4_000_000_000, "{moved}");
    assert!(days.len() >= 31);
    check(&database, &days, *days.keys().next().unwrap());
    assert_eq!(database.dropped(), 0);
    eprintln!("{moved} bytes in {} days: at most {} bytes of database", days.len(), largest.as_u64());

    // What waits and what is written are the same to whoever asks; and so it is after the next start.
    database.commit(Urgency::Leaving, Moment::from_secs(at_s as u64 + 9_999), today).unwrap();
    drop(database);
    let database = place.database(1_000_000);
    check(&database, &days, *days.keys().next().unwrap());
}

#[test]
fn a_small_database_gives_up_detail_then_days_and_keeps_the_sums_of_the_others() {
    let place = Place::new("small");
    let mut database = place.database(200_000);
    let mut dice = Dice(77);
    let begin_s = calendar().begins(LocalDay::from_ymd(2026, 3, 20));
    let mut days = Days::new();
    for hour in 0..40 * 24 {
        let at_s = begin_s + hour * 3_600;
        let minute = minute(at_s, &mut dice);
        let today = day_by_the_dial(at_s);
        for row in &minute.traffic {
            let day = days.entry(today).or_default();
            *day.entry(row.client.clone()).or_default() += Moved { up: row.up_bytes, down: row.down_bytes };
        }
        database.intake().put_minute(minute);
        database.commit(Urgency::Ordinary, Moment::from_secs(at_s as u64), today).unwrap();
        assert!(database.size().unwrap() <= Bytes(200_000));
    }
    let kept = days
        .keys()
        .find(|day| !database.moved(&calendar().span(**day), By::Client, None).unwrap().is_empty());
    let kept = *kept.unwrap();
    let count = days.range(kept..).count();
    assert!(count >= 10, "{count} days are kept in 200 kB");
    check(&database, &days, kept);
}

#[test]
fn names_that_must_not_be_kept_are_in_no_row_and_in_no_page() {
    let place = Place::new("names");
    let path = place.0.join("s.db");
    let mut database = place.database(1_000_000);
    let begin_s = calendar().begins(LocalDay::from_ymd(2026, 3, 20));
    let mut dice = Dice(5);
    let mut put = |database: &mut Database, at_s: i64| {
        database.intake().put_minute(minute(at_s, &mut dice));
        let session = SessionRow {
            client: "02:00:00:00:00:01".into(),
            start_s: at_s,
            end_s: at_s + 60,
            watch_s: 60,
            services: vec!["Netflix".into()],
            servers: vec![("203.0.113.9".into(), 1)],
        };
        database.intake().put_session(session);
        let day = LocalDay::from_ymd(2026, 3, 20);
        database.commit(Urgency::Leaving, Moment::from_secs(at_s as u64), day).unwrap();
    };
    put(&mut database, begin_s);
    let holds = |what: &str| {
        let bytes = std::fs::read(&path).unwrap();
        bytes.windows(what.len()).any(|window| window == what.as_bytes())
    };
    assert!(holds("Netflix") && holds("203.0."));
    let all = begin_s..begin_s + 86_400;
    let before = sum(database.moved(&all, By::Client, None).unwrap().values());
    database.set_names(Names::Left).unwrap();
    assert_eq!(sum(database.moved(&all, By::Client, None).unwrap().values()), before);
    put(&mut database, begin_s + 600);
    drop(database);
    assert!(!holds("Netflix") && !holds("203.0."), "neither in rows nor in free pages");
    let kept = place.database(1_000_000).traffic(&all).unwrap();
    assert!(kept.iter().all(|row| row.service.is_empty() && row.client != LAN), "{kept:?}");
}
