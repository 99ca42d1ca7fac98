//! `hooks`: the side process that runs scripts for the daemon's events.

use std::path::PathBuf;
use std::process::ExitCode;

use argh::FromArgs;
use serde_json::json;

use super::Failure;
use crate::config::Config;
use crate::os::control::{Access, Caller};
use crate::os::facts;
use crate::os::hooks::Hooks;
use crate::os::log::{self, Sink};
use crate::os::sys;
use crate::time::Duration;

/// Between two attempts to reach the daemon.
const RETRY: Duration = Duration::from_secs(2);

/// Run the scripts of a directory whenever something happens.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "hooks")]
pub(super) struct Args {
    /// configuration (UCI text) that names directory and webhook
    #[argh(option)]
    config: Option<PathBuf>,
}

/// Listens to the daemon for ever; procd ends it.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let text = match &args.config {
        Some(path) => {
            facts::read_text(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?
        }
        None => String::new(),
    };
    let (config, _) = Config::load(&text, None);
    log::start(Sink::Syslog, config.main.log_level);
    let hooks = Hooks {
        directory: PathBuf::from(&config.notify.hooks),
        webhook: config.notify.webhook.clone(),
        run_dir: facts::run_dir(),
    };
    loop {
        listen(&hooks);
        sys::poll(&[], RETRY, |_| ()).map_err(|error| Failure::new(error.to_string()))?;
    }
}

/// Runs scripts until the daemon leaves.
fn listen(hooks: &Hooks) {
    let Ok(mut daemon) = Caller::connect(&facts::run_dir(), Access::View) else { return };
    if daemon.call("subscribe", &json!({})).is_err() {
        return;
    }
    loop {
        match daemon.next_message() {
            Ok(event) => {
                for (script, error) in hooks.run(&event) {
                    ::log::warn!("{}: {error}", script.display());
                }
            }
            Err(error) if error.is_silence() => {}
            Err(_) => return,
        }
    }
}
