//! QUIC Initial packets (RFC 9000 §17.2, RFC 9001 §5, RFC 9369): encrypted with keys that everybody can derive
//! from the destination connection ID of the client's first one, hence readable, at the price of some AES.
//!
//! Pure functions: find the Initials of a datagram, derive keys, open a packet, list its CRYPTO frames. Joining
//! the frames of several datagrams, and deciding how often to spend the AES, is the business of `names`. 0-RTT,
//! Handshake and Retry packets are stepped over or end the datagram; they hold nothing for us.

use std::ops::Range;

use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes_gcm::{AeadInOut, Aes128Gcm};
use hkdf::Hkdf;
use sha2::Sha256;

/// Longest datagram that is opened: anything that passes an Ethernet.
pub const MAX_DATAGRAM: usize = 2048;

/// A client pads datagrams that carry an Initial to at least this (RFC 9000 §14.1).
pub const MIN_INITIAL_DATAGRAM: u32 = 1200;

/// Longest connection ID.
pub const MAX_CID: usize = 20;

const TAG_LEN: usize = 16;
const SAMPLE_LEN: usize = 16;

/// The versions whose Initials can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 9001.
    V1,
    /// RFC 9369.
    V2,
    /// draft-ietf-quic-tls-29 to -32: captures of 2020.
    Draft29,
    /// draft-ietf-quic-tls-23 to -28: captures of 2019 and 2020.
    Draft23,
}

impl Version {
    fn from_wire(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::V1),
            0x6b33_43cf => Some(Self::V2),
            0xff00_001d..=0xff00_0020 => Some(Self::Draft29),
            0xff00_0017..=0xff00_001c => Some(Self::Draft23),
            _ => None,
        }
    }

    /// The salt of the extract step (RFC 9001 §5.2, RFC 9369 §3.3.1, the drafts' own §5.2).
    fn salt(self) -> [u8; 20] {
        match self {
            Self::V1 => hex20(0x3876_2cf7, 0xf559_34b3_4d17_9ae6, 0xa4c8_0cad_ccbb_7f0a),
            Self::V2 => hex20(0x0ded_e3de, 0xf700_a6db_8193_81be, 0x6e26_9dcb_f9bd_2ed9),
            Self::Draft29 => hex20(0xafbf_ec28, 0x9993_d24c_9e97_86f1, 0x9c61_11e0_4390_a899),
            Self::Draft23 => hex20(0xc3ee_f712, 0xc72e_bb5a_11a7_d243, 0x2bb4_6365_bef9_f502),
        }
    }

    /// Labels of packet key, IV and header protection key.
    fn labels(self) -> [&'static [u8]; 3] {
        match self {
            Self::V1 | Self::Draft29 | Self::Draft23 => [b"quic key", b"quic iv", b"quic hp"],
            Self::V2 => [b"quicv2 key", b"quicv2 iv", b"quicv2 hp"],
        }
    }

    /// The two type bits of a long header.
    fn packet_kind(self, bits: u8) -> Kind {
        let v1_bits = if self == Self::V2 { bits.wrapping_sub(1) & 3 } else { bits };
        match v1_bits {
            0 => Kind::Initial,
            3 => Kind::Retry,
            _ => Kind::Other,
        }
    }
}

fn hex20(first: u32, middle: u64, last: u64) -> [u8; 20] {
    let mut salt = [0; 20];
    salt[..4].copy_from_slice(&first.to_be_bytes());
    salt[4..12].copy_from_slice(&middle.to_be_bytes());
    salt[12..].copy_from_slice(&last.to_be_bytes());
    salt
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Initial,
    Retry,
    /// 0-RTT or Handshake: has a length field, so that what follows can be found.
    Other,
}

/// A connection ID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionId {
    len: u8,
    bytes: [u8; MAX_CID],
}

impl ConnectionId {
    fn from_bytes(id: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_CID];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(Self { len: id.len() as u8, bytes })
    }

    /// The identifier's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// A protected Initial packet within a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Initial<'a> {
    /// Version.
    pub version: Version,
    /// Destination connection ID.
    pub dcid: ConnectionId,
    /// From the first byte of the header to the end of the authentication tag.
    packet: &'a [u8],
    /// Offset of the protected packet number.
    number_at: usize,
}

/// Whether a UDP payload may begin with a long header of a version that we can read: the cheap test before
/// anything else.
pub fn begins_long_header(payload: &[u8]) -> bool {
    match payload {
        [first @ 0x80..=0xff, a, b, c, d, ..] => {
            let version = Version::from_wire(u32::from_be_bytes([*a, *b, *c, *d]));
            version.is_some_and(|version| version.packet_kind(first >> 4 & 3) != Kind::Retry)
        }
        _ => false,
    }
}

/// The Initial packets of a datagram, coalesced ones included (RFC 9000 §12.2).
pub fn initials(datagram: &[u8]) -> Initials<'_> {
    Initials { rest: datagram }
}

/// See [`initials`].
#[derive(Clone, Copy, Debug)]
pub struct Initials<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Initials<'a> {
    type Item = Initial<'a>;

    fn next(&mut self) -> Option<Initial<'a>> {
        loop {
            // On any doubt nothing is left to read.
            let (kind, initial, rest) = split_packet(std::mem::take(&mut self.rest))?;
            self.rest = rest;
            if kind == Kind::Initial {
                return Some(initial);
            }
        }
    }
}

/// Takes the first long-header packet off a datagram.
fn split_packet(datagram: &[u8]) -> Option<(Kind, Initial<'_>, &[u8])> {
    let mut header = Cursor { bytes: datagram, at: 0 };
    let first = header.u8().filter(|first| first & 0x80 != 0)?;
    let version = u32::from_be_bytes(header.take(4)?.try_into().ok()?);
    let version = Version::from_wire(version)?;
    let kind = version.packet_kind(first >> 4 & 3);
    let id_len = usize::from(header.u8()?);
    let dcid = ConnectionId::from_bytes(header.take(id_len)?)?;
    let id_len = usize::from(header.u8()?);
    header.take(id_len)?;
    match kind {
        Kind::Retry => return None,
        Kind::Initial => {
            let token_len = header.varint()?;
            header.take(token_len)?;
        }
        Kind::Other => {}
    }
    let len = header.varint()?;
    let number_at = header.at;
    header.take(len)?;
    let (packet, rest) = datagram.split_at(header.at);
    Some((kind, Initial { version, dcid, packet, number_at }, rest))
}

/// The keys that protect what the client sends in Initial packets.
#[derive(Clone, Copy)]
pub struct InitialKeys {
    key: [u8; 16],
    iv: [u8; 12],
    header: [u8; 16],
}

impl InitialKeys {
    /// Derives the client's keys from the connection ID that it chose for the server (RFC 9001 §5.2).
    pub fn of_client(version: Version, dcid: &ConnectionId) -> Self {
        let (_, initial) = Hkdf::<Sha256>::extract(Some(&version.salt()), dcid.as_bytes());
        let mut secret = [0; 32];
        expand_label(&initial, b"client in", &mut secret);
        let mut keys = Self { key: [0; 16], iv: [0; 12], header: [0; 16] };
        // 32 bytes always fit SHA-256's own length; on failure the keys open nothing.
        let Ok(client) = Hkdf::<Sha256>::from_prk(&secret) else { return keys };
        let [key, iv, header] = version.labels();
        expand_label(&client, key, &mut keys.key);
        expand_label(&client, iv, &mut keys.iv);
        expand_label(&client, header, &mut keys.header);
        keys
    }

    /// Removes header protection, decrypts and authenticates into `scratch`; returns where in it the frames are.
    ///
    /// `None` if the keys are not this packet's, or it was damaged.
    pub fn open(&self, initial: &Initial<'_>, scratch: &mut [u8; MAX_DATAGRAM]) -> Option<Range<usize>> {
        let packet = scratch.get_mut(..initial.packet.len())?;
        packet.copy_from_slice(initial.packet);
        let number_at = initial.number_at;
        let sample: [u8; SAMPLE_LEN] =
            packet.get(number_at + 4..number_at + 4 + SAMPLE_LEN)?.try_into().ok()?;
        let mut mask = sample.into();
        Aes128::new(&self.header.into()).encrypt_block(&mut mask);
        packet[0] ^= mask[0] & 0x0f;
        let number_len = usize::from(packet[0] & 3) + 1;
        let mut nonce = self.iv;
        // The packet numbers of first Initials are small: the truncated number is the number (RFC 9000 §A.3).
        for i in 0..number_len {
            packet[number_at + i] ^= mask[1 + i];
            nonce[12 - number_len + i] ^= packet[number_at + i];
        }
        let (header, body) = packet.split_at_mut(number_at + number_len);
        let (text, tag) = body.split_at_mut(body.len().checked_sub(TAG_LEN)?);
        let tag: [u8; TAG_LEN] = (*tag).try_into().ok()?;
        Aes128Gcm::new(&self.key.into())
            .decrypt_inout_detached(&nonce.into(), header, (&mut *text).into(), &tag.into())
            .ok()?;
        let from = header.len();
        Some(from..from + text.len())
    }
}

/// HKDF-Expand-Label with an empty context (RFC 8446 §7.1).
fn expand_label(secret: &Hkdf<Sha256>, label: &[u8], out: &mut [u8]) {
    let len = (out.len() as u16).to_be_bytes();
    let info: [&[u8]; 5] = [&len, &[6 + label.len() as u8], b"tls13 ", label, &[0]];
    // Fails only beyond 255 × 32 bytes; ours are at most 32.
    let _ = secret.expand_multi_info(&info, out);
}

/// The CRYPTO frames of an opened Initial: offset in the handshake stream, and bytes. ACK, PING and PADDING are
/// stepped over; any other frame ends the list.
pub fn crypto_frames(frames: &[u8]) -> CryptoFrames<'_> {
    CryptoFrames { cursor: Cursor { bytes: frames, at: 0 } }
}

/// See [`crypto_frames`].
#[derive(Clone, Copy, Debug)]
pub struct CryptoFrames<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Iterator for CryptoFrames<'a> {
    type Item = (usize, &'a [u8]);

    fn next(&mut self) -> Option<(usize, &'a [u8])> {
        loop {
            match self.cursor.u8()? {
                // PADDING, PING.
                0 | 1 => {}
                kind @ (2 | 3) => skip_ack(&mut self.cursor, kind)?,
                6 => {
                    let offset = self.cursor.varint()?;
                    let len = self.cursor.varint()?;
                    return Some((offset, self.cursor.take(len)?));
                }
                _ => return None,
            }
        }
    }
}

/// ACK (RFC 9000 §19.3): largest, delay, range count, first range, ranges of two, with type 3 three ECN counts.
fn skip_ack(cursor: &mut Cursor<'_>, kind: u8) -> Option<()> {
    cursor.varint()?;
    cursor.varint()?;
    let ranges = cursor.varint()?;
    let ecn = if kind == 3 { 3 } else { 0 };
    for _ in 0..ranges.checked_mul(2)?.checked_add(1 + ecn)? {
        cursor.varint()?;
    }
    Some(())
}

/// A reading position that never leaves its bytes.
#[derive(Clone, Copy, Debug)]
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(len)?)?;
        self.at += len;
        Some(taken)
    }

    /// A variable-length integer (RFC 9000 §16); `None` too if it exceeds this machine's sizes.
    fn varint(&mut self) -> Option<usize> {
        let first = self.u8()?;
        let rest = self.take((1 << (first >> 6)) - 1)?;
        let value = rest.iter().fold(u64::from(first & 0x3f), |value, &byte| value << 8 | u64::from(byte));
        usize::try_from(value).ok()
    }
}

/// Key, IV and header protection key of version 1, for tests that play the client.
#[cfg(test)]
pub(crate) fn test_keys(dcid: &[u8]) -> ([u8; 16], [u8; 12], [u8; 16]) {
    let keys = InitialKeys::of_client(Version::V1, &ConnectionId::from_bytes(dcid).unwrap());
    (keys.key, keys.iv, keys.header)
}

#[cfg(test)]
mod tests;
