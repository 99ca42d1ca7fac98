//! What happened, as events for subscribers and rows for the database: the same from a daemon and from a file.

use serde_json::{Value, json};

use super::{alerts, present};
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
    if let Who::Client(client) = event.who {
        tell_time(house, client, &mut shown);
    }
    (name, shown)
}

/// What the client has used today and, unless the event says so itself, what is left; null where nobody measures.
fn tell_time(house: &House, client: ClientId, event: &mut Value) {
    let client = present::Shown::new(house, house.ledger().usage(client));
    event["used_s"] = json!(client.used_s);
    if event["left_s"].is_null() {
        event["left_s"] = json!(client.left_s);
    }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Config;
    use crate::engine::house::{News, live_settings};
    use crate::engine::{Model, NamesFrom};
    use crate::quota::Recovery;
    use crate::time::Zone;

    #[test]
    fn an_event_says_what_was_used_and_what_is_left() {
        let (config, _) =
            Config::load("config streamguard 'main'\n option quota '2'\n option unknown_shared '0'\n", None);
        let settings = live_settings(config.main.sensitivity, Arc::new(Model::embedded()), 7);
        let mut house = House::new(config, Zone::default(), settings, NamesFrom::OwnFrames);
        let now = Now { mono: Moment::from_secs(9), wall: Some(WallTime::from_secs(1_800_000_000)) };
        let client = ClientId::Mac("02:00:00:00:01:01".parse().unwrap());
        let state = json!({
            "serial": 1, "day": null, "first_day": null, "taken": null, "pools": [], "plans": [],
            "clients": [{ "client": client, "used_s": 90, "before_s": 0, "granted_min": 0, "paused": null }],
        });
        let state = serde_json::from_value(state).unwrap();
        house.restore(&Recovery { state, trouble: Vec::new() }, &[], now);
        house.tick(now);
        house.act(crate::engine::house::Act::Pause { minutes: None }, &Who::Client(client), now).unwrap();
        house.tick(now);
        let shown = house.take_news().into_iter().filter_map(|news| match news {
            News::Quota(event) => Some(quota_event(&house, &event, now).1),
            News::Session { .. } | News::Alert { .. } | News::Attacker { .. } => None,
        });
        let told: Vec<Value> =
            shown.map(|event| json!([event["event"], event["used_s"], event["left_s"]])).collect();
        assert!(told.contains(&json!(["blocked", 90, 30])), "{told:?}");
    }
}
