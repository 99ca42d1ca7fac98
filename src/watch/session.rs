//! A session: an unbroken run of watching, and where its video came from.

use crate::net::Addr;
use crate::time::{Duration, Moment};
use crate::window::{Client, RING, WINDOW_LEN, WindowNo, window_start};

/// Servers remembered per session; the one with the fewest bytes makes room.
pub const MAX_SESSION_SERVERS: usize = 16;

/// Bytes that one server sent in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTotal {
    /// Who.
    pub addr: Addr,
    /// IP bytes received from it.
    pub bytes: u64,
    /// The service behind it, if a name was heard.
    pub service: Option<Box<str>>,
}

/// A run of counted windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Beginning of the first counted window.
    pub start: Moment,
    /// End of the last counted window.
    pub end: Moment,
    /// Counted time; less than `end - start` only where the capture began or ended inside a window.
    pub watched: Duration,
    /// Servers by bytes, most first.
    pub servers: Vec<ServerTotal>,
    last: WindowNo,
}

impl Session {
    /// A session that begins with window `no` and has counted nothing yet.
    pub fn begin(no: WindowNo) -> Self {
        let start = window_start(no);
        Self { start, end: start, watched: Duration::ZERO, servers: Vec::new(), last: no }
    }

    /// Counts window `no`, of which `watched` lies inside the capture, and the servers of that window, named by
    /// `service`.
    pub fn count(
        &mut self,
        no: WindowNo,
        watched: Duration,
        client: Option<&Client>,
        service: &dyn Fn(Addr) -> Option<Box<str>>,
    ) {
        self.end = window_start(no) + WINDOW_LEN;
        self.watched += watched;
        self.last = no;
        let Some(client) = client else { return };
        for server in client.servers() {
            let bytes = server.bytes_at(no);
            if bytes > 0 {
                self.add_server(server.addr, bytes, service);
            }
        }
    }

    /// The services of the session, most bytes first.
    pub fn services(&self) -> Vec<&str> {
        let mut totals: Vec<(&str, u64)> = Vec::new();
        for server in &self.servers {
            let Some(name) = server.service.as_deref() else { continue };
            match totals.iter_mut().find(|(known, _)| *known == name) {
                Some((_, bytes)) => *bytes += server.bytes,
                None => totals.push((name, server.bytes)),
            }
        }
        totals.sort_by_key(|&(_, bytes)| std::cmp::Reverse(bytes));
        totals.into_iter().map(|(name, _)| name).collect()
    }

    /// How far back [`Session::count`] still finds the servers of a window.
    pub const SERVER_MEMORY: usize = RING;

    fn add_server(&mut self, addr: Addr, bytes: u64, service: &dyn Fn(Addr) -> Option<Box<str>>) {
        let place = match self.servers.iter().position(|s| s.addr == addr) {
            Some(place) => place,
            None if self.servers.len() < MAX_SESSION_SERVERS => {
                self.servers.push(ServerTotal { addr, bytes: 0, service: None });
                self.servers.len() - 1
            }
            // Sorted: the last has the fewest bytes. A newcomer with fewer is left out.
            None if self.servers.last().is_some_and(|least| least.bytes < bytes) => {
                let least = self.servers.len() - 1;
                self.servers[least] = ServerTotal { addr, bytes: 0, service: None };
                least
            }
            None => return,
        };
        let server = &mut self.servers[place];
        server.bytes += bytes;
        if server.service.is_none() {
            server.service = service(addr);
        }
        let mut place = place;
        while place > 0 && self.servers[place - 1].bytes < self.servers[place].bytes {
            self.servers.swap(place - 1, place);
            place -= 1;
        }
    }
}
