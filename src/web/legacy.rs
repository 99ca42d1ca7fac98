//! Addresses that programs of older tools call, answered from the same questions as everything else.
//!
//! Two dashboards had such addresses: one below `/api/` with `/health` and `/stats`, the other also below `/api/`. What
//! they asked for is here under its old name and in its old shape as far as it was true; docs/dashboard.md lists what
//! was left out and why. Each answer says that it is deprecated and what to ask instead. The guard is the one of the
//! new addresses: reading needs the login, acting the header or token too.

use hyper::body::Incoming;
use hyper::header::{self, HeaderName};
use hyper::{Method as Verb, StatusCode};
use serde_json::{Map, Value, json};

use super::Gateway;
use super::answer::{Answer, refusal, value, with};
use super::query::pairs;
use super::route::{Asked, json_body, only};
use crate::methods::openapi::ROOT;

mod shape;

/// Packets looked at for what was "the last 1000 packets".
const PACKETS: u64 = 1_000;
/// Longest number in a query.
const MAX_DIGITS: usize = 6;

/// What a shape makes its answer of: the new answer and the old question.
type Shape = fn(&Value, &Given) -> Value;

/// An old address.
struct Old {
    path: &'static str,
    verb: Verb,
    /// What it may be asked with.
    params: &'static [&'static str],
    /// The method that answers now.
    method: &'static str,
    /// With what.
    ask: fn(&Given) -> Value,
    shape: Shape,
}

/// The old question: checked texts by name.
#[derive(Default)]
struct Given(Map<String, Value>);

impl Given {
    /// A whole number from a query or a body.
    fn number(&self, name: &str, default: u64) -> u64 {
        let value = self.0.get(name);
        value.and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok())).unwrap_or(default)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }
}

const fn old(
    path: &'static str,
    params: &'static [&'static str],
    (method, ask): (&'static str, fn(&Given) -> Value),
    shape: Shape,
) -> Old {
    Old { path, verb: Verb::GET, params, method, ask, shape }
}

const fn act(
    path: &'static str,
    params: &'static [&'static str],
    method: &'static str,
    ask: fn(&Given) -> Value,
) -> Old {
    Old { path, verb: Verb::POST, params, method, ask, shape: |_, _| json!({ "status": "success" }) }
}

const STATUS: (&str, fn(&Given) -> Value) = ("status", |_| json!({}));
const LATEST: (&str, fn(&Given) -> Value) = ("packets", |_| json!({ "limit": PACKETS }));
const ALERTS: (&str, fn(&Given) -> Value) = ("alerts", |_| json!({ "from": "31d" }));
const HOURS: (&str, fn(&Given) -> Value) = ("traffic", |given| {
    let hours = given.number("hours", 24).clamp(1, 9_000);
    json!({ "from": format!("{hours}h"), "per": if hours > 1 { "hour" } else { "minute" }, "by": "client", "limit": 1_000 })
});
const WHOLE: (&str, fn(&Given) -> Value) =
    ("traffic", |_| json!({ "from": "24h", "per": "total", "by": "client", "limit": 1_000 }));

const ALL: &[Old] = &[
    old("/health", &[], STATUS, shape::health),
    old("/stats", &[], STATUS, shape::counters),
    old("/api/stats", &[], STATUS, shape::counters),
    old("/api/capture/status", &[], STATUS, shape::counters),
    old("/api/protocols", &[], LATEST, shape::protocols),
    old("/api/top-sources", &["limit"], LATEST, |found, given| shape::top(found, given, "src_ip")),
    old("/api/top-destinations", &["limit"], LATEST, |found, given| shape::top(found, given, "dst_ip")),
    old("/api/top-ports", &["limit"], LATEST, |found, given| shape::top(found, given, "dst_port")),
    old("/api/packet-size-distribution", &[], LATEST, shape::sizes),
    old("/api/packets", &["page", "limit", "protocol", "search", "src_ip"], LATEST, shape::page),
    old("/api/packets/recent", &["limit"], LATEST, shape::recent),
    old("/api/traffic-history", &["hours"], HOURS, shape::history),
    old("/api/traffic-direction", &["local_prefix"], WHOLE, shape::direction),
    old("/api/alerts", &["limit", "severity", "resolved"], ALERTS, shape::alerts),
    old("/api/alerts/summary", &[], ALERTS, shape::summary),
    old("/api/anomalies", &["limit"], ALERTS, shape::anomalies),
    old("/api/ml/threats", &["limit"], ALERTS, shape::anomalies),
    old("/api/interfaces", &[], ("doctor", |_| json!({})), shape::interfaces),
    act(
        "/api/alerts/{id}/resolve",
        &["id"],
        "ack",
        |given| json!({ "alert": given.number("id", 0), "resolve": 1 }),
    ),
    act(
        "/api/capture/start",
        &["interface", "filter"],
        "capture_start",
        |given| json!({ "interface": given.text("interface"), "filter": given.text("filter") }),
    ),
    act("/api/capture/stop", &[], "capture_stop", |_| json!({})),
];

/// Answers an old address; `None` if it is none.
pub(super) async fn answer(
    gateway: &Gateway,
    asked: &Asked,
    body: Incoming,
) -> Option<Result<Answer, Answer>> {
    let (old, id) = ALL.iter().find_map(|old| Some((old, fits(old.path, &asked.path)?)))?;
    Some(serve(gateway, asked, (old, id), body).await)
}

async fn serve(
    gateway: &Gateway,
    asked: &Asked,
    (old, id): (&Old, &str),
    body: Incoming,
) -> Result<Answer, Answer> {
    only(asked, std::slice::from_ref(&old.verb))?;
    let mut given = if old.verb == Verb::GET {
        gateway.guard.may_look(&asked.headers, asked.from).await?;
        from_query(old, &asked.query)?
    } else {
        gateway.guard.may_act(&asked.headers, asked.from).await?;
        from_body(old, &json_body(&asked.headers, body).await?)?
    };
    if old.path.contains("{id}") {
        given.0.insert("id".into(), json!(id));
    }
    let found =
        gateway.upstream.value(old.method, &(old.ask)(&given)).await.map_err(|trouble| trouble.answer())?;
    let response = with(value(&(old.shape)(&found, &given)), HeaderName::from_static("deprecation"), "true");
    let successor = format!("<{ROOT}{}>; rel=\"successor-version\"", old.method);
    Ok(with(response, header::LINK, &successor))
}

/// What stands in the path for `{id}`, or nothing if there is none in it; `None` if the path is another.
fn fits<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let Some((before, after)) = pattern.split_once("{id}") else { return (pattern == path).then_some("") };
    let id = path.strip_prefix(before)?.strip_suffix(after)?;
    let is_number = !id.is_empty() && id.len() <= MAX_DIGITS && id.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(id)
}

fn bad(why: &str) -> Answer {
    refusal(StatusCode::BAD_REQUEST, "bad_params", why)
}

const NUMBERS: [&str; 3] = ["limit", "page", "hours"];

fn from_query(old: &Old, query: &str) -> Result<Given, Answer> {
    let mut given = Given::default();
    for (name, text) in pairs(query).map_err(|why| bad(&why))? {
        let is_number =
            (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if !old.params.contains(&name.as_str())
            || text.len() > 256
            || (NUMBERS.contains(&name.as_str()) && !is_number)
        {
            return Err(bad("there is no such parameter, or not with this value"));
        }
        if given.0.insert(name, json!(text)).is_some() {
            return Err(bad("a parameter is given twice"));
        }
    }
    Ok(given)
}

fn from_body(old: &Old, body: &[u8]) -> Result<Given, Answer> {
    let body = if body.is_empty() { b"{}" } else { body };
    let given: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| bad("the body is no JSON object"))?;
    let fits = |(name, value): (&String, &Value)| {
        old.params.contains(&name.as_str()) && (value.is_string() || value.is_null())
    };
    if given.iter().all(fits) {
        Ok(Given(given))
    } else {
        Err(bad("there is no such parameter, or it is no text"))
    }
}

/// The OpenAPI document with the old addresses, deprecated.
pub(super) fn described(mut document: Value) -> Value {
    let Some(paths) = document["paths"].as_object_mut() else { return document };
    for old in ALL {
        let template =
            paths.get(&format!("{ROOT}{}", old.method)).and_then(|path| path.as_object()?.values().next());
        let mut operation = template.cloned().unwrap_or_default();
        let (inside, outside): (Vec<&str>, Vec<&str>) =
            old.params.iter().partition(|name| old.verb == Verb::POST && **name != "id");
        operation["operationId"] = json!(format!("old{}", old.path.replace(['/', '-', '{', '}'], "_")));
        operation["summary"] =
            json!(format!("For programs of older tools; ask {ROOT}{} instead.", old.method));
        operation["deprecated"] = json!(true);
        let header = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|param| param["in"] == "header")
            .cloned();
        operation["parameters"] = outside.into_iter().map(parameter).chain(header).collect();
        if old.verb == Verb::POST {
            let properties: Map<String, Value> = inside
                .iter()
                .map(|name| ((*name).to_owned(), json!({ "type": ["string", "null"] })))
                .collect();
            let schema = json!({ "type": "object", "properties": properties });
            operation["requestBody"] =
                json!({ "required": false, "content": { "application/json": { "schema": schema } } });
        }
        paths.insert(old.path.to_owned(), json!({ old.verb.as_str().to_ascii_lowercase(): operation }));
    }
    document
}

fn parameter(name: &str) -> Value {
    let number = json!({ "type": "integer", "minimum": 0, "maximum": 999_999 });
    match name {
        "id" => json!({ "name": name, "in": "path", "required": true, "schema": number }),
        _ if NUMBERS.contains(&name) => {
            json!({ "name": name, "in": "query", "required": false, "schema": number })
        }
        _ => {
            json!({ "name": name, "in": "query", "required": false, "schema": { "type": "string", "maxLength": 256 } })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods;

    #[test]
    fn every_old_address_leads_to_a_method_of_its_kind_and_is_marked() {
        let document = described(methods::openapi::document());
        for old in ALL {
            let method = methods::find(old.method).unwrap();
            assert_eq!(old.verb == Verb::GET, method.effect == methods::Effect::Read, "{}", old.path);
            let operation = &document["paths"][old.path][old.verb.as_str().to_ascii_lowercase()];
            assert_eq!(operation["deprecated"], true, "{}", old.path);
            assert!(operation["responses"]["200"].is_object());
        }
    }

    #[test]
    fn numbers_in_paths_are_numbers() {
        assert_eq!(fits("/api/alerts/{id}/resolve", "/api/alerts/12/resolve"), Some("12"));
        for other in [
            "/api/alerts//resolve",
            "/api/alerts/x/resolve",
            "/api/alerts/1234567/resolve",
            "/api/alerts/1/2/resolve",
        ] {
            assert_eq!(fits("/api/alerts/{id}/resolve", other), None, "{other}");
        }
        assert_eq!(fits("/health", "/health"), Some(""));
    }
}
