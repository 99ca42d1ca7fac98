//! One initiator as a row of integers, from the tables that the detectors keep anyway.
//!
//! Nothing is counted for this: at the end of a slice the entries of one initiator are looked up and the greatest, or
//! the sum, of each number is taken. That reads every table once per row, so it is done for who is accused, and for
//! everybody only where rows are asked for (`streamguard features --of threats`).

use super::super::beaconing::Beacons;
use super::super::count::{Fared, Slice, Span};
use super::super::dns_tunnel::Sites;
use super::super::icmp_tunnel::Echoes;
use super::super::lateral_movement::Logins;
use super::super::shared::{AddrKey, Probe, Shared, at_pair, at_target};
use super::super::streams::{Service, Streams, Talk, at_service, client_of};
use super::super::who::{self, Bindings};
use super::schema::{HOSTS, N_THREAT_FEATURES, PORTS, QUESTIONS, REST, SERVICES, ThreatRow, VICTIM};
use crate::net::Addr;

/// Connections held at one service from which on their client moves even in silence.
const HELD: u32 = 10;
/// Sources of a destination that are many.
const SEVERAL: u32 = 2;
/// Rows per slice at most; a household has fewer initiators, a flood of them adds nothing.
const MAX_ROWS: usize = 256;

/// Whose row: an initiator, or, where nobody can be named, everybody behind what reaches one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The initiator; [`Addr::UNSPECIFIED`] for many or forged ones.
    pub source: Addr,
    /// Whom they reach for, where they cannot be named.
    pub victim: Option<Addr>,
}

/// The tables that know something of an initiator, at the end of a slice.
pub(in crate::detect) struct Tables<'d> {
    pub(in crate::detect) shared: &'d mut Shared,
    pub(in crate::detect) streams: &'d mut Streams,
    pub(in crate::detect) sites: &'d mut Sites,
    pub(in crate::detect) echoes: &'d mut Echoes,
    pub(in crate::detect) beacons: &'d mut Beacons,
    pub(in crate::detect) logins: &'d Logins,
    pub(in crate::detect) bindings: &'d Bindings,
}

impl Tables<'_> {
    fn slice(&self) -> Slice {
        self.shared.slice
    }

    /// The row of a subject.
    pub(in crate::detect) fn row(&mut self, subject: &Subject) -> ThreatRow {
        let source = &subject.source;
        let (ports, hosts, victim) = (self.ports(source), self.hosts(source), self.victim(subject));
        let (services, questions, rest) = (self.services(source), self.questions(source), self.rest(source));
        let numbers =
            ports.into_iter().chain(hosts).chain(victim).chain(services).chain(questions).chain(rest);
        let mut row = [0; N_THREAT_FEATURES];
        for (place, number) in row.iter_mut().zip(numbers) {
            *place = i32::try_from(number).unwrap_or(i32::MAX);
        }
        row
    }

    /// Everybody who began something in this slice, is behind most of what somebody got, or holds connections.
    pub(in crate::detect) fn moved(&mut self) -> Vec<Subject> {
        let slice = self.slice();
        let mut moved: Vec<Subject> = Vec::new();
        let mut note = |source: Addr, victim: Option<Addr>| {
            let subject = Subject { source, victim };
            if moved.len() < MAX_ROWS && !moved.contains(&subject) {
                moved.push(subject);
            }
        };
        self.shared.pairs.touched(slice, |key, _| note(key.0.0, None));
        self.shared.fans.touched(slice, |key, _| note(key.0.0, None));
        self.streams.services.all(|key, service| {
            if service.open >= HELD {
                note(client_of(key), None);
            }
        });
        self.streams.services.touched(slice, |key, _| note(client_of(key), None));
        self.sites.moved(slice, |asker| note(asker, None));
        self.echoes.moved(slice, |source| note(source, None));
        let bindings = self.bindings;
        self.shared.targets.touched(slice, |target, reached| {
            let behind = who::behind(reached, bindings);
            if behind != Addr::UNSPECIFIED {
                // Reflectors begin nothing: they are found by what they do to others.
                note(behind, None);
            } else if reached.sources.distinct(slice, Span::S5) >= SEVERAL {
                note(behind, Some(target.0));
            }
        });
        moved
    }

    /// Ports, of the destination where most were tried.
    fn ports(&mut self, source: &Addr) -> [u64; PORTS] {
        let slice = self.slice();
        let (mut fast, mut patient) = (NONE, NONE);
        let (mut silent, mut odd, mut tries, mut tries_180, mut destinations) = (0, 0, 0, 0, 0);
        self.shared.pairs.all(|(src, _, _), pair| {
            if src.0 != *source {
                return;
            }
            fast = greater(fast, pair.ports.fared(slice, Span::S30));
            patient = greater(patient, pair.ports.fared(slice, Span::S180));
            silent = pair.hour.fared().1.max(silent);
            let mut sum = |which, span| u64::from(pair.counts.sum(slice, which, span));
            let lately = sum(at_pair::TRIES, Span::S30);
            odd += sum(at_pair::ODD_FLAGS, Span::S30);
            tries += lately;
            tries_180 += sum(at_pair::TRIES, Span::S180);
            destinations += u64::from(lately > 0);
        });
        let [a, b, c, d, e] =
            [fast.distinct, fast.failed_pct, patient.distinct, patient.failed_pct, silent].map(u64::from);
        [a, b, c, d, e, odd, tries, tries_180, destinations]
    }

    /// Hosts, for the question that most were asked.
    fn hosts(&mut self, source: &Addr) -> [u64; HOSTS] {
        let slice = self.slice();
        let mut fast = NONE;
        let (mut patient, mut inside, mut arp, mut echo, mut asked) = (0, 0, 0, 0, 0);
        self.shared.fans.all(|(src, probe, _), fan| {
            if src.0 != *source {
                return;
            }
            let lately = fan.hosts.fared(slice, Span::S30);
            match probe {
                Probe::Arp => arp = lately.distinct.max(arp),
                Probe::Icmp => echo = lately.distinct.max(echo),
                Probe::Tcp | Probe::Udp => {
                    fast = greater(fast, lately);
                    patient = fan.hosts.fared(slice, Span::S180).distinct.max(patient);
                    asked += u32::from(lately.distinct > 0);
                    if fan.is_inside {
                        inside = lately.distinct.max(inside);
                    }
                }
            }
        });
        [fast.distinct, fast.failed_pct, patient, inside, arp, echo, asked].map(u64::from)
    }

    /// The destination that the subject is behind most of, and most happened to.
    fn victim(&mut self, subject: &Subject) -> [u64; VICTIM] {
        let (slice, bindings) = (self.slice(), self.bindings);
        let (mut numbers, mut most) = ([0; VICTIM], 0);
        self.shared.targets.touched(slice, |AddrKey(addr), target| {
            let is_theirs = match subject.victim {
                Some(victim) => victim == *addr,
                None => who::behind(target, bindings) == subject.source,
            };
            if !is_theirs {
                return;
            }
            let mut sum = |which| u64::from(target.counts.sum(slice, which, Span::S5));
            let (syns, datagrams) = (sum(at_target::SYNS), sum(at_target::DATAGRAMS));
            let (echoes, reflected) = (sum(at_target::ECHOES), sum(at_target::REFLECTED));
            let requests = sum(at_target::REQUESTS);
            let all = syns + datagrams + echoes + reflected + requests;
            if all <= most {
                return;
            }
            most = all;
            let completed = pct(sum(at_target::COMPLETED), syns);
            let answered = pct(sum(at_target::ANSWERS), datagrams);
            let replies = pct(sum(at_target::REPLIES), requests);
            let sources = target.sources.distinct(slice, Span::S5).into();
            let neighbours = target.macs.distinct(slice, Span::S5).into();
            numbers = [
                syns, completed, datagrams, answered, echoes, reflected, requests, replies, sources,
                neighbours,
            ];
        });
        numbers
    }

    /// What its connections were for, and what became of them.
    fn services(&mut self, source: &Addr) -> [u64; SERVICES] {
        let slice = self.slice();
        let mut all = Used::default();
        self.streams.services.all(|key, service| {
            if client_of(key) == *source {
                all.add(service, slice);
            }
        });
        [
            all.opened,
            all.opened_180,
            pct(all.small_180, all.ended_180),
            all.guesses_180,
            all.losers_180,
            all.guesses_since_success.into(),
            all.refused_logins_180,
            all.small_logins_180,
            all.refused_web,
            all.requests,
            all.posts,
            pct(all.replies, all.requests),
            all.servers_180,
            all.open.into(),
        ]
    }

    /// Names below the domain with most of them.
    fn questions(&mut self, source: &Addr) -> [u64; QUESTIONS] {
        let asked = self.sites.busiest(source, self.shared.slice);
        let of_all = |part: u32| pct(part.into(), asked.questions.into());
        let (names, questions, bytes) = (asked.names.into(), asked.questions.into(), asked.bytes.into());
        [names, questions, asked.mean_name_bytes.into(), of_all(asked.carriers), of_all(asked.rich), bytes]
    }

    /// Echoes, beats and visits.
    fn rest(&mut self, source: &Addr) -> [u64; REST] {
        let echo = self.echoes.oddest(source, self.shared.slice);
        let (beats, even) = self.beacons.longest(source);
        let visited = self.logins.is_visited(self.shared.hash(source), source);
        [echo.requests, echo.mismatches, echo.bytes, beats, even, u32::from(visited)].map(u64::from)
    }
}

/// The services of one client, added up.
#[derive(Default)]
struct Used {
    opened: u64,
    opened_180: u64,
    ended_180: u64,
    small_180: u64,
    guesses_180: u64,
    losers_180: u64,
    refused_logins_180: u64,
    small_logins_180: u64,
    refused_web: u64,
    requests: u64,
    posts: u64,
    replies: u64,
    servers_180: u64,
    /// At one service, at most.
    guesses_since_success: u32,
    open: u32,
}

impl Used {
    fn add(&mut self, service: &mut Service, slice: Slice) {
        let counts = &mut service.counts;
        let mut sum = |which, span| u64::from(counts.sum(slice, which, span));
        let (opened_180, small) = (sum(at_service::OPENED, Span::S180), sum(at_service::SMALL, Span::S180));
        self.opened += sum(at_service::OPENED, Span::S30);
        self.opened_180 += opened_180;
        self.ended_180 += sum(at_service::ENDED, Span::S180);
        self.small_180 += small;
        self.guesses_180 += sum(at_service::TRIES, Span::S180);
        self.losers_180 += sum(at_service::LOSERS, Span::S180);
        self.requests += sum(at_service::REQUESTS, Span::S30);
        self.posts += sum(at_service::POSTS, Span::S30);
        self.replies += sum(at_service::REPLIES, Span::S30);
        self.servers_180 += u64::from(opened_180 > 0);
        match service.talk {
            Talk::Login => {
                self.refused_logins_180 += sum(at_service::REFUSED, Span::S180);
                self.small_logins_180 += small;
            }
            Talk::Web => self.refused_web += sum(at_service::REFUSED, Span::S30),
            Talk::Ssh | Talk::Unknown => {}
        }
        self.guesses_since_success = self.guesses_since_success.max(service.tries_since_success);
        self.open = self.open.max(service.open);
    }
}

const NONE: Fared = Fared { distinct: 0, failed_pct: 0 };

/// Whichever is about more members.
fn greater(one: Fared, other: Fared) -> Fared {
    if other.distinct > one.distinct { other } else { one }
}

fn pct(part: u64, whole: u64) -> u64 {
    part * 100 / whole.max(1)
}
