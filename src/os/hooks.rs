//! Scripts run when something happens, in a process of their own (`streamguard hooks`), often as root.
//!
//! Because of that a script counts only if nobody else could have written it: it is a plain executable file that
//! belongs to root or to us and that neither its group nor others may change. What happened comes as JSON on
//! standard input and in a few `SG_` variables, never in words of a command line. A script that takes longer than
//! [`TIME_LIMIT`] is killed with all that it has started. What it prints is read so that it need not wait, and
//! forgotten, but for the first line of the complaints of one that fails.

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;

use super::{child, sys};
use crate::time::Duration;

/// Scripts run for one event at most.
pub const MAX_SCRIPTS: usize = 64;
/// How long a script may take.
pub const TIME_LIMIT: Duration = Duration::from_secs(10);
/// What a pipe holds.
const PIPE_BYTES: usize = 64 * 1024;
/// Of what a script writes to standard error, so much is kept.
const MAX_COMPLAINT_BYTES: usize = 1024;
/// Longest value of a variable; names come from the LAN.
const MAX_VALUE_CHARS: usize = 128;

/// Why a script did not do its work.
#[derive(Debug)]
pub enum HookError {
    /// The directory cannot be read.
    Directory(io::Error),
    /// Somebody else may change the script.
    Unsafe,
    /// It cannot be started.
    Start(io::Error),
    /// It took too long and was killed.
    TooLong,
    /// It says that it failed.
    Failed {
        /// Its exit code, if it ended by itself.
        code: Option<i32>,
        /// The first line it wrote to standard error.
        said: String,
    },
}

impl fmt::Display for HookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(_) => f.write_str("cannot be read"),
            Self::Unsafe => f.write_str("not run: others may change it"),
            Self::Start(_) => f.write_str("cannot be started"),
            Self::TooLong => write!(f, "took longer than {} s and was killed", TIME_LIMIT.as_secs()),
            Self::Failed { code: Some(code), said } => write!(f, "failed with exit code {code}: {said}"),
            Self::Failed { code: None, said } => write!(f, "was killed: {said}"),
        }
    }
}

impl std::error::Error for HookError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Directory(error) | Self::Start(error) => Some(error),
            Self::Unsafe | Self::TooLong | Self::Failed { .. } => None,
        }
    }
}

/// Where scripts are and what they are told besides the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hooks {
    /// Their directory; they run in the order of their names.
    pub directory: PathBuf,
    /// Where the webhook script posts to.
    pub webhook: Option<String>,
    /// The service's run directory.
    pub run_dir: PathBuf,
}

impl Hooks {
    /// Runs all scripts for an event and tells which of them failed.
    pub fn run(&self, event: &Value) -> Vec<(PathBuf, HookError)> {
        let scripts = match self.scripts() {
            Ok(scripts) => scripts,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => return vec![(self.directory.clone(), HookError::Directory(error))],
        };
        let outcome = |script: PathBuf| self.run_one(&script, event).err().map(|error| (script, error));
        scripts.into_iter().filter_map(outcome).collect()
    }

    fn scripts(&self) -> io::Result<Vec<PathBuf>> {
        let mut scripts = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let executable = fs::metadata(&path).is_ok_and(|meta| meta.is_file() && meta.mode() & 0o111 != 0);
            if executable {
                scripts.push(path);
            }
        }
        scripts.sort();
        scripts.truncate(MAX_SCRIPTS);
        Ok(scripts)
    }

    fn run_one(&self, script: &Path, event: &Value) -> Result<(), HookError> {
        let meta = fs::symlink_metadata(script).map_err(HookError::Start)?;
        let ours = meta.uid() == 0 || meta.uid() == sys::own_uid();
        if !meta.is_file() || !ours || meta.mode() & 0o022 != 0 {
            return Err(HookError::Unsafe);
        }
        let mut command = Command::new(script);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").envs(self.variables(event));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).current_dir("/");
        let mut program = child::start(&mut command).map_err(HookError::Start)?;
        let mut complaints = Complaints::of(&mut program).map_err(HookError::Start)?;
        if let Some(mut stdin) = program.stdin.take() {
            // A script that does not read its input is no failure. An event fits the pipe's buffer.
            let _ = stdin.write_all(format!("{event}\n").as_bytes());
        }
        let ended = child::wait(&mut program, TIME_LIMIT, || complaints.read()).map_err(HookError::Start)?;
        complaints.read();
        match ended {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(HookError::Failed { code: status.code(), said: complaints.first_line() }),
            None => Err(HookError::TooLong),
        }
    }

    fn variables(&self, event: &Value) -> Vec<(&'static str, String)> {
        let text = |value: &Value| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let plain = text.chars().filter(|c| !c.is_control()).take(MAX_VALUE_CHARS);
            plain.collect::<String>()
        };
        let client = &event["who"]["client"];
        let left = event.get("left_s").or_else(|| event["standing"].get("left_s"));
        let candidates = [
            ("SG_EVENT", event.get("event")),
            ("SG_TIME", event.get("time")),
            ("SG_NAME", event.get("name")),
            ("SG_MAC", Some(client)),
            ("SG_STANDING", event["standing"].get("standing")),
            ("SG_USED", event.get("used_s")),
            ("SG_LEFT", left),
        ];
        let present = candidates.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let mut variables: Vec<_> =
            present.filter(|(_, value)| !value.is_null()).map(|(name, value)| (name, text(value))).collect();
        variables.push(("SG_RUN", self.run_dir.display().to_string()));
        variables.extend(self.webhook.clone().map(|url| ("SG_WEBHOOK", url)));
        variables
    }
}

/// What a script writes to standard error: the beginning is kept.
struct Complaints {
    pipe: Option<ChildStderr>,
    kept: Vec<u8>,
}

impl Complaints {
    fn of(program: &mut Child) -> io::Result<Self> {
        let pipe = program.stderr.take();
        pipe.as_ref().map_or(Ok(()), sys::set_nonblocking)?;
        Ok(Self { pipe, kept: Vec::new() })
    }

    /// Takes what is there, at most what a pipe holds.
    fn read(&mut self) {
        let mut chunk = [0; PIPE_BYTES];
        let len = self.pipe.as_mut().and_then(|pipe| pipe.read(&mut chunk).ok()).unwrap_or(0);
        let room = MAX_COMPLAINT_BYTES.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&chunk[..len.min(room)]);
    }

    fn first_line(&self) -> String {
        child::first_line(&String::from_utf8_lossy(&self.kept))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    fn hooks(name: &str) -> Hooks {
        let directory = std::env::temp_dir().join(format!("streamguard-hooks-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        Hooks { run_dir: directory.clone(), directory, webhook: None }
    }

    fn script(hooks: &Hooks, name: &str, mode: u32, text: &str) {
        let path = hooks.directory.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn scripts_hear_of_events_in_order_and_strange_ones_are_left_alone() {
        let hooks = hooks("order");
        script(
            &hooks,
            "20-b",
            0o755,
            "echo \"b $SG_EVENT $SG_MAC $SG_NAME\" >> \"$SG_RUN/heard\"; cat >> \"$SG_RUN/json\"",
        );
        script(&hooks, "10-a", 0o700, "echo a >> \"$SG_RUN/heard\"; echo why >&2; exit 3");
        script(&hooks, "30-others", 0o777, "echo bad >> \"$SG_RUN/heard\"");
        script(&hooks, "40-no", 0o644, "echo bad >> \"$SG_RUN/heard\"");
        let event = json!({
            "event": "blocked", "name": "Tab\u{1b}let; rm", "who": { "client": "02:00:00:00:01:01" }
        });
        let failed: Vec<String> = hooks.run(&event).iter().map(|(_, error)| error.to_string()).collect();
        assert_eq!(failed, ["failed with exit code 3: why", "not run: others may change it"]);
        let heard = fs::read_to_string(hooks.directory.join("heard")).unwrap();
        assert_eq!(heard, "a\nb blocked 02:00:00:00:01:01 Tablet; rm\n");
        let json: Value = serde_json::from_slice(&fs::read(hooks.directory.join("json")).unwrap()).unwrap();
        assert_eq!(json, event);
        fs::remove_dir_all(&hooks.directory).unwrap();
        assert!(hooks.run(&event).is_empty(), "no directory, no scripts");
    }

    #[test]
    fn a_script_that_prints_without_end_neither_waits_nor_fills_the_log() {
        let hooks = hooks("noise");
        let noise = "head -c 5000000 /dev/zero; head -c 5000000 /dev/zero | tr '\\0' x >&2; echo >&2; exit 1";
        script(&hooks, "10-noise", 0o755, noise);
        let failed = hooks.run(&json!({ "event": "blocked" }));
        fs::remove_dir_all(&hooks.directory).unwrap();
        let [(_, error)] = failed.try_into().unwrap();
        assert_eq!(error.to_string(), format!("failed with exit code 1: {}", "x".repeat(200)));
    }
}
