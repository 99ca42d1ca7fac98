use super::*;
use crate::lan::{Identify, Lan, Vantage};
use crate::net::ClientId;

fn client() -> ClientIdx {
    let addr = Addr::from_v4([10, 0, 0, 2]);
    Lan::new(Vantage::Guess, Identify::Ip).clients_mut().enter(ClientId::Addr(addr), None, addr)
}

fn sample(at: Moment, len: u32) -> Sample {
    let server = Addr::from_v4([203, 0, 113, 9]);
    Sample { at, direction: Direction::Down, server, sizes: Sizes::one(len), datagram: Datagram::No }
}

fn closed(windows: &mut Windows, at: Moment) -> Vec<Progress> {
    let mut done = Vec::new();
    loop {
        match windows.advance(at) {
            Progress::UpToDate => return done,
            progress => {
                if let Progress::Close(no) = progress {
                    windows.clients_mut().for_each(|(_, client)| client.close(no));
                }
                done.push(progress);
            }
        }
    }
}

#[test]
fn a_window_closes_one_second_after_its_end_and_counts_late_packets_until_then() {
    let mut windows = Windows::new();
    let client = client();
    closed(&mut windows, Moment::from_secs(101));
    windows.observe(client, &sample(Moment::from_secs(101), 100));
    assert_eq!(closed(&mut windows, Moment::from_nanos(110_900_000_000)), []);
    windows.observe(client, &sample(Moment::from_secs(109), 50));
    assert_eq!(closed(&mut windows, Moment::from_secs(111)), [Progress::Close(10)]);
    windows.observe(client, &sample(Moment::from_secs(109), 1));
    assert_eq!(windows.client(client).unwrap().sums(10).down.bytes, 150);
    assert_eq!(windows.late(), 1);
}

#[test]
fn a_jump_of_years_is_one_gap_either_way() {
    let mut windows = Windows::new();
    let (now, later) = (Moment::from_secs(1_000), Moment::from_secs(2_000_000_000));
    closed(&mut windows, now);
    let gap = |from, to| Progress::Gap { from, to };
    assert_eq!(closed(&mut windows, later), [Progress::Close(100), gap(now, later)]);
    assert_eq!(closed(&mut windows, now), [Progress::Close(200_000_000), gap(later, now)]);
}

#[test]
fn an_hour_of_silence_is_stepped_through_and_ages_the_context() {
    let mut windows = Windows::new();
    let client = client();
    closed(&mut windows, Moment::from_secs(0));
    windows.observe(client, &sample(Moment::from_secs(0), 1_000));
    assert_eq!(closed(&mut windows, Moment::from_secs(3_600)).len(), 359);
    assert_eq!(windows.client(client).unwrap().down_bytes(358, RING), 0);
}

#[test]
fn finishing_closes_what_is_open_once() {
    let mut windows = Windows::new();
    closed(&mut windows, Moment::from_secs(5));
    assert_eq!(windows.finish(), Progress::Close(0));
    assert_eq!(windows.finish(), Progress::UpToDate);
    assert_eq!(Windows::new().finish(), Progress::UpToDate);
}

#[test]
fn merged_packets_stand_for_the_packets_that_were_sent() {
    let sizes = Sizes::merged(52 + 3 * 1_448 + 100, 52, 1_448);
    assert_eq!(sizes, Sizes { full: 3, full_len: 1_500, last_len: 152 });
    assert_eq!((sizes.packets(), sizes.bytes()), (4, 4_652));
    assert_eq!(Sizes::merged(52 + 1_448, 52, 1_448), Sizes { full: 0, full_len: 1_500, last_len: 1_500 });
}

#[test]
fn more_servers_than_the_table_holds_keep_the_busiest() {
    let mut windows = Windows::new();
    let client = client();
    closed(&mut windows, Moment::from_secs(0));
    for i in 0..=255u8 {
        let mut packet = sample(Moment::from_secs(1), if i == 7 { 60_000 } else { 100 });
        packet.server = Addr::from_v4([203, 0, 113, i]);
        windows.observe(client, &packet);
    }
    closed(&mut windows, Moment::from_secs(11));
    let state = windows.client(client).unwrap();
    let top = state.servers().iter().max_by_key(|s| s.bytes_in(0, 1)).unwrap();
    assert_eq!((top.addr, top.bytes_in(0, 1)), (Addr::from_v4([203, 0, 113, 7]), 60_000));
    assert_eq!(state.servers().len(), MAX_SERVERS);
    assert!(state.sums(0).servers() > 100);
}

#[test]
fn only_a_full_table_of_servers_with_bytes_has_one_displaced() {
    let mut windows = Windows::new();
    let client = client();
    let from = |i| Sample { server: Addr::from_v4([203, 0, 113, i]), ..sample(Moment::from_secs(1), 100) };
    closed(&mut windows, Moment::from_secs(0));
    for i in 0..MAX_SERVERS as u8 {
        assert!(!windows.displaces(client, &from(i)));
        windows.observe(client, &from(i));
    }
    assert!(!windows.displaces(client, &from(7)), "it has a place");
    assert!(windows.displaces(client, &from(200)));
    assert!(!windows.displaces(client, &Sample { direction: Direction::Up, ..from(200) }));
    // Two minutes later nobody has bytes any more.
    closed(&mut windows, Moment::from_secs(141));
    let late = |i| Sample { at: Moment::from_secs(141), ..from(i) };
    assert!(!windows.displaces(client, &late(200)));
}

#[test]
fn sums_of_seconds_are_counted_like_the_packets_they_stand_for() {
    let client = client();
    let at = Moment::from_secs(1);
    let (mut packets, mut seconds) = (Windows::new(), Windows::new());
    let mut sums = Sums::default();
    for windows in [&mut packets, &mut seconds] {
        closed(windows, at);
    }
    let mut latest = None;
    for (i, len) in [1_500, 60, 400, 1_200].into_iter().enumerate() {
        let direction = if i == 2 { Direction::Up } else { Direction::Down };
        let sample = Sample { direction, ..sample(at + Duration::from_millis(i as u64 * 7), len) };
        packets.observe(client, &sample);
        sums.count(&sample, latest);
        latest = Some(sample.at);
    }
    seconds.add(client, at, Addr::from_v4([203, 0, 113, 9]), &sums);
    for windows in [&mut packets, &mut seconds] {
        closed(windows, Moment::from_secs(11));
    }
    let (packets, seconds) = (packets.client(client).unwrap(), seconds.client(client).unwrap());
    assert_eq!(packets.sums(0), seconds.sums(0));
    assert_eq!((packets.second(1), packets.sums(0).servers()), (2_760, 1));
    assert_eq!((seconds.second(1), seconds.servers()[0].bytes_at(0)), (2_760, 2_760));
}

#[test]
fn a_client_costs_less_than_three_kibibytes() {
    assert!(Windows::bytes_per_client() < 3_072, "{}", Windows::bytes_per_client());
}
