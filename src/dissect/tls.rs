//! The ClientHello (RFC 8446 §4.1.2): the last thing a TLS client says in the clear, and the first.
//!
//! Works on any prefix of the handshake bytes and says whether more would help, because post-quantum key shares
//! spread the message over several segments and browsers shuffle its extensions. Reassembly is not done here.
//! With Encrypted ClientHello the name read is the public one of the provider; browsers also send the extension
//! as grease, so [`ClientHello::ech`] is no proof either way.

use crate::dissect::hostname::HostName;

/// Handshake bytes that are worth collecting: a ClientHello with a post-quantum key share has about 1,800.
pub const MAX_HELLO: usize = 4096;

const RECORD_HEADER_LEN: usize = 5;
const HANDSHAKE_HEADER_LEN: usize = 4;
const CLIENT_HELLO: u8 = 1;

/// Extension numbers (IANA).
mod extension {
    pub(super) const SERVER_NAME: u16 = 0;
    pub(super) const ALPN: u16 = 16;
    pub(super) const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
}

/// What a prefix of a handshake turned out to be.
#[expect(clippy::large_enum_variant, reason = "lives on the stack for one packet")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A ClientHello, read as far as is useful.
    Hello(ClientHello),
    /// The beginning of one; the name has not come yet.
    Incomplete,
    /// Something else.
    Other,
}

/// What we use of a ClientHello.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// Server name indication (RFC 6066 §3).
    pub name: Option<HostName>,
    /// First protocol offered (RFC 7301).
    pub alpn: Alpn,
    /// Encrypted ClientHello extension.
    pub ech: Ech,
}

/// The first application protocol that a client offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alpn {
    /// None offered, or not seen before the name was complete.
    #[default]
    Unknown,
    /// `h2`.
    Http2,
    /// `http/1.1`.
    Http1,
    /// `h3` and its drafts.
    Http3,
    /// Anything else.
    Other,
}

/// Whether a ClientHello carries (or pretends to carry) an encrypted one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ech {
    /// Not seen.
    #[default]
    Absent,
    /// Real or grease: the name may be the provider's public one.
    Present,
}

/// Whether a TCP payload may begin a ClientHello: the cheap test before anything else.
pub fn begins_hello(payload: &[u8]) -> bool {
    matches!(payload, [0x16, 3, _, _, _, CLIENT_HELLO, ..])
}

/// Reads the beginning of a TCP stream: handshake bytes within TLS records.
pub fn read_records(stream: &[u8]) -> Reading {
    let Some((first, rest)) = split_record(stream) else {
        return if stream.len() < RECORD_HEADER_LEN { Reading::Incomplete } else { Reading::Other };
    };
    let reading = read_handshake(first);
    if reading != Reading::Incomplete || rest.is_empty() {
        return reading;
    }
    // Rare: the hello goes on in another record.
    let mut joined = [0; MAX_HELLO];
    let mut len = 0;
    let mut left = stream;
    while let Some((body, rest)) = split_record(left) {
        let take = body.len().min(MAX_HELLO - len);
        joined[len..len + take].copy_from_slice(&body[..take]);
        (len, left) = (len + take, rest);
    }
    read_handshake(&joined[..len])
}

/// The body of the first handshake record, as far as it is there, and what follows it.
fn split_record(stream: &[u8]) -> Option<(&[u8], &[u8])> {
    let (header, rest) = stream.split_at_checked(RECORD_HEADER_LEN)?;
    let len = usize::from(u16::from_be_bytes([header[3], header[4]]));
    if header[0] != 0x16 || header[1] != 3 || len == 0 || len > 1 << 14 {
        return None;
    }
    Some(rest.split_at(len.min(rest.len())))
}

/// Reads a prefix of the handshake bytes (without record headers, as QUIC carries them).
pub fn read_handshake(bytes: &[u8]) -> Reading {
    if bytes.first().is_some_and(|&kind| kind != CLIENT_HELLO) {
        return Reading::Other;
    }
    let Some(header) = bytes.get(..HANDSHAKE_HEADER_LEN) else { return Reading::Incomplete };
    let len = usize::from(header[1]) << 16 | usize::from(header[2]) << 8 | usize::from(header[3]);
    let whole = bytes.len() >= HANDSHAKE_HEADER_LEN + len;
    let body = &bytes[HANDSHAKE_HEADER_LEN..bytes.len().min(HANDSHAKE_HEADER_LEN + len)];
    let hello = read_body(body);
    if whole || hello.name.is_some() { Reading::Hello(hello) } else { Reading::Incomplete }
}

fn read_body(body: &[u8]) -> ClientHello {
    let mut hello = ClientHello::default();
    let Some(mut extensions) = extensions_of(body) else { return hello };
    while let Some((kind, data, rest)) = split_extension(extensions) {
        match kind {
            extension::SERVER_NAME => hello.name = hello.name.or_else(|| server_name(data)),
            extension::ALPN => hello.alpn = first_protocol(data),
            extension::ENCRYPTED_CLIENT_HELLO => hello.ech = Ech::Present,
            _ => {}
        }
        extensions = rest;
    }
    hello
}

/// Skips version, random, session, cipher suites and compression; what is there of the extensions.
fn extensions_of(body: &[u8]) -> Option<&[u8]> {
    let after_session = skip_vec8(body.get(2 + 32..)?)?;
    let (suites, rest) = after_session.split_at_checked(2)?;
    let rest = rest.get(usize::from(u16::from_be_bytes([suites[0], suites[1]]))..)?;
    let rest = skip_vec8(rest)?;
    let (len, extensions) = rest.split_at_checked(2)?;
    let len = usize::from(u16::from_be_bytes([len[0], len[1]]));
    Some(&extensions[..len.min(extensions.len())])
}

fn skip_vec8(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(1 + usize::from(*bytes.first()?)..)
}

/// One whole extension and what follows it.
fn split_extension(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (header, rest) = bytes.split_at_checked(4)?;
    let kind = u16::from_be_bytes([header[0], header[1]]);
    let (data, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([header[2], header[3]])))?;
    Some((kind, data, rest))
}

/// The host_name entry of a server_name list: list length, type 0, length, name.
fn server_name(data: &[u8]) -> Option<HostName> {
    let (header, rest) = data.split_at_checked(5)?;
    let len = usize::from(u16::from_be_bytes([header[3], header[4]]));
    if header[2] != 0 {
        return None;
    }
    HostName::from_text(rest.get(..len)?)
}

fn first_protocol(data: &[u8]) -> Alpn {
    let first = data.get(2).and_then(|&len| data.get(3..3 + usize::from(len)));
    match first {
        None | Some([]) => Alpn::Unknown,
        Some(b"h2") => Alpn::Http2,
        Some(b"http/1.1") => Alpn::Http1,
        Some([b'h', b'3', ..]) => Alpn::Http3,
        Some(_) => Alpn::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Extension: kind, data.
    fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
    }

    fn sni(name: &str) -> Vec<u8> {
        let len = name.len() as u16;
        let entry = [&(len + 3).to_be_bytes()[..], &[0], &len.to_be_bytes(), name.as_bytes()].concat();
        extension(0, &entry)
    }

    /// A handshake message with the given extensions.
    fn hello(extensions: &[Vec<u8>]) -> Vec<u8> {
        let extensions = extensions.concat();
        let mut body = vec![3, 3];
        body.extend_from_slice(&[7; 32]);
        body.extend_from_slice(&[2, 1, 1, 0, 2, 0x13, 1, 1, 0]);
        body.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
        body.extend_from_slice(&extensions);
        let mut message = vec![1, 0];
        message.extend_from_slice(&(body.len() as u16).to_be_bytes());
        message.extend_from_slice(&body);
        message
    }

    fn record(body: &[u8]) -> Vec<u8> {
        [&[0x16, 3, 1][..], &(body.len() as u16).to_be_bytes(), body].concat()
    }

    fn named(name: &str, alpn: Alpn, ech: Ech) -> Reading {
        Reading::Hello(ClientHello { name: HostName::from_text(name.as_bytes()), alpn, ech })
    }

    #[test]
    fn a_hello_tells_name_protocol_and_encryption() {
        let message = hello(&[
            extension(0xfe0d, &[0; 8]),
            sni("Video.Example.NET"),
            extension(16, &[0, 6, 2, b'h', b'2', 2, b'h', b'3']),
        ]);
        let expected = named("video.example.net", Alpn::Http2, Ech::Present);
        assert_eq!(read_handshake(&message), expected);
        assert_eq!(read_records(&record(&message)), expected);
    }

    #[test]
    fn the_name_is_read_as_soon_as_it_is_there() {
        // The name comes before a large key share, of which only a part is there.
        let message = hello(&[sni("early.example"), extension(51, &[0; 1_300])]);
        assert_eq!(read_handshake(&message[..200]), named("early.example", Alpn::Unknown, Ech::Absent));
        let message = hello(&[extension(51, &[0; 1_300]), sni("late.example")]);
        assert_eq!(read_handshake(&message[..200]), Reading::Incomplete);
        assert_eq!(read_handshake(&message), named("late.example", Alpn::Unknown, Ech::Absent));
    }

    #[test]
    fn a_hello_over_several_records_is_joined() {
        let message = hello(&[extension(51, &[0; 300]), sni("split.example")]);
        let stream: Vec<u8> = message.chunks(100).flat_map(record).collect();
        assert_eq!(read_records(&stream), named("split.example", Alpn::Unknown, Ech::Absent));
        assert_eq!(read_records(&stream[..250]), Reading::Incomplete);
    }

    #[test]
    fn every_prefix_is_incomplete_and_never_wrong() {
        let message = hello(&[extension(51, &[0; 40]), sni("a.example")]);
        let stream = record(&message);
        for end in 0..stream.len() {
            assert_eq!(read_records(&stream[..end]), Reading::Incomplete, "{end}");
        }
    }

    #[test]
    fn other_messages_and_bad_lengths_are_no_hello() {
        assert_eq!(read_handshake(&[2, 0, 0, 4, 0, 0, 0, 0]), Reading::Other);
        assert_eq!(read_records(&[0x17, 3, 3, 0, 1, 0]), Reading::Other);
        assert_eq!(read_records(&[0x16, 3, 3, 0xff, 0xff, 1]), Reading::Other);
        // A whole hello whose extensions lie about their length has no name.
        let mut message = hello(&[sni("a.example")]);
        let at = message.len() - 15;
        message[at] = 0xff;
        assert_eq!(read_handshake(&message), Reading::Hello(ClientHello::default()));
        // An address is no name.
        assert_eq!(read_handshake(&hello(&[sni("192.0.2.1")])), Reading::Hello(ClientHello::default()));
    }

    #[test]
    fn the_cheap_test_wants_a_client_hello() {
        assert!(begins_hello(&record(&hello(&[]))));
        assert!(!begins_hello(&record(&[2, 0, 0, 0])) && !begins_hello(&[0x16, 3, 1, 0]));
    }
}
