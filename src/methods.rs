//! What can be asked of a household, and done to it: one table of methods, and their answers.
//!
//! The daemon answers them over its control sockets, `replay --listen` over sockets of its own; whatever lists
//! methods (rpcd's `list`, the command line, the web gateway's routes and its OpenAPI file) is made from [`TABLE`].
//! A new method is one row there and one function that takes a [`Host`] and a [`Call`]. What differs between the
//! two hosts is behind [`Host`]; what only the daemon can do has a default there that says so.
//!
//! Everything that leaves here is JSON, so names of devices and services, which anybody in the LAN can choose, are
//! escaped by construction; whoever shows them elsewhere escapes them again.

use std::collections::VecDeque;

use serde_json::Value;

use crate::config::Finding;
use crate::engine::Model;
use crate::engine::house::House;
use crate::history::AlertRow;
use crate::os::control::{Access, Request};
use crate::os::store::Database;
use crate::time::Now;

mod acts;
pub(crate) mod alerts;
mod metrics;
pub mod news;
pub mod openapi;
mod packets;
mod past;
mod present;
mod table;

pub use packets::Recording;
pub use table::{Effect, Kind, Method, Need, Param, TABLE};

/// Who answers: a household, and how it is run.
pub trait Host {
    /// The household.
    fn house(&self) -> &House;
    /// The household, to be changed.
    fn house_mut(&mut self) -> &mut House;
    /// Its history; `None` if it cannot be opened.
    fn database(&self) -> Option<&Database>;
    /// The latest events, oldest first.
    fn recent(&self) -> &VecDeque<Value>;
    /// The model in force.
    fn model(&self) -> &Model;
    /// What was found wrong in the configuration.
    fn findings(&self) -> &[Finding];
    /// How it is run.
    fn condition(&self, now: Now) -> Condition;
    /// The wall clock, in seconds, even if it is not to be trusted: for "today" in questions only.
    fn wall_s(&self, now: Now) -> i64;
    /// How capture, clock, firewall and storage are.
    fn doctor(&mut self, now: Now) -> Value;
    /// Reads the configuration again.
    ///
    /// # Errors
    /// If there is none to read.
    fn reload(&mut self, now: Now) -> Result<(), Failure>;
    /// A person has changed something: once it is answered, it is kept.
    fn acted(&mut self, now: Now);
    /// Keeps an alert as it stands.
    fn keep_alert(&mut self, row: AlertRow);
    /// Why the configured model is not in force, if so.
    fn model_trouble(&self) -> Option<&str> {
        None
    }
    /// Begins to record packets to a file.
    ///
    /// # Errors
    /// If one goes on already, there is no such interface, the filter is wrong, or nothing is captured here.
    fn capture_start(&mut self, _: &Recording, _: Now) -> Result<Value, Failure> {
        Err(failure("not_here", "only the daemon captures"))
    }
    /// Ends the recording.
    ///
    /// # Errors
    /// If none goes on.
    fn capture_stop(&mut self, _: Now) -> Result<Value, Failure> {
        Err(failure("not_here", "only the daemon captures"))
    }
}

/// How a household is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `enforce`, `monitor` or `replay`.
    pub mode: &'static str,
    /// Whether the wall clock can be trusted.
    pub clock: &'static str,
    /// Whether the firewall does what is wanted.
    pub enforcement: String,
    /// Seconds since the start.
    pub uptime_s: u64,
}

/// A question as its method sees it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The method's name.
    pub method: &'static str,
    /// With what.
    pub params: &'a Value,
    /// The user id of who asks.
    pub uid: u32,
    /// When.
    pub now: Now,
}

impl<'a> Call<'a> {
    /// A parameter; `null` is none.
    pub fn param(&self, name: &str) -> Option<&'a Value> {
        self.params.get(name).filter(|value| !value.is_null())
    }

    /// A parameter that is a text and must be there.
    ///
    /// # Errors
    /// If it is missing or something else.
    pub fn text(&self, name: &str) -> Result<&'a str, Failure> {
        let text = self.param(name).and_then(Value::as_str);
        text.ok_or_else(|| failure("bad_params", format!("{name} is missing")))
    }

    /// A parameter that is on or off, as programs, rpcd and people write it; without it, off.
    ///
    /// # Errors
    /// If it is something else.
    pub fn switch(&self, name: &str) -> Result<bool, Failure> {
        match self.param(name) {
            None => Ok(false),
            Some(Value::Bool(on)) => Ok(*on),
            Some(value) => match value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str() {
                "1" | "true" | "yes" | "on" => Ok(true),
                "0" | "false" | "no" | "off" | "" => Ok(false),
                _ => Err(failure("bad_params", format!("{name} is neither on nor off"))),
            },
        }
    }

    /// A parameter that is a number, or the digits of one: rpcd passes what a browser typed. Nothing else is read as
    /// a number.
    ///
    /// # Errors
    /// If it is something else.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Failure> {
        let Some(value) = self.param(name) else { return Ok(None) };
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
        number.map(Some).ok_or_else(|| failure("bad_params", format!("{name} is no whole number")))
    }
}

/// A negative answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

/// A negative answer.
pub fn failure(code: &'static str, message: impl Into<String>) -> Failure {
    Failure { code, message: message.into() }
}

/// The method of this name.
pub fn find(name: &str) -> Option<&'static Method> {
    TABLE.iter().find(|method| method.name == name)
}

/// The socket on which a method is answered.
pub fn access(method: &str) -> Access {
    match find(method).map(|method| method.effect) {
        Some(Effect::Write) => Access::Control,
        Some(Effect::Read) | None => Access::View,
    }
}

/// An answer as JSON. Most methods make a tree of values; one that lists all devices writes text device by device, for
/// the tree takes ten times the memory.
struct Text(String);

impl From<Value> for Text {
    fn from(value: Value) -> Self {
        Self(value.to_string())
    }
}

/// Answers one request, with JSON as text.
///
/// # Errors
/// If there is no such method, the socket is not the one for it, or the method says no.
pub fn serve(host: &mut dyn Host, request: &Request, now: Now) -> Result<String, Failure> {
    let index = TABLE.iter().position(|method| method.name == request.method);
    let row = index.and_then(|index| TABLE.get(index).zip(table::ANSWERS.get(index)));
    let Some((method, answer)) = row else {
        return Err(failure("unknown_method", format!("no method {:?}", request.method)));
    };
    match (method.effect, request.access) {
        (Effect::Write, Access::View) => {
            Err(failure("forbidden", format!("{} is not for this socket", method.name)))
        }
        (Effect::Read, _) | (Effect::Write, Access::Control) => {
            let call = Call { method: method.name, params: &request.params, uid: request.uid, now };
            answer(host, &call).map(|text| text.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_unique_and_every_row_explains_itself() {
        for (index, method) in TABLE.iter().enumerate() {
            assert!(!TABLE[..index].iter().any(|other| other.name == method.name), "{}", method.name);
            assert!(method.about.ends_with('.'), "{}: {}", method.name, method.about);
            assert!(method.name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", method.name);
        }
    }

    #[test]
    fn numbers_come_as_number_or_digits() {
        let number = |value: Value| {
            let params = json!({ "n": value });
            let call = Call {
                method: "flows",
                params: &params,
                uid: 0,
                now: Now { mono: Default::default(), wall: None },
            };
            call.number("n")
        };
        assert_eq!(number(json!(30)), Ok(Some(30)));
        assert_eq!(number(json!("30")), Ok(Some(30)));
        assert_eq!(number(Value::Null), Ok(None));
        for bad in [json!(-1), json!("x"), json!(1.5), json!([])] {
            assert!(number(bad.clone()).is_err(), "{bad}");
        }
    }
}
