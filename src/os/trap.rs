//! Last words. The build for routers has no panic texts (.cargo/build-std.toml): a bug that would panic is a trap
//! instruction, and without this the log would show only that procd has started the service again.
//!
//! What can be told cheaply is where: the address of the instruction. The binary is linked at fixed addresses, so
//! that the same sources built with symbols (`make size` leaves them in target/weigh) give function and line.
#![expect(unsafe_code, reason = "sigaction")]

use std::mem::zeroed;
use std::ptr::null_mut;

const BEFORE: &[u8] = b"streamguard: stopped by a fault in itself, please report: version ";
const VERSION: &[u8] = env!("CARGO_PKG_VERSION").as_bytes();
const LONGEST: usize = BEFORE.len() + VERSION.len() + "  at 0x0123456789abcdef\n".len();

/// From now on a trap or a bad memory access writes one line to standard error before it ends the process as ever.
/// procd hands that to the system log.
pub fn report() {
    // SAFETY: zeros are a valid `sigaction`; the handler calls nothing but write(2) and raise(3), which signal-safety(7)
    // allows; SA_RESETHAND leaves the second signal to the kernel.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = on_trap as extern "C" fn(_, _, _) as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESETHAND | libc::SA_ONSTACK;
        for signal in [libc::SIGILL, libc::SIGTRAP, libc::SIGSEGV, libc::SIGBUS] {
            libc::sigaction(signal, &raw const action, null_mut());
        }
    }
}

extern "C" fn on_trap(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel gives a valid `siginfo_t` to handlers that ask for one; these signals carry an address.
    let at = unsafe { (*info).si_addr() } as usize;
    let mut line = [0; LONGEST];
    let len = compose(&mut line, at);
    // SAFETY: the bytes are ours, and there is nothing to do if they cannot be written. The signal is raised again
    // because one that somebody sent does not come back by itself.
    unsafe {
        libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), len);
        libc::raise(signal);
    }
}

/// The line, without the formatter: it may be what has failed.
fn compose(line: &mut [u8; LONGEST], address: usize) -> usize {
    let digits = (0..usize::BITS / 4).rev().map(|place| b"0123456789abcdef"[address >> (4 * place) & 15]);
    let text = BEFORE.iter().chain(VERSION).chain(b" at 0x").copied().chain(digits).chain(*b"\n");
    line.iter_mut().zip(text).map(|(to, byte)| *to = byte).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_name_version_and_address() {
        let mut line = [0; LONGEST];
        let len = compose(&mut line, 0x12ab);
        let text = std::str::from_utf8(&line[..len]).unwrap();
        assert!(text.contains(env!("CARGO_PKG_VERSION")) && text.ends_with("12ab\n"), "{text}");
    }
}
