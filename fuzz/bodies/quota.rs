//! Bodies of fuzz targets: configuration, state file, time zone. Anything may come in; nothing may panic, and what
//! is read must hold what its reader promises. Included by the smoke test and by cargo-fuzz targets alike.

use streamguard::config::{Config, MAX_FINDINGS};
use streamguard::quota::State;
use streamguard::time::{LocalDay, WallTime, Zone};

/// UCI text: some configuration always, findings bounded, and the same when it is read again over itself.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (first, findings) = Config::load(&text, None);
    assert!(findings.len() <= MAX_FINDINGS + 1);
    assert!(findings.iter().all(|finding| !finding.to_string().contains(['\n', '\u{1b}'])));
    let (second, _) = Config::load(&text, Some(&first));
    assert_eq!(second, first);
}

/// A state file: refused, or read and written back the same.
pub fn state(data: &[u8]) {
    if let Ok(state) = State::decode(&String::from_utf8_lossy(data)) {
        assert_eq!(State::decode(&state.encode()), Ok(state));
    }
}

/// A zone, as a file and as a POSIX string: refused, or a clock that every reset time comes to.
pub fn zone(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let zones = [Zone::from_tzfile(data).ok(), Zone::from_posix(&text).ok()];
    for zone in zones.into_iter().flatten() {
        let day = LocalDay::from_ymd(2026, 3, 29);
        let _ = zone.first_at(day, "02:30".parse().unwrap_or_default());
        let _ = zone.local(WallTime::from_nanos(i64::MIN));
        let _ = zone.local(WallTime::from_nanos(i64::MAX));
    }
}
