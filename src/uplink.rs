//! What a router tells a collector of its own: finished history, each row once, in numbered batches.
//!
//! Rows are asked of the daemon like anybody asks, so the collector gets the numbers that the household sees. Traffic
//! goes hour by hour once an hour is over. Sessions, days and alerts can still change (an alert is closed, a session
//! goes on after a pause), so what was told of them is remembered for a week, and a row that changed is told again
//! under the same `id`. A collector that keeps the latest row of each `id` therefore has everything exactly once,
//! whatever was sent twice.
//!
//! Nothing here touches the world: the clock, the answers and the files are the caller's.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::classify::fnv1a;
use crate::time::LocalDay;

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;
/// An hour is asked for when it has been over for this long: its last minute has been entered by then.
const SETTLE_S: i64 = 600;
/// How long a session, a day or an alert may still change.
const OPEN_S: i64 = 7 * DAY_S;
/// Rows remembered; the oldest go, and rows as old are not looked at again.
const MAX_TOLD: usize = 4_096;
/// Hours asked for at once; a router that was silent for long catches up over some turns.
const HOURS_A_TURN: i64 = 24;

/// A kind of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The method that gives them, the key under which it does, and `kind` of the rows.
    pub method: &'static str,
    /// What names a row among its kind.
    key: &'static [&'static str],
    /// Where its time stands: seconds, or a date.
    time: &'static str,
    /// What must have changed for a row to be told again.
    news: &'static [&'static str],
}

/// Of hours that are over, in order.
const TRAFFIC: Stream = Stream {
    method: "traffic",
    key: &["stretch", "start_s", "client", "service", "protocol"],
    time: "start_s",
    news: &[],
};
/// Told with the hours: what was watched, and today so far.
const WATCHED: [Stream; 2] = [
    Stream { method: "sessions", key: &["client", "start_s"], time: "start_s", news: &["end_s", "watch_s"] },
    Stream { method: "usage", key: &["day", "client"], time: "day", news: &["used_s"] },
];
/// Told at once. The counts of one that goes on move all the time; they are told when it is over.
const ALERTS: Stream = Stream {
    method: "alerts",
    key: &["id"],
    time: "last_s",
    news: &["severity", "closed", "acked_s", "note", "resolved_s"],
};

/// A question to the daemon.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// What is asked for.
    pub stream: Stream,
    /// With what.
    pub params: Value,
    /// With the answer, traffic has been taken up to here.
    until_s: Option<i64>,
}

/// What was told of a row that can still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    time_s: i64,
    content: u64,
}

/// How far history has been taken into batches. Kept with them, so that a restart goes on where it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Number of the next batch.
    pub next: u64,
    /// Traffic has been taken up to here, seconds since the epoch; `None` before the first turn.
    traffic_s: Option<i64>,
    /// Rows before this are not looked at.
    floor_s: i64,
    /// What was told, by the hash of a row's id.
    told: BTreeMap<u64, Told>,
}

impl Progress {
    /// The time whose hours are wanted, as `from` and `to` of the method `periods`. The first turn goes a day back.
    pub fn wanted(&self, now_s: i64) -> Option<(i64, i64)> {
        let from_s = self.traffic_s.unwrap_or(now_s - DAY_S);
        let to_s = now_s.min(from_s + HOURS_A_TURN * HOUR_S);
        (from_s < to_s).then_some((from_s, to_s))
    }

    /// What to ask at `now_s`, seconds of the daemon's wall clock. `hours` are the hours of its dial, from
    /// [`Progress::wanted`].
    pub fn questions(&self, now_s: i64, hours: &[Range<i64>]) -> Vec<Question> {
        let over = hours.iter().take_while(|hour| hour.end + SETTLE_S <= now_s);
        let mut questions: Vec<Question> = over
            .map(|hour| Question {
                stream: TRAFFIC,
                params: json!({ "from": hour.start, "to": hour.end, "by": "all" }),
                until_s: Some(hour.end),
            })
            .collect();
        let watched = WATCHED.into_iter().filter(|_| !questions.is_empty());
        let open: Vec<Stream> = watched.chain([ALERTS]).collect();
        let from_s = (now_s - OPEN_S).max(self.floor_s).min(now_s - 1);
        questions.extend(open.into_iter().map(|stream| Question {
            stream,
            params: json!({ "from": from_s, "to": now_s + DAY_S, "limit": MAX_TOLD }),
            until_s: None,
        }));
        questions
    }

    /// Takes an answer: the rows that the collector does not have yet, as lines of JSON for `router`.
    pub fn take(&mut self, question: &Question, answer: &Value, router: &str) -> Vec<String> {
        let Question { stream, until_s, .. } = question;
        let rows = answer.get(stream.method).and_then(Value::as_array).into_iter().flatten();
        let mut lines = Vec::new();
        for row in rows {
            let Value::Object(columns) = row else { continue };
            let id = id_of(row, stream, router);
            let mut told = columns.clone();
            told.remove("start");
            if let Some(own) = told.insert("id".into(), json!(id)) {
                told.insert("number".into(), own);
            }
            told.insert("router".into(), json!(router));
            told.insert("kind".into(), json!(stream.method));
            if stream.news.is_empty() || self.is_news(&id, row, stream) {
                lines.push(Value::Object(told).to_string());
            }
        }
        self.traffic_s = until_s.or(self.traffic_s);
        lines
    }

    /// Whether a row that can still change has not been told as it stands; from now on it has.
    fn is_news(&mut self, id: &str, row: &Value, stream: &Stream) -> bool {
        let time_s = time_of(row, stream);
        if time_s < self.floor_s {
            return false;
        }
        let content: Vec<String> = stream.news.iter().map(|key| row[*key].to_string()).collect();
        let told = Told { time_s, content: fnv1a(content.join(" ").as_bytes()) };
        let before = self.told.insert(fnv1a(id.as_bytes()), told);
        before.is_none_or(|before| before.content != told.content)
    }

    /// Forgets what cannot change any more.
    pub fn forget(&mut self, now_s: i64) {
        let mut times: Vec<i64> = self.told.values().map(|told| told.time_s).collect();
        times.sort_unstable();
        // As many as fit, the latest: older ones are not looked at again, or they would be told for ever.
        let too_many = times.len().saturating_sub(MAX_TOLD);
        let crowded = too_many.checked_sub(1).map_or(self.floor_s, |at| times[at] + 1);
        self.floor_s = self.floor_s.max(crowded).min(now_s);
        let floor_s = self.floor_s.max(now_s - OPEN_S - DAY_S);
        self.told.retain(|_, told| told.time_s >= floor_s);
    }
}

/// What names a row everywhere and for ever.
fn id_of(row: &Value, stream: &Stream, router: &str) -> String {
    let mut id = format!("{router}/{}", stream.method);
    for key in stream.key {
        let part = row.get(*key).map_or_else(String::new, |value| {
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        });
        id.push('/');
        // A service's name is anybody's choice: it may not look like two parts.
        id.push_str(&part.replace('%', "%25").replace('/', "%2F"));
    }
    id
}

/// When a row is of, seconds since the epoch; a day counts from its midnight in UTC, which is near enough.
fn time_of(row: &Value, stream: &Stream) -> i64 {
    match row.get(stream.time) {
        Some(Value::String(day)) => day_s(day),
        Some(value) => value.as_i64().unwrap_or(0),
        None => 0,
    }
}

/// The beginning of YYYY-MM-DD in UTC; 0 if it is none.
fn day_s(text: &str) -> i64 {
    let mut parts = text.splitn(3, '-');
    let year = parts.next().and_then(|part| part.parse::<i16>().ok());
    let month = parts.next().and_then(|part| part.parse().ok());
    let day = parts.next().and_then(|part| part.parse().ok());
    let (Some(year), Some(month), Some(day)) = (year, month, day) else { return 0 };
    i64::from(LocalDay::from_ymd(i32::from(year), month, day).as_days()) * DAY_S
}

/// Packs lines into bodies of at most `limit` bytes each, a longer line in one of its own.
pub fn bodies(lines: &[String], limit: usize) -> Vec<String> {
    let mut bodies: Vec<String> = Vec::new();
    for line in lines {
        match bodies.last_mut().filter(|body| body.len() + line.len() < limit) {
            Some(body) => body.push_str(line),
            None => bodies.push(line.clone()),
        }
        if let Some(body) = bodies.last_mut() {
            body.push('\n');
        }
    }
    bodies
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_790_000_000;

    fn hours(from_s: i64, count: i64) -> Vec<Range<i64>> {
        (0..count).map(|hour| from_s + hour * HOUR_S..from_s + (hour + 1) * HOUR_S).collect()
    }

    fn question(method: &str) -> Question {
        let all = Progress::default().questions(NOW_S, &hours(NOW_S - 2 * HOUR_S, 2));
        all.into_iter().find(|question| question.stream.method == method).unwrap()
    }

    #[test]
    fn an_hour_is_asked_for_when_it_has_settled_and_once() {
        let mut progress = Progress::default();
        assert_eq!(progress.wanted(NOW_S), Some((NOW_S - DAY_S, NOW_S)));
        let asked = progress.questions(NOW_S, &hours(NOW_S - 2 * HOUR_S, 2));
        let methods: Vec<&str> = asked.iter().map(|question| question.stream.method).collect();
        assert_eq!(methods, ["traffic", "sessions", "usage", "alerts"], "the second hour has just ended");
        let answer = json!({ "traffic": [{
            "stretch": "hour", "start_s": NOW_S - 2 * HOUR_S, "start": "shown", "client": "02:00:00:00:01:01",
            "service": "a/b", "protocol": "quic", "up_bytes": 1, "down_bytes": u64::MAX,
        }] });
        let lines = progress.take(&asked[0], &answer, "r");
        let row: Value = serde_json::from_str(&lines[0]).unwrap();
        let id = format!("r/traffic/hour/{}/02:00:00:00:01:01/a%2Fb/quic", NOW_S - 2 * HOUR_S);
        assert_eq!((&row["id"], &row["kind"], &row["router"]), (&json!(id), &json!("traffic"), &json!("r")));
        assert_eq!((&row["down_bytes"], row.get("start")), (&json!(u64::MAX), None));
        assert_eq!(progress.wanted(NOW_S), Some((NOW_S - HOUR_S, NOW_S)));
        let asked = progress.questions(NOW_S, &hours(NOW_S - HOUR_S, 1));
        assert_eq!(asked.len(), 1, "no hour is over: alerts only");
    }

    #[test]
    fn a_row_that_can_change_is_told_when_it_does() {
        let mut progress = Progress::default();
        let alerts = question("alerts");
        let alert = |last_s: i64, closed| {
            json!({ "alerts": [{
            "id": 7, "type": "port_scan", "severity": "high", "last_s": last_s, "closed": closed,
        }] })
        };
        let told = progress.take(&alerts, &alert(NOW_S, false), "r");
        let row: Value = serde_json::from_str(&told[0]).unwrap();
        assert_eq!((&row["id"], &row["number"]), (&json!("r/alerts/7"), &json!(7)));
        assert!(progress.take(&alerts, &alert(NOW_S + 60, false), "r").is_empty(), "it only goes on");
        assert_eq!(progress.take(&alerts, &alert(NOW_S + 60, true), "r").len(), 1);
        let kept: Progress = serde_json::from_str(&serde_json::to_string(&progress).unwrap()).unwrap();
        assert_eq!(kept, progress);
    }

    #[test]
    fn memory_is_bounded_and_what_was_forgotten_is_not_told_for_ever() {
        let mut progress = Progress::default();
        let sessions = question("sessions");
        let rows: Vec<Value> = (0..MAX_TOLD as i64 + 900)
            .map(|i| json!({ "client": "c", "start_s": NOW_S - 10_000 + i, "end_s": i, "watch_s": 1 }))
            .collect();
        let answer = json!({ "sessions": rows });
        assert_eq!(progress.take(&sessions, &answer, "r").len(), rows.len());
        progress.forget(NOW_S);
        assert_eq!(progress.told.len(), MAX_TOLD);
        assert!(progress.take(&sessions, &answer, "r").is_empty());
        progress.forget(NOW_S + 9 * DAY_S);
        assert!(progress.told.is_empty());
    }

    #[test]
    fn nonsense_is_no_row_and_days_have_times() {
        let mut progress = Progress::default();
        for answer in [json!(null), json!({ "traffic": 3 }), json!({ "traffic": [null, 1, "x", []] })] {
            assert!(progress.take(&question("traffic"), &answer, "r").is_empty());
        }
        assert_eq!([day_s("2026-11-20"), day_s("x"), day_s("")], [1_795_132_800, 0, 0]);
    }

    #[test]
    fn bodies_are_bounded_and_hold_every_line() {
        let lines: Vec<String> = (0..100).map(|i| "x".repeat(i)).collect();
        let packed = bodies(&lines, 150);
        assert!(packed.iter().all(|body| body.len() <= 151));
        assert_eq!(packed.concat(), lines.iter().map(|line| format!("{line}\n")).collect::<String>());
        assert_eq!(bodies(&["y".repeat(500)], 150).len(), 1);
    }
}
