//! Frames in trains: what they need is asked for together.
//!
//! A household's tables are larger than a processor's near cache, and who fills the ring has just used that cache, too.
//! Handled one by one, each frame waits for its set of flows, then for its flow, then for its line in the books: two
//! thirds of its time. Sixteen frames that are looked at first wait once, all together ([`Engine::foresee`]); then each
//! is handled as always, in its order. A train lasts as long as the reading of what waits in the ring, no longer.
//!
//! [`Engine::foresee`]: crate::engine::Engine::foresee

use std::array;

use super::House;
use crate::dissect::{Frame, LinkType, dissect};
use crate::time::Moment;

/// Frames of one train.
const LEN: usize = 16;
/// Bytes of the longest frame that is coupled; the usual snap length is 128.
const ROOM: usize = 256;

/// Frames that wait for company, in copies: the ring takes its memory back.
pub(super) struct Train {
    heads: [Head; LEN],
    bytes: [[u8; ROOM]; LEN],
    coupled: usize,
}

/// What is known of a frame beside its bytes.
#[derive(Clone, Copy)]
struct Head {
    at: Moment,
    link: LinkType,
    wire_len: u32,
    len: usize,
}

/// Whether a frame was coupled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coupled {
    Yes,
    /// And the train has no more room.
    Last,
    /// It is too long.
    No,
}

impl Train {
    pub(super) fn new() -> Box<Self> {
        let head = Head { at: Moment::ZERO, link: LinkType::Ethernet, wire_len: 0, len: 0 };
        Box::new(Self { heads: [head; LEN], bytes: [[0; ROOM]; LEN], coupled: 0 })
    }

    #[inline]
    fn couple(&mut self, frame: &Frame<'_>) -> Coupled {
        let len = frame.data.len();
        let (Some(head), Some(room)) = (self.heads.get_mut(self.coupled), self.bytes.get_mut(self.coupled))
        else {
            return Coupled::No;
        };
        let Some(to) = room.get_mut(..len) else { return Coupled::No };
        to.copy_from_slice(frame.data);
        *head = Head { at: frame.at, link: frame.link, wire_len: frame.wire_len, len };
        self.coupled += 1;
        if self.coupled == LEN { Coupled::Last } else { Coupled::Yes }
    }

    #[inline]
    fn frame(&self, place: usize) -> Frame<'_> {
        let Head { at, link, wire_len, len } = self.heads[place];
        Frame { at, link, wire_len, data: &self.bytes[place][..len] }
    }
}

impl House {
    /// A frame passed the LAN, and more of them wait: it is handled with the next ones, at [`House::pass`] at the latest.
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub fn couple(&mut self, frame: &Frame<'_>) {
        match self.train.as_mut().map_or(Coupled::No, |train| train.couple(frame)) {
            Coupled::Yes => {}
            Coupled::Last => self.pass(),
            Coupled::No => {
                self.pass();
                self.frame(frame);
            }
        }
    }

    /// Handles the frames that wait for company.
    #[cfg_attr(router, optimize(speed))]
    pub fn pass(&mut self) {
        // Taken out, for its frames are borrowed while the house handles them.
        let Some(mut train) = self.train.take() else { return };
        if train.coupled == LEN {
            let packets: [_; LEN] = array::from_fn(|place| dissect(&train.frame(place)));
            let slots = self.engine.foresee(&packets);
            self.books.foresee(&slots);
            for (place, packet) in packets.iter().enumerate() {
                self.packet(&train.frame(place), packet);
            }
        } else {
            (0..train.coupled).for_each(|place| self.frame(&train.frame(place)));
        }
        train.coupled = 0;
        self.train = Some(train);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Config;
    use crate::engine::house::live_settings;
    use crate::engine::{Model, NamesFrom};
    use crate::lan::Vantage;
    use crate::net::MacAddr;
    use crate::time::Zone;

    pub(in super::super) const ROUTER: [u8; 6] = [2, 0, 0, 0, 0, 1];

    pub(in super::super) fn house() -> House {
        let config = Config::default();
        let settings = live_settings(config.main.sensitivity, Arc::new(Model::embedded()), 7);
        let mut house = House::new(config, Zone::default(), settings, NamesFrom::OwnFrames);
        house.engine.set_vantage(Vantage::Router(vec![MacAddr(ROUTER)]));
        house
    }

    /// Datagrams of 500 flows, some too long to be coupled, some cut to nothing.
    fn bytes(number: u16) -> Vec<u8> {
        let [high, low] = (number % 500).to_be_bytes();
        let mut data = [ROUTER, [2, 0, 0, 0, 1, low % 8]].concat();
        data.extend([8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 192, 168, 1, low % 8, 203, 0, 113, 9]);
        data.extend([high + 8, low, 0, 9, 0, 26, 0, 0]);
        data.resize(60, 0);
        match number % 101 {
            0 => data.resize(ROOM + 1, 0),
            1 => data.truncate(9),
            _ => {}
        }
        data
    }

    #[test]
    fn a_train_is_handled_as_its_frames_are() {
        let (mut alone, mut coupled) = (house(), house());
        for number in 0..10_000 {
            let data = bytes(number);
            let at = Moment::from_nanos(u64::from(number) * 3_000_000);
            let frame = Frame { at, link: LinkType::Ethernet, wire_len: data.len() as u32, data: &data };
            alone.frame(&frame);
            coupled.couple(&frame);
            if number % 37 == 0 {
                coupled.pass();
            }
        }
        coupled.pass();
        let flows = |house: &House| house.engine.flows().iter().map(|(_, flow)| *flow).collect::<Vec<_>>();
        assert_eq!(flows(&coupled), flows(&alone));
        assert_eq!(flows(&alone).len(), 500);
        assert_eq!(coupled.engine.seen(), alone.engine.seen());
        assert_eq!(coupled.engine.seen().packets, 10_000);
        let [entries, expected] =
            [&mut coupled, &mut alone].map(|house| house.books.close(house.engine.flows()));
        assert_eq!(entries, expected);
        assert_eq!(coupled.packets.len(), alone.packets.len());
    }

    #[test]
    fn a_configuration_that_leaves_the_ring_as_it_is_leaves_its_packets() {
        let mut house = house();
        let data = bytes(7);
        let at = Moment::from_secs(1);
        house.frame(&Frame { at, link: LinkType::Ethernet, wire_len: data.len() as u32, data: &data });
        let text = |option: &str| format!("config capture 'capture'\n\toption {option}\n");
        house.set_config(Config::load(&text("dir '/mnt/usb'"), None).0);
        assert_eq!(house.packets.len(), 1);
        house.set_config(Config::load(&text("packets '0'"), None).0);
        assert_eq!(house.packets.len(), 0);
    }
}
