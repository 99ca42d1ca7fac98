//! The last windows in memory: what the classifier said of each client, ten seconds at a time.

use std::collections::VecDeque;

use crate::classify::Score;
use crate::lan::ClientIdx;

/// Windows remembered: an hour and a half of ten busy clients, 16 bytes each.
pub const MAX_WINDOWS: usize = 8_192;

/// A closed window, as far as people ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastWindow {
    /// Seconds since the epoch.
    pub start_s: i64,
    /// Whose.
    pub client: ClientIdx,
    /// What the classifier thought; `None` if it could not judge.
    pub score: Option<Score>,
    /// Whether it counts as watched.
    pub counted: bool,
}

/// A ring of windows.
#[derive(Debug, Default)]
pub struct PastWindows {
    windows: VecDeque<PastWindow>,
}

impl PastWindows {
    pub(super) fn push(&mut self, window: PastWindow) {
        if self.windows.len() == MAX_WINDOWS {
            self.windows.pop_front();
        }
        self.windows.push_back(window);
    }

    /// A client's windows since a second count after all.
    pub(super) fn count_since(&mut self, client: ClientIdx, start_s: i64) {
        for window in self.windows.iter_mut().rev().take_while(|window| window.start_s >= start_s) {
            window.counted |= window.client == client;
        }
    }

    /// All of them, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &PastWindow> {
        self.windows.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::super::train::tests::{ROUTER, house};
    use crate::dissect::{Frame, LinkType};
    use crate::time::{Duration, Moment};
    use crate::window::WINDOW_LEN;

    #[test]
    fn windows_that_carried_something_are_held_against_training() {
        let mut house = house();
        let mut data = [[2, 0, 0, 0, 1, 1], ROUTER].concat();
        data.extend([8, 0, 0x45, 0, 0x05, 0xdc, 0, 0, 0, 0, 64, 17, 0, 0, 203, 0, 113, 9, 192, 168, 1, 1]);
        data.extend([0x01, 0xbb, 0x20, 0, 0x05, 0xc8, 0, 0]);
        let mut at = Moment::from_secs(1_000);
        let mut window = |frames: u64| {
            for _ in 0..frames {
                house.frame(&Frame { at, link: LinkType::Ethernet, wire_len: 1_514, data: &data });
                at = at + Duration::from_micros(1_000);
            }
            at = at + WINDOW_LEN;
            house.engine.handle_tick(at);
            house.settle();
            house.likeness().map(|likeness| likeness.windows)
        };
        // 60 kB each; the first hour of them says nothing.
        assert!((1..360).all(|_| window(40).is_none()));
        // Three kilobytes are no evidence and are not counted.
        assert_eq!((window(40), window(2), window(40)), (Some(360), Some(360), Some(361)));
    }
}
