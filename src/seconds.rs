//! Captures without their packets: what passed between each client and each server in each second.
//!
//! Features change, captures of a gigabyte are thrown away, and rows of yesterday's features are worth nothing to
//! tomorrow's. A *seconds file* is what lies between: the sums of [`Sums`] for every client, server and second, from which
//! the windows of any whole-second phase are counted by the same code as from packets ([`crate::window`]), so that every row
//! comes out the same, byte for byte, and new features of sums, seconds and servers can be invented later.
//!
//! Sums of seconds are enough because windows begin and end on whole seconds, with one exception: which sixteen servers a
//! client's table holds depends on the order of packets *within* a second. So the [`Writer`] keeps ten shadow windows, one
//! per phase, and begins new records wherever a server with bytes would lose its place in any of them.
//!
//! The form is text, a line each, in the order of time (docs/features.md):
//!
//! ```text
//! seconds,1                      what it is, and of which version
//! client,server,down_packets…    the columns of records
//! first,1763770000.123456        stamp of the first frame
//! client,192.168.1.20            clients are numbered from 0 in this order ...
//! server,203.0.113.7             ... and so are servers
//! at,1763770000                  the packet clock from here on
//! back,1                         records up to the next `at` are of packets stamped so many seconds before it
//! 0,0,12,15020,…                 a record; no number is 0, no client is the one above
//! end,1,0123456789abcdef         number of records, FNV-1a of all lines before
//! ```

use crate::window::{Counts, Sums};

mod read;
mod write;

pub use read::{BadSeconds, Entry, Reader};
pub use write::Writer;

/// What every seconds file begins with.
pub const MAGIC: &[u8] = b"seconds,";
/// The version this program writes and reads.
const VERSION: u64 = 1;
/// Servers with a number at a time; then the numbers begin anew (line `renumber`).
const MAX_NUMBERED: usize = 65_536;

/// The columns of a record after client and server.
const COLUMNS: [&str; 15] = [
    "down_packets",
    "down_bytes",
    "down_squares",
    "full_packets",
    "full_bytes",
    "small_packets",
    "udp_bytes",
    "up_packets",
    "up_bytes",
    "up_squares",
    "requests",
    "gaps",
    "gap_us",
    "gap_squares",
    "max_gap_us",
];

/// The line that names the columns.
fn head() -> String {
    format!("client,server,{}", COLUMNS.join(","))
}

fn values(sums: &Sums) -> [u64; COLUMNS.len()] {
    [
        sums.down.packets.into(),
        sums.down.bytes,
        sums.down.squares,
        sums.full_packets.into(),
        sums.full_bytes,
        sums.small_packets.into(),
        sums.udp_bytes,
        sums.up.packets.into(),
        sums.up.bytes,
        sums.up.squares,
        sums.requests.into(),
        sums.gaps.into(),
        sums.gap_us,
        sums.gap_squares,
        sums.max_gap_us,
    ]
}

/// The inverse of [`values`]; else the column that is out of its range.
fn sums(values: &[u64; COLUMNS.len()]) -> Result<Sums, &'static str> {
    let count = |column: usize| u32::try_from(values[column]).map_err(|_| COLUMNS[column]);
    let mut sums = Sums::default();
    sums.down = Counts { packets: count(0)?, bytes: values[1], squares: values[2] };
    sums.full_packets = count(3)?;
    sums.full_bytes = values[4];
    sums.small_packets = count(5)?;
    sums.udp_bytes = values[6];
    sums.up = Counts { packets: count(7)?, bytes: values[8], squares: values[9] };
    sums.requests = count(10)?;
    sums.gaps = count(11)?;
    (sums.gap_us, sums.gap_squares, sums.max_gap_us) = (values[12], values[13], values[14]);
    Ok(sums)
}

#[cfg(test)]
mod tests;
