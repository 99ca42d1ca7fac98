//! Bytes that the kernel counted in our stead: where the capture is blind, books, totals and data plans live on them.
//!
//! Only bytes come this way. Watch time needs packets and stays unmeasurable; attacks and names are taken from what
//! is still heard, the first packets of each connection.

use super::House;
use crate::account::{Connection, Moved, Source, Tracked};
use crate::lan::{ClientIdx, Identify, Side};
use crate::net::{Addr, ClientId, Direction, FiveTuple, MacAddr};
use crate::units::Bytes;

/// What the kernel counted of one client, and what we heard of the same.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    counted: Moved,
    heard: Moved,
}

/// The kernel's counts: empty, and no memory, where all frames are heard.
#[derive(Debug, Default)]
pub(super) struct Counts {
    tracked: Tracked,
    /// By client.
    shares: Vec<Share>,
}

impl Counts {
    fn share(&mut self, client: ClientIdx) -> &mut Share {
        if self.shares.len() <= client.index() {
            self.shares.resize(client.index() + 1, Share::default());
        }
        &mut self.shares[client.index()]
    }

    /// A frame that the kernel counts, too.
    #[cold]
    pub(super) fn heard(&mut self, side: &Side, wire_len: u32) {
        let heard = &mut self.share(side.client).heard;
        match side.direction {
            Direction::Up => heard.up += u64::from(wire_len),
            Direction::Down => heard.down += u64::from(wire_len),
        }
    }
}

/// A connection as the LAN sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    local: Addr,
    server: Addr,
    /// Which way its first packet went.
    began: Direction,
}

impl House {
    /// From now on bytes of clients' connections are those that this source counts.
    pub fn set_bytes_from(&mut self, source: Source) {
        if self.books.source() != source {
            self.books.set_source(source);
            // Whatever was counted meanwhile was counted by the other: a new baseline.
            self.counts.tracked = Tracked::default();
        }
    }

    /// Who counts the bytes of clients' connections.
    pub fn bytes_from(&self) -> Source {
        self.books.source()
    }

    /// The kernel told what a connection has carried. `neighbour` gives the device that has an address of the LAN;
    /// connections of addresses that neither it nor the capture knows are the router's own.
    pub fn counted(&mut self, connection: &Connection, neighbour: impl Fn(&Addr) -> Option<MacAddr>) {
        let moved = self.counts.tracked.difference(connection);
        if moved.is_zero() || self.bytes_from() != Source::Kernel {
            return;
        }
        let owned = |seen: Seen| Some((seen, self.owner(seen.local, &neighbour)?));
        let Some((seen, client)) = seen_from_lan(connection).find_map(owned) else { return };
        let moved = match seen.began {
            Direction::Up => moved,
            Direction::Down => Moved { up: moved.down, down: moved.up },
        };
        let tuple = match seen.began {
            Direction::Up => connection.orig,
            Direction::Down => answered(&connection.reply),
        };
        self.books.add(client, seen.server, (tuple.proto, self.engine.flows().slot_of(&tuple)), moved);
        self.counts.share(client).counted += moved;
        if let Some(client) = self.client_id(client) {
            self.ledger.meter(client, &seen.server, Bytes(moved.total()));
        }
    }

    /// All connections that the kernel has were told.
    pub fn end_count(&mut self) {
        self.counts.tracked.end_round();
    }

    /// Times a connection found no room and was not counted.
    pub fn not_counted(&self) -> u64 {
        self.counts.tracked.left_out()
    }

    /// What a client moved since the start, whoever counted it.
    pub fn moved(&self, client: ClientIdx) -> Moved {
        let totals = self.engine.totals(client);
        let share = self.counts.shares.get(client.index()).copied().unwrap_or_default();
        let joined = |all: u64, heard: u64, counted: u64| all.saturating_sub(heard).saturating_add(counted);
        Moved {
            up: joined(totals.up_bytes, share.heard.up, share.counted.up),
            down: joined(totals.down_bytes, share.heard.down, share.counted.down),
        }
    }

    /// The client with an address of the LAN: the neighbour's, entered if nothing of it was heard yet, else whom the
    /// capture knows by it, for the list of neighbours is older than a device that has just come.
    fn owner(&mut self, local: Addr, neighbour: &impl Fn(&Addr) -> Option<MacAddr>) -> Option<ClientIdx> {
        let Some(mac) = neighbour(&local) else { return self.engine.lan().clients().owner_of(local) };
        let id = match self.engine.identify() {
            Identify::Mac => ClientId::Mac(mac),
            Identify::Ip => ClientId::Addr(local),
        };
        Some(self.engine.lan_mut().clients_mut().enter(id, Some(mac), local))
    }
}

/// A connection as the LAN sees it, if it began there, and if it was answered there; whoever owns `local` decides.
fn seen_from_lan(connection: &Connection) -> impl Iterator<Item = Seen> {
    let (orig, reply) = (&connection.orig, &connection.reply);
    let began = Seen { local: orig.orig.addr, server: orig.resp.addr, began: Direction::Up };
    let answered = Seen { local: reply.orig.addr, server: orig.orig.addr, began: Direction::Down };
    [began, answered].into_iter().filter(|seen| !seen.server.is_private() && !seen.server.is_special())
}

/// The first packet's way as the LAN sees it, from that of the answers.
fn answered(reply: &FiveTuple) -> FiveTuple {
    FiveTuple { orig: reply.resp, resp: reply.orig, proto: reply.proto }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Carried;
    use crate::config::Config;
    use crate::engine::Model;
    use crate::engine::NamesFrom;
    use crate::engine::house::{Act, live_settings};
    use crate::net::Endpoint;
    use crate::quota::Who;
    use crate::time::{Moment, Now, WallTime, Zone};

    const PLAN: &str = "config plan 'guest'\n\toption period 'month'\n\toption limit '1M'\n";

    fn end(octets: [u8; 4], port: u16) -> Endpoint {
        Endpoint { addr: Addr::from_v4(octets), port }
    }

    /// The tablet fetches, behind NAT.
    fn download(forth: u64, back: u64) -> Connection {
        let orig =
            FiveTuple { orig: end([192, 168, 1, 11], 5_000), resp: end([203, 0, 113, 9], 443), proto: 6 };
        let reply = FiveTuple { orig: orig.resp, resp: end([198, 51, 100, 1], 5_000), proto: 6 };
        let carried = |bytes| Carried { packets: 0, bytes };
        Connection { id: 1, orig, reply, forth: carried(forth), back: carried(back) }
    }

    /// Somebody outside fetches from the tablet, by a forwarded port.
    fn upload(forth: u64, back: u64) -> Connection {
        let orig =
            FiveTuple { orig: end([203, 0, 113, 77], 6_000), resp: end([198, 51, 100, 1], 80), proto: 6 };
        let reply = FiveTuple { orig: end([192, 168, 1, 11], 8_080), resp: orig.orig, proto: 6 };
        Connection { id: 2, orig, reply, ..download(forth, back) }
    }

    fn neighbour(addr: &Addr) -> Option<MacAddr> {
        (*addr == Addr::from_v4([192, 168, 1, 11])).then_some(MacAddr([2, 0, 0, 0, 1, 1]))
    }

    fn house() -> House {
        let (config, findings) = Config::load(PLAN, None);
        assert_eq!(findings, []);
        let model = std::sync::Arc::new(Model::embedded());
        let settings = live_settings(config.main.sensitivity, model, 7);
        let mut house = House::new(config, Zone::default(), settings, NamesFrom::OwnFrames);
        house.tick(at(0));
        house
    }

    fn at(secs: u64) -> Now {
        let wall = WallTime::from_secs(1_800_000_000 + i64::try_from(secs).unwrap());
        Now { mono: Moment::from_secs(secs), wall: Some(wall) }
    }

    #[test]
    fn what_the_kernel_counts_reaches_totals_books_and_data_plans() {
        let mut house = house();
        house.set_bytes_from(Source::Kernel);
        house.counted(&download(1_000, 1_000), neighbour);
        house.end_count();
        house.counted(&download(21_000, 501_000), neighbour);
        house.counted(&upload(3_000, 40_000), neighbour);
        house.end_count();
        let client = house.engine().lan().clients().owner_of(Addr::from_v4([192, 168, 1, 11])).unwrap();
        assert_eq!(house.moved(client), Moved { up: 60_000, down: 503_000 });
        let plans = house.snapshot(at(1)).plans;
        assert_eq!(plans.iter().map(|plan| plan.used).collect::<Vec<_>>(), [Bytes(563_000)]);
        house.tick(at(61));
        let minute = house.take_minutes().next().unwrap();
        let rows = minute.traffic.iter();
        let rows: Vec<_> = rows.map(|row| (row.client.as_str(), row.up_bytes, row.down_bytes)).collect();
        assert_eq!(rows, [("02:00:00:00:01:01", 60_000, 503_000)]);
    }

    #[test]
    fn the_routers_own_connections_and_those_inside_are_nobodys() {
        let mut house = house();
        house.set_bytes_from(Source::Kernel);
        house.end_count();
        let own = Connection {
            orig: FiveTuple { orig: end([198, 51, 100, 1], 9), ..download(0, 0).orig },
            ..download(5, 5)
        };
        let inside = Connection {
            orig: FiveTuple { resp: end([10, 0, 0, 9], 9), ..download(0, 0).orig },
            ..download(5, 5)
        };
        house.counted(&own, neighbour);
        house.counted(&inside, neighbour);
        assert!(house.engine().lan().clients().is_empty());
    }

    #[test]
    fn a_change_of_the_source_begins_with_a_new_baseline() {
        let mut house = house();
        house.set_bytes_from(Source::Kernel);
        house.end_count();
        house.set_bytes_from(Source::Capture);
        house.counted(&download(1, 2), neighbour);
        house.set_bytes_from(Source::Kernel);
        house.counted(&download(100, 200), neighbour);
        house.end_count();
        house.counted(&download(150, 200), neighbour);
        let client = house.engine().lan().clients().owner_of(Addr::from_v4([192, 168, 1, 11])).unwrap();
        assert_eq!(house.moved(client), Moved { up: 50, down: 0 });
    }

    #[test]
    fn a_device_can_be_paused_before_its_first_window_closes() {
        let mut house = house();
        house.set_bytes_from(Source::Kernel);
        house.end_count();
        house.counted(&download(10, 10), neighbour);
        let mac = |last| Who::Client(ClientId::Mac(MacAddr([2, 0, 0, 0, 1, last])));
        assert_eq!(house.act(Act::Pause { minutes: None }, &mac(1), at(1)), Ok(()));
        assert!(house.act(Act::Pause { minutes: None }, &mac(2), at(1)).is_err(), "nobody has seen that one");
    }
}
