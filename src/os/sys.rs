//! The libc calls that have no safe wrapper in the crates we use, each made safe here, once.
//!
//! Nothing in this file decides anything. A function takes plain values, makes one call (or one that only works
//! as a pair) and returns `io::Result`.
#![expect(unsafe_code, reason = "libc")]

use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

/// Turns the C convention (-1 and `errno`) into a result.
fn checked(code: libc::c_int) -> io::Result<libc::c_int> {
    if code < 0 { Err(io::Error::last_os_error()) } else { Ok(code) }
}

/// Makes reads return `WouldBlock` instead of waiting.
///
/// # Errors
/// If the descriptor is not open.
pub fn set_nonblocking(fd: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: F_GETFL and F_SETFL take and return integers; the descriptor is borrowed, hence open.
    let flags = checked(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: as above.
    checked(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) })?;
    Ok(())
}

/// Which of a socket's kernel buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buffer {
    /// What waits to be sent.
    Send,
    /// What waits to be read.
    Receive,
}

/// Raises a socket's kernel buffer to `bytes`, beyond the administrator's limit if we may (CAP_NET_ADMIN).
///
/// # Errors
/// If neither the forced nor the ordinary option is accepted.
pub fn set_buffer(fd: &impl AsRawFd, which: Buffer, bytes: u32) -> io::Result<()> {
    let (forced, ordinary) = match which {
        Buffer::Send => (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
        Buffer::Receive => (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
    };
    let size = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    set_option(fd, forced, size).or_else(|_| set_option(fd, ordinary, size))
}

fn set_option(fd: &impl AsRawFd, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let len = size_of_val(&value) as libc::socklen_t;
    // SAFETY: `value` lives through the call and `len` is its size.
    checked(unsafe {
        libc::setsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, name, (&raw const value).cast(), len)
    })?;
    Ok(())
}

/// Waits until one descriptor can be read, or the time is over.
///
/// # Errors
/// If poll(2) fails for another reason than a signal.
pub fn wait_readable(fd: RawFd, limit: Duration) -> io::Result<Readiness> {
    let mut entry = [libc::pollfd { fd, events: libc::POLLIN, revents: 0 }];
    let millis = libc::c_int::try_from(limit.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: one entry, and we say so.
    match checked(unsafe { libc::poll(entry.as_mut_ptr(), 1, millis) }) {
        Ok(0) => Ok(Readiness::TimedOut),
        Ok(_) => Ok(Readiness::Readable),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Readiness::TimedOut),
        Err(error) => Err(error),
    }
}

/// What [`wait_readable`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// There is something to read, or the peer has gone.
    Readable,
    /// Nothing came in time.
    TimedOut,
}

/// Gives the calling thread a network namespace of its own.
///
/// # Errors
/// If we may not (CAP_SYS_ADMIN) or the kernel cannot.
#[cfg(test)]
pub(crate) fn unshare_network() -> io::Result<()> {
    // SAFETY: affects the calling thread only and takes no memory.
    checked(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
    Ok(())
}
