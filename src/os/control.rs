//! The daemon's front desk: JSON lines over two unix sockets.
//!
//! `ctl.sock` takes every method, `view.sock` those that change nothing. One line is one request
//! (`{"id":1,"method":"status","params":{}}`), one line is its answer. Whoever connects is told apart by the
//! kernel (SO_PEERCRED), not by what it says: root, our own user, and members of our group may speak.
//!
//! A peer can be slow, silent or hostile. It gets a buffer for one line and one for answers it has not read yet,
//! both bounded, and a bounded number of requests per wake-up. Seats are bounded, too: who comes when all are taken gets
//! that of the peer which has asked nothing for longest, so that nobody is locked out by those who only sit; peers
//! that hear of events keep theirs, and are half of all at most. One that sends a line too long or does not read its
//! answers is disconnected. Nothing here waits.

use std::collections::VecDeque;
use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::sys::{self, Peer};

/// Peers connected at the same time, both sockets together.
pub const MAX_PEERS: usize = 32;
/// Of these, peers that hear of events.
pub const MAX_LISTENERS: usize = 16;
/// Told to whom there is no seat for.
const BUSY: &str = "{\"id\":null,\"error\":{\"code\":\"busy\",\"message\":\"too many connections\"}}\n";
/// Longest request.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;
/// Answers a peer has not read yet; an answer larger than this alone is still sent.
pub const MAX_PENDING_BYTES: usize = 1024 * 1024;
/// Room for answers that a peer keeps once it has read them all.
const MAX_KEPT_BYTES: usize = 16 * 1024;
/// Requests taken from one peer in one wake-up.
const MAX_REQUESTS_PER_TURN: usize = 16;
/// How long the command line waits for an answer.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// What a socket lets its peers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything: `ctl.sock`.
    Control,
    /// Look: `view.sock`.
    View,
}

impl Access {
    /// The name of its file.
    pub fn socket_name(self) -> &'static str {
        match self {
            Self::Control => "ctl.sock",
            Self::View => "view.sock",
        }
    }
}

/// Why the desk is closed, or an answer does not come.
#[derive(Debug)]
pub enum ControlError {
    /// Another daemon answers at this socket.
    InUse(PathBuf),
    /// The socket or its directory cannot be made, or not be reached.
    Socket {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The daemon's answer is not JSON.
    Garbled,
    /// The daemon refused.
    Refused {
        /// For programs.
        code: String,
        /// For people.
        message: String,
    },
}

impl ControlError {
    /// Whether the daemon is there but had nothing to say for a while.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Socket { source, .. }
            if matches!(source.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path) => write!(f, "{}: another daemon answers here", path.display()),
            Self::Socket { path, .. } => path.display().fmt(f),
            Self::Garbled => f.write_str("the daemon's answer is not what it should be"),
            Self::Refused { message, .. } => f.write_str(message),
        }
    }
}

impl std::error::Error for ControlError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Socket { source, .. } => Some(source),
            Self::InUse(_) | Self::Garbled | Self::Refused { .. } => None,
        }
    }
}

/// A request as it came in.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Whom to answer.
    pub peer: PeerNo,
    /// What it may do.
    pub access: Access,
    /// The user id the kernel reports.
    pub uid: u32,
    /// To be repeated in the answer.
    pub id: Value,
    /// What is asked for.
    pub method: String,
    /// With what.
    pub params: Value,
}

/// Names a peer as long as it is connected; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerNo(u64);

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    id: Value,
    method: String,
    #[serde(default)]
    params: Value,
}

#[derive(Serialize)]
struct Refused<'a> {
    id: &'a Value,
    error: Refusal<'a>,
}

/// A negative answer.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Refusal<'a> {
    /// For programs: `unknown_method`, `bad_params`, …
    pub code: &'a str,
    /// For people.
    pub message: &'a str,
}

/// Whether a peer wants to hear of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listening {
    No,
    Events,
}

struct Connected {
    no: PeerNo,
    stream: UnixStream,
    access: Access,
    peer: Peer,
    incoming: Vec<u8>,
    outgoing: VecDeque<u8>,
    listening: Listening,
    /// The desk's turn in which it came or last asked something.
    heard: u64,
}

/// Both sockets and everybody connected to them.
pub struct Desk {
    directory: PathBuf,
    /// Held as long as the desk is open. Of two daemons that start at the same moment neither sees the other's socket.
    _lock: Option<File>,
    listeners: Vec<(Access, UnixListener)>,
    peers: Vec<Connected>,
    next_no: u64,
    group: Option<u32>,
    /// Counts turns.
    turn: u64,
    /// Peers sent away because all seats were taken.
    turned_away: u64,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Desk({}, {} peers)", self.directory.display(), self.peers.len())
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        for (access, _) in &self.listeners {
            // Best effort: a socket nobody answers at is replaced by the next daemon.
            let _ = std::fs::remove_file(self.directory.join(access.socket_name()));
        }
    }
}

impl Desk {
    /// Opens both sockets in a directory, which is made if it is missing. `group` (a group id) may speak, too.
    ///
    /// # Errors
    /// If another daemon answers there, or the directory cannot be written.
    pub fn open(directory: &Path, group: Option<u32>) -> Result<Self, ControlError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ControlError::Socket { path, source }
        };
        std::fs::create_dir_all(directory).map_err(failed(directory))?;
        let lock = lock(directory)?;
        let mut listeners = Vec::new();
        for access in [Access::Control, Access::View] {
            let path = directory.join(access.socket_name());
            if UnixStream::connect(&path).is_ok() {
                return Err(ControlError::InUse(path));
            }
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(&path)(error)),
                _ => {}
            }
            let listener = UnixListener::bind(&path).map_err(failed(&path))?;
            listener.set_nonblocking(true).map_err(failed(&path))?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o660)).map_err(failed(&path))?;
            if let Some(group) = group {
                // Only root may give a file to a group it is not in; then the owner alone can connect.
                let _ = std::os::unix::fs::chown(&path, None, Some(group));
            }
            listeners.push((access, listener));
        }
        let directory = directory.to_owned();
        Ok(Self {
            directory,
            _lock: lock,
            listeners,
            peers: Vec::new(),
            next_no: 1,
            group,
            turn: 0,
            turned_away: 0,
        })
    }

    /// What to poll: descriptors, and whether there is something to write to them.
    pub fn interests(&self) -> impl Iterator<Item = (RawFd, sys::Interest)> + '_ {
        let listeners = self.listeners.iter().map(|(_, l)| (l.as_raw_fd(), sys::Interest::Read));
        let peers = self.peers.iter().map(|peer| {
            let interest =
                if peer.outgoing.is_empty() { sys::Interest::Read } else { sys::Interest::ReadWrite };
            (peer.stream.as_raw_fd(), interest)
        });
        listeners.chain(peers)
    }

    /// Peers sent away because all seats were taken.
    pub fn turned_away(&self) -> u64 {
        self.turned_away
    }

    /// Takes in new peers, reads what they sent, writes what they wait for, and returns their requests. Lines
    /// that are no requests are answered here.
    pub fn turn(&mut self) -> Vec<Request> {
        self.turn += 1;
        self.accept();
        let mut requests = Vec::new();
        let mut peers = std::mem::take(&mut self.peers);
        peers.retain_mut(|peer| {
            let before = requests.len();
            let presence = peer.turn(&mut requests);
            if requests.len() > before {
                peer.heard = self.turn;
            }
            presence == Presence::Stays
        });
        self.peers = peers;
        requests
    }

    fn accept(&mut self) {
        let group = self.group;
        for index in 0..self.listeners.len() {
            while let Some((access, listener)) = self.listeners.get(index)
                && let Ok((mut stream, _)) = listener.accept()
            {
                let (access, Ok(peer)) = (*access, sys::peer_of(&stream)) else { continue };
                let admitted = peer.uid == 0 || peer.uid == sys::own_uid() || group == Some(peer.gid);
                let refusal = if !admitted {
                    "{\"id\":null,\"error\":{\"code\":\"forbidden\",\"message\":\"not allowed\"}}\n"
                } else if stream.set_nonblocking(true).is_err() || !self.make_room() {
                    self.turned_away += 1;
                    BUSY
                } else {
                    self.seat(stream, access, peer);
                    continue;
                };
                // It may be gone already.
                let _ = stream.write_all(refusal.as_bytes());
            }
        }
    }

    fn seat(&mut self, stream: UnixStream, access: Access, peer: Peer) {
        self.peers.push(Connected {
            no: PeerNo(self.next_no),
            stream,
            access,
            peer,
            incoming: Vec::new(),
            outgoing: VecDeque::new(),
            listening: Listening::No,
            heard: self.turn,
        });
        self.next_no += 1;
    }

    /// Whether there is a seat, if need be that of who has asked nothing for longest. Who came in this turn had no
    /// chance to ask yet.
    fn make_room(&mut self) -> bool {
        if self.peers.len() < MAX_PEERS {
            return true;
        }
        let idle = |(_, peer): &(usize, &Connected)| {
            peer.listening == Listening::No && peer.outgoing.is_empty() && peer.heard < self.turn
        };
        let peers = self.peers.iter().enumerate();
        let Some((index, _)) = peers.filter(idle).min_by_key(|(_, peer)| peer.heard) else { return false };
        let mut idle = self.peers.remove(index);
        self.turned_away += 1;
        // It may be gone already.
        let _ = idle.stream.write_all(BUSY.as_bytes());
        true
    }

    /// Answers a request, with JSON as text. A peer that has left meanwhile is no error.
    pub fn answer(&mut self, request: &Request, outcome: Result<String, Refusal<'_>>) {
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.no == request.peer) else { return };
        match outcome {
            Ok(result) => peer.answer(&request.id, result),
            Err(error) => peer.queue(&Refused { id: &request.id, error }),
        }
    }

    /// From now on who asks hears of events, unless too many do.
    pub fn subscribe(&mut self, request: &Request) {
        let listeners = self.peers.iter().filter(|peer| peer.listening == Listening::Events).count();
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.no == request.peer) else { return };
        if peer.listening == Listening::No && listeners >= MAX_LISTENERS {
            let error = Refusal { code: "busy", message: "too many hear of events already" };
            return peer.queue(&Refused { id: &request.id, error });
        }
        peer.listening = Listening::Events;
        peer.answer(&request.id, serde_json::json!({ "subscribed": true }).to_string());
    }

    /// Tells everybody who listens.
    pub fn publish(&mut self, event: &Value) {
        for peer in self.peers.iter_mut().filter(|peer| peer.listening == Listening::Events) {
            peer.queue(event);
        }
    }
}

/// The right to answer in a directory. `None` where it cannot be had for lack of rights to the file: then whoever
/// answers at the socket decides.
fn lock(directory: &Path) -> Result<Option<File>, ControlError> {
    let path = directory.join("lock");
    let Ok(file) = File::options().create(true).append(true).open(&path) else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(ControlError::InUse(path)),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// Whether a peer keeps its seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Stays,
    Leaves,
}

impl Connected {
    fn turn(&mut self, requests: &mut Vec<Request>) -> Presence {
        if self.flush() == Presence::Leaves || self.outgoing.len() > 2 * MAX_PENDING_BYTES {
            return Presence::Leaves;
        }
        let mut chunk = [0; 4096];
        for _ in 0..=MAX_REQUEST_BYTES / chunk.len() {
            match self.stream.read(&mut chunk) {
                Ok(0) => {
                    self.take_lines(requests);
                    // What was asked before hanging up is still answered if it can be written now.
                    return if requests.iter().any(|r| r.peer == self.no) {
                        Presence::Stays
                    } else {
                        Presence::Leaves
                    };
                }
                Ok(len) => self.incoming.extend_from_slice(&chunk[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Presence::Leaves,
            }
            if self.incoming.len() > MAX_REQUEST_BYTES {
                break;
            }
        }
        self.take_lines(requests);
        if self.incoming.len() > MAX_REQUEST_BYTES && !self.incoming.contains(&b'\n') {
            self.refuse("too_long", "the request is too long");
            let _ = self.flush();
            return Presence::Leaves;
        }
        self.flush()
    }

    fn take_lines(&mut self, requests: &mut Vec<Request>) {
        for _ in 0..MAX_REQUESTS_PER_TURN {
            let Some(end) = self.incoming.iter().position(|&b| b == b'\n') else { return };
            let line: Vec<u8> = self.incoming.drain(..=end).collect();
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match serde_json::from_slice::<Line>(&line) {
                Ok(Line { id, method, params }) => {
                    let (peer, access, uid) = (self.no, self.access, self.peer.uid);
                    requests.push(Request { peer, access, uid, id, method, params });
                }
                Err(error) => self.refuse("bad_request", &error.to_string()),
            }
        }
    }

    fn refuse(&mut self, code: &str, message: &str) {
        self.queue(&Refused { id: &Value::Null, error: Refusal { code, message } });
    }

    fn queue(&mut self, message: &impl Serialize) {
        if self.has_room() && serde_json::to_writer(&mut self.outgoing, message).is_ok() {
            self.outgoing.push_back(b'\n');
            let _ = self.flush();
        }
    }

    /// Sends a long answer without a second copy of it: what is sent already leaves the text as the only buffer.
    fn answer(&mut self, id: &Value, mut result: String) {
        if !self.has_room() {
            return;
        }
        self.outgoing.extend(format!("{{\"id\":{id},\"result\":").as_bytes());
        result.push_str("}\n");
        let _ = self.flush();
        if self.outgoing.is_empty() {
            self.outgoing = VecDeque::from(result.into_bytes());
        } else {
            self.outgoing.extend(result.as_bytes());
        }
        let _ = self.flush();
    }

    /// Whether a peer reads what it asks for. One that does not is disconnected at its next turn; until then nothing
    /// more is kept for it.
    fn has_room(&mut self) -> bool {
        let room = self.outgoing.len() <= MAX_PENDING_BYTES;
        if !room {
            self.outgoing.resize(2 * MAX_PENDING_BYTES + 1, b' ');
        }
        room
    }

    fn flush(&mut self) -> Presence {
        while !self.outgoing.is_empty() {
            let (front, _) = self.outgoing.as_slices();
            match self.stream.write(front) {
                Ok(0) => return Presence::Leaves,
                Ok(len) => drop(self.outgoing.drain(..len)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Presence::Leaves,
            }
        }
        if self.outgoing.is_empty() && self.outgoing.capacity() > MAX_KEPT_BYTES {
            self.outgoing = VecDeque::new();
        }
        Presence::Stays
    }
}

/// The other end: what the command line, rpcd and the hook runner use.
#[derive(Debug)]
pub struct Caller {
    path: PathBuf,
    stream: UnixStream,
    incoming: Vec<u8>,
}

impl Caller {
    /// Connects to one of the sockets in a directory.
    ///
    /// # Errors
    /// If no daemon answers there or we may not speak to it.
    pub fn connect(directory: &Path, access: Access) -> Result<Self, ControlError> {
        let path = directory.join(access.socket_name());
        let failed = |source| ControlError::Socket { path: path.clone(), source };
        let stream = UnixStream::connect(&path).map_err(failed)?;
        stream.set_read_timeout(Some(CALL_LIMIT)).map_err(failed)?;
        stream.set_write_timeout(Some(CALL_LIMIT)).map_err(failed)?;
        Ok(Self { path, stream, incoming: Vec::new() })
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// If the daemon refuses, leaves or does not answer within ten seconds.
    pub fn call(&mut self, method: &str, params: &Value) -> Result<Value, ControlError> {
        let mut line = serde_json::json!({ "id": 1, "method": method, "params": params }).to_string();
        line.push('\n');
        let sent = self.stream.write_all(line.as_bytes()).map_err(|source| self.broken(source));
        // Who is sent away before it could ask is told why.
        let mut answer = self.next_message().map_err(|error| sent.err().unwrap_or(error))?;
        if let Some(error) = answer.get("error") {
            let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            return Err(ControlError::Refused { code: text("code"), message: text("message") });
        }
        answer.get_mut("result").map(Value::take).ok_or(ControlError::Garbled)
    }

    /// The next message, e.g. an event after `subscribe`.
    ///
    /// # Errors
    /// If the daemon leaves, or nothing comes within ten seconds ([`ErrorKind::WouldBlock`]).
    pub fn next_message(&mut self) -> Result<Value, ControlError> {
        let mut chunk = [0; 16 * 1024];
        // A long answer comes in many chunks: each byte is looked at once.
        let mut looked_at = 0;
        loop {
            if let Some(end) = self.incoming[looked_at..].iter().position(|&b| b == b'\n') {
                let line: Vec<u8> = self.incoming.drain(..=looked_at + end).collect();
                return serde_json::from_slice(&line).map_err(|_| ControlError::Garbled);
            }
            looked_at = self.incoming.len();
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(self.broken(ErrorKind::UnexpectedEof.into())),
                Ok(len) => self.incoming.extend_from_slice(&chunk[..len]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(self.broken(source)),
            }
        }
    }

    fn broken(&self, source: io::Error) -> ControlError {
        ControlError::Socket { path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests;
