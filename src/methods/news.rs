//! What happened, as events for subscribers and rows for the database: the same from a daemon and from a file.

use serde_json::{Value, json};

use super::alerts;
use crate::detect::{Kind, Stage};
use crate::engine::house::{BLOCK_FOR, House};
use crate::history::{AlertRow, SessionRow};
use crate::net::ClientId;
use crate::quota::{self, Who};
use crate::ruleset::Key;
use crate::time::{Moment, Now, WallTime};
use crate::watch::Session;

/// A change of somebody's standing, and what the log calls them.
pub fn quota_event(house: &House, event: &quota::Event, now: Now) -> (String, Value) {
    let name = match &event.who {
        Who::Client(client) => house.name_of(*client).unwrap_or_else(|| client.to_string()),
        Who::Profile(id) => id.clone(),
        Who::All => "all".into(),
    };
    let mut shown = json!(event);
    shown["name"] = json!(name);
    shown["time"] = json!(wall_s(event.at, now).map(|secs| WallTime::from_secs(secs).to_string()));
    (name, shown)
}

/// A session that is over, and its row if the time is known.
pub fn session_event(
    house: &House,
    client: ClientId,
    session: &Session,
    now: Now,
) -> (Value, Option<SessionRow>) {
    let keeps_names = house.config().main.names;
    let named = session.servers.iter().filter_map(|server| server.service.as_deref());
    let mut services: Vec<String> = Vec::new();
    for service in named.filter(|_| keeps_names) {
        if !services.iter().any(|known| known == service) {
            services.push(service.to_owned());
        }
    }
    let watch_s = u32::try_from(session.watched.as_secs()).unwrap_or(u32::MAX);
    let span = wall_s(session.start, now).zip(wall_s(session.end, now));
    let event = json!({
        "event": "session",
        "who": { "client": client },
        "name": house.name_of(client),
        "watch_s": watch_s,
        "start_s": span.map(|(start_s, _)| start_s),
        "end_s": span.map(|(_, end_s)| end_s),
        "services": services,
    });
    let row = span.map(|(start_s, end_s)| {
        let servers = session.servers.iter().map(|server| (server.addr.to_string(), server.bytes)).collect();
        SessionRow { client: client.to_string(), start_s, end_s, watch_s, services, servers }
    });
    (event, row)
}

/// The word for what became of an alert.
pub fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Opened => "opened",
        Stage::Updated => "updated",
        Stage::Closed => "closed",
    }
}

/// An alert that began, goes on or is over.
pub fn alert_event(house: &House, stage: Stage, row: &AlertRow) -> Value {
    let mut event = alerts::shown(house, row);
    event["event"] = json!("alert");
    event["stage"] = json!(stage_word(stage));
    event
}

/// An attacker who is blocked for a while; `enforced` is false where nothing is written to the kernel.
pub fn attacker_event(kind: Kind, key: Key, enforced: bool) -> Value {
    json!({
        "event": "attacker_blocked",
        "type": kind.name(),
        "who": key.to_string(),
        "seconds": BLOCK_FOR.as_secs(),
        "enforced": enforced,
    })
}

/// The wall's seconds at a moment, if there is a wall clock now.
fn wall_s(at: Moment, now: Now) -> Option<i64> {
    Some(now.wall?.as_secs() - i64::try_from(now.mono.since(at).as_secs()).unwrap_or(0))
}
