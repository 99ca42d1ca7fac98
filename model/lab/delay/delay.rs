//! The line between the lab's router and its servers: delay, jitter, loss, rate.
//!
//! Debian kernels have netem; small machines often do not. This program stands in
//! for it: it carries IP packets between two TUN devices and treats the packets
//! of each client as its access line would. It knows nothing of TCP, it never
//! reorders, and it never changes a byte. The one idea: a packet's release time
//! is fixed when it is read (queueing + propagation + jitter), so one sorted
//! queue per direction and one sleeping thread are enough.
//!
//! The devices arrive as file descriptors 0 (towards the clients) and 1 (towards
//! the servers); `net.py` opens them inside the namespaces. The only argument is
//! the table of lines, one per client or server:
//!
//! ```text
//! client 192.168.77.11 down_kbps 20000 up_kbps 5000 rtt_ms 24 jitter_ms 3 loss_ppm 200 queue_ms 120 hold_ms 0
//! server 203.0.113.20 rtt_ms 12
//! ```
//!
//! When a line's queue holds more than `queue_ms` of traffic the packet is
//! dropped, as a modem does. A table that cannot be read ends the program with
//! the line number; packets of strangers are passed without delay.

#![forbid(unsafe_code)]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Packets that may wait per direction; more are dropped (64 Ki x 1.5 kB = 96 MiB).
const MAX_WAITING: usize = 65_536;

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Down,
    Up,
}

#[derive(Clone, Copy, Default)]
struct Line {
    down_kbps: u64,
    up_kbps: u64,
    rtt_us: u64,
    jitter_us: u64,
    loss_ppm: u64,
    queue_us: u64,
    hold_us: u64,
}

#[derive(Clone, Copy)]
struct Shaper {
    line: Line,
    free_at: Instant,
    last_release: Instant,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    release: Instant,
    number: u64,
    packet: Vec<u8>,
}

type Queue = Arc<(Mutex<BinaryHeap<Reverse<Waiting>>>, Condvar)>;

struct Table {
    clients: HashMap<IpAddr, Line>,
    servers: HashMap<IpAddr, u64>,
}

fn main() {
    if let Err(error) = run() {
        eprintln!("delay: {error}");
        std::process::exit(2);
    }
}

fn run() -> Result<(), String> {
    let path = std::env::args().nth(1).ok_or("usage: delay TABLE (TUN devices on fds 0 and 1)")?;
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
    let table = Arc::new(parse(&text).map_err(|e| format!("{path}: {e}"))?);
    let clients = device(std::io::stdin().as_fd())?;
    let servers = device(std::io::stdout().as_fd())?;
    let (clients_out, servers_out) = (duplicate(&clients)?, duplicate(&servers)?);
    let down = start(Direction::Down, servers, clients_out, Arc::clone(&table));
    let up = start(Direction::Up, clients, servers_out, table);
    for thread in [down, up] {
        thread.join().map_err(|_| "a forwarding thread ended".to_string())?;
    }
    Ok(())
}

fn device(fd: std::os::fd::BorrowedFd<'_>) -> Result<File, String> {
    fd.try_clone_to_owned().map(File::from).map_err(|e| format!("TUN descriptor: {e}"))
}

fn duplicate(file: &File) -> Result<File, String> {
    file.try_clone().map_err(|e| format!("TUN descriptor: {e}"))
}

/// Starts the two threads of one direction; the returned one ends with its device.
fn start(direction: Direction, from: File, to: File, table: Arc<Table>) -> std::thread::JoinHandle<()> {
    let queue: Queue = Arc::new((Mutex::new(BinaryHeap::new()), Condvar::new()));
    let reader = Arc::clone(&queue);
    std::thread::spawn(move || release(&queue, to));
    std::thread::spawn(move || accept(Road::new(direction, table), from, &reader))
}

/// One direction of all lines, as its reader thread holds it.
struct Road {
    direction: Direction,
    table: Arc<Table>,
    shapers: HashMap<IpAddr, Shaper>,
    random: Random,
}

impl Road {
    fn new(direction: Direction, table: Arc<Table>) -> Self {
        let start = Instant::now();
        let shapers = table
            .clients
            .iter()
            .map(|(address, line)| {
                let shaper = Shaper { line: *line, free_at: start, last_release: start };
                (*address, shaper)
            })
            .collect();
        let random = Random(0x9e37_79b9_7f4a_7c15 ^ direction as u64);
        Self { direction, table, shapers, random }
    }

    /// The moment a packet leaves, or `None` when its line drops it.
    fn schedule(&mut self, packet: &[u8], now: Instant) -> Option<Instant> {
        let Some((source, target)) = addresses(packet) else {
            return Some(now);
        };
        let (client, server) = match self.direction {
            Direction::Down => (target, source),
            Direction::Up => (source, target),
        };
        let Some(shaper) = self.shapers.get_mut(&client) else {
            return Some(now);
        };
        let line = shaper.line;
        if self.random.below(1_000_000) < line.loss_ppm {
            return None;
        }
        let kbps = match self.direction {
            Direction::Down => line.down_kbps,
            Direction::Up => line.up_kbps,
        };
        let wire_us = (packet.len() as u64 * 8_000).checked_div(kbps).unwrap_or(0);
        let begin = shaper.free_at.max(now);
        if line.queue_us > 0 && begin.duration_since(now) > Duration::from_micros(line.queue_us) {
            return None;
        }
        shaper.free_at = begin + Duration::from_micros(wire_us);
        let far_us = self.table.servers.get(&server).copied().unwrap_or(0);
        let jitter_us = self.random.below(line.jitter_us);
        let travel = Duration::from_micros((line.rtt_us + far_us) / 2 + jitter_us);
        let mut release = (shaper.free_at + travel).max(shaper.last_release);
        if line.hold_us > 0 && self.direction == Direction::Down && self.random.below(4) == 0 {
            // Wi-Fi: frames leave together when the air is free.
            release = release.max(shaper.last_release + Duration::from_micros(line.hold_us));
        }
        shaper.last_release = release;
        Some(release)
    }
}

/// Reads packets and fixes the time each one leaves.
fn accept(mut road: Road, mut from: File, queue: &Queue) {
    let mut buffer = vec![0u8; 65_536];
    let mut number = 0u64;
    while let Ok(length) = from.read(&mut buffer) {
        let packet = &buffer[..length];
        let Some(release) = road.schedule(packet, Instant::now()) else {
            continue;
        };
        number += 1;
        let Ok(mut heap) = queue.0.lock() else { return };
        if heap.len() < MAX_WAITING {
            heap.push(Reverse(Waiting { release, number, packet: packet.to_vec() }));
            // Only a new first packet changes when the sender must wake.
            if heap.peek().is_some_and(|Reverse(first)| first.number == number) {
                queue.1.notify_one();
            }
        }
    }
}

/// Source and destination of an IPv4 or IPv6 packet.
fn addresses(packet: &[u8]) -> Option<(IpAddr, IpAddr)> {
    match packet.first()? >> 4 {
        4 => {
            let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
            let target: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
            Some((Ipv4Addr::from(source).into(), Ipv4Addr::from(target).into()))
        }
        6 => {
            let source: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
            let target: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
            Some((Ipv6Addr::from(source).into(), Ipv6Addr::from(target).into()))
        }
        _ => None,
    }
}

/// Writes packets when their time has come.
fn release(queue: &Queue, mut to: File) {
    let (heap, arrived) = (&queue.0, &queue.1);
    let Ok(mut waiting) = heap.lock() else { return };
    loop {
        let now = Instant::now();
        let due = waiting.peek().map(|Reverse(first)| first.release);
        match due {
            Some(at) if at <= now => {
                let Some(Reverse(first)) = waiting.pop() else {
                    continue;
                };
                drop(waiting);
                // A full or vanished device drops the packet, as a cable would.
                let _ = to.write(&first.packet);
                let Ok(again) = heap.lock() else { return };
                waiting = again;
            }
            Some(at) => {
                let Ok((again, _)) = arrived.wait_timeout(waiting, at - now) else {
                    return;
                };
                waiting = again;
            }
            None => {
                let Ok(again) = arrived.wait(waiting) else {
                    return;
                };
                waiting = again;
            }
        }
    }
}

struct Random(u64);

impl Random {
    /// A number below `limit` (xorshift64*).
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit.max(1)
    }
}

fn parse(text: &str) -> Result<Table, String> {
    let mut table = Table { clients: HashMap::new(), servers: HashMap::new() };
    for (index, raw) in text.lines().enumerate() {
        let words: Vec<&str> = raw.split_whitespace().collect();
        if words.is_empty() || words[0].starts_with('#') {
            continue;
        }
        parse_line(&words, &mut table).map_err(|e| format!("line {}: {e}", index + 1))?;
    }
    Ok(table)
}

fn parse_line(words: &[&str], table: &mut Table) -> Result<(), String> {
    let kind = words[0];
    let address = words.get(1).ok_or("address missing")?;
    let address: IpAddr = address.parse().map_err(|_| format!("bad address {address}"))?;
    let mut line = Line::default();
    for pair in words[2..].chunks(2) {
        let [key, value] = pair else {
            return Err(format!("{} has no value", pair[0]));
        };
        let value: u64 = value.parse().map_err(|_| format!("bad number {value} for {key}"))?;
        match *key {
            "down_kbps" => line.down_kbps = value,
            "up_kbps" => line.up_kbps = value,
            "rtt_ms" => line.rtt_us = value * 1000,
            "jitter_ms" => line.jitter_us = value * 1000,
            "loss_ppm" => line.loss_ppm = value,
            "queue_ms" => line.queue_us = value * 1000,
            "hold_ms" => line.hold_us = value * 1000,
            other => return Err(format!("unknown word {other}")),
        }
    }
    match kind {
        "client" => table.clients.insert(address, line).map(|_| ()),
        "server" => table.servers.insert(address, line.rtt_us).map(|_| ()),
        other => return Err(format!("expected client or server, found {other}")),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: [u8; 4] = [192, 168, 77, 11];
    const SERVER: [u8; 4] = [203, 0, 113, 20];

    fn road(table: &str) -> Road {
        let table = parse(table).unwrap_or_else(|e| panic!("{e}"));
        Road::new(Direction::Down, Arc::new(table))
    }

    fn packet(size: usize) -> Vec<u8> {
        let mut packet = vec![0x45; size];
        packet[12..16].copy_from_slice(&SERVER);
        packet[16..20].copy_from_slice(&CLIENT);
        packet
    }

    #[test]
    fn rate_and_half_the_round_trip_delay_a_packet() {
        let mut road = road("client 192.168.77.11 down_kbps 1000 rtt_ms 20\nserver 203.0.113.20 rtt_ms 10\n");
        let now = Instant::now() + Duration::from_secs(1);
        let first = road.schedule(&packet(1000), now);
        let second = road.schedule(&packet(1000), now);
        assert_eq!(first, Some(now + Duration::from_millis(8 + 15)));
        assert_eq!(second, Some(now + Duration::from_millis(16 + 15)));
    }

    #[test]
    fn a_full_queue_drops() {
        let mut road = road("client 192.168.77.11 down_kbps 1000 queue_ms 20\n");
        let now = Instant::now() + Duration::from_secs(1);
        let sent = (0..10).filter(|_| road.schedule(&packet(1000), now).is_some());
        assert_eq!(sent.count(), 3);
    }

    #[test]
    fn jitter_never_reorders() {
        let mut road = road("client 192.168.77.11 down_kbps 90000 rtt_ms 5 jitter_ms 30 hold_ms 9");
        let now = Instant::now() + Duration::from_secs(1);
        let times: Vec<_> =
            (0..500).map(|i| road.schedule(&packet(400), now + Duration::from_micros(i * 90))).collect();
        assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
    }

    #[test]
    fn strangers_pass_at_once() {
        let mut road = road("client 10.0.0.1 rtt_ms 500");
        let now = Instant::now();
        assert_eq!(road.schedule(&packet(100), now), Some(now));
        assert_eq!(road.schedule(b"short", now), Some(now));
    }

    #[test]
    fn both_families_have_lines() {
        let mut road = road("client fd42::11 rtt_ms 40\n");
        let mut packet = vec![0x60; 60];
        packet[24..40].copy_from_slice(&"fd42::11".parse::<Ipv6Addr>().map_or([0; 16], |a| a.octets()));
        let now = Instant::now() + Duration::from_secs(1);
        assert_eq!(road.schedule(&packet, now), Some(now + Duration::from_millis(20)));
    }

    #[test]
    fn a_bad_table_names_its_line() {
        for (text, wanted) in [
            ("# lines\nclient nowhere", "line 2: bad address nowhere"),
            ("client 1.2.3.4 rtt_ms", "line 1: rtt_ms has no value"),
            ("client 1.2.3.4 rtt_ms x", "line 1: bad number x for rtt_ms"),
            ("client 1.2.3.4 colour 7", "line 1: unknown word colour"),
            ("router 1.2.3.4", "line 1: expected client or server, found router"),
        ] {
            assert_eq!(parse(text).err().as_deref(), Some(wanted));
        }
    }
}
