//! The kernel's firewall made to match a value.
//!
//! The table `inet streamguard` is a projection of a [`Ruleset`]: [`Firewall::apply`] takes the whole of it,
//! compares with what the kernel holds, and sends the difference as one transaction that happens entirely or not
//! at all. Every message of it must be acknowledged, and afterwards the kernel is asked again: what we report is
//! what it holds, not what we believe. `nft` is never run, other tables are never touched.
//!
//! Elements carry timeouts, so a daemon that dies fails open when the quota would have been reset anyway. Kernels
//! before 6.12 silently ignore a new timeout on a live element, so a refresh deletes and adds it in the same
//! transaction; an element that expired between our look and our transaction makes the deletion fail with ENOENT,
//! and then one more look settles it.

use std::collections::BTreeMap;
use std::fmt;

use nftnl::MsgType;

use super::netlink::{self, Netlink, NetlinkError, Request};
use crate::ruleset::{Changes, Element, Key, Ruleset, SetName, diff};
use crate::time::{Duration, Moment};
use object::{Batch, Elements, Finished, Set};

mod layout;
mod monitor;
mod object;
mod offload;

pub use monitor::{Event, Monitor};
pub use offload::{Flowtable, OffloadKind};

/// Looks and transactions before we report what is missing.
const ATTEMPTS: usize = 3;
/// An element without a timeout, which only somebody else can have put there, ends in this far future.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// What an element has matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Matched {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What the kernel holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Elements and when they end.
    pub sets: BTreeMap<SetName, BTreeMap<Key, Moment>>,
    /// What each has matched.
    pub matched: BTreeMap<(SetName, Key), Matched>,
}

/// What [`Firewall::apply`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Whether the table had to be laid down anew.
    pub rebuilt: Rebuilt,
    /// Elements added or refreshed: their flows' conntrack entries have to go, too.
    pub added: Vec<Element>,
    /// Elements removed, those that were only refreshed included.
    pub deleted: usize,
    /// What the kernel holds now, read back.
    pub contents: Contents,
}

/// Whether the table was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rebuilt {
    /// It was, and was as we left it.
    No,
    /// It was not, or not as we left it: all of it was written.
    Yes,
}

/// Why the kernel does not hold what we want.
#[derive(Debug)]
pub enum FirewallError {
    /// Talking to the kernel failed.
    Netlink(NetlinkError),
    /// The kernel refused one message of a transaction, and hence all.
    Refused {
        /// What the message was about.
        what: String,
        /// The kernel's `errno`.
        code: i32,
    },
    /// The kernel did not acknowledge every message.
    Unacknowledged {
        /// How many it did not.
        missing: usize,
    },
    /// The kernel acknowledged, but on reading back lacks elements.
    Missing {
        /// How many.
        elements: usize,
    },
}

impl fmt::Display for FirewallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Netlink(_) => f.write_str("nftables does not answer"),
            Self::Refused { what, code } => {
                write!(f, "the kernel refused {what}: {}", std::io::Error::from_raw_os_error(*code))
            }
            Self::Unacknowledged { missing } => write!(f, "{missing} messages were not acknowledged"),
            Self::Missing { elements } => write!(f, "{elements} elements did not arrive"),
        }
    }
}

impl std::error::Error for FirewallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Netlink(error) => Some(error),
            Self::Refused { .. } | Self::Unacknowledged { .. } | Self::Missing { .. } => None,
        }
    }
}

impl From<NetlinkError> for FirewallError {
    fn from(error: NetlinkError) -> Self {
        Self::Netlink(error)
    }
}

/// The owner of the table `inet streamguard`.
#[derive(Debug)]
pub struct Firewall {
    netlink: Netlink,
    /// The ruleset whose chains and sets we wrote, without elements, and the rules as the kernel printed them
    /// right afterwards: to notice when somebody changes them.
    laid_down: Option<(Ruleset, Vec<u8>)>,
}

impl Firewall {
    /// Opens the netlink socket; touches nothing yet.
    ///
    /// # Errors
    /// If the kernel has no nfnetlink.
    pub fn open() -> Result<Self, FirewallError> {
        Ok(Self { netlink: Netlink::open(mnl::Bus::Netfilter)?, laid_down: None })
    }

    /// The port our changes carry in events.
    pub fn port(&self) -> u32 {
        self.netlink.port()
    }

    /// Makes the kernel hold this ruleset, whose `at` is now. Rates ([`Ruleset::shapes`]) are not nftables'
    /// business and ignored here.
    ///
    /// # Errors
    /// If the kernel refuses any part; then it holds what it held before.
    pub fn apply(&mut self, desired: &Ruleset) -> Result<Applied, FirewallError> {
        let mut outcome = self.attempt(desired);
        for _ in 1..ATTEMPTS {
            // An element expired or the table vanished under our hands: look again.
            let Err(FirewallError::Refused { code: libc::ENOENT, .. }) = outcome else { break };
            outcome = self.attempt(desired);
        }
        outcome
    }

    fn attempt(&mut self, desired: &Ruleset) -> Result<Applied, FirewallError> {
        let present = self.present(desired)?;
        let alive = |element: &Element| element.until > desired.at;
        let (rebuilt, added, deleted) = match diff(desired, present.as_ref()) {
            Changes::None => (Rebuilt::No, Vec::new(), Vec::new()),
            Changes::Whole => (Rebuilt::Yes, desired.elements().filter(alive).collect(), Vec::new()),
            Changes::Elements { add, delete, .. } => (Rebuilt::No, add, delete),
        };
        let room = layout::declaration_messages(desired)
            + 2 * SetName::ALL.len()
            + (added.len() + deleted.len()) / layout::ELEMENTS_PER_MESSAGE;
        let mut batch = Batch::begin(self.netlink.reserve(Finished::sequence_room(room)));
        if rebuilt == Rebuilt::Yes {
            layout::declare(&mut batch, desired);
        }
        write_elements(&mut batch, desired.at, &deleted, &added);
        let batch = batch.finish();
        if batch.expected_acks() > 0 {
            self.commit(&batch)?;
        }
        if rebuilt == Rebuilt::Yes {
            self.laid_down = Some((without_elements(desired), self.rules()?));
        }
        let contents = self.contents(desired.at)?;
        match added
            .iter()
            .filter(|element| !contents.matched.contains_key(&(element.set, element.key)))
            .count()
        {
            0 => Ok(Applied { rebuilt, added, deleted: deleted.len(), contents }),
            elements => Err(FirewallError::Missing { elements }),
        }
    }

    /// The ruleset the kernel holds, `None` if it is not one we wrote.
    fn present(&mut self, desired: &Ruleset) -> Result<Option<Ruleset>, FirewallError> {
        if !self.is_as_laid_down()? {
            return Ok(None);
        }
        let Some(mut present) = self.laid_down.as_ref().map(|(ruleset, _)| ruleset.clone()) else {
            return Ok(None);
        };
        present.at = desired.at;
        present.sets = self.contents(desired.at)?.sets;
        present.shapes = desired.shapes.clone();
        Ok(Some(present))
    }

    /// Removes the table. That there is none is no error.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn remove(&mut self) -> Result<(), FirewallError> {
        self.laid_down = None;
        let mut batch = Batch::begin(self.netlink.reserve(Finished::sequence_room(1)));
        layout::remove(&mut batch);
        match self.commit(&batch.finish()) {
            Err(FirewallError::Refused { code: libc::ENOENT, .. }) => Ok(()),
            outcome => outcome,
        }
    }

    /// Reads every element of the sets we declared back, remaining times counted from `now`.
    ///
    /// # Errors
    /// If a set is not there ([`FirewallError::Refused`] with ENOENT) or the kernel does not answer.
    pub fn contents(&mut self, now: Moment) -> Result<Contents, FirewallError> {
        let sets: Vec<SetName> =
            self.laid_down.iter().flat_map(|(ruleset, _)| ruleset.sets.keys().copied()).collect();
        let mut contents = Contents::default();
        for name in sets {
            let mut set = Set::named(name);
            let request = Request::new(nft_message(libc::NFT_MSG_GETSETELEM), libc::NLM_F_DUMP)
                .raw(&NFGENMSG)
                .attribute(NFTA_TABLE, layout::TABLE.to_bytes_with_nul())
                .attribute(NFTA_ELEMENTS_SET, layout::c_name(name.as_str()).as_bytes_with_nul());
            self.dump(request, name.as_str(), |message| set.absorb(message.whole))?;
            let held = contents.sets.entry(name).or_default();
            for element in set.elements() {
                let Some(key) = Key::from_bytes(name.key_type(), &element.key) else { continue };
                held.insert(key, now + element.left.unwrap_or(FOREVER));
                let matched = Matched { packets: element.packets, bytes: element.bytes };
                contents.matched.insert((name, key), matched);
            }
        }
        Ok(contents)
    }

    /// The flowtables of all tables: what is offloaded, and whether to hardware.
    ///
    /// # Errors
    /// If the kernel does not answer; a kernel without flowtables has none.
    pub fn flowtables(&mut self) -> Result<Vec<Flowtable>, FirewallError> {
        let mut found = Vec::new();
        match self
            .dump(offload::request(), "flowtables", |message| found.extend(offload::parse(message.body)))
        {
            Err(FirewallError::Refused { code: libc::ENOENT | libc::EINVAL | libc::EOPNOTSUPP, .. }) => {
                Ok(Vec::new())
            }
            outcome => outcome.map(|()| found),
        }
    }

    /// Whether the rules in the kernel are the ones we wrote last.
    ///
    /// # Errors
    /// If the kernel does not answer.
    pub fn is_as_laid_down(&mut self) -> Result<bool, FirewallError> {
        if self.laid_down.is_none() {
            return Ok(false);
        }
        let found = self.rules()?;
        let same = self.laid_down.as_ref().is_some_and(|(_, rules)| *rules == found);
        if !same {
            self.laid_down = None;
        }
        Ok(same)
    }

    /// The rules of our table as the kernel prints them, empty if there are none. Handles are part of it, so that
    /// even a rule replaced by an equal one is noticed.
    fn rules(&mut self) -> Result<Vec<u8>, FirewallError> {
        let mut rules = Vec::new();
        let request = Request::new(nft_message(libc::NFT_MSG_GETRULE), libc::NLM_F_DUMP)
            .raw(&NFGENMSG)
            .attribute(NFTA_TABLE, layout::TABLE.to_bytes_with_nul());
        let outcome = self.dump(request, "rules", |message| {
            rules.extend_from_slice(message.body.get(NFGENMSG.len()..).unwrap_or_default());
        });
        match outcome {
            Err(FirewallError::Refused { code: libc::ENOENT, .. }) => Ok(Vec::new()),
            outcome => outcome.map(|()| rules),
        }
    }

    fn dump(
        &mut self,
        request: Request,
        what: &str,
        each: impl FnMut(&netlink::Message<'_>),
    ) -> Result<(), FirewallError> {
        self.netlink.dump(request, each).map_err(|error| match error {
            NetlinkError::Refused(code) => FirewallError::Refused { what: what.into(), code },
            error => FirewallError::Netlink(error),
        })
    }

    /// Sends a transaction and checks every answer. The kernel has handled all of it when `send` returns, so what
    /// is not there to be read then will never come.
    fn commit(&mut self, batch: &Finished) -> Result<(), FirewallError> {
        self.netlink.send(&batch.bytes)?;
        let (mut acks, mut refused) = (0, None);
        while let Some(datagram) = self.netlink.receive()? {
            for message in netlink::messages(datagram) {
                let (Some(position), Some(code)) = (batch.position(message.seq), message.error_code()) else {
                    continue;
                };
                match code {
                    0 if position > 0 => acks += 1,
                    0 => {}
                    code if refused.is_none() => refused = Some((position, code)),
                    _ => {}
                }
            }
        }
        if let Some((position, code)) = refused {
            return Err(FirewallError::Refused { what: batch.label(position).to_owned(), code });
        }
        match batch.expected_acks().saturating_sub(acks) {
            0 => Ok(()),
            missing => Err(FirewallError::Unacknowledged { missing }),
        }
    }
}

/// NFTA_RULE_TABLE and NFTA_SET_ELEM_LIST_TABLE (linux/netfilter/nf_tables.h).
const NFTA_TABLE: u16 = 1;
/// NFTA_SET_ELEM_LIST_SET.
const NFTA_ELEMENTS_SET: u16 = 2;

/// `struct nfgenmsg`: family inet, version 0, resource 0.
const NFGENMSG: [u8; 4] = [libc::NFPROTO_INET as u8, 0, 0, 0];

fn nft_message(kind: i32) -> u16 {
    (libc::NFNL_SUBSYS_NFTABLES as u16) << 8 | kind as u16
}

fn without_elements(ruleset: &Ruleset) -> Ruleset {
    let sets = ruleset.sets.keys().map(|set| (*set, BTreeMap::new())).collect();
    Ruleset { sets, ..ruleset.clone() }
}

/// Deletions before additions, so that a refreshed element is new when it is added.
fn write_elements(batch: &mut Batch, now: Moment, deleted: &[(SetName, Key)], added: &[Element]) {
    for name in SetName::ALL {
        let of_set: Vec<_> = deleted.iter().filter(|(set, _)| *set == name).collect();
        for chunk in of_set.chunks(layout::ELEMENTS_PER_MESSAGE) {
            let mut set = Set::named(name);
            chunk.iter().for_each(|(_, key)| set.insert(&key.to_bytes(), None));
            batch.push(&Elements(&set), MsgType::Del, format!("to delete from {}", name.as_str()));
        }
    }
    for name in SetName::ALL {
        let of_set: Vec<_> = added.iter().filter(|element| element.set == name).collect();
        for chunk in of_set.chunks(layout::ELEMENTS_PER_MESSAGE) {
            let mut set = Set::named(name);
            for element in chunk {
                set.insert(&element.key.to_bytes(), Some(element.until.since(now)));
            }
            batch.push(&Elements(&set), MsgType::Add, format!("to add to {}", name.as_str()));
        }
    }
}

#[cfg(test)]
mod tests;
