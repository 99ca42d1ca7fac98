//! gzip (RFC 1952): any number of members, each a header, a deflate stream and its checksum.
//!
//! The crate that inflates has a gzip reader, too; its checksum comes with 16 KiB of tables that do not compress,
//! which is much in a router's flash. This one has a single KiB.

use std::io::{self, BufRead, Read};

use flate2::bufread::DeflateDecoder;

/// Flags of a member's header (RFC 1952 §2.3.1).
const HEADER_CRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;

/// The CRC-32 of every byte (RFC 1952 §8).
const CRC: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// What a gzip stream holds.
pub(super) struct Gunzip<R> {
    state: State<R>,
}

enum State<R> {
    /// Before a member, or at the end of the input.
    Between(R),
    /// Inside one: its checksum (inverted) and length so far.
    Inside { body: DeflateDecoder<R>, crc: u32, len: u32 },
    /// After an error.
    Broken,
}

impl<R: BufRead> Gunzip<R> {
    pub(super) fn new(input: R) -> Self {
        Self { state: State::Between(input) }
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.state, State::Broken) {
                State::Between(mut input) => {
                    if input.fill_buf()?.is_empty() {
                        self.state = State::Between(input);
                        return Ok(0);
                    }
                    skip_header(&mut input)?;
                    self.state = State::Inside { body: DeflateDecoder::new(input), crc: !0, len: 0 };
                }
                State::Inside { mut body, crc, len } => {
                    let read = body.read(into)?;
                    if read == 0 {
                        let mut input = body.into_inner();
                        check(&mut input, !crc, len)?;
                        self.state = State::Between(input);
                    } else {
                        let crc = into[..read].iter().fold(crc, |crc, byte| {
                            CRC[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ (crc >> 8)
                        });
                        self.state = State::Inside { body, crc, len: len.wrapping_add(read as u32) };
                        return Ok(read);
                    }
                }
                State::Broken => return Err(invalid("gzip stream is damaged")),
            }
        }
    }
}

/// Reads past a member's header (RFC 1952 §2.3).
fn skip_header(input: &mut impl BufRead) -> io::Result<()> {
    let [0x1f, 0x8b, 8, flags, _, _, _, _, _, _] = array(input)? else {
        return Err(invalid("no gzip header"));
    };
    if flags & EXTRA != 0 {
        let len = u16::from_le_bytes(array(input)?);
        io::copy(&mut input.take(len.into()), &mut io::sink())?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            while array::<1>(input)? != [0] {}
        }
    }
    if flags & HEADER_CRC != 0 {
        array::<2>(input)?;
    }
    Ok(())
}

/// Compares what a member says about itself at its end with what it held.
fn check(input: &mut impl BufRead, crc: u32, len: u32) -> io::Result<()> {
    let (told_crc, told_len) = (u32::from_le_bytes(array(input)?), u32::from_le_bytes(array(input)?));
    if (told_crc, told_len) == (crc, len) { Ok(()) } else { Err(invalid("gzip checksum does not match")) }
}

fn array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Gunzip::new(bytes).read_to_end(&mut out).map(|_| out)
    }

    fn packed(builder: flate2::GzBuilder, bytes: &[u8]) -> Vec<u8> {
        let mut encoder = builder.write(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn members_follow_each_other_whatever_their_headers_say() {
        let full = flate2::GzBuilder::new().filename("a name").comment("and more").extra([7; 300]);
        let both = [packed(full, b"one, "), packed(flate2::GzBuilder::new(), b"two")].concat();
        assert_eq!(unpacked(&both).unwrap(), b"one, two");
    }

    #[test]
    fn damage_is_an_error_and_stays_one() {
        let whole = packed(flate2::GzBuilder::new(), &[9; 5000]);
        for cut in [5, whole.len() / 2, whole.len() - 1] {
            assert!(unpacked(&whole[..cut]).is_err(), "{cut}");
        }
        for at in [2, whole.len() - 8, whole.len() - 1] {
            let mut bad = whole.clone();
            bad[at] ^= 1;
            let mut reader = Gunzip::new(&bad[..]);
            assert!(io::copy(&mut reader, &mut io::sink()).is_err(), "{at}");
            assert!(reader.read(&mut [0; 1]).is_err(), "{at}");
        }
    }
}
