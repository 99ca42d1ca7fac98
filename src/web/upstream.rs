//! The daemon as the gateway sees it: two unix sockets, a bounded number of questions at once, an end to waiting.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::answer::{Answer, JSON, answer, refusal};
use crate::methods;
use crate::os::control::Access;

/// Questions at the same time: the daemon has 32 seats, and others need some.
const SEATS: usize = 8;
/// Longest wait for a seat and an answer.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// Longest answer.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The daemon said no.
    Refused { code: String, message: String },
    /// It is not there.
    Absent(io::Error),
    /// It took too long.
    Silent,
    /// Too long, or no JSON.
    Garbled,
}

impl Trouble {
    /// The same for a browser.
    pub(super) fn answer(&self) -> Answer {
        match self {
            Self::Refused { code, message } => {
                let status = match code.as_str() {
                    "bad_params" | "bad_request" => StatusCode::BAD_REQUEST,
                    "forbidden" => StatusCode::FORBIDDEN,
                    "unknown_client" | "unknown_method" | "unknown_alert" | "not_here" => {
                        StatusCode::NOT_FOUND
                    }
                    "no_history" | "history" | "busy" => StatusCode::SERVICE_UNAVAILABLE,
                    _ => StatusCode::CONFLICT,
                };
                refusal(status, code, message)
            }
            Self::Absent(error) => {
                let message = format!("the daemon does not answer: {error}");
                refusal(StatusCode::SERVICE_UNAVAILABLE, "no_daemon", &message)
            }
            Self::Silent => {
                refusal(StatusCode::SERVICE_UNAVAILABLE, "no_daemon", "the daemon does not answer in time")
            }
            Self::Garbled => {
                refusal(StatusCode::BAD_GATEWAY, "garbled", "the daemon's answer is not what it should be")
            }
        }
    }
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
    message: String,
}

/// Where the daemon is.
#[derive(Debug)]
pub(super) struct Upstream {
    run_dir: PathBuf,
    seats: Semaphore,
}

impl Upstream {
    pub(super) fn new(run_dir: &Path) -> Self {
        Self { run_dir: run_dir.to_owned(), seats: Semaphore::new(SEATS) }
    }

    /// A connection to one of the sockets.
    pub(super) async fn connect(&self, access: Access) -> io::Result<UnixStream> {
        let name = match access {
            Access::Control => "ctl.sock",
            Access::View => "view.sock",
        };
        UnixStream::connect(self.run_dir.join(name)).await
    }

    /// Asks, and hands on the answer as it is.
    pub(super) async fn ask(&self, method: &str, params: &Value) -> Answer {
        match self.raw(method, params).await {
            Ok(result) => answer(StatusCode::OK, JSON, String::from(Box::<str>::from(result))),
            Err(trouble) => trouble.answer(),
        }
    }

    /// Asks, and reads the answer.
    pub(super) async fn value(&self, method: &str, params: &Value) -> Result<Value, Trouble> {
        let raw = self.raw(method, params).await?;
        serde_json::from_str(raw.get()).map_err(|_| Trouble::Garbled)
    }

    async fn raw(&self, method: &str, params: &Value) -> Result<Box<RawValue>, Trouble> {
        let line =
            timeout(CALL_LIMIT, self.exchange(method, params)).await.map_err(|_| Trouble::Silent)??;
        let line: Line<'_> = serde_json::from_slice(&line).map_err(|_| Trouble::Garbled)?;
        match line {
            Line { error: Some(Refusal { code, message }), .. } => Err(Trouble::Refused { code, message }),
            Line { result: Some(result), .. } => Ok(result.to_owned()),
            Line { result: None, error: None } => Err(Trouble::Garbled),
        }
    }

    /// One line there, one line back.
    async fn exchange(&self, method: &str, params: &Value) -> Result<Vec<u8>, Trouble> {
        // Never closed, so this only waits.
        let _seat = self.seats.acquire().await;
        let mut stream = self.connect(methods::access(method)).await.map_err(Trouble::Absent)?;
        let mut line = json!({ "id": 1, "method": method, "params": params }).to_string();
        line.push('\n');
        stream.write_all(line.as_bytes()).await.map_err(Trouble::Absent)?;
        let mut answer = Vec::with_capacity(4096);
        while answer.last() != Some(&b'\n') {
            if answer.len() > MAX_ANSWER_BYTES {
                return Err(Trouble::Garbled);
            }
            if stream.read_buf(&mut answer).await.map_err(Trouble::Absent)? == 0 {
                return Err(Trouble::Absent(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        Ok(answer)
    }
}
