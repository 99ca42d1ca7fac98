//! Everything the world gives: capture, files, clocks, sockets, netlink, databases. Only here.
//!
//! One file per thing outside the process. What needs a C library or Linux's netlink is behind the feature `os`,
//! so that the core builds and tests with neither.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is where the world is touched")]

#[cfg(feature = "os")]
pub mod capture;
#[cfg(feature = "os")]
mod child;
#[cfg(feature = "os")]
pub mod clock;
#[cfg(feature = "os")]
pub mod collector;
#[cfg(feature = "os")]
pub mod conntrack;
#[cfg(feature = "os")]
pub mod control;
#[cfg(feature = "os")]
pub mod facts;
pub mod files;
pub mod filter;
#[cfg(feature = "os")]
pub mod hooks;
#[cfg(feature = "os")]
pub mod links;
#[cfg(feature = "os")]
pub mod log;
#[cfg(target_env = "musl")]
mod memory;
#[cfg(feature = "os")]
pub mod netlink;
#[cfg(feature = "os")]
pub mod nft;
#[cfg(feature = "os")]
pub mod post;
#[cfg(feature = "os")]
pub mod recordings;
#[cfg(feature = "os")]
pub mod shaper;
#[cfg(feature = "os")]
pub mod spool;
#[cfg(feature = "os")]
pub mod store;
#[cfg(feature = "os")]
pub mod sys;
#[cfg(all(test, feature = "os"))]
mod testing;
#[cfg(feature = "os")]
pub mod trap;

// musl's `timeval` has 16 bytes on every machine since 1.2; on 32-bit ones the libc crate knows that only by a cfg.
// Without it libpcap's packet lengths are read eight bytes early and slices run out of bounds (.cargo/config.toml).
#[cfg(all(feature = "os", target_env = "musl"))]
const _: () = assert!(size_of::<libc::timeval>() == 16, "build with --cfg=libc_unstable_musl_v1_2");
