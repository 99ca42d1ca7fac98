//! Zone files of the system, read as the router reads them, against what is known of their zones.
#![expect(clippy::disallowed_methods, reason = "the system's zone files are the fixture")]

use streamguard::time::{LocalDay, WallTime, Zone};

fn file(name: &str) -> Option<Vec<u8>> {
    let bytes = std::fs::read(format!("/usr/share/zoneinfo/{name}")).ok();
    if bytes.is_none() {
        println!("skipped: no zone file for {name}");
    }
    bytes
}

#[test]
fn zone_files_and_their_posix_rules_agree_for_years_to_come() {
    for name in
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns"]
    {
        let Some(bytes) = file(name) else { continue };
        let zone = Zone::from_tzfile(&bytes).expect(name);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let footer = text.trim_end().rsplit('\n').next().expect("footer");
        let rules = Zone::from_posix(footer).expect(footer);
        let (from, to) = (LocalDay::from_ymd(2024, 1, 1), LocalDay::from_ymd(2040, 1, 1));
        for hour in i64::from(from.as_days()) * 24..i64::from(to.as_days()) * 24 {
            let wall = WallTime::from_secs(hour * 3_600 + 1);
            assert_eq!(zone.offset_at(wall), rules.offset_at(wall), "{name} {wall}");
        }
        for day in (from.as_days()..to.as_days()).map(LocalDay::from_days) {
            for time in ["00:00", "01:45", "02:15", "02:30", "04:00"] {
                let time = time.parse().expect("time");
                assert_eq!(zone.first_at(day, time), rules.first_at(day, time), "{name} {day}");
            }
        }
    }
}

#[test]
fn history_is_read_from_the_transitions() {
    let Some(bytes) = file("Europe/Berlin") else { return };
    let berlin = Zone::from_tzfile(&bytes).expect("zone");
    // Summer time of 1980 began on April 6 at 01:00 UTC, two weeks later than any rule of today says.
    let begins = i64::from(LocalDay::from_ymd(1980, 4, 6).as_days()) * 86_400 + 3_600;
    let offset_at = |secs| berlin.offset_at(WallTime::from_secs(secs));
    assert_eq!([offset_at(begins - 1), offset_at(begins)], [3_600, 7_200]);
}

#[test]
fn a_date_that_a_zone_skipped_still_has_a_reset() {
    // Samoa went from December 29 to 31, 2011.
    let Some(bytes) = file("Pacific/Apia") else { return };
    let apia = Zone::from_tzfile(&bytes).expect("zone");
    let at = |day| apia.first_at(LocalDay::from_ymd(2011, 12, day), "04:00".parse().expect("time"));
    assert_eq!(at(30).to_string(), "2011-12-30T10:00:00Z");
    assert_eq!(at(31).to_string(), "2011-12-30T14:00:00Z");
    assert!(at(29) < at(30) && at(30) < at(31));
}

#[test]
fn every_zone_file_of_the_system_is_read_and_every_cut_one_refused() {
    let mut read = 0;
    for area in ["Africa", "America", "Asia", "Australia", "Europe", "Pacific"] {
        let Ok(entries) = std::fs::read_dir(format!("/usr/share/zoneinfo/{area}")) else { continue };
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()) {
            let bytes = std::fs::read(&path).expect("zone file");
            let zone = Zone::from_tzfile(&bytes);
            assert!(zone.is_ok(), "{path:?}: {zone:?}");
            for end in (0..bytes.len() - 1).step_by(7) {
                assert!(Zone::from_tzfile(&bytes[..end]).is_err(), "{path:?} cut at {end}");
            }
            read += 1;
        }
    }
    println!("{read} zone files");
}
