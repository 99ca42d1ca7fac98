//! Guessed SSH passwords, counted by try, not by connection.
//!
//! SSH hides what is said but not how long it is. After the key exchange the server accepts the authentication
//! service, refuses a first try with a message of some length, and every further failure has that same length;
//! success is the shortest message there is, shorter than the acceptance (RFC 4252 §5.1, §6; the idea is Zeek's).
//! So tries are counted within each connection, and a connection that ends without success counts all of its
//! tries: six tries on each of three connections are eighteen tries, while a loop of thirty successful copies is
//! none. Sliding over three minutes, and since the last success for guessing that takes an hour.
//! One password for many machines (spraying) is a try or two on each: these are added up per client.
//! Known evasions: one try in ten minutes, many sources, and padding that varies the length of failures.

use super::alert::{Evidence, Finding, Kind, Party, Severity};
use super::count::Span;
use super::settings::Thresholds;
use super::shared::Shared;
use super::streams::{Streams, Talk, at_service, client_of, server_of};
use crate::flow::Side;
use crate::net::Addr;
use crate::time::Moment;

/// Bytes the server has sent when its half of the key exchange is under way.
const KEY_EXCHANGE_BYTES: u64 = 600;
/// Messages of authentication are shorter than this.
const LONGEST_REPLY: u32 = 200;
/// Connections without success that make a series.
const LEAST_CONNECTIONS: u32 = 2;
/// Machines that refused one client within three minutes: spraying.
const SPRAYED_SERVERS: usize = 5;
/// Clients whose refusals are added up per slice.
const MAX_SPRAYERS: usize = 32;
/// Slow guessing: tries since the last success as a multiple of the threshold.
const SLOW_PCT: u32 = 200;

/// How far a connection got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Banners and key exchange; the client has spoken so often since the server's first half.
    #[default]
    Keys,
    /// The server's next short message accepts the service.
    Service,
    /// Tries.
    Tries,
    /// In.
    Inside,
}

/// The authentication of one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shell {
    stage: Stage,
    turns: u8,
    last_was_client: bool,
    accept_len: u8,
    failure_len: u8,
    failures: u8,
}

/// What a segment means for the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing new.
    None,
    /// One more try failed; `first` of this connection.
    Failed { first: bool },
    /// They are in, after so many failures.
    Success { failures: u8 },
}

impl Shell {
    /// Follows one segment with payload. `server_bytes` is what the server has sent before.
    pub(super) fn segment(&mut self, side: Side, len: u32, server_bytes: u64) -> Turn {
        let new_turn = match side {
            Side::Orig => !self.last_was_client,
            Side::Resp => self.last_was_client,
        };
        self.last_was_client = side == Side::Orig;
        match (side, self.stage) {
            (Side::Orig, Stage::Keys) => {
                if new_turn && server_bytes >= KEY_EXCHANGE_BYTES {
                    self.turns = self.turns.saturating_add(1);
                }
                if self.turns >= 2 {
                    self.stage = Stage::Service;
                }
                Turn::None
            }
            (Side::Resp, Stage::Service) if len <= LONGEST_REPLY => {
                self.accept_len = len as u8;
                self.stage = Stage::Tries;
                Turn::None
            }
            (Side::Resp, Stage::Tries) if new_turn => self.reply(len),
            (Side::Orig | Side::Resp, _) => Turn::None,
        }
    }

    fn reply(&mut self, len: u32) -> Turn {
        if len < u32::from(self.accept_len) {
            self.stage = Stage::Inside;
            // What was refused before the first real try is not counted, see below.
            return Turn::Success { failures: self.failures.saturating_sub(1) };
        }
        let Ok(len) = u8::try_from(len) else { return Turn::None };
        if self.failure_len == 0 {
            self.failure_len = len;
        }
        if len != self.failure_len {
            return Turn::None;
        }
        self.failures = self.failures.saturating_add(1);
        // Clients ask with method "none" first, which fails: that is no try.
        if self.failures < 2 { Turn::None } else { Turn::Failed { first: self.failures == 2 } }
    }

    /// Whether the connection ended with a try that is not counted: clients that do not ask first have one try.
    pub(super) fn ended_after_one(&self) -> bool {
        self.stage == Stage::Tries && self.failures == 1
    }
}

/// Adds a turn of one connection to its service.
pub(super) fn count(service: &mut super::streams::Service, turn: Turn, slice: u32, at: crate::time::Moment) {
    match turn {
        Turn::None => {}
        Turn::Failed { first } => {
            if service.tries_since_success == 0 {
                service.first_try = at;
            }
            service.counts.add(slice, at_service::TRIES, 1);
            service.tries_since_success = service.tries_since_success.saturating_add(1);
            if first {
                service.counts.add(slice, at_service::LOSERS, 1);
                service.losers_since_success = service.losers_since_success.saturating_add(1);
            }
        }
        Turn::Success { failures } => {
            service.counts.take_back(slice, at_service::TRIES, failures.into());
            service.counts.take_back(slice, at_service::LOSERS, u32::from(failures > 0));
            (service.tries_since_success, service.losers_since_success) = (0, 0);
        }
    }
}

pub(super) fn poll(
    shared: &Shared,
    streams: &mut Streams,
    thresholds: &Thresholds,
    found: &mut Vec<Finding>,
) {
    let slice = shared.slice;
    let least = thresholds.ssh_tries_180s;
    spray(shared, streams, thresholds, found);
    streams.services.touched(slice, |key, service| {
        if service.talk != Talk::Ssh {
            return;
        }
        let tries = service.counts.sum(slice, at_service::TRIES, Span::S180);
        let losers = service.counts.sum(slice, at_service::LOSERS, Span::S180);
        let is_fast = tries >= least && losers >= LEAST_CONNECTIONS;
        let is_slow = service.tries_since_success >= least * SLOW_PCT / 100
            && service.losers_since_success >= LEAST_CONNECTIONS;
        if !is_fast && !is_slow {
            return;
        }
        found.push(Finding {
            kind: Kind::SshBruteForce,
            severity: Severity::Medium.grown(service.tries_since_success.into(), least),
            source: Party::Addr(client_of(key)),
            target: Some(Party::Addr(server_of(key))),
            first: if is_fast { service.since.first() } else { service.first_try },
            evidence: Evidence::new(&[
                ("failed_tries_180s", u64::from(tries)),
                ("failed_connections_180s", u64::from(losers)),
                ("tries_since_success", u64::from(service.tries_since_success)),
                ("port", u64::from(key.2)),
            ]),
        });
    });
}

/// Refusals of one client by several servers.
struct Sprayer {
    client: Addr,
    servers: usize,
    tries: u32,
    first: Moment,
}

/// A try or two on each of many machines.
fn spray(shared: &Shared, streams: &mut Streams, thresholds: &Thresholds, found: &mut Vec<Finding>) {
    let slice = shared.slice;
    let mut sprayers: Vec<Sprayer> = Vec::new();
    streams.services.all(|key, service| {
        let tries = match service.talk {
            Talk::Ssh => service.counts.sum(slice, at_service::TRIES, Span::S180),
            Talk::Unknown | Talk::Login | Talk::Web => 0,
        };
        if tries == 0 {
            return;
        }
        let (client, first) = (client_of(key), service.since.first());
        if let Some(known) = sprayers.iter_mut().find(|known| known.client == client) {
            known.servers += 1;
            known.tries += tries;
            known.first = known.first.min(first);
        } else if sprayers.len() < MAX_SPRAYERS {
            sprayers.push(Sprayer { client, servers: 1, tries, first });
        }
    });
    for sprayer in sprayers {
        if sprayer.servers < SPRAYED_SERVERS || sprayer.tries < thresholds.ssh_tries_180s {
            continue;
        }
        found.push(Finding {
            kind: Kind::SshBruteForce,
            severity: Severity::Medium.grown(sprayer.tries.into(), thresholds.ssh_tries_180s),
            source: Party::Addr(sprayer.client),
            target: None,
            first: sprayer.first,
            evidence: Evidence::new(&[
                ("failed_tries_180s", u64::from(sprayer.tries)),
                ("servers_180s", sprayer.servers as u64),
            ]),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turns of a connection, as lengths: positive from the client, negative from the server.
    fn turns(lens: &[i32]) -> Vec<Turn> {
        let (mut shell, mut server_bytes, mut turns) = (Shell::default(), 0, Vec::new());
        for &len in lens {
            let side = if len > 0 { Side::Orig } else { Side::Resp };
            let turn = shell.segment(side, len.unsigned_abs(), server_bytes);
            if len < 0 {
                server_bytes += u64::from(len.unsigned_abs());
            }
            if turn != Turn::None {
                turns.push(turn);
            }
        }
        turns
    }

    #[test]
    fn every_refusal_after_the_first_question_is_a_try() {
        // hydra against OpenSSH: six tries, then the server has had enough.
        let hydra = [
            23, -41, 904, -1088, 48, -524, 16, 44, -44, 68, -52, 76, -52, 76, -52, 76, -52, 76, -52, 76, -52,
            76, -76,
        ];
        let failed = |first| Turn::Failed { first };
        assert_eq!(turns(&hydra), [failed(true), failed(false), failed(false), failed(false), failed(false)]);
    }

    #[test]
    fn a_copy_with_a_key_is_a_success_without_tries() {
        // scp: the banner, a long key exchange in two segments, one offer, in.
        let scp = [
            41, -41, 1448, 112, -1088, 1208, -1448, -116, 16, 44, -44, 68, -52, 140, -100, 308, -28, 112,
            -240, -168, 112, -72, 44, -356, 68, -76, 60, -76,
        ];
        assert_eq!(turns(&scp), [Turn::Success { failures: 0 }]);
    }

    #[test]
    fn keys_refused_before_the_right_one_are_forgiven() {
        let agent = [
            41, -41, 1448, -1088, 1208, -1448, 16, 44, -44, 68, -52, 140, -52, 140, -52, 300, -28, 36, -36,
            36, -36,
        ];
        assert_eq!(turns(&agent).last(), Some(&Turn::Success { failures: 2 }));
        assert_eq!(turns(&agent).len(), 3);
    }
}
