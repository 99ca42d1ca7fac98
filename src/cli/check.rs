//! `check`: what the daemon would find in a configuration.

use std::path::PathBuf;
use std::process::ExitCode;

use argh::FromArgs;
use serde_json::json;

use super::Failure;
use crate::config::Config;
use crate::os::facts;

/// Judge a configuration and print every finding; exit code 1 if there are any.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "check")]
pub(super) struct Args {
    /// file to judge; default /etc/config/streamguard
    #[argh(positional)]
    file: Option<PathBuf>,
    /// as JSON
    #[argh(switch)]
    json: bool,
}

/// Prints the findings.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let file = args.file.clone().unwrap_or_else(|| PathBuf::from("/etc/config/streamguard"));
    let text = match facts::read_text(&file) {
        Ok(text) => text,
        Err(error) => {
            let failure = Failure::new(format!("{}: {error}", file.display()));
            if args.json {
                println!("{}", failure.as_json());
            }
            return Err(failure);
        }
    };
    let (_, findings) = Config::load(&text, None);
    if args.json {
        println!("{}", json!({ "findings": findings }));
    } else {
        findings.iter().for_each(|finding| println!("{finding}"));
        if findings.is_empty() {
            println!("{}: no findings", file.display());
        }
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
