//! Everything the world gives: capture, files, clocks, sockets, netlink, databases. Only here.
//!
//! One file per thing outside the process. What needs a C library or Linux's netlink is behind the feature `os`,
//! so that the core builds and tests with neither.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is where the world is touched")]

#[cfg(feature = "os")]
pub mod conntrack;
pub mod files;
#[cfg(feature = "os")]
pub mod netlink;
#[cfg(feature = "os")]
pub mod nft;
#[cfg(feature = "os")]
pub mod sys;
#[cfg(all(test, feature = "os"))]
mod testing;
