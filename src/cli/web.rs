//! `web`: the gateway.

use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use argh::FromArgs;

use super::Failure;
use crate::os::facts;
use crate::web::{Bound, Options, Secret, fresh_token};

/// The user whose name the gateway takes if it is started by root.
const USER: &str = "streamguard";
/// Longest token read.
const MAX_TOKEN_BYTES: u64 = 512;
/// Shorter tokens can be guessed.
const MIN_TOKEN_CHARS: usize = 8;

/// Serve the dashboard over HTTP.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "web")]
pub(super) struct Args {
    /// address and port; default: option listen, 127.0.0.1:8990
    #[argh(option)]
    listen: Option<SocketAddr>,
    /// configuration (UCI text): its section web holds, and the settings page shows it
    #[argh(option)]
    config: Option<PathBuf>,
    /// name under which browsers may ask for us, besides addresses and local names; repeatable
    #[argh(option)]
    host: Vec<String>,
    /// make a token, print it and its hash, and end
    #[argh(switch)]
    new_token: bool,
    /// read a token of your own from standard input, print its hash, and end
    #[argh(switch)]
    hash_token: bool,
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    if args.new_token || args.hash_token {
        return token(&args);
    }
    let run_dir = facts::run_dir();
    let options = Options { listen: args.listen, config: args.config, run_dir, hosts: args.host };
    let bound = Bound::open(&options).map_err(|error| Failure::from_error(&error))?;
    match facts::become_nobody(USER) {
        Ok(facts::Became::Already | facts::Became::User) => {}
        Ok(facts::Became::Root) => eprintln!("streamguard: there is no user {USER}: running as root"),
        Err(error) => return Err(Failure::new(format!("cannot become user {USER}: {error}"))),
    }
    let addr = bound.addr().map_err(|error| Failure::new(format!("no address: {error}")))?;
    println!("http://{addr}/");
    bound.serve().map_err(|error| Failure::from_error(&error))?;
    Ok(ExitCode::SUCCESS)
}

fn token(args: &Args) -> Result<ExitCode, Failure> {
    let no_random = |error: std::io::Error| Failure::new(format!("no random numbers: {error}"));
    let token = if args.hash_token {
        let mut token = String::new();
        std::io::stdin().take(MAX_TOKEN_BYTES).read_to_string(&mut token)?;
        token.trim_end_matches(['\r', '\n']).to_owned()
    } else {
        fresh_token().map_err(no_random)?
    };
    if token.chars().count() < MIN_TOKEN_CHARS {
        return Err(Failure::new(format!("a token has {MIN_TOKEN_CHARS} characters or more")));
    }
    let hash = Secret::of(&token).map_err(no_random)?;
    if args.new_token {
        println!("token       {token}");
    }
    println!("token_hash  {hash}");
    Ok(ExitCode::SUCCESS)
}
