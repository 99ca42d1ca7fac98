//! The protocol hierarchy of one frame: which headers were seen, outermost first.
//!
//! The names are Wireshark's filter names, so that reports read like `tshark -qz io,phs`. A path is one 128-bit
//! number, a byte per layer, the innermost in the lowest byte: comparing, hashing and taking the parent (one
//! shift) cost next to nothing, and accounting does all three for each frame.

use std::fmt;

/// Names the layers once, for the enum, the list and the text.
macro_rules! protos {
    ($($variant:ident $name:literal,)*) => {
        /// A protocol layer as reports name it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "the names are Wireshark's")]
        pub enum Proto { $($variant),* }

        impl Proto {
            /// Every layer there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Wireshark's filter name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

protos! {
    Eth "eth", Sll "sll", Null "null", Raw "raw", Ppp "ppp", Llc "llc",
    Vlan "vlan", Ieee8021ad "ieee8021ad", Mpls "mpls", Pppoed "pppoed", Pppoes "pppoes", Macsec "macsec",
    Arp "arp", Ip "ip", Ipv6 "ipv6",
    Icmp "icmp", Icmpv6 "icmpv6", Igmp "igmp", Tcp "tcp", Udp "udp", UdpLite "udplite", Sctp "sctp", Dccp "dccp",
    Gre "gre", Esp "esp", Ah "ah", IpComp "ipcomp", EtherIp "etherip", L2tp "l2tp", Vxlan "vxlan", Gtp "gtp",
    Geneve "geneve", Teredo "teredo", Ospf "ospf", Eigrp "eigrp", Pim "pim", Vrrp "vrrp", Rsvp "rsvp",
    Lcp "lcp", Ipcp "ipcp", Ipv6cp "ipv6cp", Ccp "ccp", Pap "pap", Chap "chap",
    Stp "stp", Cdp "cdp", Lldp "lldp", Eapol "eapol", Wol "wol", Ctp "loop", Slow "slow", Ptp "ptp", Ipx "ipx",
    Homeplug "homeplug", HomeplugAv "homeplug-av", Ieee1905 "ieee1905", Realtek "rrcp", Netbios "netbios",
    Dns "dns", Mdns "mdns", Llmnr "llmnr", Nbns "nbns", Nbdgm "nbdgm", Dhcp "dhcp", Dhcpv6 "dhcpv6", Ntp "ntp",
    Ssdp "ssdp", Snmp "snmp", Syslog "syslog", Tftp "tftp", Radius "radius", Sip "sip", Stun "stun", Rtp "rtp",
    Rtcp "rtcp", Isakmp "isakmp", Udpencap "udpencap", Wireguard "wg", OpenVpn "openvpn", Quic "quic", Tls "tls",
    Dtls "dtls", Http "http", Ssh "ssh", Ftp "ftp", FtpData "ftp-data", Telnet "telnet", Smtp "smtp", Pop "pop",
    Imap "imap", Smb2 "smb2", Nbss "nbss", Rtsp "rtsp", Rtmp "rtmpt", Mqtt "mqtt", Bittorrent "bittorrent",
    BtDht "bt-dht", BtUtp "bt-utp", Ldap "ldap", Rdp "tpkt", Vnc "vnc", Git "git", Coap "coap", Xmpp "xmpp",
    Mysql "mysql", Postgres "pgsql", Redis "resp", Socks "socks", Nfs "rpc", Data "data",
}

/// More layers than this are a tunnel bomb, not a packet.
pub const MAX_LAYERS: usize = 16;

/// The layers of one frame, outermost first.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(u128);

impl Path {
    /// No layer at all.
    pub const EMPTY: Self = Self(0);

    /// The same path one layer deeper; unchanged beyond [`MAX_LAYERS`].
    #[must_use]
    #[inline]
    pub const fn push(self, proto: Proto) -> Self {
        if self.is_full() { self } else { Self(self.0 << 8 | (proto as u8 as u128 + 1)) }
    }

    /// Whether no further layer fits.
    #[inline]
    pub const fn is_full(self) -> bool {
        self.0 >> 120 != 0
    }

    /// Whether there is no layer.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Number of layers.
    pub const fn len(self) -> usize {
        (128 - self.0.leading_zeros() as usize).div_ceil(8)
    }

    /// The path without its innermost layer; of the empty path, the empty path.
    #[must_use]
    pub const fn parent(self) -> Self {
        Self(self.0 >> 8)
    }

    /// The outermost `len` layers.
    #[must_use]
    pub const fn ancestor(self, len: usize) -> Self {
        let deeper = self.len().saturating_sub(len);
        if deeper >= MAX_LAYERS { Self::EMPTY } else { Self(self.0 >> (8 * deeper)) }
    }

    /// The innermost layer.
    pub fn leaf(self) -> Option<Proto> {
        proto_of(self.0 as u8)
    }

    /// The layers, outermost first.
    pub fn layers(self) -> impl Iterator<Item = Proto> {
        self.0.to_be_bytes().into_iter().filter_map(proto_of)
    }

    /// Whether some layer is `proto`.
    pub fn has(self, proto: Proto) -> bool {
        self.layers().any(|layer| layer == proto)
    }

    /// The path as a number, for tables: equal paths, equal numbers, 0 for the empty path.
    pub const fn as_bits(self) -> u128 {
        self.0
    }
}

/// The layer a byte of a path stands for.
fn proto_of(byte: u8) -> Option<Proto> {
    Proto::ALL.get(usize::from(byte.checked_sub(1)?)).copied()
}

impl fmt::Display for Proto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Path {
    /// `eth:ip:udp:quic`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, layer) in self.layers().enumerate() {
            if i > 0 {
                f.write_str(":")?;
            }
            f.write_str(layer.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_gives_back_what_was_pushed_and_stops_at_its_capacity() {
        let mut path = Path::EMPTY;
        for layer in [Proto::Eth, Proto::Ip, Proto::Udp, Proto::Quic] {
            path = path.push(layer);
        }
        assert_eq!((path.to_string().as_str(), path.len()), ("eth:ip:udp:quic", 4));
        assert_eq!(path.parent().to_string(), "eth:ip:udp");
        assert_eq!((path.ancestor(2).to_string().as_str(), path.ancestor(9)), ("eth:ip", path));
        assert!(path.ancestor(0).is_empty());
        assert_eq!(path.leaf(), Some(Proto::Quic));
        let full = (0..40).fold(Path::EMPTY, |path, _| path.push(Proto::Data));
        assert_eq!((full.len(), full.is_full()), (MAX_LAYERS, true));
    }

    #[test]
    fn every_layer_has_a_byte_and_a_name_of_its_own() {
        assert!(Proto::ALL.len() < 255);
        for (i, &layer) in Proto::ALL.iter().enumerate() {
            assert_eq!(layer as usize, i);
            assert_eq!(Path::EMPTY.push(layer).leaf(), Some(layer));
            assert!(Proto::ALL[..i].iter().all(|other| other.name() != layer.name()), "{layer}");
        }
    }
}
