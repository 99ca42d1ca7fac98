//! The settings page's data: the configuration file as sections and options, what is wrong in it, and changes.
//!
//! On a router the file is a rendering of UCI and not ours to write; LuCI writes there. On a PC it is the file given
//! with `--config`, and a change is put into its text line by line, so that comments and order stay, in one atomic
//! replacement, followed by `reload`. A change that would add a finding about its own option is refused with the
//! finding. Secrets never leave: they are shown as set or not set.

use std::path::PathBuf;

use hyper::body::Incoming;
use hyper::{Method as Verb, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Gateway;
use super::answer::{Answer, JSON, answer, refusal, value};
use super::route::{Asked, json_body, only};
use super::secret::hex;
use crate::config::edit::{Change, edit};
use crate::config::uci::{MAX_TEXT_BYTES, RawConfig, RawSection};
use crate::config::{Config, Finding, title};
use crate::os::facts;

/// Options that are never shown.
const SECRETS: [(&str, &str); 2] = [("web", "token_hash"), ("uplink", "token")];
/// Changes in one request.
const MAX_CHANGES: usize = 256;
/// Shown instead of a secret that is set.
const HIDDEN: &str = "(set)";

/// The configuration file.
#[derive(Debug)]
pub(super) struct SettingsFile {
    path: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    /// Of which text; another revision is refused.
    revision: String,
    changes: Vec<Change>,
}

impl SettingsFile {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// GET shows, POST changes, POST to `settings/check` only says what would be wrong.
    pub(super) async fn route(
        &self,
        gateway: &Gateway,
        asked: &Asked,
        purpose: Purpose,
        body: Incoming,
    ) -> Result<Answer, Answer> {
        let guard = &gateway.guard;
        if purpose == Purpose::Show && asked.verb == Verb::GET {
            guard.may_look(&asked.headers, asked.from).await?;
            return Ok(value(&self.shown(&self.read()?)));
        }
        match purpose {
            Purpose::Show => only(asked, &[Verb::GET, Verb::POST])?,
            Purpose::Check => only(asked, &[Verb::POST])?,
        }
        guard.may_act(&asked.headers, asked.from).await?;
        let body = json_body(&asked.headers, body).await?;
        let Changes { revision, changes } = serde_json::from_slice(&body)
            .map_err(|error| refusal(StatusCode::BAD_REQUEST, "bad_params", &error.to_string()))?;
        let text = self.read()?;
        if revision != revision_of(&text) {
            return Err(refusal(
                StatusCode::CONFLICT,
                "changed",
                "somebody else has changed the file meanwhile",
            ));
        }
        let edited = edited(&text, &changes)?;
        match purpose {
            Purpose::Check => Ok(value(&self.shown(&edited))),
            Purpose::Show => self.keep(gateway, &text, &edited).await,
        }
    }

    /// Replaces the file if nothing got worse, and tells the daemon.
    async fn keep(&self, gateway: &Gateway, before: &str, edited: &str) -> Result<Answer, Answer> {
        let known = Config::load(before, None).1;
        let is_new = |finding: &Finding| {
            !known.iter().any(|old| {
                (&old.section, &old.option, &old.value) == (&finding.section, &finding.option, &finding.value)
            })
        };
        let worse: Vec<Finding> = Config::load(edited, None).1.into_iter().filter(is_new).collect();
        if !worse.is_empty() {
            let error = json!({ "code": "findings", "message": "some values do not fit" });
            let body = json!({ "error": error, "findings": worse }).to_string();
            return Ok(answer(StatusCode::UNPROCESSABLE_ENTITY, JSON, body));
        }
        facts::replace_text(&self.path, edited).map_err(|error| {
            let message = format!("{}: {error}", self.path.display());
            refusal(StatusCode::CONFLICT, "read_only", &message)
        })?;
        gateway.upstream.value("reload", &json!({})).await.map_err(|trouble| trouble.answer())?;
        Ok(value(&self.shown(edited)))
    }

    fn read(&self) -> Result<String, Answer> {
        facts::read_text(&self.path).map_err(|error| {
            let message = format!("{}: {error}", self.path.display());
            refusal(StatusCode::SERVICE_UNAVAILABLE, "unreadable", &message)
        })
    }

    /// The sections and findings of a text.
    fn shown(&self, text: &str) -> Value {
        let raw = RawConfig::parse(text);
        let sections: Vec<Value> = raw.sections.iter().map(section).collect();
        json!({
            "path": self.path.display().to_string(),
            "writable": facts::can_replace(&self.path),
            "revision": revision_of(text),
            "sections": sections,
            "findings": Config::load(text, None).1,
        })
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To see or change.
    Show,
    /// To know what a change would do.
    Check,
}

fn section(section: &RawSection) -> Value {
    let options: serde_json::Map<String, Value> = section
        .options
        .iter()
        .map(|option| {
            let is_secret = SECRETS.contains(&(section.kind.as_str(), option.name.as_str()));
            let is_set = option.values.iter().any(|value| !value.is_empty());
            let values = if is_secret && is_set { json!([HIDDEN]) } else { json!(option.values) };
            (option.name.clone(), values)
        })
        .collect();
    json!({ "type": section.kind, "name": section.name, "title": title(section), "options": options })
}

fn edited(text: &str, changes: &[Change]) -> Result<String, Answer> {
    let bad = |why: &str| refusal(StatusCode::BAD_REQUEST, "bad_params", why);
    if changes.len() > MAX_CHANGES {
        return Err(bad("too many changes at once"));
    }
    let sections = RawConfig::parse(text).sections;
    let is_secret = |change: &Change| match change {
        Change::Set { section, option, .. } => sections
            .get(*section)
            .is_some_and(|section| SECRETS.contains(&(section.kind.as_str(), option.as_str()))),
        Change::Remove { .. } | Change::Add { .. } => false,
    };
    let mut text = text.to_owned();
    for change in changes {
        if is_secret(change) {
            return Err(bad("secrets are set with web --new-token and an editor"));
        }
        text = edit(&text, change).ok_or_else(|| bad("no such section, or not to be said in UCI"))?;
    }
    if text.len() > MAX_TEXT_BYTES {
        return Err(bad("the file would be too long"));
    }
    Ok(text)
}

fn revision_of(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes())[..8])
}
