use super::*;

/// A message under construction: header counts are filled in at the end.
struct Draft {
    bytes: Vec<u8>,
    counts: [u16; 4],
}

impl Draft {
    fn response() -> Self {
        Self { bytes: vec![0xab, 0xcd, 0x81, 0x80, 0, 0, 0, 0, 0, 0, 0, 0], counts: [0; 4] }
    }

    fn name(&mut self, name: &str) -> &mut Self {
        for label in name.split('.').filter(|label| !label.is_empty()) {
            self.bytes.push(label.len() as u8);
            self.bytes.extend_from_slice(label.as_bytes());
        }
        self.bytes.push(0);
        self
    }

    fn question(mut self, name: &str, qtype: u16) -> Self {
        self.name(name);
        self.bytes.extend_from_slice(&[(qtype >> 8) as u8, qtype as u8, 0, 1]);
        self.counts[0] += 1;
        self
    }

    fn record(mut self, name: &str, rtype: u16, ttl_s: u32, data: &[u8]) -> Self {
        self.name(name);
        self.bytes.extend_from_slice(&rtype.to_be_bytes());
        self.bytes.extend_from_slice(&[0, 1]);
        self.bytes.extend_from_slice(&ttl_s.to_be_bytes());
        self.bytes.extend_from_slice(&(data.len() as u16).to_be_bytes());
        self.bytes.extend_from_slice(data);
        self.counts[1] += 1;
        self
    }

    fn alias(self, name: &str, target: &str) -> Self {
        let mut data = Self { bytes: Vec::new(), counts: [0; 4] };
        data.name(target);
        let data = data.bytes;
        self.record(name, rtype::CNAME, 30, &data)
    }

    fn bytes(mut self) -> Vec<u8> {
        for (at, count) in self.counts.iter().enumerate() {
            self.bytes[4 + 2 * at..6 + 2 * at].copy_from_slice(&count.to_be_bytes());
        }
        self.bytes
    }
}

fn answer(bytes: &[u8]) -> Option<(String, Vec<(String, u32)>)> {
    let message = Message::parse(bytes)?;
    let answer = message.answer_to(&message.question()?.name?)?;
    let addresses = answer.addresses().iter().map(|(addr, ttl_s)| (addr.to_string(), *ttl_s)).collect();
    Some((answer.name.to_string(), addresses))
}

#[test]
fn addresses_are_known_by_the_name_that_was_asked_for() {
    let bytes = Draft::response()
        .question("WWW.Netflix.com", rtype::A)
        .alias("www.netflix.com", "www.dradis.netflix.com")
        .alias("www.dradis.netflix.com", "apiproxy.elb.amazonaws.com")
        .record("apiproxy.elb.amazonaws.com", rtype::A, 60, &[192, 0, 2, 1])
        .record("apiproxy.elb.amazonaws.com", rtype::A, 10, &[192, 0, 2, 2])
        .bytes();
    let expected = vec![("192.0.2.1".to_owned(), 30), ("192.0.2.2".to_owned(), 10)];
    assert_eq!(answer(&bytes), Some(("www.netflix.com".to_owned(), expected)));
}

#[test]
fn records_for_another_name_are_not_believed() {
    let bytes = Draft::response()
        .question("a.example", rtype::A)
        .record("bank.example", rtype::A, 60, &[192, 0, 2, 9])
        .record("a.example", rtype::AAAA, 60, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
        .bytes();
    assert_eq!(answer(&bytes), Some(("a.example".to_owned(), vec![("2001:db8::1".to_owned(), 60)])));
}

#[test]
fn a_chain_out_of_order_is_followed() {
    let bytes = Draft::response()
        .question("a.example", rtype::A)
        .record("c.example", rtype::A, 60, &[192, 0, 2, 9])
        .alias("b.example", "c.example")
        .alias("a.example", "b.example")
        .bytes();
    assert_eq!(answer(&bytes), None, "of three links backwards two passes follow two");
    let bytes = Draft::response()
        .question("a.example", rtype::A)
        .record("c.example", rtype::A, 60, &[192, 0, 2, 9])
        .alias("a.example", "b.example")
        .alias("b.example", "c.example")
        .bytes();
    assert_eq!(answer(&bytes), Some(("a.example".to_owned(), vec![("192.0.2.9".to_owned(), 30)])));
}

#[test]
fn a_circle_of_aliases_ends() {
    let bytes = Draft::response()
        .question("a.example", rtype::A)
        .alias("b.example", "a.example")
        .alias("a.example", "b.example")
        .bytes();
    assert_eq!(answer(&bytes), None);
}

#[test]
fn https_records_hint_at_addresses() {
    // Priority 1, target ".", alpn h3, ipv4hint of two, ipv6hint of one, a broken last parameter.
    let data = [
        &[0, 1, 0, 0, 1, 0, 3, 2, b'h', b'3', 0, 4, 0, 8, 192, 0, 2, 1, 192, 0, 2, 2, 0, 6, 0, 16][..],
        &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 9, 0xff],
    ]
    .concat();
    let bytes =
        Draft::response().question("h.example", rtype::HTTPS).record("h.example", rtype::HTTPS, 5, &data);
    let hints = ["192.0.2.1", "192.0.2.2", "2001:db8::1"].map(|addr| (addr.to_owned(), 5));
    assert_eq!(answer(&bytes.bytes()), Some(("h.example".to_owned(), hints.to_vec())));
}

#[test]
fn compression_is_followed_backwards_only() {
    // Header, question "a.example", answer whose name points to the question, then one that points to itself.
    let mut bytes = Draft::response().question("a.example", rtype::A).bytes();
    let record = [0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 1];
    bytes.extend_from_slice(&[0xc0, 12]);
    bytes.extend_from_slice(&record);
    let at = bytes.len() as u8;
    bytes.extend_from_slice(&[0xc0, at]);
    bytes.extend_from_slice(&record);
    bytes[7] = 2;
    assert_eq!(answer(&bytes), Some(("a.example".to_owned(), vec![("192.0.2.1".to_owned(), 9)])));
    // Forward, and two that point at each other.
    for loops in [[0xc0, 14, 0xc0, 12], [0xc0, 20, 0, 0]] {
        let mut bytes = vec![0, 0, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(&loops);
        bytes.extend_from_slice(&[0; 8]);
        assert_eq!(Message::parse(&bytes).unwrap().question(), None);
    }
}

#[test]
fn the_shape_of_a_name_shows_a_tunnel() {
    let bytes = Draft::response().question("0ABCdef01234\u{e9}\u{fe}.t.example.com", rtype::NULL).bytes();
    let question = Message::parse(&bytes).unwrap().question().unwrap();
    let shape = question.shape;
    assert_eq!((shape.len, shape.labels, shape.longest_label), (31, 4, 16));
    assert_eq!((shape.digits, shape.upper, shape.binary), (6, 3, 4));
    assert_eq!(shape.distinct, 22);
    assert_eq!(question.qtype, rtype::NULL);
}

#[test]
fn a_message_cut_anywhere_yields_what_stands_before() {
    let bytes = Draft::response()
        .question("a.example", rtype::A)
        .record("a.example", rtype::A, 60, &[192, 0, 2, 1])
        .record("a.example", rtype::A, 60, &[192, 0, 2, 2])
        .bytes();
    let mut last = 0;
    for end in 0..=bytes.len() {
        let found = answer(&bytes[..end]).map_or(0, |(_, addresses)| addresses.len());
        assert!(found >= last, "{end}");
        last = found;
    }
    assert_eq!(last, 2);
}

#[test]
fn what_is_no_dns_is_refused() {
    assert!(Message::parse(&[0; 11]).is_none());
    // Opcode 5 (update), Z bit, 4,000 questions.
    assert!(Message::parse(&[0, 0, 0x28, 0, 0, 1, 0, 0, 0, 0, 0, 0]).is_none());
    assert!(Message::parse(&[0, 0, 0, 0x40, 0, 1, 0, 0, 0, 0, 0, 0]).is_none());
    assert!(Message::parse(&[0, 0, 0, 0, 15, 0xa0, 0, 0, 0, 0, 0, 0]).is_none());
    // An error has no answer.
    let mut bytes =
        Draft::response().question("a.example", 1).record("a.example", 1, 9, &[1, 2, 3, 4]).bytes();
    bytes[3] |= 3;
    assert_eq!((answer(&bytes), Message::parse(&bytes).unwrap().rcode), (None, 3));
}

#[test]
fn more_addresses_than_fit_are_left_out() {
    let draft = (0..60).fold(Draft::response().question("a.example", 1), |draft, i| {
        draft.record("a.example", rtype::A, 60, &[192, 0, 2, i])
    });
    assert_eq!(answer(&draft.bytes()).map(|(_, addresses)| addresses.len()), Some(MAX_ADDRESSES));
}

#[test]
fn over_tcp_the_length_comes_first() {
    assert_eq!(of_tcp(&[0, 2, 7, 8, 9]), Some(&[7, 8][..]));
    assert_eq!((of_tcp(&[0, 4, 7, 8, 9]), of_tcp(&[0])), (None, None));
}
