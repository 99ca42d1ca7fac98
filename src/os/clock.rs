//! What time it is, and whether to believe it: the only file that asks.
//!
//! Moments come from the monotonic clock, shifted once at start so that they agree with the wall clock then:
//! windows align to the epoch, and a household's windows look the same live and from a capture file. Packets are
//! stamped by the kernel with wall time; [`Clock::bridge`] maps a batch of them onto our time line at each
//! wake-up and tells when the wall clock was stepped.
//!
//! A router without a battery boots in the past. Its wall time is believed once the kernel says that something
//! disciplines it (`adjtimex`, which every NTP client sets). Elsewhere (a PC, a virtual machine) a date after this
//! program was built is enough.

use std::io;

use super::sys;
use crate::time::{Duration, Moment, NANOS_PER_SEC, Now, WallTime};

/// No clock is right that shows a time before this release (2026-11-01).
const RELEASED: WallTime = WallTime::from_secs(1_793_491_200);
/// A larger difference between the clocks than this is a step, not a drift.
pub const STEP: Duration = Duration::from_secs(2);

/// When wall time is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// When the kernel says that the clock is synchronised: routers.
    Synchronised,
    /// When it is later than this program: machines whose clock has a battery or a host.
    Plausible,
}

/// What the clock is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Disciplined by a time server.
    Synchronised,
    /// Nobody disciplines it, but the date may be right.
    Undisciplined,
    /// Shows a time before this program existed.
    Past,
}

/// A reader of clocks.
#[derive(Clone, Debug)]
pub struct Clock {
    trust: Trust,
    /// Wall minus monotonic time at start, in nanoseconds.
    shift_ns: i64,
    /// Wall time minus moment when last bridged.
    bridged_ns: Option<i64>,
}

/// How packet stamps map to moments, for one wake-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bridge {
    wall_minus_moment_ns: i64,
    /// The wall clock was set since the last wake-up.
    pub step: Step,
}

/// What the wall clock did between two wake-ups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It ran.
    None,
    /// It was set forward by this much.
    Forward(Duration),
    /// It was set back by this much.
    Back(Duration),
}

impl Bridge {
    /// The moment at which the kernel stamped a packet with this wall time.
    pub fn moment(&self, secs: i64, micros: i64) -> Moment {
        let stamp = secs.saturating_mul(NANOS_PER_SEC as i64).saturating_add(micros.saturating_mul(1_000));
        Moment::from_nanos(u64::try_from(stamp.saturating_sub(self.wall_minus_moment_ns)).unwrap_or(0))
    }
}

impl Clock {
    /// Starts the time line at the present wall time.
    ///
    /// # Errors
    /// If the kernel has no such clocks.
    pub fn start(trust: Trust) -> io::Result<Self> {
        let shift_ns = sys::wall_ns()?.saturating_sub(sys::monotonic_ns()?).max(0);
        Ok(Self { trust, shift_ns, bridged_ns: None })
    }

    /// The present moment. A clock that cannot be read (it could at start) stands still at the origin.
    pub fn moment(&self) -> Moment {
        let nanos = sys::monotonic_ns().unwrap_or(0).saturating_add(self.shift_ns);
        Moment::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }

    /// The present moment, and wall time if it is to be believed.
    pub fn now(&self) -> Now {
        Now { mono: self.moment(), wall: self.trusted_wall() }
    }

    /// What the wall shows, believed or not.
    pub fn wall(&self) -> WallTime {
        WallTime::from_nanos(sys::wall_ns().unwrap_or(0))
    }

    /// What the wall clock is worth.
    pub fn health(&self) -> Health {
        if self.wall() < RELEASED {
            return Health::Past;
        }
        match sys::clock_is_disciplined() {
            Ok(true) => Health::Synchronised,
            Ok(false) | Err(_) => Health::Undisciplined,
        }
    }

    fn trusted_wall(&self) -> Option<WallTime> {
        let trusted = match (self.trust, self.health()) {
            (_, Health::Past) | (Trust::Synchronised, Health::Undisciplined) => false,
            (_, Health::Synchronised) | (Trust::Plausible, Health::Undisciplined) => true,
        };
        trusted.then(|| self.wall())
    }

    /// How stamps of this wake-up map to moments. Slow drift is followed; a jump is told once.
    pub fn bridge(&mut self) -> Bridge {
        let moment = i64::try_from(self.moment().as_nanos()).unwrap_or(i64::MAX);
        let present = self.wall().as_nanos().saturating_sub(moment);
        let moved = present.saturating_sub(self.bridged_ns.replace(present).unwrap_or(present));
        let size = Duration::from_nanos(moved.unsigned_abs());
        let step = match moved {
            _ if size <= STEP => Step::None,
            1.. => Step::Forward(size),
            _ => Step::Back(size),
        };
        Bridge { wall_minus_moment_ns: present, step }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_of_now_are_now() {
        let mut clock = Clock::start(Trust::Plausible).unwrap();
        let before = clock.moment();
        let bridge = clock.bridge();
        let wall = clock.wall().as_nanos();
        let stamp = bridge.moment(wall / 1_000_000_000, wall % 1_000_000_000 / 1_000);
        assert!(
            stamp + Duration::from_millis(1) > before && stamp < clock.moment() + Duration::from_millis(1)
        );
        assert_eq!(bridge.step, Step::None);
    }

    #[test]
    fn a_set_clock_is_told_once_and_stamps_follow_it() {
        let mut clock = Clock::start(Trust::Plausible).unwrap();
        clock.bridge();
        // As if the wall clock had been an hour behind at the last wake-up.
        clock.bridged_ns = clock.bridged_ns.map(|ns| ns - 3_600 * 1_000_000_000);
        let Step::Forward(size) = clock.bridge().step else { panic!("not noticed") };
        assert_eq!(size.as_secs_f64().round(), 3_600.0);
        assert_eq!(clock.bridge().step, Step::None);
        clock.bridged_ns = clock.bridged_ns.map(|ns| ns + 10 * 1_000_000_000);
        assert!(matches!(clock.bridge().step, Step::Back(_)));
    }

    #[test]
    fn a_moment_line_agrees_with_the_wall_at_start() {
        let clock = Clock::start(Trust::Plausible).unwrap();
        let apart = clock.moment().as_nanos().abs_diff(clock.wall().as_nanos() as u64);
        assert!(apart < 50_000_000, "{apart} ns");
    }
}
