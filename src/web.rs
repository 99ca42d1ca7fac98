//! The gateway: the dashboard, REST, events and exports over HTTP, for whoever the guard lets in.
//!
//! A process of its own without any capability. It holds no data: each answer is a question to the control
//! socket, whose table of methods gives the routes (GET reads, POST writes) and the OpenAPI file. Whatever happens
//! to it, the daemon goes on counting and enforcing.
//!
//! ```text
//!  browser ─► server (limits, timeouts) ─► guard (host, origin, login) ─► route ─┬─ assets   files/www, embedded
//!                                                                                ├─ upstream ctl.sock, view.sock
//!                                                                                ├─ events   one subscription, many listeners
//!                                                                                ├─ export   rows as downloads
//!                                                                                └─ settings the file given with --config
//! ```
//!
//! One thread, asynchronous sockets: a browser that is slow, silent or hostile costs one of a bounded number of
//! seats and, after seconds, not even that. hyper parses HTTP; there is no framework on top of it, because the
//! routes are a table that exists already.
#![expect(clippy::result_large_err, reason = "a refusal is a response, moved once for each request")]
#![expect(clippy::disallowed_types, reason = "this is the one place besides os/ that has sockets")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::{fmt, io};

use crate::config::Config;
use crate::os::facts;

mod answer;
mod assets;
mod child;
mod events;
mod export;
mod guard;
mod legacy;
mod patient;
mod query;
mod route;
mod secret;
mod server;
mod settings;
mod upstream;

pub use secret::{Secret, fresh_token};

use events::Hub;
use guard::{Guard, Reach};
use settings::SettingsFile;
use upstream::Upstream;

/// How the gateway is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where it listens; `None` = as the configuration says.
    pub listen: Option<SocketAddr>,
    /// The UCI file whose section `web` holds, and which the settings page shows.
    pub config: Option<PathBuf>,
    /// Where the control sockets are.
    pub run_dir: PathBuf,
    /// Names besides addresses under which browsers may ask for us.
    pub hosts: Vec<String>,
}

/// Why the gateway does not run.
#[derive(Debug)]
pub enum WebError {
    /// The configuration cannot be read.
    Config {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The configured hash of the token is none.
    TokenHash,
    /// An address that others can reach needs a token.
    NoToken(SocketAddr),
    /// The address cannot be used.
    Listen {
        /// Which.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// No event loop.
    Runtime(io::Error),
}

impl fmt::Display for WebError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config { path, .. } => path.display().fmt(f),
            Self::TokenHash => f.write_str("option token_hash is no hash: make one with web --new-token"),
            Self::NoToken(addr) => write!(
                f,
                "{addr} can be reached by others, so a token is needed: make one with web --new-token and set \
                 option token_hash in section web of --config"
            ),
            Self::Listen { addr, .. } => write!(f, "cannot listen on {addr}"),
            Self::Runtime(_) => f.write_str("cannot start"),
        }
    }
}

impl std::error::Error for WebError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config { source, .. } | Self::Listen { source, .. } | Self::Runtime(source) => Some(source),
            Self::TokenHash | Self::NoToken(_) => None,
        }
    }
}

/// What the routes need.
#[derive(Debug)]
struct Gateway {
    guard: Guard,
    upstream: Upstream,
    hub: Hub,
    settings: Option<SettingsFile>,
}

/// A gateway that has its address but does not serve yet.
#[derive(Debug)]
pub struct Bound {
    listener: std::net::TcpListener,
    child: Option<std::net::TcpListener>,
    gateway: Gateway,
}

impl Bound {
    /// Reads the configuration and takes the addresses, so that what can go wrong does so before anything runs.
    ///
    /// # Errors
    /// If an address is taken, or is reachable by others and there is no token.
    pub fn open(options: &Options) -> Result<Self, WebError> {
        let web = match &options.config {
            None => Config::default().web,
            Some(path) => {
                let text = facts::read_text(path)
                    .map_err(|source| WebError::Config { path: path.clone(), source })?;
                Config::load(&text, None).0.web
            }
        };
        let secret = match &web.token_hash {
            Some(hash) => Some(Secret::parse(hash).ok_or(WebError::TokenHash)?),
            None => None,
        };
        let addr = options.listen.unwrap_or(web.listen);
        let reach = if addr.ip().is_loopback() { Reach::Machine } else { Reach::Network };
        if reach == Reach::Network && secret.is_none() {
            return Err(WebError::NoToken(addr));
        }
        let listener = listen(addr)?;
        let child = web.child_listen.filter(|_| web.child_page).map(listen).transpose()?;
        let gateway = Gateway {
            guard: Guard::new(secret, reach, options.hosts.clone()),
            upstream: Upstream::new(&options.run_dir),
            hub: Hub::new(),
            settings: options.config.clone().map(SettingsFile::at),
        };
        Ok(Self { listener, child, gateway })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// If there is no event loop.
    pub fn serve(self) -> Result<(), WebError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(1)
            .build()
            .map_err(WebError::Runtime)?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(self.listener).map_err(WebError::Runtime)?;
            let gateway = Arc::new(self.gateway);
            tokio::spawn(events::listen(Arc::clone(&gateway)));
            if let Some(child) = self.child {
                let child = tokio::net::TcpListener::from_std(child).map_err(WebError::Runtime)?;
                tokio::spawn(server::run(child, Arc::clone(&gateway), server::Door::Child));
            }
            server::run(listener, gateway, server::Door::Dashboard).await;
            Ok(())
        })
    }
}

fn listen(addr: SocketAddr) -> Result<std::net::TcpListener, WebError> {
    let failed = |source| WebError::Listen { addr, source };
    let listener = std::net::TcpListener::bind(addr).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}
