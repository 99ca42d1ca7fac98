//! Tunnels through DNS: names that are data.
//!
//! Counted per client and registrable domain. Anti-virus look-ups and content networks ask for as many different
//! and as long names as a tunnel does, so neither count nor length decides. What does: the record types that
//! carry an answer back (NULL, TXT, CNAME, MX, SRV), or an alphabet richer than names are written in, or, for
//! those who ask for plain addresses, names near the limit. Known evasions: DNS over HTTPS, a name every few
//! seconds, short hexadecimal labels answered by addresses.

use super::alert::{Evidence, Finding, Kind, Party, Severity};
use super::count::{Slice, Sliding, Span, Stamps};
use super::settings::Thresholds;
use super::shared::{AddrKey, KEPT, Shared, Since};
use super::table::Table;
use crate::dissect::dns::{self, rtype};
use crate::names::DnsFacts;
use crate::net::{Addr, mix};
use crate::time::Moment;

/// Clients and domains watched at a time.
pub(super) const MAX_SITES: usize = 512;

/// Of all questions, so many are of the types that carry data.
const CARRIER_PCT: u32 = 50;
/// Names that carry data are this long on average, in bytes.
const MEAN_NAME: u32 = 30;
/// Questions with an alphabet that no host name has.
const RICH_PCT: u32 = 50;
/// Byte values in one name that make its alphabet rich.
const RICH_ALPHABET: u8 = 30;
/// Names of plain address questions are data if there are so many times the threshold of them, this long.
const PLAIN_NAMES: u32 = 4;
const MEAN_PLAIN_NAME: u32 = 100;
/// Bytes in half a minute that make it serious.
const MUCH_BYTES_30S: u32 = 100_000;

/// Mail exchanger and key records, which tunnels use and households do not.
const MX: u16 = 15;
const KEY: u16 = 25;
const ANY: u16 = 255;
/// Types for private use (RFC 6895 §3.1).
const PRIVATE: u16 = 65_280;

const QUESTIONS: usize = 0;
const NAME_BYTES: usize = 1;
const CARRIERS: usize = 2;
const RICH: usize = 3;
const DOWN_BYTES: usize = 4;

#[derive(Clone, Copy, Debug, Default)]
struct Site {
    counts: Sliding<5>,
    names: Stamps<128>,
    since: Since,
}

/// What one client asked below one domain within half a minute.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lately {
    /// Different names, about.
    pub(super) names: u32,
    pub(super) questions: u32,
    /// Questions of types that carry data.
    pub(super) carriers: u32,
    /// Questions in an alphabet no name has.
    pub(super) rich: u32,
    pub(super) mean_name_bytes: u32,
    /// Names and answers.
    pub(super) bytes: u32,
}

impl Site {
    fn lately(&mut self, slice: Slice) -> Lately {
        let names = self.names.distinct(slice, Span::S30);
        let mut sum = |which| self.counts.sum(slice, which, Span::S30);
        let (questions, name_bytes) = (sum(QUESTIONS), sum(NAME_BYTES));
        Lately {
            names,
            questions,
            carriers: sum(CARRIERS),
            rich: sum(RICH),
            mean_name_bytes: name_bytes / questions.max(1),
            bytes: name_bytes + sum(DOWN_BYTES),
        }
    }
}

/// Who put a question, and which.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) asker: Addr,
    /// Hash of the whole name.
    pub(super) name: u64,
    pub(super) at: Moment,
}

/// Who asks for names below which domain.
#[derive(Debug)]
pub(super) struct Sites(Table<(AddrKey, u64), Site>);

impl Sites {
    pub(super) fn new() -> Self {
        Self(Table::new(MAX_SITES, KEPT))
    }

    /// Takes in a question or an answer.
    pub(super) fn observe(&mut self, shared: &Shared, facts: &DnsFacts, asked: &Asked) {
        let Asked { asker, name, at } = *asked;
        let slice = shared.slice;
        let hash = mix(shared.hash(&asker) ^ facts.site);
        let key = (AddrKey(asker), facts.site);
        if facts.kind == dns::Kind::Response {
            if let Some(site) = self.0.entry(hash, &key) {
                site.counts.add(slice, DOWN_BYTES, facts.len);
            }
            return;
        }
        let Some(site) = self.0.enter(hash, &key, slice) else { return };
        let shape = &facts.shape;
        site.since.note(at);
        site.names.mark(name, slice);
        site.counts.add(slice, QUESTIONS, 1);
        site.counts.add(slice, NAME_BYTES, shape.len.into());
        site.counts.add(slice, CARRIERS, u32::from(is_carrier(facts.qtype)));
        site.counts.add(slice, RICH, u32::from(shape.binary > 0 || shape.distinct >= RICH_ALPHABET));
    }

    pub(super) fn poll(&mut self, shared: &Shared, thresholds: &Thresholds, found: &mut Vec<Finding>) {
        let slice = shared.slice;
        let least = thresholds.tunnel_names_30s;
        self.0.touched(slice, |(asker, _), site| {
            if slice.is_multiple_of(64) {
                site.names.scrub(slice);
            }
            let Lately { names, questions, carriers, rich, mean_name_bytes: mean, bytes } =
                site.lately(slice);
            let carried = carriers * 100 >= questions * CARRIER_PCT && mean >= MEAN_NAME;
            let is_rich = rich * 100 >= questions * RICH_PCT && mean >= MEAN_NAME;
            let plain = names >= least * PLAIN_NAMES && mean >= MEAN_PLAIN_NAME;
            if names < least || !(carried || is_rich || plain) {
                return;
            }
            found.push(Finding {
                kind: Kind::DnsTunnel,
                severity: if bytes >= MUCH_BYTES_30S { Severity::High } else { Severity::Medium },
                source: Party::Addr(asker.0),
                target: None,
                first: site.since.first(),
                evidence: Evidence::new(&[
                    ("names_30s", u64::from(names)),
                    ("questions_30s", u64::from(questions)),
                    ("carrier_types_30s", u64::from(carriers)),
                    ("rich_names_30s", u64::from(rich)),
                    ("mean_name_bytes", u64::from(mean)),
                    ("bytes_30s", u64::from(bytes)),
                ]),
            });
        });
    }

    /// Of what a client asks, the domain with the most names.
    pub(super) fn busiest(&mut self, asker: &Addr, slice: Slice) -> Lately {
        let mut busiest = Lately::default();
        self.0.all(|key, site| {
            if key.0.0 == *asker {
                let lately = site.lately(slice);
                if lately.names > busiest.names {
                    busiest = lately;
                }
            }
        });
        busiest
    }

    /// Shows who asked in this slice.
    pub(super) fn moved(&mut self, slice: Slice, mut show: impl FnMut(Addr)) {
        self.0.touched(slice, |key, _| show(key.0.0));
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

fn is_carrier(qtype: u16) -> bool {
    matches!(qtype, rtype::NULL | rtype::TXT | rtype::CNAME | rtype::SRV | MX | KEY | ANY | PRIVATE..)
}
