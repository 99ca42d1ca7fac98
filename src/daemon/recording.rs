//! A recording that a person asked for: one at a time, bounded in time and size, below the directory of recordings.

use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Daemon;
use super::enforce::chain;
use crate::methods::{Failure, Recording, failure};
use crate::os::capture::{Live, Purpose, Recorder};
use crate::os::recordings;
use crate::time::{Moment, Now};
use crate::units::Bytes;

/// Memory for frames that wait for the disk.
const RING_BYTES: u32 = 1_000_000;
/// Frames written in one wake-up.
const FRAMES_PER_TURN: usize = 256;

/// A recording in progress.
pub(super) struct Tape {
    live: Live,
    recorder: Recorder,
    path: PathBuf,
    ends: Moment,
    size: Bytes,
}

impl AsRawFd for Tape {
    fn as_raw_fd(&self) -> RawFd {
        self.live.as_raw_fd()
    }
}

impl Tape {
    fn begin(wanted: &Recording, directory: &Path, snaplen: u32, now: Now) -> Result<Self, Failure> {
        let failed = |error: &dyn std::error::Error| failure("recording", chain(error));
        let ring_bytes = RING_BYTES;
        let purpose = Purpose::Headers { snaplen_bytes: wanted.snaplen.unwrap_or(snaplen), ring_bytes };
        let mut live = Live::open(&wanted.interface, purpose).map_err(|error| failed(&error))?;
        if !wanted.filter.is_empty() {
            live.select(&wanted.filter).map_err(|error| failure("bad_params", chain(&error)))?;
        }
        let wall = now.wall.unwrap_or(crate::time::WallTime::from_nanos(
            i64::try_from(now.mono.as_nanos()).unwrap_or(i64::MAX),
        ));
        let made = recordings::create(directory, ("capture", "pcap"), wall);
        let (path, _) = made.map_err(|error| failure("recording", error.to_string()))?;
        let recorder = live.recorder(&path).map_err(|error| failed(&error))?;
        Ok(Self { live, recorder, path, ends: now.mono + wanted.duration, size: wanted.size })
    }

    fn shown(&mut self) -> Value {
        let flushed = self.recorder.flush().err().map(|error| error.to_string());
        json!({
            "file": self.path.display().to_string(),
            "packets": self.recorder.packets(),
            "bytes": self.recorder.bytes().as_u64(),
            "dropped": self.live.tally().dropped,
            "trouble": flushed,
        })
    }
}

impl Daemon {
    pub(super) fn begin_recording(&mut self, wanted: &Recording, now: Now) -> Result<Value, Failure> {
        if self.tape.is_some() {
            return Err(failure("busy", "a recording goes on: capture_stop ends it"));
        }
        let links = self.links.links().map_err(|error| failure("recording", chain(&error)))?;
        if !links.iter().any(|link| link.name == wanted.interface) {
            return Err(failure("bad_params", format!("no interface {:?}", wanted.interface)));
        }
        let capture = &self.house.config().capture;
        let mut tape = Tape::begin(wanted, Path::new(&capture.dir), capture.snaplen, now)?;
        let shown = tape.shown();
        self.tape = Some(tape);
        log::info!("recording on {}", wanted.interface);
        Ok(shown)
    }

    pub(super) fn end_recording(&mut self, why: &'static str) -> Result<Value, Failure> {
        let mut tape = self.tape.take().ok_or_else(|| failure("not_recording", "no recording goes on"))?;
        let mut shown = tape.shown();
        shown["event"] = json!("recording");
        shown["ended"] = json!(why);
        self.publish(shown.clone());
        Ok(shown)
    }

    /// Writes what waits, and ends the recording when its time or size is used up.
    pub(super) fn record(&mut self, now: Now) {
        let Some(tape) = &mut self.tape else { return };
        let why = match tape.live.record(&mut tape.recorder, FRAMES_PER_TURN) {
            Err(error) => {
                log::warn!("the recording ended: {}", chain(&error));
                "failed"
            }
            Ok(_) if tape.recorder.bytes() >= tape.size => "size",
            Ok(_) if now.mono >= tape.ends => "time",
            Ok(_) => return,
        };
        // It was there a line ago.
        let _ = self.end_recording(why);
    }
}
