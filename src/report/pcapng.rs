//! Packets as a pcapng file (draft-ietf-opsawg-pcapng): any link types, nanoseconds, true lengths.
//!
//! Little-endian blocks: one section, one interface for each link type in the order of appearance, one enhanced
//! packet block for each packet. Readable by Wireshark, tshark and libpcap since 1.1.

use std::io::{self, Write};

use crate::dissect::LinkType;
use crate::time::WallTime;

/// Block types.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
/// Tells the byte order.
const MAGIC: u32 = 0x1a2b_3c4d;
/// `if_tsresol`: 10^-9 s.
const NANOSECONDS: u8 = 9;

/// A file being written.
#[derive(Debug)]
pub struct PcapngWriter<W> {
    out: W,
    links: Vec<LinkType>,
    snaplen: u32,
    bytes: u64,
}

impl<W: Write> PcapngWriter<W> {
    /// Begins a file of packets cut to at most `snaplen` bytes.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn begin(out: W, snaplen: u32) -> io::Result<Self> {
        let mut writer = Self { out, links: Vec::new(), snaplen, bytes: 0 };
        let mut body = Vec::new();
        body.extend(MAGIC.to_le_bytes());
        body.extend([1, 0, 0, 0]);
        body.extend(u64::MAX.to_le_bytes());
        writer.block(SECTION, &body)?;
        Ok(writer)
    }

    /// Writes a packet.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn packet(&mut self, at: WallTime, link: LinkType, (wire_len, data): (u32, &[u8])) -> io::Result<()> {
        let known = self.links.iter().position(|known| *known == link);
        let interface = match known {
            Some(index) => index,
            None => self.interface(link)?,
        };
        let stamp = u64::try_from(at.as_nanos()).unwrap_or(0);
        let captured = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let mut body = Vec::with_capacity(20 + data.len() + 3);
        body.extend(u32::try_from(interface).unwrap_or(0).to_le_bytes());
        body.extend(((stamp >> 32) as u32).to_le_bytes());
        body.extend((stamp as u32).to_le_bytes());
        body.extend(captured.to_le_bytes());
        body.extend(wire_len.max(captured).to_le_bytes());
        body.extend(data);
        self.block(PACKET, &body)
    }

    fn interface(&mut self, link: LinkType) -> io::Result<usize> {
        let mut body = Vec::new();
        body.extend((link.number() as u16).to_le_bytes());
        body.extend([0, 0]);
        body.extend(self.snaplen.to_le_bytes());
        // Option if_tsresol, one byte and padding; end of options.
        body.extend([9, 0, 1, 0, NANOSECONDS, 0, 0, 0, 0, 0, 0, 0]);
        self.block(INTERFACE, &body)?;
        self.links.push(link);
        Ok(self.links.len() - 1)
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let padding = body.len().wrapping_neg() & 3;
        let len = u32::try_from(12 + body.len() + padding).map_err(io::Error::other)?;
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&len.to_le_bytes())?;
        self.out.write_all(body)?;
        self.out.write_all(&[0; 3][..padding])?;
        self.out.write_all(&len.to_le_bytes())?;
        self.bytes += u64::from(len);
        Ok(())
    }

    /// Bytes written.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn end(mut self) -> io::Result<u64> {
        self.out.flush()?;
        Ok(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::trace::TraceReader;

    #[test]
    fn what_is_written_is_read_with_its_links_times_and_lengths() {
        let mut file = Vec::new();
        let mut writer = PcapngWriter::begin(&mut file, 128).unwrap();
        let at = WallTime::from_nanos(1_795_187_400_123_456_789);
        writer.packet(at, LinkType::Ethernet, (1_500, &[1, 2, 3, 4, 5])).unwrap();
        writer.packet(at, LinkType::RawIp, (4, &[6, 7, 8, 9])).unwrap();
        let bytes = writer.end().unwrap();
        assert_eq!(bytes, file.len() as u64);
        let mut reader = TraceReader::try_new(&file[..]).unwrap();
        let mut seen = Vec::new();
        while let Some(frame) = reader.next().unwrap() {
            seen.push((frame.at.as_nanos(), frame.link, frame.wire_len, frame.data.to_vec()));
        }
        let at = 1_795_187_400_123_456_789;
        assert_eq!(
            seen,
            [
                (at, LinkType::Ethernet, 1_500, vec![1, 2, 3, 4, 5]),
                (at, LinkType::RawIp, 4, vec![6, 7, 8, 9])
            ]
        );
    }
}
