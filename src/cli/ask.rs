//! The verbs that ask the running daemon: thin callers of the control socket's methods.

use std::fmt;
use std::io::{Read, Write};
use std::process::ExitCode;

use argh::FromArgs;
use serde_json::{Value, json};

use super::{Failure, shown};
use crate::methods::{self, Kind, Method, Param, TABLE};
use crate::os::control::{Caller, ControlError};
use crate::os::facts;
use crate::os::sys;
use crate::time::Duration;

/// What a verb that is one method of the daemon asks, and how it prints the answer.
pub(super) struct Question {
    method: &'static str,
    params: Value,
    /// Whether the answer is printed as it came.
    json: bool,
}

impl Question {
    pub(super) fn new(method: &'static str, params: Value, json: bool) -> Self {
        Self { method, params, json }
    }

    /// Asks and prints. Who asked for JSON gets JSON, whatever happens.
    pub(super) fn ask(&self) -> Result<ExitCode, Failure> {
        let answered = call(self.method, &self.params);
        let mut out = std::io::stdout().lock();
        match answered {
            Ok(Ok(answer)) => {
                match self.json {
                    true => writeln!(out, "{answer}")?,
                    false => shown::answer(&mut out, self.method, &answer)?,
                }
                Ok(ExitCode::SUCCESS)
            }
            Ok(Err(refused)) => {
                if self.json {
                    writeln!(out, "{}", refused.as_json())?;
                }
                let _ = writeln!(std::io::stderr(), "streamguard: {refused}");
                Ok(ExitCode::from(1))
            }
            Err(failure) => {
                if self.json {
                    writeln!(out, "{}", failure.as_json())?;
                }
                Err(failure)
            }
        }
    }
}

/// What the daemon says no with.
pub(super) struct Refused {
    code: String,
    message: String,
}

impl Refused {
    /// As the control socket says it.
    pub(super) fn as_json(&self) -> Value {
        json!({ "error": { "code": self.code, "message": self.message } })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown::safe(&self.message))
    }
}

/// Asks the daemon on the socket that the method needs; the inner error is its refusal.
pub(super) fn call(method: &str, params: &Value) -> Result<Result<Value, Refused>, Failure> {
    let mut caller =
        Caller::connect(&facts::run_dir(), methods::access(method)).map_err(|error| not_running(&error))?;
    match caller.call(method, params) {
        Ok(answer) => Ok(Ok(answer)),
        Err(ControlError::Refused { code, message }) => Ok(Err(Refused { code, message })),
        Err(error) => Err(Failure::from_error(&error)),
    }
}

fn not_running(error: &ControlError) -> Failure {
    let ControlError::Socket { path, source } = error else { return Failure::from_error(error) };
    Failure::new(format!("is the daemon running? {}: {source}", path.display()))
}

/// How the service does, and who has used what.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "status")]
pub(super) struct StatusArgs {
    /// as JSON
    #[argh(switch)]
    json: bool,
}

impl StatusArgs {
    pub(super) fn question(&self) -> Question {
        Question::new("status", json!({}), self.json)
    }
}

/// List devices, what they have used and what is left.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "clients")]
pub(super) struct ClientsArgs {
    /// as JSON
    #[argh(switch)]
    json: bool,
}

impl ClientsArgs {
    pub(super) fn question(&self) -> Question {
        Question::new("clients", json!({}), self.json)
    }
}

/// Show one device.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "show")]
pub(super) struct ShowArgs {
    /// name, MAC or address
    #[argh(positional)]
    who: String,
    /// as JSON
    #[argh(switch)]
    json: bool,
}

impl ShowArgs {
    pub(super) fn question(&self) -> Question {
        Question::new("client", json!({ "who": self.who }), self.json)
    }
}

/// Attacks that were noticed.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "alerts")]
pub(super) struct AlertsArgs {
    /// from this date, time, second, or word: today, week, 7d, 24h
    #[argh(option)]
    from: Option<String>,
    /// to then, exclusive
    #[argh(option)]
    to: Option<String>,
    /// of this type only, such as port_scan
    #[argh(option, long = "type")]
    kind: Option<String>,
    /// at least this bad: low, medium, high, critical
    #[argh(option)]
    severity: Option<String>,
    /// only those that go on and are not settled
    #[argh(switch)]
    open: bool,
    /// as JSON
    #[argh(switch)]
    json: bool,
}

impl AlertsArgs {
    pub(super) fn question(&self) -> Question {
        Question::new(
            "alerts",
            json!({
                "from": self.from,
                "to": self.to,
                "type": self.kind,
                "severity": self.severity,
                "open": u8::from(self.open),
            }),
            self.json,
        )
    }
}

/// Say that an alert was seen.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "ack")]
pub(super) struct AckArgs {
    /// the alert's number
    #[argh(positional)]
    alert: i64,
    /// a note to keep with it
    #[argh(option)]
    note: Option<String>,
    /// it needs no more attention
    #[argh(switch)]
    resolve: bool,
    /// as JSON
    #[argh(switch)]
    json: bool,
}

impl AckArgs {
    pub(super) fn question(&self) -> Question {
        Question::new(
            "ack",
            json!({ "alert": self.alert, "note": self.note, "resolve": u8::from(self.resolve) }),
            self.json,
        )
    }
}

/// Say whether clock, capture, blocking and storage work.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "doctor")]
pub(super) struct DoctorArgs {
    /// as JSON
    #[argh(switch)]
    json: bool,
}

impl DoctorArgs {
    pub(super) fn question(&self) -> Question {
        Question::new("doctor", json!({}), self.json)
    }
}

/// Allow more time today.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "grant")]
pub(super) struct GrantArgs {
    /// name, MAC or address of a device, a profile, or all
    #[argh(positional)]
    who: String,
    /// minutes
    #[argh(positional)]
    minutes: u16,
    /// as JSON
    #[argh(switch)]
    json: bool,
}

impl GrantArgs {
    pub(super) fn question(&self) -> Question {
        Question::new("grant", json!({ "who": self.who, "minutes": self.minutes }), self.json)
    }
}

/// Take back what was granted today.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "revoke")]
pub(super) struct RevokeArgs {
    /// name, MAC or address of a device, a profile, or all
    #[argh(positional)]
    who: String,
    /// as JSON
    #[argh(switch)]
    json: bool,
}

impl RevokeArgs {
    pub(super) fn question(&self) -> Question {
        Question::new("revoke", json!({ "who": self.who }), self.json)
    }
}

/// Cut a device off from everything beyond the router.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "pause")]
pub(super) struct PauseArgs {
    /// name, MAC or address of a device, a profile, or all
    #[argh(positional)]
    who: String,
    /// minutes; default: until the next reset
    #[argh(positional)]
    minutes: Option<u16>,
    /// as JSON
    #[argh(switch)]
    json: bool,
}

impl PauseArgs {
    pub(super) fn question(&self) -> Question {
        Question::new("pause", json!({ "who": self.who, "minutes": self.minutes }), self.json)
    }
}

/// End a pause.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "resume")]
pub(super) struct ResumeArgs {
    /// name, MAC or address of a device, a profile, or all
    #[argh(positional)]
    who: String,
    /// as JSON
    #[argh(switch)]
    json: bool,
}

impl ResumeArgs {
    pub(super) fn question(&self) -> Question {
        Question::new("resume", json!({ "who": self.who }), self.json)
    }
}

/// Set today's usage to zero.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "reset")]
pub(super) struct ResetArgs {
    /// name, MAC or address of a device, a profile, or all
    #[argh(positional)]
    who: String,
    /// as JSON
    #[argh(switch)]
    json: bool,
}

impl ResetArgs {
    pub(super) fn question(&self) -> Question {
        Question::new("reset", json!({ "who": self.who }), self.json)
    }
}

/// A live view of the clients, once a second.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "top")]
pub(super) struct TopArgs {
    /// stop after so many views
    #[argh(option)]
    count: Option<u32>,
    /// as JSON, a line each
    #[argh(switch)]
    json: bool,
}

/// Shows the clients again and again.
pub(super) fn top(args: &TopArgs) -> Result<ExitCode, Failure> {
    let mut left = args.count;
    loop {
        let answer = call("status", &json!({}))?.map_err(|refused| Failure::new(refused.to_string()))?;
        let mut out = std::io::stdout().lock();
        if args.json {
            writeln!(out, "{answer}")?;
        } else {
            let mut view = Vec::new();
            shown::answer(&mut view, "status", &answer)?;
            let view = String::from_utf8_lossy(&view);
            match sys::screen() {
                // Home and clear.
                Some(screen) => write!(out, "\x1b[H\x1b[2J{}", shown::fit(&view, screen))?,
                None => write!(out, "{view}")?,
            }
        }
        out.flush()?;
        drop(out);
        if let Some(left) = &mut left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                return Ok(ExitCode::SUCCESS);
            }
        }
        sys::poll(&[], Duration::from_secs(1), |_| ()).map_err(|error| Failure::new(error.to_string()))?;
    }
}

/// What rpcd runs: `rpc list`, `rpc call METHOD` with parameters as JSON on standard input.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "rpc")]
pub(super) struct RpcArgs {
    /// list or call
    #[argh(positional)]
    what: String,
    /// the method to call
    #[argh(positional)]
    method: Option<String>,
}

/// Longest parameters read.
const MAX_PARAMS_BYTES: u64 = 64 * 1024;

/// Speaks rpcd's protocol: whatever happens is JSON on standard output.
pub(super) fn rpc(args: &RpcArgs) -> Result<ExitCode, Failure> {
    let answer = match (args.what.as_str(), &args.method) {
        ("list", None) => signatures(),
        ("call", Some(method)) => rpc_call(method),
        _ => return Err(Failure::new("rpc: list, or call METHOD")),
    };
    println!("{answer}");
    Ok(ExitCode::SUCCESS)
}

/// All methods with their parameters; rpcd takes the type from the value: a number or a text.
fn signatures() -> Value {
    let typed = |param: &Param| {
        let example = match param.kind {
            Kind::Number => json!(1),
            Kind::Text | Kind::Instant => json!("str"),
        };
        (param.name.to_owned(), example)
    };
    let signature =
        |method: &Method| (method.name.to_owned(), Value::Object(method.params.iter().map(typed).collect()));
    Value::Object(TABLE.iter().map(signature).collect())
}

fn rpc_call(method: &str) -> Value {
    let mut text = String::new();
    let params = match std::io::stdin().take(MAX_PARAMS_BYTES).read_to_string(&mut text) {
        Ok(_) if text.trim().is_empty() => Ok(json!({})),
        Ok(_) => serde_json::from_str(&text).map_err(|error| format!("parameters: {error}")),
        Err(error) => Err(format!("parameters: {error}")),
    };
    let answer = params.and_then(|params| match call(method, &params) {
        Ok(answer) => answer.map_err(|refused| refused.message),
        Err(failure) => Err(failure.to_string()),
    });
    answer.unwrap_or_else(|error| json!({ "error": error }))
}
