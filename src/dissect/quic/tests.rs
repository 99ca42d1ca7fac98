//! RFC 9001 Appendix A and RFC 9369 Appendix A: the specification's own packets.

use super::*;
use crate::dissect::tls::{Reading, read_handshake};

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn v1_packet() -> Vec<u8> {
    from_hex(include_str!("../../../tests/fixtures/quic/rfc9001-a2.hex"))
}

fn v2_packet() -> Vec<u8> {
    from_hex(include_str!("../../../tests/fixtures/quic/rfc9369-a2.hex"))
}

fn server_name(datagram: &[u8]) -> Option<String> {
    let initial = initials(datagram).next()?;
    let mut scratch = [0; MAX_DATAGRAM];
    let frames = InitialKeys::of_client(initial.version, &initial.dcid).open(&initial, &mut scratch)?;
    let (offset, bytes) = crypto_frames(&scratch[frames]).next()?;
    assert_eq!(offset, 0);
    match read_handshake(bytes) {
        Reading::Hello(hello) => hello.name.map(|name| name.to_string()),
        Reading::Incomplete | Reading::Other => None,
    }
}

#[test]
fn keys_are_those_of_rfc_9001_a1_and_rfc_9369_a1() {
    let dcid = ConnectionId::from_bytes(&from_hex("8394c8f03e515708")).unwrap();
    let v1 = InitialKeys::of_client(Version::V1, &dcid);
    assert_eq!(v1.key.to_vec(), from_hex("1f369613dd76d5467730efcbe3b1a22d"));
    assert_eq!(v1.iv.to_vec(), from_hex("fa044b2f42a3fd3b46fb255c"));
    assert_eq!(v1.header.to_vec(), from_hex("9f50449e04a0e810283a1e9933adedd2"));
    let v2 = InitialKeys::of_client(Version::V2, &dcid);
    assert_eq!(v2.key.to_vec(), from_hex("8b1a0bc121284290a29e0971b5cd045d"));
    assert_eq!(v2.iv.to_vec(), from_hex("91f73e2351d8fa91660e909f"));
    assert_eq!(v2.header.to_vec(), from_hex("45b95e15235d6f45a6b19cbcb0294ba9"));
}

#[test]
fn the_specifications_client_initials_name_example_com() {
    assert_eq!(server_name(&v1_packet()).as_deref(), Some("example.com"));
    assert_eq!(server_name(&v2_packet()).as_deref(), Some("example.com"));
}

#[test]
fn a_packet_that_was_changed_anywhere_does_not_open() {
    let original = v1_packet();
    for at in (0..original.len()).step_by(37) {
        let mut packet = original.clone();
        packet[at] ^= 0x10;
        assert_eq!(server_name(&packet), None, "byte {at}");
    }
}

#[test]
fn a_datagram_cut_anywhere_is_read_as_far_as_it_goes() {
    let packet = v1_packet();
    for end in 0..packet.len() {
        assert_eq!(server_name(&packet[..end]), None, "{end}");
    }
}

#[test]
fn coalesced_packets_are_found_and_others_stepped_over() {
    let initial = v1_packet();
    // A 0-RTT packet (type 1) of 30 bytes before, a short-header packet behind.
    let mut datagram = vec![0xd0, 0, 0, 0, 1, 0, 0, 30];
    datagram.extend_from_slice(&[7; 30]);
    datagram.extend_from_slice(&initial);
    datagram.extend_from_slice(&[0x40; 50]);
    let found: Vec<usize> = initials(&datagram).map(|initial| initial.packet.len()).collect();
    assert_eq!(found, [initial.len()]);
    assert_eq!(server_name(&datagram).as_deref(), Some("example.com"));
}

#[test]
fn the_cheap_test_knows_versions_and_types() {
    assert!(begins_long_header(&v1_packet()) && begins_long_header(&v2_packet()));
    assert!(!begins_long_header(&[0x40, 0, 0, 0, 1]), "short header");
    assert!(!begins_long_header(&[0xf0, 0, 0, 0, 1]), "Retry");
    assert!(!begins_long_header(&[0xc0, 0x6b, 0x33, 0x43, 0xcf]), "Retry of version 2");
    assert!(!begins_long_header(&[0xc0, 0, 0, 0, 0]), "version negotiation");
    assert!(!begins_long_header(&[0xc0, 0, 0]), "cut short");
}

#[test]
fn crypto_frames_come_between_acks_and_padding() {
    // PADDING, PING, ACK (largest 9, delay 0, 1 extra range), CRYPTO 5 "ab", ACK with ECN, CRYPTO 0 "c", close.
    let frames = [
        &[0, 0, 1, 2, 9, 0, 1, 0, 0, 0, 6, 5, 2, b'a', b'b'][..],
        &[3, 9, 0, 0, 0, 1, 2, 3, 6, 0, 1, b'c', 0x1c, 0, 0, 0, 6, 0, 1, b'd'],
    ]
    .concat();
    let found: Vec<_> = crypto_frames(&frames).collect();
    assert_eq!(found, [(5, &b"ab"[..]), (0, &b"c"[..])]);
    // An ACK that claims 2^62 ranges, a CRYPTO frame longer than the packet.
    assert_eq!(crypto_frames(&[2, 9, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]).count(), 0);
    assert_eq!(crypto_frames(&[6, 0, 9, b'x']).count(), 0);
}
