//! Bodies of fuzz targets: everything that reads names. Anything may come in; nothing may panic, work is bounded,
//! and what comes out is a host name that cannot hurt. Included by the smoke test and by cargo-fuzz targets alike.

use streamguard::dissect::dns::{self, Data, MAX_ADDRESSES, MAX_RECORDS, Message};
use streamguard::dissect::hostname::{DeviceName, HostName, MAX_HOST_NAME, is_visible};
use streamguard::dissect::quic::{self, InitialKeys, MAX_DATAGRAM};
use streamguard::dissect::tls::{self, Reading};
use streamguard::dissect::{Frame, LinkType, dhcp, dissect, http};
use streamguard::names::{Event, MAX_EVENTS, NameWatcher, registrable, service_of};
use streamguard::time::Moment;

fn check(name: &HostName) {
    let text = name.as_str();
    assert!((1..=MAX_HOST_NAME).contains(&text.len()));
    assert!(text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'\\')));
    assert!(text.ends_with(registrable(text)) && !service_of(text).label.is_empty());
}

fn check_device(name: &DeviceName) {
    assert!(name.as_str().chars().all(is_visible), "shown as it is");
}

/// A DNS or mDNS message.
pub fn dns(data: &[u8]) {
    let Some(message) = Message::parse(data) else { return };
    assert!(message.records().count() <= MAX_RECORDS);
    for record in message.records() {
        record.name.iter().for_each(check);
        match record.data {
            Data::Alias(name) | Data::Pointer(name) | Data::Service(name) => check(&name),
            Data::Https(params) => assert!(dns::hints(params).count() <= params.len() / 4),
            Data::Address(_) | Data::Other { .. } => {}
        }
    }
    if let Some(name) = message.question().and_then(|question| question.name) {
        check(&name);
        let answer = message.answer_to(&name);
        assert!(answer.is_none_or(|answer| (1..=MAX_ADDRESSES).contains(&answer.addresses().len())));
    }
}

/// A TCP stream, from its first byte: a name that a prefix has shown does not change with more bytes.
pub fn tls(data: &[u8]) {
    let name = |bytes: &[u8]| match tls::read_records(bytes) {
        Reading::Hello(hello) => hello.name,
        Reading::Incomplete | Reading::Other => None,
    };
    let whole = name(data);
    whole.iter().for_each(check);
    for end in (0..data.len()).step_by(data.len() / 32 + 1) {
        assert!(name(&data[..end]).is_none_or(|early| Some(early) == whole));
    }
    let _ = tls::read_handshake(data);
    http::request_host(data).iter().for_each(check);
}

/// A datagram, and as the frames of an opened Initial.
pub fn quic(data: &[u8]) {
    let mut scratch = [0; MAX_DATAGRAM];
    for initial in quic::initials(data).take(4) {
        let keys = InitialKeys::of_client(initial.version, &initial.dcid);
        assert!(keys.open(&initial, &mut scratch).is_none_or(|frames| frames.end <= MAX_DATAGRAM));
    }
    let carried: usize = quic::crypto_frames(data).map(|(_, bytes)| bytes.len()).sum();
    assert!(carried <= data.len());
}

/// A DHCP message of either family.
pub fn dhcp(data: &[u8]) {
    let names = [
        dhcp::read_v4(data).and_then(|message| message.host_name),
        dhcp::read_v6(data).and_then(|message| message.host_name),
    ];
    names.iter().flatten().for_each(check_device);
}

/// Ethernet frames, each with its length before it, shown to one watcher.
pub fn watcher(data: &[u8]) {
    let mut watcher = NameWatcher::new(1);
    let (mut rest, mut at) = (data, Moment::from_secs(1));
    while let Some((&[high, low], tail)) = rest.split_first_chunk() {
        let (frame, tail) = tail.split_at(usize::from(u16::from_be_bytes([high, low])).min(tail.len()));
        let frame = Frame { at, link: LinkType::Ethernet, wire_len: frame.len() as u32, data: frame };
        assert!(watcher.observe(&dissect(&frame), None) <= MAX_EVENTS);
        for event in watcher.events() {
            match event {
                Event::Spoken(spoken) => assert!(watcher.names().name(spoken.name).is_some()),
                Event::Answered(answered) => assert!(watcher.names().service(answered.name).is_some()),
                Event::Device(device) => check_device(&device.name),
                Event::Dns(_) | Event::Dhcp { .. } => {}
            }
        }
        (rest, at) = (tail, Moment::from_nanos(at.as_nanos() + 1_000_000));
    }
}
