//! The protocol hierarchy of one frame: which headers were seen, outermost first.
//!
//! The names are Wireshark's filter names, so that reports read like `tshark -qz io,phs`.

/// A protocol layer as reports name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Proto {
    Eth,
    Vlan,
    Arp,
    Ip,
    Ipv6,
    Tcp,
    Udp,
}

/// More layers than this are a tunnel bomb, not a packet.
pub(crate) const MAX_LAYERS: usize = 16;

/// The layers of one frame, outermost first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Path {
    layers: [Option<Proto>; MAX_LAYERS],
    len: u8,
}
