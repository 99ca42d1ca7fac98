//! The command line: what a person types, turned into what the rooms below understand.
//!
//! Exit codes: 0 done, 1 a negative answer, 2 could not run. Errors are one line on standard error that names
//! the file, option or value.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use argh::{EarlyExit, FromArgs};

mod analyze;
#[cfg(feature = "os")]
mod ask;
#[cfg(feature = "os")]
mod check;
#[cfg(feature = "os")]
mod export;
mod features;
#[cfg(feature = "os")]
mod hooks;
#[cfg(feature = "os")]
mod live;
mod model;
#[cfg(feature = "os")]
mod past;
mod replay;
#[cfg(feature = "os")]
mod shown;
#[cfg(feature = "os")]
mod uplink;
#[cfg(feature = "web")]
mod web;

/// Watch time, quotas, accounting and attack alerts for home routers, from packet headers alone.
#[derive(FromArgs, Debug)]
struct Command {
    #[argh(subcommand)]
    verb: Verb,
}

#[derive(FromArgs, Debug)]
#[argh(subcommand)]
enum Verb {
    Analyze(analyze::Args),
    Features(features::Args),
    Model(model::Args),
    Replay(replay::Args),
    #[cfg(feature = "os")]
    Run(live::RunArgs),
    #[cfg(feature = "os")]
    Record(live::RecordArgs),
    #[cfg(feature = "os")]
    Interfaces(live::InterfacesArgs),
    #[cfg(feature = "os")]
    Hooks(hooks::Args),
    #[cfg(feature = "os")]
    Uplink(uplink::Args),
    #[cfg(feature = "os")]
    Check(check::Args),
    #[cfg(feature = "os")]
    Status(ask::StatusArgs),
    #[cfg(feature = "os")]
    Clients(ask::ClientsArgs),
    #[cfg(feature = "os")]
    Show(ask::ShowArgs),
    #[cfg(feature = "os")]
    Usage(past::UsageArgs),
    #[cfg(feature = "os")]
    Sessions(past::SessionsArgs),
    #[cfg(feature = "os")]
    Traffic(past::TrafficArgs),
    #[cfg(feature = "os")]
    History(past::HistoryArgs),
    #[cfg(feature = "os")]
    Alerts(ask::AlertsArgs),
    #[cfg(feature = "os")]
    Ack(ask::AckArgs),
    #[cfg(feature = "os")]
    Export(export::ExportArgs),
    #[cfg(feature = "os")]
    Metrics(export::MetricsArgs),
    #[cfg(feature = "os")]
    Doctor(ask::DoctorArgs),
    #[cfg(feature = "os")]
    Top(ask::TopArgs),
    #[cfg(feature = "os")]
    Grant(ask::GrantArgs),
    #[cfg(feature = "os")]
    Revoke(ask::RevokeArgs),
    #[cfg(feature = "os")]
    Pause(ask::PauseArgs),
    #[cfg(feature = "os")]
    Resume(ask::ResumeArgs),
    #[cfg(feature = "os")]
    Reset(ask::ResetArgs),
    #[cfg(feature = "os")]
    Rpc(ask::RpcArgs),
    #[cfg(feature = "web")]
    Web(web::Args),
}

/// Why a command could not run.
#[derive(Debug)]
enum Failure {
    /// A line for standard error.
    Line(String),
    /// Whoever read our output has left (`streamguard … | head`): nothing to say, nobody to say it to.
    ReaderLeft,
}

impl Failure {
    /// An error with its causes, joined by `: `.
    fn from_error(error: &dyn std::error::Error) -> Self {
        let mut line = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&error.to_string());
            cause = error.source();
        }
        Self::Line(line)
    }

    fn new(line: impl Into<String>) -> Self {
        Self::Line(line.into())
    }

    /// For who asked for JSON.
    fn as_json(&self) -> serde_json::Value {
        serde_json::json!({ "error": { "code": "could_not_run", "message": self.to_string() } })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => f.write_str(line),
            Self::ReaderLeft => f.write_str("nobody reads the output any more"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderLeft,
            _ => Self::new(format!("cannot write: {error}")),
        }
    }
}

/// Stands for a lone `-` while arguments are parsed, because argh takes it for an option.
const DASH: &str = "\u{1}-";

/// Captures as the user named them; a lone `-` is standard input.
fn captures(verb: &str, files: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    if files.is_empty() {
        return Err(Failure::new(format!("{verb}: name a capture, or - for standard input")));
    }
    let named = |path: &PathBuf| if path.as_os_str() == DASH { PathBuf::from("-") } else { path.clone() };
    Ok(files.iter().map(named).collect())
}

/// Runs the command that `args` (program name first) describe.
pub fn run(args: &[String]) -> ExitCode {
    #[cfg(feature = "os")]
    crate::os::trap::report();
    let (name, rest) =
        args.split_first().map_or(("streamguard", &[][..]), |(name, rest)| (name.as_str(), rest));
    let name = name.rsplit('/').next().unwrap_or(name);
    let rest: Vec<&str> = rest.iter().map(|arg| if arg == "-" { DASH } else { arg.as_str() }).collect();
    if rest == ["--version"] {
        println!("streamguard {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    let command = match Command::from_args(&[name], &rest) {
        Ok(command) => command,
        Err(EarlyExit { output, status: Ok(()) }) => {
            println!("{output}");
            return ExitCode::SUCCESS;
        }
        Err(EarlyExit { output, status: Err(()) }) => {
            eprintln!("{}", output.trim_end());
            return ExitCode::from(2);
        }
    };
    let done = match command.verb {
        Verb::Analyze(args) => analyze::run(&args),
        Verb::Features(args) => features::run(&args),
        Verb::Model(args) => model::run(&args),
        Verb::Replay(args) => replay::run(&args),
        #[cfg(feature = "os")]
        live_verb => run_live(live_verb),
    };
    ended(done)
}

fn ended(done: Result<ExitCode, Failure>) -> ExitCode {
    match done {
        Ok(code) => code,
        Err(Failure::ReaderLeft) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "streamguard: {failure}");
            ExitCode::from(2)
        }
    }
}

/// Runs `web`, the only verb of the program streamguard-web.
#[cfg(feature = "web")]
pub fn run_web(args: &[String]) -> ExitCode {
    let rest: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    let rest = rest.strip_prefix(&["web"]).unwrap_or(&rest);
    match web::Args::from_args(&["streamguard-web"], rest) {
        Ok(args) => ended(web::run(args)),
        Err(EarlyExit { output, status: Ok(()) }) => {
            println!("{output}");
            ExitCode::SUCCESS
        }
        Err(EarlyExit { output, status: Err(()) }) => {
            eprintln!("{}", output.trim_end());
            ExitCode::from(2)
        }
    }
}

/// The verbs that need a kernel or a daemon.
#[cfg(feature = "os")]
fn run_live(verb: Verb) -> Result<ExitCode, Failure> {
    let question = match verb {
        Verb::Run(args) => return live::run(args),
        Verb::Record(args) => return live::record(&args),
        Verb::Interfaces(args) => return live::interfaces(&args),
        Verb::Hooks(args) => return hooks::run(&args),
        Verb::Uplink(args) => return uplink::run(&args),
        Verb::Check(args) => return check::run(&args),
        Verb::Rpc(args) => return ask::rpc(&args),
        Verb::Top(args) => return ask::top(&args),
        Verb::Export(args) => return export::export(&args),
        Verb::Metrics(args) => return export::metrics(&args),
        #[cfg(feature = "web")]
        Verb::Web(args) => return web::run(args),
        Verb::Analyze(args) => return analyze::run(&args),
        Verb::Features(args) => return features::run(&args),
        Verb::Model(args) => return model::run(&args),
        Verb::Replay(args) => return replay::run(&args),
        Verb::Status(args) => args.question(),
        Verb::Clients(args) => args.question(),
        Verb::Show(args) => args.question(),
        Verb::Usage(args) => args.question(),
        Verb::Sessions(args) => args.question(),
        Verb::Traffic(args) => args.question(),
        Verb::History(args) => args.question(),
        Verb::Alerts(args) => args.question(),
        Verb::Ack(args) => args.question(),
        Verb::Doctor(args) => args.question(),
        Verb::Grant(args) => args.question(),
        Verb::Revoke(args) => args.question(),
        Verb::Pause(args) => args.question(),
        Verb::Resume(args) => args.question(),
        Verb::Reset(args) => args.question(),
    };
    question.ask()
}
