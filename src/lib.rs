//! streamguard: what a household's network does, seen once, on the LAN bridge, from packet headers.
//!
//! The crate is a pipeline, and its modules are the stages in the words of a traffic analyst. A module uses
//! only those listed above it:
//!
//! ```text
//! units, time, net        the vocabulary
//! dissect                 frame -> packet
//! lan                     which end of a packet is a device of the household
//! flow                    packets of one 5-tuple
//! names                   address -> host name -> service, learnt on the way
//! window, features        what one client did in ten seconds, as numbers
//! classify, watch         numbers -> score -> session -> watch time
//! seconds                 sums of seconds in place of packets: what a corpus keeps
//! account                 bytes by client, peer, protocol, service
//! quota                   usage judged against the allowance -> standing
//! detect                  attacks, explained
//! ruleset                 the firewall we want, as a value
//! history, report         rows to keep, text to show
//! config                  UCI text -> settings
//! engine                  the only module that knows them all
//! os                      the only module that knows the world: syscalls, clocks, files, C libraries
//! methods                 what can be asked and done, over sockets, rpcd and HTTP
//! ```
//!
//! Everything but `os` (and the shell above it: `methods`, `daemon`, `cli`, `main`) takes time and bytes as arguments, so
//! that live capture, a file and a test's virtual household drive the very same code: the same bytes give the
//! same results, bit for bit.
//!
//! `cfg(router)` is the build for routers (openwrt/build.sh): all code as small as it gets but the functions on the
//! path of a packet, which say so by an attribute that only that build's compiler takes.

#![cfg_attr(router, feature(optimize_attribute))]

pub mod units;

pub mod time;

pub mod net;

pub mod dissect;

pub mod flow;

pub mod names;

pub mod lan;

pub mod window;

pub mod features;

pub mod classify;

pub mod watch;

pub mod seconds;

pub mod account;

pub mod quota;

pub mod detect;

pub mod ruleset;

pub mod history;

pub mod report;

pub mod config;

pub mod engine;

pub mod os;

#[cfg(feature = "os")]
pub mod methods;

#[cfg(feature = "os")]
pub mod uplink;

#[cfg(feature = "os")]
pub mod daemon;

#[cfg(feature = "web")]
pub mod web;

pub mod cli;
