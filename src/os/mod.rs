//! Everything the world gives: capture, files, clocks, sockets, netlink, databases. Only here.

#![expect(clippy::disallowed_methods, reason = "this is where the world is touched")]

pub mod files;
