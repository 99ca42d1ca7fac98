//! The ledger as text, to outlive a crash, a reboot and an upgrade.
//!
//! A first line with format, version and checksum, then one line of JSON. Files are the business of the shell,
//! which keeps several generations (in RAM each window, on flash now and then); [`Recovery::from_generations`]
//! decides between them: the newest that is whole wins as it is. A generation that is damaged is skipped and
//! said so; if no generation of today is left, usage starts at zero, and that is said loudly, because a quota
//! that starts anew in silence would be worth a power cut.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::BlockState;
use super::account::{Account, Pause, Pool, Record};
use super::event::{What, Who};
use super::ledger::{Ledger, MAX_CLIENTS};
use super::plans::Meter;
use super::spent::Spent;
use crate::net::ClientId;
use crate::time::{Duration, LocalDay, Moment, Now, WallTime};
use crate::units::Bytes;

/// The first word of a state file.
const MAGIC: &str = "streamguard-state";
/// The version written.
const VERSION: u32 = 1;
/// Longest text read; 1,024 clients take about 150 KiB.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// Everything of a ledger that must not be lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Counts up with each snapshot.
    pub serial: u64,
    /// The quota day.
    pub day: Option<LocalDay>,
    /// The first day ever.
    pub first_day: Option<LocalDay>,
    /// When it was taken, if the time was known.
    pub taken: Option<WallTime>,
    /// Accounts with anything in them.
    pub clients: Vec<ClientState>,
    /// Shared accounts with anything in them.
    pub pools: Vec<PoolState>,
    /// Data plans.
    pub plans: Vec<PlanState>,
    /// Servers that restricted clients are cut off from; filled by whoever keeps the block list.
    #[serde(default)]
    pub blocks: Vec<BlockState>,
    /// What each device sends in a day; filled by whoever watches uploads.
    #[serde(default)]
    pub uploads: Vec<UploadState>,
}

/// One account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountState {
    /// Seconds used today.
    pub used_s: u32,
    /// Seconds used on the day before.
    pub before_s: u32,
    /// Minutes granted today.
    pub granted_min: u16,
    /// Paused.
    pub paused: Option<PauseState>,
}

/// A pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseState {
    /// Until the next reset.
    UntilReset,
    /// For so many more seconds.
    LeftS(u32),
}

/// A client's account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientState {
    /// Who.
    pub client: ClientId,
    /// Its account.
    #[serde(flatten)]
    pub account: AccountState,
}

/// A shared account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolState {
    /// The profile; empty = everybody; `*` = devices without a section; `=KEY` = a device with several addresses.
    pub pool: String,
    /// Its account.
    #[serde(flatten)]
    pub account: AccountState,
}

/// A data plan's meter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanState {
    /// The plan's section.
    pub plan: String,
    /// The first date of the period.
    pub since: Option<LocalDay>,
    /// Bytes used.
    pub used: Bytes,
}

/// What a device sends to the outside in a day, as the detector of exfiltration measures it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadState {
    /// Who.
    pub client: ClientId,
    /// Wire bytes of each earlier day, the latest last.
    pub days_bytes: Vec<u64>,
    /// Wire bytes of the present day so far.
    pub today_bytes: u64,
    /// How much of the present day is over, in seconds.
    pub today_s: u64,
}

/// Why a state could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateError {
    /// There is none.
    Missing,
    /// Longer than a state can be.
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It does not begin as a state does.
    NoState,
    /// Written by a later version.
    Version {
        /// The version found.
        found: u32,
    },
    /// The checksum does not match: cut short or altered.
    Checksum,
    /// The checksum matches but the content makes no sense.
    Content(String),
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::TooLong { bytes } => write!(f, "{bytes} bytes are too long for a state"),
            Self::NoState => f.write_str("not a state file"),
            Self::Version { found } => write!(f, "version {found}, this program knows {VERSION}"),
            Self::Checksum => f.write_str("checksum does not match, cut short or altered"),
            Self::Content(why) => write!(f, "content: {why}"),
        }
    }
}

impl std::error::Error for StateError {}

/// FNV-1a, 64 bits: against accidents, not against forgers, who could write the file anyway.
fn checksum(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

impl State {
    /// The text of a state file.
    pub fn encode(&self) -> String {
        // Numbers, strings and addresses always have a JSON form.
        let body = serde_json::to_string(self).unwrap_or_default();
        format!("{MAGIC} {VERSION} {:016x}\n{body}\n", checksum(&body))
    }

    /// Reads the text of a state file.
    ///
    /// # Errors
    /// If the text is not exactly what [`State::encode`] of a known version wrote.
    pub fn decode(text: &str) -> Result<Self, StateError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(StateError::TooLong { bytes: text.len() });
        }
        let (head, body) = text.split_once('\n').ok_or(StateError::NoState)?;
        let mut words = head.split(' ');
        let (Some(MAGIC), Some(version), Some(sum), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(StateError::NoState);
        };
        let version: u32 = version.parse().map_err(|_| StateError::NoState)?;
        if version != VERSION {
            return Err(StateError::Version { found: version });
        }
        let body = body.strip_suffix('\n').ok_or(StateError::Checksum)?;
        if u64::from_str_radix(sum, 16) != Ok(checksum(body)) {
            return Err(StateError::Checksum);
        }
        serde_json::from_str(body).map_err(|why| StateError::Content(why.to_string()))
    }
}

/// What several generations of a state gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The state to go on with.
    pub state: Option<State>,
    /// What was wrong with generations that should have been there.
    pub trouble: Vec<StateError>,
}

impl Recovery {
    /// Chooses from generations in any order: the whole one with the highest serial number. A day later than
    /// that of a higher serial cannot be, except by a replaced database; then the later day wins.
    pub fn from_generations(generations: impl IntoIterator<Item = Result<State, StateError>>) -> Self {
        let mut recovery = Self::default();
        for generation in generations {
            match generation {
                Ok(state) => {
                    let best = recovery.state.as_ref().map(|best| (best.day, best.serial));
                    if best.is_none_or(|best| (state.day, state.serial) > best) {
                        recovery.state = Some(state);
                    }
                }
                Err(StateError::Missing) => {}
                Err(why) => recovery.trouble.push(why),
            }
        }
        recovery
    }
}

impl Account {
    fn state(&self, now: Moment) -> AccountState {
        AccountState {
            used_s: self.today.secs(),
            before_s: self.before.secs(),
            granted_min: self.granted_min,
            paused: self.paused.map(|pause| match pause {
                Pause::UntilReset => PauseState::UntilReset,
                Pause::Until(end) => {
                    PauseState::LeftS(u32::try_from(end.since(now).as_secs()).unwrap_or(u32::MAX))
                }
            }),
        }
    }

    fn restored(state: &AccountState, (now, away): (Moment, Duration)) -> Self {
        Self {
            today: Spent::from_secs(state.used_s),
            before: Spent::from_secs(state.before_s),
            granted_min: state.granted_min,
            paused: state.paused.map(|pause| match pause {
                PauseState::UntilReset => Pause::UntilReset,
                PauseState::LeftS(left_s) => {
                    Pause::Until(now + Duration::from_secs(left_s.into()).saturating_sub(away))
                }
            }),
        }
    }
}

impl Ledger {
    /// What must not be lost, now.
    pub fn snapshot(&mut self, now: Now) -> State {
        self.serial += 1;
        let worth = |account: &Account| !account.is_blank() || !account.before.is_empty();
        let clients = self.clients.iter().filter(|(_, record)| worth(&record.account));
        let pools = self.pools.iter().filter(|(_, account)| worth(account));
        let plans = self.meters.plans.iter();
        State {
            serial: self.serial,
            day: self.clock.day,
            first_day: self.first_day,
            taken: self.clock.wall(now),
            clients: clients
                .map(|(client, record)| ClientState {
                    client: *client,
                    account: record.account.state(now.mono),
                })
                .collect(),
            pools: pools
                .map(|(pool, account)| PoolState { pool: pool_name(pool), account: account.state(now.mono) })
                .collect(),
            plans: plans
                .map(|(plan, meter)| PlanState { plan: plan.clone(), since: meter.since, used: meter.used })
                .collect(),
            blocks: Vec::new(),
            uploads: Vec::new(),
        }
    }

    /// Goes on from a recovered state: at start, before anything is counted. What could not be read is noted as
    /// an event.
    pub fn restore(&mut self, recovery: &Recovery, now: Now) {
        for why in &recovery.trouble {
            self.note(now.mono, Who::All, What::StateLost { reason: why.to_string() });
        }
        let Some(state) = &recovery.state else { return };
        let away = match (state.taken, now.wall) {
            (Some(taken), Some(wall)) => wall.since(taken),
            _ => Duration::ZERO,
        };
        self.serial = state.serial;
        self.first_day = state.first_day;
        self.clock.day = state.day;
        // Who has used anything comes first; described devices fill what room is left.
        let described = std::mem::take(&mut self.clients);
        for client in state.clients.iter().take(MAX_CLIENTS) {
            let account = Account::restored(&client.account, (now.mono, away));
            self.clients.insert(client.client, Record { account, ..Record::new(now.mono) });
        }
        for (client, record) in described {
            if self.clients.len() < MAX_CLIENTS {
                self.clients.entry(client).or_insert(record);
            }
        }
        for pool in state.pools.iter().take(MAX_CLIENTS) {
            self.pools.insert(pool_from(&pool.pool), Account::restored(&pool.account, (now.mono, away)));
        }
        for plan in state.plans.iter().take(MAX_CLIENTS) {
            self.meters.plans.insert(plan.plan.clone(), Meter { since: plan.since, used: plan.used });
        }
        self.meters.adopt(&self.settings.plans);
        self.judged = None;
    }
}

fn pool_name(pool: &Pool) -> String {
    match pool {
        Pool::All => String::new(),
        Pool::Unknown => "*".to_owned(),
        Pool::Profile(id) => id.clone(),
        // No section has such a name.
        Pool::Device(key) => format!("={key}"),
    }
}

fn pool_from(name: &str) -> Pool {
    match name {
        "" => Pool::All,
        "*" => Pool::Unknown,
        name => match name.strip_prefix('=') {
            Some(key) => Pool::Device(key.to_owned()),
            None => Pool::Profile(name.to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(serial: u64, day: i32) -> State {
        State { serial, day: Some(LocalDay::from_days(day)), ..State::default() }
    }

    #[test]
    fn encode_then_decode_is_identity_and_every_cut_or_flip_is_noticed() {
        let client = ClientId::Mac("aa:bb:cc:dd:ee:ff".parse().unwrap());
        let paused = Some(PauseState::LeftS(90));
        let account = AccountState { used_s: 1_200, before_s: 60, granted_min: 15, paused };
        let mut whole = state(7, 20_000);
        whole.clients.push(ClientState { client, account });
        whole.pools.push(PoolState { pool: "kids".to_owned(), account });
        whole.plans.push(PlanState { plan: "guest".to_owned(), since: None, used: Bytes(u64::MAX) });
        let text = whole.encode();
        assert_eq!(State::decode(&text), Ok(whole));
        for end in 0..text.len() {
            assert!(State::decode(&text[..end]).is_err(), "cut at {end}");
        }
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(altered) = String::from_utf8(bytes) {
                assert!(State::decode(&altered).is_err(), "flip at {at}");
            }
        }
    }

    #[test]
    fn the_newest_whole_generation_wins_and_damage_is_named() {
        let damaged = Err(StateError::Checksum);
        let recovery =
            Recovery::from_generations([damaged, Ok(state(4, 10)), Ok(state(5, 10)), Ok(state(9, 9))]);
        assert_eq!(recovery, Recovery { state: Some(state(5, 10)), trouble: vec![StateError::Checksum] });
        assert_eq!(Recovery::from_generations([Err(StateError::Missing)]), Recovery::default());
    }

    #[test]
    fn a_state_from_a_later_version_is_refused() {
        let text = State::default().encode().replacen(" 1 ", " 2 ", 1);
        assert_eq!(State::decode(&text), Err(StateError::Version { found: 2 }));
    }
}
