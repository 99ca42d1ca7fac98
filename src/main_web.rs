//! The gateway's own front door: `streamguard web` and nothing else of streamguard, for a router's flash.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    streamguard::cli::run_web(&args)
}
