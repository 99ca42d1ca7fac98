//! The libc calls that have no safe wrapper in the crates we use, each made safe here, once.
//!
//! Nothing in this file decides anything. A function takes plain values, makes one call (or one that only works
//! as a pair) and returns `io::Result`.
#![expect(unsafe_code, reason = "libc")]

use std::io;
use std::mem::{size_of_val, zeroed};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
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

/// Begins to connect to an address and does not wait: the socket can be written once the connection is there.
///
/// # Errors
/// If there is no route, or no descriptor left.
pub fn connect_soon(to: SocketAddr) -> io::Result<OwnedFd> {
    let family = if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: plain integers in, a descriptor out.
    let fd = checked(unsafe { libc::socket(family, kind, 0) })?;
    // SAFETY: it was just made and is nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: both are plain old data, for which zeros are valid.
    let (mut four, mut six): (libc::sockaddr_in, libc::sockaddr_in6) = unsafe { (zeroed(), zeroed()) };
    let (address, len): (*const libc::sockaddr, usize) = match to {
        SocketAddr::V4(to) => {
            four.sin_family = libc::AF_INET as libc::sa_family_t;
            four.sin_port = to.port().to_be();
            four.sin_addr.s_addr = u32::from_ne_bytes(to.ip().octets());
            ((&raw const four).cast(), size_of_val(&four))
        }
        SocketAddr::V6(to) => {
            six.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            six.sin6_port = to.port().to_be();
            six.sin6_addr.s6_addr = to.ip().octets();
            six.sin6_scope_id = to.scope_id();
            ((&raw const six).cast(), size_of_val(&six))
        }
    };
    // SAFETY: the address lives through the call and `len` is its size.
    match checked(unsafe { libc::connect(socket.as_raw_fd(), address, len as libc::socklen_t) }) {
        Ok(_) => Ok(socket),
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(socket),
        Err(error) => Err(error),
    }
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

/// Nanoseconds of the monotonic clock.
///
/// # Errors
/// If there is none.
pub fn monotonic_ns() -> io::Result<i64> {
    clock_ns(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds since the Unix epoch by the wall clock.
///
/// # Errors
/// If there is none.
pub fn wall_ns() -> io::Result<i64> {
    clock_ns(libc::CLOCK_REALTIME)
}

fn clock_ns(clock: libc::clockid_t) -> io::Result<i64> {
    // SAFETY: all zero is a valid time; some targets pad the structure.
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills the structure we own.
    checked(unsafe { libc::clock_gettime(clock, &raw mut time) })?;
    #[allow(clippy::unnecessary_cast, clippy::useless_conversion, reason = "32 bits wide on some targets")]
    Ok(i64::from(time.tv_sec).saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as i64))
}

/// Whether something (NTP, PTP) disciplines the wall clock.
///
/// # Errors
/// If the kernel does not say.
pub fn clock_is_disciplined() -> io::Result<bool> {
    // SAFETY: all zero is a valid `timex` and asks for nothing to be changed.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills the structure we own.
    let code = checked(unsafe { libc::adjtimex(&raw mut state) })?;
    Ok(code != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0)
}

/// Who is at the other end of a unix socket, according to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
}

/// Asks the kernel who connected (SO_PEERCRED).
///
/// # Errors
/// If it is no connected unix socket.
pub fn peer_of(fd: &impl AsRawFd) -> io::Result<Peer> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut len = size_of_val(&peer) as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to the structure we own.
    checked(unsafe {
        let value = (&raw mut peer).cast();
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, value, &raw mut len)
    })?;
    Ok(Peer { uid: peer.uid, gid: peer.gid })
}

/// The user we act as.
pub fn own_uid() -> u32 {
    // SAFETY: takes nothing, cannot fail.
    unsafe { libc::geteuid() }
}

/// Runs something beside the caller: `replay --listen` its gateway.
pub fn beside(work: impl FnOnce() + Send + 'static) {
    // Not joined: it ends with the process.
    drop(std::thread::spawn(work));
}

/// What a descriptor is polled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to read.
    Read,
    /// Also room to write.
    ReadWrite,
}

/// Waits until one of the descriptors is ready or the time is over, and calls `ready` with the index of each that
/// is. A signal ends the wait early with nothing ready.
///
/// # Errors
/// If poll(2) fails for another reason than a signal.
pub fn poll(entries: &[(RawFd, Interest)], limit: Duration, mut ready: impl FnMut(usize)) -> io::Result<()> {
    let mut fds: Vec<libc::pollfd> = entries
        .iter()
        .map(|&(fd, interest)| {
            let events = match interest {
                Interest::Read => libc::POLLIN,
                Interest::ReadWrite => libc::POLLIN | libc::POLLOUT,
            };
            libc::pollfd { fd, events, revents: 0 }
        })
        .collect();
    // Rounded up: a timer that is due in half a millisecond must not be polled for in a busy loop.
    let millis = libc::c_int::try_from(limit.as_micros().div_ceil(1_000)).unwrap_or(libc::c_int::MAX);
    // SAFETY: as many entries as we say.
    match checked(unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, millis) }) {
        Ok(_) => {
            let hit = fds.iter().enumerate().filter(|(_, fd)| fd.revents != 0);
            hit.for_each(|(index, _)| ready(index));
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        Err(error) => Err(error),
    }
}

/// The signals a daemon is told things by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// TERM or INT: leave.
    Leave,
    /// HUP: read the configuration again.
    Reload,
    /// USR1: say how things are.
    Report,
}

/// Those signals as something to poll.
#[derive(Debug)]
pub struct Signals {
    fd: std::os::fd::OwnedFd,
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl Signals {
    /// Blocks the signals and opens a descriptor they arrive at. A broken pipe becomes an error of the write.
    ///
    /// # Errors
    /// If the kernel has no signalfd.
    pub fn open() -> io::Result<Self> {
        use std::os::fd::FromRawFd;
        // SAFETY: the set is ours and initialised by sigemptyset; the descriptor is new and owned by nobody else.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR1] {
                libc::sigaddset(&raw mut set, signal);
            }
            checked(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()))?;
            let fd = checked(libc::signalfd(-1, &raw const set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC))?;
            Ok(Self { fd: std::os::fd::OwnedFd::from_raw_fd(fd) })
        }
    }

    /// The next signal that has arrived.
    pub fn take(&mut self) -> Option<Signal> {
        // SAFETY: all zero is a valid `signalfd_siginfo`; the kernel writes one of them or nothing.
        let (info, read) = unsafe {
            let mut info: libc::signalfd_siginfo = std::mem::zeroed();
            let len = size_of_val(&info);
            let read = libc::read(self.fd.as_raw_fd(), (&raw mut info).cast(), len);
            (info, read)
        };
        if read < size_of_val(&info) as isize {
            return None;
        }
        match info.ssi_signo as libc::c_int {
            libc::SIGHUP => Some(Signal::Reload),
            libc::SIGUSR1 => Some(Signal::Report),
            _ => Some(Signal::Leave),
        }
    }
}

/// Columns and rows of the terminal that standard output is, if it is one and knows.
pub fn screen() -> Option<(usize, usize)> {
    // SAFETY: all zero is a valid `winsize`; the kernel writes one or nothing.
    let size = unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        checked(libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size)).ok()?;
        size
    };
    let size = (usize::from(size.ws_col), usize::from(size.ws_row));
    (size.0 > 0 && size.1 > 0).then_some(size)
}

/// Kills a program and all that it has started since [`std::os::unix::process::CommandExt::process_group`] gave it a
/// group of its own.
///
/// # Errors
/// If there is none such any more.
pub fn kill_group(leader: u32) -> io::Result<()> {
    let group = libc::pid_t::try_from(leader).ok().filter(|group| *group > 1);
    let group = group.ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: takes integers.
    checked(unsafe { libc::kill(-group, libc::SIGKILL) }).map(drop)
}

/// What is not given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// CAP_NET_ADMIN and CAP_NET_RAW: what capture and netlink need.
    Capture,
    /// No capability.
    Nothing,
}

/// Gives up everything but what is to be kept and becomes another user, for good: not even a program started by us
/// can get more again.
///
/// # Errors
/// If a step is refused; some may have been taken then.
pub fn drop_privileges(uid: u32, gid: u32, keep: Keep) -> io::Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    const CAP_NET_ADMIN: u32 = 12;
    const CAP_NET_RAW: u32 = 13;
    #[repr(C)]
    struct Header {
        version: u32,
        pid: libc::c_int,
    }
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    let kept = match keep {
        Keep::Capture => 1 << CAP_NET_ADMIN | 1 << CAP_NET_RAW,
        Keep::Nothing => 0,
    };
    let header = Header { version: VERSION_3, pid: 0 };
    let low = Data { effective: kept, permitted: kept, inheritable: 0 };
    let data = [low, Data::default()];
    // SAFETY: the calls take integers, or pointers to structures of the layout that linux/capability.h gives for
    // version 3, which live through the call.
    unsafe {
        checked(libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0))?;
        checked(libc::setgroups(0, std::ptr::null()))?;
        checked(libc::setresgid(gid, gid, gid))?;
        checked(libc::setresuid(uid, uid, uid))?;
        let code = libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr());
        checked(libc::c_int::try_from(code).unwrap_or(-1))?;
        checked(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
    }
    Ok(())
}
