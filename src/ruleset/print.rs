//! The text of a ruleset: what `nft -f` reads, close to what `nft list table inet streamguard` prints.

use std::fmt;

use super::{Chain, DnsProto, Hook, Key, KeyType, Rule, Ruleset, SetName, TABLE};
use crate::time::Duration;

impl fmt::Display for Ruleset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "table inet {TABLE} {{")?;
        for (set, elements) in &self.sets {
            writeln!(f, "\tset {} {{\n\t\ttype {}", set.as_str(), set.key_type())?;
            writeln!(f, "\t\tsize {}\n\t\tflags timeout\n\t\tcounter", set.capacity())?;
            let mut lead = "\t\telements = { ";
            for (key, until) in elements {
                let timeout = Timeout(until.since(self.at));
                write!(f, "{lead}{key} timeout {timeout}")?;
                lead = ",\n\t\t\t     ";
            }
            f.write_str(if elements.is_empty() { "\t}\n\n" } else { " }\n\t}\n\n" })?;
        }
        for (index, chain) in self.chains.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            write!(f, "{gap}{chain}")?;
        }
        writeln!(f, "}}")?;
        for (shaped, rate_kbps) in &self.shapes {
            write!(f, "# throttle {} ", shaped.client)?;
            match shaped.server {
                Some(server) => write!(f, "from {server} ")?,
                None => f.write_str("from everywhere ")?,
            }
            writeln!(f, "to {rate_kbps} kbit/s")?;
        }
        Ok(())
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\tchain {} {{", self.name.as_str())?;
        match self.name.hook() {
            Some(Hook::Forward) => {
                writeln!(f, "\t\ttype filter hook forward priority filter - 5; policy accept;")?;
            }
            Some(Hook::Prerouting) => {
                writeln!(f, "\t\ttype nat hook prerouting priority dstnat - 5; policy accept;")?;
            }
            None => {}
        }
        for rule in &self.rules {
            writeln!(f, "\t\t{rule}")?;
        }
        writeln!(f, "\t}}")
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FromLan { interface } => write!(f, "iifname \"{interface}\" jump judge"),
            Self::ToLan { interface } => write!(f, "oifname \"{interface}\" return"),
            Self::ToExempt { prefix } if prefix.addr().is_v4() => write!(f, "ip daddr {prefix} return"),
            Self::ToExempt { prefix } => write!(f, "ip6 daddr {prefix} return"),
            Self::Passed { set } => write!(f, "{} @{} return", lookup(*set), set.as_str()),
            Self::Blocked { set } => write!(f, "{} @{} jump block", lookup(*set), set.as_str()),
            Self::TcpReset => f.write_str("meta l4proto tcp reject with tcp reset"),
            Self::AdminProhibited => f.write_str("reject with icmpx admin-prohibited"),
            Self::Drop => f.write_str("drop"),
            Self::RedirectDns { set, proto, port } => {
                let proto = match proto {
                    DnsProto::Udp => "udp",
                    DnsProto::Tcp => "tcp",
                };
                write!(f, "{} @{} {proto} dport 53 redirect to :{port}", lookup(*set), set.as_str())
            }
        }
    }
}

/// What is looked up in a set, in the direction from the client.
const fn lookup(set: SetName) -> &'static str {
    match set.key_type() {
        KeyType::Ether => "ether saddr",
        KeyType::V4 => "ip saddr",
        KeyType::V6 => "ip6 saddr",
        KeyType::EtherV4 => "ether saddr . ip daddr",
        KeyType::EtherV6 => "ether saddr . ip6 daddr",
        KeyType::V4V4 => "ip saddr . ip daddr",
        KeyType::V6V6 => "ip6 saddr . ip6 daddr",
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ether => "ether_addr",
            Self::V4 => "ipv4_addr",
            Self::V6 => "ipv6_addr",
            Self::EtherV4 => "ether_addr . ipv4_addr",
            Self::EtherV6 => "ether_addr . ipv6_addr",
            Self::V4V4 => "ipv4_addr . ipv4_addr",
            Self::V6V6 => "ipv6_addr . ipv6_addr",
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ether(client) => client.fmt(f),
            Self::Addr(client) => client.fmt(f),
            Self::EtherAddr(client, server) => write!(f, "{client} . {server}"),
            Self::Pair(client, server) => write!(f, "{client} . {server}"),
        }
    }
}

/// A duration as nft writes it: `1d2h3m4s`, at least a second.
struct Timeout(Duration);

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut secs = self.0.as_secs().max(1);
        for (unit_s, unit) in [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')] {
            if secs >= unit_s {
                write!(f, "{}{unit}", secs / unit_s)?;
                secs %= unit_s;
            }
        }
        Ok(())
    }
}
