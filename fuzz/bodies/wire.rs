//! Bodies of fuzz targets: everything that reads frames and capture files. Included by the smoke test and by
//! cargo-fuzz targets alike.

use streamguard::dissect::trace::TraceReader;
use streamguard::dissect::{Frame, LinkType, MAX_LAYERS, dissect};
use streamguard::flow::FlowTable;
use streamguard::os::files::unpacked;
use streamguard::time::Moment;

/// Link types a frame's first byte chooses from; seeds.py has the same list.
const LINKS: [u32; 10] = [1, 0, 9, 51, 101, 113, 276, 228, 229, 147];
/// Frames read of one file: enough for any input, and an end for those that unpack to a lot.
const MAX_FRAMES: usize = 100_000;

/// Any bytes as a frame of any link type, then into the flow table: nothing is counted that is not there.
pub fn frame(input: &[u8]) {
    let [kind, w0, w1, data @ ..] = input else { return };
    let wire_len = u32::from(u16::from_le_bytes([*w0, *w1]));
    let link = LinkType::from_number(LINKS[usize::from(*kind) % LINKS.len()]);
    let frame = Frame { at: Moment::from_secs(wire_len.into()), link, wire_len, data };
    let packet = dissect(&frame);
    let wire = frame.wire_len.max(data.len() as u32);
    assert!(packet.ip().is_none_or(|ip| ip.len <= wire));
    assert!(packet.payload.len() <= data.len());
    assert!(packet.application_path().len() <= MAX_LAYERS);
    let mut table = FlowTable::with_sets(1, 0);
    for _ in 0..2 {
        if let Some(seen) = table.observe(&packet) {
            assert!((1..=512).contains(&seen.wire_packets));
        }
    }
}

/// Any bytes as a capture file, plain or compressed: what is lent fits in what was given.
pub fn capture_file(input: &[u8]) {
    let Ok(plain) = unpacked(Box::new(std::io::Cursor::new(input.to_vec()))) else { return };
    let Ok(mut reader) = TraceReader::try_new(plain) else { return };
    for _ in 0..MAX_FRAMES {
        let Ok(Some(frame)) = reader.next() else { return };
        assert!(frame.wire_len as usize >= frame.data.len());
    }
}
