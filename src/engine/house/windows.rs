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
