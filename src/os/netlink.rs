//! Netlink messages: building, sending, reading, and nothing about what they mean.
//!
//! Netlink answers a request before `sendmsg` returns, so every exchange here is synchronous and bounded: send,
//! read until the kernel says it is done, give up after [`REPLY_WAIT`]. Event sockets are the exception; they are
//! polled by the daemon's loop. Replies are parsed as what they are, bytes from somebody else: a length that
//! does not fit ends the walk.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use super::sys;

/// How long a reply may take. The kernel answers in microseconds; a second means it never will.
const REPLY_WAIT: Duration = Duration::from_secs(1);
/// One datagram from the kernel: dumps come in pieces of at most 32 KiB, acknowledgements echo the request.
const RECEIVE_BYTES: usize = 128 * 1024;
/// Room for the largest batch we send, and for its acknowledgements.
const SOCKET_BUFFER_BYTES: u32 = 2 * 1024 * 1024;
/// `struct nlmsghdr`.
pub(crate) const HEADER_LEN: usize = 16;

/// What can go wrong between us and the kernel.
#[derive(Debug)]
pub enum NetlinkError {
    /// No socket: the protocol is not in this kernel, or we may not.
    Open(io::Error),
    /// The request did not leave.
    Send(io::Error),
    /// The reply could not be read.
    Receive(io::Error),
    /// The kernel refused the request with this `errno`.
    Refused(i32),
    /// The kernel did not answer within a second.
    NoReply,
}

impl fmt::Display for NetlinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(_) => f.write_str("cannot open a netlink socket"),
            Self::Send(_) => f.write_str("cannot send to the kernel"),
            Self::Receive(_) => f.write_str("cannot read the kernel's reply"),
            Self::Refused(code) => {
                write!(f, "the kernel refused: {}", io::Error::from_raw_os_error(*code))
            }
            Self::NoReply => f.write_str("the kernel did not reply"),
        }
    }
}

impl std::error::Error for NetlinkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open(error) | Self::Send(error) | Self::Receive(error) => Some(error),
            Self::Refused(_) | Self::NoReply => None,
        }
    }
}

/// One message as received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) seq: u32,
    /// The socket that caused it: 0 is the kernel itself.
    pub(crate) port: u32,
    /// What follows the header.
    pub(crate) body: &'a [u8],
    /// Header and body, for parsers that want both.
    pub(crate) whole: &'a [u8],
}

impl Message<'_> {
    /// The `errno` of an error message, 0 for an acknowledgement, `None` for anything else.
    pub(crate) fn error_code(&self) -> Option<i32> {
        (self.kind == libc::NLMSG_ERROR as u16)
            .then(|| read_i32(self.body).map_or(libc::EBADMSG, i32::wrapping_neg))
    }

    fn ends_dump(&self) -> bool {
        self.kind == libc::NLMSG_DONE as u16
    }
}

/// Walks the messages of one datagram.
pub(crate) fn messages(datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let len = read_u32(rest)? as usize;
        if len < HEADER_LEN || len > rest.len() {
            return None;
        }
        let (whole, after) = rest.split_at(len);
        rest = after.get(align(len) - len..).unwrap_or_default();
        Some(Message {
            kind: read_u16(&whole[4..])?,
            seq: read_u32(&whole[8..])?,
            port: read_u32(&whole[12..])?,
            body: &whole[HEADER_LEN..],
            whole,
        })
    })
}

/// Walks the attributes of a message or of a nested attribute: type (without its flag bits) and value.
pub(crate) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let len = usize::from(read_u16(rest)?);
        let kind = read_u16(rest.get(2..)?)?;
        if len < 4 || len > rest.len() {
            return None;
        }
        let value = &rest[4..len];
        rest = rest.get(align(len)..).unwrap_or_default();
        Some((kind & libc::NLA_TYPE_MASK as u16, value))
    })
}

/// The first attribute of a type.
pub(crate) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(found, value)| (found == kind).then_some(value))
}

/// Host byte order, as netlink headers are.
pub(crate) fn read_u16(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|b| u16::from_ne_bytes(*b))
}

/// Host byte order.
pub(crate) fn read_u32(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|b| u32::from_ne_bytes(*b))
}

fn read_i32(bytes: &[u8]) -> Option<i32> {
    bytes.first_chunk().map(|b| i32::from_ne_bytes(*b))
}

/// Netlink aligns to four bytes.
const fn align(len: usize) -> usize {
    (len + 3) & !3
}

/// Builds one request.
pub(crate) struct Request {
    bytes: Vec<u8>,
}

impl Request {
    /// A message of this type with these flags; `NLM_F_REQUEST` is implied.
    pub(crate) fn new(kind: u16, flags: i32) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&((flags | libc::NLM_F_REQUEST) as u16).to_ne_bytes());
        bytes.extend_from_slice(&[0; 8]);
        Self { bytes }
    }

    /// The fixed part that follows the header, or any raw bytes.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self.pad();
        self
    }

    /// One attribute.
    pub(crate) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let len = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&len.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.pad();
        self
    }

    /// Attributes inside an attribute.
    pub(crate) fn nested(mut self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let start = self.bytes.len();
        self = fill(self.attribute(kind | libc::NLA_F_NESTED as u16, &[]));
        let len = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        self.bytes[start..start + 2].copy_from_slice(&len.to_ne_bytes());
        self
    }

    fn pad(&mut self) {
        self.bytes.resize(align(self.bytes.len()), 0);
    }

    /// The bytes to send, numbered.
    pub(crate) fn finish(mut self, seq: u32) -> Vec<u8> {
        let len = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&len.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&seq.to_ne_bytes());
        self.bytes
    }
}

/// A netlink socket with a buffer of its own.
pub(crate) struct Netlink {
    socket: mnl::Socket,
    next_seq: u32,
    buffer: Vec<u8>,
}

impl fmt::Debug for Netlink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Netlink({})", self.socket.as_raw_fd())
    }
}

impl AsRawFd for Netlink {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl Netlink {
    /// A socket for requests.
    ///
    /// # Errors
    /// [`NetlinkError::Open`] if the kernel lacks the protocol.
    pub(crate) fn open(bus: mnl::Bus) -> Result<Self, NetlinkError> {
        Self::listen(bus, &[])
    }

    /// A socket for the events of these multicast groups (numbers, not bits).
    ///
    /// # Errors
    /// [`NetlinkError::Open`] if the kernel lacks the protocol or we may not listen.
    pub(crate) fn listen(bus: mnl::Bus, groups: &[u32]) -> Result<Self, NetlinkError> {
        let socket = mnl::Socket::open(bus).map_err(NetlinkError::Open)?;
        let mask = groups.iter().fold(0, |mask, group| mask | 1 << group.saturating_sub(1));
        socket.bind(mask, mnl::mnl_sys::MNL_SOCKET_AUTOPID).map_err(NetlinkError::Open)?;
        let this = Self { socket, next_seq: 1, buffer: vec![0; RECEIVE_BYTES] };
        sys::set_nonblocking(&this).map_err(NetlinkError::Open)?;
        for which in [sys::Buffer::Send, sys::Buffer::Receive] {
            sys::set_buffer(&this, which, SOCKET_BUFFER_BYTES).map_err(NetlinkError::Open)?;
        }
        Ok(this)
    }

    /// The kernel's name for this socket; events we caused ourselves carry it.
    pub(crate) fn port(&self) -> u32 {
        self.socket.portid()
    }

    /// Numbers a run of `count` messages.
    pub(crate) fn reserve(&mut self, count: u32) -> u32 {
        let first = self.next_seq;
        self.next_seq = self.next_seq.wrapping_add(count).max(1);
        first
    }

    /// Sends bytes as one datagram.
    pub(crate) fn send(&self, datagram: &[u8]) -> Result<(), NetlinkError> {
        match self.socket.send(datagram) {
            Ok(sent) if sent == datagram.len() => Ok(()),
            Ok(_) => Err(NetlinkError::Send(io::ErrorKind::WriteZero.into())),
            Err(error) => Err(NetlinkError::Send(error)),
        }
    }

    /// The next datagram that is already there, `None` if there is none.
    pub(crate) fn receive(&mut self) -> Result<Option<&[u8]>, NetlinkError> {
        match self.socket.recv_raw(&mut self.buffer) {
            Ok(len) => Ok(Some(&self.buffer[..len])),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(NetlinkError::Receive(error)),
        }
    }

    /// Sends a request that asks for an acknowledgement and waits for it.
    ///
    /// # Errors
    /// [`NetlinkError::Refused`] with the kernel's reason, or what failed on the way.
    pub(crate) fn request(&mut self, request: Request) -> Result<(), NetlinkError> {
        self.dump(request, |_| ())
    }

    /// Sends a request and hands every message of the reply to `each`, until the dump or acknowledgement ends it.
    ///
    /// # Errors
    /// As [`Netlink::request`].
    pub(crate) fn dump(
        &mut self,
        request: Request,
        mut each: impl FnMut(&Message<'_>),
    ) -> Result<(), NetlinkError> {
        let seq = self.reserve(1);
        self.send(&request.finish(seq))?;
        loop {
            let Some(datagram) = self.receive()? else {
                match sys::wait_readable(self.as_raw_fd(), REPLY_WAIT).map_err(NetlinkError::Receive)? {
                    sys::Readiness::Readable => continue,
                    sys::Readiness::TimedOut => return Err(NetlinkError::NoReply),
                }
            };
            for message in messages(datagram).filter(|message| message.seq == seq) {
                match message.error_code() {
                    Some(0) => return Ok(()),
                    Some(code) => return Err(NetlinkError::Refused(code)),
                    None if message.ends_dump() => return Ok(()),
                    None => each(&message),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_read_back_as_they_were_built() {
        let bytes = Request::new(7, libc::NLM_F_ACK)
            .raw(&[1, 2, 3, 4])
            .attribute(5, &[9; 3])
            .nested(6, |r| r.attribute(1, &[1, 0, 0, 0]).attribute(2, b"ab"))
            .finish(42);
        let [message] = messages(&bytes).collect::<Vec<_>>().try_into().unwrap();
        assert_eq!((message.kind, message.seq, message.port), (7, 42, 0));
        let body = &message.body[4..];
        assert_eq!(attribute(body, 5), Some(&[9u8; 3][..]));
        let inner = attribute(body, 6).unwrap();
        assert_eq!(attributes(inner).collect::<Vec<_>>(), [(1, &[1u8, 0, 0, 0][..]), (2, &b"ab"[..])]);
    }

    #[test]
    fn lengths_that_do_not_fit_end_the_walk() {
        let mut bytes = Request::new(7, 0).attribute(5, &[9; 8]).finish(1);
        bytes[16] = 200;
        let message = messages(&bytes).next().unwrap();
        assert_eq!(attributes(message.body).count(), 0);
        bytes[0] = 15;
        assert_eq!(messages(&bytes).count(), 0);
        bytes[0] = 255;
        assert_eq!(messages(&bytes).count(), 0);
        for cut in 0..bytes.len() {
            messages(&bytes[..cut]).for_each(|m| attributes(m.body).for_each(drop));
        }
    }

    #[test]
    fn errors_carry_their_errno() {
        let mut body = (-libc::ENOENT).to_ne_bytes().to_vec();
        body.extend_from_slice(&[0; 16]);
        let bytes = Request::new(libc::NLMSG_ERROR as u16, 0).raw(&body).finish(3);
        assert_eq!(messages(&bytes).next().unwrap().error_code(), Some(libc::ENOENT));
    }
}
