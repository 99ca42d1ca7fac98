//! Parameters of a method from a URL's query or a body, checked against the table: nothing unknown, nothing twice,
//! nothing of another type. What passes is what the control socket gets.

use serde_json::{Map, Value, json};

use crate::methods::{Kind, Method, Need, Param};

/// Longest text in a parameter, in characters.
const MAX_TEXT_CHARS: usize = 256;
/// Longest date.
const MAX_INSTANT_BYTES: usize = 32;

/// The parameters of a reading method, from `a=b&c=d`.
pub(super) fn from_query(method: &Method, query: &str) -> Result<Value, String> {
    let mut found = Map::new();
    for (name, text) in pairs(query)? {
        let param = known(method, &name)?;
        let value = match param.kind {
            Kind::Number => json!(text.parse::<u64>().map_err(|_| format!("{name} is no whole number"))?),
            Kind::Text | Kind::Instant => json!(text),
        };
        if found.insert(name.clone(), checked(param, value)?).is_some() {
            return Err(format!("{name} is given twice"));
        }
    }
    complete(method, found)
}

/// The parameters of a writing method, from a JSON object; no body is an empty one.
pub(super) fn from_body(method: &Method, body: &[u8]) -> Result<Value, String> {
    let body = if body.is_empty() { b"{}" } else { body };
    let given: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| format!("the body is no JSON object: {error}"))?;
    let mut found = Map::new();
    for (name, value) in given {
        let param = known(method, &name)?;
        let value = checked(param, value)?;
        found.insert(name, value);
    }
    complete(method, found)
}

fn known<'m>(method: &'m Method, name: &str) -> Result<&'m Param, String> {
    let param = method.params.iter().find(|param| param.name == name);
    param.ok_or_else(|| format!("{} has no parameter {name:?}", method.name))
}

fn checked(param: &Param, value: Value) -> Result<Value, String> {
    let name = param.name;
    match (param.kind, &value) {
        (Kind::Number, Value::Number(number)) if number.is_u64() => Ok(value),
        (Kind::Number, _) => Err(format!("{name} is no whole number")),
        (Kind::Text, Value::String(text)) => match text.chars().count() {
            0 => Err(format!("{name} is empty")),
            1..=MAX_TEXT_CHARS => Ok(value),
            _ => Err(format!("{name} is longer than {MAX_TEXT_CHARS} characters")),
        },
        (Kind::Instant, Value::String(text)) if is_instant(text) => Ok(value),
        (Kind::Instant, Value::String(_)) => Err(format!("{name} is no date")),
        (Kind::Text | Kind::Instant, _) => Err(format!("{name} is no text")),
    }
}

/// Something short in the letters of dates and words such as `7d`; what it means the method tells.
pub(super) fn is_instant(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-:+. ".contains(&byte);
    (1..=MAX_INSTANT_BYTES).contains(&text.len()) && text.bytes().all(fits)
}

fn complete(method: &Method, found: Map<String, Value>) -> Result<Value, String> {
    let missing =
        method.params.iter().find(|param| param.need == Need::Required && !found.contains_key(param.name));
    match missing {
        Some(param) => Err(format!("{} is missing", param.name)),
        None => Ok(Value::Object(found)),
    }
}

/// The pairs of a query, decoded.
pub(super) fn pairs(query: &str) -> Result<Vec<(String, String)>, String> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, text) = part.split_once('=').unwrap_or((part, ""));
            Ok((decoded(name)?, decoded(text)?))
        })
        .collect()
}

/// `%41+b` is `A b`.
fn decoded(text: &str) -> Result<String, String> {
    let bad = || "the query is not URL-encoded UTF-8".to_owned();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or_else(bad);
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).map_err(|_| bad())?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::find;

    #[test]
    fn a_query_becomes_typed_parameters() {
        let client = find("client").unwrap();
        assert_eq!(from_query(client, "who=M%C3%BCller+%3C"), Ok(json!({ "who": "Müller <" })));
        assert_eq!(from_query(find("flows").unwrap(), "limit=5"), Ok(json!({ "limit": 5 })));
        for bad in ["", "who", "who=", "who=%zz", "who=%ff", "who=a&who=b", "what=a", "who=a&x=1"] {
            assert!(from_query(client, bad).is_err(), "{bad}");
        }
        for bad in ["limit=-1", "limit=x", "limit=1.5", "limit="] {
            assert!(from_query(find("flows").unwrap(), bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_body_is_an_object_of_what_the_method_takes() {
        let grant = find("grant").unwrap();
        assert_eq!(from_body(grant, br#"{"who":"a","minutes":5}"#), Ok(json!({ "who": "a", "minutes": 5 })));
        for bad in [
            "",
            "[]",
            "{",
            r#"{"who":"a"}"#,
            r#"{"who":"a","minutes":"5"}"#,
            r#"{"who":5,"minutes":5}"#,
            r#"{"who":"a","minutes":5,"x":1}"#,
            r#"{"who":"a","minutes":-5}"#,
        ] {
            assert!(from_body(grant, bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(from_body(find("reload").unwrap(), b""), Ok(json!({})));
    }

    #[test]
    fn instants_are_short_and_plain() {
        for good in ["2026-11-21", "0", "1700000000", "7d", "today", "2026-11-21T10:00:00Z"] {
            assert!(is_instant(good), "{good}");
        }
        for bad in ["", "<", "a\"b", "x/y", &"1".repeat(33)] {
            assert!(!is_instant(bad), "{bad}");
        }
    }
}
