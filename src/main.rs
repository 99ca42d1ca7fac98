//! The shell's front door.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    streamguard::cli::run(&args)
}
