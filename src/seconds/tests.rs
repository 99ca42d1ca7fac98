use super::*;
use crate::classify::fnv1a;
use crate::features::{Row, extract};
use crate::lan::{ClientIdx, Clients, Identify, Lan, Vantage};
use crate::net::{Addr, ClientId, Direction, mix};
use crate::time::{Duration, Moment};
use crate::window::{Datagram, MAX_SERVERS, Progress, Sample, Sizes, Windows};

const START_S: u64 = 1_763_770_003;

/// Moves the clock, and makes rows of what it closes.
fn turn(windows: &mut Windows, at: Option<Moment>, rows: &mut Vec<(ClientIdx, u64, Row)>) {
    loop {
        let progress = match at {
            Some(at) => windows.advance(at),
            None => windows.finish(),
        };
        match progress {
            Progress::UpToDate => return,
            Progress::Close(no) => {
                for (number, client) in windows.clients_mut() {
                    client.close(no);
                    rows.push((number, no, extract(client, no)));
                }
            }
            Progress::Gap { .. } => windows.forget(),
        }
    }
}

/// What was captured: by whom, and what; nobody's frames only move the clock.
type Frames = Vec<(Moment, Option<(ClientIdx, Sample)>)>;

fn clients(count: u8) -> (Lan, Vec<ClientIdx>) {
    let mut lan = Lan::new(Vantage::Guess, Identify::Ip);
    let numbers = (2..2 + count).map(|i| {
        let addr = Addr::from_v4([10, 0, 0, i]);
        lan.clients_mut().enter(ClientId::Addr(addr), None, addr)
    });
    let numbers = numbers.collect();
    (lan, numbers)
}

fn rows_of_frames(frames: &Frames, phase: Duration) -> Vec<(ClientIdx, u64, Row)> {
    let (mut windows, mut rows) = (Windows::new(), Vec::new());
    for (at, packet) in frames {
        turn(&mut windows, Some(*at + phase), &mut rows);
        if let Some((client, sample)) = packet {
            windows.observe(*client, &Sample { at: sample.at + phase, ..*sample });
        }
    }
    turn(&mut windows, None, &mut rows);
    rows
}

fn rows_of_seconds(text: &[u8], phase: Duration) -> Vec<(ClientIdx, u64, Row)> {
    let (mut windows, mut rows, mut numbers) = (Windows::new(), Vec::new(), Vec::new());
    let mut lan = clients(0).0;
    let mut reader = Reader::try_new(text).unwrap();
    while let Some(entry) = reader.next().unwrap() {
        match entry {
            Entry::Client(id) => numbers.push(lan.clients_mut().enter(id, None, Addr::UNSPECIFIED)),
            Entry::First(at) | Entry::Clock(at) => turn(&mut windows, Some(at + phase), &mut rows),
            Entry::Record { client, second, server, sums } => {
                windows.add(numbers[client], second + phase, server, &sums);
            }
        }
    }
    turn(&mut windows, None, &mut rows);
    rows
}

fn written(frames: &Frames, clients: &Clients) -> Vec<u8> {
    let mut text = Vec::new();
    let mut writer = Writer::try_new(&mut text).unwrap();
    for (at, packet) in frames {
        writer.frame(*at).unwrap();
        if let Some((client, sample)) = packet {
            writer.packet(clients, *client, sample).unwrap();
        }
    }
    writer.finish().unwrap();
    text
}

fn packet(at: Moment, server: u8, direction: Direction, len: u32) -> Sample {
    let datagram = if server.is_multiple_of(3) { Datagram::Yes } else { Datagram::No };
    let sizes = if len > 1_500 { Sizes::merged(len, 52, 1_448) } else { Sizes::one(len) };
    Sample { at, direction, server: Addr::from_v4([203, 0, 113, server]), sizes, datagram }
}

/// `count` packets about `step_us` apart, up to a second out of order, of two clients and `servers` servers of which a few
/// carry the most.
fn busy(count: u64, step_us: u64, servers: u64, numbers: &[ClientIdx]) -> Frames {
    let (mut random, mut at) = (7, Moment::from_secs(START_S));
    let mut draw = |most: u64| {
        random = mix(random + 0x9e37_79b9);
        random % most
    };
    let frame = |_| {
        at = at + Duration::from_micros(draw(2 * step_us));
        let stamp = if draw(9) == 0 { at - Duration::from_millis(draw(900)) } else { at };
        let most = if draw(4) == 0 { servers } else { 3 };
        let direction = if draw(3) == 0 { Direction::Up } else { Direction::Down };
        let len = if draw(20) == 0 { 9_000 } else { 20 + draw(1_481) as u32 };
        let sample = packet(stamp, draw(most) as u8, direction, len);
        let client = numbers[draw(numbers.len() as u64) as usize];
        (stamp, (draw(10) != 0).then_some((client, sample)))
    };
    (0..count).map(frame).collect()
}

fn assert_same_rows(frames: &Frames, clients: &Clients) {
    let text = written(frames, clients);
    for phase_s in 0..12 {
        let phase = Duration::from_secs(phase_s);
        let (packets, seconds) = (rows_of_frames(frames, phase), rows_of_seconds(&text, phase));
        assert_eq!(packets.len(), seconds.len(), "phase {phase_s}");
        for (packets, seconds) in packets.iter().zip(&seconds) {
            assert_eq!(packets, seconds, "phase {phase_s}");
        }
    }
}

#[test]
fn seconds_give_the_rows_of_their_packets_at_every_phase() {
    let (lan, numbers) = clients(3);
    assert_same_rows(&busy(20_000, 20_000, 12, &numbers), lan.clients());
}

#[test]
fn servers_that_fight_for_places_within_a_second_do_so_in_their_order() {
    let (lan, numbers) = clients(1);
    let frames = busy(20_000, 3_000, 4 * MAX_SERVERS as u64, &numbers);
    assert_same_rows(&frames, lan.clients());
    // Else the test would prove nothing: some servers have several records of a second.
    let text = String::from_utf8(written(&frames, lan.clients())).unwrap();
    let mut seen = std::collections::HashSet::new();
    let mut again = 0;
    for line in text.lines().skip(2) {
        match line.split_once(',').unwrap() {
            ("at" | "back", _) => seen.clear(),
            ("0", record) => again += usize::from(!seen.insert(record.split(',').next().unwrap())),
            _ => {}
        }
    }
    assert!(again > 100, "{again}");
}

#[test]
fn silence_is_stepped_through_and_a_broken_clock_is_one_gap() {
    let (lan, numbers) = clients(2);
    let burst = |start_s: u64, client: usize| {
        (0..40).map(move |i| {
            let at = Moment::from_secs(start_s) + Duration::from_millis(i * 377);
            (at, Some((client, packet(at, 1 + i as u8 % 5, Direction::Down, 1_400))))
        })
    };
    let by_client = burst(START_S, 0)
        .chain(burst(START_S + 3_000, 1))
        // An hour in which somebody else sends something every few minutes.
        .chain((1..30).map(|i| (Moment::from_secs(START_S + 3_020 + i * 140), None)))
        .chain(burst(START_S + 9_000, 0))
        .chain(burst(START_S + 12_614, 0))
        .chain(burst(START_S + 16_230, 1))
        .chain(burst(START_S - 90_000, 1))
        .chain(burst(START_S + 90_000, 0));
    let frames: Frames = by_client
        .map(|(at, packet)| (at, packet.map(|(client, sample)| (numbers[client], sample))))
        .collect();
    assert_same_rows(&frames, lan.clients());
}

#[test]
fn a_packet_too_late_for_its_window_is_so_in_seconds_too() {
    let (lan, numbers) = clients(1);
    let frames: Frames = (0..600)
        .map(|i| {
            let at = Moment::from_secs(START_S) + Duration::from_millis(i * 100);
            // Of every fiftieth the gap is none: it comes after packets that were sent later.
            let stamp = if i % 50 == 49 { at - Duration::from_millis(2_600) } else { at };
            (stamp, Some((numbers[0], packet(stamp, 1, Direction::Down, 1_000))))
        })
        .collect();
    assert_same_rows(&frames, lan.clients());
}

#[test]
fn a_capture_of_nothing_is_a_file_of_nothing() {
    let (lan, _) = clients(0);
    assert_same_rows(&Vec::new(), lan.clients());
    assert_eq!(rows_of_seconds(&written(&Vec::new(), lan.clients()), Duration::ZERO), []);
}

fn small() -> Vec<u8> {
    let (lan, numbers) = clients(2);
    written(&busy(40, 100_000, 5, &numbers), lan.clients())
}

/// The first thing wrong with a file, as it is told.
fn refusal(text: &[u8]) -> String {
    let mut reader = match Reader::try_new(text) {
        Ok(reader) => reader,
        Err(error) => return error.to_string(),
    };
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => return "read to its end".into(),
            Err(error) => return error.to_string(),
        }
    }
}

#[test]
fn a_file_that_was_cut_or_changed_anywhere_is_refused() {
    let whole = small();
    assert_eq!(refusal(&whole), "read to its end");
    for at in 0..whole.len() {
        assert_ne!(refusal(&whole[..at]), "read to its end", "cut at {at}");
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert_ne!(refusal(&changed), "read to its end", "changed at {at}");
    }
    let lines = whole.iter().filter(|byte| **byte == b'\n').count();
    let last_line = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    assert_eq!(
        refusal(&whole[..last_line]),
        format!("line {lines}: the file ends here without its line `end`: it was cut off")
    );
}

/// A file of these lines whose records and checksum are right.
fn sealed(lines: &str, records: usize) -> Vec<u8> {
    let text = format!("seconds,{VERSION}\n{}\nfirst,100.000000001\n{lines}", head());
    format!("{text}end,{records},{:016x}\n", fnv1a(text.as_bytes())).into_bytes()
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let named = "client,10.0.0.2\nserver,192.0.2.1\n";
    let refused = |lines: &str| refusal(&sealed(&format!("{named}{lines}"), 1));
    assert_eq!(refused("0,0,1,60,3600,,,1,,,,,,,,,\n"), "read to its end");
    assert_eq!(refused("0,0,1,60,-3,,,1,,,,,,,,,\n"), "line 6: down_squares is no number in its range");
    assert_eq!(
        refused("0,0,4294967296,60,3,,,1,,,,,,,,,\n"),
        "line 6: down_packets is no number in its range"
    );
    assert_eq!(refused("0,0,1,60\n"), "line 6: a record has 17 fields");
    assert_eq!(refused("1,0,1,60,3600,,,1,,,,,,,,,\n"), "line 6: client is a number that no line has named");
    assert_eq!(refused("0,9,1,60,3600,,,1,,,,,,,,,\n"), "line 6: server is a number that no line has named");
    assert_eq!(refused("back,101\n0,0,1,60,3600,,,1,,,,,,,,,\n"), "line 7: back is no number in its range");
    assert_eq!(refused("at,99999999999\n"), "line 6: at is no number in its range");
    assert_eq!(refused("noise\n"), "line 6: begins with no word of the format");
    assert_eq!(refused("first,7\n"), "line 6: stands before the line `first`, or is a second one");
    assert_eq!(
        refused("client,10.0.0.2\n"),
        "line 6: a client that is no address, has a number or is beyond 1024"
    );
    assert_eq!(refused(""), "line 6: the number of records or the checksum is another: the file was damaged");
    assert_eq!(refused(&"9".repeat(600)), "line 6: longer than 512 bytes");
    assert_eq!(refusal(b"seconds,2\n"), "line 1: not seconds of version 1");
    assert_eq!(refusal(b"seconds,1\nclient,server\n"), "line 2: other columns than those of this version");
}

#[test]
fn the_largest_numbers_make_a_row_and_no_panic() {
    let max = u64::MAX;
    let few = u32::MAX;
    let record = format!(
        "0,0,{few},{max},{max},{few},{max},{few},{max},{few},{max},{max},{few},{few},{max},{max},{max}\n"
    );
    let lines = format!("client,10.0.0.2\nserver,192.0.2.1\n{}", record.repeat(3));
    assert_eq!(rows_of_seconds(&sealed(&lines, 3), Duration::ZERO).len(), 1);
}

#[test]
fn the_writers_memory_does_not_grow_with_the_servers_of_a_flood() {
    let (lan, numbers) = clients(1);
    let at = Moment::from_secs(START_S);
    let frames: Frames = (0..MAX_NUMBERED as u32 + 300)
        .map(|i| {
            let [_, b, c, d] = i.to_be_bytes();
            let server = Addr::from_v4([203, b, c, d]);
            (at, Some((numbers[0], Sample { server, ..packet(at, 1, Direction::Up, 60) })))
        })
        .collect();
    let text = written(&frames, lan.clients());
    assert_eq!(text.windows(10).filter(|at| *at == b"\nrenumber\n").count(), 1);
    assert_eq!(rows_of_frames(&frames, Duration::ZERO), rows_of_seconds(&text, Duration::ZERO));
}
