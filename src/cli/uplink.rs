//! `uplink`: the side process that takes finished history to a collector.
//!
//! The daemon is asked, the spool is filled, the collector is posted to; each can fail for days without the others
//! noticing, and killing this process at any moment loses and doubles nothing (`os::spool` says how).

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::FromArgs;
use serde_json::{Value, json};

use super::Failure;
use crate::config::Config;
use crate::os::control::{Access, Caller, ControlError};
use crate::os::facts;
use crate::os::links::Links;
use crate::os::log::{self, Sink};
use crate::os::post::{self, PostError, Target};
use crate::os::spool::{Batch, Spool};
use crate::os::sys;
use crate::time::Duration;
use crate::uplink::{Progress, bodies};

/// Between two looks at the daemon.
const TURN: Duration = Duration::from_secs(60);
/// After the first failure to post; doubled with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(900);
/// Largest body posted; several where a turn has more.
const BODY_BYTES: usize = 128 * 1024;

/// Send finished history to a collector of your own.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "uplink")]
pub(super) struct Args {
    /// configuration (UCI text) with the section `uplink`
    #[argh(option)]
    config: PathBuf,
    /// print what waits in the spool and end
    #[argh(switch)]
    status: bool,
    /// take and send what there is now, and end: 1 if something still waits
    #[argh(switch)]
    once: bool,
}

/// Sends for ever; procd ends it.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let named = |error: std::io::Error| Failure::new(format!("{}: {error}", args.config.display()));
    let (config, _) = Config::load(&facts::read_text(&args.config).map_err(named)?, None);
    let directory = Path::new(&config.main.state_dir).join("uplink");
    let unusable = |error: std::io::Error| Failure::new(format!("{}: {error}", directory.display()));
    let url = config.uplink.url.clone().ok_or_else(|| {
        Failure::new(format!("{}: option uplink.url is missing: where to send", args.config.display()))
    })?;
    let limit_bytes = config.uplink.spool.as_u64();
    if args.status {
        println!("{}", Spool::status(&directory, limit_bytes).map_err(unusable)?);
        return Ok(ExitCode::SUCCESS);
    }
    log::start(if args.once { Sink::Stderr } else { Sink::Syslog }, config.main.log_level);
    let now_s = sys::wall_ns().map_err(unusable)? / 1_000_000_000;
    let (spool, progress) =
        Spool::open(&directory, limit_bytes, u64::try_from(now_s).unwrap_or(0)).map_err(unusable)?;
    let mut uplink = Uplink {
        spool,
        progress,
        router: router(),
        url,
        token: config.uplink.token.map(|token| format!("Bearer {token}")),
        asking: Trouble::none("history"),
        sending: Trouble::none("collector"),
    };
    if args.once {
        uplink.collect();
        uplink.send();
        let waiting = uplink.spool.waiting().map_err(unusable)?;
        return Ok(if waiting.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let mut retry = FIRST_RETRY;
    loop {
        uplink.collect();
        let pause = if uplink.send() {
            retry = FIRST_RETRY;
            TURN
        } else {
            let pause = retry;
            retry = (retry * 2).min(LONGEST_RETRY);
            pause
        };
        sys::poll(&[], pause, |_| ()).map_err(|error| Failure::new(error.to_string()))?;
    }
}

/// What names this router, as in IPFIX.
fn router() -> String {
    let machine = Links::open().ok().and_then(|mut links| links.machine());
    machine.map_or_else(|| "unknown".to_owned(), |mac| mac.to_string().replace(':', ""))
}

/// What goes wrong in one of our two tasks: logged when it changes, and when it is over.
#[derive(Debug)]
struct Trouble {
    task: &'static str,
    reason: Option<String>,
}

impl Trouble {
    const fn none(task: &'static str) -> Self {
        Self { task, reason: None }
    }

    fn is(&mut self, reason: String) {
        if self.reason.as_ref() != Some(&reason) {
            ::log::warn!("uplink: {}: {reason}", self.task);
        }
        self.reason = Some(reason);
    }

    fn is_over(&mut self) {
        if self.reason.take().is_some() {
            ::log::info!("uplink: {}: works again", self.task);
        }
    }
}

struct Uplink {
    spool: Spool,
    progress: Progress,
    router: String,
    url: String,
    token: Option<String>,
    asking: Trouble,
    sending: Trouble,
}

impl Uplink {
    /// Takes what is new into the spool, all of a turn or nothing.
    fn collect(&mut self) {
        let kept = self.news().map_err(|error| Failure::from_error(&error).to_string()).and_then(
            |(lines, mut progress)| {
                // A turn without rows is remembered here and not written: flash wears.
                let kept = lines.is_empty() || {
                    let kept = self.spool.keep(&bodies(&lines, BODY_BYTES), &mut progress);
                    kept.map_err(|error| format!("the spool cannot be written: {error}"))?
                };
                if kept { Ok(progress) } else { Err("the spool is full, history waits".to_owned()) }
            },
        );
        match kept {
            Ok(progress) => {
                self.progress = progress;
                self.asking.is_over();
            }
            Err(reason) => self.asking.is(reason),
        }
    }

    /// Rows that the collector does not have, and the progress that has them.
    fn news(&self) -> Result<(Vec<String>, Progress), ControlError> {
        let mut daemon = Caller::connect(&facts::run_dir(), Access::View)?;
        let today = daemon.call("periods", &json!({ "from": "today", "to": "now", "per": "total" }))?;
        let now_s = today["to_s"].as_i64().unwrap_or(0);
        let mut progress = self.progress.clone();
        let hours = match progress.wanted(now_s) {
            Some((from_s, to_s)) => {
                hours_of(&daemon.call("periods", &json!({ "from": from_s, "to": to_s, "per": "hour" }))?)
            }
            None => Vec::new(),
        };
        let mut lines = Vec::new();
        for question in progress.questions(now_s, &hours) {
            let answer = daemon.call(question.stream.method, &question.params)?;
            lines.extend(progress.take(&question, &answer, &self.router));
        }
        progress.forget(now_s);
        Ok((lines, progress))
    }

    /// Posts what waits, the oldest first; `false` if the collector did not take all of it.
    fn send(&mut self) -> bool {
        let sent = self.spool.waiting().map_err(PostError::Run).and_then(|waiting| {
            waiting.iter().try_for_each(|batch| {
                self.post(batch)?;
                self.spool.sent(batch).map_err(PostError::Run)
            })
        });
        match sent {
            Ok(()) => self.sending.is_over(),
            Err(error) => self.sending.is(Failure::from_error(&error).to_string()),
        }
        self.sending.reason.is_none()
    }

    fn post(&self, batch: &Batch) -> Result<(), PostError> {
        let mut headers = vec![
            ("Content-Type", "application/x-ndjson".to_owned()),
            // draft-ietf-httpapi-idempotency-key-header: the same key is the same rows.
            ("Idempotency-Key", format!("{}-{}", self.router, batch.number)),
        ];
        headers.extend(self.token.clone().map(|token| ("Authorization", token)));
        post::post(&batch.path, Target { url: &self.url, headers: &headers })
    }
}

fn hours_of(answer: &Value) -> Vec<Range<i64>> {
    let periods = answer["periods"].as_array().into_iter().flatten();
    periods.filter_map(|hour| Some(hour["start_s"].as_i64()?..hour["end_s"].as_i64()?)).collect()
}
