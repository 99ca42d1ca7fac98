//! Who may look and who may act.
//!
//! The rules, from docs/dashboard.md:
//! * A request must name us as its host (an address, `localhost`, a name of the local network, or one given with
//!   `--host`): a foreign name that resolves to our address is somebody else's page.
//! * Without a token, which is possible on loopback only, everybody on the machine may look and act.
//! * With a token, everything needs it: as a session cookie from a login, or as `Authorization: Bearer`.
//! * Acting by cookie or on loopback also needs the header `X-Streamguard: 1`, which no form can send and no
//!   foreign page may, and an `Origin` that is ours if there is one.
//! * Logins are counted by address: after five failures one try in thirty seconds.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{self, HeaderMap, HeaderName};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::answer::{Answer, refusal};
use super::secret::{Secret, hex, same};
use crate::os::facts;

/// Logins kept; the oldest goes.
const MAX_SESSIONS: usize = 64;
/// A login that was not used for so long is over.
const SESSION_IDLE: Duration = Duration::from_secs(7 * 86_400);
/// Addresses remembered for their failed logins; the oldest goes.
const MAX_FAILURES: usize = 256;
/// Failures that are not held against an address.
const FREE_FAILURES: u32 = 5;
/// Wait after each further one.
const FAILURE_WAIT: Duration = Duration::from_secs(30);
/// Hashing is slow: so many at the same time, counting those that wait.
const MAX_HASHING: usize = 4;
/// Longest token.
const MAX_TOKEN_BYTES: usize = 512;
/// The cookie's name.
const COOKIE: &str = "streamguard";
/// The header that a page of another site cannot send.
pub(super) const OWN_HEADER: HeaderName = HeaderName::from_static("x-streamguard");

/// Who can reach us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Programs on this machine.
    Machine,
    /// Others, too.
    Network,
}

/// What a request may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    /// None is needed.
    NotNeeded,
    /// Needed, and there.
    Done,
    /// Needed.
    Needed,
}

type Digest32 = [u8; 32];

struct Session {
    id: Digest32,
    used: Instant,
}

struct Failures {
    addr: IpAddr,
    count: u32,
    last: Instant,
}

#[derive(Default)]
struct Books {
    sessions: Vec<Session>,
    failures: Vec<Failures>,
    /// The token as it was given when it was right, hashed quickly: programs send it with each request.
    known: Option<Digest32>,
}

/// The doorkeeper.
pub(super) struct Guard {
    secret: Option<Secret>,
    reach: Reach,
    hosts: Vec<String>,
    books: Mutex<Books>,
    hashing: Arc<Semaphore>,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Guard({:?})", self.reach)
    }
}

impl Guard {
    pub(super) fn new(secret: Option<Secret>, reach: Reach, hosts: Vec<String>) -> Self {
        let hashing = Arc::new(Semaphore::new(MAX_HASHING));
        Self { secret, reach, hosts, books: Mutex::default(), hashing }
    }

    fn books<T>(&self, work: impl FnOnce(&mut Books) -> T) -> T {
        let mut books = self.books.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        work(&mut books)
    }

    /// Whether the request is meant for us and comes from our own page or from no page at all.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<(), Answer> {
        let host = text(headers, header::HOST);
        if !is_ours(host, self.reach, &self.hosts) {
            return Err(refusal(StatusCode::FORBIDDEN, "host", "this is not the name of this service"));
        }
        let site = text(headers, HeaderName::from_static("sec-fetch-site"));
        let origin = text(headers, header::ORIGIN);
        let same_origin = origin.is_empty() || origin.split_once("://").is_some_and(|(_, from)| from == host);
        if !same_origin || matches!(site, "cross-site" | "same-site") {
            return Err(refusal(StatusCode::FORBIDDEN, "origin", "another site asks"));
        }
        Ok(())
    }

    /// Whether a page may be opened from a link on another site: only the page itself, never data.
    pub(super) fn admit_page(&self, headers: &HeaderMap) -> Result<(), Answer> {
        if is_ours(text(headers, header::HOST), self.reach, &self.hosts) {
            return Ok(());
        }
        Err(refusal(StatusCode::FORBIDDEN, "host", "this is not the name of this service"))
    }

    /// Whether a login is needed, and there.
    pub(super) async fn login(&self, headers: &HeaderMap, addr: IpAddr) -> Result<Login, Answer> {
        if self.secret.is_none() {
            return Ok(Login::NotNeeded);
        }
        if let Some(token) = bearer(headers) {
            return self.check(token, addr).await.map(|()| Login::Done);
        }
        let Some(id) = cookie(headers).map(|cookie| digest(cookie.as_bytes())) else {
            return Ok(Login::Needed);
        };
        Ok(self.books(|books| {
            let now = Instant::now();
            books.sessions.retain(|session| now.duration_since(session.used) < SESSION_IDLE);
            match books.sessions.iter_mut().find(|session| same(&session.id, &id)) {
                Some(session) => {
                    session.used = now;
                    Login::Done
                }
                None => Login::Needed,
            }
        }))
    }

    /// Whether a request may read.
    pub(super) async fn may_look(&self, headers: &HeaderMap, addr: IpAddr) -> Result<(), Answer> {
        self.admit(headers)?;
        match self.login(headers, addr).await? {
            Login::NotNeeded | Login::Done => Ok(()),
            Login::Needed => Err(login_first()),
        }
    }

    /// Whether a request may change something.
    pub(super) async fn may_act(&self, headers: &HeaderMap, addr: IpAddr) -> Result<(), Answer> {
        self.may_look(headers, addr).await?;
        self.is_own_page(headers)
    }

    /// Whether the request has the header that no other site can send. A bearer token is as good: no other site has
    /// that either.
    pub(super) fn is_own_page(&self, headers: &HeaderMap) -> Result<(), Answer> {
        let proven = self.secret.is_some() && bearer(headers).is_some();
        if proven || text(headers, OWN_HEADER) == "1" {
            return Ok(());
        }
        Err(refusal(StatusCode::FORBIDDEN, "header", "the header X-Streamguard: 1 is missing"))
    }

    /// Checks a token and opens a session; the value is the cookie to set.
    pub(super) async fn open_session(&self, token: &str, addr: IpAddr) -> Result<String, Answer> {
        self.check(token, addr).await?;
        let id = facts::random::<32>().map(|bytes| hex(&bytes));
        let id = id.map_err(|_| refusal(StatusCode::SERVICE_UNAVAILABLE, "random", "no random numbers"))?;
        self.books(|books| {
            if books.sessions.len() >= MAX_SESSIONS
                && let Some(oldest) =
                    (0..books.sessions.len()).min_by_key(|&index| books.sessions[index].used)
            {
                books.sessions.swap_remove(oldest);
            }
            books.sessions.push(Session { id: digest(id.as_bytes()), used: Instant::now() });
        });
        let age_s = SESSION_IDLE.as_secs();
        Ok(format!("{COOKIE}={id}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict"))
    }

    /// Ends the session of a request; the value is the cookie that removes it.
    pub(super) fn close_session(&self, headers: &HeaderMap) -> String {
        if let Some(id) = cookie(headers).map(|cookie| digest(cookie.as_bytes())) {
            self.books(|books| books.sessions.retain(|session| !same(&session.id, &id)));
        }
        format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")
    }

    async fn check(&self, token: &str, addr: IpAddr) -> Result<(), Answer> {
        let Some(secret) = self.secret.clone() else { return Ok(()) };
        let quick = digest(token.as_bytes());
        if self.books(|books| books.known.is_some_and(|known| same(&known, &quick))) {
            return Ok(());
        }
        if token.len() > MAX_TOKEN_BYTES || self.books(|books| books.must_wait(addr)) {
            return Err(slow_down());
        }
        let Ok(permit) = Arc::clone(&self.hashing).try_acquire_owned() else { return Err(slow_down()) };
        let token = token.to_owned();
        let hashed = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            secret.matches(&token)
        });
        if hashed.await.unwrap_or(false) {
            self.books(|books| {
                books.known = Some(quick);
                books.failures.retain(|failures| failures.addr != addr);
            });
            return Ok(());
        }
        self.books(|books| books.failed(addr));
        Err(refusal(StatusCode::UNAUTHORIZED, "token", "this is not the token"))
    }
}

impl Books {
    fn must_wait(&self, addr: IpAddr) -> bool {
        let known = self.failures.iter().find(|failures| failures.addr == addr);
        known.is_some_and(|known| known.count >= FREE_FAILURES && known.last.elapsed() < FAILURE_WAIT)
    }

    fn failed(&mut self, addr: IpAddr) {
        let now = Instant::now();
        if let Some(known) = self.failures.iter_mut().find(|failures| failures.addr == addr) {
            known.count = known.count.saturating_add(1);
            known.last = now;
            return;
        }
        if self.failures.len() >= MAX_FAILURES
            && let Some(oldest) = (0..self.failures.len()).min_by_key(|&index| self.failures[index].last)
        {
            self.failures.swap_remove(oldest);
        }
        self.failures.push(Failures { addr, count: 1, last: now });
    }
}

fn digest(bytes: &[u8]) -> Digest32 {
    Sha256::digest(bytes).into()
}

fn login_first() -> Answer {
    refusal(StatusCode::UNAUTHORIZED, "login", "log in first")
}

fn slow_down() -> Answer {
    refusal(StatusCode::TOO_MANY_REQUESTS, "slow_down", "too many wrong tokens: wait half a minute")
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = text(headers, header::AUTHORIZATION).split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let mut cookies = text(headers, header::COOKIE).split(';').filter_map(|pair| pair.trim().split_once('='));
    cookies.find(|(name, _)| *name == COOKIE).map(|(_, id)| id)
}

/// Ends of names that no public server can have.
const LOCAL_ENDS: [&str; 7] =
    [".lan", ".local", ".localhost", ".home", ".home.arpa", ".internal", ".localdomain"];

/// Whether a `Host` header is one of ours.
fn is_ours(host: &str, reach: Reach, hosts: &[String]) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if hosts.iter().any(|host| host.eq_ignore_ascii_case(&name)) {
        return true;
    }
    match (name.parse::<IpAddr>(), reach) {
        (Ok(addr), Reach::Machine) => addr.to_canonical().is_loopback(),
        (Ok(_), Reach::Network) => true,
        (Err(_), Reach::Machine) => name == "localhost" || name.ends_with(".localhost"),
        (Err(_), Reach::Network) => {
            !name.is_empty() && (!name.contains('.') || LOCAL_ENDS.iter().any(|end| name.ends_with(end)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_ours_are_hosts() {
        let machine = |host| is_ours(host, Reach::Machine, &[]);
        let network = |host| is_ours(host, Reach::Network, &["guard.example.org".into()]);
        for good in ["127.0.0.1:8990", "127.0.0.1", "localhost:1", "[::1]:8990", "LOCALHOST", "x.localhost"] {
            assert!(machine(good), "{good}");
        }
        for bad in
            ["", "evil.example", "192.168.1.1", "router.lan", "localhost.evil.example", "127.0.0.1.evil"]
        {
            assert!(!machine(bad), "{bad}");
        }
        for good in
            ["192.168.1.1:8990", "router", "router.lan", "guard.example.org", "[fd00::1]:8990", "a.home.arpa"]
        {
            assert!(network(good), "{good}");
        }
        for bad in ["", "evil.example", "192.168.1.1.evil.example", "lan.example"] {
            assert!(!network(bad), "{bad}");
        }
    }

    #[test]
    fn failures_cost_time_and_the_table_is_bounded() {
        let mut books = Books::default();
        let addr = IpAddr::from([192, 168, 1, 7]);
        for _ in 0..FREE_FAILURES {
            assert!(!books.must_wait(addr));
            books.failed(addr);
        }
        assert!(books.must_wait(addr));
        assert!(!books.must_wait(IpAddr::from([192, 168, 1, 8])));
        for number in 0..2_000_u32 {
            books.failed(IpAddr::from(number.to_be_bytes()));
        }
        assert_eq!(books.failures.len(), MAX_FAILURES);
    }

    #[test]
    fn cookies_and_bearers_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, header::HeaderValue::from_static("a=b; streamguard=x; c=d"));
        headers.insert(header::AUTHORIZATION, header::HeaderValue::from_static("bearer  t"));
        assert_eq!((cookie(&headers), bearer(&headers)), (Some("x"), Some("t")));
        headers.insert(header::AUTHORIZATION, header::HeaderValue::from_static("Basic t"));
        assert_eq!(bearer(&headers), None);
    }
}
