use std::net::IpAddr;

use super::*;
use crate::time::Duration;

fn addr(text: &str) -> Addr {
    text.parse::<IpAddr>().unwrap().into()
}

fn tablet() -> ClientId {
    "aa:bb:cc:dd:ee:ff".parse().unwrap()
}

fn with_video(until_s: u64) -> Ruleset {
    let mut ruleset = Ruleset { at: Moment::from_secs(100), ..Ruleset::default() };
    ruleset.sets.insert(SetName::Video4, BTreeMap::new());
    ruleset.sets.insert(SetName::Video6, BTreeMap::new());
    let key = Key::towards(tablet(), addr("203.0.113.5"));
    assert!(ruleset.insert(Element { set: SetName::Video4, key, until: Moment::from_secs(until_s) }));
    ruleset
}

#[test]
fn a_key_goes_only_where_it_fits() {
    let mut ruleset = with_video(200);
    let until = Moment::from_secs(1);
    let v6 = Key::towards(tablet(), addr("2001:db8::1"));
    assert!(!ruleset.insert(Element { set: SetName::Video4, key: v6, until }));
    assert!(ruleset.insert(Element { set: SetName::Video6, key: v6, until }));
    assert!(
        !ruleset.insert(Element { set: SetName::Cut, key: Key::client(tablet()), until }),
        "no such set yet"
    );
}

#[test]
fn keys_and_kernel_bytes_are_inverse() {
    let phone = ClientId::Addr(addr("10.0.0.2"));
    let keys = [
        (SetName::Cut, Key::client(tablet()), 6),
        (SetName::Cut4, Key::client(phone), 4),
        (SetName::Video4, Key::towards(tablet(), addr("203.0.113.5")), 12),
        (SetName::Video6, Key::towards(tablet(), addr("2001:db8::5")), 24),
        (SetName::Peer4, Key::towards(phone, addr("203.0.113.5")), 8),
        (SetName::Peer6, Key::Pair(addr("fd00::2"), addr("2001:db8::5")), 32),
    ];
    for (set, key, len) in keys {
        let bytes = key.to_bytes();
        assert_eq!(bytes.len(), len);
        assert_eq!(Key::from_bytes(set.key_type(), &bytes), Some(key));
        assert_eq!(Key::from_bytes(set.key_type(), &bytes[..len - 1]), None);
    }
}

#[test]
fn a_missing_or_other_table_is_written_whole() {
    let desired = with_video(200);
    assert_eq!(diff(&desired, None), Changes::Whole);
    assert_eq!(diff(&desired, Some(&Ruleset::default())), Changes::Whole);
    assert_eq!(diff(&desired, Some(&desired)), Changes::None);
}

#[test]
fn a_new_end_is_delete_and_add_in_one_batch() {
    let (desired, present) = (with_video(500), with_video(200));
    let key = Key::towards(tablet(), addr("203.0.113.5"));
    let until = Moment::from_secs(500);
    assert_eq!(
        diff(&desired, Some(&present)),
        Changes::Elements {
            add: vec![Element { set: SetName::Video4, key, until }],
            delete: vec![(SetName::Video4, key)],
            shape: Vec::new(),
            unshape: Vec::new(),
        }
    );
    assert_eq!(diff(&with_video(201), Some(&present)), Changes::None, "within the tolerance");
}

#[test]
fn elements_that_ended_by_themselves_are_not_touched() {
    let mut desired = with_video(200);
    desired.at = Moment::from_secs(300);
    let mut empty = desired.clone();
    empty.sets.get_mut(&SetName::Video4).unwrap().clear();
    assert_eq!(diff(&desired, Some(&empty)), Changes::None);
    assert_eq!(diff(&empty, Some(&desired)), Changes::None);
}

#[test]
fn sets_never_exceed_their_capacity() {
    let mut ruleset = Ruleset::default();
    ruleset.sets.insert(SetName::Cut, BTreeMap::new());
    let until = Moment::ZERO + Duration::from_secs(9);
    let fits = |n: &u32| {
        let [a, b, c, d] = n.to_be_bytes();
        ruleset.insert(Element { set: SetName::Cut, key: Key::Ether(MacAddr([2, 0, a, b, c, d])), until })
    };
    assert_eq!((0..5_000).filter(fits).count(), SetName::Cut.capacity());
}
