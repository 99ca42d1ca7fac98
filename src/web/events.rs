//! Events for browsers: one subscription at the daemon, any number of listeners up to a bound.
//!
//! A listener that falls behind is told to ask again (`resync`) instead of being sent what it missed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{broadcast, mpsc};
use tokio::time::{sleep, timeout};

use super::Gateway;
use super::answer::{Answer, refusal, stream};
use crate::os::control::Access;

/// Listeners at the same time.
const MAX_LISTENERS: usize = 16;
/// Events a listener may be behind.
const BACKLOG: usize = 64;
/// Silence is broken by a comment this often, so that both ends notice when the other has gone.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Between two tries to reach the daemon.
const RETRY: Duration = Duration::from_secs(2);
/// Longest event.
const MAX_EVENT_BYTES: usize = 256 * 1024;

/// Who listens.
#[derive(Debug)]
pub(super) struct Hub {
    sender: broadcast::Sender<Bytes>,
    listeners: AtomicUsize,
}

impl Hub {
    pub(super) fn new() -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG), listeners: AtomicUsize::new(0) }
    }

    fn tell(&self, event: &str) {
        // Nobody listening is no error.
        let _ = self.sender.send(Bytes::from(format!("data: {event}\n\n")));
    }
}

/// Subscribes at the daemon, again and again, for ever.
pub(super) async fn listen(gateway: Arc<Gateway>) {
    loop {
        if subscribe(&gateway).await.is_some() {
            gateway.hub.tell("{\"event\":\"resync\"}");
        }
        sleep(RETRY).await;
    }
}

/// Until the daemon leaves; `None` if it was not there.
async fn subscribe(gateway: &Gateway) -> Option<()> {
    let mut daemon = gateway.upstream.connect(Access::View).await.ok()?;
    daemon.write_all(b"{\"id\":0,\"method\":\"subscribe\"}\n").await.ok()?;
    gateway.hub.tell("{\"event\":\"resync\"}");
    let mut incoming = Vec::new();
    while daemon.read_buf(&mut incoming).await.is_ok_and(|len| len > 0) {
        while let Some(end) = incoming.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = incoming.drain(..=end).collect();
            // JSON of the daemon has no line breaks, and what is no event is its answer to us.
            if let Ok(line) = std::str::from_utf8(&line)
                && line.contains("\"event\"")
            {
                gateway.hub.tell(line.trim_end());
            }
        }
        if incoming.len() > MAX_EVENT_BYTES {
            break;
        }
    }
    Some(())
}

/// A seat among the listeners.
struct Seat(Arc<Gateway>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.hub.listeners.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Server-sent events until the browser leaves.
pub(super) fn serve(gateway: &Arc<Gateway>) -> Answer {
    if gateway.hub.listeners.fetch_add(1, Ordering::Relaxed) >= MAX_LISTENERS {
        gateway.hub.listeners.fetch_sub(1, Ordering::Relaxed);
        return refusal(StatusCode::TOO_MANY_REQUESTS, "busy", "too many listeners");
    }
    let seat = Seat(Arc::clone(gateway));
    let mut events = gateway.hub.sender.subscribe();
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        let _seat = seat;
        let mut next = Bytes::from_static(b"retry: 3000\n\n");
        // Sending fails when the browser has gone; not being able to send for two heartbeats is the same.
        while let Ok(Ok(())) = timeout(2 * HEARTBEAT, sender.send(next)).await {
            next = match timeout(HEARTBEAT, events.recv()).await {
                Ok(Ok(event)) => event,
                Ok(Err(broadcast::error::RecvError::Lagged(_))) => {
                    Bytes::from_static(b"data: {\"event\":\"resync\"}\n\n")
                }
                Ok(Err(broadcast::error::RecvError::Closed)) => break,
                Err(_) => Bytes::from_static(b":\n\n"),
            };
        }
    });
    stream("text/event-stream", receiver)
}
