//! Packets quoted in ICMP errors: whether the capture cuts them off before their headers end.
//!
//! Nobody is counted for a quoted packet, so this reads no more of it than to answer that one question. tshark
//! leaves a frame out of its statistics when it meets the end of the capture inside a quotation; accounting does
//! the same and says how many those were. What ends because the sender quoted no more (RFC 792: a header and eight
//! bytes) is complete. Fields are tried in the order in which Wireshark reads them, since the first one that is
//! missing decides.

/// How reading a quotation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quotation {
    /// As far as its sender went.
    Complete,
    /// The capture ends first.
    Cut,
}

use Quotation::{Complete, Cut};

/// Quotations within quotations that are looked into.
const MAX_DEPTH: usize = 4;

/// Bytes of a quotation: what was captured, and how many there were on the wire.
#[derive(Clone, Copy)]
struct Piece<'a> {
    data: &'a [u8],
    wire_len: usize,
}

impl<'a> Piece<'a> {
    /// Tries fields that end at these offsets, in order.
    fn read(self, ends: &[usize]) -> Result<(), Quotation> {
        match ends.iter().find(|&&end| end > self.data.len()) {
            None => Ok(()),
            Some(&end) if end <= self.wire_len => Err(Cut),
            Some(_) => Err(Complete),
        }
    }

    /// Tries bytes one by one.
    fn read_bytes(self, to: usize) -> Result<(), Quotation> {
        if to <= self.data.len() {
            Ok(())
        } else if self.data.len() < self.wire_len {
            Err(Cut)
        } else {
            Err(Complete)
        }
    }

    fn byte(self, at: usize) -> usize {
        self.data.get(at).copied().unwrap_or_default().into()
    }

    fn word(self, at: usize) -> usize {
        self.byte(at) << 8 | self.byte(at + 1)
    }

    fn after(self, len: usize) -> Self {
        Self { data: self.data.get(len..).unwrap_or(&[]), wire_len: self.wire_len.saturating_sub(len) }
    }

    fn limit(self, len: usize) -> Self {
        if len >= self.wire_len {
            return self;
        }
        Self { data: self.data.get(..len).unwrap_or(self.data), wire_len: len }
    }
}

/// Whether an ICMP message, which begins with `data` and has `wire_len` bytes, quotes a packet that is cut off.
pub(super) fn icmp_quotation(data: &[u8], wire_len: usize) -> Quotation {
    ended(icmp_error(Piece { data, wire_len }, 0))
}

/// The same for ICMPv6.
pub(super) fn icmpv6_quotation(data: &[u8], wire_len: usize) -> Quotation {
    ended(icmpv6_error(Piece { data, wire_len }, 0))
}

fn ended(read: Result<(), Quotation>) -> Quotation {
    read.err().unwrap_or(Complete)
}

fn icmp_error(message: Piece<'_>, depth: usize) -> Result<(), Quotation> {
    let kind = message.byte(0);
    if !matches!(kind, 3 | 4 | 5 | 11 | 12) || message.data.len() < 8 || depth > MAX_DEPTH {
        return Ok(());
    }
    let quoted = message.after(8);
    // RFC 4884 §4.1: length of the original datagram, in words.
    let words = message.byte(5);
    let quoted = if kind == 5 {
        if quoted.data.is_empty() {
            return Err(Cut);
        }
        quoted.limit((quoted.byte(0) & 15) * 4 + 8)
    } else if words > 0 && message.wire_len > 8 + words * 4 {
        if quoted.data.len() < 4 {
            return Err(Cut);
        }
        if quoted.word(2) > words * 4 { quoted.limit(((quoted.byte(0) & 15) + words) * 4) } else { quoted }
    } else {
        quoted
    };
    quoted.read(&[1])?;
    match quoted.byte(0) >> 4 {
        4 => ipv4(quoted, depth + 1),
        6 => ipv6(quoted, depth + 1),
        _ => Ok(()),
    }
}

fn icmpv6_error(message: Piece<'_>, depth: usize) -> Result<(), Quotation> {
    if !matches!(message.byte(0), 1..=4) || message.data.len() < 8 || depth > MAX_DEPTH {
        return Ok(());
    }
    let quoted = message.after(8);
    if quoted.data.is_empty() {
        return Err(Cut);
    }
    if quoted.byte(0) >> 4 == 6 { ipv6(quoted, depth + 1) } else { Ok(()) }
}

fn ipv4(packet: Piece<'_>, depth: usize) -> Result<(), Quotation> {
    packet.read(&[1, 2])?;
    let header_len = (packet.byte(0) & 15) * 4;
    if header_len < 20 {
        return Ok(());
    }
    packet.read(&[4])?;
    let len = packet.word(2);
    if len < header_len && len != 0 {
        return Ok(());
    }
    let packet = if len == 0 { packet } else { packet.limit(len) };
    packet.read(&[6, 8, 9, 10, 12, 16, 20])?;
    packet.read_bytes(header_len)?;
    if packet.word(6) & 0x1fff != 0 {
        return Ok(());
    }
    transport(packet.byte(9), packet.after(header_len), depth)
}

fn ipv6(packet: Piece<'_>, depth: usize) -> Result<(), Quotation> {
    packet.read(&[1, 4, 6, 7, 8, 24, 40])?;
    let len = packet.word(4);
    let mut rest = if len == 0 { packet } else { packet.limit(40 + len) }.after(40);
    let mut next = packet.byte(6);
    for _ in 0..MAX_DEPTH {
        let len = match next {
            0 | 43 | 60 | 135 | 140 => 8 + rest.byte(1) * 8,
            51 => 8 + rest.byte(1) * 4,
            44 => 8,
            _ => break,
        };
        rest.read_bytes(len)?;
        if next == 44 && rest.word(2) & !7 != 0 {
            return Ok(());
        }
        next = rest.byte(0);
        rest = rest.after(len);
    }
    transport(next, rest, depth)
}

fn transport(protocol: usize, body: Piece<'_>, depth: usize) -> Result<(), Quotation> {
    if body.wire_len == 0 {
        return Ok(());
    }
    match protocol {
        1 => {
            body.read(&[1, 2, 4, 6, 8])?;
            icmp_error(body, depth)
        }
        58 => {
            body.read(&[1, 2, 4, 8])?;
            icmpv6_error(body, depth)
        }
        6 => {
            body.read(&[2, 4, 8, 12, 13, 14, 16])?;
            let header_len = (body.byte(12) >> 4) * 4;
            if header_len < 20 {
                return Ok(());
            }
            body.read(&[18, 20])?;
            body.read_bytes(header_len)
        }
        17 | 136 => {
            body.read(&[2, 4, 6])?;
            if body.word(4) < 8 && protocol == 17 { Ok(()) } else { body.read(&[8]) }
        }
        2 => body.read(&[1, 2, 4, 8]),
        4 => ipv4(body, depth + 1),
        41 => ipv6(body, depth + 1),
        47 => body.read(&[2, 4]),
        50 => body.read(&[4, 8]),
        132 => body.read(&[2, 4, 8, 12]),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Port unreachable, quoting `len` bytes of a UDP packet.
    fn unreachable(len: usize) -> Vec<u8> {
        let mut message = vec![3, 3, 0, 0, 0, 0, 0, 0];
        let mut quoted = vec![0x45, 0, 0, 60, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        quoted.extend([0x10, 0, 0x20, 0, 0, 40, 0, 0]);
        quoted.resize(60, 0);
        message.extend(&quoted[..len]);
        message
    }

    #[test]
    fn eight_bytes_of_payload_are_a_whole_quotation() {
        let message = unreachable(28);
        assert_eq!(icmp_quotation(&message, message.len()), Complete);
    }

    #[test]
    fn a_header_behind_the_end_of_the_capture_is_cut() {
        let message = unreachable(60);
        for captured in 8..36 {
            assert_eq!(icmp_quotation(&message[..captured], message.len()), Cut, "{captured}");
        }
        assert_eq!(icmp_quotation(&message[..36], message.len()), Complete);
        assert_eq!(icmp_quotation(&message[..7], message.len()), Complete, "no quotation was reached");
    }

    #[test]
    fn echoes_quote_nothing() {
        assert_eq!(icmp_quotation(&[8, 0, 0, 0, 0, 1, 0, 1], 64), Complete);
    }
}
