//! Connections: how many, how long, how large.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::answer::{Answer, refusal};
use super::patient::Patient;
use super::{Gateway, child, route};

/// Connections at the same time.
const MAX_CONNECTIONS: usize = 96;
/// Connections of one address: a browser opens six. Loopback is everybody on the machine.
const MAX_PER_ADDRESS: usize = 24;
/// A request's header must be there by then.
const HEADER_LIMIT: Duration = Duration::from_secs(10);
/// A request, its body included, must be answered by then; streams go on.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// No connection lives longer; event streams come back by themselves.
const LIFE_LIMIT: Duration = Duration::from_secs(3_600);
/// Bytes of a request's header.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Fields of a request's header.
const MAX_HEADERS: usize = 64;

/// What is behind a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Everything.
    Dashboard,
    /// The one page for children.
    Child,
}

/// Who is connected, one entry each.
type Crowd = Arc<Mutex<Vec<IpAddr>>>;

/// Frees its place when the connection ends.
struct Place {
    crowd: Crowd,
    addr: IpAddr,
}

impl Place {
    fn take(crowd: &Crowd, addr: IpAddr) -> Option<Self> {
        let mut all = crowd.lock().ok()?;
        let most = if addr.is_loopback() { MAX_CONNECTIONS } else { MAX_PER_ADDRESS };
        if all.iter().filter(|other| **other == addr).count() >= most {
            return None;
        }
        all.push(addr);
        Some(Self { crowd: Arc::clone(crowd), addr })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Ok(mut all) = self.crowd.lock()
            && let Some(index) = all.iter().position(|addr| *addr == self.addr)
        {
            all.swap_remove(index);
        }
    }
}

/// Accepts for ever.
pub(super) async fn run(listener: TcpListener, gateway: Arc<Gateway>, door: Door) {
    let seats = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let crowd = Crowd::default();
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of descriptors, most likely: some connection will end.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Some(place) = Place::take(&crowd, peer.ip().to_canonical()) else { continue };
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move {
            let _held = (seat, place);
            let _ = timeout(LIFE_LIMIT, connection(stream, peer, gateway, door)).await;
        });
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, gateway: Arc<Gateway>, door: Door) {
    let service = service_fn(|request: Request<Incoming>| {
        let gateway = Arc::clone(&gateway);
        async move {
            let answer = async {
                match door {
                    Door::Dashboard => route::answer(&gateway, peer, request).await,
                    Door::Child => child::answer(&gateway, peer, &request).await,
                }
            };
            let late = |_| refusal(StatusCode::REQUEST_TIMEOUT, "too_slow", "the request took too long");
            Ok::<Answer, std::convert::Infallible>(timeout(ANSWER_LIMIT, answer).await.unwrap_or_else(late))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        .max_buf_size(MAX_HEADER_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(Patient::new(stream)), service);
    // A browser that breaks off is no news.
    let _ = served.await;
}
