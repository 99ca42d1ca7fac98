//! The way to a flow collector: datagrams, or one connection that is made again when it breaks.
//!
//! Nothing here waits. A datagram that the kernel does not take is lost, as datagrams are; a connection takes what
//! it can, the rest waits in bounded memory, and a message is either written whole or not at all.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};

use super::sys;
use crate::config::Transport;

/// Bytes that wait for a slow connection.
const MAX_UNSENT_BYTES: usize = 256 * 1024;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// On its way.
    Yes,
    /// No room, for now.
    NotNow,
    /// The connection is gone.
    Broken,
}

enum Way {
    Datagrams(UdpSocket),
    Connection { stream: TcpStream, unsent: VecDeque<u8> },
}

/// An open way to a collector.
pub struct Collector {
    way: Way,
}

impl Collector {
    /// Opens the way; a connection is made in the background.
    ///
    /// # Errors
    /// If there is no route, or no descriptor left.
    pub fn open(to: SocketAddr, transport: Transport) -> io::Result<Self> {
        let way = match transport {
            Transport::Udp => {
                let from: SocketAddr = match to {
                    SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                    SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
                };
                let socket = UdpSocket::bind(from)?;
                socket.connect(to)?;
                socket.set_nonblocking(true)?;
                Way::Datagrams(socket)
            }
            Transport::Tcp => {
                let stream = TcpStream::from(sys::connect_soon(to)?);
                Way::Connection { stream, unsent: VecDeque::new() }
            }
        };
        Ok(Self { way })
    }

    /// Sends a message.
    pub fn send(&mut self, message: &[u8]) -> Sent {
        match &mut self.way {
            Way::Datagrams(socket) => match socket.send(message) {
                Ok(_) => Sent::Yes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => Sent::NotNow,
                // Nobody listens: the kernel tells of the datagram before. It may be back by the next.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => match socket.send(message) {
                    Ok(_) => Sent::Yes,
                    Err(_) => Sent::NotNow,
                },
                Err(_) => Sent::Broken,
            },
            Way::Connection { unsent, .. } => {
                if unsent.len() + message.len() > MAX_UNSENT_BYTES {
                    return Sent::NotNow;
                }
                unsent.extend(message);
                self.flush()
            }
        }
    }

    /// Writes what waits, and notices a collector that has left: it never says anything else.
    pub fn flush(&mut self) -> Sent {
        let Way::Connection { stream, unsent } = &mut self.way else { return Sent::Yes };
        match stream.read(&mut [0; 64]) {
            Ok(0) => return Sent::Broken,
            Ok(_) => {}
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::NotConnected => {}
                _ => return Sent::Broken,
            },
        }
        while !unsent.is_empty() {
            let (front, _) = unsent.as_slices();
            match stream.write(front) {
                Ok(0) => return Sent::Broken,
                Ok(len) => drop(unsent.drain(..len)),
                // Not connected yet, or the other end is slow.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Sent::Broken,
            }
        }
        Sent::Yes
    }

    /// Whether nothing waits to be written.
    pub fn is_idle(&self) -> bool {
        match &self.way {
            Way::Datagrams(_) => true,
            Way::Connection { unsent, .. } => unsent.is_empty(),
        }
    }
}
