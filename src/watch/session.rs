//! A session: an unbroken run of watching, and where its video came from.

use crate::net::Addr;
use crate::time::{Duration, Moment};
use crate::window::{Client, RING, WINDOW_LEN, WindowNo, window_start};

/// Servers remembered per session; the one with the fewest bytes makes room.
pub const MAX_SESSION_SERVERS: usize = 16;

/// Bytes that one server sent in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerTotal {
    /// Who.
    pub addr: Addr,
    /// IP bytes received from it.
    pub bytes: u64,
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

    /// Counts window `no`, of which `watched` lies inside the capture, and the servers of that window.
    pub fn count(&mut self, no: WindowNo, watched: Duration, client: Option<&Client>) {
        self.end = window_start(no) + WINDOW_LEN;
        self.watched += watched;
        self.last = no;
        let Some(client) = client else { return };
        for server in client.servers() {
            let bytes = server.bytes_at(no);
            if bytes > 0 {
                self.add_server(server.addr, bytes);
            }
        }
    }

    /// How far back [`Session::count`] still finds the servers of a window.
    pub const SERVER_MEMORY: usize = RING;

    fn add_server(&mut self, addr: Addr, bytes: u64) {
        let place = match self.servers.iter().position(|s| s.addr == addr) {
            Some(place) => place,
            None if self.servers.len() < MAX_SESSION_SERVERS => {
                self.servers.push(ServerTotal { addr, bytes: 0 });
                self.servers.len() - 1
            }
            // Sorted: the last has the fewest bytes. A newcomer with fewer is left out.
            None if self.servers.last().is_some_and(|least| least.bytes < bytes) => {
                let least = self.servers.len() - 1;
                self.servers[least] = ServerTotal { addr, bytes: 0 };
                least
            }
            None => return,
        };
        self.servers[place].bytes += bytes;
        let mut place = place;
        while place > 0 && self.servers[place - 1].bytes < self.servers[place].bytes {
            self.servers.swap(place - 1, place);
            place -= 1;
        }
    }
}
