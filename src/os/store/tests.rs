//! Claims about what outlives the process.

use super::*;
use crate::account::Moved;
use crate::history::{AlertRow, Minute, SessionRow, Stretch, TrafficRow, UsageRow};
use crate::quota::Recovery;
use crate::time::{Duration, LocalDay, Moment};
use crate::units::Bytes;

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("streamguard-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const TODAY: LocalDay = LocalDay::from_days(20_777);
const MORNING_S: i64 = 20_777 * 86_400 + 6 * 3_600;

fn limits() -> Limits {
    Limits { size: Bytes(1_000_000), history_days: 90, interval: Duration::from_secs(900) }
}

fn at(secs: u64) -> Moment {
    Moment::from_secs(secs)
}

fn state(serial: u64) -> State {
    State { serial, day: Some(TODAY), ..State::default() }
}

fn minute(rows: Vec<TrafficRow>) -> Minute {
    Minute { start_s: rows[0].start_s, traffic: rows, peers: Vec::new() }
}

fn traffic(start_s: i64, client: u32) -> TrafficRow {
    TrafficRow {
        stretch: Stretch::Minute,
        start_s,
        client: format!("02:00:00:00:00:{client:02x}"),
        service: "video.example".into(),
        protocol: "quic".into(),
        up_bytes: 10,
        down_bytes: 1_000,
    }
}

#[test]
fn the_state_survives_a_damaged_or_missing_generation() {
    let place = Place::new("state");
    let file = StateFile::at(place.0.join("state.json"));
    assert!(file.read().iter().all(|generation| *generation == Err(StateError::Missing)));
    file.write(&state(1)).unwrap();
    file.write(&state(2)).unwrap();
    assert_eq!(Recovery::from_generations(file.read()).state, Some(state(2)));
    let text = fs::read(place.0.join("state.json")).unwrap();
    for damage in [&text[..text.len() / 2], b"", b"\xff\xff", &[&text[..], b"x"].concat()] {
        fs::write(place.0.join("state.json"), damage).unwrap();
        let recovery = Recovery::from_generations(file.read());
        assert_eq!((recovery.state, recovery.trouble.len()), (Some(state(1)), 1));
    }
    fs::remove_file(place.0.join("state.json")).unwrap();
    assert_eq!(Recovery::from_generations(file.read()).state, Some(state(1)));
}

#[test]
fn a_crash_between_the_renames_loses_nothing() {
    let place = Place::new("crash");
    let file = StateFile::at(place.0.join("state.json"));
    file.write(&state(1)).unwrap();
    // As if power failed after the first rename of the second write.
    fs::write(place.0.join("state.json.new"), state(2).encode()).unwrap();
    fs::rename(place.0.join("state.json"), place.0.join("state.json.1")).unwrap();
    assert_eq!(Recovery::from_generations(file.read()).state, Some(state(2)));
}

#[test]
fn what_was_committed_is_there_after_reopening_and_what_waits_is_seen_before() {
    let place = Place::new("reopen");
    let path = place.0.join("s.db");
    let (mut database, trouble) = Database::open(&path, limits()).unwrap();
    assert!(trouble.is_none());
    let session = SessionRow {
        client: "02:00:00:00:00:01".into(),
        start_s: MORNING_S + 40,
        end_s: MORNING_S + 340,
        watch_s: 290,
        services: vec!["video.example".into()],
        servers: vec![("198.51.100.7".into(), 5_000_000)],
    };
    let usage = UsageRow { day: TODAY, client: session.client.clone(), used_s: 290 };
    database.intake().put_session(session.clone());
    database.intake().put_usage(UsageRow { used_s: 100, ..usage.clone() });
    database.intake().put_usage(usage.clone());
    database.intake().put_minute(minute(vec![traffic(MORNING_S, 1), traffic(MORNING_S + 60, 1)]));
    database.intake().put_ledger(&state(7));
    let days = TODAY..LocalDay::from_days(TODAY.as_days() + 1);
    assert_eq!(database.sessions(&(MORNING_S..MORNING_S + 1_000)).unwrap(), std::slice::from_ref(&session));
    assert_eq!(database.usage(days.clone()).unwrap(), std::slice::from_ref(&usage));
    assert_eq!(database.commit(Urgency::Ordinary, at(1), TODAY).unwrap(), Committed::Yes);
    drop(database);
    let (database, _) = Database::open(&path, limits()).unwrap();
    assert_eq!(database.sessions(&(MORNING_S..MORNING_S + 1_000)).unwrap(), [session]);
    assert_eq!(database.usage(days).unwrap(), [usage]);
    assert_eq!(database.ledgers().unwrap(), [Ok(state(7))]);
    let [row] = database.traffic(&(MORNING_S..MORNING_S + 1_000)).unwrap().try_into().unwrap();
    assert_eq!((row.up_bytes, row.down_bytes), (20, 2_000));
}

#[test]
fn commits_keep_their_distance_and_their_number() {
    let place = Place::new("wear");
    let (mut database, _) = Database::open(&place.0.join("s.db"), limits()).unwrap();
    let mut commit = |urgency, secs| {
        database.intake().put_ledger(&state(secs));
        database.commit(urgency, at(secs), TODAY).unwrap()
    };
    assert_eq!(commit(Urgency::Ordinary, 0), Committed::Yes);
    assert_eq!(commit(Urgency::Ordinary, 100), Committed::NotYet);
    assert_eq!(commit(Urgency::Soon, 59), Committed::NotYet);
    assert_eq!(commit(Urgency::Ordinary, 61), Committed::Yes, "the urgent one was not forgotten");
    assert_eq!(commit(Urgency::Ordinary, 960), Committed::NotYet);
    assert_eq!(commit(Urgency::Ordinary, 961), Committed::Yes);
    let mut written = 3;
    for n in 0..2 * u64::from(COMMITS_PER_DAY) {
        written += u32::from(commit(Urgency::Soon, 1_100 + 60 * n) == Committed::Yes);
    }
    assert_eq!(written, COMMITS_PER_DAY);
    assert_eq!(commit(Urgency::Leaving, 90_000), Committed::Worn);
    assert_eq!(database.commits_on(TODAY).unwrap(), COMMITS_PER_DAY);
}

#[test]
fn the_file_stays_below_its_limit_and_the_ledger_stays_in_it() {
    let place = Place::new("full");
    let small = Limits { size: Bytes(200_000), ..limits() };
    let (mut database, _) = Database::open(&place.0.join("s.db"), small).unwrap();
    let today_s = i64::from(TODAY.as_days()) * 86_400;
    for commit in 0..20u32 {
        for n in 0..2_000u32 {
            database
                .intake()
                .put_minute(minute(vec![traffic(today_s - i64::from(commit * 2_000 + n) * 60, n % 50)]));
        }
        database.intake().put_ledger(&state(commit.into()));
        database.commit(Urgency::Ordinary, at(1_000 * u64::from(commit)), TODAY).unwrap();
        assert!(database.size().unwrap() <= Bytes(200_000), "{:?}", database.size());
    }
    assert_eq!(database.ledgers().unwrap()[0], Ok(state(19)));
}

#[test]
fn rows_that_wait_are_bounded_and_traffic_loses_detail_but_no_byte() {
    let place = Place::new("pending");
    let (mut database, _) = Database::open(&place.0.join("s.db"), limits()).unwrap();
    for n in 0..50_000_u32 {
        let row = TrafficRow { service: format!("site{n}.example"), ..traffic(MORNING_S, n % 20) };
        database.intake().put_minute(minute(vec![row]));
        assert!(database.pending() <= MAX_PENDING_ROWS);
    }
    assert_eq!(database.dropped(), 0);
    let sums = database.moved(&(MORNING_S..MORNING_S + 3_600), By::Client, None).unwrap();
    assert_eq!(sums.len(), 20);
    assert!(sums.values().all(|moved| *moved == Moved { up: 25_000, down: 2_500_000 }), "{sums:?}");
    for n in 0..MAX_PENDING_ROWS + 10 {
        let session = SessionRow {
            client: "02:00:00:00:00:01".into(),
            start_s: MORNING_S + n as i64,
            end_s: MORNING_S + n as i64,
            watch_s: 0,
            services: Vec::new(),
            servers: Vec::new(),
        };
        database.intake().put_session(session);
    }
    assert!(database.pending() <= MAX_PENDING_ROWS && database.dropped() > 0);
}

#[test]
fn a_damaged_file_is_put_aside_and_one_of_the_future_refused() {
    let place = Place::new("damaged");
    let path = place.0.join("s.db");
    fs::write(&path, [7; 5_000]).unwrap();
    let (database, trouble) = Database::open(&path, limits()).unwrap();
    assert!(trouble.is_some() && place.0.join("s.db.damaged").exists());
    drop(database);
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Database::open(&path, limits()), Err(StoreError::Version { found: 99, .. })));
}

#[test]
fn alerts_of_an_earlier_run_are_over_and_what_was_said_of_them_stays() {
    let place = Place::new("alerts");
    let path = place.0.join("s.db");
    let row = AlertRow {
        id: 1,
        kind: "port_scan".into(),
        severity: "medium".into(),
        source: "192.168.1.23".into(),
        target: None,
        first_s: MORNING_S,
        last_s: MORNING_S + 30,
        closed: false,
        evidence: "{\"ports\":40}".into(),
        opinion: Some("{\"class\":\"scan\"}".into()),
        acked_s: None,
        note: None,
        resolved_s: None,
    };
    let (mut database, _) = Database::open(&path, limits()).unwrap();
    assert_eq!(database.end_alerts().unwrap(), 0);
    database.intake().put_alert(AlertRow {
        acked_s: Some(MORNING_S + 60),
        note: Some("mine".into()),
        ..row.clone()
    });
    database.commit(Urgency::Ordinary, at(1), TODAY).unwrap();
    database.intake().put_alert(AlertRow { last_s: MORNING_S + 90, ..row.clone() });
    database.commit(Urgency::Leaving, at(2), TODAY).unwrap();
    drop(database);
    let (mut database, _) = Database::open(&path, limits()).unwrap();
    assert_eq!(database.end_alerts().unwrap(), 1);
    let expected = AlertRow {
        last_s: MORNING_S + 90,
        closed: true,
        acked_s: Some(MORNING_S + 60),
        note: Some("mine".into()),
        ..row
    };
    assert_eq!(database.alert(1).unwrap(), Some(expected.clone()));
    assert_eq!(database.alerts(&(MORNING_S..MORNING_S + 100)).unwrap(), [expected]);
    assert_eq!(database.alert(2).unwrap(), None);
}

/// Bytes of all traffic that a question finds.
fn bytes_known(archive: &Archive) -> u64 {
    let rows = archive.database().unwrap().traffic(&(0..i64::MAX)).unwrap();
    rows.iter().map(|row| row.up_bytes + row.down_bytes).sum()
}

#[test]
fn rows_that_come_during_a_commit_are_known_once_and_written_by_the_next() {
    let place = Place::new("archive");
    let path = place.0.join("a.db");
    let mut archive = Archive::new(Database::open(&path, limits()).unwrap().0);
    archive.intake().put_minute(minute(vec![traffic(MORNING_S, 1)]));
    assert_eq!(archive.commit(Urgency::Ordinary, at(10), TODAY).unwrap(), Committed::Underway);
    archive.intake().put_minute(minute(vec![traffic(MORNING_S + 60, 1), traffic(MORNING_S + 60, 2)]));
    assert_eq!(bytes_known(&archive), 3 * 1_010);
    assert_eq!(archive.database().unwrap().pending(), 2);
    // What became of the first is told once; the next is due only after the interval.
    assert_eq!(archive.commit(Urgency::Ordinary, at(20), TODAY).unwrap(), Committed::Yes);
    assert_eq!(archive.commit(Urgency::Ordinary, at(30), TODAY).unwrap(), Committed::NotYet);
    assert_eq!(archive.commit(Urgency::Leaving, at(31), TODAY).unwrap(), Committed::Yes);
    assert_eq!((bytes_known(&archive), archive.database().unwrap().pending()), (3 * 1_010, 0));
    drop(archive);
    let again = Archive::new(Database::open(&path, limits()).unwrap().0);
    assert_eq!((bytes_known(&again), again.database().unwrap().commits_on(TODAY).unwrap()), (3 * 1_010, 2));
}

#[test]
fn a_commit_that_failed_is_told_and_its_rows_wait_with_later_ones() {
    let place = Place::new("archive-fails");
    let path = place.0.join("a.db");
    let mut archive = Archive::new(Database::open(&path, limits()).unwrap().0);
    archive.database().unwrap().connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let writer = rusqlite::Connection::open(&path).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    let usage = |used_s| UsageRow { day: TODAY, client: "02:00:00:00:00:01".into(), used_s };
    archive.intake().put_usage(usage(50));
    archive.intake().put_minute(minute(vec![traffic(MORNING_S, 1)]));
    assert_eq!(archive.commit(Urgency::Ordinary, at(10), TODAY).unwrap(), Committed::Underway);
    archive.intake().put_usage(usage(60));
    archive.intake().put_minute(minute(vec![traffic(MORNING_S, 1), traffic(MORNING_S, 2)]));
    assert_eq!(archive.database().unwrap().pending(), 3);
    assert!(matches!(archive.commit(Urgency::Ordinary, at(20), TODAY), Err(StoreError::Sql { .. })));
    writer.execute_batch("COMMIT").unwrap();
    assert_eq!(archive.commit(Urgency::Leaving, at(30), TODAY).unwrap(), Committed::Yes);
    assert_eq!(bytes_known(&archive), 3 * 1_010);
    assert_eq!(archive.database().unwrap().usage(TODAY..TODAY.plus(1)).unwrap(), [usage(60)]);
}

/// The routers' SQLite is made without unions (openwrt/sqlite.flags) and would answer one in part.
#[test]
fn a_union_is_refused() {
    let place = Place::new("union");
    let (database, _) = Database::open(&place.0.join("s.db"), limits()).unwrap();
    assert!(database.connection.prepare("SELECT 1 UNION SELECT 2").is_err());
}
