//! From packets to what is counted: attempts, answers, segments, ends.
//!
//! This is the part that runs for every packet. Packets in the middle of a flow that nobody has an interest in
//! leave after two comparisons.

use super::dns_tunnel::Asked;
use super::shared::{Attempt, Probe, at_target};
use super::streams::{Talk, at_service, talk_of, talk_on};
use super::{Detection, amplification, brute_force, icmp_tunnel, ssh_brute_force, web_brute_force};
use crate::dissect::hostname::HostName;
use crate::dissect::{Arp, Fragment, Ip, Packet, Tcp, Transport, dhcp, tcp_flags};
use crate::flow::{Flow, Seen, Side};
use crate::names::Event;
use crate::net::mix;
use crate::time::Moment;

/// Datagrams of one flow are counted in batches of this many.
const BATCH: u32 = 64;
/// Ports below this belong to services: a flow that seems to begin there is the tail of an older one.
const FIRST_EPHEMERAL: u16 = 1024;
/// Packets of a side within which it shows what it talks.
const TALK_SHOWS_WITHIN: u32 = 6;
/// A connection with less payload than this each way is small.
const SMALL_UP_BYTES: u64 = 3_000;
const SMALL_DOWN_BYTES: u64 = 6_000;

/// A client that offers no more room than this has stopped to read. Unscaled: with the usual scales at most 8 KiB.
const STALLED_WINDOW: u16 = 64;
/// Packets of a server by which a login from outside has become a visit.
const VISIT_PACKETS: u32 = 24;

const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;
const ROUTER_ADVERTISEMENT: u8 = 134;

impl Detection {
    #[inline]
    pub(super) fn observe_ip(&mut self, packet: &Packet<'_>, seen: &Seen<'_>, ip: &Ip, at: Moment) {
        if let Some(ended) = seen.ended {
            self.streams.close(&self.shared, &ended.flow, ended.slot, at);
        }
        self.claims.witness(&self.shared, packet, ip.src);
        match &packet.transport {
            Transport::Tcp(tcp) => self.observe_tcp(packet, seen, tcp),
            Transport::Udp { .. } => self.observe_udp(packet, seen),
            Transport::Icmp { kind, id, .. } => self.observe_icmp(packet, ip, (*kind, *id)),
            Transport::None if ip.protocol == 6 && ip.fragment == Fragment::First => {
                self.observe_tiny_fragment(ip, at);
            }
            Transport::None | Transport::Other(_) => {}
        }
    }

    fn observe_tcp(&mut self, packet: &Packet<'_>, seen: &Seen<'_>, tcp: &Tcp) {
        if seen.is_first() {
            *self.streams.note(seen.slot) = super::streams::Note::default();
            return self.begin_tcp(packet, seen, tcp);
        }
        let flow = seen.flow;
        match seen.side {
            Side::Resp if flow.resp.packets == 1 => self.answer_tcp(packet, flow, tcp),
            Side::Orig if flow.orig.packets == 2 => self.second_tcp(packet, seen, tcp),
            Side::Orig | Side::Resp => {}
        }
        if tcp.payload_len > 0 {
            self.segment(packet, seen, tcp);
        } else if tcp.window <= STALLED_WINDOW && seen.side == Side::Orig {
            self.stall(seen, tcp);
        }
        if tcp.flags & (tcp_flags::FIN | tcp_flags::RST) != 0 && flow.is_closed() {
            self.end_tcp(packet.at, seen);
        }
    }

    /// The first fragment of a segment that ends within its header hides its flags (RFC 1858 §2): nobody needs that
    /// but who wants to pass a filter.
    #[cold]
    fn observe_tiny_fragment(&mut self, ip: &Ip, at: Moment) {
        let attempt = Attempt { at, src: ip.src, dst: ip.dst, port: 0, probe: Probe::Tcp };
        if ip.src.is_special() || ip.dst.is_special() || !self.shared.admit(&ip.src) {
            return;
        }
        self.shared.attempt(&attempt);
        self.shared.odd_flags(&attempt);
    }

    fn begin_tcp(&mut self, packet: &Packet<'_>, seen: &Seen<'_>, tcp: &Tcp) {
        const ALL: u8 = 0x3f;
        /// FIN and ACK: Uriel Maimon's scan.
        const MAIMON: u8 = 0x11;
        let (orig, resp) = (seen.flow.tuple.orig, seen.flow.tuple.resp);
        if seen.side == Side::Resp || resp.addr.is_special() {
            return;
        }
        let is_syn = tcp.is_request();
        let is_odd = matches!(tcp.flags & ALL, 0 | 1 | 0x29 | 0x03 | 0x3f | 0x2b);
        // A lone ACK or FIN may be the rest of an old connection; a server's end of it never is a scan.
        let is_rest = matches!(tcp.flags & ALL, tcp_flags::ACK | MAIMON);
        let is_lone_ack = is_rest && tcp.payload_len == 0 && orig.port >= FIRST_EPHEMERAL;
        if !(is_syn || is_odd || is_lone_ack) {
            return;
        }
        let source = self.shared.hash(&orig.addr);
        if is_syn {
            self.count_from(source, packet, seen.flow, (at_target::SYNS, 1));
        }
        if orig.addr.is_special() {
            // Nobody has that address: it was forged, which is its victim's evidence and nobody's attempt.
            return;
        }
        self.note_first(packet, seen.flow);
        if self.shared.admit_hashed(&orig.addr, source) {
            let attempt = attempt(packet.at, seen.flow, Probe::Tcp);
            self.shared.attempt(&attempt);
            if is_odd {
                self.shared.odd_flags(&attempt);
            }
        }
    }

    /// The first packet of the one who was called.
    fn answer_tcp(&mut self, packet: &Packet<'_>, flow: &Flow, tcp: &Tcp) {
        if tcp.flags & tcp_flags::RST == 0 {
            self.shared.answer(&attempt(packet.at, flow, Probe::Tcp));
        }
    }

    /// The second packet of the one who calls: completes the handshake, if there is one.
    fn second_tcp(&mut self, packet: &Packet<'_>, seen: &Seen<'_>, tcp: &Tcp) {
        let flow = seen.flow;
        let accepted = flow.resp.flags & (tcp_flags::SYN | tcp_flags::RST) == tcp_flags::SYN;
        if tcp.flags & (tcp_flags::SYN | tcp_flags::RST | tcp_flags::ACK) != tcp_flags::ACK {
            return;
        }
        if flow.orig.flags & tcp_flags::SYN == 0 {
            // The middle of a connection that was there before us.
            return self.shared.answer(&attempt(packet.at, flow, Probe::Tcp));
        }
        if !accepted {
            return;
        }
        self.count_at_target(packet, flow, at_target::COMPLETED, 1);
        self.beacons.visit(&self.shared, flow);
        let talk = talk_on(flow.tuple.resp.port);
        let slice = self.shared.slice;
        let Some(service) = self.streams.service(&self.shared, flow, packet.at) else { return };
        service.open += 1;
        service.counts.add(slice, at_service::OPENED, 1);
        if service.talk == Talk::Unknown {
            service.talk = talk;
        }
        let talk = service.talk;
        let note = self.streams.note(seen.slot);
        (note.is_open, note.talk) = (true, talk);
    }

    /// A segment with payload.
    #[inline]
    fn segment(&mut self, packet: &Packet<'_>, seen: &Seen<'_>, tcp: &Tcp) {
        let half = seen.flow.half(seen.side);
        let note = self.streams.note(seen.slot);
        let sent = &mut note.sent_bytes[seen.side as usize];
        *sent = sent.saturating_add(tcp.payload_len);
        match note.talk {
            Talk::Unknown if half.packets <= TALK_SHOWS_WITHIN && note.is_open => {
                if let Some(talk) = talk_of(packet.payload) {
                    note.talk = talk;
                    if let Some(service) = self.streams.service(&self.shared, seen.flow, packet.at) {
                        service.talk = talk;
                    }
                    self.speak(packet, seen, tcp);
                }
            }
            Talk::Unknown => {}
            Talk::Ssh | Talk::Login | Talk::Web => {
                if half.packets.is_multiple_of(VISIT_PACKETS)
                    && seen.side == Side::Resp
                    && note.talk != Talk::Web
                {
                    self.logins.note(&self.shared, seen.flow, packet.at);
                }
                self.speak(packet, seen, tcp);
            }
        }
    }

    /// A client that takes in next to nothing of what it asked for.
    #[cold]
    fn stall(&mut self, seen: &Seen<'_>, tcp: &Tcp) {
        let note = self.streams.note(seen.slot);
        if note.is_open && tcp.flags & (tcp_flags::FIN | tcp_flags::RST | tcp_flags::SYN) == 0 {
            note.stalls = note.stalls.saturating_add(1);
        }
    }

    /// A segment of a conversation that somebody has an interest in.
    fn speak(&mut self, packet: &Packet<'_>, seen: &Seen<'_>, tcp: &Tcp) {
        let slice = self.shared.slice;
        let flow = seen.flow;
        match self.streams.note(seen.slot).talk {
            Talk::Unknown => {}
            Talk::Ssh => {
                let note = self.streams.note(seen.slot);
                // What it had sent before this segment.
                let own = if seen.side == Side::Resp { u64::from(tcp.payload_len) } else { 0 };
                let server_bytes = note.sent_by(Side::Resp).saturating_sub(own);
                let turn = note.shell.segment(seen.side, tcp.payload_len, server_bytes);
                if matches!(turn, ssh_brute_force::Turn::Success { .. }) {
                    self.logins.note(&self.shared, flow, packet.at);
                }
                if turn != ssh_brute_force::Turn::None
                    && let Some(service) = self.streams.service(&self.shared, flow, packet.at)
                {
                    ssh_brute_force::count(service, turn, slice, packet.at);
                }
            }
            Talk::Login => {
                if seen.side == Side::Resp && brute_force::is_refusal(packet.payload) {
                    self.count_at_service(flow, packet.at, at_service::REFUSED);
                }
            }
            Talk::Web => self.speak_web(packet, seen),
        }
    }

    fn speak_web(&mut self, packet: &Packet<'_>, seen: &Seen<'_>) {
        let (flow, payload) = (seen.flow, packet.payload);
        match seen.side {
            Side::Orig if crate::dissect::http::begins_request(payload) => {
                self.count_at_target(packet, flow, at_target::REQUESTS, 1);
                self.count_at_service(flow, packet.at, at_service::REQUESTS);
                if payload.starts_with(b"POST ") {
                    self.streams.note(seen.slot).has_posted = true;
                    self.count_at_service(flow, packet.at, at_service::POSTS);
                }
            }
            Side::Resp if payload.starts_with(b"HTTP/1") => {
                self.count_at_target(packet, flow, at_target::REPLIES, 1);
                self.count_at_service(flow, packet.at, at_service::REPLIES);
                if web_brute_force::is_refusal(payload) {
                    self.count_at_service(flow, packet.at, at_service::REFUSED);
                }
            }
            Side::Orig | Side::Resp => {}
        }
    }

    fn count_at_service(&mut self, flow: &Flow, at: Moment, which: usize) {
        let slice = self.shared.slice;
        if let Some(service) = self.streams.service(&self.shared, flow, at) {
            service.counts.add(slice, which, 1);
        }
    }

    /// Both said goodbye, or one hung up.
    fn end_tcp(&mut self, at: Moment, seen: &Seen<'_>) {
        let note = *self.streams.note(seen.slot);
        if note.is_ended || !note.is_open {
            return;
        }
        self.streams.close(&self.shared, seen.flow, seen.slot, at);
        self.streams.note(seen.slot).is_ended = true;
        let slice = self.shared.slice;
        let (up, down) = (note.sent_by(Side::Orig), note.sent_by(Side::Resp));
        self.beacons.report(&self.shared, seen.flow, (up, down));
        let Some(service) = self.streams.service(&self.shared, seen.flow, at) else { return };
        service.counts.add(slice, at_service::ENDED, 1);
        let is_small = up > 0 && down > 0 && up <= SMALL_UP_BYTES && down <= SMALL_DOWN_BYTES;
        service.counts.add(slice, at_service::SMALL, u32::from(is_small));
        if note.talk == Talk::Ssh && note.shell.ended_after_one() {
            ssh_brute_force::count(service, ssh_brute_force::Turn::Failed { first: true }, slice, at);
        }
    }

    fn observe_udp(&mut self, packet: &Packet<'_>, seen: &Seen<'_>) {
        let flow = seen.flow;
        match seen.side {
            Side::Orig if seen.is_first() => self.begin_udp(packet, flow),
            Side::Orig if flow.orig.packets.is_multiple_of(BATCH) => {
                let which = if amplification::is_reflector(flow.tuple.orig.port) {
                    at_target::REFLECTED
                } else {
                    at_target::DATAGRAMS
                };
                self.count_at_target(packet, flow, which, BATCH);
            }
            Side::Resp if flow.resp.packets == 1 => {
                if let Some(ether) = packet.ether {
                    self.bindings.note_answer(ether, flow.tuple.resp.addr, packet.at);
                }
                self.shared.answer(&attempt(packet.at, flow, Probe::Udp));
                self.count_at_target(packet, flow, at_target::ANSWERS, 1);
            }
            Side::Resp if flow.resp.packets.is_multiple_of(BATCH) => {
                self.count_at_target(packet, flow, at_target::ANSWERS, BATCH);
                if amplification::amplifies(flow) {
                    let slice = self.shared.slice;
                    if let Some(victim) = self.shared.target(&flow.tuple.orig.addr) {
                        victim.counts.add(slice, at_target::REFLECTED, BATCH);
                        victim.main_source.vote(flow.tuple.resp.addr);
                        victim.since.note(packet.at);
                    }
                }
            }
            Side::Orig | Side::Resp => {}
        }
    }

    fn begin_udp(&mut self, packet: &Packet<'_>, flow: &Flow) {
        let (orig, resp) = (flow.tuple.orig, flow.tuple.resp);
        if resp.addr.is_special() || orig.addr.is_special() {
            return;
        }
        self.note_first(packet, flow);
        if amplification::is_reflector(orig.port) {
            // Nobody asked, as far as we saw.
            return self.count_at_target(packet, flow, at_target::REFLECTED, 1);
        }
        let source = self.shared.hash(&orig.addr);
        self.count_from(source, packet, flow, (at_target::DATAGRAMS, 1));
        if orig.port >= FIRST_EPHEMERAL && self.shared.admit_hashed(&orig.addr, source) {
            self.shared.attempt(&attempt(packet.at, flow, Probe::Udp));
        }
    }

    fn observe_icmp(&mut self, packet: &Packet<'_>, ip: &Ip, (kind, id): (u8, u16)) {
        let is_v4 = ip.protocol == 1;
        let Some(ether) = packet.ether else { return self.observe_echo(packet, ip, kind) };
        if !is_v4 && kind == ROUTER_ADVERTISEMENT {
            // Dissection keeps an advertisement's lifetime where echoes have their identifier.
            if id > 0 {
                self.advertisers.observe(ip.src, ether.src, packet.at);
            }
            return;
        }
        self.observe_echo(packet, ip, kind);
    }

    #[cfg_attr(router, optimize(speed))]
    fn observe_echo(&mut self, packet: &Packet<'_>, ip: &Ip, kind: u8) {
        let is_v4 = ip.protocol == 1;
        if !icmp_tunnel::is_pair(&ip.src, &ip.dst) {
            return;
        }
        let attempt = Attempt { at: packet.at, src: ip.src, dst: ip.dst, port: 0, probe: Probe::Icmp };
        match (is_v4, kind) {
            (true, ECHO_REQUEST) | (false, ECHO_REQUEST_V6) => {
                let slice = self.shared.slice;
                if let Some(target) = self.shared.target(&ip.dst) {
                    target.counts.add(slice, at_target::ECHOES, 1);
                    target.main_source.vote(ip.src);
                    target.since.note(packet.at);
                }
                if self.shared.admit(&ip.src) {
                    self.shared.attempt(&attempt);
                    self.echoes.request(&self.shared, ip, packet.at);
                }
            }
            (true, ECHO_REPLY) | (false, ECHO_REPLY_V6) => {
                self.shared.answer(&Attempt { src: ip.dst, dst: ip.src, ..attempt });
                self.echoes.reply(&self.shared, ip);
            }
            _ => {}
        }
    }

    pub(super) fn observe_arp(&mut self, packet: &Packet<'_>, arp: &Arp, at: Moment) {
        self.claims.observe(&self.shared, &self.bindings, arp, at);
        if !arp.sender.is_special() {
            self.bindings.note_claim(arp.sender_mac, arp.sender, at);
        }
        if arp.sender == arp.target || arp.sender.is_special() {
            return;
        }
        let ask = |src, dst| Attempt { at, src, dst, port: 0, probe: Probe::Arp };
        let from_router = packet
            .ether
            .and_then(|ether| self.bindings.of(ether.src))
            .is_some_and(super::who::Owner::is_router);
        match arp.operation {
            // A router asks for whoever strangers want to reach.
            1 if !from_router && self.shared.admit(&arp.sender) => {
                self.shared.attempt(&ask(arp.sender, arp.target));
            }
            2 => self.shared.answer(&ask(arp.target, arp.sender)),
            _ => {}
        }
    }

    #[cfg_attr(router, optimize(speed))]
    pub(super) fn observe_events(
        &mut self,
        packet: &Packet<'_>,
        ip: &Ip,
        (names, asked): (&[Event], Option<&HostName>),
    ) {
        for event in names {
            match event {
                Event::Dns(dns) => {
                    let asker = if dns.server == ip.dst { ip.src } else { ip.dst };
                    let bytes = asked.map_or(&[][..], |name| name.as_bytes());
                    let name = bytes
                        .iter()
                        .fold(dns.site, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
                    let asked = Asked { asker, name: mix(name), at: packet.at };
                    self.sites.observe(&self.shared, dns, &asked);
                }
                Event::Dhcp { sender, message } => self.observe_dhcp(packet, *sender, message),
                Event::Spoken(_) | Event::Answered(_) | Event::Device(_) => {}
            }
        }
    }

    fn observe_dhcp(&mut self, packet: &Packet<'_>, sender: crate::net::Addr, message: &dhcp::V4) {
        const OFFER: u8 = 2;
        const ACK: u8 = 5;
        if let (OFFER | ACK, Some(ether)) = (message.kind, packet.ether) {
            self.dhcp.observe(message.server.unwrap_or(sender), ether.src, packet.at);
        }
    }

    #[cfg_attr(router, optimize(speed))]
    fn note_first(&mut self, packet: &Packet<'_>, flow: &Flow) {
        if let Some(ether) = packet.ether {
            self.bindings.note_first(ether, flow.tuple.orig.addr, flow.tuple.resp.addr, packet.at);
        }
    }

    /// Counts at the destination of a flow, whoever its source is.
    fn count_at_target(&mut self, packet: &Packet<'_>, flow: &Flow, which: usize, n: u32) {
        let source = self.shared.hash(&flow.tuple.orig.addr);
        self.count_from(source, packet, flow, (which, n));
    }

    /// The same for who knows the hash of the source.
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    fn count_from(&mut self, source: u64, packet: &Packet<'_>, flow: &Flow, (which, n): (usize, u32)) {
        let slice = self.shared.slice;
        let Some(target) = self.shared.target(&flow.tuple.resp.addr) else { return };
        target.counts.add(slice, which, n);
        if matches!(
            which,
            at_target::SYNS | at_target::DATAGRAMS | at_target::REFLECTED | at_target::REQUESTS
        ) {
            target.sources.mark(source, slice);
            target.main_source.vote(flow.tuple.orig.addr);
            if let Some(ether) = packet.ether {
                let [a, b, c, d, e, f] = ether.src.0;
                target.macs.mark(mix(u64::from_le_bytes([a, b, c, d, e, f, 0, 0])), slice);
                target.main_mac.vote(ether.src);
            }
        }
        target.since.note(packet.at);
    }
}

/// What a flow's first side tried.
fn attempt(at: Moment, flow: &Flow, probe: Probe) -> Attempt {
    let (orig, resp) = (flow.tuple.orig, flow.tuple.resp);
    Attempt { at, src: orig.addr, dst: resp.addr, port: resp.port, probe }
}
