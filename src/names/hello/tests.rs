use super::*;

const FLOW: FlowHash = 0x1234;
const NOW: Moment = Moment::from_secs(1_000);

/// A record with a ClientHello whose name comes after `padding` bytes of another extension.
fn hello(name: &str, padding: usize) -> Vec<u8> {
    let len = name.len() as u16;
    let mut extensions = [&[0, 51][..], &(padding as u16).to_be_bytes(), &vec![0; padding]].concat();
    extensions.extend_from_slice(&[0, 0]);
    extensions.extend_from_slice(&(len + 5).to_be_bytes());
    extensions.extend_from_slice(&(len + 3).to_be_bytes());
    extensions.push(0);
    extensions.extend_from_slice(&len.to_be_bytes());
    extensions.extend_from_slice(name.as_bytes());
    let mut body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0]].concat();
    body.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
    body.extend_from_slice(&extensions);
    let message = [&[1, 0][..], &(body.len() as u16).to_be_bytes(), &body].concat();
    [&[0x16, 3, 1][..], &(message.len() as u16).to_be_bytes(), &message].concat()
}

fn segment(flow: FlowHash, seq: u32, payload: &[u8]) -> Segment<'_> {
    Segment { flow, port: 40_000, seq, payload, payload_len: payload.len() as u32 }
}

fn name(hello: Option<ClientHello>) -> Option<String> {
    hello.and_then(|hello| hello.name).map(|name| name.to_string())
}

#[test]
fn segments_join_in_any_order_across_the_wrap_of_sequence_numbers() {
    let stream = hello("segments.example", 1_700);
    let first_seq = u32::MAX - 900;
    let piece =
        |from: usize, to: usize| segment(FLOW, first_seq.wrapping_add(from as u32), &stream[from..to]);
    let mut hellos = Hellos::new();
    assert!(!hellos.awaits(40_000));
    assert_eq!(name(hellos.take_segment(&piece(0, 700), NOW)), None);
    assert!(hellos.awaits(40_000));
    assert_eq!(name(hellos.take_segment(&piece(1_400, stream.len()), NOW)), None);
    assert_eq!(name(hellos.take_segment(&piece(600, 1_400), NOW)).as_deref(), Some("segments.example"));
    assert!(!hellos.awaits(40_000) && hellos.pool.is_empty());
}

#[test]
fn a_hello_in_one_segment_never_touches_the_pool() {
    let mut hellos = Hellos::new();
    let stream = hello("one.example", 100);
    assert_eq!(name(hellos.take_segment(&segment(FLOW, 5, &stream), NOW)).as_deref(), Some("one.example"));
    assert_eq!(hellos.pool.capacity(), POOL_LEN);
    assert!(hellos.pool.is_empty());
}

#[test]
fn a_segment_that_the_capture_cut_opens_nothing() {
    let stream = hello("cut.example", 1_000);
    let mut cut = segment(FLOW, 5, &stream[..100]);
    cut.payload_len = 1_000;
    let mut hellos = Hellos::new();
    assert_eq!(name(hellos.take_segment(&cut, NOW)), None);
    assert!(hellos.pool.is_empty());
}

#[test]
fn beginnings_without_end_displace_each_other_and_are_given_up() {
    let stream = hello("never.example", 1_700);
    let mut hellos = Hellos::new();
    for flow in 0..1_000 {
        hellos.take_segment(&segment(flow, 5, &stream[..600]), NOW + Duration::from_millis(flow));
    }
    assert_eq!(hellos.pool.len(), POOL_LEN);
    let oldest = hellos.pool.iter().map(|pending| pending.flow).min();
    assert_eq!(oldest, Some(1_000 - POOL_LEN as u64));
    hellos.take_segment(&segment(7, 900, b"late"), NOW + PATIENCE + Duration::from_secs(1));
    assert!(hellos.pool.is_empty() && hellos.tcp_ports == 0);
}

#[test]
fn a_stream_that_never_names_has_its_tries_counted() {
    let stream = hello("x.example", 3_000);
    let mut hellos = Hellos::new();
    hellos.take_segment(&segment(FLOW, 0, &stream[..100]), NOW);
    for _ in 0..MAX_TRIES + 2 {
        hellos.take_segment(&segment(FLOW, 50, &stream[50..100]), NOW);
    }
    assert!(hellos.pool.is_empty());
}

#[test]
fn overlapping_pieces_keep_the_first_copy() {
    let mut pieces = Pieces::new();
    pieces.put(2, b"cd");
    pieces.put(0, b"abXXe");
    pieces.put(MAX_HELLO - 1, b"last, and beyond");
    pieces.put(usize::MAX, b"far");
    assert_eq!(pieces.prefix(), b"abcde");
    pieces.put(0, &[1; MAX_HELLO + 9]);
    assert_eq!(pieces.prefix().len(), MAX_HELLO);
}

mod quic_datagrams {
    use super::*;
    use aes_gcm::aes::Aes128;
    use aes_gcm::aes::cipher::{BlockCipherEncrypt, KeyInit};
    use aes_gcm::{AeadInOut, Aes128Gcm};

    /// An Initial as a client sends it: version 1, protected with the keys of `key_id`.
    fn initial(dcid: &[u8], key_id: &[u8], frames: &[u8]) -> Vec<u8> {
        let (key, iv, header_key) = quic::test_keys(key_id);
        let mut text = frames.to_vec();
        text.resize(1_150, 0);
        let mut packet = vec![0xc0, 0, 0, 0, 1, dcid.len() as u8];
        packet.extend_from_slice(dcid);
        packet.extend_from_slice(&[0, 0]);
        packet.extend_from_slice(&(0x4000 | (text.len() + 17) as u16).to_be_bytes());
        let number_at = packet.len();
        packet.push(0);
        let tag = Aes128Gcm::new(&key.into())
            .encrypt_inout_detached(&iv.into(), &packet, text.as_mut_slice().into())
            .unwrap();
        packet.extend_from_slice(&text);
        packet.extend_from_slice(&tag);
        let sample: [u8; 16] = packet[number_at + 4..number_at + 20].try_into().unwrap();
        let mut mask = sample.into();
        Aes128::new(&header_key.into()).encrypt_block(&mut mask);
        packet[0] ^= mask[0] & 0x0f;
        packet[number_at] ^= mask[1];
        packet
    }

    fn crypto(stream: &[u8], from: usize, to: usize) -> Vec<u8> {
        let word = |value: usize| (0x4000 | value as u16).to_be_bytes();
        [&[6][..], &word(from), &word(to - from), &stream[from..to]].concat()
    }

    fn take(hellos: &mut Hellos, datagram: &[u8]) -> Option<String> {
        name(hellos.take_datagram(FLOW, datagram, NOW))
    }

    #[test]
    fn shuffled_crypto_frames_of_two_datagrams_join() {
        let stream = &hello("shuffled.example", 1_500)[5..];
        let frames = [crypto(stream, 900, 1_200), vec![0, 1], crypto(stream, 0, 500)].concat();
        let rest = [crypto(stream, 1_100, stream.len()), crypto(stream, 400, 950)].concat();
        let id = [1, 2, 3, 4, 5, 6, 7, 8];
        let mut hellos = Hellos::new();
        assert_eq!(take(&mut hellos, &initial(&id, &id, &frames)), None);
        assert_eq!(take(&mut hellos, &initial(&id, &id, &rest)).as_deref(), Some("shuffled.example"));
        assert!(hellos.pool.is_empty());
    }

    #[test]
    fn keys_stay_when_the_client_takes_up_the_servers_connection_id() {
        let stream = &hello("same-keys.example", 1_500)[5..];
        let (first, servers) = ([1; 8], [9; 12]);
        let mut hellos = Hellos::new();
        assert_eq!(take(&mut hellos, &initial(&first, &first, &crypto(stream, 0, 800))), None);
        let rest = crypto(stream, 800, stream.len());
        assert_eq!(
            take(&mut hellos, &initial(&servers, &first, &rest)).as_deref(),
            Some("same-keys.example")
        );
    }

    #[test]
    fn keys_change_after_a_retry() {
        let stream = &hello("retry.example", 1_500)[5..];
        let (first, retried) = ([1; 8], [9; 12]);
        let mut hellos = Hellos::new();
        assert_eq!(take(&mut hellos, &initial(&first, &first, &crypto(stream, 0, 800))), None);
        assert_eq!(take(&mut hellos, &initial(&retried, &retried, &crypto(stream, 0, 800))), None);
        let rest = crypto(stream, 800, stream.len());
        assert_eq!(take(&mut hellos, &initial(&retried, &retried, &rest)).as_deref(), Some("retry.example"));
    }

    #[test]
    fn a_settled_flow_costs_no_more_aes() {
        let stream = &hello("settled.example", 10)[5..];
        let id = [1; 8];
        let mut hellos = Hellos::new();
        assert!(take(&mut hellos, &initial(&id, &id, &crypto(stream, 0, stream.len()))).is_some());
        let opened = hellos.opening;
        assert_eq!(take(&mut hellos, &initial(&[7; 8], &id, &[1])), None);
        // Not even a forged one with a new identifier.
        assert_eq!(take(&mut hellos, &initial(&[7; 8], &[8; 8], &[1])), None);
        assert_eq!(format!("{opened:?}"), format!("{:?}", hellos.opening));
    }

    #[test]
    fn a_flood_of_forged_initials_spends_the_budget_and_no_more() {
        let forged = initial(&[1; 8], &[2; 8], &[1]);
        let mut hellos = Hellos::new();
        let mut granted = 0;
        for flow in 0..5_000 {
            let before = format!("{:?}", hellos.opening);
            hellos.take_datagram(flow * 65, &forged, NOW);
            granted += u32::from(before != format!("{:?}", hellos.opening));
        }
        assert_eq!(granted, OPENED_AT_ONCE);
        assert!(hellos.pool.is_empty());
    }
}
