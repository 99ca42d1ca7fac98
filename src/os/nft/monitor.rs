//! What others do to the firewall, as it happens.
//!
//! `firewall stop` and `nft flush ruleset` remove every table, ours included. The kernel tells all who listen; a
//! change of our table that we did not cause means: look and put right what is missing. If events come faster
//! than we read, the kernel drops some and says so, which is treated as a change.

use std::os::fd::{AsRawFd, RawFd};

use super::layout::TABLE;
use crate::os::netlink::{Message, Netlink, NetlinkError, attribute, messages};

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody else touched our table, or we cannot tell.
    OurTable,
    /// A flowtable came or went: the router's offloading may have changed.
    Flowtables,
}

/// A subscription to nf_tables' events.
#[derive(Debug)]
pub struct Monitor {
    netlink: Netlink,
}

impl AsRawFd for Monitor {
    fn as_raw_fd(&self) -> RawFd {
        self.netlink.as_raw_fd()
    }
}

impl Monitor {
    /// Subscribes.
    ///
    /// # Errors
    /// If the kernel has no nfnetlink or we may not listen (CAP_NET_ADMIN).
    pub fn open() -> Result<Self, NetlinkError> {
        Ok(Self { netlink: Netlink::listen(mnl::Bus::Netfilter, &[libc::NFNLGRP_NFTABLES as u32])? })
    }

    /// Everything that has happened since the last call, without waiting; each kind of event at most once.
    /// Changes caused by the socket with the port `own` are not news.
    pub fn poll(&mut self, own: u32) -> Vec<Event> {
        let mut events = Vec::new();
        let mut note = |event| {
            if !events.contains(&event) {
                events.push(event);
            }
        };
        loop {
            match self.netlink.receive() {
                Ok(None) => return events,
                Ok(Some(datagram)) => {
                    messages(datagram).filter_map(|m| classify(&m, own)).for_each(&mut note);
                }
                // Overrun (ENOBUFS): the next read goes on behind the gap.
                Err(_) => {
                    note(Event::OurTable);
                    note(Event::Flowtables);
                    return events;
                }
            }
        }
    }
}

fn classify(message: &Message<'_>, own: u32) -> Option<Event> {
    if i32::from(message.kind >> 8) != libc::NFNL_SUBSYS_NFTABLES {
        return None;
    }
    match i32::from(message.kind & 0xff) {
        libc::NFT_MSG_NEWGEN => None,
        super::offload::NEWFLOWTABLE..=super::offload::DELFLOWTABLE => Some(Event::Flowtables),
        _ => {
            // The table's name is attribute 1 of every message about a table or something in it.
            let table = attribute(message.body.get(4..)?, super::NFTA_TABLE)?;
            (table == TABLE.to_bytes_with_nul() && message.port != own).then_some(Event::OurTable)
        }
    }
}
