use super::*;
use crate::net::mix;

const ORDERS: [Order; 2] = [Order::Little, Order::Big];

fn bytes32(order: Order, words: &[u32]) -> Vec<u8> {
    words
        .iter()
        .flat_map(|word| match order {
            Order::Little => word.to_le_bytes(),
            Order::Big => word.to_be_bytes(),
        })
        .collect()
}

fn pcap(order: Order, magic: u32, frames: &[(u32, u32, Vec<u8>)]) -> Vec<u8> {
    let extra: &[u32] = if magic == 0xa1b2_cd34 { &[7, 7] } else { &[] };
    let mut bytes = bytes32(order, &[magic, 0x0002_0004, 0, 0, 65_535, 1]);
    for (secs, fraction, data) in frames {
        bytes.extend(bytes32(order, &[*secs, *fraction, data.len() as u32, data.len() as u32 + 5]));
        bytes.extend(bytes32(order, extra));
        bytes.extend(data);
    }
    bytes
}

fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let len = (body.len().next_multiple_of(4) + 12) as u32;
    let mut bytes = bytes32(order, &[kind, len]);
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(bytes32(order, &[len]));
    bytes
}

fn section(order: Order) -> Vec<u8> {
    block(order, 0x0a0d_0d0a, &bytes32(order, &[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]))
}

/// An interface with a link type, a resolution and an offset in seconds.
fn interface(order: Order, link: u16, resolution: u8, offset: u32) -> Vec<u8> {
    let pair = |a: u16, b: u16| match order {
        Order::Little => [a.to_le_bytes(), b.to_le_bytes()].concat(),
        Order::Big => [a.to_be_bytes(), b.to_be_bytes()].concat(),
    };
    let offset = match order {
        Order::Little => u64::from(offset).to_le_bytes(),
        Order::Big => u64::from(offset).to_be_bytes(),
    };
    let body = [
        pair(link, 0),
        bytes32(order, &[65_535]),
        pair(9, 1),
        vec![resolution, 0, 0, 0],
        pair(14, 8),
        offset.to_vec(),
        pair(0, 0),
    ];
    block(order, 1, &body.concat())
}

fn enhanced(order: Order, interface: u32, ticks: u64, data: &[u8]) -> Vec<u8> {
    let len = data.len() as u32;
    let words = [interface, (ticks >> 32) as u32, ticks as u32, len, len + 5];
    block(order, 6, &[bytes32(order, &words), data.to_vec()].concat())
}

type Frames = Vec<(u64, u32, Vec<u8>)>;

fn read(bytes: &[u8]) -> (Frames, Damage) {
    let mut reader = TraceReader::try_new(bytes).unwrap();
    let mut frames = Frames::new();
    while let Some(frame) = reader.next().unwrap() {
        frames.push((frame.at.as_nanos(), frame.wire_len, frame.data.to_vec()));
    }
    (frames, reader.damage())
}

fn some_frames(count: u32) -> Vec<(u32, u32, Vec<u8>)> {
    (0..count).map(|i| (1_000 + i, i, vec![i as u8; 60 + (mix(u64::from(i)) % 1400) as usize])).collect()
}

#[test]
fn pcap_of_either_byte_order_and_resolution_gives_the_same_frames() {
    for order in ORDERS {
        for (magic, tick_ns) in [(0xa1b2_c3d4, 1_000), (0xa1b2_3c4d, 1), (0xa1b2_cd34, 1_000)] {
            let frames = [(7, 9, vec![1, 2, 3]), (u32::MAX, 5, vec![])];
            let (found, damage) = read(&pcap(order, magic, &frames));
            let last = u64::from(u32::MAX) * 1_000_000_000 + 5 * tick_ns;
            assert_eq!(found, [(7_000_000_000 + 9 * tick_ns, 8, vec![1, 2, 3]), (last, 5, vec![])]);
            assert!(damage.is_none());
        }
    }
}

#[test]
fn pcapng_interfaces_keep_their_own_clocks_and_sections_their_own_order() {
    let mut bytes = Vec::new();
    let mut expected = Frames::new();
    for order in ORDERS {
        bytes.extend(section(order));
        bytes.extend(interface(order, 1, 9, 0));
        bytes.extend(interface(order, 101, 6, 100));
        bytes.extend(interface(order, 1, 0x8a, 0));
        bytes.extend(block(order, 5, b"statistics"));
        bytes.extend(enhanced(order, 0, 7_000_000_001, b"nanos"));
        bytes.extend(enhanced(order, 1, 7_000_002, b"micros"));
        bytes.extend(enhanced(order, 2, 1536, b"binary"));
        bytes.extend(block(order, 3, &[bytes32(order, &[6]), b"simple".to_vec()].concat()));
        expected.extend([
            (7_000_000_001, 10, b"nanos".to_vec()),
            (107_000_002_000, 11, b"micros".to_vec()),
            (1_500_000_000, 11, b"binary".to_vec()),
            (1_500_000_000, 6, b"simple".to_vec()),
        ]);
    }
    assert_eq!(read(&bytes), (expected, Damage::default()));
}

#[test]
fn a_frame_of_an_undeclared_interface_is_a_bad_record() {
    let bytes = [section(Order::Little), enhanced(Order::Little, 3, 1, b"x")].concat();
    let (frames, damage) = read(&bytes);
    assert_eq!((frames.len(), damage.bad_records), (0, 1));
}

#[test]
fn stamps_beyond_the_time_line_are_clamped() {
    let bytes =
        [section(Order::Big), interface(Order::Big, 1, 0, u32::MAX), enhanced(Order::Big, 0, u64::MAX, b"x")];
    assert_eq!(read(&bytes.concat()).0[0].0, u64::MAX);
}

#[test]
fn a_truncated_file_gives_every_whole_record() {
    let frames = some_frames(5);
    let ng: Vec<u8> = std::iter::once(section(Order::Little))
        .chain([interface(Order::Little, 1, 6, 0)])
        .chain(frames.iter().map(|frame| enhanced(Order::Little, 0, 1, &frame.2)))
        .flatten()
        .collect();
    for bytes in [pcap(Order::Little, 0xa1b2_c3d4, &frames), ng] {
        let mut last = 0;
        for len in 24..=bytes.len() {
            let (found, damage) = read(&bytes[..len]);
            assert!(found.len() >= last && damage.bad_records == 0);
            last = found.len();
        }
        assert_eq!((last, read(&bytes).1), (5, Damage::default()));
        assert!(read(&bytes[..bytes.len() - 1]).1.truncated);
    }
}

#[test]
fn garbage_in_the_middle_costs_the_record_it_hits() {
    let frames = some_frames(2_000);
    let clean = pcap(Order::Little, 0xa1b2_c3d4, &frames);
    let at = 24 + frames[..1_000].iter().map(|frame| frame.2.len() + 16).sum::<usize>();
    let garbage: Vec<u8> = (0..5_000_u64).map(|i| mix(i) as u8 | 0x80).collect();
    for hole in [garbage, vec![0xff; 700_000], vec![0; 9_999]] {
        let bytes = [&clean[..at], &hole, &clean[at..]].concat();
        let (found, damage) = read(&bytes);
        assert_eq!(found.len(), 2_000);
        assert_eq!((damage.bad_records, damage.skipped_bytes), (1, hole.len() as u64));
    }
}

#[test]
fn garbage_between_blocks_is_passed_over() {
    let mut bytes = [section(Order::Little), interface(Order::Little, 1, 6, 0)].concat();
    for i in 0..10 {
        bytes.extend(enhanced(Order::Little, 0, i, b"frame"));
        bytes.extend(std::iter::repeat_n(0xee, 13));
    }
    let (frames, damage) = read(&bytes);
    assert_eq!((frames.len(), damage.bad_records, damage.skipped_bytes), (10, 10, 130));
}

#[test]
fn records_that_claim_more_than_a_frame_can_be_are_passed_over() {
    let mut bytes = pcap(Order::Little, 0xa1b2_c3d4, &some_frames(1));
    bytes.extend(bytes32(Order::Little, &[1_001, 0, 300_000, 300_000]));
    bytes.extend(std::iter::repeat_n(0xaa, 300_000));
    bytes.extend(&pcap(Order::Little, 0xa1b2_c3d4, &some_frames(4))[24..]);
    let (frames, damage) = read(&bytes);
    assert_eq!((frames.len(), damage.bad_records, damage.skipped_bytes), (5, 1, 300_016));
}

/// Gives one byte at a time, and knows how many were asked of it.
struct Trickle<'a> {
    bytes: &'a [u8],
    given: std::rc::Rc<std::cell::Cell<usize>>,
}

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let (Some((&first, rest)), Some(to)) = (self.bytes.split_first(), into.first_mut()) else {
            return Ok(0);
        };
        (*to, self.bytes) = (first, rest);
        self.given.set(self.given.get() + 1);
        Ok(1)
    }
}

#[test]
fn a_live_stream_is_never_read_beyond_the_frame_it_lends() {
    let bytes = pcap(Order::Little, 0xa1b2_c3d4, &some_frames(3));
    let given = std::rc::Rc::default();
    let input = Trickle { bytes: &bytes, given: std::rc::Rc::clone(&given) };
    let mut reader = TraceReader::try_new(input).unwrap();
    let mut expected = 24;
    while let Some(frame) = reader.next().unwrap() {
        expected += 16 + frame.data.len();
        assert_eq!(given.get(), expected);
    }
}

#[test]
fn no_mutation_makes_the_reader_panic_or_lend_more_than_there_is() {
    let order = Order::Little;
    let frames = some_frames(6);
    let mut ng = [section(order), interface(order, 1, 6, 3), block(order, 4, b"names")].concat();
    for frame in &frames {
        ng.extend(enhanced(order, 0, u64::from(frame.0), &frame.2));
    }
    for clean in [pcap(order, 0xa1b2_c3d4, &frames), ng] {
        for round in 0..3_000_u64 {
            let mut bytes = clean.clone();
            for hit in 0..=round % 4 {
                let random = mix(round * 16 + hit + 1);
                let at = (random >> 16) as usize % bytes.len().min(600);
                bytes[at.max(4)] = if random & 1 == 0 { 0xff } else { random as u8 };
            }
            let (found, _) = read(&bytes);
            let lent: usize = found.iter().map(|frame| frame.2.len()).sum();
            assert!(lent <= bytes.len());
        }
    }
}
