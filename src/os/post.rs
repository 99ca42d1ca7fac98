//! A file to a web server, by the program that the router has for it.
//!
//! TLS in our own binary would weigh as much as all the rest of it, and its root certificates age; OpenWrt ships
//! `uclient-fetch` with the distribution's certificates, others have curl. The secret is told to curl on its
//! standard input; `uclient-fetch` takes headers only as arguments, which on a router nobody else reads.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::child;
use crate::time::Duration;

const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// For the whole exchange.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Why a server did not take a file.
#[derive(Debug)]
pub enum PostError {
    /// Neither curl nor uclient-fetch is here.
    NoProgram,
    /// The program cannot be run.
    Run(io::Error),
    /// The server says no, with this status.
    Status(u32),
    /// It was not reached; what the program says.
    Unreachable(String),
    /// Nothing came in time.
    TooLong,
}

impl fmt::Display for PostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProgram => f.write_str("neither curl nor uclient-fetch is installed"),
            Self::Run(_) => f.write_str("the program that posts cannot be run"),
            Self::Status(status) => write!(f, "the collector answers {status}"),
            Self::Unreachable(reason) => write!(f, "the collector is not reached: {reason}"),
            Self::TooLong => write!(f, "no answer in {} s", TIME_LIMIT.as_secs()),
        }
    }
}

impl std::error::Error for PostError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Run(error) => Some(error),
            _ => None,
        }
    }
}

/// Where to, and what is said besides the body.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// `http://…` or `https://…`.
    pub url: &'a str,
    /// Names and values; both without control characters.
    pub headers: &'a [(&'a str, String)],
}

/// Posts a file and waits for the server's yes.
///
/// # Errors
/// Whatever keeps it from being sure that the server has it; it may have it all the same.
pub fn post(file: &Path, target: Target<'_>) -> Result<(), PostError> {
    match run(curl(file, target), &settings(target)) {
        Err(PostError::Run(error)) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok((_, text)) => {
            let status = text.lines().last().and_then(|line| line.trim().parse().ok()).unwrap_or(0);
            return match status {
                200..300 => Ok(()),
                0 => Err(PostError::Unreachable(child::first_line(&text))),
                status => Err(PostError::Status(status)),
            };
        }
    }
    match run(uclient_fetch(file, target), "") {
        Err(PostError::Run(error)) if error.kind() == io::ErrorKind::NotFound => Err(PostError::NoProgram),
        Err(error) => Err(error),
        Ok((true, _)) => Ok(()),
        Ok((false, text)) => Err(PostError::Unreachable(child::first_line(&text))),
    }
}

fn curl(file: &Path, target: Target<'_>) -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--stderr", "-", "--output", "/dev/null"]);
    command.args(["--max-time", "50", "--write-out", "\n%{http_code}", "--config", "-", "--data-binary"]);
    command.arg(format!("@{}", file.display())).args(["--", target.url]);
    command
}

/// The headers as curl reads them from its configuration.
fn settings(target: Target<'_>) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let lines =
        target.headers.iter().map(|(name, value)| format!("header = \"{name}: {}\"\n", quoted(value)));
    lines.collect()
}

fn uclient_fetch(file: &Path, target: Target<'_>) -> Command {
    let mut command = Command::new("uclient-fetch");
    command.args(["-q", "-T", "50", "-O", "/dev/null"]);
    command.args(target.headers.iter().map(|(name, value)| format!("--header={name}: {value}")));
    command.arg(format!("--post-file={}", file.display())).arg(target.url);
    command
}

/// Whether it succeeded, and what it printed.
fn run(mut command: Command, input: &str) -> Result<(bool, String), PostError> {
    command.env_clear().env("PATH", PATH).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = child::start(&mut command).map_err(PostError::Run)?;
    if let Some(mut stdin) = program.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(PostError::Run)?;
    }
    // What these programs print fits a pipe's buffer: they do not wait for us.
    let status = child::wait(&mut program, TIME_LIMIT, || ()).map_err(PostError::Run)?;
    let status = status.ok_or(PostError::TooLong)?;
    let printed = program.wait_with_output().map_err(PostError::Run)?;
    let text = [printed.stdout, printed.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok((status.success(), text.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://collector.example/in?query=INSERT";

    fn words(command: &Command) -> String {
        let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_secret_is_no_argument_of_curl_and_cannot_leave_its_quotes() {
        let headers = [("Authorization", r#"Bearer a"b\c"#.to_owned())];
        let target = Target { url: URL, headers: &headers };
        assert_eq!(settings(target), "header = \"Authorization: Bearer a\\\"b\\\\c\"\n");
        let words = words(&curl(Path::new("/spool/7.ndjson"), target));
        assert!(words.ends_with(&format!("--data-binary @/spool/7.ndjson -- {URL}")), "{words}");
        assert!(!words.contains("Bearer"), "{words}");
    }

    #[test]
    fn uclient_fetch_is_told_the_same() {
        let headers = [("Content-Type", "application/x-ndjson".to_owned())];
        let words =
            words(&uclient_fetch(Path::new("/spool/7.ndjson"), Target { url: URL, headers: &headers }));
        assert!(words.ends_with(&format!(
            "--header=Content-Type: application/x-ndjson --post-file=/spool/7.ndjson {URL}"
        )));
    }

    #[test]
    fn nobody_there_is_an_error_with_a_reason() {
        let file = Path::new("/dev/null");
        let error = post(file, Target { url: "http://127.0.0.1:1/", headers: &[] }).unwrap_err();
        assert!(!matches!(error, PostError::Status(_) | PostError::TooLong), "{error}");
    }
}
